"""What an estimator's methods are on one row, and the blocks that they are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from tamecheck import ops
from tamecheck.ir.tensor import Array
from tamecheck.loaders.values import Value, concat

Method: TypeAlias = Callable[[Value, Any], Value]
"""The value of one method of a fitted estimator at a row of features."""


def _reads(_: Any) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Methods:
    """The methods of one kind of estimator, each a function of a row and the fitted estimator.

    ``predict`` of a classifier is the index of the class in ``classes_``.
    """

    transform: Method | None = None
    predict: Method | None = None
    decision_function: Method | None = None
    predict_proba: Method | None = None
    why_not: Callable[[Any], str] = _reads
    """Why an estimator of this kind is not read; empty if it is."""

    def but(self, *, why_not: Callable[[Any], str] | None = None, **others: Method) -> Methods:
        """These methods with some replaced."""
        return replace(self, why_not=why_not or self.why_not, **others)


def transformer(transform: Method) -> Methods:
    """An estimator that only transforms."""
    return Methods(transform)


def regressor(predict: Method) -> Methods:
    """An estimator that predicts numbers."""
    return Methods(predict=predict)


def classifier(
    decision_function: Method | None = None,
    predict_proba: Method | None = None,
    predict: Method | None = None,
    *,
    at_zero: int = 0,
) -> Methods:
    """A classifier: unless given, its label is the first largest of its scores.

    One score is compared with 0, where ``at_zero`` is the label.
    """
    scores = decision_function or predict_proba
    label = scores and _label(scores, at_zero)
    return Methods(None, predict or label, decision_function, predict_proba)


def _label(scores: Method, at_zero: int) -> Method:
    def label(x: Value, estimator: Any) -> Value:
        found = scores(x, estimator)
        return argmax(found) if found.rank else positive(found, at_zero)

    return label


def argmax(x: Value) -> Value:
    """The index of the largest element of a vector, the first of tied ones."""
    return x.apply(ops.ARGMAX, label="label", axis=0, keepdims=False, last=False)


def argmin(x: Value) -> Value:
    """The index of the smallest element of a vector, the first of tied ones."""
    return x.apply(ops.ARGMIN, label="label", axis=0, keepdims=False, last=False)


def positive(x: Value, at_zero: int = 0) -> Value:
    """1 where ``x > 0``, else 0, except at 0."""
    return x.apply(ops.STEP, label="label", at_zero=Fraction(at_zero))


def scalar(x: Value) -> Value:
    """A tensor of one element as a scalar; another as it is."""
    return x.reshape(()) if x.shape and set(x.shape) == {1} else x


def join(parts: Sequence[Value], label: str = "") -> Value:
    """Vectors and scalars joined to a vector."""
    vectors = [part if part.rank else part.reshape((1,)) for part in parts]
    return concat(vectors, 0, label=label)


def binary(share: Value) -> Value:
    """``(1 - p, p)`` of a scalar p."""
    return join([1 - share, share], "probabilities")


def normalise(shares: Value) -> Value:
    """A vector divided by its sum, where that is not 0; equal shares where it is."""
    total = shares.total((0,))
    missing = total.apply(ops.EQUAL, 0)
    return missing.select(Fraction(1, shares.shape[0]), shares / apart(total, missing))


def apart(divisor: Value, missing: Value) -> Value:
    """A divisor with 1 in its place where it is missing."""
    return missing.select(1, divisor)


def indicator(index: Value, count: int) -> Value:
    """The unit vector of an index."""
    return index.reshape((1,)).apply(ops.EQUAL, np.arange(count))


def distances(x: Value, points: Array, power: float | str = 2) -> Value:
    """The distances to points, a row each: squared for 2, those of the sum norm for 1.

    Any other power is the largest difference.
    """
    differences = x - points
    if power == 2:
        return differences.square().total((1,), keepdims=False)
    sizes = differences.apply(ops.ABS)
    op = ops.SUM if power == 1 else ops.REDUCE_MAX
    return sizes.apply(op, axes=(1,), keepdims=False)


def interpolate(x: Value, knots: Array, heights: Array) -> Value:
    """The piecewise linear function of a scalar through the points, constant outside.

    Knots increase strictly.
    """
    constant = x.emitter.constant
    if len(knots) == 1:
        return x * 0 + heights[0]
    left, right = constant(knots[:-1]), constant(knots[1:])
    slopes = (constant(heights[1:]) - constant(heights[:-1])) / (right - left)
    parts = x.apply(ops.MAXIMUM, left).apply(ops.MINIMUM, right) - left
    return parts @ slopes + heights[0]


def scores_of(estimator: Any) -> str:
    """The method that gives scores: the decision function, or the probabilities, or none."""
    if hasattr(estimator, "decision_function"):
        return "decision_function"
    several = len(getattr(estimator, "classes_", ())) > 2
    alone = several and getattr(estimator, "multi_class", "") == "one_vs_one"
    return "predict_proba" if hasattr(estimator, "predict_proba") and not alone else ""


def dense(matrix: Any) -> Array:
    """A matrix that may be sparse."""
    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix)
