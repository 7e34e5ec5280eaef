"""Germs on curves: what oscillates, jumps or falls apart is refuted, and what is tame never is."""

# ruff: noqa: E501  (a case a line)
import itertools
import json
from fractions import Fraction

import pytest

from tamecheck import ops
from tamecheck.ir.box import Box
from tamecheck.ir.graph import Constant, Graph, GraphBuilder
from tamecheck.kernel import check
from tamecheck.loaders.text.box import parse_box
from tamecheck.loaders.text.expression import parse_expression
from tamecheck.tame.document import certificate_document


def judged(text, rule, curve, box=None, *, refutes="o-minimal"):
    """The kernel's report on a refutation of a formula; a curve of numbers is that of x."""
    graph = text if isinstance(text, Graph) else parse_expression(text).graph
    curve = {"x": curve} if all(isinstance(v, str) for v in curve.values()) else curve
    step = {"rule": rule, "curve": {n: [curve.get(n, {})] for n in graph.inputs},
        "output": [graph.outputs[0][1], 0]}  # fmt: skip
    tensors = {n.tensor.digest: n.tensor for n in graph.nodes if isinstance(n, Constant)}
    domain = (Box.everything() if box is None else parse_box(box, graph.inputs)).checked(
        graph.inputs
    )
    claim = {"verdict": "not-tame", "refutes": refutes}
    document = certificate_document(graph, domain, claim=claim, steps=[step], tensors=tensors)
    return check(json.dumps(document))


OUT, BACK, NEAR = {"1": "1"}, {"1": "-1"}, {"-1": "1"}
WILD = [
    # what waves, times what has a sign, plus what is semialgebraic
    *(("sin(x^2)", OUT), ("sin(x)*exp(-x^2)", OUT), ("sin(x)/(1+x^2)", BACK), ("x^2+x*sin(x)", OUT)),
    *(("exp(x)*sin(x)", OUT), ("sin(exp(x))", OUT), ("sin(log(x))", OUT), ("sin(log(x))", NEAR)),
    *(("sin(1/x)", NEAR), ("x*sin(1/x)", NEAR), ("x^2*cos(1/x)+x", NEAR), ("sin(x+sin(x))", OUT)),
    *(("exp(-1/x^2)*sin(1/x)", NEAR), ("(1+sin(x))*x", OUT)),
    *(("sqrt(x+sin(x))", OUT), ("1/(x+sin(x))", OUT), ("1/(x-sin(x))", BACK), ("sin(max(x,0))", OUT)),
    # through functions: where the argument oscillates, or tends to a number from both sides
    *(("exp(sin(x))", OUT), ("erf(sin(x))", OUT), ("asin(sin(x)/2)", OUT), ("abs(sin(x))", OUT)),
    *(("exp(sin(x)/x)", OUT), ("cos(sin(x)/x)", OUT), ("abs(sin(x))/x", OUT), ("cosh(sin(x)/x)", OUT)),
    *(("relu(sin(x)-1/2)", OUT), ("max(cos(x),1/x)", OUT), ("max(sin(x)/x,0)", OUT), ("cos(x)^2", OUT)),
    *(("min(sin(x),1/2)+x^2", OUT), ("clip(sin(x),-1/3,2)", OUT), ("1/(2+sin(x))", OUT)),
    *(("sin(x)*(2+1/x)", OUT), ("sin(x)*(-2-sin(x^2))", OUT), ("3*sin(x)+cos(x^2)", OUT)),
    *(("softplus(cos(x+sin(x)/2))/(1+x^2)", OUT), ("(1+x^2)*acos(sin(sqrt(x)))+sqrt(1+x^2)", OUT)),
    # jumps
    *(("sign(sin(x))", OUT), ("step(sin(x)/x)", OUT), ("floor(x)^2", OUT), ("floor(exp(x))", OUT)),
    *(("floor(x)^2", BACK), ("sin(floor(x))", OUT), ("cos(floor(2*x)/3+1)", OUT), ("exp(floor(x))/x", OUT)),
    *(("floor(sqrt(2)*x)+floor(x)", OUT), ("floor(x)*floor(x^2)", OUT), ("floor(x)*floor(2*x)", BACK)),
    *(("floor(2+sin(x)/(1+x^2))", OUT), ("ceil(sin(x)/(1+x^2))", OUT), ("floor(1/x)", NEAR)),
    *(("round(1/2+sin(x)/x)", OUT), ("floor(3*sin(x))", OUT), ("floor(1+sin(x))", OUT), ("floor(sin(x)/2+3/2)", OUT)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "curve"), WILD)
