"""The nonsmooth implicit function theorem (Bolte, Le, Pauwels, Silveti-Falls 2021)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tamecheck.derivative.implicit import Status, implicit
from tamecheck.errors import InputError


def status(found, name):
    return next(h.status for h in found.hypotheses if h.name == name)


@pytest.mark.parametrize("text", ["x^3 - p", "x + abs(x) - p"])
def test_a_singular_element_refutes(text):
    found = implicit(text, unknowns=["x"], at={"x": 0, "p": 0})
    assert found.verdict is Status.REFUTED
    assert status(found, "every element invertible") is Status.REFUTED
    assert found.singular.matrix == ((Fraction(0),),)
    assert found.vertices == ()
    with pytest.raises(InputError, match="invertible"):
        found.vjp([1.0])


def test_two_slopes():
    found = implicit("2*x + abs(x) - p", unknowns=["x"], at={"x": 0, "p": 0})
    assert found.verdict is Status.PROVED
    assert {v[0][0] for v in found.vertices} == {Fraction(1, 3), Fraction(1)}
    assert found.hull_is_exact


def test_products_are_those_of_a_vertex():
    found = implicit(
        "3*x + abs(y) - p; x - 4*y + q", unknowns=["x", "y"], at={"x": 0, "y": 0, "p": 0, "q": 0}
    )
    assert found.verdict is Status.PROVED
    for number, matrix in enumerate(found.vertices):
        dense = np.array([[float(a) for a in row] for row in matrix])
        assert np.allclose(found.jvp([1, 2], vertex=number), dense @ [1, 2])
        assert np.allclose(found.vjp([3, -1], vertex=number), np.array([3, -1]) @ dense)


def test_derivative_is_that_of_the_solution():
    """x = p/3 for p > 0 and p for p < 0, from 2x + |x| = p."""
    for p, x, slope in ((3, 1, Fraction(1, 3)), (-2, -2, Fraction(1))):
        found = implicit("2*x + abs(x) - p", unknowns=["x"], at={"x": x, "p": p})
        assert found.vertices == (((slope,),),)


def test_no_solution_here():
    found = implicit("x - p", unknowns=["x"], at={"x": 0, "p": 1})
    assert found.verdict is Status.REFUTED
    assert status(found, "solution") is Status.REFUTED


def test_local_definability_of_the_sine():
    found = implicit("sin(x) - p", unknowns=["x"], at={"x": 0, "p": 0})
    assert found.verdict is Status.PROVED


@pytest.mark.parametrize("text", ["floor(x) - p", "sqrt(x) - p"])
def test_not_lipschitz(text):
    found = implicit(text, unknowns=["x"], at={"x": 0, "p": 0})
    assert found.verdict is Status.REFUTED


@pytest.mark.parametrize(
    ("text", "unknowns", "at", "what"),
    [
        ("x - p", ["z"], {"x": 0, "p": 0}, "no input"),
        ("x - p", [], {"x": 0, "p": 0}, "No unknowns"),
        ("x - p", ["x", "x"], {"x": 0, "p": 0}, "twice"),
        ("x - p; x + p", ["x"], {"x": 0, "p": 0}, "2 equations for 1"),
        ("x - p", ["x"], {"x": 0}, "no value"),
        ("x - p", ["x"], {"x": 0, "p": "a"}, "a"),
    ],
)
def test_bad_input(text, unknowns, at, what):
    with pytest.raises(InputError, match=what):
        implicit(text, unknowns=unknowns, at=at)
