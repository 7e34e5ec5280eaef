"""Shapley values beside their definition, and the laws that they satisfy."""

import json
from fractions import Fraction
from itertools import product
from math import factorial

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.budget import Budget
from tamecheck.cli import main
from tamecheck.explain import Explainer, check, domain_of, shapley
from tamecheck.explain.check import Recomputation
from tests.explain.test_protected import domain, every, network


def by_definition(net, dom, codes, target, drawn):
    """The mean gain over all orders of the probability that the class is the target's."""
    states = np.array([dom.states(c) for c in every(dom)])
    decided = dict(zip(every(dom), net.decide(states).tolist(), strict=True))
    count = len(codes)
    worth = {
        held: Fraction(
            sum(
                decided[tuple(c if own else r for own, c, r in zip(held, codes, row, strict=True))]
                == target
                for row in drawn
            ),
            len(drawn),
        )
        for held in product((0, 1), repeat=count)
    }
    return [
        sum(
            Fraction(factorial(sum(held)) * factorial(count - 1 - sum(held)), factorial(count))
            * (worth[(*held[:k], 1, *held[k + 1 :])] - value)
            for held, value in worth.items()
            if not held[k]
        )
        for k in range(count)
    ]


@pytest.mark.parametrize("few", [0, 14])
@pytest.mark.parametrize("seed", range(15))
def test_values_are_those_of_the_definition(seed, few, monkeypatch):
    for module in (shapley, check):
        monkeypatch.setattr(module, "_FEW", few)
    rng = np.random.default_rng(seed)
    net = network(rng, inputs=5)
    dom = domain(rng, net)
    points = every(dom)
    codes, target = points[rng.integers(len(points))], int(rng.integers(net.classes))
    rows = [points[k] for k in rng.integers(len(points), size=4)]
    again = Recomputation(net, dom)
    game = shapley.Game(net, dom, codes, target, Budget())
    if not few:
        found = by_definition(net, dom, codes, target, points)
        assert game.over_domain() == found
        assert again.shapley(codes, target) == found
    found = by_definition(net, dom, codes, target, rows)
    assert game.over_rows(rows) == found
    found = by_definition(net, dom, codes, target, rows[:1])
    assert again.shapley(codes, target, rows[0]) == found


@pytest.mark.parametrize("seed", range(8))
def test_values_add_up_equal_features_are_equal_and_null_features_have_none(seed):
    rng = np.random.default_rng(seed)
    net = network(rng)
    first = net.layers[0].weights if net.layers else net.readout
    first[:, 1], first[:, 2] = first[:, 0], 0
    explainer = Explainer.over(net, domain_of(net))
    x = np.array(net.point(rng.choice([-1, 1], size=6)))
    x[1] = x[0]
    found = explainer.shapley(x, target=int(rng.integers(net.classes)))
    assert found.checked
    assert found.sum == found.value - found.base
    assert found.values["x0"] == found.values["x1"]
    assert found.values["x2"] == 0
    assert found.is_relevant("x2") is False
    drawn = rng.integers(2, size=(7, 6))
    mean = explainer.shapley(x, rows=drawn)
    assert mean.checked
    assert (mean.over, mean.points, mean.sum) == ("table", 7, mean.value - mean.base)


# granted to who has a guarantor, online to who has a job, else to who has a home
CREDIT = "sign(online + job - 3/2) + sign(home - online - 1/2) + 4*guarantor + 1"


def test_an_irrelevant_feature_can_have_a_larger_value_than_a_relevant_one(capsys, tmp_path):
    (tmp_path / "x.csv").write_text("online,job,home,guarantor\n1,1,1,0\n", encoding="utf-8")
    question = ["explain", "--expr", CREDIT, "--domain", "0,1", "--input", str(tmp_path / "x.csv")]
    assert main([*question, "--kind", "shapley", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["values"] == {
        "online": "0",
        "job": "7/24",
        "home": "1/12",
        "guarantor": "-1/8",
    }
    assert (found["value"], found["base"], found["sum"], found["adds_up"]) == (
        1,
        "3/4",
        "1/4",
        True,
    )
    assert found["relevant"] == {"online": True, "job": True, "home": True, "guarantor": False}
    assert main([*question, "--kind", "shapley"]) == 0
    out = capsys.readouterr().out
    assert "guarantor: -1/8 (-0.1250), in no reason" in out
    assert "the sum 1/4 is 1 - 3/4, exactly" in out
    assert main([*question, "--kind", "shapley", "--over", "table"]) == 2
    assert main([*question, "--kind", "contrastive", "--over", "table"]) == 2


def test_many_features_take_no_longer_than_a_count_for_each():
    votes = "+".join(f"v{k}" for k in range(15))
    explainer = Explainer(tc.expression(f"sign({votes})"), domain=(-1, 1))
    found = explainer.shapley([1] * 8 + [-1] * 7, timeout=60)
    assert found.base == Fraction(1, 2)
    assert found.values["x0"] > 0 > found.values["x14"]
    assert found.sum == Fraction(1, 2)
    assert json.dumps(found.to_json())
