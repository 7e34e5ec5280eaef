"""PyTorch modules agree with themselves."""

import os
from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn

from tamecheck.errors import InputError, TamecheckError, UnsupportedError
from tamecheck.evaluate import float_values
from tamecheck.loaders.onnx import load_onnx
from tamecheck.loaders.torch.graph import leaves
from tamecheck.loaders.torch.module import from_torch
from tests.load.torch_functions import ALONG_AXES, ELEMENTWISE, MATRICES, PLACES
from tests.load.torch_modules import KINDS, Function, composition, random_module

COUNT = int(os.environ.get("TAMECHECK_WRITES", "8"))
"""How many random modules of each sort are read."""


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


@pytest.mark.slow
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


def example(seed=0, shape=(2, 4)):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def agrees(module, loaded, seed=1):
    """Whether the module and what was read have the same values at other points."""
    for point in (example(seed), 2 * example(seed + 1), example(seed + 2).round()):
        values = float_values(loaded.graph, {"x": point.numpy()}).values()
        for value, output in zip(values, leaves(module(point.clone())), strict=True):
            if not np.allclose(value, output.numpy(), rtol=1e-4, atol=1e-5):
                return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, len(KINDS), 7))
def test_writes_in_place_are_read(first):
    """Twenty-one kinds, seven in a module, since each capture takes a second."""
    kinds = KINDS[first : first + 7]
    module = Function(lambda x: [kind(x.clone()) for kind in kinds])
    assert agrees(module, from_torch(module, example()))


@pytest.mark.slow
@pytest.mark.parametrize("functions", [ELEMENTWISE, ALONG_AXES, PLACES, MATRICES])
@pytest.mark.parametrize("half", [0, 1])
def test_what_the_exporter_does_not_write_is_written_by_other_operators(functions, half):
    """About twenty functions of each sort, half of them in a module."""
    chosen = functions[half::2]
    module = Function(lambda x: [function(x * 1.0) for function in chosen])
    assert agrees(module, from_torch(module, example()))


def verdict(module, seed):
    try:
        loaded = from_torch(module, example(seed))
    except TamecheckError:
        return "refused"
    return "right" if agrees(module, loaded) else "another function"


@pytest.mark.slow
def test_random_writes_into_views_are_right_or_refused():
    """Five in a module, since a capture is long; each alone where these are not all right."""
    found = Counter()
    modules = [random_module(seed) for seed in range(COUNT)]
    own = [seed for seed, module in enumerate(modules) if module.own]
    alone = [seed for seed in range(COUNT) if seed not in own]
    for first in range(0, len(own), 5):
        some = own[first : first + 5]
        together = Function(lambda x, some=some: [modules[seed](x.clone()) for seed in some])
        if verdict(together, some[0]) == "right":
            found["right"] += len(some)
        else:
            alone += some
    found.update(verdict(modules[seed], seed) for seed in alone)
    assert found["another function"] == 0
    assert found["right"] >= 0.9 * COUNT


@pytest.mark.slow
def test_compositions_of_three_kinds_are_right():
    """Four in a module, as above; the last of them may write into the input itself."""
    for first in range(0, COUNT, 4):
        *others, last = map(composition, range(first, first + 4))
        module = Function(lambda x, o=others, e=last: [*(f(x.clone()) for f in o), e(x)])
        assert verdict(module, first) == "right", first


def test_copies_between_overlapping_views_are_refused():
    """PyTorch gives no meaning to them; what it does is not what the functional graph says."""
    module = Function(lambda x: x.t()[1].copy_(x.reshape(-1)[:2]) + 0)
    assert verdict(module, 0) == "refused"


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(4))
        self.weight = nn.Parameter(torch.ones(4))
        self.calls = [0]

    def forward(self, x):
        self.calls[0] += 1
        self.seen.add_(x[0])
        x.mul_(2)
        return x * self.weight + self.seen


@pytest.mark.slow
def test_module_and_example_stay_as_they_are():
    module, given = Counting(), example()
    loaded = from_torch(module, given)
    assert torch.equal(given, example())
    assert (module.seen.tolist(), module.calls, module.training) == ([0] * 4, [0], True)
    point = example(5)
    value = float_values(loaded.graph, {"x": point.numpy()})["y"]
    np.testing.assert_allclose(value, (2 * point + point[0]).numpy(), rtol=1e-5)
    assert loaded.notes == (
        "forward writes into its buffer 'seen': read as of its first call.",
        "forward writes into its input 'x': read as of its first call.",
    )


def test_an_input_that_is_not_used_stays_an_input():
    loaded = from_torch(Function(lambda _: torch.ones(2)), example())
    assert loaded.graph.inputs == {"x": (2, 4)}


class Several(nn.Module):
    def forward(self, x, *, scale, pick):
        return {"a": [x * scale, x[:, pick]], "b": None, "c": (x > scale, x)}


