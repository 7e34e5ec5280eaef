"""Elastic value functions: exact minimisers, gradients, and bounds, against definitions."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamecheck.learn import elastic as inner
from tamecheck.learn.descent import Batch
from tamecheck.learn.directions import at_signs, nested, one_layer, soft
from tamecheck.learn.losses import LOSSES
from tamecheck.learn.network import sign

LOSS_NAMES = sorted(LOSSES)


@st.composite
def problems(draw, most=6, temperature=0.0, layers=1):
    """A few rows, a few neurons, a few classes, everything random."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    width = draw(st.integers(1, most))
    classes = draw(st.integers(2, 4))
    widths = [width, *(draw(st.integers(1, 4)) for _ in range(layers - 1)), classes]
    rest = [(rng.normal(0, 1.5, (m, n)), rng.normal(size=n)) for m, n in pairwise(widths)]
    elastic = inner.Elastic(
        draw(st.sampled_from([0.05, 0.3, 1.0])), draw(st.sampled_from([0.0, 0.5, 2.0])), temperature
    )
    loss = LOSSES[draw(st.sampled_from(LOSS_NAMES))]
    return inner.Problem(
        rng.normal(0, 1.5, (7, width)), rng.integers(0, classes, 7), rest, loss, elastic
    )


def value_by_definition(problem, a=None):
    """min over u of loss(rest(u)) + rho sum max(0, kappa - u a), in a double loop."""
    a = problem.a if a is None else a
    found = []
    for row, label in zip(a, problem.labels, strict=True):
        best = np.inf
        for u in map(np.array, product([-1.0, 1.0], repeat=len(row))):
            scores = inner.rest_scores(u[None, :], problem.rest)
            loss = problem.loss.table(scores)[0, label]
            slack = [max(0, problem.elastic.kappa - x * y) for x, y in zip(u, row, strict=True)]
            best = min(best, loss + problem.elastic.rho * sum(slack))
        found.append(best)
    return np.array(found)


def value_at(problem, u):
    scores = inner.rest_scores(u, problem.rest)
    return problem.loss.values(scores, problem.labels) + problem.elastic.penalty(u, problem.a)


# --- losses -----------------------------------------------------------------------------------


def test_losses_by_hand():
    scores = np.array([[1.0, 3.0, 0.0]])
    assert LOSSES["hinge"].table(scores).tolist() == [[3, 0, 4]]
    expected = np.log(np.exp([1, 3, 0]).sum()) - scores
    assert np.allclose(LOSSES["logistic"].table(scores), expected)


@pytest.mark.parametrize("name", LOSS_NAMES)
@pytest.mark.parametrize("size", [1.0, 1e3])
def test_values_slopes_and_flips_agree_with_the_table(name, size):
    rng = np.random.default_rng(0)
    loss = LOSSES[name]
    scores, labels = rng.normal(0, size, (50, 4)), rng.integers(0, 4, 50)
    assert np.allclose(loss.values(scores, labels), loss.table(scores)[np.arange(50), labels])
    # a subgradient supports the convex loss from below
    other = rng.normal(0, size, (50, 4))
    tangent = loss.values(scores, labels) + (loss.slope(scores, labels) * (other - scores)).sum(1)
    assert (loss.values(other, labels) >= tangent - 1e-9 * size).all()
    signs, readout = sign(rng.normal(size=(50, 3))), rng.normal(0, size, (3, 4))
    flip_losses = loss.flip_losses(signs, scores, readout, labels)
    for j in range(3):
        after = scores - 2 * signs[:, j, None] * readout[j]
        assert np.allclose(flip_losses[:, j], loss.values(after, labels))


# --- minima -----------------------------------------------------------------------------------


@given(problems(layers=2))
def test_enumeration_finds_the_minimum(problem):
    assert np.allclose(
        value_at(problem, inner.exact_minimisers(problem)), value_by_definition(problem)
    )


