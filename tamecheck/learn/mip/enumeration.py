"""The fewest errors of small networks, by going through all truth vectors of their neurons.

On N rows a hidden neuron is known by its vector of N signs.  Few inputs with integer weights allow
few vectors, and a network of h neurons is an (unordered) choice of h of them, then an output
function of h bits: for each choice, the weight of each class in each of the 2^h cells of rows that
agree in all bits decides which output function makes the fewest errors.  The last two neurons are
handled for all their choices at once, by matrix products.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tamecheck.learn.mip.task import Architecture, Grid, Params, Task, grids
from tamecheck.learn.mip.threshold import levels_of, offset_at
from tamecheck.learn.network import Floats, Layer

__all__ = ["Enumerated", "enumerated"]

_MOST_WEIGHTS = 2**16
_MOST_VECTORS = 3000
_MOST_BITS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Enumerated:
    """The fewest weighted errors of any network of an architecture, and a network with so few."""

    errors: Fraction
    params: Params


@dataclass(frozen=True, slots=True, eq=False)
class _Neurons:
    """The distinct truth vectors ``(count, rows)`` of a layer, with a neuron for each."""

    signs: Floats
    weights: Floats
    offsets: Floats


def enumerated(task: Task, architecture: Architecture, *, seconds: float) -> Enumerated | None:
    """The exact optimum of the error count; None where it is out of reach.

    It is within reach for two classes, one hidden layer of at most four neurons, integer weights,
    integer features, few inputs, weights of rows that are integers, and enough time.
    """
    hidden = architecture.widths[1:-1]
    if task.classes != 2 or len(hidden) != 1 or hidden[0] > _MOST_BITS or not task.integral:
        return None
    values = (-1, 1) if architecture.kind == "binary" else (-1, 0, 1)
    if architecture.kind == "real" or len(values) ** architecture.widths[0] > _MOST_WEIGHTS:
        return None
    if any(w.denominator != 1 for row in task.weights for _, w in row):
        return None
    end = time.monotonic() + seconds
    first, last = grids(task, architecture)
    neurons = _neurons(task.x, values, first, end)
    outputs = _neurons(_cells(hidden[0]), values, last, end)
    if neurons is None or outputs is None:
        return None
    return _best(task, hidden[0], neurons, outputs, end)


def _cells(bits: int) -> Floats:
    """All sign vectors of that length; row c has the bits of c, the highest first."""
    return np.array(list(itertools.product((-1.0, 1.0), repeat=bits)))


def _neurons(x: Floats, values: tuple[int, ...], grid: Grid, end: float) -> _Neurons | None:
    """Every truth vector of a neuron on the rows of ``x``; None if there are too many."""
    seen: dict[bytes, tuple[Floats, Floats, float]] = {}
    for weights in itertools.product(values, repeat=x.shape[1]):
        vector = np.array(weights, dtype=np.float64)
        sums = x @ vector
        # one threshold at each value, one above all
        levels = np.array([0.0]) if grid.reach is None else levels_of(sums)
        for signs, level in zip(np.where(sums >= levels[:, None], 1.0, -1.0), levels, strict=True):
            key = np.packbits(signs > 0).tobytes()
            if key not in seen:
                seen[key] = (signs, vector, offset_at(sums, float(level), grid))
        if len(seen) > _MOST_VECTORS or time.monotonic() > end:
            return None
    parts = list(seen.values())
    return _Neurons(
        np.array([p[0] for p in parts]), np.array([p[1] for p in parts]),
        np.array([p[2] for p in parts]),
    )  # fmt: skip


def _best(
    task: Task, hidden: int, neurons: _Neurons, outputs: _Neurons, end: float
) -> Enumerated | None:
    weight = np.zeros((len(task.x), 2))
    for i, row in enumerate(task.weights):
        for label, w in row:
            weight[i, label] = float(w)
    functions = outputs.signs > 0
    base = float(weight[:, 1].sum())
    gain = weight[:, 1] - weight[:, 0]
    positive = neurons.signs > 0
    count = len(positive)
    best, choice, function = np.inf, (0,) * hidden, 0
    for prefix in itertools.combinations_with_replacement(range(count), max(hidden - 2, 0)):
        if time.monotonic() > end:
            return None
        table = _table(positive, gain, prefix, hidden)
        # errors = weight of class 1 - gain over the cells where the output is 1
        for number, output in enumerate(functions):
            gained = table[output].sum(axis=0) if output.any() else np.zeros(table.shape[1:])
            place = int(np.argmax(gained))
            errors = base - float(gained.reshape(-1)[place])
            if errors < best:
                rest = np.unravel_index(place, gained.shape)
                best, choice, function = errors, (*prefix, *map(int, rest)), number
    first = Layer(neurons.weights[list(choice)].T, neurons.offsets[list(choice)])
    last = Layer(outputs.weights[function][:, None], outputs.offsets[[function]])
    return Enumerated(Fraction(round(best)), (first, last))


def _table(positive: np.ndarray, gain: Floats, prefix: tuple[int, ...], hidden: int) -> Floats:
    """The gain of each cell for all choices of the last (at most two) neurons.

    Of shape ``(2^hidden, count)`` for one neuron and ``(2^hidden, count, count)`` else.
    """
    on = positive.astype(np.float64)
    off = 1 - on
    found: list[Floats] = []
    for bits in itertools.product((False, True), repeat=len(prefix)):
        rows = np.ones(positive.shape[1], dtype=bool)
        for neuron, bit in zip(prefix, bits, strict=True):
            rows &= positive[neuron] == bit
        share = gain * rows
        if hidden == 1:
            found += [off @ share, on @ share]
            continue
        for left in (off, on):
            for right in (off, on):
                found.append((left * share) @ right.T)
    return np.array(found)
