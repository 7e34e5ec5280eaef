"""Bouligand and Clarke Jacobians: the search for cones, and what its check says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from flint import arb

from tamecheck.derivative.chainrule import ChainRule
from tamecheck.derivative.check import Limits, Pattern, read_limits
from tamecheck.derivative.claims import find_claim
from tamecheck.derivative.cone import inner_direction, product
from tamecheck.derivative.explore import Explorer, Leaf
from tamecheck.derivative.kinks import Affinity
from tamecheck.derivative.result import JacobianSet, Proof
from tamecheck.derivative.reverse import output_matrix
from tamecheck.errors import TamecheckError
from tamecheck.exact.arrays import objects
from tamecheck.exact.feasibility import null_basis
from tamecheck.exact.hull import (
    Combination,
    Matrix,
    extreme,
    fractions_of,
    membership,
    rational,
    same,
)
from tamecheck.exact.reals import Number
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.tensor import Array, size_of
from tamecheck.ops.facets import chooses_indices, extremum

__all__ = ["limit_set"]

_CHECKED = "recomputation"
_UNCHECKED = "first derivatives at the kinks, which are not checked again"
_MOST_NAMES = 4


@dataclass(frozen=True, slots=True, eq=False)
class _Cones:
    """The cones that the search found, and the Jacobian in each."""

    affinity: Affinity
    leaves: Sequence[Leaf]
    matrices: Sequence[Matrix]

    def known(self, *, settled: bool) -> list[tuple[Leaf, Matrix]]:
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
    rests_on = _CHECKED if whole else _UNCHECKED
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
            f"whether {_text(m)} is a limit: curved kinks touch"
            for m in rest
            if not _inside(m, matrices, kind)
        ]
    kept = extreme(matrices) if kind == "clarke" else range(len(matrices))
    return replace(
        empty,
        raw=tuple(vertices[number][0] for number in kept),
        proofs=tuple(vertices[number][1] for number in kept),
        fans=tuple((tuple(leaf.cone.strict), m) for leaf, m in cones.known(settled=True)),
        open=tuple(dict.fromkeys(open_)),
        rests_on=rests_on,
    )


def _inside(matrix: Matrix, matrices: Sequence[Matrix], kind: str) -> bool:
    """Whether a matrix would add nothing."""
    if any(same(matrix, other) for other in matrices):
        return True
    if kind == "bouligand" or not matrices:
        return False
    return isinstance(membership(matrices, matrix), Combination)


def _beyond(patterns: Sequence[Pattern], matrices: Sequence[Matrix], kind: str) -> list[Pattern]:
    return [pattern for pattern in patterns if not _inside(pattern.matrix, matrices, kind)]


def _named(pattern: Pattern) -> str:
    names = list(dict.fromkeys(pattern.names))
    listed = ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
    return f"whether {_text(pattern.matrix)} is a limit: signs at {listed}"


def _text(matrix: Matrix) -> str:
    rows = (" ".join(a.str(6) if isinstance(a, arb) else str(a) for a in row) for row in matrix)
    return f"[{'; '.join(rows)}]"


def _compare(cones: _Cones, checked: Limits) -> None:
    """The search and its check have to agree on what both decide; one of them is wrong if not."""
    possible = [pattern.matrix for pattern in checked.patterns]
    candidates = [m for leaf, m in zip(cones.leaves, cones.matrices, strict=True) if leaf.cone.full]
    known = cones.known(settled=True) if checked.whole else []
    missing = [m for _, m in known if not any(same(m, o) for o in possible)]
    missing += [p.matrix for p in checked.shown if not any(same(p.matrix, m) for m in candidates)]
    if missing:
        raise TamecheckError(
            f"The search for the Jacobians near this point and its check differ at "
            f"{_text(missing[0])}; one of them is wrong.",
            hint="Please report the model and the point.",
        )


def _vertices(cones: _Cones, checked: Limits | None) -> list[tuple[Matrix, Proof]]:
    """The limits that are proved, each once with its proof."""
    found: list[tuple[Matrix, Proof]] = []
    curves = [] if checked is None else [(p.matrix, p.curve) for p in checked.shown]
    for leaf, matrix in cones.known(settled=True):
        if not any(same(matrix, other) for other, _ in found):
            direction = fractions_of((leaf.cone.direction,))
            curve = next((c for other, c in curves if c and same(matrix, other)), None)
            path = direction if curve is None else fractions_of(curve.coefficients)
            found.append((matrix, Proof(direction[0], tuple(leaf.cone.strict), path)))
    for matrix, curve in curves:
        if curve is not None and not any(same(matrix, other) for other, _ in found):
            rows = fractions_of(curve.coefficients)
            found.append((matrix, Proof(next(row for row in rows if any(row)), (), rows)))
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
        if not any(same((value,), (other,)) for other in found):
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
    if all(same(matrix, matrices[0]) for matrix in matrices[1:]):
        return True
    applied = (node for node in cones.affinity.graph.nodes if isinstance(node, Apply))
    # a choice between equals has no cone of its own for the tie
    if any(chooses_indices(node.op) and extremum(node.op) for node in applied):
        return False
    functionals = (row for leaf in leaves for row in (*leaf.cone.strict, *leaf.cone.equal))
    if rational(tuple(functionals)) is None:
        return False
    pairs = list(zip(leaves, matrices, strict=True))
    for thin, low in pairs:
        if thin.cone.full:
            continue
        span = null_basis(rational(thin.cone.equal) or (), size)
        beside = (m for leaf, m in pairs if leaf.cone.full and _touches(thin, leaf, size))
        rows = (row for high in beside for row in zip(low, high, strict=True))
        gaps = (tuple(a - b for a, b in zip(*row, strict=True)) for row in rows)
        if any(product(gap, vector) != 0 for gap in gaps for vector in span):
            return False
    return True


def _touches(thin: Leaf, leaf: Leaf, size: int) -> bool:
    strict, equal = thin.cone.strict, thin.cone.equal
    return not strict or inner_direction(size, strict, equal, leaf.cone.strict) is not None
