"""A model as a binarized network, and as a function of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck.binarized import ThresholdNetwork, recognise
from tamecheck.errors import InputError
from tamecheck.evaluate import exact_values
from tamecheck.ir.arguments import instance, rationals
from tamecheck.ir.exact import rational
from tamecheck.ir.graph import Apply, Graph, Input
from tamecheck.ir.op import Routing
from tamecheck.ir.tensor import size_of
from tamecheck.loaders.tables.schema import Schema
from tamecheck.model import Model, from_sklearn

_SOFT = ("softmax", "log_softmax")


def scores_of(graph: Graph) -> tuple[Graph, bool]:
    """The graph with the one output that decides, and whether by its sign: it is positive for 1.

    Else the largest score decides.  Softmax and logistic functions at the end are left out, as
    they are monotone, and so is the index of the largest score.
    """
    logit = logit_of(graph)
    if logit is not None:
        return ending(graph, logit), True
    node = _indexed(graph, graph.outputs[0][1])
    by_sign = size_of(graph.nodes[node].shape) == 1
    node = _peel(graph, node, (*_SOFT, "sigmoid") if by_sign else _SOFT)
    return ending(graph, node), by_sign


def ending(graph: Graph, node: int) -> Graph:
    """The graph with a node as its one output."""
    return replace(graph, outputs=(("scores", node),))


def _peel(graph: Graph, node: int, names: Sequence[str] = ()) -> int:
    found = graph.nodes[node]
    while isinstance(found, Apply) and found.op.name in ("reshape", *names):
        node = found.args[0]
        found = graph.nodes[node]
    return node


def _indexed(graph: Graph, node: int) -> int:
    """Of the index of the first largest of all scores: the scores."""
    last = graph.nodes[_peel(graph, node)]
    if not isinstance(last, Apply) or last.op.name != "argmax" or last.params["last"]:
        return node
    shape, axis = graph.nodes[last.args[0]].shape, last.params["axis"]
    whole = isinstance(axis, int) and shape[axis] == size_of(shape) > 1
    return last.args[0] if whole else node


def logit_of(graph: Graph) -> int | None:
    """Of a label that is 1 where a number is positive, beside scores: the number.

    Of one that is 1 where a logistic function exceeds 1/2: the function's argument.
    """
    outputs = dict(graph.outputs)
    label = graph.nodes[outputs.get("label", graph.outputs[0][1])]
    if not isinstance(label, Apply) or label.op.name != "step" or label.params["at_zero"] != 0:
        return None
    shifted = graph.nodes[label.args[0]]
    if not isinstance(shifted, Apply) or shifted.op.name != "sub":
        return label.args[0] if "label" in outputs and size_of(shifted.shape) == 1 else None
    last = graph.nodes[_peel(graph, shifted.args[0])]
    if not isinstance(last, Apply) or last.op.name != "sigmoid":
        return None
    zeros = {name: np.zeros(shape) for name, shape in graph.inputs.items()}
    half = exact_values(ending(graph, shifted.args[1]), zeros)["scores"]
    return last.args[0] if half.reshape(-1).tolist() == [Fraction(1, 2)] else None


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


def image_shape(model: Model | Graph | ThresholdNetwork) -> tuple[int, ...]:
    """Rows and columns of a model's one input, if it is an image of one channel; else nothing."""
    if isinstance(model, ThresholdNetwork):
        return ()
    graph = model.graph if isinstance(model, Model) else model
    shapes = list(graph.inputs.values())
    wide = [size for size in shapes[0] if size != 1] if len(shapes) == 1 else []
    return tuple(wide) if len(wide) == 2 else ()


def network_of(
    model: Model | Graph | ThresholdNetwork, domain: Sequence[Any] | None = None
) -> ThresholdNetwork:
    """The binarized network that a model is on a domain of two levels.

    Parameters
    ----------
    model
        The model.
    domain
        The two levels of every input, or one such pair an input; what is known of the model if
        None, see `known_levels`.

    Raises
    ------
    UnsupportedError
        If the model is no binarized network there.
    InputError
        If the domain is neither given nor known.
    """
    if isinstance(model, ThresholdNetwork):
        return model
    given = deciding(model).graph if isinstance(model, Model) else model
    graph = instance(given, Graph, what="model", hint="Give a tamecheck.Model.")
    size = sum(map(size_of, graph.inputs.values()))
    pairs = known_levels(model) if domain is None else _pairs(domain)
    if pairs is None:
        # what is no binarized network anywhere is first of all that
        recognise(graph, [(-1, 1)] * size)
        raise InputError(
            "The domain is not known: which two values does each input take?",
            hint="Give them as domain=(-1, 1) or (0, 1) (--domain -1,1), or a table whose columns "
            "have two values (--data TABLE); for other values say the intervals: box= (--box).",
        )
    return recognise(graph, _repeat(pairs, size))


def _repeat(pairs: list[Any], size: int) -> list[Any]:
    """A pair for each input, of pairs or of the one that all have."""
    one = len(pairs) == 2 and not isinstance(pairs[0], (tuple, list))
    return [tuple(pairs)] * size if one else pairs


def pairs_of(domain: Sequence[Any], size: int) -> list[Any]:
    """The two levels of each of so many inputs."""
    return _repeat(_pairs(domain), size)


