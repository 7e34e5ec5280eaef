"""Certificates: a tree over the flips of a ball whose leaves bounds close."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from tamecheck.binarized.branching import Branching, Patterns, Tree
from tamecheck.binarized.network import Ball, ThresholdNetwork
from tamecheck.ir.exact import rational_text
from tamecheck.ir.tensor import Array

__all__ = ["ball_certificate", "distance_certificate"]

# rows of branching over inputs, then patterns of the first layer
_TURNS = ((5e3, 2_000), (1e5, 20_000), (4e6, 200_000))
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
    for rows, nodes in _TURNS:
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
