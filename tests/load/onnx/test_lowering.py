"""How operators are translated where several ways exist, and what is noted about it."""

from fractions import Fraction

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tamecheck.errors import DomainError, InputError, UnsupportedError
from tamecheck.evaluate import exact_values, float_values
from tamecheck.ir.graph import Apply
from tamecheck.loaders.onnx import input_shapes, load_onnx
from tamecheck.loaders.onnx.reader import LOWERINGS


def loaded(nodes, stored=(), *, shape=(2,), given=None, opset=17, **more_inputs):
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    for name, extents in more_inputs.items():
        inputs.append(helper.make_tensor_value_info(name, TensorProto.INT64, extents))
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in stored]
    graph = helper.make_graph(nodes, "g", inputs, outputs, tensors)
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("qonnx.custom_op.general", 1)]
    data = helper.make_model(graph, opset_imports=imports).SerializeToString()
    return load_onnx(data, given=given)


def node(op, inputs, outputs=("y",), **attributes):
    return helper.make_node(op, list(inputs), list(outputs), **attributes)


def applied(graph):
    return [found for found in graph.nodes if isinstance(found, Apply)]


@pytest.mark.parametrize(("first", "second"), [("Max", "Min"), ("Min", "Max")])
def test_a_maximum_and_a_minimum_with_constants_are_one_clip(first, second):
    bounds = {"Max": "low", "Min": "high"}
    stored = [("low", np.float32(-1)), ("high", np.float32(2))]
    nodes = [node(first, ["x", bounds[first]], ["m"]), node(second, ["m", bounds[second]])]
    (clip,) = applied(loaded(nodes, stored).graph)
    assert clip.op.name == "clip"
    assert dict(clip.params) == {"lo": Fraction(-1), "hi": Fraction(2)}


def test_crossing_bounds_are_not_joined():
    stored = [("low", np.float32(3)), ("high", np.float32(2))]
    graph = loaded([node("Min", ["x", "high"], ["m"]), node("Max", ["m", "low"])], stored).graph
    assert float_values(graph, {"x": np.array([-9.0, 9.0])})["y"].tolist() == [3, 3]


def test_infinite_bounds_do_not_bind():
    stored = [("low", np.float32(-np.inf)), ("high", np.float32(6))]
    (clip,) = applied(loaded([node("Clip", ["x", "low", "high"])], stored).graph)
    assert dict(clip.params) == {"lo": None, "hi": Fraction(6)}


def test_a_quantiser_is_rounded_and_then_clipped():
    stored = [("s", np.float32(0.5)), ("z", np.uint8(3))]
    quantised = loaded([node("QuantizeLinear", ["x", "s", "z"])], stored).graph
    assert [found.op.name for found in applied(quantised)] == ["div", "round", "add", "clip"]
    stored = [("s", np.float32(0.5)), ("z", np.float32(0)), ("b", np.float32(3))]
    nodes = [helper.make_node("Quant", ["x", "s", "z", "b"], ["y"], narrow=1, signed=1)]
    nodes[0].domain = "qonnx.custom_op.general"
    graph = loaded(nodes, stored).graph
    assert [found.op.name for found in applied(graph)] == ["div", "round", "clip", "mul"]
    assert float_values(graph, {"x": np.array([-9.0, 0.7])})["y"].tolist() == [-1.5, 0.5]


def test_shapes_are_computed_before_the_graph_is_built():
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "i"], ["n"]),
        node("Div", ["n", "two"], ["h"]),
        node("Concat", ["h", "two"], ["t"], axis=0),
        node("Reshape", ["x", "t"]),
    ]
    stored = [("i", np.array([0])), ("two", np.array([2]))]
    graph = loaded(nodes, stored, shape=(4,)).graph
    assert [found.op.name for found in applied(graph)] == ["reshape"]
    assert applied(graph)[0].shape == (2, 2)


def test_a_batch_without_a_size_is_read_as_one_and_noted():
    found = loaded([node("Relu", ["x"])], shape=("N", 3))
    assert found.graph.inputs == {"x": (1, 3)}
    assert found.notes == ("Dimension 'N' of input 'x' is read as 1.",)
    assert found.source_ops == {"Relu": 1}


def test_an_input_that_decides_a_shape_needs_a_value():
    nodes = [node("Mul", ["k", "k"], ["q"]), node("Reshape", ["x", "q"])]
    with pytest.raises(UnsupportedError, match="'shape' depends on the input 'k'"):
        loaded(nodes, shape=(4,), k=(1,))
    found = loaded(nodes, shape=(4,), k=(1,), given={"k": np.array([2])})
    assert found.graph.nodes[found.graph.outputs[0][1]].shape == (4,)
    assert any("'k'" in note for note in found.notes)


def test_several_exponents_each_have_their_own_domain():
    stored = [("e", np.array([2, 0.5, 2, -1], dtype=np.float32))]
    graph = loaded([node("Pow", ["x", "e"])], stored, shape=(4,)).graph
    point = {"x": np.array([-3.0, 4.0, 5.0, -4.0])}
    assert float_values(graph, point)["y"].tolist() == [9, 2, 25, -0.25]


