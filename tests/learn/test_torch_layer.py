"""The elastic value function in PyTorch."""

import numpy as np
import pytest
import torch

import tamecheck as tc
from tamecheck.learn.torch_layer import elastic_loss


def tensors(seed, rows=5, width=4, classes=3):
    rng = np.random.default_rng(seed)
    shapes = ((rows, width), (width, classes), (classes,))
    made = [torch.tensor(rng.normal(size=s), requires_grad=True) for s in shapes]
    return made, torch.tensor(rng.integers(0, classes, rows))


@pytest.mark.parametrize("temperature", [0.0, 0.7])
@pytest.mark.parametrize("loss", ["logistic", "hinge"])
def test_the_backward_pass_is_the_gradient(temperature, loss):
    (a, readout, offset), labels = tensors(1)

    def value(a, readout, offset):
        return elastic_loss(a, labels, readout, offset, temperature=temperature, loss=loss)

    assert torch.autograd.gradcheck(value, (a, readout, offset), atol=1e-5)


def test_a_wide_layer_by_branch_and_bound_trains():
    (a, readout, offset), labels = tensors(2, rows=20, width=24)
    optimiser = torch.optim.SGD([a, readout, offset], lr=0.5)
    values = []
    for _ in range(30):
        optimiser.zero_grad()
        value = elastic_loss(a, labels, readout, offset, temperature=0.0, kappa=0.5)
        value.backward()
        optimiser.step()
        values.append(value.item())
    assert values[-1] < values[0] / 2


@pytest.mark.parametrize(
    ("options", "width", "words"),
    [
        ({"rho": 0}, 4, "no penalty"),
        ({"temperature": -1}, 4, "negative"),
        ({"loss": "square"}, 4, "unknown"),
        ({}, 20, "too many"),
    ],
)
def test_bad_input(options, width, words):
    (a, readout, offset), labels = tensors(3, width=width)
    with pytest.raises(tc.InputError, match=words):
        elastic_loss(a, labels, readout, offset, **options)
