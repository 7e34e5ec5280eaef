"""scikit-learn's decision trees, forests and gradient boosting, as nested selections.

Most trees of scikit-learn round a feature to float32 before they compare it; the threshold here is
the largest float64 that goes to the left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck import ops
from tamecheck.errors import UnsupportedError
from tamecheck.ir.tensor import Array
from tamecheck.loaders.forests import Forest
from tamecheck.loaders.sklearn import methods
from tamecheck.loaders.values import Value


@dataclass(frozen=True, slots=True)
class _Tree:
    """A binary tree; ``left`` is negative at leaves, ``value`` has a row a node."""

    left: Array
    right: Array
    feature: Array
    threshold: Array
    value: Array


def _probabilities(x: Value, trees: Sequence[Any]) -> Value:
    """The mean of the trees' probabilities."""
    if trees[0].n_outputs_ != 1:
        raise UnsupportedError("its probabilities are several matrices")
    return _shares_of(x, trees, 0)


def _shares_of(x: Value, trees: Sequence[Any], output: int) -> Value:
    """The mean of the trees' probabilities of one label of several."""
    count = int(trees[0].tree_.n_classes[output])
    rows = leaves(x, trees, lambda one: _normalise(one.tree_.value[:, output, :count]))
    return _mean(rows, "decision")


def _labels(x: Value, trees: Sequence[Any]) -> Value:
    """The first largest probability; a vector of them for several labels."""
    outputs = range(trees[0].n_outputs_)
    found = [methods.argmax(_shares_of(x, trees, output)) for output in outputs]
    return found[0] if len(found) == 1 else methods.join(found, "label")


def _mean_value(x: Value, trees: Sequence[Any]) -> Value:
    """The mean of the values of the trees' leaves."""
    return methods.scalar(_mean(leaves(x, trees, mean_at), "value"))


def shares_at(tree: Any) -> Array:
    """The probabilities of the classes at each node."""
    return _normalise(tree.tree_.value[:, 0, :])


def mean_at(tree: Any) -> Array:
    """The values at each node."""
    return np.asarray(tree.tree_.value[:, :, 0])


def leaves(
    x: Value,
    trees: Sequence[Any],
    values: Callable[[Any], Array],
    features: Sequence[Array] | None = None,
) -> Value:
    """Of each tree, on its features, the values at the leaf that the row comes to: a row each."""
    chosen = [None] * len(trees) if features is None else features
    pairs = zip(trees, chosen, strict=True)
    return _evaluate(x, [_tree(one, values(one), kept) for one, kept in pairs])


def _mean(rows: Value, label: str) -> Value:
    count = rows.shape[0]
    total = rows.apply(ops.SUM, label=label, axes=(0,), keepdims=False)
    return total if count == 1 else total.apply(ops.MUL, Fraction(1, count), label=label)


def _normalise(counts: Array) -> Array:
    """Rows that sum to 1; scikit-learn before 1.3 stores counts."""
    total = counts.sum(axis=1, keepdims=True)
    return counts if np.allclose(total, 1) else counts / total


def _tree(estimator: Any, value: Array, features: Array | None = None) -> _Tree:
    """A tree of an estimator, whose features are these of the input."""
    tree = estimator.tree_
    # leaves have a negative feature
    feature = np.maximum(tree.feature, 0)
    feature = feature if features is None else np.asarray(features)[feature]
    threshold = np.where(np.isfinite(tree.threshold), largest_left(tree.threshold), np.inf)
    return _Tree(tree.children_left, tree.children_right, feature, threshold, np.asarray(value))


def largest_left(threshold: Array) -> Array:
    """The largest float64 that is at most the threshold after rounding to float32, half to even.

    >>> float(largest_left(np.array([1.0]))[0]) == 1 + 2.0**-24
    True
    """
    single = threshold.astype(np.float32)
    # the last float32 on the left, and the first on the right
    left = np.where(single > threshold, np.nextafter(single, np.float32(-np.inf)), single)
    left = left.astype(np.float32)
    right = np.nextafter(left, np.float32(np.inf))
    # the mean is exact in float64
    middle = (left.astype(np.float64) + right.astype(np.float64)) / 2
    return np.where(middle.astype(np.float32) == left, middle, np.nextafter(middle, -np.inf))


