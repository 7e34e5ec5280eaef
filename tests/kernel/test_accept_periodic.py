"""Periodic coefficients along a ray: what is refuted, and what never is."""

# ruff: noqa: E501, PLR0913  (a case a line, and a word for each of its fields)
import json
from fractions import Fraction

import numpy as np
import pytest

from tamecheck import ops
from tamecheck.ir.box import Box
from tamecheck.ir.graph import Constant, Graph, GraphBuilder
from tamecheck.kernel import check
from tamecheck.loaders.text.box import parse_box
from tamecheck.loaders.text.expression import parse_expression
from tamecheck.tame.document import certificate_document


def judged(text, *, t=("0", "1"), base=None, direction=None, box=None, element=0):
    """The kernel's report on a formula, or a graph; all inputs move alike if nothing is said."""
    graph = text if isinstance(text, Graph) else parse_expression(text).graph
    sizes = {name: int(np.prod(shape)) for name, shape in graph.inputs.items()}
    step = {
        "rule": "periodic",
        "base": {name: base or ["0"] * size for name, size in sizes.items()},
        "direction": {name: direction or ["1"] * size for name, size in sizes.items()},
        "output": [graph.outputs[0][1], element],
        "t": list(t),
    }
    tensors = {n.tensor.digest: n.tensor for n in graph.nodes if isinstance(n, Constant)}
    domain = (parse_box(box, graph.inputs) if box else Box.everything()).checked(graph.inputs)
    claim = {"verdict": "not-tame", "refutes": "o-minimal"}
    document = certificate_document(graph, domain, claim=claim, steps=[step], tensors=tensors)
    return check(json.dumps(document))


WILD = [
    *("sin(x)", "x+sin(x)", "x^2*sin(x)+3*x", "abs(sin(x))", "asin(sin(x))", "log(2+sin(x))"),
    *("1/(2+cos(x))", "sin(x+cos(2*x))", "relu(x+sin(x))", "relu(-x-2*x^2)+sin(x)", "sqrt(1+sin(x)^2)"),
    *("abs(-x+sin(x))-x", "sin(2*x/3)*cos(y/5)", "x-floor(x)", "sigmoid(2*x-2*round(x))", "(x*sin(x))^2"),
    *("floor(4*cos(x)+x-x)", "exp(x-ceil(x))", "x/2-x/(2+0*sin(x))+sin(x)", "(x+1)*(x-cos(x))"),
]  # fmt: skip


@pytest.mark.parametrize("text", WILD)
def test_what_has_a_periodic_part_is_refuted(text):
    report = judged(text, t=("1/7", "3"))
    assert report.verdict == "valid", report.why


TAME = ["x", "x^3", "sin(x)-sin(x)", "sin(x)*0", "max(sin(x),2)", "relu(x)-x", "sin(x)^0", "3*x-abs(x)",
    "sin(x)^2+cos(x)^2", "floor(x)-floor(x)", "clip(sin(x),2,3)", "step(2+sin(x))"]  # fmt: skip


@pytest.mark.parametrize("text", TAME)
def test_what_is_tame_is_never_refuted(text):
    for t in [("0", "1"), ("1/7", "3"), ("-1", "2")]:
        for direction in ("1", "-1"):
            assert judged(text, t=t, direction=[direction]).verdict == "invalid"


UNFIT = {
    "not affine": ["sin(x^2)"],
    "a slope that is not known": ["sin(sqrt(2)*x)"],
    "periods without a common multiple": ["sin(x)+floor(x)", "floor(x+sin(x))"],
    "may leave its domain": ["log(sin(x))", "1/sin(x)"],
    "exp is not followed": ["exp(x)*sin(x)"],
    "a divisor that is not periodic": ["sin(x)/x"],
    "too high a power": ["x^5+sin(x)", "x^2*x^3+sin(x)", "x^(-1)+sin(x)"],
    "a sign that is not known": ["relu(x*sin(x))"],
    "power may leave its domain": ["(sin(x)-2)^(2+0*cos(x))"],
}
WRONG = [
    ("sin(x)", {"t": ("1", "1")}, "the two values may be equal"),
    ("sin(x)", {"direction": ["0"]}, "the two values may be equal"),
    ("sin(x)", {"box": "x=-1:1"}, "the ray leaves the domain"),
    ("sin(x)", {"box": "x=1:inf"}, "the ray leaves the domain"),
    ("sin(x)", {"direction": ["1", "1"]}, "one number for each element"),
    *((text, {}, why) for why, texts in UNFIT.items() for text in texts),
]


@pytest.mark.parametrize(("text", "given", "why"), WRONG)
def test_what_does_not_follow_is_said(text, given, why):
    report = judged(text, **given)
    assert report.verdict == "invalid"
    assert why in report.why


def rounded(mode):
    """x minus its rounding."""
    builder = GraphBuilder()
    x = builder.input("x", ())
    whole = builder.apply(ops.ROUND, [x], mode=mode)
    return builder.build({"y": builder.apply(ops.SUB, [x, whole])})


def test_roundings_with_a_period():
    for mode in ("half_even", "half_up", "half_down"):
        assert judged(rounded(mode), t=("0", "1/4")).verdict == "valid"
    for mode in ("half_away", "toward_zero", "away_from_zero", "half_toward_zero"):
        assert "without a known period" in judged(rounded(mode), t=("0", "1/4")).why


def test_elements_move_through_routing_and_products():
    builder = GraphBuilder()
    x = builder.input("x", (1, 2))
    weight = builder.constant(np.array([[1, 2, 0], [0, 1, 3]], dtype=np.float32))
    hidden = builder.apply(ops.MATMUL, [x, weight])
    both = builder.apply(ops.CONCAT, [builder.apply(ops.SIN, [hidden]), x], axis=1)
    bent = builder.apply(ops.RELU, [both])
    padded = builder.apply(ops.PAD, [bent], before=(0, 1), after=(0, 0), value=Fraction(0))
    index = builder.constant(np.array([1, 4, 5]))
    picked = builder.apply(ops.GATHER, [padded, index], axis=1)
    total = builder.apply(ops.SUM, [picked], axes=(1,), keepdims=False)
    graph = builder.build({"y": total})
    assert judged(graph, direction=["1", "0"]).verdict == "valid"
    lifted = builder.apply(ops.PAD, [both], before=(0, 1), after=(0, 0), value=Fraction(1))
    assert "a pad that is not 0" in judged(builder.build({"y": lifted}), element=1).why
