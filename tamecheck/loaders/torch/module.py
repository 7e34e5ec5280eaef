"""PyTorch modules, through ``torch.export`` and the ONNX reader.

``torch.export`` captures the module as a graph and refuses Python control flow that depends on
data, which plain tracing would silently freeze.  The captured graph is made functional and written
as ONNX without constant folding or fusion, so that every weight is the number that the module
stores.  What was read is compared with the module at random points.

A fake quantiser of training asks buffers whether it is on, which is a branch on the values of
tensors; so it is replaced by the function that it computes now.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import io
import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from tamecheck.errors import InputError, TamecheckError, UnsupportedError, package
from tamecheck.ir.tensor import Array
from tamecheck.loaders.agreement import Original, Point, points_like, refuse_difference
from tamecheck.loaders.loaded import Loaded
from tamecheck.loaders.onnx import load_onnx
from tamecheck.loaders.torch.gradient import with_gradient
from tamecheck.loaders.torch.graph import OPSET, Captured, capture, leaves

_CAPTURE = threading.RLock()
"""Capturing changes the warnings and the streams of the whole process, for one thread at a time."""


def from_torch(module: Any, example: Any) -> Loaded:
    """The function that a PyTorch module computes in evaluation mode.

    Writes in place are read as what they compute.  Module and example are copied first and stay as
    they are.  What was read is compared with the module at the example and at random points.

    Parameters
    ----------
    module
        A ``torch.nn.Module``.
    example
        A tensor or array, or a tuple of them: one argument of ``forward`` each; or a dictionary of
        arguments by name.  Shapes and element types become those of the model, the batch included;
        integers say in which range an argument may be.

    Raises
    ------
    InputError
        If PyTorch is missing, or cannot capture the module as a graph.
    UnsupportedError
        Listing every operator that is not read, with its line in the source; or naming the output
        in which the module differs from what was read.

    Notes
    -----
    Inputs have the names of the arguments of ``forward``; one output is named ``y``, several
    ``y0``, ``y1`` and so on, also where they are in a dictionary; where an input has such a name,
    ``output`` stands for ``y``.  ``torch.sign(0)`` is 0.
    """
    torch = _torch()
    where = f"torch:{type(module).__name__}"
    if not isinstance(module, torch.nn.Module):
        raise InputError("The model is no torch.nn.Module.", where=where)
    args, kwargs = _arguments(torch, example, where)
    with _silence(), torch.no_grad():
        own = _copy(torch, module, where).eval()
        fixed = fix_quantisers(torch, own, where)
        graph, data = _write(torch, fixed, args, kwargs, where)
    loaded = _read(graph, data, where)
    tensors = dict(zip(graph.inputs, [*args, *kwargs.values()], strict=True))
    point = {name: _array(tensor) for name, tensor in tensors.items()}
    run = _runner(torch, own, len(args), tensors, [name for name, _ in loaded.graph.outputs])
    precision = np.float32 if graph.single else np.float64
    original = Original("PyTorch", precision, run, partial(run, double=True))
    points = (
        {key: _array(torch.from_numpy(at[key]).to(tensors[key].dtype)) for key in at}
        for at in points_like(point)
    )
    with _silence():
        refuse_difference(loaded.graph, original, points, where=where)
        placed = _by_place(torch, own, len(args), tuple(kwargs)) if kwargs else own
        known = with_gradient(torch, placed, [*tensors.values()], loaded.graph)
    notes = (*loaded.notes, *graph.notes)
    return replace(loaded, graph=known, format="torch", where=where, notes=notes)


def _torch() -> Any:
    return package("torch", "torch")


def _arguments(torch: Any, example: Any, where: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The example as tensors of its own: those by place, and those by name."""

    def tensor(part: Any) -> Any:
        try:
            return torch.as_tensor(part).detach().clone()
        except (TypeError, ValueError, RuntimeError):
            raise InputError(
                f"An example of type {type(part).__name__} is no tensor.",
                where=where,
                hint="Give a tensor for each argument of forward.",
            ) from None

    if isinstance(example, Mapping):
        named = cast("Mapping[str, Any]", example)
        return (), {name: tensor(part) for name, part in named.items()}
    parts = cast("tuple[Any, ...]", example) if isinstance(example, (tuple, list)) else (example,)
    return tuple(tensor(part) for part in parts), {}


