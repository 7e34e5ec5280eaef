"""Relax-and-Walk: linear programs on one activation pattern after the other.

Source: Tong, Cai and Serra, "Optimization over trained neural networks: taking a relaxing walk",
CPAIOR 2024; `relaxed_starts` is their procedure "LR".  Floats search here; whoever uses a point
evaluates it exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tamecheck.bounds.layers import Largest, Layers, Linear, Pointwise
from tamecheck.budget import Budget
from tamecheck.encode.mip.network import Encoding
from tamecheck.ir.answer import Optimal
from tamecheck.ir.program import Kind, Sense
from tamecheck.ir.tensor import Array
from tamecheck.solvers.dense import largest_in
from tamecheck.solvers.relaxation import Relaxation, Relaxed

_STEP = 0.01
_GAIN = 1e-9
_BIAS = 0.05
_SAMPLES = 1024
_KEPT = 6
_ROUNDS = 30
_AROUND = 64


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """``slope · x + shift`` where ``low <= rows x <= high``.

    Shapes: ``slope`` (inputs,), ``rows`` (pieces, inputs), ``low`` and ``high`` (pieces,).
    """

    slope: Array
    shift: float
    rows: Array
    low: Array
    high: Array


def piecewise_affine(layers: Layers) -> bool:
    """Whether every layer is piecewise affine, with pieces that `region` knows."""
    return all(
        isinstance(layer, Linear | Largest)
        or (isinstance(layer, Pointwise) and layer.scalar.breaks is not None)
        for layer in layers.computed
    )


def region(layers: Layers, x: Array, output: int) -> Region:
    """The affine function and the inequalities of the activation pattern at ``x``.

    At a bend one of the patterns is taken.  Costs as much as evaluating ``inputs`` points.
    """
    values = layers.values(x)
    slopes = [np.eye(layers.inputs)]
    rows: list[Array] = []
    lows: list[Array] = []
    highs: list[Array] = []
    for layer in layers.computed:
        v, slope = values[layer.args[0]], slopes[layer.args[0]]
        if isinstance(layer, Linear):
            slopes.append(layer.apply([slopes[arg] for arg in layer.args]))
        elif isinstance(layer, Pointwise) and layer.scalar.breaks is not None:
            breaks = layer.scalar.breaks
            ends = np.concatenate([[-np.inf], breaks, [np.inf]])
            # below the first break strictly: like the one-sided slopes of the layers
            piece = (v[:, np.newaxis] > breaks).sum(-1)
            own = v - slope.T @ x
            rows.append(slope.T)
            lows.append(ends[piece] - own)
            highs.append(ends[piece + 1] - own)
            slopes.append(slope * layer.scalar.slope(v))
        elif isinstance(layer, Largest):
            first = layer.groups(v).argmax(-1) + np.arange(layer.size) * layer.group
            chosen = np.repeat(first, layer.group)
            ahead = (slope[:, chosen] - slope).T
            rows.append(ahead)
            lows.append(ahead @ x - (v[chosen] - v))
            highs.append(np.full(len(v), np.inf))
            slopes.append(slope[:, first])
        else:
            raise ValueError("not piecewise affine")
    count = layers.inputs
    slope = slopes[-1][:, output]
    return Region(
        slope,
        float(values[-1][output] - slope @ x),
        np.concatenate([np.zeros((0, count)), *rows]),
        np.concatenate([np.zeros(0), *lows]),
        np.concatenate([np.zeros(0), *highs]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Walker:
    """An output of a network to be made large on a box: its layers, the box, the direction.

    ``sign`` is 1 to maximise and -1 to minimise.
    """

    layers: Layers
    lower: Array
    upper: Array
    output: int
    sign: float = 1.0

    def values(self, points: Array) -> Array:
        """The signed output at points, one a row."""
        return self.sign * self.layers.values(points)[-1][..., self.output]

    def clip(self, points: Array) -> Array:
        """The nearest points of the box."""
        return np.clip(points, self.lower, self.upper)

    def ascend(self, points: Array, rounds: int) -> Array:
        """Points after some steps of projected signed-gradient ascent, the best of each path."""
        best, best_values = points, self.values(points)
        rows = np.zeros(self.layers.sizes[-1])
        rows[self.output] = self.sign
        width = self.upper - self.lower
        for turn in range(rounds):
            values = self.layers.values(points)
            functional = np.broadcast_to(rows, (len(points), len(rows)))
            slope = self.layers.gradient(values, functional)
            size = np.abs(slope * width).max(-1, keepdims=True)
            move = slope * width * width / np.where(size > 0, size, 1.0)
            points = self.clip(points + 0.3 * 0.93**turn * move)
            found = self.values(points)
            better = found > best_values
            best = np.where(better[:, np.newaxis], points, best)
            best_values = np.where(better, found, best_values)
        return best


def walk(walker: Walker, x: Array, budget: Budget) -> Iterator[tuple[float, Array]]:
    """The local optima of the regions that a walk from ``x`` passes; values increase.

    On each region a linear program finds the best point; the walk then steps a little further in
    the direction that led there, into the next region.
    """
    best = -np.inf
    while not budget.is_spent:
        here = region(walker.layers, x, walker.output)
        # the float point itself is to be feasible
        at = here.rows @ x
        ends = np.minimum(here.low, at), np.maximum(here.high, at)
        found = largest_in(walker.sign * here.slope, (walker.lower, walker.upper), here.rows, ends)
        if found is None:
            return
        found = walker.clip(found)
        value = float(walker.values(found))
        if value <= best + _GAIN * max(1.0, abs(best)):
            return
        best = value
        yield best, found
        # a little further, where that does not leave the box
        step = found + _STEP * (found - x)
        x = np.where((step < walker.lower) | (step > walker.upper), found, step)


def relaxed_starts(
    encoding: Encoding, walker: Walker, rng: np.random.Generator, budget: Budget
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
    while not budget.is_spent:
        relaxation = Relaxation(encoding.objective(walker.output, sense))
        found = relaxation.solve(seconds=budget.seconds)
        if not isinstance(found, Optimal):
            return
        x, whole = _network_at(encoding, walker, found)
        yield x
        if not switches:
            return
        for layer in layers:
            left = list(layer)
            while left and not budget.is_spent:
                weight = np.array([abs(whole[j] - found.point[j]) + _BIAS for j in left])
                j = left.pop(int(rng.choice(len(left), p=weight / weight.sum())))
                column = program.columns[j]
                other = column.lower if whole[j] > 0.5 else column.upper
                relaxation.set_bounds(j, other, other)
                again = relaxation.solve(seconds=budget.seconds)
                if not isinstance(again, Optimal):
                    relaxation.set_bounds(j, column.lower, column.upper)
                    continue
                found = again
                x, whole = _network_at(encoding, walker, found)
                yield x


def _network_at(encoding: Encoding, walker: Walker, found: Relaxed) -> tuple[Array, list[float]]:
    x = walker.clip(np.array([found.point[j] for j in encoding.inputs]))
    return x, encoding.complete([float(value) for value in x])


def _by_depth(encoding: Encoding, switches: list[int]) -> list[list[int]]:
    """The binary switches, grouped by how many layers of switches lie before them."""
    grouped: dict[int, list[int]] = {}
    for j in switches:
        column = encoding.program.columns[j]
        if (column.lower, column.upper) == (0, 1):
            grouped.setdefault(encoding.depths[j], []).append(j)
    return [grouped[level] for level in sorted(grouped)]


def sampled_starts(walker: Walker, rng: np.random.Generator, budget: Budget) -> Iterator[Array]:
    """The best ends of gradient ascents from random points and corners, batch after batch."""
    while not budget.is_spent:
        mix = rng.random((_SAMPLES, len(walker.lower)))
        mix[::2] = np.round(mix[::2])
        points = walker.lower + (walker.upper - walker.lower) * mix
        points = walker.ascend(points, _ROUNDS)
        order = np.argsort(-walker.values(points), kind="stable")
        yield from points[order[:_KEPT]]


def best_walks(
    walker: Walker, starts: Iterator[Array], rng: np.random.Generator, budget: Budget
) -> Iterator[Array]:
    """Better and better points, of walks from the starts; a walk that ends looks around itself."""
    best = -np.inf
    for start in starts:
        x = start
        while not budget.is_spent:
            for _, found in walk(walker, x, budget):
                x = found
            value = float(walker.values(x))
            if value > best:
                best = value
                yield x
            near = _around(walker, x, rng)
            if near is None:
                break
            x = near
        if budget.is_spent:
            return


def _around(walker: Walker, x: Array, rng: np.random.Generator) -> Array | None:
    """A better point within a small distance, if samples find one."""
    width = walker.upper - walker.lower
    radius = 10.0 ** -rng.integers(1, 5, (_AROUND, 1))
    points = walker.clip(x + radius * width * rng.uniform(-1, 1, (_AROUND, len(x))))
    values = walker.values(points)
    at = int(values.argmax())
    own = float(walker.values(x))
    return points[at] if values[at] > own + 1e-7 * max(1.0, abs(own)) else None