def test_what_oscillates_or_jumps_is_refuted(text, curve):
    report = judged(text, "germ", curve)
    assert report.verdict == "valid", report.why


APART = ["tan(x)", "tan(x)-tan(x)", "sqrt(sin(x))*0", "log(cos(x))", "atan(tan(x))", "1/sin(x)",
    "log(1+sin(x))", "sqrt(sin(x)-1)", "1/(1-cos(x))", "tan(x)+1/sin(x)", "asin(2*sin(x))",
    "atanh(sin(x))", "acosh(2*sin(x))", "sin(x)^(-2)", "sin(x)^(1/2)", "tan(x)+log(sin(x))",
    "(sin(x)/x)^x", "sin(x)/sin(x)"]  # fmt: skip


@pytest.mark.parametrize("text", APART)
def test_a_domain_of_infinitely_many_components_is_refuted(text):
    report = judged(text, "components", OUT)
    assert report.verdict == "valid", report.why


TAME = [
    # dead factors
    *("sin(x)*step(-abs(x)-1)", "sin(x)*step(-abs(x))", "relu(-1-x^2)*sin(x)", "sin(x)*0"),
    *("(x-x)*sin(x)", "sin(x)*(floor(1/(1+x^2)))", "sin(x)-sin(x)", "floor(x)*relu(-x^2)"),
    # bounded disguises
    *("sin(x/(1+abs(x)))", "sin(1/(1+x^2))", "sin(tanh(100*x))", "sin(x*exp(-x^2))", "cos(atan(x))"),
    *("sin(x-x)", "floor(atan(x))", "floor(x/(1+x^2))", "sin(exp(-x^2)*x^5)", "sin(sqrt(x^2+1)-abs(x))"),
    # the difference of infinities, and 0 times infinity
    *("(x+sin(x))-(x+sin(x))", "x*exp(x)*exp(-x)", "log(1+exp(x))-x", "sin(exp(x)-exp(x))"),
    # maxima, limits, decided pieces
    *("max(cos(x),x^2+2)", "max(sin(x),2)", "clip(cos(x),2,3)", "relu(sin(x)-1)", "min(sin(x),-x^2-2)"),
    *("round(sin(x)/(3+x^2))", "floor(1/2+sin(x)/(1+x^2))", "step(2+sin(x))", "floor(sin(x)/3+3/2)-1"),
    *("abs(sin(x)+2)-sin(x)-2", "sin(x)^2+cos(x)^2", "max(x,y)-min(x,y)-abs(x-y)", "floor(tanh(x))"),
    *("cosh(x)-sinh(x)", "exp(log(abs(x)+1))", "x/x", "floor(x/x)", "sign(x)*abs(x)^0.5"),
    *("floor(x)-floor(x)", "min(max(floor(x),-2),2)", "sin(x*step(1-abs(x)))", "tan(atan(x)/2)"),
    "cos(x)*(1-floor(1.15+x*abs(sin(x))*exp(-x)-x*abs(cos(x))*exp(-x)))",
    *("floor(x)^0", "sin(x)^0", "x^0+0*y", "1/(2+0*x)", "sqrt(1-1/(1+x^2))", "log(exp(x)+1)", "sign(1+sin(x)/2)", "x^(1/3)"),
]  # fmt: skip
TURNS = [BACK, {"-1": "-1"}, {"2": "1"}, {"-2": "1"}, {"0": "1", "-1": "1"}]


