"""Robustness in a Hamming ball, the least number of flips that changes a decision, certificates."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from math import comb
from typing import Any, Literal

import numpy as np

from tamecheck.binarized.branching import Branching, Patterns, Tree
from tamecheck.binarized.network import Ball, Outcome, ThresholdNetwork, product
from tamecheck.binarized.portfolio import Question, ask
from tamecheck.binarized.sign_tree import SignTree
from tamecheck.errors import InputError
from tamecheck.ir.answer import Readable
from tamecheck.ir.exact import rational_text
from tamecheck.ir.tensor import Array

_BLOCK = 1 << 13
_FREE_WORK = 2e5
_ROWS = 2.5e5
_SLICE = 5.0
_FOREVER = 1e9

Checked = Literal["enumeration", "two-solvers", "one-solver"]
_STRENGTH: tuple[Checked, ...] = ("one-solver", "two-solvers", "enumeration")


@dataclass(frozen=True, slots=True, repr=False)
class Distance(Readable):
    """What is known of the least number of flips that changes a decision."""

    decision: int
    """The class at the centre."""
    lower: int
    """No change is within fewer flips."""
    upper: int | None
    """The flips that the witness needs; None without a witness."""
    witness: tuple[int, ...] | None
    """States with another decision, by exact evaluation; None if none was found."""
    method: str
    """How it was found: ``bounds``, ``enumeration``, ``branch and bound``, or solvers by name."""
    checked: Checked = "enumeration"
    """What ``lower`` rests on.

    ``enumeration``: every point was closed by a bound or evaluated, in integers; ``two-solvers`` or
    ``one-solver``: for some radius, on their word alone.
    """
    why: str = ""
    """Why the search ended before ``lower`` and ``upper`` met, or reached its limit; else empty."""

    def __str__(self) -> str:
        if self.exact:
            return f"class {self.decision} changes with {self.lower} flips, and with no fewer"
        known = "" if self.upper is None else f", and changes with {self.upper}"
        return f"class {self.decision} stays with fewer than {self.lower} flips{known}"

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
    timeout
        Seconds.

    Raises
    ------
    InputError
        If the centre or target does not fit the network.
    """
    search = _Search(network, *_question(network, states, target))
    return search.grow(len(network.free), _deadline(timeout))


def _deadline(timeout: float | None) -> float:
    return time.monotonic() + (_FOREVER if timeout is None else timeout)


