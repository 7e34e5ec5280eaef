"""Conditions in the user's words."""

import numpy as np
import pytest

from tamecheck.errors import InputError
from tamecheck.explain.domain import Feature
from tamecheck.explain.words import Vocabulary, condition, conjunction
from tamecheck.loaders.tables.schema import Bit, Column, Group, Schema


def one_hot(name, *values):
    codes = (2 * np.eye(len(values)) - 1).astype(np.int8)
    said = tuple(f"{name} = {v}" for v in values)
    return Feature(name, tuple(range(len(values))), codes, said, (), values)


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


COLUMNS = (
    Column("age [years]", None, 0, "age", "years"),
    Column("c", ("red", "blue", "grey"), 1),
    Column("hurry", ("no", "yes"), 2),
    Column("vote", None, 3),
)
SCHEMA = Schema(
    COLUMNS,
    (
        Bit(0, "age", "years", lower=30),
        Bit(0, "age", "years", lower=50),
        *(Bit(1, "c", category=c) for c in ("red", "blue", "grey")),
        Bit(2, "hurry", category="yes", other="no"),
        Bit(3, "vote", levels=(-1, 1)),
    ),
    (
        Group("thermometer", "age", (0, 1)),
        Group("one-hot", "c", (2, 3, 4)),
        Group("free", "hurry", (5,)),
        Group("free", "vote", (6,)),
    ),
)


def test_what_inputs_are_made_of_says_which_belong_together():
    said = Vocabulary.of(SCHEMA)
    assert said.thermometer == {"age": (0, 1)}
    assert said.one_hot == {"c": (2, 3, 4)}
    assert said.words[1] == ("age < 50 years", "age ≥ 50 years")
    assert said.words[5] == ("hurry = no", "hurry = yes")
    assert said.words[6] == ("vote = -1", "vote = 1")
    assert said.names == {5: "hurry", 6: "vote"}


def test_names_alone_say_nothing_about_groups():
    said = Vocabulary()
    assert said.labels(["colour = red", "colour = blue"]) == ["colour = red", "colour = blue"]
    assert (said.one_hot, said.thermometer) == ({}, {})


def test_signs_in_names_and_values_are_text():
    """A feature called ``a = b`` with values that look like conditions keeps its values whole."""
    odd = one_hot("a = b", "b = c", "≥ 3", "")
    assert condition(0, odd, [0]).text == "a = b = b = c"
    assert condition(0, odd, [0, 1]).text == "a = b ≠ "
    assert condition(0, one_hot("x", "p", "q", "r, s", "t"), [1, 2]).text == "x in {q, r, s}"
