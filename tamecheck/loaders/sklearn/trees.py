"""scikit-learn's decision trees, forests and gradient boosting, as nested selections.

All trees of an ensemble are evaluated together, one level at a time from the leaves up: a node's
value is that of its left child where ``feature ≤ threshold``, else that of its right child.  So the
graph has a few nodes a level, and stays semilinear.  scikit-learn compares after rounding the
features to float32; here they are real numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from tamecheck import ops
from tamecheck.errors import UnsupportedError
from tamecheck.ir.tensor import Array
from tamecheck.loaders.sketch import Sketch

__all__ = [
    "forest_classifier",
    "forest_regressor",
    "gradient_boosting_classifier",
    "gradient_boosting_regressor",
    "hist_boosting_classifier",
    "hist_boosting_regressor",
    "tree_classifier",
    "tree_regressor",
]


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


def tree_classifier(sketch: Sketch, x: int, estimator: Any) -> dict[str, int]:
    """The probabilities of the classes; the label is the first largest."""
    return _probabilities(sketch, x, [estimator])


def forest_classifier(sketch: Sketch, x: int, estimator: Any) -> dict[str, int]:
    """The mean of the trees' probabilities; the label is the first largest."""
    return _probabilities(sketch, x, estimator.estimators_)


def tree_regressor(sketch: Sketch, x: int, estimator: Any) -> dict[str, int]:
    """The value of the leaf."""
    return _mean_value(sketch, x, [estimator])


def forest_regressor(sketch: Sketch, x: int, estimator: Any) -> dict[str, int]:
    """The mean of the trees' values."""
    return _mean_value(sketch, x, estimator.estimators_)


def gradient_boosting_regressor(sketch: Sketch, x: int, estimator: Any) -> dict[str, int]:
    """The initial value plus the learning rate times the sum of the trees' values."""
    return {"value": sketch.reshape(_boosted(sketch, x, estimator), ())}


def gradient_boosting_classifier(sketch: Sketch, x: int, estimator: Any) -> dict[str, int]:
    """The decision function; its sign for two classes, else the first largest, is the label."""
    return _labelled(sketch, _boosted(sketch, x, estimator))


def hist_boosting_regressor(sketch: Sketch, x: int, estimator: Any) -> dict[str, int]:
    """The baseline plus the sum of the trees' values."""
    if getattr(estimator, "loss", "squared_error") in ("poisson", "gamma"):
        raise UnsupportedError(f"The loss {estimator.loss!r} is not read.")
    return {"value": sketch.reshape(_hist_boosted(sketch, x, estimator), ())}


def hist_boosting_classifier(sketch: Sketch, x: int, estimator: Any) -> dict[str, int]:
    """The decision function; its sign for two classes, else the first largest, is the label."""
    return _labelled(sketch, _hist_boosted(sketch, x, estimator))


def _labelled(sketch: Sketch, raw: int) -> dict[str, int]:
    if sketch.shape(raw) == (1,):
        decision = sketch.reshape(raw, ())
        return {"decision": decision, "label": sketch.positive(decision)}
    return {"decision": raw, "label": sketch.argmax(raw)}


def _probabilities(sketch: Sketch, x: int, estimators: Sequence[Any]) -> dict[str, int]:
    if any(one.n_outputs_ != 1 for one in estimators):
        raise UnsupportedError("A classifier with several outputs is not read.")
    trees = [_tree(one, _normalised(one.tree_.value[:, 0, :])) for one in estimators]
    decision = _mean(sketch, _evaluated(sketch, x, trees), "decision")
    return {"decision": decision, "label": sketch.argmax(decision)}


def _mean_value(sketch: Sketch, x: int, estimators: Sequence[Any]) -> dict[str, int]:
    if any(getattr(one, "criterion", "") == "poisson" for one in estimators):
        raise UnsupportedError("The criterion 'poisson' is not read.")
    trees = [_tree(one, one.tree_.value[:, :, 0]) for one in estimators]
    value = _mean(sketch, _evaluated(sketch, x, trees), "value")
    return {"value": sketch.reshape(value, ()) if sketch.shape(value) == (1,) else value}


def _mean(sketch: Sketch, rows: int, label: str) -> int:
    count = sketch.shape(rows)[0]
    total = sketch.apply(ops.SUM, rows, label=label, axes=(0,), keepdims=False)
    if count == 1:
        return total
    share = sketch.builder.constant(Fraction(1, count))
    return sketch.apply(ops.MUL, total, share, label=label)


