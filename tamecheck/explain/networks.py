"""A model as a binarized network, and as a function of an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tamecheck.binarized import BinarizedNetwork, recognise
from tamecheck.explain.cell_rules_scores import scores_of
from tamecheck.ir.graph import Graph
from tamecheck.model import Model

__all__ = ["deciding", "image_shape", "network_of"]


def deciding(model: Model) -> Model:
    """The scores of a classifier alone: without a label beside them or a softmax after them.

    The largest score decides as the model does; of one score, whether it is positive.  A logistic
    function of one number decides by whether it exceeds 1/2, the index of the largest score by the
    score, and any other model with one number and no label is left as it is.
    """
    outputs = model.outputs
    if "label" not in outputs and len(outputs) != 1:
        return model
    graph, _ = scores_of(model.graph)
    return Model(replace(model.loaded, graph=graph))


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
    graph = deciding(model).graph if isinstance(model, Model) else model
    size = sum(int(np.prod(shape, dtype=np.int64)) for shape in graph.inputs.values())
    pairs = list(domain)
    if len(pairs) == 2 and not isinstance(pairs[0], (tuple, list)):
        pairs = [tuple(pairs)] * size
    return recognise(graph, pairs)
