"""The elements of a graph where each is a value of the caller's, and some are not known."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial, reduce
from typing import Generic, TypeVar

import numpy as np

from tamecheck import ops
from tamecheck.errors import DomainError
from tamecheck.evaluate.selection import pick
from tamecheck.evaluate.walk import Elements, Site
from tamecheck.exact.arrays import from_list
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Op, Params
from tamecheck.ir.tensor import Array, size_of
from tamecheck.tame.verdict import Witness

V = TypeVar("V")
L = TypeVar("L")

_MAX_NODE = 1 << 16


class WorkError(Exception):
    """The budget is used up."""


@dataclass(frozen=True, slots=True)
class Algebra(Generic[V]):
    """What the elements are: the rationals among them, which of them are, and ops of them."""

    constant: Callable[[Fraction], V]
    value: Callable[[V], Fraction | None]
    apply: Callable[[Op, Params, Sequence[V | None]], V | None]


def follow(
    graph: Graph,
    root: int,
    given: Mapping[int, Sequence[V]],
    algebra: Algebra[V],
    budget: int,
) -> tuple[list[V | None], int]:
    """The elements of a node from those of given ones, None where one is not known.

    With them comes the budget that is left.

    Raises `WorkError` if the budget, counted in scalar operations, does not suffice.
    """
    walk = _Walk(algebra, budget)
    values: dict[int, Array] = {}
    for index in _needed(graph, root, given):
        node = graph.nodes[index]
        if index in given:
            values[index] = from_list(node.shape, list(given[index]))
            continue
        match node:
            case Input(shape=shape):
                values[index] = np.full(shape, None, dtype=object)
            case Constant(tensor=tensor):
                walk.spend(tensor.array.size)
                elements = [algebra.constant(value) for value in tensor.fractions()]
                values[index] = from_list(tensor.shape, elements)
            case Apply(args=args):
                values[index] = walk.node(node, [values[arg] for arg in args])
    return values[root].reshape(-1).tolist(), walk.left


@dataclass(frozen=True, slots=True)
class Along(Generic[V]):
    """A line or curve as a search sees it: what the inputs are there, and what ops make of them."""

    inputs: Mapping[str, Sequence[V]]
    algebra: Algebra[V]

    def elements(self, graph: Graph, root: int, budget: int) -> tuple[list[V | None], int]:
        """The elements of a node there, as `follow` gives them."""
        given = {
            index: self.inputs[node.name]
            for index, node in enumerate(graph.nodes)
            if isinstance(node, Input)
        }
        return follow(graph, root, given, self.algebra, budget)


Refuter = Callable[[tuple[int, int], V], Witness | None]
"""The witness that an element of a node is, by the node, its place there and its value."""


def first_witness(
    graph: Graph,
    roots: Sequence[int],
    lines: Callable[[], Iterable[L]],
    search: Callable[[L], tuple[Along[V], Refuter[V]]],
    budget: int,
) -> Witness | None:
    """The first witness that an element of a root is on a line, within a budget for all of them."""
    for root in roots:
        for line in lines():
            along, refute = search(line)
            try:
                values, budget = along.elements(graph, root, budget)
            except WorkError:
                return None
            for element, value in enumerate(values):
                witness = None if value is None else refute((root, element), value)
                if witness is not None:
                    return witness
    return None


def _needed(graph: Graph, root: int, given: Container[int]) -> list[int]:
    """The nodes that a node depends on beside given ones, itself included, in order."""
    needed = {root}
    for index in range(root, -1, -1):
        node = graph.nodes[index]
        if index in needed and index not in given and isinstance(node, Apply):
            needed.update(node.args)
    return sorted(needed)


class _Walk(Generic[V]):
    """One evaluation of a graph, within a budget of scalar operations."""

    def __init__(self, algebra: Algebra[V], budget: int) -> None:
        self._algebra = algebra
        self._elements: Elements[V | None] = Elements(
            constant=algebra.constant,
            pointwise=lambda _, site: partial(algebra.apply, site.op, site.params),
            product=lambda a, b: algebra.apply(ops.MUL, {}, (a, b)),
            fold=self._fold,
        )
        self.left = budget

    def spend(self, work: int) -> None:
        self.left -= work
        if self.left < 0:
            raise WorkError

    def node(self, node: Apply, args: Sequence[Array]) -> Array:
        work = size_of(node.shape)
        if node.op is ops.MATMUL:
            work *= args[0].shape[-1]
        elif args:
            work = max(work, args[0].size)
        self.spend(work)
        if work > _MAX_NODE:
            raise WorkError
        site = Site(node.op, node.params, node.shape)
        found = self._elements.value(site, args)
        if found is None and len(args) == 2:
            found = self._picked(site, args)
        return np.full(node.shape, None, dtype=object) if found is None else found

    def _fold(self, op: Op, row: Sequence[V | None]) -> V | None:
        return reduce(lambda a, b: self._algebra.apply(op, {}, (a, b)), row) if row else None

    def _picked(self, site: Site, args: Sequence[Array]) -> Array | None:
        """The elements of the first argument at those of the second, where these are known."""
        indices = self._indices(args[1])
        try:
            return None if indices is None else pick(site, args[0], indices)
        except DomainError:
            return None

    def _indices(self, array: Array) -> Array | None:
        elements = array.reshape(-1).tolist()
        values = [None if element is None else self._algebra.value(element) for element in elements]
        whole = [int(v) for v in values if v is not None and v.denominator == 1]
        if len(whole) != array.size:
            return None
        return np.array(whole, dtype=np.int64).reshape(array.shape)
