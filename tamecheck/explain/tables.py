"""The decisions of a network over its whole domain, as an array with one axis a feature."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.errors import InputError
from tamecheck.explain.domain import Domain
from tamecheck.ir.tensor import Array

__all__ = ["MAX_POINTS", "Reduced", "decision_table", "reduced", "score_blocks", "sums_of"]

MAX_POINTS = 2**24
"""A domain with more points than this is not visited point by point."""

_BLOCK = 1 << 13
_EXACT_SINGLE, _EXACT_DOUBLE = 2**24, 2**53


def sums_of(
    network: ThresholdNetwork, domain: Domain, allowed: Sequence[Sequence[int]]
) -> list[Array]:
    """What each allowed code of each feature adds to the sums of the first layer: (codes, sums)."""
    first = network.layers[0].weights if network.layers else network.readout
    if int(np.abs(first).sum(axis=1).max(initial=0)) >= _EXACT_DOUBLE:
        raise ValueError("sums exceed 53 bits")
    return [
        feature.codes[list(codes)].astype(np.int64) @ first[:, list(feature.inputs)].T
        for feature, codes in zip(domain.features, allowed, strict=True)
    ]


def score_blocks(
    network: ThresholdNetwork,
    domain: Domain,
    allowed: Sequence[Sequence[int]] | None = None,
    *,
    limit: int = MAX_POINTS,
) -> Iterator[Array]:
    """Scores ``(points, classes)`` over the domain, in the order of its codes, block by block.

    Parameters
    ----------
    network, domain
        The network, and what can occur.
    allowed
        The codes of each feature that are visited; all if None.
    limit
        The most points.

    Raises
    ------
    InputError
        If there are more points than ``limit``.
    """
    chosen = [range(len(f.codes)) for f in domain.features] if allowed is None else allowed
    points = prod(map(len, chosen))
    if points > limit:
        raise InputError(
            f"The domain has {points} points; at most {limit} are visited one by one.",
            hint="Hold some features, or give one-hot and thermometer groups.",
        )
    parts = sums_of(network, domain, chosen)
    width = len(network.layers[0].weights) if network.layers else network.classes
    at, size = len(parts), 1
    while at and size * len(parts[at - 1]) <= _BLOCK:
        at -= 1
        size *= len(parts[at])
    inner, outer = _combined(parts[at:], width), _combined(parts[:at], width)
    for row in outer:
        yield network.scores_after(inner + row)


def _combined(parts: Sequence[Array], width: int) -> Array:
    """The sums of all combinations of codes, the last feature moving fastest."""
    total = np.zeros((1, width), dtype=np.int64)
    for part in parts:
        total = (total[:, np.newaxis, :] + part).reshape(-1, width)
    return total


def decision_table(
    network: ThresholdNetwork,
    domain: Domain,
    allowed: Sequence[Sequence[int]] | None = None,
    *,
    limit: int = MAX_POINTS,
) -> Array:
    """The class of every point, an array with an axis for each feature of several codes.

    Every point is decided in integers.

    Raises
    ------
    InputError
        If there are more points than ``limit``, or more than 256 classes.
    """
    if network.classes > 256:
        raise InputError(f"{network.classes} classes; a decision table holds at most 256.")
    chosen = [range(len(f.codes)) for f in domain.features] if allowed is None else allowed
    blocks = score_blocks(network, domain, chosen, limit=limit)
    decided = [np.argmax(scores, axis=1).astype(np.uint8) for scores in blocks]
    return np.concatenate(decided).reshape([len(codes) for codes in chosen if len(codes) > 1])


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """A table without what does not matter.

    Parameters
    ----------
    table
        One axis for each feature in ``features``.
    features
        The numbers of the features that matter.
    groups
        For each of them, its codes in groups that are always decided alike; in the order of
        their first code.  For an ordered feature groups are intervals.
    """

    table: Array
    features: tuple[int, ...]
    groups: tuple[tuple[tuple[int, ...], ...], ...]


def reduced(table: Array, ordered: Sequence[bool]) -> Reduced:
    """The table with codes merged where they are decided alike in every context.

    A feature whose codes are all merged does not matter, and has no axis.

    Parameters
    ----------
    table
        The decisions.
    ordered
        Whether only neighbouring codes may be merged, for each feature.
    """
    features: list[int] = []
    kept: list[tuple[tuple[int, ...], ...]] = []
    for axis in range(table.ndim):
        groups = _alike(np.moveaxis(table, axis, 0), ordered=ordered[axis])
        table = table.take([group[0] for group in groups], axis=axis)
        if len(groups) > 1:
            features.append(axis)
            kept.append(groups)
    return Reduced(table.reshape([len(g) for g in kept]), tuple(features), tuple(kept))


def _alike(slices: Array, *, ordered: bool) -> tuple[tuple[int, ...], ...]:
    groups: list[list[int]] = []
    for code in range(len(slices)):
        seen = groups[-1:] if ordered else groups
        for group in seen:
            if np.array_equal(slices[group[0]], slices[code]):
                group.append(code)
                break
        else:
            groups.append([code])
    return tuple(tuple(group) for group in groups)