@given(problems(most=8))
def test_branch_and_bound_finds_the_minimum_and_says_so(problem):
    found = inner.branch_and_bound(problem)
    assert found.proved.all()
    assert np.allclose(value_at(problem, found.u), value_by_definition(problem))


@given(problems(most=8), st.integers(0, 1000))
def test_branch_and_bound_with_a_start_and_with_a_limit(problem, seed):
    start = sign(np.random.default_rng(seed).normal(size=problem.a.shape))
    best = value_at(problem, inner.exact_minimisers(problem))
    assert np.allclose(value_at(problem, inner.branch_and_bound(problem, start=start).u), best)
    cut = inner.branch_and_bound(problem, limit=0)
    assert (value_at(problem, cut.u) >= best - 1e-9).all()
    # what it calls proved without a search must be right
    assert np.allclose(value_at(problem, cut.u)[cut.proved], best[cut.proved])


def test_branch_and_bound_reports_rows_that_it_did_not_finish():
    rng = np.random.default_rng(3)
    rest = [(rng.normal(0, 2, (24, 5)), np.zeros(5))]
    problem = inner.Problem(
        rng.normal(0, 0.1, (30, 24)), rng.integers(0, 5, 30), rest, LOSSES["hinge"],
        inner.Elastic(0.05, 1, 0),
    )  # fmt: skip
    assert not inner.branch_and_bound(problem, limit=1).proved.all()
    assert inner.branch_and_bound(problem, limit=10**5).proved.all()


@given(problems(layers=2))
def test_the_best_flip_is_the_best_of_a_star(problem):
    start = sign(problem.a)
    around = [start]
    for j in range(problem.width):
        flip_losses = start.copy()
        flip_losses[:, j] *= -1
        around.append(flip_losses)
    expected = np.min([value_at(problem, u) for u in around], axis=0)
    assert np.allclose(value_at(problem, inner.best_flip(problem)), expected)


# --- gradients --------------------------------------------------------------------------------


@given(problems(), st.integers(0, 1000))
def test_the_slope_at_a_minimiser_is_the_derivative_of_the_value(problem, seed):
    """Where the value is differentiable: almost everywhere (Rademacher), so at random points."""
    direction = np.random.default_rng(seed).normal(size=problem.a.shape)
    step = 1e-6
    ahead, behind = (value_by_definition(problem, problem.a + s * direction) for s in (step, -step))
    slope = problem.elastic.slope_at(inner.exact_minimisers(problem), problem.a)
    numeric = (ahead - behind) / (2 * step)
    smooth = np.abs(ahead + behind - 2 * value_by_definition(problem)) < 1e-9
    assert np.allclose(numeric[smooth], (slope * direction).sum(axis=1)[smooth], atol=1e-5)


@given(problems(), st.integers(0, 1000))
def test_the_value_is_lipschitz_with_constant_rho(problem, seed):
    other = problem.a + np.random.default_rng(seed).normal(size=problem.a.shape)
    change = np.abs(value_by_definition(problem, other) - value_by_definition(problem))
    distance = np.abs(other - problem.a).sum(axis=1)
    assert (change <= problem.elastic.rho * distance + 1e-9).all()


@given(problems(temperature=0.7, layers=2), st.integers(0, 1000))
def test_the_smooth_slope_is_the_derivative_of_the_smooth_value(problem, seed):
    direction = np.random.default_rng(seed).normal(size=problem.a.shape)
    step = 1e-5

    def moved(s):
        a = problem.a + s * direction
        return inner.value_and_posterior(
            inner.Problem(a, problem.labels, problem.rest, problem.loss, problem.elastic)
        )[0]

    near_kink = np.abs(np.abs(problem.a) - problem.elastic.kappa).min(axis=1) < 1e-3
    numeric = (moved(step) - moved(-step)) / (2 * step)
    slope = (inner.soft_slope(problem) * direction).sum(axis=1)
    assert np.allclose(numeric[~near_kink], slope[~near_kink], atol=1e-6)


