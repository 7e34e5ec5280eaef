"""Branches that nothing selects near a point have no say in its derivative."""

from __future__ import annotations

import contextlib
import os
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq

from tamecheck.derivative import jacobian
from tamecheck.derivative.dependence import dependence
from tamecheck.errors import TamecheckError
from tamecheck.evaluate import exact_values
from tamecheck.evaluate.exact import op_exact
from tamecheck.evaluate.walk import site_of
from tamecheck.exact.arrays import objects
from tamecheck.ir.graph import Apply, Constant, GraphBuilder
from tamecheck.loaders.text.expression import parse_expression
from tamecheck.ops import BY_NAME

SEEDS = int(os.environ.get("TAMECHECK_BRANCHES", "200"))


class Draft:
    """A graph of scalars, written by calls."""

    def __init__(self, *names):
        self.builder = GraphBuilder()
        self.inputs = [self.builder.input(name, ()) for name in names]

    def __call__(self, op, *args, **params):
        nodes = [self.builder.constant(np.array(a)) if isinstance(a, float) else a for a in args]
        return self.builder.apply(BY_NAME[op], nodes, **params)

    def build(self, node):
        return self.builder.build({"y": node})


@pytest.mark.parametrize(
    ("text", "at", "slopes"),
    [
        ("sqrt(max(0,x^2-z^2))", [1, 2], [0, 0]),
        ("asin(clip(x,-1,1))", [5], [0]),
        ("0*sqrt(abs(x))+x", [0], [1]),
        ("max(x,0)*sqrt(max(x-5,0))", [0], [0]),
        ("max(3, sqrt(abs(x)))*y", [0, 2], [0, 3]),
        ("step(x)*sqrt(abs(y))+y", [-1, 0], [0, 1]),
        ("floor(x)*sqrt(abs(y))+y", ["1/2", 0], [0, 1]),
        ("0*(max(y-x^2,0)-max(y,0))+x", [0, 0], [0, 1]),
        ("0*sign(y-x^2)+x", [0, 0], [0, 1]),
        ("abs(x)^0*y", [0, 2], [0, 1]),
    ],
)
def test_dead_branches_by_hand(text, at, slopes):
    for kind in ("clarke", "bouligand", "conservative"):
        assert jacobian(parse_expression(text).graph, at, kind).vertices == ((tuple(slopes),),)


@pytest.mark.parametrize("text", ["x^1.5+max(x,0)", "sqrt(x)*0+abs(x)", "x^2.5*y+abs(y-x)"])
def test_points_at_the_edge_of_a_domain_are_left_open(text):
    # there are values on one side only
    graph = parse_expression(text).graph
    found = jacobian(graph, [0] * len(graph.inputs))
    assert found.open
    assert "edge of its domain" in found.why


@pytest.mark.parametrize(
    ("text", "slope"),
    [("max(x,0)^1.5", 0), ("abs(x)^1.5+x", 1), ("(x^2)^1.5", 0), ("0*sqrt(x^2+abs(x))", 0)],
)
def test_arguments_that_stay_in_the_domain(text, slope):
    assert jacobian(parse_expression(text).graph, [0]).vertices == (((slope,),),)


def chosen(x):
    """``where(x <= 0, exp(x), 1 + x)``."""
    draft = Draft("x")
    (node,) = draft.inputs
    low = draft("less_equal", node, 0.0)
    graph = draft.build(draft("select", low, draft("exp", node), draft("add", node, 1.0)))
    return jacobian(graph, [x])


def test_only_the_selected_branch_counts():
    assert chosen(100).vertices == (((Fraction(1),),),)
    (vertex,) = chosen(-1).vertices
    assert abs(float(vertex[0][0]) - np.exp(-1)) < 1e-12


def test_the_element_at_a_computed_index():
    builder = GraphBuilder()
    x = builder.input("x", (3,))
    best = builder.apply(BY_NAME["argmax"], [x], axis=0, keepdims=False, last=False)
    graph = builder.build({"y": builder.apply(BY_NAME["gather"], [x, best], axis=0)})
    assert exact_values(graph, {"x": np.array([1.0, 3.0, 2.0])})["y"] == Fraction(3)
    assert jacobian(graph, [1, 3, 2]).vertices == (((0, 1, 0),),)
    # that is the largest
    assert set(jacobian(graph, [3, 3, 2]).vertices) == {((1, 0, 0),), ((0, 1, 0),)}
    assert jacobian(graph, [3, 3, 2]).autodiff == ((1, 0, 0),)


