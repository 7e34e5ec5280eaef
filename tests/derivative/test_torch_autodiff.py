"""What is said of PyTorch's automatic differentiation is what PyTorch gives, or is left open."""

from __future__ import annotations

import copy
import os
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from flint import arb
from torch import nn

import tamecheck as tc
from tamecheck.derivative import jacobian
from tamecheck.ir.graph import GraphBuilder
from tamecheck.ops import ALL, BY_NAME
from tests.load.torch_modules import Function

ROUNDS = int(os.environ.get("TAMECHECK_MODULES", "40"))


def by_autograd(function, *points):
    at = tuple(torch.tensor(point, dtype=torch.float64) for point in points)
    parts = torch.autograd.functional.jacobian(lambda *x: function(*x).reshape(-1), at)
    return np.concatenate([part.reshape(len(part), -1).numpy() for part in parts], axis=1)


def numbers(matrix):
    rows = [[float(a) if isinstance(a, Fraction) else float(arb(a)) for a in r] for r in matrix]
    return np.array(rows)


DECLARED = {
    ("relu", "relu"): (F.relu, {}, [[0.0, 1.0]]),
    ("leaky_relu", "leaky_relu"): (
        lambda x: F.leaky_relu(x, 0.25),
        {"alpha": Fraction(1, 4)},
        [[0.0, 1.0]],
    ),
    ("prelu", "prelu"): (lambda x, a: F.prelu(x[None], a)[0], {}, [[0.0, 1.0], [0.5, 0.5]]),
    ("elu", "elu"): (
        lambda x: F.elu(x, 0.5),
        {"alpha": Fraction(1, 2), "beta": Fraction(1)},
        [[0.0, 1.0]],
    ),
    ("abs", "abs"): (torch.abs, {}, [[0.0, -1.0]]),
    ("clip", "clamp"): (
        lambda x: torch.clamp(x, 0, 1),
        {"lo": Fraction(0), "hi": Fraction(1)},
        [[0.0, 1.0, 2.0]],
    ),
    ("clip", "hardtanh"): (
        lambda x: F.hardtanh(x, 0, 1),
        {"lo": Fraction(0), "hi": Fraction(1)},
        [[0.0, 1.0, 2.0]],
    ),
    ("maximum", "maximum"): (torch.maximum, {}, [[0.0, 1.0], [0.0, 3.0]]),
    ("minimum", "minimum"): (torch.minimum, {}, [[0.0, 1.0], [0.0, 3.0]]),
    ("reduce_max", "amax"): (torch.amax, {"axes": (0,), "keepdims": True}, [[1.0, 0.0, 1.0]]),
    ("reduce_max", "max"): (
        lambda x: torch.max(x, 0).values,
        {"axes": (0,), "keepdims": True},
        [[0.0, 1.0, 1.0]],
    ),
    ("reduce_max", "max_pool"): (
        lambda x: F.max_pool1d(x[None], 3)[0],
        {"axes": (0,), "keepdims": True},
        [[0.0, 1.0, 1.0]],
    ),
    ("reduce_min", "amin"): (torch.amin, {"axes": (0,), "keepdims": True}, [[1.0, 0.0, 0.0]]),
    ("reduce_min", "min"): (
        lambda x: torch.min(x, 0).values,
        {"axes": (0,), "keepdims": True},
        [[1.0, 0.0, 0.0]],
    ),
}


def test_every_declared_convention_is_tried():
    functions = {(op.name, f) for op in ALL if op.kinks is not None for f in op.kinks.pytorch}
    functions |= {(op.name, function) for op in ALL for function in op.ties}
    # what only a formula says
    functions -= {("gather_elements", "sort"), ("gather_elements", "median")}
    assert set(DECLARED) == functions


@pytest.mark.parametrize(("name", "function"), list(DECLARED))
def test_declared_conventions_are_those_of_pytorch(name, function):
    run, params, points = DECLARED[name, function]
    builder = GraphBuilder()
    inputs = [builder.input(f"x{k}", (len(point),)) for k, point in enumerate(points)]
    graph = builder.build({"y": builder.apply(BY_NAME[name], inputs, "", function, **params)})
    found = jacobian(graph, [a for point in points for a in point])
    assert np.array_equal(numbers(found.autodiff), by_autograd(run, *points))


