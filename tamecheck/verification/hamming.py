"""Decisions of binarized networks in Hamming balls."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb

from tamecheck.binarized import (
    Distance,
    ThresholdNetwork,
    ball_certificate,
    distance_certificate,
    minimum_distance,
    recognise,
    robust,
)
from tamecheck.budget import Budget
from tamecheck.errors import InputError, SolverError
from tamecheck.ir.arguments import natural, rationals, seconds
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import Array, size_of
from tamecheck.model import Model
from tamecheck.verification.answer import RECOMPUTATION, Answer, Holds, Unknown, Violated, Witness
from tamecheck.verification.witness import Replay, exact_outputs, graph_of, replay_of

_SAMPLES = 4


def hamming_distance(
    model: Model | Graph,
    point: Sequence[Any],
    *,
    domain: tuple[Any, Any] = (-1, 1),
    timeout: float | None = None,
) -> Distance:
    """The least number of inputs that must change level to change a binarized network's decision.

    Parameters and errors are those of `verify_hamming`.

    Returns
    -------
    Distance
        ``exact`` says whether ``upper``, the flips of the witness, is the least number; ``checked``
        says what that rests on.  The witness is in states: -1 the low level, 1 the high one.
    """
    return HammingBall.of(model, point, domain).distance(timeout=seconds(timeout))


def verify_hamming(  # noqa: PLR0913 (keywords, all of them optional)
    model: Model | Graph,
    point: Sequence[Any],
    radius: int,
    *,
    domain: tuple[Any, Any] = (-1, 1),
    timeout: float | None = None,
    replay: Replay | None = None,
) -> Answer:
    """Whether a binarized network decides alike wherever at most ``radius`` inputs change level.

    The decision is the class of the largest output, the first of several; of a single output,
    whether it is positive.

    Parameters
    ----------
    model
        A binarized network, or its graph; see `tamecheck.binarized.recognise`.
    point
        The centre: the flat elements of the input, each one of the two levels.
    radius
        How many inputs may change.
    domain
        The two levels of every input.
    timeout
        Seconds; when they are over the answer is unknown.
    replay
        A float32 run of the network, to report whether it decides the witness otherwise too; by
        default that of the model's ONNX file, if there is one.

    Returns
    -------
    Answer
        A `Holds` was concluded in integers: every point was closed by a bound or evaluated.  Where
        only solvers say that there is no change, the answer is `Unknown`.

    Raises
    ------
    UnsupportedError
        If the model is no binarized network, naming the nodes.
    InputError
        If the point or the radius does not fit.
    """
    ball, radius = HammingBall.of(model, point, domain), natural(radius, what="radius")
    return ball.verify(radius, timeout=seconds(timeout), replay=replay or replay_of(model))


@dataclass(frozen=True, slots=True, eq=False)
class HammingBall:
    """The points around a centre in states -1 and 1, for a model that is read in integers too."""

    graph: Graph
    network: ThresholdNetwork
    states: Array

    @classmethod
    def of(
        cls, model: Model | Graph, point: Sequence[Any], domain: tuple[Any, Any] = (-1, 1)
    ) -> HammingBall:
        """Read the model and the centre; errors are those of `verify_hamming`."""
        graph = graph_of(model)
        row = rationals(point, what="point").reshape(1, -1)
        levels = rationals(domain, what="domain").reshape(-1).tolist()
        if len(levels) != 2:
            message = f"The domain has {len(levels)} levels, not two."
            raise InputError(message, hint="Write (-1, 1).")
        network = recognise(graph, [tuple(levels)] * sum(map(size_of, graph.inputs.values())))
        return cls(graph, network, network.states(row)[0])

    def verify(
        self, radius: int, *, timeout: float | None = None, replay: Replay | None = None
    ) -> Answer:
        """Whether the decision is the same at most ``radius`` flips away, as `verify_hamming`."""
        started = time.monotonic()
        found = robust(self.network, self.states, radius, timeout=timeout)
        seconds = time.monotonic() - started
        if found.witness is not None and found.upper is not None:
            reason = f"{found.upper} changed inputs change the decision, by exact evaluation."
            facts = {"changed inputs": found.upper}
            return Violated(self.witness(found, replay), found.method, reason, seconds, facts)
        if found.lower > min(radius, len(self.network.free)):
            if found.checked != "enumeration":
                return Unknown(solvers_word(found), seconds, said_by=found.method)
            reason = "No input of the ball is decided otherwise, in integer arithmetic."
            return Holds(found.method, reason, seconds, {}, RECOMPUTATION, found.checked)
        late = found.why.lower().endswith("out of time.")
        return Unknown(found.why, seconds, late, {"radius shown": found.lower - 1})

    def distance(self, *, timeout: float | None = None) -> Distance:
        """The least number of flips that changes the decision."""
        return minimum_distance(self.network, self.states, timeout=timeout)

    def witness(self, found: Distance, replay: Replay | None = None) -> Witness:
        """The witness of an answer in the model's own levels, evaluated by the model's own ops.

        A `SolverError` if the model decides there as at the centre: it was not read rightly then.
        """
        inputs = self.network.point(found.witness or ())
        outputs = exact_outputs(self.graph, inputs) or []
        if _decision(outputs) == found.decision:
            raise _contradiction(" at the witness")
        return Witness.of(inputs, outputs, float32=_replay(replay, inputs, found.decision))

    def certify(self, radius: int, *, timeout: float | None = None) -> dict[str, Any] | None:
        """A certificate that the decision stays within ``radius`` flips; None if none was found.

        The reading of the model is compared with the model itself at the centre and some points.
        """
        self._sample()
        return ball_certificate(
            self.network, self.states, radius, deadline=Budget.of(timeout).deadline
        )

    def certify_distance(
        self, found: Distance, *, timeout: float | None = None
    ) -> dict[str, Any] | None:
        """A certificate that the witness of a distance is nearest; None if none was found."""
        self._sample()
        if found.witness is None:
            return self.certify(len(self.network.free), timeout=timeout)
        ends = self.network, self.states, found.witness
        return distance_certificate(*ends, deadline=Budget.of(timeout).deadline)

    def _sample(self) -> None:
        rng = np.random.default_rng(0)
        points = np.repeat(self.states[None, :], _SAMPLES + 1, axis=0)
        free = list(self.network.free)
        flips = rng.choice(np.array([-1, 1], dtype=np.int8), (_SAMPLES, len(free)))
        points[1:, free] *= flips
        for states, decided in zip(points, self.network.decide(points).tolist(), strict=True):
            own = _decision(exact_outputs(self.graph, self.network.point(states)) or [])
            if own not in (None, decided):
                raise _contradiction("")


def _contradiction(where: str) -> SolverError:
    return SolverError(
        f"The model contradicts its reading as a binarized network{where}.",
        hint="Please report it, with the model.",
    )


def solvers_word(found: Distance) -> str:
    """Why what solvers say of a distance is no answer."""
    return f"Only the word of a solver ({found.method}) says that there is no change."


def _decision(outputs: Sequence[Fraction | arb]) -> int | None:
    """The class of exact outputs; None where they are no rationals."""
    exact = [value for value in outputs if isinstance(value, Fraction)]
    if not exact or len(exact) < len(outputs):
        return None
    return exact.index(max(exact)) if len(exact) > 1 else int(exact[0] > 0)


def _replay(replay: Replay | None, inputs: Sequence[Fraction], decision: int) -> bool | None:
    if replay is None:
        return None
    outputs = replay(np.array([float(value) for value in inputs], dtype=np.float32))
    if outputs is None or not np.isfinite(outputs).all():
        return None
    decided = int(np.argmax(outputs)) if len(outputs) > 1 else int(outputs[0] > 0)
    return decided != decision
