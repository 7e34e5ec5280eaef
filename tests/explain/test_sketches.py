"""A few rules with a proved share of points where they are right, beside all points."""

import itertools
import json
from fractions import Fraction

import numpy as np
import pytest
from corpus import threshold_network

from tamecheck.cli import main
from tamecheck.errors import InputError
from tamecheck.explain import domain_of, sketch


def network(seed, inputs, *, hidden=5, classes=3):
    rng = np.random.default_rng(seed)
    return threshold_network(rng, inputs, [hidden], classes, offsets=0)


@pytest.mark.parametrize("seed", range(10))
def test_the_proved_share_is_that_of_all_points(seed):
    made = network(seed, 8)
    domain = domain_of(made, one_hot={"a": (0, 1, 2)}, thermometer={"b": (3, 4)})
    found = sketch(made, domain, leaves=6)
    sizes = [len(f.codes) for f in domain.features]
    codes = np.array(list(itertools.product(*map(range, sizes))))
    decided = made.decide(np.array([domain.states(row) for row in codes.tolist()]))
    said = found.decide(codes)
    assert found.exact
    assert found.proved == Fraction(int((said == decided).sum()), domain.size)
    # the rules part the domain, and each is right as often as it says
    assert sum(rule.coverage for rule in found.rules) == 1
    for rule in found.rules:
        holds = np.all([np.isin(codes[:, x.feature], x.codes) for x in rule.conditions], axis=0)
        inside = np.broadcast_to(holds, len(codes))
        assert rule.coverage == Fraction(int(inside.sum()), domain.size)
        assert rule.right == Fraction(int((decided[inside] == rule.then).sum()), int(inside.sum()))


@pytest.mark.slow
def test_more_leaves_are_right_more_often():
    made = network(1, 10)
    domain = domain_of(made)
    shares = [sketch(made, domain, leaves=k).proved for k in (1, 4, 16, 64)]
    assert shares == sorted(shares)
    assert shares[0] < shares[-1]
    assert len(sketch(made, domain, leaves=4).rules) <= 4
    with pytest.raises(InputError, match="at least one rule"):
        sketch(made, domain, leaves=0)


def test_what_is_not_counted_in_time_is_a_bound():
    made = network(2, 60, hidden=30)
    found = sketch(made, domain_of(made), leaves=3, seconds=0.3)
    assert not found.exact
    assert 0 <= found.proved < 1
    assert "right for at least" in found.text
    assert "one in a million" in found.summary


@pytest.mark.slow
def test_many_inputs_and_few_neurons_are_counted():
    made = network(3, 48, hidden=3)
    found = sketch(made, domain_of(made), leaves=4)
    assert found.exact
    tried, right = found.sampled
    # a sample of this size is off by less than this but for one case in 10^8
    assert abs(float(found.proved) - right / tried) < 0.01


def test_the_verb_measures_a_sketch(capsys, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("1,1,1\n-1,-1,-1\n")
    model = ["--expr", "sign(x0 + x1 + x2)", "--data", str(rows)]
    assert main(["rules", *model, "--form", "sketch", "--leaves", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    # one input alone is right for 6 of 8
    assert (found["faithful"], found["fidelity"], len(found["rules"])) == ("3/4", 1.0, 2)
    assert [rule["exact"] for rule in found["rules"]] == [False, False]
    assert main(["rules", *model, "--form", "sketch", "--leaves", "9"]) == 0
    assert "Proved: right for 100 % of 8 points." in capsys.readouterr().out
    assert main(["rules", *model, "--form", "sketch", "--leaves", "0"]) == 2
