"""What users hold goes through processes: pickled and copied, it is the same."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
from corpus import SPEC
from flint import arb, ctx
from hypothesis import given
from hypothesis import strategies as st

import tamecheck as tc
from tamecheck.exact import reals
from tamecheck.learn import BinarizedNetwork, Layer
from tamecheck.ops import ALL
from tamecheck.programs import check as check_program
from tamecheck.programs import read_file

PROGRAM = "max\n cost: 3 x + 2 y\nst\n c: 2 x + 2 y <= 3\nbounds\n x <= 9\n y <= 5\ngen\n x y\nend"
ROW = [1, 1, -1, 1, -1]


def network():
    rng = np.random.default_rng(3)
    hidden = rng.choice([-1.0, 1.0], size=(5, 4)), rng.integers(-1, 2, size=4).astype(float)
    return BinarizedNetwork(
        (Layer(*hidden), Layer(rng.choice([-1.0, 1.0], size=(4, 3)), np.zeros(3)))
    )


def about_models(folder):
    kinks, smooth = tc.expression("max(x,0) - abs(y) + clip(z,-1,1)"), tc.expression("exp(x*y)")
    verdict = kinks.check("-1:1")
    (folder / "s.vnnlib").write_text(SPEC, encoding="utf-8")
    cells = kinks.cells("-1:1")
    return {
        "model": kinks,
        "box": kinks.box("-1:1"),
        "check": verdict,
        "check smooth": smooth.check("-1:1"),
        "check not tame": tc.expression("sin(x)").check(),
        "check unknown": tc.expression("abs(sin(1/x))*abs(cos(1/x^2))").check("-1:1"),
        "recheck": tc.recheck(verdict.certificate),
        "structure": verdict.structure,
        "cells": cells,
        "cell": cells.cells[0],
        "formula cells": tc.expression("max(x*y,x) + abs(y)").cells("-1:1"),
        "exact value": smooth.evaluate(1, 1, exact=True),
        "clarke": kinks.jacobian([0, 0, 0]),
        "bouligand": kinks.jacobian([0, 0, 0], "bouligand"),
        "conservative": kinks.jacobian([0, 0, 0], "conservative"),
        "irrational": tc.expression("abs(x)*exp(y)").jacobian([0, 1]),
        "symbolic": kinks.to_sympy("-1:1"),
        "optimum": tc.maximise(kinks, box="-1:1"),
        "violated": tc.verify(tc.expression("x"), folder / "s.vnnlib"),
        "holds": tc.verify(tc.expression("x/4"), folder / "s.vnnlib"),
        "implicit": tc.implicit("x^3 + y - 2", unknowns=["y"], at={"x": 1, "y": 1}),
        "irrational implicit": tc.implicit("x^2 - p", unknowns=["x"], at={"x": 1.414, "p": 2}),
    }


def about_programs(folder):
    (folder / "p.lp").write_text(PROGRAM, encoding="utf-8")
    program = tc.load_program(folder / "p.lp")
    duals = {
        name: tc.dual(program, name) for name in ("tree", "value", "chvatal", "gomory", "generator")
    }
    return {
        "program": program,
        "file": read_file(folder / "p.lp"),
        "solved": tc.solve(program),
        "certified": tc.solve(program, certify=True),
        "check": check_program(program),
        **duals,
    }


def about_reasons(_folder):
    trained = network()
    model = trained.to_model()
    explainer = tc.Explainer(model, domain=(-1, 1))
    rules = tc.get_rules(model, domain=(-1, 1))
    return {
        "network": trained,
        "explainer": explainer,
        "abductive": explainer.abductive(ROW),
        "contrastive": explainer.contrastive(ROW),
        "counterfactual": explainer.counterfactual(ROW),
        "relevancy": explainer.relevancy(ROW),
        "all": list(explainer.enumerate(ROW)),
        "rules": rules,
        "list": rules.decision_list(),
        "tree": rules.tree(),
        "clauses": rules.clauses(0),
        "ball": tc.verify_hamming(model, ROW, 1),
        "distance": tc.hamming_distance(model, ROW),
    }


@pytest.mark.parametrize("made", [about_models, about_programs, about_reasons])
def test_results_are_pickled_and_copied(made, tmp_path):
    for name, value in made(tmp_path).items():
        for twin in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value)):
            assert type(twin) is type(value), name
            # sympy writes inequalities in another order when it reads them
            if name != "symbolic" and type(value).__repr__ is not object.__repr__:
                assert repr(twin) == repr(value), name
            # and once more, with whatever the first use has cached
            pickle.loads(pickle.dumps(twin))


def test_a_model_goes_to_another_process_and_its_verdict_comes_back():
    model = tc.expression("max(x,0) - softplus(y)")
    script = (
        "import pickle, sys; model = pickle.load(sys.stdin.buffer);"
        "sys.stdout.buffer.write(pickle.dumps(model.check('-1:1')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=pickle.dumps(model), stdout=-1, check=True, timeout=60
    )
    found, here = pickle.loads(done.stdout), model.check("-1:1")
    assert found.certificate == here.certificate
    assert found.graph == here.graph


def test_an_op_is_the_same_object_afterwards():
    for op in ALL:
        assert pickle.loads(pickle.dumps(op)) is op
        assert copy.deepcopy(op) is op


@given(
    st.integers(2, 600),
    st.floats(-1e200, 1e200),
    st.floats(0, 1e150),
    st.integers(-2000, 2000),
)
def test_a_ball_has_the_same_bits_afterwards(bits, middle, radius, shift):
    with ctx.workprec(bits):
        ball = (arb(middle, radius) / 3 + arb(2).sqrt()) * arb(2) ** shift
    for twin in (pickle.loads(pickle.dumps(ball)), copy.deepcopy(ball)):
        assert twin.mid().man_exp() == ball.mid().man_exp()
        assert twin.rad().man_exp() == ball.rad().man_exp()
    for other in (arb("nan"), arb("inf"), arb(0, "inf")):
        assert not pickle.loads(pickle.dumps(other)).is_finite()


def test_balls_are_pickled_by_our_rule():
    assert reals.__name__ in pickle.dumps(arb(2).sqrt()).decode("latin-1")


@pytest.mark.parametrize("kind", [tc.InputError, tc.DomainError, tc.SolverError])
def test_an_error_says_the_same_afterwards(kind):
    error = kind("What.", where="a.json", hint="Do that.")
    for twin in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
        assert (twin.message, twin.where, twin.hint) == (error.message, "a.json", "Do that.")
