"""What scikit-learn's estimators compute, those too that hand the row on to others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from tamecheck import ops
from tamecheck.errors import TamecheckError, UnsupportedError
from tamecheck.ir.tensor import Array
from tamecheck.loaders.sklearn import features, kernels, linear, neighbours, transformers, trees
from tamecheck.loaders.sklearn.ensembles import ensembles
from tamecheck.loaders.sklearn.methods import (
    Method,
    Methods,
    dense,
    join,
    regressor,
    scalar,
    transformer,
)
from tamecheck.loaders.sklearn.transformers import INVERSES
from tamecheck.loaders.values import Value

_CLASSIFIES = ("predict", "decision_function", "predict_proba")
_ALL = ("transform", *_CLASSIFIES)


def _each(method: Callable[[str], Method], names: Sequence[str] = _ALL) -> Methods:
    """Methods by their names."""
    return replace(Methods(), **{name: method(name) for name in names})


def answer(method: str, x: Value, estimator: Any) -> Value:
    """One method of an estimator at a row.

    Raises
    ------
    UnsupportedError
        Naming the estimator, if it or this method is not read.
    """
    name = type(estimator).__name__
    if isinstance(estimator, str) and estimator == "passthrough":
        return x
    methods = ESTIMATORS.get(name)
    found = cast("Method | None", getattr(methods, method)) if methods else None
    if found is None:
        reason = f"its {method} is not read" if methods else "this estimator is not read"
        raise UnsupportedError("scikit-learn:", nodes=[(name, reason)])
    try:
        return found(x, estimator)
    except UnsupportedError as error:
        if error.nodes:
            raise
        raise UnsupportedError("scikit-learn:", nodes=[(name, error.what)]) from None
    except (TypeError, ValueError) as error:
        if isinstance(error, TamecheckError):
            raise
        reason = f"it holds what is not read ({error})"
        raise UnsupportedError("scikit-learn:", nodes=[(name, reason)]) from None


def parts(estimator: Any) -> Iterator[Any]:
    """The estimators that an estimator is made of, itself included unless it is a pipeline."""
    name = type(estimator).__name__
    if name not in ("Pipeline", "_CalibratedClassifier"):
        yield estimator
    for attribute in _PARTS.get(name, ()):
        for part in _flat(getattr(estimator, attribute, None)):
            yield from parts(part)


def _flat(held: Any) -> Iterator[Any]:
    """The estimators in an attribute: one, a list, or a list of tuples with one each."""
    if isinstance(held, list | tuple):
        for one in cast("Sequence[Any]", held):
            yield from _flat(one)
    elif hasattr(held, "get_params") or hasattr(held, "calibrators"):
        yield held


_ROWS = (
    *("_fit_X", "X_train_", "X_fit_", "support_vectors_", "cluster_centers_", "centroids_"),
    *("theta_", "means_"),
)


def rows_of(estimator: Any) -> Array | None:
    """Rows of features near which an estimator was fitted, if it knows some."""
    width = getattr(estimator, "n_features_in_", None)
    for attribute in _ROWS:
        held = getattr(estimator, attribute, None)
        if held is not None and np.shape(held)[1:] == (width,):
            rows = np.asarray(dense(held), dtype=np.float64)
            return rows[np.isfinite(rows).all(axis=1)]
    held = (getattr(estimator, key, None) for key in _PARTS.get(type(estimator).__name__, ()))
    inner = (rows_of(part) for one in held for part in _flat(one))
    return next((rows for rows in inner if rows is not None and rows.shape[1] == width), None)


def categories_of(estimator: Any) -> dict[int, Array]:
    """The numbers that a feature takes, of those features that are categories."""
    if hasattr(estimator, "categories_"):
        return dict(enumerate(cast("Sequence[Array]", estimator.categories_)))
    if type(estimator).__name__ == "Pipeline":
        steps = [step for _, step in estimator.steps if step not in (None, "passthrough")]
        return categories_of(steps[0])
    if type(estimator).__name__ == "ColumnTransformer":
        places = estimator._transformer_to_input_indices  # noqa: SLF001 - has no public name
        return {
            places[name][i]: known
            for name, part, _ in estimator.transformers_
            for i, known in categories_of(part).items()
        }
    held = (getattr(estimator, key, None) for key in _PARTS.get(type(estimator).__name__, ()))
    inner = [categories_of(part) for one in held for part in _flat(one)]
    return {i: known for found in inner for i, known in found.items()}


def _pipeline(method: str) -> Method:
    def run(x: Value, pipeline: Any) -> Value:
        steps = [step for _, step in pipeline.steps if step is not None]
        for step in steps[:-1]:
            x = answer("transform", x, step)
        return answer(method, x, steps[-1])

    return run


def _to(attribute: str, names: Sequence[str] = _ALL, *, selected: bool = False) -> Methods:
    """The methods of a part, on the features that were selected."""

    def ask(method: str) -> Method:
        def run(x: Value, estimator: Any) -> Value:
            kept = x.take(np.flatnonzero(estimator.support_), 0) if selected else x
            return answer(method, kept, getattr(estimator, attribute))

        return run

    return _each(ask, names)


def _union(x: Value, union: Any) -> Value:
    """The features of all transformers beside each other."""
    kept = [(name, part) for name, part in union.transformer_list if part not in ("drop", None)]
    return _beside([(name, answer("transform", x, part)) for name, part in kept], union)


def _columns(x: Value, table: Any) -> Value:
    """The features that each transformer makes of its columns, beside each other."""
    places: Mapping[str, Sequence[int]] = table._transformer_to_input_indices  # noqa: SLF001 - has no public name
    kept = [(name, part) for name, part, _ in table.transformers_ if np.size(places[name])]
    return _beside(
        [
            (name, answer("transform", x.take(np.asarray(places[name]), 0), part))
            for name, part in kept
            if not (isinstance(part, str) and part == "drop")
        ],
        table,
    )


def _beside(found: Sequence[tuple[str, Value]], estimator: Any) -> Value:
    """Features joined, each part times its weight."""
    weights: Mapping[str, float] = estimator.transformer_weights or {}
    weighted = [y * float(weights[name]) if name in weights else y for name, y in found]
    return join(weighted, "features")


def _above(x: Value, thresholded: Any) -> Value:
    """The class that is chosen where the score of the positive class reaches the threshold."""
    inner, classes = thresholded.estimator_, np.asarray(thresholded.classes_)
    method, limit, label = thresholded.response_method, None, None
    if method == "auto":
        method = "predict_proba" if hasattr(inner, "predict_proba") else "decision_function"
    if type(thresholded).__name__ == "TunedThresholdClassifierCV":
        limit = thresholded.best_threshold_
        label = thresholded._curve_scorer._get_pos_label()  # noqa: SLF001 - has no public name
    else:
        limit, label = thresholded.threshold, thresholded.pos_label
        if limit == "auto":
            limit = 0.5 if method == "predict_proba" else 0.0
    place = 1 if label is None else int(np.flatnonzero(classes == label)[0])
    score = answer(method, x, inner)
    score = score.part(0, place) if method == "predict_proba" else score * (2 * place - 1)
    reached = x.emitter.constant(float(limit)).apply(ops.LESS_EQUAL, score)
    return reached if place else 1 - reached


def _back(x: Value, estimator: Any) -> Value:
    """The prediction taken back to the scale of the targets."""
    found = answer("predict", x, estimator.regressor_)
    y = _inverse(found if found.rank else found.reshape((1,)), estimator.transformer_)
    return y if found.rank else scalar(y)


def _inverse(x: Value, transformer_: Any) -> Value:
    name = type(transformer_).__name__
    if name == "Pipeline":
        for _, step in reversed(transformer_.steps):
            x = x if step in ("passthrough", None) else _inverse(x, step)
        return x
    if name not in INVERSES:
        raise UnsupportedError(f"the inverse of {name} is not read, only of {', '.join(INVERSES)}")
    return INVERSES[name](x, transformer_)


def _selected(held: str) -> Methods:
    """The methods of a part on the features that the estimator selects."""
    kept = _to(held, selected=True)
    return kept.but(transform=lambda x, e: x.take(np.flatnonzero(e.support_), 0))


_SEARCHES = (
    *("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV"),
)
_SELECTIONS = ("RFE", "RFECV")
_THRESHOLDED = ("FixedThresholdClassifier", "TunedThresholdClassifierCV")

_PARTS: Mapping[str, tuple[str, ...]] = {
    "Pipeline": ("steps",),
    "FeatureUnion": ("transformer_list",),
    "ColumnTransformer": ("transformers_",),
    **dict.fromkeys(("FrozenEstimator", "_CalibratedClassifier"), ("estimator",)),
    "CalibratedClassifierCV": ("calibrated_classifiers_",),
    "TransformedTargetRegressor": ("regressor_",),
    "StackingClassifier": ("estimators_", "final_estimator_"),
    "StackingRegressor": ("estimators_", "final_estimator_"),
    **dict.fromkeys(_SEARCHES, ("best_estimator_",)),
    **dict.fromkeys(
        (*_SELECTIONS, *_THRESHOLDED, "SelfTrainingClassifier", "RANSACRegressor"), ("estimator_",)
    ),
    **dict.fromkeys(
        (
            *("AdaBoostClassifier", "AdaBoostRegressor", "BaggingClassifier", "BaggingRegressor"),
            *("VotingClassifier", "VotingRegressor", "OneVsRestClassifier", "OneVsOneClassifier"),
            *("OutputCodeClassifier", "MultiOutputRegressor", "MultiOutputClassifier"),
            *("RegressorChain", "ClassifierChain"),
        ),
        ("estimators_",),
    ),
}
"""The attributes that hold the parts of an estimator."""

ESTIMATORS: Mapping[str, Methods] = {
    **linear.ESTIMATORS,
    **kernels.ESTIMATORS,
    **neighbours.ESTIMATORS,
    **transformers.ESTIMATORS,
    **features.ESTIMATORS,
    **trees.ESTIMATORS,
    **ensembles(answer),
    "Pipeline": _each(_pipeline),
    "FeatureUnion": transformer(_union),
    "ColumnTransformer": transformer(_columns),
    "FrozenEstimator": _to("estimator"),
    "TransformedTargetRegressor": regressor(_back),
    **dict.fromkeys(_SEARCHES, _to("best_estimator_")),
    **dict.fromkeys(_SELECTIONS, _selected("estimator_")),
    "SelfTrainingClassifier": _to("estimator_", _CLASSIFIES),
    "RANSACRegressor": _to("estimator_", ("predict",)),
    **dict.fromkeys(_THRESHOLDED, _to("estimator_", _CLASSIFIES).but(predict=_above)),
}
"""Every estimator that is read, by the name of its class."""
