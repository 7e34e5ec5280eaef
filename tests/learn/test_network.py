"""Binarized networks: values by hand, and the same function as model, ONNX file and NumPy."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tamecheck as tc
from tamecheck.learn.network import BinarizedNetwork, Layer, round_layers

XOR = BinarizedNetwork(
    (
        Layer(np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([1.0, -1.0])),
        Layer(np.array([[-1.0, 1.0], [1.0, -1.0]]), np.array([0.0, -1.0])),
    )
)
"""Hidden neurons "x or y" and "x and y"; class 1 if the first holds and the second does not."""

CORNERS = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])


@st.composite
def networks(draw):
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    widths = draw(st.lists(st.integers(1, 5), min_size=2, max_size=4))
    layers = [Layer(rng.normal(size=p), rng.normal(size=p[1])) for p in pairwise(widths)]
    return round_layers(layers)


def test_xor_by_hand():
    assert XOR.hidden(CORNERS)[0].tolist() == [[-1, -1], [1, -1], [1, -1], [1, 1]]
    # the scores are h2 - h1 for class 0 and, for class 1, h1 - h2 less 1
    assert XOR.scores(CORNERS).tolist() == [[0, -1], [-2, 1], [-2, 1], [0, -1]]
    assert XOR.decide(CORNERS).tolist() == [0, 1, 1, 0]


def test_sign_of_zero_is_one_everywhere(tmp_path):
    net = BinarizedNetwork((Layer([[1.0]], [0.0]), Layer([[1.0]], [0.0])))
    assert net.scores(np.zeros((1, 1))).tolist() == [[1]]
    assert net.to_model().evaluate([0], exact=True).tolist() == [1]
    net.export_onnx(tmp_path / "net.onnx")
    assert tc.load(tmp_path / "net.onnx").evaluate([0], exact=True).tolist() == [[1]]


@pytest.mark.slow
@given(networks(), st.integers(0, 10**6))
def test_numpy_exact_model_and_onnxruntime_agree_to_the_last_bit(net, seed):
    import tempfile
    from pathlib import Path

    rng = np.random.default_rng(seed)
    x = np.where(rng.random((8, net.widths[0])) < 0.5, -1.0, 1.0)
    scores = net.scores(x)
    model = net.to_model()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        net.export_onnx(path)
        session = onnxruntime.InferenceSession(path)
        loaded = tc.load(path)
    (single,) = session.run(None, {"x": x.astype(np.float32)})
    assert np.array_equal(single, scores)
    for row, expected in zip(x, scores, strict=True):
        exact = [Fraction(value) for value in expected]
        assert model.evaluate(row, exact=True).tolist() == exact
        assert loaded.evaluate(row, exact=True).reshape(-1).tolist() == exact


def test_the_model_is_semilinear_and_saved_as_json(tmp_path):
    model = XOR.to_model()
    assert model.check().structure.public_name == "semilinear"
    model.save(tmp_path / "xor.json")
    assert tc.load(tmp_path / "xor.json").graph.sha256 == model.graph.sha256


def test_exported_signs_are_read_as_signs(tmp_path):
    XOR.export_onnx(tmp_path / "xor.onnx")
    names = {
        getattr(n, "op", None) and n.op.name for n in tc.load(tmp_path / "xor.onnx").graph.nodes
    }
    assert names == {None, "matmul", "add", "sign"}


def test_a_strict_where_is_the_sign_that_is_minus_one_at_zero(tmp_path):
    from onnx import TensorProto, helper, save

    scalars = {"zero": 0.0, "one": 1.0, "minus": -1.0}
    graph = helper.make_graph(
        [
            helper.make_node("Greater", ["x", "zero"], ["t"]),
            helper.make_node("Where", ["t", "one", "minus"], ["y"]),
            helper.make_node("Where", ["t", "minus", "one"], ["z"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "yz"],
        [helper.make_tensor(n, TensorProto.FLOAT, [], [v]) for n, v in scalars.items()],
    )
    save(helper.make_model(graph, ir_version=8), tmp_path / "m.onnx")
    y, z = tc.load(tmp_path / "m.onnx").evaluate([0, 3], exact=True)
    assert y.tolist() == [-1, 1]
    assert z.tolist() == [1, -1]


def test_rounding_keeps_sign_weights_and_bounds_partial_sums():
    net = round_layers(
        [Layer(np.full((784, 3), -1.0), [0.3, 0.4, 100.7]), Layer(np.eye(3), np.zeros(3))]
    )
    first = net.layers[0]
    assert first.kind == "binary"
    places = 2.0**12
    assert np.array_equal(first.offset * places, np.rint(first.offset * places))
    assert (np.abs(first.weights).sum(axis=0) + np.abs(first.offset)).max() * places <= 2**24


def test_wide_sums_get_coarser_grids_and_then_single_precision():
    wide = round_layers([Layer(np.full((8000, 1), 0.3), [0.1]), Layer([[1.0]], [0.0])]).layers[0]
    total = 8000 * 0.3 + 0.1
    unit = 2.0 ** (23 - np.ceil(np.log2(total)))
    assert np.array_equal(wide.weights * unit, np.rint(wide.weights * unit))
    real = round_layers([Layer([[0.3]], [0.1]), Layer([[1.0]], [0.0])], magnitude=None).layers[0]
    assert real.weights[0, 0] == np.float32(0.3)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ((), "at least a readout"),
        ((Layer(np.ones((2, 3)), np.ones(3)), Layer(np.ones((2, 1)), np.ones(1))), "takes 2"),
    ],
)
def test_layers_that_do_not_fit(layers, words):
    with pytest.raises(tc.InputError, match=words):
        BinarizedNetwork(layers)


@pytest.mark.parametrize(
    ("weights", "offset", "words"),
    [(np.ones(2), np.ones(2), "no layer"), (np.full((1, 1), np.nan), [0], "NaN or infinity")],
)
def test_no_layers(weights, offset, words):
    with pytest.raises(tc.InputError, match=words):
        Layer(weights, offset)


def test_networks_are_exported_as_onnx_only(tmp_path):
    with pytest.raises(tc.InputError, match=r"Name it \.onnx"):
        XOR.export_onnx(tmp_path / "net.txt")
