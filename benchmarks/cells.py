"""Cells of random ReLU nets: exact search beside plain float clipping, or depth-first programs.

Run: python benchmarks/cells.py
"""

import time
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from tamecheck.cells import cells
from tamecheck.ir.box import Box
from tamecheck.ir.graph import Graph, GraphBuilder
from tamecheck.ir.tensor import Array
from tamecheck.ops import BY_NAME

Weights = list[tuple[Array, Array]]


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


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """The best of three times, and the answer."""
    best, answer = float("inf"), None
    for _ in range(3):
        start = time.perf_counter()
        answer = function()
        best = min(best, time.perf_counter() - start)
    return best, answer


def main() -> None:
    # the networks above are used where HiGHS is not installed
    from cells_search import depth_first

    for sizes in ([2, 16, 16, 1], [2, 32, 32, 1], [3, 12, 12, 1], [5, 10, 10, 2]):
        box = Box.uniform(["x"], Fraction(-1), Fraction(1))
        graph, weights = network(sizes, 0)
        seconds, found = timed(lambda graph=graph, box=box: cells(graph, box))
        line = f"{'-'.join(map(str, sizes)):12} {found.count:6} cells in {seconds:.3f} s"
        if sizes[0] == 2:
            plain, count = timed(lambda weights=weights: float_clipping(weights))
            start = time.perf_counter()
            total = found.volume
            exact = time.perf_counter() - start
            line += (
                f"; float clipping {count} in {plain:.3f} s; exact area {total} in {exact:.3f} s"
            )
            line += f"; {seconds / plain:.2f} times the clipping"
        else:
            start = time.perf_counter()
            count = depth_first(weights)
            programs = time.perf_counter() - start
            line += f"; depth-first search {count} in {programs:.3f} s, {programs / seconds:.1f}x"
        print(line)


if __name__ == "__main__":
    main()
