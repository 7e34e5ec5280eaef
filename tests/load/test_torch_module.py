"""PyTorch modules agree with themselves."""

import numpy as np
import pytest
import torch
from torch import nn

from tamecheck.errors import InputError
from tamecheck.evaluate import float_values
from tamecheck.load.torch_module import from_torch


class Pieces(nn.Module):
    def forward(self, a, b):
        return torch.sign(a) * torch.maximum(a, b), torch.where(a > b, a, b).round()


class Branching(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.inner = nn.Linear(4, 4)

    def forward(self, x):
        return x + torch.tanh(self.inner(self.norm(x)))


def double(module):
    torch.manual_seed(0)
    return module.double()


CASES = [
    (
        nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.BatchNorm1d(5), nn.Dropout(), nn.Linear(5, 3)),
        [(1, 4)],
    ),
    (nn.Sequential(nn.Linear(4, 4), nn.GELU(), nn.SiLU(), nn.ELU(), nn.Softmax(-1)), [(2, 4)]),
    (nn.Sequential(nn.Hardtanh(), nn.Softplus(), nn.Sigmoid(), nn.LeakyReLU(0.1)), [(3,)]),
    (
        nn.Sequential(
            nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.MaxPool2d(2), nn.Flatten()
        ),
        [(1, 1, 6, 6)],
    ),
    (nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(2, 2, 2, groups=2), nn.Hardswish()), [(1, 2, 6, 6)]),
    (Residual(), [(2, 4)]),
    (Pieces(), [(3,), (3,)]),
]


@pytest.mark.parametrize(("module", "shapes"), CASES)
def test_a_module_agrees_with_itself(module, shapes):
    module = double(module).eval()
    for part in module.modules():
        if hasattr(part, "running_mean"):
            part.running_mean.uniform_(-1, 1)
            part.running_var.uniform_(0.5, 2)
    random = np.random.default_rng(0)
    points = [random.normal(size=shape) for shape in shapes]
    graph = from_torch(module, tuple(map(torch.from_numpy, points))).graph
    expected = module(*map(torch.from_numpy, points))
    outputs = expected if isinstance(expected, tuple) else (expected,)
    values = float_values(graph, dict(zip(graph.inputs, points, strict=True)))
    assert list(values) == (["y"] if len(outputs) == 1 else ["y0", "y1"])
    for value, output in zip(values.values(), outputs, strict=True):
        np.testing.assert_allclose(value, output.detach().numpy(), rtol=1e-6, atol=1e-9)


def test_weights_are_exact_and_inputs_keep_their_names():
    module = nn.Linear(2, 1)
    loaded = from_torch(module, torch.zeros(1, 2))
    stored = sorted(module.weight.detach().numpy().reshape(-1).tolist())
    kept = [n.tensor for n in loaded.graph.nodes if getattr(n, "tensor", None) is not None]
    assert any(sorted(map(float, t.fractions())) == stored for t in kept)
    assert loaded.graph.inputs == {"input": (1, 2)}
    assert loaded.format == "torch"


def test_the_mode_of_the_module_is_left_alone():
    module = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    module[1].eval()
    from_torch(module, np.zeros((1, 2), dtype=np.float32))
    assert [part.training for part in module.modules()] == [True, True, False]


def test_a_branch_on_data_is_refused():
    with pytest.raises(InputError, match="branch"):
        from_torch(Branching(), torch.zeros(3))


def test_what_is_no_module_is_refused():
    with pytest.raises(InputError, match=r"no torch\.nn\.Module"):
        from_torch(lambda x: x, torch.zeros(3))
