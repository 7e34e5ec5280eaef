"""Robustness of binarized networks, beside python-sat's minicard called directly.

    python benchmarks/binarized.py [--points 4] [--limit 30] [--seed 0] [--nets 16-8-1,digits]

Random networks of ±1 weights, and one of 64-32-16-10 trained on 8x8 digits.  For each point the
balls of radius 1, 3, 5, and on both sides of the nearest change.  Both get the network folded on
the ball; minicard then solves one formula in this process, without the cost of starting one.  Times
below 0.1 s are the best of three.
"""

from __future__ import annotations

import argparse
import math
import time
from fractions import Fraction
from threading import Timer
from typing import Any

import numpy as np

from tamecheck.binarized import (
    Ball,
    ThresholdLayer,
    ThresholdNetwork,
    minimum_distance,
    recognise,
    robust,
)
from tamecheck.binarized.network import rivals
from tamecheck.binarized.portfolio import misclassified

SHAPES = ("16-8-1", "25-20-10", "64-32-16-10", "100-50-10", "100-50-25-10", "196-100-50-10")
_SHORT = 0.1
Points = list[np.ndarray[Any, np.dtype[np.int8]]]


def random_network(shape: str, rng: np.random.Generator) -> ThresholdNetwork:
    """Random signs as weights, and small thresholds."""
    width, *hidden, classes = map(int, shape.split("-"))
    levels = (Fraction(-1),) * width, (Fraction(1),) * width
    layers: list[ThresholdLayer] = []
    for size in hidden:
        weights = rng.choice([-1, 1], (size, width))
        layers.append(ThresholdLayer(weights, rng.integers(-2, 3, size)))
        width = size
    readout = rng.choice([-1, 1], (classes, width))
    if classes == 1:
        readout = np.concatenate([np.zeros_like(readout), readout])
    offsets = np.zeros(len(readout), dtype=np.int64)
    return ThresholdNetwork(*levels, tuple(layers), readout, offsets)


def digits(rng: np.random.Generator, count: int) -> tuple[ThresholdNetwork, Points]:
    """A network trained on the digits of scikit-learn, thresholded, and test points."""
    from sklearn.datasets import load_digits

    from tamecheck.learn import SteBinarizedClassifier

    images, labels = load_digits(return_X_y=True)
    rows = np.where(images >= 8, 1, -1)
    learner = SteBinarizedClassifier((32, 16), weights="binary", random_state=0, epochs=300)
    learner.fit(rows[:1400], labels[:1400])
    network = recognise(learner.to_model().graph, [(-1, 1)] * 64)
    return network, [rows[i].astype(np.int8) for i in rng.integers(1400, len(rows), count)]


def minicard(
    network: ThresholdNetwork, states: Any, radius: int, limit: float
) -> tuple[bool | None, float]:
    """Whether minicard says that a change is in the ball (None: no answer), and the seconds."""
    from pysat.solvers import Solver

    started = time.perf_counter()
    ball = Ball(states, network.free, radius)
    folded = ball.fold(network)
    decision = int(network.decide(states[None, :])[0])
    targets = rivals(folded, ball, decision)
    if not targets:
        return False, time.perf_counter() - started
    formula, _ = misclassified(folded, ball, decision, targets)
    with Solver(name="minicard", bootstrap_with=formula.clauses) as solver:
        for literals, bound in formula.at_most:
            solver.add_atmost(literals, bound)
        timer = Timer(limit, solver.interrupt)
        timer.start()
        answer = solver.solve_limited(expect_interrupt=True)
        timer.cancel()
    return answer, time.perf_counter() - started


def ours(
    network: ThresholdNetwork, states: Any, radius: int, limit: float
) -> tuple[bool | None, float, str]:
    """Whether a change is in the ball, the seconds, and what the answer rests on."""
    started = time.perf_counter()
    found = robust(network, states, radius, timeout=limit)
    seconds = time.perf_counter() - started
    if found.witness is not None:
        return True, seconds, "witness"
    known = found.lower > min(radius, len(network.free))
    return (False if known else None), seconds, found.checked if known else found.why


def main() -> None:
    """Run and print one line a cell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=4)
    parser.add_argument("--limit", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--nets", default=",".join((*SHAPES, "digits")))
    args = parser.parse_args()
    logs: list[float] = []
    disagreements = 0
    for name in args.nets.split(","):
        rng = np.random.default_rng(args.seed)
        if name == "digits":
            network, points = digits(rng, args.points)
        else:
            network = random_network(name, rng)
            signs = np.array([-1, 1], dtype=np.int8)
            points = [rng.choice(signs, network.inputs) for _ in range(args.points)]
        cells: dict[str, list[float]] = {}
        bases: list[str] = []
        for states in points:
            nearest = minimum_distance(network, states, timeout=args.limit).upper
            radii = {"1": 1, "3": 3, "5": 5}
            if nearest is not None:
                radii |= {"nearest - 1": nearest - 1, "nearest": nearest}
            for label, radius in radii.items():
                if radius < 1:
                    continue
                question = network, states, radius, args.limit
                mine, seconds, basis = ours(*question)
                theirs, peer = minicard(*question)
                for _ in range(2):
                    # short times are the best of three
                    seconds = min(seconds, ours(*question)[1] if seconds < _SHORT else seconds)
                    peer = min(peer, minicard(*question)[1] if peer < _SHORT else peer)
                disagreements += None not in (mine, theirs) and mine != theirs
                cells.setdefault(label, []).append(math.log(seconds / peer))
                bases.append(basis)
        for label, ratios in cells.items():
            logs += ratios
            mean = math.exp(sum(ratios) / len(ratios))
            worst = math.exp(max(ratios))
            print(f"{name:14} radius {label:12} time / minicard {mean:6.2f}  worst {worst:6.2f}")
        counts = {basis: bases.count(basis) for basis in dict.fromkeys(bases)}
        print(f"{name:14} answers by {counts}", flush=True)
    mean = math.exp(sum(logs) / len(logs))
    print(f"{len(logs)} balls: geometric mean {mean:.3f}, {disagreements} disagreements")


if __name__ == "__main__":
    main()
