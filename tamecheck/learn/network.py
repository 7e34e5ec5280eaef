"""A trained binarized network: affine maps with signs between them, exactly as it is stored.

As an ONNX file it is a chain of affine layers with the same value at every input.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.ir.graph import Graph, GraphBuilder
from tamecheck.ir.tensor import Array
from tamecheck.loaders.outputs import write_bytes
from tamecheck.loaders.tables.schema import Schema
from tamecheck.loaders.tables.schema_file import METADATA_KEY, schema_document

if TYPE_CHECKING:
    from tamecheck.loaders.tables.schema import Schema
    from tamecheck.model import Model


_OPSET = 17
_IR_VERSION = 8
_NAMES = {"sign": "binarized_network", "relu": "relu_network"}


def write_onnx(path: str | Path, data: bytes) -> None:
    """Write what `onnx_bytes` made.

    Raises `InputError` if the name does not end in ``.onnx``.
    """
    if Path(path).suffix.lower() != ".onnx":
        raise InputError("Networks are exported as ONNX.", where=str(path), hint="Name it .onnx.")
    write_bytes(path, data)


def onnx_bytes(
    layers: Sequence[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64] | None]],
    activation: Literal["sign", "relu"],
    schema: Schema | None = None,
    text: str = "",
) -> bytes:
    """The same bytes each time: input ``x`` of shape (rows, inputs), output ``scores``.

    ``layers`` are weights and offsets; a schema of the inputs goes into the metadata.  Numbers are
    float32 if each of them is one, else float64.  ONNX says sign(0) = 0, so the sign with
    sign(0) = 1 is written as ``where(a >= 0, 1, -1)``.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    arrays = [array for layer in layers for array in layer if array is not None]
    single = all(bool((a.astype(np.float32) == a).all()) for a in arrays)
    dtype, element = (np.float32, TensorProto.FLOAT) if single else (np.float64, TensorProto.DOUBLE)
    constants = {"zero": np.zeros((), dtype), "one": np.ones((), dtype)}
    constants["minus_one"] = -constants["one"]
    nodes: list[Any] = []

    def add(op: str, terms: list[str], output: str) -> str:
        name = output if activation == "sign" else None
        nodes.append(helper.make_node(op, terms, [output], name=name))
        return output

    value = "x"
    for number, (weights, offset) in enumerate(layers, start=1):
        terms = [value, f"weights_{number}"]
        constants[terms[1]] = weights.astype(dtype)
        if offset is not None:
            terms.append(f"offset_{number}")
            constants[terms[2]] = offset.astype(dtype)
        last = number == len(layers)
        op, output = (
            "MatMul" if offset is None else "Gemm",
            "scores" if last else f"affine_{number}",
        )
        affine = add(op, terms, output)
        if last:
            break
        if activation == "relu":
            value = add("Relu", [affine], f"relu_{number}")
        else:
            test = add("GreaterOrEqual", [affine, "zero"], f"test_{number}")
            value = add("Where", [test, "one", "minus_one"], f"sign_{number}")
    used = {name for node in nodes for name in node.input}
    ends = len(layers[0][0]), layers[-1][0].shape[1]
    graph = helper.make_graph(
        nodes,
        _NAMES[activation],
        [helper.make_tensor_value_info("x", element, ["rows", ends[0]])],
        [helper.make_tensor_value_info("scores", element, ["rows", ends[1]])],
        [numpy_helper.from_array(a, name) for name, a in constants.items() if name in used],
        doc_string=text or None,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="tamecheck",
    )
    cast("Any", onnx.checker).check_model(model, full_check=True)
    if schema is not None:
        document = json.dumps(schema_document(schema), allow_nan=False, separators=(",", ":"))
        entry = model.metadata_props.add()
        entry.key, entry.value = METADATA_KEY, document
    return model.SerializeToString(deterministic=True)


Floats: TypeAlias = npt.NDArray[np.float64]
WeightKind: TypeAlias = Literal["binary", "ternary", "real"]

_FLOAT32_BITS = 24
_MOST_PLACES = 12
_FEWEST_PLACES = 8
"""With fewer binary places, single precision keeps more of a layer than a grid does."""


def sign(values: Floats) -> Floats:
    """-1 for x < 0 and 1 for x ≥ 0: the sign of binarized networks, with sign(0) = 1."""
    return np.where(values >= 0, 1.0, -1.0)


