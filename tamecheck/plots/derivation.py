"""The derivation of a check as a diagram: what each node's definability rests on."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

from tamecheck.ir.structure import Structure
from tamecheck.plots.canvas import CLARKE, FILLS, INK, MUTED, Axes, Picture, drawing, label_of, mpl
from tamecheck.show import proof
from tamecheck.show.wording import reason
from tamecheck.tame.verdict import Check, Line, Verdict

# in inches
_LINE = 0.135
_GAP = 0.24
_NARROW, _BROAD = 1.2, 2.1
_MOST = 160

_Place: TypeAlias = tuple[float, float]


@dataclass(slots=True)
class _Box:
    """A node of the diagram: its line, the middle of its box, and how far below the outputs."""

    line: Line
    x: float
    rank: int = 0

    @property
    def words(self) -> tuple[str, str]:
        """What stands in the box."""
        line = self.line
        names = " or ".join(dict.fromkeys(map(_name, line.structures))) or "?"
        if line.op == "input":
            return f"input {line.name}", names
        return f"{line.op}: {names}" if line.op else names, reason(line)

    @property
    def width(self) -> float:
        """How much room the words need."""
        head, why = self.words
        return min(max(0.078 * len(head) + 0.2, 0.064 * len(why) + 0.2, _NARROW), _BROAD)

    def written(self, wide: float) -> list[str]:
        """The words on lines: the head, and the reason on two at most."""
        head, why = self.words
        most = int((wide - 0.14) / 0.078)
        short = head if len(head) <= most else f"{head[: most - 1]}…"
        first, second, *more = [*textwrap.wrap(why, int((wide - 0.14) / 0.064)), "", ""]
        return [line for line in (short, first, f"{second} …" if more[2:] else second) if line]


class _Diagram:
    """Boxes by number, links from a box to the one above it, frames around repeated ones."""

    def __init__(self, wide: float) -> None:
        self.boxes: list[_Box] = []
        self.links: dict[tuple[int, int], None] = {}
        self.frames: list[tuple[int, list[int]]] = []
        self.wide = wide
        self._number: dict[int, int] = {}
        self._hidden: set[int] = set()

    def place(self, entries: Sequence[proof.Entry], x: float, above: Sequence[int]) -> list[int]:
        """Place entries below some boxes, about a middle; the boxes that are open below."""
        ends = list(above)
        for entry in entries:
            match entry:
                case proof.Step(line):
                    ends = [self._box(line, x, ends)]
                case proof.See(line):
                    # its arguments hang below it already
                    self._box(line, x, ends)
                    ends = []
                case proof.Arms(arms):
                    widths = [_width(arm, self.wide) for arm in arms]
                    left = x - (sum(widths) + _GAP * (len(arms) - 1)) / 2
                    source, ends = ends, list[int]()
                    for arm, width in zip(arms, widths, strict=True):
                        ends += self.place(arm, left + width / 2, source)
                        left += width + _GAP
                case proof.Repeat(times, inner):
                    start = len(self.boxes)
                    ends = self.place(inner, x, ends)
                    self.frames.append((times, list(range(start, len(self.boxes)))))
                    # what the last of them rests on stands below the frame
                    self._hidden = {arg for k in ends for arg in self.boxes[k].line.args}
        return ends

    def _box(self, line: Line, x: float, above: Sequence[int]) -> int:
        """The box of a node: the one that is there, else a new one; linked to those above."""
        number = self._number.setdefault(line.node, len(self.boxes))
        if number == len(self.boxes):
            self.boxes.append(_Box(line, x))
            self._number |= dict.fromkeys(self._hidden - self._number.keys(), number)
            self._hidden = set()
        for other in above:
            self.links.setdefault((number, other))
        return number

    def arrange(self) -> None:
        """Links by arguments, rows by the longest way from an output, and room in each row."""
        for number, box in enumerate(self.boxes):
            for arg in box.line.args:
                if arg in self._number:
                    self.links.setdefault((self._number[arg], number))
        self.links = {(a, b): None for a, b in self.links if a != b}
        order = sorted(range(len(self.boxes)), key=lambda k: -self.boxes[k].line.node)
        above: dict[int, list[int]] = {}
        for below, other in self.links:
            above.setdefault(below, []).append(other)
        for number in order:
            ranks = [self.boxes[other].rank for other in above.get(number, ())]
            self.boxes[number].rank = max(ranks, default=-1) + 1
        rows: dict[int, list[_Box]] = {}
        for box in self.boxes:
            rows.setdefault(box.rank, []).append(box)
        for row in rows.values():
            row.sort(key=lambda box: box.x)
            for one, two in pairwise(row):
                two.x = max(two.x, one.x + self.wide + _GAP)


def draw_derivation(check: Check, axes: Axes | None = None) -> Picture:
    """The derivation of a check, from the outputs at the top down to the inputs.

    A node that several others use is drawn once.  Equal layers that follow each other are drawn
    once, in a frame with their number.  Where a verdict is open or refuted, the nodes at which the
    derivation stops are marked.

    Parameters
    ----------
    check, axes
        The answer of a check, and the axes to draw on; new ones if None.
    """
    parts = [proof.collapse(entries) for _, entries in proof.arrange(check)]
    total = sum(map(proof.entry_count, parts))
    lines = (line for line in check.derivation if not check.graph.input_free[line.node])
    wide = max((_Box(line, 0.0).width for line in lines), default=_NARROW)
    diagram = _Diagram(wide)
    left, shown = 0.0, 0
    for entries in parts:
        if shown and shown + proof.entry_count(entries) > _MOST:
            break
        kept = entries if proof.entry_count(entries) <= _MOST else entries[:_MOST]
        shown += proof.entry_count(kept)
        width = _width(kept, wide)
        diagram.place(kept, left + width / 2, [])
        left += width + _GAP
    diagram.arrange()
    notes = [f"{shown} of {total} lines are drawn"] if shown < total else []
    stuck = proof.obstacles(check)
    places = [box.x for box in diagram.boxes] or [wide / 2]
    low, high = min(places) - wide / 2 - 0.12, max(places) + wide / 2 + 0.12
    high += 0.25 * any(diagram.boxes[a].rank > diagram.boxes[b].rank + 1 for a, b in diagram.links)
    texts = [box.written(wide) for box in diagram.boxes]
    tall = 0.1 + _LINE * max(map(len, texts), default=1)
    deepest = (tall + 0.28) * max((box.rank for box in diagram.boxes), default=0) + tall
    size = {"width": min(max(3.2, high - low), 16.0), "height": max(1.2, deepest + 0.55)}
    with drawing(axes, notes, **size) as drawn:
        _draw(drawn.axes, diagram, tall, stuck)
        drawn.axes.set_xlim(low, high)
        drawn.axes.set_ylim(deepest + 0.1, -0.12)
        drawn.axes.set_axis_off()
        drawn.axes.set_title(label_of(_title(check)), fontsize=10)
    counts = {
        "steps": len(diagram.boxes),
        "links": len(diagram.links),
        "repeats": len(diagram.frames),
        "obstacles": len(stuck),
    }
    facts = {"verdict": check.verdict.value}
    return drawn.picture("certificate", counts, complete=shown == total, facts=facts)


def _name(structure: Structure) -> str:
    semilinear = structure is Structure.RATIONAL_SEMILINEAR
    return structure.public_name if semilinear else structure.symbol


def _title(check: Check) -> str:
    structure = check.structure
    match check.verdict:
        case Verdict.TAME if structure is not None:
            return f"definable in {structure.symbol}"
        case Verdict.LOCALLY_TAME if structure is not None:
            return f"definable in {structure.symbol}, which is locally o-minimal"
        case Verdict.NOT_TAME:
            return "not tame: in no o-minimal structure with + and ×"
        case _:
            return "open: neither a derivation nor a refutation"


def _width(entries: Sequence[proof.Entry], wide: float) -> float:
    widest = wide
    for entry in entries:
        match entry:
            case proof.Arms(arms):
                total = sum(_width(arm, wide) for arm in arms) + _GAP * (len(arms) - 1)
                widest = max(widest, total)
            case proof.Repeat(_, inner):
                widest = max(widest, _width(inner, wide) + 2 * _GAP)
            case proof.Step() | proof.See():
                pass
    return widest


def _draw(axes: Axes, diagram: _Diagram, tall: float, stuck: frozenset[int]) -> None:
    wide, boxes = diagram.wide, diagram.boxes
    tops = [box.rank * (tall + 0.28) for box in boxes]
    dashed: Any = {"facecolor": "none", "edgecolor": MUTED, "linestyle": "--", "linewidth": 0.8}
    for times, members in diagram.frames:
        left, right = (end(boxes[k].x for k in members) for end in (min, max))
        top, bottom = (end(tops[k] for k in members) for end in (min, max))
        x, width = left - wide / 2 - 0.08, right - left + wide + 0.16
        _frame(axes, (x, top - 0.07), (width, bottom - top + tall + 0.14), zorder=1, **dashed)
        axes.text(x + width, top - 0.08, f"× {times}", ha="right", va="bottom", fontsize=8)
    for below, above in diagram.links:
        _link(axes, (boxes[below], boxes[above]), (tops[below], tops[above]), (wide, tall))
    for box, top in zip(boxes, tops, strict=True):
        bad, known = box.line.node in stuck, bool(box.line.structures)
        looks: Any = {
            "facecolor": FILLS[4 if bad else 7 if known else 3],
            "edgecolor": CLARKE if bad else INK,
            "linewidth": 1.4 if bad else 0.7,
        }
        _frame(axes, (box.x - wide / 2, top), (wide, tall), zorder=3, **looks)
        texts = box.written(wide)
        first = top + tall / 2 - _LINE * (len(texts) - 1) / 2
        for number, text in enumerate(texts):
            middle: Any = {"ha": "center", "va": "center", "zorder": 4, "color": INK}
            size = 7 if number else 8.5
            axes.text(box.x, first + _LINE * number, label_of(text), fontsize=size, **middle)


def _frame(axes: Axes, corner: _Place, size: _Place, **looks: Any) -> None:
    style = "round,pad=0,rounding_size=0.05"
    axes.add_patch(mpl.patches.FancyBboxPatch(corner, *size, boxstyle=style, **looks))


def _link(axes: Axes, boxes: tuple[_Box, _Box], tops: _Place, size: _Place) -> None:
    """An arrow from a box to one above; past those between them on the right."""
    (below, above), (wide, tall) = boxes, size
    looks: Any = {"arrowstyle": "-|>", "color": INK, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}
    start, stop = (below.x, tops[0]), (above.x, tops[1] + tall)
    if below.rank > above.rank + 1 and abs(below.x - above.x) < wide:
        start, stop = ((box.x + wide / 2, y + tall / 2) for box, y in zip(boxes, tops, strict=True))
        looks["connectionstyle"] = f"arc3,rad={0.5 / (start[1] - stop[1])}"
    axes.annotate("", xy=stop, xytext=start, zorder=2, arrowprops=looks)
