"""Properties in the hands of a user: a model and a property file, one answer."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from tamecheck.binarized import Distance
from tamecheck.errors import InputError
from tamecheck.ir.arguments import instance, natural, path, rationals, seconds
from tamecheck.ir.spec import Specification
from tamecheck.loaders.text.vnnlib import read_vnnlib
from tamecheck.model import Model
from tamecheck.verification import Answer, Replay, onnx_replay
from tamecheck.verification import hamming_distance as distance_in_graph
from tamecheck.verification import verify as verify_graph
from tamecheck.verification import verify_hamming as verify_ball

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
    _checked(model)
    found = spec if isinstance(spec, Specification) else read_vnnlib(path(spec, what="property"))
    return verify_graph(
        model.graph,
        found,
        timeout=seconds(timeout),
        seed=natural(seed, what="seed"),
        replay=replay_of(model),
    )


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
    _checked(model)
    centre, levels = _centre(point), _levels(domain)
    radius = natural(radius, what="radius")
    limit, replay = seconds(timeout), replay_of(model)
    return verify_ball(model.graph, centre, radius, domain=levels, timeout=limit, replay=replay)


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
    _checked(model)
    levels = _levels(domain)
    return distance_in_graph(model.graph, _centre(point), domain=levels, timeout=seconds(timeout))


def _checked(model: object) -> Model:
    return instance(model, Model, what="model", hint="Load it by tc.load or tc.expression.")


def _centre(point: object) -> list[Fraction]:
    return rationals(point, what="point").reshape(-1).tolist()


def _levels(domain: object) -> tuple[Fraction, Fraction]:
    """The two levels of every input."""
    levels = rationals(domain, what="domain").reshape(-1).tolist()
    if len(levels) != 2:
        raise InputError(f"The domain has {len(levels)} levels, not two.", hint="Write (-1, 1).")
    return levels[0], levels[1]


def replay_of(model: Model) -> Replay | None:
    """A float32 run of the model's file, if it has one that can be run."""
    source = Path(model.loaded.where)
    return onnx_replay(source) if model.loaded.format == "onnx" and source.is_file() else None
