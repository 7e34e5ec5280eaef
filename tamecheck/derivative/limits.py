"""Bouligand and Clarke Jacobians: the search for cones and its check, and families of kinks.

If no kink feeds another one, the chain rule's Jacobians are ``base + Σ d_k b_k c_kᵀ`` with d_k in
[0, 1]: ``c_k`` is the gradient of what decides at kink k, whose sign along the direction in which
one leaves the point tells the side, and ``b_k`` says what changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from flint import fmpq, fmpq_mat

from tamecheck.derivative.chainrule import ChainRule, Place
from tamecheck.derivative.check import Limits, Pattern, read_limits
from tamecheck.derivative.claims import find_claim
from tamecheck.derivative.cone import Cone, inner_direction, product
from tamecheck.derivative.explore import Explorer, Leaf, argument_rows, combination
from tamecheck.derivative.kinks import Affinity
from tamecheck.derivative.minkowski import minkowski_sum
from tamecheck.derivative.result import JacobianSet, Proof
from tamecheck.derivative.reverse import Local, input_rows, output_matrix
from tamecheck.errors import TamecheckError
from tamecheck.exact import hull
from tamecheck.exact.arrays import objects
from tamecheck.exact.feasibility import null_basis
from tamecheck.exact.reals import ZERO, Number
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.tensor import Array, size_of
from tamecheck.ops.facets import chooses_indices, extremum

RECOMPUTED = "recomputation"
_UNCHECKED = "first derivatives at the kinks, which are not checked again"
_RANK = "the rank of the gradients at the kinks: independent ones take all patterns of signs"
_MOST_NAMES = 4


@dataclass(frozen=True, slots=True, eq=False)
class _Cones:
    """The cones that the search found, and the Jacobian in each."""

    affinity: Affinity
    leaves: Sequence[Leaf]
    matrices: Sequence[hull.Matrix]

    def known(self, *, settled: bool) -> list[tuple[Leaf, hull.Matrix]]:
        """The full cones of which it is known that points near are in them, or the others."""
        pairs = zip(self.leaves, self.matrices, strict=True)
        return [(k, m) for k, m in pairs if k.cone.full and k.cone.settled is settled]

    @property
    def affine(self) -> bool:
        """Whether all outputs are piecewise affine."""
        return all(self.affinity.affine[node] for _, node in self.affinity.graph.outputs)


def limit_set(
    rule: ChainRule, point: Mapping[str, Array], empty: JacobianSet, limit: int
) -> JacobianSet:
    """The limits of Jacobians near a point, or their hull; what is proved of it.

    Raises `UnsupportedError` if there are more cones than the limit.
    """
    graph, kind = rule.graph, empty.kind
    size = sum(size_of(shape) for shape in graph.inputs.values())
    inputs = {k: v for k, v in rule.values.items() if not isinstance(graph.nodes[k], Apply)}
    affinity = Affinity.of(graph)
    leaves = Explorer(graph, affinity, rule.depends, size, limit).leaves(inputs)
    cones = _Cones(affinity, leaves, [output_matrix(graph, leaf.locals_) for leaf in leaves])

    def enough(found: Limits) -> bool:
        jumps = any(pattern.jumped for pattern in found.patterns) and not cones.affine
        return not jumps and not _beyond(found.open, [p.matrix for p in found.shown], kind)

    checked = read_limits(graph, point, find_claim, limit, enough)
    whole = checked is not None and checked.whole
    rests_on = RECOMPUTED if whole else _UNCHECKED
    if checked is not None:
        _compare(cones, checked)
    if any(leaf.jumped for leaf in leaves):
        refused = _at_jumps(rule, cones, checked, replace(empty, rests_on=rests_on), size)
        if refused is not None:
            return refused
    vertices = _vertices(cones, checked)
    matrices = [matrix for matrix, _ in vertices]
    if checked is not None and checked.whole:
        open_ = [_named(p) for p in _beyond(checked.open, matrices, kind)]
    else:
        rest = [matrix for _, matrix in cones.known(settled=False)]
        open_ = [
            f"whether {hull.matrix_text(m)} is a limit: curved kinks touch"
            for m in rest
            if not adds_nothing(m, matrices, kind)
        ]
    kept = hull.extreme(matrices) if kind == "clarke" else range(len(matrices))
    return replace(
        empty,
        raw=tuple(vertices[number][0] for number in kept),
        proofs=tuple(vertices[number][1] for number in kept),
        fans=tuple((tuple(leaf.cone.strict), m) for leaf, m in cones.known(settled=True)),
        open=tuple(dict.fromkeys(open_)),
        rests_on=rests_on,
    )


def adds_nothing(matrix: hull.Matrix, matrices: Sequence[hull.Matrix], kind: str) -> bool:
    """Whether a matrix is one of a set of limits, or in their hull."""
    if any(hull.same(matrix, other) for other in matrices):
        return True
    if kind == "bouligand" or not matrices:
        return False
    return isinstance(hull.membership(matrices, matrix), hull.Combination)


def _beyond(
    patterns: Sequence[Pattern], matrices: Sequence[hull.Matrix], kind: str
) -> list[Pattern]:
    return [pattern for pattern in patterns if not adds_nothing(pattern.matrix, matrices, kind)]


def _named(pattern: Pattern) -> str:
    names = list(dict.fromkeys(pattern.names))
    listed = ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
    return f"whether {hull.matrix_text(pattern.matrix)} is a limit: signs at {listed}"


def _compare(cones: _Cones, checked: Limits) -> None:
    """The search and its check have to agree on what both decide; one of them is wrong if not."""
    possible = [pattern.matrix for pattern in checked.patterns]
    candidates = [m for leaf, m in zip(cones.leaves, cones.matrices, strict=True) if leaf.cone.full]
    known = cones.known(settled=True) if checked.whole else []
    missing = [m for _, m in known if not any(hull.same(m, o) for o in possible)]
    missing += [
        p.matrix for p in checked.shown if not any(hull.same(p.matrix, m) for m in candidates)
    ]
    if missing:
        raise TamecheckError(
            f"The search for the Jacobians near this point and its check differ at "
            f"{hull.matrix_text(missing[0])}; one of them is wrong.",
            hint="Please report the model and the point.",
        )


def _vertices(cones: _Cones, checked: Limits | None) -> list[tuple[hull.Matrix, Proof]]:
    """The limits that are proved, each once with its proof."""
    found: list[tuple[hull.Matrix, Proof]] = []
    curves = [] if checked is None else [(p.matrix, p.curve) for p in checked.shown]
    for leaf, matrix in cones.known(settled=True):
        if not any(hull.same(matrix, other) for other, _ in found):
            direction = hull.fractions_of((leaf.cone.direction,))
            curve = next((c for other, c in curves if c and hull.same(matrix, other)), None)
            path = direction if curve is None else hull.fractions_of(curve.coefficients)
            found.append((matrix, Proof(direction[0], tuple(leaf.cone.strict), path)))
    for matrix, curve in curves:
        if curve is not None and not any(hull.same(matrix, other) for other, _ in found):
            found.append((matrix, Proof.along(curve.coefficients)))
    return found


def _at_jumps(
    rule: ChainRule, cones: _Cones, checked: Limits | None, empty: JacobianSet, size: int
) -> JacobianSet | None:
    """The answer that there is no set where functions jump at the point, or that it is not known.

    None if jumps cancel near it.
    """
    graph, leaves = rule.graph, cones.leaves
    where = ", ".join(sorted({graph.name_of(node) for leaf in leaves for node in leaf.jumped}))
    limits = [_outputs(graph, leaf.values) for leaf in leaves if leaf.cone.settled]
    if checked is not None:
        limits += [tuple(germ.value for germ in pattern.outputs) for pattern in checked.shown]
    different = _distinct([*limits, _outputs(graph, rule.values)])
    if len(different) > 1:
        why = f"the function jumps at this point ({where}), so there is no Clarke Jacobian"
        return replace(empty, why=why, jumps=different)
    if checked is not None and checked.jump() is not None:
        why = f"the function jumps arbitrarily near ({where}), so there is no Clarke Jacobian"
        return replace(empty, why=why)
    if all(leaf.cone.settled for leaf in leaves) and _is_continuous_nearby(cones, size):
        return None
    open_ = f"whether the function is continuous nearby: jumps meet at this point ({where})"
    return replace(empty, why=f"it is not known {open_}", open=(open_,), rests_on="")


def _outputs(graph: Graph, values: Mapping[int, Array]) -> tuple[Number, ...]:
    return tuple(v for _, node in graph.outputs for v in objects(values[node]).reshape(-1).tolist())


def _distinct(values: Sequence[tuple[Number, ...]]) -> tuple[tuple[Number, ...], ...]:
    found: list[tuple[Number, ...]] = []
    for value in values:
        if not any(hull.same((value,), (other,)) for other in found):
            found.append(value)
    return tuple(found)


def _is_continuous_nearby(cones: _Cones, size: int) -> bool:
    """Whether the linear parts agree wherever a cone lies on the boundary of another.

    All limits at the point itself are equal; a piecewise affine function is then continuous near
    the point exactly if its linear parts agree on common boundaries.
    """
    leaves, matrices = cones.leaves, cones.matrices
    if not cones.affine:
        # curved pieces may differ nearby though first derivatives agree
        return False
    if all(hull.same(matrix, matrices[0]) for matrix in matrices[1:]):
        return True
    applied = (node for node in cones.affinity.graph.nodes if isinstance(node, Apply))
    # a choice between equals has no cone of its own for the tie
    if any(chooses_indices(node.op) and extremum(node.op) for node in applied):
        return False
    functionals = (row for leaf in leaves for row in (*leaf.cone.strict, *leaf.cone.equal))
    if hull.rational(tuple(functionals)) is None:
        return False
    pairs = list(zip(leaves, matrices, strict=True))
    for thin, low in pairs:
        if thin.cone.full:
            continue
        span = null_basis(hull.rational(thin.cone.equal) or (), size)
        beside = (m for leaf, m in pairs if leaf.cone.full and _touches(thin, leaf, size))
        rows = (row for high in beside for row in zip(low, high, strict=True))
        gaps = (tuple(a - b for a, b in zip(*row, strict=True)) for row in rows)
        if any(product(gap, vector) != 0 for gap in gaps for vector in span):
            return False
    return True


def _touches(thin: Leaf, leaf: Leaf, size: int) -> bool:
    strict, equal = thin.cone.strict, thin.cone.equal
    return not strict or inner_direction(size, strict, equal, leaf.cone.strict) is not None


@dataclass(frozen=True, slots=True)
class Kink:
    """``change formᵀ``: what is added to the Jacobian where the form is positive."""

    change: tuple[fmpq, ...]
    form: tuple[fmpq, ...]


@dataclass(frozen=True, slots=True)
class KinkFamily:
    """``base + Σ d_k change_k form_kᵀ``, ``0 <= d_k <= 1``; no two forms are parallel."""

    base: hull.Exact
    """Where all forms are negative."""
    kinks: tuple[Kink, ...]
    independent: bool
    """Whether the forms are linearly independent, so that every pattern of signs occurs near the
    point, and the hull of all patterns is the Clarke Jacobian."""
    affine: bool
    """Whether all kinks lie on hyperplanes near the point, so that the patterns are those of the
    forms."""
    conventional: hull.Matrix
    """The Jacobian that automatic differentiation takes."""

    def element(self, signs: Sequence[bool]) -> hull.Exact:
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
            proofs=tuple(Proof(hull.fractions_of((c.direction,))[0], c.strict) for _, c in found),
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
    base = hull.rational(output_matrix(rule.graph, low))
    if base is None:
        return None
    kinks: list[Kink] = []
    for place in places:
        form = _form(rule, place, low)
        high = hull.rational(output_matrix(rule.graph, rule.chosen({**negative, place: 0})))
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
    exact = hull.rational((combination(weights, rows, len(rows[0])),))
    return None if exact is None else exact[0]


def _factored(base: hull.Exact, high: hull.Exact, form: tuple[fmpq, ...]) -> Kink | None:
    """The change for a form; None if the difference of the matrices is no multiple of it."""
    rows = [[b - a for a, b in zip(*pair, strict=True)] for pair in zip(base, high, strict=True)]
    pivot = next((j for j, a in enumerate(form) if a != 0), None)
    change = tuple(ZERO if pivot is None else row[pivot] / form[pivot] for row in rows)
    fits = all([factor * c for c in form] == row for row, factor in zip(rows, change, strict=True))
    return Kink(change, form) if fits else None


def _merged(base: hull.Exact, kinks: Sequence[Kink]) -> tuple[hull.Exact, list[Kink]]:
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
