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
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from tamecheck.budget import Budget
from tamecheck.duality.expression.dual import ExpressionBuilder, ExpressionDual
from tamecheck.duality.expression.function import Expression, absolute, triangle
from tamecheck.duality.form import Form, Vector, dot, normalise
from tamecheck.duality.optimum import (
    cut_optimum,
    feasible_multipliers,
    require_integer_solution,
    search_limit,
)
from tamecheck.duality.proof import prove_optimum
from tamecheck.duality.splits import Line, basis_rows, lines_of
from tamecheck.ir.exact import ZERO
from tamecheck.ir.program import Program

_MOST_DIGITS = 60
"""Cuts whose numbers are longer than this are left out: they would slow the exact programs."""

_DENOMINATORS = (12, 60, 720)
_CLIMB = 20
_RATE = 0.2


class GomoryDual(ExpressionDual):
    """Layers of triangles of the right-hand side: Lipschitz with a constant that is known."""

    method = "gomory"
    why_subadditive = (
        "a non-negative combination of linear forms and Gomory mixed-integer layers,"
        " which are subadditive and non-decreasing in the rows below them"
    )


def gomory_dual(  # noqa: PLR0913 (options, by keyword only)
    program: Program,
    *,
    seconds: float | None = None,
    seed: int = 0,
    layers: int = 40,
    cuts: int = 8,
    steps: int = 0,
) -> GomoryDual:
    """A Lipschitz dual function of a mixed-integer program from layers of Gomory cuts.

    Parameters
    ----------
    layers, cuts
        The largest number of layers, and of cuts in each.
    steps
        Of the gradient phase on the last layer: moves of (w, v) along the derivative of the
        bound, rounded to rationals, kept where the exact bound is better.
    """
    form = normalise(program)
    feasible_multipliers(form)
    require_integer_solution(form)
    budget = Budget.of(search_limit(seconds))
    run = Layers(form, cuts, budget)
    optimum = prove_optimum(form, budget.share(0.5), seed=seed)
    note = run.run(layers, optimum)
    if optimum is None and run.is_integral:
        point = form.point(run.point)
        optimum = None if form.program.violations(point) else run.bound
    if steps:
        note = f"{note}; {_ascend(run, steps, random.Random(seed), optimum)}"  # noqa: S311
    return GomoryDual(form, optimum, run.expression(), (note,))


@dataclass(frozen=True, slots=True)
class Extended(Line):
    """A row ``function(column) >= or = function(b)`` of the extended linear program.

    ``coefficients`` are F(a_j), or F̄(g_j) for a continuous column.
    """

    node: int


