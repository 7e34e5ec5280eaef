"""The checker of trees: a right certificate for each rule, and lies that one condition refuses."""

# ruff: noqa: E501  (a case a line, and a word for each of its fields)
from dataclasses import FrozenInstanceError
from math import prod

import pytest
from acceptance import accepts, refuses, takes

from tamecheck.kernel.checker import A_CHARACTER
from tamecheck.kernel_mip import check, checker, program
from tests.kernel.builders import edited as changed
from tests.kernel.builders import tree


def column(lower="0", upper="10", kind="integer", cost="1", name=None):
    return {"name": name, "lower": lower, "upper": upper, "kind": kind, "cost": cost}


def row(lower, upper, *terms):
    return {"name": None, "lower": lower, "upper": upper, "terms": [list(t) for t in terms]}


def bound(value):
    return {"verdict": "bound", "bound": value}


def optimal(value, *x):
    return {"verdict": "optimal", "x": list(x), "value": value}


def unbounded(x, ray):
    return {"verdict": "unbounded", "x": list(x), "ray": list(ray)}


NONE = {"verdict": "infeasible"}


def leaf(*pairs, over=1):
    return {"bound": [list(p) for p in pairs], "over": over}


def none(*pairs):
    return {"none": [list(p) for p in pairs]}


def split(j, at, *children):
    return {"branch": j, "at": at, "children": list(children)}


def semi(j, *children):
    return {"semi": j, "children": list(children)}


def crossed(j):
    return {"crossed": j}


REAL, WHOLE = column(kind="continuous"), column()
SEMI = column("2", "5", "semicontinuous")
# 2x in [1, 1]: no integer x
HALF = [row("1", "1", (0, "2"))]
# x + y >= 3 with 0 <= x, y
PAIR = [WHOLE, WHOLE], [row("3", None, (0, "1"), (1, "1"))]


BRANCHED = tree([WHOLE], HALF, NONE, [split(0, 0, 1, 2), none((0, 1)), none((0, -1))])
BOUNDED = tree(*PAIR, bound("3"), [leaf((0, 1))])
BEST = tree(*PAIR, optimal("3", "1", "2"), [leaf((0, 1))])
STEEP = tree(
    [column(cost="2"), column(cost="4")],
    [row("3", None, (0, "2"), (1, "4"))],
    optimal("4", "0", "1"),
    [leaf((0, 1))],
    step=("2", []),
)
CHOSEN = tree([SEMI], [], bound("0"), [semi(0, 1, 2), leaf(), leaf()])
RAY = tree(
    [column("0", None), column(None, None, cost="-2")],
    [row("0", None, (0, "1"), (1, "-1"))],
    unbounded(["0", "0"], ["1", "1"]),
)
# 2x + 3y = 6, cost 2x + 3y + z for z in {0, 1}
EQUATED = tree(
    [column(cost="2", kind="continuous"), column(cost="3"), column("0", "1", cost="1")],
    [row("6", "6", (0, "2"), (1, "3"))],
    optimal("6", "3", "0", "0"),
    [leaf((0, 9), over=10)],
    step=("1", [[0, "1"]]),
)

# costs, bounds and multipliers of so many bits that an operation counts for several
LONG = 7**900
SLOW = tree(
    [column("0", None, "continuous", f"1/{LONG}"), column("0", None, "continuous", "1")],
    [row(str(LONG), None, (0, "1"))],
    bound("1"),
    [leaf((0, "1"), over=str(LONG))],
)
TINY = column("0", None, "continuous", f"1/{LONG}")
SLOW_POINT = tree(
    [TINY], [row(f"1/{LONG}", None, (0, "1"))],
    optimal(f"1/{LONG**2}", f"1/{LONG}"), [leaf((0, 1), over=str(LONG))],
)  # fmt: skip
SLOW_RAY = tree([TINY | {"cost": f"-1/{LONG}"}], [], unbounded(["0"], [f"1/{LONG}"]))
SLOW_STEP = tree(
    [TINY | {"kind": "integer"}], [], optimal("0", "0"), [leaf()], step=(f"1/{LONG}", [])
)
SLOW_SUM = tree(
    [column(f"1/{d}", None, "continuous") for d in (LONG, 11**900)], [], bound("0"), [leaf()]
)
# 65536 bits, the most that a common denominator may have
PRIMES = [3**7000, 5**5500, 7**4600, 11**3700, 13**2000]
REST = (1 << 16) - prod(PRIMES).bit_length()


