"""Expressions: what they mean, exactly, and how mistakes in them are reported."""

import contextlib
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamecheck.errors import InputError, TamecheckError
from tamecheck.evaluate import exact_values
from tamecheck.ir.graph import Apply, Constant
from tamecheck.loaders import parse_expression

FUNCTIONS = {
    "abs": abs,
    "sign": lambda a: Fraction((a > 0) - (a < 0)),
    "step": lambda a: Fraction(a >= 0),
    "floor": lambda a: Fraction(math.floor(a)),
    "ceil": lambda a: Fraction(math.ceil(a)),
    "round": lambda a: Fraction(round(a)),
    "relu": lambda a: max(a, Fraction(0)),
}
SIGNS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "max": max,
    "min": min,
}
NAMES = ("x", "y", "long_name2")
POINT = {"x": Fraction(3, 2), "y": Fraction(-5, 4), "long_name2": Fraction(0)}
DECIMALS = {
    "0.5": Fraction(1, 2),
    "1e-1": Fraction(1, 10),
    ".25": Fraction(1, 4),
    "3.": Fraction(3),
}


def trees():
    """Expressions as nested tuples, independent of the parser."""
    leaves = st.one_of(
        st.sampled_from(NAMES).map(lambda name: ("name", name)),
        st.integers(0, 9).map(lambda n: ("number", str(n), Fraction(n))),
        st.sampled_from(sorted(DECIMALS)).map(lambda t: ("number", t, DECIMALS[t])),
    )

    def grow(inner):
        return st.one_of(
            st.tuples(st.just("call"), st.sampled_from(sorted(FUNCTIONS)), inner),
            st.tuples(st.just("binary"), st.sampled_from(sorted(SIGNS)), inner, inner),
            st.tuples(st.just("negative"), inner),
            st.tuples(st.just("power"), inner, st.integers(0, 3)),
        )

    return st.recursive(leaves, grow, max_leaves=12)


def value(tree):
    match tree:
        case ("name", name):
            return POINT[name]
        case ("number", _, number):
            return number
        case ("call", name, inner):
            return Fraction(FUNCTIONS[name](value(inner)))
        case ("binary", sign, left, right):
            return SIGNS[sign](value(left), value(right))
        case ("negative", inner):
            return -value(inner)
        case ("power", inner, exponent):
            return value(inner) ** exponent


BINDING = {"+": 1, "-": 1, "*": 2}


def printed(tree, least=0):
    """Text with as few parentheses as the grammar allows, ``least`` the binding required."""
    match tree:
        case ("name", text) | ("number", text, _):
            return text
        case ("call", name, inner):
            return f"{name}( {printed(inner)})"
        case ("binary", ("max" | "min") as name, left, right):
            return f"{name}({printed(left)},{printed(right)} )"
        case ("binary", sign, left, right):
            binding = BINDING[sign]
            text = f"{printed(left, binding)}{sign} {printed(right, binding + 1)}"
        case ("negative", inner):
            binding, text = 3, f"-{printed(inner, 3)}"
        case ("power", inner, exponent):
            binding, text = 4, f"{printed(inner, 5)}^{exponent}"
    return f"({text})" if binding < least else text


@given(trees())
def test_a_printed_expression_has_the_value_of_its_tree(tree):
    graph = parse_expression(printed(tree)).graph
    point = {name: POINT[name] for name in graph.inputs}
    assert exact_values(graph, point)["y"].item() == value(tree)


def ops_of(text):
    return [node.op.name for node in parse_expression(text).graph.nodes if isinstance(node, Apply)]


def constants_of(text):
    nodes = parse_expression(text).graph.nodes
    return [node.tensor.fractions()[0] for node in nodes if isinstance(node, Constant)]


@pytest.mark.parametrize(
    ("text", "ops"),
    [
        ("-x^2", ["pow", "neg"]),
        ("(-x)^2", ["neg", "pow"]),
        ("x^-1", ["pow"]),
        ("x**2", ["pow"]),
        ("x^y", ["power"]),
        ("x^y^z", ["power", "power"]),
        ("clip(round(x),-1,1)", ["round", "clip"]),
        ("max(x,y,z)", ["maximum", "maximum"]),
        ("max(x,0)", ["maximum"]),
        ("x - - y", ["neg", "sub"]),
        ("+x", []),
        ("sin(x)-sin(x)", ["sin", "sub"]),
        ("acos(-1)*x", ["acos", "mul"]),
        ("sigmoid(softplus(erf(tan(x))))", ["tan", "erf", "softplus", "sigmoid"]),
    ],
)
def test_operators_and_functions_become_ops(text, ops):
    assert ops_of(text) == ops


