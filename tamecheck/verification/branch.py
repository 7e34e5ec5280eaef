"""Branch and bound in parts, for proof or optimum: what is found does not depend on who looks.

A first part of the work is done alone.  If it was not enough, the subproblems that are left are
given to tasks, a fixed number of them at a time, whose answers are taken in turn: by this process,
or by others too.  Work is counted in products, so that no clock has a say but the deadline.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, TypeAlias

import numpy as np

from tamecheck.budget import Budget
from tamecheck.ir.graph import Graph
from tamecheck.ir.spec import Specification
from tamecheck.ir.tensor import Array
from tamecheck.solvers.executors import Planned, Shared, Turns, share
from tamecheck.verification.answer import Witness
from tamecheck.verification.problem import problem_of
from tamecheck.verification.witness import Search, with_replay

_ALONE, _TASK, _BATCH = 2.0**34, 2.0**33, 2.0**33
"""Work before there are tasks, of a task, and of a batch: a second, half of one, as much."""
_AHEAD = 4

Items: TypeAlias = Mapping[Any, Array]
"""Subproblems: arrays by name, with a row for each subproblem."""


@dataclass(frozen=True, slots=True, eq=False)
class Remainder:
    """What is left: how many subproblems are open, how many were looked at, a witness if any.

    Where a limit has ended the search, it can go on from the ``items``.
    """

    open: int
    seen: int
    witness: Witness | None = None
    items: Items | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """The children of subproblems, None if one cannot be split; a witness; what it cost."""

    children: Items | None
    witness: Witness | None
    work: float


class Splitter(ABC):
    """What looks at subproblems of one kind, and learns from them how to.

    ``sizes`` are those of the first batch, of the smallest and of the largest one.
    """

    search: Search
    sizes: tuple[int, int, int]
    known: Any = None
    """What was learnt: a value that can be sent to another process."""

    @abstractmethod
    def look(self, items: Items) -> Looked:
        """Close some subproblems and divide the others."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """Subproblems to look at with those below them, what is known, and how far to go."""

    items: Items
    known: Any
    most: float
    work: float


Make: TypeAlias = Callable[[Search], Splitter]
Question: TypeAlias = tuple[Graph, Specification, bool, Make]
"""A network, a property, whether points have integers where these are declared, and a splitter."""


def count_items(items: Items) -> int:
    """How many subproblems there are."""
    return len(next(iter(items.values())))


def pick_items(items: Items, index: Any) -> Items:
    """Some of the subproblems."""
    return {key: value[index] for key, value in items.items()}


def join_items(first: Items, second: Items) -> Items:
    """Subproblems with the same keys, one after the other."""
    return {key: np.concatenate([value, second[key]]) for key, value in first.items()}


def branch(
    search: Search, items: Items, make: Make, *, limit: float, most: float = np.inf
) -> Remainder:
    """Look at subproblems until none is left, a witness is found, or the seconds or number is over.

    Depth first, so that the list of open ones stays short.  ``make`` gives the splitter of a
    search, here and in every process that helps.
    """
    budget, problem = search.budget.part(limit), search.problem
    splitter = make(_apart(search, budget))
    turns = Turns[Task, Explored](partial(_explore, splitter), helping=True)
    planned, seen, known, work = list[Planned[Task]](), 0, splitter.known, _ALONE
    while (count_items(items) or planned) and seen < most and not budget.is_spent:
        if search.kept is not None:
            break
        ahead = 1 if work == _ALONE else _AHEAD
        if ahead > 1 and turns.alone and search.executor is not None:
            question: Question = problem.graph, problem.stated, search.whole, make
            turns.begin(search.executor, partial(_explore_elsewhere, share(question)))
        while count_items(items) and len(planned) < ahead:
            take = -(-count_items(items) // (ahead - len(planned)))
            take = take if ahead == 1 else min(take, splitter.sizes[-1])
            taken, items = pick_items(items, slice(-take, None)), pick_items(items, slice(0, -take))
            planned.append(Planned(Task(taken, known, most - seen, work)))
        found = turns.answer(planned, budget)
        if found is None:
            break
        del planned[0]
        seen, known, work = seen + found.seen, found.known, _TASK
        if found.witness is not None:
            witness = with_replay(problem, found.witness, search.replay)
            if witness.float32 is not False:
                return Remainder(found.open, seen, witness)
            search.kept = witness
        if found.items is None:
            return Remainder(found.open, seen)
        items = join_items(items, found.items)
    for one in reversed(planned):
        items = join_items(items, one.task.items)
    return Remainder(count_items(items), seen, None, items)


@dataclass(frozen=True, slots=True, eq=False)
class Explored(Remainder):
    """What a task has left, and what is known after it."""

    known: Any = None


def _explore(splitter: Splitter, task: Task, budget: Budget) -> Explored:
    """What a task leads to; less of it if the budget is spent."""
    splitter.search, splitter.known = _apart(splitter.search, budget), task.known
    items, seen, work = task.items, 0, 0.0
    first, least, most = splitter.sizes
    batch = first if task.work == _ALONE else most
    while count_items(items) and seen < task.most and work < task.work and not budget.is_spent:
        take = min(batch, count_items(items))
        part, rest = pick_items(items, slice(-take, None)), pick_items(items, slice(0, -take))
        found = splitter.look(part)
        seen, work = seen + take, work + found.work
        left = count_items(rest)
        if found.witness is not None:
            return Explored(left + take, seen, found.witness, None, splitter.known)
        if found.children is None:
            return Explored(left + take, seen, None, None, splitter.known)
        items = join_items(rest, found.children)
        batch = min(batch * 2, most) if found.work < _BATCH else max(batch // 2, least)
    return Explored(count_items(items), seen, None, items, splitter.known)


def _apart(search: Search, budget: Budget) -> Search:
    """The search as it is at the start of a task, whatever was looked at before."""
    return replace(
        search, replay=None, budget=budget, kept=None, checks=0, failed=set(), executor=None
    )


def _explore_elsewhere(question: Shared[Question], task: Task, seconds: float | None) -> Explored:
    """The answer to a task in a process that keeps what it knows of the last question."""
    return _explore(_splitter(question), task, Budget.of(seconds))


@lru_cache(maxsize=1)
def _splitter(question: Shared[Question]) -> Splitter:
    graph, spec, whole, make = question.value()
    problem = problem_of(graph, spec)
    if problem.layers is None:
        raise ValueError("no linear bounds")
    search = Search(problem, problem.layers, np.random.default_rng(0), whole=whole)
    return make(search)
