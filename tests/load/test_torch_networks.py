"""Networks as people write them: read directly and through both exporters of PyTorch.

Values are those of the module in float64, the verdict is what a mathematician says of it, and its
certificate is valid.
"""

import contextlib
import copy
import io
import json
import os
import warnings

import numpy as np
import pytest
import torch

from tamecheck.evaluate import exact_values, float_values
from tamecheck.ir.box import Box
from tamecheck.ir.verdict import Verdict
from tamecheck.kernel import check as recheck
from tamecheck.loaders.onnx import load_onnx
from tamecheck.loaders.torch.graph import leaves
from tamecheck.loaders.torch.module import from_torch
from tamecheck.tame import check
from tests.load.torch_networks import KINDS

UNWRITTEN = {
    "old": {
        *("RMS norm", "cumulative sums", "thresholds", "activations", "statistics", "bilinear"),
        *("Glow", "graph convolution", "complex rotary encoding"),
    },
    "new": {
        *("cosines and distances", "observed quantisers", "cumulative sums", "statistics", "Glow"),
    },
}
"""What an exporter of PyTorch does not write at all."""

NEW = list(KINDS)[:: int(os.environ.get("TAMECHECK_EXPORTS", "3"))]
"""What the new exporter, which takes seconds, is asked for; all with ``TAMECHECK_EXPORTS=1``."""


@contextlib.contextmanager
def default_dtype(dtype):
    """New tensors of a module have this type."""
    kept = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(kept)


def values_of(kind, point):
    """Values of the module in float64, or in float32 where PyTorch has no other."""
    wide = [p.double() if p.is_floating_point() else p for p in point]
    with torch.no_grad():
        try:
            found = copy.deepcopy(kind).double()(*[p.clone() for p in wide])
        except RuntimeError:
            found = kind(*[p.clone() for p in point])
    return [y.numpy() for y in leaves(found)]


def holds(kind, module, graph):
    """Values at six points, the verdict without a box and with one, valid certificates."""
    for seed in range(1, 7):
        with default_dtype(torch.float32):
            point = kind.point(seed, (1.0, 0.1, 5.0)[seed % 3])
        wanted = values_of(module, point)
        given = dict(zip(graph.inputs, (p.numpy() for p in point), strict=True))
        found = list(float_values(graph, given).values())
        if seed == 1:
            exact = exact_values(graph, given).values()
            found += [np.vectorize(float, otypes=[float])(array) for array in exact]
            wanted = [*wanted, *wanted]
        for want, mine in zip(wanted, found, strict=True):
            assert mine.shape == want.shape
            # constants of the source are float32 in what is exported
            np.testing.assert_allclose(mine, want, rtol=0, atol=5e-6 * (1 + np.abs(want).max()))
    answer = check(graph, Box.everything())
    assert answer.verdict == (Verdict.TAME if kind.tame else Verdict.NOT_TAME)
    assert recheck(json.dumps(answer.certificate)).verdict == "valid"
    box = Box.uniform(list(graph.inputs), -4, 4)
    assert check(graph, box).verdict == Verdict.TAME


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_modules_are_read_as_they_are(name):
    kind = KINDS[name]
    module = kind.module()
    graph = from_torch(module, kind.point(0)).graph
    with default_dtype(torch.float64):
        holds(kind, module, graph)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "way"), [*((name, "old") for name in KINDS), *((name, "new") for name in NEW)]
)
def test_exported_modules_are_the_same(name, way, tmp_path):
    kind, path = KINDS[name], tmp_path / "module.onnx"
    module = kind.module()
    options = {"dynamo": False, "opset_version": 17} if way == "old" else {"dynamo": True}
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            torch.onnx.export(module, kind.point(0), path, **options)
    except Exception:  # noqa: BLE001 (its exporters raise anything)
        assert name in UNWRITTEN[way]
        return
    graph = load_onnx(path).graph
    with default_dtype(torch.float64):
        holds(kind, module, graph)
