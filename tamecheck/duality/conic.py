"""Second-order-cone mixed-integer programs, and dual functions of their right-hand sides.

    z(b) = min c·x + e·y  subject to  Ax + Gy - b in K,  x integer, y real,

K a product of Lorentz cones ``{(t, w): t >= |w|}``.  A dual function is subadditive,
non-decreasing with respect to K, ``F(0) = 0``, ``F(a_j) = -F(-a_j) = c_j`` and
``F̄(g_j) = -F̄(-g_j) = e_j`` (free variables).  For a row vector w with integral ``w·A`` and
``w·G = 0`` (a split), the functions ``mu·u + gamma * tri_v(w·u)`` qualify if ``mu·A = c``,
``mu·G = e`` and both slopes, ``mu + gamma/v w`` and ``mu - gamma/(1-v) w``, are in the dual cone,
which is K.  Membership is decided by comparing squares of rationals.

The search solves exact linear programs in which the Lorentz cones are replaced by cones of
rational rays inside them, so that everything that is found is feasible; in dimensions 1 and 2
nothing is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate, product

from tamecheck.duality.check import CheckItem, Value
from tamecheck.duality.expression.dual import ExpressionBuilder
from tamecheck.duality.expression.function import Combination, Expression, Gomory, Linear
from tamecheck.duality.form import Vector, dot
from tamecheck.duality.optimum import minimise_rows
from tamecheck.errors import DomainError, InputError
from tamecheck.ir.answer import Optimal
from tamecheck.ir.exact import ONE, ZERO


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

    @property
    def axis(self) -> Vector:
        """The sum of the cones' axes."""
        starts = {0, *accumulate(self.blocks[:-1])}
        return tuple(Fraction(int(i in starts)) for i in range(len(self.right)))

    def slack(self, point: Sequence[Fraction]) -> Vector:
        """``sum of column * x - right``."""
        rows = ((column.vector[i] for column in self.columns) for i in range(len(self.right)))
        return tuple(dot(row, point) - b for row, b in zip(rows, self.right, strict=True))

    def is_feasible(self, point: Sequence[Fraction], *, margin: Fraction = ZERO) -> bool:
        """Whether the point is feasible; with a margin, whether ``slack - margin * axis`` is in K.

        A positive margin means the interior.
        """
        pairs = zip(self.columns, point, strict=True)
        if any(column.integral and x.denominator > 1 for column, x in pairs):
            return False
        moved = zip(self.slack(point), self.axis, strict=True)
        return in_cone([a - margin * b for a, b in moved], self.blocks)

    def cost(self, point: Sequence[Fraction]) -> Fraction:
        """The objective at a point."""
        return dot([column.cost for column in self.columns], point)


def in_cone(u: Sequence[Fraction], blocks: Sequence[int]) -> bool:
    """Whether a rational vector is in the product of Lorentz cones: ``t >= 0, t² >= |w|²``."""
    at = 0
    for size in blocks:
        t, w = u[at], u[at + 1 : at + size]
        if t < 0 or t * t < dot(w, w):
            return False
        at += size
    return True


