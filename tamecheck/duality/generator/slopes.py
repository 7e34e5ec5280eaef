"""The slope of a generator function where it is proved to be affine nearby.

From below, the tree dual of the defining program touches F at d; if all of its pieces that are
active there have one slope u, it is affine near d.  From above, F is at most the convex function
of the linear program with the best integer part; if that takes the values of the affine function
at the corners of a small cross-polytope around d, it is at most that inside.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from tamecheck.duality.form import Vector
from tamecheck.duality.linear import LinearOptimum, minimise
from tamecheck.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tamecheck.duality.generator.dual import GeneratorDual

__all__ = ["slope"]

_SECONDS = 10.0
_STEPS = (Fraction(1, 8), Fraction(1, 512), Fraction(1, 2**20))


def slope(dual: GeneratorDual, d: Vector) -> Vector:
    """The gradient at ``d``.

    Raises
    ------
    UnsupportedError
        If it is not proved that F is affine near ``d``.
    """
    from tamecheck.duality.generator.dual import defining_program, minimum_at
    from tamecheck.duality.tree.dual import tree_dual

    below = tree_dual(defining_program(dual.form, dual.priced, d), seconds=_SECONDS)
    slopes = below.slopes(d)
    found = minimum_at(dual.form, dual.priced, d)
    if below.strong and len(slopes) == 1 and found.point is not None:
        (u,) = slopes
        rest = list(d)
        spent = Fraction(0)
        for own, x in zip(dual.priced, found.point, strict=True):
            if own.column.integral and x:
                spent += own.column.cost * x
                for i, a in own.column.entries:
                    rest[i] -= a * x
        top = dual.evaluate(d)
        if isinstance(top, Fraction) and any(
            _is_affine(dual, rest, top - spent, u, step) for step in _STEPS
        ):
            return u
    raise UnsupportedError(
        "It was not proved that the generator function is affine near this right-hand side.",
        hint="It may have a kink or a jump there: move it a little.",
    )


def _is_affine(
    dual: GeneratorDual, rest: Sequence[Fraction], value: Fraction, u: Vector, step: Fraction
) -> bool:
    columns = [own.column for own in dual.priced if not own.column.integral]
    for i, own in enumerate(u):
        for sign in (1, -1):
            moved = list(rest)
            moved[i] += sign * step
            outcome = minimise(columns, dual.form.constraints, moved)
            if not isinstance(outcome, LinearOptimum):
                return False
            if outcome.value != value + sign * step * own:
                return False
    return True
