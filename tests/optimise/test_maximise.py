"""Extreme values against hand-derived ones, brute force and the program's own optimum."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import pairwise

import mip
import numpy as np
import pytest
from corpus import random_model
from hypothesis import given, settings
from hypothesis import strategies as st

import tamecheck as tc
from tamecheck.bounds.builder import layers_of
from tamecheck.budget import Budget
from tamecheck.certificates import recheck
from tamecheck.cli.entry import main
from tamecheck.encode.mip.network import mip_encoding
from tamecheck.errors import InputError, TimeLimitError, UnsupportedError
from tamecheck.evaluate import exact_values
from tamecheck.ir.program import Sense
from tamecheck.programs import solve
from tamecheck.verification.walk import Walker, region, walk

ONE_BEND = "relu(x) - 2*relu(x - 0.5)"
TWO_BENDS = "relu(x) - 2*relu(x - 0.2) + 3*relu(x - 0.6)"


def walked(text, start):
    walker = Walker(layers_of(tc.expression(text).graph), np.zeros(1), np.ones(1), 0)
    return list(walk(walker, np.array([start]), Budget.of(20)))


def test_a_walk_finds_the_top_of_a_hat():
    # Tong, Cai and Serra 2024: the only local maximum is f(1/2) = 1/2
    assert walked(ONE_BEND, 0.2)[-1] == (pytest.approx(0.5), pytest.approx([0.5]))


def test_a_walk_may_end_in_a_local_maximum():
    # f(1/5) = 1/5 is a local maximum; the global one, f(1) = 3/5, is reached from beyond 3/5
    assert walked(TWO_BENDS, 0.1)[-1] == (pytest.approx(0.2), pytest.approx([0.2]))
    assert walked(TWO_BENDS, 0.7)[-1] == (pytest.approx(0.6), pytest.approx([1.0]))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_values_increase_along_a_walk_and_are_those_of_the_network(seed):
    model = random_model([3, 8, 8, 1], seed)
    walker = Walker(layers_of(model.graph), -np.ones(3), np.ones(3), 0)
    start = np.random.default_rng(seed).uniform(-1, 1, 3)
    found = list(walk(walker, start, Budget.of(20)))
    assert found
    assert all(a < b for (a, _), (b, _) in pairwise(found))
    assert found[-1][0] >= walker.values(start) - 1e-9
    for value, x in found:
        assert (np.abs(x) <= 1).all()
        assert value == pytest.approx(float(model.evaluate(x).item()))


@pytest.mark.parametrize("text", ["clip(x, -0.5, 0.5) - abs(y)", "max(x, y) + relu(x - y)"])
def test_the_region_holds_its_point_and_its_affine_function(text):
    layers = layers_of(tc.expression(text).graph)
    rng = np.random.default_rng(3)
    for x in rng.uniform(-1, 1, (20, 2)):
        here = region(layers, x, 0)
        inside = here.rows @ x
        assert (here.low <= inside + 1e-12).all()
        assert (inside <= here.high + 1e-12).all()
        assert here.slope @ x + here.shift == pytest.approx(layers.values(x)[-1][0])
        near = x + rng.normal(size=2) * 1e-3
        if (here.low <= here.rows @ near).all() and (here.rows @ near <= here.high).all():
            assert here.slope @ near + here.shift == pytest.approx(layers.values(near)[-1][0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "box", "largest", "smallest"),
    [
        (ONE_BEND, "0:1", "1/2", "0"),
        (TWO_BENDS, "0:1", "3/5", "-1/5"),
        ("max(x, y) - abs(x + y)/3", "-1:2", "5/3", "-5/3"),
        ("sign(2 + x) + clip(y, -1/3, 1/7)", "-1:1", "8/7", "2/3"),
        ("3", "0:1", "3", "3"),
    ],
)
def test_piecewise_linear_functions_are_optimised_exactly(text, box, largest, smallest):
    model = tc.expression(text)
    for optimise, wanted in ((tc.maximise, largest), (tc.minimise, smallest)):
        found = optimise(model, box=box, timeout=20)
        assert found.status == "optimal"
        assert found.value == found.bound == Fraction(wanted)
        point = {
            name: np.array(v, dtype=object).reshape(())
            for name, v in zip(model.inputs, found.x, strict=True)
        }
        assert exact_values(model.graph, point)["y"].item() == found.value


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_random_networks_are_at_least_as_large_as_all_vertices_found(seed):
    model = random_model([3, 6, 5, 2], seed)
    found = tc.maximise(model, output=1, box="-1:1", timeout=30, seed=seed)
    assert found.status == "optimal"
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 21)] * 3), -1).reshape(-1, 3)
    values = layers_of(model.graph).values(grid)[-1][:, 1]
    assert found.value >= Fraction(float(values.max())) - Fraction(1, 10**9)
    # the complex of its linear pieces has the maximum among its vertices
    lowest = tc.minimise(model, output=1, box="-1:1", timeout=30)
    assert lowest.value <= Fraction(float(values.min())) + Fraction(1, 10**9)


@pytest.mark.parametrize(
    ("text", "box", "largest"),
    [
        ("x*y - x**2", "0:1", 0.25),
        ("sin(x) + y", "0:1", 1 + np.sin(1)),
    ],
)
def test_other_functions_get_a_proved_bound(text, box, largest):
    found = tc.maximise(tc.expression(text), box=box, timeout=2)
    assert found.checked == "linear bounds"
    assert float(found.value) <= largest + 1e-15
    assert found.bound >= found.value
    assert float(found.bound) == pytest.approx(largest, abs=1e-4)
    assert float(found.value) == pytest.approx(largest, abs=1e-4)


@pytest.mark.parametrize(
    ("text", "box", "largest", "smallest"),
    [
        ("sign(x) + y", "-1:1", "2", "-2"),
        ("(0.3 < x) + y", "-1:1", "2", "-1"),
        ("round(2*x) + floor(x - 1/3) + max(y, x)", "-1:1", "3", "-5"),
        ("where(x <= y, 2*x, -y)", "-1:1", "2", "-2"),
        # values between, and beside, what is attained
        ("x - floor(x)", "1/4:5/2", None, "0"),
        ("where(x < 0, x, -1/2 + 0*x)", "-1/3:1", None, "-1/2"),
    ],
)
def test_functions_that_jump_are_optimised_exactly(text, box, largest, smallest):
    model = tc.expression(text)
    for optimise, wanted in ((tc.maximise, largest), (tc.minimise, smallest)):
        found = optimise(model, box=box, timeout=60)
        assert found.checked == "recomputation"
        assert found.status == ("feasible" if wanted is None else "optimal")
        assert any("attains" in note for note in found.notes) == (wanted is None)
        if wanted is not None:
            assert found.value == found.bound == Fraction(wanted)
        else:
            # no point of ever smaller halves has the supremum
            assert found.bound == (1 if "floor" in text else 0)
            assert 0 < found.bound - found.value < Fraction(1, 10**5)


def test_walks_alone_report_their_gap():
    found = tc.relax_and_walk(tc.expression(TWO_BENDS), box="0:1", timeout=1)
    assert (found.value, found.status) == (Fraction(3, 5), "feasible")
    assert found.gap == found.bound - found.value > 0


def test_an_interrupt_gives_the_best_so_far():
    said = []

    def stop(line):
        said.append(line)
        if len(said) == 2:
            raise KeyboardInterrupt

    found = tc.maximise(tc.expression(TWO_BENDS), box="0:1", progress=stop)
    # the middle of the box, f(1/2) = -1/10, came first
    assert found.status == "feasible"
    assert found.value > Fraction(-1, 10)
    assert found.bound >= Fraction(3, 5)
    assert found.notes[-1] == "Interrupted."


def test_programs_are_solved_from_a_known_point():
    model = tc.expression(TWO_BENDS)
    encoding = mip_encoding(model.graph, model.box("0:1"))
    program = encoding.objective(0, Sense.MAXIMISE)
    best = tuple(encoding.complete([Fraction(1)]))
    answer = solve(program, solvers=(), incumbent=best, certify=True).answer
    assert answer.objective == Fraction(3, 5)
    wrong = (Fraction(2), *best[1:])
    answer = solve(program, solvers=(), incumbent=wrong, certify=True).answer
    assert answer.objective == Fraction(3, 5)


def test_bad_questions_are_refused():
    model = tc.expression("x + y")
    with pytest.raises(InputError, match="'y' is unbounded"):
        tc.maximise(model, box="x=0:1")
    with pytest.raises(InputError, match="no output 1"):
        tc.maximise(model, output=1, box="0:1")


def test_the_verbs(capsys):
    assert main(["maximise", "--expr", ONE_BEND, "--box", "0:1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["value"] == document["bound"] == "1/2"
    assert (document["status"], document["x"]) == ("optimal", ["1/2"])
    assert main(["minimise", "--expr", "exp(x)", "--box", "-1:1", "--timeout", "1", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["checked"] == "linear bounds"
    assert main(["maximise", "--expr", "x", "-q"]) == 2
    assert main(["maximise", "--expr", "x", "--box", "0:1", "--output", "z"]) == 2


def test_a_network_in_a_users_model():
    network_ = tc.expression("max(x, 0) + max(2*y - x, 0)")
    model = mip.Model(sense=mip.MAXIMIZE, solver_name=mip.CBC)
    model.verbose = 0
    x = [model.add_var(name=name, lb=-1, ub=1) for name in ("x", "y")]
    model.add_constr(x[0] + x[1] <= 1)
    inside = tc.embed(network_, model, x)
    model.objective = inside.outputs[0]
    with pytest.raises(InputError, match="no solution"):
        inside.get_error()
    model.optimize()
    # at y = 1: 2 - x for x <= 0, so 3 at x = -1
    assert inside.outputs[0].x == pytest.approx(3)
    assert inside.get_error() < 1e-6


def test_jumps_over_binary_variables_can_be_embedded():
    model = mip.Model(sense=mip.MAXIMIZE, solver_name=mip.CBC)
    model.verbose = 0
    x = [model.add_var(var_type=mip.BINARY) for _ in range(2)]
    inside = tc.embed(tc.expression("sign(x + y - 3/2) - y"), model, x)
    model.objective = inside.outputs[0]
    model.optimize()
    assert inside.outputs[0].x == pytest.approx(0)
    assert inside.get_error() < 1e-6


def test_variables_without_bounds_are_refused():
    model = mip.Model(solver_name=mip.CBC)
    x = model.add_var(name="free")
    with pytest.raises(InputError, match="'free' is unbounded"):
        tc.embed(tc.expression("max(x, 0)"), model, [x])
    with pytest.raises(InputError, match="1 input elements; 2"):
        tc.embed(tc.expression("max(x, 0)"), model, [x, x])
    bounded = model.add_var(lb=-1, ub=1)
    with pytest.raises(UnsupportedError):
        tc.embed(tc.expression("sign(x)"), model, [bounded])


@pytest.mark.parametrize("power", [-15, -10, 0, 12])
def test_the_optimum_does_not_depend_on_the_unit_of_the_output(power):
    unit = Fraction(10) ** power
    model = tc.expression(f"({unit})*max(x, 0) - ({2 * unit})*max(x - 1/2, 0)")
    found = tc.maximise(model, box="-1:1", timeout=30)
    assert (found.status, found.value, found.bound) == ("optimal", unit / 2, unit / 2)
    assert found.to_json()["rests_on"] == "certificate"
    assert recheck(found.certificate).verdict == "valid"


def test_an_encoding_for_which_there_is_no_time_is_left_and_the_answer_is_what_bounds_say():
    model = random_model([3, 8, 8, 1], 5)
    with pytest.raises(TimeLimitError):
        mip_encoding(model.graph, model.box("0:1"), budget=Budget.of(0))
    found = tc.maximise(model, box="0:1", timeout=0)
    assert any("encoding" in note for note in found.notes)
    assert found.value is not None
    assert found.value <= found.bound
