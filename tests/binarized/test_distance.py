"""Distances, robustness and counts against brute force, by enumeration and by the solver."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from corpus import some_threshold_network

from tamecheck.binarized import (
    ThresholdLayer,
    ThresholdNetwork,
    count_classes,
    distance,
    minimum_distance,
    robust,
)
from tamecheck.binarized.branching import Patterns
from tamecheck.binarized.network import Ball
from tamecheck.errors import InputError

# work that is enumerated, rows of branch and bound before solvers are asked
ENGINES = {"enumeration": (1e9, 1e6), "branch and bound": (0, 1e6), "solvers": (0, -1)}


def majority(n):
    """One neuron that is +1 where at least half of n inputs are, and the decision that it is."""
    layer = ThresholdLayer(np.ones((1, n), dtype=np.int64), np.zeros(1, dtype=np.int64))
    readout = np.array([[-1], [1]], dtype=np.int64)
    levels = (Fraction(-1),) * n, (Fraction(1),) * n
    return ThresholdNetwork(*levels, (layer,), readout, np.zeros(2, dtype=np.int64))


def all_states(n):
    return np.array(list(itertools.product([-1, 1], repeat=n)), dtype=np.int8)


def brute_distance(network, states):
    points = all_states(network.inputs)
    decided = network.decide(points)
    changed = decided != network.decide(states[None, :])[0]
    return min((points[changed] != states).sum(axis=1).tolist(), default=None)


def choose(monkeypatch, engine):
    free, rows = ENGINES[engine]
    monkeypatch.setattr(distance, "_FREE_WORK", free)
    monkeypatch.setattr(distance, "_ROWS", rows)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_majority_of_five_falls_with_three_flips(engine, monkeypatch):
    choose(monkeypatch, engine)
    found = minimum_distance(majority(5), np.ones(5, dtype=np.int8))
    assert (found.decision, found.lower, found.upper, found.why) == (1, 3, 3, "")
    assert sum(found.witness) == -1
    assert found.checked == "enumeration"


@pytest.mark.parametrize(
    ("engine", "seed"),
    [(e, s) for e in ENGINES for s in range(4 if e == "solvers" else 40)],
)
def test_distance_is_that_of_brute_force(engine, seed, monkeypatch):
    choose(monkeypatch, engine)
    network, rng = some_threshold_network(seed)
    states = rng.choice(np.array([-1, 1], dtype=np.int8), network.inputs)
    true, found = brute_distance(network, states), minimum_distance(network, states)
    assert found.why == ""
    assert found.upper == true
    assert found.lower == (network.inputs + 1 if true is None else true)


@pytest.mark.parametrize(
    ("engine", "seed"),
    [(e, s) for e in ENGINES for s in range(40, 42 if e == "solvers" else 80)],
)
@pytest.mark.parametrize("radius", [1, 3])
def test_robustness_is_that_of_brute_force(engine, seed, radius, monkeypatch):
    choose(monkeypatch, engine)
    network, rng = some_threshold_network(seed)
    states = rng.choice(np.array([-1, 1], dtype=np.int8), network.inputs)
    true, found = brute_distance(network, states), robust(network, states, radius)
    violated = true is not None and true <= radius
    assert (found.witness is not None) == violated
    assert violated or found.lower > min(radius, network.inputs)
    assert engine == "solvers" or found.checked == "enumeration"


@pytest.mark.parametrize("engine", ["enumeration", "branch and bound"])
@pytest.mark.parametrize("seed", range(10))
def test_the_distance_to_a_class_is_that_of_brute_force(engine, seed, monkeypatch):
    choose(monkeypatch, engine)
    network, rng = some_threshold_network(seed)
    states = rng.choice(np.array([-1, 1], dtype=np.int8), network.inputs)
    points = all_states(network.inputs)
    decided = network.decide(points)
    for target in {0, 1, 2} - {int(network.decide(states[None, :])[0])}:
        flips = (points != states).sum(axis=1)[decided == target]
        found = minimum_distance(network, states, target=target)
        assert found.upper == min(flips.tolist(), default=None)


@pytest.mark.parametrize("seed", range(48))
def test_patterns_agree_with_brute_force(seed):
    network, rng = some_threshold_network(seed)
    states = rng.choice(np.array([-1, 1], dtype=np.int8), network.inputs)
    true = brute_distance(network, states) or network.inputs + 1
    if not network.layers:
        return
    decision = int(network.decide(states[None, :])[0])
    for radius in range(1, network.inputs + 1):
        ball = Ball(states, network.free, radius)
        found = Patterns(network, ball, decision).run(nodes=10**6)
        if found.closed:
            assert radius < true
        elif found.point is not None:
            assert network.decide(found.point[None, :])[0] != decision
            assert (found.point != states).sum() <= radius


@pytest.mark.parametrize("seed", range(10))
def test_counts_are_those_of_brute_force(seed):
    network, _ = some_threshold_network(seed)
    decided = network.decide(all_states(network.inputs))
    assert count_classes(network) == np.bincount(decided, minlength=3).tolist()


def test_counts_with_a_fixed_input():
    # of the 4 inputs with the first at -1, majority needs both others: sums 1, -1, -1, -3
    assert count_classes(majority(3), {0: -1}) == [3, 1]


def test_an_expired_search_is_open():
    found = minimum_distance(majority(5), np.ones(5, dtype=np.int8), timeout=0)
    assert found.why == "Out of time."
    assert found.witness is None
    assert not found.exact


def test_bad_questions_are_refused():
    with pytest.raises(InputError, match="states -1 or 1"):
        minimum_distance(majority(3), np.zeros(3, dtype=np.int8))
    with pytest.raises(InputError, match="no other class"):
        minimum_distance(majority(3), np.ones(3, dtype=np.int8), target=1)
    with pytest.raises(InputError, match="neither"):
        majority(3).states(np.array([0.5, 1, 1]))
