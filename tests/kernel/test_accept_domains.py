"""Natural domains, open ends and decided pieces: what follows in version 2, and what does not."""

# ruff: noqa: E501  (a case a line)
import json

import pytest
from acceptance import accepts

from tamecheck.kernel import check
from tests.kernel.builders import (
    ALG,
    LIN,
    LINQ,
    bounded,
    c,
    certificate,
    changed,
    enclosure,
    has,
    op,
    proof,
    structure,
    tame,
    tensor,
    x,
)


def second(document):
    """The certificate in version 2."""
    return changed(document, version=2)


def total(node, *cited):
    """A step."""
    return {"rule": "total", "node": node, "from": list(cited)}


def domain(node, words, *args, bounded=(), enclosures=()):
    """A step."""
    return {
        "rule": "domain", "node": node, "in": words.split(), "args": list(args),
        "bounded": list(bounded), "enclosures": list(enclosures),
    }  # fmt: skip


def value(node, words, cited, **more):
    """A step."""
    return {"rule": "value", "node": node, "in": words.split(), "enclosure": cited, **more}


def decided(node, words, live, cited, *args, enclosures=()):
    """A step."""
    return {
        "rule": "decided", "node": node, "in": words.split(), "live": live, "structure": cited,
        "args": list(args), "enclosures": list(enclosures),
    }  # fmt: skip


def finite(node, *cited):
    """A step."""
    return {"rule": "finite", "node": node, "from": list(cited)}


def split(node, words, on, at, cited, *cases, **more):
    """A step."""
    return {
        "rule": "split", "node": node, "in": words.split(), "on": on, "at": at.split(),
        "structure": cited, "cases": list(cases), **more,
    }  # fmt: skip


def nowhere(node, *cited, **more):
    """A step."""
    said = {} if "step" in more else {"enclosures": list(cited)}
    return {"rule": "nowhere", "node": node, **said, **more}


def undefined_at(node, point, *steps):
    """A step."""
    return {"rule": "undefined-at", "node": node, "point": point, "steps": list(steps)}


LOG = [x(), op("log", 0)]
TAN = [x(), op("tan", 0)]
SIN = [x(), op("sin", 0)]
TWO, TWO_FORM = tensor(["2"])
PEAK = [x(), op("sin", 0), c(TWO), op("maximum", 1, 2)]
TWOS = {TWO: TWO_FORM}
ONE, ONE_FORM = tensor(["1"])
ONES = {ONE: ONE_FORM}
CHOICE = [x("a"), x("b"), op("log", 1), op("select", 0, 1, 2)]
POWER = [x("a"), x("b"), op("power", 0, 1)]
S0 = structure(0, LINQ)
POLE = ([x(), op("pow", 0, exponent="-2")], S0, enclosure(0, "-2", "1"))
EVERYTHING = enclosure(0, None, None)
TO_TWO = [enclosure(1, "-1", "1", 0), enclosure(2, "2", "2"), enclosure(3, "2", "2", 1, 2)]
OPEN = [["0"]]

CUT = [x(), op("floor", 0), op("clip", 1, lo="-2", hi="2")]
TAILS = [
    [enclosure(1, None, "-5", 1), enclosure(2, "-2", "-2", 2), value(2, LINQ, 3)],
    [bounded(0, 1), structure(1, LINQ, 0, bounded=[2]), structure(2, LINQ, 3)],
    [enclosure(1, "4", None, 1), enclosure(2, "2", "2", 2), value(2, LINQ, 3)],
]
ROUNDED = split(2, LINQ, 0, "-5 4", 0, *TAILS)
VECTOR = [x(shape=(2,)), op("floor", 0, shape=(2,)), op("clip", 1, shape=(2,), lo="-2", hi="2")]
SUMMED = [
    x(shape=(2,)),
    op("sum", 0, axes=[0], keepdims=False),
    op("floor", 1),
    op("clip", 2, lo="-2", hi="2"),
]
STEPPED = [x(), op("step", 0, at_zero="0"), op("exp", 1), x("y"), op("mul", 1, 3), op("mul", 2, 3)]
LATTICE = [
    x(),
    op("floor", 0),
    c(TWO),
    op("mul", 1, 2),
    op("clip", 3, lo="0", hi="9"),
    op("exp", 4),
]
NEGATIVE, NEGATIVE_FORM = tensor(["-2"])
NEVER = [c(NEGATIVE), op("log", 0), x(), op("add", 1, 2)]
BELOW = [enclosure(0, "-2", "-2"), nowhere(1, 0)]
MINUS = {NEGATIVE: NEGATIVE_FORM}
THERE = [enclosure(0, "-1", "-1"), nowhere(1, 0)]
PART = ["-1", "1"]