@pytest.mark.parametrize(("text", "turn"), list(zip(TAME, itertools.cycle(TURNS), strict=False)))
def test_no_curve_refutes_a_tame_function(text, turn):
    """A curve to infinity and one to 0 of each, and the others by turns."""
    for curve in (OUT, NEAR, turn):
        for rule in ("germ", "components"):
            given = {"x": curve, "y": OUT}
            assert judged(text, rule, given).verdict == "invalid"


def test_a_finite_point_refutes_local_o_minimality_too_but_not_a_semialgebraic_remainder():
    assert judged("x*sin(1/x)", "germ", NEAR, refutes="locally-o-minimal").verdict == "valid"
    assert judged("floor(1/x)", "germ", NEAR, refutes="locally-o-minimal").verdict == "valid"
    assert judged("tan(1/x)", "components", NEAR, refutes="locally-o-minimal").verdict == "valid"
    no_step = "no step refutes"
    for text, curve in [
        ("sin(x)", OUT),
        ("sin(x)", {"2": "1"}),
        ("x+x^2*sin(1/x)", NEAR),
        ("sin(1/x)", {"-2": "1"}),
    ]:
        report = judged(text, "germ", curve, refutes="locally-o-minimal")
        assert no_step in report.why
    assert no_step in judged("tan(x)", "components", OUT, refutes="locally-o-minimal").why


WRONG = [
    ("sin(x)", "germ", OUT, "x=-1:1", "the curve leaves the domain"),
    ("sin(x)", "germ", BACK, "x=0:inf", "the curve leaves the domain"),
    ("sin(1/x)", "germ", NEAR, "x=0.1:1", "the curve leaves the domain"),
    ("sin(x*y)", "germ", OUT, "y=0:0", "the germ may be that of a tame function"),
    ("sin(log(x))", "germ", BACK, None, "the output is not shown to be defined"),
    ("sin(x)+sqrt(-1-x^2)*0", "germ", OUT, None, "the output is not shown to be defined"),
    ("sin(x)+0*(x^(2*step(-x)))", "germ", BACK, None, "the output is not shown to be defined"),
    ("tan(x)*sin(x)", "germ", OUT, None, "the output is not shown to be defined"),
    ("log(sin(x)-2)", "components", OUT, None, "the domain may be empty"),
    ("log(x)", "components", OUT, None, "the domain may have finitely many components"),
    ("sqrt(sin(x))+sqrt(cos(x))", "components", OUT, None, "the domain has too many conditions"),
    ("log(2+sin(x)/x-2)+1/floor(sin(x))", "components", OUT, None, "the domain may be empty"),
    ("log(sqrt(sin(x)))", "components", OUT, None, "the domain has too many conditions"),
    ("asin(3*sin(x)+x-x+5)", "components", OUT, None, "the domain may be empty"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "rule", "curve", "box", "why"), WRONG)
def test_what_does_not_follow_is_said(text, rule, curve, box, why):
    report = judged(text, rule, curve, box)
    assert report.verdict == "invalid"
    assert why in report.why


def choice(*condition):
    """sin(x) where some ops of x are not 0, else log(x)."""
    builder = GraphBuilder()
    value = chosen = builder.input("x", ())
    for op in condition:
        chosen = builder.apply(op, [chosen], **({"at_zero": Fraction(0)} if op is ops.STEP else {}))
    branches = [builder.apply(op, [value]) for op in (ops.SIN, ops.LOG)]
    return builder.build({"y": builder.apply(ops.SELECT, [chosen, *branches])})


def test_a_choice_needs_only_the_branch_that_is_taken():
    assert judged(choice(ops.STEP), "germ", OUT).verdict == "valid"
    assert judged(choice(), "germ", BACK).verdict == "valid"
    assert "not shown to be defined" in judged(choice(ops.STEP), "germ", BACK).why
    assert "cannot be followed" in judged(choice(ops.SIN, ops.STEP), "germ", BACK).why
    assert "cannot be followed" in judged(choice(ops.SIN), "germ", BACK).why