@given(problems(temperature=1e-3))
def test_the_smooth_value_tends_to_the_minimum_less_the_smallest_penalty(problem):
    least = problem.elastic.penalty(sign(problem.a), problem.a)
    expected = value_by_definition(problem) - least
    slack = problem.elastic.temperature * problem.width
    assert np.allclose(inner.value_and_posterior(problem)[0], expected, atol=slack + 1e-9)


def test_at_temperature_one_the_value_is_the_likelihood_of_random_signs():
    rng = np.random.default_rng(5)
    rest = [(rng.normal(size=(3, 2)), rng.normal(size=2))]
    a = rng.normal(0, 0.3, (4, 3))
    labels = np.array([0, 1, 1, 0])
    elastic = inner.Elastic(0.8, 2.0, 1.0)
    value, posterior = inner.value_and_posterior(
        inner.Problem(a, labels, rest, LOSSES["logistic"], elastic)
    )
    for row in range(4):
        total = 0.0
        # within the margin the penalty's odds of u = 1 are exp(2 rho a)
        up = 1 / (1 + np.exp(-2 * 0.8 * a[row]))
        for u in product([-1.0, 1.0], repeat=3):
            prior = np.prod([p if s > 0 else 1 - p for p, s in zip(up, u, strict=True)])
            scores = np.array(u) @ rest[0][0] + rest[0][1]
            total += prior * np.exp(scores[labels[row]]) / np.exp(scores).sum()
        assert np.isclose(value[row], -np.log(total))
    assert np.allclose(posterior.sum(axis=1), 1)


def test_small_probabilities_are_not_lost():
    """A flip of odds e^-60 that the loss favours by e^90 is the likely one."""
    rest = [(np.array([[45.0, -45.0]]), np.zeros(2))]
    elastic = inner.Elastic(1.0, 30.0, 1.0)
    problem = inner.Problem(
        np.array([[30.0 - 1e-9]]), np.array([1]), rest, LOSSES["logistic"], elastic
    )
    value, posterior = inner.value_and_posterior(problem)
    assert np.isclose(value[0], 60)
    assert np.isclose(posterior[0, 0], 1)
    assert np.isclose(inner.soft_slope(problem)[0, 0], 2)


@pytest.mark.parametrize("temperature", [1e-4, 0.3, 5.0])
def test_both_ways_to_the_smooth_slope_agree_at_all_temperatures(temperature):
    rng = np.random.default_rng(9)
    rest = [(rng.normal(0, 3, (9, 4)), rng.normal(size=4))]
    a, labels = rng.normal(size=(12, 9)), rng.integers(0, 4, 12)
    elastic = inner.Elastic(0.7, 1.5, temperature)
    problem = inner.Problem(a, labels, rest, LOSSES["logistic"], elastic)
    posterior = inner.value_and_posterior(problem)[1]
    prior = np.tanh(elastic.tilt(a) / temperature)
    expected = elastic.slope_between(posterior @ inner.patterns(9) - prior, a)
    assert np.isfinite(expected).all()
    assert np.allclose(inner.soft_slope(problem), expected, atol=1e-9)


@given(problems(most=1, temperature=0.5))
def test_single_flips_are_exact_for_one_neuron(problem):
    assert np.allclose(inner.soft_flips(problem), inner.soft_slope(problem))


@pytest.mark.parametrize("temperature", [0.0, 0.4])
def test_behind_a_tangent_the_slope_is_that_of_all_patterns(temperature):
    rng = np.random.default_rng(3)
    a, slope = rng.normal(size=(20, 4)), rng.normal(size=(20, 4))
    elastic = inner.Elastic(0.8, 1.5, temperature)
    rest = [(np.zeros((4, 2)), np.zeros(2))]
    problem = inner.Problem(a, np.zeros(20, dtype=int), rest, LOSSES["logistic"], elastic)
    every = inner.patterns(4)
    paid = elastic.rho * np.maximum(0, elastic.kappa - every * a[:, None]).sum(axis=-1)
    total = slope @ every.T + paid
    if temperature == 0:
        expected = elastic.slope_at(every[total.argmin(axis=1)], a)
    else:
        shares = [np.exp(-(v - v.min(axis=1)[:, None]) / temperature) for v in (total, paid)]
        after, before = (s @ every / s.sum(axis=1)[:, None] for s in shares)
        expected = elastic.slope_between(after - before, a)
    assert np.allclose(inner.tangent_slope(problem, slope), expected)


