"""The straight-through slopes and the latent parameters, by hand."""

import numpy as np
import pytest

from tamecheck.learn.descent import Adam, Batch, SteBinarizedClassifier, straight_through
from tamecheck.learn.latent import Latent, Scaling, initial, scaling_of
from tamecheck.learn.losses import LOSSES

ONES = np.ones(2)


def one_neuron(weight=0.5):
    """x -> sign(w x) -> scores (u, -u); all gains are 1."""
    vector = np.array([weight, 1.0, -1.0, 0.0, 0.0, 0.0])
    return Latent(
        vector,
        [vector[:1].reshape(1, 1), vector[1:3].reshape(1, 2)],
        [vector[3:4], vector[4:]],
        "real",
        "real",
    )


def test_straight_through_slopes_by_hand():
    batch = Batch(np.array([[1.0]]), np.array([1]), np.array([1.0]), np.array([0]))
    step = straight_through(one_neuron(), batch, LOSSES["logistic"], clip=1.0)
    # u = 1, so the scores are (1, -1) and the wrong class has probability p
    p = 1 / (1 + np.exp(-2))
    assert np.isclose(step.loss, -np.log(1 - p))
    # what comes back to u is p - (-p), and passes the sign as it is
    assert np.allclose(step.slope, [2 * p, p, -p, 2 * p, p, -p])


def test_nothing_passes_beyond_the_clip():
    batch = Batch(np.array([[1.0]]), np.array([1]), np.array([1.0]), np.array([0]))
    step = straight_through(one_neuron(), batch, LOSSES["logistic"], clip=0.4)
    assert step.slope[0] == step.slope[3] == 0
    assert step.slope[1] > 0


def test_the_first_step_of_adam_is_the_rate():
    vector = np.array([1.0, -1.0])
    Adam(vector).step(np.array([5.0, -0.01]), rate=0.1)
    assert np.allclose(vector, [0.9, -0.9], atol=1e-5)


def test_the_latent_vector_is_what_its_layers_see():
    latent = initial((3, 2, 2), ("real", "real"), np.ones(3), np.random.default_rng(0))
    latent.vector[:] = 7
    assert all((array == 7).all() for array in (*latent.weights, *latent.offsets))


@pytest.mark.parametrize("kind", ["real", "binary"])
def test_the_network_on_features_decides_as_the_one_in_training(kind):
    rng = np.random.default_rng(1)
    x = (
        rng.normal(3, [1, 50, 0.1], (40, 3))
        if kind == "real"
        else rng.integers(0, 9, (40, 3)) * 1.0
    )
    scaling = scaling_of(x, np.ones(40), kind)
    latent = initial((3, 5, 4), (kind, kind), np.ones(3), rng)
    latent.vector[latent.weights[0].size + latent.weights[1].size :] = rng.normal(size=9)
    (first, b), (readout, c) = latent.effective()
    scores = np.where(scaling(x) @ first + b >= 0, 1.0, -1.0) @ readout + c
    network = latent.network(scaling, None if kind == "real" else 8.0)
    assert np.array_equal(network.decide(x), scores.argmax(axis=1))


def test_scaling_of_tables():
    signs = scaling_of(np.array([[1.0, -1], [1, 1]]), ONES, "real")
    assert signs.signs
    assert signs.centre.tolist() == [0.5, 0]
    real = scaling_of(np.array([[0.0, 7], [4, 7]]), ONES, "real")
    assert real(np.array([[4.0, 7]])).tolist() == [[1, 0]]
    assert scaling_of(np.array([[1.0, -1], [1, 1]]), ONES, "binary").centre.tolist() == [1, 0]
    shared = scaling_of(np.array([[0.0, 7], [4, 7]]), ONES, "binary")
    assert isinstance(shared, Scaling)
    assert shared.scale[0] == shared.scale[1] == np.sqrt(2)


@pytest.mark.parametrize("weights", ["binary", "ternary"])
def test_many_constant_signs_do_not_stop_integer_weights(weights):
    rng = np.random.default_rng(0)
    x = np.where(rng.random((300, 9)) < 0.5, 1.0, -1.0)
    majority = x[:, :3].sum(axis=1) > 0
    wide = np.hstack([x, -np.ones((300, 600))])
    learner = SteBinarizedClassifier((8,), weights=weights, epochs=20, random_state=0)
    learner.fit(wide[:200], majority[:200])
    assert learner.score(wide[200:], majority[200:]) > 0.75
