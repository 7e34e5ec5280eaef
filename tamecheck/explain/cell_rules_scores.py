"""Where the scores of a classifier are in its graph, and the affine layer that it begins with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from fractions import Fraction
from typing import TypeAlias

import numpy as np

from tamecheck.cells.steps import steps_of
from tamecheck.cells.trace import deciding
from tamecheck.errors import UnsupportedError
from tamecheck.evaluate import exact_values
from tamecheck.ir.graph import Apply, Graph, Input
from tamecheck.ir.tensor import size_of

__all__ = ["Form", "Single", "affine_start", "scores_of"]

Form: TypeAlias = tuple[tuple[Fraction, ...], Fraction]
"""A linear form of all input elements, and its constant."""

_SOFT = ("softmax", "log_softmax")


class Single(Enum):
    """How an output decides: by its sign, or by the place of the largest score."""

    POSITIVE = "positive"
    LARGEST = "largest"


def scores_of(graph: Graph) -> tuple[Graph, Single]:
    """The graph with the one output that decides: scores, or a number that is positive for 1.

    Softmax and logistic functions at the end are left out, as they are monotone, and so is the
    index of the largest score.
    """
    logit = _logit(graph)
    if logit is not None:
        return _ending(graph, logit), Single.POSITIVE
    node = _indexed(graph, graph.outputs[0][1])
    node = _peeled(graph, node, (*_SOFT, "sigmoid") if _size(graph, node) == 1 else _SOFT)
    kind = Single.POSITIVE if _size(graph, node) == 1 else Single.LARGEST
    return _ending(graph, node), kind


def _size(graph: Graph, node: int) -> int:
    return size_of(graph.nodes[node].shape)


def _ending(graph: Graph, node: int) -> Graph:
    return replace(graph, outputs=(("scores", node),))


def _peeled(graph: Graph, node: int, names: Sequence[str]) -> int:
    found = graph.nodes[node]
    while isinstance(found, Apply) and found.op.name in ("reshape", *names):
        node = found.args[0]
        found = graph.nodes[node]
    return node


def _indexed(graph: Graph, node: int) -> int:
    """Of the index of the first largest of all scores: the scores."""
    last = graph.nodes[_peeled(graph, node, ())]
    if not isinstance(last, Apply) or last.op.name != "argmax" or last.params["last"]:
        return node
    shape, axis = graph.nodes[last.args[0]].shape, last.params["axis"]
    whole = isinstance(axis, int) and shape[axis] == size_of(shape) > 1
    return last.args[0] if whole else node


def _logit(graph: Graph) -> int | None:
    """Of a label that is 1 where a logistic function exceeds 1/2: the function's argument."""
    label = graph.nodes[dict(graph.outputs).get("label", graph.outputs[0][1])]
    if not isinstance(label, Apply) or label.op.name != "step":
        return None
    shifted = graph.nodes[label.args[0]]
    if not isinstance(shifted, Apply) or shifted.op.name != "sub":
        return None
    last = graph.nodes[_peeled(graph, shifted.args[0], ())]
    half = exact_values(replace(graph, outputs=(("half", shifted.args[1]),)), _zeros(graph))
    if not isinstance(last, Apply) or last.op.name != "sigmoid":
        return None
    return last.args[0] if half["half"].reshape(-1).tolist() == [Fraction(1, 2)] else None


def _zeros(graph: Graph) -> dict[str, np.ndarray]:
    return {name: np.zeros(shape) for name, shape in graph.inputs.items()}


def affine_start(graph: Graph, most: int) -> tuple[Graph, list[Form]]:
    """The graph after its first narrow affine layer, and that layer's values as exact forms.

    Parameters
    ----------
    graph
        With one output.
    most
        The most elements of the layer.

    Returns
    -------
    tuple[Graph, list of Form]
        The rest of the graph, whose one input is the layer.

    Raises
    ------
    UnsupportedError
        If all of the output does not depend on the inputs through one such layer.
    """
    last = graph.outputs[0][1]
    for index in graph.ancestors([last]):
        node = graph.nodes[index]
        if not isinstance(node, Apply) or size_of(node.shape) > most or graph.input_free[index]:
            continue
        nodes = list(graph.nodes)
        nodes[index] = Input("layer", node.shape)
        rest = _pruned(replace(graph, nodes=tuple(nodes)), last)
        if list(rest.inputs) != ["layer"]:
            continue
        start = _ending(graph, index)
        if any(deciding(step) is not None for step in steps_of(start).values()):
            break
        return rest, _forms(start)
    raise UnsupportedError(
        f"More than {most} inputs vary, and the model begins with no affine layer of at most "
        f"{most} neurons.",
        hint="Fix some inputs in --box (x[3]=1/2).",
    )


def _pruned(graph: Graph, last: int) -> Graph:
    """The graph of what an output needs."""
    needed = sorted(graph.ancestors([last]))
    place = {old: new for new, old in enumerate(needed)}
    nodes = [
        replace(node, args=tuple(place[arg] for arg in node.args))
        if isinstance(node, Apply)
        else node
        for node in (graph.nodes[old] for old in needed)
    ]
    return Graph(tuple(nodes), (("scores", place[last]),))


def _forms(graph: Graph) -> list[Form]:
    """The elements of an affine output, from its values at 0 and at the unit vectors."""
    sizes = [size_of(shape) for shape in graph.inputs.values()]
    total = sum(sizes)

    def at(place: int | None) -> list[Fraction]:
        flat = np.zeros(total)
        if place is not None:
            flat[place] = 1
        parts = np.split(flat, np.cumsum(sizes)[:-1])
        point = {
            name: part.reshape(shape)
            for (name, shape), part in zip(graph.inputs.items(), parts, strict=True)
        }
        return exact_values(graph, point)["scores"].reshape(-1).tolist()

    origin = at(None)
    columns = [[a - b for a, b in zip(at(i), origin, strict=True)] for i in range(total)]
    return [(tuple(column[k] for column in columns), c) for k, c in enumerate(origin)]