ACCEPTED = {
    "cases of a rounding": proof(CUT, S0, ROUNDED),
    "cases of each element": proof(VECTOR, S0, ROUNDED),
    "open cases and points": proof(CUT, S0, split(2, LINQ, 0, "0", 0, [enclosure(1, None, "-1", 1), split(2, LINQ, 0, "-5", 0, [enclosure(1, None, "-5", 3), enclosure(2, "-2", "-2", 4), value(2, LINQ, 5)], [bounded(0, 3), structure(1, LINQ, 0, bounded=[4]), structure(2, LINQ, 5)], enclosure=1)], TAILS[1], [split(2, LINQ, 0, "4", 0, [bounded(0, 2), structure(1, LINQ, 0, bounded=[3]), structure(2, LINQ, 4)], [enclosure(1, "4", None, 2), enclosure(2, "2", "2", 3), value(2, LINQ, 4)], enclosure=1)])),
    "a case that is empty": proof(CUT, S0, enclosure(0, "0", None), split(2, LINQ, 0, "-5 4", 0, [], [bounded(0, 2), structure(1, LINQ, 0, bounded=[3]), structure(2, LINQ, 4)], [enclosure(1, "4", None, 2), enclosure(2, "2", "2", 3), value(2, LINQ, 4)], enclosure=1), boxes=[("0", None)]),
    "a step has finitely many values": proof(STEPPED, S0, finite(1), structure(1, LINQ, 0), structure(2, LINQ, 2, finite=[1])),
    "a product by a few rationals": proof(STEPPED, S0, finite(1), structure(1, LINQ, 0), structure(3, LINQ), structure(4, LINQ, 2, 3, finite=[1])),
    "a product by a few numbers": proof(STEPPED, S0, finite(1), structure(1, LINQ, 0), finite(2, 1), structure(2, LINQ, 2, finite=[1]), structure(3, LINQ), structure(5, LIN, 4, 5, finite=[3])),
    "a bounded lattice": proof(LATTICE, S0, structure(1, "local", 0), bounded(4), finite(4, 2), structure(2, LINQ), structure(3, "local", 1, 4), structure(4, "local", 5), structure(5, "local", 6, finite=[3]), tensors=TWOS),
    "nowhere defined": proof(NEVER, *BELOW, nowhere(3, step=1), value(3, LINQ, 0, nowhere=2) | {"enclosure": 0}, tensors=MINUS),
    "a claim that it is empty": second(certificate(NEVER, [*BELOW, nowhere(3, step=1), {"rule": "value", "node": 3, "in": [LINQ], "nowhere": 2}], tame(LINQ) | {"empty": True}, tensors=MINUS)),
    "a claim that it is not total": second(certificate(LOG, [S0, structure(1, "exp", 0), undefined_at(1, {"x": ["-1"]}, *THERE)], tame("exp") | {"total": False})),
    "an element that is undefined": second(certificate([x(shape=(2,)), op("log", 0, shape=(2,))], [S0, structure(1, "exp", 0), undefined_at(1, {"x": PART}, enclosure(0, PART, PART), nowhere(1, 0))], tame("exp") | {"total": False})),
    "a logarithm on its natural domain": proof(LOG, S0, structure(1, "exp", 0)),
    "a sine of a tangent of something bounded": proof(TAN, S0, bounded(0), structure(1, "an", 0, bounded=[1]), boxes=[("0", "9")]),
    "acosh near 1": proof([x(), op("acosh", 0)], S0, bounded(0), structure(1, "an", 0, bounded=[1]), boxes=[("0", "9")]),
    "a logarithm inside": proof(LOG, S0, enclosure(0, "1", "2"), structure(1, "an", 0, enclosures=[1]), boxes=[("1", "2")]),
    "no domain": proof(SIN, total(1)),
    "total by an enclosure": proof(LOG, enclosure(0, "1", "2"), total(1, 0), boxes=[("1", "2")]),
    "total by a step": proof([*LOG, op("neg", 1)], enclosure(0, "1", "2"), total(1, 0), total(2, 1), boxes=[("1", "2")]),
    "total by an open end": proof([x(), op("exp", 0), op("log", 1)], EVERYTHING, enclosure(1, OPEN, None, 0), total(2, 1)),
    "a domain by a graph": proof(LOG, S0, domain(1, LINQ, 0)),
    "a domain by an enclosure": proof([*SIN, op("acos", 1)], EVERYTHING, enclosure(1, "-1", "1", 0), domain(2, LINQ, enclosures=[1])),
    "poles of a tangent": proof(TAN, S0, bounded(0), domain(1, LINQ, 0, bounded=[1]), boxes=[("0", "9")]),
    "the domain of a choice": proof(CHOICE, S0, structure(1, LINQ), structure(2, "exp", 1), domain(3, "exp", 0, 2)),
    "a difference of partial terms": proof([*LOG, op("sub", 1, 1)], S0, domain(1, LINQ, 0), {"rule": "self-difference", "node": 2, "in": [LINQ], "arg": 1}),
    "a difference of total terms": proof([*SIN, op("sub", 1, 1)], {"rule": "self-difference", "node": 2, "in": [LINQ]}),
    "one value": proof(PEAK, EVERYTHING, *TO_TWO, value(3, LINQ, 3), tensors=TWOS),
    "one value where it is defined": proof([*LOG, op("sub", 1, 1), op("relu", 2)], S0, domain(1, LINQ, 0), domain(3, LINQ, 1) | {"node": 2}, domain(3, LINQ, 2), EVERYTHING, enclosure(1, None, None, 4), enclosure(2, None, None, 5, 5), enclosure(3, "0", None, 6)),
    "the larger argument": proof([x(), op("sin", 0), c(TWO), x("y"), op("exp", 3), op("add", 4, 2), op("maximum", 1, 5)], EVERYTHING, enclosure(1, "-1", "1", 0), enclosure(2, "2", "2"), enclosure(3, None, None), enclosure(4, OPEN, None, 3), enclosure(5, [["2"]], None, 4, 2), structure(3, LINQ), structure(4, "exp", 6), structure(2, LINQ), structure(5, "exp", 7, 8), decided(6, "exp", 1, 9, enclosures=[1, 5]), tensors=TWOS),
    "a fixed point of open ends": proof([x(), op("sigmoid", 0), op("sigmoid", 1)], EVERYTHING, enclosure(1, OPEN, [["1"]], 0), enclosure(2, "1/2", "3/4", 1)),
    "an inverse of an open end": proof([x(), op("exp", 0), op("pow", 1, exponent="-1")], EVERYTHING, enclosure(1, OPEN, None, 0), enclosure(2, OPEN, None, 1)),
    "an even power around its pole": proof(POLE[0], *POLE[1:], enclosure(1, "1/4", None, 1), boxes=[("-2", "1")]),
    "an odd power around its pole": proof([x(), op("pow", 0, exponent="-3")], *POLE[1:], enclosure(1, None, None, 1), boxes=[("-2", "1")]),
    "a root where it is defined": proof([x(), op("sqrt", 0)], EVERYTHING, enclosure(1, "0", None, 0)),
    "a quotient where it is defined": proof([x(), op("div", 0, 0)], EVERYTHING, enclosure(1, None, None, 0, 0)),
    "the floor below an open end": proof([x(), op("sigmoid", 0), op("floor", 1)], EVERYTHING, enclosure(1, OPEN, [["1"]], 0), enclosure(2, "0", "0", 1), value(2, LINQ, 2)),
    "a claim that it is total": second(certificate(SIN, [S0, bounded(0), structure(1, "an", 0, bounded=[1])], tame("an") | {"total": True}, boxes=[("0", "1")])),
    "rounding what is bounded on bounded sets": proof([x(), op("exp", 0), op("floor", 1)], has(2, "piecewise_constant")),
    "rounding what is continuous and total": proof([x(), op("exp", 0), op("log", 1), op("floor", 2)], EVERYTHING, enclosure(1, OPEN, None, 0), total(2, 1), has(0, "continuous"), has(1, "continuous", 3), has(2, "continuous", 4), has(3, "piecewise_constant") | {"bounded": [2, 5]}),
    "a base that is positive": proof(POWER, S0, structure(1, LINQ), domain(2, LINQ, 0)),
}  # fmt: skip