def _boost(x: Value, estimator: Any) -> Value:
    """The initial value plus the learning rate times the sum of the trees' values."""
    init = getattr(estimator, "init_", "zero")
    if init != "zero" and not type(init).__name__.startswith("Dummy"):
        raise UnsupportedError(f"the initial {type(init).__name__} is asked in single precision")
    features = estimator.n_features_in_
    # a dummy's prediction does not depend on its input
    start = np.asarray(estimator._raw_predict_init(np.zeros((1, features)))).reshape(-1)  # noqa: SLF001 - the stored number has no public name
    grid = np.asarray(estimator.estimators_)
    trees = [_tree(one, one.tree_.value[:, :, 0]) for one in grid.T.reshape(-1)]
    rate = x.emitter.constant(np.float64(estimator.learning_rate))
    total = _stage_sums(x, trees, grid.shape[1]) * rate
    return methods.scalar(total.apply(ops.ADD, start, label="decision"))


def _hist_boost(x: Value, estimator: Any) -> Value:
    """The baseline plus the sum of the trees' values."""
    stages = estimator._predictors  # noqa: SLF001 - the trees have no public name
    trees = [_hist_tree(stage[k]) for k in range(len(stages[0])) for stage in stages]
    start = np.asarray(estimator._baseline_prediction, dtype=float).reshape(-1)  # noqa: SLF001 - as above
    total = _stage_sums(x, trees, len(stages[0]))
    return methods.scalar(total.apply(ops.ADD, start, label="decision"))


def _hist_value(x: Value, estimator: Any) -> Value:
    """The inverse of the link at the raw value."""
    raw = _hist_boost(x, estimator)
    return raw.apply(ops.EXP, label="value") if estimator.loss in ("poisson", "gamma") else raw


def _hist_tree(predictor: Any) -> _Tree:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"] != 0
    if (nodes["is_categorical"][~leaf] != 0).any():
        raise UnsupportedError("splits on categorical features are not read")
    left = np.where(leaf, -1, nodes["left"].astype(np.int64))
    right = np.where(leaf, -1, nodes["right"].astype(np.int64))
    feature, value = nodes["feature_idx"].astype(np.int64), nodes["value"].reshape(-1, 1)
    return _Tree(left, right, feature, nodes["num_threshold"], value)


def _shares(raw: Callable[[Value, Any], Value]) -> Callable[[Value, Any], Value]:
    """The logistic function or softmax of the raw values; the exponential loss doubles them."""

    def probabilities(x: Value, estimator: Any) -> Value:
        found = raw(x, estimator)
        if found.rank:
            return found.apply(ops.SOFTMAX, label="probabilities", axis=0)
        doubled = found * 2 if estimator.loss == "exponential" else found
        return methods.binary(doubled.apply(ops.SIGMOID))

    return probabilities


def _isolation(x: Value, forest: Any) -> Value:
    """The sum over the trees of the length of the path to a leaf."""
    paths, means = forest._decision_path_lengths, forest._average_path_length_per_tree  # noqa: SLF001 - have no public names
    lengths = iter([(p + m - 1.0).reshape(-1, 1) for p, m in zip(paths, means, strict=True)])
    found = leaves(x, forest.estimators_, lambda _: next(lengths), forest.estimators_features_)
    return found.total((0, 1), keepdims=False)


def _longest(forest: Any) -> float:
    """The number of trees times the expected length of an unsuccessful search."""
    size = forest._max_samples  # noqa: SLF001 - has no public name
    if size <= 2:
        if size < 2:
            raise UnsupportedError("trees of one row have no scores")
        return float(len(forest.estimators_))
    expected = 2.0 * (np.log(size - 1.0) + np.euler_gamma) - 2.0 * (size - 1.0) / size
    return len(forest.estimators_) * float(expected)


