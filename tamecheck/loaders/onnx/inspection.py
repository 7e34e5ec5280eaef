"""What an ONNX file holds, also where it is not supported."""

from __future__ import annotations

import math
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

from tamecheck.errors import UnsupportedError
from tamecheck.loaders.onnx.order import source_nodes
from tamecheck.loaders.onnx.reader import load_onnx, read_source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from onnx import ValueInfoProto

__all__ = ["inspect"]


def inspect(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Inputs, outputs, the number of parameters, operators, and the nodes that are not read.

    The keys are those of ``tamecheck info``.
    """
    source = read_source(path)
    graph = source.model.graph
    unsupported: list[dict[str, str]] = []
    notes: tuple[str, ...] = ()
    try:
        notes = load_onnx(path).notes
    except UnsupportedError as error:
        unsupported = [{"node": node, "why": why} for node, why in error.nodes]
    counts = Counter(node.operator for node in source_nodes(graph))
    return {
        "model": {"source": source.where, "sha256": None},
        "format": "onnx",
        "opsets": {domain or "ai.onnx": version for domain, version in source.opsets.items()},
        "inputs": _shapes(source.inputs()),
        "outputs": _shapes(graph.output),
        "parameters": sum(math.prod(tensor.dims) for tensor in graph.initializer),
        "ops": dict(sorted(counts.items())),
        "unsupported": unsupported,
        "notes": list(notes),
    }


def _shapes(infos: Iterable[ValueInfoProto]) -> list[dict[str, Any]]:
    """Names and shapes; an extent that is not fixed is its name, or null."""
    return [
        {
            "name": info.name,
            "shape": [
                int(d.dim_value) if d.WhichOneof("value") == "dim_value" else d.dim_param or None
                for d in info.type.tensor_type.shape.dim
            ],
        }
        for info in infos
    ]
