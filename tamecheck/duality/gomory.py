"""Gomory mixed-integer dual functions: Lipschitz, so that they can be differentiated.

A cut of a row ``w`` of the inverse basis is the function ``tri_v(w·r(d)) + sum of
abs_v(-w_k) r_k(d)`` with ``v = frac(w·r(b))`` of the rows r that are there already; its second
part is what eliminating the surpluses of ``>=`` rows leaves, and makes it non-decreasing.  It is
subadditive as ``tri_v`` is, and for columns of continuous variables its upper directional
derivative at 0 is ``abs_v(w·g) + sum of abs_v(-w_k) g_k``: the mixed-integer cut of Gomory 1960,
in the form of Chételat and Lodi.  Later layers take earlier cuts as rows.  In a gradient phase
floating point moves the rows, and rationals conclude.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import fmpq, fmpq_mat

from tamecheck.duality.check import CheckItem
from tamecheck.duality.expression.dual import ExpressionDual
from tamecheck.duality.expression.function import Expression, ExpressionBuilder, absolute, triangle
from tamecheck.duality.form import Constraint, Form, FormColumn, InfeasibleProgramError, normalise
from tamecheck.duality.optimum import (
    feasible_multipliers,
    minimise,
    proved_optimum,
    require_integer_solution,
)
from tamecheck.ir.answer import Infeasible, Optimal
from tamecheck.ir.program import Program

__all__ = [
    "Basis",
    "GomoryDual",
    "ascend",
    "basis_row",
    "gomory_dual",
    "optimal_basis",
    "violation_slope",
]

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
    optimum = proved_optimum(form, seconds=limit, seed=seed)
    note = run.run(layers, optimum)
    if steps:
        from tamecheck.duality.gomory import ascend

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
        if isinstance(outcome, Infeasible):
            raise InfeasibleProgramError(
                "The program is infeasible, so that no dual function attains its value:"
                " cuts of its rows contradict each other."
            )
        if not isinstance(outcome, Optimal):
            raise AssertionError("the dual of the relaxation is feasible")  # noqa: TRY004
        self.multipliers, self.point, self.bound = (
            outcome.certificate.multipliers,
            outcome.point,
            outcome.objective,
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
        from tamecheck.duality.gomory import basis_row, optimal_basis

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


_DENOMINATORS = (12, 60, 720)
_CLIMB = 20
_RATE = 0.2


def ascend(run: Layers, steps: int, noise: random.Random, optimum: Fraction | None) -> str:
    """Add cuts whose (w, v) climb their violation at the relaxation's point; how many helped.

    Each step starts near a small integer combination of rows of the inverse basis, follows the
    derivative of the violation, and rounds the best row that it met to rationals; the cut is
    kept if the exact bound improves.
    """
    helped = 0
    for _ in range(steps):
        starts = run.basis_rows()
        if run.bound == optimum or not starts:
            break
        found = _climbed(run, _start(starts, noise))
        for denominator in _DENOMINATORS:
            exact = [Fraction(a).limit_denominator(denominator) for a in found]
            at_b = (a * r.bound for a, r in zip(exact, run.rows, strict=True))
            v = sum(at_b, Fraction(0)) % 1
            if v and run.add_if_better(run.cut(exact, v)):
                helped += 1
                break
    return f"{helped} of {steps} ascents raised the bound"


def _start(rows: Sequence[Sequence[Fraction]], noise: random.Random) -> list[float]:
    weights = [noise.randint(-2, 2) for _ in rows]
    if not any(weights):
        weights[noise.randrange(len(rows))] = 1
    return [
        float(sum((n * a for n, a in zip(weights, column, strict=True)), Fraction(0)))
        for column in zip(*rows, strict=True)
    ]


def _climbed(run: Layers, w: list[float]) -> list[float]:
    """The best row on the way; the parameter v follows the row as ``frac(w·b)``."""
    integral = [column.integral for column in run.form.columns]
    bounds = [float(row.bound) for row in run.rows]
    best, most = w, -math.inf
    for step in range(_CLIMB):
        inner = sum(a * b for a, b in zip(w, bounds, strict=True))
        v = min(0.95, max(0.05, inner - math.floor(inner)))
        value = _violation(run, integral, w, v)
        if value > most:
            best, most = w, value
        slope, _ = violation_slope(run.rows, integral, run.point, w, v)
        size = math.sqrt(sum(g * g for g in slope)) or 1.0
        w = [a + _RATE / (1 + step) * g / size for a, g in zip(w, slope, strict=True)]
    return best


def _violation(run: Layers, integral: Sequence[bool], w: Sequence[float], v: float) -> float:
    """How far the point is beyond the cut, in floats."""
    total = 0.0
    targets = [(-float(x), j) for j, x in enumerate(run.point) if x]
    for weight, j in [(1.0, -1), *targets]:
        values = [float(r.bound if j < 0 else r.coefficients[j]) for r in run.rows]
        inner = sum(a * r for a, r in zip(w, values, strict=True))
        if j < 0 or integral[j]:
            part = inner - math.floor(inner)
            own = min(part / v, (1 - part) / (1 - v))
        else:
            own = max(inner / v, -inner / (1 - v))
        for a, r, row in zip(w, values, run.rows, strict=True):
            if not row.equation:
                own += max(-a / v, a / (1 - v)) * r
        total += weight * own
    return total


def violation_slope(
    rows: Sequence[Extended],
    integral: Sequence[bool],
    point: Sequence[Fraction],
    w: Sequence[float],
    v: float,
) -> tuple[list[float], float]:
    """The derivative of ``F(b) - sum of F(a_j) x_j`` in w and v, for one layer; in floats."""
    total = [0.0] * len(w)
    total_v = 0.0
    targets = [(-float(x), j) for j, x in enumerate(point) if x]
    for weight, j in [(1.0, -1), *targets]:
        values = [float(r.bound if j < 0 else r.coefficients[j]) for r in rows]
        inner = sum(a * r for a, r in zip(w, values, strict=True))
        if j >= 0 and not integral[j]:
            rising, part = inner >= 0, inner
        else:
            part = inner - math.floor(inner)
            rising = part < v
        slope = 1 / v if rising else -1 / (1 - v)
        if rising:
            slope_v = -part / v**2
        elif j >= 0 and not integral[j]:
            slope_v = -part / (1 - v) ** 2
        else:
            slope_v = (1 - part) / (1 - v) ** 2
        for k, (a, r) in enumerate(zip(w, values, strict=True)):
            total[k] += weight * slope * r
            if rows[k].equation:
                continue
            # abs_v(-a) r
            total[k] += weight * r * (1 / (1 - v) if a > 0 else -1 / v)
            slope_v += (a * r / (1 - v) ** 2) if a > 0 else (a * r / v**2)
        total_v += weight * slope_v
    return total, total_v


@dataclass(frozen=True, slots=True)
class Basis:
    """Columns of ``[A, -I]`` that are a basis, and the rows that are not redundant.

    ``inverse`` maps these rows to the basic variables.
    """

    variables: tuple[int, ...]
    rows: tuple[int, ...]
    inverse: fmpq_mat


def optimal_basis(
    form: Form,
    rows: Sequence[Extended],
    point: Sequence[Fraction],
    multipliers: Sequence[Fraction],
) -> Basis:
    """A basis of the optimal point: its positive variables, completed by reduced cost 0 first.

    The positive variables of a basic solution are linearly independent, so that elimination that
    takes them first keeps them all.
    """
    n, m = len(form.columns), len(rows)
    positive = [j for j in range(n) if point[j] > 0]
    surplus: list[int] = []
    for i, row in enumerate(rows):
        if row.equation:
            continue
        value = sum((a * x for a, x in zip(row.coefficients, point, strict=True)), Fraction(0))
        if value > row.bound:
            surplus.append(n + i)
    reduced = {
        j: form.columns[j].cost
        - sum((y * row.coefficients[j] for y, row in zip(multipliers, rows, strict=True)), 0)
        for j in range(n)
    }
    taken = {*positive, *surplus}
    others = [j for j in range(n) if j not in taken]
    slack = [n + i for i, row in enumerate(rows) if not row.equation and n + i not in taken]
    tight = [j for j in others if reduced[j] == 0]
    loose = [j for j in others if reduced[j] != 0]
    order = [*positive, *surplus, *slack, *tight, *loose]
    return _independent(rows, order, n, m)


def _independent(rows: Sequence[Extended], order: Sequence[int], n: int, m: int) -> Basis:
    """The first columns in the order that are linearly independent, with rows to match."""
    work: list[list[fmpq]] = [_column(rows, j, n, m) for j in order]
    reduced: list[tuple[int, list[fmpq]]] = []
    chosen: list[int] = []
    for j, column in zip(order, work, strict=True):
        left = column
        for pivot, own in reduced:
            factor = left[pivot]
            if factor:
                left = [a - factor * b if b else a for a, b in zip(left, own, strict=True)]
        pivot = next((i for i, a in enumerate(left) if a), None)
        if pivot is None:
            continue
        reduced.append((pivot, [a / left[pivot] if a else a for a in left]))
        chosen.append(j)
        if len(chosen) == m:
            break
    pivots = sorted(pivot for pivot, _ in reduced)
    size = len(chosen)
    entries = [_column(rows, j, n, m) for j in chosen]
    square = fmpq_mat(size, size, [entries[k][i] for i in pivots for k in range(size)])
    return Basis(tuple(chosen), tuple(pivots), square.inv() if size else square)


def _column(rows: Sequence[Extended], j: int, n: int, m: int) -> list[fmpq]:
    if j >= n:
        return [fmpq(-1) if i == j - n else fmpq(0) for i in range(m)]
    return [fmpq(row.coefficients[j].numerator, row.coefficients[j].denominator) for row in rows]


def basis_row(basis: Basis, j: int, size: int) -> list[Fraction] | None:
    """Row multipliers ``w`` with ``w·(row of x)`` = x_j + nonbasic terms; None if not basic."""
    if j not in basis.variables:
        return None
    k = basis.variables.index(j)
    w = [Fraction(0)] * size
    for position, i in enumerate(basis.rows):
        a = basis.inverse[k, position]
        w[i] = Fraction(int(a.p), int(a.q))
    return w
