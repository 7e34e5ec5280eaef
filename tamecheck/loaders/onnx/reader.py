"""The translation of a whole ONNX model, node by node."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tamecheck.errors import InputError, TamecheckError, UnsupportedError
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import Array, Shape
from tamecheck.loaders.kinds import kind_of
from tamecheck.loaders.loaded import Loaded
from tamecheck.loaders.onnx.constants import CONSTANTS
from tamecheck.loaders.onnx.context import Context, Lowering
from tamecheck.loaders.onnx.normalisation import NORMALISATION
from tamecheck.loaders.onnx.picking import PICKING
from tamecheck.loaders.onnx.pointwise import POINTWISE
from tamecheck.loaders.onnx.products import PRODUCTS
from tamecheck.loaders.onnx.quantisation import DOMAINS, QONNX, QUANTISATION
from tamecheck.loaders.onnx.quantised import MICROSOFT, QUANTISED
from tamecheck.loaders.onnx.recurrent import RECURRENT
from tamecheck.loaders.onnx.reductions import REDUCTIONS, SELECTION
from tamecheck.loaders.onnx.resize import RESIZE
from tamecheck.loaders.onnx.shaping import SHAPING
from tamecheck.loaders.onnx.signals import SIGNALS
from tamecheck.loaders.onnx.source import (
    Attributes,
    Source,
    SourceNode,
    name_text,
    order_nodes,
    read_source,
    source_nodes,
)
from tamecheck.loaders.onnx.tensors import read_tensor
from tamecheck.loaders.onnx.types import TYPES
from tamecheck.loaders.onnx.windows import WINDOWS
from tamecheck.loaders.tables.schema_file import METADATA_KEY
from tamecheck.loaders.values import Emitter, Value

if TYPE_CHECKING:
    from onnx import TensorProto, ValueInfoProto

__all__ = ["LOWERINGS", "input_shapes", "inspect", "load_onnx"]


LOWERINGS: Mapping[tuple[str, str], Lowering] = {
    **{
        ("", name): lowering
        for table in (
            *(POINTWISE, PRODUCTS, WINDOWS, NORMALISATION, SELECTION, SHAPING, CONSTANTS),
            *(REDUCTIONS, RESIZE, RECURRENT, QUANTISATION, QUANTISED),
            *(PICKING, SIGNALS, TYPES),
        )
        for name, lowering in table.items()
    },
    **{(domain, name): lowering for domain in DOMAINS for name, lowering in QONNX.items()},
    **{("com.microsoft", name): lowering for name, lowering in MICROSOFT.items()},
}
"""The translation of each operator; the domain ``ai.onnx`` is written as the empty string."""

NEWEST_OPSET = 28
"""The newest operator set whose node cases have been checked."""

_MALFORMED = (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError)


def load_onnx(
    source: str | os.PathLike[str] | bytes,
    *,
    where: str = "",
    given: Mapping[str, Array] | None = None,
) -> Loaded:
    """The function that an ONNX model computes, as an exact graph of primitive ops.

    Parameters
    ----------
    source
        A file, gzipped or not, or its bytes.
    where
        The name of the model in errors.
    given
        Values for inputs, used only where an input decides the shape of a result.

    Raises
    ------
    InputError
        If the file is malformed.
    UnsupportedError
        Listing every node that is not read, and why.
    """
    parsed = read_source(source, where)
    reading = _Reading(parsed, Emitter(dict(given or {})))
    with _prefix_place(parsed.where):
        graph = reading.graph()
    return Loaded(
        graph,
        "onnx",
        parsed.where,
        dict(reading.counts),
        tuple(reading.emitter.notes),
        metadata=next((e.value for e in parsed.model.metadata_props if e.key == METADATA_KEY), ""),
    )


def input_shapes(source: str | os.PathLike[str] | bytes) -> dict[str, Shape]:
    """The inputs that an ONNX model declares, and their shapes; an open extent is read as 1."""
    return {
        info.name: tuple(n if isinstance(n, int) else 1 for n in _extents(info))
        for info in read_source(source).inputs()
    }


@contextmanager
def _prefix_place(where: str) -> Generator[None]:
    """Put the place in front of what an error says about it."""
    try:
        yield
    except TamecheckError as error:
        place = f"{where}: {error.where}" if error.where else where
        if not isinstance(error, UnsupportedError):
            raise InputError(error.what, where=place, hint=error.hint) from None
        what = "These nodes are not read:" if error.nodes else error.what
        raise UnsupportedError(what, nodes=error.nodes, where=place, hint=error.hint) from None


@dataclass(slots=True)
class _Reading:
    """The state of one translation: the tensors so far, and what could not be read."""

    source: Source
    emitter: Emitter
    stored: Mapping[str, TensorProto] = field(default_factory=dict[str, "TensorProto"])
    counts: Counter[str] = field(default_factory=Counter[str])
    values: dict[str, Value | None] = field(default_factory=dict[str, "Value | None"])
    gaps: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def graph(self) -> Graph:
        proto = self.source.model.graph
        self.stored = self.source.initializers
        self._check_opsets()
        self._add_inputs()
        for tensor in proto.sparse_initializer:
            self.gaps.append((tensor.values.name, "a sparse tensor is not read."))
            self.values[tensor.values.name] = None
        nodes = source_nodes(proto)
        self.counts.update(node.operator for node in nodes)
        for node in order_nodes(nodes, {*self.stored, *self.values}):
            self._translate(node)
        outputs: dict[str, int] = {}
        for info in proto.output:
            name = name_text(info.name)
            if name not in self.values and name not in self.stored:
                raise InputError(f"Nothing makes the output {name!r}.")
            if name in outputs:
                raise InputError(f"Two outputs are named {name!r}.")
            value = self._value(name)
            if value is not None:
                outputs[name] = self.emitter.node(value)
        if self.gaps:
            raise UnsupportedError("", nodes=self.gaps)
        return self.emitter.builder.build(outputs)

    def _check_opsets(self) -> None:
        opsets = self.source.opsets
        if not opsets:
            raise InputError("The model names no operator set.")
        newest = opsets.get("", 1)
        if newest > NEWEST_OPSET:
            self.emitter.notes.setdefault(
                f"Operator set {newest} is newer than those that were checked ({NEWEST_OPSET})."
            )

    def _add_inputs(self) -> None:
        for info in self.source.inputs():
            name_text(info.name)
            if info.name in self.values:
                raise InputError(f"Two inputs are named {info.name!r}.")
            try:
                self.values[info.name] = self._input(info)
            except UnsupportedError as error:
                self.gaps.append((info.name, f"input: {error.what}"))
                self.values[info.name] = None

    def _input(self, info: ValueInfoProto) -> Value:
        field_name = info.type.WhichOneof("value")
        if field_name != "tensor_type":
            raise UnsupportedError(f"{field_name or 'no type'} is no tensor.")
        kind = kind_of(info.type.tensor_type.elem_type)
        if not info.type.tensor_type.HasField("shape"):
            raise InputError(
                f"Input {info.name!r} has no shape.", hint="Run onnx.shape_inference on the model."
            )
        shape: list[int] = []
        for dimension in info.type.tensor_type.shape.dim:
            extent = int(dimension.dim_value)
            if dimension.WhichOneof("value") != "dim_value" or extent < 0:
                name = name_text(dimension.dim_param) or "?"
                self.emitter.notes.setdefault(
                    f"Dimension {name!r} of input {info.name!r} is read as 1."
                )
                extent = 1
            if extent == 0 and info.name not in self.emitter.given:
                raise UnsupportedError(
                    "a dimension is 0, so that it has no elements; if it stands for any size, "
                    "set it to 1."
                )
            shape.append(extent)
        return self.emitter.input(info.name, tuple(shape), kind)

    def _value(self, name: str) -> Value | None:
        """A tensor that is there; stored ones are read when they are first needed."""
        if name not in self.values:
            try:
                self.values[name] = self._decode(self.stored[name])
            except UnsupportedError as error:
                self.gaps.append((name, f"tensor: {error.what}"))
                self.values[name] = None
        return self.values[name]

    def _decode(self, proto: TensorProto) -> Value:
        kind, array = read_tensor(proto, self.source.folder)
        return self.emitter.constant(array, kind, proto.name)

    def _translate(self, node: SourceNode) -> None:
        names = node.proto.output
        self.values.update(dict.fromkeys(filter(None, names)))
        lowering = LOWERINGS.get((node.domain, node.proto.op_type))
        if lowering is None:
            self.gaps.append((node.label, f"{node.operator}: the operator is not known."))
            return
        inputs = [self._value(name) if name else None for name in node.proto.input]
        if any(name and v is None for name, v in zip(node.proto.input, inputs, strict=True)):
            # it depends on a node that is listed already
            return
        self.emitter.label = node.label
        with _guard(node):
            try:
                context = Context(
                    op=node.proto.op_type,
                    opset=self.source.opsets.get(node.domain, 1),
                    inputs=tuple(inputs),
                    wanted=len(names),
                    attributes=Attributes.of(node.proto.attribute),
                    emitter=self.emitter,
                    decode=self._decode,
                )
                found = lowering(context)
                context.attributes.refuse_unread()
                values = (found,) if isinstance(found, Value) else found
            except UnsupportedError as error:
                self.gaps.append((node.label, f"{node.operator}: {error.what}"))
                return
        if any(names[len(values) :]):
            what = f"{node.operator}: output number {len(values)} is not read."
            self.gaps.append((node.label, what))
            return
        made = zip(names, values, strict=False)
        self.values.update((name, value) for name, value in made if name)


@contextmanager
def _guard(node: SourceNode) -> Generator[None]:
    """Turn what a malformed node causes into one error that names the node.

    A damaged file can hold any number anywhere, so that besides our own checks NumPy and the
    arithmetic of Python refuse some; both say so with the errors that are caught here.
    """
    place = f"{node.place} ({node.operator})"
    try:
        with np.errstate(all="ignore"):
            yield
    except UnsupportedError:
        raise
    except TamecheckError as error:
        where = place if error.where in ("", node.label) else f"{place}: {error.where}"
        raise InputError(error.what, where=where, hint=error.hint) from None
    except _MALFORMED as error:
        raise InputError(f"The node is malformed ({error}).", where=place) from None


def inspect(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Inputs, outputs, the number of parameters, operators, and the nodes that are not read.

    The keys are those of ``tamecheck info``.
    """
    source = read_source(path)
    graph = source.model.graph
    unsupported: list[dict[str, str]] = []
    notes: tuple[str, ...] = ()
    try:
        notes = load_onnx(path).notes
    except UnsupportedError as error:
        unsupported = [{"node": node, "why": why} for node, why in error.nodes]
    counts = Counter(node.operator for node in source_nodes(graph))
    return {
        "model": {"source": source.where, "sha256": None},
        "format": "onnx",
        "opsets": {domain or "ai.onnx": version for domain, version in source.opsets.items()},
        "inputs": [{"name": i.name, "shape": _extents(i)} for i in source.inputs()],
        "outputs": [{"name": o.name, "shape": _extents(o)} for o in graph.output],
        "parameters": sum(math.prod(tensor.dims) for tensor in graph.initializer),
        "ops": dict(sorted(counts.items())),
        "unsupported": unsupported,
        "notes": list(notes),
    }


def _extents(info: ValueInfoProto) -> list[int | str | None]:
    """The shape of a tensor; an extent that is not fixed is its name, or None."""
    return [
        int(d.dim_value) if d.WhichOneof("value") == "dim_value" else d.dim_param or None
        for d in info.type.tensor_type.shape.dim
    ]
