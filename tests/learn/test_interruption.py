"""Ctrl-C ends every kind of training with the best so far, and says so."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from tamecheck.budget import Budget
from tamecheck.learn import (
    MIPBinarizedClassifier,
    MIPBinarizedEnsemble,
    SteBinarizedClassifier,
    robust_finetune,
)
from tamecheck.learn.effort import interruptible
from tamecheck.learn.finetune import steps as finetune_steps
from tamecheck.learn.finetune.network import ReluNetwork
from tamecheck.learn.mip import ensemble, local_search, stages
from tamecheck.learn.regression import search as regression_search
from tamecheck.learn.regression.estimator import PiecewisePolynomialRegressor


@pytest.fixture
def interrupt(monkeypatch):
    """Make the n-th call of a function a Ctrl-C."""

    def arm(owner, name, number):
        real, calls = getattr(owner, name), itertools.count(1)

        def step(*args, **options):
            if next(calls) == number:
                raise KeyboardInterrupt
            return real(*args, **options)

        monkeypatch.setattr(owner, name, step)
        return calls

    return arm


def parity(bits):
    x = np.array(list(itertools.product((-1.0, 1.0), repeat=bits)))
    return x, (x.prod(axis=1) > 0).astype(int)


def test_the_context_swallows_ctrl_c_alone():
    budget = Budget()
    with interruptible(budget):
        pass
    assert not budget.is_spent
    with pytest.raises(ValueError, match="other"), interruptible(budget):
        raise ValueError("other")
    assert not budget.is_spent
    with interruptible(budget):
        raise KeyboardInterrupt
    assert budget.is_spent
    assert budget.cancelled.is_set()


@pytest.mark.parametrize(
    ("solver", "owner", "step"),
    [
        ("annealing", local_search._Annealing, "_move"),
        ("cbc", local_search._State, "_replace"),
        ("auto", stages, "enumerate_networks"),
    ],
)
def test_training_by_mip_keeps_its_network(interrupt, solver, owner, step):
    x, y = parity(3)
    calls = interrupt(owner, step, 1 if step == "enumerate_networks" else 2)
    learner = MIPBinarizedClassifier((1,), solver=solver, random_state=0)
    with pytest.warns(UserWarning, match=r"interrupted; the network is the best so far") as told:
        learner.fit(x, y)
    assert len(told) == 1
    assert learner.interrupted_
    assert learner.checked_
    assert next(calls) == (2 if step == "enumerate_networks" else 3)
    assert learner.loss_ == (learner.predict(x) != y).sum()
    # no more is claimed than what the data prove: the search was cut off
    assert (learner.bound_, learner.proof_) == (0, "trivial")


def test_an_interrupt_of_the_inner_training_ends_all_and_is_told_once(interrupt):
    x, y = parity(2)
    interrupt(SteBinarizedClassifier, "_direction", 9)
    interrupt(stages, "lift", 1)
    learner = MIPBinarizedClassifier((1,), weights="real", timeout=2, random_state=0)
    with pytest.warns(UserWarning, match="interrupted") as told:
        learner.fit(x, y)
    assert len(told) == 1
    assert learner.interrupted_


def test_an_ensemble_fills_up_with_differences_of_means(interrupt):
    # three classes on a line: means 0, 4, 8 of the first feature
    x = np.array([[0.0, 1], [0, -1], [4, 1], [4, -1], [8, 1], [8, -1]])
    y = np.array([0, 0, 1, 1, 2, 2])
    calls = interrupt(ensemble, "wide_neuron", 2)
    learner = MIPBinarizedEnsemble(1, random_state=0)
    with pytest.warns(UserWarning, match="differences of class means"):
        learner.fit(x, y)
    assert learner.interrupted_
    assert next(calls) == 3
    # all are (1, 0) with the threshold in the middle
    assert [m.margin for m in learner.margins_] == [Fraction(2), Fraction(4), Fraction(2)]
    assert learner.checked_
    assert learner.loss_ == 0


@pytest.mark.parametrize(
    ("step", "number"), [("_grow", 1), ("_grow", 4), ("_alternate", 1), ("_least_absolute", 1)]
)
def test_a_regression_keeps_its_function(interrupt, step, number):
    x = np.linspace(-1, 1, 21)[:, None]
    y = np.abs(x[:, 0]) + np.where(np.arange(21) % 5 == 0, 0.1, 0)
    interrupt(regression_search, step, number)
    learner = PiecewisePolynomialRegressor(1, random_state=0)
    with pytest.warns(UserWarning, match="the function is the best so far"):
        learner.fit(x, y)
    assert learner.interrupted_
    assert learner.loss_ == pytest.approx(np.abs(learner.predict(x) - y).mean())
    assert learner.proof_ == "trivial"


@pytest.mark.parametrize("radius", [0.0, 0.05])
def test_fine_tuning_keeps_its_iterate(interrupt, radius):
    rng = np.random.default_rng(0)
    network = ReluNetwork(
        (rng.normal(size=(2, 4)), rng.normal(size=(4, 2))), (np.zeros(4), np.zeros(2))
    )
    points = rng.uniform(size=(6, 2))
    labels = 1 - network.decide(points).astype(np.int64)
    clean = None if radius == 0 else (rng.uniform(size=(40, 2)),)
    clean = clean and (*clean, network.decide(clean[0]).astype(np.int64))
    calls = interrupt(finetune_steps, "cuts", 3)
    found = robust_finetune(network, points, labels, radius=radius, clean=clean)
    assert found.interrupted
    assert not found.converged
    assert found.rounds == 2
    assert next(calls) == 4
    assert found.wrong_after <= found.wrong_before
    assert str(found).startswith("interrupted after 2 quadratic programs")


def test_nothing_is_said_without_an_interrupt():
    learner = MIPBinarizedClassifier((2,), random_state=0).fit(*parity(2))
    assert not learner.interrupted_
