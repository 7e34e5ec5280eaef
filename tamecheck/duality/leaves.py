"""Affine functions of the right-hand side, and those that the leaves of a search tree prove.

In a leaf, branching leaves ``low <= x <= high``.  For row multipliers y of the right signs and
reduced costs ``r = c - yA``, every point of the leaf has

    c·x >= y·b + sum of r_j^+ low_j - sum of r_j^- high_j,

where ``high_j`` is a constant if branching set it, and a right-hand side if it is the program's
upper bound.  A leaf of integer forms has such a function by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

from tamecheck.duality.form import Form, Vector
from tamecheck.duality.splits import LeafFunction
from tamecheck.errors import SolverError
from tamecheck.ir.exact import ZERO
from tamecheck.programs.branching import Split
from tamecheck.programs.certificate import Bounded, Branched, Crossed, CrossedRow, Excluded, Node
from tamecheck.programs.scaled import Multipliers, domain, minimised_costs

if TYPE_CHECKING:
    from tamecheck.exact.linear import Number


@dataclass(frozen=True, slots=True)
class Affine:
    """``(intercept + sum of slope_i * d_i) / denominator``, all of them integers."""

    intercept: int
    slopes: tuple[tuple[int, int], ...]
    denominator: int

    def at(self, d: Sequence[int], scale: int) -> Fraction:
        """The value at ``d / scale``, given as integers."""
        total = self.intercept * scale + sum(n * d[i] for i, n in self.slopes)
        return Fraction(total, self.denominator * scale)

    def along(self, g: Sequence[Fraction]) -> Fraction:
        """The derivative in the direction ``g``."""
        return sum((n * g[i] for i, n in self.slopes), ZERO) / self.denominator

    def text(self, names: Sequence[str], shift: Sequence[Fraction]) -> str:
        """The function in the program's right-hand sides, which are ``d + shift``."""
        slopes = [(i, Fraction(n, self.denominator)) for i, n in self.slopes]
        intercept = Fraction(self.intercept, self.denominator)
        intercept -= sum((a * shift[i] for i, a in slopes), ZERO)
        return affine_text(((names[i], a) for i, a in slopes), intercept)


def affine_text(slopes: Iterable[tuple[str, Fraction]], intercept: Fraction) -> str:
    """An affine function as text: ``2*r - 3/2``."""
    factors = {Fraction(1): "", Fraction(-1): "-"}
    parts = [f"{factors.get(a, f'{a}*')}{name}" for name, a in slopes if a]
    if intercept or not parts:
        parts.append(str(intercept))
    return " + ".join(parts).replace("+ -", "- ")


_Linear: TypeAlias = dict[int, Fraction]
"""Coefficients of right-hand sides, and the constant at -1."""

_CONSTANT = -1

_Ends: TypeAlias = "tuple[Number | None, Number | None]"
"""The lower bound of a column in a leaf, and the upper one if branching set it."""


def linear_function(multipliers: Vector) -> Affine:
    """The linear function of multipliers."""
    return _affine(dict(enumerate(multipliers)))


def _affine(linear: _Linear) -> Affine:
    kept = {i: a for i, a in sorted(linear.items()) if a and i != _CONSTANT}
    intercept = linear.get(_CONSTANT, ZERO)
    q = math.lcm(intercept.denominator, *(a.denominator for a in kept.values()))
    slopes = tuple((i, (a * q).numerator) for i, a in kept.items())
    return Affine((intercept * q).numerator, slopes, q)


def _value(linear: _Linear, d: Sequence[Fraction]) -> Fraction:
    return sum((a if i == _CONSTANT else a * d[i] for i, a in linear.items()), ZERO)


def _add(total: _Linear, other: Mapping[int, Fraction], factor: Fraction) -> None:
    for i, a in other.items():
        total[i] = total.get(i, ZERO) + factor * a


