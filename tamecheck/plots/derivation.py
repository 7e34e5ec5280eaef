"""The derivation of a check as a diagram: what each node's definability rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tamecheck.plots.canvas import CLARKE, FILLS, INK, MUTED, Axes, Picture, drawing, label_of, mpl
from tamecheck.show.proof import (
    Arms,
    Entry,
    Repeat,
    See,
    Step,
    arrange,
    collapse,
    entry_count,
    obstacles,
)
from tamecheck.tame.verdict import Check, Line

_ROW = 1.0
_WIDE = 3.4
_GAP = 0.35
_MOST = 160
_LONGEST = 42


@dataclass(frozen=True, slots=True)
class _Box:
    """One entry of the diagram at a place."""

    line: Line
    x: float
    y: float
    seen: bool


@dataclass(slots=True)
class _Diagram:
    """Boxes, arrows between them, and frames: place, size, number of repetitions."""

    boxes: list[_Box]
    links: list[tuple[tuple[float, float], tuple[float, float]]]
    frames: list[tuple[float, float, float, float, int]]


def draw_derivation(check: Check, axes: Axes | None = None) -> Picture:
    """The derivation of a check, from the outputs at the top down to the inputs.

    Equal layers that follow each other are drawn once, in a frame with their number.  Where a
    verdict is open or refuted, the nodes at which the derivation stops are marked.

    Parameters
    ----------
    check
        The answer of a check.
    axes
        Axes to draw on; new ones if None.
    """
    parts = [collapse(entries) for _, entries in arrange(check)]
    total = sum(map(entry_count, parts))
    diagram = _Diagram([], [], [])
    left, deepest, shown = 0.0, 0.0, 0
    for entries in parts:
        if shown and shown + entry_count(entries) > _MOST:
            break
        kept = entries if entry_count(entries) <= _MOST else entries[:_MOST]
        shown += entry_count(kept)
        width = _width(kept)
        deepest = max(deepest, _place(diagram, kept, left + width / 2, 0.0, None)[0])
        left += width + _GAP
    notes = [f"{shown} of {total} lines are drawn"] if shown < total else []
    stuck = obstacles(check)
    size = {"width": max(3.2, min(1.15 * left, 16)), "height": max(1.6, 0.62 * deepest + 0.9)}
    with drawing(axes, notes, **size) as drawn:
        _draw(drawn.axes, diagram, stuck)
        drawn.axes.set_xlim(-_GAP, max(left, _WIDE))
        drawn.axes.set_ylim(deepest + 0.1, -0.75)
        drawn.axes.set_axis_off()
        structure = f" in {check.structure.public_name}" if check.structure is not None else ""
        drawn.axes.set_title(label_of(f"{check.verdict.value}{structure}"), fontsize=10)
    counts = {
        "steps": sum(not box.seen for box in diagram.boxes),
        "links": len(diagram.links),
        "repeats": len(diagram.frames),
        "obstacles": len(stuck),
    }
    facts = {"verdict": check.verdict.value}
    return drawn.picture("certificate", counts, complete=shown == total, facts=facts)


def _width(entries: Sequence[Entry]) -> float:
    widest = _WIDE
    for entry in entries:
        match entry:
            case Arms(arms):
                widest = max(widest, sum(_width(arm) for arm in arms) + _GAP * (len(arms) - 1))
            case Repeat(_, inner):
                widest = max(widest, _width(inner) + 2 * _GAP)
            case Step() | See():
                pass
    return widest


_Port = tuple[float, float]


def _place(
    diagram: _Diagram, entries: Sequence[Entry], x: float, y: float, above: _Port | None
) -> tuple[float, list[_Port]]:
    """Place entries from the top down about a middle; the bottom, and the open ends below."""
    ports = [above] if above is not None else []
    for entry in entries:
        match entry:
            case Step(line) | See(line):
                diagram.links += [(port, (x, y)) for port in ports]
                diagram.boxes.append(_Box(line, x, y, seen=isinstance(entry, See)))
                y += _ROW
                ports = [(x, y - _ROW + 0.6)]
            case Arms(arms):
                widths = [_width(arm) for arm in arms]
                left = x - (sum(widths) + _GAP * (len(arms) - 1)) / 2
                top, ends = y, list[_Port]()
                source = ports[0] if ports else None
                for arm, width in zip(arms, widths, strict=True):
                    bottom, below = _place(diagram, arm, left + width / 2, top, source)
                    y, left = max(y, bottom), left + width + _GAP
                    ends += below
                ports = ends
            case Repeat(times, inner):
                top = y
                width = _width(inner) + _GAP
                source = ports[0] if ports else None
                y, ports = _place(diagram, inner, x, y + 0.12, source)
                y += 0.12
                diagram.frames.append((x - width / 2, top - 0.02, width, y - top - 0.2, times))
    return y, ports


def _frame(axes: Axes, corner: _Port, size: _Port, rounding: float, **looks: Any) -> None:
    style = f"round,pad=0,rounding_size={rounding}"
    axes.add_patch(mpl.patches.FancyBboxPatch(corner, *size, boxstyle=style, **looks))


def _draw(axes: Axes, diagram: _Diagram, stuck: frozenset[int]) -> None:
    dashed: Any = {"facecolor": "none", "edgecolor": MUTED, "linestyle": "--", "linewidth": 0.8}
    for x, y, width, height, times in diagram.frames:
        _frame(axes, (x, y), (width, height), 0.12, zorder=1, **dashed)
        axes.text(x + width - 0.05, y + 0.02, f"× {times}", ha="right", va="bottom", fontsize=7.5)
    arrow: Any = {"arrowstyle": "-|>", "color": INK, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}
    for start, stop in diagram.links:
        axes.annotate("", xy=start, xytext=stop, zorder=2, arrowprops=arrow)
    for box in diagram.boxes:
        line = box.line
        bad, known = line.node in stuck, bool(line.structures)
        looks: Any = {
            "facecolor": "white" if box.seen else FILLS[4 if bad else 7 if known else 3],
            "edgecolor": CLARKE if bad else INK,
            "linewidth": 1.4 if bad else 0.7,
            "linestyle": ":" if box.seen else "-",
        }
        _frame(axes, (box.x - _WIDE / 2, box.y), (_WIDE, 0.6), 0.08, zorder=3, **looks)
        structures = ", ".join(s.public_name for s in line.structures) or "?"
        head = f"{line.op}: {structures}" if line.op else structures
        middle: Any = {"ha": "center", "va": "center", "zorder": 4}
        axes.text(box.x, box.y + 0.2, label_of(head), fontsize=7.5, **middle)
        why = "see above" if box.seen else line.why
        short = why if len(why) <= _LONGEST else f"{why[: _LONGEST - 1]}…"
        axes.text(box.x, box.y + 0.44, label_of(short), fontsize=5.6, color=INK, **middle)
