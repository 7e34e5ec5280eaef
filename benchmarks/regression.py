"""Piecewise polynomial regression beside the errors published for the MIP of Nemecek et al.

Run by hand: ``python benchmarks/regression.py [--timeout 60] [--solver auto]``.

The functions and training points are those that the authors' scripts describe (seeds, ranges and
counts); the two networks have the weights that their recipe of training gives with torch 2.13,
rounded to 4 places.  As published, errors are those on a grid that the fit has not seen, relative
to the range of the function.  The published runs had 5 to 60 minutes of Gurobi.  scikit-learn's
regression tree of the same depth is the peer in the same run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.tree import DecisionTreeRegressor

from tamecheck.learn import PiecewisePolynomialRegressor

Function = Callable[[np.ndarray], np.ndarray]

LOW, SCALE = np.array([-1.919126, -1.651483]), np.array([3.8336, 3.430158])
"""What the networks' inputs are normalised by."""

SMOOTH = [
    ([[2.236, -0.3011], [-0.1853, 0.555], [0.1638, -1.8793], [0.3806, 1.2422]],
     [-0.2166, -0.5548, 0.9247, -0.8574]),
    ([[1.0924, -1.0361], [1.927, -1.3425]], [0.0611, -0.0717]),
    ([[-0.4849, -0.0957], [-0.6094, -0.6375]], [-0.2914, 0.4919]),
    ([[-0.6977, -1.0943]], [-0.0978]),
]  # fmt: skip
RELU = [
    ([[1.0935, 0.6429], [-0.1576, 0.6178], [-1.1055, 1.1336], [-0.3274, 0.395]],
     [0.3796, -0.4934, 0.411, 0.1259]),
    ([[0.4852, 0.3335], [0.6422, -0.7842]], [0.2697, -0.005]),
    ([[-0.314, 0.1714], [-0.2227, -0.656]], [-0.2732, 0.6829]),
    ([[-0.5309, -1.4927]], [0.9144]),
]  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A function on a square, its training points, the options, and the published mean error."""

    name: str
    function: Function
    points: np.ndarray
    reach: float
    depth: int
    order: int
    splits: str
    published: float


def one_norm(x: np.ndarray) -> np.ndarray:
    """|x1| + |x2|."""
    return np.abs(x).sum(axis=1)


def largest(x: np.ndarray) -> np.ndarray:
    """max(|x1|, |x2|)."""
    return np.abs(x).max(axis=1)


def cone(x: np.ndarray) -> np.ndarray:
    """The maximum norm, with a valley where 2 |x2| < x1."""
    valley = -0.5 * x[:, 0] + 3 * np.abs(x[:, 1])
    return np.where(2 * np.abs(x[:, 1]) < x[:, 0], valley, largest(x))


def network(layers: list, second: Function, third: Function) -> Function:
    """2 inputs, 4 rectified units, maxima of pairs, 2 units, 2 units, 1 output."""
    (w1, b1), (w2, b2), (w3, b3), (w4, b4) = [(np.array(w), np.array(b)) for w, b in layers]

    def value(x: np.ndarray) -> np.ndarray:
        first = np.maximum(0, (x - LOW) / SCALE @ w1.T + b1)
        pooled = np.maximum(first[:, ::2], first[:, 1::2])
        return (third(second(pooled @ w2.T + b2) @ w3.T + b3) @ w4.T + b4)[:, 0]

    return value


def cases() -> list[Case]:
    """The published ones."""
    many = np.random.RandomState(0).uniform(-100, 100, (250, 2))
    few = many[:100]
    grid = _grid(2.0, 15)
    smooth = network(SMOOTH, lambda a: 1 / (1 + np.exp(-a)), np.tanh)
    relu = network(RELU, lambda a: np.maximum(0, a), lambda a: np.maximum(0, a))
    return [
        Case("|x|_1, axis", one_norm, many, 100, 2, 1, "axis", 9.8e-5),
        Case("|x|_1, affine", one_norm, many, 100, 2, 1, "affine", 1.1e-4),
        Case("|x|_inf, affine", largest, many, 100, 2, 1, "affine", 4.2e-4),
        Case("|x|_inf, affine, 100", largest, few, 100, 2, 1, "affine", 4.2e-4),
        Case("|x|_inf, axis", largest, many, 100, 2, 1, "axis", 0.0851),
        Case("cone, depth 2", cone, many, 100, 2, 1, "affine", 0.0469),
        Case("cone, depth 3", cone, many, 100, 3, 1, "affine", 0.0100),
        Case("smooth net, depth 2", smooth, grid, 2, 2, 2, "affine", 0.0363),
        Case("smooth net, depth 3", smooth, grid, 2, 3, 2, "affine", 0.0129),
        Case("ReLU net, depth 2", relu, grid, 2, 2, 1, "affine", 1.8e-4),
    ]


def _grid(reach: float, count: int) -> np.ndarray:
    line = np.linspace(-reach, reach, count)
    return np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)


def main() -> None:
    """Print one row a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--timeout", type=float, default=60)
    parser.add_argument("--solver", default="auto")
    parser.add_argument("--case", default="", help="only cases whose name has this in it")
    args = parser.parse_args()
    print(
        "case                  training  mean error  max error  bound (by)          published"
        "  tree   seconds"
    )
    for case in cases():
        if args.case not in case.name:
            continue
        y, unseen = case.function(case.points), _grid(case.reach, 200)
        truth = case.function(unseen)
        begun = time.monotonic()
        fitted = PiecewisePolynomialRegressor(
            case.depth,
            order=case.order,
            splits=case.splits,
            solver=args.solver,
            timeout=args.timeout,
            random_state=0,
        ).fit(case.points, y)
        seconds = time.monotonic() - begun
        missed = np.abs(fitted.predict(unseen) - truth) / np.ptp(truth)
        peer = DecisionTreeRegressor(max_depth=case.depth, random_state=0).fit(case.points, y)
        other = np.abs(peer.predict(unseen) - truth).mean() / np.ptp(truth)
        print(
            f"{case.name:21} {fitted.loss_ / np.ptp(y):8.2e}  {missed.mean():10.2e} "
            f"{missed.max():10.2e}  {fitted.bound_ / np.ptp(y):8.2e} ({fitted.proof_:11}) "
            f"{case.published:8.1e} {other:7.3f} {seconds:7.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