def _question(
    network: ThresholdNetwork, states: Array, target: int | None, limit: int = 0
) -> tuple[Array, int, int | None]:
    """The checked centre, its decision and the target."""
    centre = np.asarray(states, dtype=np.int8)
    if centre.shape != (network.inputs,) or not bool((np.abs(centre) == 1).all()):
        raise InputError(f"The centre is a vector of {network.inputs} states -1 or 1.")
    if limit < 0:
        raise InputError("A radius is not negative.")
    decision = int(network.decide(centre[None, :])[0])
    if target is not None and (target == decision or target not in range(network.classes)):
        raise InputError(f"Class {target} is no other class than the decision {decision}.")
    return centre, decision, target


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """Of a radius: ``states`` that are decided otherwise, or no change unless ``why`` is said."""

    method: str
    checked: Checked = "enumeration"
    states: Array | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    network: ThresholdNetwork
    centre: Array
    decision: int
    target: int | None

    def within(self, most: int, deadline: float) -> Distance:
        """Is there a change within ``most`` flips: shell by shell if they are few, else at once."""
        folded, ball = self._folded(most)
        if not self._targets(folded, ball):
            return self._answer([_Step("bounds")], 1, most)
        if self._work(folded, ball) <= _FREE_WORK:
            return self.grow(most, deadline)
        return self._answer([self._whole(folded, ball, deadline)], 1, most)

    def grow(self, most: int, deadline: float) -> Distance:
        """The least number of flips up to ``most``, one radius after the other."""
        found: list[_Step] = []
        for radius in range(1, most + 1):
            folded, ball = self._folded(radius)
            few = self._work(folded, ball) <= _FREE_WORK
            found.append((self._shell if few else self._whole)(folded, ball, deadline))
            if found[-1].states is not None or found[-1].why:
                return self._answer(found, radius, radius)
        return self._answer([*found, _Step("bounds")], most + 1, most)

    def _answer(self, found: Sequence[_Step], lower: int, radius: int) -> Distance:
        """What is known: nothing is below ``lower``, and the last outcome is about ``radius``."""
        used = [o.method for o in found if o.method != "bounds"]
        method = ", ".join(dict.fromkeys(used)) or "bounds"
        checked = _STRENGTH[min(_STRENGTH.index(o.checked) for o in found)]
        last = found[-1]
        if last.why:
            return Distance(self.decision, lower, None, None, method, checked, last.why)
        if last.states is None:
            return Distance(self.decision, radius + 1, None, None, method, checked)
        flips, witness = self._flips(last.states), tuple(last.states.tolist())
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

    def _counts(self, decided: Array) -> Array:
        """Which decisions are changes (to the target, if one is asked for)."""
        return decided != self.decision if self.target is None else decided == self.target

    def _targets(self, folded: ThresholdNetwork, ball: Ball) -> list[int]:
        """The classes that bounds leave as changes."""
        return [t for t in ball.rivals(folded, self.decision) if self.target in (None, t)]

    def _goals(self, targets: list[int]) -> list[list[tuple[int, int]]]:
        """What counts as a change, as preferences between classes."""
        if self.target is None:
            return [[(target, self.decision)] for target in targets]
        return [[(t, c) for c in range(self.network.classes) if c != t] for t in targets]

    def _whole(self, folded: ThresholdNetwork, ball: Ball, deadline: float) -> _Step:
        """The whole ball, by branch and bound and solvers in turns of growing length."""
        targets = self._targets(folded, ball)
        if not targets:
            return _Step("bounds")
        method = "branch and bound"
        branching = Branching(folded, ball, self._goals(targets))
        question = Question(folded, ball, self.decision, targets)
        rows, seconds = _ROWS / 25, _SLICE
        while True:
            found = self._branch(branching, question, rows, deadline)
            if found.closed:
                return _Step(method)
            if found.point is not None:
                return self._confirm(found.point, method)
            if time.monotonic() >= deadline:
                return _Step(method, why="Out of time.")
            if self.target is None and not 0 <= rows < _ROWS:
                # solvers are only asked for any other decision, and late
                said = self._ask(question, seconds, deadline)
                if said is not None:
                    return said
                seconds *= 2
            rows *= 5

    def _branch(
        self, branching: Branching, question: Question, rows: float, deadline: float
    ) -> Outcome:
        """Branch over inputs, then over the patterns of the first layer, for about so long."""
        found = branching.run(rows=rows, deadline=deadline)
        early = not found.closed and found.point is None
        if early and self.target is None and question.folded.layers:
            patterns = Patterns(question.folded, question.ball, question.decision)
            return patterns.run(nodes=int(rows / 5), deadline=deadline)
        return found

    def _ask(self, question: Question, seconds: float, deadline: float) -> _Step | None:
        """What solvers say; None if they say nothing, or give a point that is none."""
        said = ask(question, seconds, deadline)
        method = ", ".join(said.solvers)
        if said.closed:
            return _Step(method, "one-solver" if len(said.solvers) == 1 else "two-solvers")
        if said.point is None or self._flips(said.point) > question.ball.radius:
            return None
        step = self._confirm(said.point, method)
        return None if step.why else step

    def _shell(self, folded: ThresholdNetwork, ball: Ball, deadline: float) -> _Step:
        """The sets of exactly the radius, one after the other."""
        if not self._targets(folded, ball):
            return _Step("bounds")
        method = "enumeration"
        first = folded.layers[0].weights if folded.layers else folded.readout
        start = product(self.centre[None, :], first)
        change = ball.changes(first).T
        for flips in _blocks(ball):
            if time.monotonic() > deadline:
                return _Step(method, why="Out of time.")
            sums = start + change[flips].sum(axis=1)
            changed = self._counts(np.argmax(folded.scores_after(sums), axis=1))
            if changed.any():
                return self._confirm(ball.flipped(flips[int(np.argmax(changed))]), method)
        return _Step(method)

    def _confirm(self, point: Array, method: str) -> _Step:
        """The point, if the whole network decides as it was said to."""
        if not bool(self._counts(self.network.decide(point[None, :]))[0]):
            why = "A point that was found does not stand the exact evaluation."
            return _Step(method, why=why)
        return _Step(method, states=point)


