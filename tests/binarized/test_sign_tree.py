"""Proofs over all states by splitting signs: there are some of what holds; the kernel agrees."""

from itertools import product

import numpy as np
import pytest
from corpus import threshold_network

from tamecheck.binarized.copies import Chain, copies, over_all_states
from tamecheck.binarized.sign_tree import SignTree
from tamecheck.errors import UnsupportedError
from tamecheck.ir.graph import canonical_json
from tamecheck.kernel_bnn.checker import check

INPUTS = 6


def network(rng, *, classes=2):
    widths = rng.integers(1, 4, size=rng.integers(1, 3))
    return threshold_network(rng, INPUTS, widths, classes, thresholds=3, offsets=4, low=0)


STATES = np.array(list(product((-1, 1), repeat=INPUTS)), dtype=np.int8)


def is_accepted(net, centre, decision, nodes):
    document = {
        "format": "tamecheck-ball-certificate",
        "version": 1,
        "network": net.document(),
        "claim": {
            "verdict": "holds",
            "decision": decision,
            "centre": [str(value) for value in net.point(centre)],
            "radius": len(net.free),
        },
        "tree": nodes,
    }
    return check(canonical_json(document)).verdict == "valid"


def test_a_proof_is_found_exactly_where_all_states_are_decided_alike():
    shown = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        net = network(rng, classes=int(rng.integers(2, 4)))
        if seed % 3:
            chain = Chain((0, 1), np.array([[-1, -1], [1, -1], [1, 1]]), "rises")
            groups = [((2, 3, 4), 2 * np.eye(3, dtype=np.int64) - 1)]
            net = over_all_states(copies(net, [chain], "decision"), groups)
        decided = net.decide(STATES)
        centre = STATES[rng.integers(len(STATES))]
        decision = int(net.decide(centre[None])[0])
        tree = SignTree(net, centre, decision)
        holds = bool((decided == decision).all())
        assert tree.run(nodes=5000) == holds
        if holds:
            assert is_accepted(net, centre, decision, tree.nodes)
            shown += 1
    assert 10 < shown < 50


@pytest.mark.parametrize("seed", range(8))
def test_states_that_cannot_occur_break_nothing(seed):
    rng = np.random.default_rng(seed)
    made = copies(network(rng), [Chain((5,), np.array([[-1], [1]]), "equal")], "decision")
    steps = np.array([[-1, -1], [1, -1], [1, 1]])
    single = 2 * np.eye(3, dtype=np.int64) - 1
    whole = over_all_states(made, [((0, 1), steps), ((2, 3, 4), single)])
    possible = [
        list(row[:2]) in steps.tolist() and list(row[2:5]) in single.tolist() for row in STATES
    ]
    assert np.array_equal(whole.decide(STATES), made.decide(STATES) * np.array(possible))
    with pytest.raises(UnsupportedError, match="no thermometer"):
        over_all_states(made, [((0, 1), np.array([[-1, 1], [1, 1], [1, -1]]))])
