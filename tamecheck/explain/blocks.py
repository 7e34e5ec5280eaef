"""Many points at once: the last features' combinations as bits, decided by a decision diagram.

Given the sums of the first layer over the other features, the combinations of the last features at
which a neuron is 1 are those whose own sum is large enough.  These sets are made once for each
neuron, a bit for each combination; after that a neuron at thousands of points is one look-up.  What
the layers after the first make of its states is a reduced ordered decision diagram (Bryant 1986),
which is evaluated on whole sets by a few operations a node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isqrt, prod
from typing import TypeAlias

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.binarized.network import Propagation
from tamecheck.ir.tensor import Array

MOST_NEURONS = 16
"""Of more neurons no diagram is made."""

_POINTS, _NODES, _ROWS = 1 << 12, 4000, 1 << 7

Bit: TypeAlias = "Array | bool"
"""A set of points, or none or all of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Diagram:
    """A decision diagram for the class, by the states of neurons.

    ``levels`` has for each neuron in ``order`` the nodes that ask for it: the places in the next
    level after -1 and after 1.  In the last level a place is a class.
    """

    order: tuple[int, ...]
    levels: tuple[tuple[tuple[int, int], ...], ...]
    classes: tuple[int, ...]

    @property
    def size(self) -> int:
        """The number of nodes."""
        return sum(map(len, self.levels))

    def evaluate(self, states: Sequence[Array]) -> list[Bit]:
        """The bits of the number of the class, lowest first, for sets where neurons are 1."""
        width = max(max(self.classes).bit_length(), 1)
        below = [[bool(c >> b & 1) for b in range(width)] for c in self.classes]
        values: list[list[Bit]] = [list(bits) for bits in below]
        for neuron, nodes in zip(reversed(self.order), reversed(self.levels), strict=True):
            high = states[neuron]
            values = [
                values[no]
                if no == yes
                else [_choose(high, *pair) for pair in zip(values[no], values[yes], strict=True)]
                for no, yes in nodes
            ]
        return values[0]


def _choose(high: Array, no: Bit, yes: Bit) -> Bit:
    """The points of ``yes`` where a set holds, and those of ``no`` elsewhere."""
    if no is yes:
        return no
    if isinstance(no, bool):
        if isinstance(yes, bool):
            return no if no == yes else (high if yes else ~high)
        return yes | ~high if no else yes & high
    if isinstance(yes, bool):
        return no | high if yes else no & ~high
    return no ^ (high & (no ^ yes))


def diagram_of(count: int, classes: Callable[[Array], Array]) -> Diagram | None:
    """The diagram of a function of the states -1 and 1 of neurons, given for rows of states.

    None if there are too many neurons or nodes.
    """
    if count > MOST_NEURONS:
        return None
    numbers = np.arange(1 << count)
    bits = (numbers[:, None] >> np.arange(count)[::-1] & 1).astype(np.int8)
    table = classes(2 * bits - 1).astype(np.int16).reshape((2,) * count)
    # neurons that turn the class most often are asked for first
    halves = (np.moveaxis(table, k, 0) for k in range(count))
    turns = [int(np.count_nonzero(np.asarray(low != high))) for low, high in halves]
    order = sorted(range(count), key=lambda k: (-turns[k], k))
    below = table.transpose(order).reshape(1, -1)
    levels: list[tuple[tuple[int, int], ...]] = []
    for _ in range(count):
        half = below.shape[1] // 2
        both = np.concatenate([below[:, :half], below[:, half:]])
        keys = np.ascontiguousarray(both).view(np.dtype((np.void, 2 * half))).reshape(-1)
        _, first, place = np.unique(keys, return_index=True, return_inverse=True)
        links: list[int] = place.reshape(-1).tolist()
        size = len(below)
        levels.append(tuple(zip(links[:size], links[size:], strict=True)))
        below = both[first]
        if sum(map(len, levels)) > _NODES:
            return None
    return Diagram(tuple(order), tuple(levels), tuple(below[:, 0].tolist()))


@lru_cache(maxsize=64)
def diagram_after(network: ThresholdNetwork) -> Diagram | None:
    """The diagram of what a network makes of the states of its first layer."""
    known = Propagation(network)
    return diagram_of(
        len(network.layers[0].thresholds), lambda states: known.classes(known.last_states(states))
    )


class Block:
    """All combinations of some features, for each of which the sums of neurons are known.

    ``parts`` are what the codes of each feature add to the sums, ``least`` what each neuron needs
    of its sum, whose number is in ``sum_of``.
    """

    def __init__(
        self, parts: Sequence[Array], least: Array, sum_of: Array, diagram: Diagram
    ) -> None:
        self.diagram, self.least, self.sum_of = diagram, least, sum_of
        total = np.zeros((1, parts[0].shape[1] if parts else int(sum_of.max(initial=0)) + 1), int)
        for part in parts:
            total = (total[:, None, :] + part).reshape(-1, total.shape[1])
        self.points = len(total)
        self._full = _packed(np.ones((1, self.points), dtype=np.bool_))[0]
        self._steps: list[Array] = []
        self._sets: list[Array] = []
        for column in sum_of.tolist():
            steps = np.unique(total[:, column])
            # the points whose sum is at least each step, and none
            reached = total[:, column] >= np.append(steps, steps[-1] + 1)[:, None]
            self._steps.append(steps)
            self._sets.append(_packed(reached))

    def counts(self, sums: Array, many: Array, classes: int) -> list[int]:
        """How many points each class has, for rows of sums that occur so many times."""
        found = [0] * classes
        for start in range(0, len(sums), _ROWS):
            part = slice(start, start + _ROWS)
            for decision, numbers in enumerate(self._counts(sums[part], classes)):
                found[decision] += int((numbers.astype(many.dtype) * many[part]).sum())
        return found

    def _counts(self, sums: Array, classes: int) -> list[Array]:
        """How many points of the block each class has, for rows of sums."""
        states = [
            sets[np.searchsorted(steps, self.least[k] - sums[:, column])]
            for k, (column, steps, sets) in enumerate(
                zip(self.sum_of.tolist(), self._steps, self._sets, strict=True)
            )
        ]
        bits = self.diagram.evaluate(states)
        return [self._size(bits, decision, len(sums)) for decision in range(classes)]

    def _size(self, bits: Sequence[Bit], decision: int, rows: int) -> Array:
        """How many points have a class, row by row."""
        inside: Array = self._full
        for place, bit in enumerate(bits):
            wanted = bool(decision >> place & 1)
            if isinstance(bit, bool):
                if bit != wanted:
                    return np.zeros(rows, dtype=np.int64)
            else:
                inside = inside & (bit if wanted else ~bit)
        if decision >> len(bits):
            return np.zeros(rows, dtype=np.int64)
        sizes = np.bitwise_count(inside).sum(axis=-1, dtype=np.int64)
        return np.broadcast_to(sizes, rows)


def _packed(sets: Array) -> Array:
    """Rows of truth values as bits of words."""
    words = -(-sets.shape[1] // 64)
    padded = np.zeros((len(sets), 64 * words), dtype=np.bool_)
    padded[:, : sets.shape[1]] = sets
    return np.packbits(padded, axis=1).view(np.uint64)


def last_of(sizes: Sequence[int]) -> int:
    """From which feature on the combinations of the features are at most a block.

    Of small domains blocks are smaller, as their sets have to be made before they are looked up.
    """
    most = min(_POINTS, 4 * isqrt(prod(sizes)))
    starts = range(len(sizes), -1, -1)
    return min(start for start in starts if prod(sizes[start:]) <= most)
