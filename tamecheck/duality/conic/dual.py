"""Second-order-cone mixed-integer programs, and dual functions of their right-hand sides.

    z(b) = min c·x + e·y  subject to  Ax + Gy - b in K,  x integer, y real,

K a product of Lorentz cones ``{(t, w): t >= |w|}``.  A dual function is subadditive,
non-decreasing with respect to K, ``F(0) = 0``, ``F(a_j) = -F(-a_j) = c_j`` and
``F̄(g_j) = -F̄(-g_j) = e_j`` (free variables).  For a row vector w with integral ``w·A`` and
``w·G = 0`` (a split), the functions ``mu·u + gamma * tri_v(w·u)`` qualify if ``mu·A = c``,
``mu·G = e`` and both slopes, ``mu + gamma/v w`` and ``mu - gamma/(1-v) w``, are in the dual cone,
which is K.  Membership is decided by comparing squares of rationals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product

from tamecheck.duality.check import CheckItem, Value
from tamecheck.duality.expression.function import Combination, Expression, Gomory, Linear
from tamecheck.duality.form import Vector
from tamecheck.errors import InputError

__all__ = [
    "ConicColumn",
    "ConicDual",
    "ConicProgram",
    "in_cone",
]

_ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class ConicColumn:
    """A free variable: integer or real, its cost and its dense column."""

    name: str
    integral: bool
    cost: Fraction
    vector: Vector


@dataclass(frozen=True)
class ConicProgram:
    """``min cost`` subject to ``sum of column * x - right in K``.

    Parameters
    ----------
    columns
        The free variables.
    right
        The right-hand side b.
    blocks
        The dimensions of the Lorentz cones whose product is K; 1 is a half-line.

    Raises
    ------
    InputError
        If the sizes do not fit.
    """

    columns: tuple[ConicColumn, ...]
    right: Vector
    blocks: tuple[int, ...]

    def __post_init__(self) -> None:
        if any(k < 1 for k in self.blocks) or sum(self.blocks) != len(self.right):
            raise InputError(
                f"Cones of dimensions {self.blocks} do not fit {len(self.right)} rows."
            )
        for column in self.columns:
            if len(column.vector) != len(self.right):
                raise InputError(f"Column {column.name!r} has {len(column.vector)} entries.")

    def slack(self, point: Sequence[Fraction]) -> Vector:
        """``sum of column * x - right``."""
        pairs = list(zip(self.columns, point, strict=True))
        return tuple(sum((c.vector[i] * x for c, x in pairs), -b) for i, b in enumerate(self.right))

    def is_feasible(self, point: Sequence[Fraction], *, margin: Fraction = _ZERO) -> bool:
        """Whether the point is feasible; with a margin, whether ``slack - margin * axis`` is in K.

        The axis is the sum of the cones' axes, so that a positive margin means the interior.
        """
        pairs = zip(self.columns, point, strict=True)
        if any(column.integral and x.denominator > 1 for column, x in pairs):
            return False
        slack = list(self.slack(point))
        at = 0
        for size in self.blocks:
            slack[at] -= margin
            at += size
        return in_cone(slack, self.blocks)

    def cost(self, point: Sequence[Fraction]) -> Fraction:
        """The objective at a point."""
        return sum((c.cost * x for c, x in zip(self.columns, point, strict=True)), _ZERO)


def in_cone(u: Sequence[Fraction], blocks: Sequence[int]) -> bool:
    """Whether a rational vector is in the product of Lorentz cones: ``t >= 0, t² >= |w|²``."""
    at = 0
    for size in blocks:
        t, w = u[at], u[at + 1 : at + size]
        if t < 0 or t * t < sum((x * x for x in w), _ZERO):
            return False
        at += size
    return True


@dataclass(frozen=True)
class ConicDual:
    """A dual function of a conic program with its checks.

    Parameters
    ----------
    program
        The program.
    expression
        F; no ceilings.
    point
        The best feasible point that is known, if any.
    """

    program: ConicProgram
    expression: Expression
    point: Vector | None = None
    method: str = field(default="conic", init=False)

    def __call__(self, u: Sequence[Fraction | int]) -> Fraction:
        """F at a right-hand side: a bound on z."""
        return self.expression(tuple(map(Fraction, u)))

    @property
    def dual_value(self) -> Fraction:
        """F at the program's right-hand side."""
        return self(self.program.right)

    @property
    def gap(self) -> Fraction | None:
        """The cost of the known point minus the bound; None without a point."""
        return None if self.point is None else self.program.cost(self.point) - self.dual_value

    @property
    def strong(self) -> bool:
        """Whether F(b) = z(b) is proved, by a point that attains it."""
        return self.gap == 0 and self.checks_hold

    @property
    def checks_hold(self) -> bool:
        """Whether all of `checks` are true."""
        return all(item.status for item in self.checks.values())

    @property
    def checks(self) -> dict[str, CheckItem]:
        """Columns, F(0) = 0, subadditivity and K-monotonicity, decided exactly."""
        zero = self((0,) * len(self.program.right))
        return {
            "columns": self._columns(),
            "at_zero": CheckItem(status=zero == 0, why=f"F(0) = {zero}"),
            "subadditive": CheckItem(
                status=True, why="a linear form plus non-negative multiples of triangles"
            ),
            "monotone": self._monotone(),
        }

    def _columns(self) -> CheckItem:
        for column in self.program.columns:
            for sign in (1, -1):
                vector = tuple(sign * a for a in column.vector)
                value: Value = (
                    self(vector) if column.integral else self.expression.directional(vector)
                )
                if value != sign * column.cost:
                    return CheckItem(
                        status=False,
                        why=f"the value at {sign} times the column of {column.name} is {value},"
                        f" not {sign * column.cost}",
                    )
        return CheckItem(status=True, why="F(±a) = ±c and F̄(±g) = ±e at every column")

    def _monotone(self) -> CheckItem:
        """All combinations of slopes of the triangles are in the dual cone, which is K."""
        line, triangles = _parts(self.expression)
        if 2 ** len(triangles) > 4096:
            return CheckItem(status=None, why=f"{len(triangles)} triangles: too many slopes")
        for slopes in product(*([(1 / v, -1 / (1 - v)) for v, _, _ in triangles])):
            total = list(line)
            for slope, (_, weight, w) in zip(slopes, triangles, strict=True):
                total = [a + weight * slope * x for a, x in zip(total, w, strict=True)]
            if not in_cone(total, self.program.blocks):
                text = ", ".join(map(str, total))
                return CheckItem(status=None, why=f"the slope ({text}) is outside the dual cone")
        return CheckItem(status=True, why="every slope of F is in the dual cone")

    def conditions(self) -> dict[str, CheckItem]:
        """Conditions of strong duality (Morán, Dey, Vielma 2012; Kocuk, Morán 2019).

        ``feasible``: a mixed-integer point; ``strictly_feasible``: one with its slack in the
        interior of K; ``bounded``: a dual function.  Each is true, or None where no witness is
        known.
        """
        from tamecheck.duality.conic.search import interior_point

        point = self.point
        inside = None if point is None else interior_point(self.program, point)
        sound = self.checks_hold
        return {
            "feasible": CheckItem(
                status=True if point is not None else None,
                why="a feasible point is known" if point is not None else "no point is known",
            ),
            "strictly_feasible": CheckItem(
                status=True if inside is not None else None,
                why=f"the point ({', '.join(map(str, inside))}) has its slack in the interior"
                if inside is not None
                else "no mixed-integer point with slack in the interior was found",
            ),
            "bounded": CheckItem(
                status=True if sound else None,
                why=f"F is a dual function: z >= {self.dual_value}"
                if sound
                else "F is not checked",
            ),
        }


def _parts(expression: Expression) -> tuple[Vector, list[tuple[Fraction, Fraction, Vector]]]:
    """The linear part, and the triangles as ``(v, weight, w)``."""
    root = expression.nodes[-1]
    terms = root.terms if isinstance(root, Combination) else ((len(expression.nodes) - 1, 1),)
    line: Vector = (_ZERO,) * expression.size
    triangles: list[tuple[Fraction, Fraction, Vector]] = []
    for i, weight in terms:
        node = expression.nodes[i]
        if isinstance(node, Linear):
            pairs = zip(line, node.coefficients, strict=True)
            line = tuple(a + weight * b for a, b in pairs)
        elif isinstance(node, Gomory) and node.free is not None and not node.terms:
            inner = expression.nodes[node.free]
            if isinstance(inner, Linear):
                triangles.append((node.v, Fraction(weight), inner.coefficients))
                continue
            raise InputError("A conic dual consists of linear forms and triangles of them.")
        else:
            raise InputError("A conic dual consists of linear forms and triangles of them.")
    return line, triangles
