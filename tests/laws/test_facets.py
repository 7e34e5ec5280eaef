"""Facets that are read off an op's pieces agree with the op's values."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamecheck import ops
from tamecheck.evaluate import float_values
from tamecheck.evaluate.exact_terms import value_at
from tamecheck.exact.reals import as_fraction, as_number
from tamecheck.ir.graph import GraphBuilder
from tamecheck.ops import BY_NAME
from tamecheck.ops.facets import comparisons, degree, line_of, rounds, sign_values
from tamecheck.ops.monotone import anchor

LINES = [
    (ops.RELU, {}, (0,), (0, 1), True),
    (ops.ABS, {}, (0,), (-1, 1), True),
    (ops.NEG, {}, (), (-1,), True),
    (ops.LEAKY_RELU, {"alpha": Fraction(1, 8)}, (0,), (Fraction(1, 8), 1), True),
    (ops.CLIP, {"lo": Fraction(-1), "hi": Fraction(2)}, (-1, 2), (0, 1, 0), True),
    (ops.CLIP, {"lo": Fraction(1), "hi": Fraction(1)}, (1,), (0, 0), True),
    (ops.CLIP, {"lo": None, "hi": Fraction(2)}, (2,), (1, 0), True),
    (ops.CLIP, {"lo": None, "hi": None}, (), (1,), True),
    (ops.SIGN, {"at_zero": Fraction(0)}, (0,), (0, 0), False),
    (ops.STEP, {"at_zero": Fraction(1)}, (0,), (0, 0), False),
]


@pytest.mark.parametrize(("op", "params", "breaks", "slopes", "continuous"), LINES)
def test_one_variable_graphs_by_hand(op, params, breaks, slopes, continuous):
    line = line_of(op, params)
    assert line.breaks == breaks
    assert line.slopes == slopes
    assert line.is_continuous == continuous


@given(st.sampled_from(LINES), st.fractions(min_value=-4, max_value=4))
def test_a_line_takes_the_values_of_its_op(case, x):
    op, params, *_ = case
    value = value_at(op.meaning.pieces(params), [as_number(x)], continuous=False)
    assert line_of(op, params)(x) == as_fraction(value)


@pytest.mark.parametrize(
    "case",
    [(ops.EXP, {}), (ops.FLOOR, {}), (ops.ADD, {}), (ops.POW, {"exponent": Fraction(2)})],
    ids=lambda case: case[0].name,
)
def test_other_ops_are_no_lines(case):
    assert line_of(*case) is None


@pytest.mark.parametrize(
    ("op", "params", "degrees", "expected"),
    [
        (ops.MUL, {}, (2, 3), 5),
        (ops.ADD, {}, (2, 3), 3),
        (ops.PRELU, {}, (1, 1), 2),
        (ops.DIV, {}, (2, 0), 2),
        (ops.DIV, {}, (2, 1), None),
        (ops.POW, {"exponent": Fraction(3)}, (2,), 6),
        (ops.POW, {"exponent": Fraction(1, 2)}, (2,), None),
        (ops.SELECT, {}, (9, 1, 2), 2),
        (ops.SIGN, {"at_zero": Fraction(0)}, (4,), 0),
        (ops.EXP, {}, (1,), None),
        (ops.FLOOR, {}, (1,), None),
        (ops.MATMUL, {}, (1, 2), 3),
        (ops.ARGMAX, {}, (1,), 0),
        (ops.GATHER, {}, (2, 0), 2),
        (ops.GATHER, {}, (2, 1), None),
        (ops.SUM, {}, (2,), 2),
        (ops.PROD, {}, (2,), None),
        (ops.SOFTMAX, {}, (1,), None),
    ],
)
def test_degrees_by_hand(op, params, degrees, expected):
    assert degree(op, params, degrees) == expected


def test_rounding_counts_as_constant_only_where_asked():
    assert degree(ops.ROUND, {"mode": "half_even"}, (1,), rounding=True) == 0
    assert rounds(ops.CEIL, {})
    assert not rounds(ops.SIGN, {"at_zero": Fraction(0)})


@pytest.mark.parametrize(
    ("op", "params", "expected"),
    [
        (ops.SIGN, {"at_zero": Fraction(1, 2)}, (-1, Fraction(1, 2), 1)),
        (ops.EQUAL, {}, (0, 1, 0)),
        (ops.LESS, {}, (1, 0, 0)),
        (ops.LESS_EQUAL, {}, (1, 1, 0)),
        (ops.RELU, {}, None),
        (ops.SELECT, {}, None),
    ],
)
def test_values_by_the_sign_of_the_compared_term(op, params, expected):
    assert sign_values(op, params) == expected


def test_each_compared_term_counts_once():
    assert len(comparisons(ops.MAXIMUM, {})) == 1
    assert len(comparisons(ops.CLIP, {"lo": Fraction(0), "hi": Fraction(6)})) == 2
    assert comparisons(ops.EXP, {}) == ()


def test_an_anchor_is_the_value_at_zero_of_an_increasing_op():
    points = np.linspace(-4, 4, 81)
    found = {}
    for op in BY_NAME.values():
        if op.arity == 1 and not op.params and (value := anchor(op, {})) is not None:
            found[op.name] = value
            builder = GraphBuilder()
            graph = builder.build({"y": builder.apply(op, [builder.input("x", points.shape)])})
            values = float_values(graph, {"x": points})["y"]
            assert (np.diff(values) > 0).all(), op.name
            assert values[40] == pytest.approx(float(value), abs=1e-15)
    assert {"sigmoid", "tanh", "exp", "sinh", "asinh", "atan", "erf"} <= found.keys()
    assert found["sigmoid"] == Fraction(1, 2)
    assert not {"cosh", "sin", "softplus", "relu", "abs", "log", "sqrt"} & found.keys()
