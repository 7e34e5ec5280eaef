"""ONNX files as onnxruntime runs them, in the float type of the file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import Array, Shape
from tamecheck.loaders.agreement import Original, points_like, refuse_difference
from tamecheck.loaders.files import read_bytes

_TYPES: Mapping[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    **{
        f"tensor({word})": np.dtype(word).type
        for word in (
            *("float16", "bool", "int8", "int16", "int32", "int64"),
            *("uint8", "uint16", "uint32", "uint64"),
        )
    },
}


@dataclass(frozen=True, slots=True)
class Runtime:
    """An ``onnxruntime.InferenceSession``, and for each input zeros of its shape and type.

    An open extent is 1 unless shapes are given; the example has zeros and ones for integers.
    """

    session: Any
    example: Mapping[str, Array]

    @staticmethod
    def of(path: str | os.PathLike[str], shapes: Mapping[str, Shape] | None = None) -> Runtime:
        """The session of a file, gzipped or not, for inputs of the given shapes."""
        try:
            import onnxruntime
        except ImportError:
            raise InputError(
                "onnxruntime is not installed.", hint="Install it with: pip install onnxruntime."
            ) from None
        runtime = cast("Any", onnxruntime)
        options = runtime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        data = read_bytes(path)
        try:
            session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
            example = {
                t.name: _example(t, (shapes or {}).get(t.name)) for t in session.get_inputs()
            }
        except Exception as error:  # noqa: BLE001 (onnxruntime's own exceptions share no class)
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
            raise InputError(
                f"onnxruntime cannot run the file ({reason}).", where=str(path)
            ) from None
        return Runtime(session, example)

    def run(self, point: Mapping[str, Array]) -> dict[str, Array] | None:
        """The outputs at a point by name; None if onnxruntime fails there."""
        feeds = {name: point[name].astype(like.dtype) for name, like in self.example.items()}
        try:
            found = self.session.run(None, feeds)
        except Exception:  # noqa: BLE001 (onnxruntime's own exceptions share no class)
            return None
        names = [tensor.name for tensor in self.session.get_outputs()]
        return {name: np.asarray(array) for name, array in zip(names, found, strict=True)}


def replay_graph(
    graph: Graph, path: str | os.PathLike[str], given: Mapping[str, Array] | None = None
) -> None:
    """Do nothing if onnxruntime gives the values of the graph that was read from a file.

    Inputs that are ``given`` keep their values at all points.
    """
    runtime = Runtime.of(path, graph.inputs)
    fixed = dict(given or {})
    points = ({**point, **fixed} for point in points_like({**runtime.example, **fixed}))
    tensors = [*runtime.session.get_inputs(), *runtime.session.get_outputs()]
    single = any(tensor.type in ("tensor(float)", "tensor(float16)") for tensor in tensors)
    original = Original("onnxruntime", np.float32 if single else np.float64, runtime.run)
    refuse_difference(graph, original, points, where=str(path))


def _example(tensor: Any, given: Shape | None) -> Array:
    own = tuple(extent if isinstance(extent, int) else 1 for extent in tensor.shape)
    shape = own if given is None else given
    kind = np.dtype(_TYPES[tensor.type])
    if kind.kind in "iu":
        return np.asarray(np.arange(int(np.prod(shape))).reshape(shape) % 2, dtype=kind)
    return np.zeros(shape, dtype=kind)
