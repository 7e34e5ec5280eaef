"""Conditions in the user's words."""

import numpy as np
import pytest

from tamecheck.errors import InputError
from tamecheck.explain.domain import Feature
from tamecheck.explain.words import condition, conjunction, read_literals


def one_hot(name, *values):
    codes = (2 * np.eye(len(values)) - 1).astype(np.int8)
    return Feature(name, tuple(range(len(values))), codes, tuple(f"{name} = {v}" for v in values))


AGE = Feature(
    "age",
    (0, 1, 2),
    np.array([[-1, -1, -1], [1, -1, -1], [1, 1, -1], [1, 1, 1]], dtype=np.int8),
    ("age < 30", "age ≥ 30 and age < 50", "age ≥ 50 and age < 70", "age ≥ 70"),
    tuple((f"age < {t}", f"age ≥ {t}") for t in (30, 50, 70)),
)
COLOUR = one_hot("colour", "red", "blue", "green", "grey")


@pytest.mark.parametrize(
    ("feature", "codes", "text"),
    [
        (COLOUR, [1], "colour = blue"),
        (COLOUR, [0, 2], "colour in {red, green}"),
        (COLOUR, [0, 1, 2], "colour ≠ grey"),
        (AGE, [0], "age < 30"),
        (AGE, [0, 1], "age < 50"),
        (AGE, [1, 2], "age ≥ 30 and age < 70"),
        (AGE, [2, 3], "age ≥ 50"),
        (AGE, [0, 3], "age < 30 or age ≥ 70"),
    ],
)
def test_sets_of_codes_in_words(feature, codes, text):
    assert condition(0, feature, codes).text == text


def test_alternatives_are_put_in_parentheses():
    parts = [condition(0, AGE, [0, 3]), condition(1, COLOUR, [0])]
    assert conjunction(parts) == "(age < 30 or age ≥ 70) and colour = red"
    assert conjunction(parts[:1]) == "age < 30 or age ≥ 70"
    assert conjunction([]) == "true"


def test_codes_that_are_none_of_the_feature():
    with pytest.raises(InputError, match="no such codes"):
        condition(0, COLOUR, [4])
    with pytest.raises(InputError, match="no such codes"):
        condition(0, COLOUR, [])


def test_statements_say_which_inputs_belong_together():
    said = read_literals(
        [
            "age ≥ 30 years",
            "age ≥ 50 years",
            "sunny",
            "c = red",
            "c = blue",
            "c = grey",
            "s=f",
            "s=m",
        ]
    )
    assert said.thermometer == {"age": (0, 1)}
    # two values alone may be independent statements
    assert said.one_hot == {"c": (3, 4, 5)}
    assert said.words[1] == ("age < 50 years", "age ≥ 50 years")
    assert said.words[6] == ("s ≠ f", "s = f")
    assert 2 not in said.words


def test_bounds_that_do_not_ascend_are_no_thermometer():
    assert read_literals(["a ≥ 5", "a ≥ 3"]).thermometer == {}
    assert read_literals(["a ≥ low", "a ≥ high"]).thermometer == {}


def test_a_feature_of_two_values_has_both_in_words():
    said = read_literals(["hurry = yes", "age ≥ 37"], ["hurry = no", "age < 37"])
    assert said.words[0] == ("hurry = no", "hurry = yes")
    assert said.labels(["hurry = yes", "age ≥ 37"]) == ["hurry", "age"]


def test_inputs_about_one_feature_keep_their_statements_as_names():
    texts = ["colour = red", "age ≥ 37", "colour = blue"]
    assert read_literals(texts).labels(texts) == ["colour = red", "age", "colour = blue"]
