"""Train the small networks that tamecheck ships, and save them as ONNX files.

    python examples/train_embedded_models.py [FOLDER]

Four networks, a few seconds, NumPy only (scikit-learn supplies the table):

``bnn``      30-8-2 binarised network on the breast cancer table, trained with the
             straight-through estimator: weights ±1, sign activations, integer thresholds
``relu``     2-16-16-1 ReLU network on two interleaved half moons
``sine``     1-8-1 network with sine activations, tame on every bounded box only
``snake``    1-6-1 network with the activation x + sin²(x), not tame on the real line

The folder defaults to ``tamecheck/models``, where the installed package looks for them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[np.float64]
SHIPPED = Path(__file__).parent.parent / "tamecheck" / "models"


@dataclass(frozen=True)
class Activation:
    """A smooth or piecewise smooth activation: its value, its slope, and its ONNX nodes."""

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    onnx_nodes: Callable[[str, str], list[onnx.NodeProto]]


RELU = Activation(
    value=lambda a: np.maximum(a, 0),
    slope=lambda a: (a > 0).astype(np.float64),
    onnx_nodes=lambda x, y: [helper.make_node("Relu", [x], [y], name=y)],
)
SINE = Activation(
    value=np.sin,
    slope=np.cos,
    onnx_nodes=lambda x, y: [helper.make_node("Sin", [x], [y], name=y)],
)
SNAKE = Activation(
    value=lambda a: a + np.sin(a) ** 2,
    slope=lambda a: 1 + np.sin(2 * a),
    onnx_nodes=lambda x, y: [
        helper.make_node("Sin", [x], [f"{y}_sin"], name=f"{y}_sin"),
        helper.make_node("Mul", [f"{y}_sin", f"{y}_sin"], [f"{y}_square"], name=f"{y}_square"),
        helper.make_node("Add", [x, f"{y}_square"], [y], name=y),
    ],
)


class Adam:
    """Kingma and Ba's optimiser, for a list of arrays that it updates in place."""

    def __init__(self, arrays: list[Array], rate: float) -> None:
        self.arrays, self.rate, self.step = arrays, rate, 0
        self.mean = [np.zeros_like(a) for a in arrays]
        self.square = [np.zeros_like(a) for a in arrays]

    def update(self, gradients: list[Array]) -> None:
        """One step against the gradients."""
        self.step += 1
        scale = self.rate * np.sqrt(1 - 0.999**self.step) / (1 - 0.9**self.step)
        for i, gradient in enumerate(gradients):
            self.mean[i] += 0.1 * (gradient - self.mean[i])
            self.square[i] += 0.001 * (gradient**2 - self.square[i])
            self.arrays[i] -= scale * self.mean[i] / (np.sqrt(self.square[i]) + 1e-8)


# --- a binarised network, by the straight-through estimator ---------------------------------


def breast_cancer(seed: int) -> tuple[Array, npt.NDArray[np.int64], Array, npt.NDArray[np.int64]]:
    """Train and test parts of the table, each feature +1 above its training median, else -1."""
    from sklearn.datasets import load_breast_cancer

    table: Any = load_breast_cancer()
    order = np.random.default_rng(seed).permutation(len(table.target))
    test, train = order[:114], order[114:]
    median = np.median(table.data[train], axis=0)
    signs = np.where(table.data > median, 1.0, -1.0)
    labels = table.target.astype(np.int64)
    return signs[train], labels[train], signs[test], labels[test]


@dataclass(frozen=True)
class Bnn:
    """The network ``sign(x W + b) V + c`` with entries ±1 in W, V and odd integers in b, c."""

    w: Array
    b: Array
    v: Array
    c: Array

    def scores(self, x: Array) -> Array:
        """One row of class scores for each row of signs; no pre-activation is ever 0."""
        return np.sign(x @ self.w + self.b) @ self.v + self.c

    def accuracy(self, x: Array, labels: npt.NDArray[np.int64]) -> float:
        """The share of rows whose larger score is at the label (ties: the first class)."""
        return float(np.mean(self.scores(x).argmax(axis=1) == labels))


