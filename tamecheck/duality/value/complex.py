"""The value function along a line as a complex of pieces, in the program's own terms."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib import import_module
from typing import Any

from tamecheck.duality.check import Value
from tamecheck.duality.form import Form
from tamecheck.duality.value.profile import Line, Profile, ValuePiece
from tamecheck.errors import InputError

__all__ = ["ValueComplex", "value_complex"]


@dataclass(frozen=True, slots=True)
class ValueComplex:
    """The value function of a program along a line of right-hand sides, exactly.

    Parameters
    ----------
    name
        The right-hand side that varies, or ``t``.
    low, high
        The interval.
    pieces
        Affine pieces from left to right, in the program's own objective; where there is none the
        program is infeasible.
    breakpoints
        Where the slope changes or the function jumps, strictly inside.
    jumps
        Those where it jumps, or becomes infinite.
    """

    name: str
    low: Fraction
    high: Fraction
    pieces: tuple[ValuePiece, ...]
    breakpoints: tuple[Fraction, ...]
    jumps: tuple[Fraction, ...]

    def __call__(self, t: Fraction | int) -> Value | None:
        """The value; None where the program is infeasible."""
        if not self.low <= t <= self.high:
            raise InputError(f"{t} is not between {self.low} and {self.high}.")
        # the pieces that may contain t end at or after it, and begin at or before it
        k = bisect_left(self.pieces, t, key=lambda piece: piece.upper)
        for piece in self.pieces[k : k + 3]:
            inside = piece.lower < t < piece.upper
            first = t == piece.lower and piece.lower_closed
            if inside or first or (t == piece.upper and piece.upper_closed):
                return piece.slope * t + piece.intercept
        return None

    @property
    def slopes(self) -> tuple[Fraction, ...]:
        """The slopes of pieces that are no points, each once."""
        return tuple(sorted({p.slope for p in self.pieces if p.lower < p.upper}))

    def plot(self, ax: Any = None, bound: Any = None, **options: Any) -> Any:
        """Draw the pieces by matplotlib, maybe with a dual function; the axes.

        Parameters
        ----------
        ax
            Axes to draw on; new ones if None.
        bound
            A `DualFunction` to draw beside; the other right-hand sides are its program's own.
        options
            ``label`` and ``unit`` of the right-hand side.

        Raises
        ------
        InputError
            If there is no piece, or the dual function has no right-hand side of this name.
        """
        plots: Any = import_module("tamecheck.plots.value")
        beside = None if bound is None else plots.bound_of(bound, self)
        shown = {"label": self.name, "interval": (self.low, self.high), **options}
        return plots.draw_value(self.pieces, ax, bound=beside, **shown).axes

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "row": self.name,
            "box": [str(self.low), str(self.high)],
            "pieces": [
                {
                    "lower": str(p.lower),
                    "upper": str(p.upper),
                    "slope": str(p.slope),
                    "intercept": str(p.intercept),
                    "closed": [p.lower_closed, p.upper_closed],
                }
                for p in self.pieces
            ],
            "breakpoints": list(map(str, self.breakpoints)),
            "jumps": list(map(str, self.jumps)),
        }


def value_complex(form: Form, name: str, profile: Profile, shift: Fraction) -> ValueComplex:
    """The pieces in the program's own right-hand side and objective."""
    inner = profile.simplified()
    pieces = tuple(
        replace(
            p,
            lower=p.lower + shift,
            upper=p.upper + shift,
            slope=form.sign * p.slope,
            intercept=form.sign * (p.intercept - p.slope * shift + form.constant),
        )
        for p in inner.pieces()
    )
    places = enumerate(inner.points[1:-1], start=1)
    jumps = [t for k, t in places if _jumps(inner.values[k], inner.lines[k - 1 : k + 1], t)]
    return ValueComplex(
        name,
        inner.points[0] + shift,
        inner.points[-1] + shift,
        pieces,
        tuple(t + shift for t in inner.points[1:-1]),
        tuple(t + shift for t in jumps),
    )


def _jumps(value: Value, lines: Sequence[Line | None], t: Fraction) -> bool:
    """Whether one of the lines beside a point has another limit there than the value."""
    return any(line is None or line[0] * t + line[1] != value for line in lines)
