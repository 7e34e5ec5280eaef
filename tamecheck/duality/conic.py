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
from itertools import product

from tamecheck.duality.check import CheckItem, Value
from tamecheck.duality.expression.function import (
    Combination,
    Expression,
    ExpressionBuilder,
    Gomory,
    Linear,
)
from tamecheck.duality.form import Constraint, FormColumn, Vector
from tamecheck.duality.optimum import minimise
from tamecheck.errors import DomainError, InputError
from tamecheck.ir.answer import Optimal

__all__ = [
    "ConicColumn",
    "ConicDual",
    "ConicProgram",
    "conic_dual",
    "in_cone",
    "interior_point",
    "rays",
    "split_vector",
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
        from tamecheck.duality.conic import interior_point

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


def _column(name: str, cost: Fraction, entries: Sequence[tuple[int, Fraction]]) -> FormColumn:
    return FormColumn(name=name, integral=False, cost=cost, entries=tuple(entries))


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
        found.extend((*[_ZERO] * at, *ray, *[_ZERO] * (total - at - size)) for ray in own)
        at += size
    return tuple(found)


def _sphere(dimension: int, fineness: int) -> list[Vector]:
    grid = [Fraction(k, fineness) for k in range(-fineness, fineness + 1)]
    found: dict[Vector, None] = {}
    for p in product(grid, repeat=dimension - 1):
        square = sum((x * x for x in p), _ZERO)
        w = (*(2 * x / (1 + square) for x in p), (1 - square) / (1 + square))
        for sign in (1, -1):
            found[(Fraction(1), *w[:-1], sign * w[-1])] = None
    return list(found)


def split_vector(program: ConicProgram, j: int) -> Vector | None:
    """A ``w`` with ``w·a_j = 1`` and 0 for all other columns; None if there is none."""
    size = len(program.right)
    columns = [
        FormColumn(
            name=f"{i}.{sign}",
            integral=False,
            cost=Fraction(1),
            entries=tuple(
                (k, sign * column.vector[i])
                for k, column in enumerate(program.columns)
                if column.vector[i]
            ),
        )
        for i in range(size)
        for sign in (1, -1)
    ]
    constraints = [Constraint(c.name, "=", None) for c in program.columns]
    target = [Fraction(int(k == j)) for k in range(len(program.columns))]
    outcome = minimise(columns, constraints, target)
    if not isinstance(outcome, Optimal):
        return None
    return tuple(outcome.point[2 * i] - outcome.point[2 * i + 1] for i in range(size))


def interior_point(program: ConicProgram, point: Sequence[Fraction]) -> Vector | None:
    """A point with the same integers whose slack is in the interior of K, by moving real columns.

    Found by an exact linear program over the inner approximation of K; None if that has none.
    """
    fixed = [
        sum(
            (c.vector[i] * x for c, x in zip(program.columns, point, strict=True) if c.integral), -b
        )
        for i, b in enumerate(program.right)
    ]
    moving = [j for j, c in enumerate(program.columns) if not c.integral]
    axis = [_ZERO] * len(program.right)
    at = 0
    for size in program.blocks:
        axis[at] = Fraction(1)
        at += size
    # fixed + G y = axis * margin + combination of rays, margin <= 1
    vectors: list[tuple[Vector, Fraction]] = []
    for j in moving:
        own = program.columns[j].vector
        vectors += [(own, _ZERO), (tuple(-a for a in own), _ZERO)]
    vectors.append((tuple(-a for a in axis), Fraction(-1)))
    vectors += [(tuple(-a for a in ray), _ZERO) for ray in rays(program.blocks, 2)]
    margin = 2 * len(moving)
    size = len(program.right)
    columns = [
        FormColumn(
            name=str(k),
            integral=False,
            cost=cost,
            entries=(
                *((i, a) for i, a in enumerate(vector) if a),
                *(((size, Fraction(1)),) if k == margin else ()),
            ),
        )
        for k, (vector, cost) in enumerate(vectors)
    ]
    constraints = [
        *(Constraint(str(i), "=", None) for i in range(size)),
        Constraint("margin", "<=", None),
    ]
    outcome = minimise(columns, constraints, [*(-x for x in fixed), Fraction(1)])
    if not isinstance(outcome, Optimal) or outcome.point[margin] <= 0:
        return None
    found = list(point)
    for k, j in enumerate(moving):
        found[j] = outcome.point[2 * k] - outcome.point[2 * k + 1]
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
    candidates = [_line_only(program, fineness)]
    for j, column in enumerate(program.columns):
        if column.integral and (w := split_vector(program, j)) is not None:
            v = sum((a * b for a, b in zip(w, program.right, strict=True)), _ZERO) % 1
            if v:
                candidates.append(_with_split(program, w, v, fineness))
    known = [c for c in candidates if c is not None]
    if not known:
        raise DomainError(
            "No dual function was found: no multiplier in the cone gives the costs.",
            hint="The program may be unbounded; else raise the fineness.",
        )
    best = max(known, key=lambda expression: expression(program.right))
    return ConicDual(program, best, None if point is None else tuple(point))


def _line_only(program: ConicProgram, fineness: int) -> Expression | None:
    found = _multipliers(program, None, fineness)
    if found is None:
        return None
    builder = ExpressionBuilder(len(program.right))
    return builder.build(builder.linear(found[0]))


def _with_split(program: ConicProgram, w: Vector, v: Fraction, fineness: int) -> Expression | None:
    found = _multipliers(program, (w, v), fineness)
    if found is None:
        return None
    mu, gamma = found
    builder = ExpressionBuilder(len(program.right))
    layer = builder.gomory(v, w, [])
    return builder.build(builder.combination([(builder.linear(mu), Fraction(1)), (layer, gamma)]))


def _multipliers(
    program: ConicProgram, split: tuple[Vector, Fraction] | None, fineness: int
) -> tuple[Vector, Fraction] | None:
    """``mu, gamma`` that maximise ``mu·b + gamma`` with both slopes in the approximated cone.

    The variables are the slopes' weights on the cone's rays, and gamma; ``mu`` is the first slope
    minus ``gamma/v w``.
    """
    cone = rays(program.blocks, fineness)
    size, count = len(program.right), len(program.columns)
    products = [
        (k, sum((a * b for a, b in zip(c.vector, ray, strict=True)), _ZERO))
        for ray in cone
        for k, c in enumerate(program.columns)
    ]
    columns: list[FormColumn] = []
    for n, ray in enumerate(cone):
        own = [entry for entry in products[n * count : (n + 1) * count] if entry[1]]
        if split is not None:
            own += [(count + i, a) for i, a in enumerate(ray) if a]
        bound = sum((a * b for a, b in zip(ray, program.right, strict=True)), _ZERO)
        columns.append(_column(f"up{n}", -bound, own))
    constraints = [Constraint(c.name, "=", None) for c in program.columns]
    sides = [c.cost for c in program.columns]
    if split is not None:
        w, v = split
        for n, ray in enumerate(cone):
            own = [(count + i, -a) for i, a in enumerate(ray) if a]
            columns.append(_column(f"down{n}", _ZERO, own))
        both = 1 / v + 1 / (1 - v)
        at_b = sum((a * b for a, b in zip(w, program.right, strict=True)), _ZERO)
        entries = [
            (k, -sum((a * b for a, b in zip(c.vector, w, strict=True)), _ZERO) / v)
            for k, c in enumerate(program.columns)
        ]
        entries += [(count + i, -both * x) for i, x in enumerate(w)]
        gain = 1 - at_b / v
        columns.append(_column("gamma", -gain, [e for e in entries if e[1]]))
        constraints += [Constraint(f"slope{i}", "=", None) for i in range(size)]
        sides += [_ZERO] * size
    outcome = minimise(columns, constraints, sides)
    if not isinstance(outcome, Optimal):
        return None
    mu = [_ZERO] * size
    for ray, x in zip(cone, outcome.point, strict=False):
        mu = [a + x * b for a, b in zip(mu, ray, strict=True)]
    if split is None:
        return tuple(mu), _ZERO
    gamma = outcome.point[-1]
    w, v = split
    return tuple(a - gamma / v * x for a, x in zip(mu, w, strict=True)), gamma
