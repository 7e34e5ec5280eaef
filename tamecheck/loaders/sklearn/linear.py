"""scikit-learn's linear models, their links, discriminant analysis and multilayer perceptrons."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck import ops
from tamecheck.errors import UnsupportedError
from tamecheck.loaders.sklearn import methods
from tamecheck.loaders.values import Value

_ACTIVATIONS = {"logistic": ops.SIGMOID, "tanh": ops.TANH, "relu": ops.RELU, "exp": ops.EXP}


def _value(x: Value, estimator: Any) -> Value:
    """``x @ coef + intercept``; a vector if there are several targets."""
    coefficients = methods.dense(estimator.coef_)
    intercept = np.asarray(estimator.intercept_)
    if coefficients.ndim == 1 or (intercept.ndim == 0 and len(coefficients) == 1):
        coefficients, intercept = coefficients.reshape(-1), intercept.reshape(-1)[0]
    return x.affine(coefficients.T, intercept, "value")


def _scores(x: Value, estimator: Any) -> Value:
    """``x @ coef + intercept``: a scalar for two classes."""
    coefficients = np.atleast_2d(methods.dense(estimator.coef_))
    offset = np.broadcast_to(np.asarray(estimator.intercept_, dtype=float), len(coefficients))
    if len(coefficients) == 1:
        return x.affine(coefficients[0], offset[0], "decision")
    return x.affine(coefficients.T, offset, "decision")


def _generalised(x: Value, estimator: Any) -> Value:
    """The inverse of the link at the linear predictor."""
    value = _value(x, estimator)
    link = type(estimator._base_loss.link).__name__  # noqa: SLF001 - the link has no public name
    return value.apply(ops.EXP, label="value") if link == "LogLink" else value


def _partial_least_squares(x: Value, estimator: Any) -> Value:
    centred = x - estimator._x_mean  # noqa: SLF001 - has no public name
    coefficients, intercept = estimator.coef_.T, np.asarray(estimator.intercept_)
    value = centred.affine(coefficients, intercept, "value")
    return methods.scalar(value) if estimator._predict_1d else value  # noqa: SLF001 - as above


def _latent(x: Value, estimator: Any) -> Value:
    """The scores of the features: centred, scaled and projected."""
    scaled = (x - estimator._x_mean) / estimator._x_std  # noqa: SLF001 - have no public name
    weights = getattr(estimator, "x_rotations_", getattr(estimator, "x_weights_", None))
    return scaled @ weights


def _sigmoids(x: Value, estimator: Any) -> Value:
    """The logistic function of the scores; of more than two, normalised."""
    shares = _scores(x, estimator).apply(ops.SIGMOID)
    if not shares.rank:
        return methods.binary(shares)
    return shares / shares.total((0,))


def _softmax(x: Value, estimator: Any) -> Value:
    """The softmax of the scores; the logistic function of one."""
    scores = _scores(x, estimator)
    if not scores.rank:
        return methods.binary(scores.apply(ops.SIGMOID))
    return scores.apply(ops.SOFTMAX, label="probabilities", axis=0)


def _descent(x: Value, estimator: Any) -> Value:
    """The probabilities that belong to the loss of SGDClassifier."""
    if estimator.loss == "log_loss":
        return _sigmoids(x, estimator)
    if estimator.loss != "modified_huber":
        raise UnsupportedError(f"the loss {estimator.loss!r} has no probabilities")
    shares = (_scores(x, estimator).clip(Fraction(-1), Fraction(1)) + 1) / 2
    return methods.normalise(shares) if shares.rank else methods.binary(shares)


def _discriminants(x: Value, estimator: Any) -> Value:
    """Coordinates along the directions that separate the classes best."""
    if estimator.solver == "lsqr":
        raise UnsupportedError("the solver 'lsqr' has no transform")
    moved = x - estimator.xbar_ if estimator.solver == "svd" else x
    kept = estimator.scalings_[:, : estimator._max_components]  # noqa: SLF001 - has no public name
    return moved @ kept


def _one_class(x: Value, estimator: Any) -> Value:
    offset = np.asarray(estimator.offset_, dtype=float).reshape(-1)[0]
    return x.affine(np.asarray(estimator.coef_).reshape(-1), -offset, "decision")


def _hidden(x: Value, estimator: Any) -> Value:
    """The last layer before its activation."""
    last = len(estimator.coefs_) - 1
    layers = zip(estimator.coefs_, estimator.intercepts_, strict=True)
    for index, (weights, offset) in enumerate(layers):
        x = x.affine(weights, offset, f"layer {index}")
        if index < last:
            x = _activate(x, estimator.activation)
    return x


def _activate(x: Value, name: str) -> Value:
    if name == "identity":
        return x
    if name == "softmax":
        return x.apply(ops.SOFTMAX, label="softmax", axis=0)
    if name not in _ACTIVATIONS:
        raise UnsupportedError(f"the activation {name!r} is not read")
    return x.apply(_ACTIVATIONS[name], label=name)


def _forward(x: Value, estimator: Any) -> Value:
    """The output of the last layer."""
    return _activate(_hidden(x, estimator), estimator.out_activation_)


def _perceptron(x: Value, estimator: Any) -> Value:
    """The probabilities: one number stands for two classes."""
    output = _forward(x, estimator)
    if output.shape != (1,):
        return output
    return (1 - output).apply(ops.CONCAT, output, label="decision", axis=0)


def _perceptron_label(x: Value, estimator: Any) -> Value:
    """The first largest number before the softmax; for each label whether its number is positive.

    There the logistic function of the number is above 1/2.
    """
    output = _hidden(x, estimator)
    several = estimator.out_activation_ == "softmax"
    return methods.argmax(output) if several else methods.positive(methods.scalar(output))


def _label(x: Value, estimator: Any) -> Value:
    """By the sign or the first largest of the scores; of several labels each by its sign."""
    scores = _scores(x, estimator)
    binarizer = getattr(estimator, "_label_binarizer", None)
    several = str(getattr(binarizer, "y_type_", "")).startswith("multilabel")
    return methods.argmax(scores) if scores.rank and not several else methods.positive(scores)


_LINEAR = methods.regressor(_value)
_SCORED = methods.classifier(_scores, predict=_label)

ESTIMATORS: Mapping[str, methods.Methods] = {
    **dict.fromkeys(
        (
            *("LinearRegression", "Ridge", "RidgeCV", "Lasso", "LassoCV", "ElasticNet"),
            *("ElasticNetCV", "Lars", "LarsCV", "LassoLars", "LassoLarsCV", "LassoLarsIC"),
            *("OrthogonalMatchingPursuit", "OrthogonalMatchingPursuitCV", "MultiTaskLasso"),
            *("MultiTaskLassoCV", "MultiTaskElasticNet", "MultiTaskElasticNetCV", "LinearSVR"),
            *("BayesianRidge", "ARDRegression", "HuberRegressor", "TheilSenRegressor"),
            *("QuantileRegressor", "SGDRegressor", "PassiveAggressiveRegressor"),
        ),
        _LINEAR,
    ),
    **dict.fromkeys(
        ("PoissonRegressor", "GammaRegressor", "TweedieRegressor"), methods.regressor(_generalised)
    ),
    **dict.fromkeys(
        ("PLSRegression", "PLSCanonical", "CCA"), methods.Methods(_latent, _partial_least_squares)
    ),
    "PLSSVD": methods.Methods(_latent),
    **dict.fromkeys(
        (
            *("LinearSVC", "RidgeClassifier", "RidgeClassifierCV", "Perceptron"),
            *("PassiveAggressiveClassifier",),
        ),
        _SCORED,
    ),
    "SGDClassifier": _SCORED.but(predict_proba=_descent),
    **dict.fromkeys(
        ("LogisticRegression", "LogisticRegressionCV"), _SCORED.but(predict_proba=_softmax)
    ),
    "LinearDiscriminantAnalysis": _SCORED.but(predict_proba=_softmax, transform=_discriminants),
    "SGDOneClassSVM": methods.Methods(
        predict=lambda x, e: methods.positive(_one_class(x, e), 1) * 2 - 1,
        decision_function=_one_class,
    ),
    "MLPRegressor": methods.regressor(lambda x, e: methods.scalar(_forward(x, e))),
    "MLPClassifier": methods.classifier(None, _perceptron, _perceptron_label),
}
"""Estimators by the name of their class."""
