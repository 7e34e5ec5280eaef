"""Jacobians at a point where scalar kinks meet: rank-one changes of one matrix.

If no kink feeds another one, the chain rule's Jacobians are ``base + Σ d_k b_k c_kᵀ`` with d_k in
[0, 1]: ``c_k`` is the gradient of what decides at kink k, whose sign along the direction in which
one leaves the point tells the side, and ``b_k`` says what changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from flint import fmpq, fmpq_mat

from tamecheck.derivative.chainrule import ChainRule, Place
from tamecheck.derivative.cone import Cone
from tamecheck.derivative.explore import argument_rows, combination
from tamecheck.derivative.kinks import Affinity
from tamecheck.derivative.minkowski import minkowski_sum
from tamecheck.derivative.result import JacobianSet, Proof
from tamecheck.derivative.reverse import Local, input_rows, output_matrix
from tamecheck.exact.hull import Exact, Matrix, fractions_of, rational
from tamecheck.exact.reals import Number
from tamecheck.ir.graph import Apply
from tamecheck.ops.facets import extremum

__all__ = ["Kink", "KinkFamily", "kink_family"]

_ZERO = fmpq(0)
_RANK = "the rank of the gradients at the kinks: independent ones take all patterns of signs"


@dataclass(frozen=True, slots=True)
class Kink:
    """``change formᵀ``: what is added to the Jacobian where the form is positive."""

    change: tuple[fmpq, ...]
    form: tuple[fmpq, ...]


@dataclass(frozen=True, slots=True)
class KinkFamily:
    """``base + Σ d_k change_k form_kᵀ``, ``0 <= d_k <= 1``; no two forms are parallel."""

    base: Exact
    """Where all forms are negative."""
    kinks: tuple[Kink, ...]
    independent: bool
    """Whether the forms are linearly independent, so that every pattern of signs occurs near the
    point, and the hull of all patterns is the Clarke Jacobian."""
    affine: bool
    """Whether all kinks lie on hyperplanes near the point, so that the patterns are those of the
    forms."""
    conventional: Matrix
    """The Jacobian that automatic differentiation takes."""

    def element(self, signs: Sequence[bool]) -> Exact:
        """The Jacobian where these forms are positive and the others are negative."""
        rows = [list(row) for row in self.base]
        for kink, positive in zip(self.kinks, signs, strict=True):
            if positive:
                for row, change in zip(rows, kink.change, strict=True):
                    if change != 0:
                        row[:] = [a + change * c for a, c in zip(row, kink.form, strict=True)]
        return tuple(tuple(row) for row in rows)

    def cones(self) -> Iterator[tuple[tuple[bool, ...], Cone]]:
        """The patterns of signs that occur in an open cone of directions, each with its cone."""

        def after(cone: Cone, signs: tuple[bool, ...]) -> Iterator[tuple[tuple[bool, ...], Cone]]:
            if len(signs) == len(self.kinks):
                yield signs, cone
                return
            for positive in (True, False):
                met = cone.meet(self.kinks[len(signs)].form, 1 if positive else -1)
                if met is not None:
                    yield from after(met, (*signs, positive))

        return after(Cone(len(self.base[0])), ())

    def limits(self, empty: JacobianSet, limit: int) -> JacobianSet | None:
        """The Clarke or Bouligand Jacobian where the forms are independent; else None.

        Every pattern of signs then occurs near the point, also if the kinks are curved: their
        forms are the gradients of what decides, and a submersion takes all signs near 0.  The
        changes times forms are independent too, so each pattern gives another vertex.  More
        patterns than the limit make a Clarke Jacobian by generators, and no Bouligand one.
        """
        if not self.independent:
            return None
        if 2 ** len(self.kinks) > limit:
            groups = [[tuple(tuple(b * c for c in k.form) for b in k.change)] for k in self.kinks]
            generated = minkowski_sum(self.base, groups)
            whole = replace(empty, generated=generated, rests_on=_RANK)
            return whole if empty.kind == "clarke" else None
        found = [(self.element(signs), cone) for signs, cone in self.cones()]
        return replace(
            empty,
            raw=tuple(matrix for matrix, _ in found),
            proofs=tuple(Proof(fractions_of((c.direction,))[0], c.strict) for _, c in found),
            fans=tuple((cone.strict, matrix) for matrix, cone in found),
            rests_on=_RANK,
        )


def kink_family(rule: ChainRule) -> KinkFamily | None:
    """The family of a graph's Jacobians at a point; None if its kinks have another form."""
    places = rule.places
    if rule.jump() is not None or any(count != 2 for count in places.values()):
        return None
    if any(len(cluster) > 1 for cluster in rule.clusters):
        return None
    negative = dict.fromkeys(places, 1)
    low = rule.chosen(negative)
    base = rational(output_matrix(rule.graph, low))
    if base is None:
        return None
    kinks: list[Kink] = []
    for place in places:
        form = _form(rule, place, low)
        high = rational(output_matrix(rule.graph, rule.chosen({**negative, place: 0})))
        kink = None if form is None or high is None else _factored(base, high, form)
        if kink is None:
            return None
        kinks.append(kink)
    affinity = Affinity.of(rule.graph)
    affine = all(affinity.affine_args(index) for index, _ in places)
    merged, kept = _merged(base, [kink for kink in kinks if any(a != 0 for a in kink.change)])
    table = fmpq_mat([list(kink.form) for kink in kept]) if kept else None
    independent = table is None or table.rank() == len(kept)
    if not affine and (not independent or len(kept) < len(kinks)):
        # kinks with one tangent need not be one kink
        return None
    conventional = output_matrix(rule.graph, rule.conventional())
    return KinkFamily(merged, tuple(kept), independent, affine, conventional)


