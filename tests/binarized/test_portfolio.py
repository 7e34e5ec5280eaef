"""What solvers say is labelled as their word; their programs mean what the network means."""

import itertools
import json
from fractions import Fraction

import numpy as np
import pytest
from corpus import threshold_network

import tamecheck as tc
from tamecheck.binarized import Distance, ThresholdLayer, ThresholdNetwork, distance, robust
from tamecheck.binarized import portfolio as module
from tamecheck.binarized.network import Ball, Outcome
from tamecheck.binarized.portfolio import (
    Question,
    ask,
    misclassified_program,
)
from tamecheck.cli import main
from tamecheck.verification import Unknown
from tamecheck.verification import hamming as balls


def exclusive_or():
    """Class 1 where two inputs differ: an OR and a NAND, and class 1 where both hold."""
    layer = ThresholdLayer(np.array([[1, 1], [-1, -1]]), np.array([0, 0]))
    readout, offsets = np.array([[0, 0], [1, 1]]), np.array([1, 0])
    return ThresholdNetwork(*((Fraction(v),) * 2 for v in (-1, 1)), (layer,), readout, offsets)


def question(radius, targets=(1,)):
    ball = Ball(np.ones(2, dtype=np.int8), (0, 1), radius)
    return Question(exclusive_or(), ball, 0, list(targets))


@pytest.mark.parametrize("first", ["minicard", "highs"])
def test_each_solver_finds_the_flip(first, monkeypatch):
    monkeypatch.setattr(module, "_SOLVERS", {first: module._SOLVERS[first]})
    said = ask(question(1), 20, float("inf"))
    assert said.solvers == (first,)
    assert exclusive_or().decide(said.point[None, :])[0] == 1


def test_both_say_that_there_is_none():
    # without a flip the inputs are equal
    said = ask(question(0), 20, float("inf"))
    assert said.closed
    assert said.solvers == ("minicard", "highs")


def test_one_solver_alone_is_named(monkeypatch):
    def silent(_question, _seconds):
        return Outcome(why="highs: not installed.")

    monkeypatch.setattr(module, "_SOLVERS", module._SOLVERS | {"highs": silent})
    said = ask(question(0), 20, float("inf"))
    assert said.closed
    assert said.solvers == ("minicard",)


def test_no_time_is_no_answer():
    said = ask(question(1), 20, 0.0)
    assert (said.closed, said.point, said.why) == (False, None, "Out of time.")


@pytest.mark.parametrize("seed", range(8))
def test_the_program_has_exactly_the_points_that_are_decided_for_a_target(seed):
    rng = np.random.default_rng(seed)
    widths = (int(rng.integers(2, 4)), 3)
    network = threshold_network(rng, 4, widths, 3, thresholds=3, readout=3)
    centre, radius = rng.choice(np.array([-1, 1], dtype=np.int8), 4), int(rng.integers(5))
    scores = network.scores(centre[None, :])[0]
    decision = int(np.argmax(scores))
    targets = [c for c in range(3) if c != decision]
    program = misclassified_program(
        network, Ball(centre, tuple(range(4)), radius), decision, targets
    )
    for states in itertools.product([-1, 1], repeat=4):
        values = list(states)
        before = np.array([states])
        for layer in network.layers:
            before = layer.states(before)
            values += before[0].tolist()
        columns = [Fraction(v + 1, 2) for v in values]
        holds = any(
            all(row.admits(row.value([*columns, *map(Fraction, guards)])) for row in program.rows)
            for guards in itertools.product([0, 1], repeat=len(targets))
        )
        inside = int((np.array(states) != centre).sum()) <= radius
        changed = int(network.decide(np.array([states]))[0]) != decision
        assert holds == (inside and changed)
        # and no other states of the neurons satisfy the rows
        for place in range(4, len(columns)):
            wrong = [1 - v if k == place else v for k, v in enumerate(columns)]
            points = ([*wrong, *map(Fraction, g)] for g in itertools.product([0, 1], repeat=2))
            assert not any(all(row.admits(row.value(p)) for row in program.rows) for p in points)


@pytest.mark.parametrize(("solvers", "word"), [(("minicard", "highs"), "two"), (("highs",), "one")])
def test_an_answer_says_on_whose_word_it_rests(solvers, word, monkeypatch):
    monkeypatch.setattr(distance, "_FREE_WORK", 0)
    monkeypatch.setattr(distance, "_ROWS", -1)
    monkeypatch.setattr(distance, "ask", lambda *_: Outcome(closed=True, solvers=solvers))
    found = robust(exclusive_or(), np.ones(2, dtype=np.int8), 1)
    assert found.checked == ("two-solvers" if word == "two" else "one-solver")
    assert found.method == ", ".join(solvers)


def test_what_only_solvers_say_of_a_ball_is_no_answer(monkeypatch):
    said = Distance(1, 2, None, None, "minicard, highs", "two-solvers")
    monkeypatch.setattr(balls, "robust", lambda *_, **__: said)
    answer = tc.verify_hamming(tc.expression("sign(x + y + z)"), [1, 1, 1], 1)
    assert isinstance(answer, Unknown)
    assert answer.said_by == "minicard, highs"


def test_a_certificate_makes_an_answer_of_what_solvers_say(monkeypatch, tmp_path, capsys):
    said = Distance(1, 2, None, None, "minicard, highs", "two-solvers")
    monkeypatch.setattr(balls, "robust", lambda *_, **__: said)
    (tmp_path / "p.json").write_text("[1, 1, 1]")
    words = ["verify", "--expr", "sign(x + y + z)", "--input", str(tmp_path / "p.json"), "--json"]
    assert main([*words, "--hamming", "1"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["verdict"], answer["rests_on"]) == ("holds", "certificate")
    # one flip of (1, 1, -1) changes the decision: no proof can be found
    (tmp_path / "p.json").write_text("[1, 1, -1]")
    assert main([*words, "--hamming", "1"]) == 3
    answer = json.loads(capsys.readouterr().out)
    assert (answer["verdict"], answer["rests_on"]) == ("unknown", None)
    assert "Only the word of a solver" in answer["reason"]
