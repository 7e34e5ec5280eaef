"""Can the decision change while some features stay?  The engines, the quick ones first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from tamecheck.binarized import ThresholdNetwork
from tamecheck.errors import SolverError, UnsupportedError
from tamecheck.explain.completions import PRESENT, Completions, Linear, completions
from tamecheck.explain.domain import Domain
from tamecheck.explain.engines import Cardinality
from tamecheck.explain.evaluator import Codes, OutOfTimeError, Splitter, TooManyError
from tamecheck.explain.local_search import Boundary, climbed, sampled
from tamecheck.explain.multipliers import Multipliers
from tamecheck.ir.tensor import Array

__all__ = ["Codes", "Look", "OutOfTimeError", "Proof", "Search"]

_FEW, _MANY = 2**20, 2**30
_ROWS, _ROWS_OF_A_NODE = 2**20, 2**8


@dataclass(frozen=True, slots=True)
class Look:
    """What a limited search found.

    Parameters
    ----------
    closed
        Whether it is shown that nothing changes the decision.
    codes
        Codes of another class; None if none were found.
    """

    closed: bool = False
    codes: Codes | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Proof:
    """A proof in progress.

    Parameters
    ----------
    run
        Goes on for so many nodes.
    hold
        Takes back a free feature; what was shown before stays shown.
    """

    run: Callable[[float], Look]
    hold: Callable[[int], None]


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """What other codes than those of an input add to the first sums, column by column."""

    changes: Array
    features: Array
    codes: Array


class Search(Splitter):
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
        network: ThresholdNetwork,
        domain: Domain,
        *,
        deadline: float = float("inf"),
        seed: int = 0,
    ) -> None:
        super().__init__(network, domain, seed)
        self.deadline = deadline
        self._solvers: dict[int, Cardinality | None] = {}
        self._columns_of: tuple[Codes, _Columns] | None = None
        self.trusted: set[str] = set()
        self._threads: Any = ThreadpoolController()

    def change(
        self, codes: Codes, free: Sequence[int], *, but: Sequence[tuple[int, int]] = ()
    ) -> Codes | None:
        """Codes of another class that differ only in the ``free`` features; None if there are none.

        Parameters and errors are those of `look`, without a limit.

        Raises
        ------
        OutOfTimeError
            If the time is over before either is shown.
        """
        found = self.look(codes, free, but=but)
        if found.codes is None and not found.closed:
            raise OutOfTimeError
        return found.codes

    def look(
        self,
        codes: Codes,
        free: Sequence[int],
        *,
        but: Sequence[tuple[int, int]] = (),
        nodes: float = float("inf"),
    ) -> Look:
        """Look for codes of another class that differ only in the ``free`` features.

        Parameters
        ----------
        codes
            The input.
        free
            Features that may take any of their codes.
        but
            Features with the one code that they must have instead, free or not.
        nodes
            The most nodes of branch and bound, after quicker ways.

        Raises
        ------
        OutOfTimeError
            If the deadline passes in a step that is not limited.
        """
        start = np.array(codes, dtype=np.int64)
        for feature, code in but:
            start[feature] = code
        held = {feature for feature, _ in but}
        free = [k for k in free if len(self._parts[k]) > 1 and k not in held]
        with self.single_threaded():
            if not self._layers:
                found = self._linear(start, free, self.decide(codes))
                return Look(closed=found is None, codes=found)
            return self._looked(codes, start, free, nodes)

    def by_pull(self, codes: Codes, features: Sequence[int]) -> list[int]:
        """The features, those first whose change pulls least towards any other class."""
        if not self._layers:
            return sorted(features, key=lambda k: (self.weight(k), k))
        problem, columns = self._problem(codes, np.array(codes), features)
        follow = np.arange(len(problem.leads.constant))
        slopes = problem.slopes(np.repeat(problem.base[np.newaxis], len(follow), axis=0), follow)
        most = (problem.changes @ slopes.T).max(axis=1)
        pulls = dict.fromkeys(features, -np.inf)
        for k, pull in zip(columns.features.tolist(), most.tolist(), strict=True):
            pulls[k] = max(pulls[k], pull)
        return sorted(features, key=lambda k: (pulls[k], k))

    def boundary(self, codes: Codes) -> Boundary:
        """Where completions of an input may change the decision; nothing is free yet."""
        problem, columns = self._problem(codes, np.array(codes), range(len(codes)))
        return Boundary(problem, columns.features, columns.codes)

    def proof(self, codes: Codes, free: Sequence[int]) -> Proof:
        """A proof that the decision stays, which goes on while free features are taken back.

        Raises
        ------
        UnsupportedError
            If floats cannot hold the sums with multipliers.
        """
        start = np.array(codes, dtype=np.int64)
        problem, columns = self._problem(codes, start, free)
        tree, decision = Multipliers(problem), self.decide(codes)
        order = np.unique(columns.features)

        def run(nodes: float) -> Look:
            return self._gone_on(tree, start, columns, decision, nodes)

        def hold(feature: int) -> None:
            tree.hold(int(np.searchsorted(order, feature)))

        return Proof(run, hold)

    def single_threaded(self) -> AbstractContextManager[Any]:
        """Hold products to one thread: those here are too small to be shared between cores."""
        return self._threads.limit(limits=1, user_api="blas")

    def _looked(self, codes: Codes, start: Array, free: list[int], nodes: float) -> Look:
        """Quick searches first; then by splitting features or by multipliers, or by SAT."""
        decision = self.decide(codes)
        problem, columns = self._problem(codes, start, free)
        found = sampled(problem, self._rng)
        if found is None:
            found = climbed(problem, self._rng)
        if found is not None:
            return Look(codes=self._completed(start, columns, found, decision))
        count = float(np.prod([float(len(self._parts[k])) for k in free]))
        if count <= _MANY:
            most = float("inf") if count <= _FEW else min(_ROWS, _ROWS_OF_A_NODE * nodes)
            with suppress(TooManyError):
                other = self._split(start, free, decision, until=self.deadline, most=most)
                return Look(closed=other is None, codes=other)
        try:
            tree = Multipliers(problem)
        except UnsupportedError:
            return self._satisfied(start, free, decision)
        return self._gone_on(tree, start, columns, decision, nodes)

    def _gone_on(
        self, tree: Multipliers, start: Array, columns: _Columns, decision: int, nodes: float
    ) -> Look:
        """Go on with a search by multipliers."""
        outcome = tree.run(nodes=nodes, deadline=self.deadline)
        if outcome.columns is not None:
            return Look(codes=self._completed(start, columns, outcome.columns, decision))
        if not outcome.closed and time.monotonic() > self.deadline:
            raise OutOfTimeError
        return Look(closed=outcome.closed)

    def _completed(self, start: Array, columns: _Columns, chosen: Array, decision: int) -> Codes:
        """The codes with the columns that a search chose."""
        codes = start.copy()
        taken = chosen[chosen != PRESENT]
        codes[columns.features[taken]] = columns.codes[taken]
        return self._confirmed(tuple(codes.tolist()), decision)

    def _problem(
        self, codes: Codes, start: Array, free: Sequence[int]
    ) -> tuple[Completions, _Columns]:
        """The completions of ``start``, which has the codes of an input in the free features."""
        columns = self._columns(codes)
        own = np.isin(columns.features, free)
        columns = _Columns(columns.changes[own], columns.features[own], columns.codes[own])
        rivals = self._against(self.decide(codes))
        leads = Linear(rivals.weights.T.astype(np.float64), rivals.thresholds.astype(np.float64))
        sums = self.sums(tuple(start.tolist()))
        return completions(self.network, sums, columns.changes, columns.features, leads), columns

    def _columns(self, codes: Codes) -> _Columns:
        """The columns of an input; those of the last one are kept."""
        if self._columns_of is None or self._columns_of[0] != codes:
            others = [(k, c) for k, p in enumerate(self._parts) for c in range(len(p))]
            others = [(k, c) for k, c in others if c != codes[k]]
            features, after = np.array(others, dtype=np.int64).reshape(-1, 2).T
            changes = [self.change_of(k, codes[k], c) for k, c in others]
            made = _Columns(np.array(changes, dtype=np.float64), features, after)
            self._columns_of = codes, made
        return self._columns_of[1]

    def _satisfied(self, start: Array, free: list[int], decision: int) -> Look:
        """By a SAT solver, or by splitting where the weights do not suit one."""
        solver = self._solver(decision)
        if solver is None:
            found = self._split(start, free, decision, until=self.deadline)
            return Look(closed=found is None, codes=found)
        states = self.domain.states(start.tolist())
        opened = {i for k in free for i in self.domain.features[k].inputs}
        fixed = [i for i in range(self.domain.inputs) if i not in opened]
        said = solver.other(states.tolist(), fixed, self.deadline)
        if said is None:
            raise OutOfTimeError
        if isinstance(said, bool):
            self.trusted.add(solver.name)
            return Look(closed=True)
        codes = self.domain.codes(np.array(said, dtype=np.int8))
        return Look(codes=self._confirmed(codes, decision))

    def _confirmed(self, codes: Codes, decision: int) -> Codes:
        states = self.domain.states(codes)
        if int(self.network.decide(states[np.newaxis])[0]) == decision:
            raise SolverError("A search gave an input that does not change the decision.")
        return codes

    def _solver(self, decision: int) -> Cardinality | None:
        """The solver for a decision; None where the weights do not suit one."""
        if decision not in self._solvers:
            try:
                made = Cardinality(self.network, self.domain, decision)
            except SolverError:
                made = None
            self._solvers[decision] = made
        return self._solvers[decision]

    def _linear(self, start: Array, free: list[int], decision: int) -> Codes | None:
        """Without a hidden layer: the best codes for each rival, feature by feature."""
        for rival in range(self.network.classes):
            best = start.copy()
            for k in free:
                best[k] = int(np.argmax(self._parts[k][:, rival] - self._parts[k][:, decision]))
            if rival != decision and self.decide(best.tolist()) != decision:
                return tuple(best.tolist())
        return None
