"""Where norms vanish the Clarke set is round: its support function, its elements, its words."""

import math
from fractions import Fraction

import pytest

import tamecheck as tc
from tamecheck.derivative import gradient
from tamecheck.derivative.rounds import Blend
from tamecheck.exact.hull import Separator


def set_of(text):
    model = tc.expression(text)
    return model.jacobian([0] * len(model.inputs))


def number(value):
    return float(value) if isinstance(value, Fraction) else float(value.mid())


ANGLES = [k * math.pi / 7 + 0.1 for k in range(14)]

# the support function at (a, b), from the gradients on rays
SUPPORTS = {
    "norm(x, y)": math.hypot,
    "-2*hypot(x, y) + x": lambda a, b: 2 * math.hypot(a, b) + a,
    "sqrt(x^2 + y^2) + abs(x)": lambda a, b: math.hypot(a, b) + abs(a),
    "norm(x + y, x - y)*(1 + x)": lambda a, b: math.sqrt(2) * math.hypot(a, b),
    "sin(norm(x, 2*y - x^2))": lambda a, b: math.hypot(a, 2 * b),
    "norm(x, 2*x) + 0*y": lambda a, _: math.sqrt(5) * abs(a),
    "norm(norm(x, y), y)": lambda a, b: math.sqrt(a * a + 2 * b * b),
    "max(norm(x, y), x + y)": lambda a, b: max(math.hypot(a, b), a + b),
    "norm(x^2, x*y) + x": lambda a, _: a,
    "x*norm(x, y) + y": lambda _, b: b,
}


@pytest.mark.parametrize("text", SUPPORTS)
def test_the_support_function_is_that_of_the_limits(text):
    found = set_of(text)
    assert not found.open
    for angle in ANGLES:
        a, b = Fraction(round(math.cos(angle), 3)), Fraction(round(math.sin(angle), 3))
        expected = SUPPORTS[text](float(a), float(b))
        assert abs(number(found.support([[a, b]])) - expected) < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "abs(x) - norm(x, y)",
        "min(x, y, 0) + norm(x, y)",
        "relu(y - x^2) - relu(y) - norm(x, y)",
        "max(y - x^2, 0)*2 - norm(x, y)*(1 - x)",
    ],
)
def test_directions_that_norms_share_are_followed(text):
    model = tc.expression(text)
    found = set_of(text)
    assert not found.open
    turns = [math.pi * k / 180 + 1e-3 for k in range(360)]
    rays = [{"x": 1e-7 * math.cos(turn), "y": 1e-7 * math.sin(turn)} for turn in turns]
    gradients = gradient(model.graph, [[ray[name] for name in model.inputs] for ray in rays])
    for angle in ANGLES[::4]:
        row = [Fraction(round(math.cos(angle), 3)), Fraction(round(math.sin(angle), 3))]
        reached = max(float(row[0]) * g[0] + float(row[1]) * g[1] for g in gradients)
        support = number(found.support([row]))
        assert reached <= support + 1e-4
        if "^2" not in text:
            assert support <= reached + 0.03


def test_a_disc_is_decided_to_its_boundary():
    found = set_of("norm(x, y)")
    assert found.describe() == "the disc of radius 1 in x, y"
    assert found.exact
    assert not found.singleton
    assert not found.listed
    on = found.contains([[Fraction(3, 5), Fraction(4, 5)]])
    assert isinstance(on, Blend)
    assert on.vectors == (((Fraction(3, 5), Fraction(4, 5)),),)
    out = found.contains([[Fraction(3, 5), Fraction(4, 5) + Fraction(1, 10**30)]])
    assert isinstance(out, Separator)
    row = out.functional[0]
    assert out.level**2 >= row[0] ** 2 + row[1] ** 2
    assert row[0] * Fraction(3, 5) + row[1] * (Fraction(4, 5) + Fraction(1, 10**30)) > out.level
    with pytest.raises(tc.TamecheckError, match="round"):
        _ = found.vertices


def test_elements_of_sums_are_blends_that_can_be_added_up():
    found = set_of("norm(x, y) + abs(x)")
    inside = found.contains([[Fraction(3, 2), Fraction(1, 4)]])
    assert isinstance(inside, Blend)
    total = [Fraction(0), Fraction(0)]
    for weight, part, vectors in zip(inside.weights, inside.parts, inside.vectors, strict=True):
        (u,) = vectors
        assert u[0] ** 2 + u[1] ** 2 <= 1
        base = found.round.parts[part].base[0]
        total = [
            t + weight * (Fraction(str(b)) + a) for t, b, a in zip(total, base, u, strict=True)
        ]
    assert total == [Fraction(3, 2), Fraction(1, 4)]
    assert isinstance(found.contains([[2, Fraction(1, 2)]]), Separator)


def test_frameworks_give_what_they_give_at_a_norm():
    found = set_of("norm(x, y) + x")
    assert found.autodiff == ((1, 0),)
    assert found.autodiff_in_set
    assert found.autodiff_jax is None
    assert "NaN" in found.autodiff_why


def test_json_has_parts_in_place_of_vertices():
    document = set_of("2*norm(x, y) - x").to_json(None)
    assert document["vertices"] is None
    (part,) = document["parts"]
    assert part["base"] == [["-1", "0"]]
    assert part["balls"] == [{"factor": ["2"], "gram": [["1", "0"], ["0", "1"]]}]


@pytest.mark.parametrize(
    "text", ["sqrt(x^2 + y^3)", "norm(x, y)/norm(x, 2*y)", "sqrt(abs(x) + abs(y))"]
)
def test_what_is_steep_or_jumps_has_no_round_set(text):
    model = tc.expression(text)
    try:
        found = model.jacobian([0, 0])
    except tc.TamecheckError:
        return
    assert found.round is None
