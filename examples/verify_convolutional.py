"""A convolutional binarized network of digits: how far each image may change, with certificates.

``python examples/verify_convolutional.py [folder for the network and the certificates]``
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits

import tamecheck as tc
from tamecheck.loaders.text.vnnlib import parse_vnnlib
from tamecheck.verification import Holds, verify

Array = npt.NDArray[np.float32]
CLASSES = 10


def signs(x: Array) -> Array:
    """1 where a number is not negative, else -1."""
    return np.where(x >= 0, np.float32(1), np.float32(-1))


def convolve(x: Array, filters: Array) -> Array:
    """Filters (channels, depth, k, k) over images (count, depth, side, side)."""
    size = filters.shape[-1]
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))
    return np.einsum("ndabij,cdij->ncab", windows, filters)


def train(images: Array, labels: npt.NDArray[np.int64]) -> dict[str, Array]:
    """Random filters, as a first layer often is, and class weights by a perceptron's rule."""
    rng = np.random.default_rng(0)
    first = signs(rng.normal(size=(12, 1, 3, 3)).astype(np.float32))
    second = signs(rng.normal(size=(16, 12, 2, 2)).astype(np.float32))
    features = signs(convolve(signs(convolve(images, first)), second)).reshape(len(images), -1)
    latent = np.zeros((features.shape[1], CLASSES), dtype=np.float32)
    for _ in range(30):
        scores = features @ np.clip(np.rint(latent), -7, 7)
        wrong = scores.argmax(axis=1) != labels
        target = np.eye(CLASSES, dtype=np.float32)[labels] - np.eye(CLASSES)[scores.argmax(axis=1)]
        latent += 0.02 * features[wrong].T @ target[wrong].astype(np.float32)
    return {"w1": first, "w2": second, "w3": np.clip(np.rint(latent), -7, 7)}


def write(path: Path, constants: dict[str, Array]) -> None:
    """The network as an ONNX file; the sign of 0 is 1, as in Larq's exports."""
    nodes: list[onnx.NodeProto] = []

    def sign(name: str) -> str:
        nodes.append(helper.make_node("Sign", [name], [f"{name}s"]))
        nodes.append(helper.make_node("Add", [f"{name}s", "tenth"], [f"{name}t"]))
        nodes.append(helper.make_node("Sign", [f"{name}t"], [f"{name}b"]))
        return f"{name}b"

    nodes.append(helper.make_node("Conv", ["x", "w1"], ["a"]))
    nodes.append(helper.make_node("Conv", [sign("a"), "w2"], ["c"]))
    nodes.append(helper.make_node("Flatten", [sign("c")], ["f"], axis=1))
    nodes.append(helper.make_node("MatMul", ["f", "w3"], ["y"]))
    known = {**constants, "tenth": np.float32(0.1)}
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, CLASSES])],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in known.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)])
    model.ir_version = 8
    onnx.save(model, path)


def property_text(image: Array, radius: float, decision: int) -> str:
    """Unsafe: some other class has at least the score of the decision."""
    lines = [f"(declare-const X_{i} Real)" for i in range(image.size)]
    lines += [f"(declare-const Y_{j} Real)" for j in range(CLASSES)]
    for i, v in enumerate(image.reshape(-1).tolist()):
        lines.append(f"(assert (>= X_{i} {v - radius}))(assert (<= X_{i} {v + radius}))")
    others = (j for j in range(CLASSES) if j != decision)
    ways = " ".join(f"(and (>= Y_{j} Y_{decision}))" for j in others)
    return "\n".join([*lines, f"(assert (or {ways}))"])


def main() -> None:
    """Train, ask about some images, write the certificates and let the kernel check them."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    digits = load_digits()
    # the levels 0 to 16 about 0, where no sum of 3 x 3 pixels is at the threshold 0
    images = (digits.images[:, None] - 7.5).astype(np.float32)
    write(folder / "digits.onnx", train(images[:1200], digits.target[:1200]))
    model = tc.load(folder / "digits.onnx")
    for number in (1200, 1202, 1203):
        image = images[number]
        scores = np.asarray(model.evaluate(image[None])).reshape(-1)
        decision = int(scores.argmax())
        for radius in (0.0625, 0.125, 0.25):
            spec = parse_vnnlib(property_text(image, radius, decision))
            answer = verify(model, spec, timeout=10)
            print(f"image {number}, {decision}, radius {radius}: {answer.status}")
            if not isinstance(answer, Holds) or answer.certificate is None:
                break
            text = json.dumps(answer.certificate)
            (folder / f"{number}_{radius}.json").write_text(text, encoding="utf-8")
            print(f"  certificate: {tc.recheck(text).verdict}")


if __name__ == "__main__":
    main()
