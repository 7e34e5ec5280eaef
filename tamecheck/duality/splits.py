"""Branch and bound on integer forms, which ends where branching on variables goes on for ever.

A node is divided by ``p·x <= n`` or ``p·x >= n + 1`` with whole numbers p at integer columns.  At a
vertex of the relaxation, the row w of the inverse basis of a fractional variable gives such a form:
``w·a_j`` is rounded as in Gomory's mixed-integer cut of w, whose disjunction that is (Karamanov,
Cornuéjols 2011).  Of these and of the variables themselves the one is taken whose worse side has
the best bound; all numbers are rational.

The multipliers of a leaf bound the objective by an affine function of the right-hand side: the
sides of splits are constants.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import count
from typing import TypeAlias

from flint import fmpq_mat

from tamecheck.budget import Budget
from tamecheck.duality.form import Constraint, Form, Vector, dot, opposites
from tamecheck.duality.optimum import minimise
from tamecheck.errors import SolverError
from tamecheck.exact.feasibility import pivots
from tamecheck.exact.linear import LinearOutcome
from tamecheck.exact.reals import as_fraction, as_number
from tamecheck.ir.answer import Infeasible, Optimal
from tamecheck.ir.exact import ZERO

_MOST = 2000
"""Nodes of a search."""

MOST_SECONDS = 10.0
"""Of a search before others go on."""

_LARGEST = 400
"""Entries of a form up to which such a search is tried."""

_CANDIDATES = 6
"""Fractional variables whose forms are tried at a node."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row ``coefficients · x >= bound``, or an equation."""

    coefficients: tuple[Fraction, ...]
    bound: Fraction
    equation: bool


def lines_of(form: Form) -> list[Line]:
    """The constraints of a form, with the opposite signs where they are ``<=``."""
    vectors = [form.vector(j) for j in range(len(form.columns))]
    found: list[Line] = []
    for i, (constraint, side) in enumerate(zip(form.constraints, form.right, strict=True)):
        row = tuple(constraint.sign * vector[i] for vector in vectors)
        found.append(Line(row, constraint.sign * side, constraint.sense == "="))
    return found


def basis_rows(
    form: Form, rows: Sequence[Line], point: Sequence[Fraction], multipliers: Sequence[Fraction]
) -> list[tuple[int, Vector]]:
    """Fractional integer variables with their row of the inverse basis, most fractional first.

    The basis consists of the positive variables of the optimal point, which are independent as it
    is basic, and is completed by those of reduced cost 0 first; redundant rows have the multiplier
    0.
    """

    def is_priced(j: int) -> bool:
        return form.columns[j].cost != dot(multipliers, (row.coefficients[j] for row in rows))

    n = len(form.columns)
    loose = [i for i, row in enumerate(rows) if not row.equation]
    positive = [j for j in range(n) if point[j] > 0]
    surplus = [i for i in loose if dot(rows[i].coefficients, point) > rows[i].bound]
    slack = [i for i in loose if i not in surplus]
    rest = sorted((j for j in range(n) if j not in positive), key=is_priced)
    order = [*positive, *(n + i for i in (*surplus, *slack)), *rest]
    lines = [
        tuple(as_number(row.coefficients[j] if j < n else Fraction(-(j - n == i))) for j in order)
        for i, row in enumerate(rows)
    ]
    chosen, kept = pivots(lines), pivots(list(zip(*lines, strict=True)))
    size = len(chosen)
    square = fmpq_mat(size, size, [lines[i][k] for i in kept for k in chosen])
    inverse = square.inv() if size else square
    fractional = [j for j, c in enumerate(form.columns) if c.integral and point[j].denominator > 1]
    fractional.sort(key=lambda j: abs(point[j] % 1 - Fraction(1, 2)))
    place = {order[k]: number for number, k in enumerate(chosen)}
    found: list[tuple[int, Vector]] = []
    for j in fractional:
        if j in place:
            w = {i: as_fraction(inverse[place[j], position]) for position, i in enumerate(kept)}
            found.append((j, tuple(w.get(i, ZERO) for i in range(len(rows)))))
    return found


# -- trees ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Division:
    """``p·x <= at`` in the first child, ``p·x > at`` in the second; p by number of the column."""

    p: Mapping[int, int]
    at: int
    children: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Leaf:
    """Multipliers of the constraints, then of splits on the way; of a ray if it is ``empty``."""

    multipliers: Vector
    empty: bool


@dataclass(frozen=True, slots=True)
class LeafFunction:
    """``slope·d + constant`` bounds the leaf; if it is ``empty``, this is above 0 where it is."""

    slope: Vector
    constant: Fraction
    empty: bool

    def __call__(self, d: Sequence[Fraction]) -> Fraction:
        """The value at a right-hand side of the form."""
        return dot(self.slope, d) + self.constant


