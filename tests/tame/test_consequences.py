"""Theorems are printed when, and only when, their hypotheses are checked."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction

import numpy as np
import pytest
from corpus import theorem_pages

from tamecheck import ops
from tamecheck.ir.box import Box
from tamecheck.ir.graph import Graph, GraphBuilder
from tamecheck.ir.structure import Structure
from tamecheck.loaders.text.expression import parse_expression
from tamecheck.tame.consequences import THEOREMS, consequences
from tamecheck.tame.verdict import Consequence, Properties, Verdict

ALL = Box.everything()
UNIT = Box.uniform(["x"], Fraction(0), Fraction(1))
SMOOTH = Properties(
    piecewise_linear=False,
    piecewise_constant=False,
    continuous=True,
    locally_lipschitz=True,
    path_differentiable=True,
)
LINEAR = replace(SMOOTH, piecewise_linear=True)
JUMPING = Properties(**{one.name: not getattr(SMOOTH, one.name) for one in fields(Properties)})


def graph_of(text: str) -> Graph:
    return parse_expression(text).graph


def names(found: tuple[Consequence, ...]) -> set[str]:
    return {c.theorem.split(":")[0] for c in found}


def drawn(
    graph: Graph,
    structures: tuple[Structure, ...],
    properties: Properties,
    box: Box = ALL,
    verdict: Verdict = Verdict.TAME,
) -> set[str]:
    return names(consequences(graph, box, verdict, structures, properties, total=True))


EVERY_TAME = {
    "Cell decomposition",
    "Uniform finiteness",
    "Whitney stratification",
    "Closure under first-order definitions",
    "Definable choice",
    "Finite VC dimension",
}
FIRST_ORDER = {"Path-differentiability", "Automatic differentiation"}
ALGEBRAIC = {"Łojasiewicz exponent", "Polynomial growth"}
SCALAR = {"Kurdyka-Łojasiewicz inequality", "Convergence of descent methods"}
GLOBAL = {"Morse-Sard", "Stochastic subgradient method"}


def test_exponential_of_one_input():
    found = drawn(graph_of("exp(x)"), (Structure.EXP,), SMOOTH)
    assert found == EVERY_TAME | FIRST_ORDER | SCALAR | GLOBAL | {"Monotonicity", "Solutions"}


def test_nothing_polynomially_bounded_is_said_of_the_exponential():
    # exp grows faster than every power, and φ(s) = C s^(1-θ) is for ℝ_an only
    assert not drawn(graph_of("exp(x)"), (Structure.EXP,), SMOOTH) & ALGEBRAIC


def test_semialgebraic_function_of_two_inputs():
    found = drawn(graph_of("x*y"), (Structure.SEMIALGEBRAIC,), SMOOTH)
    assert found == EVERY_TAME | FIRST_ORDER | SCALAR | GLOBAL | ALGEBRAIC | {"Level sets"}


def test_on_a_box_no_theorem_about_all_of_space():
    found = drawn(graph_of("x^3"), (Structure.SEMIALGEBRAIC,), SMOOTH, UNIT)
    assert not found & (GLOBAL | {"ReLU form", "Level sets"})
    assert found >= SCALAR | ALGEBRAIC | FIRST_ORDER


def test_a_discontinuous_function_has_no_gradient_theorem():
    found = drawn(graph_of("sign(x)"), (Structure.RATIONAL_SEMILINEAR,), JUMPING)
    assert not found & (FIRST_ORDER | SCALAR | GLOBAL | ALGEBRAIC)
    assert "Finitely many values" in found


def test_unknown_properties_tick_nothing():
    found = drawn(graph_of("x*y"), (Structure.SEMIALGEBRAIC,), Properties())
    assert found == EVERY_TAME | {"Level sets"}


def test_continuous_piecewise_linear():
    found = drawn(graph_of("max(x, y)"), (Structure.RATIONAL_SEMILINEAR,), LINEAR)
    assert found >= {"Global Lipschitz constant", "Max-min form", "ReLU form"}


def test_locally_tame():
    found = drawn(
        graph_of("floor(x)"),
        (Structure.LOCAL,),
        JUMPING,
        verdict=Verdict.LOCALLY_TAME,
    )
    assert found == {"Closure under first-order definitions", "Semilinear on bounded sets"}


def test_locally_tame_and_lipschitz_is_path_differentiable():
    # the distance to the integers, as min(x - floor(x), ceil(x) - x)
    graph = graph_of("min(x - floor(x), ceil(x) - x)")
    found = drawn(graph, (Structure.LOCAL,), LINEAR, verdict=Verdict.LOCALLY_TAME)
    assert found >= FIRST_ORDER
    assert not found & (GLOBAL | {"Global Lipschitz constant", "Max-min form"})


@pytest.mark.parametrize("verdict", [Verdict.UNKNOWN, Verdict.NOT_TAME])
def test_no_consequence_without_definability(verdict):
    assert consequences(graph_of("sin(x)"), ALL, verdict, (), Properties(), total=True) == ()


def test_theorems_about_real_functions_need_one_output():
    builder = GraphBuilder()
    x = builder.input("x", (2,))
    graph = builder.build({"y": builder.apply(ops.RELU, [x])})
    found = drawn(graph, (Structure.RATIONAL_SEMILINEAR,), LINEAR)
    assert not found & (SCALAR | GLOBAL | {"Łojasiewicz exponent"})
    assert found >= FIRST_ORDER


def weighted(activation) -> Graph:
    builder = GraphBuilder()
    x = builder.input("x", (1, 3))
    weight = builder.constant(np.ones((3, 1), dtype=np.float32))
    return builder.build({"y": builder.apply(activation, [builder.apply(ops.MATMUL, [x, weight])])})


@pytest.mark.parametrize(
    ("activation", "finite"),
    [(ops.RELU, True), (ops.TANH, True), (ops.ERF, True), (ops.SIN, False), (ops.LOG, False)],
)
def test_vc_dimension_of_the_architecture(activation, finite):
    # over all weights, the sets {sin(w x) > 0} shatter sets of every size: no finite dimension
    found = drawn(weighted(activation), (Structure.AN,), SMOOTH, UNIT)
    assert ("Finite VC dimension of the architecture" in found) is finite
    assert ("Finite sample complexity" in found) is finite
    assert ("Sample complexity" in found) is (activation is ops.RELU)


def test_every_consequence_names_its_hypotheses():
    graph = graph_of("max(x, y) + x")
    for c in consequences(
        graph, ALL, Verdict.TAME, (Structure.RATIONAL_SEMILINEAR,), LINEAR, total=True
    ):
        assert c.source
        assert c.hypotheses
        assert all(c.hypotheses)


def test_a_partial_function_has_no_theorem_that_needs_all_of_the_box():
    # 1/x is continuous where it is defined, and unbounded on [-1, 1]
    graph, box = graph_of("1/x"), Box.uniform(["x"], Fraction(-1), Fraction(1))
    said = (Verdict.TAME, (Structure.SEMIALGEBRAIC,), SMOOTH)
    partial = names(consequences(graph, box, *said, total=False))
    assert partial >= EVERY_TAME | {"Puiseux asymptotics", "Monotonicity"}
    assert not partial & (SCALAR | ALGEBRAIC | FIRST_ORDER | {"Averages over inputs"})
    assert "Averages over inputs" in names(consequences(graph, box, *said, total=True))


@pytest.mark.parametrize(
    ("text", "structure", "powers", "affine"),
    [
        ("sqrt(x)/(1+x)", Structure.SEMIALGEBRAIC, True, False),
        ("atan(x)", Structure.AN, True, False),
        ("exp(x)", Structure.EXP, False, False),
        ("max(x, 2*x)", Structure.RATIONAL_SEMILINEAR, True, True),
        ("x*y", Structure.SEMIALGEBRAIC, False, False),
    ],
)
def test_asymptotics_of_one_input(text, structure, powers, affine):
    # exp grows faster than all powers; of two inputs there is no order of growth
    found = drawn(graph_of(text), (structure,), Properties())
    assert ("Puiseux asymptotics" in found) is powers
    assert ("Eventually affine" in found) is affine


@pytest.mark.parametrize(
    ("text", "box", "finite"),
    [
        ("x^3-tanh(x)", UNIT, True),
        ("softplus(x)/(1+x^2)", UNIT, True),
        ("x^3-tanh(x)", ALL, False),  # x' = 1 on all of ℝ goes on for ever
        ("sqrt(x)", UNIT, False),
        ("abs(x)", UNIT, False),
        ("asin(x)", UNIT, False),
        ("max(x, 1/2)", UNIT, False),
        ("x;x", UNIT, False),
    ],
)
def test_length_of_gradient_curves(text, box, finite):
    found = drawn(graph_of(text), (Structure.AN_EXP,), SMOOTH, box)
    assert ("Finite length of gradient curves" in found) is finite


def test_averages_need_a_bounded_box_and_no_exponential():
    square = graph_of("x^2")
    assert "Averages over inputs" in drawn(square, (Structure.SEMIALGEBRAIC,), SMOOTH, UNIT)
    assert "Averages over inputs" in drawn(square, (Structure.AN, Structure.EXP), SMOOTH, UNIT)
    assert "Averages over inputs" not in drawn(square, (Structure.SEMIALGEBRAIC,), SMOOTH)
    assert "Averages over inputs" not in drawn(square, (Structure.EXP,), SMOOTH, UNIT)
    assert "Averages over inputs" not in drawn(square, (Structure.AN,), Properties(), UNIT)
    jumps = drawn(graph_of("sign(x)"), (Structure.RATIONAL_SEMILINEAR,), JUMPING, UNIT)
    assert "Averages over inputs" in jumps


BOUNDS = ("Sample complexity", "Linear regions", "Values", "Pieces", "Level sets", "Solutions")


@pytest.mark.parametrize("name", [*(theorem.name for theorem in THEOREMS), *BOUNDS])
def test_every_theorem_is_documented(name):
    text = theorem_pages()
    assert f"\n### {name}\n" in text


def test_the_documented_sources_are_those_that_are_printed():
    text = theorem_pages()
    for theorem in THEOREMS:
        section = text.split(f"\n### {theorem.name}\n")[1].split("\n### ")[0]
        for source in theorem.source.split(";"):
            assert source.split(",")[0].split("(")[0].strip().split(" ")[0] in section
