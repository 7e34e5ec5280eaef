"""Searches with flat regions: maximum cuts, and networks of integer weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tamecheck.learn.effort import DataError
from tamecheck.learn.network import BinarizedNetwork, Floats, Layer

Signs: TypeAlias = npt.NDArray[np.int8]


class _Flips(ABC):
    """States are vectors of signs, and a move flips one of them."""

    @property
    @abstractmethod
    def size(self) -> int:
        """The number of signs."""

    def start(self, rng: np.random.Generator) -> Signs:
        """Random signs."""
        return rng.choice(np.array([-1, 1], dtype=np.int8), self.size)

    def propose(self, state: Signs, rng: np.random.Generator) -> Signs:
        """The state with one sign flipped."""
        found = state.copy()
        found[rng.integers(self.size)] *= -1
        return found


@dataclass(frozen=True, eq=False)
class MaxCut(_Flips):
    """Minimise minus the number of edges between the two sides of a graph.

    Parameters
    ----------
    vertices
        The number of vertices.
    edges
        Pairs of vertices.
    level
        Cuts below it all count as this one, so that they form a plateau; 0 leaves them as they are.
    """

    vertices: int
    edges: tuple[tuple[int, int], ...]
    level: int = 0

    def __post_init__(self) -> None:
        known = range(self.vertices)
        if any(u not in known or v not in known or u == v for u, v in self.edges):
            raise DataError("An edge joins two different vertices, by number.")

    @property
    def size(self) -> int:
        """The number of vertices."""
        return self.vertices

    @cached_property
    def _ends(self) -> npt.NDArray[np.int64]:
        return np.array(self.edges, dtype=np.int64).reshape(-1, 2)

    @cached_property
    def _adjacency(self) -> npt.NDArray[np.int64]:
        matrix = np.zeros((self.vertices, self.vertices), dtype=np.int64)
        np.add.at(matrix, tuple(self._ends.T), 1)
        return matrix + matrix.T

    def cut(self, state: Signs) -> int:
        """The number of edges between the sides."""
        left, right = state[self._ends[:, 0]], state[self._ends[:, 1]]
        return int((left != right).sum())

    def value(self, state: Signs) -> float:
        """Minus the cut, or minus the level if that is larger."""
        return -float(max(self.cut(state), self.level))

    def gradient_norm(self, state: Signs) -> float:
        """The largest change of the value by moving one vertex."""
        cut = self.cut(state)
        signs = state.astype(np.int64)
        # an edge between the sides is lost, one within a side is won
        after = cut + signs * (self._adjacency @ signs)
        return float(np.abs(np.maximum(after, self.level) - max(cut, self.level)).max(initial=0))

    def largest(self) -> int:
        """The largest cut, by enumeration; for at most 22 vertices.

        Raises
        ------
        DataError
            If there are more.
        """
        if self.vertices > 22:
            raise DataError(f"{self.vertices} vertices are too many to enumerate all cuts.")
        # one vertex may stay where it is, by symmetry
        numbers = np.arange(2 ** max(self.vertices - 1, 0), dtype=np.int64)
        total = np.zeros(len(numbers), dtype=np.int64)
        for u, v in self.edges:
            total += (numbers >> u & 1) != (numbers >> v & 1)
        return int(total.max(initial=0))


@dataclass(frozen=True, eq=False)
class BinaryWeights(_Flips):
    """Minimise the training errors of a network of weights ±1 and thresholds 0, flip by flip.

    Errors are integers that most flips of a weight leave as they are: the search is made of
    plateaus.

    Parameters
    ----------
    x
        Rows of signs.
    labels
        The index of each row's class.
    widths
        The numbers of inputs, of neurons of the hidden layers, and of classes.
    probes
        The flips that `gradient_norm` tries, chosen by the state alone.
    """

    x: Floats
    labels: Any
    widths: tuple[int, ...]
    probes: int = 8

    @property
    def size(self) -> int:
        """The number of weights."""
        return sum(m * n for m, n in pairwise(self.widths))

    def network(self, state: Signs) -> BinarizedNetwork:
        """The network of these weights."""
        shapes = list(pairwise(self.widths))
        parts = np.split(state.astype(np.float64), np.cumsum([m * n for m, n in shapes])[:-1])
        layers = (
            Layer(part.reshape(m, n), np.zeros(n))
            for part, (m, n) in zip(parts, shapes, strict=True)
        )
        return BinarizedNetwork(tuple(layers))

    def value(self, state: Signs) -> float:
        """The number of training errors."""
        return float((self.network(state).decide(self.x) != self.labels).sum())

    def gradient_norm(self, state: Signs) -> float:
        """The largest change of the errors among some flips."""
        rng = np.random.default_rng(np.packbits(state > 0).tolist())
        now = self.value(state)
        changes = [abs(self.value(self.propose(state, rng)) - now) for _ in range(self.probes)]
        return max(changes, default=0.0)


def random_regular(vertices: int, degree: int, seed: int) -> tuple[tuple[int, int], ...]:
    """The edges of a random regular graph, by pairing half-edges until the graph is simple.

    Raises `DataError` if no such graph exists.
    """
    if not 0 <= degree < vertices or vertices * degree % 2:
        raise DataError(f"There is no {degree}-regular graph on {vertices} vertices.")
    rng = np.random.default_rng(seed)
    stubs = np.repeat(np.arange(vertices), degree)
    while True:
        pairs = rng.permutation(stubs).reshape(-1, 2)
        ordered = {(int(min(p)), int(max(p))) for p in pairs}
        if len(ordered) == len(pairs) and all(u != v for u, v in ordered):
            return tuple(sorted(ordered))
