"""scikit-learn's scalers, linear models, support vector machines and perceptrons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np

from tamecheck import ops
from tamecheck.errors import UnsupportedError
from tamecheck.ir.exact import rational
from tamecheck.ir.tensor import Array
from tamecheck.loaders.values import Value

__all__ = ["KERNELS", "PREDICTORS", "TRANSFORMERS", "argmax", "positive", "scalar"]

KERNELS = ("linear", "poly", "rbf", "sigmoid")
_ACTIVATIONS = {"logistic": ops.SIGMOID, "tanh": ops.TANH, "relu": ops.RELU, "exp": ops.EXP}


def argmax(x: Value) -> Value:
    """The index of the largest element of a vector, the first of tied ones."""
    return x.apply(ops.ARGMAX, label="label", axis=0, keepdims=False, last=False)


def positive(x: Value, at_zero: int = 0) -> Value:
    """1 where ``x > 0``, else 0, except at 0."""
    return x.apply(ops.STEP, label="label", at_zero=Fraction(at_zero))


def _min_max_scaler(x: Value, estimator: Any) -> Value:
    """``x * scale + min``, clipped to the feature range if the scaler clips."""
    constant = x.emitter.constant
    scaled = x * constant(estimator.scale_)
    moved = scaled.apply(ops.ADD, constant(estimator.min_), label="scaled")
    return _clip(moved, estimator, estimator.feature_range)


def _centre(x: Value, centre: Any, scale: Any) -> Value:
    """``(x - centre) / scale``."""
    constant = x.emitter.constant
    moved = x if centre is None else x - constant(centre)
    return moved if scale is None else moved.apply(ops.DIV, constant(scale), label="scaled")


def _clip(x: Value, estimator: Any, ends: tuple[float, float]) -> Value:
    if not getattr(estimator, "clip", False):
        return x
    return x.clip(rational(ends[0]), rational(ends[1]), label="clipped")


def _linear_regressor(x: Value, estimator: Any) -> dict[str, Value]:
    """``x @ coef + intercept``; a vector if there are several targets."""
    coefficients = np.asarray(estimator.coef_)
    intercept = np.asarray(estimator.intercept_)
    if coefficients.ndim == 1 or intercept.ndim == 0:
        coefficients, intercept = coefficients.reshape(-1), intercept.reshape(-1)[0]
    return {"value": x.affine(coefficients.T, intercept, "value")}


def _linear_classifier(x: Value, estimator: Any) -> dict[str, Value]:
    """The decision function; its sign for two classes, else the first largest, is the label."""
    coefficients = np.atleast_2d(_dense(estimator.coef_))
    offset = np.broadcast_to(np.asarray(estimator.intercept_, dtype=float), len(coefficients))
    if len(coefficients) == 1:
        decision = x.affine(coefficients[0], offset[0], "decision")
        return {"decision": decision, "label": positive(decision)}
    decision = x.affine(coefficients.T, offset, "decision")
    return {"decision": decision, "label": argmax(decision)}


def _expansion(x: Value, estimator: Any, label: str) -> Value:
    """The kernel expansion over the support vectors."""
    weights, offset = _dense(estimator.dual_coef_)[0], estimator.intercept_[0]
    return _kernels(x, estimator).affine(weights, offset, label)


def _support_classifier(x: Value, estimator: Any) -> dict[str, Value]:
    """The decision function, and the label by the votes of the pairwise machines.

    With more than two classes, machine (i, j) votes for i where its value is positive.  The
    decision is then the vector of those values ("ovo"), or the votes for each class plus a
    bounded monotone function of its summed values ("ovr").
    """
    classes = len(estimator.classes_)
    if classes == 2:
        decision = _expansion(x, estimator, "decision")
        return {"decision": decision, "label": positive(decision, 1)}
    pairs = list(combinations(range(classes), 2))
    weights = _pairwise(estimator, pairs)
    values = _kernels(x, estimator).affine(weights, estimator.intercept_, "ovo")
    units = np.eye(classes, dtype=np.int64)
    first, second = (units[[pair[side] for pair in pairs]] for side in (0, 1))
    # votes = Σ [value > 0] e_i + (1 - [value > 0]) e_j
    wins = values.apply(ops.STEP, at_zero=Fraction(0))
    label = argmax(wins.affine(first - second, second.sum(axis=0), "votes"))
    if estimator.decision_function_shape == "ovo":
        return {"decision": values, "label": label}
    # a value of 0 counts for the first class here, unlike in the votes for the label
    firsts = values.apply(ops.STEP, at_zero=Fraction(1))
    votes = firsts.affine(first - second, second.sum(axis=0), "votes")
    total = values @ x.emitter.constant(first - second)
    size = total.apply(ops.ABS) + 1
    share = total / x.emitter.apply(ops.MUL, 3, size)
    decision = votes.apply(ops.ADD, share, label="decision")
    ties = bool(getattr(estimator, "break_ties", False))
    return {"decision": decision, "label": argmax(decision) if ties else label}


def _pairwise(estimator: Any, pairs: list[tuple[int, int]]) -> Array:
    """The weight of each support vector (row) in each pairwise machine (column)."""
    weights = _dense(estimator.dual_coef_)
    owners = np.repeat(np.arange(len(estimator.n_support_)), estimator.n_support_)
    columns = [
        # libsvm keeps the weights of class i against j in row j-1, and of j against i in row i
        np.where(owners == i, weights[j - 1], 0.0) + np.where(owners == j, weights[i], 0.0)
        for i, j in pairs
    ]
    return np.stack(columns, axis=1)


def _kernels(x: Value, estimator: Any) -> Value:
    """The kernel of the input with every support vector."""
    constant, kernel = x.emitter.constant, estimator.kernel
    vectors = _dense(estimator.support_vectors_)
    # the number that gamma="scale" has become in fit
    gamma = float(getattr(estimator, "_gamma", estimator.gamma)) if kernel != "linear" else 0.0
    if kernel == "rbf":
        distance = (x - constant(vectors)).square().total((1,), keepdims=False)
        return (distance * constant(-gamma)).apply(ops.EXP, label="rbf kernel")
    product = x.apply(ops.MATMUL, constant(vectors.T), label="linear kernel")
    if kernel == "linear":
        return product
    moved = product * constant(gamma) + constant(float(estimator.coef0))
    if kernel == "sigmoid":
        return moved.apply(ops.TANH, label="sigmoid kernel")
    degree = rational(estimator.degree)
    return moved.apply(ops.POW, label="polynomial kernel", exponent=degree)


def scalar(x: Value) -> Value:
    """A vector of one element as a scalar; another as it is."""
    return x.reshape(()) if x.shape == (1,) else x


def _dense(matrix: Any) -> Array:
    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix)


def _mlp_classifier(x: Value, estimator: Any) -> dict[str, Value]:
    """The probabilities of the classes; the label is 1 above 1/2, or the first largest."""
    output = _forward(x, estimator)
    if estimator.out_activation_ == "softmax":
        return {"decision": output, "label": argmax(output)}
    if output.shape != (1,):
        raise UnsupportedError("A multilabel MLPClassifier is not read.")
    half = x.emitter.constant(np.float64(0.5))
    label = positive(output.reshape(()) - half)
    decision = (1 - output).apply(ops.CONCAT, output, label="decision", axis=0)
    return {"decision": decision, "label": label}


def _forward(x: Value, estimator: Any) -> Value:
    last = len(estimator.coefs_) - 1
    layers = zip(estimator.coefs_, estimator.intercepts_, strict=True)
    for index, (weights, offset) in enumerate(layers):
        x = x.affine(weights, offset, f"layer {index}")
        name = estimator.out_activation_ if index == last else estimator.activation
        if name == "softmax":
            x = x.apply(ops.SOFTMAX, label="softmax", axis=0)
        elif name in _ACTIVATIONS:
            x = x.apply(_ACTIVATIONS[name], label=name)
        elif name != "identity":
            raise UnsupportedError(f"The activation {name!r} is not read.")
    return x


PREDICTORS: Mapping[str, Callable[[Value, Any], dict[str, Value]]] = {
    **dict.fromkeys(
        (
            *("LinearRegression", "Ridge", "RidgeCV", "Lasso", "LassoCV", "ElasticNet"),
            *("ElasticNetCV", "LinearSVR", "HuberRegressor", "SGDRegressor"),
        ),
        _linear_regressor,
    ),
    **dict.fromkeys(
        (
            *("LogisticRegression", "LogisticRegressionCV", "LinearSVC", "RidgeClassifier"),
            *("SGDClassifier", "Perceptron"),
        ),
        _linear_classifier,
    ),
    **dict.fromkeys(("SVR", "NuSVR"), lambda x, e: {"value": _expansion(x, e, "value")}),
    **dict.fromkeys(("SVC", "NuSVC"), _support_classifier),
    "MLPRegressor": lambda x, e: {"value": scalar(_forward(x, e))},
    "MLPClassifier": _mlp_classifier,
}
"""Estimators that end a pipeline: their outputs by name."""

TRANSFORMERS: Mapping[str, Callable[[Value, Any], Value]] = {
    "StandardScaler": lambda x, estimator: _centre(x, estimator.mean_, estimator.scale_),
    "RobustScaler": lambda x, estimator: _centre(x, estimator.center_, estimator.scale_),
    "MaxAbsScaler": lambda x, scaler: _clip(_centre(x, None, scaler.scale_), scaler, (-1, 1)),
    "MinMaxScaler": _min_max_scaler,
}
