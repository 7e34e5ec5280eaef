"""Solutions that are rounded, irrational, missing or several; how far the answer reaches."""

from __future__ import annotations

from fractions import Fraction
from math import inf

import numpy as np
import pytest
from flint import arb

import tamecheck as tc
from tamecheck.derivative.implicit import Status, implicit
from tamecheck.errors import DomainError, InputError


def status(found, name):
    return next(h.status for h in found.hypotheses if h.name == name)


def reason(found, name):
    return next(h.why for h in found.hypotheses if h.name == name)


def middle(value):
    return float(value.mid()) if isinstance(value, arb) else float(value)


def test_an_irrational_root_is_isolated():
    found = implicit("x^2 - p", unknowns=["x"], at={"x": 1.414, "p": 2})
    assert found.verdict is Status.PROVED
    assert found.solution[0].overlaps(arb(2).sqrt())
    assert float(found.solution[0].rad()) < 1e-15
    assert found.isolated > Fraction(1, 10)
    assert found.vertices[0][0][0].overlaps(1 / (2 * arb(2).sqrt()))


def test_a_system_with_irrational_solution():
    """x² + y² = p, x = y²: x solves x² + x = p, so x = (√(1 + 4p) - 1) / 2 and x' = 1/√(1 + 4p)."""
    found = implicit(
        "x^2 + y^2 - p; x - y^2", unknowns=["x", "y"], at={"x": 0.618, "y": 0.786, "p": 1}
    )
    assert found.verdict is Status.PROVED
    assert found.solution[0].overlaps((arb(5).sqrt() - 1) / 2)
    assert found.vertices[0][0][0].overlaps(1 / arb(5).sqrt())


def test_a_transcendental_solution():
    found = implicit("exp(x) - p", unknowns=["x"], at={"x": 0.69, "p": 2})
    assert found.solution[0].overlaps(arb(2).log())
    assert found.vertices[0][0][0].contains(Fraction(1, 2).as_integer_ratio()[0] / arb(2))


@pytest.mark.parametrize("x", [1e-17, -3e-9, 0.004])
def test_a_rounded_kink_is_found_again(x):
    found = implicit("2*x + abs(x) - p", unknowns=["x"], at={"x": x, "p": 0})
    assert found.solution == (0,)
    assert {v[0][0] for v in found.vertices} == {Fraction(1, 3), Fraction(1)}


def test_a_rounded_solution_of_linear_pieces_is_made_exact():
    """3x + |y| = p, x - 4y = 0: x = 4y, 13y = p for y > 0."""
    found = implicit(
        "3*x + abs(y) - p; x - 4*y", unknowns=["x", "y"], at={"x": 4 / 13, "y": 1 / 13, "p": 1}
    )
    assert found.solution == (Fraction(4, 13), Fraction(1, 13))
    assert found.isolated is None


def test_a_kink_at_an_irrational_point():
    """|x² - 2| + 3 (x² - 2) = p at p = 0: x' is 1/(8√2) or 1/(4√2); the ball contains both."""
    found = implicit("abs(x^2-2) + 3*(x^2-2) - p", unknowns=["x"], at={"x": 1.4142, "p": 0})
    assert found.verdict is Status.PROVED
    assert found.kind == "enclosure"
    ball = found.vertices[0][0][0]
    for slope in (8, 4):
        assert ball.contains(1 / (slope * arb(2).sqrt()))


def test_a_simple_fraction_nearby_is_another_solution():
    """(x - 1) (x² - 2) = 0: 1 is rational and solves it, but √2 is what was given."""
    found = implicit("(x - 1)*(x^2 - 2) - p", unknowns=["x"], at={"x": 1.41421, "p": 0})
    assert found.verdict is Status.PROVED
    assert found.solution[0].overlaps(arb(2).sqrt())


