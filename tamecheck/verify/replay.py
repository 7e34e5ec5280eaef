"""Float32 runs of an ONNX file in onnxruntime, where that is installed."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from tamecheck.ir.tensor import Array
from tamecheck.load.files import read_bytes, suffix_of
from tamecheck.verify.witness import Replay

__all__ = ["onnx_replay"]

_TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64}


def onnx_replay(path: str | Path) -> Replay | None:
    """The model in an ``.onnx`` or ``.onnx.gz`` file as onnxruntime runs it; None if it cannot."""
    if suffix_of(path) != ".onnx":
        return None
    try:
        # onnxruntime is no dependency, and has no type information
        runtime: Any = importlib.import_module("onnxruntime")
    except ImportError:
        return None
    data = read_bytes(path)
    sessions: list[Any] = []

    def run(x: Array) -> Array | None:
        try:
            if not sessions:
                options = runtime.SessionOptions()
                options.log_severity_level = 4
                options.intra_op_num_threads = 1
                providers = ["CPUExecutionProvider"]
                sessions.append(runtime.InferenceSession(data, options, providers=providers))
            return _run(sessions[0], x)
        except (RuntimeError, ValueError, KeyError, TypeError):
            return None
        except Exception as error:
            # onnxruntime's own exceptions share no other class
            if type(error).__module__.startswith("onnxruntime"):
                return None
            raise

    return run


def _run(session: Any, x: Array) -> Array:
    feeds: dict[str, Array] = {}
    start = 0
    for tensor in session.get_inputs():
        shape = [n if isinstance(n, int) else 1 for n in tensor.shape]
        stop = start + int(np.prod(shape))
        feeds[tensor.name] = x[start:stop].reshape(shape).astype(_TYPES[tensor.type])
        start = stop
    found = session.run(None, feeds)
    return np.concatenate([np.asarray(array).reshape(-1) for array in found])
