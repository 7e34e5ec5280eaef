"""A trained binarized network: affine maps with signs between them, exactly as it is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.ir.graph import Graph, GraphBuilder
from tamecheck.ir.tensor import Array
from tamecheck.learn.onnx_export import onnx_bytes, write_onnx

if TYPE_CHECKING:
    from tamecheck.loaders.tables.schema import Schema
    from tamecheck.model import Model


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
        """Write the network as an ONNX file; see `tamecheck.learn.onnx_export`."""
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
