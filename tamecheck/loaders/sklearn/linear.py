"""scikit-learn's scalers, linear models, support vector machines and perceptrons."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np

from tamecheck import ops
from tamecheck.errors import UnsupportedError
from tamecheck.ir.exact import rational
from tamecheck.ir.tensor import Array
from tamecheck.loaders.sketch import Sketch

__all__ = [
    "KERNELS",
    "linear_classifier",
    "linear_regressor",
    "max_abs_scaler",
    "min_max_scaler",
    "mlp_classifier",
    "mlp_regressor",
    "robust_scaler",
    "standard_scaler",
    "support_classifier",
    "support_regressor",
]


KERNELS = ("linear", "poly", "rbf", "sigmoid")


def standard_scaler(sketch: Sketch, x: int, estimator: Any) -> int:
    """``(x - mean) / scale``."""
    return _centred(sketch, x, estimator.mean_, estimator.scale_)


def robust_scaler(sketch: Sketch, x: int, estimator: Any) -> int:
    """``(x - center) / scale``."""
    return _centred(sketch, x, estimator.center_, estimator.scale_)


def max_abs_scaler(sketch: Sketch, x: int, estimator: Any) -> int:
    """``x / scale``."""
    return _clipped(sketch, _centred(sketch, x, None, estimator.scale_), estimator, (-1, 1))


def min_max_scaler(sketch: Sketch, x: int, estimator: Any) -> int:
    """``x * scale + min``, clipped to the feature range if the scaler clips."""
    scaled = sketch.apply(ops.MUL, x, sketch.constant(estimator.scale_))
    moved = sketch.apply(ops.ADD, scaled, sketch.constant(estimator.min_), label="scaled")
    return _clipped(sketch, moved, estimator, estimator.feature_range)


def _centred(sketch: Sketch, x: int, centre: Any, scale: Any) -> int:
    moved = x if centre is None else sketch.apply(ops.SUB, x, sketch.constant(centre))
    if scale is None:
        return moved
    return sketch.apply(ops.DIV, moved, sketch.constant(scale), label="scaled")


def _clipped(sketch: Sketch, x: int, estimator: Any, ends: tuple[float, float]) -> int:
    if not getattr(estimator, "clip", False):
        return x
    low, high = (rational(end) for end in ends)
    return sketch.apply(ops.CLIP, x, label="clipped", lo=low, hi=high)


def linear_regressor(sketch: Sketch, x: int, estimator: Any) -> dict[str, int]:
    """``x @ coef + intercept``; a vector if there are several targets."""
    coefficients = np.asarray(estimator.coef_)
    intercept = np.asarray(estimator.intercept_)
    if coefficients.ndim == 1 or intercept.ndim == 0:
        coefficients, intercept = coefficients.reshape(-1), intercept.reshape(-1)[0]
    return {"value": sketch.affine(x, coefficients.T, intercept, "value")}


def linear_classifier(sketch: Sketch, x: int, estimator: Any) -> dict[str, int]:
    """The decision function; its sign for two classes, else the first largest, is the label."""
    coefficients = np.atleast_2d(_dense(estimator.coef_))
    offset = np.broadcast_to(np.asarray(estimator.intercept_, dtype=float), len(coefficients))
    if len(coefficients) == 1:
        decision = sketch.affine(x, coefficients[0], offset[0], "decision")
        return {"decision": decision, "label": sketch.positive(decision)}
    decision = sketch.affine(x, coefficients.T, offset, "decision")
    return {"decision": decision, "label": sketch.argmax(decision)}


def support_regressor(sketch: Sketch, x: int, estimator: Any) -> dict[str, int]:
    """The kernel expansion over the support vectors."""
    kernels = _kernels(sketch, x, estimator)
    weights, offset = _dense(estimator.dual_coef_)[0], estimator.intercept_[0]
    return {"value": sketch.affine(kernels, weights, offset, "value")}


def support_classifier(sketch: Sketch, x: int, estimator: Any) -> dict[str, int]:
    """The decision function, and the label by the votes of the pairwise machines.

    With more than two classes, machine (i, j) votes for i where its value is positive.  The
    decision is then the vector of those values ("ovo"), or the votes for each class plus a
    bounded monotone function of its summed values ("ovr").
    """
    kernels, classes = _kernels(sketch, x, estimator), len(estimator.classes_)
    if classes == 2:
        weights, offset = _dense(estimator.dual_coef_)[0], estimator.intercept_[0]
        decision = sketch.affine(kernels, weights, offset, "decision")
        return {"decision": decision, "label": sketch.nonnegative(decision)}
    pairs = list(combinations(range(classes), 2))
    values = sketch.affine(kernels, _pairwise(estimator, pairs), estimator.intercept_, "ovo")
    first, second = (_incidence([pair[side] for pair in pairs], classes) for side in (0, 1))
    # votes = Σ [value > 0] e_i + (1 - [value > 0]) e_j
    wins = sketch.apply(ops.STEP, values, at_zero=Fraction(0))
    label = sketch.argmax(sketch.affine(wins, first - second, second.sum(axis=0), "votes"))
    if estimator.decision_function_shape == "ovo":
        return {"decision": values, "label": label}
    # a value of 0 counts for the first class here, unlike in the votes for the label
    firsts = sketch.apply(ops.STEP, values, at_zero=Fraction(1))
    votes = sketch.affine(firsts, first - second, second.sum(axis=0), "votes")
    total = sketch.apply(ops.MATMUL, values, sketch.constant(first - second))
    size = sketch.apply(ops.ADD, sketch.apply(ops.ABS, total), sketch.integer(1))
    share = sketch.apply(ops.DIV, total, sketch.apply(ops.MUL, sketch.integer(3), size))
    decision = sketch.apply(ops.ADD, votes, share, label="decision")
    return {"decision": decision, "label": sketch.argmax(decision) if _ties(estimator) else label}


def _ties(estimator: Any) -> bool:
    return bool(getattr(estimator, "break_ties", False))


def _incidence(members: list[int], classes: int) -> Array:
    return np.eye(classes, dtype=np.int64)[members]


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


def _kernels(sketch: Sketch, x: int, estimator: Any) -> int:
    """The kernel of the input with every support vector."""
    vectors = _dense(estimator.support_vectors_)
    kernel = estimator.kernel
    if kernel == "rbf":
        moved = sketch.apply(ops.SUB, x, sketch.constant(vectors))
        squares = sketch.apply(ops.POW, moved, exponent=Fraction(2))
        distance = sketch.apply(ops.SUM, squares, axes=(1,), keepdims=False)
        scaled = sketch.apply(ops.MUL, distance, sketch.constant(-_gamma(estimator)))
        return sketch.apply(ops.EXP, scaled, label="rbf kernel")
    product = sketch.apply(ops.MATMUL, x, sketch.constant(vectors.T), label="linear kernel")
    if kernel == "linear":
        return product
    scaled = sketch.apply(ops.MUL, product, sketch.constant(_gamma(estimator)))
    moved = sketch.apply(ops.ADD, scaled, sketch.constant(float(estimator.coef0)))
    if kernel == "sigmoid":
        return sketch.apply(ops.TANH, moved, label="sigmoid kernel")
    return sketch.apply(
        ops.POW, moved, label="polynomial kernel", exponent=rational(estimator.degree)
    )


def _gamma(estimator: Any) -> float:
    # the number that gamma="scale" has become in fit
    return float(getattr(estimator, "_gamma", estimator.gamma))


def _dense(matrix: Any) -> Array:
    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix)


_ACTIVATIONS = {"logistic": ops.SIGMOID, "tanh": ops.TANH, "relu": ops.RELU, "exp": ops.EXP}


def mlp_regressor(sketch: Sketch, x: int, estimator: Any) -> dict[str, int]:
    """The output layer; a vector if there are several targets."""
    output = _forward(sketch, x, estimator)
    scalar = sketch.shape(output) == (1,)
    return {"value": sketch.reshape(output, ()) if scalar else output}


def mlp_classifier(sketch: Sketch, x: int, estimator: Any) -> dict[str, int]:
    """The probabilities of the classes; the label is 1 above 1/2, or the first largest."""
    output = _forward(sketch, x, estimator)
    if estimator.out_activation_ == "softmax":
        return {"decision": output, "label": sketch.argmax(output)}
    if sketch.shape(output) != (1,):
        raise UnsupportedError("A multilabel MLPClassifier is not read.")
    half = sketch.constant(np.float64(0.5))
    probability = sketch.reshape(output, ())
    label = sketch.positive(sketch.apply(ops.SUB, probability, half))
    other = sketch.apply(ops.SUB, sketch.integer(1), output)
    decision = sketch.apply(ops.CONCAT, other, output, label="decision", axis=0)
    return {"decision": decision, "label": label}


def _forward(sketch: Sketch, x: int, estimator: Any) -> int:
    last = len(estimator.coefs_) - 1
    for index, (weights, offset) in enumerate(
        zip(estimator.coefs_, estimator.intercepts_, strict=True)
    ):
        x = sketch.affine(x, weights, offset, f"layer {index}")
        name = estimator.out_activation_ if index == last else estimator.activation
        x = _activate(sketch, x, name)
    return x


def _activate(sketch: Sketch, x: int, name: str) -> int:
    if name == "identity":
        return x
    if name == "softmax":
        return sketch.apply(ops.SOFTMAX, x, label="softmax", axis=0)
    if name not in _ACTIVATIONS:
        raise UnsupportedError(f"The activation {name!r} is not read.")
    return sketch.apply(_ACTIVATIONS[name], x, label=name)