def _blocks(ball: Ball) -> Iterator[Array]:
    """All sets of exactly ``radius`` free inputs, as rows of their numbers."""
    sets = combinations(ball.free, ball.radius)
    while rows := list(islice(sets, _BLOCK)):
        yield np.array(rows, dtype=np.int64)


# rows of branching over inputs, then patterns of the first layer
_TURNS = ((5e3, 2_000), (1e5, 20_000), (4e6, 200_000))
_SIGNS = 50_000
_LEAF = [-1]


def ball_certificate(
    network: ThresholdNetwork, states: Array, radius: int, *, deadline: float = np.inf
) -> dict[str, Any] | None:
    """A proof for the kernel that the decision is the same in the whole Hamming ball.

    None if it is not, if it is later than ``deadline`` of `time.monotonic`, or if the tree grows
    beyond some millions of nodes.  The centre has entries -1 and 1.
    """
    most = min(radius, len(network.free))
    claim = _claim("holds", network, states) | {"radius": most}
    return _document(network, states, most, claim, deadline)


def distance_certificate(
    network: ThresholdNetwork,
    states: Array,
    witness: Sequence[int],
    *,
    deadline: float = np.inf,
) -> dict[str, Any] | None:
    """A proof for the kernel that no fewer flips than those of the witness change the decision.

    Results are those of `ball_certificate`; the witness is in states.
    """
    point = [rational_text(value) for value in network.point(witness)]
    claim = _claim("distance", network, states) | {"witness": point}
    flips = int(np.count_nonzero(np.asarray(witness) != states))
    return _document(network, states, flips - 1, claim, deadline)


def _claim(verdict: str, network: ThresholdNetwork, states: Array) -> dict[str, Any]:
    return {
        "verdict": verdict,
        "decision": int(network.decide(states[None, :])[0]),
        "centre": [rational_text(value) for value in network.point(states)],
    }


def _document(
    network: ThresholdNetwork,
    states: Array,
    radius: int,
    claim: dict[str, Any],
    deadline: float,
) -> dict[str, Any] | None:
    tree = _closed(network, Ball(states, network.free, radius), claim["decision"], deadline)
    if tree is None:
        return None
    return {
        "format": "tamecheck-ball-certificate",
        "version": 1,
        "network": network.document(),
        "claim": claim,
        "tree": tree,
    }


def _closed(
    network: ThresholdNetwork, ball: Ball, decision: int, deadline: float
) -> list[Any] | None:
    """A tree that closes the ball, in preorder.

    The search folds the network; without folding the same bounds hold, since a neuron that is
    constant on the ball has a constant bound on every part of it.
    """
    folded = ball.fold(network)
    targets = ball.rivals(folded, decision)
    if not targets:
        return _LEAF
    if time.monotonic() > deadline:
        return None
    search = Branching(folded, ball, [[(target, decision)] for target in targets])
    whole = ball.radius >= len(ball.free) and len(network.layers) > 0
    for turn, (rows, nodes) in enumerate(_TURNS):
        if turn == 1 and whole:
            signs = SignTree(network, ball.centre, decision)
            if signs.run(nodes=_SIGNS, deadline=deadline):
                return signs.nodes
        tree = Tree()
        found = search.run(rows=rows, deadline=deadline, tree=tree)
        if found.closed or found.point is not None:
            return tree.preorder() if found.closed else None
        if network.layers:
            patterns = Patterns(network, ball, decision)
            found = patterns.run(nodes=nodes, deadline=deadline)
            if found.closed or found.point is not None:
                return patterns.nodes if found.closed else None
    return None