class Layers:
    """The extended linear program: the rows of the form, and the cuts so far."""

    def __init__(self, form: Form, cuts: int, budget: Budget) -> None:
        self.form, self.cuts, self.budget = form, cuts, budget
        self.builder = ExpressionBuilder(form.size)
        self.rows: list[Extended] = []
        for i, (own, constraint) in enumerate(zip(lines_of(form), form.constraints, strict=True)):
            node = self.builder.linear([constraint.sign * (i == k) for k in range(form.size)])
            self.rows.append(Extended(own.coefficients, own.bound, own.equation, node))
        self.original = len(self.rows)
        self.multipliers: tuple[Fraction, ...] = ()
        self.point: tuple[Fraction, ...] = ()
        self.bound = ZERO
        self._long = False

    def run(self, layers: int, optimum: Fraction | None) -> str:
        """Add layers until the bound is the optimum, nothing is fractional, or time is over."""
        self.solve()
        for done in range(layers + 1):
            said = "1 layer" if done == 1 else f"{done} layers"
            if optimum is not None and self.bound == optimum:
                return f"{said}: the bound is the optimum"
            if self.is_integral:
                return f"{said}: the point is integral"
            if done == layers or self.budget.is_spent:
                over = "the most that are asked for" if done == layers else "then the time was over"
                return f"{said}, {over}"
            self._drop_loose()
            before = self.bound
            if not self._add_layer():
                long = f"further cuts have more than {_MOST_DIGITS} digits"
                return f"{said}: {long if self._long else 'no row of the basis gives a cut'}"
            self.solve()
            if self.bound < before:
                raise AssertionError("a row more cannot lower the bound")
        raise AssertionError("the last layer was the end")

    def solve(self) -> None:
        """The exact optimum of the extended linear program."""
        costs = [column.cost for column in self.form.columns]
        rows = [(r.coefficients, "=" if r.equation else ">=", r.bound) for r in self.rows]
        found = cut_optimum(costs, rows, "cuts")
        self.multipliers = found.certificate.multipliers
        self.point, self.bound = found.point, found.objective

    def cut(self, w: Sequence[Fraction], v: Fraction) -> Extended:
        """The row of the layer ``(w, v)`` on the rows that are there (as many as ``w`` is long)."""
        lines = [(row, x) for row, x in zip(self.rows, w, strict=False) if x]
        loose = [(row, x) for row, x in lines if not row.equation]
        free = [ZERO] * self.form.size
        for i, (row, x) in enumerate(zip(self.rows, w, strict=False)):
            if row.equation:
                free[i] = x

        def layer(values: Sequence[Fraction], integral: bool) -> Fraction:  # noqa: FBT001
            inner = dot((x for _, x in lines), values)
            outer = (
                absolute(v, -x) * a
                for (row, x), a in zip(lines, values, strict=True)
                if not row.equation
            )
            return sum(outer, triangle(v, inner) if integral else absolute(v, inner))

        coefficients = tuple(
            layer([row.coefficients[j] for row, _ in lines], column.integral)
            for j, column in enumerate(self.form.columns)
        )
        bound = layer([row.bound for row, _ in lines], integral=True)
        node = self.builder.gomory(v, free, [(row.node, x) for row, x in loose])
        return Extended(coefficients, bound, equation=False, node=node)

    @property
    def is_integral(self) -> bool:
        """Whether the optimal point has whole numbers where the form asks for them."""
        pairs = zip(self.form.columns, self.point, strict=True)
        return all(x.denominator == 1 for column, x in pairs if column.integral)

    def _drop_loose(self) -> None:
        """Forget the cuts that are not tight at the point; the form's own rows stay.

        Tight ones without a multiplier stay, too: without them the point need not be basic, and its
        fractional variables need not have a cut.
        """
        kept = [
            k
            for k, row in enumerate(self.rows)
            if k < self.original or self._activity(row) == row.bound
        ]
        self.rows = [self.rows[k] for k in kept]
        self.multipliers = tuple(self.multipliers[k] for k in kept)

    def _add_layer(self) -> bool:
        """Add the cuts of the fractional variables that the optimal point violates."""
        added: list[Extended] = []
        self._long = False
        for w in self.basis_rows():
            v = self._value(w) % 1
            if v == 0 or _digits(w) > _MOST_DIGITS:
                self._long |= v != 0
                continue
            row = self.cut(w, v)
            if self._is_violated(row):
                added.append(row)
            if len(added) == self.cuts:
                break
        self.rows.extend(added)
        return bool(added)

    def _value(self, w: Sequence[Fraction]) -> Fraction:
        return dot(w, (row.bound for row in self.rows))

    def basis_rows(self) -> list[Vector]:
        """Rows of the inverse basis of the fractional variables, most fractional first."""
        return [w for _, w in basis_rows(self.form, self.rows, self.point, self.multipliers)]

    def add_if_better(self, row: Extended) -> bool:
        """Add a row if it raises the bound."""
        if not self._is_violated(row):
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
        return dot(row.coefficients, self.point)

    def _is_violated(self, row: Extended) -> bool:
        return self._activity(row) < row.bound

    def expression(self) -> Expression:
        """The function of the last multipliers: non-negative on all rows that are no equations."""
        builder = self.builder
        line = [ZERO] * self.form.size
        terms: list[tuple[int, Fraction]] = []
        for i, (row, y) in enumerate(zip(self.rows, self.multipliers, strict=True)):
            if row.equation:
                line[i] = y
            elif y:
                terms.append((row.node, y))
        terms.append((builder.linear(line), Fraction(1)))
        return builder.build(builder.combination(terms))


