"""Linear programs as layers: the value function's Clarke sets, and an honest solution map.

The layer is ``v(c, b, e) = min cᵀx  subject to  A x <= b, E x = e, x >= 0``, exact in rationals.
In c the value is concave and its superdifferential is the set of optimal solutions; in (b, e) it is
convex and its subdifferential is the set of optimal multipliers.  Both are the Clarke set where
they are bounded, which is where v is finite nearby, and so locally Lipschitz.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.exact import parse_rational
from tamecheck.ir.program import Column, Program, Row
from tamecheck.layers.polyhedron import Halfspace, Point, bounded, vertices
from tamecheck.programs import Infeasible, Optimal, Unbounded, solve

__all__ = ["LinearSolution", "linear_layer"]


@dataclass(frozen=True, slots=True)
class LinearSolution:
    """Optima of a linear program, all of them.

    Parameters
    ----------
    value
        The optimal value.
    solutions
        The vertices of the set of optimal solutions.
    multipliers
        The vertices of the set of optimal multipliers, of ``A x <= b`` (at most 0) then of
        ``E x = e``.
    solutions_bounded, multipliers_bounded
        Whether these sets are the hulls of their vertices.
    inequalities
        The number of rows of A.
    """

    value: Fraction
    solutions: tuple[Point, ...]
    multipliers: tuple[Point, ...]
    solutions_bounded: bool
    multipliers_bounded: bool
    inequalities: int

    @property
    def cost_gradients(self) -> tuple[Point, ...]:
        """The vertices of the Clarke set of the value in c.

        Raises
        ------
        InputError
            If the value is -∞ arbitrarily near, so that there is none.
        """
        if not self.solutions_bounded:
            raise InputError("The optimal set is unbounded, so the value is -∞ for costs nearby.")
        return self.solutions

    @property
    def right_side_gradients(self) -> tuple[Point, ...]:
        """The vertices of the Clarke set of the value in (b, e).

        Raises
        ------
        InputError
            If the program is infeasible arbitrarily near, so that there is none.
        """
        if not self.multipliers_bounded:
            raise InputError(
                "The multipliers are unbounded: the program is infeasible for some right-hand "
                "sides nearby, and the value jumps to +∞."
            )
        return self.multipliers

    @property
    def jumps(self) -> bool:
        """Whether the solution map ``c -> x`` jumps here: there are several optimal solutions."""
        return len(self.solutions) > 1 or not self.solutions_bounded

    @property
    def verdict(self) -> str:
        """What holds for the solution map in c."""
        if not self.jumps:
            return "the solution is unique and does not change for costs nearby: derivative 0"
        if len(self.solutions) > 1:
            first, second = (_text(p) for p in self.solutions[:2])
            return (
                f"the solution map jumps at this cost, between {first} and {second}: it is not "
                f"Lipschitz and has no derivative"
            )
        return "the optimal set is unbounded: for costs nearby there is no solution"

    def cost_jacobian(self) -> tuple[tuple[Fraction, ...], ...]:
        """``dx/dc``: zero where the solution is unique.

        Raises
        ------
        InputError
            If the solution map jumps, naming two vertices.
        """
        if self.jumps:
            raise InputError(f"There is no derivative: {self.verdict}.")
        size = len(self.solutions[0])
        return tuple(tuple(Fraction(0) for _ in range(size)) for _ in range(size))


def _text(point: Point) -> str:
    return "(" + ", ".join(str(v) for v in point) + ")"


def linear_layer(  # noqa: PLR0913 (the data of a program)
    c: Any,
    A: Any = None,  # noqa: N803 (the field's names)
    b: Any = None,
    E: Any = None,  # noqa: N803
    e: Any = None,
    *,
    seconds: float | None = None,
) -> LinearSolution:
    """Minimise ``cᵀx`` subject to ``A x <= b``, ``E x = e``, ``x >= 0``, with all optima.

    Parameters
    ----------
    c, A, b, E, e
        Numbers of shapes ``(n,)``, ``(m, n)``, ``(m,)``, ``(k, n)``, ``(k,)``; floats count as the
        rationals that they are.
    seconds
        How long the solver may take.

    Raises
    ------
    InputError
        If shapes do not fit, or the program has no optimum.
    UnsupportedError
        If the sets have too many bases to list.
    """
    cost, upper, equations = _vector(c), _rows(A, b, "A"), _rows(E, e, "E")
    size = len(cost)
    for row, _ in (*upper, *equations):
        if len(row) != size:
            raise InputError(f"A row has {len(row)} entries; there are {size} costs.")
    value = _optimum(cost, upper, equations, seconds)
    zero = Fraction(0)
    signs = [Halfspace(_unit(size, j, -1), zero) for j in range(size)]
    feasible = [Halfspace(row, level) for row, level in upper]
    feasible += [Halfspace(row, level, tight=True) for row, level in equations]
    face = [*feasible, *signs, Halfspace(cost, value, tight=True)]
    # multipliers u <= 0, w free: Aᵀu + Eᵀw <= c, bᵀu + eᵀw = v
    rows, levels = [*upper, *equations], [level for _, level in (*upper, *equations)]
    count = len(rows)
    dual = [Halfspace(tuple(row[j] for row, _ in rows), cost[j]) for j in range(size)]
    dual += [Halfspace(_unit(count, i, 1), zero) for i in range(len(upper))]
    dual.append(Halfspace(tuple(levels), value, tight=True))
    found = vertices(count, dual)
    return LinearSolution(
        value,
        vertices(size, face),
        found,
        bounded(size, face),
        # without a vertex the set contains a line
        bool(found) and bounded(count, dual),
        len(upper),
    )


def _optimum(
    cost: Point,
    upper: Sequence[tuple[Point, Fraction]],
    equations: Sequence[tuple[Point, Fraction]],
    seconds: float | None,
) -> Fraction:
    columns = tuple(Column(f"x{j}", cost=value) for j, value in enumerate(cost))
    rows = [Row(f"u{i}", _terms(row), None, level) for i, (row, level) in enumerate(upper)]
    rows += [Row(f"e{i}", _terms(row), level, level) for i, (row, level) in enumerate(equations)]
    answer = solve(Program(columns, tuple(rows)), certify=True, seconds=seconds).answer
    match answer:
        case Optimal():
            return answer.objective
        case Infeasible():
            raise InputError("The program is infeasible.")
        case Unbounded():
            raise InputError("The program is unbounded.")
        case _:
            raise InputError("No optimum of the program was proved.", hint="Give more seconds.")


def _terms(row: Point) -> tuple[tuple[int, Fraction], ...]:
    return tuple((j, a) for j, a in enumerate(row) if a)


def _unit(size: int, index: int, value: int) -> Point:
    return tuple(Fraction(value * (k == index)) for k in range(size))


def _vector(values: Any) -> Point:
    flat = np.asarray(values, dtype=object).reshape(-1).tolist()
    try:
        return tuple(parse_rational(v) if isinstance(v, str) else Fraction(v) for v in flat)
    except (TypeError, ValueError, OverflowError):
        raise InputError("The data of a program are finite numbers.") from None


def _rows(matrix: Any, levels: Any, name: str) -> tuple[tuple[Point, Fraction], ...]:
    if (matrix is None) != (levels is None):
        raise InputError(f"Give both {name} and its right-hand side, or neither.")
    if matrix is None:
        return ()
    rows, right = [_vector(row) for row in matrix], _vector(levels)
    if len(rows) != len(right):
        raise InputError(f"{name} has {len(rows)} rows, its right-hand side {len(right)}.")
    return tuple(zip(rows, right, strict=True))
