"""Robustness in a Hamming ball and the least number of flips that changes a decision."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, combinations, islice
from math import comb

import numpy as np

from tamecheck.binarized.folding import Ball, rivals
from tamecheck.binarized.logic import misclassified
from tamecheck.binarized.network import BinarizedNetwork, product
from tamecheck.errors import InputError, SolverError
from tamecheck.ir.tensor import Array
from tamecheck.solve.cardinality import SatClaim, UnsatClaim, satisfiable

__all__ = ["Distance", "minimum_distance", "robust"]

_BLOCK = 1 << 13
_AFFORDABLE = 3e8
_FREE_WORK = 3e6
_FOREVER = 1e9


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
        What ``lower`` rests on: ``bounds``, ``enumeration``, or the word of a SAT solver.
    why
        Why the search ended before ``lower`` and ``upper`` met; empty if they met, or if
        ``lower`` is beyond the limit of the search.
    """

    decision: int
    lower: int
    upper: int | None
    witness: tuple[int, ...] | None
    method: str
    why: str = ""

    @property
    def exact(self) -> bool:
        """Whether the least number of flips is known."""
        return self.lower == self.upper


def robust(
    network: BinarizedNetwork, states: Array, radius: int, *, timeout: float | None = None
) -> Distance:
    """Whether the decision is the same in the whole Hamming ball.

    It is when ``lower`` exceeds ``radius``; it is not when there is a ``witness``, which need not
    be the nearest: after the radii whose flip sets are few, the whole ball is asked about at once.
    Parameters, errors and methods are those of `minimum_distance`.
    """
    search = _Search(network, *_question(network, states, None, radius))
    return search.within(min(radius, len(network.free)), _deadline(timeout))


