"""Clarke sets at points where norms vanish: hulls of matrices and balls.

Near the point the function is ``F(x, n)`` for roots ``n_j`` of sums of squares, whose gradients
have limits ``Q_j d / √(dᵀ Q_j d)`` along a direction d, in the ellipsoid of Q_j.  For each pattern
of signs F has the derivatives M by x and b_j by n_j at the point, and each limit is
``M + Σ b_j (Q_j u_j)ᵀ``.  The hull of all of these over all u_j is the Clarke set

* if the gradients of what is compared, and the spaces of the norms, are linearly independent: all
  signs and all u_j occur together;
* if the directional derivative is the largest, or the smallest, of all these values in every
  direction: it is at most the support function of the Clarke set, and here it is that of the hull.

Otherwise the limits are followed direction by direction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from flint import fmpq, fmpq_mat

from tamecheck.derivative.check import Curve, Limits, Pattern, read_limits
from tamecheck.derivative.check.germs import Germ, degree_of
from tamecheck.derivative.check.proofs import Claim, approaches
from tamecheck.derivative.claims import find_claim
from tamecheck.derivative.cone import inner_direction
from tamecheck.derivative.kinks import pieces_of
from tamecheck.derivative.limits import RECOMPUTED, adds_nothing
from tamecheck.derivative.result import JacobianSet, Proof
from tamecheck.derivative.rounds import Ball, Part, RoundSet
from tamecheck.exact.feasibility import Multipliers, Vector, nonnegative_solution
from tamecheck.exact.hull import (
    Exact,
    dot,
    extreme,
    matrix_text,
    rational,
)
from tamecheck.exact.reals import ONE, ZERO
from tamecheck.ir.formula import Const, Pow, subterms
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.tensor import Array, size_of

_MOST_ROOTS = 4
_STEPS = (-3, -1, 0, 1, 3)


@dataclass(frozen=True, slots=True)
class _Way:
    """A pattern of signs: the derivatives by the inputs and by the roots, and what is compared."""

    pattern: Pattern
    base: Exact
    factors: Exact
    tests: tuple[Vector, ...]

    @property
    def round(self) -> bool:
        """Whether a root matters."""
        return any(a != 0 for row in self.factors for a in row)

    @property
    def shown(self) -> bool:
        """Whether the pattern occurs near the point."""
        return self.pattern.curve is not None


def norm_limits(
    graph: Graph, point: Mapping[str, Array], empty: JacobianSet, limit: int
) -> JacobianSet | None:
    """The Clarke set of a graph with roots that vanish at the point; None if it is not read."""
    size = sum(size_of(shape) for shape in graph.inputs.values())
    roots = min(_MOST_ROOTS, sum(_is_root(node) for node in graph.nodes))
    if not roots:
        return None

    def enough(found: Limits) -> bool:
        return not found.open and not any(p.jumped for p in found.patterns)

    checked = read_limits(graph, point, _find, limit, enough, roots)
    if checked is None or not checked.whole or not checked.patterns:
        return None
    if any(pattern.jumped for pattern in checked.patterns):
        return None
    ways = [_way(pattern, size) for pattern in checked.patterns]
    kept = [way for way in ways if way is not None]
    if len(kept) < len(ways):
        return None
    grams = [_rows(form) for _, form in checked.patterns[0].outputs[0].space.roots]
    # what is under some roots starts with a higher degree, and so do their gradients
    steep = [any(a != 0 for row in gram for a in row) for gram in grams]
    kept = [replace(way, factors=_kept(way.factors, steep)) for way in kept]
    if not any(way.round for way in kept):
        return _polytope(kept, empty)
    if empty.kind != "clarke":
        open_ = "the limits, of which there are infinitely many; their hull is the Clarke set"
        return replace(empty, why=f"they are not listed: {open_}", open=(open_,))
    return _Family(kept, grams, size).answer(empty)


def _kept(factors: Exact, steep: Sequence[bool]) -> Exact:
    """The derivatives by roots, 0 for those that matter only to a higher order."""
    wide = [*steep, *([False] * (len(factors[0]) - len(steep)))]
    return tuple(
        tuple(b if keep else ZERO for b, keep in zip(row, wide, strict=True)) for row in factors
    )


def _is_root(node: object) -> bool:
    if not isinstance(node, Apply):
        return False
    return any(
        isinstance(term, Pow) and isinstance(term.exponent, Const)
        and term.exponent.value.denominator == 2
        for piece in pieces_of(node)
        for term in subterms(piece.term)
    )  # fmt: skip


def _find(germs: Sequence[Germ]) -> Claim | None:
    """A proof about signs: a curve in the inputs alone, or what `find_claim` excludes."""
    size = germs[0].space.own
    for steps in filter(any, product(_STEPS, repeat=size)):
        # near to no plane of small integers
        curve = Curve((tuple(fmpq(a) + fmpq(k + 1, 97) for k, a in enumerate(steps)),))
        if approaches(curve, germs):
            return curve
    for first in filter(any, product((fmpq(-1), ZERO, ONE), repeat=size)):
        for second in product((fmpq(-1), fmpq(1, 3), fmpq(2)), repeat=size):
            for curve in (Curve((first, second)), Curve((first, (ZERO,) * size, second))):
                if approaches(curve, germs):
                    return curve
    return find_claim(germs)


def _way(pattern: Pattern, size: int) -> _Way | None:
    """The derivatives of a pattern; None if some are balls."""
    exact = rational(pattern.matrix)
    tests = rational(tuple(germ.gradient for germ in pattern.positive))
    if exact is None or tests is None:
        return None
    return _Way(
        pattern,
        tuple(row[:size] for row in exact),
        tuple(row[size:] for row in exact),
        tests,
    )


def _rows(form: fmpq_mat) -> Exact:
    return tuple(tuple(row) for row in form.tolist())


def _polytope(ways: Sequence[_Way], empty: JacobianSet) -> JacobianSet:
    """The set where no root matters."""
    found: dict[Exact, Curve] = {}
    for way in ways:
        if way.pattern.curve is not None:
            found.setdefault(way.base, way.pattern.curve)
    matrices = list(found)
    rest = [way.base for way in ways if not way.shown]
    open_ = [base for base in rest if not adds_nothing(base, matrices, empty.kind)]
    kept = extreme(matrices) if empty.kind == "clarke" else range(len(matrices))
    size = len(matrices[0][0]) if matrices else 0
    curves = [tuple(row[:size] for row in found[matrices[k]].coefficients) for k in kept]
    return replace(
        empty,
        raw=tuple(matrices[k] for k in kept),
        proofs=tuple(map(Proof.along, curves)),
        open=tuple(dict.fromkeys(f"whether {matrix_text(matrix)} is a limit" for matrix in open_)),
        rests_on=RECOMPUTED,
    )


@dataclass(frozen=True, slots=True)
class _Family:
    """The patterns at a point, and the quadratic forms under the roots."""

    ways: Sequence[_Way]
    grams: Sequence[Exact]
    size: int

    def answer(self, empty: JacobianSet) -> JacobianSet:
        """The Clarke set, or what is open."""
        if self._independent() or self._regular(1) or self._regular(-1):
            parts = tuple(dict.fromkeys(self._part(way) for way in self.ways))
            return replace(empty, round=RoundSet(parts), rests_on=RECOMPUTED)
        found = self._by_directions()
        if found is not None:
            return replace(empty, round=RoundSet(found), rests_on=RECOMPUTED)
        open_ = "which limits there are where norms and kinks share their variables"
        return replace(empty, why=f"it is not known {open_}", open=(open_,))

    def _balls(self, way: _Way, *, sign: bool = False) -> tuple[Ball, ...]:
        """The balls of a pattern; the sign of a factor matters only where directions are shared."""
        found: list[Ball] = []
        for number, gram in enumerate(self.grams):
            factor = tuple(row[number] for row in way.factors)
            lead = next((b for b in factor if b != 0), ZERO)
            if lead == 0 or not any(a != 0 for row in gram for a in row):
                continue
            found.append(Ball(factor if sign or lead > 0 else tuple(-b for b in factor), gram))
        return tuple(found)

    def _part(self, way: _Way) -> Part:
        return Part(way.base, self._balls(way))

    def _used(self) -> list[int]:
        return [
            number
            for number, gram in enumerate(self.grams)
            if any(a != 0 for row in gram for a in row)
            and any(row[number] != 0 for way in self.ways for row in way.factors)
        ]

    def _independent(self) -> bool:
        """Whether all signs and all vectors occur together."""
        lines: dict[Vector, None] = {}
        for way in self.ways:
            for test in way.tests:
                lead = next((a for a in test if a != 0), None)
                if lead is None or any(a != 0 for a in test[self.size :]):
                    return False
                lines[tuple(a / lead for a in test[: self.size])] = None
        rows = [list(line) for line in lines]
        wanted = len(rows)
        for number in self._used():
            rows += [list(row) for row in self.grams[number]]
            wanted += _rank(self.grams[number])
        return _rank(rows) == wanted

    def _regular(self, sign: int) -> bool:
        """Whether each pattern has the largest of all values where it holds; the smallest, for -1.

        What it has more than another one is a combination of what is positive there, and of roots.
        """
        if len(self.ways[0].base) != 1:
            return False
        count = (
            len(self.ways[0].tests[0])
            if self.ways[0].tests
            else self.size + len(self.ways[0].factors[0])
        )
        units = [tuple(fmpq(int(k == j)) for k in range(count)) for j in range(self.size, count)]
        for way in self.ways:
            columns = [*way.tests, *units]
            own = [sign * a for a in (*way.base[0], *way.factors[0])]
            for other in self.ways:
                best = [sign * a for a in other.base[0]] + [abs(b) for b in other.factors[0]]
                gap = tuple(a - b for a, b in zip(own, best, strict=True))
                if any(gap) and not isinstance(nonnegative_solution(columns, gap), Multipliers):
                    return False
        return True

    def _by_directions(self) -> tuple[Part, ...] | None:
        """Parts in which all norms have one direction, for linear comparisons."""
        if any(not any(t) or any(t[self.size :]) for way in self.ways for t in way.tests):
            return None
        plain = self._plain()
        kernels = any(_rank(self.grams[number]) < self.size for number in self._used())
        if kernels and not plain:
            return None
        parts: list[Part] = []
        thin: list[_Way] = []
        for way in self.ways:
            rows = tuple(dict.fromkeys(test[: self.size] for test in way.tests))
            if inner_direction(self.size, rows, ()) is None:
                thin.append(way)
            elif not way.round:
                parts.append(Part(way.base))
            else:
                parts.append(Part(way.base, self._balls(way, sign=True), rows))
        for way in thin if not plain else ():
            more = self._thin(way)
            if more is None:
                return None
            parts += more
        return tuple(dict.fromkeys(parts)) or None

    def _plain(self) -> bool:
        """Whether all that is compared is linear, and all that is under roots quadratic."""
        germs = [germ for way in self.ways for germ in way.pattern.positive]
        under = [germ for germ, _ in self.ways[0].pattern.outputs[0].space.roots]
        return all(g.polynomial and all(degree_of(c) == 1 for c in g.terms) for g in germs) and all(
            g.polynomial and all(degree_of(c) == 2 for c in g.terms) for g in under
        )

    def _thin(self, way: _Way) -> list[Part] | None:
        """The limits of a pattern that holds in no open cone; None if that is open."""
        if not way.round:
            return [Part(way.base)] if way.shown else None
        if self.size != 2:
            return None
        rows = [test[: self.size] for test in way.tests]
        found: list[Part] = []
        for row in rows:
            for sign in (1, -1):
                ray = (sign * -row[1], sign * row[0])
                if any(dot(other, ray) < 0 for other in rows):
                    continue
                if not _reached(way.pattern.positive, ray):
                    return None
                found.append(Part(way.base, self._balls(way, sign=True), None, _primitive(ray)))
        return found


def _reached(germs: Sequence[Germ], ray: Vector) -> bool:
    """Whether a curve that leaves in this direction has these signs."""
    side = (-ray[1], ray[0])
    for step in (fmpq(1, 3), fmpq(1), fmpq(3), fmpq(1, 20), fmpq(20)):
        for sign in (1, -1):
            bent = tuple(sign * step * a for a in side)
            for curve in (Curve((ray, bent)), Curve((ray, (ZERO, ZERO), bent))):
                if approaches(curve, germs):
                    return True
    return False


def _primitive(ray: Vector) -> Vector:
    lead = next(abs(a) for a in ray if a != 0)
    return tuple(a / lead for a in ray)


def _rank(rows: Sequence[Sequence[fmpq]]) -> int:
    return int(fmpq_mat([list(row) for row in rows]).rank()) if rows else 0
