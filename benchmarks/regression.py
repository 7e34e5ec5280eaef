"""Piecewise polynomial regression beside the errors published for the MIP of Nemecek et al.

Run by hand: ``python benchmarks/regression.py [--timeout 60]``.  The functions are rebuilt from
their descriptions (the published points are not available), so the published column is a mark, not
the same data.  scikit-learn's regression tree of the same depth is the peer in the same run.
Errors are absolute, relative to the range of the values.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from sklearn.tree import DecisionTreeRegressor

from tamecheck.learn import PiecewisePolynomialRegressor


def network(x: np.ndarray, smooth: bool) -> np.ndarray:  # noqa: FBT001
    """A small network with random weights: 4 units, maxima of pairs, 2 units, 1 output."""
    rng = np.random.default_rng(0)
    hidden = x @ rng.normal(size=(2, 4)) + 0.3 * rng.normal(size=4)
    pooled = np.maximum(hidden[:, ::2], hidden[:, 1::2])
    second = np.maximum(0, pooled @ rng.normal(size=(2, 2)) + 0.3)
    output = (np.tanh(second) if smooth else second) @ rng.normal(size=2)
    return 1 / (1 + np.exp(-output)) if smooth else output


def main() -> None:
    """Print one row a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--timeout", type=float, default=60)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    cone, square = rng.uniform(-1, 1, (250, 2)), rng.uniform(-1, 1, (225, 2))
    cases = [
        ("|x|_1, axis", square[:100], np.abs(square[:100]).sum(axis=1), 2, 1, "axis", 9.8e-5),
        ("|x|_inf, affine", square[:100], np.abs(square[:100]).max(axis=1), 2, 1, "affine", 4.2e-4),
        ("|x|_inf, axis", square[:100], np.abs(square[:100]).max(axis=1), 2, 1, "axis", 0.0851),
        ("cone, depth 2", cone, np.linalg.norm(cone, axis=1), 2, 1, "affine", 0.0469),
        ("cone, depth 3", cone, np.linalg.norm(cone, axis=1), 3, 1, "affine", 0.0100),
        ("smooth net, depth 2", square, network(square, smooth=True), 2, 2, "affine", 0.0363),
        ("smooth net, depth 3", square, network(square, smooth=True), 3, 2, "affine", 0.0129),
        ("ReLU net, depth 2", square, network(square, smooth=False), 2, 1, "affine", 1.8e-4),
    ]
    print("case                  mean error  max error  bound (by)         published  tree seconds")
    for name, x, y, depth, order, splits, published in cases:
        begun = time.monotonic()
        fitted = PiecewisePolynomialRegressor(
            depth, order=order, splits=splits, timeout=args.timeout, random_state=0
        ).fit(x, y)
        seconds = time.monotonic() - begun
        scale = float(np.ptp(y))
        peer = DecisionTreeRegressor(max_depth=depth, random_state=0).fit(x, y)
        other = float(np.abs(peer.predict(x) - y).mean())
        print(
            f"{name:21} {fitted.loss_ / scale:10.2e} {fitted.max_error_ / scale:10.2e} "
            f"{fitted.bound_ / scale:9.2e} ({fitted.proof_:11}) {published:9.1e} "
            f"{other / scale:6.3f} {seconds:7.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
