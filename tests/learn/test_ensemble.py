"""Ensembles of neurons of largest margin: hand-derived margins, bounds, and what votes lose."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.learn.effort import Effort
from tamecheck.learn.mip.ensemble import margin_bound, margin_of, wide_neuron

X = np.array([[2.0, 0], [3, 1], [-2, 0], [-3, -1]])
SIGNS = np.array([1.0, 1, -1, -1])


NO_SOLVER = Effort((), 0, None, 0)


@pytest.mark.parametrize("kind", ["real", "ternary", "binary"])
def test_the_widest_neuron_and_its_bound(kind):
    """w = (1, 0) has margin 2; equal multipliers on (±2, 0) prove that none has more."""
    found = wide_neuron(X, SIGNS, kind, NO_SOLVER)
    assert found.margin == 2
    assert found.bound == pytest.approx(2, abs=1e-4)
    assert found.bound >= 2
    assert margin_bound(X, SIGNS, np.array([1.0, 0, 1, 0])) == 2


@pytest.mark.parametrize("seed", range(4))
def test_no_neuron_of_any_kind_beats_the_bound(seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(-3, 4, (7, 4)).astype(float)
    signs = np.array([1.0, -1, 1, -1, 1, 1, -1])
    bound = margin_bound(x, signs, rng.random(7))
    for weights in itertools.product((-1.0, 0.0, 1.0), repeat=4):
        w = np.array(weights)
        sums = x @ w
        offset = -(sums[signs > 0].min() + sums[signs < 0].max()) / 2
        margin = margin_of(x, signs, w, offset)
        assert margin == Fraction((signs * (sums + offset)).min())
        assert margin <= bound


@pytest.mark.parametrize("solver", ["cbc", "highs"])
def test_a_solver_finds_the_best_ternary_neuron(solver):
    rng = np.random.default_rng(1)
    x = rng.integers(-3, 4, (8, 6)).astype(float)
    signs = np.where(x @ [1, -1, 0, 1, 0, -1] + 0.5 > 0, 1.0, -1.0)
    found = wide_neuron(x, signs, "ternary", Effort((solver,), 10, None, 0))
    best = max(
        (x[signs > 0] @ w).min() - (x[signs < 0] @ w).max()
        for w in map(np.array, itertools.product((-1, 0, 1), repeat=6))
    )
    assert found.margin == Fraction(best) / 2


@pytest.mark.parametrize("weights", ["real", "ternary", "binary"])
def test_votes_of_three_classes(weights):
    rng = np.random.default_rng(0)
    centres = np.array([[4, 0, 0, 1], [0, 4, 0, 1], [0, 0, 4, -1]])
    y = np.repeat(["a", "b", "c"], 10)
    x = centres[np.repeat(range(3), 10)] + rng.integers(-1, 2, (30, 4))
    ensemble = tc.learn.MIPBinarizedEnsemble(1, weights=weights, random_state=0).fit(x, y)
    assert ensemble.loss_ == ensemble.bound_ == 0
    assert ensemble.checked_
    assert ensemble.score(x, y) == 1
    assert ensemble.network_.widths == (4, 3, 3)
    assert all(0 < m.margin <= m.bound for m in ensemble.margins_)
    assert ensemble.margins_[1].classes == ("a", "c")


def test_bad_parameters():
    for options in (
        {"hidden": 0},
        {"share": 2},
        {"timeout": 0},
        {"solver": "annealing"},
        {"max_nodes": 0},
    ):
        with pytest.raises(ValueError, match=next(iter(options))):
            tc.learn.MIPBinarizedEnsemble(**options).fit(X, SIGNS)
    with pytest.raises(ValueError, match="NaN"):
        tc.learn.MIPBinarizedEnsemble().fit([[np.nan], [1]], [0, 1])


def test_rows_that_no_neuron_separates():
    """On a line, -1 for 0, 1, 2, 9 and 1 for 4, 5, 6, 7: a threshold between 2 and 4 errs once."""
    x = np.array([[0.0], [1], [2], [9], [4], [5], [6], [7]])
    signs = np.repeat([-1.0, 1], 4)
    for kind in ("real", "ternary", "binary"):
        found = wide_neuron(x, signs, kind, NO_SOLVER)
        assert found.margin < 0
        decided = np.where(x @ found.weights + found.offset >= 0, 1, -1)
        assert (decided != signs).sum() == 1
