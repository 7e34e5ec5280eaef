"""Refutations of clauses: every clause of a proof follows by unit propagation, and from which.

Source: Goldberg and Novikov, Verification of proofs of unsatisfiability for CNF formulas (2003).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from tamecheck.budget import Budget

Clause: TypeAlias = tuple[int, ...]
"""Literals of which one is true: variables from 1, negative for negated."""


def is_refutation(clauses: Sequence[Clause], proof: Sequence[Clause], budget: Budget) -> bool:
    """Whether each clause of a proof, which ends in a conflict, follows by unit propagation."""
    return follow(clauses, proof, budget) is not None


def follow(
    clauses: Sequence[Clause], proof: Sequence[Clause], budget: Budget
) -> list[tuple[Clause, list[int]]] | None:
    """The clauses of a proof, the empty one last, each with those that it follows from, in order.

    None if one does not follow.  What is given has the first numbers, then come the steps.
    """
    known, steps = _Propagation(clauses), list[tuple[Clause, list[int]]]()
    for clause in (*proof, ()):
        budget.check()
        if any(-x in clause for x in clause):
            continue
        step = () if known.conflict is not None else clause
        hints = known.conflicts_with(step)
        if hints is None:
            return None
        steps.append((step, hints))
        if not step:
            return steps
        known.add(step)
    return None


class _Propagation:
    """Unit propagation with two watched literals a clause, and the clause behind each literal."""

    def __init__(self, clauses: Sequence[Clause]) -> None:
        self.clauses: list[list[int]] = []
        self.watches: dict[int, list[int]] = {}
        self.reason: dict[int, int | None] = {}
        self.order: list[int] = []
        self.conflict: int | None = None
        for clause in clauses:
            self.add(clause)

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
