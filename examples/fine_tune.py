"""A ReLU network becomes more robust by a small change of its weights, and it is proved how much.

Run: python examples/fine_tune.py [FOLDER]
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import tamecheck as tc
from tamecheck.learn import ReluNetwork, attackable_points, robust_finetune, verified_robustness

RADIUS = 0.1


def train(x: Any, y: Any, path: Path) -> None:
    """A network as scikit-learn trains it, as an ONNX file."""
    fitted = MLPClassifier((24,), max_iter=400, random_state=0).fit(x, y)
    ReluNetwork(tuple(fitted.coefs_), tuple(fitted.intercepts_)).export_onnx(path)


def describe(name: str, model: tc.Model, x: Any, y: Any) -> None:
    """Print the clean accuracy on all rows, and what is proved of the first ones."""
    scores = [model.evaluate(row.reshape(1, -1)) for row in x]
    right = sum(int(s.argmax()) == label for s, label in zip(scores, y, strict=True))
    found = verified_robustness(model, x[:40], y[:40], radius=RADIUS, timeout=10)
    print(f"{name}: {right} of {len(x)} right; of 40: {found}")


def main(folder: Path) -> None:
    """Train, choose 50 points, tune, verify."""
    digits = load_digits()
    x, held, y, y_held = train_test_split(
        digits.data / 16, digits.target, test_size=200, random_state=0
    )
    train(x, y, folder / "before.onnx")
    before = tc.load(folder / "before.onnx")
    describe("before", before, held, y_held)
    points = attackable_points(before, x, y, radius=RADIUS, count=50)
    tuned = robust_finetune(
        before, x[points], y[points], radius=RADIUS, clean=(x, y), rounds=25, precision="single"
    )
    print(tuned)
    tuned.export_onnx(folder / "after.onnx")
    describe("after", tc.load(folder / "after.onnx"), held, y_held)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
