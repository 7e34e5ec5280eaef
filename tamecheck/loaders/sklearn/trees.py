"""scikit-learn's decision trees, forests and gradient boosting, as nested selections.

All trees of an ensemble are evaluated together, one level at a time from the leaves up: a node's
value is that of its left child where ``feature ≤ threshold``, else that of its right child.  So the
graph has a few nodes a level, and stays semilinear.  scikit-learn compares after rounding the
features to float32; here they are real numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from tamecheck import ops
from tamecheck.errors import UnsupportedError
from tamecheck.ir.tensor import Array
from tamecheck.loaders.sklearn.linear import argmax, positive, scalar
from tamecheck.loaders.values import Value

__all__ = ["PREDICTORS"]

_Place: TypeAlias = tuple[int, int]
"""A tree's number, and a node's number in it."""


@dataclass(frozen=True, slots=True)
class _Tree:
    """A binary tree; ``left`` is negative at leaves, ``value`` has a row a node."""

    left: Array
    right: Array
    feature: Array
    threshold: Array
    value: Array


def _decide(raw: Value) -> dict[str, Value]:
    """The decision function; its sign for two classes, else the first largest, is the label."""
    decision = scalar(raw)
    return {"decision": decision, "label": argmax(raw) if decision.rank else positive(decision)}


def _probabilities(x: Value, estimators: Sequence[Any]) -> dict[str, Value]:
    """The mean of the trees' probabilities; the label is the first largest."""
    if any(one.n_outputs_ != 1 for one in estimators):
        raise UnsupportedError("A classifier with several outputs is not read.")
    trees = [_tree(one, _normalise(one.tree_.value[:, 0, :])) for one in estimators]
    decision = _mean(_evaluate(x, trees), "decision")
    return {"decision": decision, "label": argmax(decision)}


def _mean_value(x: Value, estimators: Sequence[Any]) -> dict[str, Value]:
    """The mean of the values of the trees' leaves."""
    if any(getattr(one, "criterion", "") == "poisson" for one in estimators):
        raise UnsupportedError("The criterion 'poisson' is not read.")
    trees = [_tree(one, one.tree_.value[:, :, 0]) for one in estimators]
    return {"value": scalar(_mean(_evaluate(x, trees), "value"))}


def _mean(rows: Value, label: str) -> Value:
    count = rows.shape[0]
    total = rows.apply(ops.SUM, label=label, axes=(0,), keepdims=False)
    return total if count == 1 else total.apply(ops.MUL, Fraction(1, count), label=label)


def _normalise(counts: Array) -> Array:
    """Rows that sum to 1; scikit-learn before 1.3 stores counts."""
    total = counts.sum(axis=1, keepdims=True)
    return counts if np.allclose(total, 1) else counts / total


def _tree(estimator: Any, value: Array) -> _Tree:
    tree = estimator.tree_
    return _Tree(
        tree.children_left, tree.children_right, tree.feature, tree.threshold, np.asarray(value)
    )


def _boost(x: Value, estimator: Any) -> Value:
    """The initial value plus the learning rate times the sum of the trees' values."""
    init = getattr(estimator, "init_", "zero")
    if init != "zero" and not type(init).__name__.startswith("Dummy"):
        raise UnsupportedError(f"The initial estimator {type(init).__name__} is not read.")
    features = estimator.n_features_in_
    # a dummy's prediction does not depend on its input
    start = np.asarray(estimator._raw_predict_init(np.zeros((1, features)))).reshape(-1)  # noqa: SLF001 - the stored number has no public name
    grid = np.asarray(estimator.estimators_)
    trees = [_tree(one, one.tree_.value[:, :, 0]) for one in grid.T.reshape(-1)]
    rate = x.emitter.constant(np.float64(estimator.learning_rate))
    total = _stage_sums(x, trees, grid.shape[1]) * rate
    return total.apply(ops.ADD, x.emitter.constant(start), label="decision")


def _hist_boost(x: Value, estimator: Any) -> Value:
    """The baseline plus the sum of the trees' values."""
    if getattr(estimator, "loss", "squared_error") in ("poisson", "gamma"):
        raise UnsupportedError(f"The loss {estimator.loss!r} is not read.")
    stages = estimator._predictors  # noqa: SLF001 - the trees have no public name
    trees = [_hist_tree(stage[k]) for k in range(len(stages[0])) for stage in stages]
    start = np.asarray(estimator._baseline_prediction, dtype=float).reshape(-1)  # noqa: SLF001 - as above
    total = _stage_sums(x, trees, len(stages[0]))
    return total.apply(ops.ADD, x.emitter.constant(start), label="decision")