SMOOTH = ("neg", "exp", "tanh", "sin", "softplus")
KINKED = ("abs", "relu", "sign", "step", "floor")
SHARP = {"sqrt": lambda d, u: d("sqrt", d("abs", u)), "asin": lambda d, u: d("asin", clip(d, u))}
SHARP["root"] = lambda d, u: d("pow", d("relu", u), exponent=Fraction(1, 3))
SHARP["log"] = lambda d, u: d("log", d("maximum", u, 1.0))


def clip(draft, node):
    return draft("clip", node, lo=Fraction(-1), hi=Fraction(1))


def composed(seed):  # noqa: C901 (a case for each kind of node)
    """A random function of two variables that cuts branches off, and a point with small numbers."""
    rng = np.random.default_rng(seed)
    draft = Draft("x", "z")
    pool = list(draft.inputs)

    def pick():
        return pool[int(rng.integers(len(pool)))]

    def small():
        return float(rng.integers(-2, 3))

    for _ in range(int(rng.integers(4, 10))):
        kind = int(rng.integers(8))
        if kind == 0:
            name = rng.choice(SMOOTH)
            # few of them, so that numbers stay small
            pool.append(draft("mul", 0.0, draft(name, pick())) if rng.random() < 0.5 else pick())
        elif kind == 1:
            name = rng.choice(KINKED)
            params = {"at_zero": Fraction(1)} if name in ("sign", "step") else {}
            pool.append(draft(name, pick(), **params))
        elif kind == 2:
            pool.append(SHARP[rng.choice(list(SHARP))](draft, pick()))
        elif kind == 3:
            pool.append(draft("mul", pick(), pick()))
        elif kind == 4:
            test = draft("less", pick(), small())
            pool.append(draft("select", test, pick(), pick()))
        elif kind == 5:
            pool.append(draft(rng.choice(["maximum", "minimum"]), pick(), pick()))
        elif kind == 6:
            pool.append(clip(draft, draft("add", pick(), small())))
        else:
            pool.append(draft("add", draft("mul", pick(), small()), pick()))
    return draft.build(pool[-1]), [Fraction(int(v), 2) for v in rng.integers(-4, 5, 2)]


def moved(graph, point, axis, step):
    at = [np.array(v + (step if k == axis else 0), dtype=object) for k, v in enumerate(point)]
    found = exact_values(graph, dict(zip(graph.inputs, at, strict=True)))["y"].item()
    return float(found) if isinstance(found, Fraction) else float(found.mid())


def check_quotients(graph, point, slopes):
    step = Fraction(1, 10**7)
    for axis, slope in enumerate(slopes):
        number = float(slope) if isinstance(slope, Fraction) else float(slope.mid())
        for signed in (step, -step):
            rise = moved(graph, point, axis, signed) - moved(graph, point, axis, 0)
            assert rise / float(signed) == pytest.approx(number, abs=1e-4)


@pytest.mark.slow
def test_what_is_called_differentiable_has_those_quotients():
    checked = 0
    for seed in range(SEEDS):
        graph, point = composed(seed)
        with contextlib.suppress(TamecheckError):
            found = jacobian(graph, point)
            if found.singleton:
                check_quotients(graph, point, found.vertices[0][0])
                checked += 1
    assert checked > SEEDS / 2


def values_of(graph, at, held):
    """The values of all nodes at a point, where some are held."""
    known = dict(held)
    for index, node in enumerate(graph.nodes):
        if isinstance(node, Constant):
            known[index] = objects(node.tensor.array)
        elif not isinstance(node, Apply):
            known[index] = np.array(at[node.name], dtype=object)
        elif index not in known:
            args = [known[arg] for arg in node.args]
            known[index] = objects(op_exact(site_of(graph, index, node), args))
    return known


def number_of(array):
    value = array.item()
    return float(value) if isinstance(value, fmpq) else float(value.mid())


def test_the_output_follows_from_what_is_needed():
    # at a point nearby: still elements are as before, and so may be all that do not matter
    for seed in range(SEEDS):
        graph, point = composed(seed)
        here = {n: fmpq(v.numerator, v.denominator) for n, v in zip("xz", point, strict=True)}
        near = {"x": here.get("x", 0) + fmpq(1, 10**6), "z": here.get("z", 0) - fmpq(3, 10**6)}
        before = values_of(graph, here, {})
        depends = dependence(graph, before)
        free = {
            index: before[index]
            for index, wanted in depends.needed.items()
            if isinstance(graph.nodes[index], Apply) and not wanted.any()
        }
        after, mixed = values_of(graph, near, {}), values_of(graph, near, free)
        output = graph.outputs[0][1]
        assert number_of(mixed[output]) == pytest.approx(number_of(after[output]), abs=1e-12)
        still = [index for index, held in depends.still.items() if held.all()]
        assert [str(after[index]) for index in still] == [str(before[index]) for index in still]
