"""What an ONNX file declares: for ``tamecheck info``, and for reading a point."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tamecheck.errors import UnsupportedError
from tamecheck.ir.tensor import Shape
from tamecheck.loaders.onnx.context import opsets_of
from tamecheck.loaders.onnx.reader import load_onnx, prefix_place
from tamecheck.loaders.onnx.source import (
    Dimensions,
    OpenDimensionError,
    open_extents,
    read_source,
    source_nodes,
)


def input_shapes(
    source: str | os.PathLike[str] | bytes, dims: Mapping[str, int] | None = None
) -> dict[str, Shape]:
    """The inputs that an ONNX model declares, and their shapes; a batch is read as 1."""
    parsed = read_source(source)
    with prefix_place(parsed.where):
        dimensions = Dimensions.of(dims or {}, parsed.inputs())
        shapes = {info.name: dimensions.shape(info) for info in parsed.inputs()}
        dimensions.check()
    return shapes


def dims_for(source: str | os.PathLike[str] | bytes, shapes: Iterable[Shape]) -> dict[str, int]:
    """Sizes of a model's open dimensions that give its inputs, in order, these shapes."""
    return {
        f"{info.name}[{axis}]": shape[axis]
        for info, shape in zip(read_source(source).inputs(), shapes, strict=False)
        if len(shape) == len(open_extents(info))
        for axis, extent in enumerate(open_extents(info))
        if not isinstance(extent, int)
    }


def inspect(path: str | os.PathLike[str], dims: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Inputs, outputs, the number of parameters, operators, and the nodes that are not read.

    The keys are those of ``tamecheck info``.
    """
    source = read_source(path)
    graph, opsets = source.model.graph, opsets_of(source.model.opset_import)
    unsupported: list[dict[str, str]] = []
    notes: tuple[str, ...] = ()
    try:
        notes = load_onnx(path, dims=dims).notes
    except UnsupportedError as error:
        unsupported = [{"node": node, "why": why} for node, why in error.nodes]
    except OpenDimensionError as error:
        notes = (f"{error.what} {error.hint}",)
    counts = Counter(node.operator for node in source_nodes(graph.node))
    return {
        "model": {"source": source.where, "sha256": None},
        "format": "onnx",
        "opsets": {domain or "ai.onnx": version for domain, version in opsets.items()},
        "inputs": [{"name": i.name, "shape": open_extents(i)} for i in source.inputs()],
        "outputs": [{"name": o.name, "shape": open_extents(o)} for o in graph.output],
        "parameters": sum(math.prod(tensor.dims) for tensor in graph.initializer),
        "ops": dict(sorted(counts.items())),
        "unsupported": unsupported,
        "notes": list(notes),
    }
