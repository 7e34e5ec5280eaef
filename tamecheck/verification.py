"""Properties in the hands of a user: a model and a property file, one answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tamecheck.binarized import Distance
from tamecheck.ir.exact import rational
from tamecheck.ir.spec import Specification
from tamecheck.load.vnnlib import read_vnnlib
from tamecheck.model import Model
from tamecheck.verify import Answer, Replay, onnx_replay
from tamecheck.verify import hamming_distance as distance_in_graph
from tamecheck.verify import verify as verify_graph
from tamecheck.verify import verify_hamming as verify_ball

__all__ = ["hamming_distance", "replay_of", "verify", "verify_hamming"]


def verify(
    model: Model,
    spec: Specification | str | Path,
    *,
    timeout: float | None = None,
    seed: int = 0,
) -> Answer:
    """Whether no input of the property's region is unsafe: a proof, an exact witness, or neither.

    Parameters
    ----------
    model
        The network.
    spec
        The property, or the path of its VNN-LIB file (``.vnnlib``, also ``.gz``).
    timeout
        Seconds; when they are over the answer is unknown.
    seed
        Seed of the search for a violation.

    Raises
    ------
    InputError
        If the property cannot be read, or does not fit the model.
    """
    found = spec if isinstance(spec, Specification) else read_vnnlib(spec)
    return verify_graph(model.graph, found, timeout=timeout, seed=seed, replay=replay_of(model))


def verify_hamming(
    model: Model,
    point: Sequence[Any],
    radius: int,
    *,
    domain: tuple[Any, Any] = (-1, 1),
    timeout: float | None = None,
) -> Answer:
    """Whether a binarized network decides alike wherever at most ``radius`` inputs change level.

    Parameters
    ----------
    model
        A binarized network.
    point
        The centre: the flat elements of the input, each one of the two levels.
    radius
        How many inputs may change.
    domain
        The two levels of every input.
    timeout
        Seconds; when they are over the answer is unknown.

    Raises
    ------
    UnsupportedError
        If the model is no binarized network, naming the nodes.
    InputError
        If the point or the radius does not fit.
    """
    levels = (rational(domain[0]), rational(domain[1]))
    centre = [rational(value) for value in point]
    return verify_ball(
        model.graph, centre, radius, domain=levels, timeout=timeout, replay=replay_of(model)
    )


def hamming_distance(
    model: Model,
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
    levels = (rational(domain[0]), rational(domain[1]))
    centre = [rational(value) for value in point]
    return distance_in_graph(model.graph, centre, domain=levels, timeout=timeout)


def replay_of(model: Model) -> Replay | None:
    """A float32 run of the model's file, if it has one that can be run."""
    source = Path(model.loaded.where)
    return onnx_replay(source) if model.loaded.format == "onnx" and source.is_file() else None