SplitNode: TypeAlias = "Division | Leaf"
_Splits: TypeAlias = "tuple[tuple[Mapping[int, int], int], ...]"
"""Rows ``p·x >= bound``."""


@dataclass(frozen=True, slots=True)
class SplitTree:
    """What a search found; ``value`` is proved to be the optimum if it is ``closed``.

    No value and a closed tree: there is no point.
    """

    nodes: tuple[SplitNode, ...]
    value: Fraction | None
    point: Vector | None
    closed: bool


def leaf_functions(form: Form, nodes: Sequence[SplitNode]) -> list[LeafFunction]:
    """The functions of all leaves, after their multipliers were checked at every column.

    The leaves cover every integer point whatever the right-hand side, as splits have whole numbers
    at integer columns and at no others.
    """
    found: list[LeafFunction] = []
    waiting: list[tuple[int, _Splits]] = [(0, ())]
    while waiting:
        index, splits = waiting.pop()
        node = nodes[index]
        if isinstance(node, Division):
            if not all(form.columns[j].integral for j in node.p):
                raise AssertionError("a split has a continuous column")
            below, above = _sides(node.p, node.at)
            waiting.append((node.children[0], (*splits, below)))
            waiting.append((node.children[1], (*splits, above)))
            continue
        y, z = node.multipliers[: form.size], node.multipliers[form.size :]
        signs = all(c.admits(v) for c, v in zip(form.constraints, y, strict=True))
        below_costs = all(
            column.product(y)
            + sum((v * p.get(j, 0) for v, (p, _) in zip(z, splits, strict=True)), ZERO)
            <= (0 if node.empty else column.cost)
            for j, column in enumerate(form.columns)
        )
        if not signs or not below_costs or any(v < 0 for v in z):
            raise AssertionError("multipliers of a leaf are not feasible for its dual")
        constant = sum((v * bound for v, (_, bound) in zip(z, splits, strict=True)), ZERO)
        found.append(LeafFunction(y, constant, node.empty))
    return found


def _sides(p: Mapping[int, int], at: int) -> _Splits:
    return ({j: -a for j, a in p.items()}, -at), (p, at + 1)


@dataclass(frozen=True, slots=True)
class _Open:
    """A node that is not divided: its splits, and the optimum of its relaxation."""

    index: int
    splits: _Splits
    outcome: LinearOutcome

    @property
    def bound(self) -> Fraction | None:
        """The least value; None if there is no point."""
        return self.outcome.objective if isinstance(self.outcome, Optimal) else None


def split_tree(form: Form, budget: Budget, known: Vector | None = None) -> SplitTree | None:
    """A tree of a small program at its own right-hand side; None where it is too large.

    ``known`` is a feasible point of the form.
    """
    if form.size * len(form.columns) > _LARGEST:
        return None
    return _Search(form, budget, known).run()