def _hist_tree(predictor: Any) -> _Tree:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"] != 0
    if (nodes["is_categorical"][~leaf] != 0).any():
        raise UnsupportedError("Splits on categorical features are not read.")
    if not np.isfinite(nodes["num_threshold"][~leaf]).all():
        raise UnsupportedError("Splits on missing values are not read.")
    left = np.where(leaf, -1, nodes["left"].astype(np.int64))
    right = np.where(leaf, -1, nodes["right"].astype(np.int64))
    feature, value = nodes["feature_idx"].astype(np.int64), nodes["value"].reshape(-1, 1)
    return _Tree(left, right, feature, nodes["num_threshold"], value)


def _stage_sums(x: Value, trees: Sequence[_Tree], outputs: int) -> Value:
    """The sums of the trees of each output; the trees come output by output."""
    grid = _evaluate(x, trees).reshape((outputs, len(trees) // outputs))
    return grid.total((1,), keepdims=False)


def _evaluate(x: Value, trees: Sequence[_Tree]) -> Value:
    """The value of every tree, a row each."""
    below, places = x, dict[_Place, int]()
    for inner, leaves in reversed(_levels(trees)):
        parts: list[Value] = []
        if inner:
            parts.append(_branches(x, trees, inner, below, places))
        if leaves:
            values = np.stack([trees[t].value[n] for t, n in leaves])
            parts.append(x.emitter.constant(values))
        below = parts[0] if len(parts) == 1 else parts[0].apply(ops.CONCAT, parts[1], axis=0)
        places = {place: row for row, place in enumerate((*inner, *leaves))}
    return below.take([places[t, 0] for t in range(len(trees))], 0)


def _levels(trees: Sequence[_Tree]) -> list[tuple[list[_Place], list[_Place]]]:
    """The inner nodes and the leaves of all trees at each depth."""
    levels: list[tuple[list[_Place], list[_Place]]] = []
    current: list[_Place] = [(t, 0) for t in range(len(trees))]
    while current:
        inner = [(t, n) for t, n in current if trees[t].left[n] >= 0]
        leaves = [(t, n) for t, n in current if trees[t].left[n] < 0]
        levels.append((inner, leaves))
        current = [
            (t, int(child)) for t, n in inner for child in (trees[t].left[n], trees[t].right[n])
        ]
    return levels


def _branches(
    x: Value,
    trees: Sequence[_Tree],
    inner: Sequence[_Place],
    below: Value,
    places: Mapping[_Place, int],
) -> Value:
    """The values of inner nodes, from those of the level ``below``, found at ``places``."""
    thresholds = np.array([trees[t].threshold[n] for t, n in inner], dtype=np.float64)
    left = [places[t, int(trees[t].left[n])] for t, n in inner]
    right = [places[t, int(trees[t].right[n])] for t, n in inner]
    features = x.take([trees[t].feature[n] for t, n in inner], 0)
    splits = features.apply(ops.LESS_EQUAL, x.emitter.constant(thresholds), label="split")
    column = splits.reshape((len(inner), 1))
    return column.apply(ops.SELECT, below.take(left, 0), below.take(right, 0), label="branch")


PREDICTORS: Mapping[str, Callable[[Value, Any], dict[str, Value]]] = {
    **dict.fromkeys(
        ("DecisionTreeClassifier", "ExtraTreeClassifier"), lambda x, one: _probabilities(x, [one])
    ),
    **dict.fromkeys(
        ("DecisionTreeRegressor", "ExtraTreeRegressor"), lambda x, one: _mean_value(x, [one])
    ),
    **dict.fromkeys(
        ("RandomForestClassifier", "ExtraTreesClassifier"),
        lambda x, forest: _probabilities(x, forest.estimators_),
    ),
    **dict.fromkeys(
        ("RandomForestRegressor", "ExtraTreesRegressor"),
        lambda x, forest: _mean_value(x, forest.estimators_),
    ),
    "GradientBoostingClassifier": lambda x, e: _decide(_boost(x, e)),
    "GradientBoostingRegressor": lambda x, e: {"value": _boost(x, e).reshape(())},
    "HistGradientBoostingClassifier": lambda x, e: _decide(_hist_boost(x, e)),
    "HistGradientBoostingRegressor": lambda x, e: {"value": _hist_boost(x, e).reshape(())},
}
"""Trees and their ensembles: their outputs by name."""