def _form(rule: ChainRule, place: Place, locals_: dict[int, Local]) -> tuple[fmpq, ...] | None:
    """The gradient of what decides at a place: positive where the first choice holds."""
    index, element = place
    node = rule.graph.nodes[index]
    if not isinstance(node, Apply):
        return None
    weights: tuple[Number, ...]
    if index in rule.tied:
        first, second = rule.tied[index].ties[element]
        rows = input_rows(rule.graph, locals_, node.args[0], [first, second])
        weights = (fmpq(extremum(node.op)), fmpq(-extremum(node.op)))
    else:
        if element not in rule.kinked[index].tests:
            return None
        weights = rule.kinked[index].tests[element]
        rows = argument_rows(rule.graph, node, locals_, element)
    exact = rational((combination(weights, rows, len(rows[0])),))
    return None if exact is None else exact[0]


def _factored(base: Exact, high: Exact, form: tuple[fmpq, ...]) -> Kink | None:
    """The change for a form; None if the difference of the matrices is no multiple of it."""
    rows = [[b - a for a, b in zip(*pair, strict=True)] for pair in zip(base, high, strict=True)]
    pivot = next((j for j, a in enumerate(form) if a != 0), None)
    change = tuple(_ZERO if pivot is None else row[pivot] / form[pivot] for row in rows)
    fits = all([factor * c for c in form] == row for row, factor in zip(rows, change, strict=True))
    return Kink(change, form) if fits else None


def _merged(base: Exact, kinks: Sequence[Kink]) -> tuple[Exact, list[Kink]]:
    """The same family with one kink for each line of forms; kinks that cancel are dropped.

    A kink whose form is a negative multiple ``-s c`` of another's adds ``b (-s c)ᵀ`` where c is
    negative: a constant part, and ``s b cᵀ`` where c is positive.
    """
    rows = [list(row) for row in base]
    lines: dict[tuple[fmpq, ...], Kink] = {}
    for kink in kinks:
        leading = next(a for a in kink.form if a != 0)
        line = tuple(a / leading for a in kink.form)
        if line not in lines:
            lines[line] = kink
            continue
        first = lines[line]
        scale = leading / next(a for a in first.form if a != 0)
        if scale < 0:
            for row, change in zip(rows, kink.change, strict=True):
                row[:] = [a + change * c for a, c in zip(row, kink.form, strict=True)]
        change = tuple(a + abs(scale) * b for a, b in zip(first.change, kink.change, strict=True))
        lines[line] = Kink(change, first.form)
    kept = [kink for kink in lines.values() if any(a != 0 for a in kink.change)]
    return tuple(tuple(row) for row in rows), kept
