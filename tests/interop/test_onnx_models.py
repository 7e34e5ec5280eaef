"""Real networks: their values are those of other programs, and they are read without delay."""

import gzip

import numpy as np
import onnx
import onnxruntime
import pytest

from tamecheck.evaluate import float_values
from tamecheck.loaders.onnx import load_onnx


def models(data):
    found = [
        path
        for folder in ("bnn", "nets")
        for path in sorted((data / folder).rglob("*.onnx*"))
        if path.name.endswith((".onnx", ".onnx.gz"))
    ]
    assert len(found) > 50
    return found


def content(path):
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def session(data):
    """The same model in onnxruntime, with 1 for every dimension without a size."""
    made = onnx.ModelProto.FromString(data)
    for info in made.graph.input:
        for dimension in info.type.tensor_type.shape.dim:
            if dimension.dim_param:
                dimension.dim_value = 1
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        made.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def test_values_are_those_of_onnxruntime(data):
    generator = np.random.default_rng(7)
    for path in models(data):
        if "qonnx" in path.parts:
            continue
        graph = load_onnx(path).graph
        runtime = session(content(path))
        for _ in range(2):
            point = {
                name: generator.uniform(-1, 1, shape).astype(np.float32)
                for name, shape in graph.inputs.items()
            }
            expected = runtime.run(None, point)
            for found, other in zip(float_values(graph, point).values(), expected, strict=True):
                assert found.shape == other.shape, path
                scale = np.abs(other).max() + 1e-6
                assert np.abs(found - other).max() <= 1e-4 * scale, path


@pytest.mark.filterwarnings("ignore")
def test_values_of_quantised_networks_are_those_of_qonnx(data):
    pytest.importorskip("qonnx")
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    generator = np.random.default_rng(8)
    for name in ("TFC_1W1A.onnx", "qkeras_jettagging.onnx"):
        path = data / "bnn" / "qonnx" / name
        graph = load_onnx(path).graph
        other = ModelWrapper(str(path)).transform(InferShapes())
        for _ in range(3):
            point = {
                key: generator.uniform(-1, 1, shape).astype(np.float32)
                for key, shape in graph.inputs.items()
            }
            expected = execute_onnx(other, point)
            for key, found in float_values(graph, point).items():
                assert np.abs(found - expected[key]).max() < 1e-5, name
