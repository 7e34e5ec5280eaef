"""Fitted scikit-learn estimators, as the real functions of their stored numbers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import Array
from tamecheck.loaders.agreement import Original, Point, points_like, refuse_difference
from tamecheck.loaders.loaded import Loaded
from tamecheck.loaders.sklearn import linear, trees
from tamecheck.loaders.sklearn.linear import KERNELS, TRANSFORMERS
from tamecheck.loaders.values import Emitter, Value

__all__ = ["from_sklearn"]

_PREDICTORS = {**linear.PREDICTORS, **trees.PREDICTORS}


def from_sklearn(estimator: Any) -> Loaded:
    """The function that a fitted scikit-learn estimator, or a pipeline of them, computes.

    The input ``x`` is one row of features.  A regressor has the output ``value``.  A classifier
    has ``decision``, which is its ``decision_function`` where it has one and its
    ``predict_proba`` where not, and ``label``, the index of the predicted class in ``classes_``.
    A pipeline that ends with a scaler has the output ``y``.  What was read is compared with the
    estimator's own methods at random points.

    Raises
    ------
    InputError
        If it is no estimator of scikit-learn, or is not fitted.
    UnsupportedError
        Listing every step that is not read; or naming the output in which the estimator differs
        from what was read.
    """
    steps = _steps(estimator)
    where = f"sklearn:{type(estimator).__name__}"
    refused = [
        (type(step).__name__, reason)
        for place, step in enumerate(steps)
        if (reason := _why_not(step, last=place == len(steps) - 1))
    ]
    if refused:
        raise UnsupportedError("scikit-learn:", nodes=refused, where=where)
    emitter = Emitter(folds=False)
    try:
        outputs = _outputs(emitter, estimator, steps)
        graph = emitter.builder.build({name: emitter.node(y) for name, y in outputs.items()})
    except AttributeError as error:
        raise InputError(
            f"The estimator is not fitted ({error}).", where=where, hint="Call fit first."
        ) from None
    # single precision, since trees compare features as float32
    zero = {"x": np.zeros(graph.inputs["x"], dtype=np.float32)}
    original = Original("scikit-learn", np.float64, _runner(estimator, graph))
    refuse_difference(graph, original, points_like(zero), where=where)
    names = [type(step).__name__ for step in steps]
    return Loaded(graph, "sklearn", where, {name: names.count(name) for name in sorted(set(names))})


def _runner(estimator: Any, graph: Graph) -> Callable[[Point], dict[str, Array]]:
    """The estimator's own methods by the names of the outputs."""

    def label(row: Array) -> Array:
        return np.flatnonzero(estimator.classes_ == estimator.predict(row)[0])

    methods: dict[str, Callable[[Array], Any]] = {
        "value": lambda row: estimator.predict(row)[0],
        "label": label,
        "y": lambda row: estimator.transform(row)[0],
        "decision": lambda row: (
            estimator.decision_function
            if hasattr(estimator, "decision_function")
            else estimator.predict_proba
        )(row)[0],
    }

    def run(point: Point) -> dict[str, Array]:
        row = point["x"].astype(np.float64)[None]
        with warnings.catch_warnings():
            # an estimator that was fitted to named columns warns of an array
            warnings.simplefilter("ignore")
            return {
                name: np.asarray(methods[name](row), dtype=np.float64).reshape(
                    graph.nodes[node].shape
                )
                for name, node in graph.outputs
            }

    return run


def _steps(estimator: Any) -> list[Any]:
    if not type(estimator).__module__.startswith("sklearn."):
        raise InputError(f"{type(estimator).__name__} is no estimator of scikit-learn.")
    if type(estimator).__name__ != "Pipeline":
        return [estimator]
    inner = [step for _, step in estimator.steps if step is not None and step != "passthrough"]
    return [part for step in inner for part in _steps(step)]


def _why_not(step: Any, *, last: bool) -> str:
    """Why a step is not read; empty if it is."""
    name = type(step).__name__
    if name not in TRANSFORMERS and not (last and name in _PREDICTORS):
        return "this estimator is not read"
    if getattr(step, "kernel", "linear") not in KERNELS:
        return f"its kernel is not read, only {', '.join(KERNELS)} are"
    return ""


def _outputs(emitter: Emitter, estimator: Any, steps: Sequence[Any]) -> dict[str, Value]:
    x = emitter.input("x", (int(estimator.n_features_in_),))
    for step in steps:
        name = type(step).__name__
        if name in _PREDICTORS:
            return _PREDICTORS[name](x, step)
        x = TRANSFORMERS[name](x, step)
    return {"y": x}
