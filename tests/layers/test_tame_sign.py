"""The sign whose backward pass is that of an elastic value function, against enumeration."""

from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

import tamecheck as tc
from tamecheck.layers import TameSign

PATTERNS = torch.tensor(list(product((-1.0, 1.0), repeat=4)), dtype=torch.float64)


def penalties(a, rho, kappa):
    return rho * torch.relu(kappa - PATTERNS * a).sum(1)


def value(a, g, rho, kappa, temperature):
    """The value of one row less the smallest penalty, from all patterns."""
    paid = penalties(a, rho, kappa)
    if temperature == 0:
        return (PATTERNS @ g + paid).min() - paid.min()
    total = -(PATTERNS @ g + paid) / temperature
    return -temperature * (total.logsumexp(0) - (-paid / temperature).logsumexp(0))


@pytest.mark.parametrize("temperature", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_slopes_and_gaps_are_those_of_all_patterns(temperature, reduction):
    torch.manual_seed(1)
    rho, kappa, rows = 0.8, 1.5, 12
    a = torch.randn(rows, 4, dtype=torch.float64, requires_grad=True)
    g = torch.randn(rows, 4, dtype=torch.float64)
    layer = TameSign(rho, kappa, temperature, reduction=reduction)
    (layer(a) * g).sum().div(rows if reduction == "mean" else 1).backward()
    own = a.detach().clone().requires_grad_()
    sum(value(own[i], g[i], rho, kappa, temperature) for i in range(rows)).backward()
    assert torch.allclose(a.grad * (rows if reduction == "mean" else 1), own.grad, atol=1e-12)
    gaps = []
    for row, slope in zip(a.detach(), g, strict=True):
        costs = PATTERNS @ slope + penalties(row, rho, kappa)
        used = torch.where(row >= 0, 1.0, -1.0).double()
        gaps.append(float(used @ slope + rho * torch.relu(kappa - used * row).sum() - costs.min()))
    found = layer.convergence()
    assert found.gap == pytest.approx(np.mean(gaps), abs=1e-12)
    assert found.gap >= 0
    assert found.gradient_norm == pytest.approx(float(own.grad.norm(dim=1).mean()))


def test_behind_a_readout_the_gap_is_proved():
    torch.manual_seed(2)
    for _ in range(50):
        a = (2 * torch.randn(1, 4, dtype=torch.float64)).requires_grad_()
        readout, label = torch.randn(4, 3, dtype=torch.float64), torch.randint(0, 3, (1,))
        layer = TameSign(0.5, 1.0, 0.0)
        signs = layer(a)
        loss = nn.functional.cross_entropy(signs @ readout, label)
        loss.backward()
        paid = penalties(a[0].detach(), 0.5, 1.0)
        losses = nn.functional.cross_entropy(
            PATTERNS @ readout, label.expand(len(PATTERNS)), reduction="none"
        )
        used = loss.item() + paid.min().item()
        assert used - layer.convergence().gap <= (losses + paid).min().item() + 1e-12


@pytest.mark.slow
def test_it_trains_where_a_straight_through_sign_stands():
    torch.manual_seed(3)
    x = torch.randn(48, 1, 6, 6)
    y = (x.mean((1, 2, 3)) > 0).long()
    dense = (nn.Flatten(), nn.Linear(36, 16), nn.BatchNorm1d(16), TameSign(), nn.Linear(16, 2))
    sampled = TameSign(4.0, sample=True)
    convolutional = (
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        sampled,
        nn.Conv2d(4, 8, 3),
        nn.BatchNorm2d(8),
        TameSign(),
        nn.Flatten(),
        nn.Linear(32, 2),
    )
    for parts in (dense, convolutional):
        net = nn.Sequential(*parts)
        optimiser = torch.optim.Adam(net.parameters(), 0.02)
        norms = []
        for _ in range(40):
            loss = nn.functional.cross_entropy(net(x), y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            norms.append(next(m for m in net if isinstance(m, TameSign)).convergence())
        assert float((net.eval()(x).argmax(1) == y).float().mean()) > 0.9
        assert norms[-1].gradient_norm < norms[0].gradient_norm
    assert set(sampled(torch.randn(9)).tolist()) <= {-1.0, 1.0}
    assert sampled(torch.tensor([-1e-9, 0.0])).tolist() == [-1, 1]


def test_drawn_signs_have_the_probabilities_of_the_penalty():
    torch.manual_seed(4)
    signs = TameSign(1.0, 2.0, 0.5, sample=True)(torch.full((20000,), 0.3))
    assert float((signs > 0).float().mean()) == pytest.approx(1 / (1 + np.exp(-1.2)), abs=0.015)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4, 4), (0, 3)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_any_shape_and_precision(shape, dtype):
    layer, a = TameSign(), torch.full(shape, -0.5, dtype=dtype, requires_grad=True)
    layer(a).sum().backward()
    assert a.grad.dtype == dtype
    assert a.grad.isfinite().all()
    assert layer.convergence().gradient_norm >= 0 or a.numel() == 0


def test_transforms_of_functions_go_through():
    torch.manual_seed(5)
    layer, a = TameSign(reduction="sum"), torch.randn(5, 3)
    weights = torch.tensor([1.0, -2.0, 0.5])

    def one(row):
        return (layer(row) * weights).sum()

    own = a.clone().requires_grad_()
    one(own).backward()
    assert torch.allclose(torch.func.vmap(torch.func.grad(one))(a), own.grad)


@pytest.mark.parametrize(("temperature", "structure"), [(0.0, "semilinear"), (1.0, "exp")])
def test_the_objective_of_a_neuron_is_tame_and_lipschitz(temperature, structure):
    check = TameSign(temperature=temperature).certificate()
    assert check.structure.public_name == structure
    assert check.properties.locally_lipschitz
    assert check.defined.total


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rho": 0.0}, "no penalty"),
        ({"kappa": float("nan")}, "no penalty"),
        ({"temperature": -1.0}, "negative"),
        ({"temperature": 0.0, "sample": True}, "at a temperature"),
        ({"reduction": "none"}, "unknown"),
    ],
)
def test_bad_input(options, words):
    with pytest.raises(tc.InputError, match=words):
        TameSign(**options)
    with pytest.raises(tc.InputError, match="no backward pass"):
        TameSign().convergence()