class Leaves:
    """Affine functions for the leaves of trees of ``form.program``, for any right-hand side.

    The multipliers, feasible for the dual of the form's relaxation, bound every leaf.
    """

    def __init__(self, form: Form, multipliers: Vector) -> None:
        self.form, self.program = form, form.program
        self.costs = minimised_costs(self.program)
        self.sides: dict[tuple[int, bool], int] = {}
        for k, constraint in enumerate(form.constraints):
            if constraint.row is not None:
                for lower, other in ((True, "<="), (False, ">=")):
                    if constraint.sense != other:
                        self.sides[constraint.row, lower] = k
        capped = (j for j, c in enumerate(self.program.columns) if None not in domain(c))
        caps = (k for k, c in enumerate(form.constraints) if c.row is None)
        self.upper = dict(zip(capped, caps, strict=True))
        self.everywhere = dict(enumerate(multipliers))

    def functions(self, nodes: Sequence[Node], d: Vector, value: Fraction) -> list[Affine]:
        """One function a leaf; those of empty leaves are at least ``value`` at ``d``."""
        found = (self._leaf(node, ends, d, value) for node, ends in self._leaves(nodes))
        return list(dict.fromkeys(_affine(linear) for linear in found))

    def split_functions(
        self, leaves: Sequence[LeafFunction], d: Vector, value: Fraction
    ) -> list[Affine]:
        """As `functions`, for the leaves of integer forms."""
        found: list[_Linear] = []
        for leaf in leaves:
            own = {**dict(enumerate(leaf.slope)), _CONSTANT: leaf.constant}
            found.append(self._lifted(own, d, value) if leaf.empty else own)
        return list(dict.fromkeys(map(_affine, found)))

    def _leaf(self, node: Node, ends: Mapping[int, _Ends], d: Vector, value: Fraction) -> _Linear:
        match node:
            case Bounded(multipliers):
                bound = self._combine(multipliers, ends, self.costs)
                # the search bounds the objective without its constant
                offset = self.form.constant - self.form.sign * self.program.constant
                _add(bound, {_CONSTANT: -offset}, Fraction(1))
                return bound
            case Excluded(multipliers):
                ray = self._combine(multipliers, ends, [ZERO] * len(self.costs))
            case Crossed(column):
                ray = self._at_end(column, Fraction(1), ends)
                _add(ray, self._at_end(column, Fraction(-1), ends), Fraction(1))
            case CrossedRow(row):
                ray = self._side(self.sides[row, True])
                _add(ray, self._side(self.sides[row, False]), Fraction(-1))
            case _:
                raise AssertionError("a search without granularity has no such leaf")
        return self._lifted(ray, d, value)

    def _lifted(self, ray: _Linear, d: Vector, value: Fraction) -> _Linear:
        """The function of the multipliers, plus so much of one that proves a leaf empty at d."""
        above = _value(ray, d)
        if above <= 0:
            raise SolverError(f"A leaf that was proved empty has the value {above} of its ray.")
        missing = max(ZERO, value - _value(self.everywhere, d))
        total = dict(self.everywhere)
        # a whole number keeps the coefficients short
        _add(total, ray, Fraction(-(-missing // above)))
        return total

    def _combine(
        self, multipliers: Multipliers, ends: Mapping[int, _Ends], costs: Sequence[Fraction]
    ) -> _Linear:
        """The bound that row multipliers prove, as a function of the form's right-hand side."""
        reduced, total = list(costs), _Linear()
        for i, n in multipliers.numerators.items():
            y = Fraction(n, multipliers.denominator)
            _add(total, self._side(self.sides[i, y > 0]), y)
            for j, a in self.program.rows[i].terms:
                reduced[j] -= y * a
        for j, r in enumerate(reduced):
            if r:
                _add(total, self._at_end(j, r, ends), Fraction(1))
        return total

    def _side(self, k: int) -> _Linear:
        """The program's right-hand side of a constraint: the form's plus a constant."""
        return {_CONSTANT: self.form.shift[k], k: Fraction(1)}

    def _at_end(self, j: int, r: Fraction, ends: Mapping[int, _Ends]) -> _Linear:
        """``r`` times the bound of a column that its sign asks for."""
        low, high = domain(self.program.columns[j])
        low, fixed = ends.get(j, (low, None))
        if r < 0 and fixed is None and j in self.upper:
            return {i: r * a for i, a in self._side(self.upper[j]).items()}
        end = low if r > 0 else high if fixed is None else fixed
        if end is None:
            raise SolverError("A multiplier of the search relies on a bound that does not exist.")
        return {_CONSTANT: r * end}

    def _leaves(self, nodes: Sequence[Node]) -> Iterator[tuple[Node, Mapping[int, _Ends]]]:
        """Each leaf, with the columns whose bounds branching changed."""
        stack: list[tuple[int, dict[int, _Ends]]] = [(0, {})]
        while stack:
            index, ends = stack.pop()
            node = nodes[index]
            if not isinstance(node, Branched):
                yield node, ends
                continue
            j = node.by.column
            if isinstance(node.by, Split):
                raise SolverError(f"Column {j} was split as if it were semicontinuous.")
            low, fixed = ends.get(j, (domain(self.program.columns[j])[0], None))
            at = node.by.at
            below = low, at if fixed is None else min(fixed, at)
            above = at + 1 if low is None else max(low, at + 1), fixed
            stack += [
                (node.children[1], {**ends, j: above}),
                (node.children[0], {**ends, j: below}),
            ]