@pytest.mark.parametrize(
    ("name", "params", "point"),
    [
        ("clip", {"lo": Fraction(0), "hi": Fraction(1)}, [0, 2]),
        ("reduce_max", {"axes": (0,), "keepdims": True}, [1, 1]),
    ],
)
def test_functions_that_differ_are_not_told_apart(name, params, point):
    builder = GraphBuilder()
    graph = builder.build({"y": builder.apply(BY_NAME[name], [builder.input("x", (2,))], **params)})
    found = jacobian(graph, point)
    assert found.autodiff is None
    assert found.autodiff_in_set is None
    assert "differ" in found.autodiff_why
    away = jacobian(graph, [Fraction(1, 2), Fraction(1, 3)])
    assert away.autodiff == away.vertices[0]
    assert not away.autodiff_why


class Through(torch.autograd.Function):
    """The sign with the gradient of the identity."""

    @staticmethod
    def forward(_ctx, x):
        return torch.sign(x)

    @staticmethod
    def backward(_ctx, slope):
        return slope


def without_gradients(x):
    with torch.no_grad():
        wave = torch.sin(x)
    return x + wave


KNOWN = {
    "relu": (F.relu, [0, 1, -1, 0]),
    "relu6": (nn.ReLU6(), [0, 6, 7, 3]),
    "hardtanh": (nn.Hardtanh(-2, 3), [-2, 3, 0, 5]),
    "clamp": (lambda x: x.clamp(0, 1), [0, 1, 2, 0.5]),
    "clamp below": (lambda x: x.clamp(min=0), [0, 1, -1, 0]),
    "clamp to a number": (lambda x: x.clamp(1, 1), [0, 1, 2, 1]),
    "leaky relu": (nn.LeakyReLU(0.25), [0, 1, -1, 0]),
    "prelu": (nn.PReLU(), [0, 1, -1, 0]),
    "celu": (nn.CELU(2.0), [0, 1, -1, 0]),
    "selu": (nn.SELU(), [0, 1, -1, 0]),
    "abs": (torch.abs, [0, 1, -1, 0]),
    "sign": (lambda x: torch.sign(x) * x, [0, 1, -1, 0]),
    "hardswish": (nn.Hardswish(), [-3, 3, 0, 4]),
    "hardsigmoid": (nn.Hardsigmoid(), [-3, 3, 0, 4]),
    "softshrink": (nn.Softshrink(0.5), [0.5, -0.5, 0, 2]),
    "softsign": (nn.Softsign(), [0, 1, -1, 0]),
    "maximum": (lambda x: torch.maximum(x[:2], x[2:]), [0, 1, 0, 2]),
    "amax": (lambda x: torch.amax(x, 0), [1, 1, 0, 1]),
    "max along": (lambda x: torch.max(x, 0).values, [0, 1, 1, 1]),
    "min along": (lambda x: torch.min(x, 0).values, [1, 0, 0, 1]),
    "max of all": (torch.max, [1, 1, 0, 1]),
    "max pool": (lambda x: F.max_pool1d(x[None, None], 2)[0, 0], [1, 1, 0, 0]),
    "padded pool": (lambda x: F.max_pool1d(x[None, None], 3, 1, 1)[0, 0], [1, 1, 0, 0]),
    "plane pool": (lambda x: F.max_pool2d(x.reshape(1, 1, 2, 2), 2)[0, 0], [0, 1, 1, 0]),
    "adaptive pool": (lambda x: F.adaptive_max_pool1d(x[None, None], 1)[0, 0], [1, 1, 1, 0]),
    "where": (lambda x: torch.where(x > 0, x, torch.zeros_like(x)), [0, 1, -1, 0]),
    "where, smooth": (lambda x: torch.where(x <= 0, torch.exp(x), 1 + x), [100, 1, -1, 2]),
    "norm 1": (lambda x: torch.linalg.vector_norm(x, 1), [0, 1, -1, 0]),
    "norm inf": (lambda x: torch.linalg.vector_norm(x, float("inf")), [1, 1, -1, 0]),
    "norm 2": (torch.linalg.vector_norm, [3, 4, 0, 0]),
    "identity": (lambda x: F.relu(x) - F.relu(-x), [0, 0, 1, -1]),
    "product": (lambda x: F.relu(x[:2]) * F.relu(x[2:]), [0, 1, 0, -1]),
    "sort": (lambda x: torch.sort(x).values * torch.arange(4.0), [3, 1, 2, 0]),
    "top k": (lambda x: torch.topk(x, 2).values, [3, 1, 2, 0]),
    "prod": (torch.prod, [0, 1, 0, 2]),
    "log": (torch.log, [1, 2, 0.5, 0.25]),
    "log1p exp": (lambda x: torch.log1p(torch.exp(x)), [3, 1, 4, 2]),
    "softplus": (F.softplus, [3, 1, 0, -2]),
    "masked": (lambda x: x.masked_fill(x < 0, 0.0), [0, 1, -3, 5]),
    "floor": (lambda x: torch.floor(x) * x, [0.5, 1.5, -0.5, 2.5]),
    "hinge": (lambda x: F.relu(1 - x).mean(), [0, 1, 0, 2]),
}

