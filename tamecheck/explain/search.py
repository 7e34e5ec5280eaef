"""Can the decision change while some features stay?  Exact, by splitting the others.

Rows of a table are partial inputs; all of them have the same features decided.  Integer bounds of
every neuron over the rest close a row, or the next feature is decided in it.  A row on which all
is decided is an input, so the search always ends.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from tamecheck.binarized import BinarizedNetwork
from tamecheck.binarized.branching import Closed, Found
from tamecheck.binarized.folding import Ball, rivals
from tamecheck.binarized.patterns import Patterns
from tamecheck.binarized.program import misclassified_program
from tamecheck.errors import SolverError
from tamecheck.explain.cardinality import Cardinality
from tamecheck.explain.climbing import Climber
from tamecheck.explain.domain import Domain
from tamecheck.explain.evaluator import Codes
from tamecheck.ir.tensor import Array
from tamecheck.solve.children import claims
from tamecheck.solve.claims import FeasibleClaim, InfeasibleClaim, OptimalClaim

__all__ = ["Codes", "OutOfTimeError", "Search"]

_ROWS = 1 << 15
_FEW = 256
_MANY = 2**20
_PATTERNS = 500
_ROOT_ROWS = 2_000
_STARTS, _MANY_STARTS = 3, 40
_TABLE = 1 << 7
_SAMPLES = 256
_Rows = npt.NDArray[np.bool_]


class OutOfTimeError(Exception):
    """The time is over, so nothing is known."""


class _TooManyError(Exception):
    """The rows exceed what this search was allowed."""


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """The combinations of the features from ``depth`` on, and their sums."""

    depth: int
    codes: Array
    sums: Array


def _distinct(rows: Array) -> Array:
    """The indices of rows of which no equal one is kept; few rows are returned as they are."""
    if len(rows) < _FEW:
        return np.arange(len(rows))
    generator: Any = np.random.default_rng(1)
    factors: Array = generator.integers(1, 1 << 40, size=rows.shape[1])
    keys = np.asarray(np.matmul(rows.astype(np.int64), 2 * factors + 1))
    order = np.argsort(keys, kind="stable")
    ordered = rows[order]
    # equal keys only suggest that neighbours are equal
    fresh = np.ones(len(rows), dtype=bool)
    fresh[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return order[fresh]


class Search(Climber):
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
        super().__init__(network, domain, seed)
        self.deadline = self._until = deadline
        self._solvers: dict[int, Cardinality | None] = {}
        self.trusted: set[str] = set()
        self._threads: Any = ThreadpoolController()

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
        # these products are too small to be shared between cores
        with self._threads.limit(limits=1, user_api="blas"):
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
        if self.network.layers:
            patterns = Patterns(self.network, ball, decision)
            found = patterns.run(nodes=_PATTERNS, deadline=self._until)
            if isinstance(found, Closed):
                return None
            if isinstance(found, Found):
                return self._confirmed(found.states, decision, "branch and bound")
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
        if int(self.network.decide(states[np.newaxis])[0]) == decision:
            raise SolverError(f"{solver} gave an input that does not change the decision.")
        return self.domain.codes(states)

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
            hits = np.flatnonzero(self.classes_of(sums) != decision)
            if hits.size:
                row, combination = divmod(int(hits[0]), len(last.sums))
                return at + row, combination
        return None

    def _settled(self, total: Array, low: Array, high: Array, decision: int) -> tuple[Array, _Rows]:
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
