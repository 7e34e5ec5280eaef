"""Linear programs as layers: the value function's Clarke sets, and an honest solution map.

The layer is ``v(c, A, b, E, e) = min cᵀx  subject to  A x <= b, E x = e, x >= 0``, in rationals.
In c the value is concave and its superdifferential is the set of optimal solutions; in (b, e) it is
convex and its subdifferential is the set of optimal multipliers.  Both are the Clarke set where
they are bounded, which is where v is finite nearby, and so locally Lipschitz.

In the matrix M of A and E the directional derivative is ``min over x, max over u of -uᵀ dM x``
(Gol'shtein 1972).  Limits of gradients are products ``-u xᵀ`` of optimal vertices.  Every pair of
vertices occurs if v is not 0: for dM with ``dM x = p`` and ``dMᵀ u = q``, which exists whenever
``uᵀp = qᵀx``, (x, u) is the only saddle point if p and q are in the interiors of the normal cones
at u and x; and ``(b, e)ᵀu = v != 0`` is constant on the multipliers, so that p may be moved along
(b, e) until the two numbers agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck.errors import InputError
from tamecheck.exact.hull import Point
from tamecheck.ir.answer import Infeasible, Optimal, Unbounded
from tamecheck.ir.exact import parse_rational, rational_text
from tamecheck.ir.program import Column, Program, Row
from tamecheck.layers.optimal_set import (
    Linear,
    OptimalSet,
    multiplier_set,
    point_text,
    solution_set,
)

Matrix = tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class LinearSolution:
    """Optima of a linear program, all of them.

    The ``multipliers`` are those of ``A x <= b`` (at most 0; there are ``inequalities`` of them),
    then of ``E x = e``.
    """

    value: Fraction
    solutions: OptimalSet
    multipliers: OptimalSet
    inequalities: int

    @property
    def cost_gradients(self) -> tuple[Point, ...]:
        """The vertices of the Clarke set of the value in c.

        Raises
        ------
        InputError
            If the value is -∞ arbitrarily near, so that there is none.
        UnsupportedError
            If there are too many vertices to list: `solutions` describes the set.
        """
        self._require_bounded_solutions()
        return self.solutions.listed_vertices

    @property
    def right_side_gradients(self) -> tuple[Point, ...]:
        """The vertices of the Clarke set of the value in (b, e).

        Raises
        ------
        InputError
            If the program is infeasible arbitrarily near, so that there is none.
        UnsupportedError
            If there are too many vertices to list: `multipliers` describes the set.
        """
        self._require_bounded_multipliers()
        return self.multipliers.listed_vertices

    @property
    def matrix_gradients(self) -> tuple[Matrix, ...]:
        """Matrices ``-u xᵀ``, rows of A then of E, whose hull has the Clarke set in (A, E).

        It is the Clarke set if the value is not 0, or if the solution or the multiplier is unique.

        Raises
        ------
        InputError
            If the value is infinite arbitrarily near, so that there is none.
        UnsupportedError
            If there are too many vertices to list.
        """
        self.require_lipschitz()
        pairs = (
            tuple(tuple(-a * b for b in x) for a in u)
            for u in self.multipliers.listed_vertices
            for x in self.solutions.listed_vertices
        )
        return tuple(dict.fromkeys(pairs))

    @property
    def matrix_gradients_exact(self) -> bool:
        """Whether the hull of `matrix_gradients` is known to be the Clarke set, and no more."""
        return self.value != 0 or self.solutions.unique or self.multipliers.unique

    @property
    def jumps(self) -> bool:
        """Whether the solution map ``c -> x`` jumps here: there are several optimal solutions."""
        return not self.solutions.unique

    @property
    def verdict(self) -> str:
        """What holds for the solution map in c."""
        two = self.solutions.two_elements
        if two is None:
            return "the solution is unique and does not change for costs nearby: derivative 0"
        between = f"between {point_text(two[0])} and {point_text(two[1])}"
        if self.solutions.bounded:
            return (
                f"the solution map jumps at this cost, {between}: it is not Lipschitz and has no "
                f"derivative"
            )
        return (
            f"the optimal set is unbounded, in {', '.join(self.solutions.endless)}: for costs "
            f"nearby there is no solution; at this cost it jumps {between}"
        )

    def __str__(self) -> str:
        return (
            f"value {rational_text(self.value)}\n"
            f"solutions: {self.solutions}\n"
            f"multipliers: {self.multipliers}\n"
            f"{self.verdict}"
        )

    def cost_jacobian(self) -> Matrix:
        """``dx/dc``: zero where the solution is unique.

        Raises
        ------
        InputError
            If the solution map jumps, naming two vertices.
        """
        if self.jumps:
            raise InputError(f"There is no derivative: {self.verdict}.")
        size = len(self.solutions.point)
        return ((Fraction(0),) * size,) * size

    def require_lipschitz(self) -> None:
        """Raise unless the value is finite, and so Lipschitz, for all data nearby.

        Raises
        ------
        InputError
            If the optimal solutions or the multipliers are unbounded.
        """
        self._require_bounded_solutions()
        self._require_bounded_multipliers()

    def _require_bounded_solutions(self) -> None:
        if not self.solutions.bounded:
            raise InputError(
                f"The optimal set is unbounded, in {', '.join(self.solutions.endless)}: the value "
                f"is -∞ for costs nearby, and has no Clarke set."
            )

    def _require_bounded_multipliers(self) -> None:
        if not self.multipliers.bounded:
            raise InputError(
                f"The multipliers of {', '.join(self.multipliers.endless)} are unbounded: the "
                f"program is infeasible for some right-hand sides nearby, and the value jumps "
                f"to +∞."
            )


def linear_layer(
    c: Any,
    A: Any = None,  # noqa: N803 (the field's names)
    b: Any = None,
    E: Any = None,  # noqa: N803
    e: Any = None,
) -> LinearSolution:
    """Minimise ``cᵀx`` subject to ``A x <= b``, ``E x = e``, ``x >= 0``, with all optima.

    Parameters
    ----------
    c, A, b, E, e
        Numbers of shapes ``(n,)``, ``(m, n)``, ``(m,)``, ``(k, n)``, ``(k,)``; floats count as the
        rationals that they are, strings as decimals or fractions.

    Raises
    ------
    InputError
        If shapes do not fit, or the program has no optimum.

    Notes
    -----
    A basis that HiGHS finds is checked in rationals.  Where it leaves several solutions or
    multipliers, two exact linear programs a component bound the set, and its vertices are listed
    if there are few.  The components are named ``x0, x1, ..``, and ``A0, .., E0, ..`` for
    multipliers.
    """
    cost = _vector(c, "c")
    columns = tuple(Column(f"x{j}", cost=value) for j, value in enumerate(cost))
    upper, equations = _rows(A, b, "A", len(cost)), _rows(E, e, "E", len(cost))
    rows = [Row(f"A{i}", terms, None, level) for i, (terms, level) in enumerate(upper)]
    rows += [Row(f"E{i}", terms, level, level) for i, (terms, level) in enumerate(equations)]
    program = Program(columns, tuple(rows))
    match Linear(program).minimum(cost):
        case Infeasible():
            raise InputError("The program is infeasible.")
        case Unbounded():
            raise InputError("The program is unbounded.")
        case Optimal(objective=value) as best:
            sets = solution_set(program, best), multiplier_set(program, best)
            return LinearSolution(value, *sets, len(upper))


def _vector(values: Any, name: str) -> Point:
    given = np.asarray(values, dtype=object)
    if given.ndim != 1:
        raise InputError(f"{name} has shape {given.shape}; one number an entry is needed.")
    try:
        return tuple(
            parse_rational(v) if isinstance(v, str) else Fraction(v) for v in given.tolist()
        )
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name} has entries that are no finite numbers.") from None


def _rows(
    matrix: Any, levels: Any, name: str, size: int
) -> list[tuple[tuple[tuple[int, Fraction], ...], Fraction]]:
    if (matrix is None) != (levels is None):
        raise InputError(f"Give both {name} and its right-hand side, or neither.")
    if matrix is None:
        return []
    rows = [_vector(row, f"A row of {name}") for row in matrix]
    right = _vector(levels, f"The right-hand side of {name}")
    if len(rows) != len(right):
        raise InputError(f"{name} has {len(rows)} rows, its right-hand side {len(right)}.")
    if (other := next((len(row) for row in rows if len(row) != size), None)) is not None:
        raise InputError(f"A row of {name} has {other} entries; there are {size} costs.")
    terms = (tuple((j, a) for j, a in enumerate(row) if a) for row in rows)
    return list(zip(terms, right, strict=True))
