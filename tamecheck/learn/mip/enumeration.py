"""The fewest errors of small networks, by going through all truth vectors of their neurons.

On N rows a hidden neuron is known by its vector of N signs.  Few inputs with integer weights allow
few vectors, and a network of h neurons is an (unordered) choice of h of them, then an output
function of h bits: for each choice, the weight of each class in each of the 2^h cells of rows that
agree in all bits decides which output function makes the fewest errors.  The last two neurons are
handled for all their choices at once, by matrix products.

Of two hidden neurons with symmetric weights and offsets more is known.  Up to negations an output
neuron over two signs computes a constant, one of them, or "or" or "and"; "and" is "or" for the
other class.  So the optimum is that of a union: two half-spaces that cover many positive rows and
few negative ones.  With fewer than U errors, neither covers U negative rows; and since the union
covers at most the sum of the positive rows, positives - TP(A) - TP(B) + max(FP(A), FP(B)) < U.  Of
a weight vector only the levels next to a negative row matter.  What is left is gone through by
matrix products.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, fields
from fractions import Fraction

import numpy as np

from tamecheck.budget import Budget
from tamecheck.learn.mip.task import Architecture, Grid, Params, Task, grids, levels_of, offset_at
from tamecheck.learn.network import Floats, Layer

_MOST_WEIGHTS, _MOST_VECTORS, _MOST_BITS = 2**16, 3000, 4


@dataclass(frozen=True, slots=True, eq=False)
class _Neurons:
    """The distinct truth vectors ``(count, rows)`` of a layer, with a neuron for each."""

    signs: Floats
    weights: Floats
    offsets: Floats


def enumerate_networks(
    task: Task, architecture: Architecture, budget: Budget
) -> tuple[Fraction, Params] | None:
    """The fewest weighted errors of any network, and one with so few; None if out of reach.

    It is within reach for two classes, one hidden layer of at most four neurons, integer weights,
    integer features, few inputs, weights of rows that are integers, and enough time.
    """
    hidden, values = architecture.widths[1:-1], task.search_values(architecture)
    if values is None or len(hidden) != 1 or hidden[0] > _MOST_BITS:
        return None
    if len(values) ** architecture.widths[0] > _MOST_WEIGHTS:
        return None
    first, last = grids(task, architecture)
    neurons = _neurons(task.x, values, first, budget)
    outputs = _neurons(_cells(hidden[0]), values, last, budget)
    if neurons is None or outputs is None:
        return None
    return _best(task, hidden[0], neurons, outputs, budget)


def _cells(bits: int) -> Floats:
    """All sign vectors of that length; row c has the bits of c, the highest first."""
    return np.array(list(itertools.product((-1.0, 1.0), repeat=bits)))


def _neurons(x: Floats, values: tuple[float, ...], grid: Grid, budget: Budget) -> _Neurons | None:
    """Every truth vector of a neuron on the rows of ``x``; None if there are too many."""
    seen: dict[bytes, tuple[Floats, Floats, float]] = {}
    for vector in map(np.array, itertools.product(values, repeat=x.shape[1])):
        sums = x @ vector
        # one threshold at each value, one above all
        levels = np.array([0.0]) if grid.reach is None else levels_of(sums)
        for signs, level in zip(np.where(sums >= levels[:, None], 1.0, -1.0), levels, strict=True):
            key = np.packbits(signs > 0).tobytes()
            if key not in seen:
                seen[key] = (signs, vector, offset_at(sums, float(level), grid))
        if len(seen) > _MOST_VECTORS or budget.is_spent:
            return None
    return _Neurons(*map(np.array, zip(*seen.values(), strict=True)))


def _best(
    task: Task, hidden: int, neurons: _Neurons, outputs: _Neurons, budget: Budget
) -> tuple[Fraction, Params] | None:
    weight = task.table
    functions = outputs.signs > 0
    base = float(weight[:, 1].sum())
    gain = weight[:, 1] - weight[:, 0]
    positive = neurons.signs > 0
    count = len(positive)
    best, choice, function = np.inf, (0,) * hidden, 0
    for prefix in itertools.combinations_with_replacement(range(count), max(hidden - 2, 0)):
        if budget.is_spent:
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
    return Fraction(round(best)), (first, last)


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
        else:
            found += [(a * share) @ b.T for a, b in itertools.product((off, on), repeat=2)]
    return np.array(found)


# --- two hidden neurons: a search over pairs of half-spaces with bounds

_MOST_PAIR_WEIGHTS = 2**24
_MOST_HALF_SPACES = 60_000
_BLOCK = 2048


@dataclass(frozen=True, slots=True, eq=False)
class _Half:
    """Half-spaces: rows that each covers, true and false positives; weights . x > bound."""

    covers: np.ndarray
    true: Floats
    false: Floats
    weights: Floats
    bounds: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Union:
    """Two half-spaces, and the weighted errors of their union."""

    errors: float
    weights: Floats
    bounds: Floats


def best_pair(
    task: Task, architecture: Architecture, known: Fraction, budget: Budget
) -> tuple[Fraction, Params | None] | None:
    """The fewest errors if they are fewer than ``known``, with a network; else ``known`` and None.

    None where that is out of reach: it takes two classes, one hidden layer of two neurons with
    offsets, and integers.  O(3^n) weight vectors of n features, and the square of the number of
    half-spaces that are left.
    """
    choices = task.search_values(architecture)
    if choices is None or architecture.widths[1:] != (2, 1):
        return None
    first, last = grids(task, architecture)
    if first.reach is None or len(choices) ** architecture.widths[0] > _MOST_PAIR_WEIGHTS:
        return None
    gain = np.array([float(sum(w if c else -w for c, w in row)) for row in task.weights])
    floor, fewest, params = float(task.floor), float(known), None
    for side in (1.0, -1.0):
        found = _smallest_union(task.x, side * gain, choices, fewest - floor, budget)
        if found is None:
            return None
        if floor + found.errors < fewest:
            fewest = floor + found.errors
            params = _network(task.x, found, first, last, side)
    return Fraction(round(fewest)), params


def _smallest_union(
    x: Floats, gain: Floats, choices: tuple[float, ...], limit: float, budget: Budget
) -> _Union | None:
    """The union with the fewest errors if they are below the limit; None if out of reach.

    Its errors are the limit if there is none.
    """
    x, gain = x[gain != 0], gain[gain != 0]
    positive = float(gain[gain > 0].sum())
    none = _Union(limit, np.zeros((0, x.shape[1])), np.zeros(0))
    # where not more positive than negative rows are covered, there are fewer than the limit
    widest = limit
    for part in _half_spaces(x, gain, choices, limit, 0.0):
        widest = max(widest, float(part.true.max(initial=0)))
        if budget.is_spent:
            return None
    # a partner covers at most the widest
    needed = positive - limit - widest
    parts: list[_Half] = []
    count = 0
    for part in _half_spaces(x, gain, choices, limit, needed):
        parts.append(part)
        count += len(part.true)
        if budget.is_spent or count > 8 * _MOST_HALF_SPACES:
            return None
    if not count:
        return none
    half = _distinct(parts)
    if len(half.true) > _MOST_HALF_SPACES:
        return None
    return _best_of(half, gain, positive, none, budget)


def _half_spaces(
    x: Floats, gain: Floats, choices: tuple[float, ...], limit: float, needed: float
) -> Iterator[_Half]:
    """Those with less than ``limit`` false positives and more than ``needed`` + false true ones."""
    half = x.shape[1] // 2
    left = np.array(list(itertools.product(choices, repeat=half)))
    right = np.array(list(itertools.product(choices, repeat=x.shape[1] - half)))
    sums, parts = right @ x[:, half:].T, left @ x[:, :half].T
    up, down = np.flatnonzero(gain > 0), np.flatnonzero(gain < 0)
    levels = min(len(down), int(np.ceil(limit)))
    for weights, part in zip(left, parts, strict=True):
        total = sums + part
        negative = -np.sort(-total[:, down], axis=1)[:, :levels]
        if levels == len(down):
            negative = np.hstack([negative, np.full((len(total), 1), total.min() - 1)])
        for bound in negative.T:
            true = (total[:, up] > bound[:, None]) @ gain[up]
            kept = np.flatnonzero(true > needed)
            false = -((total[kept][:, down] > bound[kept, None]) @ gain[down])
            good = (false < limit) & (true[kept] > needed + false)
            kept = kept[good]
            if len(kept):
                yield _Half(
                    total[kept] > bound[kept, None],
                    true[kept],
                    false[good],
                    np.hstack([np.tile(weights, (len(kept), 1)), right[kept]]),
                    bound[kept],
                )


def _distinct(parts: list[_Half]) -> _Half:
    """One half-space of each truth vector, the largest first."""
    columns = (np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(_Half))
    every = _Half(*columns)
    _, place = np.unique(np.packbits(every.covers, axis=1), axis=0, return_index=True)
    place = place[np.argsort(-every.true[place], kind="stable")]
    return _Half(*(getattr(every, f.name)[place] for f in fields(_Half)))


def _best_of(
    half: _Half, gain: Floats, positive: float, none: _Union, budget: Budget
) -> _Union | None:
    """The best union of two of them; every pair is looked at or cannot be better."""
    covers = half.covers.astype(np.float64)
    own = half.false - half.true
    best = none
    for i in range(0, len(covers), _BLOCK):
        weighted = covers[i : i + _BLOCK] * gain
        for j in range(i, len(covers), _BLOCK):
            # the largest come first
            if positive - half.true[i] - half.true[j] >= best.errors:
                break
            if budget.is_spent:
                return None
            both = weighted @ covers[j : j + _BLOCK].T
            errors = positive + own[i : i + _BLOCK, None] + own[None, j : j + _BLOCK] + both
            place = int(errors.argmin())
            if errors.reshape(-1)[place] < best.errors:
                a, b = np.unravel_index(place, errors.shape)
                pair = [i + int(a), j + int(b)]
                best = _Union(float(errors[a, b]), half.weights[pair], half.bounds[pair])
    return best


def _network(x: Floats, union: _Union, first: Grid, last: Grid, side: float) -> Params:
    """The network of a union (side 1), or of its complement (side -1)."""
    pairs = zip(union.weights @ x.T, union.bounds.tolist(), strict=True)
    offsets = [offset_at(s, float(s[s > b].min(initial=s.max() + 1)), first) for s, b in pairs]
    # a positive offset of less than 2: only if both are -1, the sum is negative
    offset = offset_at(np.array([-2.0, 0.0, 2.0]), 0.0, last)
    hidden = Layer(union.weights.T, np.array(offsets))
    return (hidden, Layer(np.full((2, 1), side), np.array([side * offset])))
