"""A parsed ONNX file: its nodes in order, their attributes, and the sizes of open dimensions.

A batch is 1, and every other open dimension of an input must be given.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.exact import rational
from tamecheck.ir.graph import MAX_ELEMENTS
from tamecheck.ir.tensor import Shape
from tamecheck.loaders.files import read_bytes

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True, slots=True)
class Source:
    """A file: its protocol buffer, the folder of its external data if it has one, and its name."""

    model: onnx.ModelProto
    folder: Path | None
    where: str

    def inputs(self) -> list[onnx.ValueInfoProto]:
        """The inputs of the graph that have no stored value."""
        graph = self.model.graph
        stored = {tensor.name for tensor in graph.initializer}
        stored.update(tensor.values.name for tensor in graph.sparse_initializer)
        return [info for info in self.model.graph.input if info.name not in stored]


def read_source(source: str | os.PathLike[str] | bytes, where: str = "") -> Source:
    """Parse a file, or its bytes."""
    name = where or ("model" if isinstance(source, bytes) else str(source))
    data = source if isinstance(source, bytes) else read_bytes(source)
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    try:
        model = ModelProto.FromString(data)
    except (DecodeError, RuntimeError, ValueError, RecursionError, MemoryError):
        raise InputError("This is no ONNX model, or it is damaged.", where=name) from None
    if not model.HasField("graph"):
        raise InputError("The file holds no ONNX graph.", where=name)
    return Source(model, None if isinstance(source, bytes) else Path(source).parent, name)


@dataclass(frozen=True, slots=True)
class SourceNode:
    """A node of the file, with a name that the user can find: its own, or its number."""

    label: str
    proto: onnx.NodeProto

    @property
    def domain(self) -> str:
        """The operator's domain; the standard one is empty."""
        return "" if self.proto.domain == "ai.onnx" else self.proto.domain

    @property
    def place(self) -> str:
        """What errors call the node."""
        return f"node {self.label!r}"

    @property
    def operator(self) -> str:
        """The operator's full name."""
        return f"{self.domain}::{self.proto.op_type}" if self.domain else self.proto.op_type


def source_nodes(nodes: Iterable[onnx.NodeProto], prefix: str = "") -> list[SourceNode]:
    """The nodes as they stand in the file."""
    found: list[SourceNode] = []
    for index, node in enumerate(nodes):
        for name in (node.name, node.op_type, node.domain, *node.input, *node.output):
            name_text(name)
        found.append(SourceNode(f"{prefix}{node.name or f'#{index}'}", node))
    return found


def name_text(name: Any) -> str:
    """A name; one that is no UTF-8 text comes out of the protocol buffer as bytes."""
    if not isinstance(name, str):
        raise InputError("A name in the file is not UTF-8 text.")
    return name


def order_nodes(
    nodes: Sequence[SourceNode], taken: Iterable[str], around: Iterable[str] = ()
) -> list[SourceNode]:
    """The nodes so that each reads only names that are there or that an earlier one makes.

    The names that are ``taken`` cannot be made again, but those ``around`` can.
    """
    own = set(taken)
    known = own.union(around)
    producer: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in filter(None, node.proto.output):
            if name in producer or name in own:
                raise InputError(f"The tensor {name!r} is made twice.", where=node.place)
            producer[name] = index
    sorter = TopologicalSorter[int](dict.fromkeys(range(len(nodes)), ()))
    for index, node in enumerate(nodes):
        for name in {*filter(None, node.proto.input), *captured_names(node.proto)}:
            if name in producer:
                sorter.add(index, producer[name])
            elif name not in known:
                what = f"The tensor {name!r} is read, but nothing makes it."
                raise InputError(what, where=node.place)
    try:
        return [nodes[index] for index in sorter.static_order()]
    except CycleError as error:
        cycle: list[int] = error.args[1]
        raise InputError("The graph has a cycle.", where=nodes[min(cycle)].place) from None


def captured_names(node: onnx.NodeProto) -> Iterator[str]:
    """The tensors from outside that the branches and loop bodies of a node read."""
    for attribute in node.attribute:
        if attribute.type != GRAPH:
            continue
        graph = attribute.g
        own = {tensor.name for tensor in graph.initializer} | {info.name for info in graph.input}
        for inner in graph.node:
            own.update(inner.output)
        for inner in graph.node:
            yield from (name for name in inner.input if name and name not in own)
            yield from (name for name in captured_names(inner) if name not in own)
        yield from (info.name for info in graph.output if info.name not in own)