class _Search:
    def __init__(self, form: Form, budget: Budget, known: Vector | None) -> None:
        self.form, self.budget = form, budget
        self.lines = lines_of(form)
        self.pairs = opposites(form.columns)
        self.nodes: list[SplitNode | None] = [None]
        self.point = known
        costs = (column.cost for column in form.columns)
        self.value = None if known is None else dot(costs, known)

    def run(self) -> SplitTree:
        """Divide the node of the least bound until all are proved, or the budget is spent."""
        order = count()
        root = _Open(0, (), self._relaxation(()))
        if not isinstance(root.outcome, Optimal | Infeasible):
            return SplitTree((), self.value, self.point, closed=False)
        waiting: list[tuple[Fraction, int, _Open]] = []
        self._put(waiting, root, order)
        while waiting and (self.value is None or waiting[0][0] < self.value):
            if self.budget.is_spent or len(self.nodes) > _MOST:
                break
            own = heapq.heappop(waiting)[2]
            for child in self._divide(own):
                self._put(waiting, child, order)
        closed = not waiting or (self.value is not None and waiting[0][0] >= self.value)
        for _, _, own in waiting:
            self._close(own)
        nodes = tuple(node for node in self.nodes if node is not None)
        return SplitTree(nodes, self.value, self.point, closed)

    def _put(
        self, waiting: list[tuple[Fraction, int, _Open]], own: _Open, order: Iterator[int]
    ) -> None:
        """Close a node that is empty or has an integral point; else it waits."""
        outcome = own.outcome
        if not isinstance(outcome, Optimal):
            self._close(own)
            return
        x = outcome.point
        if all(v.denominator == 1 for c, v in zip(self.form.columns, x, strict=True) if c.integral):
            if self.value is None or outcome.objective < self.value:
                self.value, self.point = outcome.objective, tuple(x)
            self._close(own)
            return
        heapq.heappush(waiting, (outcome.objective, next(order), own))

    def _close(self, own: _Open) -> None:
        outcome = own.outcome
        if not isinstance(outcome, Optimal | Infeasible):
            raise SolverError("A relaxation with a feasible dual cannot be unbounded.")
        multipliers = tuple(outcome.certificate.multipliers)
        self.nodes[own.index] = Leaf(multipliers, isinstance(outcome, Infeasible))

    def _divide(self, own: _Open) -> tuple[_Open, _Open]:
        """The sides of the split whose worse side has the best bound."""
        best: tuple[tuple[float, ...], Mapping[int, int], int, list[_Open]] | None = None
        first = len(self.nodes)
        for p, at in self._candidates(own):
            sides = [
                _Open(first + k, (*own.splits, side), self._relaxation((*own.splits, side)))
                for k, side in enumerate(_sides(p, at))
            ]
            bounds = [math.inf if side.bound is None else float(side.bound) for side in sides]
            rank = (min(bounds), max(bounds), -len(p))
            if best is None or rank > best[0]:
                best = rank, p, at, sides
            if min(bounds) == math.inf:
                break
        if best is None:
            raise SolverError("A vertex with a fractional variable has no row of the basis for it.")
        _, p, at, (below, above) = best
        self.nodes[own.index] = Division(p, at, (first, first + 1))
        self.nodes += [None, None]
        return below, above

    def _candidates(self, own: _Open) -> Iterator[tuple[Mapping[int, int], int]]:
        """Integer forms that are no integer at the vertex, and their values there rounded down."""
        outcome = own.outcome
        if not isinstance(outcome, Optimal):
            return
        rows, size = [*self.lines], len(self.form.columns)
        for p, bound in own.splits:
            line = tuple(Fraction(p.get(j, 0)) for j in range(size))
            rows.append(Line(line, Fraction(bound), equation=False))
        signs = [*(c.sign for c in self.form.constraints), *[1] * len(own.splits)]
        multipliers = [
            sign * y for sign, y in zip(signs, outcome.certificate.multipliers, strict=True)
        ]
        found = basis_rows(self.form, rows, outcome.point, multipliers)[:_CANDIDATES]
        for j, w in found:
            whole = self._rounded(j, w, rows)
            for p in ({j: 1}, whole) if len(whole) > 1 else (whole,):
                form = self._joined(p, j)
                value = sum((a * outcome.point[k] for k, a in form.items()), ZERO)
                if value.denominator > 1:
                    yield form, math.floor(value)

    def _rounded(self, j: int, w: Vector, rows: Sequence[Line]) -> dict[int, int]:
        """``w·a`` at integer columns, and -w at integer surpluses, rounded as in the cut of w."""
        part = dot(w, (row.bound for row in rows)) % 1

        def whole(a: Fraction) -> int:
            return math.floor(a) if a % 1 <= part else math.ceil(a)

        found: dict[int, int] = {}
        for k, column in enumerate(self.form.columns):
            if column.integral:
                found[k] = whole(dot(w, (row.coefficients[k] for row in rows)))
        for x, row in zip(w, rows, strict=True):
            if x and not row.equation and self._is_whole(row):
                for k, a in enumerate(row.coefficients):
                    if a:
                        found[k] += whole(-x) * a.numerator
        return {k: a for k, a in found.items() if a} or {j: 1}

    def _is_whole(self, row: Line) -> bool:
        """Whether the surplus of a row is an integer wherever the integer columns are."""
        pairs = zip(self.form.columns, row.coefficients, strict=True)
        return row.bound.denominator == 1 and all(
            a.denominator == 1 and (c.integral or not a) for c, a in pairs
        )

    def _joined(self, p: Mapping[int, int], j: int) -> dict[int, int]:
        """The form in which the parts of a free variable have opposite numbers."""
        found = dict(p)
        for one, two in self.pairs.items():
            a = -found.get(two, 0) if two == j else found.get(one, 0)
            for k, number in ((one, a), (two, -a)):
                found.pop(k, None)
                if number:
                    found[k] = number
        return found

    def _relaxation(self, splits: _Splits) -> LinearOutcome:
        form = self.form
        size = form.size
        columns = [
            replace(
                column,
                entries=(
                    *column.entries,
                    *((size + k, Fraction(p[j])) for k, (p, _) in enumerate(splits) if j in p),
                ),
            )
            for j, column in enumerate(form.columns)
        ]
        more = [Constraint(f"split {k}", ">=") for k in range(len(splits))]
        right = [*form.right, *(Fraction(bound) for _, bound in splits)]
        return minimise(columns, [*form.constraints, *more], right)