# --- the joint objective ------------------------------------------------------------------------


def joint_setting(seed, widths, name, elastic):
    rng = np.random.default_rng(seed)
    layers = [(rng.normal(size=(m, n)), rng.normal(size=n)) for m, n in pairwise(widths)]
    x = sign(rng.normal(size=(6, widths[0])))
    labels = rng.integers(0, widths[-1], 6)
    weight = rng.uniform(0.5, 1.5, 6)
    return layers, Batch(x, labels, weight, np.arange(6)), LOSSES[name], elastic


def nested_by_definition(layers, batch, loss, elastic):
    """The minimum over the signs of all hidden layers together."""
    total = 0.0
    for x, label, share in zip(batch.x, batch.labels, batch.share, strict=True):
        best = np.inf
        hidden = [range(2 ** w.shape[1]) for w, _ in layers[:-1]]
        for choice in product(*hidden):
            cost, signs = 0.0, x
            for (w, b), number in zip(layers[:-1], choice, strict=True):
                u = inner.patterns(w.shape[1])[number]
                cost += elastic.penalty(u[None, :], (signs @ w + b)[None, :])[0]
                signs = u
            scores = signs @ layers[-1][0] + layers[-1][1]
            best = min(best, cost + loss.table(scores[None, :])[0, label])
        total += share * best
    return total


def check_slopes(layers, found, value):
    """Central differences in every parameter."""
    arrays = [*(w for w, _ in layers), *(b for _, b in layers)]
    slopes = iter(found.slope)
    for array in arrays:
        for place in np.ndindex(array.shape):
            kept = array[place]
            array[place] = kept + 1e-6
            ahead = value()
            array[place] = kept - 1e-6
            behind = value()
            array[place] = kept
            assert np.isclose((ahead - behind) / 2e-6, next(slopes), atol=1e-5)
    assert next(slopes, None) is None


@pytest.mark.parametrize("name", LOSS_NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_dynamic_programming_finds_the_joint_minimum_and_its_gradient(name, seed):
    elastic = inner.Elastic(0.3, 0.7, 0.0)
    layers, batch, loss, elastic = joint_setting(seed, (4, 3, 2, 3), name, elastic)
    found = nested(batch, layers, loss, elastic)
    assert np.isclose(found.loss, nested_by_definition(layers, batch, loss, elastic))
    check_slopes(layers, found, lambda: nested(batch, layers, loss, elastic).loss)


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_one_layer_is_the_nested_objective_of_one_layer(name):
    layers, batch, loss, elastic = joint_setting(1, (5, 4, 3), name, inner.Elastic(0.3, 0.7, 0.0))
    a = batch.x @ layers[0][0] + layers[0][1]
    problem = inner.Problem(a, batch.labels, layers[1:], loss, elastic)
    found = one_layer(batch, at_signs(problem, batch.share, inner.exact_minimisers(problem)))
    other = nested(batch, layers, loss, elastic)
    assert np.isclose(found.loss, other.loss)
    assert np.allclose(found.slope, other.slope)


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_the_smooth_joint_slopes_are_the_gradient(name):
    layers, batch, loss, elastic = joint_setting(2, (4, 3, 3), name, inner.Elastic(0.4, 1.3, 0.6))

    def slopes():
        a = batch.x @ layers[0][0] + layers[0][1]
        problem = inner.Problem(a, batch.labels, layers[1:], loss, elastic)
        return one_layer(batch, soft(problem, batch.share))

    check_slopes(layers, slopes(), lambda: slopes().loss)
