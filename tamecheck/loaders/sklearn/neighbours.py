"""scikit-learn's nearest neighbours, centroids, mixtures, Bayesian classifiers and dummies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from tamecheck import ops
from tamecheck.errors import UnsupportedError
from tamecheck.ir.exact import rational
from tamecheck.ir.tensor import Array
from tamecheck.loaders.sklearn import methods
from tamecheck.loaders.values import Value, concat

BY_DISTANCE = frozenset(
    {
        *("KNeighborsClassifier", "KNeighborsRegressor", "NearestCentroid", "MeanShift"),
        *("RadiusNeighborsClassifier", "RadiusNeighborsRegressor"),
        *("KMeans", "MiniBatchKMeans", "BisectingKMeans"),
    }
)
"""Estimators that compare distances."""

_METRICS: Mapping[str, int | str] = {
    "euclidean": 2,
    "sqeuclidean": 2,
    "l2": 2,
    "manhattan": 1,
    "cityblock": 1,
    "l1": 1,
    "chebyshev": "max",
}

_Score: TypeAlias = Callable[[Value, Any], Value]


def _separation(x: Value, points: Array) -> Value:
    """``|p|² - 2 p·x`` for each point p: the squared distance less ``|x|²``, and affine."""
    return x.affine(-2 * points.T, (points**2).sum(axis=1), "separation")


def _metric(estimator: Any) -> int | str:
    name = estimator.effective_metric_
    if name not in _METRICS:
        raise UnsupportedError(f"the metric {name!r} is not read, only {', '.join(_METRICS)} are")
    return _METRICS[name]


def _weights(estimator: Any, size: Callable[[], Value]) -> Value | None:
    """The weights of neighbours at given distances: None where all are alike."""
    if estimator.weights in (None, "uniform"):
        return None
    if estimator.weights != "distance":
        raise UnsupportedError("weights by a function are not read")
    found = size()
    zero = found.apply(ops.EQUAL, 0)
    # where a distance is 0, only the points at distance 0 count
    some = zero.apply(ops.REDUCE_MAX, axes=(0,), keepdims=True)
    return some.select(zero, 1 / methods.apart(found, zero))


def _nearest(x: Value, estimator: Any, table: Array) -> tuple[Value, Value | None]:
    """The rows of a table at the nearest points, nearest first, and their weights."""
    points, metric = methods.dense(estimator._fit_X), _metric(estimator)  # noqa: SLF001 - has no public name
    plain = estimator.weights in (None, "uniform") and metric == 2
    order = _separation(x, points) if plain else methods.distances(x, points, metric)
    sorted_ = order.apply(ops.ARGSORT, axis=0, descending=False)
    first = sorted_.cut(0, 0, int(estimator.n_neighbors))
    rows = x.emitter.constant(table).apply(ops.GATHER, first, label="neighbours", axis=0)

    def size() -> Value:
        near = order.apply(ops.GATHER, first, axis=0)
        return near.apply(ops.SQRT) if metric == 2 else near

    return rows, _weights(estimator, size)


def _within(x: Value, estimator: Any) -> Value:
    """The weight of each training point within the radius, 0 of the others."""
    points, metric = methods.dense(estimator._fit_X), _metric(estimator)  # noqa: SLF001 - has no public name
    radius = rational(estimator.radius)
    order = methods.distances(x, points, metric)
    limit = radius**2 if metric == 2 else radius
    inside = x.emitter.apply(ops.LESS_EQUAL, order, limit)
    weights = _weights(estimator, lambda: order.apply(ops.SQRT) if metric == 2 else order)
    return inside if weights is None else inside * weights


def _units(estimator: Any) -> list[Array]:
    """For each label the unit vectors of the classes of the rows."""
    labels = estimator.classes_ if estimator.outputs_2d_ else [estimator.classes_]
    codes = np.asarray(estimator._y).reshape(-1, len(labels))  # noqa: SLF001 - has no public name
    return [np.eye(len(k), dtype=np.int64)[code] for k, code in zip(labels, codes.T, strict=True)]


def _values(estimator: Any) -> Array:
    return np.asarray(estimator._y)  # noqa: SLF001 - has no public name


def _targets(estimator: Any) -> Array:
    if estimator.outputs_2d_:
        raise UnsupportedError("its probabilities are several matrices")
    return _units(estimator)[0]


def _average(rows: Value, weights: Value | None) -> Value:
    """The weighted mean of rows."""
    if weights is None:
        return rows.mean((0,), keepdims=False)
    return (weights @ rows) / weights.total((0,), keepdims=False)


def _neighbour_label(x: Value, estimator: Any) -> Value:
    """The first class of the most votes, for each label; no division is needed for it."""
    tables = _units(estimator)
    rows, weights = _nearest(x, estimator, np.hstack(tables))
    votes = rows.total((0,), keepdims=False) if weights is None else weights @ rows
    sizes = [table.shape[1] for table in tables]
    starts = [sum(sizes[:k]) for k in range(len(sizes))]
    found = [methods.argmax(votes.cut(0, *part)) for part in zip(starts, sizes, strict=True)]
    return methods.join(found, "label") if estimator.outputs_2d_ else found[0]


def _radius_shares(x: Value, estimator: Any) -> Value:
    """The shares of classes within the radius; without a point there, of the outlier label."""
    votes = _within(x, estimator) @ _targets(estimator)
    total = votes.total((0,))
    labels = estimator.outlier_label_
    if labels is None:
        return votes / total
    if labels[0] not in estimator.classes_:
        raise UnsupportedError("an outlier label that is no class is not read")
    missing = total.apply(ops.EQUAL, 0)
    other = x.emitter.constant((estimator.classes_ == labels[0]).astype(np.int64))
    return missing.select(other, votes / methods.apart(total, missing))


def _centroid_label(x: Value, estimator: Any) -> Value:
    """The nearest centroid; by the discriminant scores if classes have other weights."""
    if not np.isclose(estimator.class_prior_, 1 / len(estimator.classes_)).all():
        return methods.argmax(_centroid_scores(x, estimator))
    if _METRICS[estimator.metric] == 2:
        return methods.argmin(_separation(x, np.asarray(estimator.centroids_)))
    return methods.argmin(
        methods.distances(x, np.asarray(estimator.centroids_), _METRICS[estimator.metric])
    )


def _centroid_scores(x: Value, estimator: Any) -> Value:
    """Minus the squared scaled distances, plus twice the logarithms of the weights."""
    spread = np.asarray(estimator.within_class_std_dev_)
    scale, metric = np.where(spread != 0, spread, 1.0), _METRICS[estimator.metric]
    size = methods.distances(x / scale, np.asarray(estimator.centroids_) / scale, metric)
    squares = size if metric == 2 else size.square()
    return 2.0 * np.log(estimator.class_prior_) - squares


def _difference(scores: Value) -> Value:
    """For two classes the second score less the first."""
    return scores if scores.shape[0] != 2 else scores.part(0, 1) - scores.part(0, 0)


def _quadratic(x: Value, estimator: Any) -> Value:
    """The logarithms of normal densities, each with a covariance of its own."""
    norms: list[Value] = []
    parts = zip(estimator.means_, estimator.rotations_, estimator.scalings_, strict=True)
    for mean, rotation, scale in parts:
        coordinates = (x - mean) @ (rotation * scale**-0.5)
        norms.append(coordinates.square().total((0,)))
    squares = concat(norms, 0)
    volumes = np.array([np.log(scale).sum() for scale in estimator.scalings_])
    offset = np.log(estimator.priors_) - 0.5 * volumes
    return squares * -0.5 + offset


def _gaussian(x: Value, estimator: Any) -> Value:
    """The logarithms of products of normal densities and priors."""
    variances = np.asarray(estimator.var_)
    squares = (x - estimator.theta_).square() / variances
    volumes = np.log(2.0 * np.pi * variances).sum(axis=1)
    offset = np.log(estimator.class_prior_) - 0.5 * volumes
    return squares.total((1,), keepdims=False) * -0.5 + offset


def _bernoulli(x: Value, estimator: Any) -> Value:
    if estimator.binarize is not None:
        x = x.emitter.constant(np.float64(estimator.binarize)).apply(ops.LESS, x)
    present = np.asarray(estimator.feature_log_prob_)
    absent = np.log(1 - np.exp(present))
    offset = estimator.class_log_prior_ + absent.sum(axis=1)
    return x.affine((present - absent).T, offset, "log likelihood")


def _counts(x: Value, estimator: Any) -> Value:
    """The logarithms of products of powers; the complement has no weights of classes."""
    alone = len(estimator.classes_) == 1
    weighted = type(estimator).__name__ == "MultinomialNB" or alone
    offset = estimator.class_log_prior_ if weighted else np.zeros(len(estimator.classes_))
    return x.affine(np.asarray(estimator.feature_log_prob_).T, offset, "log likelihood")


def _shares(score: _Score) -> _Score:
    return lambda x, estimator: score(x, estimator).apply(
        ops.SOFTMAX, label="probabilities", axis=0
    )


def _bayes(score: _Score) -> methods.Methods:
    """A classifier by the logarithms of joint densities."""
    return methods.classifier(None, _shares(score), lambda x, e: methods.argmax(score(x, e)))


def _discriminant(score: _Score) -> methods.Methods:
    """The same, whose decision function is the logarithms; for two classes their difference."""
    return _bayes(score).but(decision_function=lambda x, e: _difference(score(x, e)))


def _mixture(x: Value, estimator: Any) -> Value:
    """The logarithms of weighted normal densities, by the factors of their precisions."""
    if type(estimator).__name__ != "GaussianMixture":
        raise UnsupportedError("only GaussianMixture is read")
    means = np.asarray(estimator.means_)
    factors, kind = np.asarray(estimator.precisions_cholesky_), estimator.covariance_type
    if kind in ("full", "tied"):
        matrices = (
            factors if kind == "full" else np.broadcast_to(factors, (len(means), *factors.shape))
        )
        moved = (x - means).reshape((*means.shape[:1], 1, means.shape[1]))
        coordinates = (moved @ matrices).reshape(means.shape)
        volumes = np.log(np.diagonal(matrices, axis1=1, axis2=2)).sum(axis=1)
    else:
        scales = factors if kind == "diag" else np.repeat(factors[:, None], means.shape[1], axis=1)
        coordinates = (x - means) * scales
        volumes = np.log(scales).sum(axis=1)
    offset = volumes + np.log(estimator.weights_) - 0.5 * means.shape[1] * np.log(2 * np.pi)
    return coordinates.square().total((1,), keepdims=False) * -0.5 + offset


def _centre_label(x: Value, estimator: Any) -> Value:
    """The nearest centre of a cluster."""
    return methods.argmin(_separation(x, np.asarray(estimator.cluster_centers_, dtype=np.float64)))


def _centre_distances(x: Value, estimator: Any) -> Value:
    points = np.asarray(estimator.cluster_centers_, dtype=np.float64)
    return methods.distances(x, points).apply(ops.SQRT)


def _ellipse(x: Value, estimator: Any) -> Value:
    """Minus the squared distance of Mahalanobis, plus a threshold."""
    moved = x - estimator.location_
    return -float(estimator.offset_) - moved @ estimator.get_precision() @ moved


def _constant(x: Value, values: Any) -> Value:
    return x.emitter.constant(np.asarray(values, dtype=np.float64))


def _dummy_shares(x: Value, estimator: Any) -> Value:
    """What the strategy says of every row."""
    if estimator.n_outputs_ != 1:
        raise UnsupportedError("several labels at once are not read")
    prior, classes = np.asarray(estimator.class_prior_), estimator.classes_
    match estimator.strategy:
        case "prior":
            return _constant(x, prior)
        case "most_frequent":
            return _constant(x, np.arange(len(classes)) == prior.argmax())
        case "constant":
            return _constant(x, np.asarray(classes) == estimator.constant)
        case name:
            raise UnsupportedError(f"the strategy {name!r} draws at random")


ESTIMATORS: Mapping[str, methods.Methods] = {
    "KNeighborsRegressor": methods.regressor(lambda x, e: _average(*_nearest(x, e, _values(e)))),
    "KNeighborsClassifier": methods.classifier(
        None, lambda x, e: _average(*_nearest(x, e, _targets(e))), _neighbour_label
    ),
    "RadiusNeighborsRegressor": methods.regressor(
        lambda x, e: _average(x.emitter.constant(_values(e)), _within(x, e))
    ),
    "RadiusNeighborsClassifier": methods.classifier(None, _radius_shares),
    "NearestCentroid": methods.classifier(
        lambda x, e: _difference(_centroid_scores(x, e)), _shares(_centroid_scores), _centroid_label
    ),
    "QuadraticDiscriminantAnalysis": _discriminant(_quadratic),
    "GaussianNB": _bayes(_gaussian),
    "BernoulliNB": _bayes(_bernoulli),
    **dict.fromkeys(("MultinomialNB", "ComplementNB"), _bayes(_counts)),
    "GaussianMixture": _bayes(_mixture),
    **dict.fromkeys(
        ("KMeans", "MiniBatchKMeans"), methods.Methods(_centre_distances, _centre_label)
    ),
    "MeanShift": methods.Methods(predict=_centre_label),
    "EllipticEnvelope": methods.Methods(
        predict=lambda x, e: methods.positive(_ellipse(x, e), 1) * 2 - 1, decision_function=_ellipse
    ),
    "DummyRegressor": methods.regressor(lambda x, e: methods.scalar(_constant(x, e.constant_[0]))),
    "DummyClassifier": methods.classifier(None, _dummy_shares),
}
"""Estimators by the name of their class."""
