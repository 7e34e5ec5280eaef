"""Training by mixed-integer programming: digits 3 against 5, and few-shot MNIST.

Run by hand: ``python benchmarks/mip_training.py [mnist.csv.gz] [--seeds 3] [--per-class 10 40]``.
The table has 784 grey values and the digit in each row.  Straight-through training of one network
is the peer in the same run.
"""

from __future__ import annotations

import argparse
import time
from fractions import Fraction

import numpy as np
from sklearn.datasets import load_digits

from tamecheck.learn import (
    MIPBinarizedClassifier,
    MIPBinarizedEnsemble,
    SteBinarizedClassifier,
)
from tamecheck.learn.estimator import TrainingSet
from tamecheck.learn.mip_encoding import Encoding, Objective
from tamecheck.learn.mip_search import annealed
from tamecheck.learn.mip_start import lifted
from tamecheck.learn.mip_task import Architecture, task_of
from tamecheck.solve.children import claims


def digits() -> None:
    """Zero training errors with ±1 weights; CBC is also asked, from our start and from nothing."""
    table = load_digits()
    rows = np.isin(table.target, (3, 5))
    x = np.where(table.data[rows] >= 8, 1.0, -1.0)
    y = (table.target[rows] == 5).astype(int)
    print("hidden   points  errors bound proof     seconds | CBC from our start | CBC alone (60 s)")
    for hidden, points in (((4,), 40), ((8, 4), 20), ((8, 4), 40)):
        begun = time.monotonic()
        trained = MIPBinarizedClassifier(hidden, random_state=0).fit(x[:points], y[:points])
        seconds = time.monotonic() - begun
        task = task_of(TrainingSet(x[:points], y[:points], np.ones(points), 2))
        shape = Architecture((64, *hidden, 1), "binary", bias=True, margin=Fraction(trained.margin))
        encoding = Encoding(task, shape, Objective("errors"))
        found = annealed(task, shape, np.random.default_rng(0), seconds=10, goal=0)
        asked: list[str] = []
        for start in (lifted(encoding, found), None):
            begun = time.monotonic()
            (claim,) = claims(encoding.program, solvers=("cbc",), seconds=60, incumbent=start)
            said = getattr(claim, "objective", "no solution")
            asked.append(f"{type(claim).__name__} {said} in {time.monotonic() - begun:.1f} s")
        print(
            f"{hidden!s:8} {points:6} {trained.loss_:7.0f} {trained.bound_:5.0f} "
            f"{trained.proof_:8} {seconds:8.2f} | {asked[0]} | {asked[1]}",
            flush=True,
        )


def mnist(path: str, per_class: list[int], seeds: int) -> None:
    """Few rows a class to train, the rest to test."""
    data = np.loadtxt(path, delimiter=",")
    x, y = data[:, :-1], data[:, -1].astype(int)
    ensembles = {
        "real, 1 neuron a pair": {"hidden": 1},
        "real, 5 neurons a pair": {"hidden": 5},
        "ternary, 5 neurons a pair": {"hidden": 5, "weights": "ternary", "share": 0.5},
        "ternary, 1 neuron a pair, CBC and HiGHS": {
            "hidden": 1, "weights": "ternary", "timeout": 90.0,
        },
    }  # fmt: skip
    print(
        "\nrows a class | method | test accuracy of each seed | mean | least margin/bound | seconds"
    )
    for count in per_class:
        splits = [_split(y, count, seed) for seed in range(seeds)]
        for name, options in ensembles.items():
            accuracies: list[float] = []
            gaps: list[float] = []
            begun = time.monotonic()
            for seed, (train, test) in enumerate(splits):
                ensemble = MIPBinarizedEnsemble(random_state=seed, **options).fit(
                    x[train], y[train]
                )
                accuracies.append(ensemble.score(x[test], y[test]))
                gaps.append(min(float(m.margin / m.bound) for m in ensemble.margins_))
            seconds = time.monotonic() - begun
            shown = " ".join(f"{a:.4f}" for a in accuracies)
            print(
                f"{count} | {name} | {shown} | {np.mean(accuracies):.4f} | {min(gaps):.4f}"
                f" | {seconds:.0f}",
                flush=True,
            )
        begun = time.monotonic()
        peers: list[float] = []
        for seed, (train, test) in enumerate(splits):
            peer = SteBinarizedClassifier((64,), random_state=seed).fit(x[train], y[train])
            peers.append(peer.score(x[test], y[test]))
        seconds = time.monotonic() - begun
        print(f"{count} | straight-through 784-64-10 | mean {np.mean(peers):.4f} | {seconds:.0f} s")


def _split(y: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    train = np.concatenate([rng.permutation(np.flatnonzero(y == c))[:count] for c in range(10)])
    return train, np.setdiff1d(np.arange(len(y)), train)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", nargs="?")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--per-class", type=int, nargs="+", default=[10, 40])
    args = parser.parse_args()
    digits()
    if args.table:
        mnist(args.table, args.per_class, args.seeds)


if __name__ == "__main__":
    main()