def test_far_from_a_solution():
    found = implicit("x^2 - p", unknowns=["x"], at={"x": 1, "p": 2})
    assert status(found, "solution") is Status.REFUTED
    assert "x = 1.41421" in reason(found, "solution")
    nearer = implicit("x^2 - p", unknowns=["x"], at={"x": 1, "p": 2}, within=0.3)
    assert nearer.verdict is Status.PROVED


def test_no_solution_is_proved():
    found = implicit("x^2 + 1 - p", unknowns=["x"], at={"x": 0.5, "p": 0})
    assert found.verdict is Status.REFUTED
    assert "no solution exists" in reason(found, "solution")
    with pytest.raises(InputError, match="No solution exists"):
        implicit("x^2 + 1 - p", unknowns=["x"], at={"p": 0})


def test_several_solutions_are_named():
    with pytest.raises(InputError, match=r"several solutions: x = -1.41421; x = 1.41421"):
        implicit("x^2 - p", unknowns=["x"], at={"p": 2})


def test_the_only_solution_is_found():
    found = implicit("2*x + abs(x) - p", unknowns=["x"], at={"p": 3})
    assert found.solution == (1,)


def test_many_solutions_at_one_parameter():
    """x + |x| = 0 for all x <= 0, and no solution for p < 0."""
    found = implicit("x + abs(x) - p", unknowns=["x"], at={"x": -1, "p": 0})
    assert status(found, "every element invertible") is Status.REFUTED
    below = implicit("x + abs(x) - p", unknowns=["x"], at={"x": -1, "p": -1})
    assert status(below, "solution") is Status.REFUTED


def test_a_double_root_is_not_proved():
    found = implicit("(x^2-2)^2 - p", unknowns=["x"], at={"x": 1.41421356, "p": 0})
    assert found.verdict is Status.REFUTED
    assert "singular" in reason(found, "solution")


def test_an_unbounded_sine_is_refused():
    near = implicit("sin(x) - p", unknowns=["x"], at={"x": 0, "p": 0})
    assert near.verdict is Status.PROVED
    assert "on the whole space it is in no o-minimal one" in reason(near, "definable")
    everywhere = implicit("sin(x) - p", unknowns=["x"], at={"x": 0, "p": 0}, box="-inf:inf")
    assert status(everywhere, "definable") is Status.REFUTED
    assert "periodic" in reason(everywhere, "definable")


def test_a_sine_that_is_unbounded_near_the_point_has_no_value_there():
    with pytest.raises(DomainError):
        implicit("x + x^2*sin(1/x) - p", unknowns=["x"], at={"x": 0, "p": 0})


def test_radii_of_linear_pieces():
    """2x + |x| = p at p = 3: the piece holds to p = 0, x = 0; at p = 0 no other kink is near."""
    found = implicit("2*x + abs(x) - p", unknowns=["x"], at={"x": 1, "p": 3})
    assert (found.validity().parameters, found.validity().unknowns) == (3, 1)
    kink = implicit("2*x + abs(x) - p", unknowns=["x"], at={"x": 0, "p": 0})
    assert (kink.validity().parameters, kink.validity().unknowns) == (inf, inf)
    flat = implicit("2*x - p", unknowns=["x"], at={"x": 1, "p": 2})
    assert flat.validity().parameters == inf


def test_radius_beside_another_kink():
    """2x + |x| + |y - 1| = p + 1, y - x = p; at 0 the slope of y is at most 4/3 or so."""
    found = implicit(
        "2*x + abs(x) - p; y - x - p + max(y - 1, 0)",
        unknowns=["x", "y"],
        at={"x": 0, "y": 0, "p": 0},
    )
    # y = x + p with x' in {1/3, 1}, so y' <= 2 and y < 1 for |p| < 1/2; y > 4/3 p for p > 0
    assert found.validity().parameters == Fraction(1, 2)
    for p in (Fraction(49, 100), Fraction(-49, 100)):
        x = p / 3 if p > 0 else p
        moved = implicit(
            "2*x + abs(x) - p; y - x - p + max(y - 1, 0)",
            unknowns=["x", "y"],
            at={"x": x, "y": x + p, "p": p},
        )
        assert moved.vertices[0] in found.vertices


