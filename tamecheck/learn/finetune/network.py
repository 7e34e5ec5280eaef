"""ReLU networks in layers: read from a graph, with gradients in the weights, and written back.

How much the right score of a row leads the others, and the rows of attacks that lower it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from tamecheck import ops
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.graph import Apply, Constant, Graph, GraphBuilder, Input
from tamecheck.ir.op import Op
from tamecheck.learn.effort import DataError
from tamecheck.learn.network import Floats, onnx_bytes, write_onnx

if TYPE_CHECKING:
    from tamecheck.model import Model

_PARTS = (ops.MATMUL, ops.ADD, ops.RELU, ops.RESHAPE)


@dataclass(frozen=True, slots=True, eq=False)
class Slopes:
    """Gradients in all parameters, a row each, as outer products that are never multiplied out.

    For each layer, what goes into it and the gradient in what comes out: in the weights the
    gradient of row i is the outer product of the two rows i, in the offset (of the layers that have
    one: ``shifted``) the second one.
    """

    inputs: tuple[Floats, ...]
    backs: tuple[Floats, ...]
    shifted: tuple[bool, ...]

    def gram(self) -> Floats:
        """The inner products of the rows; O(rows² (inputs + outputs)) a layer."""
        count = len(self.backs[0])
        total = np.zeros((count, count))
        for x, back, shift in zip(self.inputs, self.backs, self.shifted, strict=True):
            total += (x @ x.T + shift) * (back @ back.T)
        return total

    def combination(self, factors: Floats) -> Floats:
        """The sum of the rows times ``factors``, as a vector of parameters."""
        parts: list[Floats] = []
        for x, back, shift in zip(self.inputs, self.backs, self.shifted, strict=True):
            parts.append((x.T @ (factors[:, None] * back)).reshape(-1))
            if shift:
                parts.append(factors @ back)
        return np.concatenate(parts)

    def along(self, change: ReluNetwork) -> Floats:
        """The inner products of the rows with a vector of parameters, given as a network."""
        total = np.zeros(len(self.backs[0]))
        layers = zip(self.inputs, self.backs, change.weights, change.offsets, strict=True)
        for x, back, weights, offset in layers:
            moved = x @ weights if offset is None else x @ weights + offset
            total += np.sum(moved * back, axis=1)
        return total


@dataclass(frozen=True, slots=True, eq=False)
class ReluNetwork:
    """``relu(... relu(x @ W1 + b1) ...) @ Wk + bk``.

    Parameters
    ----------
    weights
        Matrices ``(inputs, outputs)``.
    offsets
        Vectors, or None where a layer has none.
    """

    weights: tuple[Floats, ...]
    offsets: tuple[Floats | None, ...]

    def vector(self) -> Floats:
        """All parameters, layer by layer, weights before offsets."""
        layers = zip(self.weights, self.offsets, strict=True)
        parts = [part.reshape(-1) for layer in layers for part in layer if part is not None]
        return np.concatenate(parts)

    def at(self, vector: Floats) -> ReluNetwork:
        """The network of the same shape with these parameters."""
        start = 0

        def take(old: Floats) -> Floats:
            nonlocal start
            start += old.size
            return vector[start - old.size : start].reshape(old.shape)

        layers = [
            (take(weights), None if offset is None else take(offset))
            for weights, offset in zip(self.weights, self.offsets, strict=True)
        ]
        return ReluNetwork(tuple(w for w, _ in layers), tuple(b for _, b in layers))

    def values(self, x: Floats) -> list[Floats]:
        """The inputs of each layer, then the scores."""
        found = [x]
        for number, (weights, offset) in enumerate(zip(self.weights, self.offsets, strict=True)):
            x = x @ weights if offset is None else x @ weights + offset
            x = np.maximum(x, 0) if number < len(self.weights) - 1 else x
            found.append(x)
        return found

    def scores(self, x: Floats) -> Floats:
        """The outputs, one row each."""
        return self.values(x)[-1]

    def decide(self, x: Floats) -> np.ndarray:
        """The first largest score of each row; of one score whether it is positive."""
        scores = self.scores(x)
        if scores.shape[1] == 1:
            return (scores[:, 0] > 0).astype(np.int64)
        return scores.argmax(axis=1)

    def slopes(self, x: Floats, back: Floats) -> Slopes:
        """The gradients of ``back . scores`` of each row in the parameters.

        At a kink of a ReLU its slope counts as 0.
        """
        values = self.values(x)
        backs = [back]
        for number in range(len(self.weights) - 1, 0, -1):
            backs.append((backs[-1] @ self.weights[number].T) * (values[number] > 0))
        shifted = tuple(offset is not None for offset in self.offsets)
        return Slopes(tuple(values[:-1]), tuple(backs[::-1]), shifted)

    def input_slopes(self, x: Floats, back: Floats) -> Floats:
        """The gradients of ``back . scores`` of each row in the input, as `slopes` at kinks."""
        return self.slopes(x, back).backs[0] @ self.weights[0].T

    def graph(self) -> Graph:
        """The network in our language: input ``x``, output ``scores``."""
        builder = GraphBuilder()
        node = builder.input("x", (self.weights[0].shape[0],))
        for number, (weights, offset) in enumerate(zip(self.weights, self.offsets, strict=True)):
            node = builder.apply(ops.MATMUL, [node, builder.constant(weights)])
            if offset is not None:
                node = builder.apply(ops.ADD, [node, builder.constant(offset)])
            if number < len(self.weights) - 1:
                node = builder.apply(ops.RELU, [node])
        return builder.build({"scores": node})

    def to_model(self) -> Model:
        """The network as a `tamecheck.Model`."""
        from tamecheck.loaders import Loaded
        from tamecheck.model import Model

        return Model(Loaded(self.graph(), "learn", "fine-tuned ReLU network"))

    def export_onnx(self, path: str | Path) -> None:
        """Write the network as ONNX: ``Gemm`` or ``MatMul``, and ``Relu``.

        Numbers are float32 if each of them is one, else float64.

        Raises
        ------
        InputError
            If the name does not end in ``.onnx``.
        """
        layers = list(zip(self.weights, self.offsets, strict=True))
        write_onnx(path, onnx_bytes(layers, "relu"))


def relu_network(graph: Graph) -> ReluNetwork:
    """The layers of a graph that is a chain of matrix products, offsets and ReLUs.

    Reshapes and transpositions that keep the order of the elements are passed over. Raises
    `UnsupportedError` if it is something else, naming the node.
    """
    if len(graph.outputs) != 1 or len(graph.inputs) != 1:
        raise InputError("Fine-tuning takes a network of one input and one output.")
    node, chain = graph.outputs[0][1], list[tuple[Op, Floats | None]]()
    while not isinstance(found := graph.nodes[node], Input):
        if not isinstance(found, Apply):
            raise InputError("The network's output does not depend on its input.")
        constants = [a for a in found.args if isinstance(graph.nodes[a], Constant)]
        others = [a for a in found.args if a not in constants]
        ordered = found.op is not ops.MATMUL or found.args[1] in constants
        if len(others) != 1 or found.op not in _PARTS or not ordered:
            nodes = [(graph.name_of(node), found.op.name)]
            raise UnsupportedError("Fine-tuning takes dense layers and ReLUs.", nodes=nodes)
        chain.append((found.op, _floats(graph.nodes[constants[0]]) if constants else None))
        node = others[0]
    return _layers(chain[::-1])


def _floats(node: Any) -> Floats:
    return np.array([float(v) for v in node.tensor.fractions()]).reshape(node.shape)


def _layers(chain: list[tuple[Op, Floats | None]]) -> ReluNetwork:
    weights: list[Floats] = []
    offsets: list[Floats | None] = []
    relu = True
    for op, values in chain:
        if op is ops.RESHAPE:
            continue
        if op is ops.MATMUL and values is not None and relu and values.ndim == 2:
            weights.append(values)
            offsets.append(None)
            relu = False
        elif op is ops.ADD and values is not None and not relu and offsets[-1] is None:
            offsets[-1] = np.broadcast_to(values.reshape(-1), (weights[-1].shape[1],)).copy()
        elif op is ops.RELU and not relu:
            relu = True
        else:
            raise InputError(
                "Fine-tuning takes matrix products, each with one offset, and ReLUs between them.",
                hint="Merge consecutive affine layers first.",
            )
    if not weights or relu:
        raise InputError("Fine-tuning takes a network whose last layer is affine.")
    return ReluNetwork(tuple(weights), tuple(offsets))


Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Points ``(rows, inputs)`` and the indices of their classes."""

    x: Floats
    labels: Labels


