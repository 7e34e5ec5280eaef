"""Satisfiability: python-sat with native cardinality constraints, hitting sets, and z3."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.util import find_spec
from threading import Timer
from typing import Any

from tamecheck.errors import SolverError
from tamecheck.ir.answer import Feasible, Infeasible, Unknown
from tamecheck.solvers.libraries import z3_answer, z3_context
from tamecheck.solvers.processes import ask

AtMost = tuple[Sequence[int], int]
"""Distinct literals, and how many of them may be true."""

_SOLVER = "minicard"


def satisfiable(
    clauses: Sequence[Sequence[int]],
    at_most: Sequence[AtMost],
    *,
    seconds: float = math.inf,
) -> Feasible[int, None] | Infeasible[None] | Unknown[int, None]:
    """What a SAT solver says about clauses and cardinality constraints.

    As for `IncrementalSolver`; when the seconds are over, the child process is killed.
    """
    if find_spec("pysat") is None:
        return Unknown("python-sat is not installed (pip install python-sat)")
    question = {
        "solver": _SOLVER,
        "clauses": [list(clause) for clause in clauses],
        "at_most": [[list(literals), bound] for literals, bound in at_most],
    }
    match ask(question, seconds=seconds):
        case {"status": "feasible", "point": model}:
            return Feasible(tuple(model), 0, solver=_SOLVER)
        case {"status": "infeasible"}:
            return Infeasible(None, _SOLVER)
        case answer:
            return Unknown(str(answer.get("why", "no answer")), solver=_SOLVER)


def _pysat(module: str) -> Any:
    try:
        return import_module(f"pysat.{module}")
    except ImportError:
        raise SolverError("python-sat is not installed.", hint="pip install python-sat") from None


class IncrementalSolver:
    """A python-sat solver that keeps what it learns between questions.

    Clauses are lists of literals: variables from 1, negative for negated; no literal occurs twice
    in a cardinality constraint.  The solver is ``minicard`` or ``gluecard4``.
    """

    def __init__(
        self,
        clauses: Sequence[Sequence[int]],
        at_most: Sequence[AtMost],
        *,
        solver: str = _SOLVER,
    ) -> None:
        self._solver: Any = _pysat("solvers").Solver(
            name=solver, bootstrap_with=[list(c) for c in clauses]
        )
        for literals, bound in at_most:
            self._solver.add_atmost(list(literals), bound)

    def model(self, assumptions: Sequence[int], deadline: float) -> frozenset[int] | bool | None:
        """The true literals of a solution under assumptions; False if it says there is none.

        None if the time is over.  Whoever uses a solution checks it.
        """
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        # a wait beyond a day overflows the clock of a thread
        timer = Timer(min(left, 86_400.0), self._solver.interrupt)
        timer.daemon = True
        timer.start()
        try:
            said = self._solver.solve_limited(assumptions=list(assumptions), expect_interrupt=True)
        finally:
            timer.cancel()
            self._solver.clear_interrupt()
        if said is None:
            return None
        return frozenset(self._solver.get_model()) if said else False


def refutation(
    clauses: Sequence[Sequence[int]], deadline: float
) -> tuple[list[int] | None, list[tuple[int, ...]]] | None:
    """A model of clauses, or None with the clauses that a solver learned until its conflict.

    None if the time is over.  Whoever uses a model or a proof checks it.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        return None
    solver: Any = _pysat("solvers").Solver(
        name="glucose4", bootstrap_with=[list(c) for c in clauses], with_proof=True
    )
    timer = Timer(min(left, 86_400.0), solver.interrupt)
    timer.daemon = True
    timer.start()
    try:
        said = solver.solve_limited(expect_interrupt=True)
        if said is None:
            return None
        # lines that begin with d delete a clause, which a check need not do
        lines = [] if said else [line.split() for line in solver.get_proof() or ()]
        proof = [tuple(map(int, words[:-1])) for words in lines if words[0] != "d"]
        return (solver.get_model() if said else None), proof
    finally:
        timer.cancel()
        solver.delete()


