"""The search for dual functions of second-order-cone programs: exact linear programs.

The Lorentz cones are replaced by cones of rational rays inside them, so that everything that is
found is feasible; in dimensions 1 and 2 nothing is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product

from tamecheck.duality.conic.dual import ConicDual, ConicProgram
from tamecheck.duality.expression.builder import ExpressionBuilder
from tamecheck.duality.expression.function import Expression
from tamecheck.duality.form import Constraint, FormColumn, Vector
from tamecheck.duality.linear import LinearOptimum, minimise
from tamecheck.errors import DomainError, InputError

__all__ = ["conic_dual", "interior_point", "rays", "split_vector"]

_ZERO = Fraction(0)


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
    if not isinstance(outcome, LinearOptimum):
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
    if not isinstance(outcome, LinearOptimum) or outcome.point[margin] <= 0:
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
    if not isinstance(outcome, LinearOptimum):
        return None
    mu = [_ZERO] * size
    for ray, x in zip(cone, outcome.point, strict=False):
        mu = [a + x * b for a, b in zip(mu, ray, strict=True)]
    if split is None:
        return tuple(mu), _ZERO
    gamma = outcome.point[-1]
    w, v = split
    return tuple(a - gamma / v * x for a, x in zip(mu, w, strict=True)), gamma
