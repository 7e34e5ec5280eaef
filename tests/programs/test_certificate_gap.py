"""Leaves whose combined rows no integers satisfy: each condition has a lie that only it rejects.

And the lengths of data and of integers.
"""

import copy
import json

import pytest

from tamecheck.kernel.checker import A_CHARACTER
from tamecheck.kernel.strict import Reject
from tamecheck.kernel_mip import check, derived
from tests.kernel.builders import tree


def column(name, lower=None, upper=None, kind="integer"):
    return {"name": name, "lower": lower, "upper": upper, "kind": kind, "cost": "0"}


def row(name, terms, lower, upper):
    return {"name": name, "lower": lower, "upper": upper, "terms": terms}


def certificate(columns, rows, gap, over=1):
    return tree(columns, rows, {"verdict": "infeasible"}, [{"gap": gap, "over": over}])


def verdict(document):
    return check(json.dumps(document)).verdict


INTEGERS = [column("x"), column("y")]
PARITY = row("r", [[0, "2"], [1, "-2"]], "1", "1")
MIXED = [column("x"), column("z", "0", "1/3", "continuous")]
# x + z = 1/2 with z in [0, 1/3]: x lies between 1/6 and 1/2
BESIDE = row("r", [[0, "1"], [1, "1"]], "1/2", "1/2")

