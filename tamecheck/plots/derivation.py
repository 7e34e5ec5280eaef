"""The derivation of a check as a diagram: what each node's definability rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from tamecheck.plots.canvas import Axes, Picture, figure_axes, label_of, styled
from tamecheck.plots.paint import notes_below
from tamecheck.plots.palette import CLARKE, FILLS, INK, MUTED
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

__all__ = ["draw_derivation"]

_ROW = 1.0
_WIDE = 3.4
_GAP = 0.35
_MOST = 160


@dataclass(frozen=True, slots=True)
class _Box:
    """One entry of the diagram at a place; ``line`` is None for the frame of a repetition."""

    line: Line | None
    x: float
    y: float
    seen: bool = False


@dataclass(slots=True)
class _Drawing:
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
    parts = [(name, collapse(entries)) for name, entries in arrange(check)]
    total = sum(entry_count(entries) for _, entries in parts)
    notes: list[str] = []
    drawing = _Drawing([], [], [])
    left, deepest, shown = 0.0, 0.0, 0
    for _, entries in parts:
        if shown and shown + entry_count(entries) > _MOST:
            break
        kept = entries if entry_count(entries) <= _MOST else entries[:_MOST]
        shown += sum(entry_count((entry,)) for entry in kept)
        width = _width(kept)
        bottom = _place(drawing, kept, left + width / 2, 0.0, None)[0]
        deepest = max(deepest, bottom)
        left += width + _GAP
    if shown < total:
        notes.append(f"{shown} of {total} lines are drawn")
    stuck = obstacles(check)
    with styled():
        size = {"width": max(3.2, min(1.15 * left, 16)), "height": max(1.6, 0.62 * deepest + 0.9)}
        drawn = figure_axes(axes, **size)
        _draw(drawn, drawing, stuck)
        drawn.set_xlim(-_GAP, max(left, _WIDE))
        drawn.set_ylim(deepest + 0.1, -0.75)
        drawn.set_axis_off()
        structure = f" in {check.structure.public_name}" if check.structure is not None else ""
        drawn.set_title(label_of(f"{check.verdict.value}{structure}"), fontsize=10)
        notes_below(drawn, notes, own=axes is None)
    counts = {
        "steps": sum(1 for box in drawing.boxes if not box.seen),
        "links": len(drawing.links),
        "repeats": len(drawing.frames),
        "obstacles": len(stuck),
    }
    facts = {"verdict": check.verdict.value}
    return Picture(
        "certificate", drawn, counts, complete=shown == total, notes=tuple(notes), facts=facts
    )


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
    drawing: _Drawing, entries: Sequence[Entry], x: float, y: float, above: _Port | None
) -> tuple[float, list[_Port]]:
    """Place entries from the top down about a middle; the bottom, and the open ends below."""
    ports = [above] if above is not None else []
    for entry in entries:
        match entry:
            case Step(line) | See(line):
                for port in ports:
                    drawing.links.append((port, (x, y)))
                drawing.boxes.append(_Box(line, x, y, seen=isinstance(entry, See)))
                y += _ROW
                ports = [(x, y - _ROW + 0.6)]
            case Arms(arms):
                widths = [_width(arm) for arm in arms]
                left = x - (sum(widths) + _GAP * (len(arms) - 1)) / 2
                top, ends = y, list[_Port]()
                source = ports[0] if ports else None
                for arm, width in zip(arms, widths, strict=True):
                    bottom, below = _place(drawing, arm, left + width / 2, top, source)
                    y, left = max(y, bottom), left + width + _GAP
                    ends += below
                ports = ends
            case Repeat(times, inner):
                top = y
                width = _width(inner) + _GAP
                source = ports[0] if ports else None
                y, ports = _place(drawing, inner, x, y + 0.12, source)
                y += 0.12
                drawing.frames.append((x - width / 2, top - 0.02, width, y - top - 0.2, times))
    return y, ports


def _draw(axes: Axes, drawing: _Drawing, stuck: frozenset[int]) -> None:
    patches: Any = import_module("matplotlib.patches")
    for x, y, width, height, times in drawing.frames:
        axes.add_patch(
            patches.FancyBboxPatch(
                (x, y),
                width,
                height,
                boxstyle="round,pad=0,rounding_size=0.12",
                facecolor="none",
                edgecolor=MUTED,
                linestyle="--",
                linewidth=0.8,
                zorder=1,
            )
        )
        axes.text(x + width - 0.05, y + 0.02, f"× {times}", ha="right", va="bottom", fontsize=7.5)
    for start, stop in drawing.links:
        axes.annotate(
            "",
            xy=start,
            xytext=stop,
            zorder=2,
            arrowprops={
                "arrowstyle": "-|>",
                "color": INK,
                "linewidth": 0.8,
                "shrinkA": 0,
                "shrinkB": 0,
            },
        )
    for box in drawing.boxes:
        _entry(axes, patches, box, stuck)


def _entry(axes: Axes, patches: Any, box: _Box, stuck: frozenset[int]) -> None:
    line = box.line
    if line is None:
        return
    bad = line.node in stuck
    known = bool(line.structures)
    face = "white" if box.seen else (FILLS[4] if bad else FILLS[7] if known else FILLS[3])
    axes.add_patch(
        patches.FancyBboxPatch(
            (box.x - _WIDE / 2, box.y),
            _WIDE,
            0.6,
            boxstyle="round,pad=0,rounding_size=0.08",
            facecolor=face,
            edgecolor=CLARKE if bad else INK,
            linewidth=1.4 if bad else 0.7,
            linestyle=":" if box.seen else "-",
            zorder=3,
        )
    )
    structures = ", ".join(s.public_name for s in line.structures) or "?"
    head = f"{line.op}: {structures}" if line.op else structures
    axes.text(box.x, box.y + 0.2, label_of(head), ha="center", va="center", fontsize=7.5, zorder=4)
    reason = "see above" if box.seen else line.why
    short = reason if len(reason) <= 42 else f"{reason[:41]}…"
    axes.text(
        box.x,
        box.y + 0.44,
        label_of(short),
        ha="center",
        va="center",
        fontsize=5.6,
        color=INK,
        zorder=4,
    )
