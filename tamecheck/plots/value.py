"""The value function of a program along one right-hand side: pieces, jumps and closed ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from tamecheck.errors import InputError
from tamecheck.plots.canvas import Axes, Picture, figure_axes, label_of, styled
from tamecheck.plots.paint import legend, line_handle, notes_below, patch_handle
from tamecheck.plots.palette import JUMP, KINK, LINES

__all__ = ["AffinePiece", "Bound", "bound_of", "draw_value"]


class AffinePiece(Protocol):
    """``slope * b + intercept`` between two right-hand sides; a single point if they are equal."""

    @property
    def lower(self) -> Fraction:
        """The left end."""
        ...

    @property
    def upper(self) -> Fraction:
        """The right end."""
        ...

    @property
    def slope(self) -> Fraction:
        """The slope."""
        ...

    @property
    def intercept(self) -> Fraction:
        """The constant."""
        ...

    @property
    def lower_closed(self) -> bool:
        """Whether the left end belongs to the piece."""
        ...

    @property
    def upper_closed(self) -> bool:
        """Whether the right end belongs to the piece."""
        ...


class Function(Protocol):
    """A bound on the optimal value as a function of right-hand sides by name."""

    @property
    def method(self) -> str:
        """What is the name of its family."""
        ...

    @property
    def strong(self) -> bool:
        """Whether it is the optimal value at its own right-hand side."""
        ...

    def __call__(self, b: Mapping[str, Fraction]) -> Fraction | float:
        """The bound, or infinity."""
        ...


class Pieces(Protocol):
    """A value function in one right-hand side on an interval."""

    @property
    def name(self) -> str:
        """The right-hand side."""
        ...

    @property
    def low(self) -> Fraction:
        """The left end."""
        ...

    @property
    def high(self) -> Fraction:
        """The right end."""
        ...

    @property
    def breakpoints(self) -> Sequence[Fraction]:
        """Where pieces meet."""
        ...


@dataclass(frozen=True, slots=True)
class Bound:
    """A dual function at finitely many right-hand sides, where it is finite."""

    method: str
    strong: bool
    points: tuple[tuple[Fraction, Fraction], ...]

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "method": self.method,
            "strong": self.strong,
            "points": [[str(t), str(value)] for t, value in self.points],
        }


_STEPS = 240


def bound_of(
    function: Function, pieces: Pieces, others: Mapping[str, Fraction] | None = None
) -> Bound:
    """A dual function where the pieces of the value function are, evaluated exactly.

    Parameters
    ----------
    function
        The dual function.
    pieces
        The value function: its interval is divided evenly, and its breakpoints are taken too.
    others
        Further right-hand sides by name.
    """
    width = pieces.high - pieces.low
    even = (pieces.low + width * k / _STEPS for k in range(_STEPS + 1))
    places = sorted({*even, *pieces.breakpoints})
    values = ((t, function({**(others or {}), pieces.name: t})) for t in places)
    points = tuple((t, value) for t, value in values if isinstance(value, Fraction))
    return Bound(function.method, function.strong, points)


def draw_value(  # noqa: PLR0913 (options, by keyword only)
    pieces: Sequence[AffinePiece],
    axes: Axes | None = None,
    *,
    label: str = "right-hand side",
    unit: str = "",
    complete: bool = True,
    bound: Bound | None = None,
    interval: tuple[Fraction, Fraction] | None = None,
) -> Picture:
    """The value function: pieces as lines, ends that belong to a piece filled, others open.

    Parameters
    ----------
    pieces
        The pieces in any order; gaps are right-hand sides without a finite optimum.
    axes
        Axes to draw on; new ones if None.
    label, unit
        The name of the right-hand side.
    complete
        Whether these are all the pieces.
    bound
        A dual function to draw below (or above a maximum), as points.
    interval
        Where the pieces were asked for: what they do not cover of it has no optimum.

    Raises
    ------
    InputError
        If there is no piece.
    """
    ordered = sorted(pieces, key=lambda p: (p.lower, p.upper))
    if not ordered:
        raise InputError("The program has no optimum for any of these right-hand sides.")
    breaks = _breaks(ordered)
    if interval is not None:
        outer = ((interval[0], ordered[0].lower), (max(p.upper for p in ordered), interval[1]))
        breaks.gaps.extend((low, high) for low, high in outer if low < high)
    facts: dict[str, Any] = {}
    with styled():
        drawn = figure_axes(axes, width=5.2, height=3.4)
        for piece in ordered:
            _piece(drawn, piece)
        handles = [
            line_handle("optimal value", color=LINES[0], linewidth=1.6),
            *_marks(drawn, breaks),
        ]
        if bound is not None:
            handles.append(_dots(drawn, bound))
            facts["dual"] = bound.document()
        drawn.set_xlabel(label_of(label, unit))
        drawn.set_ylabel("optimal value")
        drawn.margins(x=0.01)
        legend(drawn, handles)
        notes = () if complete else ("only a part of the value function is known",)
        notes_below(drawn, notes, own=axes is None)
    counts = {
        "pieces": len(ordered),
        "kinks": len(breaks.kinks),
        "jumps": len(breaks.jumps),
        "gaps": len(breaks.gaps),
    }
    return Picture("value", drawn, counts, complete=complete, notes=notes, facts=facts)


def _at(piece: AffinePiece, x: Fraction) -> Fraction:
    return piece.slope * x + piece.intercept


def _piece(axes: Axes, piece: AffinePiece) -> None:
    ends = (piece.lower, piece.upper)
    x, y = [float(e) for e in ends], [float(_at(piece, e)) for e in ends]
    if piece.lower < piece.upper:
        axes.plot(x, y, color=LINES[0], linewidth=1.6, solid_capstyle="butt", zorder=3)
    closed = np.array([piece.lower_closed, piece.upper_closed])
    for place, height, inside in zip(x, y, closed, strict=True):
        axes.plot(
            place,
            height,
            "o",
            markersize=3.6,
            color=LINES[0],
            markerfacecolor=LINES[0] if inside else "white",
            zorder=5 if inside else 4,
        )


def _dots(axes: Axes, bound: Bound) -> Any:
    """Draw a bound as dots: between two of them it may jump."""
    x, y = ([float(own) for own in side] for side in zip(*bound.points, strict=True))
    looks: dict[str, Any] = {"color": LINES[2], "marker": ".", "markersize": 2.4}
    axes.plot(x, y, linestyle="none", zorder=6, **looks)
    return line_handle(f"dual function: {bound.method}", linestyle="none", **looks)


def _marks(axes: Axes, breaks: _Breaks) -> list[Any]:
    """Draw what lies between pieces; the handles of what is there."""
    handles: list[Any] = []
    for x in breaks.kinks:
        axes.axvline(float(x), color=KINK, linewidth=0.5, linestyle=":", zorder=1)
    for x in breaks.jumps:
        axes.axvline(float(x), color=JUMP, linewidth=0.9, linestyle="--", zorder=1)
    for low, high in breaks.gaps:
        axes.axvspan(float(low), float(high), facecolor="none", edgecolor="#00000040", hatch="///")
    if breaks.kinks:
        handles.append(line_handle("kink", color=KINK, linestyle=":"))
    if breaks.jumps:
        handles.append(line_handle("jump", color=JUMP, linestyle="--"))
    if breaks.gaps:
        looks = {"facecolor": "none", "edgecolor": "#00000060", "hatch": "///"}
        handles.append(patch_handle("no optimum", **looks))
    return handles


@dataclass(frozen=True, slots=True)
class _Breaks:
    """What lies between pieces: kinks, jumps, and gaps without an optimum."""

    kinks: list[Fraction]
    jumps: list[Fraction]
    gaps: list[tuple[Fraction, Fraction]]


def _breaks(ordered: Sequence[AffinePiece]) -> _Breaks:
    """Where the slope changes, where the value jumps, and the gaps between pieces."""
    kinks: dict[Fraction, None] = {}
    jumps: dict[Fraction, None] = {}
    gaps: list[tuple[Fraction, Fraction]] = []
    for one, two in pairwise(ordered):
        if one.upper < two.lower:
            gaps.append((one.upper, two.lower))
        elif _at(one, one.upper) != _at(two, two.lower):
            jumps.setdefault(two.lower)
        elif one.slope != two.slope and one.lower < one.upper and two.lower < two.upper:
            kinks.setdefault(two.lower)
    return _Breaks([x for x in kinks if x not in jumps], list(jumps), gaps)
