"""The certificate of a training objective: what it proves, and what it says is not so."""

from pathlib import Path

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.learn.elastic import Elastic, Problem, exact_minimisers, value_and_posterior
from tamecheck.learn.losses import LOSSES
from tamecheck.learn.tame import joint_objective

ROWS = np.where(np.random.default_rng(0).random((40, 4)) < 0.5, -1.0, 1.0)
LABELS = (ROWS[:, :3].sum(axis=1) > 0).astype(int)


def trained(**options):
    return tc.learn.TameBinarizedClassifier(
        **{"hidden": (3,), "epochs": 3, "random_state": 0, **options}
    ).fit(ROWS, LABELS)


@pytest.mark.parametrize(
    ("loss", "temperature", "structure"),
    [
        # for fixed x, all is piecewise linear in the parameters
        ("hinge", 0, "semilinear"),
        *(("logistic", 0, "exp"), ("hinge", 1.0, "exp"), ("logistic", 1.0, "exp")),
    ],
)
def test_the_joint_objective_meets_the_theorems_hypotheses(loss, temperature, structure, tmp_path):
    """Davis, Drusvyatskiy, Kakade, Lee 2020: definable and locally Lipschitz, by our checker."""
    answer = trained(variant="joint", loss=loss, temperature=temperature).definability_certificate(
        ROWS[0], 1
    )
    assert answer.check.structure.public_name == structure
    assert answer.check.properties.locally_lipschitz
    assert answer.covered
    path = tmp_path / "objective.json"
    answer.save(path)
    assert tc.recheck(Path(path)).verdict == "valid"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "split variant"),
        ({"variant": "joint", "rho": (0.1, 1.0)}, "rho changes"),
        ({"variant": "joint", "weights": "binary"}, "integer weights"),
        ({"variant": "joint", "temperature": 0, "inner": "flips"}, "not solved exactly"),
    ],
)
def test_what_is_not_covered_is_said(options, words):
    answer = trained(**options).definability_certificate()
    assert not answer.covered
    assert words in str(answer)
    assert "not checked" in str(answer)


@pytest.mark.parametrize("temperature", [0.0, 0.6])
@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_the_graph_is_the_objective_that_is_descended(loss, temperature):
    rng = np.random.default_rng(1)
    elastic = Elastic(0.4, 1.5, temperature)
    x = ROWS[3]
    model = joint_objective(x, 1, (4, 3, 3), loss, elastic)
    w, b, v, c = (rng.normal(size=s) for s in ((4, 3), (3,), (3, 3), (3,)))
    a = (x @ w + b)[None, :]
    problem = Problem(a, np.array([1]), [(v, c)], LOSSES[loss], elastic)
    if temperature:
        expected = value_and_posterior(problem)[0][0]
    else:
        u = exact_minimisers(problem)
        expected = LOSSES[loss].values(u @ v + c, [1] * np.ones(1, int)) + elastic.penalty(u, a)
    assert np.isclose(float(model.evaluate(w, b, v, c)), expected)


@pytest.mark.parametrize(
    ("hidden", "call", "words"),
    [
        ((15,), {}, "patterns"),
        ((3, 3), {}, "one hidden layer"),
        ((3,), {"sample": [1, 2]}, "has shape"),
        ((3,), {"label": 2}, "not the index of a class"),
    ],
)
def test_what_cannot_be_written_out(hidden, call, words):
    with pytest.raises(tc.InputError, match=words):
        trained(hidden=hidden).definability_certificate(**call)
