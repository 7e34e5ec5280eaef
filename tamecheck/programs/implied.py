"""Bounds of integer columns that follow at a node of a tree, and the branchings that prove them.

Such a bound is a branching of which one child is a leaf: beyond the bound a row has no point.
Floating point proposes them, integers prove them, and those are kept that a point of the
relaxation violates, with those that they rest on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tamecheck.exact.linear import Box, Number
from tamecheck.ir.program import Program
from tamecheck.programs.branching import Branch
from tamecheck.programs.certificate import Excluded
from tamecheck.programs.cuts import Vector
from tamecheck.programs.scaled import Multipliers, Scaled
from tamecheck.solvers.relaxation import nearest

_PASSES = 4
_NEAR = 1e-6
"""Of floats that are taken for an integer, or for no difference."""


@dataclass(frozen=True, slots=True)
class Implied:
    """``x >= to`` (side 0) or ``x <= to`` (side 1) of an integer column.

    The ``proof`` is that of a leaf beyond it.
    """

    column: int
    side: int
    to: int
    proof: Excluded

    @property
    def by(self) -> Branch:
        """The branching of which one child is beyond the bound."""
        return Branch(self.column, self.to if self.side else self.to - 1)

    @property
    def beyond(self) -> int:
        """The end of the column in that child."""
        return self.to + 1 if self.side else self.to - 1

    def excludes(self, x: Sequence[float]) -> bool:
        """Whether a point in floats violates the bound."""
        value = x[self.column]
        return value > self.to + _NEAR if self.side else value < self.to - _NEAR


def narrow(box: Box, one: Implied) -> None:
    """Add an implied bound to a box."""
    ends = box.upper if one.side else box.lower
    if _is_tighter(one.to, ends[one.column], one.side):
        ends[one.column] = one.to


class Propagator:
    """Finds bounds of integer columns by the rows of a program."""

    def __init__(self, program: Program, scaled: Scaled) -> None:
        self._scaled = scaled
        kinds = [c.kind for c in program.columns]
        self._integral = np.array([kind.integral and not kind.semi for kind in kinds], bool)
        self._names = [i for i, row in enumerate(program.rows) if row.terms]
        rows = [program.rows[i] for i in self._names]
        lengths = [len(row.terms) for row in rows]
        self._starts = np.cumsum([0, *lengths])[:-1]
        self._of = np.repeat(np.arange(len(rows)), np.array(lengths, int))
        self._at = np.array([j for row in rows for j, _ in row.terms], int)
        self._values = np.array([nearest(a) for row in rows for _, a in row.terms], float)
        ends = [(row.lower, row.upper) for row in rows]
        self._low = np.array([-math.inf if low is None else nearest(low) for low, _ in ends], float)
        self._high = np.array([math.inf if up is None else nearest(up) for _, up in ends], float)
        self._useful = bool(self._integral[self._at].any())

    def beyond(self, x: Sequence[float], box: Box) -> tuple[list[Implied], Excluded | None]:
        """Bounds that a point of the relaxation violates, or those that show that there is none.

        Each comes after those that it rests on; last the row that has no point, if there is one.
        """
        own, found, none = Box(list(box.lower), list(box.upper)), list[Implied](), None
        for one in self.rows(own):
            if isinstance(one, Excluded):
                none = one
            else:
                found.append(one)
        chosen = {k for k, one in enumerate(found) if none is None and one.excludes(x)}
        if none is not None:
            chosen |= self._support(none, None, found)
        for k in range(len(found) - 1, -1, -1):
            if k in chosen:
                chosen |= self._support(found[k].proof, found[k].column, found[:k])
        return [found[k] for k in sorted(chosen)], none

    def _support(self, proof: Excluded, own: int | None, found: Sequence[Implied]) -> set[int]:
        """The last bounds of columns in a row that its proof uses, but for one column."""
        last = {(one.column, one.side): k for k, one in enumerate(found)}
        ((i, n),) = proof.multipliers.numerators.items()
        ends = ((j, int(n * a > 0)) for j, a in self._scaled.rows[i] if j != own)
        return {last[end] for end in ends if end in last}

    def rows(self, box: Box) -> Iterator[Implied | Excluded]:
        """Bounds that rows imply, each added to the box; an exclusion, the last, if no point is."""
        for _ in range(_PASSES if self._useful else 0):
            found = False
            for i, sign, j, to in self._proposed(box):
                one = self._prove(i, sign, j, to, box)
                if one is None:
                    continue
                yield one
                if isinstance(one, Excluded):
                    return
                found = True
            if not found:
                return

    def _prove(
        self, i: int, sign: int, j: int | None, to: int, box: Box
    ) -> Implied | Excluded | None:
        """A bound that a row is said to imply, added to the box, if it does and is tighter."""
        proof = Excluded(Multipliers({i: sign}, 1))
        if j is None:
            return proof if self._excess(i, sign, box) > 0 else None
        side = int(sign * self._coefficient(i, j) < 0)
        one = Implied(j, side, to, proof)
        ends, others = (box.upper, box.lower) if side else (box.lower, box.upper)
        other = others[j]
        if not _is_tighter(to, ends[j], side) or self._excess(i, sign, box, one) <= 0:
            return None
        if other is not None and _is_tighter(to, other, side):
            # all of the box is beyond
            return proof
        narrow(box, one)
        return one

    @np.errstate(over="ignore", divide="ignore", invalid="ignore")
    def _proposed(self, box: Box) -> list[tuple[int, int, int | None, int]]:
        """Rows and signs of multipliers; a column and its bound, or none where no point is left."""
        found = list[tuple[int, int, int | None, int]]()
        lower, upper = _floats(box.lower, -math.inf), _floats(box.upper, math.inf)
        at, values = self._at, self._values
        rising = values > 0
        ends = values * np.where(rising, upper[at], lower[at])
        others = values * np.where(rising, lower[at], upper[at])
        # of an upper end of the row, and of a lower one
        for sign, parts, side in ((-1, others, self._high), (1, ends, self._low)):
            open_ = np.isinf(parts)
            known = np.where(open_, 0.0, parts)
            count = np.add.reduceat(open_, self._starts, dtype=int)
            total = np.add.reduceat(known, self._starts)
            size = _NEAR * np.maximum(1.0, np.abs(side))
            for r in np.flatnonzero((count == 0) & (sign * (side - total) > size)).tolist():
                found.append((self._names[r], sign, None, 0))
            room = (side - total)[self._of] + known
            ratio = room / values
            # coefficients may be so small that the quotient is no float
            useful = np.isfinite(ratio) & (count[self._of] == open_) & self._integral[at]
            # the multiplied coefficient is then negative
            is_upper = (values > 0) == (sign < 0)
            most = np.where(useful & is_upper, np.floor(ratio + _NEAR), math.inf)
            least = np.where(useful & ~is_upper, np.ceil(ratio - _NEAR), -math.inf)
            for k in np.flatnonzero((most < upper[at] - 0.5) | (least > lower[at] + 0.5)).tolist():
                to = most[k] if is_upper[k] else least[k]
                found.append((self._names[int(self._of[k])], sign, int(at[k]), int(to)))
        return found

    def _coefficient(self, i: int, j: int) -> int:
        return next(a for k, a in self._scaled.rows[i] if k == j)

    def _excess(self, i: int, sign: int, box: Box, one: Implied | None = None) -> Number:
        """How far a row is beyond its end where a column is beyond a bound, 0 if it may be not."""
        scaled = self._scaled
        side = scaled.side(i, sign)
        if side is None:
            return 0
        total: Number = sign * side * scaled.scale
        for k, a in scaled.rows[i]:
            d = -sign * a
            end = (box.lower if d > 0 else box.upper)[k]
            if one is not None and k == one.column:
                end = one.beyond
            if end is None:
                return 0
            total += d * end
        return total


def _is_tighter(to: Number, end: Number | None, side: int) -> bool:
    """Whether a lower bound (side 0), or an upper one, is tighter than another."""
    return end is None or (to < end if side else to > end)


def _floats(ends: Sequence[Number | None], missing: float) -> Vector:
    return np.array([missing if end is None else nearest(end) for end in ends], float)
