"""Cells of random ReLU nets: exact search beside plain float clipping, or depth-first programs.

Run: python benchmarks/cells.py [--seeds 3] [5-10-10-2 ...]
"""

import time
from argparse import ArgumentParser
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np

from tamecheck.cells import cells
from tamecheck.ir.box import Box
from tamecheck.ir.graph import Graph, GraphBuilder
from tamecheck.ir.tensor import Array
from tamecheck.ops import BY_NAME

Weights = list[tuple[Array, Array]]

_SIZES = [
    "2-16-16-1",
    "2-32-32-1",
    "3-12-12-1",
    "3-16-16-1",
    "4-10-10-3",
    "4-12-12-1",
    "5-8-8-8-1",
    "5-10-10-2",
]


def network(sizes: list[int], seed: int) -> tuple[Graph, Weights]:
    """A random ReLU network, and its weights and biases by layer."""
    rng = np.random.default_rng(seed)
    builder = GraphBuilder()
    value = builder.input("x", (1, sizes[0]))
    weights = []
    for layer, (n, m) in enumerate(pairwise(sizes)):
        w = (rng.normal(size=(n, m)) * np.sqrt(2 / n)).astype(np.float32)
        b = (rng.normal(size=(m,)) * 0.1).astype(np.float32)
        weights.append((w.astype(float), b.astype(float)))
        value = builder.apply(BY_NAME["matmul"], [value, builder.constant(w)])
        value = builder.apply(BY_NAME["add"], [value, builder.constant(b)])
        if layer < len(sizes) - 2:
            value = builder.apply(BY_NAME["relu"], [value])
    return builder.build({"y": value}), weights


def halves(polygon: Array, values: Array) -> tuple[Array, Array]:
    """The parts of a polygon (vertices in cyclic order) where a form is positive and negative."""
    above, below = [], []
    for k in range(len(polygon)):
        p, q, a, b = polygon[k - 1], polygon[k], values[k - 1], values[k]
        if (a > 0) != (b > 0):
            crossing = p + (q - p) * (a / (a - b))
            above.append(crossing)
            below.append(crossing)
        (above if b > 0 else below).append(q)
    return np.array(above), np.array(below)


def float_clipping(weights: Weights) -> int:
    """The number of regions by clipping polygons in floats, without any guarantee."""
    square = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
    regions = [(square, np.eye(2), np.zeros(2))]
    for w, b in weights[:-1]:
        following = []
        for polygon, matrix, shift in regions:
            forms, offsets = matrix @ w, shift @ w + b
            parts = [polygon]
            for unit in range(w.shape[1]):
                cut = []
                for part in parts:
                    values = part @ forms[:, unit] + offsets[unit]
                    if values.min() < 0 < values.max():
                        cut += halves(part, values)
                    else:
                        cut.append(part)
                parts = cut
            for part in parts:
                mask = part.mean(axis=0) @ forms + offsets > 0
                following.append((part, forms * mask, offsets * mask))
        regions = following
    return len(regions)


def timed(function: Callable[[], Any], times: int) -> tuple[float, Any]:
    """The seconds of CPU, the least of some times, and the answer."""
    best, answer = float("inf"), None
    for _ in range(times):
        start = time.process_time()
        answer = function()
        best = min(best, time.process_time() - start)
    return best, answer


def compared(sizes: list[int], seed: int) -> float:
    """Print one line on a network; how many times as long the peer takes."""
    # the networks above are used where HiGHS is not installed
    from cells_search import depth_first

    graph, weights = network(sizes, seed)
    box = Box.uniform(["x"], Fraction(-1), Fraction(1))
    plane = sizes[0] == 2
    peer = float_clipping if plane else depth_first
    times = 3 if plane else 1
    seconds, found = timed(lambda: cells(graph, box), times)
    theirs, count = timed(lambda: peer(weights), times)
    if count != found.count:
        raise SystemExit(
            f"{sizes}, seed {seed}: {found.count} cells, but {count} by {peer.__name__}"
        )
    name, of = "-".join(map(str, sizes)), peer.__name__.replace("_", " ")
    line = f"{name:14} seed {seed} {found.count:6} cells {seconds:7.3f} s; {of} {theirs:7.3f} s"
    print(f"{line}, {theirs / seconds:.1f} times", flush=True)
    return theirs / seconds


def main() -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="networks of each size")
    parser.add_argument("sizes", nargs="*", default=_SIZES, help="such as 5-10-10-2")
    args = parser.parse_args()
    for text in args.sizes:
        sizes = [int(n) for n in text.split("-")]
        ratios = [compared(sizes, seed) for seed in range(args.seeds)]
        print(f"{text:14} median {median(ratios):.1f} times", flush=True)


if __name__ == "__main__":
    main()