def of_denominators(*denominators):
    costs = [column("0", None, "continuous", f"1/{d}") for d in denominators]
    return tree(costs, [], bound("0"), [leaf()])


# the longest numbers, which are read in parts
MOST = "9" * 3999 + "0" * 8000 + "1" + "7" * 8000
LEAST = f"-{MOST[1:]}"


def of_length(end):
    return tree([column(end, None, "continuous")], [], bound(end), [leaf()])


ACCEPTED = {
    "the longest integer": of_length(MOST),
    "the longest negative integer": of_length(LEAST),
    "the longest denominator": of_length("3/1" + "0" * 19720),
    "the longest common denominator": of_denominators(1 << REST, *PRIMES),
    "all kinds of columns": tree(
        [column("0", "1", kind) for kind in (
            "continuous", "integer", "semicontinuous", "semi-integer")],
        [], bound("0"), [leaf()],
    ),
    "long numbers": SLOW,
    "a free column that costs nothing": tree(
        [column(None, None, cost="0"), column(None, "0", cost="0"), WHOLE], [], bound("0"), [leaf()]
    ),
    "zero bounds a semi column from above": tree(
        [column("-5", "-2", "semicontinuous", "-1")], [], bound("0"), [leaf()]
    ),
    "a branched semi column without bounds": tree(
        [column(None, None, "semi-integer", "0")], [], bound("0"),
        [split(0, 3, 1, 2), semi(0, 3, 4), semi(0, 5, 6), leaf(), leaf(), leaf(), leaf()],
    ),
    "a branching on an integer": BRANCHED,
    "a bound of multipliers": BOUNDED,
    "an optimum": BEST,
    "an optimum by steps": STEEP,
    "a semicontinuous column": CHOSEN,
    "a ray": RAY,
    "steps along an equation": EQUATED,
    "a column is zero": tree([REAL], [], bound("0"), [leaf()]),
    "multipliers over two": tree(
        [column(cost="1/2")], [row("3", None, (0, "1"))], bound("3/2"), [leaf((0, 1), over=2)]
    ),
    "a weaker bound": changed(BOUNDED, claim__bound="2"),
    "a maximum": tree(
        [WHOLE], [row(None, "3", (0, "1"))], bound("4"), [leaf((0, -1))],
        sense="maximise", constant="1",
    ),
    "a maximum that is reached": tree(
        [WHOLE], [row(None, "3", (0, "1"))], optimal("4", "3"), [leaf((0, -1))],
        sense="maximise", constant="1",
    ),
    "a bound with a constant": tree([REAL], [], bound("7"), [leaf()], constant="7"),
    "crossed bounds of a column": tree([column("1/3", "2/3")], [], NONE, [crossed(0)]),
    "crossed bounds of a row": tree([REAL], [row("2", "1", (0, "1"))], NONE, [{"row": 0}]),
    "a crossed child": tree(
        [column("3", "5")], [row("9", None, (0, "1"))], NONE,
        [split(0, 2, 1, 2), crossed(0), none((0, 1))],
    ),
    "a crossed upper child": tree(
        [column("3", "5")], [row("9", None, (0, "1"))], NONE,
        [split(0, 5, 1, 2), none((0, 1)), crossed(0)],
    ),
    "an upper bound is rounded down": tree(
        [column("0", "5/2")], [row("5/2", None, (0, "1"))], NONE, [none((0, 1))]
    ),
    "a lower bound is rounded up": tree([column("1/2", "9")], [], bound("1"), [leaf()]),
    "two levels of branching": tree(
        [WHOLE, WHOLE], [row("1", "1", (0, "2"), (1, "2"))], NONE,
        [split(0, 0, 1, 2), split(1, 0, 3, 4), split(1, 0, 5, 6), none((0, 1)), none((0, -1)),
         none((0, -1)), none((0, -1))],
    ),
    "branching without a finite bound": tree(
        [column(None, None)], HALF, NONE, [split(0, 0, 1, 2), none((0, 1)), none((0, -1))]
    ),
    "a split tighter than the box": tree(
        [column("0", "1")], [], bound("0"), [split(0, 5, 1, 2), leaf(), crossed(0)]
    ),
    "a semi-integer column": tree(
        [column("1/2", "9/2", "semi-integer")], [row("9/2", None, (0, "1"))], NONE,
        [semi(0, 1, 2), none((0, 1)), none((0, 1))],
    ),
    "a semi-integer column is branched on": tree(
        [column("2", "5", "semi-integer")], [row("3", "3", (0, "2"))], NONE,
        [split(0, 1, 1, 2), none((0, 1)), none((0, -1))],
    ),
    "a semi column without bounds": tree(
        [column(None, None, "semicontinuous", "0")], [], bound("0"), [semi(0, 1, 2), leaf(), leaf()]
    ),
    "a semi column is zero or at least two": tree(
        [SEMI], [row("1", None, (0, "1"))], bound("2"), [semi(0, 1, 2), none((0, 1)), leaf()]
    ),
    "a semi column is zero or at most minus two": tree(
        [column("-5", "-2", "semicontinuous", "-1")], [row(None, "-1", (0, "1"))], bound("2"),
        [semi(0, 1, 2), none((0, -1)), leaf()],
    ),
    "a semi column with zero inside": tree(
        [column("-5", "5", "semicontinuous")], [], bound("-5"), [leaf()]
    ),
    "zero of a semi column is admitted": tree([SEMI], [], optimal("0", "0"), [leaf()]),
    "another value of a semi column": tree(
        [SEMI], [row("1", None, (0, "1"))], optimal("2", "2"), [semi(0, 1, 2), none((0, 1)), leaf()]
    ),
    "a ray along an integer": tree(
        [column("0", None, cost="-1")], [], unbounded(["1"], ["2"])
    ),
    "a ray downwards": tree([column(None, "0")], [], unbounded(["0"], ["-1"])),
    "a ray may rest on a semi column": tree(
        [column("0", None, cost="-1"), SEMI], [], unbounded(["0", "2"], ["1", "0"])
    ),
    "a ray of rationals": tree(
        [column("0", None, "continuous", "-1")], [row("0", None, (0, "1/3"))],
        unbounded(["1/2"], ["1/2"]),
    ),
    "a point of rationals": tree([column("0", "9", "continuous")], [row("1", None, (0, "3"))],
        optimal("1/3", "1/3"), [leaf((0, 1), over=3)],
    ),
    "an unused row with no side": tree(
        [REAL], [row(None, None, (0, "1"))], bound("0"), [leaf()]
    ),
    "long integers as text": tree(
        [column(str(-(10**30)), None)], [], bound(str(-(10**30))),
        [split(0, str(10**25), 1, 2), leaf(), leaf()],
    ),
    "the largest integers as numbers": tree(
        [column("0", None)], [row(str(10**18), None, (0, "1"))], bound(str(10**18)),
        [split(0, 9 * 10**18, 1, 2), leaf((0, 10**18), over=10**18), leaf((0, 1))],
    ),
    "half steps": tree(
        [column(cost="1/2")], [row("1", None, (0, "3"))], optimal("1/2", "1"),
        [leaf((0, 1), over=6)], step=("1/2", []),
    ),
    "costs of zero need no steps": tree(
        [column(cost="0", kind="continuous"), column(cost="3")], [row("1", None, (1, "2"))],
        optimal("3", "0", "1"), [leaf((0, 3), over=2)], step=("3", []),
    ),
}  # fmt: skip

