"""What a closed tree needs of what was derived before it; the rest is left out of a certificate."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from tamecheck.budget import Budget
from tamecheck.exact.linear import Number
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
from tamecheck.programs.lattice import Granularity
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
    leaves = 0
    for _, changes, leaf in _preorder(strengthened, nodes):
        if budget.is_spent:
            return tuple(derived), tuple(nodes)
        own.use_leaf(changes, leaf)
        leaves += not isinstance(leaf, Branched)
    for k in range(len(derived) - 1, -1, -1):
        if k in own.needed or own.pays(k, leaves):
            own.needed.add(k)
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


def _preorder(
    program: Program, nodes: Sequence[Node]
) -> Iterator[tuple[int, Mapping[int, Ends], Node]]:
    """The nodes of a tree, each after its parent, with the bounds that branching has changed."""
    stack: list[tuple[int, Mapping[int, Ends]]] = [(0, {})] if nodes else []
    while stack:
        index, changes = stack.pop()
        node = nodes[index]
        yield index, changes, node
        if isinstance(node, Branched):
            j = node.by.column
            sides = children(program, node.by, *changes.get(j, hull(program.columns[j])))
            for child, ends in zip(node.children, sides, strict=True):
                stack.append((child, {**changes, j: ends}))


def collapse(
    program: Program,
    nodes: Sequence[Node],
    value: Fraction | None,
    steps: Granularity | None,
    budget: Budget,
) -> tuple[Node, ...]:
    """The tree without branchings that one of the children does not need: it takes their place.

    The ``value`` is that of the best point, minimised.  If the budget is spent first, everything is
    kept.
    """

    def accept(bound: Fraction) -> bool:
        """Whether no point of a leaf with this bound is better."""
        if value is None:
            return False
        return bound >= value if steps is None else bound > value - steps.step

    own, used = _Leaf(program, accept), dict[int, int]()
    branchings = list[tuple[int, list[tuple[int, int]]]]()
    for index, changes, node in _preorder(program, nodes):
        if budget.is_spent:
            return tuple(nodes)
        if isinstance(node, Branched):
            j = node.by.column
            ends = changes.get(j, own.hulls[j])
            gains = [_gained(j, ends, side) for side in children(program, node.by, *ends)]
            branchings.append((index, list(zip(node.children, gains, strict=True))))
        else:
            used[index] = own.used(node, changes)
    place = list(range(len(nodes)))
    for index, parts in reversed(branchings):
        place[index], used[index] = _needed(index, parts, place, used)
    return _rebuilt(nodes, place)


def _gained(j: int, before: Ends, after: Ends) -> int:
    """The mask of the bounds of a column that a branching changes in a child."""
    return sum(_bit(j, side) for side in (0, 1) if before[side] != after[side])


def _needed(
    index: int, parts: Sequence[tuple[int, int]], place: Sequence[int], used: Mapping[int, int]
) -> tuple[int, int]:
    """What takes the place of a branching below which that is known, and what it rests on.

    Its parts are the children, each with what it gains.
    """
    mask = 0
    for child, gained in parts:
        if not used[child] & gained:
            return place[child], used[child]
        mask |= used[child] & ~gained
    return index, mask


def _rebuilt(nodes: Sequence[Node], place: Sequence[int]) -> tuple[Node, ...]:
    """The nodes below the root that are left, each after its parent."""
    waiting, found = list(place[:1]), list[Node]()
    for index in waiting:
        node = nodes[index]
        if isinstance(node, Branched):
            first = len(waiting)
            waiting += [place[child] for child in node.children]
            node = replace(node, children=(first, first + 1))
        found.append(node)
    return tuple(found)


def _bit(column: int, side: int) -> int:
    """The mask of a lower bound (side 0) or an upper one."""
    return 1 << (2 * column + side)


class _Leaf:
    """Which bounds that branching has changed leaves rest on."""

    def __init__(self, program: Program, accept: Callable[[Fraction], bool]) -> None:
        self._scaled, self._accept = Scaled(program), accept
        self.hulls = list(map(hull, program.columns))
        self._terms: list[list[tuple[int, int]]] = [[] for _ in program.columns]
        for i, row in enumerate(self._scaled.rows):
            for j, a in row:
                self._terms[j].append((i, a))

    def used(self, leaf: Node, changes: Mapping[int, Ends]) -> int:
        """The mask of the bounds; those of which least is gained are left out first."""
        if isinstance(leaf, Crossed):
            return _bit(leaf.column, 0) | _bit(leaf.column, 1)
        if isinstance(leaf, Gap):
            return sum(_bit(j, 0) | _bit(j, 1) for j in changes if self._coefficient(leaf, j))
        if not isinstance(leaf, Bounded | Excluded):
            return 0
        mask, gains = 0, list[tuple[Number, int]]()
        for j, ends in changes.items():
            d = self._coefficient(leaf, j)
            side = int(d < 0)
            end, old = ends[side], self.hulls[j][side]
            if not d or end is None or end == old:
                continue
            mask |= _bit(j, side)
            if old is not None:
                gains.append((abs(d * (end - old)), _bit(j, side)))
        return mask ^ self._spared(leaf, changes, gains)

    def _coefficient(self, leaf: Bounded | Excluded | Gap, j: int) -> int:
        """That of a column in what multipliers combine, times the scale."""
        y = leaf.multipliers
        d = self._scaled.costs[j] * y.denominator if isinstance(leaf, Bounded) else 0
        return d - sum(y.numerators.get(i, 0) * a for i, a in self._terms[j])

    def _spared(
        self,
        leaf: Bounded | Excluded,
        changes: Mapping[int, Ends],
        gains: list[tuple[Number, int]],
    ) -> int:
        """The mask of bounds without which a leaf proves enough, with what each adds."""
        total, mask = self._total(leaf, changes), 0
        if total is None:
            return 0
        scale = self._scaled.scale * leaf.multipliers.denominator
        for gain, bit in sorted(gains):
            total -= gain
            if not (
                self._accept(Fraction(total) / scale) if isinstance(leaf, Bounded) else total > 0
            ):
                break
            mask |= bit
        return mask

    def _total(self, leaf: Bounded | Excluded, changes: Mapping[int, Ends]) -> Number | None:
        """What a leaf proves, times the scale; None if it is not known without much ado."""
        if isinstance(leaf, Bounded):
            return leaf.bound * self._scaled.scale * leaf.multipliers.denominator
        if len(leaf.multipliers.numerators) != 1:
            return None
        ((i, n),) = leaf.multipliers.numerators.items()
        side = self._scaled.side(i, n)
        total: Number = 0 if side is None else n * side * self._scaled.scale
        for j, a in self._scaled.rows[i]:
            end = changes.get(j, self.hulls[j])[int(n * a > 0)]
            total -= 0 if end is None else n * a * end
        return total


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
                for j, sign, given in step.ends:
                    to = sign * given
                    if program.columns[j].kind.integral:
                        to = Fraction(math.ceil(to))
                    known = ends[j, sign]
                    if known is None or to > sign * known:
                        ends[j, sign] = sign * to
                        self._origins.setdefault((j, sign), []).append(k)
        self.needed: set[int] = set()
        self._hulls = list(map(hull, strengthened.columns))
        self._sizes = Counter(j for row in strengthened.rows for j, _ in row.terms)
        # leaves use no others: rows, and the tightest bound of each column
        self._latest = {end: own[-1] for end, own in self._origins.items()}
        self._unused = set(self._cuts)
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
        if not (self._latest or self._unused):
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
            form = dict[int, int]()
            self._combine(form, Multipliers(step.rows, 1))
            own = {j for j, _, _ in step.ends}
            for j, d in form.items():
                # the bound of a column does not rest on what is known of it
                if d and own != {j}:
                    self._use(j, 1 if d > 0 else -1, k)
            return
        scale = self._scaled.scale
        for sign, side in zip((-1, 1), step.sides, strict=True):
            over = side.multipliers.denominator
            form = {j: a * over * scale for j, a in step.terms}
            for j, p in step.split:
                form[j] = form.get(j, 0) - sign * p * side.times * scale
            self._combine(form, side.multipliers)
            for j, d in form.items():
                if d:
                    self._use(j, 1 if d > 0 else -1, k)

    def pays(self, k: int, leaves: int) -> bool:
        """Whether a step saves so many leaves more than its check takes: columns that are 0."""
        step = self._derived[k]
        if not isinstance(step, Tightened):
            return False
        saved = sum(
            self._sizes[j]
            for j, sign, _ in step.ends
            if self._hulls[j] == (0, 0) and self._origins.get((j, sign), (-1,))[-1] == k
        )
        return leaves * saved > sum(len(self._scaled.rows[i]) for i in step.rows)

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
                self._unused.discard(self._cuts[i - self._count])
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
        return replace(step, rows=Multipliers(step.rows, 1).renumbered(rows).numerators)
    first, second = (
        replace(side, multipliers=side.multipliers.renumbered(rows)) for side in step.sides
    )
    return replace(step, sides=(first, second))
