"""Decisions of binarized networks in Hamming balls."""

from __future__ import annotations

import time
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from flint import arb

from tamecheck.binarized import Distance, minimum_distance, recognise, robust
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import Array, size_of
from tamecheck.verify.answer import Answer, Holds, Unknown, Violated, Witness
from tamecheck.verify.witness import Replay, exact_outputs

__all__ = ["hamming_distance", "verify_hamming"]


def hamming_distance(
    graph: Graph,
    point: Sequence[Fraction],
    *,
    domain: tuple[Fraction, Fraction] = (Fraction(-1), Fraction(1)),
    timeout: float | None = None,
) -> Distance:
    """The least number of inputs to move to their other level so that the decision changes.

    Parameters and errors are those of `verify_hamming`; the witness is in states -1 and 1.
    """
    network = recognise(graph, [domain] * sum(map(size_of, graph.inputs.values())))
    states = network.states(_row(point))[0]
    return minimum_distance(network, states, timeout=timeout)


def verify_hamming(  # noqa: PLR0913 (keywords, all of them optional)
    graph: Graph,
    point: Sequence[Fraction],
    radius: int,
    *,
    domain: tuple[Fraction, Fraction] = (Fraction(-1), Fraction(1)),
    timeout: float | None = None,
    replay: Replay | None = None,
) -> Answer:
    """Whether a binarized network's decision stays when at most ``radius`` inputs change level.

    The decision is the class of the largest output, the first of several; of a single output,
    whether it is positive.

    Parameters
    ----------
    graph
        A binarized network, see `tamecheck.binarized.recognise`.
    point
        The centre, flat, each element one of the two levels.
    radius
        How many inputs may change.
    domain
        The two levels of every input.
    timeout
        Seconds.
    replay
        A float32 run of the model, to report whether it decides the witness otherwise too.

    Raises
    ------
    UnsupportedError
        If the model is no binarized network, naming the nodes.
    InputError
        If the point or radius does not fit.
    """
    started = time.monotonic()
    network = recognise(graph, [domain] * sum(map(size_of, graph.inputs.values())))
    states = network.states(_row(point))[0]
    found = robust(network, states, radius, timeout=timeout)
    seconds = time.monotonic() - started
    if found.witness is not None and found.upper is not None:
        inputs = network.point(found.witness)
        outputs = exact_outputs(graph, inputs) or []
        texts = tuple(str(v) if isinstance(v, arb) else v for v in outputs)
        witness = Witness(inputs, texts, _replayed(replay, inputs, found.decision))
        reason = f"{found.upper} changed inputs change the decision, by exact evaluation."
        return Violated(witness, found.method, reason, seconds, {"changed inputs": found.upper})
    if found.lower > min(radius, len(network.free)):
        reason = "No input of the ball is decided otherwise, in integer arithmetic."
        if "minicard" in found.method:
            reason = "No input of the ball is decided otherwise; this rests on the solver's word."
        return Holds(found.method, reason, seconds, {})
    late = found.why.lower().endswith("out of time.")
    return Unknown(found.why, seconds, late, {"radius shown": found.lower - 1})


def _row(point: Sequence[Fraction]) -> Array:
    row = np.empty((1, len(point)), dtype=object)
    row[0, :] = list(point)
    return row


def _replayed(replay: Replay | None, inputs: Sequence[Fraction], decision: int) -> bool | None:
    if replay is None:
        return None
    outputs = replay(np.array([float(value) for value in inputs], dtype=np.float32))
    if outputs is None or not np.isfinite(outputs).all():
        return None
    decided = int(np.argmax(outputs)) if len(outputs) > 1 else int(outputs[0] > 0)
    return decided != decision