def _copy(torch: Any, module: Any, where: str) -> Any:
    """A copy that shares nothing with the module, so that whatever ``forward`` writes is lost."""
    parts: list[Any] = list(module.modules())
    values: list[Any] = [
        value for part in parts for value in dict[str, Any](part.__dict__).values()
    ]
    # a tensor computed from parameters, as weight normalisation keeps it, cannot be copied
    computed = [v for v in values if isinstance(v, torch.Tensor) and not v.is_leaf]
    try:
        return copy.deepcopy(module, {id(value): value.detach().clone() for value in computed})
    except Exception as error:
        # copying runs code of the module's author, which may raise anything
        reason = _line_of(error)
        raise InputError(f"The module cannot be copied ({reason}).", where=where) from error


def _write(
    torch: Any, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], where: str
) -> tuple[Captured, bytes]:
    """The functional graph of the module, and the same as ONNX."""
    graph: Captured | None = None
    try:
        graph = capture(torch, module, args, kwargs)
        return graph, _onnx(torch, graph, [*args, *kwargs.values()])
    except TamecheckError as error:
        if isinstance(error, UnsupportedError):
            raise UnsupportedError("These are not read:", nodes=error.nodes, where=where) from None
        raise InputError(error.what, where=where, hint=error.hint) from None
    except Exception as error:
        # torch.export has no common base for the many ways in which it refuses a module
        reason = _line_of(error)
        if graph is not None:
            reason = f"PyTorch cannot write the graph ({reason})."
            raise UnsupportedError(reason, where=where) from error
        branch = "Guard" in type(error).__name__ or "data-dependent" in str(error)
        hint = "Its forward must not branch on the values of tensors." if branch else ""
        if "classes.quantized" in str(error):
            hint = "Write a converted module with torch.onnx.export(dynamo=False); read the file."
        raise InputError(
            f"PyTorch cannot capture the module as a graph ({reason}){_source_line(error)}.",
            where=where,
            hint=hint,
        ) from error


def _line_of(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200].rstrip(". ")


