"""Gomory mixed-integer dual functions: Lipschitz, so that they can be differentiated.

A cut of a row ``w`` of the inverse basis is the function ``tri_v(w·r(d)) + sum of
abs_v(-w_k) r_k(d)`` with ``v = frac(w·r(b))`` of the rows r that are there already; its second
part is what eliminating the surpluses of ``>=`` rows leaves, and makes it non-decreasing.  It is
subadditive as ``tri_v`` is, and for columns of continuous variables its upper directional
derivative at 0 is ``abs_v(w·g) + sum of abs_v(-w_k) g_k``: the mixed-integer cut of Gomory 1960,
in the form of Chételat and Lodi.  Later layers take earlier cuts as rows.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from tamecheck.duality.check import CheckItem
from tamecheck.duality.expression.builder import ExpressionBuilder
from tamecheck.duality.expression.dual import ExpressionDual
from tamecheck.duality.expression.function import Expression, absolute, triangle
from tamecheck.duality.feasibility import feasible_multipliers
from tamecheck.duality.form import Constraint, Form, FormColumn, InfeasibleProgramError, normalise
from tamecheck.duality.lattice import require_integer_solution
from tamecheck.duality.linear import LinearInfeasible, LinearOptimum, minimise
from tamecheck.duality.optimum import proved_optimum
from tamecheck.ir.program import Program

__all__ = ["GomoryDual", "gomory_dual"]

_ZERO = Fraction(0)
_DEFAULT_SECONDS = 60.0
_MOST_DIGITS = 60
"""Cuts whose numbers are longer than this are left out: they would slow the exact programs."""


class GomoryDual(ExpressionDual):
    """Layers of triangles of the right-hand side: Lipschitz with a constant that is known."""

    method = "gomory"

    @property
    def subadditive(self) -> CheckItem:
        """True by construction."""
        return CheckItem(
            status=True,
            why="a non-negative combination of linear forms and Gomory mixed-integer layers,"
            " which are subadditive and non-decreasing in the rows below them",
        )


def gomory_dual(  # noqa: PLR0913 (options, by keyword only)
    program: Program,
    *,
    seconds: float | None = None,
    seed: int = 0,
    layers: int = 12,
    cuts: int = 8,
    steps: int = 0,
) -> GomoryDual:
    """A Lipschitz dual function of a mixed-integer program from layers of Gomory cuts.

    Parameters
    ----------
    program
        Mixed or pure; equations and inequalities.
    seconds
        For the layers; 60 if not given.
    seed
        Of the gradient phase's noise.
    layers, cuts
        The largest number of layers, and of cuts in each.
    steps
        Of the gradient phase on the last layer: moves of (w, v) along the derivative of the
        bound, rounded to rationals, kept where the exact bound is better.

    Raises
    ------
    InfeasibleProgramError, DomainError
        If the program is infeasible, or the dual of its relaxation is.
    """
    form = normalise(program)
    feasible_multipliers(form)
    require_integer_solution(form)
    limit = _DEFAULT_SECONDS if seconds is None else seconds
    deadline = time.monotonic() + limit
    run = Layers(form, cuts, deadline)
    optimum = proved_optimum(form, seconds=limit, seed=seed).value
    note = run.run(layers, optimum)
    if steps:
        from tamecheck.duality.gomory.ascent import ascend

        note = f"{note}; {ascend(run, steps, random.Random(seed), optimum)}"  # noqa: S311
    return GomoryDual(form, optimum, run.expression(), (note,))


@dataclass(frozen=True, slots=True)
class Extended:
    """A row ``function(column) >= or = function(b)`` of the extended linear program.

    ``coefficients`` are F(a_j), or F̄(g_j) for a continuous column.
    """

    coefficients: tuple[Fraction, ...]
    bound: Fraction
    equation: bool
    node: int


class Layers:
    """The extended linear program: the rows of the form, and the cuts so far."""

    def __init__(self, form: Form, cuts: int, deadline: float) -> None:
        self.form, self.cuts, self.deadline = form, cuts, deadline
        self.builder = ExpressionBuilder(form.size)
        self.rows: list[Extended] = []
        for i, constraint in enumerate(form.constraints):
            sign = -1 if constraint.sense == "<=" else 1
            line = [_ZERO] * form.size
            line[i] = Fraction(sign)
            self.rows.append(
                Extended(
                    tuple(sign * form.vector(j)[i] for j in range(len(form.columns))),
                    sign * form.right[i],
                    constraint.sense == "=",
                    self.builder.linear(line),
                )
            )
        self.original = len(self.rows)
        self.multipliers: tuple[Fraction, ...] = ()
        self.point: tuple[Fraction, ...] = ()
        self.bound = _ZERO

    def run(self, layers: int, optimum: Fraction | None) -> str:
        """Add layers until the bound is the optimum, nothing is fractional, or time is over."""
        self.solve()
        for done in range(layers):
            if optimum is not None and self.bound == optimum:
                return f"{done} layers: the bound is the optimum"
            if time.monotonic() > self.deadline:
                return f"{done} layers in the time that there was"
            self._keep_tight()
            before = self.bound
            if not self._add_layer():
                return f"{done} layers: no more cuts"
            self.solve()
            if self.bound < before:
                raise AssertionError("a row more cannot lower the bound")
        return f"{layers} layers"

    def solve(self) -> None:
        """The exact optimum of the extended linear program."""
        columns = [
            FormColumn(
                column.name,
                column.integral,
                column.cost,
                tuple(
                    (i, row.coefficients[j])
                    for i, row in enumerate(self.rows)
                    if row.coefficients[j]
                ),
            )
            for j, column in enumerate(self.form.columns)
        ]
        constraints = [
            Constraint(str(i), "=" if row.equation else ">=", None)
            for i, row in enumerate(self.rows)
        ]
        outcome = minimise(columns, constraints, [row.bound for row in self.rows])
        if isinstance(outcome, LinearInfeasible):
            raise InfeasibleProgramError(
                "The program is infeasible, so that no dual function attains its value:"
                " cuts of its rows contradict each other."
            )
        if not isinstance(outcome, LinearOptimum):
            raise AssertionError("the dual of the relaxation is feasible")  # noqa: TRY004
        self.multipliers, self.point, self.bound = (
            outcome.multipliers,
            outcome.point,
            outcome.value,
        )

    def cut(self, w: Sequence[Fraction], v: Fraction) -> Extended:
        """The row of the layer ``(w, v)`` on the rows that are there (as many as ``w`` is long)."""
        rows = self.rows[: len(w)]
        lines = [(row, x) for row, x in zip(rows, w, strict=True) if x]
        free = [_ZERO] * self.form.size
        for i, (row, x) in enumerate(zip(rows, w, strict=True)):
            if row.equation:
                free[i] = x
        terms = [(row.node, x) for row, x in lines if not row.equation]
        coefficients: list[Fraction] = []
        for j, column in enumerate(self.form.columns):
            inner = sum((x * row.coefficients[j] for row, x in lines), _ZERO)
            outer = sum(
                (absolute(v, -x) * row.coefficients[j] for row, x in lines if not row.equation),
                _ZERO,
            )
            layer = triangle(v, inner) if column.integral else absolute(v, inner)
            coefficients.append(layer + outer)
        bound = triangle(v, sum((x * row.bound for row, x in lines), _ZERO))
        bound += sum((absolute(v, -x) * row.bound for row, x in lines if not row.equation), _ZERO)
        node = self.builder.gomory(v, free, terms)
        return Extended(tuple(coefficients), bound, equation=False, node=node)

    def _keep_tight(self) -> None:
        """Forget the cuts without a multiplier; the form's own rows stay."""
        kept = [k for k, y in enumerate(self.multipliers) if k < self.original or y]
        self.rows = [self.rows[k] for k in kept]
        self.multipliers = tuple(self.multipliers[k] for k in kept)

    def _add_layer(self) -> bool:
        """Add the cuts of the fractional variables that the optimal point violates."""
        added: list[Extended] = []
        for w in self.basis_rows():
            v = sum((x * row.bound for x, row in zip(w, self.rows, strict=True)), _ZERO) % 1
            if v == 0 or _digits(w) > _MOST_DIGITS:
                continue
            row = self.cut(w, v)
            if self._activity(row) < row.bound:
                added.append(row)
            if len(added) == self.cuts:
                break
        self.rows.extend(added)
        return bool(added)

    def basis_rows(self) -> list[list[Fraction]]:
        """Rows of the inverse basis of the fractional integer variables, most fractional first."""
        from tamecheck.duality.gomory.basis import basis_row, optimal_basis

        basis = optimal_basis(self.form, self.rows, self.point, self.multipliers)
        fractional = [
            j
            for j, column in enumerate(self.form.columns)
            if column.integral and self.point[j].denominator > 1
        ]
        fractional.sort(key=lambda j: abs(self.point[j] % 1 - Fraction(1, 2)))
        found = (basis_row(basis, j, len(self.rows)) for j in fractional)
        return [w for w in found if w is not None]

    def add_if_better(self, row: Extended) -> bool:
        """Add a row if it raises the bound."""
        if self._activity(row) >= row.bound:
            return False
        before = self.bound
        self.rows.append(row)
        self.solve()
        if self.bound > before:
            return True
        self.rows.pop()
        self.solve()
        return False

    def _activity(self, row: Extended) -> Fraction:
        pairs = zip(row.coefficients, self.point, strict=True)
        return sum((a * x for a, x in pairs), _ZERO)

    def expression(self) -> Expression:
        """The function of the last multipliers: non-negative on all rows that are no equations."""
        builder = self.builder
        line = [_ZERO] * self.form.size
        terms: list[tuple[int, Fraction]] = []
        for i, (row, y) in enumerate(zip(self.rows, self.multipliers, strict=True)):
            if row.equation:
                line[i] = y
            elif y:
                terms.append((row.node, y))
        terms.append((builder.linear(line), Fraction(1)))
        return builder.build(builder.combination(terms))


def _digits(values: Sequence[Fraction]) -> int:
    return max(
        (int(math.log10(max(abs(x.numerator), x.denominator))) + 1 for x in values if x), default=0
    )
