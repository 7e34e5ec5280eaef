"""VNN-LIB 1.0 and 2.0: regions, properties, and files that are neither."""

import contextlib
import gzip
import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamecheck.errors import InputError, TamecheckError, UnsupportedError
from tamecheck.ir.spec import Inequality
from tamecheck.loaders import parse_vnnlib, read_vnnlib

ONE = "(declare-const X_0 Real)\n(declare-const Y_0 Real)\n"
TWO = "(declare-const X_0 Real)\n(declare-const X_1 Real)\n(declare-const Y_0 Real)\n"
V2 = """(vnnlib-version <2.0>)
; a comment (with a parenthesis
(declare-network acc
  (declare-input X Real [1,3])
  (declare-output Y float32 [1,2])
)
"""


def interval(text):
    side = parse_vnnlib(ONE + text).box({"x": (1, 1)}).side("x")
    return side.lower[0], side.upper[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(assert (<= X_0 0.1))", (None, Fraction(1, 10))),
        ("(assert (>= X_0 -1e-1))(assert (<= X_0 2))", (Fraction(-1, 10), 2)),
        ("(assert (and (>= X_0 0) (<= X_0 1)))", (0, 1)),
        ("(assert (<= 0 X_0 1))", (0, 1)),
        ("(assert (<= 0 (* 2 X_0)))", (0, None)),
        ("(assert (>= (- X_0) (/ 1 3)))", (None, Fraction(-1, 3))),
        ("(assert (<= (+ X_0 1 (- 2 1)) 0))", (None, -2)),
        ("(assert (= X_0 5))", (5, 5)),
        ("(assert (< X_0 5))", (None, 5)),
        ("(assert (not (< X_0 5)))", (5, None)),
        ("(assert (or (and (>= X_0 0) (<= X_0 1)) (= X_0 7)))", (0, 7)),
        ("(assert (or (<= X_0 0) (>= X_0 1)))", (None, None)),
        ("(assert (<= X_0 3))\n(assert (<= X_0 2)) (assert (<= X_0 9))", (None, 2)),
        ("(assert (or (<= 1 0) (<= X_0 0)))", (None, 0)),
        ("(assert true)(assert (=> (<= 0 1) (<= X_0 0)))", (None, 0)),
        ("(set-logic QF_LRA)\n(assert(<= X_0\t0))(check-sat)", (None, 0)),
        ("(assert (<= |X_0| 0)) ; the end", (None, 0)),
    ],
)
def test_the_hull_of_the_region(text, expected):
    assert interval(text) == expected


def test_output_constraints_are_a_union_of_cases():
    spec = parse_vnnlib(
        TWO + "(assert (<= X_0 1))(assert (or (and (>= Y_0 2)) (and (<= Y_0 X_1) (< Y_0 0))))"
    )
    first, second = spec.cases
    assert first.upper is second.upper
    assert first.outputs == (Inequality((), ((0, Fraction(-1)),), Fraction(-2)),)
    assert second.outputs == (
        Inequality(((1, Fraction(-1)),), ((0, Fraction(1)),), Fraction(0)),
        Inequality((), ((0, Fraction(1)),), Fraction(0), strict=True),
    )
    zero, one = Fraction(0), Fraction(1)
    assert spec.unsafe([one, zero], [2 * one])
    assert spec.unsafe([one, zero], [-one])
    assert not spec.unsafe([one, zero], [zero])
    assert not spec.unsafe([2 * one, zero], [2 * one])


def test_linear_constraints_on_inputs_are_kept():
    (case,) = parse_vnnlib(TWO + "(assert (<= (+ X_0 (* -1.5 X_1)) 4))(assert (< X_0 1))").cases
    assert case.region == (
        Inequality(((0, Fraction(1)), (1, Fraction(-3, 2))), (), Fraction(4)),
        Inequality(((0, Fraction(1)),), (), Fraction(1), strict=True),
    )
    assert case.contains([Fraction(0), Fraction(0)])
    assert not case.contains([Fraction(1), Fraction(0)])


