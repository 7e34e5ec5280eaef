"""Proofs and witnesses for binarized networks over windows of real inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from math import ceil, lcm
from typing import Any

import numpy as np

from tamecheck.binarized.affine import LIMIT, UnfitError
from tamecheck.binarized.windows import WindowLayer, WindowNetwork
from tamecheck.budget import Budget
from tamecheck.ir.exact import rational_text
from tamecheck.ir.spec import Case, Inequality
from tamecheck.ir.tensor import Array
from tamecheck.verification.annealing import Annealing
from tamecheck.verification.answer import INTEGERS, Holds
from tamecheck.verification.decomposition import SCALE, Cluster, Clusters, Dual
from tamecheck.verification.patterns import Clause, FirstLayer
from tamecheck.verification.straight import Descent, Found

_EFFORTS = ((64, 0, 60), (512, 128, 200), (4096, 0, 200), (65536, 0, 300), (65536, 4096, 300))
"""Patterns of a group, of joined groups, and subgradient steps: tried one after the other.

A group that is not enumerated to its end costs more than joining could gain.
"""
_CELLS = 1 << 25
"""Patterns times rows that are held at once."""

_FEW_SIGNS, _OPEN_SHARE = 64, 0.25
_FEW_BEFORE = 12
_AIMS = 3
_ANNEALED = 0.7
"""Of the search for a violation, before gradients are tried."""
_TURNS = 2
_EVEN = 0.1

_SIGNS = "Lagrangian decomposition over windows of signs"
MOVES, GRADIENTS = "simulated annealing of signs", "straight-through gradients"


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The states of all layers in a part of a box: 1, -1 or 0 (open)."""

    states: tuple[Array, ...]

    @classmethod
    def of(cls, network: WindowNetwork, first: Array) -> Part:
        """What follows for all layers from the states of the first."""
        found = [first]
        for layer in network.layers[1:]:
            known, reach = _sums(layer, found[-1])
            found.append(layer.states(known - reach, known + reach))
        return cls(tuple(found))


def _sums(layer: WindowLayer, before: Array) -> tuple[Array, Array]:
    """Sums of the known states, and by how much the open ones may move them."""
    unknown = layer.gather((before == 0).astype(np.float64))
    return layer.sums(before), unknown @ np.abs(layer.weights.T).astype(np.float64)


