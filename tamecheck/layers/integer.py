"""Mixed-integer programs as layers: the value, differentiated with its jumps reported.

With the integer part fixed at k a program is linear, with value ``v_k``, and ``v = min_k v_k``.
The adjoint of the linear program, its optimal multipliers, is the gradient of ``v_k`` in the
right-hand sides.  Where every ``v_k`` that attains the minimum is finite nearby, v is locally
Lipschitz, and the hull of all these multipliers is a conservative gradient.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from math import ceil, floor, prod

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.program import Column, Kind, Program, Row
from tamecheck.layers.polyhedron import Halfspace, Point, bounded, vertices
from tamecheck.programs import Evidence, Infeasible, Optimal, solve

__all__ = ["IntegerPart", "IntegerValue", "elastic", "integer_value_layer"]

_MOST_PARTS = 4096


@dataclass(frozen=True, slots=True)
class IntegerPart:
    """An optimal integer part, and the linear program that it leaves.

    Parameters
    ----------
    integers
        The values of the integer columns.
    multipliers
        The vertices of the optimal multipliers, one number a row of the program: gradients of
        the fixed program's value in the right-hand sides.
    stable
        Whether the fixed program stays feasible for all right-hand sides nearby.
    solutions
        The vertices of its optimal solutions, all columns.
    solutions_bounded
        Whether these span the optimal set.
    """

    integers: Point
    multipliers: tuple[Point, ...]
    stable: bool
    solutions: tuple[Point, ...]
    solutions_bounded: bool


@dataclass(frozen=True, slots=True)
class IntegerValue:
    """The optimal value of a mixed-integer program, and all optimal integer parts."""

    value: Fraction
    parts: tuple[IntegerPart, ...]
    integer_names: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """``"lipschitz"``, ``"jump"`` or ``"unknown"``: the value in the right-hand sides."""
        if all(part.stable for part in self.parts):
            return "lipschitz"
        return "jump" if len(self.parts) == 1 else "unknown"

    @property
    def reason(self) -> str:
        """The verdict in a sentence, naming the integer part at a jump."""
        loose = [part for part in self.parts if not part.stable]
        if not loose:
            return "every optimal integer part stays feasible nearby, so the value is Lipschitz"
        named = ", ".join(
            f"{n}={v}" for n, v in zip(self.integer_names, loose[0].integers, strict=True)
        )
        if len(self.parts) == 1:
            return (
                f"the value jumps: the only optimal integer part ({named}) becomes infeasible for "
                f"right-hand sides arbitrarily near"
            )
        return (
            f"the optimal integer part ({named}) becomes infeasible arbitrarily near; whether "
            f"another one takes its place without a jump was not decided"
        )

    @property
    def right_side_gradients(self) -> tuple[Point, ...]:
        """Vertices whose hull is a conservative gradient in the rows' right-hand sides.

        Raises
        ------
        InputError
            If the value is not locally Lipschitz here, naming the jump.
        """
        if self.verdict != "lipschitz":
            raise InputError(f"There is no gradient in the right-hand sides: {self.reason}.")
        return tuple(dict.fromkeys(u for part in self.parts for u in part.multipliers))

    @property
    def cost_gradients(self) -> tuple[Point, ...]:
        """The vertices of the Clarke set in the costs: all optimal solutions.

        The value is a minimum of linear functions of the cost, so it is concave (for a
        maximisation, convex).

        Raises
        ------
        InputError
            If the optimal set is unbounded.
        """
        if not all(part.solutions_bounded for part in self.parts):
            raise InputError("The optimal set is unbounded, so there is no Clarke set.")
        return tuple(dict.fromkeys(x for part in self.parts for x in part.solutions))


def integer_value_layer(program: Program, *, seconds: float | None = None) -> IntegerValue:
    """The value of a program with all its optimal integer parts, exactly.

    Parameters
    ----------
    program
        Integer columns must have finite bounds, and no column may be semicontinuous.
    seconds
        How long each linear program may take.

    Raises
    ------
    InputError
        If there is no optimum.
    UnsupportedError
        If there are too many integer parts to enumerate.
    """
    integers = [j for j, column in enumerate(program.columns) if column.kind.integral]
    minimise = program.sense.sign
    best: Fraction | None = None
    optimal: list[Point] = []
    for values in _integer_parts(program, integers):
        fixed = _fixed(program, integers, values)
        answer = solve(fixed, certify=True, seconds=seconds).answer
        proved = (
            isinstance(answer, Infeasible | Optimal) and answer.evidence is Evidence.CERTIFICATE
        )
        if proved and isinstance(answer, Infeasible):
            continue
        if proved and isinstance(answer, Optimal):
            objective = answer.objective
        else:
            # near a kink the solvers' tolerances are too coarse
            objective = _optimum_by_vertices(program, integers, values)
        gain = None if best is None else minimise * (objective - best)
        if gain is None or gain < 0:
            best, optimal = objective, [values]
        elif gain == 0:
            optimal.append(values)
    if best is None:
        raise InputError("The program is infeasible.")
    parts = tuple(_part(program, integers, values, best) for values in optimal)
    return IntegerValue(best, parts, tuple(program.columns[j].name for j in integers))


def _integer_parts(program: Program, integers: Sequence[int]) -> Iterable[Point]:
    ranges: list[range] = []
    for j, column in enumerate(program.columns):
        if column.kind.semi:
            raise UnsupportedError(f"Column {column.name!r} is semicontinuous.")
        if j not in integers:
            continue
        if column.lower is None or column.upper is None:
            raise UnsupportedError(
                f"Integer column {column.name!r} is unbounded.", hint="Give it bounds."
            )
        ranges.append(range(ceil(column.lower), floor(column.upper) + 1))
    if prod(len(r) for r in ranges) > _MOST_PARTS:
        raise UnsupportedError(
            f"There are {prod(len(r) for r in ranges)} integer parts; at most {_MOST_PARTS} are "
            "enumerated."
        )
    return (tuple(map(Fraction, values)) for values in product(*ranges))


def _fixed(program: Program, integers: Sequence[int], values: Point) -> Program:
    columns = list(program.columns)
    for j, value in zip(integers, values, strict=True):
        columns[j] = replace(columns[j], lower=value, upper=value, kind=Kind.CONTINUOUS)
    return replace(program, columns=tuple(columns))


@dataclass(frozen=True, slots=True)
class _Remaining:
    """The linear program in the columns that are not fixed; costs are to be minimised.

    ``origin`` has for each half-space the row that it comes from, or -1, and the sign of its level
    in the row's right-hand side.
    """

    at: dict[int, Fraction]
    free: list[int]
    cost: Point
    constant: Fraction
    sides: list[Halfspace]
    origin: list[tuple[int, int]]


def _remaining(program: Program, integers: Sequence[int], values: Point) -> _Remaining:
    at = dict(zip(integers, values, strict=True))
    free = [j for j in range(len(program.columns)) if j not in at]
    cost = tuple(program.sense.sign * program.columns[j].cost for j in free)
    constant = program.constant + sum(
        (program.columns[j].cost * v for j, v in at.items()), Fraction(0)
    )
    sides: list[Halfspace] = []
    origin: list[tuple[int, int]] = []
    for number, row in enumerate(program.rows):
        coefficients = dict(row.terms)
        normal = tuple(coefficients.get(j, Fraction(0)) for j in free)
        shift = sum((coefficients.get(j, Fraction(0)) * v for j, v in at.items()), Fraction(0))
        for side, direction in _sides(normal, row.lower, row.upper, shift):
            sides.append(side)
            origin.append((number, direction))
    for place, j in enumerate(free):
        unit = tuple(Fraction(k == place) for k in range(len(free)))
        column = program.columns[j]
        for side, _ in _sides(unit, column.lower, column.upper, Fraction(0)):
            sides.append(side)
            origin.append((-1, 0))
    return _Remaining(at, free, cost, constant, sides, origin)


def _optimum_by_vertices(program: Program, integers: Sequence[int], values: Point) -> Fraction:
    """The best vertex of the remaining linear program, which exact multipliers prove optimal."""
    rest = _remaining(program, integers, values)
    corners = vertices(len(rest.free), rest.sides)
    if corners:
        level = min(
            sum((c * x for c, x in zip(rest.cost, corner, strict=True)), Fraction(0))
            for corner in corners
        )
        if vertices(len(rest.sides), _dual(rest.cost, rest.sides, level)):
            return rest.constant + program.sense.sign * level
    raise InputError(f"No optimum was proved for the integer part {_text(values)}.")


def _text(values: Point) -> str:
    return "(" + ", ".join(str(v) for v in values) + ")"


def _part(program: Program, integers: Sequence[int], values: Point, value: Fraction) -> IntegerPart:
    """The optimal multipliers and solutions of the linear program in the other columns."""
    rest = _remaining(program, integers, values)
    at, free, cost, sides, origin = rest.at, rest.free, rest.cost, rest.sides, rest.origin
    sign = program.sense.sign
    level = sign * (value - rest.constant)
    dual = _dual(cost, sides, level)
    count = len(sides)
    found = vertices(count, dual)
    stable = bool(found) and bounded(count, dual)
    gradients: list[Point] = []
    for point in found:
        gradient = [Fraction(0)] * len(program.rows)
        for u, (number, direction) in zip(point, origin, strict=True):
            if number >= 0:
                gradient[number] += sign * direction * u
        gradients.append(tuple(gradient))
    face = [*sides, Halfspace(cost, level, tight=True)]
    corners = vertices(len(free), face)
    solutions = tuple(_whole(program, at, free, corner) for corner in corners)
    closed = bool(corners) and bounded(len(free), face)
    return IntegerPart(values, tuple(dict.fromkeys(gradients)), stable, solutions, closed)


def _sides(
    normal: Point, lower: Fraction | None, upper: Fraction | None, shift: Fraction
) -> Iterable[tuple[Halfspace, int]]:
    if lower is not None and lower == upper:
        yield Halfspace(normal, lower - shift, tight=True), 1
        return
    if upper is not None:
        yield Halfspace(normal, upper - shift), 1
    if lower is not None:
        yield Halfspace(tuple(-a for a in normal), shift - lower), -1


def _dual(cost: Point, sides: Sequence[Halfspace], level: Fraction) -> list[Halfspace]:
    """``Rᵀu = c``, ``u <= 0`` for the inequalities, ``βᵀu`` optimal."""
    count = len(sides)
    dual = [
        Halfspace(tuple(side.normal[j] for side in sides), c, tight=True)
        for j, c in enumerate(cost)
    ]
    dual += [
        Halfspace(tuple(Fraction(k == i) for k in range(count)), Fraction(0))
        for i, side in enumerate(sides)
        if not side.tight
    ]
    dual.append(Halfspace(tuple(side.level for side in sides), level, tight=True))
    return dual


def _whole(program: Program, at: dict[int, Fraction], free: Sequence[int], corner: Point) -> Point:
    values = {**at, **dict(zip(free, corner, strict=True))}
    return tuple(values[j] for j in range(len(program.columns)))


def elastic(program: Program, penalty: Fraction | int) -> Program:
    """The program whose rows may be violated at a price: its value is Lipschitz everywhere.

    Every bound of every row gets a continuous slack with cost ``penalty``, so a change of the
    right-hand sides by d changes the value by at most ``penalty · |d|₁``.

    Parameters
    ----------
    program
        The columns' bounds stay hard.
    penalty
        The price of a unit of violation; at least the largest multiplier for an exact penalty.
    """
    price = Fraction(penalty) * program.sense.sign
    if penalty <= 0:
        raise InputError("The penalty is a positive number.")
    columns = list(program.columns)
    rows: list[Row] = []
    for row in program.rows:
        terms = list(row.terms)
        for bound, value in ((row.lower, 1), (row.upper, -1)):
            if bound is not None:
                name = f"{row.name}.{'below' if value == 1 else 'above'}"
                terms.append((len(columns), Fraction(value)))
                columns.append(Column(name, cost=price))
        rows.append(replace(row, terms=tuple(terms)))
    return replace(program, columns=tuple(columns), rows=tuple(rows))