def test_a_condition_below_a_choice_that_changes_is_no_condition_of_the_output():
    builder = GraphBuilder()
    wave = builder.apply(ops.SIN, [builder.input("x", ())])
    step = builder.apply(ops.STEP, [wave], at_zero=Fraction(0))
    root = builder.apply(ops.SQRT, [wave])
    for node, verdict in [
        (builder.apply(ops.SELECT, [step, root, wave]), "invalid"),
        (root, "valid"),
    ]:
        graph = builder.build({"y": node})
        assert judged(graph, "components", OUT).verdict == verdict


def test_each_element_has_its_own_conditions():
    builder = GraphBuilder()
    x = builder.input("x", (2,))
    root = builder.apply(ops.SQRT, [builder.apply(ops.SIN, [x])])
    graph = builder.build({"y": root})
    for element, verdict in [(0, "valid"), (1, "invalid")]:
        step = {"rule": "components", "curve": {"x": [OUT, {}]}, "output": [2, element]}
        claim = {"verdict": "not-tame", "refutes": "o-minimal"}
        document = certificate_document(
            graph, Box.everything().checked(graph.inputs), claim=claim, steps=[step], tensors={}
        )
        assert check(json.dumps(document)).verdict == verdict


def test_a_certificate_names_a_curve_of_the_right_form():
    for curve, why in [
        ({"1": "1", "z": "1"}, "a sum of a few powers"),
        ({"17": "1"}, "a sum of a few powers"),
        ({"1": "0"}, "a sum of a few powers"),
        ({str(i): "1" for i in range(17)}, "a sum of a few powers"),
        ({}, "the germ may be that of a tame function"),
    ]:
        assert why in judged("sin(x)", "germ", {"x": curve}).why


def bound_of(text, box=None, node=None, *, cited=()):
    """The kernel's report on a certificate whose only step bounds the argument of the output."""
    graph = parse_expression(text).graph
    domain = (Box.everything() if box is None else parse_box(box, graph.inputs)).checked(
        graph.inputs
    )
    k = graph.outputs[0][1] if node is None else node
    steps = [{"rule": "germ-bound", "node": k, "from": list(cited)}]
    tensors = {n.tensor.digest: n.tensor for n in graph.nodes if isinstance(n, Constant)}
    claim = {"verdict": "tame", "structures": ["an"]}
    document = certificate_document(graph, domain, claim=claim, steps=steps, tensors=tensors)
    return check(json.dumps(document))


BOUNDED = [
    *(("x*exp(-x^2)", None), ("x^3*exp(-abs(x))", None), ("x*exp(-x)", "x=0:inf"), ("tanh(x)+sin(x)", None)),
    *(("exp(x)", "x=-inf:3"), ("x^2", "x=-1:1"), ("exp(-x^2)*(x+1)^5", None)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "box"), BOUNDED)
def test_a_continuous_function_of_one_number_is_bounded_by_its_germs(text, box):
    report = bound_of(text, box)  # the step holds, and the claim needs more
    assert (report.step, report.why) == (None, report.why)
    assert "is not shown to be in them" in report.why


UNBOUNDED = [
    ("x*exp(-x)", None, "may be unbounded far out"),
    ("x", "x=0:inf", "may be unbounded far out"),
    ("x*sin(x)", None, "may be unbounded far out"),
    ("x*exp(-x^2*y^2)", None, "not a function of one number"),
    ("exp(-abs(x))*step(x)", None, "the node may jump"),
    ("1/(1+x^2)", None, "not shown to be total"),
]


@pytest.mark.parametrize(("text", "box", "why"), UNBOUNDED)
def test_no_bound_by_germs_without_its_conditions(text, box, why):
    report = bound_of(text, box)
    assert report.step == 0
    assert why in report.why