@dataclass(frozen=True, eq=False)
class Layer:
    """The affine map ``x @ weights + offset``.

    Parameters
    ----------
    weights
        Of shape ``(inputs, outputs)``.
    offset
        Of shape ``(outputs,)``; a neuron's threshold is minus its offset.
    """

    weights: Floats
    offset: Floats

    def __post_init__(self) -> None:
        weights = np.array(self.weights, dtype=np.float64)
        offset = np.array(self.offset, dtype=np.float64)
        if weights.ndim != 2 or offset.shape != weights.shape[1:]:
            raise InputError(
                f"Weights of shape {weights.shape} and an offset of shape {offset.shape} "
                "are no layer.",
                hint="Give (inputs, outputs) and (outputs,).",
            )
        if not (np.isfinite(weights).all() and np.isfinite(offset).all()):
            raise InputError("A layer holds NaN or infinity.", hint="Weights must be finite.")
        for name, array in (("weights", weights), ("offset", offset)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def kind(self) -> WeightKind:
        """The smallest of the sets {-1, 1}, {-1, 0, 1} and the reals that holds the weights."""
        if bool((np.abs(self.weights) == 1).all()):
            return "binary"
        return "ternary" if bool(np.isin(self.weights, (-1, 0, 1)).all()) else "real"

    def __call__(self, x: Floats) -> Floats:
        """The image of each row."""
        return x @ self.weights + self.offset


@dataclass(frozen=True, eq=False)
class BinarizedNetwork:
    """``readout(sign(layer_k(... sign(layer_1(x)))))`` with sign(0) = 1.

    The last layer is the readout: one score for each class, and the decision is the first
    largest score.

    Parameters
    ----------
    layers
        The hidden layers, then the readout.
    """

    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        if not self.layers:
            raise InputError("A network needs at least a readout.")
        for number, (left, right) in enumerate(pairwise(self.layers)):
            if left.weights.shape[1] != right.weights.shape[0]:
                raise InputError(
                    f"Layer {number} gives {left.weights.shape[1]} values, the next one takes "
                    f"{right.weights.shape[0]}."
                )

    @property
    def widths(self) -> tuple[int, ...]:
        """The numbers of inputs, of neurons of each hidden layer, and of scores."""
        first = self.layers[0].weights.shape[0]
        return (first, *(int(layer.weights.shape[1]) for layer in self.layers))

    def hidden(self, x: Floats) -> list[Floats]:
        """The signs of each hidden layer, one row for each row of ``x``."""
        signs: list[Floats] = []
        for layer in self.layers[:-1]:
            x = sign(layer(x))
            signs.append(x)
        return signs

    def scores(self, x: Floats) -> Floats:
        """The scores of the classes, of shape ``(rows, classes)``, in float64.

        On inputs ±1 (or other small integers) the values of a network that `round_layers` made are
        exact: no sum of its terms needs more than 24 bits.
        """
        return self.layers[-1]((x, *self.hidden(x))[-1])

    def decide(self, x: Floats) -> npt.NDArray[np.int64]:
        """The index of the first largest score of each row."""
        return self.scores(x).argmax(axis=1)

    def graph(self) -> Graph:
        """The network in our language: input ``x``, output ``scores``."""
        builder = GraphBuilder()
        node = builder.input("x", (self.widths[0],))
        for number, layer in enumerate(self.layers):
            readout = number == len(self.layers) - 1
            name = "readout" if readout else f"layer {number}"
            matrix = builder.constant(_narrow(layer.weights), f"{name} weights")
            offset = builder.constant(_narrow(layer.offset), f"{name} offset")
            product = builder.apply(ops.MATMUL, [node, matrix], f"{name} product")
            node = builder.apply(ops.ADD, [product, offset], name)
            if not readout:
                node = builder.apply(ops.SIGN, [node], f"{name} sign", at_zero=Fraction(1))
        return builder.build({"scores": node})

    def to_model(self, schema: Schema | None = None) -> Model:
        """The network as a `tamecheck.Model`: check, verify, explain, plot or save it.

        Parameters
        ----------
        schema
            What its inputs are made of, if that is known.
        """
        from tamecheck.loaders import Loaded
        from tamecheck.model import Model

        name = "-".join(map(str, self.widths))
        return Model(Loaded(self.graph(), "learn", f"binarized network {name}", schema=schema))

    def export_onnx(self, path: str | Path, schema: Schema | None = None) -> None:
        """Write the network as an ONNX file; see `tamecheck.learn.network`."""
        write_onnx(path, self.onnx_bytes(schema))

    def onnx_bytes(self, schema: Schema | None = None) -> bytes:
        """What `export_onnx` writes."""
        layers = [(layer.weights, layer.offset) for layer in self.layers]
        return onnx_bytes(layers, "sign", schema, str(self))

    def __str__(self) -> str:
        kinds = ", ".join(layer.kind for layer in self.layers)
        return f"binarized network {'-'.join(map(str, self.widths))} (weights: {kinds})"


def _narrow(values: Floats) -> Array:
    """The same numbers as integers, or in single precision, where nothing is lost by it."""
    if bool((values == np.rint(values)).all()) and float(np.abs(values).max(initial=0)) < 2**53:
        return values.astype(np.int64)
    single = values.astype(np.float32)
    return single if bool((single == values).all()) else values


def round_layers(layers: Sequence[Layer], magnitude: float | None = 1.0) -> BinarizedNetwork:
    """The network with each layer's numbers rounded to multiples of a power of 1/2.

    The power of a layer is such that no partial sum of its terms needs more than 24 bits for
    integer inputs up to ``magnitude``: then float32, float64 and rational arithmetic give the
    same values in any order of summation, and an exported file cannot disagree with the model.
    Where inputs are arbitrary reals (None), the first layer is rounded to single precision instead.
    """
    sizes = [magnitude, *(1.0 for _ in layers[1:])]
    made = (_round_layer(layer, size) for layer, size in zip(layers, sizes, strict=True))
    return BinarizedNetwork(tuple(made))


def _round_layer(layer: Layer, magnitude: float | None) -> Layer:
    places = 0
    if magnitude is not None:
        reach = magnitude * np.abs(layer.weights).sum(axis=0) + np.abs(layer.offset)
        # one bit for rounding up
        places = _FLOAT32_BITS - 1 - int(np.ceil(np.log2(np.max(reach, initial=1.0))))
    if places < _FEWEST_PLACES:
        arrays = (layer.weights, layer.offset)
        return Layer(*(array.astype(np.float32).astype(np.float64) for array in arrays))
    scale = 2.0 ** min(places, _MOST_PLACES)
    return Layer(np.rint(layer.weights * scale) / scale, np.rint(layer.offset * scale) / scale)
