"""The kernel's rules for what is derived: true steps, and lies that one condition refuses."""

import json
from fractions import Fraction

import pytest

from tamecheck.errors import InputError
from tamecheck.ir.program import Column, Kind, Program, Row
from tamecheck.kernel_mip import check
from tamecheck.programs import solve
from tamecheck.programs.certificate import (
    Excluded,
    Tightened,
    certificate,
    derived_of,
    derived_record,
)
from tamecheck.programs.scaled import Multipliers
from tests.kernel.builders import replaced


def column(lower="0", upper="10", kind="integer", cost="0"):
    return {"lower": lower, "upper": upper, "kind": kind, "cost": cost}


def document(derived, nodes, claim=None, columns=None):
    """Of the program 2x + 2y >= 5, by default with integers x and y in [0, 10] of cost 1 and 0."""
    columns = columns or [column(cost="1"), column()]
    return {
        "format": "tamecheck-tree-certificate",
        "version": 3,
        "program": {
            "format": "tamecheck-program",
            "version": 1,
            "name": "p",
            "sense": "minimise",
            "objective": {"name": "z", "constant": "0"},
            "columns": [c | {"name": f"x{j}"} for j, c in enumerate(columns)],
            "rows": [{"name": "r", "lower": "5", "upper": None, "terms": [[0, "2"], [1, "2"]]}],
        },
        "claim": claim or {"verdict": "bound", "bound": "0"},
        "granularity": None,
        "derived": derived,
        "nodes": nodes,
    }


ROOT = [{"bound": [], "over": 1}]
# x + y >= 3: where x + y <= 2 there is no point, and elsewhere it is the side itself
ROUNDED = {
    "cut": [[0, 1], [1, 1]],
    "least": "3",
    "split": [[0, 1], [1, 1]],
    "at": 2,
    "sides": [
        {"rows": [[0, 1]], "over": 0, "times": 2},
        {"rows": [], "over": 1, "times": 1},
    ],
}
# with y <= 1: x >= 5/2 - 1, so x >= 2
NARROW = {"tighten": 0, "side": "lower", "to": "2", "rows": [[0, 1]], "over": 2}
SMALL = [column(cost="1"), column(upper="1")]
# 2x + z >= 5 with z in [0, 10]: 2x + 2z >= 6 by rounding of mixed integers
MIXED = {
    "cut": [[0, 1], [1, 2]],
    "least": "3",
    "split": [[0, 1]],
    "at": 2,
    "sides": [
        {"rows": [[0, 1]], "over": 1, "times": 1},
        {"rows": [], "over": 1, "times": 1},
    ],
}
LINE = [column(cost="1"), column(kind="continuous")]
# points of cost at most 3 - 0: the cutoff of the claim gives x <= 3
CUT_OFF = {"tighten": 0, "side": "upper", "to": "3", "rows": [[1, -1]], "over": 1}
BEST = {"verdict": "optimal", "x": ["3", "0"], "value": "3"}
DEAR = [column(cost="1"), column(upper="0")]
# with x, y <= 1 each of them is at least 5/2 - 1, rounded: two bounds of one sum
BOTH = {"lower": [[0, "2"], [1, "2"]], "upper": [], "rows": [[0, 1]]}
UNITS = [column(cost="1", upper="1"), column(upper="1")]
ONE = replaced(BOTH, "lower", [[0, "2"]])
HALVES = [column(cost="1", kind="continuous"), column(upper="1")]
# a sum that says something of x alone
FREE = [column(None, None, cost="1"), column(upper="1")]
ABOVE = {"lower": [], "upper": [[0, "3"]], "rows": [[1, -1]]}
NONE = {"verdict": "infeasible"}


def bound(value):
    return {"verdict": "bound", "bound": value}


def fixed(at, value):
    """That x >= value, where y is a number."""
    columns = [column(cost="1"), column(at, at)]
    return document([], [{"bound": [[0, 1]], "over": 2}], bound(value), columns)