def test_version_2_indexes_tensors():
    spec = parse_vnnlib(
        V2
        + "(assert (>= X [0,1] 50.0)) (assert (== X[0, 2] -1.5))"
        + "(assert (or (<= Y[0,0] -3.0) (!= Y[0,1] (- Y[0,0]))))"
    )
    assert [tensor.shape for tensor in spec.inputs] == [(1, 3)]
    assert spec.box({"a": (3,)}).side("a").lower == (None, 50, Fraction(-3, 2))
    assert [case.outputs[0].outputs for case in spec.cases] == [
        ((0, 1),),
        ((0, 1), (1, 1)),
        ((0, -1), (1, -1)),
    ]


def test_version_2_matches_several_inputs_by_name_or_order():
    head = "(vnnlib-version <2.0>)(declare-network N (declare-input A Real [2]{})"
    tail = (
        "(declare-input B Real []{})(declare-output Y Real []))"
        "(assert (<= B 1))(assert (>= A[1] 0))"
    )
    named = parse_vnnlib((head + tail).format(' "q"', ' "p"'))
    assert named.box({"p": (), "q": (2,)}).side("p").upper == (1,)
    ordered = parse_vnnlib((head + tail).format("", ""))
    assert ordered.box({"p": (1, 2), "q": ()}).side("p").lower == (None, 0)
    with pytest.raises(InputError, match="shape"):
        ordered.box({"p": (), "q": (2,)})
    with pytest.raises(InputError, match="declares 2 inputs"):
        ordered.box({"p": (3,)})


def test_one_declared_vector_is_spread_over_all_inputs():
    text = "".join(f"(declare-const X_{i} Real)(assert (<= X_{i} {i}))" for i in range(5))
    box = parse_vnnlib(text).box({"a": (2, 1), "b": (), "c": (2,)})
    assert [box.side(name).upper for name in "abc"] == [(0, 1), (2,), (3, 4)]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "No input"),
        (ONE + "(assert (<= X_0 0)", 3, "not closed"),
        (ONE + "\n(assert (<= X_1 0))", 4, "X_1 is not declared"),
        (ONE + "(assert (<= Z 0))", 3, "no variable"),
        (ONE + "(assert (<= X_0 nan))", 3, "no variable"),
        (ONE + "(assert (<= X_0 1e999999))", 3, "out of range"),
        (ONE + "(assert (<= X_0))", 3, "does not compare"),
        (ONE + "(assert X_0)", 3, "condition"),
        (ONE + "(and (<= X_0 0))", 3, "outside"),
        (ONE + "(assert (<= X_0 (/ 1 0)))", 3, "Division by 0"),
        (ONE + "(frobnicate)", 3, "no command"),
        (ONE + "(declare-const X_0 Real)", 3, "twice"),
        (ONE + "(declare-const Z Real)", 3, "neither"),
        (ONE + "(declare-const X_2 Real)", 3, "not X_1"),
        (ONE + ")", 3, "expected"),
        (ONE + "x", 3, "expected"),
        (V2 + "(assert (<= X[0,3] 0.0))", 7, "no element"),
        (V2 + "(assert (<= X[0] 0.0))", 7, "no element"),
        (V2 + "(assert (<= Z[0] 0.0))", 7, "not declared"),
        (V2 + "(declare-const X_0 Real)", 7, "1.0"),
        ("(declare-network N (declare-input X Real [1])(declare-output Y Real []))", 1, "2.0"),
        ("(vnnlib-version <2.0>)(declare-network N (declare-input X Real [1]))", 1, "needs"),
    ],
)
def test_mistakes_name_the_line(text, line, words):
    with pytest.raises(InputError) as caught:
        parse_vnnlib(text, where="p.vnnlib").box({"x": (1,)})
    assert caught.value.message.startswith(f"p.vnnlib, line {line}:")
    assert words in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        ONE + "(assert (<= X_0 (/ 1 X_0)))",
        "(declare-const X_0 Int)",
        "(vnnlib-version <3.0>)",
        (
            "(vnnlib-version <2.0>)"
            "(declare-network f (declare-input A Real [1] initialized)(declare-output B Real [1]))"
        ),
        ONE + "(assert (or (<= X_0 1) (>= X_0 2)))" * 40,
    ],
)
def test_what_is_not_read_is_said_to_be_unsupported(text):
    with pytest.raises(UnsupportedError, match="line"):
        parse_vnnlib(text)


