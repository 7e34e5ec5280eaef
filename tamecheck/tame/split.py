"""Cases of where one node is: far out on either side something saturates, between it is bounded.

A rounding, or a sine, of an unbounded node is in no o-minimal structure; what cuts it off is, if
each of finitely many intervals of a node below proves itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any, Protocol

from tamecheck import ops
from tamecheck.budget import Budget
from tamecheck.evaluate.ranges import REAL, Range
from tamecheck.ir.exact import rational_text
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Pointwise
from tamecheck.ir.structure import Antichain, join_all
from tamecheck.ir.tensor import size_of
from tamecheck.ops.facets import comparisons
from tamecheck.tame.domains import Domains
from tamecheck.tame.steps import ProofSteps
from tamecheck.tame.verdict import Step

DEPTH = 2
MOST_CASES = 2000
"""Nodes that are derived again in cases, in all, before the search for cases ends."""
_MOST_NODES = 60
_MOST_SOURCES = 8
_MOST_POINTS = 3
_FAR = (Fraction(2), Fraction(64), Fraction(2) ** 20)
_NEAR = (Fraction(1, 2), Fraction(1, 16))


@dataclass(slots=True)
class Attempts:
    """How many more nodes may be derived in cases, and how deep these may be nested now."""

    left: int = MOST_CASES
    depth: int = 1
    budget: Budget | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """What a case shows of a node, and its steps."""

    structures: Antichain
    steps: Sequence[Step]


@dataclass(frozen=True, slots=True)
class Split:
    """A `split` step, in which structures it shows a node to be, and on which node it is."""

    structures: Antichain
    step: Mapping[str, Any]
    on: int


class Walker(Protocol):
    """A derivation in progress."""

    graph: Graph
    proof: ProofSteps
    domains: Domains
    attempts: Attempts

    def known(self, node: int) -> tuple[Antichain, int | None]:
        """In which structures a node is known to be, and the step for it."""
        ...

    def case(self, on: int, range_: Range, offset: int, target: int) -> Case:
        """Derive a node again where another one is in a range."""
        ...


@dataclass(slots=True)
class _Source:
    """A node that may be split, and the nodes above it up to the target."""

    node: int
    above: set[int] = field(default_factory=set[int])
    covers: bool = False


def find_split(walk: Walker, target: int, cone: Sequence[int]) -> Split | None:
    """A split that shows the target, with these ancestors, to be in an o-minimal structure."""
    for source in _sources(walk, target, cone):
        known = walk.proof.hulls.range(source.node)
        structures, _ = walk.known(source.node)
        if not _tails_prove_themselves(walk, source, target):
            continue
        for at in _cuts(walk.graph, source.node, cone, known):
            offset = len(walk.proof.steps) + walk.proof.offset
            cases = _cases(walk, source, at, offset, target)
            if cases is None:
                continue
            joined = join_all((structures, *(case.structures for case in cases if case)))
            if any(s.o_minimal for s in joined):
                return _emit(walk, source, at, target, joined)
    return None


def _tails_prove_themselves(walk: Walker, source: _Source, target: int) -> bool:
    """Whether the cases that are farthest out do: they are part of the outer cases of every cut."""
    known = walk.proof.hulls.range(source.node)
    offset = len(walk.proof.steps) + walk.proof.offset
    tails = [Range(_FAR[-1], None) & known, Range(None, -_FAR[-1]) & known]
    return all(tail.empty or _case(walk, source, tail, offset, target) for tail in tails)


def _case(walk: Walker, source: _Source, part: Range, offset: int, target: int) -> Case | None:
    """The case, if it shows that the target is in an o-minimal structure."""
    walk.attempts.left -= len(source.above)
    spent = walk.attempts.budget is not None and walk.attempts.budget.is_spent
    if walk.attempts.left < 0 or spent:
        return None
    case = walk.case(source.node, part, offset, target)
    return case if any(s.o_minimal for s in case.structures) else None


def _ranges(at: Sequence[Fraction], known: Range) -> list[Range]:
    ends = [None, *at, None]
    return [Range(low, high) & known for low, high in pairwise(ends)]


def _cases(
    walk: Walker, source: _Source, at: Sequence[Fraction], offset: int, target: int
) -> list[Case | None] | None:
    """What each case shows; None for one that is empty, and in all if one shows nothing."""
    found: list[Case | None] = []
    for part in _ranges(at, walk.proof.hulls.range(source.node)):
        if part.empty:
            found.append(None)
            continue
        case = _case(walk, source, part, offset, target)
        if case is None:
            return None
        found.append(case)
    return found


def _emit(
    walk: Walker, source: _Source, at: Sequence[Fraction], target: int, structures: Antichain
) -> Split | None:
    """The step: what it cites first, then the cases again, with the numbers that now follow."""
    cited: dict[str, Any] = {}
    if walk.proof.hulls.range(source.node) != REAL:
        cited["enclosure"] = walk.proof.hulls.step(source.node)
    if not source.covers:
        total = walk.domains.total(source.node)
        if total:
            cited["total"] = total[0]
    offset = len(walk.proof.steps) + walk.proof.offset
    cases = _cases(walk, source, at, offset, target)
    if cases is None:
        return None
    step = {
        "rule": "split",
        "node": target,
        "in": [s.value for s in structures],
        "on": source.node,
        "at": [rational_text(a) for a in at],
        "structure": walk.known(source.node)[1],
        "cases": [[] if case is None else [dict(s) for s in case.steps] for case in cases],
        **cited,
    }
    return Split(structures, step, source.node)


# -- what to split, and where ---------------------------------------------------------------------


def _sources(walk: Walker, target: int, cone: Sequence[int]) -> Iterator[_Source]:
    """The nodes whose cases may prove themselves, the most promising first."""
    graph = walk.graph
    stuck = [index for index in cone if _is_stuck(walk, index)]
    deciding = [index for index in cone if _decides(graph, index)]
    found = [arg for index in stuck for arg in graph.args(index)]
    found += [index for index in cone if isinstance(graph.nodes[index], Input)]
    found += [arg for index in deciding for arg in graph.args(index)]
    count = 0
    for node in dict.fromkeys(found):
        structures, step = walk.known(node)
        usable = step is not None and any(s.o_minimal for s in structures)
        usable = usable and node not in walk.proof.hulls.given
        source = _source(walk, node, target, cone)
        if usable and source is not None and not graph.input_free[node]:
            yield source
            count += 1
        if count == _MOST_SOURCES:
            return


def _is_stuck(walk: Walker, index: int) -> bool:
    node = walk.graph.nodes[index]
    if not isinstance(node, Apply) or any(s.o_minimal for s in walk.known(index)[0]):
        return False
    return all(any(s.o_minimal for s in walk.known(arg)[0]) for arg in node.args)


def _decides(graph: Graph, index: int) -> bool:
    node = graph.nodes[index]
    return isinstance(node, Apply) and bool(comparisons(node.op, node.params))


def _source(walk: Walker, node: int, target: int, cone: Sequence[int]) -> _Source | None:
    """The source, if the target's elements depend on one element of it each."""
    graph, above, strict = walk.graph, {node}, {node}
    for index in cone:
        below = graph.nodes[index]
        if not isinstance(below, Apply) or not above.intersection(below.args):
            continue
        above.add(index)
        pointwise = isinstance(below.op.meaning, Pointwise)
        alike = pointwise and below.shape == graph.nodes[node].shape
        if not alike and size_of(graph.nodes[node].shape) != 1:
            return None
        needed = below.args[:1] if below.op is ops.SELECT else below.args
        if pointwise and strict.intersection(needed):
            strict.add(index)
    if target not in above or len(above) > _MOST_NODES:
        return None
    covers = target in strict
    if not covers and walk.domains.total(node) is None:
        return None
    return _Source(node, above, covers)


def _cuts(
    graph: Graph, node: int, cone: Sequence[int], known: Range
) -> Iterator[tuple[Fraction, ...]]:
    """Where to cut: far out on both sides, around 0 and around the numbers of the graph."""
    points = [Fraction(0), *_points(graph, cone)]
    sets = [(-far, far) for far in _FAR]
    sets += [(point - near, point + near) for near in (*_NEAR, *_FAR[:1]) for point in points]
    if isinstance(graph.nodes[node], Input):
        sets += [(point,) for point in points]
    seen: set[tuple[Fraction, ...]] = set()
    for ends in sets:
        at = tuple(end for end in ends if not (Range(end, end) & known).empty)
        if at and at not in seen:
            seen.add(at)
            yield at


def _points(graph: Graph, cone: Sequence[int]) -> list[Fraction]:
    """The first few numbers in the cone that are not far out."""
    found: list[Fraction] = []
    for index in cone:
        node = graph.nodes[index]
        if isinstance(node, Constant) and size_of(node.tensor.shape) == 1:
            found.extend(node.tensor.fractions())
    return [p for v in dict.fromkeys(found) for p in (v, -v) if 0 < abs(p) <= _FAR[1]][
        :_MOST_POINTS
    ]
