"""Bouligand and Clarke Jacobians: the search for cones, and what its check says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flint import arb, fmpq

from tamecheck.derivative.chainrule import ChainRule
from tamecheck.derivative.check import Curve, Limits, Pattern, read_limits
from tamecheck.derivative.claims import found_claim
from tamecheck.derivative.cone import inner_direction, product
from tamecheck.derivative.explore import Explorer, Leaf
from tamecheck.derivative.kinks import Affinity
from tamecheck.derivative.result import Autodiff, JacobianSet, Kind, Proof
from tamecheck.derivative.reverse import output_matrix
from tamecheck.errors import TamecheckError
from tamecheck.exact.arrays import objects
from tamecheck.exact.feasibility import null_basis
from tamecheck.exact.hull import Combination, Matrix, extreme, membership, same
from tamecheck.exact.reals import Number, as_fraction
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.tensor import Array, size_of

__all__ = ["limit_set"]

_CHECKED = "recomputation"
_UNCHECKED = "first derivatives at the kinks, which are not checked again"
_MOST_NAMES = 4


@dataclass(frozen=True, slots=True, eq=False)
class _Cones:
    """What the search found.

    Parameters
    ----------
    leaves, matrices
        The cones, and the Jacobian in each.
    """

    leaves: Sequence[Leaf]
    matrices: Sequence[Matrix]

    def known(self, *, settled: bool) -> list[tuple[Leaf, Matrix]]:
        """The full cones of which it is known that points near are in them, or the others."""
        return [
            (leaf, matrix)
            for leaf, matrix in zip(self.leaves, self.matrices, strict=True)
            if leaf.cone.full and leaf.cone.settled is settled
        ]

    @property
    def settled(self) -> bool:
        """Whether first derivatives decide everything."""
        return all(leaf.cone.settled for leaf in self.leaves)


def limit_set(
    rule: ChainRule, point: Mapping[str, Array], autodiff: Autodiff, kind: Kind, limit: int
) -> JacobianSet:
    """The limits of Jacobians near a point, or their hull; what is proved of it.

    Raises
    ------
    UnsupportedError
        If there are more cones than the limit.
    """
    graph, names = rule.graph, rule.graph.inputs
    size = sum(size_of(shape) for shape in names.values())
    affinity = Affinity.of(graph)
    inputs = {index: value for index, value in rule.values.items() if _given(graph, index)}
    leaves = Explorer(graph, affinity, rule.depends, size, limit).leaves(inputs)
    cones = _Cones(leaves, [output_matrix(graph, leaf.locals_) for leaf in leaves])

    def enough(found: Limits) -> bool:
        jumped = any(pattern.jumped for pattern in found.patterns)
        jumps = jumped and not all(affinity.affine[node] for _, node in graph.outputs)
        return not jumps and not _beyond(found.open, [p.matrix for p in found.shown], kind)

    checked = read_limits(graph, point, found_claim, limit, enough)
    rests_on = _CHECKED if checked is not None and checked.whole else _UNCHECKED
    if checked is not None:
        _compare(cones, checked)
    if any(leaf.jumped for leaf in leaves):
        refused = _at_jumps(rule, cones, checked, affinity, size)
        if refused is not None:
            return _refused_set(refused, kind, rule, autodiff, rests_on)
    vertices = _vertices(cones, checked)
    matrices = [matrix for matrix, _ in vertices]
    if checked is None or not checked.whole:
        rest = [matrix for _, matrix in cones.known(settled=False)]
        open_ = tuple(_unknown(m) for m in rest if not _inside(m, matrices, kind))
    else:
        open_ = tuple(_named(p) for p in _beyond(checked.open, matrices, kind))
    kept = extreme(matrices) if kind == "clarke" else range(len(matrices))
    return JacobianSet(
        kind,
        tuple(vertices[number][0] for number in kept),
        tuple(vertices[number][1] for number in kept),
        names,
        automatic=autodiff,
        fans=tuple((tuple(leaf.cone.strict), m) for leaf, m in cones.known(settled=True)),
        open=tuple(dict.fromkeys(open_)),
        rests_on=rests_on,
    )


@dataclass(frozen=True, slots=True)
class _Refused:
    """Why there is no set, the limits of the value, and what is not known of it."""

    why: str
    jumps: tuple[tuple[Number, ...], ...] = ()
    open: tuple[str, ...] = ()


def _refused_set(
    refused: _Refused, kind: Kind, rule: ChainRule, autodiff: Autodiff, rests_on: str
) -> JacobianSet:
    """The answer that there is no set, or that it is not known."""
    return JacobianSet(
        kind,
        (),
        (),
        rule.graph.inputs,
        why=refused.why,
        jumps=refused.jumps,
        automatic=autodiff,
        open=refused.open,
        rests_on="" if refused.open else rests_on,
    )


def _given(graph: Graph, index: int) -> bool:
    return not isinstance(graph.nodes[index], Apply)


def _inside(matrix: Matrix, matrices: Sequence[Matrix], kind: Kind) -> bool:
    """Whether a matrix would add nothing."""
    if any(same(matrix, other) for other in matrices):
        return True
    if kind == "bouligand" or not matrices:
        return False
    return isinstance(membership(matrices, matrix), Combination)


def _beyond(patterns: Sequence[Pattern], matrices: Sequence[Matrix], kind: Kind) -> list[Pattern]:
    return [pattern for pattern in patterns if not _inside(pattern.matrix, matrices, kind)]


def _named(pattern: Pattern) -> str:
    names = list(dict.fromkeys(pattern.names))
    shown = ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
    return f"whether {_text(pattern.matrix)} is a limit: signs at {shown}"


def _unknown(matrix: Matrix) -> str:
    return f"whether {_text(matrix)} is a limit: curved kinks touch"


def _text(matrix: Matrix) -> str:
    rows = (" ".join(a.str(6) if isinstance(a, arb) else str(a) for a in row) for row in matrix)
    return f"[{'; '.join(rows)}]"


def _compare(cones: _Cones, checked: Limits) -> None:
    """The search and its check have to agree on what both decide.

    Raises
    ------
    TamecheckError
        If they do not: one of them is wrong.
    """
    possible = [pattern.matrix for pattern in checked.patterns]
    candidates = [m for leaf, m in zip(cones.leaves, cones.matrices, strict=True) if leaf.cone.full]
    missing: list[Matrix] = []
    if checked.whole:
        known = cones.known(settled=True)
        missing += [m for _, m in known if not any(same(m, o) for o in possible)]
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
            direction = tuple(as_fraction(v) for v in leaf.cone.direction)
            curve = next((c for other, c in curves if c and same(matrix, other)), None)
            path = (direction,) if curve is None else _along(curve).curve
            found.append((matrix, Proof(direction, tuple(leaf.cone.strict), path)))
    for matrix, curve in curves:
        if curve is not None and not any(same(matrix, other) for other, _ in found):
            found.append((matrix, _along(curve)))
    return found


def _along(curve: Curve) -> Proof:
    rows = tuple(tuple(as_fraction(v) for v in vector) for vector in curve.coefficients)
    return Proof(next(row for row in rows if any(row)), (), rows)


def _at_jumps(
    rule: ChainRule, cones: _Cones, checked: Limits | None, affinity: Affinity, size: int
) -> _Refused | None:
    """Why there is no set where functions jump at the point; None if jumps cancel near it."""
    graph, leaves = rule.graph, cones.leaves
    where = ", ".join(sorted({graph.name_of(node) for leaf in leaves for node in leaf.jumped}))
    limits = [_outputs(graph, leaf.values) for leaf in leaves if leaf.cone.settled]
    if checked is not None:
        limits += [tuple(germ.value for germ in pattern.outputs) for pattern in checked.shown]
    different = _distinct([*limits, _outputs(graph, rule.values)])
    if len(different) > 1:
        why = f"the function jumps at this point ({where}), so there is no Clarke Jacobian"
        return _Refused(why, different)
    if checked is not None and checked.jump() is not None:
        why = f"the function jumps arbitrarily near ({where}), so there is no Clarke Jacobian"
        return _Refused(why)
    if cones.settled and _continuous_nearby(leaves, cones.matrices, affinity, size):
        return None
    open_ = f"whether the function is continuous nearby: jumps meet at this point ({where})"
    return _Refused(f"it is not known {open_}", open=(open_,))


def _outputs(graph: Graph, values: Mapping[int, Array]) -> tuple[Number, ...]:
    found: list[Number] = []
    for _, node in graph.outputs:
        found += objects(values[node]).reshape(-1).tolist()
    return tuple(found)


def _distinct(values: Sequence[tuple[Number, ...]]) -> tuple[tuple[Number, ...], ...]:
    found: list[tuple[Number, ...]] = []
    for value in values:
        if not any(same((value,), (other,)) for other in found):
            found.append(value)
    return tuple(found)


def _continuous_nearby(
    leaves: Sequence[Leaf], matrices: Sequence[Matrix], affinity: Affinity, size: int
) -> bool:
    """Whether the linear parts agree wherever a cone lies on the boundary of another.

    All limits at the point itself are equal; a piecewise affine function is then continuous near
    the point exactly if its linear parts agree on common boundaries.
    """
    graph = affinity.graph
    outputs = [node for _, node in graph.outputs]
    if not all(affinity.affine[node] for node in outputs):
        # curved pieces may differ nearby though first derivatives agree
        return False
    if all(same(matrix, matrices[0]) for matrix in matrices[1:]):
        return True
    balls = any(_has_balls(leaf) for leaf in leaves)
    # a choice between equals has no cone of its own for the tie
    choices = any(
        isinstance(node, Apply) and node.op.name in ("argmax", "argmin") for node in graph.nodes
    )
    if balls or choices:
        return False
    for thin, low in zip(leaves, matrices, strict=True):
        if thin.cone.full:
            continue
        exact = [tuple(a for a in row if isinstance(a, fmpq)) for row in thin.cone.equal]
        span = null_basis(exact, size)
        for leaf, high in zip(leaves, matrices, strict=True):
            if not leaf.cone.full or not _touches(thin, leaf, size):
                continue
            for row, other in zip(low, high, strict=True):
                gap = tuple(a - b for a, b in zip(row, other, strict=True))
                if any(product(gap, vector) != 0 for vector in span):
                    return False
    return True


def _has_balls(leaf: Leaf) -> bool:
    rows = (*leaf.cone.strict, *leaf.cone.equal)
    return any(isinstance(a, arb) for row in rows for a in row)


def _touches(thin: Leaf, leaf: Leaf, size: int) -> bool:
    if not thin.cone.strict:
        return True
    return inner_direction(size, thin.cone.strict, thin.cone.equal, leaf.cone.strict) is not None
