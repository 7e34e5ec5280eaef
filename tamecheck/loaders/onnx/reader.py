"""The translation of a whole ONNX model, node by node."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from tamecheck.errors import InputError, TamecheckError, UnsupportedError
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import Array
from tamecheck.loaders.kinds import kind_of
from tamecheck.loaders.loaded import Loaded
from tamecheck.loaders.onnx.constants import CONSTANTS, read_sparse, read_tensor
from tamecheck.loaders.onnx.context import (
    NUMPY_BROADCASTING,
    Context,
    Definition,
    Function,
    Item,
    Lowering,
    Scope,
    TensorSequence,
    functions_of,
    opsets_of,
    renew,
    stored_in,
)
from tamecheck.loaders.onnx.contraction import PRODUCTS, REDUCTIONS, SELECTION
from tamecheck.loaders.onnx.control import CONTROL, SEQUENCES
from tamecheck.loaders.onnx.estimators import ESTIMATORS
from tamecheck.loaders.onnx.normalisation import NORMALISATION
from tamecheck.loaders.onnx.picking import PICKING
from tamecheck.loaders.onnx.pointwise import POINTWISE
from tamecheck.loaders.onnx.quantisation import DOMAINS, QONNX, QUANTISATION, TYPES
from tamecheck.loaders.onnx.quantised import MICROSOFT, QUANTISED
from tamecheck.loaders.onnx.recurrent import RECURRENT
from tamecheck.loaders.onnx.resize import RESIZE, SIGNALS
from tamecheck.loaders.onnx.sampling import SAMPLING
from tamecheck.loaders.onnx.shaping import SHAPING
from tamecheck.loaders.onnx.source import (
    Attributes,
    Dimensions,
    OpenDimensionError,
    Source,
    SourceNode,
    name_text,
    order_nodes,
    read_source,
    source_nodes,
)
from tamecheck.loaders.onnx.windows import WINDOWS
from tamecheck.loaders.tables.schema_file import METADATA_KEY
from tamecheck.loaders.values import Emitter, Value

if TYPE_CHECKING:
    from onnx import GraphProto, SparseTensorProto, TensorProto, ValueInfoProto


LOWERINGS: Mapping[tuple[str, str], Lowering] = {
    **{
        ("", name): lowering
        for table in (
            *(POINTWISE, PRODUCTS, WINDOWS, NORMALISATION, SELECTION, SHAPING, CONSTANTS),
            *(REDUCTIONS, RESIZE, RECURRENT, QUANTISATION, QUANTISED),
            *(PICKING, SIGNALS, TYPES, CONTROL, SAMPLING, SEQUENCES),
        )
        for name, lowering in table.items()
    },
    **{("ai.onnx.ml", name): lowering for name, lowering in ESTIMATORS.items()},
    **{(domain, name): lowering for domain in DOMAINS for name, lowering in QONNX.items()},
    **{("com.microsoft", name): lowering for name, lowering in MICROSOFT.items()},
}
"""The translation of each operator; the domain ``ai.onnx`` is written as the empty string."""

NEWEST_OPSET = 28
"""The newest operator set whose node cases have been checked."""

MAX_NODES = 2**17
"""A model whose loops and functions unroll to more nodes than this is refused."""

_RANDOM = "its values are random."
_STRINGS = "strings are not read."
REASONS: Mapping[str, str] = {
    **dict.fromkeys(("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike"), _RANDOM),
    **dict.fromkeys(("RandomUniform", "RandomUniformLike"), _RANDOM),
    **dict.fromkeys(("RegexFullMatch", "StringConcat", "StringNormalizer"), _STRINGS),
    **dict.fromkeys(("StringSplit", "TfIdfVectorizer"), _STRINGS),
}
"""Why operators are not read that are no functions of real numbers."""

_MALFORMED = (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError)


def load_onnx(
    source: str | os.PathLike[str] | bytes,
    *,
    where: str = "",
    given: Mapping[str, Array] | None = None,
    hidden: Sequence[str] = (),
    dims: Mapping[str, int] | None = None,
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
    hidden
        Names of inner tensors, which become further outputs after those of the model.
    dims
        Sizes of open dimensions, by name or as ``x[2]``; a batch needs none and is then 1.

    Raises
    ------
    InputError
        If the file is malformed.
    UnsupportedError
        Listing every node that is not read, and why.
    """
    parsed = read_source(source, where)
    with prefix_place(parsed.where):
        functions = functions_of(parsed.model)
        emitter = Emitter(dict(given or {}))
        dimensions = Dimensions.of(dims or {}, parsed.inputs())
        reading = _Reading(parsed, emitter, dimensions, functions, tuple(hidden))
        graph = reading.graph()
    return Loaded(
        graph,
        "onnx",
        parsed.where,
        dict(reading.counts),
        tuple(reading.emitter.notes),
        metadata=next((e.value for e in parsed.model.metadata_props if e.key == METADATA_KEY), ""),
        types={i.name: kind_of(i.type.tensor_type.elem_type).word for i in parsed.inputs()},
    )