ABSOLUTE = [x(), c(ONE), op("abs", 0), op("add", 1, 2), op("div", 0, 3)]


def orthant(node, bound, delta):
    """A step."""
    return {"rule": "orthant-bound", "node": node, "bound": bound, "delta": delta, "atoms": []}


NO_CASE = "the node is not shown to be in these in a case"
FEW = "an argument may have infinitely many values"
NOT_OPEN = "interval arithmetic does not give these bounds"
UNKNOWN_SET = "the set is not shown to be definable in these"
UNKNOWN_DOMAIN = "the domain of the node is not shown to be in these"
LIES = [
    (proof(ABSOLUTE, orthant(4, "1/2", "1"), tensors=ONES), 0, "a coefficient is negative"),
    (proof(ABSOLUTE, orthant(4, "1", "2"), tensors=ONES), 0, "a coefficient is negative"),
    (proof(ABSOLUTE, orthant(4, "1", "0"), tensors=ONES), 0, "delta is not positive"),
    (proof([x(), c(ONE), op("add", 0, 1), op("abs", 2), op("add", 1, 3), op("div", 0, 4)], orthant(5, "9", "1"), tensors=ONES), 0, "not a quotient of polynomials in absolute values"),
    (proof(ABSOLUTE, orthant(3, "1", "1"), tensors=ONES), 0, "not a quotient of scalars"),
    (proof(CUT, S0, split(2, LINQ, 0, "-5 4", 0, TAILS[0], TAILS[1], [])), 1, NO_CASE),
    (proof(CUT, S0, split(2, LINQ, 0, "-5 4", 0, TAILS[0], TAILS[2], TAILS[1])), 1, NOT_OPEN),
    (proof(CUT, S0, split(2, LINQ, 0, "4 -5", 0, *TAILS)), 1, "the numbers are not increasing"),
    (proof(CUT, S0, split(2, LINQ, 0, "-5 4", 0, *TAILS[:2])), 1, "one list of steps for each case was expected"),
    (proof(CUT, S0, split(2, LINQ, 0, "-5 4", 0, *TAILS[:2], [has(0, "continuous")])), 1, "the rule 'property' is not for a case"),
    (proof(CUT, S0, structure(0, ""), split(2, LINQ, 0, "-5 4", 1, *TAILS)), 2, "the split node is not shown to be in these"),
    (proof(CUT, S0, ROUNDED, structure(2, LINQ, 2)), 2, "an integer in [0, 1] was expected"),
    (proof([x("y"), *[{**n, "args": [a + 1 for a in n["args"]]} if "args" in n else n for n in CUT]], structure(1, LINQ), split(3, LINQ, 0, "-5 4", 0, *TAILS)), 1, "the node may be defined where the other is not"),
    (proof(SUMMED, S0, split(3, LINQ, 0, "-5 4", 0, [], [], [])), 1, "an element depends on several that are split"),
    (proof([x(), op("log", 0), x("y"), op("select", 2, 1, 2)], S0, structure(1, "exp", 0), split(3, "exp", 1, "0", 1, [], [])), 2, "the node may be defined where the other is not"),
    (proof(STEPPED, finite(2)), 0, FEW),
    (proof(STEPPED, finite(1), finite(4, 0)), 1, FEW),
    (proof(STEPPED, S0, finite(1), structure(1, LINQ, 0), finite(2, 1), structure(2, LINQ, 2, finite=[1]), structure(3, LINQ), structure(5, LINQ, 4, 5, finite=[3])), 6, f"mul is not shown to be in {LINQ}"),
    (proof(STEPPED, bounded(2), finite(2, 0)), 0, "boundedness does not follow"),
    (proof([x(), op("sin", 0)], bounded(1), finite(1, 0)), 1, "the values may be any"),
    (proof([x(), op("floor", 0), c(TWO), op("div", 2, 1), op("clip", 3, lo="0", hi="1")], bounded(4), finite(4, 0), tensors=TWOS), 1, "the values may be any"),
    (proof(POLE[0], *POLE[1:], enclosure(1, "1/3", None, 1), boxes=[("-2", "1")]), 2, "interval arithmetic does not give these bounds"),
    (proof([x(), op("pow", 0, exponent="-3")], *POLE[1:], enclosure(1, "1/8", None, 1), boxes=[("-2", "1")]), 2, "interval arithmetic does not give these bounds"),
    (proof(LOG, EVERYTHING, nowhere(1, 0)), 1, "log may be defined somewhere"),
    (proof([x(), op("pow", 0, exponent="2")], enclosure(0, "0", "0"), nowhere(1, 0), boxes=[("0", "0")]), 1, "pow has no domain"),
    (proof([c(NEGATIVE), c(TWO), op("power", 0, 1)], enclosure(0, "-2", "-2"), nowhere(2, 0), tensors={**MINUS, **TWOS}), 1, "power has no domain"),
    (proof([*NEVER[:3], op("select", 2, 1, 2)], *BELOW, nowhere(3, step=1), tensors=MINUS), 2, "select may leave out what is undefined"),
    (proof([x(shape=(2,)), op("log", 0, shape=(2,)), op("slice", 1, shape=(1,), starts=[0], steps=[1], sizes=[1])], enclosure(0, PART, PART), nowhere(1, 0), nowhere(2, step=1), boxes=[(PART, PART)]), 2, "slice may leave out what is undefined"),
    (proof([x(shape=(2,)), op("log", 0, shape=(2,))], enclosure(0, PART, PART), nowhere(1, 0), {"rule": "value", "node": 1, "in": [LINQ], "nowhere": 1}, boxes=[(PART, PART)]), 2, "an element may be defined somewhere"),
    (proof(LOG, undefined_at(1, {"x": ["-1"]}, *THERE), boxes=[("0", "1")]), 0, "the point is not in the domain"),
    (proof(LOG, undefined_at(1, {"x": ["-1"]}, THERE[0])), 0, "the node may be defined at the point"),
    (proof(LOG, undefined_at(1, {"x": ["-1", "-1"]}, *THERE)), 0, "the point is not one of the inputs"),
    (proof(LOG, undefined_at(1, {"x": ["-1"]}, structure(0, LINQ), *THERE)), 0, "the rule 'structure' is not for a point"),
    (certificate(LOG, [S0, structure(1, "exp", 0)], tame("exp") | {"total": False}), None, "what is claimed of 'total' is not shown"),
    (certificate(LOG, [S0, structure(1, "exp", 0)], tame("exp") | {"empty": True}), None, "what is claimed of 'empty' is not shown"),
    (certificate(NEVER, [*BELOW, nowhere(3, step=1), {"rule": "value", "node": 3, "in": [LINQ], "nowhere": 2}], tame(LINQ) | {"empty": False}, tensors=MINUS), None, "what is claimed of 'empty' is not shown"),
    (proof(LOG, S0, bounded(0), structure(1, "an", 0, bounded=[1]), boxes=[("0", "1")]), 2, "log is not shown to be in an"),
    (proof([x(), op("exp", 0), op("log", 1)], S0, bounded(0), EVERYTHING, enclosure(0, "0", "1"), boxes=[("0", "1")]), None, None),
    (proof(TAN, S0, structure(1, "an", 0)), 1, "tan is not shown to be in an"),
    (proof(LOG, total(1)), 0, "node 1, log, is not proved to be defined everywhere"),
    (proof(LOG, enclosure(0, "0", "1"), total(1, 0), boxes=[("0", "1")]), 1, "node 1, log, is not proved to be defined everywhere"),
    (proof([*SIN, op("log", 1)], domain(2, LINQ)), 0, UNKNOWN_SET),
    (proof([*SIN, op("log", 1)], S0, structure(1, "", 0), domain(2, LINQ, 1)), 2, UNKNOWN_SET),
    (proof([x(), op("exp", 0), op("log", 1)], S0, structure(1, "exp", 0), domain(2, ALG, 1)), 2, UNKNOWN_SET),
    (proof(TAN, S0, domain(1, LINQ, 0)), 1, "the poles of a tangent may accumulate"),
    (proof(CHOICE, S0, structure(1, LINQ), domain(2, LINQ, 1), domain(3, LINQ, 2)), 3, UNKNOWN_SET),
    (proof([*SIN, op("log", 0), op("select", 1, 0, 2)], S0, domain(2, LINQ, 0), domain(3, LINQ, 1)), 2, UNKNOWN_SET),
    (proof([*TAN, op("sub", 1, 1)], {"rule": "self-difference", "node": 2, "in": [LINQ]}), 0, UNKNOWN_DOMAIN),
    (proof([*TAN, c(TWO), op("mul", 1, 2)], S0), None, None),
    (proof(PEAK, EVERYTHING, TO_TWO[0], value(1, LINQ, 1), tensors=TWOS), 2, "an element may have several values"),
    (proof([*TAN, op("step", 1, at_zero="1"), op("relu", 2)], EVERYTHING, enclosure(1, None, None, 0), enclosure(2, "0", "1", 1), enclosure(3, "0", "1", 2), value(3, LINQ, 3)), 4, "an element may have several values"),
    (proof([*TAN, op("sin", 1), c(TWO), op("minimum", 2, 3), op("sub", 4, 3), op("relu", 5)], EVERYTHING, enclosure(1, None, None, 0), enclosure(2, "-1", "1", 1), enclosure(3, "2", "2"), enclosure(4, "-1", "1", 2, 3), enclosure(5, "-3", "-1", 4, 3), enclosure(6, "0", "0", 5), value(6, LINQ, 6), tensors=TWOS), 7, UNKNOWN_DOMAIN),
    (proof(PEAK, EVERYTHING, *TO_TWO, structure(2, LINQ), decided(3, LINQ, 0, 4, enclosures=[1, 2]), tensors=TWOS), 5, "maximum is not shown to choose this argument"),
    (proof([x(), op("exp", 0)], EVERYTHING, enclosure(1, [["1/9"]], None, 0)), 1, NOT_OPEN),
    (proof([x(), op("relu", 0)], EVERYTHING, enclosure(1, OPEN, None, 0)), 1, NOT_OPEN),
    (proof([x(), op("exp", 0), op("sub", 1, 1)], EVERYTHING, enclosure(1, OPEN, None, 0), enclosure(2, OPEN, None, 1, 1)), 2, NOT_OPEN),
    (proof([x(), op("sigmoid", 0), op("ceil", 1)], EVERYTHING, enclosure(1, OPEN, [["1"]], 0), enclosure(2, "0", "0", 1)), 2, NOT_OPEN),
    (proof([x(), op("log", 0)], enclosure(0, "-2", "-1"), enclosure(1, None, "0", 0), boxes=[("-2", "-1")]), 1, "log is nowhere defined"),
    (proof([x(), op("div", 0, 0)], enclosure(0, "0", "0"), enclosure(1, "1", "1", 0, 0), boxes=[("0", "0")]), 1, "div is nowhere defined"),
    (proof(LOG, enclosure(0, ["1", "2"], ["3", "3"])), 0, "bounds are one for all elements, or one for each"),
    (proof(LOG, enclosure(0, [["1", "2"]], "3")), 0, "an open end is a list of one rational"),
    (proof(LOG, enclosure(0, [["1"]], "1")), 0, "lower > upper"),
    (certificate(LOG, [S0, structure(1, "exp", 0)], tame("exp") | {"total": True}), None, "what is claimed of 'total' is not shown"),
    (proof([x(), op("div", 0, 0), op("floor", 1)], has(2, "piecewise_constant")), 0, "its values may accumulate on a bounded set"),
    (proof([*LOG, op("floor", 1)], has(0, "continuous"), has(1, "continuous", 0), has(2, "piecewise_linear") | {"bounded": [1]}), 2, "its values may accumulate on a bounded set"),
    (proof([*POWER, op("exp", 2)], enclosure(1, "2", "2"), total(2, 0), boxes=[(None, None), ("2", "2")]), 1, "node 2, power, is not proved to be defined everywhere"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("nodes", "bound"),
    [
        (ABSOLUTE, "1"),
        ([*ABSOLUTE[:3], op("mul", 0, 2), op("mul", 0, 0), op("add", 1, 4), op("div", 3, 5)], "1"),
        ([*ABSOLUTE[:4], op("relu", 0), op("div", 4, 3)], "1"),
        (
            [
                *ABSOLUTE[:2],
                op("pow", 0, exponent="4"),
                op("add", 1, 2),
                op("mul", 0, 0),
                op("div", 4, 3),
            ],
            "2",
        ),
        ([*ABSOLUTE[:2], op("mul", 0, 0), op("add", 1, 2), op("div", 0, 3)], "1"),
    ],
)
def test_coefficients_bound_a_quotient(nodes, bound):
    node = len(nodes) - 1
    document = proof(
        nodes, orthant(node, bound, "1"), bounded(node, 0), total(node, 0), tensors=ONES
    )
    report = check(json.dumps(second(document)))
    assert (report.verdict, report.why) == ("valid", "")


ROOT = [*ABSOLUTE[:2], op("mul", 0, 0), op("add", 1, 2), op("sqrt", 3), op("div", 0, 4)]


def test_a_root_is_at_least_the_roots_of_its_squares():
    for bound, delta, why in (
        ("1", None, ""),
        ("1/2", None, "a coefficient is negative"),
        ("1", "1", "a coefficient is negative"),
    ):
        document = proof(ROOT, orthant(5, bound, delta), bounded(5, 0), tensors=ONES)
        assert check(json.dumps(second(document))).why == why


def test_an_atom_may_be_undefined():
    nodes = [x(), op("log", 0), c(ONE), op("abs", 1), op("add", 2, 3), op("div", 1, 4)]
    step = orthant(5, "1", "1") | {"atoms": [1]}
    document = proof(nodes, step, bounded(5, 0), tensors=ONES)
    assert check(json.dumps(second(document))).verdict == "valid"
    report = check(json.dumps(second(proof(nodes, step, total(5, 0), tensors=ONES))))
    assert report.why == "node 5, div, is not proved to be defined everywhere"


test_what_follows_on_natural_domains_is_accepted = accepts(
    check, {name: second(document) for name, document in ACCEPTED.items()}
)


@pytest.mark.parametrize("number", range(len(LIES)))
def test_what_does_not_follow_is_refused(number):
    document, step, why = LIES[number]
    report = check(json.dumps(second(document)))
    if why is None:
        assert report.verdict == "valid"
    else:
        assert (report.verdict, report.step, report.why) == ("invalid", step, why)


@pytest.mark.parametrize("name", ["a logarithm on its natural domain", "no domain", "one value"])
def test_version_1_knows_nothing_of_natural_domains(name):
    assert check(json.dumps(changed(ACCEPTED[name], version=1))).verdict == "invalid"


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (proof(LOG, S0, {"rule": "constant", "node": 0, "in": [LIN]}), "a missing"),
        (proof([x(), op("exp", 0)], EVERYTHING, enclosure(1, OPEN, None, 0)), "a rational"),
        (certificate(SIN, [S0], tame(LINQ) | {"total": True}, outputs=[0]), "a missing"),
        (proof([x(), op("floor", 0)], has(1, "piecewise_constant") | {"bounded": []}), "a missing"),
    ],
)
def test_version_1_refuses_what_it_refused(document, why):
    report = check(json.dumps(document))
    assert report.verdict == "invalid", report
    assert why in report.why or report.why.startswith("an integer"), report
