"""scikit-learn's multilayer perceptrons."""

from __future__ import annotations

from typing import Any

import numpy as np

from tamecheck import ops
from tamecheck.errors import UnsupportedError
from tamecheck.loaders.sketch import Sketch

__all__ = ["mlp_classifier", "mlp_regressor"]

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