def minimum_distance(
    network: BinarizedNetwork,
    states: Array,
    *,
    target: int | None = None,
    limit: int | None = None,
    timeout: float | None = None,
) -> Distance:
    """The least number of inputs to flip so that the decision changes.

    Radius by radius, neurons that cannot change are folded away; if bounds do not settle the
    radius, its flip sets are enumerated while they are few, else a SAT solver with native
    cardinalities is asked, whose points are evaluated exactly and whose "none" is its word.

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
    network: BinarizedNetwork, states: Array, target: int | None, limit: int | None
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


class _Search:
    def __init__(
        self, network: BinarizedNetwork, centre: Array, decision: int, target: int | None
    ) -> None:
        self.network, self.centre = network, centre
        self.decision, self.target = decision, target

    def within(self, most: int, deadline: float) -> Distance:
        """Is there a change within ``most`` flips: cheap radii first, then all at once."""
        cheap = 0
        while cheap < most and self._work(*self._folded(cheap + 1)) <= _FREE_WORK:
            cheap += 1
        found = self.grown(cheap, deadline)
        if found.witness is not None or found.why or cheap == most:
            return found
        step, method = self._radius(most, deadline)
        methods = ", ".join(dict.fromkeys(m for m in (found.method, method) if m != "bounds"))
        found = replace(found, method=methods or "bounds")
        if isinstance(step, str):
            # the ball is too hard for one question; its shells may not be
            return self.grown(most, deadline)
        if step is None:
            return (
                self.grown(most, deadline)
                if method == "enumeration"
                else replace(found, lower=most + 1)
            )
        return replace(found, upper=self._flips(step), witness=tuple(step.tolist()))

    def grown(self, most: int, deadline: float) -> Distance:
        """The least number of flips up to ``most``, one radius after the other."""
        methods: list[str] = []
        for radius in range(1, most + 1):
            step, method = self._radius(radius, deadline)
            methods += [method] if method not in ("bounds", *methods) else []
            used = ", ".join(methods) or "bounds"
            if isinstance(step, str):
                return Distance(self.decision, radius, None, None, used, step)
            if step is not None:
                if self._flips(step) != radius:
                    why = "A solver's answers contradict each other."
                    return Distance(self.decision, 1, self._flips(step), tuple(step), used, why)
                return Distance(self.decision, radius, radius, tuple(step.tolist()), used)
        return Distance(self.decision, most + 1, None, None, ", ".join(methods) or "bounds")

    def _flips(self, point: Array) -> int:
        return int(np.count_nonzero(point != self.centre))

    def _folded(self, radius: int) -> tuple[BinarizedNetwork, Ball]:
        ball = Ball(self.centre, self.network.free, radius)
        return ball.fold(self.network), ball

    def _work(self, folded: BinarizedNetwork, ball: Ball) -> int:
        """The additions that the enumeration of the radius takes."""
        width = len(folded.layers[0].thresholds) if folded.layers else folded.classes
        return comb(len(ball.free), ball.radius) * max(width, 8)

    def _changed(self, states: Array) -> Array:
        """Which rows have another decision (the target, if one is asked for)."""
        return self._counts(self.network.decide(states))

    def _counts(self, decided: Array) -> Array:
        return decided != self.decision if self.target is None else decided == self.target

    def _radius(self, radius: int, deadline: float) -> tuple[Array | str | None, str]:
        """A changed point, None if there is none, or why it is open; and by which method.

        Enumeration covers the sets of exactly the radius, bounds and the solver the whole ball.
        """
        folded, ball = self._folded(radius)
        targets = rivals(folded, ball, self.decision)
        if self.target is not None:
            targets = [self.target] if self.target in targets else []
        if not targets:
            return None, "bounds"
        work = self._work(folded, ball)
        if work > _FREE_WORK and (self.target is None or work > _AFFORDABLE):
            if self.target is not None:
                return "Too many flip sets to enumerate.", "enumeration"
            asked = self._asked(folded, ball, targets, deadline)
            if not isinstance(asked, str) or work > _AFFORDABLE:
                return asked, "minicard"
        return self._enumerated(folded, ball, deadline), "enumeration"

    def _enumerated(
        self, folded: BinarizedNetwork, ball: Ball, deadline: float
    ) -> Array | str | None:
        first = folded.layers[0].weights if folded.layers else folded.readout
        start = product(self.centre[None, :], first)
        change = (-2 * first * self.centre.astype(np.int64)).T
        for flips in _blocks(ball):
            if time.monotonic() > deadline:
                return "Out of time."
            sums = start + change[flips].sum(axis=1)
            decided = np.argmax(folded.scores_after(sums), axis=1)
            changed = self._counts(decided)
            if changed.any():
                point = self.centre.copy()
                point[flips[int(np.argmax(changed))]] *= -1
                return self._checked(point)
        return None

    def _asked(
        self, folded: BinarizedNetwork, ball: Ball, targets: list[int], deadline: float
    ) -> Array | str | None:
        try:
            formula, inputs = misclassified(folded, ball, self.decision, targets)
        except SolverError as error:
            return error.message
        left = deadline - time.monotonic()
        claim = satisfiable(formula.clauses, formula.at_most, seconds=left)
        if isinstance(claim, UnsatClaim):
            return None
        if not isinstance(claim, SatClaim):
            return f"minicard: {claim.why}."
        true = set(claim.model)
        return self._checked(np.array([1 if v in true else -1 for v in inputs], dtype=np.int8))

    def _checked(self, point: Array) -> Array | str:
        """The point, if the whole network decides as it was said to."""
        if not bool(self._changed(point[None, :])[0]):
            return "A point that was found does not stand the exact evaluation."
        return point


def _blocks(ball: Ball) -> Iterator[Array]:
    """All sets of exactly ``radius`` free inputs, as rows of their numbers."""
    sets = combinations(ball.free, ball.radius)
    while rows := list(islice(sets, _BLOCK)):
        flat = chain.from_iterable(rows)
        yield np.fromiter(flat, dtype=np.int64).reshape(len(rows), ball.radius)
