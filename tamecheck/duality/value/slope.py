"""The slope of the value function of a program where it is proved to be affine nearby."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tamecheck.duality.form import Form, Vector
from tamecheck.duality.optimum import minimise
from tamecheck.duality.tree import tree_dual
from tamecheck.ir.answer import Optimal

_STEPS = (Fraction(1, 8), Fraction(1, 512), Fraction(1, 2**20))


def local_slope(form: Form, point: Vector, rows: Sequence[int], seconds: float) -> Vector | None:
    """The slope at the form's right-hand side in these rows, None where it is not proved.

    From below, the tree dual touches the value function there; if all of its pieces that are active
    have one slope, it is affine nearby.  From above, the value is at most the convex function of
    the linear program with the integer part of an optimal point; if that takes the values of the
    affine function at the corners of a small cross-polytope, it is at most that inside.
    """
    below = tree_dual(form.program, seconds=seconds)
    found = {tuple(own[i] for i in rows) for own in below.slopes(form.right)}
    if not below.strong or len(found) != 1:
        return None
    (slope,) = found
    side, cost = list(form.right), Fraction(0)
    for column, x in zip(form.columns, point, strict=True):
        cost += column.cost * x
        if column.integral and x:
            for i, a in column.entries:
                side[i] -= a * x
    rest = [column for column in form.columns if not column.integral]
    spent = [c.cost * x for c, x in zip(form.columns, point, strict=True) if c.integral]
    left = cost - sum(spent, Fraction(0))

    def is_affine(step: Fraction) -> bool:
        for i, rate in zip(rows, slope, strict=True):
            for move in (step, -step):
                moved = [d + move if k == i else d for k, d in enumerate(side)]
                outcome = minimise(rest, form.constraints, moved)
                if not isinstance(outcome, Optimal) or outcome.objective != left + move * rate:
                    return False
        return True

    return slope if any(map(is_affine, _STEPS)) else None
