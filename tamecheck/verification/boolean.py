"""Properties that force inputs to one of two values each, decided as Boolean formulas.

A network can hold a formula: where ``x - max(2x - 1, 0)``, which is at least 0 on [0, 1], is summed
over the inputs and the sum must be at most 0, each input is 0 or 1; where rectifiers ``max(z, 0)``
are summed and must be at most 0, each ``z`` is.  In general an inequality over inputs and
rectifiers bounds each of its terms by what the least values of the others leave.  What follows for
the inputs, a union of intervals for each and linear inequalities, is derived in rationals.  Where
that leaves two values to an input, it is a Boolean variable, and the inequalities become clauses.

A SAT solver searches.  Its refutation is a list of clauses, each of which follows by unit
propagation, which is checked; its model is a point, which is evaluated exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from flint import fmpq

from tamecheck.budget import Budget
from tamecheck.cells.forms import Forms, NonlinearError
from tamecheck.cells.reading import steps_of
from tamecheck.cells.steps import INPUTS, NONE, Pieces, Product, Step, deciding
from tamecheck.errors import InputError, TimeLimitError, UnsupportedError
from tamecheck.exact.reals import as_fraction
from tamecheck.ir.affine import AffineForm
from tamecheck.ir.graph import Graph
from tamecheck.ir.spec import Case, Inequality
from tamecheck.ir.tensor import Array, size_of
from tamecheck.solvers.sat import refutation
from tamecheck.verification.propagation import Clause, is_refutation

_MOST_SYMBOLS, _LARGE = 1_500, 500_000
_MOST_CLAUSES = 100_000
_MOST_OF_ROW = 2_000
_ROUNDS = 4

Intervals: TypeAlias = tuple[tuple[Fraction, Fraction], ...]
"""Closed intervals, apart and in order."""

Row: TypeAlias = tuple[AffineForm, bool]
"""``form <= 0`` over inputs and rectifiers; ``form < 0`` if so."""


@dataclass(frozen=True, slots=True)
class Rectified:
    """Outputs as affine forms of inputs and rectifiers ``t_k = max(z_k, 0)``.

    ``arguments`` are the ``z_k``, over symbols before ``t_k``; the inputs are the first symbols.
    """

    inputs: int
    arguments: tuple[AffineForm, ...]
    outputs: tuple[AffineForm, ...]


def rectified(graph: Graph) -> Rectified | None:
    """A network of rectifiers and affine maps in this form; None if it is another, or large.

    Also None where no rectifier depends on a single input, so that nothing can come of it.
    """
    inputs = sum(map(size_of, graph.inputs.values()))
    if inputs > _MOST_SYMBOLS or graph.parameters > _LARGE:
        return None
    try:
        steps = steps_of(graph)
        return _through(graph, steps, inputs) if any(map(_selects, steps.values())) else None
    except (UnsupportedError, InputError, NonlinearError, ZeroDivisionError):
        return None


def _selects(step: Step) -> bool:
    """Whether a matrix has a row or column with one entry: the mark of a rectifier of one input."""
    if not isinstance(step, Product) or step.known.array.ndim != 2:
        return False
    entries = step.known.array != 0
    return any(bool((entries.sum(axis) == 1).any()) for axis in (0, 1))


def _through(graph: Graph, steps: dict[int, Step], inputs: int) -> Rectified | None:
    eye = [[Fraction(int(i == j)) for j in range(inputs + 1)] for i in range(inputs)]
    forms: dict[int, Forms] = {INPUTS: Forms.of_rows(inputs, eye)}
    arguments: list[AffineForm] = []
    for number, step in steps.items():
        args = [forms[arg] for arg in step.args]
        decides = deciding(step)
        if decides is None:
            forms[number] = step.value(args, NONE)
            continue
        if not isinstance(decides, Pieces):
            return None
        made = _rectifiers(decides, args)
        if made is None or inputs + len(arguments) + len(made) > _MOST_SYMBOLS:
            return None
        if not arguments and not any(len(form.terms) == 1 for form in made):
            return None
        arguments += made
        forms = {key: _widen(known, len(made)) for key, known in forms.items()}
        count = inputs + len(arguments)
        value: Array = np.full((1, count + 1, len(made)), fmpq(0), dtype=object)
        for k in range(len(made)):
            value[0, count - len(made) + k, k] = fmpq(1)
        forms[number] = Forms(value.reshape(1, count + 1, *decides.shape))
    outputs = [one for _, node in graph.outputs for one in _linear(forms[node])]
    return Rectified(inputs, tuple(arguments), tuple(outputs))


def _rectifiers(step: Pieces, args: Sequence[Forms]) -> list[AffineForm] | None:
    """The arguments of the step, if it is ``max(z, 0)``."""
    asked = step.questions(args)
    if asked.value.shape[2] != size_of(step.shape):
        return None
    up, down = (
        step.value(args, np.full((1, asked.value.shape[2]), sign, dtype=np.int64))
        for sign in (1, -1)
    )
    same = up.value.reshape(asked.value.shape) == asked.value
    none = down.value == fmpq(0)
    return list(_linear(asked)) if bool(np.all(same)) and bool(np.all(none)) else None


def _widen(forms: Forms, count: int) -> Forms:
    value = forms.value
    zeros: Array = np.full((1, count, *value.shape[2:]), fmpq(0), dtype=object)
    return Forms(np.concatenate([value[:, :-1], zeros, value[:, -1:]], axis=1))


def _linear(forms: Forms) -> Iterator[AffineForm]:
    flat = forms.value[0].reshape(forms.value.shape[1], -1)
    for column in flat.T:
        *terms, constant = column.tolist()
        exact = {i: as_fraction(c) for i, c in enumerate(terms) if c}
        yield AffineForm(exact, as_fraction(constant))


# --- what an inequality says of its terms --------------------------------------------------------


@dataclass(slots=True)
class _Domains:
    """What is known of the symbols: a union of intervals for each input, bounds of rectifiers."""

    network: Rectified
    inputs: list[Intervals]
    most: list[Fraction]
    rows: list[Row] = field(default_factory=list[Row])

    @staticmethod
    def of(network: Rectified, case: Case) -> _Domains | None:
        """The box of a case; None if it is unbounded."""
        ends = list(zip(case.lower, case.upper, strict=True))
        if any(low is None or high is None for low, high in ends):
            return None
        known = [((low, high),) for low, high in ends if low is not None and high is not None]
        found = _Domains(network, known, [])
        for form in network.arguments:
            found.most.append(max(found.largest(form), Fraction(0)))
        return found

    def largest(self, form: AffineForm) -> Fraction:
        """A bound of a form from above."""
        ends = ((c, self.hull(symbol)[c > 0]) for symbol, c in form.terms.items())
        return sum((c * end for c, end in ends), form.constant)

    def hull(self, symbol: int) -> tuple[Fraction, Fraction]:
        """Bounds of a symbol."""
        if symbol < self.network.inputs:
            return self.inputs[symbol][0][0], self.inputs[symbol][-1][1]
        return Fraction(0), self.most[symbol - self.network.inputs]

    def learn(self, row: AffineForm) -> bool:
        """Bound each term by what the others leave; False if no point satisfies the inequality."""
        alone: dict[int, list[tuple[Fraction, Fraction, Fraction]]] = {}
        rest: list[tuple[int, Fraction]] = []
        straight: dict[int, Fraction] = {}
        for symbol, factor in row.terms.items():
            if symbol < self.network.inputs:
                straight[symbol] = factor
                alone.setdefault(symbol, [])
                continue
            form = self.network.arguments[symbol - self.network.inputs]
            only = next(iter(form.terms), self.network.inputs)
            if len(form.terms) == 1 and only < self.network.inputs:
                alone.setdefault(only, []).append((factor, form.terms[only], form.constant))
            else:
                rest.append((symbol, factor))
        curves = {i: _Curve(straight.get(i, Fraction(0)), tuple(t)) for i, t in alone.items()}
        least = {i: curve.least(self.inputs[i]) for i, curve in curves.items()}
        lows = {symbol: factor * self.hull(symbol)[factor < 0] for symbol, factor in rest}
        left = -row.constant - sum(least.values()) - sum(lows.values())
        if left < 0:
            return False
        for i, curve in curves.items():
            self.inputs[i] = curve.below(least[i] + left, self.inputs[i])
        for symbol, factor in rest:
            if factor > 0:
                k = symbol - self.network.inputs
                self.most[k] = min(self.most[k], (lows[symbol] + left) / factor)
        return True

    def implied(self) -> Iterator[tuple[int, Row]]:
        """The inequalities of the case, and that no ``z_k`` exceeds the bound of ``t_k``."""
        yield from enumerate(self.rows)
        pairs = zip(self.network.arguments, self.most, strict=True)
        for k, (form, most) in enumerate(pairs):
            if self.largest(form) > most:
                yield -1 - k, (form - AffineForm.number(most), False)


@dataclass(frozen=True, slots=True)
class _Curve:
    """``slope x + Σ b max(p x + q, 0)``, given by its ``(b, p, q)``."""

    slope: Fraction
    parts: tuple[tuple[Fraction, Fraction, Fraction], ...]

    def at(self, x: Fraction) -> Fraction:
        """The value."""
        return self.slope * x + sum((b * max(p * x + q, 0) for b, p, q in self.parts), Fraction(0))

    def _knots(self, low: Fraction, high: Fraction) -> list[Fraction]:
        kinks = {-q / p for _, p, q in self.parts if low < -q / p < high}
        return sorted({low, high, *kinks})

    def least(self, domain: Intervals) -> Fraction:
        """The least value on a union of intervals."""
        return min(self.at(x) for low, high in domain for x in self._knots(low, high))

    def below(self, level: Fraction, domain: Intervals) -> Intervals:
        """The part of a union of intervals where the value is at most a level."""
        found: list[tuple[Fraction, Fraction]] = []
        for low, high in domain:
            knots = self._knots(low, high)
            pairs = list(pairwise(knots)) or [(low, low)]
            for a, b in pairs:
                start, end = self.at(a), self.at(b)
                if min(start, end) > level:
                    continue
                # where the segment crosses the level, if it does
                cross = a if start == end else a + (level - start) / (end - start) * (b - a)
                left, right = (a if start <= level else cross), (b if end <= level else cross)
                if found and found[-1][1] >= left:
                    found[-1] = (found[-1][0], max(found[-1][1], right))
                else:
                    found.append((left, right))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Clauses:
    """Clauses that every point of a case satisfies, about inputs with two values each.

    Variable ``k`` (from 1) is true where input ``variables[k-1]`` has the second of its ``values``;
    ``domains`` are what is left of all inputs.
    """

    variables: tuple[int, ...]
    values: tuple[tuple[Fraction, Fraction], ...]
    domains: tuple[Intervals, ...]
    clauses: tuple[Clause, ...]
    sources: tuple[int, ...] = ()
    """The inequality from which each clause follows: a row, or -1-k for ``z_k <= most_k``."""
    learned: int = 0
    """How often all rows were learned from, one after the other."""

    def point(self, model: Sequence[int]) -> tuple[Fraction, ...]:
        """The input with these true literals; the middle of the interval where none is about it."""
        true = {literal for literal in model if literal > 0}
        point = [(domain[0][0] + domain[0][1]) / 2 for domain in self.domains]
        for k, (i, pair) in enumerate(zip(self.variables, self.values, strict=True), 1):
            point[i] = pair[k in true]
        return tuple(point)


def clauses_of(network: Rectified, case: Case) -> Clauses | None:
    """The clauses that follow from a case; None if no input is left with isolated values.

    An impossible case has the empty clause.
    """
    domains = _Domains.of(network, case)
    if domains is None:
        return None
    domains.rows.extend(_row(network, one) for one in (*case.region, *case.outputs))
    learned = 0
    for learned in range(1, _ROUNDS + 1):
        before = (list(domains.inputs), list(domains.most))
        if not all(domains.learn(row) for row, _ in domains.rows):
            return Clauses((), (), (), ((),), learned=learned)
        if before == (domains.inputs, domains.most):
            break
    two = {
        i: (known[0][0], known[-1][1])
        for i, known in enumerate(domains.inputs)
        if len(known) == 2 and all(low == high for low, high in known)
    }
    if not any(low == high for known in domains.inputs for low, high in known):
        return None
    number = {i: k for k, i in enumerate(two, 1)}
    clauses: dict[Clause, int] = {}
    for source, (row, strict) in domains.implied():
        clauses.update(dict.fromkeys(_clauses(domains, row, number, strict=strict), source))
        if len(clauses) > _MOST_CLAUSES:
            return None
    values, left = tuple(two.values()), tuple(domains.inputs)
    return Clauses(tuple(two), values, left, tuple(clauses), tuple(clauses.values()), learned)


def _row(network: Rectified, one: Inequality) -> Row:
    """An inequality of the property over inputs and rectifiers."""
    outputs = (network.outputs[index] * factor for index, factor in one.outputs)
    return AffineForm.total([AffineForm(dict(one.inputs), -one.bound), *outputs]), one.strict


def _clauses(
    domains: _Domains, row: AffineForm, number: dict[int, int], *, strict: bool
) -> list[Clause]:
    """``row <= 0`` as clauses: of each least set of literals that break it, one is false."""
    left, weights = -row.constant, list[tuple[Fraction, int]]()
    for symbol, factor in row.terms.items():
        low, high = domains.hull(symbol)
        left -= min(factor * low, factor * high)
        if symbol in number:
            literal = number[symbol] if factor > 0 else -number[symbol]
            weights.append((abs(factor) * (high - low), literal))
    weights.sort(reverse=True)
    tails = [Fraction(0)]
    for weight, _ in reversed(weights):
        tails.append(tails[-1] + weight)
    tails.reverse()
    found: list[Clause] = []
    stack: list[tuple[int, Fraction, Clause]] = [(0, left, ())]
    while stack:
        position, room, chosen = stack.pop()
        if room < 0 or (strict and room == 0):
            found.append(tuple(-literal for literal in chosen))
            if len(found) > _MOST_OF_ROW:
                # without an inequality what is left still follows from the case
                return []
            continue
        if (
            position == len(weights)
            or tails[position] < room
            or (tails[position] == room and not strict)
        ):
            continue
        weight, literal = weights[position]
        stack.append((position + 1, room, chosen))
        stack.append((position + 1, room - weight, (*chosen, literal)))
    return found


def search_cases(
    graph: Graph, cases: Sequence[Case], budget: Budget
) -> Iterator[tuple[int, int, tuple[Fraction, ...] | bool | None]]:
    """In time, each case's number, how many clauses it has, and what a search of them finds."""
    network = rectified(graph)
    with suppress(TimeLimitError):
        for number, case in enumerate(cases if network is not None else ()):
            clauses = None if network is None else clauses_of(network, case)
            if clauses is None:
                yield number, 0, None
            else:
                yield number, len(clauses.clauses), search_clauses(clauses, budget)


def search_clauses(clauses: Clauses, budget: Budget) -> tuple[Fraction, ...] | bool | None:
    """A point that satisfies the clauses, False if there is none, None if neither was shown."""
    found = refutation(clauses.clauses, budget.deadline)
    if found is None:
        return None
    model, proof = found
    if model is not None:
        return clauses.point(model)
    return False if is_refutation(clauses.clauses, proof, budget) else None
