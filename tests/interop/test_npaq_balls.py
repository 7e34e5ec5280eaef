"""Balls and distances of NPAQ's larger networks: brute force on a part, a second engine, proofs."""

import itertools
import json

import numpy as np
import onnxruntime
import pytest

import tamecheck as tc
from tamecheck.binarized import (
    Ball,
    ball_certificate,
    count_classes,
    distance_certificate,
    minimum_distance,
    recognise,
    robust,
)
from tamecheck.binarized.portfolio import misclassified
from tamecheck.ir.answer import Feasible, Infeasible
from tamecheck.kernel_bnn import check
from tamecheck.solvers.sat import satisfiable


def network_of(path):
    model = tc.load(path)
    size = int(np.prod(next(iter(model.inputs.values()))))
    return recognise(model.graph, [(-1, 1)] * size)


@pytest.fixture
def networks(data):
    return {
        path.stem: network_of(path)
        for path in sorted((data / "bnn" / "npaq").glob("*.onnx"))
        if network_of(path).inputs >= 16
    }


def sphere(states, radius):
    """All points at a Hamming distance of exactly ``radius``."""
    sets = np.array(list(itertools.combinations(range(len(states)), radius)), dtype=np.int64)
    points = np.repeat(states[None, :], len(sets), axis=0)
    np.put_along_axis(points, sets, -np.take_along_axis(points, sets, axis=1), axis=1)
    return points


def test_balls_of_up_to_five_are_those_of_brute_force(networks):
    rng = np.random.default_rng(0)
    assert {network.inputs for network in networks.values()} == {25, 100}
    for network in networks.values():
        # all spheres that brute force can visit
        most = 5 if network.inputs == 25 else 3
        for _ in range(20 if network.inputs == 25 else 4):
            states = rng.choice(np.array([-1, 1], dtype=np.int8), network.inputs)
            own = network.decide(states[None, :])[0]
            nearest = next(
                (r for r in range(1, most + 1) if (network.decide(sphere(states, r)) != own).any()),
                None,
            )
            for radius in range(1, most + 1):
                answer = robust(network, states, radius)
                assert (answer.witness is not None) == (nearest is not None and nearest <= radius)
                assert answer.checked == "enumeration"
                shown = ball_certificate(network, states, radius)
                assert (shown is None) == (answer.witness is not None)
                assert shown is None or check(json.dumps(shown)).verdict == "valid"


def test_distances_are_those_of_a_second_engine(networks):
    rng = np.random.default_rng(1)
    for network in networks.values():
        for _ in range(3):
            states = rng.choice(np.array([-1, 1], dtype=np.int8), network.inputs)
            found = minimum_distance(network, states)
            assert found.exact
            assert found.checked == "enumeration"
            assert isinstance(asked(network, states, found.upper), Feasible)
            assert isinstance(asked(network, states, found.upper - 1), Infeasible)
            proof = distance_certificate(network, states, found.witness)
            assert check(json.dumps(proof)).verdict == "valid"


def asked(network, states, radius):
    """What minicard says about a change in the ball."""
    ball = Ball(states, network.free, radius)
    folded = ball.fold(network)
    decision = int(network.decide(states[None, :])[0])
    targets = ball.rivals(folded, decision)
    if not targets:
        return Infeasible("bounds")
    formula, _ = misclassified(folded, ball, decision, targets)
    return satisfiable(formula.clauses, formula.at_most)


def test_a_part_of_the_inputs_of_25_is_counted_as_onnxruntime_decides(data):
    path = data / "bnn" / "npaq" / "mnist-25-bnn_25_1blk_20.onnx"
    fixed = {i: 1 if i % 3 else -1 for i in range(9)}
    points = np.array(list(itertools.product([-1.0, 1.0], repeat=25 - len(fixed))))
    held = np.repeat([list(fixed.values())], len(points), axis=0)
    rows = np.concatenate([held, points], axis=1).astype(np.float32)
    session = onnxruntime.InferenceSession(str(path))
    name = session.get_inputs()[0].name
    decided = [int(np.argmax(session.run(None, {name: row[None, :]})[0])) for row in rows[::16]]
    network = network_of(path)
    assert network.decide(rows[::16].astype(np.int8)).tolist() == decided
    every = np.bincount(network.decide(rows.astype(np.int8)), minlength=10).tolist()
    assert count_classes(network, fixed) == every


@pytest.mark.slow
def test_the_classes_of_all_inputs_of_25_are_the_sum_of_two_halves(data):
    network = network_of(data / "bnn" / "npaq" / "mnist-25-bnn_25_1blk_20.onnx")
    halves = [count_classes(network, {11: state}) for state in (-1, 1)]
    assert sum(map(sum, halves)) == 2**25
    assert count_classes(network) == [a + b for a, b in zip(*halves, strict=True)]
