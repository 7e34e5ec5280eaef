"""Numbers that take few values: rules and explanations name the value, not thresholds around it."""

import csv
import json
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from tamecheck.binarized import ThresholdLayer, ThresholdNetwork
from tamecheck.cli.entry import main
from tamecheck.explain import get_rules
from tamecheck.explain.domain import Feature
from tamecheck.explain.words import Language, Vocabulary, condition
from tamecheck.loaders.tables.schema import Bit, Column, Group, Schema

STATEMENTS = ["a ≥ 2", "a ≥ 3", "b ≥ 2", "b ≥ 3", "c ≥ 2"]
VALUES = {"a": (1.0, 2.0, 3.0), "b": (1.0, 2.0, 3.0), "c": (1.0, 2.0)}


def equality():
    """Class 1 where a = b, in thermometer codes: a ≥ t exactly where b ≥ t."""
    same = [[1, 0, -1, 0, 0], [-1, 0, 1, 0, 0], [0, 1, 0, -1, 0], [0, -1, 0, 1, 0]]
    layer = ThresholdLayer(np.array(same), np.ones(4, dtype=np.int64))
    levels = (Fraction(-1),) * 5, (Fraction(1),) * 5
    readout = np.array([[1, 1, 1, 1], [0, 0, 0, 0]])
    return ThresholdNetwork(*levels, (layer,), readout, np.array([3, 0]))


def domain(values):
    columns = [Column(n, index=k, values=values.get(n, ())) for k, n in enumerate("abc")]
    bits = [Bit(0, "a", lower=2), Bit(0, "a", lower=3), Bit(1, "b", lower=2), Bit(1, "b", lower=3)]
    groups = (Group("thermometer", "a", (0, 1)), Group("thermometer", "b", (2, 3)))
    schema = Schema(
        tuple(columns), (*bits, Bit(2, "c", lower=2)), (*groups, Group("free", "c", (4,)))
    )
    assert list(schema.features) == STATEMENTS
    return Vocabulary.of(schema).domain(equality(), STATEMENTS)


def test_values_take_the_place_of_intervals():
    a, b, c = domain(VALUES).features
    assert a.values == ("a = 1", "a = 2", "a = 3")
    assert b.values[1] == "b = 2"
    assert c.values == ("c = 1", "c = 2")
    plain = domain({}).features
    assert plain[0].values == ("a < 2", "a ≥ 2 and a < 3", "a ≥ 3")
    assert plain[2].values == ("c < 2", "c ≥ 2")


@pytest.mark.parametrize(
    ("codes", "text"),
    [
        ([0], "n = 0"),
        ([2], "n = 2"),
        ([0, 1], "n < 2"),
        ([3, 4, 5], "n ≥ 3"),
        ([1, 2], "n in {1, 2}"),
        ([0, 1, 2, 4, 5], "n ≠ 3"),
        ([0, 2, 5], "n in {0, 2, 5}"),
        ([1, 2, 3, 4], "n ≥ 1 and n < 5"),
    ],
)
def test_conditions_about_values(codes, text):
    columns = (Column("n", values=tuple(map(float, range(6)))),)
    bits = tuple(Bit(0, "n", lower=k) for k in range(1, 6))
    schema = Schema(columns, bits, (Group("thermometer", "n", tuple(range(5))),))
    (feature,) = Vocabulary.of(schema).domain(equality()).features
    assert isinstance(feature, Feature)
    assert condition(0, feature, codes).text == text


def test_equal_values_are_said_in_short():
    rules = get_rules(equality(), domain(VALUES))
    assert str(rules.outline()) == "if a = b then 1\nelse 0"
    assert rules.faithful == "exact"


def test_conditions_are_read_as_they_are_written():
    network, known = equality(), domain(VALUES)
    for text, codes in (("a = 2", (1,)), ("a ≥ 2", (1, 2)), ("a >= 3", (2,))):
        assert Language(network, known, STATEMENTS).conditions(text)[0] == codes
    assert Language(network, known, STATEMENTS).conditions("c = 2")[2] == (1,)
    assert Language(network, known, STATEMENTS).conditions("c < 2")[2] == (0,)


@pytest.fixture(scope="module")
def monk(tmp_path_factory):
    """A network that decides the first MONK problem, from a table of whole numbers."""
    folder = tmp_path_factory.mktemp("monk")
    header = ["a1", "a2", "a3", "a4", "a5", "a6", "class"]
    sizes = (3, 3, 2, 3, 4, 2)
    with (folder / "monk.csv").open("w", newline="", encoding="utf-8") as file:
        rows = list(product(*(range(1, size + 1) for size in sizes)))
        csv.writer(file).writerows([header, *([*r, int(r[0] == r[1] or r[4] == 1)] for r in rows)])
    table = [f"{folder}/monk.csv", "--target", "class", "--hidden", "8", "--test", "0"]
    assert main(["train", *table, "-o", f"{folder}/net.json", "-q"]) == 0
    return folder


def test_the_first_monk_problem_is_found_in_its_own_words(monk, capsys):
    capsys.readouterr()
    assert main(["rules", f"{monk}/net.json", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["faithful"] == "exact"
    assert found["outline"] == "if a5 = 1 or a1 = a2 then 1\nelse 0"
    assert main(["count", f"{monk}/net.json", "--if", "a5=1", "-q"]) == 0
    assert capsys.readouterr().out == "0 108\n"


def test_a_table_with_another_value_is_refused(monk, tmp_path, capsys):
    (tmp_path / "other.csv").write_text(
        "a1,a2,a3,a4,a5,a6,class\n1,1,1,1,1,1,1\n1,1.5,1,1,2,1,0\n", encoding="utf-8"
    )
    arguments = ["explain", f"{monk}/net.json", "--data", f"{tmp_path}/other.csv", "--rows", "1"]
    assert main(arguments) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "row 1 (line 3), column 'a2': '1.5' is none of the values" in said
    assert "the model knows only 1, 2, 3" in said