@dataclass(frozen=True)
class ConicDual:
    """A dual function of a conic program with its checks.

    F is an expression without ceilings; the point is the best feasible one that is known.
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
        point, sound = self.point, self.checks_hold
        inside = None if point is None else interior_point(self.program, point)

        def item(holds: bool, why: str, otherwise: str) -> CheckItem:  # noqa: FBT001
            return CheckItem(status=True if holds else None, why=why if holds else otherwise)

        shown = ", ".join(map(str, inside or ()))
        return {
            "feasible": item(point is not None, "a feasible point is known", "no point is known"),
            "strictly_feasible": item(
                inside is not None,
                f"the point ({shown}) has its slack in the interior",
                "no mixed-integer point with slack in the interior was found",
            ),
            "bounded": item(
                sound, f"F is a dual function: z >= {self.dual_value}", "F is not checked"
            ),
        }


def _parts(expression: Expression) -> tuple[Vector, list[tuple[Fraction, Fraction, Vector]]]:
    """The linear part, and the triangles as ``(v, weight, w)``."""
    root = expression.nodes[-1]
    terms = root.terms if isinstance(root, Combination) else ((len(expression.nodes) - 1, ONE),)
    line: Vector = (ZERO,) * expression.size
    triangles: list[tuple[Fraction, Fraction, Vector]] = []
    for i, weight in terms:
        match expression.nodes[i]:
            case Linear(coefficients):
                line = tuple(a + weight * b for a, b in zip(line, coefficients, strict=True))
            case Gomory(v, int(free), ()) if isinstance(inner := expression.nodes[free], Linear):
                triangles.append((v, weight, inner.coefficients))
            case _:
                raise InputError("A conic dual consists of linear forms and triangles of them.")
    return line, triangles


# -- the search ----------------------------------------------------------------------------------


def rays(blocks: Sequence[int], fineness: int) -> tuple[Vector, ...]:
    """Rational vectors of the cones whose conic hull approximates K from inside.

    In dimensions 1 and 2 it is K.  Else they are points of the boundary by the stereographic
    projection of a grid with ``2 * fineness + 1`` points a coordinate, which has rational values.
    """
    total = sum(blocks)
    found: list[Vector] = []
    at = 0
    for size in blocks:
        if size == 1:
            own: list[Vector] = [(Fraction(1),)]
        elif size == 2:
            own = [(Fraction(1), Fraction(1)), (Fraction(1), Fraction(-1))]
        else:
            own = _sphere(size - 1, fineness)
        found.extend((*[ZERO] * at, *ray, *[ZERO] * (total - at - size)) for ray in own)
        at += size
    return tuple(found)


def _sphere(dimension: int, fineness: int) -> list[Vector]:
    grid = [Fraction(k, fineness) for k in range(-fineness, fineness + 1)]
    found: dict[Vector, None] = {}
    for p in product(grid, repeat=dimension - 1):
        square = sum((x * x for x in p), ZERO)
        w = (*(2 * x / (1 + square) for x in p), (1 - square) / (1 + square))
        for sign in (1, -1):
            found[(Fraction(1), *w[:-1], sign * w[-1])] = None
    return list(found)


def split_vector(program: ConicProgram, j: int) -> Vector | None:
    """A ``w`` with ``w·a_j = 1`` and 0 for all other columns; None if there is none."""
    size = len(program.right)
    rows = [
        ([sign * a for a in column.vector for sign in (1, -1)], "=", Fraction(int(k == j)))
        for k, column in enumerate(program.columns)
    ]
    outcome = minimise_rows([ONE] * (2 * size), rows)
    return _differences(outcome.point, size) if isinstance(outcome, Optimal) else None


def _differences(point: Sequence[Fraction], size: int) -> Vector:
    """Free variables from their positive and negative parts, in turn."""
    return tuple(point[2 * i] - point[2 * i + 1] for i in range(size))


def interior_point(program: ConicProgram, point: Sequence[Fraction]) -> Vector | None:
    """A point with the same integers whose slack is in the interior of K, by moving real columns.

    Found by an exact linear program over the inner approximation of K; None if that has none.
    """
    moving = [j for j, c in enumerate(program.columns) if not c.integral]
    fixed = program.slack([ZERO if j in moving else x for j, x in enumerate(point)])
    # fixed + G y = axis * margin + combination of rays, margin <= 1
    vectors = [
        tuple(sign * a for a in program.columns[j].vector) for j in moving for sign in (1, -1)
    ]
    margin = len(vectors)
    vectors += [tuple(-a for a in ray) for ray in (program.axis, *rays(program.blocks, 2))]
    costs = [Fraction(-int(k == margin)) for k in range(len(vectors))]
    rows = zip(zip(*vectors, strict=True), fixed, strict=True)
    outcome = minimise_rows(
        costs, [*((row, "=", -x) for row, x in rows), ([-c for c in costs], "<=", ONE)]
    )
    if not isinstance(outcome, Optimal) or outcome.point[margin] <= 0:
        return None
    found = list(point)
    for j, y in zip(moving, _differences(outcome.point, len(moving)), strict=True):
        found[j] = y
    inside = program.is_feasible(found, margin=outcome.point[margin] / 2)
    return tuple(found) if inside else None


def conic_dual(
    program: ConicProgram, *, point: Sequence[Fraction] | None = None, fineness: int = 3
) -> ConicDual:
    """The best of the dual functions ``mu·u + sum of gamma_j tri(w_j·u)``, one split a variable.

    Parameters
    ----------
    program
        The program.
    point
        A feasible point, which shows how far the bound is; that it is feasible is checked.
    fineness
        Of the inner approximation of cones of dimension 3 and more.

    Raises
    ------
    InputError
        If the point is not feasible.
    DomainError
        If no multiplier ``mu`` in the approximated cone is feasible for the dual.
    """
    if point is not None and not program.is_feasible(point):
        raise InputError("The point is not feasible for the conic program.")
    splits: list[tuple[Vector, Fraction] | None] = [None]
    for j, column in enumerate(program.columns):
        if column.integral and (w := split_vector(program, j)) is not None:
            v = dot(w, program.right) % 1
            if v:
                splits.append((w, v))
    candidates = (_with_split(program, split, fineness) for split in splits)
    known = [c for c in candidates if c is not None]
    if not known:
        raise DomainError(
            "No dual function was found: no multiplier in the cone gives the costs.",
            hint="The program may be unbounded; else raise the fineness.",
        )
    best = max(known, key=lambda expression: expression(program.right))
    return ConicDual(program, best, None if point is None else tuple(point))


def _with_split(
    program: ConicProgram, split: tuple[Vector, Fraction] | None, fineness: int
) -> Expression | None:
    """``mu·u + gamma tri_v(w·u)`` with the largest value at b, both slopes in the cone of rays.

    The variables are the slopes' weights on the cone's rays, and gamma; ``mu`` is the first slope
    minus ``gamma/v w``.
    """
    cone, size = rays(program.blocks, fineness), len(program.right)
    costs = [-dot(ray, program.right) for ray in cone]
    rows = [([dot(c.vector, ray) for ray in cone], "=", c.cost) for c in program.columns]
    if split is not None:
        w, v = split
        none, both = [ZERO] * len(cone), 1 / v + 1 / (1 - v)
        costs += [*none, dot(w, program.right) / v - 1]
        rows = [
            ([*own, *none, -dot(c.vector, w) / v], sense, cost)
            for c, (own, sense, cost) in zip(program.columns, rows, strict=True)
        ]
        rows += [
            ([*(ray[i] for ray in cone), *(-ray[i] for ray in cone), -both * w[i]], "=", ZERO)
            for i in range(size)
        ]
    outcome = minimise_rows(costs, rows)
    if not isinstance(outcome, Optimal):
        return None
    weights = outcome.point[: len(cone)]
    mu = [dot([ray[i] for ray in cone], weights) for i in range(size)]
    builder = ExpressionBuilder(size)
    if split is None:
        return builder.build(builder.linear(mu))
    (w, v), gamma = split, outcome.point[-1]
    layer = builder.gomory(v, w, [])
    line = builder.linear([a - gamma / v * x for a, x in zip(mu, w, strict=True)])
    return builder.build(builder.combination([(line, ONE), (layer, gamma)]))