@dataclass(frozen=True, slots=True)
class Ball:
    """Where attacks may go from a point: in the maximum norm, within bounds of the values."""

    radius: float
    bounds: tuple[float, float]


def adversarial_points(  # noqa: PLR0913 (options, by keyword only)
    model: Model | ReluNetwork,
    points: Any,
    labels: Any,
    *,
    radius: float,
    bounds: tuple[float, float] = (0.0, 1.0),
    steps: int = 40,
) -> Floats:
    """Points within ``radius`` in the maximum norm where the right score leads least.

    Projected gradient descent with signs on ``f_y - max_j f_j``, from the points themselves; the
    worst point on the way of each.

    Parameters
    ----------
    model
        As in `robust_finetune`.
    points, labels
        Rows and the indices of their classes.
    radius, bounds
        How far, and within which values, to look.
    steps
        Of length ``radius / 4``, from the middle on ``radius / 10``.

    Raises
    ------
    DataError
        If points or labels do not fit the model, or radius or bounds make no sense.
    """
    network, rows, ball = read_attack(model, points, labels, radius, bounds)
    return worst_points(network, rows, ball, steps)


def attackable_points(  # noqa: PLR0913 (options, by keyword only)
    model: Model | ReluNetwork,
    points: Any,
    labels: Any,
    *,
    radius: float,
    count: int = 50,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Labels:
    """Indices of rows that stand for the ones that are classified rightly but can be attacked.

    The same number of each class as far as there are that many, among the half where an attack wins
    by least; one after the other the row that brings the others nearest to some chosen row
    (greedy facility location).

    Parameters
    ----------
    model, points, labels, radius, bounds
        As in `adversarial_points`.
    count
        The most rows.

    Raises
    ------
    DataError
        As `adversarial_points`, or if no row can be attacked.
    """
    network, given, ball = read_attack(model, points, labels, radius, bounds)
    y = given.labels
    worst = worst_points(network, given, ball)
    attacked = least_margins(network, Rows(worst, y))[0]
    fooled = (network.decide(given.x) == y) & (attacked < 0)
    classes = np.unique(y[fooled])
    if not len(classes):
        raise DataError(f"No row that is classified rightly was attacked within radius={radius}.")
    if count < 1:
        raise DataError(f"count={count!r} is no positive integer.")
    ranked: list[Labels] = []
    for label in classes:
        rows = np.flatnonzero(fooled & (y == label))
        rows = rows[np.argsort(-attacked[rows], kind="stable")]
        half = rows[: max(-(-count // len(classes)), len(rows) // 2)]
        ranked.append(half[_facilities(given.x[half], count)])
    longest = max(len(rows) for rows in ranked)
    turns = [int(rows[k]) for k in range(longest) for rows in ranked if k < len(rows)]
    return np.sort(np.array(turns[:count], dtype=np.int64))


def _facilities(x: Floats, count: int) -> Labels:
    """Rows, each the one that lowers the sum of distances to the nearest chosen row most."""
    distances = np.linalg.norm(x[:, None] - x[None], axis=2)
    nearest = np.full(len(x), 2 * distances.max(initial=1.0))
    chosen: list[int] = []
    for _ in range(min(count, len(x))):
        saved = np.maximum(nearest[:, None] - distances, 0).sum(axis=0)
        saved[chosen] = -1
        chosen.append(int(saved.argmax()))
        nearest = np.minimum(nearest, distances[chosen[-1]])
    return np.array(chosen, dtype=np.int64)


def worst_points(network: ReluNetwork, rows: Rows, ball: Ball, steps: int = 40) -> Floats:
    """What `adversarial_points` says, of checked data."""
    x, radius = rows.x, ball.radius
    low, high = np.maximum(x - radius, ball.bounds[0]), np.minimum(x + radius, ball.bounds[1])
    point, worst = x.copy(), x.copy()
    least = np.full(len(x), np.inf)
    for step in range(steps + 1):
        margins, back = least_margins(network, Rows(point, rows.labels))
        better = margins < least
        least[better], worst[better] = margins[better], point[better]
        length = radius / 4 if 2 * step < steps else radius / 10
        point = np.clip(point - length * np.sign(network.input_slopes(point, back)), low, high)
    return worst


def read_attack(
    model: Model | ReluNetwork, points: Any, labels: Any, radius: float, bounds: tuple[float, float]
) -> tuple[ReluNetwork, Rows, Ball]:
    """The layers of a model, rows that fit it, and a ball."""
    network = model if isinstance(model, ReluNetwork) else relu_network(model.graph)
    rows = read_rows(network, points, labels)
    if not 0 <= radius < np.inf:
        raise DataError(f"radius={radius!r} is negative or infinite.")
    if not bounds[0] < bounds[1]:
        raise DataError(f"bounds={bounds!r} are no interval.")
    return network, rows, Ball(radius, bounds)


def read_rows(network: ReluNetwork, points: Any, labels: Any) -> Rows:
    """Rows as floats and labels as indices, that fit the network."""
    try:
        x = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"The points are no numbers: {error}.") from None
    y: Labels = np.asarray(labels)
    inputs, outputs = network.weights[0].shape[0], network.weights[-1].shape[1]
    x = x.reshape(len(x), -1) if x.ndim > 1 else x
    if x.ndim != 2 or x.shape[1] != inputs or not len(x):
        raise DataError(f"Points of shape {x.shape} do not fit a model of {inputs} inputs.")
    if not np.isfinite(x).all():
        raise DataError("Input contains NaN or infinity.")
    if y.shape != (len(x),) or not np.isin(y, range(max(2, outputs))).all():
        raise DataError(f"labels must be {len(x)} indices of classes below {max(2, outputs)}.")
    return Rows(x, y.astype(np.int64))


def _pairs(scores: Floats, labels: Labels) -> tuple[Labels, Floats]:
    """The row of each pair of its class and another one, and the factors of the scores in it."""
    rows, outputs = scores.shape
    every: Labels = np.arange(rows, dtype=np.int64)
    if outputs == 1:
        return every, cast("Floats", np.where(labels == 1, 1.0, -1.0)[:, None])
    others: Labels = (labels[:, None] + np.arange(1, outputs, dtype=np.int64)) % outputs
    row, eye = cast("Labels", np.repeat(every, outputs - 1)), np.eye(outputs)
    return row, eye[labels[row]] - eye[others.reshape(-1)]


def gains(network: ReluNetwork, rows: Rows) -> tuple[Floats, Labels, Floats]:
    """How much each right score leads each other one, row by row; their rows and factors."""
    scores = network.scores(rows.x)
    row, factors = _pairs(scores, rows.labels)
    return np.sum(factors * scores[row], axis=1), row, factors


def least_margins(network: ReluNetwork, rows: Rows) -> tuple[Floats, Floats]:
    """The least margin of each row, and the factors of the scores in it."""
    found, _, factors = gains(network, rows)
    margins = found.reshape(len(rows.x), -1)
    places = margins.argmin(axis=1) + np.arange(len(margins)) * margins.shape[1]
    return margins.min(axis=1), factors[places]