def _normalised(counts: Array) -> Array:
    """Rows that sum to 1; scikit-learn before 1.3 stores counts."""
    total = counts.sum(axis=1, keepdims=True)
    return counts if np.allclose(total, 1) else counts / total


def _tree(estimator: Any, value: Array) -> _Tree:
    tree = estimator.tree_
    return _Tree(
        tree.children_left, tree.children_right, tree.feature, tree.threshold, np.asarray(value)
    )


def _boosted(sketch: Sketch, x: int, estimator: Any) -> int:
    init = getattr(estimator, "init_", "zero")
    if init != "zero" and not type(init).__name__.startswith("Dummy"):
        raise UnsupportedError(f"The initial estimator {type(init).__name__} is not read.")
    features = estimator.n_features_in_
    # a dummy's prediction does not depend on its input
    start = np.asarray(estimator._raw_predict_init(np.zeros((1, features)))).reshape(-1)  # noqa: SLF001 - the stored number has no public name
    grid = np.asarray(estimator.estimators_)
    trees = [_tree(one, one.tree_.value[:, :, 0]) for one in grid.T.reshape(-1)]
    rate = sketch.constant(np.float64(estimator.learning_rate))
    total = sketch.apply(ops.MUL, _stage_sums(sketch, x, trees, grid.shape[1]), rate)
    return sketch.apply(ops.ADD, total, sketch.constant(start), label="decision")


def _hist_boosted(sketch: Sketch, x: int, estimator: Any) -> int:
    stages = estimator._predictors  # noqa: SLF001 - the trees have no public name
    trees = [_hist_tree(stage[k]) for k in range(len(stages[0])) for stage in stages]
    start = np.asarray(estimator._baseline_prediction, dtype=float).reshape(-1)  # noqa: SLF001 - as above
    total = _stage_sums(sketch, x, trees, len(stages[0]))
    return sketch.apply(ops.ADD, total, sketch.constant(start), label="decision")


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


def _stage_sums(sketch: Sketch, x: int, trees: Sequence[_Tree], outputs: int) -> int:
    """The sums of the trees of each output; the trees come output by output."""
    values = _evaluated(sketch, x, trees)
    grid = sketch.reshape(values, (outputs, len(trees) // outputs))
    return sketch.apply(ops.SUM, grid, axes=(1,), keepdims=False)


def _evaluated(sketch: Sketch, x: int, trees: Sequence[_Tree]) -> int:
    """The value of every tree, a row each."""
    forest, levels = _Forest(sketch, x, trees), _levels(trees)
    below, places = -1, dict[_Place, int]()
    for inner, leaves in reversed(levels):
        parts: list[int] = []
        if inner:
            parts.append(forest.branches(inner, below, places))
        if leaves:
            parts.append(sketch.constant(np.stack([trees[t].value[n] for t, n in leaves])))
        below = parts[0] if len(parts) == 1 else sketch.apply(ops.CONCAT, *parts, axis=0)
        places = {place: row for row, place in enumerate((*inner, *leaves))}
    return sketch.gather(below, [places[t, 0] for t in range(len(trees))])


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


@dataclass(frozen=True, slots=True)
class _Forest:
    sketch: Sketch
    x: int
    trees: Sequence[_Tree]

    def branches(self, inner: Sequence[_Place], below: int, places: Mapping[_Place, int]) -> int:
        """The values of inner nodes, from those of the level ``below``, found at ``places``."""
        sketch, trees = self.sketch, self.trees
        features = [trees[t].feature[n] for t, n in inner]
        thresholds = np.array([trees[t].threshold[n] for t, n in inner], dtype=np.float64)
        left = [places[t, int(trees[t].left[n])] for t, n in inner]
        right = [places[t, int(trees[t].right[n])] for t, n in inner]
        goes_left = sketch.apply(
            ops.LESS_EQUAL,
            sketch.gather(self.x, features),
            sketch.constant(thresholds),
            label="split",
        )
        column = sketch.reshape(goes_left, (len(inner), 1))
        return sketch.apply(
            ops.SELECT,
            column,
            sketch.gather(below, left),
            sketch.gather(below, right),
            label="branch",
        )
