"""Small convolutional binarized networks as ONNX files, with random weights of 1 and -1."""

from pathlib import Path

import numpy as np
import onnx
from corpus import onnx_model
from onnx import helper

CLASSES = 3


def binary_signs(nodes, name):
    """The sign with a sign of 0 that is 1, as Larq exports it."""
    nodes += [
        helper.make_node("Sign", [name], [f"{name}_s"]),
        helper.make_node("Add", [f"{name}_s", "tenth"], [f"{name}_t"]),
        helper.make_node("Sign", [f"{name}_t"], [f"{name}_b"]),
    ]
    return f"{name}_b"


def convolutional(  # noqa: PLR0913 (keywords, all of them optional)
    path: Path, seed: int, *, size=5, pooled=False, normalised=False, channels=4, dense=0
):
    """Write a network of two convolutions, the first with pooling and normalisation if asked."""
    rng = np.random.default_rng(seed)
    constants = {"tenth": np.array(0.1, dtype=np.float32)}
    nodes: list[onnx.NodeProto] = []

    def weights(name, *shape):
        constants[name] = rng.choice(np.array([-1, 1], dtype=np.float32), shape)
        return name

    nodes.append(helper.make_node("Conv", ["x", weights("w1", 3, 1, 2, 2)], ["c1"]))
    name, width = "c1", size - 1
    if pooled:
        nodes.append(
            helper.make_node("MaxPool", [name], ["p1"], kernel_shape=[2, 2], strides=[2, 2])
        )
        name, width = "p1", width // 2
    if normalised:
        for part, low, high in (
            ("scale", 0.5, 2),
            ("shift", -1, 1),
            ("mean", -1, 1),
            ("var", 1, 9),
        ):
            constants[part] = rng.uniform(low, high, 3).astype(np.float32)
        parts = ["scale", "shift", "mean", "var"]
        nodes.append(helper.make_node("BatchNormalization", [name, *parts], ["n1"], epsilon=1e-3))
        name = "n1"
    name = binary_signs(nodes, name)
    nodes.append(helper.make_node("Conv", [name, weights("w2", channels, 3, 2, 2)], ["c2"]))
    name, width = binary_signs(nodes, "c2"), width - 1
    nodes.append(helper.make_node("Flatten", [name], ["flat"], axis=1))
    name, count = "flat", channels * width * width
    if dense:
        nodes.append(helper.make_node("MatMul", [name, weights("w3", count, dense)], ["d3"]))
        name, count = binary_signs(nodes, "d3"), dense
    nodes.append(helper.make_node("MatMul", [name, weights("w4", count, CLASSES)], ["y"]))
    shapes = [1, 1, size, size], {"y": [1, CLASSES]}
    onnx.save(onnx_model(nodes, shapes[0], constants, shapes[1], opset=15), path)
    return path
