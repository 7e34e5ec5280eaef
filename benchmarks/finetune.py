"""Robust fine-tuning of digits networks on 50 points, measured on rows that it has not seen.

    python benchmarks/finetune.py [--seeds 3] [--rows 60] [--choice random] [--write]

Each network is trained in the usual way by scikit-learn, goes through an ONNX file, is tuned with
default options, and goes through an ONNX file again. ``--choice random`` takes 50 random rows that
can be attacked instead of those that ``attackable_points`` chooses. ``--write`` puts the table into
docs/learn.md.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

import tamecheck as tc
from tamecheck.learn import (
    adversarial_points,
    attackable_points,
    robust_finetune,
    verified_robustness,
)
from tamecheck.learn.finetune.network import ReluNetwork, relu_network

Array = npt.NDArray[Any]
RADIUS = 0.1
COUNT = 50
FIRST = 7000
HIDDEN = ((32,), (50,), (32, 16))
BEGIN, END = "<!-- finetune begin -->", "<!-- finetune end -->"


def trained(x: Array, y: Array, hidden: tuple[int, ...], seed: int, path: Path) -> tc.Model:
    """A network that scikit-learn trained, read from its ONNX file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = MLPClassifier(hidden, max_iter=300, random_state=seed).fit(x, y)
    ReluNetwork(tuple(fitted.coefs_), tuple(fitted.intercepts_)).export_onnx(path)
    return tc.load(path)


def accuracies(model: tc.Model, x: Array, y: Array, rows: int) -> Array:
    """Clean accuracy, accuracy under attack, and the share of the first rows proved robust."""
    network = relu_network(model.graph)
    attacks = adversarial_points(model, x, y, radius=RADIUS, steps=100)
    proved = verified_robustness(model, x[:rows], y[:rows], radius=RADIUS, timeout=20)
    return np.array(
        [
            np.mean(network.decide(x) == y),
            np.mean(network.decide(attacks) == y),
            proved.robust / len(proved.answers),
            proved.unknown / len(proved.answers),
        ]
    )


def run(hidden: tuple[int, ...], seed: int, rows: int, choice: str) -> tuple[Array, Array, float]:
    """Accuracies before and after, and seconds of CPU time of the tuning."""
    data: Any = load_digits()
    x, held, y, y_held = train_test_split(
        data.data / 16, data.target, test_size=0.25, stratify=data.target, random_state=seed
    )
    with tempfile.TemporaryDirectory() as folder:
        model = trained(x, y, hidden, seed, Path(folder) / "before.onnx")
        before = accuracies(model, held, y_held, rows)
        start = time.process_time()
        if choice == "chosen":
            points = attackable_points(model, x, y, radius=RADIUS, count=COUNT)
        else:
            network = relu_network(model.graph)
            attacks = adversarial_points(model, x, y, radius=RADIUS)
            fooled = (network.decide(x) == y) & (network.decide(attacks) != y)
            points = np.random.default_rng(seed).permutation(np.flatnonzero(fooled))[:COUNT]
        tuned = robust_finetune(model, x[points], y[points], radius=RADIUS, clean=(x, y))
        seconds = time.process_time() - start
        tuned.export_onnx(Path(folder) / "after.onnx")
        after = accuracies(tc.load(Path(folder) / "after.onnx"), held, y_held, rows)
    return before, after, seconds


def table(seeds: int, rows: int, choice: str) -> list[str]:
    lines = [
        f"Accuracy in % on held-out rows, radius {RADIUS}, before → after; proofs on {rows} rows.",
        "",
        "| network | seed | clean | under attack | proved | undecided | CPU s |",
        "|---|---|---|---|---|---|---|",
    ]
    changes: list[Array] = []
    for hidden in HIDDEN:
        for seed in range(FIRST, FIRST + seeds):
            before, after, seconds = run(hidden, seed, rows, choice)
            changes.append(after - before)
            cells = [f"{100 * b:.1f} → {100 * a:.1f}" for b, a in zip(before, after, strict=True)]
            name = "-".join(map(str, (64, *hidden, 10)))
            lines.append(f"| {name} | {seed} | {' | '.join(cells)} | {seconds:.1f} |")
            print(lines[-1], flush=True)
    gains = 100 * np.array(changes)
    worst, mean = gains.min(axis=0), gains.mean(axis=0)
    lines += ["", f"Change of clean accuracy: mean {mean[0]:+.1f}, worst {worst[0]:+.1f} points;"]
    lines[-1] += f" under attack: mean {mean[1]:+.1f}, worst {worst[1]:+.1f};"
    lines[-1] += f" proved: mean {mean[2]:+.1f}, worst {worst[2]:+.1f}."
    print(lines[-1])
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=60)
    parser.add_argument("--choice", choices=("chosen", "random"), default="chosen")
    parser.add_argument("--write", action="store_true", help="put the table into docs/learn.md")
    arguments = parser.parse_args()
    with threadpool_limits(1):
        lines = table(arguments.seeds, arguments.rows, arguments.choice)
    if arguments.write:
        page = Path(__file__).parents[1] / "docs" / "learn.md"
        text = page.read_text(encoding="utf-8")
        head, rest = text.split(BEGIN)
        body = "\n".join(lines)
        page.write_text(f"{head}{BEGIN}\n{body}\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