def test_roots_of_stored_variances_are_not_rounded():
    stored = [("one", np.ones(2, np.float32)), ("v", np.array([2, 3], np.float32))]
    names = ["x", "one", "one", "one", "v"]
    made = loaded([node("BatchNormalization", names, epsilon=0.0)], stored, shape=(1, 2))
    assert "sqrt" in [found.op.name for found in applied(made.graph)]
    value = exact_values(made.graph, {"x": np.array([[2, 1]])})["y"]
    assert float(value[0, 0]) == pytest.approx(1 + 2**-0.5, rel=1e-15)
    assert float(value[0, 1]) == 1


def test_input_shapes_do_not_need_a_model_that_is_read(tmp_path):
    path = tmp_path / "net.onnx"
    graph = helper.make_graph(
        [node("TfIdfVectorizer", ["x"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    path.write_bytes(helper.make_model(graph).SerializeToString())
    assert input_shapes(path) == {"x": (3, 3)}


def test_quantisers_are_known_in_every_domain_under_which_they_were_published():
    for domain in ("qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas"):
        assert {name for d, name in LOWERINGS if d == domain} >= {"Quant", "BipolarQuant", "Trunc"}


@pytest.mark.parametrize(
    ("attributes", "other", "expected"),
    [
        ({"broadcast": 1}, [10, 20, 30], [[11, 22, 33], [14, 25, 36]]),
        ({"broadcast": 1, "axis": 0}, [10, 20], [[11, 12, 13], [24, 25, 26]]),
        ({"broadcast": 1, "axis": -1}, [10, 20, 30], [[11, 22, 33], [14, 25, 36]]),
        ({}, [[1, 1, 1], [2, 2, 2]], [[2, 3, 4], [6, 7, 8]]),
    ],
)
def test_old_operators_say_how_they_broadcast(attributes, other, expected):
    stored = [("b", np.array(other, np.float32))]
    graph = loaded([node("Add", ["x", "b"], **attributes)], stored, shape=(2, 3), opset=6).graph
    point = {"x": np.array([[1, 2, 3], [4, 5, 6]])}
    assert exact_values(graph, point)["y"].tolist() == expected


@pytest.mark.parametrize(
    ("op", "attributes", "message"),
    [
        ("Add", {}, "differ"),
        ("Add", {"broadcast": 1, "axis": 1}, "do not broadcast"),
        ("Dropout", {}, "training mode"),
    ],
)
def test_old_operators_that_do_not_fit_are_refused(op, attributes, message):
    stored = [("b", np.zeros(3, np.float32))]
    inputs = ["x", "b"] if op == "Add" else ["x"]
    with pytest.raises((InputError, UnsupportedError), match=message):
        loaded([node(op, inputs, **attributes)], stored, shape=(2, 4), opset=6)


def sparse(values, indices, shape, name="w"):
    return helper.make_sparse_tensor(
        numpy_helper.from_array(np.array(values, np.float32), name),
        numpy_helper.from_array(np.array(indices, np.int64), "indices"),
        shape,
    )


@pytest.mark.parametrize("indices", [[1, 5], [[0, 1], [1, 2]]])
def test_sparse_tensors_are_0_where_they_store_nothing(indices):
    constant = helper.make_node("Constant", [], ["w"], sparse_value=sparse([2, 3], indices, (2, 3)))
    graph = loaded([constant, node("Add", ["x", "w"])], shape=(2, 3)).graph
    assert exact_values(graph, {"x": np.ones((2, 3))})["y"].tolist() == [[1, 3, 1], [1, 1, 4]]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, (2, 3))]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    made = helper.make_graph([node("Mul", ["x", "w"])], "g", inputs, outputs)
    made.sparse_initializer.append(sparse([2, 3], indices, (2, 3)))
    data = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)])
    graph = load_onnx(data.SerializeToString()).graph
    assert exact_values(graph, {"x": np.ones((2, 3))})["y"].tolist() == [[0, 2, 0], [0, 0, 3]]


@pytest.mark.parametrize("indices", [[1, 6], [1, 1], [1], [[0, 1], [2, 0]], [[0], [1]], [-1, 2]])
def test_sparse_tensors_that_do_not_fit_are_refused(indices):
    constant = helper.make_node("Constant", [], ["w"], sparse_value=sparse([2, 3], indices, (2, 3)))
    with pytest.raises(InputError, match=r"ind(ex|ices)") as caught:
        loaded([constant, node("Add", ["x", "w"])], shape=(2, 3))
    assert "malformed (" not in str(caught.value)


def test_computed_lengths_reverse_what_they_reach_and_nothing_behind():
    nodes = [
        node("ReverseSequence", ["x", "k"], ["r"], batch_axis=0, time_axis=1),
        node("Identity", ["r"]),
    ]
    graph = loaded(nodes, shape=(2, 3), k=(2,)).graph
    point = {"x": np.array([[1, 2, 3], [4, 5, 6]]), "k": np.array([2, 3])}
    assert exact_values(graph, point)["y"].tolist() == [[2, 1, 3], [6, 5, 4]]
    with pytest.raises(DomainError, match="outside an axis"):
        exact_values(graph, {**point, "k": np.array([4, 1])})
