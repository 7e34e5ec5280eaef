"""scikit-learn's scalers, expansions, projections, discretisers, imputers and selections."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, cast

import numpy as np

from tamecheck import ops
from tamecheck.errors import UnsupportedError
from tamecheck.ir.exact import rational
from tamecheck.ir.op import Op
from tamecheck.ir.tensor import Array
from tamecheck.loaders.sklearn.methods import Methods, distances, interpolate, join, transformer
from tamecheck.loaders.values import Value

_LEAST_NORM = 10 * np.finfo(np.float64).eps
"""scikit-learn leaves rows of a smaller norm as they are."""


def _centre(x: Value, centre: Any, scale: Any) -> Value:
    """``(x - centre) / scale``."""
    moved = x if centre is None else x - centre
    return moved if scale is None else moved.apply(ops.DIV, scale, label="scaled")


def _mean(scaler: Any) -> Any:
    """The mean that is taken away, or None; it is known to the scaler in any case."""
    return scaler.mean_ if scaler.with_mean else None


def _spread(x: Value, centre: Any, scale: Any) -> Value:
    """``x scale + centre``."""
    moved = x if scale is None else x * scale
    return moved if centre is None else moved + centre


def _clip(x: Value, estimator: Any, ends: tuple[float, float]) -> Value:
    if not getattr(estimator, "clip", False):
        return x
    return x.clip(rational(ends[0]), rational(ends[1]), label="clipped")


def _min_max_scaler(x: Value, estimator: Any) -> Value:
    """``x * scale + min``, clipped to the feature range if the scaler clips."""
    return _clip(_spread(x, estimator.min_, estimator.scale_), estimator, estimator.feature_range)


def _normalizer(x: Value, estimator: Any) -> Value:
    """The row divided by its norm, where that is not tiny."""
    zero = np.zeros((1, x.shape[0]))
    norm = {"l1": 1, "l2": 2, "max": "max"}[estimator.norm]
    size = distances(x, zero, norm)
    if norm == 2:
        size = size.apply(ops.SQRT)
    least = x.emitter.constant(np.float64(_LEAST_NORM))
    tiny = size.apply(ops.LESS, least)
    return x / tiny.select(1, size.apply(ops.MAXIMUM, least))


def _yeo_johnson(x: Value, powers: Array) -> Value:
    """The transformation of Yeo and Johnson: a power of ``1 + |x|``, by the sign of x."""
    above, below = x.apply(ops.RELU) + 1, (0 - x).apply(ops.RELU) + 1
    return _box_cox(above, powers) - _box_cox(below, 2 - powers)


def _box_cox(x: Value, powers: Array) -> Value:
    """``(x^p - 1) / p``, and ``log x`` where p is 0; for positive x."""
    logarithm, zero = x.apply(ops.LOG), np.abs(powers) < np.spacing(1.0)
    safe = np.where(zero, 1.0, powers)
    power = ((logarithm * safe).apply(ops.EXP) - 1) / safe
    if not zero.any():
        return power
    return x.emitter.constant(zero.astype(np.int64)).select(logarithm, power)


def _yeo_johnson_inverse(x: Value, powers: Array) -> Value:
    above, below = x.apply(ops.RELU), (0 - x).apply(ops.RELU)
    return _box_cox_inverse(above, powers) - _box_cox_inverse(below, 2 - powers)


def _box_cox_inverse(x: Value, powers: Array) -> Value:
    """``(1 + p x)^(1/p)``, and ``exp x`` where p is 0."""
    zero = np.abs(powers) < np.spacing(1.0)
    safe = np.where(zero, 1.0, powers)
    power = ((x * safe + 1).apply(ops.LOG) / safe).apply(ops.EXP)
    if not zero.any():
        return power
    return x.emitter.constant(zero.astype(np.int64)).select(x.apply(ops.EXP), power)


def _power_inverse(x: Value, estimator: Any) -> Value:
    powers = np.asarray(estimator.lambdas_, dtype=np.float64)
    scaler = estimator._scaler if estimator.standardize else None  # noqa: SLF001 - has no public name
    y = x if scaler is None else _spread(x, scaler.mean_, scaler.scale_)
    inverse = _box_cox_inverse if estimator.method == "box-cox" else _yeo_johnson_inverse
    return inverse(y, powers)


def _quantiles_inverse(x: Value, estimator: Any) -> Value:
    if estimator.output_distribution != "uniform":
        raise UnsupportedError("normal quantiles are not read, only output_distribution='uniform'")
    levels, columns = np.asarray(estimator.references_), np.asarray(estimator.quantiles_).T
    return join([interpolate(x.part(0, i), levels, knots) for i, knots in enumerate(columns)])


def _power(x: Value, estimator: Any) -> Value:
    powers = np.asarray(estimator.lambdas_, dtype=np.float64)
    y = (_box_cox if estimator.method == "box-cox" else _yeo_johnson)(x, powers)
    scaler = estimator._scaler if estimator.standardize else None  # noqa: SLF001 - has no public name
    return y if scaler is None else _centre(y, scaler.mean_, scaler.scale_)


def _quantiles(x: Value, estimator: Any) -> Value:
    """The empirical distribution function of each feature, interpolated; the mean at a jump."""
    if estimator.output_distribution != "uniform":
        raise UnsupportedError("normal quantiles are not read, only output_distribution='uniform'")
    heights = np.asarray(estimator.references_)
    columns = np.asarray(estimator.quantiles_).T
    return join([_distribution(x.part(0, i), knots, heights) for i, knots in enumerate(columns)])


def _distribution(x: Value, knots: Array, heights: Array) -> Value:
    points, first = np.unique(knots, return_index=True)
    last = np.append(first[1:], len(knots)) - 1
    jumps = heights[last] - heights[first]
    # without its jumps the function is continuous
    level = interpolate(x, points, heights[first] - np.cumsum(jumps) + jumps)
    for place in np.flatnonzero(jumps):
        # 0 at the least quantile, 1 at the largest, between them the mean of both sides
        end = {0: Fraction(0), len(points) - 1: Fraction(1)}.get(int(place), Fraction(1, 2))
        above = (x - points[place]).apply(ops.STEP, at_zero=end)
        level = level + above * jumps[place]
    return level


def _imputed(x: Value, estimator: Any) -> Value:
    """Numbers as they are: a missing value is no real number, unless it is marked by one."""
    statistics = np.asarray(estimator.statistics_, dtype=np.float64)
    kept = np.isfinite(statistics) | bool(estimator.keep_empty_features)
    y, marker = x if kept.all() else x.take(np.flatnonzero(kept), 0), estimator.missing_values
    if _is_number(marker):
        y = y.apply(ops.EQUAL, rational(marker)).select(statistics[kept], y)
    return _marked(x, y, estimator)


def _neighbours_imputed(x: Value, estimator: Any) -> Value:
    """The same; a feature that no row had is left out, or 0."""
    if _is_number(estimator.missing_values):
        raise UnsupportedError("a number that marks missing values is not read")
    known = np.asarray(estimator._valid_mask)  # noqa: SLF001 - has no public name
    if estimator.keep_empty_features:
        y = x if known.all() else x * known.astype(np.int64)
    else:
        y = x.take(np.flatnonzero(known), 0)
    return _marked(x, y, estimator)


def _marked(x: Value, y: Value, estimator: Any) -> Value:
    """Then, if the estimator adds them, indicators of the features that may be missing."""
    if not estimator.add_indicator:
        return y
    places, marker = np.asarray(estimator.indicator_.features_), estimator.missing_values
    if not _is_number(marker):
        return join([y, x.emitter.constant(np.zeros(len(places)))])
    return join([y, x.take(places, 0).apply(ops.EQUAL, rational(marker))])


def _is_number(marker: Any) -> bool:
    return isinstance(marker, int | float) and not math.isnan(marker)


def _principal(x: Value, estimator: Any) -> Value:
    """Coordinates along the principal components, whitened if the estimator whitens."""
    offset = -(np.asarray(estimator.mean_) @ estimator.components_.T)
    y = x.affine(estimator.components_.T, offset, "components")
    if not estimator.whiten:
        return y
    scale = np.sqrt(estimator.explained_variance_)
    return y / np.maximum(scale, np.finfo(scale.dtype).eps)


def _independent(x: Value, estimator: Any) -> Value:
    moved = x - estimator.mean_ if estimator.whiten else x
    return moved @ estimator.components_.T


def _factors(x: Value, estimator: Any) -> Value:
    weights = estimator.components_ / estimator.noise_variance_
    unit = np.eye(len(estimator.components_))
    covariance = cast("Array", np.linalg.inv(unit + weights @ estimator.components_.T))
    return (x - estimator.mean_) @ weights.T @ covariance


def _op(op: Op, **params: Any) -> Callable[[Value], Value]:
    return lambda x: x.apply(op, **params)


def _root(x: Value) -> Value:
    return x.apply(ops.POW, exponent=Fraction(1, 3))


def _log_to(base: float) -> Callable[[Value], Value]:
    return lambda x: x.apply(ops.LOG) / np.log(base)


_UFUNCS: Mapping[str, Callable[[Value], Value]] = {
    **{op.name: _op(op) for op in (ops.EXP, ops.LOG, ops.SQRT, ops.FLOOR, ops.CEIL)},
    **{op.name: _op(op) for op in (ops.SIN, ops.COS, ops.TAN, ops.SINH, ops.COSH, ops.TANH)},
    **{
        f"arc{op.name[1:]}": _op(op)
        for op in (ops.ASIN, ops.ACOS, ops.ATAN, ops.ASINH, ops.ACOSH, ops.ATANH)
    },
    **dict.fromkeys(("absolute", "fabs"), _op(ops.ABS)),
    "negative": _op(ops.NEG),
    "log1p": lambda x: (x + 1).apply(ops.LOG),
    "expm1": lambda x: x.apply(ops.EXP) - 1,
    "square": lambda x: x.square(),
    "reciprocal": lambda x: 1 / x,
    "sign": _op(ops.SIGN, at_zero=Fraction(0)),
    "rint": _op(ops.ROUND, mode="half_even"),
    "trunc": _op(ops.ROUND, mode="toward_zero"),
    "log2": _log_to(2.0),
    "log10": _log_to(10.0),
    "exp2": lambda x: (x * np.log(2.0)).apply(ops.EXP),
    "positive": lambda x: x,
    **dict.fromkeys(("deg2rad", "radians"), lambda x: x * (np.pi / 180)),
    **dict.fromkeys(("rad2deg", "degrees"), lambda x: x * (180 / np.pi)),
    "cbrt": lambda x: _root(x.apply(ops.RELU)) - _root((0 - x).apply(ops.RELU)),
    # of scipy.special
    "expit": _op(ops.SIGMOID),
    "logit": lambda x: (x / (1 - x)).apply(ops.LOG),
    "erf": _op(ops.ERF),
}
"""The functions of one number in NumPy, and some of SciPy's, by their names."""