class HittingSets:
    """Sets of numbers that meet every set to be hit and contain no blocked one."""

    def __init__(self) -> None:
        self._solver: Any = _pysat("examples.hitman").Hitman(solver="m22", htype="sorted")
        self._empty = True
        self._blocked = False

    def hit(self, numbers: Iterable[int]) -> None:
        """From now on, sets must contain one of the numbers."""
        self._empty = False
        self._solver.hit(list(numbers))

    def block(self, numbers: Iterable[int]) -> None:
        """From now on, sets must not contain all of the numbers."""
        listed = list(numbers)
        if listed:
            self._solver.block(listed)
        else:
            self._blocked = True

    def smallest(self) -> tuple[int, ...] | None:
        """A smallest set, or None if there is none left."""
        if self._blocked:
            return None
        if self._empty:
            return ()
        found = self._solver.get()
        return None if found is None else tuple(sorted(found))

    def close(self) -> None:
        """Free the solver."""
        self._solver.delete()


_LARGEST = 2**31 - 1
"""Of the coefficients and bounds of z3's pseudo-Boolean constraints."""

Threshold = tuple[Sequence[int], int]
"""Integer weights of the states before, and the least sum of a neuron that is +1."""


def another_class(
    inputs: int,
    possible: Sequence[tuple[Sequence[int], Sequence[Sequence[int]]]],
    layers: Sequence[Sequence[Threshold]],
    margins: Sequence[Threshold],
    *,
    seconds: float,
) -> bool | None:
    """Whether z3 finds states of the inputs with one of the margins at least its bound.

    ``possible`` are groups of inputs with the combinations of states ±1 that can occur, ``layers``
    the neurons of each layer, ``margins`` integer combinations of the last layer's states.  None if
    z3 gives no answer in time.
    """
    import z3

    lib: Any = z3
    context = z3_context()
    states = [lib.Bool(f"x{i}", context) for i in range(inputs)]
    solver = lib.Solver(ctx=context)
    solver.set("timeout", max(1, int(min(seconds, 1e6) * 1000)))
    for group, codes in possible:
        cases = [
            lib.And(
                [
                    states[i] if s > 0 else lib.Not(states[i])
                    for i, s in zip(group, code, strict=True)
                ],
                context,
            )
            for code in codes
        ]
        solver.add(lib.Or(cases, context))
    for number, layer in enumerate(layers):
        after = [lib.Bool(f"y{number}_{j}", context) for j in range(len(layer))]
        for neuron, threshold in zip(after, layer, strict=True):
            solver.add(neuron == _reaches(lib, context, states, *threshold))
        states = after
    solver.add(lib.Or([_reaches(lib, context, states, *margin) for margin in margins], context))
    answer = z3_answer(solver, context)
    if answer == lib.sat:
        return True
    return False if answer == lib.unsat else None


def _reaches(
    lib: Any, context: Any, states: Sequence[Any], weights: Sequence[int], least: int
) -> Any:
    """That the sum of weights times ±1 states is at least a bound."""
    pairs = [(state, int(w)) for state, w in zip(states, weights, strict=True) if w]
    # with b = (s + 1) / 2, the sum is 2 Σ w b - Σ w; negative weights count the negation
    bound = least + sum(w for _, w in pairs) - 2 * sum(min(w, 0) for _, w in pairs)
    needed = -((-bound) // 2)
    terms = [(s, w) if w > 0 else (lib.Not(s), -w) for s, w in pairs]
    if needed <= 0:
        return lib.BoolVal(True, context)  # noqa: FBT003  # z3's own signature
    if not terms or needed > sum(w for _, w in terms):
        return lib.BoolVal(False, context)  # noqa: FBT003
    if sum(w for _, w in terms) > _LARGEST:
        return (
            lib.Sum([lib.If(s, lib.IntVal(w, context), lib.IntVal(0, context)) for s, w in terms])
            >= needed
        )
    return lib.PbGe(terms, needed)