ACCEPTED = {
    "nothing derived": document([], ROOT),
    "a bound with a point": document(
        [], ROOT, claim={"verdict": "bound", "bound": "0", "x": ["3", "0"]}
    ),
    "a rounding": document([ROUNDED], ROOT),
    "a mixed rounding": document([MIXED], ROOT, columns=LINE),
    "a bound": document([NARROW], ROOT, claim={"verdict": "bound", "bound": "2"}, columns=SMALL),
    "two bounds of one sum": document([BOTH], [{"crossed": 1}], NONE, UNITS),
    "a bound of one sum": document([ONE], ROOT, bound("2"), SMALL),
    "a bound of a free column": document([ONE], ROOT, bound("2"), FREE),
    "a bound that is not rounded": document(
        [replaced(ONE, "lower", [[0, "3/2"]])], ROOT, bound("3/2"), HALVES
    ),
    "a bound that rounding makes": document(
        [replaced(ONE, "lower", [[0, "5/4"]])], ROOT, bound("2"), SMALL
    ),
    "an older and narrower bound": document(
        [ONE, replaced(ONE, "lower", [[0, "1"]])], ROOT, bound("2"), SMALL
    ),
    "no bounds": document([replaced(BOTH, "lower", [])], ROOT),
    "an upper bound, by the cutoff": document(
        [ABOVE, ROUNDED], [{"bound": [[2, 1]], "over": 1}], BEST, DEAR
    ),
    "a column that is 0": fixed("0", "5/2"),
    "a column that is 1": fixed("1", "3/2"),
    "a weaker bound": document([NARROW | {"to": "1/2"}], ROOT, columns=SMALL),
    "the cutoff, and a cut in the tree": document(
        [CUT_OFF, ROUNDED], [{"bound": [[2, 1]], "over": 1}], claim=BEST, columns=DEAR
    ),
}


def test_steps_of_one_column_are_those_of_version_2():
    for name in ("a bound", "a weaker bound", "the cutoff, and a cut in the tree"):
        assert check(ACCEPTED[name] | {"version": 2}).verdict == "valid"
        assert check(ACCEPTED[name] | {"version": 1}).verdict == "invalid"
    again = [derived_record(step) for step in derived_of({"derived": [NARROW, CUT_OFF]})]
    assert again == [replaced(BOTH, "lower", [[0, "2"]]), ABOVE]
    for step, columns in zip(again, (SMALL, DEAR), strict=True):
        assert check(document([step], ROOT, bound("3"), columns)).verdict == "invalid"
    assert check(document(again[:1], ROOT, bound("2"), SMALL)).verdict == "valid"


@pytest.mark.parametrize("name", ACCEPTED)
def test_true_steps_are_accepted(name):
    report = check(json.dumps(ACCEPTED[name]))
    assert report.verdict == "valid", report