@dataclass(slots=True, eq=False)
class RegionProof:
    """Clauses and the tree of a proof about one region, as the kernel reads them."""

    clauses: dict[Clause, int] = field(default_factory=dict[Clause, int])
    tree: list[Any] = field(default_factory=list[Any])

    def number(self, clause: Clause) -> int:
        """The place of a clause in the list."""
        return self.clauses.setdefault(clause, len(self.clauses))

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {"clauses": [[list(one) for one in c] for c in self.clauses], "tree": self.tree}


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """Integers over the last states; a row of the property fails where the sum is at the goal."""

    values: Array
    goal: int

    @classmethod
    def of(cls, network: WindowNetwork, row: Inequality) -> Row:
        """A row over outputs as one over the last states."""
        readout = network.readout
        end = row.bound - sum((c * readout.offsets[j] for j, c in row.outputs), Fraction(0))
        factors = [(j, c * readout.scale) for j, c in row.outputs]
        unit = lcm(*(f.denominator for _, f in factors))
        values = sum(int(f * unit) * readout.weights[j].astype(object) for j, f in factors)
        least = ceil(end * unit)
        if int(np.abs(values).sum()) >= LIMIT or abs(least) >= LIMIT:
            raise UnfitError("a row of the property that is no sum of 52 bits")
        exceeds = not row.strict and least == end * unit
        return cls(np.asarray(values, dtype=np.int64), least + exceeds)


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A box and the rows over outputs of each case that has it: unsafe means all rows of a case."""

    box: Sequence[tuple[Fraction, Fraction]]
    cases: Sequence[Sequence[Inequality]]

    @classmethod
    def all_of(cls, cases: Sequence[Case]) -> list[Region | None]:
        """The regions of cases, in the order in which boxes occur."""
        groups: dict[object, list[Case]] = {}
        same: dict[tuple[int, int], list[Case]] = {}
        for case in cases:
            # as a rule cases share their ends, whose hashes take long
            ends = id(case.lower), id(case.upper)
            if ends not in same:
                same[ends] = groups.setdefault((case.lower, case.upper), [])
            same[ends].append(case)
        return list(map(cls.of, groups.values()))

    @classmethod
    def of(cls, cases: Sequence[Case]) -> Region | None:
        """The region of cases with one box; None if it is unbounded, or a case has no such row."""
        ends = list(zip(cases[0].lower, cases[0].upper, strict=True))
        box = [(a, b) for a, b in ends if a is not None and b is not None]
        rows = [[row for row in case.outputs if not row.inputs] for case in cases]
        return cls(box, rows) if len(box) == len(ends) and all(rows) else None

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "lower": [rational_text(low) for low, _ in self.box],
            "upper": [rational_text(high) for _, high in self.box],
            "unsafe": [list(map(_row_json, rows)) for rows in self.cases],
        }


def _row_json(row: Inequality) -> dict[str, Any]:
    return {
        "outputs": [[j, rational_text(c)] for j, c in row.outputs],
        "bound": rational_text(row.bound),
        "strict": row.strict,
    }


class SignProofs:
    """Proofs about all regions of a property, found one after the other."""

    def __init__(
        self, network: WindowNetwork, regions: Sequence[Region], integral: Sequence[bool] = ()
    ) -> None:
        self.network, self.regions = network, regions
        self.provers = [Prover(network, region, integral) for region in regions]
        self.proofs: list[RegionProof | None] = [None] * len(regions)

    @classmethod
    def of(
        cls, network: WindowNetwork, cases: Sequence[Case], integral: Sequence[bool] = ()
    ) -> SignProofs | None:
        """The proofs about cases; None if they cannot be sought.

        ``integral`` tells the inputs that are integers in violations.
        """
        regions = Region.all_of(cases)
        known = [region for region in regions if region is not None]
        try:
            return cls(network, known, integral) if len(known) == len(regions) else None
        except UnfitError:
            return None

    def find(self, budget: Budget, *, quickly: bool) -> bool:
        """Look for the proofs that are missing; whether there is one of every region."""
        for number, prover in enumerate(self.provers):
            if self.proofs[number] is None:
                share = budget.part(budget.seconds / (len(self.provers) - number))
                self.proofs[number] = prover.prove(share, 2 if quickly else len(_EFFORTS))
            if self.proofs[number] is None:
                return False
        return True

    def facts(self) -> dict[str, int]:
        """How far the search has come: counts over all regions without a proof."""
        missing = [p for p, proof in zip(self.provers, self.proofs, strict=True) if proof is None]
        signs = sum(int((prover.first.states == 0).sum()) for prover in missing)
        return {
            "open signs": signs,
            "cases": sum(len(prover.cases) for prover in missing),
            "closed cases": sum(int(prover.closed.sum()) for prover in missing),
        }

    def answer(self, spent: float, facts: Mapping[str, int]) -> Holds:
        """That no region has a violation, with the document for a kernel that has not seen it."""
        reason = "No input of the region is unsafe, by bounds over patterns of signs in integers."
        return Holds(_SIGNS, reason, spent, facts, INTEGERS, certificate=self.certificate())

    def certificate(self) -> dict[str, Any]:
        """The document for the kernel."""
        return {
            "format": "tamecheck-region-certificate",
            "version": 1,
            "network": self.network.to_json(),
            "claim": {"verdict": "holds", "regions": [one.to_json() for one in self.regions]},
            "proofs": [proof.to_json() for proof in self.proofs if proof is not None],
        }


class Prover:
    """The search for a proof that no input of a region is unsafe."""

    def __init__(
        self, network: WindowNetwork, region: Region, integral: Sequence[bool] = ()
    ) -> None:
        self.network = network
        self.integral = np.array(integral or [False] * network.inputs, dtype=np.bool_)
        self.first = FirstLayer.of(network.layers[0], region.box)
        # of each case the row from which the middle of the box is farthest
        last = network.evaluate(self.first.middle)[-1].astype(np.int64)
        self.cases = [[Row.of(network, row) for row in case] for case in region.cases]
        self.rows: list[int] = []
        chosen: list[Row] = []
        for rows in self.cases:
            best = int(np.argmax([int(row.values @ last) - row.goal for row in rows]))
            self.rows.append(best)
            chosen.append(rows[best])
        self.values = np.stack([row.values for row in chosen])
        self.goals = np.array([row.goal for row in chosen])
        self.proof = RegionProof()
        self.tried = 0
        """How many of the efforts were of no use for the whole box."""
        self.excess = np.zeros(len(self.goals))
        """How far bounds of the whole box are above the goals."""
        self.closed = np.zeros(len(self.goals), dtype=np.bool_)
        """Which cases bounds of the whole box have closed."""
        self.doubt = np.ones(len(self.first.states))
        """How much the last bounds that were too low disagree about a sign of the first layer."""
        self.aims: list[Array] = []
        """States of the first layer at which bounds of the whole box are attained."""

    def prove(self, budget: Budget, efforts: int) -> RegionProof | None:
        """A proof; None if there is none in time, or with so many of the efforts and no splits."""
        if not self.is_within_reach:
            return None
        conflicts = self._conflicts() if efforts >= len(_EFFORTS) else []
        waiting: list[dict[int, int]] = [{}]
        self.proof = RegionProof()
        while waiting:
            known = waiting.pop()
            first = self.first.states.copy()
            for sign, state in known.items():
                first[sign] = state
            apart = next((c for c in conflicts if _missing_literals(c, first) == 0), None)
            if apart is not None:
                self.proof.tree.append({"apart": self.proof.number(apart)})
                continue
            part = Part.of(self.network, first)
            leaf = self._leaf(part, budget, efforts)
            if leaf is not None:
                self.proof.tree.append(leaf)
                continue
            if budget.is_spent or efforts < len(_EFFORTS) or not (first == 0).any():
                return None
            sign = self._choose(part, conflicts)
            self.proof.tree.append(sign)
            waiting += [known | {sign: -1}, known | {sign: 1}]
        return self.proof

    def _conflicts(self) -> list[Clause]:
        """Clauses about all open signs, where these are few."""
        signs = np.flatnonzero(self.first.states == 0).tolist()
        return self.first.clauses(signs) if len(signs) <= _FEW_SIGNS else []

    def _choose(self, part: Part, conflicts: Sequence[Clause]) -> int:
        """A sign to split: one that a clause settles, else one that most open neurons see."""
        first = part.states[0]
        for clause in conflicts:
            if _missing_literals(clause, first) == 1:
                return next(neuron for neuron, _, _ in clause if first[neuron] == 0)
        seen = np.zeros(len(first))
        if len(part.states) > 1:
            layer = self.network.layers[1]
            count = (part.states[1] == 0).reshape(len(layer.groups), -1).sum(axis=1)
            for group in np.flatnonzero(count).tolist():
                places = np.unique(layer.windows[layer.groups[group]])
                seen[places[places >= 0]] += count[group]
            seen *= _EVEN + self.doubt
        else:
            seen += np.abs(self.values).max(axis=0)
        return int(np.argmax(np.where(first == 0, seen, -1)))

    def _leaf(self, part: Part, budget: Budget, efforts: int) -> dict[str, Any] | None:
        """The leaf that bounds close, or None."""
        states = part.states[-1]
        wide = self.values @ states.astype(np.int64) - np.abs(self.values) @ (states == 0)
        entries: list[Any] = [{"row": at, "multipliers": []} for at in self.rows]
        open_rows = np.flatnonzero(wide < self.goals)
        if not self.proof.tree:
            self.closed |= wide >= self.goals
        if not len(open_rows):
            return {"unit": SCALE, "clusters": [], "cases": entries}
        clusters = self._clusters(part, open_rows, entries, budget, efforts)
        if clusters is None:
            return None
        for one in clusters:
            for clause in one.clauses:
                self.proof.number(clause)
        kept = [{"groups": list(one.groups), "signs": list(one.signs)} for one in clusters]
        return {"unit": SCALE, "clusters": kept, "cases": entries}

    def _clusters(
        self, part: Part, rows: Array, entries: list[Any], budget: Budget, efforts: int
    ) -> list[Cluster] | None:
        """Clusters with which all of the rows are closed, the multipliers entered; or None."""
        *_, before, states = self.first.states, *part.states
        first = self.first if len(part.states) == 2 else None
        count = int((before == 0).sum())
        if len(part.states) == 1 or not count or (first is None and count > _FEW_BEFORE):
            return None
        makers = Clusters(self.network.layers[-1], before, states, first, budget)
        whole = first is not None and not self.proof.tree
        chosen = (
            _EFFORTS[self.tried : efforts] if whole else _EFFORTS[1::3] if first else _EFFORTS[:1]
        )
        for most, merged, steps in chosen:
            if budget.is_spent:
                break
            clusters = makers.find(most=most, merged=merged)
            dual = Dual(clusters, states)
            if self._close(dual, rows, entries, budget, steps):
                return clusters
            if whole and not budget.is_spent:
                self.tried += 1
        return None

    def _close(
        self, dual: Dual, rows: Array, entries: list[Any], budget: Budget, steps: int
    ) -> bool:
        """Whether all of the rows are closed, the multipliers entered; the hardest come first."""
        hardest = rows[np.argsort(self.excess[rows], kind="stable")]
        patterns = sum(len(one.patterns) for one in dual.clusters)
        for start in range(0, len(rows), max(_CELLS // max(patterns, 1), 1)):
            some = hardest[start : start + max(_CELLS // max(patterns, 1), 1)]
            goals = self.goals[some].astype(np.float64) + 0.5
            ascent = dual.ascend(self.values[some], goals, budget, steps)
            shown: list[bool] = []
            for i, number in enumerate(some.tolist()):
                found = dual.multipliers(ascent, i)
                entries[number]["multipliers"] = [list(one) for one in found]
                bound = dual.bound(self.values[number], found)
                shown.append(bound >= SCALE * int(self.goals[number]))
            if not self.proof.tree:
                self.closed[some] |= shown
            if not all(shown):
                if self._is_deep:
                    # the signs are not those of the first layer
                    return False
                excess = ascent.bounds - goals
                self.doubt[list(dual.signs)] = 1 - np.abs(ascent.means[int(np.argmin(excess))])
                if not self.proof.tree:
                    self.excess[some] = excess
                    self._aim(dual.signs, excess, ascent.means)
                return False
        return True

    def _aim(self, signs: Sequence[int], excess: Array, means: Array) -> None:
        """Keep the minimisers of the rows with the least bounds."""
        for row in np.argsort(excess)[:_AIMS].tolist():
            aim = np.zeros(len(self.first.states), dtype=np.float32)
            aim[list(signs)] = means[row]
            self.aims.append(aim)

    @cached_property
    def _goals(self) -> list[tuple[Array, Array]]:
        """Of each case its rows over the last states, and the ends that unsafe ones are below."""
        return [
            (np.stack([row.values for row in rows]), np.array([row.goal for row in rows]))
            for rows in self.cases
        ]

    @property
    def _box(self) -> tuple[Array, Array]:
        return self.first.middle - self.first.radius, self.first.middle + self.first.radius

    def find_violation(
        self,
        confirm: Callable[[Array], Found | None],
        rng: np.random.Generator,
        budget: Budget,
        rounds: int | None = None,
    ) -> tuple[Found, str] | None:
        """A violation in the region, by annealing and then by gradients, and which of both.

        So many rounds of annealing are all, or turns of gradients if there are no moves.  Behind
        several layers, where annealing knows slopes only, a few turns of gradients come first.
        """
        moves = self.annealing
        for name, part, turns in (
            (GRADIENTS, budget, _TURNS if moves is not None and self._is_deep else 0),
            (MOVES, budget if rounds else budget.share(_ANNEALED), rounds),
            (GRADIENTS, budget, 0 if rounds and moves is not None else rounds),
        ):
            search = moves if name == MOVES else self.descent()
            found = None if search is None or turns == 0 else search.find(confirm, rng, part, turns)
            if found is not None:
                return found, name
        return None

    def is_unsafe(self, point: Array) -> bool:
        """Whether a point is unsafe as floats see it."""
        last = self.network.evaluate(point)[-1].astype(np.int64)
        return any(bool((rows @ last < goals).all()) for rows, goals in self._goals)

    def descent(self) -> Descent:
        """The search by gradients."""
        return Descent(self.network, *self._box, self._goals, tuple(self.aims))

    @cached_property
    def annealing(self) -> Annealing | None:
        """The search by moves; None if there is one layer only, or no point."""
        low, high = self._box
        low, high = (
            np.where(self.integral, whole, end)
            for whole, end in ((np.ceil(low), low), (np.floor(high), high))
        )
        if len(self.network.layers) == 1 or (low > high).any():
            return None
        states = Part.of(self.network, self.first.states).states
        return Annealing(self.network, states, (low, high), self._goals, self.integral)

    @property
    def is_within_reach(self) -> bool:
        """Whether a proof may be found: not where a good part of the first signs is open."""
        count = int((self.first.states == 0).sum())
        return count <= (_FEW_SIGNS if self._is_deep else _OPEN_SHARE * len(self.first.states))

    @property
    def _is_deep(self) -> bool:
        return len(self.network.layers) > 2


def _missing_literals(clause: Clause, states: Array) -> int:
    """How many literals of a clause are open; 9 if one does not hold."""
    found = [int(states[neuron]) * (1 if m > 0 else -1) for neuron, _, m in clause]
    return 9 if -1 in found else found.count(0)
