"""PyTorch modules, through ``torch.export`` and the ONNX reader.

``torch.export`` captures the module as a graph and refuses Python control flow that depends on
data, which plain tracing would silently freeze.  The captured graph is written as ONNX without
constant folding or fusion, so that every weight is the number that the module stores.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import inspect
import io
import logging
import warnings
from collections.abc import Generator, Sequence
from types import ModuleType
from typing import Any, cast

from tamecheck.errors import InputError
from tamecheck.load.loaded import Loaded
from tamecheck.load.onnx_model import load_onnx
from tamecheck.load.torch_gradient import with_gradient

__all__ = ["from_torch"]

OPSET = 17


def from_torch(module: Any, example: Any) -> Loaded:
    """The function that a PyTorch module computes in evaluation mode.

    Parameters
    ----------
    module
        A ``torch.nn.Module``; its mode is the same afterwards.
    example
        A tensor or array, or a tuple of them: one argument of ``forward`` each.  Only shapes and
        element types matter; the shapes, the batch included, become those of the model.

    Raises
    ------
    InputError
        If PyTorch is missing, or cannot capture the module as a graph.
    UnsupportedError
        Listing every node with an operator that is not read.

    Notes
    -----
    Inputs have the names of the arguments of ``forward``; one output is named ``y``, several
    ``y0``, ``y1`` and so on.  ``torch.sign(0)`` is 0.
    """
    torch = _torch()
    where = f"torch:{type(module).__name__}"
    if not isinstance(module, torch.nn.Module):
        raise InputError("The model is no torch.nn.Module.", where=where)
    parts: Sequence[Any] = (
        cast("Sequence[Any]", example) if isinstance(example, (tuple, list)) else (example,)
    )
    tensors = tuple(torch.as_tensor(part) for part in parts)
    with _evaluation_mode(module), _silence(), torch.no_grad():
        try:
            data = _onnx(torch, module, tensors)
        except Exception as error:
            # torch.export has no common base for the many ways in which it refuses a module
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise InputError(
                f"PyTorch cannot capture the module as a graph ({reason[:200]}).",
                where=where,
                hint="Its forward must not branch on the values of tensors.",
            ) from error
    loaded = load_onnx(data, where=where)
    with _evaluation_mode(module), _silence():
        graph = with_gradient(torch, module, tensors, loaded.graph)
    return dataclasses.replace(loaded, graph=graph, format="torch", where=where)


def _torch() -> ModuleType:
    try:
        return importlib.import_module("torch")
    except ImportError:
        raise InputError(
            "PyTorch is not installed.", hint="Install it with: pip install 'tamecheck[torch]'."
        ) from None


def _onnx(torch: ModuleType, module: Any, tensors: tuple[Any, ...]) -> bytes:
    captured: Any = torch.export.export(module, tensors, strict=False)
    count = len(captured.graph_signature.user_outputs)
    names = ["y"] if count == 1 else [f"y{i}" for i in range(count)]
    options: dict[str, Any] = {
        "opset_version": OPSET,
        "do_constant_folding": False,
        # in mode EVAL the exporter would fuse batch normalisation into rounded weights
        "training": torch.onnx.TrainingMode.PRESERVE,
        "output_names": names,
    }
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        options["dynamo"] = False
    stream = io.BytesIO()
    torch.onnx.export(captured.module(), tensors, stream, **options)
    return stream.getvalue()


@contextlib.contextmanager
def _evaluation_mode(module: Any) -> Generator[None]:
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


@contextlib.contextmanager
def _silence() -> Generator[None]:
    """PyTorch reports progress and deprecations of its own exporter, which say nothing here."""
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
