"""Refutations of clauses with the clauses that each step needs, for certificates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tamecheck.budget import Budget
from tamecheck.ir.graph import Graph
from tamecheck.ir.spec import Case
from tamecheck.solvers.sat import refutation
from tamecheck.verification.boolean import Clauses, clauses_of, rectified
from tamecheck.verification.propagation import Clause


def formula_step(graph: Graph, case: Case, budget: Budget) -> list[Any] | None:
    """What refutes a case as a formula: rows, clauses and steps; None if it is no such case."""
    network = rectified(graph)
    clauses = None if network is None else clauses_of(network, case)
    if clauses is None:
        return None
    count = len(case.region) + len(case.outputs)
    learned = list(range(count)) * clauses.learned
    if () in clauses.clauses and not clauses.sources:
        return [learned, [], []]
    found = refutation(clauses.clauses, budget.deadline)
    if found is None or found[0] is not None:
        return None
    hinted = _Hints(clauses.clauses).follow(found[1], budget)
    return None if hinted is None else [learned, *_trim(clauses, hinted)]


def _trim(
    clauses: Clauses, steps: Sequence[tuple[Clause, Sequence[int]]]
) -> tuple[list[Any], list[Any]]:
    """The clauses and steps that the last step needs, numbered anew, about inputs."""
    given = len(clauses.clauses)
    needed = {given + len(steps) - 1}
    for k in range(len(steps) - 1, -1, -1):
        if given + k in needed:
            needed.update(steps[k][1])
    kept = sorted(needed)
    number = {old: new for new, old in enumerate(kept)}
    name = {k: i + 1 for k, i in enumerate(clauses.variables, 1)}

    def literals(clause: Clause) -> list[int]:
        return [name[x] if x > 0 else -name[-x] for x in clause]

    own = [[clauses.sources[k], literals(clauses.clauses[k])] for k in kept if k < given]
    later = [steps[k - given] for k in kept if k >= given]
    return own, [[literals(clause), [number[h] for h in hints]] for clause, hints in later]


class _Hints:
    """Unit propagation that remembers which clause made each literal true."""

    def __init__(self, clauses: Sequence[Clause]) -> None:
        self.clauses: list[list[int]] = []
        self.watches: dict[int, list[int]] = {}
        self.reason: dict[int, int | None] = {}
        self.order: list[int] = []
        self.conflict: int | None = None
        for clause in clauses:
            self.add(clause)

    def follow(
        self, proof: Sequence[Clause], budget: Budget
    ) -> list[tuple[Clause, list[int]]] | None:
        """The steps with their hints, the empty clause last; None if one does not follow."""
        steps: list[tuple[Clause, list[int]]] = []
        for clause in (*proof, ()):
            budget.check()
            hints = self.conflicts_with(() if self.conflict is not None else clause)
            if hints is None:
                return None
            steps.append((() if self.conflict is not None else clause, hints))
            if not steps[-1][0]:
                return steps
            self.add(clause)
        return None

    def add(self, clause: Clause) -> None:
        """Add a clause, and what follows from it by itself, for good."""
        literals = list(dict.fromkeys(clause))
        index = len(self.clauses)
        self.clauses.append(literals)
        if self.conflict is not None or any(-x in literals for x in literals):
            return
        literals.sort(key=lambda x: -x in self.reason)
        for x in literals[:2]:
            self.watches.setdefault(x, []).append(index)
        free = [x for x in literals if -x not in self.reason]
        if not free:
            self.conflict = index
        elif len(free) == 1 and free[0] not in self.reason:
            self.conflict = self.propagate([(free[0], index)])

    def conflicts_with(self, clause: Clause) -> list[int] | None:
        """The clauses that lead from the negation of a clause to a conflict, in order."""
        start = len(self.order)
        conflict = self.conflict
        for x in clause:
            if conflict is None and x in self.reason:
                conflict = self.reason[x]
            elif conflict is None:
                conflict = self.propagate([(-x, None)])
        found = None if conflict is None else self.needed(conflict)
        for x in self.order[start:]:
            del self.reason[x]
        del self.order[start:]
        return found

    def needed(self, conflict: int) -> list[int]:
        """The conflict and all reasons behind it, in the order of propagation."""
        seen, used = {-x for x in self.clauses[conflict]}, list[int]()
        for x in reversed(self.order):
            reason = self.reason[x]
            if x in seen and reason is not None and reason != conflict:
                used.append(reason)
                seen.update(-y for y in self.clauses[reason] if y != x)
        return [*reversed(used), conflict]

    def propagate(self, units: Sequence[tuple[int, int | None]]) -> int | None:
        """Make literals true with all that follows; the clause that is false then, if any."""
        position = len(self.order)
        for x, reason in units:
            if x not in self.reason:
                self.reason[x] = reason
                self.order.append(x)
        while position < len(self.order):
            false = -self.order[position]
            position += 1
            watching, kept = self.watches.get(false, []), list[int]()
            for place, index in enumerate(watching):
                literals = self.clauses[index]
                if literals[0] == false:
                    literals[:2] = literals[1::-1]
                other = literals[0]
                if other in self.reason:
                    kept.append(index)
                    continue
                free = (j for j in range(2, len(literals)) if -literals[j] not in self.reason)
                swap = next(free, 0)
                if swap:
                    literals[1], literals[swap] = literals[swap], literals[1]
                    self.watches.setdefault(literals[1], []).append(index)
                    continue
                kept.append(index)
                if -other in self.reason:
                    self.watches[false] = kept + watching[place + 1 :]
                    return index
                self.reason[other] = index
                self.order.append(other)
            self.watches[false] = kept
        return None