RATIONAL = "a rational 'p' or 'p/q' of at most 20000 digits was expected"
FIELD, RANGE = "a missing or unknown field: ", "an integer in [{}, {}] was expected"
LIES = [
    (of_length(MOST) | {"claim": bound(MOST[:-1] + "8")}, 0, "the bound is too weak"),
    (of_length(LEAST) | {"claim": bound(LEAST[:-1] + "6")}, 0, "the bound is too weak"),
    (changed(of_length(MOST), program__columns__0__lower=f"{MOST}0"), None, RATIONAL),
    (changed(of_length(LEAST), program__columns__0__lower=f"-{MOST}"), None, RATIONAL),
    (changed(of_length(MOST), program__columns__0__lower=f"1/{MOST}0"), None, RATIONAL),
    (changed(of_length(MOST), program__columns__0__lower=f"{MOST}/{MOST}"), None, "a rational not in lowest terms"),
    (of_denominators(2 << REST, *PRIMES), None, "the common denominator is too long"),
    # without steps, a bound less than one below the value is none
    (tree(*PAIR, optimal("3", "1", "2"), [leaf((0, 5), over=6)]), 0, "the bound is too weak"),
    # what stands where
    (changed(BOUNDED, format="tree"), None, "unknown format"),
    (changed(BOUNDED, version=4), None, RANGE.format(1, 3)),
    (changed(BOUNDED, extra=0), None, FIELD + "'extra'"),
    (changed(BOUNDED, claim__verdict="best"), None, "unknown verdict"),
    (changed(BOUNDED, claim__x=[]), None, FIELD + "'x'"),
    (changed(BOUNDED, claim={"verdict": "bound"}), None, FIELD + "'bound'"),
    (changed(BOUNDED, claim__bound=3), None, RATIONAL),
    (changed(BRANCHED, claim__bound="1"), None, FIELD + "'bound'"),
    (changed(BEST, claim__ray=["0", "0"]), None, FIELD + "'ray'"),
    (changed(RAY, claim__value="0"), None, FIELD + "'value'"),
    (changed(BOUNDED, program__columns__0__cost=1), None, "a number is not a string"),
    (changed(BOUNDED, program__rows__0__terms__1=[1, True]), None, "a number is not a string"),
    (changed(BEST, claim__x=["0", 0]), None, "a number is not a string"),
    (changed(BOUNDED, program__format="x"), None, "unknown format of the program"),
    (changed(BOUNDED, program__version=2), None, RANGE.format(1, 1)),
    (changed(BOUNDED, program__sense="most"), None, "unknown sense"),
    (changed(BOUNDED, program__name=0), None, "a string was expected"),
    (changed(BOUNDED, program__objective__name=0), None, "a string was expected"),
    (changed(BOUNDED, program__columns__0__kind="real"), None, "unknown kind"),
    (changed(BOUNDED, program__columns__1__name="x0"), None, "two names are equal"),
    (changed(EQUATED, program__rows=EQUATED["program"]["rows"] * 2), None, "two names are equal"),
    (changed(BOUNDED, program__rows__0__terms=[[0, "1"], [0, "1"]]), None, "a row names a column twice"),
    (changed(BOUNDED, program__rows__0__terms__1=[2, "1"]), None, RANGE.format(0, 1)),
    (changed(BOUNDED, program__rows__0__terms__1=[1]), None, "a term is a pair"),
    (changed(BOUNDED, program__rows__0__terms__1=[1, "1", "1"]), None, "a term is a pair"),
    # multipliers
    (changed(BOUNDED, nodes__0=leaf((1, 1))), 0, RANGE.format(0, 0)),
    (changed(BOUNDED, nodes__0=leaf((-1, 1))), 0, RANGE.format(0, 0)),
    (changed(BOUNDED, nodes__0=leaf((0, 1, 1))), 0, "multipliers are pairs"),
    (changed(BOUNDED, nodes__0=leaf((0, 1), (0, 1))), 0, "a row is named twice"),
    (changed(BOUNDED, nodes__0=leaf((0, "1/2"))), 0, "an integer was expected"),
    (changed(BOUNDED, nodes__0=leaf((0, True))), 0, RATIONAL),
    (changed(BOUNDED, nodes__0=leaf((0, 1), over=0)), 0, "multipliers have a positive denominator"),
    (changed(BOUNDED, nodes__0=leaf((0, -1), over=-1)), 0, "multipliers have a positive denominator"),
    (changed(BOUNDED, nodes__0={"bound": []}), 0, FIELD + "'over'"),
    (changed(BOUNDED, nodes__0=leaf((0, 1)) | {"none": []}), 0, FIELD + "'bound'"),
    # bounds
    (changed(BOUNDED, claim__bound="4"), 0, "the bound is too weak"),
    (changed(BOUNDED, nodes__0=leaf()), 0, "the bound is too weak"),
    (changed(BOUNDED, nodes__0=leaf((0, 2))), 0, "the bound is too weak"),
    (changed(BOUNDED, nodes__0=leaf((0, 1), over=2)), 0, "the bound is too weak"),
    # a multiplier of the wrong sign, or of a side that is not there
    (changed(BOUNDED, nodes__0=leaf((0, -1))), 0, "the bound is too weak"),
    (tree([WHOLE], [row("3", None, (0, "1"))], bound("0"), [leaf((0, 0))]), 0, "the bound is too weak"),
    (tree([column("0", None, cost="-1")], [], bound("0"), [leaf()]), 0, "the bound is too weak"),
    (tree([column(None, "0")], [], bound("0"), [leaf()]), 0, "the bound is too weak"),
    (changed(ACCEPTED["a maximum"], claim__bound="3"), 0, "the bound is too weak"),
    (changed(ACCEPTED["a bound with a constant"], claim__bound="8"), 0, "the bound is too weak"),
    (changed(ACCEPTED["multipliers over two"], claim__bound="2"), 0, "the bound is too weak"),
    (changed(BRANCHED, nodes__2=leaf((0, -1))), 2, "the bound is too weak"),
    # no points
    (tree([WHOLE], [row("10", None, (0, "1"))], NONE, [none((0, 1))]), 0, "the multipliers exclude nothing"),
    (tree([WHOLE], [row("10", None, (0, "1"))], NONE, [none()]), 0, "the multipliers exclude nothing"),
    (tree([column("0", None)], [row("10", None, (0, "1"))], NONE, [none((0, 1))]), 0, "the multipliers exclude nothing"),
    (tree([WHOLE], [row(None, None, (0, "1"))], NONE, [none((0, 1))]), 0, "the multipliers exclude nothing"),
    (tree([WHOLE], HALF, NONE, [leaf((0, 1))]), 0, "the bound is too weak"),
    (tree([column("1", "1")], [], NONE, [crossed(0)]), 0, "no bounds are crossed"),
    (tree([column("1", None)], [], NONE, [crossed(0)]), 0, "no bounds are crossed"),
    (tree([column(None, "1")], [], NONE, [crossed(0)]), 0, "no bounds are crossed"),
    (tree([REAL], [row("1", "1", (0, "1"))], NONE, [{"row": 0}]), 0, "no bounds are crossed"),
    (tree([REAL], [row("1", None, (0, "1"))], NONE, [{"row": 0}]), 0, "no bounds are crossed"),
    (tree([REAL], [row(None, "1", (0, "1"))], NONE, [{"row": 0}]), 0, "no bounds are crossed"),
    (tree([REAL], [row("2", "1", (0, "1"))], NONE, [{"row": 1}]), 0, RANGE.format(0, 0)),
    (tree([column("1/3", "2/3")], [], NONE, [crossed(1)]), 0, RANGE.format(0, 0)),
    (tree([column("1/3", "2/3", "continuous")], [], NONE, [crossed(0)]), 0, "no bounds are crossed"),
    (changed(ACCEPTED["a crossed child"], nodes__1=crossed(0) | {"row": 0}), 1, FIELD + "'row'"),
    # the tree
    (changed(BOUNDED, nodes=[]), None, "the tree has no root"),
    (changed(BRANCHED, nodes__0=split(0, 0, 0, 2)), 0, RANGE.format(1, 2)),
    (changed(BRANCHED, nodes__0=split(0, 0, 1, 3)), 0, RANGE.format(1, 2)),
    (changed(BRANCHED, nodes__0=split(0, 0, 1)), 0, "a branching has two children"),
    (changed(BRANCHED, nodes__0=split(0, 0, 1, 1)), 0, "a branching has two children"),
    (changed(BRANCHED, nodes__0=split(0, 0, 1, 1, 2)), 0, "a branching has two children"),
    (changed(BRANCHED, nodes__1=split(0, 0, 2, 2)), 1, "a branching has two children"),
    (changed(BRANCHED, nodes=[*BRANCHED["nodes"][:1], split(0, -1, 2, 3), none((0, -1)), none((0, 1))]), 1, "a node has two parents"),
    (changed(BRANCHED, nodes=[*BRANCHED["nodes"], none((0, 1))]), 3, "no earlier node has this child"),
    (changed(ACCEPTED["two levels of branching"], nodes__0=split(0, 0, 2, 3)), 1, "no earlier node has this child"),
    (changed(BRANCHED, nodes=[split(0, 0, 1, 3), *BRANCHED["nodes"][1:], none((0, 1))]), 2, "no earlier node has this child"),
    (changed(BRANCHED, nodes__0=split(1, 0, 1, 2)), 0, RANGE.format(0, 0)),
    (changed(BRANCHED, nodes__0=split(-1, 0, 1, 2)), 0, RANGE.format(0, 0)),
    (changed(BRANCHED, nodes__0=split(0, "1/2", 1, 2)), 0, "an integer was expected"),
    (changed(BRANCHED, nodes__0=split(0, 0, 1, 2) | {"semi": 0}), 0, FIELD + "'at'"),
    (changed(BRANCHED, program__columns__0__kind="continuous"), 0, "column 0 is no integer variable"),
    (changed(BRANCHED, nodes__0=semi(0, 1, 2)), 0, "column 0 is no semi variable"),
    # each child has its own side, and no more than that
    (changed(BRANCHED, nodes__1=none((0, -1))), 1, "the multipliers exclude nothing"),
    (changed(BRANCHED, nodes__2=none((0, 1))), 2, "the multipliers exclude nothing"),
    (changed(BRANCHED, nodes__0=split(0, 1, 1, 2)), 1, "the multipliers exclude nothing"),
    (changed(BRANCHED, nodes__0=split(0, -1, 1, 2)), 2, "the multipliers exclude nothing"),
    (changed(ACCEPTED["a split tighter than the box"], nodes__0=split(0, 0, 1, 2)), 2, "no bounds are crossed"),
    (changed(ACCEPTED["a split tighter than the box"], nodes__0=split(0, 1, 1, 2), nodes__1=crossed(0)), 1, "no bounds are crossed"),
    (changed(ACCEPTED["two levels of branching"], nodes__3=none((0, -1))), 3, "the multipliers exclude nothing"),
    (changed(ACCEPTED["two levels of branching"], nodes__4=none((0, 1))), 4, "the multipliers exclude nothing"),
    (changed(ACCEPTED["an upper bound is rounded down"], program__columns__0__kind="continuous"), 0, "the multipliers exclude nothing"),
    (changed(ACCEPTED["a lower bound is rounded up"], program__columns__0__kind="continuous"), 0, "the bound is too weak"),
    (tree([SEMI], [], bound("2"), [leaf()]), 0, "the bound is too weak"),
    (tree([column("-5", "-2", "semicontinuous", "-1")], [], bound("2"), [leaf()]), 0, "the bound is too weak"),
    (tree([SEMI], [], bound("2"), [semi(0, 1, 2), leaf(), leaf()]), 1, "the bound is too weak"),
    (tree([SEMI], [], bound("3"), [semi(0, 1, 2), crossed(0), leaf()]), 1, "no bounds are crossed"),
    (changed(ACCEPTED["a semi column is zero or at least two"], nodes__2=none((0, 1))), 2, "the multipliers exclude nothing"),
    (changed(ACCEPTED["a semi-integer column"], program__columns__0__kind="semicontinuous"), 2, "the multipliers exclude nothing"),
    # points
    (changed(BEST, claim__x=["1"]), None, "a point has one number a column"),
    (changed(BEST, claim__x=["1", "2", "0"]), None, "a point has one number a column"),
    (changed(BEST, claim__x=["1", "1"]), None, "row 0 is violated"),
    (changed(BEST, claim__x=["1/2", "5/2"]), None, "column 0 is not integral"),
    (changed(BEST, claim__x=["-1", "4"]), None, "column 0 is out of bounds"),
    (changed(BEST, claim__x=["1", "11"]), None, "column 1 is out of bounds"),
    (changed(EQUATED, claim__x=["0", "3", "0"]), None, "row 0 is violated"),
    (tree([SEMI], [], optimal("1", "1"), [leaf()]), None, "column 0 is out of bounds"),
    (tree([column("2", "5", "semi-integer")], [], optimal("5/2", "5/2"), [leaf()]), None, "column 0 is not integral"),
    (changed(BEST, claim__value="2"), None, "the value at x is another"),
    (changed(ACCEPTED["a maximum that is reached"], claim__value="3"), None, "the value at x is another"),
    (changed(ACCEPTED["a maximum that is reached"], claim__value="-4"), None, "the value at x is another"),
    (changed(BEST, claim__x=["2", "2"], claim__value="4"), 0, "the bound is too weak"),
    (tree(*PAIR, optimal("3", "1", "2"), [leaf()]), 0, "the bound is too weak"),
    (tree([column("0", None), column("0", None)], PAIR[1], optimal("3", "1", "2"), [leaf((0, -1))]), 0, "the bound is too weak"),
    # steps
    (changed(STEEP, granularity=None), 0, "the bound is too weak"),
    (changed(STEEP, granularity__step="1"), 0, "the bound is too weak"),
    (changed(STEEP, granularity__step="4"), None, "the objective moves in other steps along column 0"),
    (changed(STEEP, granularity__step="0"), None, "the step is not positive"),
    (changed(STEEP, granularity__step="-2"), None, "the step is not positive"),
    (changed(STEEP, granularity__rows=[[0, "1"]]), None, "row 0 is no equation"),
    (changed(STEEP, granularity__rows=[[1, "1"]]), None, RANGE.format(0, 0)),
    (changed(STEEP, granularity__rows=[[0]]), None, "rows are pairs"),
    (changed(STEEP, granularity__more=0), None, FIELD + "'more'"),
    (changed(STEEP, program__columns__1__kind="continuous"), None, "the objective moves in other steps along column 1"),
    # one whole step below the value is not below it by less than a step
    (changed(STEEP, claim__value="6", claim__x=["1", "1"]), 0, "the bound is too weak"),
    (changed(EQUATED, granularity__rows=[]), None, "the objective moves in other steps along column 0"),
    (changed(EQUATED, granularity__rows=[[0, "2"]]), None, "the objective moves in other steps along column 0"),
    (changed(EQUATED, program__rows__0__upper="7"), None, "row 0 is no equation"),
    (changed(EQUATED, program__rows__0__upper=None, program__rows__0__lower=None), None, "row 0 is no equation"),
    (changed(ACCEPTED["half steps"], granularity__step="1"), None, "the objective moves in other steps along column 0"),
    # rays
    (changed(RAY, nodes=[leaf()]), None, "an unbounded program needs no tree"),
    (changed(RAY, claim__x=["0", "1"]), None, "row 0 is violated"),
    (changed(RAY, claim__ray=["1"]), None, "a point has one number a column"),
    (changed(RAY, claim__ray=["0", "0"]), None, "the ray does not improve the objective"),
    (changed(RAY, claim__ray=["3", "1"]), None, "the ray does not improve the objective"),
    (changed(RAY, claim__ray=["1", "2"]), None, "the ray leaves row 0"),
    (changed(RAY, claim__ray=["-1", "-2"]), None, "the ray leaves column 0"),
    (changed(RAY, claim__ray=["1/2", "1/2"]), None, "the ray is not integral at 0"),
    (changed(RAY, program__columns__0__upper="9"), None, "the ray leaves column 0"),
    (changed(RAY, program__rows__0__upper="9", claim__ray=["2", "1"], program__columns__1__cost="-3"), None, "the ray leaves row 0"),
    (tree([column("0", None, "semicontinuous", "-1")], [], unbounded(["1"], ["1"])), None, "the ray moves the semi column 0"),
]  # fmt: skip


