"""Can the decision change while some features stay?  Exact, by splitting the others.

Rows of a table are partial inputs; all of them have the same features decided.  Integer bounds of
every neuron over the rest close a row, or the next feature is decided in it.  A row on which all
is decided is an input, so the search always ends.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tamecheck.binarized import BinarizedNetwork
from tamecheck.binarized.folding import Ball, rivals
from tamecheck.binarized.program import misclassified_program
from tamecheck.errors import SolverError
from tamecheck.explain.cardinality import Cardinality
from tamecheck.explain.domain import Domain
from tamecheck.ir.tensor import Array
from tamecheck.solve.children import claims
from tamecheck.solve.claims import FeasibleClaim, InfeasibleClaim, OptimalClaim

__all__ = ["Codes", "OutOfTimeError", "Search"]

Codes = tuple[int, ...]
_ROWS = 1 << 15
_FEW = 256
_MANY = 2**20
_ROOT_ROWS = 2_000
_CLIMB = 12
_STARTS, _MANY_STARTS = 3, 40
_STEPS = 24
_TABLE = 1 << 7
_SAMPLES = 256
_EXACT_SINGLE = 2**24
_WIDE = npt.NDArray[np.bool_]


class OutOfTimeError(Exception):
    """The time is over, so nothing is known."""


class _TooManyError(Exception):
    """The rows exceed what this search was allowed."""


@dataclass(frozen=True, slots=True, eq=False)
class _Tail:
    """A layer with its weights as floats that hold all its sums exactly."""

    weights: Array
    absolute: Array
    thresholds: Array
    doubled: Array
    lifted: Array
    sunk: Array


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """The combinations of the features from ``depth`` on, and their sums."""

    depth: int
    codes: Array
    sums: Array


def _tail(weights: Array, thresholds: Array) -> _Tail:
    reach = 2 * int(np.abs(weights).sum(axis=1).max(initial=0))
    reach += int(np.abs(thresholds).max(initial=0))
    kind = np.float32 if reach < _EXACT_SINGLE else np.float64
    turned = np.ascontiguousarray(weights.T.astype(kind))
    limits, total = thresholds.astype(kind), turned.sum(axis=0)
    return _Tail(turned, np.abs(turned), limits, 2 * turned, limits + total, limits - total)


def _distinct(rows: Array) -> Array:
    """The indices of rows of which no equal one is kept; few rows are returned as they are."""
    if len(rows) < _FEW:
        return np.arange(len(rows))
    factors = np.random.default_rng(1).integers(1, 1 << 40, size=rows.shape[1])
    keys = rows.astype(np.int64) @ (2 * factors + 1)
    order = np.argsort(keys, kind="stable")
    ordered = rows[order]
    # equal keys only suggest that neighbours are equal
    fresh = np.ones(len(rows), dtype=bool)
    fresh[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return order[fresh]


class Search:
    """Searches over completions of a partial input.

    Parameters
    ----------
    network, domain
        The network, and what can occur.
    deadline
        A value of `time.monotonic` after which `OutOfTimeError` is raised.
    seed
        Of the random completions that are tried first.
    """

    def __init__(
        self,
        network: BinarizedNetwork,
        domain: Domain,
        *,
        deadline: float = float("inf"),
        seed: int = 0,
    ) -> None:
        self.network, self.domain, self.deadline = network, domain, deadline
        self._rng = np.random.default_rng(seed)
        first = network.layers[0].weights if network.layers else network.readout
        reach = int(np.abs(first).sum(axis=1).max(initial=0))
        self._kind = np.float32 if reach < _EXACT_SINGLE // 8 else np.float64
        self._parts = [
            (f.codes.astype(np.int64) @ first[:, list(f.inputs)].T).astype(self._kind)
            for f in domain.features
        ]
        self._first = np.ascontiguousarray(first.T.astype(self._kind))
        plain = [k for k, f in enumerate(domain.features) if f.codes.tolist() == [[-1], [1]]]
        self._plain_set = frozenset(plain)
        self._plain = np.array(plain, dtype=np.int64)
        self._plain_inputs = np.array([domain.features[k].inputs[0] for k in plain], np.int64)
        self._others = sorted(set(range(len(domain.features))) - set(plain))
        self._low = np.stack([part.min(axis=0) for part in self._parts])
        self._high = np.stack([part.max(axis=0) for part in self._parts])
        self._layers = [_tail(layer.weights, layer.thresholds) for layer in network.layers]
        self._readout = _tail(network.readout, network.offsets)
        most = int(np.abs(network.layers[0].thresholds).max()) if network.layers else 0
        self._far = self._kind(2 * reach + most + 1)
        self._until = deadline
        self._rivals: dict[int, _Tail] = {}
        self._solvers: dict[int, Cardinality | None] = {}
        self.trusted: set[str] = set()

    def weight(self, feature: int) -> float:
        """How far a feature can move the sums of the first layer."""
        return float((self._high[feature] - self._low[feature]).sum())

    def decide(self, codes: Sequence[int]) -> int:
        """The class of a combination of codes."""
        return int(self.network.decide(self.domain.states(codes)[np.newaxis])[0])

    def classes(self, rows: Array) -> Array:
        """The class of each row of codes."""
        return self._classes(self._states(rows) @ self._first)

    def sums(self, codes: Codes) -> Array:
        """The sums of the first layer at a combination of codes."""
        return np.asarray((self._states(np.array([codes])) @ self._first)[0])

    def change_of(self, feature: int, before: int, after: int) -> Array:
        """What another code of a feature adds to the sums of the first layer."""
        return np.asarray(self._parts[feature][after] - self._parts[feature][before])

    def classes_of(self, sums: Array) -> Array:
        """The class for each row of sums of the first layer."""
        return self._classes(sums)

    def _states(self, rows: Array) -> Array:
        """The states of rows of codes, as floats."""
        states = np.empty((len(rows), self.domain.inputs), dtype=self._kind)
        for k in self._others:
            feature = self.domain.features[k]
            states[:, list(feature.inputs)] = feature.codes[rows[:, k]]
        states[:, self._plain_inputs] = 2 * rows[:, self._plain] - 1
        return states

    def _classes(self, total: Array) -> Array:
        for number, layer in enumerate(self._layers):
            values = total if number == 0 else total @ layer.doubled
            high = values >= (layer.thresholds if number == 0 else layer.lifted)
            # a state is 2 high - 1, and doubled weights take that in
            total = high.astype(self._after(number).weights.dtype)
        if self._layers:
            return np.argmax(total @ self._readout.doubled + self._readout.sunk, axis=1)
        return np.argmax(total + self._readout.thresholds, axis=1)

    def _after(self, number: int) -> _Tail:
        """The layer that takes the states of a layer."""
        return self._layers[number + 1] if number + 1 < len(self._layers) else self._readout

    def _against(self, decision: int) -> _Tail:
        """Scores of the other classes less that of the decision; positive ones change it."""
        if decision not in self._rivals:
            readout, offsets = self.network.readout, self.network.offsets
            others = [k for k in range(self.network.classes) if k != decision]
            # the first of equal scores wins, so an earlier rival needs a tie only
            early = np.array([int(k < decision) for k in others])
            rows = readout[others] - readout[decision]
            self._rivals[decision] = _tail(rows, offsets[others] - offsets[decision] + early)
        return self._rivals[decision]

    def change(
        self,
        codes: Codes,
        free: Sequence[int],
        *,
        but: Sequence[tuple[int, int]] = (),
        seconds: float = float("inf"),
    ) -> Codes | None:
        """Codes of another class that differ only in the ``free`` features; None if there are none.

        Parameters
        ----------
        codes
            The input.
        free
            Features that may take any of their codes.
        but
            Features with the one code that they must have instead.
        seconds
            A limit of this question, besides the deadline.

        Raises
        ------
        OutOfTimeError
            If the time is over before either is shown.

        Notes
        -----
        The number of rows is at most the number of completions, and far smaller where bounds
        close rows early.
        """
        start = np.array(codes, dtype=np.int64)
        for feature, code in but:
            start[feature] = code
        decision = self.decide(codes)
        free = [k for k in free if len(self._parts[k]) > 1]
        self._until = min(self.deadline, time.monotonic() + seconds)
        return (
            self._sampled(start, free, decision)
            or self._climbed(start, free, decision, starts=_STARTS)
            or self._shown(start, free, decision)
        )

    def _shown(self, start: Array, free: list[int], decision: int) -> Codes | None:
        """By splitting where the completions are few, else by splitting briefly, then by SAT."""
        try:
            return self._split(start, free, decision, most=_ROOT_ROWS)
        except _TooManyError:
            pass
        if self.sizes(free) <= _MANY:
            return self._split(start, free, decision)
        found = self._climbed(start, free, decision, starts=_MANY_STARTS)
        if found is not None:
            return found
        if all(k in self._plain_set for k in free):
            return self._asked_ball(start, free, decision)
        solver = self._solver(decision)
        if solver is None:
            return self._split(start, free, decision)
        states = self.domain.states(start.tolist())
        opened = {i for k in free for i in self.domain.features[k].inputs}
        fixed = [i for i in range(self.domain.inputs) if i not in opened]
        said = solver.other(states.tolist(), fixed, self._until)
        if said is None:
            raise OutOfTimeError
        if isinstance(said, bool):
            self.trusted.add(solver.name)
            return None
        return self._confirmed(np.array(said, dtype=np.int8), decision, solver.name)

    def _asked_ball(self, start: Array, free: list[int], decision: int) -> Codes | None:
        """By solvers, about the network without the neurons that cannot change."""
        inputs = tuple(sorted(self.domain.features[k].inputs[0] for k in free))
        ball = Ball(self.domain.states(start.tolist()), inputs, len(inputs))
        folded = ball.fold(self.network)
        targets = rivals(folded, ball, decision)
        if not targets:
            return None
        left = self._until - time.monotonic()
        if left <= 0:
            raise OutOfTimeError
        program = misclassified_program(folded, ball, decision, targets)
        (claim,) = claims(program, solvers=("highs",), seconds=left)
        if isinstance(claim, InfeasibleClaim):
            self.trusted.add("highs")
            return None
        if isinstance(claim, OptimalClaim | FeasibleClaim):
            values = np.array(claim.x[: self.network.inputs])
            states = np.where(values > 1 / 2, np.int8(1), np.int8(-1))
            return self._confirmed(states, decision, "highs")
        raise OutOfTimeError

    def _confirmed(self, states: Array, decision: int, solver: str) -> Codes:
        codes = self.domain.codes(states)
        if self.decide(codes) == decision:
            raise SolverError(f"{solver} gave an input that does not change the decision.")
        return codes

    def sizes(self, free: Sequence[int]) -> float:
        """The number of completions."""
        return float(np.prod([float(len(self._parts[k])) for k in free]))

    def _solver(self, decision: int) -> Cardinality | None:
        """The solver for a decision; None where the weights do not suit one."""
        if decision not in self._solvers:
            try:
                made = Cardinality(self.network, self.domain, decision)
            except SolverError:
                made = None
            self._solvers[decision] = made
        return self._solvers[decision]

    def _sampled(self, start: Array, free: list[int], decision: int) -> Codes | None:
        rows = np.repeat(start[np.newaxis], _SAMPLES if free else 1, axis=0)
        for k in free:
            rows[1:, k] = self._rng.integers(len(self._parts[k]), size=len(rows) - 1)
        hits = np.flatnonzero(self.classes(rows) != decision)
        return tuple(rows[hits[0]].tolist()) if hits.size else None

    def _climbed(
        self, start: Array, free: list[int], decision: int, *, starts: int
    ) -> Codes | None:
        """Codes of another class by steps along slopes of ramps in place of the jumps.

        One row follows each rival from a few random completions.  None is no proof.
        """
        if len(free) < _CLIMB:
            return None
        rivals = self._against(decision)
        follow = np.tile(np.arange(rivals.weights.shape[1]), starts)
        rows = np.repeat(start[np.newaxis], len(follow), axis=0)
        rows[rivals.weights.shape[1] :, free] = self._rng.integers(
            [len(self._parts[k]) for k in free],
            size=(len(rows) - rivals.weights.shape[1], len(free)),
        )
        pull = np.zeros((len(rows), self.domain.inputs))
        memory = self._rng.uniform(0.6, 0.95, size=(len(rows), 1))
        for _ in range(_STEPS):
            states = self._states(rows)
            slope, lead = self._slopes(states @ self._first, follow, decision)
            hits = np.flatnonzero(lead > 0)
            if hits.size:
                return tuple(rows[hits[0]].tolist())
            # rows with different memories do not all run into the same cycle
            pull = memory * pull + slope @ self._first.T
            rows = self._toward(rows, pull, free)
        return None

    def _slopes(self, sums: Array, follow: Array, decision: int) -> tuple[Array, Array]:
        """Slopes of each row's rival's lead in the first sums, and the largest lead of any rival.

        In place of its jump a neuron has the slope of a ramp about its threshold, as wide as its
        values differ; only the search rests on them.
        """
        rivals = self._against(decision)
        ramps: list[Array] = []
        total = sums
        for number, layer in enumerate(self._layers):
            values = total if number == 0 else total @ layer.weights
            gap = values - layer.thresholds
            scale = np.abs(gap).mean(axis=-1, keepdims=True) + 1.0
            ramps.append(1.0 / (1.0 + (gap / scale) ** 2))
            total = np.where(gap >= 0, 1, -1).astype(self._after(number).weights.dtype)
        if not self._layers:
            return np.zeros_like(sums), self._margins(sums, decision)
        slope = rivals.weights.T[follow] * ramps[-1]
        for layer, ramp in zip(self._layers[:0:-1], ramps[-2::-1], strict=True):
            slope = (slope @ layer.weights.T) * ramp
        size = np.abs(slope).max(axis=-1, keepdims=True) + 1e-300
        return slope / size, (total @ rivals.weights + rivals.thresholds).max(axis=1)

    def _toward(self, rows: Array, pull: Array, free: list[int]) -> Array:
        """Rows whose free features have the codes that follow the pull furthest."""
        moved = rows.copy()
        for k in free:
            if k in self._plain_set:
                continue
            feature = self.domain.features[k]
            moved[:, k] = (pull[:, list(feature.inputs)] @ feature.codes.T).argmax(axis=1)
        plain = [k for k in free if k in self._plain_set]
        inputs = [self.domain.features[k].inputs[0] for k in plain]
        moved[:, plain] = pull[:, inputs] > 0
        return moved

    def _margins(self, sums: Array, decision: int) -> Array:
        """The largest lead of another class over the decision, positive where that changes."""
        rivals = self._against(decision)
        total = sums
        for number, layer in enumerate(self._layers):
            values = total if number == 0 else total @ layer.weights
            total = np.where(values >= layer.thresholds, 1, -1).astype(
                self._after(number).weights.dtype
            )
        if not self._layers:
            others = [k for k in range(sums.shape[1]) if k != decision]
            scores = sums + self._readout.thresholds
            early = np.array([int(k < decision) for k in others])
            return np.asarray((scores[:, others] - scores[:, [decision]] + early).max(axis=1))
        return np.asarray((total @ rivals.weights + rivals.thresholds).max(axis=1))

    def _split(
        self, start: Array, free: list[int], decision: int, *, most: float = float("inf")
    ) -> Codes | None:
        order = sorted(free, key=lambda k: (-self.weight(k), k))
        last = self._block(order)
        base = (self._states(start[np.newaxis]) @ self._first)[0]
        for k in order:
            base = base - self._parts[k][start[k]]
        low = np.zeros((len(order) + 1, *base.shape), dtype=self._kind)
        high = np.zeros_like(low)
        for depth in range(len(order) - 1, -1, -1):
            low[depth] = low[depth + 1] + self._low[order[depth]]
            high[depth] = high[depth + 1] + self._high[order[depth]]
        stack: list[tuple[int, Array, Array]] = [
            (0, base[np.newaxis], np.empty((1, 0), dtype=np.int16))
        ]
        seen = 0
        while stack:
            if time.monotonic() > self._until:
                raise OutOfTimeError
            depth, total, chosen = stack.pop()
            seen += len(total)
            if seen > most:
                raise _TooManyError
            settled, open_ = self._settled(total, low[depth], high[depth], decision)
            kept = np.flatnonzero(open_)
            if not kept.size:
                continue
            kept = kept[_distinct(settled[kept])]
            total, chosen = settled[kept], chosen[kept]
            if depth < last.depth:
                stack.extend(self._children(depth, total, chosen, order[depth]))
                continue
            hit = self._evaluated(total, last, decision)
            if hit is not None:
                found = start.copy()
                found[order[: last.depth]] = chosen[hit[0]]
                found[order[last.depth :]] = last.codes[hit[1]]
                return tuple(found.tolist())
        return None

    def _block(self, order: list[int]) -> _Block:
        """All combinations of the last features, as many as are worth a table."""
        depth, size = len(order), 1
        while depth and size * len(self._parts[order[depth - 1]]) <= _TABLE:
            depth -= 1
            size *= len(self._parts[order[depth]])
        codes = np.zeros((1, 0), dtype=np.int16)
        sums = np.zeros((1, self._low.shape[1]), dtype=self._kind)
        for k in order[depth:]:
            part = self._parts[k]
            own = np.tile(np.arange(len(part), dtype=np.int16), len(codes))
            codes = np.column_stack([np.repeat(codes, len(part), axis=0), own])
            sums = (sums[:, np.newaxis, :] + part).reshape(-1, part.shape[1])
        return _Block(depth, codes, sums)

    def _evaluated(self, total: Array, last: _Block, decision: int) -> tuple[int, int] | None:
        """Row and combination of another class, by evaluating every one."""
        step = max(1, _ROWS // len(last.sums))
        for at in range(0, len(total), step):
            if time.monotonic() > self._until:
                raise OutOfTimeError
            part = total[at : at + step]
            sums = (part[:, np.newaxis, :] + last.sums).reshape(-1, part.shape[1])
            hits = np.flatnonzero(self._classes(sums) != decision)
            if hits.size:
                row, combination = divmod(int(hits[0]), len(last.sums))
                return at + row, combination
        return None

    def _settled(self, total: Array, low: Array, high: Array, decision: int) -> tuple[Array, _WIDE]:
        """Sums with those of settled neurons replaced by one number, and which rows are open.

        What is left to come can no longer change a settled neuron, so rows that are equal after
        the replacement have the same completions.
        """
        below, above = total + low, total + high
        open_ = self._open(below, above, decision)
        if self._layers:
            limits = self._layers[0].thresholds
            total = np.where(below >= limits, self._far, total)
            total = np.where(above < limits, -self._far, total)
        return total, open_

    def _children(
        self, depth: int, total: Array, chosen: Array, feature: int
    ) -> list[tuple[int, Array, Array]]:
        part = self._parts[feature]
        sums = (total[:, np.newaxis, :] + part).reshape(-1, part.shape[1])
        codes = np.tile(np.arange(len(part), dtype=np.int16), len(total))
        paths = np.column_stack([np.repeat(chosen, len(part), axis=0), codes])
        return [
            (depth + 1, sums[at : at + _ROWS], paths[at : at + _ROWS])
            for at in range(0, len(sums), _ROWS)
        ]

    def _open(self, low: Array, high: Array, decision: int) -> _WIDE:
        """Whether bounds of the first sums leave another decision possible, row by row."""
        rivals = self._against(decision)
        if not self._layers:
            return self._open_scores(low, high, decision)
        known = low
        unknown = np.zeros(0)
        for number, layer in enumerate(self._layers):
            if number:
                centre = known @ layer.weights
                slack = unknown @ layer.absolute
                low, high = centre - slack, centre + slack
            above, below = low >= layer.thresholds, high < layer.thresholds
            kind = layer.weights.dtype
            known = above.astype(kind) - below.astype(kind)
            unknown = (~(above | below)).astype(kind)
        known, unknown = (x.astype(rivals.weights.dtype) for x in (known, unknown))
        most = known @ rivals.weights + unknown @ rivals.absolute + rivals.thresholds
        return np.asarray((most > 0).any(axis=1))

    def _open_scores(self, low: Array, high: Array, decision: int) -> _WIDE:
        rivals = [k for k in range(low.shape[1]) if k != decision]
        offsets = self._readout.thresholds
        most = high[:, rivals] + offsets[rivals] - (low[:, [decision]] + offsets[decision])
        early = np.array([int(k < decision) for k in rivals])
        return np.asarray((most + early > 0).any(axis=1))
