"""Relax-and-Walk against plain CBC on the big-M program, on random rectifier networks.

Run by hand: ``python benchmarks/maximise.py [--nets 10] [--seconds 60] [--hidden 100,100]``.
Both get the same time; CBC gets it for the search alone, after the program was written.
"""

from __future__ import annotations

import argparse
import time
from fractions import Fraction
from itertools import pairwise

import numpy as np

import tamecheck as tc
from tamecheck.encode.mip.network import mip_encoding
from tamecheck.evaluate import float_values
from tamecheck.ir.answer import Feasible, Optimal
from tamecheck.ir.graph import GraphBuilder
from tamecheck.ir.program import Sense
from tamecheck.loaders import Loaded
from tamecheck.model import Model
from tamecheck.ops import BY_NAME
from tamecheck.solvers.claims import claims


def network(sizes: list[int], seed: int) -> Model:
    """A rectifier network with weights as PyTorch draws them: uniform within 1 / sqrt(inputs)."""
    rng = np.random.default_rng(seed)
    builder = GraphBuilder()
    value = builder.input("x", (1, sizes[0]))
    for layer, (n, m) in enumerate(pairwise(sizes)):
        end = n**-0.5
        weight = rng.uniform(-end, end, (n, m)).astype(np.float32)
        bias = rng.uniform(-end, end, m).astype(np.float32)
        value = builder.apply(BY_NAME["matmul"], [value, builder.constant(weight)])
        value = builder.apply(BY_NAME["add"], [value, builder.constant(bias)])
        if layer < len(sizes) - 2:
            value = builder.apply(BY_NAME["relu"], [value])
    return Model(Loaded(builder.build({"y": value}), "graph", "random"))


def by_cbc(model: Model, seconds: float) -> float:
    """The network's value at the best point that CBC finds."""
    box = tc.Box.uniform(list(model.inputs), Fraction(0), Fraction(1))
    encoding = mip_encoding(model.graph, box)
    program = encoding.objective(0, Sense.MAXIMISE)
    (said,) = claims(program, solvers=("cbc",), seconds=seconds)
    if not isinstance(said, (Optimal, Feasible)):
        return -np.inf
    x = np.clip([said.point[j] for j in encoding.inputs], 0, 1)
    shape = model.inputs["x"]
    return float(float_values(model.graph, {"x": np.array(x).reshape(shape)})["y"].item())


def main() -> None:
    """Print one line a network, and in how many the walk is at least as good."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nets", type=int, default=10)
    parser.add_argument("--first", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--inputs", type=int, default=10)
    parser.add_argument("--hidden", default="100,100")
    args = parser.parse_args()
    sizes = [args.inputs, *map(int, args.hidden.split(",")), 1]
    wins = 0
    for seed in range(args.first, args.first + args.nets):
        model = network(sizes, seed)
        start = time.monotonic()
        walk = tc.relax_and_walk(model, box="0:1", timeout=args.seconds, seed=seed)
        middle = time.monotonic()
        cbc = by_cbc(model, args.seconds)
        own = float(walk.value)
        wins += own >= cbc - 1e-9
        print(
            f"seed {seed}: walk {own:.6f} ({middle - start:.1f} s)  "
            f"CBC {cbc:.6f} ({time.monotonic() - middle:.1f} s)  bound {float(walk.bound):.4f}",
            flush=True,
        )
    print(f"walk at least as good on {wins} of {args.nets}")


if __name__ == "__main__":
    main()