ACCEPTED = {
    "an equation of even coefficients": certificate(INTEGERS, [PARITY], [[0, 1]], 2),
    "its negative": certificate(INTEGERS, [PARITY], [[0, -1]], 2),
    "a range between two multiples": certificate(
        INTEGERS, [row("r", [[0, "3"], [1, "6"]], "1", "2")], [[0, 1]], 3
    ),
    "two equations together": certificate(
        INTEGERS,
        [
            row("r", [[0, "1"], [1, "1"]], "1", "1"),
            row("s", [[0, "1"], [1, "-1"]], "0", "0"),
        ],
        [[0, 1], [1, 1]],
        2,
    ),
    "a bounded continuous column": certificate(MIXED, [BESIDE], [[0, 1]]),
    "a continuous column that is cancelled": certificate(
        [column("x"), column("y"), column("z", kind="continuous")],
        [
            row("r", [[0, "1"], [2, "1"]], "1/2", "1/2"),
            row("s", [[1, "1"], [2, "1"]], "0", "0"),
        ],
        [[0, 1], [1, -1]],
    ),
    "an integer column that is fixed": certificate(
        [column("x"), column("y", "1", "1")],
        [row("r", [[0, "2"], [1, "1"]], "2", "2")],
        [[0, 1]],
        2,
    ),
    "rational coefficients": certificate(
        INTEGERS, [row("r", [[0, "2/3"], [1, "4/3"]], "1/3", "1/3")], [[0, 3]], 2
    ),
    "a semi-integer column": certificate(
        [column("x", "2", "5", "semi-integer"), column("y")], [PARITY], [[0, 1]], 2
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_combination_without_an_integer_is_accepted(name):
    assert verdict(ACCEPTED[name]) == "valid"


def changed(name, change):
    document = copy.deepcopy(ACCEPTED[name])
    change(document)
    return document


EVEN = "an equation of even coefficients"
BOUNDED = "a bounded continuous column"
RANGE = "a range between two multiples"
LIES = {
    "an integer right-hand side": changed(
        EVEN, lambda d: d["program"]["rows"][0].update(lower="2", upper="2")
    ),
    "a multiple at the lower end": changed(
        RANGE, lambda d: d["program"]["rows"][0].update(lower="0")
    ),
    "a multiple at the upper end": changed(
        RANGE, lambda d: d["program"]["rows"][0].update(upper="3")
    ),
    "a multiple in between": changed(
        RANGE, lambda d: d["program"]["rows"][0].update(lower="-1", upper="1")
    ),
    "no lower bound": changed(RANGE, lambda d: d["program"]["rows"][0].update(lower=None)),
    "no upper bound": changed(RANGE, lambda d: d["program"]["rows"][0].update(upper=None)),
    "multipliers that leave fractions": changed(EVEN, lambda d: d["nodes"][0].update(over=3)),
    "a continuous column": changed(
        EVEN, lambda d: d["program"]["columns"][1].update(kind="continuous")
    ),
    "a continuous column of the first place": changed(
        EVEN, lambda d: d["program"]["columns"][0].update(kind="semicontinuous")
    ),
    "a continuous column without an upper bound": changed(
        BOUNDED, lambda d: d["program"]["columns"][1].update(upper=None)
    ),
    "a continuous column without a lower bound": changed(
        BOUNDED, lambda d: d["program"]["columns"][1].update(lower=None)
    ),
    "a continuous column with room for an integer above": changed(
        BOUNDED, lambda d: d["program"]["columns"][1].update(upper="1/2")
    ),
    "a continuous column with room for an integer below": changed(
        BOUNDED, lambda d: d["program"]["columns"][1].update(lower="-1/2")
    ),
    "an integer column that is not fixed": changed(
        "an integer column that is fixed", lambda d: d["program"]["columns"][1].update(upper="2")
    ),
    "a denominator of 0": changed(EVEN, lambda d: d["nodes"][0].update(over=0)),
    "a negative denominator": changed(EVEN, lambda d: d["nodes"][0].update(over=-2)),
    "a row twice": changed(EVEN, lambda d: d["nodes"][0].update(gap=[[0, 1], [0, 1]], over=4)),
    "a row that does not exist": changed(EVEN, lambda d: d["nodes"][0].update(gap=[[1, 1]])),
    "no rows": changed(EVEN, lambda d: d["nodes"][0].update(gap=[])),
    "one of two equations": changed(
        "two equations together", lambda d: d["nodes"][0].update(gap=[[0, 1]])
    ),
    "thirds with an integer at the lower end": certificate(
        INTEGERS, [row("r", [[0, "2/3"], [1, "4/3"]], "-2/3", "-1/3")], [[0, 3]], 2
    ),
    "thirds with an integer at the upper end": certificate(
        INTEGERS, [row("r", [[0, "2/3"], [1, "4/3"]], "1/3", "2/3")], [[0, 3]], 2
    ),
    "a continuous column that leaves 0": certificate(
        MIXED, [row("r", [[0, "1"], [1, "1"]], "1/3", "1/3")], [[0, 1]]
    ),
    "two ranges that leave 1": certificate(
        INTEGERS,
        [
            row("r", [[0, "1"], [1, "1"]], "0", "3/2"),
            row("s", [[0, "1"], [1, "-1"]], "1/2", "1/2"),
        ],
        [[0, 1], [1, 1]],
        2,
    ),
    "a further field": changed(EVEN, lambda d: d["nodes"][0].update(none=[])),
}


BETWEEN, ROW, COLUMN = "an integer is between", "row 0 lacks a bound", "column {} lacks a bound"
OVER = "multipliers have a positive denominator"
WHY = {  # of the others, that an integer is between
    "no lower bound": ROW,
    "no upper bound": ROW,
    "multipliers that leave fractions": COLUMN.format(0),
    "a continuous column": COLUMN.format(1),
    "a continuous column of the first place": COLUMN.format(0),
    "a continuous column without an upper bound": COLUMN.format(1),
    "a continuous column without a lower bound": COLUMN.format(1),
    "one of two equations": COLUMN.format(0),
    "a denominator of 0": OVER,
    "a negative denominator": OVER,
    "a row twice": "a row is named twice",
    "a row that does not exist": "an integer in [0, 0] was expected",
    "a further field": "a missing or unknown field: 'gap'",
}


@pytest.mark.parametrize("name", LIES)
def test_each_lie_is_rejected_for_its_reason(name):
    report = check(json.dumps(LIES[name]))
    assert (report.verdict, report.step, report.why) == ("invalid", 0, WHY.get(name, BETWEEN))


def test_what_is_hashed_of_data_may_be_no_longer_than_text(monkeypatch):
    data = certificate(INTEGERS, [PARITY], [[0, 1]], 2)
    text = json.dumps(data)
    assert check(data) == check(text)
    # the text of a program counts in its canonical form
    hashed = len(json.dumps(data["program"], separators=(",", ":")))
    for limit, verdict in ((hashed, "valid"), (hashed - 1, "invalid")):
        monkeypatch.setattr("tamecheck.kernel.read.LONGEST_TEXT", limit)
        assert check(data).verdict == verdict
    assert check(data).why == "the text is too long"


def test_data_have_no_steps_for_their_length():
    data = certificate(INTEGERS, [PARITY], [[0, 1]], 2)
    text = json.dumps(data)
    assert check(data, 0).why.startswith("it needs more than the 0 elem")
    assert check(text, -A_CHARACTER * len(text)).why == check(data, 0).why


@pytest.mark.parametrize(
    ("number", "fits"),
    [(10**19 - 1, True), (10**19, False), (1 - 10**18, True), (-(10**18), False)],
)
def test_integers_that_are_numbers_have_at_most_19_characters(number, fits):
    assert (len(str(number)) <= 19) is fits
    if fits:
        assert derived.whole(number) == number
    else:
        with pytest.raises(Reject, match="more than 19 characters"):
            derived.whole(number)
    assert derived.whole(str(number)) == number
