"""Refutations of clauses with the clauses that each step needs, for certificates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tamecheck.budget import Budget
from tamecheck.ir.graph import Graph
from tamecheck.ir.spec import Case
from tamecheck.solvers.sat import refutation
from tamecheck.verification.boolean import Clauses, clauses_of, rectified
from tamecheck.verification.propagation import Clause, follow


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
    hinted = follow(clauses.clauses, found[1], budget)
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
