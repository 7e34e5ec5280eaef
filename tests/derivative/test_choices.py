"""Choices whose branches meet, and orders of tied values, have the sets of continuous functions."""

from fractions import Fraction

import pytest

import tamecheck as tc

MEET = {
    "where(x > 0, x^2, 0)": {(0,)},
    "where(x >= 0, x, 2*x)": {(1,), (2,)},
    "where(not x > 0, x, 2*x)": {(1,), (2,)},
    "where(tanh(x - y) > 0, x, y)": {(1, 0), (0, 1)},
    "where(y > x^2, x + y - x^2, x)": {(0, 1), (1, 1)},
    "where(x*y > 0, x*y*(1 + x), 0) + x": {(1, 0)},
    "where(log(1 + 2*x*y) < 0, log(1 + 2*x*y) + y, y)": {(0, 1)},
    "where(x > 0 and y > 0, min(x, y), 0)": {(0, 0), (1, 0), (0, 1)},
    "where(x + x*y > 0 and y - x > 0, min(x + x*y, y - x), 0)": {(0, 0), (1, 0), (-1, 1)},
    "where(x > 0 or y > 0, max(x, y, 0), 0)": {(0, 0), (1, 0), (0, 1)},
    "where(abs(x) > y, abs(x), y)": {(1, 0), (-1, 0), (0, 1)},
    "where(x > 1, 5, abs(x))": {(1,), (-1,)},
    "where(x != 0, sin(x)/x, 1)": {(0,)},
    "where(x == 0, 1/2, (1 - cos(x))/x^2) + x": {(1,)},
    "where(x + y != 0, (exp(x + y) - 1)/(x + y), 1)": {(Fraction(1, 2),) * 2},
    "where(x >= 0, x^(3/2), 0)": {(0,)},
    "xlogy(x, 1 + y) + abs(x)": {(1, 0), (-1, 0)},
    "where(x > 0, log(1 + x), sort(x, y, 2*x)[0]*0 + x)": {(1, 0)},
    "sort(x, y)[0]": {(1, 0), (0, 1)},
    "sort(x, 1, y)[2] + sort(x, -1, y)[2]": {(1, 0), (0, 1)},
    "median(x, y, x^2)": {(1, 0), (0, 1), (0, 0)},
    "topk(2, x, y, z - 1)[1]": {(1, 0, 0), (0, 1, 0)},
    "cummax(x, y, -1)[2]": {(1, 0), (0, 1)},
    "choose(argmax(x, y), x, y)": {(1, 0), (0, 1)},
    "choose(argmin(x, y, 1), x, y, 7)": {(1, 0), (0, 1)},
    "choose(argmax(x, y), x, x + (y - x)*(1 + y))": {(1, 0), (0, 1)},
    "frac(x) + trunc(x)": {(1,)},
    "threshold(x, 0, 0)": {(1,), (0,)},
    "huber(x - 1)": {(-1,)},
}


@pytest.mark.parametrize("text", MEET)
def test_what_meets_has_the_gradients_of_its_branches(text):
    model = tc.expression(text)
    found = model.jacobian([0] * len(model.inputs), "bouligand")
    assert not found.open
    assert {vertex[0] for vertex in found.vertices} == MEET[text]


@pytest.mark.parametrize(
    "text",
    [
        "where(x > 0, 1, 0)",
        "where(x == 0, 5, x)",
        "where(x > 0, 1, where(-x > 0, 1, 7))",
        "where(y > x^2, x, y)",
        "where(x > 0 and y > 0, x, 0)",
        "choose(argmax(x, y), y, 2*x)",
        "where(x > 0, sqrt(x), 0)",
    ],
)
def test_what_jumps_or_gets_steep_has_none(text):
    model = tc.expression(text)
    found = model.jacobian([0] * len(model.inputs))
    assert not found.defined
    assert not found.open


@pytest.mark.parametrize(
    "text", ["where(x != 0, abs(x)/x, 1)", "where(x != 0, sin(x)/x, 2)", "where(x > 0, 1/x, 0)"]
)
def test_what_has_no_limit_is_not_answered_with_a_set(text):
    assert not tc.expression(text).jacobian([0]).defined


def test_frameworks_take_the_chosen_branch_and_the_order_of_a_stable_sort():
    found = tc.expression("where(x > 0, x, 2*x) + sort(x, y)[1]").jacobian([0, 0])
    assert found.autodiff == ((2, 1),)
    assert found.autodiff_in_set
    first = tc.expression("choose(argmax(x, y), x, y)").jacobian([0, 0])
    assert first.autodiff == ((1, 0),)


def test_a_choice_that_meets_has_a_conservative_set():
    model = tc.expression("where(x > 0, x, 2*x) - where(x > 0, x, 2*x)")
    assert model.jacobian([0], "conservative").contains([[0]])
