"""Can the decision change while some features stay?  The engines, the quick ones first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from tamecheck.binarized.network import ThresholdLayer, ThresholdNetwork
from tamecheck.binarized.portfolio import Formula
from tamecheck.budget import Budget
from tamecheck.errors import SolverError, TimeLimitError, UnsupportedError
from tamecheck.explain import completions
from tamecheck.explain.domain import Domain, Feature
from tamecheck.explain.evaluator import Codes, Evaluator, TooManyError
from tamecheck.explain.multipliers import Multipliers
from tamecheck.ir.tensor import Array
from tamecheck.solvers.libraries import one_thread
from tamecheck.solvers.sat import IncrementalSolver, Threshold, another_class

_MOST_COPIES = 60_000


class Cardinality:
    """A formula for "some input of the domain is decided otherwise", asked under assumptions.

    Raises `SolverError` if the weights need too many copies of literals, or python-sat is not
    installed.
    """

    name = "minicard"

    def __init__(self, network: ThresholdNetwork, domain: Domain, decision: int) -> None:
        rivals = network.against(decision)
        if sum(map(_copies, (*network.layers, rivals))) > _MOST_COPIES:
            raise SolverError("The weights are too large for an encoding in cardinalities.")
        formula = Formula()
        self._states = [formula.variable() for _ in range(network.inputs)]
        for feature in domain.features:
            self._possible(formula, feature)
        others = [k for k in range(network.classes) if k != decision]
        formula.decided_for(network, self._states, decision, others)
        self._solver = IncrementalSolver(formula.clauses, formula.at_most, solver=self.name)

    def _possible(self, formula: Formula, feature: Feature) -> None:
        """That the inputs of a feature have one of its codes."""
        signed = [self._states[i] for i in feature.inputs]
        if len(feature.codes) == 2 ** len(signed):
            return
        chosen = [formula.variable() for _ in feature.codes]
        formula.clauses.append(list(chosen))
        for literal, code in zip(chosen, feature.codes.tolist(), strict=True):
            formula.clauses.extend([-literal, v * s] for v, s in zip(signed, code, strict=True))

    def other(
        self, states: Sequence[int], fixed: Sequence[int], deadline: float
    ) -> tuple[int, ...] | bool | None:
        """States of another class that agree on the ``fixed`` inputs; False if it says none.

        None if the time is over.
        """
        assumed = [self._states[i] * int(states[i]) for i in fixed]
        found = self._solver.model(assumed, deadline)
        if found is None or isinstance(found, bool):
            return found
        return tuple(1 if v in found else -1 for v in self._states)


def _copies(layer: ThresholdLayer) -> int:
    """How many literals the constraints have together, guards counted as often as they occur."""
    sizes = np.abs(layer.weights).sum(axis=1)
    return int((2 * sizes // np.maximum(np.gcd.reduce(layer.weights, axis=1), 1)).sum())


def second_opinion(
    network: ThresholdNetwork,
    domain: Domain,
    codes: Codes,
    fixed: Sequence[int],
) -> str:
    """``"agrees"`` if z3 too finds no other class with the fixed features, or ``"no answer"``.

    Raises `SolverError` if z3 finds one.
    """
    kept = set(fixed)
    possible = [
        (f.inputs, f.codes[[codes[k]]].tolist() if k in kept else f.codes.tolist())
        for k, f in enumerate(domain.features)
    ]
    decision = int(network.decide(domain.states(codes)[np.newaxis])[0])
    *layers, leads = map(_thresholds, (*network.layers, network.against(decision)))
    found = another_class(network.inputs, possible, layers, leads, seconds=60.0)
    if found:
        raise SolverError("z3 disagrees: it finds another class with these features kept.")
    return "agrees" if found is False else "no answer"


def _thresholds(layer: ThresholdLayer) -> list[Threshold]:
    return list(zip(layer.weights.tolist(), layer.thresholds.tolist(), strict=True))


_FEW, _MANY = 2**20, 2**30
_ROWS, _ROWS_OF_A_NODE = 2**20, 2**8


@dataclass(frozen=True, slots=True)
class Look:
    """What a limited search found: whether it is shown that nothing changes the decision.

    Else perhaps ``codes`` of another class.
    """

    closed: bool = False
    codes: Codes | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Proof:
    """A proof in progress: ``run`` goes on for so many nodes, ``fix`` takes back a free feature."""

    run: Callable[[float], Look]
    fix: Callable[[int], None]


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """What other codes than those of an input add to the first sums, column by column."""

    changes: Array
    features: Array
    codes: Array


class Search(Evaluator):
    """Searches over completions of a partial input.

    They raise `TimeLimitError` once the budget is spent.
    """

    def __init__(
        self,
        network: ThresholdNetwork,
        domain: Domain,
        *,
        budget: Budget | None = None,
        seed: int = 0,
    ) -> None:
        domain.require_product("A search")
        super().__init__(network, domain, seed=seed, budget=budget)
        self._solvers: dict[int, Cardinality | None] = {}
        self._columns_of: tuple[Codes, _Columns] | None = None
        self.trusted: set[str] = set()

    @property
    def rests_on(self) -> str:
        """What its answers rest on so far: the search itself, or solvers by name."""
        return ", ".join(sorted(self.trusted)) or "search"

    @property
    def changeable(self) -> tuple[int, ...]:
        """The features that have more than one code."""
        return tuple(k for k, f in enumerate(self.domain.features) if len(f.codes) > 1)

    def change(
        self, codes: Codes, free: Sequence[int], *, but: Sequence[tuple[int, int]] = ()
    ) -> Codes | None:
        """Codes of another class that differ only in the ``free`` features; None if there are none.

        As `look`, without a limit of nodes.
        """
        found = self.look(codes, free, but=but)
        if found.codes is None and not found.closed:
            raise TimeLimitError("the time limit is over")
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

        ``but`` are features with the one code that they must have instead, free or not;
        ``nodes`` limits branch and bound, which is tried after quicker ways.
        """
        start = np.array(codes, dtype=np.int64)
        for feature, code in but:
            start[feature] = code
        fixed = {feature for feature, _ in but}
        free = [k for k in free if len(self._parts[k]) > 1 and k not in fixed]
        with one_thread():
            if not self.network.layers:
                found = self._linear(start, free, self.decide(codes))
                return Look(closed=found is None, codes=found)
            return self._look(codes, start, free, nodes)

    def by_slope(self, codes: Codes, features: Sequence[int]) -> list[int]:
        """The features, those first whose change leads least towards any other class."""
        if not self.network.layers:
            return sorted(features, key=lambda k: (self.weight(k), k))
        problem, columns = self._problem(codes, np.array(codes), features)
        follow = np.arange(len(problem.margins.constant))
        slopes = problem.slopes(np.repeat(problem.base[np.newaxis], len(follow), axis=0), follow)
        most = (problem.changes @ slopes.T).max(axis=1)
        largest = dict.fromkeys(features, -np.inf)
        for k, slope in zip(columns.features.tolist(), most.tolist(), strict=True):
            largest[k] = max(largest[k], slope)
        return sorted(features, key=lambda k: (largest[k], k))

    def boundary(self, codes: Codes) -> completions.Boundary:
        """Where completions of an input may change the decision; nothing is free yet."""
        problem, columns = self._problem(codes, np.array(codes), range(len(codes)))
        return completions.Boundary(problem, columns.features, columns.codes)

    def proof(self, codes: Codes, free: Sequence[int]) -> Proof:
        """A proof that the decision stays, which goes on while free features are taken back.

        Raises `UnsupportedError` if floats cannot hold the sums with multipliers.
        """
        start = np.array(codes, dtype=np.int64)
        problem, columns = self._problem(codes, start, free)
        tree, decision = Multipliers(problem), self.decide(codes)
        order = np.unique(columns.features)
        return Proof(
            lambda nodes: self._go_on(tree, start, columns, decision, nodes),
            lambda feature: tree.fix(int(np.searchsorted(order, feature))),
        )

    def _look(self, codes: Codes, start: Array, free: list[int], nodes: float) -> Look:
        """Quick searches first; then by splitting features or by multipliers, or by SAT."""
        decision = self.decide(codes)
        problem, columns = self._problem(codes, start, free)
        found = completions.sample(problem, self._rng)
        if found is None:
            found = completions.ascend(problem, self._rng)
        if found is not None:
            return Look(codes=self._complete(start, columns, found, decision))
        count = float(np.prod([float(len(self._parts[k])) for k in free]))
        if count <= _MANY:
            most = float("inf") if count <= _FEW else min(_ROWS, _ROWS_OF_A_NODE * nodes)
            with suppress(TooManyError):
                other = self.split(start, free, decision, most=most)
                return Look(closed=other is None, codes=other)
        try:
            tree = Multipliers(problem)
        except UnsupportedError:
            return self._satisfy(start, free, decision)
        return self._go_on(tree, start, columns, decision, nodes)

    def _go_on(
        self, tree: Multipliers, start: Array, columns: _Columns, decision: int, nodes: float
    ) -> Look:
        """Go on with a search by multipliers."""
        outcome = tree.run(nodes=nodes, budget=self.budget)
        if outcome.point is not None:
            return Look(codes=self._complete(start, columns, outcome.point, decision))
        if not outcome.closed:
            self.budget.check()
        return Look(closed=outcome.closed)

    def _complete(self, start: Array, columns: _Columns, chosen: Array, decision: int) -> Codes:
        """The codes with the columns that a search chose."""
        codes = start.copy()
        taken = chosen[chosen != completions.PRESENT]
        codes[columns.features[taken]] = columns.codes[taken]
        return self._confirm(tuple(codes.tolist()), decision)

    def _problem(
        self, codes: Codes, start: Array, free: Sequence[int]
    ) -> tuple[completions.Completions, _Columns]:
        """The completions of ``start``, which has the codes of an input in the free features."""
        columns = self._columns(codes)
        own = np.isin(columns.features, free)
        columns = _Columns(columns.changes[own], columns.features[own], columns.codes[own])
        sums, decision = self.sums(tuple(start.tolist())), self.decide(codes)
        return completions.completions(
            self.network, decision, sums, columns.changes, columns.features
        ), columns

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

    def _satisfy(self, start: Array, free: list[int], decision: int) -> Look:
        """By a SAT solver, or by splitting where the weights do not suit one."""
        solver = self._solver(decision)
        if solver is None:
            found = self.split(start, free, decision)
            return Look(closed=found is None, codes=found)
        states = self.domain.states(start.tolist())
        opened = {i for k in free for i in self.domain.features[k].inputs}
        fixed = [i for i in range(self.domain.inputs) if i not in opened]
        said = solver.other(states.tolist(), fixed, self.budget.deadline)
        if said is None:
            raise TimeLimitError("the time limit is over")
        if isinstance(said, bool):
            self.trusted.add(solver.name)
            return Look(closed=True)
        codes = self.domain.codes(np.array(said, dtype=np.int8))
        return Look(codes=self._confirm(codes, decision))

    def _confirm(self, codes: Codes, decision: int) -> Codes:
        states = self.domain.states(codes)
        if int(self.network.decide(states[np.newaxis])[0]) == decision:
            raise SolverError("A search gave an input that does not change the decision.")
        return codes

    def _solver(self, decision: int) -> Cardinality | None:
        """The solver for a decision; None where the weights do not suit one."""
        if decision not in self._solvers:
            made: Cardinality | None = None
            with suppress(SolverError):
                made = Cardinality(self.network, self.domain, decision)
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
