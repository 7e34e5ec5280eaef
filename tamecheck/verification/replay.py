"""Float32 runs of an ONNX file in onnxruntime, where that is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array
from tamecheck.loaders.files import suffix_of
from tamecheck.loaders.onnx.runtime import Runtime
from tamecheck.verification.witness import Replay

__all__ = ["onnx_replay"]


def onnx_replay(path: str | Path) -> Replay | None:
    """The model in an ``.onnx`` or ``.onnx.gz`` file as onnxruntime runs it; None if it cannot."""
    if suffix_of(path) != ".onnx":
        return None
    runtimes: list[Runtime] = []

    def run(x: Array) -> Array | None:
        try:
            if not runtimes:
                runtimes.append(Runtime.of(path))
        except InputError:
            return None
        runtime, start = runtimes[0], 0
        point: dict[str, Array] = {}
        for name, like in runtime.example.items():
            point[name] = x[start : start + like.size].reshape(like.shape)
            start += like.size
        found = runtime.run(point)
        if found is None:
            return None
        return np.concatenate([array.reshape(-1) for array in found.values()])

    return run
