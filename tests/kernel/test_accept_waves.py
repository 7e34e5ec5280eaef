"""Waves along a curve: true refutations are accepted, and whatever is tame or unclear refused."""

# ruff: noqa: E501  (formulas)
import json
from fractions import Fraction

import pytest

from tamecheck import ops
from tamecheck.ir.box import Box, Side
from tamecheck.ir.graph import Constant, GraphBuilder
from tamecheck.kernel import check
from tamecheck.loaders.text.expression import parse_expression
from tamecheck.tame.document import certificate_document

OUT, IN = {"1": "1"}, {"-1": "1"}
BACK, DOWN = {"1": "-1"}, {"-1": "-1"}


def refutation(text, *elements, box=(None, None), **fields):
    """A certificate that refutes a formula on a curve, an element for each input by name."""
    graph = parse_expression(text).graph
    names = sorted(graph.inputs)
    sides = {n: Side((box[0],), (box[1],)) for n in names}
    step = {"rule": "exp-trig", "curve": {n: [e] for n, e in zip(names, elements, strict=True)},
        "output": [graph.outputs[0][1], 0], **fields}  # fmt: skip
    tensors = {n.tensor.digest: n.tensor for n in graph.nodes if isinstance(n, Constant)}
    claim = {"verdict": "not-tame", "refutes": "o-minimal"}
    return certificate_document(graph, Box(sides), claim=claim, steps=[step], tensors=tensors)


def verdict(document):
    return check(json.dumps(document))


WILD = [
    # waves over rational functions and exponentials
    *("sin(x)", "x + sin(x)", "x^2 + x*sin(x)", "x*cos(x)", "sin(x)/x", "sin(x)/(1+x^2)"),
    *("exp(x)*sin(x)", "exp(x) + sin(x)", "sin(x)*exp(-x^2)", "cosh(x)*sin(x) + exp(x)"),
    *("x + sin(x)^2", "sin(x) + sin(2*x)/2", "sin(x^2)", "sin(x^3-x)", "sin(x) - sin(x+1)"),
    *("(x+sin(x))*sigmoid(x)", "(exp(x)+sin(x))*sigmoid(x)", "tanh(x) + sin(x)/4"),
    # divisors that oscillate, and poles
    *("x/(2+sin(x))", "(sin(x)+2)/(sin(x)+3)", "sin(x)/cos(2*x)", "1/sin(x)", "tan(x)", "tan(x^2)"),
    # coefficients and angles that grow like others
    *("log(x) + sin(x)", "atan(x) + exp(-x^2)*sin(x)", "softplus(x)*sin(x)", "erf(x)*sin(x)"),
    *("asinh(x)*sin(x)", "sqrt(1+x^2)*sin(x)", "x^x*sin(x)", "log(2+tanh(x))*sin(x)"),
    *("sin(log(x))", "sin(log(log(x)))", "sin(exp(x))", "sin(exp(exp(x)))", "sin(sqrt(x))"),
    *("sin(x+log(x))", "sin(x*exp(x))", "sin(x*atan(x))", "sin(cosh(x))", "sin(exp(x))/x"),
    # constants that are no rationals
    *("sin(x) + sin(sqrt(2)*x)", "x - sin(2*acos(-1)*x)/(2*acos(-1))", "acos(-1)*sin(x)"),
    "sin(x-acos(-1))/(x-acos(-1)) - sin(x+acos(-1))/(x+acos(-1))",
    # pieces, roundings and choices that are decided far out
    *("min(x, sin(x))", "sin(x) + relu(-x)", "step(x)*sin(x)", "clip(x, -1, 1)*sin(x)"),
    *("floor(2+1/x)*sin(x)", "ceil(1/x)*sin(x)", "floor(1/x)+sin(x)", "sign(x)*cos(x)"),
    # functions that can be undone
    *("exp(sin(x)+x)", "log(2+sin(x))+x", "atan(tan(x))", "x*sinh(sin(x))", "tanh(sin(x))-exp(x)"),
    *("sqrt(2+sin(x))*log(x)", "1/(1+exp(x*sin(x)))", "x/exp(sin(x))", "-exp(sin(x))"),
    *("2^cos(x)", "x*(1+x^2)^sin(x)", "2^exp(sin(x))"),
]


@pytest.mark.parametrize("text", WILD)
def test_waves_out_of_proportion_are_accepted(text):
    assert verdict(refutation(text, OUT)).verdict == "valid", verdict(refutation(text, OUT))


