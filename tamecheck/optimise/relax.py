"""Starting points of walks: relaxations with activations flipped one by one, and samples.

Source of the first: the procedure "LR" of Tong, Cai and Serra (CPAIOR 2024).
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from tamecheck.encode.mip.network import Encoding
from tamecheck.ir.program import Kind, Sense
from tamecheck.ir.tensor import Array
from tamecheck.optimise.walk import Walker, walk
from tamecheck.solvers.relaxation import Relaxation, RelaxedOptimum

__all__ = ["best_walks", "relaxed_starts", "sampled_starts"]

_BIAS = 0.05
_SAMPLES = 1024
_KEPT = 6
_ROUNDS = 30
_AROUND = 64


def relaxed_starts(
    encoding: Encoding, walker: Walker, rng: np.random.Generator, *, deadline: float
) -> Iterator[Array]:
    """Inputs where relaxations of the program are best, with one more switch flipped each time.

    Layer by layer, switches are drawn with a weight that grows with the distance between their
    value in the relaxation and in the network at its input; the drawn one is fixed to the other
    value than the network's.  What makes the relaxation infeasible is taken back.
    """
    program = encoding.program
    sense = Sense.MAXIMISE if walker.sign > 0 else Sense.MINIMISE
    switches = [j for j, c in enumerate(program.columns) if c.kind is Kind.INTEGER]
    layers = _by_depth(encoding, switches)
    while time.monotonic() < deadline:
        relaxation = Relaxation(encoding.objective(walker.output, sense))
        found = relaxation.solve(seconds=deadline - time.monotonic())
        if not isinstance(found, RelaxedOptimum):
            return
        x, whole = _network_at(encoding, walker, found)
        yield x
        if not switches:
            return
        for layer in layers:
            left = list(layer)
            while left and time.monotonic() < deadline:
                weight = np.array([abs(whole[j] - found.x[j]) + _BIAS for j in left])
                j = left.pop(int(rng.choice(len(left), p=weight / weight.sum())))
                column = program.columns[j]
                other = column.lower if whole[j] > 0.5 else column.upper
                relaxation.set_bounds(j, other, other)
                again = relaxation.solve(seconds=deadline - time.monotonic())
                if not isinstance(again, RelaxedOptimum):
                    relaxation.set_bounds(j, column.lower, column.upper)
                    continue
                found = again
                x, whole = _network_at(encoding, walker, found)
                yield x


def _network_at(
    encoding: Encoding, walker: Walker, found: RelaxedOptimum
) -> tuple[Array, list[float]]:
    x = walker.clipped(np.array([found.x[j] for j in encoding.inputs]))
    return x, encoding.complete([float(value) for value in x])


def _by_depth(encoding: Encoding, switches: list[int]) -> list[list[int]]:
    """The binary switches, grouped by how many layers of switches lie before them."""
    grouped: dict[int, list[int]] = {}
    for j in switches:
        column = encoding.program.columns[j]
        if (column.lower, column.upper) == (0, 1):
            grouped.setdefault(encoding.depths[j], []).append(j)
    return [grouped[level] for level in sorted(grouped)]


def sampled_starts(walker: Walker, rng: np.random.Generator, *, deadline: float) -> Iterator[Array]:
    """The best ends of gradient ascents from random points and corners, batch after batch."""
    while time.monotonic() < deadline:
        mix = rng.random((_SAMPLES, len(walker.lower)))
        mix[::2] = np.round(mix[::2])
        points = walker.lower + (walker.upper - walker.lower) * mix
        points = walker.ascended(points, _ROUNDS)
        order = np.argsort(-walker.values(points), kind="stable")
        yield from points[order[:_KEPT]]


def best_walks(
    walker: Walker, starts: Iterator[Array], rng: np.random.Generator, *, deadline: float
) -> Iterator[tuple[float, Array]]:
    """Better and better points, of walks from the starts; a walk that ends looks around itself."""
    best = -np.inf
    for start in starts:
        x, own = start, -np.inf
        while time.monotonic() < deadline:
            for value, found in walk(walker, x, deadline=deadline):
                x, own = found, max(own, value)
            value = float(walker.values(x))
            if value > best:
                best = value
                yield value, x
            near = _around(walker, x, rng)
            if near is None:
                break
            x = near
        if time.monotonic() >= deadline:
            return


def _around(walker: Walker, x: Array, rng: np.random.Generator) -> Array | None:
    """A better point within a small distance, if samples find one."""
    width = walker.upper - walker.lower
    radius = 10.0 ** -rng.integers(1, 5, (_AROUND, 1))
    points = walker.clipped(x + radius * width * rng.uniform(-1, 1, (_AROUND, len(x))))
    values = walker.values(points)
    at = int(values.argmax())
    own = float(walker.values(x))
    return points[at] if values[at] > own + 1e-7 * max(1.0, abs(own)) else None
