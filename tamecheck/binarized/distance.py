"""Robustness in a Hamming ball and the least number of flips that changes a decision."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, combinations, islice
from math import comb
from typing import Literal

import numpy as np

from tamecheck.binarized.branching import Branching, Closed, Found, Open, Patterns
from tamecheck.binarized.network import Ball, ThresholdNetwork, product, rivals
from tamecheck.binarized.portfolio import NoneSaid, Pointed, Question, opinions
from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array

__all__ = ["Distance", "minimum_distance", "robust"]

_BLOCK = 1 << 13
_FREE_WORK = 2e5
_ROWS = 2.5e5
_SLICE = 5.0
_FOREVER = 1e9

Checked = Literal["enumeration", "two-solvers", "one-solver"]
_STRENGTH: tuple[Checked, ...] = ("one-solver", "two-solvers", "enumeration")


@dataclass(frozen=True, slots=True)
class Distance:
    """What is known of the least number of flips that changes a decision.

    Parameters
    ----------
    decision
        The class at the centre.
    lower
        No change is within fewer flips.
    witness
        States with another decision, by exact evaluation; None if none was found.
    upper
        The flips that the witness needs; None without a witness.
    method
        How it was found: ``bounds``, ``enumeration``, ``branch and bound``, or solvers by name.
    checked
        What ``lower`` rests on.  ``enumeration``: every point was closed by a bound or evaluated,
        in integers; ``two-solvers`` or ``one-solver``: for some radius, on their word alone.
    why
        Why the search ended before ``lower`` and ``upper`` met; empty if they met, or if
        ``lower`` is beyond the limit of the search.
    """

    decision: int
    lower: int
    upper: int | None
    witness: tuple[int, ...] | None
    method: str
    checked: Checked = "enumeration"
    why: str = ""

    @property
    def exact(self) -> bool:
        """Whether the least number of flips is known."""
        return self.lower == self.upper


def robust(
    network: ThresholdNetwork, states: Array, radius: int, *, timeout: float | None = None
) -> Distance:
    """Whether the decision is the same in the whole Hamming ball.

    It is when ``lower`` exceeds ``radius``; it is not when there is a ``witness``, which need not
    be the nearest: unless flip sets are few, the whole ball is asked about at once.
    Parameters, errors and methods are those of `minimum_distance`.
    """
    search = _Search(network, *_question(network, states, None, radius))
    return search.within(min(radius, len(network.free)), _deadline(timeout))


def minimum_distance(
    network: ThresholdNetwork,
    states: Array,
    *,
    target: int | None = None,
    limit: int | None = None,
    timeout: float | None = None,
) -> Distance:
    """The least number of inputs to flip so that the decision changes.

    Radius by radius, neurons that cannot change are folded away.  If bounds do not settle the
    radius, its flip sets are enumerated while they are few, else branch and bound closes the ball
    in integers.  A ball that is still open after many steps is shown to solvers, whose points are
    evaluated exactly and whose "none" is their word: `Distance.checked` says so.

    Parameters
    ----------
    network
        The network.
    states
        The centre, ``(inputs,)``, entries -1 and 1.
    target
        Only changes to this class count.
    limit
        The largest number of flips; all free inputs if not given.
    timeout
        Seconds.

    Raises
    ------
    InputError
        If the centre, target or limit does not fit the network.
    """
    search = _Search(network, *_question(network, states, target, limit))
    most = len(network.free) if limit is None else min(limit, len(network.free))
    return search.grown(most, _deadline(timeout))


def _deadline(timeout: float | None) -> float:
    return time.monotonic() + (_FOREVER if timeout is None else timeout)


def _question(
    network: ThresholdNetwork, states: Array, target: int | None, limit: int | None
) -> tuple[Array, int, int | None]:
    """The checked centre, its decision and the target."""
    centre = np.asarray(states, dtype=np.int8)
    if centre.shape != (network.inputs,) or not bool((np.abs(centre) == 1).all()):
        raise InputError(f"The centre is a vector of {network.inputs} states -1 or 1.")
    if limit is not None and limit < 0:
        raise InputError("A radius is not negative.")
    decision = int(network.decide(centre[None, :])[0])
    if target is not None and (target == decision or target not in range(network.classes)):
        raise InputError(f"Class {target} is no other class than the decision {decision}.")
    return centre, decision, target


@dataclass(frozen=True, slots=True)
class _Shown:
    """No change within the radius."""

    method: str
    checked: Checked = "enumeration"


@dataclass(frozen=True, slots=True, eq=False)
class _Changed:
    """States that are decided otherwise, by exact evaluation."""

    method: str
    states: Array


@dataclass(frozen=True, slots=True)
class _Undecided:
    """Why the radius is open."""

    method: str
    why: str


def _weaker(one: Checked, other: Checked) -> Checked:
    return one if _STRENGTH.index(one) <= _STRENGTH.index(other) else other


class _Search:
    def __init__(
        self, network: ThresholdNetwork, centre: Array, decision: int, target: int | None
    ) -> None:
        self.network, self.centre = network, centre
        self.decision, self.target = decision, target

    def within(self, most: int, deadline: float) -> Distance:
        """Is there a change within ``most`` flips: shell by shell if they are few, else at once."""
        folded, ball = self._folded(most)
        if not self._targets(folded, ball):
            return self._answer(_Shown("bounds"), 1, most, [], "enumeration")
        if self._work(folded, ball) <= _FREE_WORK:
            return self.grown(most, deadline)
        return self._answer(self._whole(folded, ball, deadline), 1, most, [], "enumeration")

    def grown(self, most: int, deadline: float) -> Distance:
        """The least number of flips up to ``most``, one radius after the other."""
        methods: list[str] = []
        checked: Checked = "enumeration"
        for radius in range(1, most + 1):
            folded, ball = self._folded(radius)
            if self._work(folded, ball) <= _FREE_WORK:
                found = self._enumerated(folded, ball, deadline)
            else:
                found = self._whole(folded, ball, deadline)
            if not isinstance(found, _Shown):
                return self._answer(found, radius, radius, methods, checked)
            methods.append(found.method)
            checked = _weaker(checked, found.checked)
        return self._answer(_Shown("bounds"), most + 1, most, methods, checked)

    def _answer(
        self,
        found: _Shown | _Changed | _Undecided,
        lower: int,
        radius: int,
        methods: list[str],
        checked: Checked,
    ) -> Distance:
        """What is known when nothing is below ``lower`` and this was found within ``radius``."""
        used = [m for m in dict.fromkeys([*methods, found.method]) if m != "bounds"]
        method = ", ".join(used) or "bounds"
        if isinstance(found, _Undecided):
            return Distance(self.decision, lower, None, None, method, checked, found.why)
        if isinstance(found, _Shown):
            weaker = _weaker(checked, found.checked)
            return Distance(self.decision, radius + 1, None, None, method, weaker)
        flips, witness = self._flips(found.states), tuple(found.states.tolist())
        why = ""
        if flips < lower:
            lower, why = 1, "A solver's answers contradict each other."
        return Distance(self.decision, lower, flips, witness, method, checked, why)

    def _flips(self, point: Array) -> int:
        return int(np.count_nonzero(point != self.centre))

    def _folded(self, radius: int) -> tuple[ThresholdNetwork, Ball]:
        ball = Ball(self.centre, self.network.free, radius)
        return ball.fold(self.network), ball

    def _work(self, folded: ThresholdNetwork, ball: Ball) -> int:
        """The additions that the enumeration of the radius takes."""
        width = len(folded.layers[0].thresholds) if folded.layers else folded.classes
        return comb(len(ball.free), ball.radius) * max(width, 8)

    def _changed(self, states: Array) -> Array:
        """Which rows have another decision (the target, if one is asked for)."""
        return self._counts(self.network.decide(states))

    def _counts(self, decided: Array) -> Array:
        return decided != self.decision if self.target is None else decided == self.target

    def _targets(self, folded: ThresholdNetwork, ball: Ball) -> list[int]:
        """The classes that bounds leave as changes."""
        targets = rivals(folded, ball, self.decision)
        return [t for t in targets if self.target in (None, t)]

    def _goals(self, targets: list[int]) -> list[list[tuple[int, int]]]:
        """What counts as a change, as preferences between classes."""
        if self.target is None:
            return [[(target, self.decision)] for target in targets]
        return [[(t, c) for c in range(self.network.classes) if c != t] for t in targets]

    def _whole(
        self, folded: ThresholdNetwork, ball: Ball, deadline: float
    ) -> _Shown | _Changed | _Undecided:
        """The whole ball, by branch and bound and solvers in turns of growing length."""
        targets = self._targets(folded, ball)
        if not targets:
            return _Shown("bounds")
        branching = Branching(folded, ball, self._goals(targets))
        question = Question(folded, ball, self.decision, targets)
        rows, seconds = _ROWS / 25, _SLICE
        while True:
            found = self._searched(branching, question, rows, deadline)
            if isinstance(found, Closed):
                return _Shown("branch and bound")
            if isinstance(found, Found):
                return self._checked(found.states, "branch and bound")
            if time.monotonic() >= deadline:
                return _Undecided("branch and bound", "Out of time.")
            if self.target is None and not 0 <= rows < _ROWS:
                # solvers are only asked for any other decision, and late
                said = self._asked(question, seconds, deadline)
                if said is not None:
                    return said
                seconds *= 2
            rows *= 5

    def _searched(
        self, branching: Branching, question: Question, rows: float, deadline: float
    ) -> Closed | Found | Open:
        """Branch over inputs, then over the patterns of the first layer, for about so long."""
        found = branching.run(rows=rows, deadline=deadline)
        if isinstance(found, Open) and self.target is None and question.folded.layers:
            patterns = Patterns(question.folded, question.ball, question.decision)
            return patterns.run(nodes=int(rows / 5), deadline=deadline)
        return found

    def _asked(
        self, question: Question, seconds: float, deadline: float
    ) -> _Shown | _Changed | None:
        """What solvers say; None if they say nothing, or give a point that is none."""
        said = opinions(question, seconds, deadline)
        if isinstance(said, NoneSaid):
            by = ", ".join(said.solvers)
            return _Shown(by, "one-solver" if len(said.solvers) == 1 else "two-solvers")
        if isinstance(said, Pointed) and self._flips(said.states) <= question.ball.radius:
            point = self._checked(said.states, said.solver)
            return point if isinstance(point, _Changed) else None
        return None

    def _enumerated(
        self, folded: ThresholdNetwork, ball: Ball, deadline: float
    ) -> _Shown | _Changed | _Undecided:
        """The sets of exactly the radius."""
        if not self._targets(folded, ball):
            return _Shown("bounds")
        method = "enumeration"
        first = folded.layers[0].weights if folded.layers else folded.readout
        start = product(self.centre[None, :], first)
        change = (-2 * first * self.centre.astype(np.int64)).T
        for flips in _blocks(ball):
            if time.monotonic() > deadline:
                return _Undecided(method, "Out of time.")
            sums = start + change[flips].sum(axis=1)
            decided = np.argmax(folded.scores_after(sums), axis=1)
            changed = self._counts(decided)
            if changed.any():
                point = self.centre.copy()
                point[flips[int(np.argmax(changed))]] *= -1
                return self._checked(point, method)
        return _Shown(method)

    def _checked(self, point: Array, method: str) -> _Changed | _Undecided:
        """The point, if the whole network decides as it was said to."""
        if not bool(self._changed(point[None, :])[0]):
            why = "A point that was found does not stand the exact evaluation."
            return _Undecided(method, why)
        return _Changed(method, point)


def _blocks(ball: Ball) -> Iterator[Array]:
    """All sets of exactly ``radius`` free inputs, as rows of their numbers."""
    sets = combinations(ball.free, ball.radius)
    while rows := list(islice(sets, _BLOCK)):
        flat = chain.from_iterable(rows)
        yield np.fromiter(flat, dtype=np.int64).reshape(len(rows), ball.radius)