@pytest.mark.parametrize("text", ["x^2 - p", "x^3 + x - 3*p", "exp(x) - p - 1"])
def test_radii_of_smooth_equations_hold_at_samples(text):
    found = implicit(text, unknowns=["x"], at={"x": 1, "p": 1}, within=1)
    radius, reach = float(found.validity().parameters), float(found.validity().unknowns)
    centre = middle(found.solution[0])
    for p in 1 + radius * np.linspace(-0.99, 0.99, 5):
        moved = implicit(text, unknowns=["x"], at={"x": centre, "p": float(p)}, within=10)
        assert moved.verdict is Status.PROVED
        assert abs(middle(moved.solution[0]) - centre) < reach


def test_no_radius_where_a_curve_has_a_kink():
    found = implicit("x + x^2 + abs(x) / 2 - p", unknowns=["x"], at={"x": 0, "p": 0})
    assert found.verdict is Status.PROVED
    assert found.validity().parameters is None
    assert "curved" in found.validity().why


@pytest.mark.slow
def test_derivatives_equal_differences_at_100_smooth_points():
    """Points off the kinks, with p and s chosen so that they are solutions."""
    model = tc.expression("2*x + abs(x) + x^3/10 + abs(y)/2 - p; 3*y - x*y/4 + max(y, q) - s")
    rng = np.random.default_rng(0)
    step, done = 1e-5, 0

    def solved(parameters, start):
        (p, q, s), (x, y) = parameters, start
        for _ in range(8):
            value = [
                2 * x + abs(x) + x**3 / 10 + abs(y) / 2 - p,
                3 * y - x * y / 4 + max(y, q) - s,
            ]
            slopes = [
                [2 + np.sign(x) + 3 * x**2 / 10, np.sign(y) / 2],
                [-y / 4, 3 - x / 4 + (y > q)],
            ]
            x, y = np.array([x, y]) - np.linalg.solve(slopes, value)
        return np.array([x, y])

    while done < 100:
        x, y, q = (Fraction(int(v), 64) for v in rng.integers(-100, 101, 3))
        if min(abs(x), abs(y), abs(y - q)) < Fraction(1, 50):
            continue
        p = 2 * x + abs(x) + x**3 / 10 + abs(y) / 2
        s = 3 * y - x * y / 4 + max(y, q)
        found = implicit(model, unknowns=["x", "y"], at={"x": x, "y": y, "p": p, "q": q, "s": s})
        assert found.verdict is Status.PROVED
        at = np.array([float(p), float(q), float(s)])
        for direction in np.eye(3):
            ends = [solved(at + sign * step * direction, (float(x), float(y))) for sign in (1, -1)]
            slope = (ends[0] - ends[1]) / (2 * step)
            assert np.allclose(slope, found.jvp(direction), rtol=1e-6, atol=1e-9)
        done += 1


def test_batches_of_products():
    found = implicit(
        "3*x + abs(y) - p; x - 4*y + q", unknowns=["x", "y"], at={"x": 0, "y": 0, "p": 0, "q": 0}
    )
    rng = np.random.default_rng(0)
    directions, cotangents = rng.normal(size=(2, 3, 2)), rng.normal(size=(5, 2))
    for vertex, exact in enumerate(found.vertices):
        dense = np.array([[float(a) for a in row] for row in exact])
        assert np.allclose(found.jvp(directions, vertex=vertex), directions @ dense.T)
        assert np.allclose(found.vjp(cotangents, vertex=vertex), cotangents @ dense)
    with pytest.raises(InputError, match="2 numbers"):
        found.vjp(np.ones((3, 4)))
    with pytest.raises(InputError, match="no 7"):
        found.jvp([1, 0], vertex=7)
