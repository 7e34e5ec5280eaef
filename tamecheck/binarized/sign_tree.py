"""Proofs about all states of the inputs, by splitting the signs of the first layer.

Where few neurons of the first layer have weights of their own, as in copies of a small network,
their patterns of signs are few, whatever the number of inputs.  A part of the inputs, given by some
signs, is closed where bounds through the network exclude every rival of the decision, or where no
input has these signs together: a linear program over [-1, 1] has no point then, and multipliers of
its rows, rounded to integers, show it.  Where a pattern has points but no input, inputs are split.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck.binarized.network import Propagation, ThresholdNetwork
from tamecheck.ir.answer import Infeasible, Optimal
from tamecheck.ir.program import Column, Program, Row
from tamecheck.ir.tensor import Array
from tamecheck.solvers.relaxation import Relaxation

_SCALES = (1, 2, 3, 4, 5, 6, 12, 1 << 6, 1 << 12, 1 << 20)
_FAR = Fraction(1 << 50)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """The states of the first layer that are known (0: open), and the inputs that are (0: open)."""

    known: Array
    inputs: Array


class SignTree:
    """The search for a proof that the decision is that at the centre, for all states of the inputs.

    ``nodes`` is the tree in preorder, as the kernel reads it.
    """

    def __init__(self, network: ThresholdNetwork, centre: Array, decision: int) -> None:
        self._network, self._centre, self._decision = network, centre, decision
        self._propagation = Propagation(network)
        first = network.layers[0]
        self._weights, self._thresholds = first.weights, first.thresholds
        self._free = np.zeros(network.inputs, dtype=bool)
        self._free[list(network.free)] = True
        # neurons with equal weights share a sum
        self._sums, place = np.unique(first.weights, axis=0, return_inverse=True)
        self._sum_of = place.reshape(-1)
        self._program: Relaxation | None = None
        self.nodes: list[Any] = []

    def run(self, *, nodes: int, deadline: float = np.inf) -> bool:
        """Whether a tree of at most so many nodes closes everything."""
        self.nodes = []
        start = np.zeros(len(self._thresholds), dtype=np.int8)
        fixed = np.where(self._free, 0, self._centre).astype(np.int8)
        stack = [_Part(start, fixed)]
        while stack:
            if len(self.nodes) >= nodes or time.monotonic() > deadline:
                return False
            part = stack.pop()
            closing = self._closing(part)
            if closing is not None:
                self.nodes.append(closing)
                continue
            outcome = self._split(part)
            if outcome is None:
                return False
            node, children = outcome
            self.nodes.append(node)
            stack += reversed(children)
        return True

    def _ends(self, part: _Part) -> tuple[Array, Array]:
        """The least and the largest sums of the neurons, by the inputs that are known."""
        middle = self._weights @ part.inputs.astype(np.int64)
        reach = np.abs(self._weights) @ (part.inputs == 0).astype(np.int64)
        return middle - reach, middle + reach

    def _bounded(self, part: _Part) -> Array:
        """The states that bounds on the sums give."""
        low, high = self._ends(part)
        return (low >= self._thresholds).astype(np.int8) - (high < self._thresholds)

    def _excluded(self, states: Array) -> Array:
        """Whether bounds exclude every rival, for rows of states of the first layer."""
        last = self._propagation.last_states(states)
        return ~self._propagation.may_change(last, self._decision)

    def _closing(self, part: _Part) -> Any:
        """The leaf that closes a part; None if none is seen without a linear program."""
        bounded = self._bounded(part)
        clash = (part.known * bounded) < 0
        states = np.where(part.known, part.known, bounded)
        if clash.any() or self._excluded(states[np.newaxis])[0]:
            return -1
        pair = self._crossed(part.known)
        return None if pair is None else {"apart": [[j, 1] for j in pair]}

    def _crossed(self, known: Array) -> tuple[int, int] | None:
        """Two neurons with one sum that reaches the threshold of one and not that of the other."""
        on, off = np.flatnonzero(known > 0), np.flatnonzero(known < 0)
        for j in on.tolist():
            under = off[self._sum_of[off] == self._sum_of[j]]
            below = under[self._thresholds[under] <= self._thresholds[j]]
            if below.size:
                return j, int(below[0])
        return None

    def _split(self, part: _Part) -> tuple[Any, list[_Part]] | None:
        """The multipliers that close a part, or a split of it; None if there is an input in it."""
        found = self._relaxed(part)
        if isinstance(found, dict):
            return found, []
        bounded = self._bounded(part)
        open_ = np.flatnonzero((part.known == 0) & (bounded == 0))
        if open_.size:
            neuron = self._choose(part, bounded, open_)
            children: list[_Part] = []
            for state in (1, -1):
                known = part.known.copy()
                known[neuron] = state
                children.append(replace(part, known=known))
            return {"neuron": neuron}, children
        left = np.flatnonzero(part.inputs == 0)
        if not left.size:
            return None
        place = int(left[0] if found is None else left[np.argmin(np.abs(found[left]))])
        own = int(self._centre[place])
        return place, [self._with_input(part, place, state) for state in (own, -own)]

    @staticmethod
    def _with_input(part: _Part, place: int, state: int) -> _Part:
        inputs = part.inputs.copy()
        inputs[place] = state
        return replace(part, inputs=inputs)

    def _choose(self, part: _Part, bounded: Array, open_: Array) -> int:
        """An open neuron: one of whose states are closed as many as can be, both or one."""
        states = np.where(part.known, part.known, bounded)
        rows = np.repeat(states[np.newaxis], 2 * len(open_), axis=0)
        rows[np.arange(len(open_)), open_] = 1
        rows[len(open_) + np.arange(len(open_)), open_] = -1
        closed = self._excluded(rows).reshape(2, len(open_))
        # a state that the same sum contradicts
        for sign in (1, -1):
            for at, j in enumerate(open_.tolist()):
                others = np.flatnonzero((part.known == -sign) & (self._sum_of == self._sum_of[j]))
                gaps = sign * (self._thresholds[j] - self._thresholds[others])
                closed[0 if sign > 0 else 1, at] |= bool((gaps >= 0).any())
        score = closed.sum(axis=0)
        if score.max():
            return int(open_[np.argmax(score)])
        # of the states that are left, those of later layers that become known
        gain = (self._propagation.last_states(rows) != 0).sum(axis=1).reshape(2, -1).sum(axis=0)
        weight = np.abs(self._weights[open_]).sum(axis=1)
        return int(open_[np.lexsort((weight, gain))[-1]])

    def _relaxed(self, part: _Part) -> dict[str, Any] | Array | None:
        """Multipliers that show that no input has these signs, or a point of the relaxation."""
        program = self._program = self._program or self._of_sums()
        for i, state in enumerate(part.inputs.tolist()):
            low, high = (Fraction(state),) * 2 if state else (Fraction(-1), Fraction(1))
            program.set_bounds(i, low, high)
        on, off = self._tightest(part.known)
        for s in range(len(self._sums)):
            low, high = (
                None if j is None else Fraction(int(self._thresholds[j]) - less)
                for j, less in ((on.get(s), 0), (off.get(s), 1))
            )
            program.set_bounds(self._network.inputs + s, low, high)
        said = program.solve()
        if isinstance(said, Optimal):
            return np.array(said.point[: self._network.inputs])
        if not isinstance(said, Infeasible) or not said.certificate:
            return None
        ray = np.array(said.certificate)
        return self._apart(part, ray, on, off) if ray.any() else None

    def _of_sums(self) -> Relaxation:
        """The sums as columns behind the inputs."""
        size = self._network.inputs
        columns = [Column(f"x{i}", Fraction(-1), Fraction(1)) for i in range(size)]
        columns += [Column(f"s{s}", -_FAR, _FAR) for s in range(len(self._sums))]
        rows: list[Row] = []
        for s, weights in enumerate(self._sums.tolist()):
            terms = [(i, Fraction(w)) for i, w in enumerate(weights) if w]
            own = (*terms, (size + s, Fraction(-1)))
            rows.append(Row(f"r{s}", own, Fraction(0), Fraction(0)))
        return Relaxation(Program(tuple(columns), tuple(rows)))

    def _tightest(self, known: Array) -> tuple[dict[int, int], dict[int, int]]:
        """For each sum the neuron whose state bounds it most, from below and from above."""
        on: dict[int, int] = {}
        off: dict[int, int] = {}
        ends = self._thresholds
        for j in np.flatnonzero(known).tolist():
            s = int(self._sum_of[j])
            if known[j] > 0 and (s not in on or ends[j] > ends[on[s]]):
                on[s] = j
            if known[j] < 0 and (s not in off or ends[j] < ends[off[s]]):
                off[s] = j
        return on, off

    def _apart(
        self, part: _Part, ray: Array, on: dict[int, int], off: dict[int, int]
    ) -> dict[str, Any] | None:
        """Integer multipliers: of a sum from below or from above, by the sign in the ray."""
        for turned in (ray, -ray):
            for scale in _SCALES:
                sizes = np.rint(turned / np.abs(ray).max() * scale).astype(np.int64).tolist()
                chosen = [((on if m > 0 else off).get(s), abs(m)) for s, m in enumerate(sizes) if m]
                pairs = [(j, m) for j, m in chosen if j is not None]
                if len(pairs) == len(chosen) > 0 and self._is_apart(part, pairs):
                    return {"apart": [list(pair) for pair in pairs]}
        return None

    def _is_apart(self, part: _Part, pairs: list[tuple[int, int]]) -> bool:
        """Whether no input reaches all these signs at once, as the kernel will see it."""
        total, needed = [0] * self._network.inputs, 0
        for j, m in pairs:
            state, end = int(part.known[j]), int(self._thresholds[j])
            needed += m * (end if state > 0 else 1 - end)
            weights: list[int] = self._weights[j].tolist()
            total = [t + m * state * w for t, w in zip(total, weights, strict=True)]
        states: list[int] = part.inputs.tolist()
        most = sum(a * x if x else abs(a) for a, x in zip(total, states, strict=True))
        return most < needed