ELSEWHERE = [
    ("sin(1/x)", IN, (-1, 1)),
    ("x^2*cos(1/x) + x", DOWN, (-1, 1)),
    ("exp(-1/x^2)*sin(1/x)", IN, (None, None)),
    ("sin(log(x))", IN, (0, 1)),
    ("log(x)*sin(1/x)", IN, (0, None)),
    ("sin(1/(x-2))", {"0": "2", "-1": "-1"}, (None, 2)),
    # what vanishes, by the beginning of a series
    *(
        (f"x*sin(1/{u})", IN, (None, None))
        for u in ("sinh(x)", "tanh(x)", "(exp(x)-1)", "log(1+x)", "(1-cos(x))")
    ),
    *(
        (f"x+cos(1/{u})", DOWN, (None, None))
        for u in ("atan(x)", "asin(x)", "erf(x)", "tan(x)", "(cosh(x)-1)")
    ),
    *(
        (f"{u}*sin(1/x)", IN, (0, 1))
        for u in ("log(1+x^2)", "(x-sin(x))", "(sqrt(1+x)-1)", "(exp(x)-cos(x))")
    ),
    ("sin(x) + relu(x)", BACK, (None, -3)),
    ("sin(exp(-x))", BACK, (None, None)),
    ("sin(x)", {"2": "1/3", "16": "-7", "0": "1"}, (None, 0)),
    ("sin(x)", OUT, (5, None)),
]


@pytest.mark.parametrize(("text", "element", "box"), ELSEWHERE)
def test_curves_go_anywhere_in_the_box(text, element, box):
    low, high = (None if v is None else Fraction(v) for v in box)
    assert verdict(refutation(text, element, box=(low, high))).verdict == "valid"


def test_inputs_of_a_curve_have_their_own_powers():
    assert verdict(refutation("sin(x*y) + y^3", OUT, {"2": "1"})).verdict == "valid"
    assert verdict(refutation("relu(x)*cos(y)", {"0": "1"}, OUT)).verdict == "valid"


PROPORTION = "the waves may be in proportion"
TAME = [
    *("x", "sin(x)^2 + cos(x)^2", "cos(2*x) - 2*cos(x)^2 + 1", "sin(x) - sin(x)", "sin(x)*0"),
    *("sin(x)/sin(x)", "(sin(x)+x*sin(x))/(1+x)/sin(x)", "exp(x)*exp(-x)", "cosh(x)^2 - sinh(x)^2"),
    *("sin(3*x) - 3*sin(x) + 4*sin(x)^3", "sin(x+1) - sin(x)*cos(1) - cos(x)*sin(1)"),
    *("sin((x+1)^2-x^2-2*x)", "sin(log(exp(x))-x)", "sin(exp(log(x))-x)", "sin(exp(2*log(x))-x^2)"),
    *("sin(x)*step(-1-x^2)", "sin(x)*relu(-abs(x))", "sin(x)*(1-sin(1)^2-cos(1)^2)", "max(sin(x), x)"),
    # constants that are 0, which enclosures do not show
    *("sin(x)*(sqrt(2)*sqrt(2)-2)", "sin(x)*(4*atan(1)-acos(-1))", "sin(x)*(log(2)+log(3)-log(6))"),
    # bounded arguments
    *("sin(x)*(exp(1/x)-1-(exp(1/x)-1))", "sin(sinh(1/x)*x)", "sin(log(1+1/x)*x)", "cos(x*atan(1/x))"),
    *("sin(tanh(x))", "sin(x/(1+x^2))", "sin(2*atan(x))", "sin(x*exp(-x^2))", "sin(log(2+1/x))"),
]  # fmt: skip


@pytest.mark.parametrize("text", TAME)
def test_tame_formulas_are_refused(text):
    report = verdict(refutation(text, OUT))
    assert report.verdict == "invalid"
    assert report.why == PROPORTION


LOST = "the output cannot be followed along the curve"
UNCLEAR = [
    # nowhere defined far out, or not known to be
    *("sqrt(-1-x^2)*sin(x)", "log(-x)+sin(x)", "sin(x)/(x-x)", "asin(x)+sin(x)", "acosh(-x)+sin(x)"),
    *("sin(x)/(sqrt(2)*sqrt(2)-2)", "sqrt(sin(x))", "log(sin(x))", "x^(1/2-1)*0 + asin(sin(x))"),
    *("asin(1+1/x)*sin(x)", "asin(1-exp(-x)/4)*sin(x)", "(0-x)^x*sin(x)"),
    # no rules for these
    *("1^sin(x)", "(2+sin(x))^x"),
    *("abs(sin(x))", "max(sin(x),0)", "sign(sin(x))", "floor(x)*sin(x)", "sin(sin(x))", "erf(sin(x))"),
    *("exp(sin(x))^2*sin(x)", "exp(sin(x))+sin(x)", "exp(sin(x))*(sin(2)^2+cos(2)^2-1+0*x)", "abs(exp(sin(x)))"),
    # roundings at a jump, from a side that is not known
    "floor(sqrt(2)*sqrt(2))*sin(x)",
]  # fmt: skip