def _digits(values: Sequence[Fraction]) -> int:
    sizes = (max(abs(x.numerator), x.denominator) for x in values if x)
    return max((int(math.log10(size)) + 1 for size in sizes), default=0)


# -- the gradient phase --------------------------------------------------------------------------


def _ascend(run: Layers, steps: int, noise: random.Random, optimum: Fraction | None) -> str:
    """Add cuts whose (w, v) climb their violation at the relaxation's point; how many helped.

    Each step starts near a small integer combination of rows of the inverse basis, follows the
    derivative of the violation, and rounds the best row that it met to rationals; the cut is
    kept if the exact bound improves.
    """
    helped = done = 0
    while done < steps:
        starts = run.basis_rows()
        if run.bound == optimum or not starts or run.budget.is_spent:
            break
        best = _climb(run, _start(starts, noise))
        for denominator in _DENOMINATORS:
            exact = [Fraction(a).limit_denominator(denominator) for a in best]
            v = dot(exact, (row.bound for row in run.rows)) % 1
            if v and run.add_if_better(run.cut(exact, v)):
                helped += 1
                break
        done += 1
    return f"{helped} of {done} ascents raised the bound"


def _start(rows: Sequence[Sequence[Fraction]], noise: random.Random) -> list[float]:
    weights = [noise.randint(-2, 2) for _ in rows]
    if not any(weights):
        weights[noise.randrange(len(rows))] = 1
    columns = zip(*rows, strict=True)
    return [float(sum(n * a for n, a in zip(weights, column, strict=True))) for column in columns]


def _climb(run: Layers, w: Sequence[float]) -> Sequence[float]:
    """The best row on the way; the parameter v follows the row as ``frac(w·b)``."""
    integral = [column.integral for column in run.form.columns]
    bounds = [float(row.bound) for row in run.rows]
    best, most = w, -math.inf
    for step in range(_CLIMB):
        inner = sum(a * b for a, b in zip(w, bounds, strict=True))
        v = min(0.95, max(0.05, inner - math.floor(inner)))
        value, slope, _ = violation(run.rows, integral, run.point, w, v)
        if value > most:
            best, most = w, value
        size = math.sqrt(sum(g * g for g in slope)) or 1.0
        w = [a + _RATE / (1 + step) * g / size for a, g in zip(w, slope, strict=True)]
    return best


def violation(
    rows: Sequence[Extended],
    integral: Sequence[bool],
    point: Sequence[Fraction],
    w: Sequence[float],
    v: float,
) -> tuple[float, list[float], float]:
    """``F(b) - sum of F(a_j) x_j`` for one layer, and its derivatives in w and v; in floats."""
    import numpy as np

    places = [j for j, x in enumerate(point) if x]
    weights = np.array([1.0, *(-float(point[j]) for j in places)])
    values = np.array([[r.bound, *(r.coefficients[j] for j in places)] for r in rows], float)
    whole = np.array([True, *(integral[j] for j in places)])
    row, loose = np.array(w, float), np.array([not r.equation for r in rows])
    inner = row @ values
    part = np.where(whole, inner - np.floor(inner), inner)
    rising = np.where(whole, part < v, part >= 0)
    down = np.where(whole, 1 - part, -part)
    layer = np.where(rising, part / v, down / (1 - v))
    slope = np.where(rising, 1 / v, -1 / (1 - v))
    slope_v = np.where(rising, -part / v**2, down / (1 - v) ** 2)
    # abs_v(-w) on the rows that are no equations
    steep = loose * np.where(row > 0, 1 / (1 - v), -1 / v)
    bend = loose * np.where(row > 0, row / (1 - v) ** 2, row / v**2)
    total = weights @ (layer + (steep * row) @ values)
    by_w = values @ (weights * slope) + steep * (values @ weights)
    return float(total), by_w.tolist(), float(weights @ (slope_v + bend @ values))
