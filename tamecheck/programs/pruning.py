"""What a closed tree needs of what was derived before it; the rest is left out of a certificate."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from tamecheck.budget import Budget
from tamecheck.ir.program import Program
from tamecheck.programs.branching import Ends, children
from tamecheck.programs.certificate import (
    Bounded,
    Branched,
    Crossed,
    Cut,
    Derived,
    Excluded,
    Gap,
    Node,
    Tightened,
    renumber,
)
from tamecheck.programs.scaled import Multipliers, Scaled, hull


def prune(
    program: Program,
    strengthened: Program,
    derived: Sequence[Derived],
    nodes: Sequence[Node],
    budget: Budget,
) -> tuple[tuple[Derived, ...], tuple[Node, ...]]:
    """The steps that the leaves of a tree rest on, and the tree with the rows that are left.

    ``strengthened`` is the program with the cutoff and all derived rows.  If the budget is spent
    first, everything is kept.
    """
    own = _Steps(program, strengthened, derived)
    for changes, leaf in _leaves(strengthened, nodes):
        if budget.is_spent:
            return tuple(derived), tuple(nodes)
        own.use_leaf(changes, leaf)
    for k in range(len(derived) - 1, -1, -1):
        if k in own.needed:
            own.use_step(k)
    kept = [step for k, step in enumerate(derived) if k in own.needed]
    count = len(program.rows) + 1
    cuts = [k for k, step in enumerate(derived) if isinstance(step, Cut)]
    places = {count + p: k for p, k in enumerate(cuts)}
    left = {i: k for i, k in places.items() if k in own.needed}
    rows = {**{i: i for i in range(count)}, **{i: count + p for p, i in enumerate(left)}}
    return (
        tuple(_renumber_step(step, rows) for step in kept),
        tuple(renumber(node, rows) for node in nodes),
    )


def _leaves(program: Program, nodes: Sequence[Node]) -> Iterator[tuple[Mapping[int, Ends], Node]]:
    """The leaves of a tree, with the bounds that branching has changed."""
    stack: list[tuple[int, Mapping[int, Ends]]] = [(0, {})]
    while stack:
        index, changes = stack.pop()
        node = nodes[index]
        if isinstance(node, Branched):
            j = node.by.column
            sides = children(program, node.by, *changes.get(j, hull(program.columns[j])))
            for child, ends in zip(node.children, sides, strict=True):
                stack.append((child, {**changes, j: ends}))
        else:
            yield changes, node


class _Steps:
    """Steps in their order, those that are needed, and where bounds of columns come from."""

    def __init__(self, program: Program, strengthened: Program, derived: Sequence[Derived]) -> None:
        self._derived = derived
        self._scaled = Scaled(strengthened)
        self._count = len(program.rows) + 1
        self._cuts = [k for k, step in enumerate(derived) if isinstance(step, Cut)]
        self._origins: dict[tuple[int, int], list[int]] = {}
        """Of each end of a column the steps that narrow it; others may come between them."""
        ends = {
            (j, sign): end
            for j, column in enumerate(program.columns)
            for sign, end in zip((1, -1), hull(column), strict=True)
        }
        for k, step in enumerate(derived):
            if isinstance(step, Tightened):
                end = j, sign = step.column, step.sign
                to = sign * step.to
                if program.columns[j].kind.integral:
                    to = Fraction(math.ceil(to))
                known = ends[end]
                if known is None or to > sign * known:
                    ends[end] = sign * to
                    self._origins.setdefault(end, []).append(k)
        self.needed: set[int] = set()
        self._hulls = list(map(hull, strengthened.columns))
        # leaves use no others: rows, and the tightest bound of each column
        self._latest = {end: own[-1] for end, own in self._origins.items()}
        self._most = len(self._cuts) + len(self._latest)
        self._after: tuple[int, dict[int, int], dict[int, int]] | None = None
        """The bound that was looked at last, its multipliers without common factor, their sum."""
        self._seek()

    def _seek(self) -> None:
        """Look from now on only at columns of which the tightest bound is not used yet."""
        self._sought, self._rows = len(self._latest), dict[int, Sequence[tuple[int, int]]]()
        self._columns = {j for j, _ in self._latest}
        costs = self._scaled.costs
        self._supporting = {j: s for j, s in self._latest if costs[j] * s > 0}
        """Columns of which the costs alone use the bound, where no row has a multiplier."""

    def use_leaf(self, changes: Mapping[int, Ends], leaf: Node) -> None:
        """Note what a leaf rests on, in time that its rows and what is not used yet take."""
        if len(self.needed) == self._most:
            return
        if 2 * len(self._latest) < self._sought:
            self._seek()
        form: dict[int, int] = {}
        match leaf:
            case Crossed(j):
                form[j] = 1
            case Gap(multipliers) | Excluded(multipliers):
                self._combine(form, multipliers, self._sought_terms)
            case Bounded(multipliers):
                self._combine(form, multipliers, self._sought_terms)
                costs, over = self._scaled.costs, multipliers.denominator
                for j in form:
                    form[j] += costs[j] * over
                form.update((j, costs[j]) for j in self._supporting.keys() - form.keys())
            case _:
                return
        both = isinstance(leaf, Gap | Crossed)
        for j, d in form.items():
            if d:
                for sign in (1, -1) if both else (1 if d > 0 else -1,):
                    self._use_latest(j, sign, changes)

    def _use_latest(self, j: int, sign: int, changes: Mapping[int, Ends]) -> None:
        """The tightest bound of a column is used, if branching has not changed it."""
        if (j, sign) not in self._latest:
            return
        side = int(sign < 0)
        if j not in changes or changes[j][side] == self._hulls[j][side]:
            self.needed.add(self._latest.pop((j, sign)))
            if self._supporting.get(j) == sign:
                del self._supporting[j]

    def _sought_terms(self, i: int) -> Sequence[tuple[int, int]]:
        """The terms of a row that are about columns which are sought."""
        row = self._rows.get(i)
        if row is None:
            row = [term for term in self._scaled.rows[i] if term[0] in self._columns]
            self._rows[i] = row
        return row

    def use_step(self, k: int) -> None:
        """Note what a step rests on; all after it that are needed were noted before."""
        step = self._derived[k]
        if isinstance(step, Tightened):
            self._use_tightened(k, step)
            return
        scale = self._scaled.scale
        for sign, side in zip((-1, 1), step.sides, strict=True):
            over = side.multipliers.denominator
            form = {j: a * over * scale for j, a in step.terms}
            for j, p in step.split:
                form[j] = form.get(j, 0) - sign * p * side.times * scale
            self._use_form(form, side.multipliers, k)

    def _use_tightened(self, k: int, step: Tightened) -> None:
        """Note what a bound rests on.

        Many in a row have the same multipliers: then only those between them differ in what is
        known of a column.
        """
        times = math.gcd(*step.multipliers.numerators.values())
        numerators = {i: n // times for i, n in step.multipliers.numerators.items()}
        own, after, columns = step.column, self._after, {step.column}
        if after is None or after[1] != numerators:
            form: dict[int, int] = {}
            self._combine(form, Multipliers(numerators, 1))
            columns |= form.keys()
        else:
            before, _, form = after
            between = self._derived[k : before + 1]
            columns |= {one.column for one in between if isinstance(one, Tightened)}
        self._after = k, numerators, form
        for j in columns:
            d = times * form.get(j, 0)
            if j == own:
                d += step.sign * step.multipliers.denominator * self._scaled.scale
            if d:
                self._use(j, 1 if d > 0 else -1, k)

    def _use_form(self, form: dict[int, int], multipliers: Multipliers, before: int) -> None:
        self._combine(form, multipliers)
        for j, d in form.items():
            if d:
                self._use(j, 1 if d > 0 else -1, before)

    def _combine(
        self,
        form: dict[int, int],
        multipliers: Multipliers,
        terms: Callable[[int], Sequence[tuple[int, int]]] | None = None,
    ) -> None:
        """Subtract the rows times their multipliers from a form; the rows are used."""
        for i, n in multipliers.numerators.items():
            if i >= self._count:
                self.needed.add(self._cuts[i - self._count])
            for j, a in terms(i) if terms else self._scaled.rows[i]:
                form[j] = form.get(j, 0) - n * a

    def _use(self, j: int, sign: int, before: int) -> None:
        """The tightest bound of a column that is known before a step is used."""
        origins = self._origins.get((j, sign), ())
        place = bisect_left(origins, before)
        if place:
            self.needed.add(origins[place - 1])


def _renumber_step(step: Derived, rows: Mapping[int, int]) -> Derived:
    if isinstance(step, Tightened):
        return replace(step, multipliers=step.multipliers.renumbered(rows))
    first, second = (
        replace(side, multipliers=side.multipliers.renumbered(rows)) for side in step.sides
    )
    return replace(step, sides=(first, second))
