"""What the translation of a node sees: inputs, attributes, the names in scope, the graph to add to.

Nodes of operator sets before 7 are read as newer ones: broadcasting was said by attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.loaders.kinds import Kind, code_of
from tamecheck.loaders.onnx.source import Attributes, name_text
from tamecheck.loaders.values import Emitter, Value, axis_in

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True, slots=True)
class TensorSequence:
    """A sequence of tensors: no tensor itself, but what other operators take one out of."""

    elements: tuple[Value, ...]


Item: TypeAlias = Value | TensorSequence
Outputs: TypeAlias = Item | tuple[Item, ...]


@dataclass(slots=True)
class Context:
    """One node of the source: its operator, the inputs (None for one that is left out), and so on.

    ``wanted`` is the number of outputs that it names; ``decode`` reads a tensor of an attribute;
    ``run`` gives the outputs of a graph of an attribute for inputs, under a name for errors.
    """

    op: str
    opset: int
    inputs: tuple[Item | None, ...]
    wanted: int
    attributes: Attributes
    emitter: Emitter
    decode: Callable[[Any], Value]
    run: Callable[[Any, Sequence[Item], str], list[Item]]

    def input(self, index: int) -> Value:
        """An input that must be there."""
        value = self.optional(index)
        if value is None:
            raise InputError(f"Input {index} is missing.")
        return value

    def optional(self, index: int) -> Value | None:
        """An input that may be left out."""
        found = self.inputs[index] if index < len(self.inputs) else None
        if isinstance(found, TensorSequence):
            raise InputError(f"Input {index} is a sequence, not a tensor.")
        return found

    def item(self, index: int) -> Item:
        """An input that must be there, a tensor or a sequence."""
        found = self.inputs[index] if index < len(self.inputs) else None
        if found is None:
            raise InputError(f"Input {index} is missing.")
        return found

    def sequence(self, index: int) -> tuple[Value, ...]:
        """The elements of an input that must be a sequence."""
        found = self.item(index)
        if not isinstance(found, TensorSequence):
            raise InputError(f"Input {index} is a tensor, not a sequence.")
        return found.elements

    def all_inputs(self) -> list[Value]:
        """The inputs of an operator that takes any positive number of them."""
        if not self.inputs:
            raise InputError("An input is missing.")
        return [self.input(index) for index in range(len(self.inputs))]

    def constant(self, content: Any, kind: Kind | None = None) -> Value:
        """A constant tensor."""
        return self.emitter.constant(content, kind)

    def integers_from(self, name: str, index: int) -> tuple[int, ...] | None:
        """A list of integers that older operator sets give as an attribute, newer as an input."""
        listed = self.attributes.integers(name)
        value = self.optional(index)
        return listed if value is None else value.integers(f"'{name}'")

    def axis(self, default: int | None, rank: int, *, end: bool = False) -> int:
        """The attribute ``axis`` as a non-negative number; ``end`` allows the rank itself."""
        axis = self.attributes.integer("axis", default)
        return axis if end and axis == rank else axis_in(axis, rank)


Lowering: TypeAlias = Callable[[Context], Outputs]
"""The translation of one operator: the values of its outputs."""


NUMPY_BROADCASTING = 7
"""The operator set that broadcasts as NumPy does."""

_PAIRS = frozenset(
    ("Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less")
)
_MODES = frozenset(("BatchNormalization", "Dropout"))


def renew(ctx: Context) -> Context:
    """The node as operator set 7 would have it."""
    ctx.attributes.ignore("consumed_inputs")
    if ctx.op in _MODES and not ctx.attributes.flag("is_test"):
        raise UnsupportedError("training mode, which is the default of this operator set.")
    if ctx.op == "Gemm":
        ctx.attributes.ignore("broadcast")
    if ctx.op == "PRelu":
        value, slope = ctx.input(0), ctx.input(1)
        if slope.rank == 1 and slope.shape != (1,) and value.rank > 1:
            return _second(ctx, slope.reshape((*slope.shape, *(1,) * (value.rank - 2))))
    if ctx.op not in _PAIRS:
        return ctx
    left, right = ctx.input(0), ctx.input(1)
    if not ctx.attributes.flag("broadcast"):
        if left.shape != right.shape:
            raise InputError(f"Shapes {left.shape} and {right.shape} differ.")
        return ctx
    after = 0
    if ctx.attributes.has("axis"):
        after = left.rank - ctx.axis(None, left.rank) - right.rank
    if after < 0 or right.rank > left.rank:
        raise InputError(f"Shape {right.shape} does not fit {left.shape}.")
    return _second(ctx, right.reshape((*right.shape, *(1,) * after)))


def _second(ctx: Context, value: Value) -> Context:
    return replace(ctx, inputs=(ctx.inputs[0], value, *ctx.inputs[2:]))


MAX_DEPTH = 64
"""Branches, loops and functions inside each other, at most."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the model, or the definition of an operator by others: its body and defaults.

    ``key`` is its domain, its name and which of several of that name it is.
    """

    key: tuple[str, str, str]
    proto: onnx.FunctionProto
    defaults: Mapping[str, onnx.AttributeProto]

    @property
    def attributes(self) -> set[str]:
        """The names of its attributes."""
        return {*self.proto.attribute, *self.defaults}


@dataclass(slots=True)
class Scope:
    """The tensors and attributes that nodes can name; what is not there is looked up ``outer``.

    ``stored`` are tensors that are decoded when they are first needed, ``absent`` the inputs of a
    function that its caller leaves out, ``label`` what stands before the names of nodes, ``calls``
    the functions that led here.
    """

    opsets: Mapping[str, int]
    values: dict[str, Item | None] = field(default_factory=dict[str, "Item | None"])
    stored: Mapping[str, onnx.TensorProto] = field(default_factory=dict[str, "onnx.TensorProto"])
    outer: Scope | None = None
    attributes: Mapping[str, onnx.AttributeProto] = field(
        default_factory=dict[str, "onnx.AttributeProto"]
    )
    absent: frozenset[str] = frozenset()
    label: str = ""
    depth: int = 0
    calls: tuple[tuple[str, str, str], ...] = ()

    def own(self) -> set[str]:
        """The names that stand for something here, whatever they mean around."""
        return {*self.values, *self.stored, *self.absent}

    def around(self) -> set[str]:
        """The names of what can be seen from here."""
        return set() if self.outer is None else self.outer.own() | self.outer.around()

    def holder(self, name: str) -> Scope | None:
        """The innermost scope that has a tensor."""
        scope: Scope | None = self
        while scope is not None and name not in scope.values and name not in scope.stored:
            scope = None if name in scope.absent else scope.outer
        return scope

    def is_absent(self, name: str) -> bool:
        """Whether a name is an input of a function that its caller leaves out."""
        scope: Scope | None = self
        while scope is not None and name not in scope.values and name not in scope.stored:
            if name in scope.absent:
                return True
            scope = scope.outer
        return False

    def inside(self, label: str, values: dict[str, Item | None], graph: onnx.GraphProto) -> Scope:
        """The scope of a branch, or of one trip of a loop."""
        return Scope(
            self.opsets,
            values,
            stored_in(graph),
            self,
            self.attributes,
            label=f"{label}/",
            depth=self._deeper(),
            calls=self.calls,
        )

    def called(
        self,
        function: Function,
        label: str,
        inputs: Sequence[Item | None],
        given: Iterable[onnx.AttributeProto],
    ) -> Scope:
        """The scope of a function's body, which sees only what it is given."""
        attributes = {proto.name: proto for proto in given}
        unknown = sorted(set(attributes) - function.attributes)
        if unknown:
            what = f"attribute {', '.join(map(repr, unknown))} is none of the function's."
            raise UnsupportedError(what)
        if function.key in self.calls:
            raise InputError(f"The function {function.proto.name!r} calls itself.")
        names = [name_text(name) for name in function.proto.input]
        if len(inputs) > len(names):
            raise InputError(f"The function {function.proto.name!r} takes {len(names)} inputs.")
        padded = [*inputs, *[None] * (len(names) - len(inputs))]
        present = {n: v for n, v in zip(names, padded, strict=True) if v is not None}
        return Scope(
            {**self.opsets, **opsets_of(function.proto.opset_import)},
            dict(present),
            attributes={**function.defaults, **attributes},
            absent=frozenset(names) - frozenset(present),
            label=f"{label}/",
            depth=self._deeper(),
            calls=(*self.calls, function.key),
        )

    def _deeper(self) -> int:
        if self.depth >= MAX_DEPTH:
            raise InputError(f"More than {MAX_DEPTH} branches and functions inside each other.")
        return self.depth + 1

    def resolve(self, node: onnx.NodeProto) -> onnx.NodeProto:
        """The node, with the attributes of the function that it stands in put in."""
        if not any(proto.ref_attr_name for proto in node.attribute):
            return node
        found = type(node)()
        found.CopyFrom(node)
        found.ClearField("attribute")
        for proto in node.attribute:
            if not proto.ref_attr_name:
                found.attribute.append(proto)
            elif proto.ref_attr_name in self.attributes:
                known = found.attribute.add()
                known.CopyFrom(self.attributes[proto.ref_attr_name])
                known.name = proto.name
        return found


