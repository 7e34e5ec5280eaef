"""Which reader a model file needs, by its suffix; readers are imported when they are needed."""

from __future__ import annotations

import os
from collections.abc import Mapping

from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array
from tamecheck.loaders.files import suffix_of
from tamecheck.loaders.loaded import Loaded

_PROGRAM = (
    "A program has other verbs: check, info, solve, dual and plot value; in Python tc.load_program."
)
_MODULE = "Pass the PyTorch module itself to tamecheck.from_torch(module, example)."
_ESTIMATOR = "Pass the fitted estimator itself to tamecheck.from_sklearn(estimator)."
_HINTS = {
    ".vnnlib": "A VNN-LIB file is a property: pass it with --spec, beside a model.",
    **dict.fromkeys((".mps", ".lp"), _PROGRAM),
    **dict.fromkeys((".pt", ".pth", ".pt2"), _MODULE),
    **dict.fromkeys((".pkl", ".joblib"), _ESTIMATOR),
}


def load(
    path: str | os.PathLike[str],
    *,
    given: Mapping[str, Array] | None = None,
    dims: Mapping[str, int] | None = None,
    replay: bool = False,
) -> Loaded:
    """The model in an ``.onnx`` or ``.json`` file, gzipped or not.

    See `tamecheck.load` for the parameters and errors.
    """
    suffix = suffix_of(path)
    # heavy readers are not imported by programs that do not use them
    if suffix == ".onnx":
        from tamecheck.loaders.onnx import load_onnx

        loaded = load_onnx(path, where=str(path), given=given, dims=dims)
        if replay:
            from tamecheck.loaders.onnx.runtime import replay_graph

            replay_graph(loaded.graph, path, given)
        return loaded
    if replay or dims:
        what = "be replayed" if replay else "have open dimensions"
        raise InputError(f"Only ONNX models can {what}.", where=str(path))
    if suffix == ".json":
        from tamecheck.loaders.json_model import read_graph

        return read_graph(path)
    raise InputError(
        f"A file with suffix {suffix!r} is no model.",
        where=str(path),
        hint=_HINTS.get(suffix, "Models are .onnx or .json files, also with .gz."),
    )