def test_an_empty_region_has_no_case_and_no_box():
    spec = parse_vnnlib(ONE + "(assert (<= X_0 0))(assert (>= X_0 1))")
    assert spec.cases == ()
    with pytest.raises(InputError, match="empty"):
        spec.box({"x": ()})


def test_a_property_of_another_model_is_refused():
    with pytest.raises(InputError, match="1 input elements, the model has 2"):
        parse_vnnlib(ONE).box({"x": (2,)})


@pytest.mark.slow
def test_depth_costs_no_recursion():
    deep = "(and " * 5000 + "(<= X_0 1)" + ")" * 5000
    assert interval(f"(assert {deep})") == (None, 1)
    with pytest.raises(InputError, match="deeper"):
        parse_vnnlib("(" * 100_000)


def test_gzipped_files(tmp_path):
    path = tmp_path / "p.vnnlib.gz"
    path.write_bytes(gzip.compress((ONE + "(assert (<= X_0 0))").encode()))
    assert read_vnnlib(path).hull() == ((None,), (0,))


GRID = [Fraction(n, 2) for n in range(-3, 4)]
ATOMS = st.builds(
    lambda sign, a, b, c: (sign, a, b, c),
    st.sampled_from(["<=", "<", ">=", ">", "=", "!="]),
    st.integers(-2, 2),
    st.integers(-2, 2),
    st.integers(-2, 2),
)
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: (
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3))
        | st.tuples(st.just("not"), inner)
    ),
    max_leaves=6,
)
HOLDS = {
    "<=": lambda v: v <= 0,
    "<": lambda v: v < 0,
    ">=": lambda v: v >= 0,
    ">": lambda v: v > 0,
    "=": lambda v: v == 0,
    "!=": lambda v: v != 0,
}


def printed(condition):
    match condition:
        case (sign, a, b, c):
            return f"({sign} (+ (* {a} X_0) (* Y_0 {b})) {c})"
        case ("not", inner):
            return f"(not {printed(inner)})"
        case (word, parts):
            return f"({word} {' '.join(map(printed, parts))})"


def truth(condition, x, y):
    match condition:
        case (sign, a, b, c):
            return HOLDS[sign](a * x + b * y - c)
        case ("not", inner):
            return not truth(inner, x, y)
        case ("and", parts):
            return all(truth(part, x, y) for part in parts)
        case (_, parts):
            return any(truth(part, x, y) for part in parts)


@given(st.lists(CONDITIONS, min_size=1, max_size=3))
def test_the_cases_mean_what_the_file_says(conditions):
    spec = parse_vnnlib(ONE + "".join(f"(assert {printed(one)})\n" for one in conditions))
    for x, y in itertools.product(GRID, GRID):
        expected = all(truth(one, x, y) for one in conditions)
        assert spec.unsafe([x], [y]) == expected
        if expected:
            (low,), (high,) = spec.hull()
            assert low is None or low <= x
            assert high is None or x <= high


WORDS = [
    "(",
    ")",
    "assert",
    "<=",
    "X_0",
    "Y_0",
    "1.5",
    "and",
    "or",
    "*",
    "[0]",
    ";",
    "\n",
    "|",
    '"',
]


@given(st.lists(st.sampled_from(WORDS), max_size=15).map(" ".join) | st.text(max_size=30))
def test_any_text_is_read_or_refused_politely(text):
    for head in (ONE, V2, ""):
        with contextlib.suppress(TamecheckError):
            parse_vnnlib(head + text)
