"""From the leaves of a search tree to affine functions of the right-hand side.

In a leaf, branching leaves ``low <= x <= high``.  For row multipliers y of the right signs and
reduced costs ``r = c - yA``, every point of the leaf has

    c·x >= y·b + sum of r_j^+ low_j - sum of r_j^- high_j,

where ``high_j`` is a constant if branching set it, and a right-hand side if it is the program's
upper bound.  As branching covers all integers, the minimum over the leaves bounds z(b) for every b.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tamecheck.duality.form import Form, Vector
from tamecheck.duality.pieces import Affine, affine
from tamecheck.errors import SolverError
from tamecheck.programs.branching import Branch, Split
from tamecheck.programs.nodes import Bounded, Branched, Crossed, CrossedRow, Excluded, Gap, Node
from tamecheck.programs.scaled import Multipliers, Number, domain

__all__ = ["LeafFunctions"]


@dataclass(frozen=True, slots=True)
class _Ends:
    """Bounds of a column in a leaf; ``high_fixed`` says whether branching set the upper one."""

    low: Number | None
    high: Number | None
    high_fixed: bool


@dataclass(frozen=True, slots=True)
class _Draft:
    """An affine function in the making."""

    intercept: Fraction
    slopes: Mapping[int, Fraction]

    def plus(self, other: _Draft, factor: Fraction) -> _Draft:
        slopes = dict(self.slopes)
        for i, a in other.slopes.items():
            slopes[i] = slopes.get(i, Fraction(0)) + factor * a
        return _Draft(self.intercept + factor * other.intercept, slopes)

    def at(self, d: Sequence[Fraction]) -> Fraction:
        return self.intercept + sum((a * d[i] for i, a in self.slopes.items()), Fraction(0))


class LeafFunctions:
    """Affine functions for the leaves of trees of one program.

    Parameters
    ----------
    form
        The program; trees are of ``form.program``, for any right-hand side.
    multipliers
        Feasible for the dual of the form's relaxation: they bound every leaf.
    """

    def __init__(self, form: Form, multipliers: Vector) -> None:
        self._form = form
        program = form.program
        # the search bounds the objective without its constant
        self._offset = form.constant - form.sign * program.constant
        self._costs = [form.sign * column.cost for column in program.columns]
        self._sides: dict[tuple[int, bool], int] = {}
        for k, constraint in enumerate(form.constraints):
            if constraint.row is not None:
                if constraint.sense != "<=":
                    self._sides[constraint.row, True] = k
                if constraint.sense != ">=":
                    self._sides[constraint.row, False] = k
        self._upper: dict[int, int] = {}
        waiting = iter(k for k, c in enumerate(form.constraints) if c.row is None)
        for j, column in enumerate(program.columns):
            low, high = domain(column)
            if low is not None and high is not None:
                self._upper[j] = next(waiting)
        self._base = _Draft(Fraction(0), dict(enumerate(multipliers)))

    def of(
        self, nodes: Sequence[Node], target: Sequence[Fraction], value: Fraction
    ) -> list[Affine]:
        """One function a leaf; those of empty leaves are at least ``value`` at ``target``."""
        found: dict[Affine, None] = {}
        for node, ends in self._leaves(nodes):
            draft = self._leaf(node, ends, target, value)
            found[affine(draft.intercept, draft.slopes)] = None
        return list(found)

    def _leaf(
        self, node: Node, ends: Mapping[int, _Ends], target: Sequence[Fraction], value: Fraction
    ) -> _Draft:
        match node:
            case Bounded(multipliers):
                draft = self._combined(multipliers, ends, self._costs)
                return _Draft(draft.intercept - self._offset, draft.slopes)
            case Excluded(multipliers):
                zeros = [Fraction(0)] * len(self._costs)
                ray = self._combined(multipliers, ends, zeros)
            case Crossed(column):
                ray = self._ends(column, Fraction(1), ends).plus(
                    self._ends(column, Fraction(-1), ends), Fraction(1)
                )
            case CrossedRow(row):
                ray = self._side(self._sides[row, True]).plus(
                    self._side(self._sides[row, False]), Fraction(-1)
                )
            case Gap():
                raise AssertionError("a search without granularity has no such leaf")
            case Branched():
                raise AssertionError("a leaf has no children")
        above = ray.at(target)
        if above <= 0:
            raise SolverError(f"A leaf that was proved empty has the value {above} of its ray.")
        missing = max(Fraction(0), value - self._base.at(target))
        # a whole number keeps the coefficients short
        factor = -(-missing // above)
        return self._base.plus(ray, Fraction(factor))

    def _combined(
        self, multipliers: Multipliers, ends: Mapping[int, _Ends], costs: Sequence[Fraction]
    ) -> _Draft:
        """The bound that row multipliers prove, as a function of the form's right-hand side."""
        reduced = list(costs)
        total = _Draft(Fraction(0), {})
        for i, n in multipliers.numerators.items():
            y = Fraction(n, multipliers.denominator)
            total = total.plus(self._side(self._sides[i, y > 0]), y)
            for j, a in self._form.program.rows[i].terms:
                reduced[j] -= y * a
        for j, r in enumerate(reduced):
            if r:
                total = total.plus(self._ends(j, r, ends), Fraction(1))
        return total

    def _side(self, k: int) -> _Draft:
        """The program's right-hand side of a constraint: the form's plus a constant."""
        return _Draft(self._form.shift[k], {k: Fraction(1)})

    def _ends(self, j: int, r: Fraction, ends: Mapping[int, _Ends]) -> _Draft:
        """``r`` times the bound of a column that its sign asks for."""
        low, high = domain(self._form.program.columns[j])
        own = ends.get(j) or _Ends(low, high, high_fixed=False)
        if r < 0 and not own.high_fixed and j in self._upper:
            side = self._side(self._upper[j])
            return _Draft(r * side.intercept, {k: r * a for k, a in side.slopes.items()})
        end = own.low if r > 0 else own.high
        if end is None:
            raise SolverError("A multiplier of the search relies on a bound that does not exist.")
        return _Draft(r * end, {})

    def _leaves(self, nodes: Sequence[Node]) -> Iterator[tuple[Node, Mapping[int, _Ends]]]:
        """Each leaf, with the columns whose bounds branching changed."""
        stack: list[tuple[int, dict[int, _Ends]]] = [(0, {})]
        while stack:
            index, ends = stack.pop()
            node = nodes[index]
            if not isinstance(node, Branched):
                yield node, ends
                continue
            match node.by:
                case Branch(j, at):
                    pass
                case Split(j):
                    raise SolverError(f"Column {j} was split as if it were semicontinuous.")
            low, high = domain(self._form.program.columns[j])
            own = ends.get(j) or _Ends(low, high, high_fixed=False)
            below = _Ends(own.low, at, high_fixed=True)
            if own.high_fixed and own.high is not None and own.high <= at:
                below = own
            above = _Ends(
                at + 1 if own.low is None else max(own.low, at + 1), own.high, own.high_fixed
            )
            stack += [
                (node.children[1], {**ends, j: above}),
                (node.children[0], {**ends, j: below}),
            ]