UNKNOWN = {
    "cut off": (lambda x: x * x.detach(), [2, 1, -1, 0], "not the derivative"),
    "cut off in part": (lambda x: x + (F.relu(x) - x).detach(), [2, 1, -1, 0], "not the deriv"),
    "without gradients": (without_gradients, [2, 1, -1, 0], "not the derivative"),
    "straight through": (Through.apply, [2, 1, -1, 3], "ThroughBackward"),
    "two functions": (
        lambda x: F.hardtanh(x[:2]) + x[2:].clamp(-1, 1),
        [1, 0, 1, 0],
        "clamp and hardtanh differ",
    ),
    "two ways to share": (
        lambda x: torch.max(x, 0).values + torch.amax(2 * x, 0),
        [1, 1, 0, 1],
        "differ",
    ),
    "infinite": (lambda x: 0 * torch.sqrt(x.abs()) + x, [0, 1, 4, -2], "infinite"),
    "masked root": (
        lambda x: torch.where(x > 1, torch.sqrt(x.abs()), x),
        [0, 2, 4, -2],
        "infinite",
    ),
}


def read(function):
    module = function if isinstance(function, nn.Module) else Function(function)
    module = copy.deepcopy(module)
    return module.eval(), tc.from_torch(module, torch.tensor([0.5, 1.5, 2.5, 4.5]))


@pytest.mark.slow
@pytest.mark.parametrize("name", list(KNOWN))
def test_modules_at_kinks(name):
    function, at = KNOWN[name]
    module, model = read(function)
    found = model.jacobian(at)
    expected = by_autograd(module.double(), [float(a) for a in at])
    assert np.allclose(numbers(found.autodiff), expected, atol=1e-6)


@pytest.mark.parametrize("name", list(UNKNOWN))
def test_what_a_graph_does_not_tell_is_left_open(name):
    function, at, why = UNKNOWN[name]
    _, model = read(function)
    found = model.jacobian(at)
    assert found.autodiff is None
    assert why in found.autodiff_why


SCALARS = [name for name in KNOWN if name not in ("log", "where, smooth", "prod", "hinge")]


def composed(seed):
    """Two modules with an integer matrix between them, at a point of small whole numbers."""
    rng = np.random.default_rng(seed)
    names = rng.choice(SCALARS, 2)
    first, second = (copy.deepcopy(KNOWN[name][0]) for name in names)
    matrix = torch.tensor(rng.integers(-1, 2, (4, 4)), dtype=torch.float32)

    def run(x):
        inner = first(x).reshape(-1)
        wide = inner.repeat(4)[:4]
        return second(matrix.to(wide.dtype) @ wide)

    return run, rng.integers(-1, 2, 4).tolist()


@pytest.mark.slow
def test_composed_modules_at_kinks():
    told = 0
    for seed in range(ROUNDS):
        function, at = composed(seed)
        module, model = read(function)
        try:
            found = model.jacobian(at)
        except tc.TamecheckError:
            continue
        if found.autodiff is not None:
            expected = by_autograd(module.double(), [float(a) for a in at])
            assert np.allclose(numbers(found.autodiff), expected, atol=1e-6), seed
            told += 1
    assert told > ROUNDS / 3
