"""What a closed tree needs of what was derived before it; the rest is left out of a certificate."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
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
        self._columns = strengthened.columns
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
        # leaves use no others: rows, and the tightest bound of each column
        self._latest = {*self._cuts, *(own[-1] for own in self._origins.values())}

    def use_leaf(self, changes: Mapping[int, Ends], leaf: Node) -> None:
        """Note what a leaf rests on."""
        if not self._latest:
            return
        form: dict[int, int] = {}
        match leaf:
            case Crossed(j):
                form[j] = 1
            case Gap(multipliers) | Excluded(multipliers):
                self._combine(form, multipliers)
            case Bounded(multipliers):
                over = multipliers.denominator
                form = {j: c * over for j, c in enumerate(self._scaled.costs) if c}
                self._combine(form, multipliers)
            case _:
                return
        for j, d in form.items():
            ends = hull(self._columns[j])
            for side, sign in enumerate((1, -1)):
                used = d and (isinstance(leaf, Gap | Crossed) or d * sign > 0)
                if used and (j not in changes or changes[j][side] == ends[side]):
                    self._use(j, sign, len(self._derived))

    def use_step(self, k: int) -> None:
        """Note what a step rests on."""
        step, scale = self._derived[k], self._scaled.scale
        if isinstance(step, Tightened):
            own = {step.column: step.sign * step.multipliers.denominator * scale}
            self._use_form(own, step.multipliers, k)
            return
        for sign, side in zip((-1, 1), step.sides, strict=True):
            over = side.multipliers.denominator
            form = {j: a * over * scale for j, a in step.terms}
            for j, p in step.split:
                form[j] = form.get(j, 0) - sign * p * side.times * scale
            self._use_form(form, side.multipliers, k)

    def _use_form(self, form: dict[int, int], multipliers: Multipliers, before: int) -> None:
        self._combine(form, multipliers)
        for j, d in form.items():
            if d:
                self._use(j, 1 if d > 0 else -1, before)

    def _combine(self, form: dict[int, int], multipliers: Multipliers) -> None:
        """Subtract the rows times their multipliers from a form; the rows are used."""
        for i, n in multipliers.numerators.items():
            if i >= self._count:
                self._need(self._cuts[i - self._count])
            for j, a in self._scaled.rows[i]:
                form[j] = form.get(j, 0) - n * a

    def _use(self, j: int, sign: int, before: int) -> None:
        """The tightest bound of a column that is known before a step is used."""
        origins = self._origins.get((j, sign), ())
        place = bisect_left(origins, before)
        if place:
            self._need(origins[place - 1])

    def _need(self, k: int) -> None:
        self.needed.add(k)
        self._latest.discard(k)


def _renumber_step(step: Derived, rows: Mapping[int, int]) -> Derived:
    if isinstance(step, Tightened):
        return replace(step, multipliers=step.multipliers.renumbered(rows))
    first, second = (
        replace(side, multipliers=side.multipliers.renumbered(rows)) for side in step.sides
    )
    return replace(step, sides=(first, second))