@pytest.mark.parametrize(
    ("text", "constant"),
    [
        ("0.1", Fraction(1, 10)),
        ("1/3", Fraction(1, 3)),
        ("1e-3", Fraction(1, 1000)),
        ("1/3 + 1/6", Fraction(1, 2)),
        ("2^3^2", Fraction(512)),
        ("-2^2", Fraction(-4)),
        ("2^-2", Fraction(1, 4)),
        ("8/4/2", Fraction(1)),
        ("0^0", Fraction(1)),
        ("abs(-3) + sign(0) + step(0)", Fraction(4)),
        ("round(1/2) + round(3/2) + round(-5/2)", Fraction(0)),
        ("clip(7, -1, 1/2)", Fraction(1, 2)),
        ("max(1, 2, 3) - min(1, 2, 3)", Fraction(2)),
        ("9007199254740993", Fraction(2**53 + 1)),
        ("99999999999999999999", Fraction(10**20 - 1)),
    ],
)
def test_constants_are_folded_without_rounding(text, constant):
    assert constants_of(text) == [constant]
    assert ops_of(text) == []


def test_inputs_are_scalars_in_the_order_of_their_first_occurrence():
    graph = parse_expression("b*a + sin(b); a + c").graph
    assert list(graph.inputs.items()) == [("b", ()), ("a", ()), ("c", ())]
    assert [name for name, _ in graph.outputs] == ["y0", "y1"]


def test_the_conventions_at_special_points():
    params = {
        node.op.name: dict(node.params)
        for node in parse_expression("sign(x)+step(x)+round(x)").graph.nodes
        if isinstance(node, Apply)
    }
    assert params["sign"] == {"at_zero": 0}
    assert params["step"] == {"at_zero": 1}
    assert params["round"] == {"mode": "half_even"}


def test_nodes_are_labelled_by_their_text():
    graph = parse_expression("sin( x ) * 2").graph
    assert [graph.name_of(i) for i in range(len(graph.nodes))] == [
        "x",
        "sin( x )",
        "2",
        "sin( x ) * 2",
    ]


ERRORS = [
    ("", 1, "expected"),
    ("x+", 3, "expected"),
    ("x+*y", 3, "expected"),
    ("2x", 2, "operator is missing"),
    ("x y", 3, "operator is missing"),
    ("sn(x)", 1, "Did you mean sin"),
    ("ln(x)", 1, "log(x)"),
    ("x(3)", 1, "no function"),
    ("sin", 1, "sin(…)"),
    ("sin(x,y)", 1, "1 argument"),
    ("clip(x,1)", 1, "clip(x, low, high)"),
    ("clip(x,y,1)", 8, "must be a number"),
    ("clip(x,2,1)", 1, "2 > 1"),
    ("max()", 5, "expected"),
    ("max(x", 4, "not closed"),
    ("(x;y)", 1, "not closed"),
    ("x)", 2, "closes nothing"),
    ("x,y", 2, "0,5"),
    ("x;;y", 3, "expected"),
    ("x;", 3, "expected"),
    ("2*pi", 3, "acos(-1)"),
    ("inf", 1, "no infinity"),
    ("x/0", 3, "Division by 0"),
    ("x/(1-1)", 3, "Division by 0"),
    ("(-8)^(1/3)", 1, "no real value"),
    ("0^-1", 1, "no real value"),
    ("9^9^9", 3, "exponent"),
    ("2^99999", 1, "too many digits"),
    ("x^1000000", 3, "exponent"),
    ("1e999999", 1, "out of range"),
    ("x[0]", 2, "scalars"),
    ("|x|", 1, "abs(x)"),
    ("x=1", 2, "x == y"),
    ("x<y<z", 1, "x < y and y < z"),
    ("where(x,1,2)", 7, "x != 0"),
    ("where(x>0,1)", 1, "where(condition"),
    ("x and y", 1, "conditions"),
    ("not x", 5, "conditions"),
    ("x not y", 3, "operator is missing"),
    ("sort(x,y)", 1, "sort(…)[0]"),
    ("sort(x,y)[x]", 1, "sort(…)[0]"),
    ("sort(x,y)[2]", 11, "0 to 1"),
    ("sort(x,y)[-1]", 1, "sort(…)[0]"),
    ("median(x,y)", 1, "two middle"),
    ("topk(3,x,y)[0]", 6, "1 to 2"),
    ("topk(x,y)[0]", 6, "must be a number"),
    ("choose(2,x,y)", 8, "no value 2"),
    ("huber(x,0)", 9, "positive"),
    ("x & y", 3, "and"),
    ("if(x>0,1,2)", 1, "where"),
    ("x%2", 2, "floor"),
    ("lambda: x", 7, "':'"),
    ("__import__('os')", 1, "no function"),
    ("x+'os'", 3, "Unexpected"),
    ("x−y", 2, "minus"),
    ("\u0663", 1, "Unexpected"),
]