STEPS = [
    (BOUNDED, 21),
    (of_length(MOST), 20_368),
    (ACCEPTED["two levels of branching"], 41),
    (BEST, 28),
    (STEEP, 34),
    (EQUATED, 44),
    (RAY, 26),
    (SLOW, 330),
    (SLOW_POINT, 159),
    (SLOW_SUM, 657),
    (SLOW_RAY, 56),
    (SLOW_STEP, 75),
]
"""How many steps a check takes."""


def is_that_of_data(report, document):
    return report == check(document)


def says_what_is_written(report, document):
    named = report.claim == document["claim"] and report.model_sha256 is not None
    return named and is_that_of_data(report, document)


test_true_claims_are_accepted = accepts(check, ACCEPTED, says_what_is_written)
test_each_lie_is_refused_for_its_reason_at_its_node = refuses(check, LIES, is_that_of_data)
test_a_check_takes_so_many_steps = takes(check, STEPS, A_CHARACTER)


def test_a_point_has_so_many_bits_over_its_common_denominator(monkeypatch):
    assert program.MEMORY == 1 << 30
    ends = [column("0", "1", "continuous", "0")] * 3
    point = tree(ends, [], optimal("0", "1/4", "1/8", "0"), [leaf()])
    # two numbers that are not 0 over 8
    for limit, verdict in ((8, "valid"), (7, "invalid")):
        monkeypatch.setattr(program, "MEMORY", limit)
        assert check(point).verdict == verdict
    assert check(point).why == "the point is too long over its common denominator"


def test_limits_and_records_are_those_that_are_documented():
    assert checker.STEPS == 600_000_000
    with pytest.raises(FrozenInstanceError):
        program.read_program(BOUNDED["program"]).sign = -1
    assert not hasattr(program.read_program(BOUNDED["program"]), "__dict__")


def test_what_no_text_says_is_no_certificate():
    odd = type("Text", (str,), {})
    document = changed(BEST, program__objective__constant=odd("0"))
    for one in (document, changed(BEST, program__sense=odd("minimise")), None, 1, (), {1: 2}):
        assert check(one).verdict == "invalid"