def _pairs(domain: Sequence[Any]) -> list[Any]:
    """Two levels, or pairs of them."""
    array = rationals(domain, what="domain")
    if array.shape != (2,) and (array.ndim != 2 or array.shape[1] != 2):
        raise InputError("The domain is no pair of levels, and no list of such pairs.")
    return array.tolist()


def known_levels(model: Model | Graph) -> list[Any] | None:
    """The two levels of each input, if they are known without being asked for.

    They are known of a model of ``tamecheck train`` or of an estimator that was trained on rows of
    two values.  A model that reads nothing of its inputs but their signs has -1 and 1: its values
    there are all that it has at inputs without a 0.
    """
    schema = model.schema if isinstance(model, Model) else None
    if schema is not None:
        return list(schema.pairs)
    graph = model.graph if isinstance(model, Model) else model
    return [-1, 1] if _reads_signs(graph) else None


def _reads_signs(graph: Graph) -> bool:
    """Whether every input, wherever it is moved to, is only ever the argument of a sign."""
    raw = {index for index, node in enumerate(graph.nodes) if isinstance(node, Input)}
    for index, node in enumerate(graph.nodes):
        if isinstance(node, Apply) and raw & set(node.args):
            if isinstance(node.op.meaning, Routing):
                raw.add(index)
            elif node.op.name != "sign":
                return False
    return not raw & {index for _, index in graph.outputs}


def occurring_network(about: Described, domain: Sequence[Any] | None) -> ThresholdNetwork:
    """The binarized network that a model is where its inputs can be.

    Raises `InputError` if the domain is neither given nor known, or is another than the one that is
    known.
    """
    schema = about.schema
    if schema is None or isinstance(about.model, ThresholdNetwork):
        return network_of(about.model, domain)
    network = network_of(about.model, schema.pairs)
    if domain is not None:
        pairs = _repeat(_pairs(domain), network.inputs)
        known = list(zip(network.low, network.high, strict=True))
        if [(rational(low), rational(high)) for low, high in pairs] != known:
            raise InputError(
                "The domain is another than the one that is known of the model.",
                where="domain",
                hint="Leave it out.",
            )
    return network


@dataclass(frozen=True, slots=True)
class Described:
    """A model with what is known of its inputs, and of what the classes are called.

    The model is without what turns rows of a table into its inputs; ``encoded`` says that it was
    given together with that.
    """

    model: Model | Graph | ThresholdNetwork
    schema: Schema | None = None
    classes: tuple[str, ...] = ()
    encoded: bool = False
    names: tuple[str, ...] | None = None
    """The columns that an estimator of scikit-learn was fitted to, if they have names."""
    values: Mapping[int, tuple[Fraction, ...]] = field(
        default_factory=dict[int, tuple[Fraction, ...]]
    )
    """The numbers of the columns that are categories of such an estimator."""


def describe(model: Any) -> Described:
    """A model, an estimator, or a pipeline: of a `Binariser` and one of ours, or of scikit-learn.

    Raises `InputError` if this is no model, and what `tamecheck.from_sklearn` raises.
    """
    steps: Any = getattr(model, "steps", None)
    if steps is not None and len(steps) == 2 and hasattr(steps[0][1], "schema"):
        return replace(describe(steps[1][1]), schema=steps[0][1].schema(), encoded=True)
    parts = [model] if steps is None else [part for _, part in steps]
    if any(hasattr(part, "schema") or hasattr(part, "to_model") for part in parts[:-1]):
        raise InputError(
            "A pipeline is a Binariser and an estimator of tamecheck.learn.",
            hint="Steps between them would change what the inputs say.",
        )
    if type(model).__module__.startswith("sklearn."):
        return _of_sklearn(model)
    if hasattr(model, "to_model"):
        read: Model = model.to_model()
        classes = tuple(map(str, getattr(model, "classes_", ())))
        return Described(read, read.schema, classes)
    if isinstance(model, Model):
        schema = model.schema
        return Described(model, schema, () if schema is None else schema.classes)
    if not isinstance(model, Graph | ThresholdNetwork):
        raise InputError(
            f"This is no model: {type(model).__name__}.",
            hint="Give a tc.Model, a fitted estimator, or a pipeline of these.",
        )
    return Described(model)


def _of_sklearn(estimator: Any) -> Described:
    """A fitted estimator of scikit-learn, or a pipeline of such."""
    from tamecheck.loaders.sklearn.meta import categories_of

    model = from_sklearn(estimator)
    names = getattr(estimator, "feature_names_in_", None)
    classes = tuple(map(str, getattr(estimator, "classes_", ())))
    if not classes:
        raise InputError(
            f"{type(estimator).__name__} is no classifier, so it decides nothing.",
            hint="A regressor's values are compared with a bound: tc.expression, or verify.",
        )
    values = {
        i: tuple(map(rational, found.tolist())) for i, found in categories_of(estimator).items()
    }
    given = None if names is None else tuple(map(str, names))
    return Described(model, None, classes, names=given, values=values)


def labels_of(network: ThresholdNetwork, classes: Sequence[Any]) -> tuple[str, ...]:
    """What the classes of a network are called; nothing if they have numbers only."""
    if len(classes) not in (0, network.classes):
        raise InputError(f"{len(classes)} labels for {network.classes} classes.")
    return tuple(map(str, classes))