@pytest.mark.parametrize(("text", "column", "words"), ERRORS)
def test_a_mistake_is_reported_with_its_column(text, column, words):
    with pytest.raises(InputError) as caught:
        parse_expression(text)
    assert f"column {column}:" in caught.value.message
    assert words in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000 + "x" + ")" * 100_000,
        "sin(" * 100_000,
        "1" * 100_000,
        "*".join(["1e3999"] * 50),
        "+".join(f"1/{k}" for k in range(2, 20_000)),
        "x" * 3_000_000,
    ],
)
def test_monsters_get_one_clear_line(text):
    with pytest.raises(InputError) as caught:
        parse_expression(text)
    assert len(caught.value.message) < 400


@pytest.mark.slow
@pytest.mark.parametrize("text", ["+".join("x" * 20_000), "^".join("x" * 20_000)])
def test_long_flat_expressions_are_read(text):
    assert len(parse_expression(text).graph.nodes) >= 20_000


CHOICES = {
    "where(x > y, x, 2*y)": lambda x, y: x if x > y else 2 * y,
    "where(x >= y and not y == 0 or x < -1, x, y)": lambda x, y: (
        x if (x >= y and y != 0) or x < -1 else y
    ),
    "where(x != y, 1/(x-y), 5)": lambda x, y: 1 / (x - y) if x != y else Fraction(5),
    "where(x > 0, 0, x^-1)": lambda x, _: Fraction(0) if x > 0 else 1 / x if x else None,
    "(x < y) + 2*(x <= y)": lambda x, y: Fraction((x < y) + 2 * (x <= y)),
    "sort(x, y, 1)[1]": lambda x, y: sorted([x, y, Fraction(1)])[1],
    "topk(2, x, y, x + y)[1]": lambda x, y: sorted([x, y, x + y])[1],
    "median(x, y, x*y)": lambda x, y: sorted([x, y, x * y])[1],
    "cummax(x, y, 0, 2*x, -y)[3]": lambda x, y: max(x, y, 0, 2 * x),
    "cummin(x, y, 0, 2*x, -y)[4]": lambda x, y: min(x, y, 0, 2 * x, -y),
    "choose(argmax(x, y), y, x)": lambda x, y: min(y, x),
    "choose(argmin(x, y, -1), 1, 2, 3)": lambda x, y: Fraction(
        1 + min(range(3), key=[x, y, Fraction(-1)].__getitem__)
    ),
    "huber(x)": lambda x, _: x**2 / 2 if abs(x) <= 1 else abs(x) - Fraction(1, 2),
    "smooth_l1(x, 1/2)": lambda x, _: x**2 if 2 * abs(x) <= 1 else abs(x) - Fraction(1, 4),
    "threshold(x, 1, y)": lambda x, y: x if x > 1 else y,
    "trunc(x) + 3*frac(y)": lambda x, y: math.trunc(x) + 3 * (y - math.trunc(y)),
    "xlogy(x - x, y) + x": lambda x, _: x,
    "norm(3*x, 4*x)": lambda x, _: 5 * abs(x),
}


@pytest.mark.parametrize("text", CHOICES)
def test_choices_and_orders_mean_what_they_say(text):
    graph = parse_expression(text).graph
    numbers = [Fraction(n, 2) for n in (-3, -2, -1, 0, 1, 2, 3)]
    for x in numbers:
        for y in numbers:
            expected = CHOICES[text](x, y)
            if expected is None:
                continue
            point = {name: {"x": x, "y": y}[name] for name in graph.inputs}
            assert exact_values(graph, point)["y"].item() == expected


def test_a_smooth_maximum_is_the_logarithm_of_a_sum():
    value = exact_values(parse_expression("logaddexp(x, y)").graph, {"x": 0, "y": 0})["y"].item()
    assert abs(float(value) - math.log(2)) < 1e-12


@given(
    st.text(st.sampled_from("xy01.e+-*/^(),;<>=![] \tsinmaxclportwhe"), max_size=30)
    | st.text(max_size=30)
)
def test_any_text_is_read_or_refused_politely(text):
    with contextlib.suppress(TamecheckError):
        parse_expression(text)


def test_a_double_minus_is_no_operation():
    assert parse_expression("--x").graph.sha256 == parse_expression("x").graph.sha256
    assert len(parse_expression("-" * 10_001 + "x").graph.nodes) == 2