FLOAT, INT, STRING, TENSOR, GRAPH, FLOATS, INTS, STRINGS = 1, 2, 3, 4, 5, 6, 7, 8
SPARSE = 11
"""Codes of ``AttributeProto.AttributeType``."""

_NAMES = {
    FLOAT: "a float",
    INT: "an integer",
    STRING: "a string",
    TENSOR: "a tensor",
    GRAPH: "a graph",
    SPARSE: "a sparse tensor",
    FLOATS: "a list of floats",
    INTS: "a list of integers",
    STRINGS: "a list of strings",
}


@dataclass(slots=True)
class Attributes:
    """The attributes of one node; ``read`` collects the names that were asked for."""

    found: dict[str, onnx.AttributeProto]
    read: set[str] = field(default_factory=set[str])

    @staticmethod
    def of(protos: Iterable[onnx.AttributeProto]) -> Attributes:
        """The attributes by name."""
        found: dict[str, onnx.AttributeProto] = {}
        for proto in protos:
            name = name_text(proto.name)
            if name in found:
                raise InputError(f"The attribute {name!r} is given twice.")
            found[name] = proto
        return Attributes(found)

    def has(self, name: str) -> bool:
        """Whether the attribute is given."""
        return name in self.found

    def integer(self, name: str, default: int | None = None) -> int:
        """An integer; without a default it must be given."""
        proto = self._get(name, INT, required=default is None)
        return int(proto.i) if proto is not None else int(default or 0)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A truth value, stored as 0 or 1."""
        return self.integer(name, int(default)) != 0

    def real(self, name: str, default: float | None = None) -> Fraction:
        """A float, exactly; a default is rounded to single precision, as a stored one is."""
        proto = self._get(name, FLOAT, required=default is None)
        return rational(float(np.float32(default or 0)) if proto is None else proto.f)

    def integers(self, name: str) -> tuple[int, ...] | None:
        """A list of integers, or None."""
        proto = self._get(name, INTS, required=False)
        return None if proto is None else tuple(int(i) for i in proto.ints)

    def reals(self, name: str) -> tuple[Fraction, ...] | None:
        """A list of floats, exactly, or None."""
        proto = self._get(name, FLOATS, required=False)
        return None if proto is None else tuple(rational(f) for f in proto.floats)

    def text(self, name: str, default: str | None = None) -> str:
        """A string; without a default it must be given."""
        proto = self._get(name, STRING, required=default is None)
        return _decode(proto.s) if proto is not None else str(default)

    def texts(self, name: str) -> tuple[str, ...] | None:
        """A list of strings, or None."""
        proto = self._get(name, STRINGS, required=False)
        return None if proto is None else tuple(_decode(s) for s in proto.strings)

    def tensor(self, name: str) -> onnx.TensorProto | None:
        """A tensor, or None."""
        proto = self._get(name, TENSOR, required=False)
        return None if proto is None else proto.t

    def sparse(self, name: str) -> onnx.SparseTensorProto | None:
        """A sparse tensor, or None."""
        proto = self._get(name, SPARSE, required=False)
        return None if proto is None else proto.sparse_tensor

    def graph(self, name: str) -> onnx.GraphProto:
        """A graph, such as a branch or the body of a loop."""
        proto = self._get(name, GRAPH, required=True)
        if proto is None:
            raise InputError(f"The attribute {name!r} is missing.")
        return proto.g

    def ignore(self, *names: str) -> None:
        """Count attributes as read that do not change the function."""
        self.read.update(names)

    def refuse_unread(self) -> None:
        """Refuse attributes that no reader asked for: they might change the function."""
        unread = sorted(set(self.found) - self.read)
        if unread:
            raise UnsupportedError(f"attribute {', '.join(map(repr, unread))} is not read here.")

    def _get(self, name: str, kind: int, *, required: bool) -> onnx.AttributeProto | None:
        self.read.add(name)
        proto = self.found.get(name)
        if proto is None:
            if required:
                raise InputError(f"The attribute {name!r} is missing.")
            return None
        if proto.type != kind:
            raise InputError(f"The attribute {name!r} must be {_NAMES[kind]}.")
        return proto


def _decode(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("A string attribute is not UTF-8.") from None


_BATCH = re.compile(r".*batch.*|n|b|bs|bsz|none|unk__.*|\?|", re.IGNORECASE)
"""Names that frameworks give to a batch; TensorFlow has numbers behind ``unk``."""

_NO_BATCH = re.compile(
    r".*(seq|len|time|step|token|frame|height|width|channel|feature|node|edge|point|[*+/]).*"
    r"|[thwcls]",
    re.IGNORECASE,
)
"""Names that say that a dimension is something else, or a product of a batch with it."""


def open_extents(info: onnx.ValueInfoProto) -> list[int | str | None]:
    """The shape of a tensor; an extent that is not fixed is its name, or None."""
    return [
        int(d.dim_value)
        if d.WhichOneof("value") == "dim_value" and d.dim_value >= 0
        else name_text(d.dim_param) or None
        for d in info.type.tensor_type.shape.dim
    ]


def _names_batch(name: str) -> bool:
    return bool(_BATCH.fullmatch(name)) and not _NO_BATCH.fullmatch(name)


class OpenDimensionError(InputError):
    """An input has a dimension without a size that cannot be taken for a batch."""


@dataclass(slots=True)
class Dimensions:
    """The sizes of dimensions by name, or by place as ``x[2]``; ``batches`` are read as 1.

    ``used`` are the sizes that were needed, ``notes`` what was assumed, and ``missing`` the names
    of dimensions that have no size.
    """

    given: Mapping[str, int] = field(default_factory=dict[str, int])
    batches: frozenset[str] = frozenset()
    used: set[str] = field(default_factory=set[str])
    notes: dict[str, None] = field(default_factory=dict[str, None])
    missing: dict[str, str] = field(default_factory=dict[str, str])

    @staticmethod
    def of(given: Mapping[str, int], infos: Iterable[onnx.ValueInfoProto]) -> Dimensions:
        """The sizes that are given, and the batches among the dimensions of inputs."""
        for name, size in given.items():
            if not 0 < size <= MAX_ELEMENTS:
                raise InputError(f"A dimension {name!r} cannot have size {size}.")
        firsts = (open_extents(info)[:1] for info in infos)
        names = {name for first in firsts for name in first if isinstance(name, str)}
        return Dimensions(given, frozenset(filter(_names_batch, names)))

    def shape(self, info: onnx.ValueInfoProto, known: Shape | None = None) -> Shape:
        """The shape of an input; one without a size has that of a ``known`` value, if it fits."""
        extents = open_extents(info)
        if known is not None and len(known) != len(extents):
            known = None
        return tuple(
            self._extent(info.name, axis, extents, None if known is None else known[axis])
            for axis in range(len(extents))
        )

    def _extent(
        self, name: str, axis: int, extents: Sequence[int | str | None], known: int | None
    ) -> int:
        extent, place = extents[axis], f"{name}[{axis}]"
        keys = [extent, place] if isinstance(extent, str) else [place]
        chosen = [key for key in keys if key in self.given]
        self.used.update(chosen)
        size = self.given[chosen[-1]] if chosen else None
        if isinstance(extent, int):
            return self._fixed(extent, place, size, known)
        if size is not None or known is not None:
            return known or 0 if size is None else size
        shown = "?" if extent is None else extent
        if self._is_batch(extent, axis, len(extents)):
            self.notes.setdefault(f"Dimension {shown!r} of input {name!r} is read as 1.")
            return 1
        key = place if extent is None else extent
        self.missing.setdefault(key, f"Dimension {shown!r} of input {name!r}")
        return 1

    def _fixed(self, extent: int, place: str, size: int | None, known: int | None) -> int:
        if size is not None and size != extent:
            raise InputError(f"The dimension {place} is {extent}, not {size}.")
        if extent == 0 and known is None:
            raise UnsupportedError(
                "a dimension is 0, so that it has no elements; if it stands for any size, "
                "set it to 1."
            )
        return extent

    def _is_batch(self, name: str | None, axis: int, rank: int) -> bool:
        if name in self.batches:
            return True
        return axis == 0 and rank > 1 and not _NO_BATCH.fullmatch(name or "")

    def check(self) -> None:
        """Nothing if every dimension has a size, and every size a dimension."""
        if self.missing:
            first, *others = self.missing.values()
            what = f"{first} has no size"
            more = f", and {len(others)} more have none." if others else "."
            options = " ".join(f"--dim {_quoted(name)}=SIZE" for name in self.missing)
            names = ", ".join(f"{name!r}: …" for name in self.missing)
            raise OpenDimensionError(
                what + more, hint=f"Give it: {options}, or tc.load(path, dims={{{names}}})."
            )
        unknown = [name for name in self.given if name not in self.used]
        if unknown:
            raise InputError(f"No input has an open dimension {unknown[0]!r}.")


def _quoted(name: str) -> str:
    """The name as a shell takes it."""
    return name if re.fullmatch(r"[\w.:-]+", name, re.ASCII) else f"'{name}'"
