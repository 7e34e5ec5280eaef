"""The layers as PyTorch functions: numerical gradients at smooth points."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from tamecheck.errors import InputError  # noqa: E402 (PyTorch may be missing)
from tamecheck.layers import torch_layers  # noqa: E402


def normal(*shape):
    return torch.randn(*shape, dtype=torch.float64).requires_grad_()


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_quadratic():
    root = normal(3, 5, 5).detach()
    quadratic = (root @ root.mT + torch.eye(5)).requires_grad_()
    right = (torch.rand(3, 4, dtype=torch.float64) + 0.5).requires_grad_()
    data = (quadratic, normal(3, 5), normal(3, 4, 5), right, normal(2, 5), normal(2))

    def layer(first, *rest):
        return torch_layers.quadratic_function((first + first.mT) / 2, *rest)

    assert torch.autograd.gradcheck(layer, data, atol=1e-5)


def test_equilibrium():
    weights = (0.1 * normal(4, 4).detach()).requires_grad_()
    data = (weights, normal(4, 2), normal(4), normal(3, 2))
    assert torch.autograd.gradcheck(torch_layers.equilibrium_function, data, atol=1e-5)


def test_lasso():
    matrix, target = normal(10, 3).detach(), normal(10).detach()
    penalty = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda p: torch_layers.lasso_function(matrix, target, p), (penalty,)
    )


def test_second_order_cone():
    pytest.importorskip("clarabel")
    cone = -torch.cat([torch.zeros(1, 3), torch.eye(3)]).double()
    rows = torch.cat([normal(2, 3).detach(), cone]).requires_grad_()
    right = torch.tensor([1, 2, 0.5, 0, 0, 0], dtype=torch.float64, requires_grad=True)
    data = (torch.eye(3, dtype=torch.float64).requires_grad_(), normal(3), rows, right)
    cones = [("nonnegative", 2), ("second-order", 4)]

    def layer(first, *rest):
        return torch_layers.conic_function((first + first.T) / 2, *rest, cones)

    assert torch.autograd.gradcheck(layer, data, atol=1e-5)


def test_value_of_a_linear_program():
    pytest.importorskip("highspy")
    cost = torch.tensor([1.0, 2, 3], dtype=torch.float64, requires_grad=True)
    level = torch.tensor([1.0], dtype=torch.float64, requires_grad=True)
    ones = torch.ones(1, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda c, e: torch_layers.linear_value_function(c, None, None, ones, e), (cost, level)
    )


def test_single_precision_is_refused():
    with pytest.raises(InputError, match="float64"):
        torch_layers.equilibrium_function(*(torch.zeros(1) for _ in range(4)))
