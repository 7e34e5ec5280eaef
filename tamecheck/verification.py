"""Properties in the hands of a user: a model and a property file, one answer."""

from __future__ import annotations

from pathlib import Path

from tamecheck.ir.spec import Specification
from tamecheck.load.vnnlib import read_vnnlib
from tamecheck.model import Model
from tamecheck.verify import Answer, onnx_replay
from tamecheck.verify import verify as verify_graph

__all__ = ["verify"]


def verify(
    model: Model,
    spec: Specification | str | Path,
    *,
    timeout: float | None = None,
    seed: int = 0,
) -> Answer:
    """Whether no input of the property's region is unsafe: a proof, an exact witness, or neither.

    Parameters
    ----------
    model
        The network.
    spec
        The property, or the path of its VNN-LIB file (``.vnnlib``, also ``.gz``).
    timeout
        Seconds; when they are over the answer is unknown.
    seed
        Seed of the search for a violation.

    Raises
    ------
    InputError
        If the property cannot be read, or does not fit the model.
    """
    found = spec if isinstance(spec, Specification) else read_vnnlib(spec)
    source = Path(model.loaded.where)
    replay = onnx_replay(source) if model.loaded.format == "onnx" and source.is_file() else None
    return verify_graph(model.graph, found, timeout=timeout, seed=seed, replay=replay)