@pytest.mark.parametrize("text", UNCLEAR)
def test_what_cannot_be_followed_is_refused(text):
    report = verdict(refutation(text, OUT))
    assert report.verdict == "invalid"
    assert report.why in {LOST, PROPORTION}, report.why


OUTSIDE, FEW = "the curve leaves the domain", "a curve is not a sum of a few powers of t"
LIES = [
    (refutation("sin(x)", OUT, box=(None, Fraction(9))), OUTSIDE),
    (refutation("sin(x)", BACK, box=(Fraction(0), None)), OUTSIDE),
    (refutation("sin(1/x)", DOWN, box=(Fraction(0), Fraction(1))), OUTSIDE),
    (refutation("sin(x)", {"1": "0"}), FEW),
    (refutation("sin(x)", {"17": "1"}), FEW),
    (refutation("sin(x)", {"01": "1"}), FEW),
    (refutation("sin(x)", {"1/2": "1"}), FEW),
    (refutation("sin(x)", {str(k): "1" for k in range(-8, 9)}), FEW),
    (refutation("sin(x)", {}), PROPORTION),
    (refutation("sin(x)", OUT, output=[0, 0]), "the node is not an output"),
    (refutation("sin(x)", OUT, output=[1, 1]), "an integer in [0, 0] was expected"),
    (refutation("sin(x)", OUT, curve={}), "a curve names other inputs than the graph"),
    (refutation("sin(x)", OUT, curve={"x": [OUT, OUT]}), "a curve has one entry for each element of an input"),
    (refutation("sin(x)", OUT, curve={"x": [{"1": "2/2"}]}), "a rational not in lowest terms"),
    (refutation("sin(x)", OUT, key=1), "a missing or unknown field: 'key'"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "why"), LIES)
def test_other_curves_are_refused(document, why):
    report = verdict(document)
    assert (report.verdict, report.step, report.why) == ("invalid", 0, why)


def test_sixteen_powers_are_read():
    assert verdict(refutation("sin(x)", {str(k): "1" for k in range(-7, 9)})).verdict == "valid"


def test_a_wave_says_nothing_about_groups():
    document = refutation("sin(x)", OUT)
    document["claim"] = {"verdict": "not-tame", "refutes": "locally-o-minimal"}
    assert verdict(document).why == "no step refutes what is claimed"


def test_work_is_limited():
    text = json.dumps(
        refutation("(" + " + ".join(f"sin({k}*x)" for k in range(1, 12)) + ")^12", OUT)
    )
    assert check(text).verdict == "invalid"
    assert (
        check(json.dumps(refutation("log(2+tanh(x))*sin(x)", OUT)), steps=0).verdict == "incomplete"
    )


def built(make, *elements):
    """A refutation of what is built from inputs x and y."""
    builder = GraphBuilder()
    names = ["x", "y"][: len(elements)]
    inputs = [builder.input(name, ()) for name in names]
    graph = builder.build({"f": make(builder, *inputs)})
    step = {"rule": "exp-trig", "curve": {n: [e] for n, e in zip(names, elements, strict=True)},
        "output": [graph.outputs[0][1], 0]}  # fmt: skip
    tensors = {n.tensor.digest: n.tensor for n in graph.nodes if isinstance(n, Constant)}
    claim = {"verdict": "not-tame", "refutes": "o-minimal"}
    return certificate_document(graph, ALL, claim=claim, steps=[step], tensors=tensors)


ALL = Box.everything()


def chosen(b, x):
    """x where exp(sin(x)) is not 0: everywhere."""
    positive = b.apply(ops.EXP, [b.apply(ops.SIN, [x])])
    return b.apply(ops.SELECT, [positive, x, b.constant(Fraction(1))])


def branch(b, x):
    """sin(x) for x > 0, of branches of which one has no germ."""
    wave = b.apply(ops.SIN, [x])
    return b.apply(ops.SELECT, [b.apply(ops.RELU, [x]), wave, b.apply(ops.ABS, [wave])])


def raised(b, x, y):
    """x^y + sin(min(x, 0)), which is defined for x > 0 alone."""
    wave = b.apply(ops.SIN, [b.apply(ops.MINIMUM, [x, b.constant(Fraction(0))])])
    return b.apply(ops.ADD, [b.apply(ops.POWER, [x, y]), wave])


def test_choices_and_powers_keep_their_domains():
    assert verdict(built(chosen, OUT)).why == LOST
    assert verdict(built(branch, OUT)).verdict == "valid"
    assert verdict(built(branch, BACK)).why == LOST
    assert verdict(built(raised, BACK, {"0": "2"})).why == LOST
    assert verdict(built(raised, OUT, {"0": "2"})).why == PROPORTION