def _source_line(error: Exception) -> str:
    """The line of the source at which PyTorch gave up."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.name == "forward" and "/torch/" not in f.filename]
    return f", at {Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""


def _onnx(torch: Any, graph: Captured, tensors: list[Any]) -> bytes:
    count = graph.outputs
    taken = any(name.rstrip("0123456789") == "y" for name in graph.inputs)
    stem = "output" if taken else "y"
    options: dict[str, Any] = {
        "opset_version": OPSET,
        # what the exporter does not know stands in the graph as it is, and the reader refuses it
        "operator_export_type": torch.onnx.OperatorExportTypes.ONNX_FALLTHROUGH,
        "do_constant_folding": False,
        # in mode EVAL the exporter would fuse batch normalisation into rounded weights
        "training": torch.onnx.TrainingMode.PRESERVE,
        "input_names": list(graph.inputs),
        "output_names": [f"{stem}{i}" for i in range(count)] if count > 1 else [stem],
    }
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        options["dynamo"] = False
    stream = io.BytesIO()
    torch.onnx.export(graph.module, tuple(tensors), stream, **options)
    return _with_inputs(stream.getvalue(), dict(zip(graph.inputs, tensors, strict=True)))


def _with_inputs(data: bytes, tensors: Mapping[str, Any]) -> bytes:
    """The model with all inputs in order: the exporter leaves out those that no output uses."""
    from onnx import ModelProto, ValueInfoProto, helper

    model = ModelProto.FromString(data)
    written: dict[str, ValueInfoProto] = {info.name: info for info in model.graph.input}
    arrays = {name: _array(tensor) for name, tensor in tensors.items() if name not in written}
    for name, array in arrays.items():
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        written[name] = helper.make_tensor_value_info(name, kind, array.shape)
    del model.graph.input[:]
    model.graph.input.extend(written.pop(name) for name in tensors)
    return model.SerializeToString()


def _read(graph: Captured, data: bytes, where: str) -> Loaded:
    """What the ONNX reader makes of the graph; refusals name operators and lines of the source."""
    try:
        return load_onnx(data, where=where)
    except UnsupportedError as error:
        nodes = [(_place(graph.places, label), why) for label, why in error.nodes]
        raise UnsupportedError("These are not read:", nodes=nodes, where=where) from None


def _place(places: Mapping[str, str], label: str) -> str:
    """The source of an ONNX node, whose name begins with that of the module it was run in."""
    scopes = [part.removesuffix("_call") for part in label.split("/")]
    return next((places[scope] for scope in scopes if scope in places), label)


def _runner(
    torch: Any, module: Any, placed: int, like: Mapping[str, Any], outputs: Sequence[str]
) -> Callable[..., dict[str, Array] | None]:
    """The module at a point, each time in the state that it has now."""

    def run(point: Point, *, double: bool = False) -> dict[str, Array] | None:
        # forward may write into its inputs
        tensors = [torch.from_numpy(point[name].copy()).to(like[name].dtype) for name in like]
        kept = torch.get_default_dtype()
        try:
            with _silence(), torch.no_grad():
                own = copy.deepcopy(module)
                if double:
                    torch.set_default_dtype(torch.float64)
                    own = own.double()
                    tensors = [t.double() if t.is_floating_point() else t for t in tensors]
                named = dict(zip([*like][placed:], tensors[placed:], strict=True))
                found = [_array(leaf) for leaf in leaves(own(*tensors[:placed], **named))]
        except Exception:  # noqa: BLE001 (foreign code, which may raise anything)
            return None
        finally:
            torch.set_default_dtype(kept)
        return dict(zip(outputs, found, strict=True))

    return run


def _by_place(torch: Any, module: Any, placed: int, names: tuple[str, ...]) -> Any:
    """The module as one that takes all its arguments by place."""

    class ByPlace(torch.nn.Module):
        def forward(self, *tensors: Any) -> Any:
            named = dict(zip(names, tensors[placed:], strict=True))
            return self.get_submodule("module")(*tensors[:placed], **named)

    whole: Any = ByPlace()
    whole.add_module("module", module)
    return whole


def _array(tensor: Any) -> Array:
    # NumPy has no bfloat16
    wide = tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor
    return np.array(wide.detach().cpu().numpy())


@contextlib.contextmanager
def _silence() -> Generator[None]:
    """PyTorch reports progress and deprecations of its own exporter, which say nothing here."""
    logger = logging.getLogger("torch")
    with (
        _CAPTURE,
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        level = logger.level
        warnings.simplefilter("ignore")
        try:
            # each change of a level makes all loggers forget what they are enabled for
            if level != logging.CRITICAL:
                logger.setLevel(logging.CRITICAL)
            yield
        finally:
            if logger.level != level:
                logger.setLevel(level)


def fix_quantisers(torch: Any, module: Any, where: str) -> Any:
    """The module, or a copy of it with each fake quantiser as a function, if it has any.

    Raises
    ------
    InputError
        If the observer of one is on, so that every input changes its scale.
    """
    # whoever has a fake quantiser has imported this
    known = sys.modules.get("torch.ao.quantization.fake_quantize")
    kind = getattr(known, "FakeQuantizeBase", ())
    if not any(isinstance(part, kind) for part in module.modules()):
        return module
    if isinstance(module, kind):
        return _fixed(torch, module, "", where)
    own = copy.deepcopy(module)
    for parent_name, parent in list(own.named_modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, kind):
                setattr(parent, name, _fixed(torch, child, f"{parent_name}.{name}", where))
    return own


def _fixed(torch: Any, quantiser: Any, name: str, where: str) -> Any:
    if bool(quantiser.observer_enabled[0]) and not _is_constant(quantiser):
        raise InputError(
            f"The observer of the fake quantiser {name.lstrip('.')!r} is on, so that every input "
            "changes its scale.",
            where=where,
            hint="Call module.apply(torch.ao.quantization.disable_observer) first.",
        )
    if not bool(quantiser.fake_quant_enabled[0]):
        return torch.nn.Identity()
    scale, zero = quantiser.scale.detach(), quantiser.zero_point.detach()
    observer = getattr(quantiser, "activation_post_process", quantiser)
    low, high = int(observer.quant_min), int(observer.quant_max)
    axis = int(quantiser.ch_axis) if getattr(quantiser, "is_per_channel", False) else -1

    one_scale, one_zero = float(scale.reshape(-1)[0]), int(zero.reshape(-1)[0])

    class Fixed(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            if axis < 0:
                return torch.fake_quantize_per_tensor_affine(x, one_scale, one_zero, low, high)
            scales, zeros = self.get_buffer("scale"), self.get_buffer("zero")
            return torch.fake_quantize_per_channel_affine(x, scales, zeros, axis, low, high)

    found: Any = Fixed()
    found.register_buffer("scale", scale.clone())
    found.register_buffer("zero", zero.clone())
    return found


def _is_constant(quantiser: Any) -> bool:
    """Whether the observer has a scale that nothing changes."""
    observer = getattr(quantiser, "activation_post_process", None)
    return "Fixed" in type(observer).__name__