def odd(values: Array) -> Array:
    """The nearest odd integers."""
    return 2 * np.floor(values / 2) + 1


def train_bnn(x: Array, labels: npt.NDArray[np.int64], hidden: int, seed: int) -> Bnn:
    """The best network, on the training part, that the straight-through estimator passes by.

    Forward with signs, backward as if sign were the identity on [-1, 1] (Hubara et al. 2016).
    """
    rng = np.random.default_rng(seed)
    w, v = rng.uniform(-1, 1, (x.shape[1], hidden)), rng.uniform(-1, 1, (hidden, 2))
    b, c = np.zeros(hidden), np.zeros(2)
    optimiser = Adam([w, b, v, c], rate=0.01)
    targets = np.eye(2)[labels]
    best = _rounded(w, b, v, c)
    for _ in range(300):
        batch = rng.permutation(len(x))[:128]
        rows = x[batch]
        binary_w, binary_v = np.where(w >= 0, 1.0, -1.0), np.where(v >= 0, 1.0, -1.0)
        before = (rows @ binary_w + b) / np.sqrt(x.shape[1])
        after = np.where(before >= 0, 1.0, -1.0)
        logits = (after @ binary_v + c) / np.sqrt(hidden)
        error = (_softmax(logits) - targets[batch]) / len(batch) / np.sqrt(hidden)
        back = (error @ binary_v.T) * (np.abs(before) <= 1) / np.sqrt(x.shape[1])
        optimiser.update([rows.T @ back, back.sum(axis=0), after.T @ error, error.sum(axis=0)])
        np.clip(w, -1, 1, out=w)
        np.clip(v, -1, 1, out=v)
        candidate = _rounded(w, b, v, c)
        if candidate.accuracy(x, labels) > best.accuracy(x, labels):
            best = candidate
    return best


def _rounded(w: Array, b: Array, v: Array, c: Array) -> Bnn:
    # an even number of ±1 terms is even, so an odd threshold is never met
    return Bnn(np.where(w >= 0, 1.0, -1.0), odd(b), np.where(v >= 0, 1.0, -1.0), odd(c))


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


# --- dense networks ------------------------------------------------------------------------


@dataclass(frozen=True)
class Dense:
    """Alternating affine maps and one activation, the last map affine."""

    weights: list[Array]
    biases: list[Array]
    activation: Activation

    def __call__(self, x: Array) -> Array:
        """One output row for each input row."""
        for w, b in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = self.activation.value(x @ w + b)
        return x @ self.weights[-1] + self.biases[-1]


def train_dense(
    x: Array, y: Array, widths: list[int], activation: Activation, *, seed: int
) -> Dense:
    """A network that fits ``y`` in the least squares sense, by Adam on the whole table."""
    rng = np.random.default_rng(seed)
    pairs = list(pairwise([x.shape[1], *widths, y.shape[1]]))
    weights = [rng.normal(0, 1.5 / np.sqrt(m), (m, n)) for m, n in pairs]
    biases = [rng.uniform(-1, 1, n) for _, n in pairs]
    net = Dense(weights, biases, activation)
    optimiser = Adam([*weights, *biases], rate=0.01)
    for _ in range(2000):
        values, inputs = [x], []
        for w, b in zip(weights, biases, strict=True):
            inputs.append(values[-1] @ w + b)
            values.append(activation.value(inputs[-1]))
        error = 2 * (inputs[-1] - y) / len(x)
        weight_slopes, bias_slopes = [], []
        for layer in reversed(range(len(weights))):
            weight_slopes.insert(0, values[layer].T @ error)
            bias_slopes.insert(0, error.sum(axis=0))
            if layer:
                error = (error @ weights[layer].T) * activation.slope(inputs[layer - 1])
        optimiser.update([*weight_slopes, *bias_slopes])
    return net


