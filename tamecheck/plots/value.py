"""The value function of a program along one right-hand side: pieces, jumps and closed ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from tamecheck.duality import DualFunction
from tamecheck.duality.value.profile import ValueComplex, ValuePiece
from tamecheck.errors import InputError
from tamecheck.plots.canvas import INK, JUMP, KINK, LINES, Axes, Drawing, Picture, drawing, label_of

_STEPS = 240
_DUALS = ((LINES[2], "o"), (LINES[1], "^"), (LINES[3], "s"), (LINES[5], "D"))
"""Colours and markers of dual functions."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A dual function at finitely many right-hand sides, where it is finite."""

    method: str
    strong: bool
    points: tuple[tuple[Fraction, Fraction], ...]
    own: Fraction | None = None
    """The program's own right-hand side, where a strong dual function has the optimal value."""

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        points = [[str(t), str(value)] for t, value in self.points]
        return {"method": self.method, "strong": self.strong, "points": points}


def bound_of(
    function: DualFunction, pieces: ValueComplex, others: Mapping[str, Fraction] | None = None
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
    form = function.form
    row = form.names.index(pieces.name) if pieces.name in form.names else None
    own = None if row is None or others else form.right[row] + form.shift[row]
    return Bound(function.method, function.strong, points, own)


def draw_value(  # noqa: PLR0913 (options, by keyword only)
    pieces: Sequence[ValuePiece],
    axes: Axes | None = None,
    *,
    label: str = "right-hand side",
    unit: str = "",
    complete: bool = True,
    bounds: Sequence[Bound] = (),
    interval: tuple[Fraction, Fraction] | None = None,
    notes: Sequence[str] = (),
) -> Picture:
    """The value function: pieces as lines, ends that belong to a piece filled, others open.

    Raises `InputError` if there is no piece.

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
    bounds
        Dual functions to draw below (or above a maximum), as points.
    interval
        Where the pieces were asked for: what they do not cover of it has no optimum.
    notes
        What else a reader should know.
    """
    ordered = sorted(pieces, key=lambda p: (p.lower, p.upper))
    if not ordered:
        raise InputError("The program has no optimum for any of these right-hand sides.")
    kinks, jumps, gaps = _breaks(ordered)
    if interval is not None:
        outer = ((interval[0], ordered[0].lower), (max(p.upper for p in ordered), interval[1]))
        gaps += [(low, high) for low, high in outer if low < high]
    told = list(notes) if complete else [*notes, "only a part of the value function is known"]
    with drawing(axes, told, height=3.4) as drawn:
        # what is drawn on it is seen
        broad: Any = {"linewidth": 4.5, "alpha": 0.35} if len(bounds) > 1 else {"linewidth": 1.6}
        for piece in ordered:
            _piece(drawn.axes, piece, broad)
        drawn.line("optimal value", color=LINES[0], **broad)
        _marks(drawn, kinks, jumps, gaps)
        for number, bound in enumerate(bounds):
            _bound(drawn, bound, number, len(bounds))
        for x in {bound.own for bound in bounds}:
            if x is None or (interval is not None and not interval[0] <= x <= interval[1]):
                continue
            drawn.axes.axvline(float(x), color=INK, linewidth=0.9, zorder=1)
            drawn.line("the program's own", color=INK, linewidth=0.9)
        drawn.axes.set_xlabel(label_of(label, unit))
        drawn.axes.set_ylabel("optimal value")
        drawn.axes.margins(x=0.01)
    counts = {"pieces": len(ordered), "kinks": len(kinks), "jumps": len(jumps), "gaps": len(gaps)}
    facts: dict[str, Any] = {"dual": bounds[0].to_json()} if len(bounds) == 1 else {}
    if len(bounds) > 1:
        facts = {"duals": [bound.to_json() for bound in bounds]}
    return drawn.picture("value", counts, complete=complete, facts=facts)


def _at(piece: ValuePiece, x: Fraction) -> Fraction:
    return piece.slope * x + piece.intercept


def _bound(drawn: Drawing, bound: Bound, number: int, count: int) -> None:
    """A dual function as dots, since between two of them it may jump; a marker on some."""
    if not bound.points:
        drawn.notes.append(f"the {bound.method} dual is nowhere finite")
        return
    x, y = ([float(own) for own in side] for side in zip(*bound.points, strict=True))
    colour, marker = _DUALS[number % len(_DUALS)]
    name = f"dual function: {bound.method}" if count == 1 else f"{bound.method} dual"
    name += ", strong" if bound.strong and count > 1 else ""
    dots: Any = {"color": colour, "marker": ".", "markersize": 2.4, "linestyle": "none"}
    drawn.axes.plot(x, y, zorder=6, **dots)
    if count > 1:
        every = max(1, len(x) // 14)
        dots |= {"marker": marker, "markersize": 5, "markeredgecolor": "white"}
        dots["markeredgewidth"] = 0.5
        some = slice(number * every // count, None, every)
        drawn.axes.plot(x[some], y[some], zorder=7, **dots)
    drawn.line(name, **dots)


def _piece(axes: Axes, piece: ValuePiece, looks: Mapping[str, Any]) -> None:
    ends = (piece.lower, piece.upper)
    x, y = [float(e) for e in ends], [float(_at(piece, e)) for e in ends]
    if piece.lower < piece.upper:
        axes.plot(x, y, color=LINES[0], solid_capstyle="butt", zorder=3, **looks)
    for place, height, inside in zip(x, y, (piece.lower_closed, piece.upper_closed), strict=True):
        face, order = (LINES[0], 5) if inside else ("white", 4)
        end: Any = {"markersize": 3.6, "color": LINES[0], "markerfacecolor": face}
        axes.plot(place, height, "o", zorder=order, **end)


def _marks(
    drawn: Drawing,
    kinks: Sequence[Fraction],
    jumps: Sequence[Fraction],
    gaps: Sequence[tuple[Fraction, Fraction]],
) -> None:
    """Draw what lies between pieces."""
    axes = drawn.axes
    for x in kinks:
        axes.axvline(float(x), color=KINK, linewidth=0.5, linestyle=":", zorder=1)
    for x in jumps:
        axes.axvline(float(x), color=JUMP, linewidth=0.9, linestyle="--", zorder=1)
    for low, high in gaps:
        axes.axvspan(float(low), float(high), facecolor="none", edgecolor="#00000040", hatch="///")
    if kinks:
        drawn.line("kink", color=KINK, linestyle=":")
    if jumps:
        drawn.line("jump", color=JUMP, linestyle="--")
    if gaps:
        drawn.patch("no optimum", facecolor="none", edgecolor="#00000060", hatch="///")


def _breaks(
    ordered: Sequence[ValuePiece],
) -> tuple[list[Fraction], list[Fraction], list[tuple[Fraction, Fraction]]]:
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
    return [x for x in kinks if x not in jumps], list(jumps), gaps