def _isolation_decision(x: Value, forest: Any) -> Value:
    """``-2^(-length / longest)`` less the offset."""
    longest, offset = _longest(forest), x.emitter.constant(float(forest.offset_))
    share = x.emitter.constant(np.float64(-np.log(2.0) / longest))
    score = (_isolation(x, forest) * share).apply(ops.EXP)
    return 0 - score - offset


def _stage_sums(x: Value, trees: Sequence[_Tree], outputs: int) -> Value:
    """The sums of the trees of each output; the trees come output by output."""
    grid = _evaluate(x, trees).reshape((outputs, len(trees) // outputs))
    return grid.total((1,), keepdims=False)


def _evaluate(x: Value, trees: Sequence[_Tree]) -> Value:
    """The value of every tree, a row each."""
    splits: list[tuple[_Tree, int]] = []
    leaves: list[Array] = []

    def place(tree: _Tree, node: int) -> int:
        # where only missing values go to the right, no real number does
        while tree.left[node] >= 0 and np.isposinf(tree.threshold[node]):
            node = tree.left[node]
        if tree.left[node] < 0:
            leaves.append(tree.value[node])
            return -len(leaves)
        splits.append((tree, node))
        return len(splits) - 1

    roots = [place(tree, 0) for tree in trees]
    # the list grows on the way
    children = {
        i: (place(tree, tree.left[node]), place(tree, tree.right[node]))
        for i, (tree, node) in enumerate(splits)
    }
    features = np.array([tree.feature[node] for tree, node in splits], dtype=np.int64)
    thresholds = np.array([tree.threshold[node] for tree, node in splits])

    def tests(places: Sequence[int]) -> Value:
        limits = x.emitter.constant(thresholds[list(places)])
        return x.take(features[list(places)], 0).apply(ops.LESS_EQUAL, limits, label="split")

    return Forest(roots, children, np.stack(leaves)).evaluate(x.emitter, tests)


def _isolation_label(x: Value, forest: Any) -> Value:
    """1 where the path is as long as that of an inlier, else -1.

    The score is compared with its offset after rounding, and offsets are often scores of rows: so
    the least length of an inlier is found by the same comparison of floats, and made shorter by
    what the sum over the trees may round.
    """
    longest, offset = _longest(forest), float(forest.offset_)
    low, high = 0.0, 64.0 * longest
    for _ in range(100):
        middle = (low + high) / 2
        inlier = -(2.0 ** -(middle / longest)) - offset >= 0
        low, high = (low, middle) if inlier else (middle, high)
    shortest = x.emitter.constant(np.float64(high * (1 - 1e-11)))
    return methods.positive(_isolation(x, forest) - shortest, 1) * 2 - 1


_BOOSTED = methods.classifier(_boost, _shares(_boost), at_zero=1)
_HIST_BOOSTED = methods.classifier(_hist_boost, _shares(_hist_boost))

ESTIMATORS: Mapping[str, methods.Methods] = {
    **dict.fromkeys(
        ("DecisionTreeClassifier", "ExtraTreeClassifier"),
        methods.classifier(
            None, lambda x, one: _probabilities(x, [one]), lambda x, one: _labels(x, [one])
        ),
    ),
    **dict.fromkeys(
        ("DecisionTreeRegressor", "ExtraTreeRegressor"),
        methods.regressor(lambda x, one: _mean_value(x, [one])),
    ),
    **dict.fromkeys(
        ("RandomForestClassifier", "ExtraTreesClassifier"),
        methods.classifier(
            None,
            lambda x, forest: _probabilities(x, forest.estimators_),
            lambda x, forest: _labels(x, forest.estimators_),
        ),
    ),
    **dict.fromkeys(
        ("RandomForestRegressor", "ExtraTreesRegressor"),
        methods.regressor(lambda x, forest: _mean_value(x, forest.estimators_)),
    ),
    "GradientBoostingClassifier": _BOOSTED,
    "GradientBoostingRegressor": methods.regressor(_boost),
    "HistGradientBoostingClassifier": _HIST_BOOSTED,
    "HistGradientBoostingRegressor": methods.regressor(_hist_value),
    "IsolationForest": methods.Methods(
        predict=_isolation_label, decision_function=_isolation_decision
    ),
}
"""Estimators by the name of their class."""
