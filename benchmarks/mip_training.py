"""Training by mixed-integer programming: digits 3 against 5, MONK's problems, few-shot MNIST.

Run by hand: ``python benchmarks/mip_training.py [--mnist mnist.csv.gz] [--monks FOLDER]
[--seeds 3] [--per-class 10 40]``.  The MNIST table has 784 grey values and the digit in each row;
the folder holds ``monks-1.train.arff`` and ``monks-2.train.arff``.  Straight-through training of
one network is the peer in the same run.
"""

from __future__ import annotations

import argparse
import time
from fractions import Fraction

import numpy as np
from sklearn.datasets import load_digits

from tamecheck.budget import Budget
from tamecheck.learn import (
    Binariser,
    MIPBinarizedClassifier,
    MIPBinarizedEnsemble,
    SteBinarizedClassifier,
)
from tamecheck.learn.effort import Effort
from tamecheck.learn.estimator import TrainingSet
from tamecheck.learn.mip.encoding import Encoding, Objective, lift
from tamecheck.learn.mip.local_search import anneal
from tamecheck.learn.mip.task import Architecture, task_of
from tamecheck.loaders.tables.table import read_table


def digits(draws: int) -> None:
    """Zero training errors with ±1 weights, by one solver alone; and the whole program by CBC."""
    table = load_digits()
    rows = np.isin(table.target, (3, 5))
    x = np.where(table.data[rows] >= 8, 1.0, -1.0)
    y = (table.target[rows] == 5).astype(int)
    print(
        "hidden   points  draw | errors bound proof seconds of CBC, HiGHS, annealing | CBC, start"
    )
    for hidden, points in (((4,), 40), ((8, 4), 20), ((8, 4), 40)):
        for draw in range(draws):
            some = np.random.default_rng(draw).permutation(len(x))[:points]
            said: list[str] = []
            for solver in ("cbc", "highs", "annealing"):
                begun = time.monotonic()
                trained = MIPBinarizedClassifier(hidden, solver=solver, random_state=draw)
                trained.fit(x[some], y[some])
                seconds = time.monotonic() - begun
                said.append(f"{trained.loss_:g} {trained.bound_:g} {trained.proof_} {seconds:.2f}")
            whole = _whole(x[some], y[some], hidden, draw)
            print(f"{hidden!s:8} {points:6} {draw:5} | {', '.join(said)} | {whole}", flush=True)


def _whole(x: np.ndarray, y: np.ndarray, hidden: tuple[int, ...], seed: int) -> str:
    """What CBC says of the program of the whole network, from the start that annealing finds."""
    task = task_of(TrainingSet(x, y, np.ones(len(x)), 2))
    shape = Architecture((x.shape[1], *hidden, 1), "binary", bias=True, margin=Fraction(1, 64))
    encoding = Encoding(task, shape, Objective("errors"))
    found = anneal(task, shape, np.random.default_rng(seed), budget=Budget.of(10))
    begun = time.monotonic()
    (claim,) = Effort(("cbc",), 60, None, seed).claims(encoding.program, lift(encoding, found))
    said = getattr(claim, "objective", "no solution")
    return f"{type(claim).__name__} {said} in {time.monotonic() - begun:.1f} s"


def monks(folder: str) -> None:
    """Two hidden neurons on one-hot features: the errors, and what no such network beats."""
    print("\nproblem | weights | errors | bound | proof | seconds")
    for number in (1, 2):
        table = read_table(f"{folder}/monks-{number}.train.arff", target="class")
        x = Binariser(names=table.names).fit_transform(table.rows)
        for weights in ("binary", "ternary"):
            begun = time.monotonic()
            trained = MIPBinarizedClassifier((2,), weights=weights, random_state=0)
            trained.fit(x, table.labels)
            print(
                f"MONK-{number} | {weights} | {trained.loss_:g} | {trained.bound_:g} | "
                f"{trained.proof_} | {time.monotonic() - begun:.0f}",
                flush=True,
            )


def mnist(path: str, per_class: list[int], seeds: int) -> None:
    """Few rows a class to train, the rest to test."""
    data = np.loadtxt(path, delimiter=",")
    x, y = data[:, :-1], data[:, -1].astype(int)
    ensembles = {
        "real, 1 neuron a pair": {"hidden": 1},
        "ternary, 5 neurons a pair": {"hidden": 5, "weights": "ternary", "share": 0.5},
        "ternary, 5 neurons a pair, CBC": {
            "hidden": 5, "weights": "ternary", "share": 0.5, "solver": "cbc", "max_nodes": 5,
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
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mnist", metavar="TABLE")
    parser.add_argument("--monks", metavar="FOLDER")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--per-class", type=int, nargs="+", default=[10, 40])
    args = parser.parse_args()
    digits(args.seeds)
    if args.monks:
        monks(args.monks)
    if args.mnist:
        mnist(args.mnist, args.per_class, args.seeds)


if __name__ == "__main__":
    main()