NO_BOUND = "the multipliers prove no bound"
NOT_SHOWN = "the row is not proved on a side"
REFUSED = {
    "a bound with no point": (
        document([], ROOT, claim={"verdict": "bound", "bound": "0", "x": ["1", "0"]}),
        "row 0 is violated",
    ),
    "a rounding too far": (document([replaced(ROUNDED, "least", "4")], ROOT), NOT_SHOWN),
    "a rounding of another side": (document([replaced(ROUNDED, "at", 3)], ROOT), NOT_SHOWN),
    "no contradiction on a side": (
        document([replaced(ROUNDED, "sides", 0, "rows", [])], ROOT),
        NOT_SHOWN,
    ),
    "a continuous disjunction": (
        document([ROUNDED], ROOT, columns=LINE),
        "a disjunction is about integers",
    ),
    "a mixed rounding too far": (
        document([replaced(MIXED, "least", "7/2")], ROOT, columns=LINE),
        NOT_SHOWN,
    ),
    "a negative multiplier": (
        document([replaced(ROUNDED, "sides", 1, "times", -1)], ROOT),
        "a multiplier of a side is negative",
    ),
    "a negative denominator": (
        document([replaced(ROUNDED, "sides", 1, "over", -1)], ROOT),
        "a multiplier of a side is negative",
    ),
    "one side": (
        document([replaced(ROUNDED, "sides", ROUNDED["sides"][:1])], ROOT),
        "a disjunction has two sides",
    ),
    "a row that comes later": (
        document([replaced(ROUNDED, "sides", 0, "rows", [[2, 1]])], ROOT),
        "an integer in [0, 1] was expected",
    ),
    "a column twice": (
        document([replaced(ROUNDED, "cut", [[0, 1], [0, 1]])], ROOT),
        "a column is named twice",
    ),
    "a side without a bound": (
        document([replaced(ROUNDED, "sides", 0, "rows", [[0, -1]])], ROOT),
        "the multipliers of a side prove nothing",
    ),
    "a bound too far": (
        document([replaced(NARROW, "to", "3")], ROOT, columns=SMALL),
        "the bound is not proved",
    ),
    "a bound of the other side": (
        document([replaced(NARROW, "side", "upper")], ROOT, columns=SMALL),
        "the bound is not proved",
    ),
    "a bound over 0": (
        document([replaced(NARROW, "over", 0)], ROOT, columns=SMALL),
        "multipliers have a positive denominator",
    ),
    "an unknown side": (
        document([replaced(NARROW, "side", "left")], ROOT, columns=SMALL),
        "unknown side",
    ),
    "a rounding of a continuous column": (
        document(
            [replaced(NARROW, "to", "2")],
            ROOT,
            columns=[column(kind="continuous"), column(upper="1")],
        ),
        "the bound is not proved",
    ),
    "one of two bounds too far": (
        document([replaced(BOTH, "lower", [[0, "2"], [1, "3"]])], [{"crossed": 1}], NONE, UNITS),
        "the bound is not proved",
    ),
    "a sum of the other side": (
        document([{"lower": [], "upper": [[0, "9"]], "rows": [[0, 1]]}], ROOT),
        NO_BOUND,
    ),
    "an upper bound too far": (
        document([replaced(ABOVE, "upper", [[0, "2"]])], ROOT, BEST, DEAR),
        "the bound is not proved",
    ),
    "a column without a term": (
        document([replaced(ABOVE, "upper", [[1, "10"]])], ROOT, BEST, DEAR),
        NO_BOUND,
    ),
    "a column beside a free one": (
        document([replaced(ONE, "lower", [[1, "0"]])], ROOT, columns=FREE),
        NO_BOUND,
    ),
    "two free columns": (
        document([ONE], ROOT, columns=[*FREE[:1], column(None, None)]),
        NO_BOUND,
    ),
    "a sum without a side": (
        document([{"lower": [], "upper": [[0, "9"]], "rows": [[0, -1]]}], ROOT),
        NO_BOUND,
    ),
    "a rounding where there is none": (
        document([ONE], ROOT, columns=HALVES),
        "the bound is not proved",
    ),
    "a bound of a semi variable": (
        document([ONE], ROOT, columns=[column("1", "5", "semicontinuous"), column(upper="1")]),
        "column 0 is a semi variable",
    ),
    "a bound alone": (document([replaced(ONE, "lower", [[0]])], ROOT), "bounds are pairs"),
    "a bound of no column": (
        document([replaced(ONE, "lower", [[2, "0"]])], ROOT),
        "an integer in [0, 1] was expected",
    ),
    "bounds of one side": (
        document([{"lower": [], "rows": []}], ROOT),
        "a missing or unknown field: 'upper'",
    ),
    "a column that is 1 and counts": (fixed("1", "2"), "the bound is too weak"),
    "a column that may be 0": (
        document([], [{"bound": [[0, 1]], "over": 2}], bound("5/2")),
        "the bound is too weak",
    ),
    "a semi variable": (
        document([NARROW], ROOT, columns=[column("1", "5", "semicontinuous"), column(upper="1")]),
        "column 0 is a semi variable",
    ),
    "no cutoff of the infeasible": (
        document([CUT_OFF], [{"none": []}], claim={"verdict": "infeasible"}),
        "the multipliers prove no bound",
    ),
    "beyond the cutoff": (
        document([replaced(CUT_OFF, "to", "2")], ROOT, claim=BEST, columns=DEAR),
        "the bound is not proved",
    ),
    "an unknown step": (
        document([{"assume": 0}], ROOT),
        "a missing or unknown field: 'assume'",
    ),
    "derived, and nothing to prove": (
        document([ROUNDED], [], claim={"verdict": "unbounded", "x": ["3", "0"], "ray": ["0", "0"]}),
        "an unbounded program needs no tree",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_each_false_step_is_refused_for_its_reason(name):
    lie, why = REFUSED[name]
    report = check(json.dumps(lie))
    assert (report.verdict, report.why) == ("invalid", why)


def test_steps_that_rest_on_a_point_which_is_not_known_are_not_gone_on_with():
    # no point is better than 2, as x <= 2 would be below the row; that says nothing of all points
    columns = (Column("x", Fraction(0), Fraction(10), Kind.INTEGER, Fraction(1)),)
    program = Program(columns, (Row("r", ((0, Fraction(1)),), Fraction(3)),))
    steps = (Tightened(((0, -1, Fraction(2)),), {1: -1}),)
    leaf = Excluded(Multipliers({0: 1}, 1))
    given = certificate(program, "bound", (leaf,), None, steps, bound=Fraction(2))
    assert check(given).verdict == "valid"
    with pytest.raises(InputError, match="rests on a point"):
        solve(program, resume=given, solvers=())