def opsets_of(imports: Iterable[onnx.OperatorSetIdProto]) -> dict[str, int]:
    """The version of each operator set; the domain ``ai.onnx`` is the empty string."""
    return {
        "" if entry.domain == "ai.onnx" else entry.domain: int(entry.version) for entry in imports
    }


def stored_in(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    """The constants that are stored in a graph, by name."""
    found: dict[str, onnx.TensorProto] = {}
    for tensor in graph.initializer:
        if name_text(tensor.name) in found:
            raise InputError(f"The tensor {tensor.name!r} is stored twice.")
        found[tensor.name] = tensor
    return found


def functions_of(model: onnx.ModelProto) -> dict[tuple[str, str, str], Function]:
    """The functions that a model brings along."""
    found: dict[tuple[str, str, str], Function] = {}
    for proto in model.functions:
        domain = "" if proto.domain == "ai.onnx" else name_text(proto.domain)
        key = (domain, name_text(proto.name), name_text(proto.overload))
        if key in found:
            raise InputError(f"Two functions are named {proto.name!r}.")
        found[key] = Function(key, proto, {a.name: a for a in proto.attribute_proto})
    return found


@dataclass(frozen=True, slots=True)
class Definition:
    """How ONNX itself defines an operator by others, from some operator set on."""

    schema: Any
    version: int
    by_inputs: bool

    @staticmethod
    def of(domain: str, operator: str, opset: int) -> Definition | None:
        """The definition of an operator, if it has one."""
        from onnx import defs

        try:
            # the stubs of onnx know less than its versions do
            schema = cast("Any", defs.get_schema(operator, opset, domain))
        except defs.SchemaError:
            return None
        for listed, by_inputs in (
            (schema.function_opset_versions, False),
            (schema.context_dependent_function_opset_versions, True),
        ):
            versions = [version for version in listed if version <= opset]
            if versions:
                return Definition(schema, max(versions), by_inputs)
        return None

    def function(self, node: onnx.NodeProto, inputs: Sequence[Item | None]) -> Function:
        """The definition for the attributes of a node and for the types of its inputs."""
        from onnx import FunctionProto

        if self.by_inputs:
            types = [_type_of(value) for value in inputs]
            data = self.schema.get_context_dependent_function_with_opset_version(
                self.version, node.SerializeToString(), types
            )
        else:
            data = self.schema.get_function_with_opset_version(self.version)
        defaults = {
            name: attribute.default_value
            for name, attribute in self.schema.attributes.items()
            if attribute.default_value.name
        }
        key = (self.schema.domain, self.schema.name, "defined")
        return Function(key, FunctionProto.FromString(data), defaults)


def _type_of(item: Item | None) -> bytes:
    from onnx import TypeProto

    found = TypeProto()
    if isinstance(item, TensorSequence):
        for value in item.elements[:1]:
            # elements may differ in their shapes
            found.sequence_type.elem_type.tensor_type.elem_type = code_of(value.kind)
    elif item is not None:
        found.tensor_type.elem_type = code_of(item.kind)
        found.tensor_type.shape.SetInParent()
        for extent in item.shape:
            found.tensor_type.shape.dim.add().dim_value = extent
    return found.SerializeToString()
