"""Boxes as they are written on the command line."""

import contextlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamecheck.errors import InputError, TamecheckError
from tamecheck.loaders import parse_box
from tamecheck.loaders.text.box import parse_point

INPUTS = {"x": (), "y": (), "t": (2, 3), "in:0": (2,), "q[0]": (2,)}


def intervals(text, name):
    box = parse_box(text, INPUTS).checked(INPUTS)
    size = {"t": 6, "in:0": 2, "q[0]": 2}.get(name, 1)
    return list(box.side(name).elements(size))


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("x=-1:1,y=0:inf", "y", [(0, None)]),
        (" x = -inf : 0.1 ", "x", [(None, Fraction(1, 10))]),
        ("x=1/3", "x", [(Fraction(1, 3), Fraction(1, 3))]),
        ("x=+1e-2:+inf", "x", [(Fraction(1, 100), None)]),
        ("-1:1", "t", [(-1, 1)] * 6),
        ("0.5", "x", [(Fraction(1, 2), Fraction(1, 2))]),
        ("x=0:1", "y", [(None, None)]),
        ("t=0:1", "t", [(0, 1)] * 6),
        ("t[0,1]=0:1", "t", [(None, None), (0, 1), *[(None, None)] * 4]),
        ("t[0,1:]=0:1, t[1,:]=2", "t", [(None, None), (0, 1), (0, 1), *[(2, 2)] * 3]),
        ("t[4:6]=0", "t", [*[(None, None)] * 4, (0, 0), (0, 0)]),
        ("x[0]=1", "x", [(1, 1)]),
        ("in:0=2:3", "in:0", [(2, 3)] * 2),
        ("q[0]=2:3", "q[0]", [(2, 3)] * 2),
    ],
)
def test_intervals(text, name, expected):
    assert intervals(text, name) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("x=1,", "empty"),
        ("z=1", "Inputs: x, y, t"),
        ("in_0=1", "Did you mean 'in:0'"),
        ("x=1,x=2", "twice"),
        ("t=1,t[0]=2", "twice"),
        ("t[0:1,0:2]=1,t[0,1]=3", "twice"),
        ("x=2:1", "2 > 1"),
        ("x=nan", "NaN"),
        ("x=0:nan", "NaN"),
        ("x=inf", "no real number"),
        ("x=inf:1", "no real number"),
        ("x=-inf", "no real number"),
        ("x=", "no interval"),
        ("x=1:2:3", "no interval"),
        ("-1:1,x=2", "names no input"),
        ("x=a:b", "not a number"),
        ("x=1e999999", "out of range"),
        ("t[2,0]=1", "outside of 0:2"),
        ("t[0,0,0]=1", "3 indices"),
        ("t[a]=1", "no index"),
        ("t[]=1", "outside"),
        ("t[2:1]=1", "outside"),
        ("t[0=1", "no input"),
    ],
)
def test_mistakes(text, words):
    with pytest.raises(InputError) as caught:
        parse_box(text, INPUTS)
    assert words in caught.value.message


RATIONALS = st.fractions(-100, 100, max_denominator=1000)


@given(st.dictionaries(st.sampled_from(["x", "y"]), st.tuples(RATIONALS, RATIONALS), min_size=1))
def test_a_printed_box_is_read_back(sides):
    sides = {name: sorted(ends) for name, ends in sides.items()}
    box = parse_box(",".join(f"{n}={low}:{high}" for n, (low, high) in sides.items()), INPUTS)
    assert {name: [*side.lower, *side.upper] for name, side in box} == sides


@pytest.mark.slow
@given(st.text(st.sampled_from("xyt=:,[]0123.-+einf/ "), max_size=25) | st.text(max_size=20))
def test_any_text_is_read_or_refused_politely(text):
    with contextlib.suppress(TamecheckError):
        parse_box(text, INPUTS).checked(INPUTS)


def test_points_give_values_to_elements():
    point = parse_point("t[0,1:]=1/3, q[0]=2, x=-1e-1", INPUTS)
    third = Fraction(1, 3)
    assert point["t"] == (None, third, third, None, None, None)
    assert point["q[0]"] == (2, 2)
    assert point["x"] == (Fraction(-1, 10),)
    assert point["y"] == (None,)
    assert parse_point("0", {"x": (), "y": (2,)}) == {"x": (0,), "y": (0, 0)}


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("x=a", "--at, 'x=a': 'a' is not a number"),
        ("x=0:1", "--at, 'x=0:1': .* Write a point"),
        ("x=inf", "--at, 'x=inf': 'inf' is not a number"),
        ("", "--at: The point is empty"),
        ("x=1,,y=2", "--at: An entry of the point is empty"),
        ("x=1,x=2", "--at, 'x=2': .* twice"),
        ("w=1", "--at, 'w=1': 'w' is no input"),
        ("t[9]=1", "--at, .* outside of 0:6"),
        ("q", "--at, 'q': 'q' is not a number"),
    ],
)
def test_bad_points_name_the_option(text, match):
    with pytest.raises(InputError, match=match):
        parse_point(text, INPUTS, where="--at")
