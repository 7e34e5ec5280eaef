"""Rows of which at most one column is 1, and what they leave of other rows.

Subtracting multiples of them from a row leaves a row whose terms are all non-negative, and whose
room is smaller.  A binary variable with a term beyond the room is fixed, and two variables with
terms that together are beyond it exclude each other: cliques of such pairs are cuts, and with the
multipliers of these rows each follows by one rounding.

Sources: Johnson, Padberg 1981, A note on the knapsack problem with special ordered sets;
Atamtürk, Nemhauser, Savelsbergh 2000, Conflict graphs in solving integer programming problems.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from tamecheck.exact.linear import Box, Number
from tamecheck.ir.program import Program
from tamecheck.programs.certificate import Cut, Side
from tamecheck.programs.scaled import Multipliers, Scaled

_LONGEST = 2_000
"""Terms of a row that is looked at."""
_VIOLATED, _SEEN = 0.02, 1e-6
_FEW = 2
"""So many columns of a row are worth a clique."""


@dataclass(frozen=True, slots=True)
class Clique:
    """A row times ``sign / size`` which says that the columns add up to at most 1, or to 1."""

    row: int
    sign: int
    size: int
    columns: tuple[int, ...]
    equation: bool


@dataclass(frozen=True, slots=True)
class Literal:
    """A binary column or its complement, with its term in a reduced row, and its clique."""

    column: int
    positive: bool
    term: int
    group: int


@dataclass(slots=True)
class Reduced:
    """``Σ terms <= room``, which the multipliers ``weights`` of rows and the bounds prove."""

    literals: list[Literal]
    room: Number
    weights: dict[int, Fraction]
    cliques: list[Clique] = field(default_factory=list[Clique])
    """Of the literals, each with its number."""


class Cliques:
    """Those of some rows of which at most one column is 1, and reductions by them."""

    def __init__(self, program: Program, scaled: Scaled, box: Box, rows: Collection[int]) -> None:
        self._scaled, self._box = scaled, box
        self._binary = [
            column.kind.integral and not column.kind.semi and low == 0 and high is not None
            for column, low, high in zip(program.columns, box.lower, box.upper, strict=True)
        ]
        self._of_column: dict[int, list[Clique]] = {}
        for i in rows:
            if (found := self._clique(i)) is not None:
                for j in found.columns:
                    self._of_column.setdefault(j, []).append(found)

    def _clique(self, i: int) -> Clique | None:
        terms = self._scaled.rows[i]
        if not _FEW <= len(terms) <= _LONGEST:
            return None
        first = terms[0][1]
        if any(a != first or not self._binary[j] for j, a in terms):
            return None
        sign, size = (1, first) if first > 0 else (-1, -first)
        side = self._scaled.side(i, -sign)
        if side is None or side * sign * self._scaled.scale != size:
            return None
        equation = self._scaled.row_lower[i] == self._scaled.row_upper[i]
        return Clique(i, sign, size, tuple(j for j, _ in terms), equation)

    def reduced(self, i: int, sign: int) -> Reduced | None:
        """A row as ``sign * row <= sign * side``, reduced; None where it bounds nothing."""
        terms, side = self._scaled.rows[i], self._scaled.side(i, -sign)
        if side is None or not _FEW <= len(terms) <= _LONGEST:
            return None
        form = {j: sign * a for j, a in terms}
        room = sign * side * self._scaled.scale
        weights, group, used = {i: Fraction(sign)}, dict[int, int](), list[Clique]()
        for clique in self._cover(i, form):
            own = [j for j in clique.columns if j not in group and form.get(j)]
            if len(own) < _FEW:
                continue
            least = self._least(clique, form)
            if least:
                for j in clique.columns:
                    form[j] = form.get(j, 0) - least
                room -= least
                weights[clique.row] = Fraction(-least * clique.sign, clique.size)
            group.update(dict.fromkeys(own, len(used)))
            used.append(clique)
        literals = list[Literal]()
        for j, a in form.items():
            if not a:
                continue
            low, high = self._box.lower[j], self._box.upper[j]
            end = low if a > 0 else high
            if end is None:
                return None
            room -= a * end
            if self._binary[j] and (low, high) == (0, 1):
                at = group.get(j, -1) if a > 0 else -1
                literals.append(Literal(j, a > 0, abs(a), at))
        return Reduced(literals, room, weights, used)

    def _cover(self, i: int, form: dict[int, int]) -> list[Clique]:
        """Cliques with at least two columns of a row, those with the most first."""
        counts: dict[int, int] = {}
        known: dict[int, Clique] = {}
        for j in form:
            for clique in self._of_column.get(j, ()):
                if clique.row != i:
                    counts[clique.row] = counts.get(clique.row, 0) + 1
                    known[clique.row] = clique
        order = sorted(counts, key=lambda row: (-counts[row], row))
        return [known[row] for row in order if counts[row] >= _FEW]

    def _least(self, clique: Clique, form: dict[int, int]) -> int:
        """The least term of the columns, one of which is 1, if any."""
        ends = self._box.upper
        least = min((form.get(j, 0) for j in clique.columns if ends[j]), default=0)
        return least if clique.equation else min(least, 0)

    # -- cuts -------------------------------------------------------------------------------------

    def cuts(self, reduced: Reduced, x: Sequence[float]) -> Iterator[tuple[float, Cut]]:
        """Cliques of pairs that exclude each other, which a point violates, and how far."""
        room = reduced.room
        if room < 0:
            return
        values = {
            one: x[one.column] if one.positive else 1 - x[one.column] for one in reduced.literals
        }
        seen = [one for one in reduced.literals if values[one] > _SEEN]
        if sum(values[one] for one in seen) <= 1 + _VIOLATED:
            return
        for least in sorted({one.term for one in seen if 2 * one.term > room}):
            large = sum(values[one] for one in seen if one.term >= least)
            smaller: dict[tuple[int, int], float] = {}
            for one in seen:
                if room - least < one.term < least:
                    key = one.group, -1 if one.group >= 0 else one.column
                    smaller[key] = smaller.get(key, 0.0) + values[one]
            best = max(smaller, key=lambda key: smaller[key], default=None)
            total = large + (0.0 if best is None else smaller[best])
            if total > 1 + _VIOLATED:
                cut = self._cut(reduced, least, best)
                if cut is not None:
                    yield total - 1, cut

    def _cut(self, reduced: Reduced, least: int, other: tuple[int, int] | None) -> Cut | None:
        """At most one literal with so large a term, or of the other group with one large enough."""
        chosen = [one for one in reduced.literals if one.term >= least]
        second = [
            one
            for one in reduced.literals
            if other is not None
            and reduced.room - least < one.term < least
            and (one.group, -1 if one.group >= 0 else one.column) == other
        ]
        form = {one.column: 1 if one.positive else -1 for one in (*chosen, *second)}
        at = 1 - sum(not one.positive for one in (*chosen, *second))
        weights = {i: -w for i, w in reduced.weights.items()}
        if other is not None and second and other[0] >= 0:
            clique = reduced.cliques[other[0]]
            rest = Fraction((least - min(one.term for one in second)) * clique.sign, clique.size)
            weights[clique.row] = weights.get(clique.row, Fraction(0)) - rest
        return self.rounded(form, at, weights, least)

    def rounded(
        self, form: dict[int, int], at: int, weights: dict[int, Fraction], times: int
    ) -> Cut | None:
        """``form x <= at``, if multipliers of rows and of ``form x >= at + 1`` contradict it."""
        scale = self._scaled.scale
        over = math.lcm(*(w.denominator for w in weights.values()))
        numerators = {i: int(w * over * scale) for i, w in weights.items() if w}
        common = math.gcd(times * over, *numerators.values())
        numerators, weight = {i: n // common for i, n in numerators.items()}, times * over // common
        costs = [0] * len(self._scaled.costs)
        for j, a in form.items():
            costs[j] = -a * weight * scale
        found = self._scaled.least(costs, numerators, self._box)
        if found is None or Fraction(found) / scale + weight * (at + 1) <= 0:
            return None
        terms = tuple(sorted((j, -a) for j, a in form.items()))
        split = tuple(sorted(form.items()))
        sides = Side(Multipliers({}, 1), 1), Side(Multipliers(numerators, 0), weight)
        return Cut(terms, Fraction(-at), split, at, sides)