@contextmanager
def prefix_place(where: str) -> Generator[None]:
    """Put the place in front of what an error says about it."""
    try:
        yield
    except TamecheckError as error:
        place = f"{where}: {error.where}" if error.where else where
        if not isinstance(error, UnsupportedError):
            kind = OpenDimensionError if isinstance(error, OpenDimensionError) else InputError
            raise kind(error.what, where=place, hint=error.hint) from None
        what = "These nodes are not read:" if error.nodes else error.what
        raise UnsupportedError(what, nodes=error.nodes, where=place, hint=error.hint) from None


class _ListedError(UnsupportedError):
    """A node cannot be read since one inside it is not, which is listed already."""


@dataclass(slots=True)
class _Reading:
    """The state of one translation: the graph so far, and what could not be read."""

    source: Source
    emitter: Emitter
    dimensions: Dimensions
    functions: Mapping[tuple[str, str, str], Function]
    hidden: tuple[str, ...] = ()
    counts: Counter[str] = field(default_factory=Counter[str])
    gaps: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    translated: int = 0

    def graph(self) -> Graph:
        proto = self.source.model.graph
        opsets = opsets_of(self.source.model.opset_import)
        self._check_opsets(opsets)
        scope = Scope(opsets, stored=stored_in(proto))
        self._add_inputs(scope)
        nodes = source_nodes(proto.node)
        self.counts.update(node.operator for node in nodes)
        self._add_sparse(proto, scope)
        self._translate_all(scope, nodes)
        outputs: dict[str, int] = {}
        # a hidden tensor may go by the name of the node that makes it
        made = {node.proto.name: node.proto.output[0] for node in nodes if node.proto.output}
        for name in (*(name_text(info.name) for info in proto.output), *self.hidden):
            if name in outputs:
                raise InputError(f"Two outputs are named {name!r}.")
            known = name not in self.hidden or scope.holder(name) is not None
            value = self._output(scope, name if known else made.get(name, name))
            if isinstance(value, TensorSequence):
                self.gaps.append((name, "the output is a sequence."))
            elif value is not None and value.infinite is not None:
                self.gaps.append((name, "an element of the output is -inf."))
            elif value is not None:
                outputs[name] = self.emitter.node(value)
            elif not self.gaps:
                raise InputError(f"The output {name!r} depends on itself.")
        if self.gaps:
            raise UnsupportedError("", nodes=self.gaps)
        return self.emitter.builder.build(outputs)

    def _check_opsets(self, opsets: Mapping[str, int]) -> None:
        if not opsets:
            raise InputError("The model names no operator set.")
        newest = opsets.get("", 1)
        if newest > NEWEST_OPSET:
            self.emitter.notes.setdefault(
                f"Operator set {newest} is newer than those that were checked ({NEWEST_OPSET})."
            )

    def _add_inputs(self, scope: Scope) -> None:
        for info in self.source.inputs():
            name_text(info.name)
            if info.name in scope.values:
                raise InputError(f"Two inputs are named {info.name!r}.")
            try:
                scope.values[info.name] = self._input(info)
            except UnsupportedError as error:
                self.gaps.append((info.name, f"input: {error.what}"))
                scope.values[info.name] = None
        self.dimensions.check()
        self.emitter.notes.update(self.dimensions.notes)

    def _input(self, info: ValueInfoProto) -> Value:
        field_name = info.type.WhichOneof("value")
        if field_name != "tensor_type":
            raise UnsupportedError(f"{field_name or 'no type'} is no tensor.")
        kind = kind_of(info.type.tensor_type.elem_type)
        if not info.type.tensor_type.HasField("shape"):
            raise InputError(
                f"Input {info.name!r} has no shape.", hint="Run onnx.shape_inference on the model."
            )
        known = self.emitter.given.get(info.name)
        shape = self.dimensions.shape(info, None if known is None else known.shape)
        return self.emitter.input(info.name, shape, kind)

    def _add_sparse(self, proto: GraphProto, scope: Scope) -> None:
        for tensor in proto.sparse_initializer:
            name = name_text(tensor.values.name)
            try:
                scope.values[name] = self._decode(tensor)
            except UnsupportedError as error:
                self.gaps.append((name, f"tensor: {error.what}"))
                scope.values[name] = None

    def _value(self, scope: Scope, name: str) -> Item | None:
        """A tensor that is there; stored ones are read when they are first needed."""
        holder = scope.holder(name)
        if holder is None:
            raise InputError(f"The tensor {name!r} is read, but nothing makes it.")
        if name not in holder.values:
            try:
                holder.values[name] = self._decode(holder.stored[name])
            except UnsupportedError as error:
                self.gaps.append((name, f"tensor: {error.what}"))
                holder.values[name] = None
        return holder.values[name]

    def _output(self, scope: Scope, name: str) -> Item | None:
        if scope.holder(name) is None:
            raise InputError(f"Nothing makes the output {name!r}.")
        return self._value(scope, name)

    def _decode(self, proto: TensorProto | SparseTensorProto) -> Value:
        from onnx import TensorProto

        if isinstance(proto, TensorProto):
            kind, array = read_tensor(proto, self.source.folder)
            return self.emitter.constant(array, kind, proto.name)
        kind, array = read_sparse(proto, self.source.folder)
        return self.emitter.constant(array, kind, proto.values.name)

    def _translate_all(self, scope: Scope, nodes: Sequence[SourceNode]) -> None:
        self.translated += len(nodes)
        if self.translated > MAX_NODES:
            raise InputError(f"The model has more than {MAX_NODES} nodes when it is unrolled.")
        for node in order_nodes(nodes, scope.own(), scope.around()):
            self._translate(scope, node)

    def _translate(self, scope: Scope, node: SourceNode) -> None:
        names = node.proto.output
        scope.values.update(dict.fromkeys(filter(None, names)))
        given = [name if name and not scope.is_absent(name) else "" for name in node.proto.input]
        meaning = self._meaning(scope, node)
        if meaning is None:
            why = REASONS.get(node.proto.op_type, "the operator is not known.")
            self.gaps.append((node.label, f"{node.operator}: {why}"))
            return
        with _guard(node):
            inputs = [self._value(scope, name) if name else None for name in given]
            if any(name and v is None for name, v in zip(given, inputs, strict=True)):
                # it depends on a node that is listed already
                return
            try:
                values = self._apply(scope, node, meaning, inputs)
            except _ListedError:
                return
            except UnsupportedError as error:
                self.gaps.append((node.label, f"{node.operator}: {error.what}"))
                return
        if any(names[len(values) :]):
            what = f"{node.operator}: output number {len(values)} is not read."
            self.gaps.append((node.label, what))
            return
        made = zip(names, values, strict=False)
        scope.values.update((name, value) for name, value in made if name)

    def _meaning(self, scope: Scope, node: SourceNode) -> Function | Lowering | Definition | None:
        """What an operator is: a function of the model, our translation, or ONNX's definition."""
        operator, opset = node.proto.op_type, scope.opsets.get(node.domain, 1)
        function = self.functions.get((node.domain, operator, node.proto.overload))
        known = function or LOWERINGS.get((node.domain, operator))
        if known is not None or operator in REASONS:
            return known
        return Definition.of(node.domain, operator, opset)

    def _apply(
        self,
        scope: Scope,
        node: SourceNode,
        meaning: Function | Lowering | Definition,
        inputs: Sequence[Item | None],
    ) -> Sequence[Item | None]:
        """The outputs of a node; None where no name is wanted."""
        proto = scope.resolve(node.proto)
        if isinstance(meaning, Definition):
            meaning = meaning.function(proto, inputs)
        if isinstance(meaning, Function):
            inner = scope.called(meaning, node.label, inputs, proto.attribute)
            self._translate_all(inner, source_nodes(meaning.proto.node, inner.label))
            made = zip(meaning.proto.output, proto.output, strict=False)
            return self._outputs(inner, [name if wanted else "" for name, wanted in made])
        self.emitter.label = node.label
        context = Context(
            op=proto.op_type,
            opset=scope.opsets.get(node.domain, 1),
            inputs=tuple(inputs),
            wanted=len(proto.output),
            attributes=Attributes.of(proto.attribute),
            emitter=self.emitter,
            decode=self._decode,
            run=partial(self._run, scope, node.label),
        )
        if node.domain == "" and context.opset < NUMPY_BROADCASTING:
            context = renew(context)
        found = meaning(context)
        context.attributes.refuse_unread()
        return found if isinstance(found, tuple) else (found,)

    def _run(
        self, scope: Scope, label: str, graph: GraphProto, inputs: Sequence[Item], part: str
    ) -> list[Item]:
        """The outputs of a branch, or of one trip of a loop."""
        names = [name_text(info.name) for info in graph.input]
        if len(names) != len(inputs):
            raise InputError(f"The body takes {len(names)} inputs, not {len(inputs)}.")
        inner = scope.inside(f"{label}/{part}", dict(zip(names, inputs, strict=True)), graph)
        self._add_sparse(graph, inner)
        self._translate_all(inner, source_nodes(graph.node, inner.label))
        found = self._outputs(inner, [info.name for info in graph.output])
        return [value for value in found if value is not None]

    def _outputs(self, scope: Scope, names: Sequence[str]) -> list[Item | None]:
        """The results of a body; None for those without a name, which nobody wants."""
        found = [self._output(scope, name_text(name)) if name else None for name in names]
        if any(name and value is None for name, value in zip(names, found, strict=True)):
            raise _ListedError("")
        return found


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
