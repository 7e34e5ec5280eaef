"""The immutable graph of ops over tensors, its canonical form and its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.exact import rational_text
from tamecheck.ir.op import Op, Params, Value
from tamecheck.ir.tensor import Array, Shape, Tensor, size_of

FORMAT = "tamecheck-graph"
VERSION = 1
MAX_ELEMENTS = 2**28
"""A tensor with more elements than this is refused; it would not fit in memory exactly."""


@dataclass(frozen=True, slots=True)
class Input:
    """An input tensor of reals."""

    name: str
    shape: Shape
    label: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant tensor."""

    tensor: Tensor
    label: str = field(default="", compare=False)

    @property
    def shape(self) -> Shape:
        """The shape."""
        return self.tensor.shape


@dataclass(frozen=True, slots=True)
class Apply:
    """An op applied to earlier nodes.

    ``label`` names it in the source file; ``function`` is the framework's function that it was, if
    that is known, for conventions at kinks.
    """

    op: Op
    args: tuple[int, ...]
    params: Params
    shape: Shape
    label: str = field(default="", compare=False)
    function: str = field(default="", compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        # a read-only view of a dictionary is not pickled
        values = {name: getattr(self, name) for name in self.__slots__}
        return _applied, ({**values, "params": dict(self.params)},)


def _applied(values: dict[str, Any]) -> Apply:
    values["params"] = MappingProxyType(values["params"])
    return Apply(**values)


@dataclass(frozen=True, slots=True)
class Gradient:
    """What is known of automatic differentiation of the program that a graph was read from."""

    lost: str = ""
    """Why it is not that of the graph, as where the program cuts gradients off; or nothing."""
    unknown: tuple[str, ...] = ()
    """Functions whose conventions at kinks are not known."""


Node: TypeAlias = Input | Constant | Apply


@dataclass(frozen=True)
class Graph:
    """Nodes in topological order, each named by its index, and the named outputs."""

    nodes: tuple[Node, ...]
    outputs: tuple[tuple[str, int], ...]
    gradient: Gradient = field(default=Gradient(), compare=False)

    @property
    def inputs(self) -> dict[str, Shape]:
        """The inputs' names and shapes, in order."""
        return {node.name: node.shape for node in self.nodes if isinstance(node, Input)}

    def split(self, values: Sequence[Any] | Array) -> dict[str, Array]:
        """The elements of all inputs, one input after the other, as an array for each."""
        flat: Array = np.empty(len(values), dtype=getattr(values, "dtype", object))
        flat[:] = values
        found: dict[str, Array] = {}
        start = 0
        for name, shape in self.inputs.items():
            stop = start + size_of(shape)
            found[name] = flat[start:stop].reshape(shape)
            start = stop
        return found

    @property
    def parameters(self) -> int:
        """The number of constant elements."""
        return sum(size_of(node.shape) for node in self.nodes if isinstance(node, Constant))

    @cached_property
    def input_free(self) -> tuple[bool, ...]:
        """For each node, whether no input is among its ancestors."""
        free: list[bool] = []
        for node in self.nodes:
            match node:
                case Input():
                    free.append(False)
                case Constant():
                    free.append(True)
                case Apply(args=args):
                    free.append(all(free[arg] for arg in args))
        return tuple(free)

    @cached_property
    def schedule(self) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """What the outputs need, in order, each with the nodes that nothing after it uses."""
        return self.schedule_of(self.output_nodes)

    def schedule_of(self, roots: Sequence[int]) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """What ``roots`` need, in topological order, each with those that it is the last to use."""
        order = list(self.ancestors(roots))
        last = {arg: index for index in order for arg in self.args(index)}
        last.update(dict.fromkeys(roots, len(self.nodes)))
        ended = {i: tuple(a for a in set(self.args(i)) if last[a] == i) for i in order}
        return tuple(ended.items())

    @cached_property
    def sha256(self) -> str:
        """The hash of the canonical form; labels are not part of it."""
        return canonical_sha256(self.document())

    def document(self) -> dict[str, Any]:
        """The canonical form, tensors by their digests."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "nodes": [_node_document(node) for node in self.nodes],
            "outputs": [{"name": name, "node": node} for name, node in self.outputs],
        }

    @property
    def output_nodes(self) -> tuple[int, ...]:
        """The nodes of the outputs, in order."""
        return tuple(node for _, node in self.outputs)

    def applied(self) -> Iterator[tuple[int, Apply]]:
        """The ops that an output needs, in topological order."""
        for index in self.ancestors(self.output_nodes):
            node = self.nodes[index]
            if isinstance(node, Apply):
                yield index, node

    def args(self, node: int) -> tuple[int, ...]:
        """The arguments of a node; an input or a constant has none."""
        found = self.nodes[node]
        return found.args if isinstance(found, Apply) else ()

    def name_of(self, node: int) -> str:
        """A name that the user can find: the source label, else op and number."""
        found = self.nodes[node]
        if found.label:
            return found.label
        match found:
            case Input(name=name):
                return name
            case Constant():
                return f"constant#{node}"
            case Apply(op=op):
                return f"{op.name}#{node}"

    def ancestors(self, roots: Sequence[int]) -> Iterator[int]:
        """The nodes that ``roots`` depend on, themselves included, in topological order."""
        needed = set(roots)
        for index in range(max(needed, default=-1), -1, -1):
            node = self.nodes[index]
            if index in needed and isinstance(node, Apply):
                needed.update(node.args)
        return iter(sorted(needed))


def canonical_json(document: Any) -> str:
    """JSON with sorted keys, no spaces and ASCII only: the same bytes for the same content."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def canonical_sha256(document: Any) -> str:
    """The SHA-256 of the canonical JSON."""
    return hashlib.sha256(canonical_json(document).encode()).hexdigest()


def _node_document(node: Node) -> dict[str, Any]:
    match node:
        case Input(name=name, shape=shape):
            return {"op": "input", "name": name, "shape": list(shape)}
        case Constant(tensor=tensor):
            return {"op": "constant", "tensor": tensor.digest, "shape": list(tensor.shape)}
        case Apply(op=op, args=args, params=params, shape=shape):
            return {
                "op": op.name,
                "args": list(args),
                "params": {key: _param_document(value) for key, value in params.items()},
                "shape": list(shape),
            }


def _param_document(value: Value) -> Any:
    if isinstance(value, Fraction):
        return rational_text(value)
    return list(value) if isinstance(value, tuple) else value


class GraphBuilder:
    """Builds a graph node by node; equal nodes are shared, so a subexpression is stored once."""

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._ids: dict[tuple[Any, ...], int] = {}

    def shape(self, node: int) -> Shape:
        """The shape of a node."""
        return self._nodes[node].shape

    def node(self, node: int) -> Node:
        """The node itself."""
        return self._nodes[node]

    def below(self, node: int) -> list[int]:
        """A node and all that it is made of, in order."""
        seen, waiting = {node}, [node]
        while waiting:
            found = self._nodes[waiting.pop()]
            new = set(found.args if isinstance(found, Apply) else ()) - seen
            seen |= new
            waiting.extend(new)
        return sorted(seen)

    def input(self, name: str, shape: Shape, label: str = "") -> int:
        """Add an input.

        Raises
        ------
        InputError
            If the name is taken, or the shape is out of range.
        """
        if ("input", name) in self._ids:
            raise InputError(f"Two inputs are named {name!r}.")
        _check_size(shape, name)
        return self._add(("input", name), Input(name, shape, label))

    def constant(self, values: Any, label: str = "") -> int:
        """Add a constant tensor, given as a `Tensor` or as what `Tensor.of` takes."""
        tensor = values if isinstance(values, Tensor) else Tensor.of(values)
        _check_size(tensor.shape, label)
        return self._add(("constant", tensor.digest), Constant(tensor, label))

    def apply(
        self, op: Op, args: Sequence[int], label: str = "", function: str = "", /, **params: Value
    ) -> int:
        """Add an op applied to earlier nodes; ``function`` as in `Apply`.

        Raises
        ------
        InputError
            If the arguments or parameters do not fit the op.
        """
        if (op.arity is None and not args) or (op.arity is not None and len(args) != op.arity):
            raise InputError(f"op {op.name} does not take {len(args)} arguments.", where=label)
        checked = op.checked(params)
        shape = op.shape([self._nodes[arg].shape for arg in args], checked)
        _check_size(shape, label)
        key = (op.name, tuple(args), tuple(checked.items()), function)
        return self._add(key, Apply(op, tuple(args), checked, shape, label, function))

    def include(
        self,
        graph: Graph,
        source: Callable[[Input], int],
        rewrite: Callable[[int, Apply, list[int]], int | None] | None = None,
    ) -> list[int]:
        """Add the nodes of a graph, with other sources instead of its inputs; their numbers.

        ``rewrite`` may add something else for an op, from its own number in the graph and the new
        ones of all nodes before it; None keeps the op.
        """
        number: list[int] = []
        for index, node in enumerate(graph.nodes):
            match node:
                case Input():
                    number.append(source(node))
                case Constant(tensor, label):
                    number.append(self.constant(tensor, label))
                case Apply():
                    added = None if rewrite is None else rewrite(index, node, number)
                    if added is None:
                        args = [number[arg] for arg in node.args]
                        added = self.apply(node.op, args, node.label, node.function, **node.params)
                    number.append(added)
        return number

    def build(
        self,
        outputs: Mapping[str, int] | Sequence[tuple[str, int]],
        gradient: Gradient = Gradient(),
    ) -> Graph:
        """The graph of the outputs: every input, and only the nodes that an output needs.

        Raises
        ------
        InputError
            If there is no output.
        """
        pairs = tuple(outputs.items() if isinstance(outputs, Mapping) else outputs)
        if not pairs:
            raise InputError("The model has no output.")
        whole = Graph(tuple(self._nodes), pairs)
        needed = set(whole.ancestors([node for _, node in pairs]))
        kept = [i for i, node in enumerate(self._nodes) if i in needed or isinstance(node, Input)]
        number = {old: new for new, old in enumerate(kept)}
        return Graph(
            tuple(_renumber(self._nodes[old], number) for old in kept),
            tuple((name, number[node]) for name, node in pairs),
            gradient,
        )

    def _add(self, key: tuple[Any, ...], node: Node) -> int:
        if key not in self._ids:
            self._ids[key] = len(self._nodes)
            self._nodes.append(node)
        return self._ids[key]


def _renumber(node: Node, number: Mapping[int, int]) -> Node:
    if not isinstance(node, Apply):
        return node
    args = tuple(number[arg] for arg in node.args)
    return replace(node, args=args)


def _check_size(shape: Shape, label: str) -> None:
    if any(extent < 0 for extent in shape):
        raise InputError(f"The shape {shape} has a negative extent.", where=label)
    if len(shape) > 32 or size_of(shape) > MAX_ELEMENTS:
        raise InputError(
            f"The shape {shape} has more than {MAX_ELEMENTS} elements.",
            where=label,
            hint="Such a tensor does not fit in memory exactly.",
        )