def test_arguments_by_name_and_nested_outputs():
    picked = {"x": example(), "scale": torch.tensor(2.0), "pick": torch.tensor([0, 3])}
    loaded = from_torch(Several(), picked)
    assert loaded.graph.inputs == {"x": (2, 4), "scale": (), "pick": (2,)}
    point = {"x": example(3), "scale": torch.tensor(0.5), "pick": torch.tensor([2, 1])}
    values = float_values(loaded.graph, {name: array.numpy() for name, array in point.items()})
    assert list(values) == ["y0", "y1", "y2", "y3"]
    for value, output in zip(values.values(), leaves(Several()(**point)), strict=True):
        np.testing.assert_allclose(value, output.numpy(), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "words"),
    [
        (nn.functional.dropout, r"dropout \(torch_modules.py:\d+\): it draws"),
        (lambda x: x + torch.rand(4), r"rand \(torch_modules.py:\d+\): it draws random"),
        (lambda x: x * x.max().item(), r"item \(torch_modules.py:\d+\): what follows depends"),
        (
            lambda x: x + torch.empty(4),
            r"empty \(torch_modules.py:\d+\): its elements are used",
        ),
        (
            lambda x: torch.linalg.inv(torch.eye(5) + x.mean()),
            r"linalg_inv_ex.*: the inverse of a matrix of 5 rows",
        ),
        (torch.lgamma, r"lgamma \(torch_modules.py:\d+\)"),
        (lambda x: x.half(), r"another function: element \[0, 0\] of output 'y' is .* in PyTorch"),
        (lambda x: x + float(np.random.default_rng().normal()), "another function"),
        (lambda x: x[x > 0], "not read"),
    ],
)
def test_what_is_not_read_is_named_with_its_line(function, words, capfd):
    with pytest.raises(UnsupportedError, match=words):
        from_torch(Function(function), example())
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "function",
    [torch.log, torch.reciprocal, lambda x: torch.log(x.relu()) * 2 + torch.acos(x)],
)
def test_undefined_points_are_undefined_in_both(function):
    loaded = from_torch(Function(function), example())
    value = float_values(loaded.graph, {"x": np.full((2, 4), 0.5, np.float32)})["y"]
    np.testing.assert_allclose(value, function(torch.full((2, 4), 0.5)).numpy(), rtol=1e-6)


def test_a_module_without_a_value_at_any_point_is_refused():
    with pytest.raises(UnsupportedError, match="49 points decide nothing"):
        from_torch(Function(lambda x: torch.log(-1 - x * x)), example())


def test_jumps_where_float32_and_real_numbers_part_are_no_difference():
    """0.1 in float32 is more than 1/10, and -2 times it less than -2/10, but not after rounding."""
    module = Function(lambda x: torch.floor(x * 0.1 * 10))
    loaded = from_torch(module, torch.tensor([[1.0, 2.0, 3.0, 7.0]]))
    assert loaded.graph.inputs == {"x": (1, 4)}


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_than_float32(kind):
    module = nn.Sequential(nn.Linear(4, 4), nn.LeakyReLU(0.1), nn.BatchNorm1d(4)).to(kind)
    assert from_torch(module, example().to(kind)).graph.inputs == {"input": (2, 4)}


def test_an_observer_that_is_on_is_refused_by_name():
    quantiser = torch.ao.quantization.FakeQuantize()
    with pytest.raises(InputError, match=r"quantiser '0' is on.*disable_observer"):
        from_torch(nn.Sequential(quantiser), example())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_module_of_quantisation_aware_training():
    quantisation = torch.ao.quantization
    module = nn.Sequential(quantisation.QuantStub(), nn.Linear(4, 3), nn.ReLU()).train()
    module.qconfig = quantisation.get_default_qat_qconfig("fbgemm")
    prepared = quantisation.prepare_qat(module)
    prepared(example(4))
    prepared.eval().apply(quantisation.disable_observer)
    with torch.no_grad():
        loaded = from_torch(prepared, example())
        point = example(7)
        value = float_values(loaded.graph, {"input": point.numpy()})["y"]
        np.testing.assert_allclose(value, prepared(point).numpy(), atol=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_converted_module_is_read_from_its_file(tmp_path):
    quantisation = torch.ao.quantization
    parts = quantisation.QuantStub(), nn.Linear(4, 3), nn.ReLU(), quantisation.DeQuantStub()
    module = nn.Sequential(*parts).eval()
    module.qconfig = quantisation.get_default_qconfig("fbgemm")
    prepared = quantisation.prepare(module)
    prepared(example(4))
    converted = quantisation.convert(prepared)
    with pytest.raises(InputError, match="dynamo=False"):
        from_torch(converted, example())
    path = tmp_path / "converted.onnx"
    torch.onnx.export(converted, (example(),), path, dynamo=False, opset_version=17)
    graph = load_onnx(path).graph
    for seed in range(5):
        point = example(seed)
        (value,) = float_values(graph, dict.fromkeys(graph.inputs, point.numpy())).values()
        np.testing.assert_allclose(value, converted(point).numpy(), atol=1e-5)
