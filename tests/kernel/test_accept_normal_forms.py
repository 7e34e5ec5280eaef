"""Normal forms: identities are accepted in the smallest structure, and no other claims."""

# ruff: noqa: E501  (formulas)
import json

import pytest

from tamecheck.ir.box import Box
from tamecheck.ir.graph import Apply, Constant, Input
from tamecheck.kernel import check
from tamecheck.loaders.text.expression import parse_expression
from tamecheck.tame.document import certificate_document
from tests.kernel.builders import structure

LINQ, ALG = "rational-semilinear", "semialgebraic"


def claim(text, words, *, atoms=(), **fields):
    """A certificate that the output of a formula is in a structure, by its normal form.

    ``atoms`` are the ops of nodes that are taken as they are, with the structure of each.
    """
    graph = parse_expression(text).graph
    names = [n.op.name if isinstance(n, Apply) else "" for n in graph.nodes]
    inputs = [structure(i, LINQ) for i, n in enumerate(graph.nodes) if isinstance(n, Input)]
    shown = [structure(names.index(name), kind, 0) for name, kind in atoms]
    over = [len(inputs) + i for i in range(len(shown))]
    step = {
        "rule": "normal-form",
        "node": graph.outputs[0][1],
        "in": [words],
        "over": over,
        **fields,
    }
    tensors = {n.tensor.digest: n.tensor for n in graph.nodes if isinstance(n, Constant)}
    claimed = {"verdict": "tame", "structures": [words]}
    return certificate_document(
        graph, Box.everything(), claim=claimed, steps=[*inputs, *shown, step], tensors=tensors
    )


def verdict(document):
    return check(json.dumps(document))


EQUAL = [
    # sines and exponentials
    *("sin(x)^2 + cos(x)^2", "cos(2*x) - 2*cos(x)^2 + 1", "sin(2*x) - 2*sin(x)*cos(x)"),
    *("sin(x+y) - sin(x)*cos(y) - cos(x)*sin(y)", "2*sin(x)*sin(y) - cos(x-y) + cos(x+y)"),
    *("sin(3*x) - 3*sin(x) + 4*sin(x)^3", "cos(x)^4 - sin(x)^4 - cos(2*x)", "(sin(x)+1)^2 - sin(x)^2 - 2*sin(x)"),
    *("exp(x)*exp(-x)", "exp(x+y) - exp(x)*exp(y)", "cosh(x)^2 - sinh(x)^2", "exp(x)^2 - exp(2*x)"),
    *("tanh(x) - 2*sigmoid(2*x)", "sigmoid(x) + sigmoid(-x)", "softplus(x) - softplus(-x) - x"),
    *("sin(x*y)^2 + cos(y*x)^2", "sin(exp(x))^2 + cos(exp(x))^2", "sin(x - 1)^2 + cos(1 - x)^2"),
    # cancellation and parity
    *("sin(x)*y - y*sin(x)", "floor(x)*y - y*floor(x)", "sin(-x) + sin(x)", "cos(-x) - cos(x)"),
    *("atan(-x) + atan(x)", "erf(-sin(x)) + erf(sin(x))", "round(-x) + round(x)", "sinh(-x) + sinh(x)"),
    *("abs(sin(x)) - abs(-sin(x))", "abs(2*sin(x)) - 2*abs(sin(x))", "abs(sin(x))^2 - sin(x)^2"),
    # choices, by absolute values
    *("max(sin(x), y) - min(sin(x), y) - abs(sin(x)-y)", "relu(sin(x)) - relu(-sin(x)) - sin(x)"),
    *("max(x, sin(x)) + min(x, sin(x)) - sin(x)", "max(sin(x), cos(x)) - max(cos(x), sin(x))"),
    *("clip(sin(x), 0, 2) - min(relu(sin(x)), 2)", "abs(exp(x)*(y-sin(x))) - exp(x)*abs(sin(x)-y)"),
    # roundings
    *("floor(x+3) - floor(x)", "ceil(x) + floor(-x)", "floor(x - 7/2) + 4 - floor(x + 1/2)"),
    # what is left is affine
    *("x + sin(x)^2 + cos(x)^2", "3*x - y*0.5 + exp(x)*exp(-x)", "sin(x) + x - sin(x)"),
]  # fmt: skip


@pytest.mark.parametrize("text", EQUAL)
def test_identities_are_affine(text):
    report = verdict(claim(text, LINQ))
    assert report.verdict == "valid", report.why


RATIONAL = ["x*y + sin(x)^2 + cos(x)^2", "(x + sin(y) - sin(y))^3", "x*exp(x)*exp(-x)*x"]


@pytest.mark.parametrize("text", RATIONAL)
def test_what_is_left_may_be_rational(text):
    assert verdict(claim(text, ALG)).verdict == "valid"
    assert verdict(claim(text, LINQ)).why == "another structure is needed"


def test_what_is_left_may_have_nodes_that_are_definable():
    text = "sin(x)^2 + cos(x)^2 + exp(x)"
    assert verdict(claim(text, "exp", atoms=[("exp", "exp")])).verdict == "valid"
    assert verdict(claim(text, ALG, atoms=[("exp", "exp")])).why == "another structure is needed"
    assert verdict(claim(text, "exp")).why == OTHER


OTHER = "the normal form is not rational in these"
DIFFERENT = [
    *("sin(x)", "sin(x)^2 - cos(x)^2", "sin(x)^2 + cos(x)^2*1.0001", "sin(x)^2 + cos(y)^2", "exp(x)*exp(-y)"),
    *("cosh(x)^2 + sinh(x)^2", "abs(sin(x)) - sin(x)", "atan(-x) - atan(x)", "cos(-x) + cos(x)"),
    *("floor(x + 1/2) - floor(x)", "floor(2*x) - 2*floor(x)", "ceil(x) - floor(x)", "floor(-x) + floor(x)"),
    *("max(sin(x), y) - min(sin(x), y)", "sign(-x) - sign(x) + sin(x)", "sin(x+1) - sin(x)"),
    *("abs(x + sin(x)) - abs(x) - abs(sin(x))", "abs(exp(x)*sin(y)) - abs(sin(y))", "softplus(x) - x"),
    *("sin(2*x)*0.5 - sin(x)", "exp(2*x) - 2*exp(x)", "max(sin(x), 0) - sin(x)", "erf(x) + erf(x)"),
]  # fmt: skip


@pytest.mark.parametrize("text", DIFFERENT)
def test_what_is_no_identity_is_refused(text):
    assert verdict(claim(text, ALG)).why == OTHER


DOMAIN = "the domain of the node is not shown to be in these"


@pytest.mark.parametrize(
    "text", ["log(x) - log(x)", "tan(x) - tan(x)", "x/x", "sin(x)/sin(x)", "sqrt(x)^2 - x"]
)
def test_the_domain_must_be_shown(text):
    assert verdict(claim(text, LINQ)).why == DOMAIN


def test_choices_by_conditions_have_no_normal_form():
    document = claim("sin(x) - sin(x) + x^(1/2)*0", LINQ)
    assert verdict(document).why == DOMAIN
    assert verdict(claim("sin(x)^2+cos(x)^2", LINQ, domain=0)).why.startswith(
        "step 0 does not state"
    )
    assert (
        verdict(claim("sin(x)^2+cos(x)^2", LINQ, over=[7])).why
        == "an integer in [0, 0] was expected"
    )
