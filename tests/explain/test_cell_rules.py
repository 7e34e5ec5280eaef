"""Rules of piecewise linear classifiers: the network's class at every point, ties included."""

import json
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.cli.entry import main
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.explain.cell_rules import rules_of_cells
from tamecheck.explain.inequalities import CellRule, Inequality, merge_rules, wording


def test_a_single_output_decides_by_its_sign():
    model = tc.expression("max(x, 0) - y")
    found = rules_of_cells(model, "-1:1")
    assert found.faithful == "exact"
    points = [(Fraction(a, 2), Fraction(b, 2)) for a in range(-2, 3) for b in range(-2, 3)]
    said = found.decide(np.array(points, dtype=object)).tolist()
    assert said == [int(max(x, 0) - y > 0) for x, y in points]
    # y > 0 belongs to class 0 where x is at most 0: a rule without more conditions on y
    assert any(rule.then == 0 for rule in found)


def network(seed, sizes):
    """A random network of ReLUs with small rational weights, by scikit-learn's layout."""
    from sklearn.neural_network import MLPClassifier

    rng = np.random.default_rng(seed)
    made = MLPClassifier(sizes[1:-1], max_iter=1)
    made.fit(rng.normal(size=(30, sizes[0])), np.arange(30) % sizes[-1])
    made.coefs_ = [rng.integers(-4, 5, (a, b)) / 4 for a, b in pairwise(sizes)]
    made.intercepts_ = [rng.integers(-4, 5, b) / 4 for b in sizes[1:]]
    return made, tc.from_sklearn(made)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("sizes", [(2, 3, 3), (2, 3, 2, 3), (3, 4, 4), (12, 3, 3)])
def test_rules_on_a_grid_with_ties(seed, sizes):
    estimator, model = network(seed, sizes)
    found = rules_of_cells(model, "-1:1")
    rng = np.random.default_rng(seed)
    # many of these points lie on kinks and ties, as all weights are quarters
    points = rng.integers(-2, 3, (200, sizes[0])) / 2
    logits = points
    for layer, (w, b) in enumerate(zip(estimator.coefs_, estimator.intercepts_, strict=True)):
        logits = logits @ w + b
        if layer + 1 < len(estimator.coefs_):
            logits = np.maximum(logits, 0)
    # quarters and their products are exact in floats
    assert found.decide(points).tolist() == logits.argmax(axis=1).tolist()


@pytest.mark.filterwarnings("ignore")
def test_two_classes_by_a_logistic_output():
    from sklearn.neural_network import MLPClassifier

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(80, 2))
    made = MLPClassifier((4,), random_state=0, max_iter=300).fit(rows, rows[:, 0] > rows[:, 1])
    found = rules_of_cells(
        tc.from_sklearn(made), "-3:3", names=["height", "width"], classes=["no", "yes"]
    )
    points = rng.uniform(-3, 3, (1000, 2))
    assert (found.decide(points) == made.predict(points)).all()
    assert "height" in found.text
    assert "then yes" in found.text


def test_shares_of_whole_cells_are_volumes():
    # class 1 wins where the first layer's cell does, and everywhere
    model = tc.expression("max(x, 0) - max(y - 1, 0) + 3")
    found = rules_of_cells(model, "-1:3")
    assert [(rule.then, rule.coverage, rule.inequalities) for rule in found] == [
        (1, Fraction(1), ())
    ]
    assert "if true then 1" in found.text


def half(*normal, offset, strict=False):
    return Inequality(tuple(map(Fraction, normal)), Fraction(offset), strict)


def test_two_sides_of_one_hyperplane_are_joined():
    """2x >= 1 and x < 1/2 are the sides of one line; the other inequality stays."""
    other = half(0, 1, offset=0)
    rules = [
        CellRule((half(2, 0, offset=-1), other), 1, Fraction(1, 4)),
        CellRule((other, half(-1, 0, offset=Fraction(1, 2), strict=True)), 1, Fraction(1, 8)),
    ]
    assert merge_rules(rules) == [CellRule((other,), 1, Fraction(3, 8))]
    # not of two classes, and not if the line itself belongs to neither
    assert len(merge_rules([rules[0], replace(rules[1], then=0)])) == 2
    strict = half(2, 0, offset=-1, strict=True)
    assert len(merge_rules([CellRule((strict, other), 1, None), rules[1]])) == 2


def test_a_rule_within_another_is_left_out():
    wide, more = half(1, 0, offset=0), half(0, 1, offset=0)
    rules = [CellRule((wide, more), 1, None), CellRule((wide,), 1, None)]
    assert merge_rules(rules) == [rules[1]]
    assert len(merge_rules([rules[0], replace(rules[1], then=0)])) == 2


def test_sums_have_names_and_units_stand_last():
    names = ["petal width (cm)", "age [years]", "hue"]
    said = wording(
        [
            (half(4, -2, 1, offset=-8), half(0, -3, 0, offset=111, strict=True)),
            (half(-4, 2, -1, offset=8, strict=True), half(1, 0, 2, offset=0)),
        ],
        names,
    )
    assert said.definitions == ("s1 = petal width (cm) - 0.5·age [years] + 0.25·hue",)
    assert said.conditions == (
        "s1 ≥ 2 and age < 37 years",
        "s1 < 2 and hue + 0.5·petal width (cm) ≥ 0",
    )
    assert half(0, 0, 0, offset=1).text(names) == "1 ≥ 0"
    assert half(-1, 0, -1, offset=3).text(names) == "petal width (cm) + hue ≤ 3"


def test_points_outside_are_refused():
    found = rules_of_cells(tc.expression("max(x, 0) - y"), "-1:1")
    with pytest.raises(InputError, match="outside the box"):
        found.decide([[2.0, 0.0]])


def test_what_has_no_such_rules():
    with pytest.raises(UnsupportedError, match="jumps"):
        rules_of_cells(tc.expression("sign(x)"), "-1:1")
    with pytest.raises(UnsupportedError, match="piecewise linear"):
        rules_of_cells(tc.expression("sin(x)"), "-1:1")
    with pytest.raises(InputError, match="more than 1 cells"):
        rules_of_cells(tc.expression("max(x, 0)"), "-1:1", limit=1)
    with pytest.raises(InputError):
        rules_of_cells(tc.expression("max(x, 0)"), None)


def test_the_verb_reads_a_network_by_its_cells(capsys):
    model = ["--expr", "max(x,0) - y"]
    assert main(["rules", *model, "--box", "-1:1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["faithful"] == "exact"
    assert {rule["then"] for rule in found["rules"]} == {0, 1}
    assert all(set(rule) >= {"if", "then", "coverage", "exact"} for rule in found["rules"])
    assert main(["rules", *model]) == 4
    assert "--box" in capsys.readouterr().err
    assert main(["rules", *model, "--box", "-1:1", "--one-hot", "0-1"]) == 2


def test_a_table_gives_the_box_the_names_and_the_classes(tmp_path, capsys):
    """Over the range of the columns, which is not the default box."""
    table = tmp_path / "t.csv"
    table.write_text("height [m],width [m],kind\n0,1,low\n3,2,high\n")
    model = ["--expr", "max(x, 0) - y"]
    assert main(["rules", *model, "--data", str(table), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["faithful"], found["classes"]) == ("exact", ["high", "low"])
    assert "height [m]" in found["text"]
    # class 1, the second by name, where x - y > 0
    assert {rule["label"] for rule in found["rules"]} == {"high", "low"}
    assert main(["rules", *model]) == 4
    assert "--data" in capsys.readouterr().err
