"""What is said of PyTorch and JAX at kinks is what both give: they are run at every one."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)

import tamecheck as tc
from tamecheck.derivative import jacobian
from tamecheck.ir.graph import GraphBuilder
from tamecheck.ops import ALL, BY_NAME

pytestmark = pytest.mark.slow

ZERO, ONE, HALF = Fraction(0), Fraction(1), Fraction(1, 2)
AXES = {"axes": (0,), "keepdims": False}

# op and parameters, PyTorch's function and JAX's, points at kinks
OPS = {
    "relu": ({}, F.relu, jax.nn.relu, [[0, 1, -1]]),
    "leaky_relu": (
        {"alpha": Fraction(1, 4)},
        lambda x: F.leaky_relu(x, 0.25),
        lambda x: jax.nn.leaky_relu(x, 0.25),
        [[0, 1, -1]],
    ),
    "prelu": (
        {},
        lambda x, a: F.prelu(x[None], a)[0],
        lambda x, a: jnp.where(x >= 0, x, a * x),
        [[0, 1, -1], [HALF, HALF, HALF]],
    ),
    "elu": (
        {"alpha": HALF, "beta": ONE},
        lambda x: F.elu(x, 0.5),
        lambda x: jax.nn.elu(x, 0.5),
        [[0, 1]],
    ),
    "abs": ({}, torch.abs, jnp.abs, [[0, -1, 2]]),
    "clip": (
        {"lo": ZERO, "hi": ONE},
        lambda x: torch.clamp(x, 0, 1),
        lambda x: jnp.clip(x, 0, 1),
        [[0, 1, 2]],
    ),
    "maximum": ({}, torch.maximum, jnp.maximum, [[0, 1], [0, 3]]),
    "minimum": ({}, torch.minimum, jnp.minimum, [[0, 1], [0, 3]]),
    "reduce_max": (AXES, lambda x: torch.amax(x, 0), jnp.max, [[1, 0, 1]]),
    "reduce_min": (AXES, lambda x: torch.amin(x, 0), jnp.min, [[1, 0, 0]]),
    "sign": ({"at_zero": ZERO}, torch.sign, jnp.sign, [[0, 1]]),
    "floor": ({}, torch.floor, jnp.floor, [[0, HALF]]),
    "ceil": ({}, torch.ceil, jnp.ceil, [[0, HALF]]),
    "round": ({"mode": "half_even"}, torch.round, jnp.round, [[HALF, 1]]),
}
CALLED = {"clip": "clamp", "reduce_max": "amax", "reduce_min": "amin"}


def stack(*args):
    return torch.stack(args) if isinstance(args[0], torch.Tensor) else jnp.stack(args)


# formulas, PyTorch's function and JAX's, points at kinks
FORMULAS = {
    "max(x, y, z)": (
        lambda x, y, z: torch.maximum(torch.maximum(x, y), z),
        lambda x, y, z: jnp.maximum(jnp.maximum(x, y), z),
        [(1, 1, 1), (2, 1, 2)],
    ),
    "where(x > y, x, 2*y)": (
        lambda x, y: torch.where(x > y, x, 2 * y),
        lambda x, y: jnp.where(x > y, x, 2 * y),
        [(0, 0), (1, 0)],
    ),
    "where(x > 0, sqrt(x), 0)": (
        lambda x: torch.where(x > 0, torch.sqrt(torch.where(x > 0, x, 1.0)), 0.0),
        lambda x: jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, x, 1.0)), 0.0),
        [(0,), (-1,), (4,)],
    ),
    "sort(x, y, z)[1]": (
        lambda *v: torch.sort(torch.stack(v), stable=True).values[1],
        lambda *v: jnp.sort(jnp.stack(v))[1],
        [(1, 1, 0), (1, 1, 1), (2, 1, 1), (0, 1, 1)],
    ),
    "median(x, y, z)": (
        lambda *v: torch.median(torch.stack(v)),
        lambda *v: jnp.median(jnp.stack(v)),
        [(1, 1, 0), (1, 1, 1), (2, 1, 1), (0, 1, 1), (0, 2, 1)],
    ),
    "topk(2, x, y, z)[1]": (
        None,
        lambda *v: jax.lax.top_k(jnp.stack(v), 2)[0][1],
        [(1, 1, 0), (1, 1, 1), (2, 1, 1)],
    ),
    "cummax(x, y, z, x - z)[3]": (
        lambda x, y, z: torch.cummax(torch.stack((x, y, z, x - z)), 0).values[3],
        lambda x, y, z: jax.lax.cummax(jnp.stack((x, y, z, x - z)))[3],
        [(1, 1, 0), (0, 0, 0), (2, 1, 2)],
    ),
    "cummin(x, y, z)[2]": (
        lambda *v: torch.cummin(torch.stack(v), 0).values[2],
        lambda *v: jax.lax.cummin(jnp.stack(v))[2],
        [(1, 1, 1), (0, 0, 2), (1, 0, 0)],
    ),
    "choose(argmax(x, y), x*y, y)": (
        lambda x, y: torch.stack((x * y, y))[torch.argmax(torch.stack((x, y)))],
        lambda x, y: jnp.stack((x * y, y))[jnp.argmax(jnp.stack((x, y)))],
        [(1, 1), (3, 3)],
    ),
    "norm(x, y)": (
        lambda *v: torch.linalg.vector_norm(torch.stack(v)),
        None,
        [(0, 0), (3, 4)],
    ),
    "huber(x)": (
        lambda x: F.huber_loss(x, torch.zeros_like(x)),
        lambda x: jnp.where(jnp.abs(x) <= 1, x**2 / 2, jnp.abs(x) - 0.5),
        [(1,), (-1,), (0,), (3,)],
    ),
    "smooth_l1(x, 2)": (
        lambda x: F.smooth_l1_loss(x, torch.zeros_like(x), beta=2.0),
        lambda x: jnp.where(jnp.abs(x) < 2, x**2 / 4, jnp.abs(x) - 1),
        [(2,), (-2,), (0,), (3,)],
    ),
    "threshold(x, 1, 1)": (
        lambda x: F.threshold(x, 1.0, 1.0),
        lambda x: jnp.where(x > 1, x, 1.0),
        [(1,), (2,), (0,)],
    ),
    "frac(x)": (torch.frac, lambda x: x - jnp.trunc(x), [(0,), (1,), (-1,), (HALF,)]),
    "trunc(x)": (torch.trunc, jnp.trunc, [(0,), (1,), (HALF,)]),
    "logaddexp(x, y)": (torch.logaddexp, jnp.logaddexp, [(1, 1), (0, 3)]),
    "hypot(x, y)": (torch.hypot, jnp.hypot, [(0, 1), (3, 4)]),
    "xlogy(x, y)": (torch.xlogy, jax.scipy.special.xlogy, [(0, 1), (0, 3), (2, 3)]),
}


def by_pytorch(function, point):
    at = tuple(torch.tensor(np.array(v, dtype=float)) for v in point)
    parts = torch.autograd.functional.jacobian(lambda *x: function(*x).reshape(-1), at)
    return np.concatenate([part.reshape(len(part), -1).numpy() for part in parts], axis=1)


def by_jax(function, point):
    with jax.enable_x64(True):  # noqa: FBT003 (its only argument)
        at = [jnp.array(np.array(v, dtype=float)) for v in point]
        whole = jax.jacobian(lambda *x: function(*x).reshape(-1), argnums=tuple(range(len(at))))
        parts = whole(*at)
    return np.concatenate([np.asarray(part).reshape(len(part), -1) for part in parts], axis=1)


def numbers(matrix):
    return np.array(
        [[float(a) if isinstance(a, Fraction) else float(a.mid()) for a in r] for r in matrix]
    )


def test_every_op_with_a_convention_is_tried():
    assert {op.name for op in ALL if op.kinks is not None} <= set(OPS)
    assert {op.name for op in ALL if op.ties} <= {*OPS, "gather_elements"}


@pytest.mark.parametrize("name", OPS)
def test_ops_at_their_kinks_have_the_derivatives_of_both(name):
    params, pytorch, by, points = OPS[name]
    builder = GraphBuilder()
    inputs = [builder.input(f"x{k}", (len(point),)) for k, point in enumerate(points)]
    function = CALLED.get(name, "")
    graph = builder.build({"y": builder.apply(BY_NAME[name], inputs, "", function, **params)})
    found = jacobian(graph, [a for point in points for a in point])
    assert np.array_equal(numbers(found.autodiff), by_pytorch(pytorch, points))
    assert np.array_equal(numbers(found.autodiff_jax), by_jax(by, points))


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_at_their_kinks_have_the_derivatives_of_both(text):
    pytorch, by, points = FORMULAS[text]
    model = tc.expression(text)
    order = ["xyz".index(name) for name in model.inputs]
    for point in points:
        found = model.jacobian([point[k] for k in order])
        if pytorch is not None:
            expected = by_pytorch(pytorch, point)[:, order]
            assert np.allclose(numbers(found.autodiff), expected, atol=1e-12), point
        elif len(set(point)) < len(point):
            assert found.autodiff is None
        if by is not None:
            expected = by_jax(by, point)[:, order]
            assert np.allclose(numbers(found.autodiff_jax), expected, atol=1e-12), point


@pytest.mark.parametrize(
    ("text", "pytorch", "by"),
    [
        ("norm(x, y)", None, lambda *v: jnp.linalg.norm(jnp.stack(v))),
        ("hypot(x, y)", torch.hypot, None),
        (
            "sqrt(x^2 + y^2)",
            lambda x, y: torch.sqrt(x**2 + y**2),
            lambda x, y: jnp.sqrt(x**2 + y**2),
        ),
    ],
)
def test_where_frameworks_give_no_number_none_is_claimed(text, pytorch, by):
    found = tc.expression(text).jacobian([0, 0])
    if pytorch is not None:
        assert np.isnan(by_pytorch(pytorch, (0, 0))).all()
        assert found.autodiff is None
    if by is not None:
        assert np.isnan(by_jax(by, (0, 0))).all()
        assert found.autodiff_jax is None