def _function(x: Value, function: Any, arguments: Any) -> Value:
    if function is None:
        return x
    name = str(getattr(function, "__name__", function))
    if function is np.clip and arguments:
        ends = [arguments.get(f"a_{end}", arguments.get(end)) for end in ("min", "max")]
        if all(end is None or np.ndim(end) == 0 for end in ends):
            low, high = (None if end is None else rational(end) for end in ends)
            return x.clip(low, high)
    if arguments or not isinstance(function, np.ufunc) or name not in _UFUNCS:
        raise UnsupportedError(f"the function {name!r} is not read, only NumPy's elementary ones")
    return _UFUNCS[name](x)


ESTIMATORS: Mapping[str, Methods] = {
    "StandardScaler": transformer(lambda x, e: _centre(x, _mean(e), e.scale_)),
    "RobustScaler": transformer(lambda x, e: _centre(x, e.center_, e.scale_)),
    "MaxAbsScaler": transformer(lambda x, e: _clip(_centre(x, None, e.scale_), e, (-1, 1))),
    "MinMaxScaler": transformer(_min_max_scaler),
    "Normalizer": transformer(_normalizer),
    "Binarizer": transformer(
        lambda x, e: x.emitter.constant(np.float64(e.threshold)).apply(ops.LESS, x)
    ),
    "PowerTransformer": transformer(_power),
    "QuantileTransformer": transformer(_quantiles),
    "SimpleImputer": transformer(_imputed),
    "IterativeImputer": transformer(lambda x, e: _marked(x, _imputed(x, e.initial_imputer_), e)),
    "KNNImputer": transformer(_neighbours_imputed),
    "FunctionTransformer": transformer(lambda x, e: _function(x, e.func, e.kw_args)),
    **dict.fromkeys(("PCA", "IncrementalPCA"), transformer(_principal)),
    "TruncatedSVD": transformer(lambda x, e: x @ e.components_.T),
    "FastICA": transformer(_independent),
    "FactorAnalysis": transformer(_factors),
    **dict.fromkeys(
        ("GaussianRandomProjection", "NeighborhoodComponentsAnalysis"),
        transformer(lambda x, e: x @ np.asarray(e.components_).T),
    ),
    **dict.fromkeys(
        (
            *("VarianceThreshold", "SelectKBest", "SelectPercentile", "SelectFpr", "SelectFdr"),
            *("SelectFwe", "GenericUnivariateSelect", "SelectFromModel"),
            "SequentialFeatureSelector",
        ),
        transformer(lambda x, e: x.take(np.flatnonzero(e.get_support()), 0)),
    ),
}
"""Transformers by the name of their class."""


INVERSES: Mapping[str, Callable[[Value, Any], Value]] = {
    "StandardScaler": lambda x, e: _spread(x, _mean(e), e.scale_),
    "RobustScaler": lambda x, e: _spread(x, e.center_, e.scale_),
    "MaxAbsScaler": lambda x, e: _spread(x, None, e.scale_),
    "MinMaxScaler": lambda x, e: _centre(x, e.min_, e.scale_),
    "PowerTransformer": _power_inverse,
    "QuantileTransformer": _quantiles_inverse,
    "FunctionTransformer": lambda x, e: _function(x, e.inverse_func, e.inv_kw_args),
}
"""The inverse transformations of targets."""
