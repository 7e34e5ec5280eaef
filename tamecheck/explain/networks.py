"""A model as a binarized network, and as a function of an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tamecheck.binarized import BinarizedNetwork, recognise
from tamecheck.ir.graph import Graph
from tamecheck.model import Model

__all__ = ["image_shape", "network_of"]


def image_shape(model: Model | Graph | BinarizedNetwork) -> tuple[int, ...]:
    """Rows and columns of a model's one input, if it is an image of one channel; else nothing."""
    if isinstance(model, BinarizedNetwork):
        return ()
    graph = model.graph if isinstance(model, Model) else model
    shapes = list(graph.inputs.values())
    wide = [size for size in shapes[0] if size != 1] if len(shapes) == 1 else []
    return tuple(wide) if len(wide) == 2 else ()


def network_of(model: Model | Graph | BinarizedNetwork, domain: Sequence[Any]) -> BinarizedNetwork:
    """The binarized network that a model is on a domain of two levels."""
    if isinstance(model, BinarizedNetwork):
        return model
    graph = model.graph if isinstance(model, Model) else model
    size = sum(int(np.prod(shape, dtype=np.int64)) for shape in graph.inputs.values())
    pairs = list(domain)
    if len(pairs) == 2 and not isinstance(pairs[0], (tuple, list)):
        pairs = [tuple(pairs)] * size
    return recognise(graph, pairs)