def half_moons(count: int, seed: int) -> tuple[Array, Array]:
    """Points of two interleaved half circles with noise, and the labels ±1."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, np.pi, count // 2)
    upper = np.column_stack([np.cos(angle), np.sin(angle)])
    lower = np.column_stack([1 - np.cos(angle), 0.5 - np.sin(angle)])
    points = np.vstack([upper, lower]) + rng.normal(0, 0.1, (2 * len(angle), 2))
    return points, np.repeat([[1.0], [-1.0]], len(angle), axis=0)


# --- ONNX ----------------------------------------------------------------------------------


def save(
    path: Path,
    layers: list[tuple[Array, Array]],
    activation: Callable[[str, str], list[onnx.NodeProto]],
    note: str,
) -> None:
    """Write affine layers with an activation between them, weights in single precision."""
    nodes: list[onnx.NodeProto] = []
    initialisers: list[onnx.TensorProto] = []
    value = "x"
    for number, (w, b) in enumerate(layers, start=1):
        last = number == len(layers)
        for name, array in ((f"w{number}", w), (f"b{number}", b)):
            initialisers.append(numpy_helper.from_array(array.astype(np.float32), name))
        affine = "y" if last else f"affine{number}"
        inputs = [value, f"w{number}", f"b{number}"]
        nodes.append(helper.make_node("Gemm", inputs, [affine], name=affine))
        if not last:
            value = f"hidden{number}"
            nodes += activation(affine, value)
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, len(layers[0][0])])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, len(layers[-1][1])])],
        initialisers,
        doc_string=note,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="tamecheck"
    )
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def make_bnn(folder: Path) -> float:
    """Train and save ``bnn.onnx`` with the test rows beside it; the test accuracy."""
    x, labels, test_x, test_labels = breast_cancer(seed=0)
    nets = [train_bnn(x, labels, hidden=8, seed=seed) for seed in range(5)]
    best = max(nets, key=lambda net: net.accuracy(x, labels))
    save(
        folder / "bnn.onnx",
        [(best.w, best.b), (best.v, best.c)],
        lambda a, h: [helper.make_node("Sign", [a], [h], name=h)],
        "Binarised network 30-8-2 on the signs of the breast cancer features.",
    )
    np.savetxt(folder / "breast_cancer_test.csv", test_x, fmt="%d", delimiter=",")
    np.savetxt(folder / "breast_cancer_test_labels.csv", test_labels, fmt="%d")
    return best.accuracy(test_x, test_labels)


def make_relu(folder: Path) -> float:
    """Train and save ``relu.onnx``; the accuracy on fresh points."""
    net = train_dense(*half_moons(400, seed=1), [16, 16], RELU, seed=1)
    layers = list(zip(net.weights, net.biases, strict=True))
    save(folder / "relu.onnx", layers, RELU.onnx_nodes, "ReLU network 2-16-16-1 on half moons.")
    points, labels = half_moons(1000, seed=2)
    return float(np.mean((net(points) > 0) == (labels > 0)))


def make_wave(folder: Path, name: str, activation: Activation, width: int, note: str) -> float:
    """Train and save a network with a periodic part; its largest error on [-3, 3]."""
    x = np.linspace(-3, 3, 301)[:, None]
    y = np.sin(2 * x) + x / 2
    net = train_dense(x, y, [width], activation, seed=1)
    layers = list(zip(net.weights, net.biases, strict=True))
    save(folder / f"{name}.onnx", layers, activation.onnx_nodes, note)
    return float(np.abs(net(x) - y).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=SHIPPED)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    print(f"bnn    test accuracy {make_bnn(folder):.3f}")
    print(f"relu   accuracy on fresh points {make_relu(folder):.3f}")
    sine = make_wave(folder, "sine", SINE, 8, "Sine network 1-8-1 for sin(2x) + x/2 on [-3, 3].")
    print(f"sine   largest error on [-3, 3] {sine:.3f}")
    note = "Network 1-6-1 with the activation x + sin(x)^2 for sin(2x) + x/2 on [-3, 3]."
    snake = make_wave(folder, "snake", SNAKE, 6, note)
    print(f"snake  largest error on [-3, 3] {snake:.3f}")


if __name__ == "__main__":
    main()
