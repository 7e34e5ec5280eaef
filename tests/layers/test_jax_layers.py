"""The layers as JAX functions: the values and gradients of the others, under transformations."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tamecheck.errors import InputError
from tamecheck.layers import elastic_net_layer, jax_layers, points_oracle, quadratic_layer

RNG = np.random.default_rng(0)
COSTS, ROWS = (jnp.asarray(RNG.standard_normal(s), jnp.float32) for s in ((4, 3), (2, 3)))


def projection(costs, rows):
    """A program with shared Q and h."""
    return jax_layers.quadratic_function(2 * jnp.eye(3), costs, rows, h=jnp.ones(2))


def close(first, second):
    return np.allclose(first, second, atol=1e-5)


def test_values_and_gradients_are_those_of_the_layer():
    exact = quadratic_layer(
        2 * np.eye(3), np.asarray(COSTS, float), np.asarray(ROWS, float), [1, 1]
    )
    found = projection(COSTS, ROWS)
    assert found.dtype == jnp.float32
    assert close(found, exact.y)
    weight = RNG.standard_normal((4, 3))

    def loss(costs, rows):
        return (projection(costs, rows) * weight).sum()

    in_costs, in_rows = jax.jit(jax.grad(loss, (0, 1)))(COSTS, ROWS)
    assert close(in_costs, exact.vjp(weight).q)
    assert close(in_rows, exact.vjp(weight).G.sum(0))


@pytest.mark.slow
def test_transformations():
    whole = projection(COSTS, ROWS)
    assert projection(COSTS[0], ROWS).shape == (3,)
    assert close(jax.vmap(projection, (0, None))(COSTS, ROWS), whole)
    assert close(jax.jit(projection)(COSTS, ROWS), whole)
    jacobian = jax.jacrev(projection, (0, 1))
    one, by_rows = jacobian(COSTS[0], ROWS)
    many, each = jax.vmap(jacobian, (0, None))(COSTS, ROWS)
    assert close(many[0], one)
    assert close(each[0], by_rows)

    def loss(rows, costs):
        return (projection(costs, rows) ** 2).sum()

    apart = jax.vmap(jax.grad(loss), (None, 0))(ROWS, COSTS)
    assert close(apart.sum(0), jax.grad(loss)(ROWS, COSTS))


@pytest.mark.slow
def test_other_layers_and_what_is_refused():
    X, y = RNG.standard_normal((6, 2)), RNG.standard_normal(6)  # noqa: N806
    slope = jax.grad(lambda p: jax_layers.lasso_function(X, y, p)[0])(0.1)
    assert close(slope, elastic_net_layer(X, y, 0.1, 0.0).derivative[0])
    oracle = points_oracle(np.eye(3))
    assert jax_layers.blackbox_function(oracle, COSTS).shape == (4, 3)
    costs = jnp.array([-3.0, 0, 0])
    rows, right = jnp.vstack([-jnp.eye(3), jnp.eye(3)]), jnp.repeat(jnp.array([0.0, 1]), 3)

    def corner(costs, right):
        data = jnp.eye(3), costs, rows, right, jnp.ones((1, 3)), jnp.ones(1)
        return jax_layers.quadratic_function(*data)[0]

    assert close(jax.grad(corner)(costs, right), 0)
    with pytest.raises(Exception, match="dependent"):
        jax.grad(corner, 1)(costs, right)
    with pytest.raises(InputError, match="floating-point"):
        jax_layers.quadratic_function(jnp.eye(2, dtype=int), jnp.zeros(2, dtype=int))
    with pytest.raises(InputError, match="different lengths"):
        projection(COSTS, jnp.ones((3, 2, 3)))
