"""Colours that the colour-blind tell apart, and that stay apart in grey.

The hues are those of Okabe and Ito (2008).  Fills are these hues mixed with white, ordered so that
neighbours in the list differ in lightness too; where more than colour must carry a meaning, line
styles, markers and hatches say it again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = [
    "ARROW",
    "CLARKE",
    "DATA_MARKERS",
    "FILLS",
    "HATCHES",
    "INK",
    "JUMP",
    "KINK",
    "LINES",
    "MUTED",
    "SEQUENTIAL",
    "SOFT",
    "UNKNOWN",
    "graph_colouring",
]

INK = "#1a1a1a"
"""Axes, text, frames."""

KINK = "#3c3c3c"
JUMP = "#d55e00"
"""Vermilion: also the darkest warm hue, and always dashed and heavier than a kink."""

ARROW = "#0072b2"
CLARKE = "#d55e00"
MUTED = "#8c8c8c"
SOFT = "#f2f2f2"
UNKNOWN = "#d9d9d9"

LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
"""Okabe–Ito hues for lines and markers on white; yellow is too light for that."""

FILLS = ("#9ecae8", "#f6d58a", "#6fb59c", "#f3efe2", "#e59a6b", "#d9b3cc", "#5b8fb5", "#c9dfd6")
"""Fills: alternately darker and lighter."""

HATCHES = ("", "///", "...", "\\\\\\", "xxx", "---", "ooo", "+++")
"""A second sign beside the fill for classes."""

DATA_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

SEQUENTIAL = "cividis"
"""A colour map whose lightness grows evenly."""


def graph_colouring(count: int, pairs: Sequence[tuple[int, int]], colours: int) -> list[int]:
    """A number below ``colours`` for each vertex, different at the ends of an edge if possible.

    Greedy by falling degree; among the free numbers the one that is used least so far, so that
    all of them appear.  Planar graphs rarely need more than 5; where none is free, the number
    that fewest neighbours have is taken.
    """
    near: Mapping[int, set[int]] = {vertex: set() for vertex in range(count)}
    for first, second in pairs:
        if first != second:
            near[first].add(second)
            near[second].add(first)
    chosen = [-1] * count
    used = [0] * colours
    for vertex in sorted(range(count), key=lambda v: (-len(near[v]), v)):
        taken = [0] * colours
        for other in near[vertex]:
            if chosen[other] >= 0:
                taken[chosen[other]] += 1
        best = min(range(colours), key=lambda c: (taken[c], used[c], c))
        chosen[vertex] = best
        used[best] += 1
    return chosen
