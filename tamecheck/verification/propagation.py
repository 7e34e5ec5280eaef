"""Refutations of clauses, checked: every clause of a proof follows by unit propagation.

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
    known = _Propagation()
    for clause in clauses:
        known.add(clause)
    for clause in (*proof, ()):
        budget.check()
        if known.conflict:
            return True
        if not known.conflicts_with(clause):
            return False
        known.add(clause)
    return known.conflict


class _Propagation:
    """Unit propagation with two watched literals a clause."""

    def __init__(self) -> None:
        self.watches: dict[int, list[list[int]]] = {}
        self.true: set[int] = set()
        self.conflict = False

    def add(self, clause: Clause) -> None:
        """Add a clause, and what follows from it by itself, for good."""
        literals = list(dict.fromkeys(clause))
        if any(-one in literals for one in literals):
            return
        # literals that are not false come first, so that those are watched
        literals.sort(key=lambda one: -one in self.true)
        free = [one for one in literals if -one not in self.true]
        if not free:
            self.conflict = True
            return
        if len(literals) > 1:
            for one in literals[:2]:
                self.watches.setdefault(one, []).append(literals)
        if len(free) == 1 and free[0] not in self.true:
            self.conflict = self._propagate([free[0]]) is None

    def conflicts_with(self, clause: Clause) -> bool:
        """Whether the negation of a clause leads to a conflict; what it set is taken back."""
        wanted = [-one for one in clause]
        if any(-one in self.true for one in wanted):
            return True
        trail = self._propagate([one for one in wanted if one not in self.true])
        self.true.difference_update(trail or ())
        return trail is None

    def _propagate(self, units: Sequence[int]) -> list[int] | None:
        """Make literals true with all that follows; None, and nothing is changed, at a conflict."""
        trail: list[int] = []
        for unit in units:
            if -unit in self.true:
                self.true.difference_update(trail)
                return None
            if unit not in self.true:
                self.true.add(unit)
                trail.append(unit)
        position = 0
        while position < len(trail):
            false = -trail[position]
            position += 1
            kept: list[list[int]] = []
            watching = self.watches.get(false, [])
            for index, literals in enumerate(watching):
                if literals[0] == false:
                    literals[0], literals[1] = literals[1], literals[0]
                other = literals[0]
                if other in self.true:
                    kept.append(literals)
                    continue
                swap = next(
                    (j for j in range(2, len(literals)) if -literals[j] not in self.true), 0
                )
                if swap:
                    literals[1], literals[swap] = literals[swap], literals[1]
                    self.watches.setdefault(literals[1], []).append(literals)
                    continue
                kept.append(literals)
                if -other in self.true:
                    self.watches[false] = kept + watching[index + 1 :]
                    self.true.difference_update(trail)
                    return None
                self.true.add(other)
                trail.append(other)
            self.watches[false] = kept
        return trail
