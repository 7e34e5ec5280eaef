"""Subadditive expressions: laws, simplification, slopes, formulas and derived tameness."""

from __future__ import annotations

import math
from fractions import Fraction as Q

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tamecheck.duality.expression.dual import ExpressionBuilder, expression_graph, expression_sympy
from tamecheck.duality.expression.function import absolute, triangle
from tamecheck.errors import DomainError, InputError, UnsupportedError
from tamecheck.evaluate import exact_values
from tamecheck.ir.box import Box
from tamecheck.ir.verdict import Verdict
from tamecheck.tame.check import check

SIZE = 2
numbers = st.fractions(min_value=-4, max_value=4, max_denominator=6)
weights = st.fractions(min_value=0, max_value=2, max_denominator=4)
sides = st.tuples(numbers, numbers)


@st.composite
def expressions(draw, *, ceilings=True):
    """A random expression of up to six operations on two variables."""
    builder = ExpressionBuilder(SIZE)
    nodes = [builder.linear((1, 0)), builder.linear((0, 1)), builder.linear(draw(sides))]
    kinds = ["combination", "maximum", "gomory", *(["ceiling"] if ceilings else [])]
    for _ in range(draw(st.integers(1, 6))):
        pick = st.sampled_from(nodes)
        kind = draw(st.sampled_from(kinds))
        if kind == "combination":
            nodes.append(builder.combination([(draw(pick), draw(weights)) for _ in range(2)]))
        elif kind == "maximum":
            nodes.append(builder.maximum([draw(pick), draw(pick)]))
        elif kind == "ceiling":
            nodes.append(builder.ceiling(draw(pick)))
        else:
            v = draw(st.sampled_from([Q(1, 3), Q(1, 2), Q(5, 7)]))
            terms = {draw(pick): draw(numbers), draw(pick): draw(numbers)}
            nodes.append(builder.gomory(v, draw(sides), list(terms.items())))
    return builder.build(nodes[-1])


@pytest.mark.slow
@given(expressions(), sides, sides)
def test_expressions_are_subadditive_and_0_at_0(f, d, e):
    both = tuple(x + y for x, y in zip(d, e, strict=True))
    assert f(both) <= f(d) + f(e)
    assert f((Q(0), Q(0))) == 0


@pytest.mark.slow
@given(expressions(), sides)
def test_the_directional_derivative_is_the_limit_of_quotients(f, g):
    """Along a ray the function is linear near 0, or it jumps there."""
    t = Q(1, 10**9)
    quotient = f(tuple(t * x for x in g)) / t
    bound = f.directional(g)
    assert quotient > 10**6 if bound == math.inf else quotient == bound


@pytest.mark.slow
@given(expressions(), sides)
def test_monotone_where_it_is_claimed(f, step):
    forward = tuple(abs(x) for x in step)
    assume(f.monotone_in([lambda a: a >= 0] * SIZE))
    for d in [(Q(0), Q(0)), (Q(1, 3), Q(-7, 5)), (Q(2), Q(1, 2))]:
        assert f(tuple(x + y for x, y in zip(d, forward, strict=True))) >= f(d)


@pytest.mark.slow
@given(expressions(), sides, sides)
def test_one_sided_slopes_are_in_the_gradient(f, d, g):
    """The derivative from each side is the product of the direction with one of the vertices."""
    t = Q(1, 10**9)
    try:
        slopes = f.slopes(d)
    except (DomainError, UnsupportedError):
        return
    for sign in (1, -1):
        moved = tuple(x + sign * t * y for x, y in zip(d, g, strict=True))
        quotient = (f(moved) - f(d)) / (sign * t)
        products = [sum(a * b for a, b in zip(u, g, strict=True)) for u in slopes]
        assert quotient in products


@pytest.mark.slow
@given(expressions(ceilings=False), sides, sides)
def test_the_lipschitz_constant_holds(f, d, e):
    distance = sum(abs(x - y) for x, y in zip(d, e, strict=True))
    assert abs(f(d) - f(e)) <= f.lipschitz * distance


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(expressions(), sides)
def test_the_graph_and_sympy_compute_the_same(f, d):
    import numpy as np
    import sympy

    point = np.array([[x] for x in d], dtype=object)
    (value,) = exact_values(expression_graph(f), {"d": point}).values()
    assert value.item() == f(d)
    symbols = sympy.symbols("a b", real=True)
    rational = [sympy.Rational(x.numerator, x.denominator) for x in d]
    formula = expression_sympy(f, symbols).subs(dict(zip(symbols, rational, strict=True)))
    assert formula.doit() == sympy.Rational(f(d).numerator, f(d).denominator)


def test_triangle_and_its_derivative_by_hand():
    v = Q(1, 4)
    assert [triangle(v, Q(k, 4)) for k in range(-1, 5)] == [Q(1, 3), 0, 1, Q(2, 3), Q(1, 3), 0]
    assert (absolute(v, Q(1)), absolute(v, Q(-1))) == (4, Q(4, 3))


def test_simplification_merges_sums_and_ceilings():
    builder = ExpressionBuilder(1)
    x = builder.linear([1])
    half = builder.combination([(x, Q(1, 2))])
    up = builder.ceiling(half)
    assert builder.ceiling(up) == up
    twice = builder.combination([(up, Q(1)), (up, Q(1))])
    assert builder.ceiling(twice) == twice
    assert builder.build(builder.combination([(twice, Q(1, 2))])).text(names=["b"]) == "ceil(1/2*b)"
    both = builder.maximum([up, builder.maximum([up, x])])
    assert builder.build(both).text(names=["b"]) == "max(b, ceil(1/2*b))"


def test_shared_terms_are_named_once():
    builder = ExpressionBuilder(1)
    up = builder.ceiling(builder.linear([Q(1, 2)]))
    root = builder.combination(
        [(builder.ceiling(builder.combination([(up, Q(1, 2))])), Q(1)), (up, Q(3))]
    )
    text = builder.build(root).text(names=["b"])
    assert text == "3*t0 + ceil(1/2*t0) where t0 = ceil(1/2*b)"


def test_a_jump_is_refused_and_named():
    builder = ExpressionBuilder(1)
    f = builder.build(builder.ceiling(builder.linear([Q(1, 2)])))
    assert f.slopes((Q(1),)) == ((0,),)
    with pytest.raises(DomainError, match=r"jumps.*ceil\(1/2\*d0\).*integer argument 1 at \(2\)"):
        f.slopes((Q(2),))


def test_what_is_not_subadditive_cannot_be_built():
    builder = ExpressionBuilder(1)
    x = builder.linear([1])
    with pytest.raises(InputError, match="negative"):
        builder.combination([(x, Q(-1))])
    with pytest.raises(InputError, match="between 0 and 1"):
        builder.gomory(Q(1), None, [(x, Q(1))])
    with pytest.raises(InputError, match="coefficients"):
        builder.linear([1, 2])
    with pytest.raises(InputError, match="nothing"):
        builder.maximum([])


def test_tameness_is_derived_from_the_graph():
    """Rounding is locally tame everywhere, semilinear and discontinuous on a box."""
    builder = ExpressionBuilder(1)
    graph = expression_graph(builder.build(builder.ceiling(builder.linear([Q(1, 2)]))))
    everywhere = check(graph, Box.everything())
    box = check(graph, Box.uniform(["d"], Q(-3), Q(3)))
    assert everywhere.verdict is Verdict.LOCALLY_TAME
    assert box.verdict is Verdict.TAME
    assert box.structures[0].public_name == "semilinear"
    assert box.properties.continuous is False
