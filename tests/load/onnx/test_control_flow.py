"""Branches that are chosen, loops and scans that are unrolled, and functions of a model."""

import numpy as np
import onnxruntime as ort
import pytest
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.evaluate import exact_values
from tamecheck.loaders.onnx import load_onnx, reader


def node(op, inputs, outputs=("y",), **attributes):
    return helper.make_node(op, list(inputs), list(outputs), **attributes)


def info(name, shape=None, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def graph(nodes, inputs, outputs, stored=()):
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in stored]
    return helper.make_graph(
        nodes, "g", [info(n) for n in inputs], [info(n) for n in outputs], tensors
    )


def model(nodes, stored=(), *, shape=(2,), functions=(), outputs=("y",)):
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in stored]
    whole = helper.make_graph(
        nodes, "g", [info("x", shape)], [info(name) for name in outputs], tensors
    )
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    made = helper.make_model(whole, opset_imports=imports, functions=list(functions))
    return load_onnx(made.SerializeToString())


def values(loaded, *numbers):
    array = np.array(numbers)
    return [found.tolist() for found in exact_values(loaded.graph, {"x": array}).values()]


def branch(op, *inputs):
    return graph([node(op, inputs, ["b"])], [], ["b"])


def function(name, nodes, inputs=("a",), defaults=()):
    return helper.make_function(
        *("own", name, list(inputs), ["r"], list(nodes)),
        [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)],
        attribute_protos=list(defaults),
    )


def call(op, inputs, outputs=("y",), **attributes):
    return node(op, inputs, outputs, domain="own", **attributes)


@pytest.mark.parametrize(("flag", "expected"), [(True, [4, 1]), (False, [-2, 1])])
def test_a_branch_is_chosen_by_a_constant_and_sees_the_tensors_around(flag, expected):
    nodes = [
        node("If", ["c"], then_branch=branch("Mul", "x", "x"), else_branch=branch("Identity", "x"))
    ]
    assert values(model(nodes, [("c", np.array(flag))]), -2, 1) == [expected]


def test_a_branch_is_chosen_by_a_shape():
    nodes = [
        node("Size", ["x"], ["n"]),
        node("Greater", ["n", "two"], ["c"]),
        node("If", ["c"], then_branch=branch("Neg", "x"), else_branch=branch("Abs", "x")),
    ]
    assert values(model(nodes, [("two", np.array(2))], shape=(3,)), -1, 2, 3) == [[1, -2, -3]]
    assert values(model(nodes, [("two", np.array(2))]), -1, 2) == [[1, 2]]


def test_a_branch_that_is_not_taken_may_hold_what_is_not_read():
    noise = branch("RandomNormalLike", "x")
    nodes = [node("If", ["c"], then_branch=branch("Abs", "x"), else_branch=noise)]
    assert values(model(nodes, [("c", np.array(1))]), -1, 2) == [[1, 2]]
    with pytest.raises(UnsupportedError, match=r"#0/else/#0: RandomNormalLike: .*random"):
        model(nodes, [("c", np.array(0))])


def test_a_condition_on_the_data_is_refused_by_name():
    nodes = [
        node("ReduceSum", ["x"], ["s"], keepdims=0),
        node("Greater", ["s", "zero"], ["c"]),
        node("If", ["c"], then_branch=branch("Neg", "x"), else_branch=branch("Abs", "x")),
    ]
    with pytest.raises(UnsupportedError, match="#2: If: the condition depends on the input 'x'"):
        model(nodes, [("zero", np.float32(0))])


def loop_body(*, stop="alive"):
    """``v -> 2 v + 1``, which collects the trip times v."""
    return graph(
        [
            node("Add", ["v", "v"], ["d"]),
            node("Add", ["d", "one"], ["w"]),
            node("Cast", ["trip"], ["t"], to=TensorProto.FLOAT),
            node("Mul", ["t", "v"], ["m"]),
            node("Less", ["trip", "last"], ["early"]),
            node("Identity", [stop], ["next"]),
        ],
        ["trip", "alive", "v"],
        ["next", "w", "m"],
        [("one", np.float32(1))],
    )


STORED = [("n", np.array(3)), ("last", np.array(1)), ("yes", np.array([True]))]


def test_a_loop_is_unrolled_and_collects():
    loop = node("Loop", ["n", "yes", "x"], ["y", "z"], body=loop_body())
    made = model([loop], STORED, outputs=["y", "z"])
    assert values(made, 1, 0) == [[15, 7], [[0, 0], [3, 1], [14, 6]]]


def test_a_loop_ends_when_its_condition_folds_to_false():
    loop = node("Loop", ["", "yes", "x"], ["y", ""], body=loop_body(stop="early"))
    # early is true after trip 0, and false after trip 1
    assert values(model([loop], STORED), 1, 0) == [[7, 3]]


def test_a_loop_without_a_trip_keeps_its_variables():
    stored = [("n", np.array(0)), *STORED[1:]]
    loop = node("Loop", ["n", "", "x"], ["y"], body=loop_body())
    assert values(model([loop], stored), 1, 0) == [[1, 0]]


@pytest.mark.parametrize(
    ("inputs", "stop", "message"),
    [
        (["many", "yes", "x"], "alive", "a loop of 100000 trips is too long"),
        (["", "yes", "x"], "alive", "an unknown number of trips"),
        (["x", "yes", "x"], "alive", "the trip count depends on the input 'x'"),
        (["n", "yes", "x"], "v", "the condition of the loop depends on the input 'x'"),
    ],
)
def test_loops_that_do_not_end_before_there_are_values_are_refused(inputs, stop, message):
    loop = node("Loop", inputs, ["y", ""], body=loop_body(stop=stop), name="loop")
    with pytest.raises(UnsupportedError, match=f"loop: Loop: .*{message}"):
        model([loop], [*STORED, ("many", np.array(100_000))], shape=(1,))


def test_nested_loops_have_a_budget(monkeypatch):
    monkeypatch.setattr(reader, "MAX_NODES", 1_000)
    inner = node("Loop", ["big", "yes", "v"], ["w", ""], body=loop_body())
    middle = graph(
        [inner, node("Identity", ["alive"], ["next"])], ["trip", "alive", "v"], ["next", "w"]
    )
    loop = node("Loop", ["big", "yes", "x"], ["y"], body=middle)
    with pytest.raises(InputError, match="more than 1000 nodes when it is unrolled"):
        model([loop], [*STORED, ("big", np.array(1000))], shape=(1,))


def test_a_scan_sums_backwards_along_an_axis():
    body = graph(
        [node("Add", ["s", "e"], ["t"]), node("Identity", ["t"], ["u"])], ["s", "e"], ["t", "u"]
    )
    scan = node(
        *("Scan", ["zero", "x"], ["y", "z"]),
        body=body,
        num_scan_inputs=1,
        scan_input_axes=[1],
        scan_input_directions=[1],
        scan_output_axes=[-1],
        scan_output_directions=[1],
    )
    stored = [("zero", np.zeros(2, np.float32))]
    made = model([scan], stored, shape=(2, 3), outputs=["y", "z"])
    assert values(made, [1, 2, 3], [4, 5, 6]) == [[6, 15], [[6, 5, 3], [15, 11, 6]]]


def test_a_function_takes_attributes_defaults_and_leaves_inputs_out():
    scaled = node("LeakyRelu", ["a"], ["s"])
    slope = AttributeProto(name="alpha", ref_attr_name="slope", type=AttributeProto.FLOAT)
    scaled.attribute.append(slope)
    clip = node("Clip", ["s", "low", ""], ["r"])
    made = function(
        *("Leaky", [scaled, clip], ["a", "low"]), defaults=[helper.make_attribute("slope", 0.5)]
    )
    nodes = [
        call("Leaky", ["x"], ["p"], slope=0.25),
        call("Leaky", ["x", "floor"], ["q"]),
        node("Concat", ["p", "q"], axis=0),
    ]
    stored = [("floor", np.float32(-1))]
    assert values(model(nodes, stored, functions=[made]), -4, 2) == [[-1, 2, -1, 2]]


def test_functions_call_functions_and_name_the_node_inside():
    inner = function("Inner", [node("Abs", ["a"], ["b"]), node("Neg", ["b"], ["r"])])
    outer = function("Outer", [call("Inner", ["a"], ["b"]), call("Inner", ["b"], ["r"])])
    made = model([call("Outer", ["x"], name="here")], functions=[inner, outer])
    assert values(made, -1, 2) == [[-1, -2]]
    assert made.graph.nodes[-1].label.startswith("here/")
    bad = function("Inner", [node("RandomNormalLike", ["a"], ["r"], name="noise")])
    with pytest.raises(UnsupportedError, match="here/#0/noise: RandomNormalLike"):
        model([call("Outer", ["x"], name="here")], functions=[bad, outer])


def test_a_function_replaces_the_operator_of_its_name():
    own = helper.make_function(
        *("", "Mish", ["a"], ["r"], [node("Neg", ["a"], ["r"])], [helper.make_opsetid("", 18)])
    )
    assert values(model([node("Mish", ["x"])], functions=[own]), 1, 2) == [[-1, -2]]


def test_functions_that_call_themselves_or_explode_are_refused(monkeypatch):
    monkeypatch.setattr(reader, "MAX_NODES", 1_000)
    turn = function("Turn", [call("Back", ["a"], ["r"])])
    back = function("Back", [call("Turn", ["a"], ["r"])])
    with pytest.raises(InputError, match="'Turn' calls itself"):
        model([call("Turn", ["x"])], functions=[turn, back])
    chain = [
        function(f"F{i}", [call(f"F{i + 1}", ["a"], ["b"]), call(f"F{i + 1}", ["b"], ["r"])])
        for i in range(40)
    ]
    last = function("F40", [node("Abs", ["a"], ["r"])])
    with pytest.raises(InputError, match="more than 1000 nodes"):
        model([call("F0", ["x"])], functions=[*chain, last])
    deep = [function(f"F{i}", [call(f"F{i + 1}", ["a"], ["r"])]) for i in range(200)]
    with pytest.raises(InputError, match="More than 64"):
        model([call("F0", ["x"])], functions=[*deep, function("F200", [node("Abs", "a", "r")])])


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (call("F", ["x"], alpha=1.0), "attribute 'alpha' is none of the function's"),
        (call("F", ["x", "x"]), "takes 1 inputs"),
        (call("F", [""]), "Input 0 is missing"),
        (call("F", ["x"], ["y", "z"]), "output number 1 is not read"),
        (call("G", ["x"]), "G: the operator is not known"),
    ],
)
def test_calls_that_do_not_fit_are_refused(made, message):
    with pytest.raises((InputError, UnsupportedError), match=message):
        model([made], functions=[function("F", [node("Abs", ["a"], ["r"])])])


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (node("If", ["x"], then_branch=branch("Abs", "x")), "'else_branch' is missing"),
        (node("If", ["two"], then_branch=3, else_branch=branch("Abs", "x")), "must be a graph"),
        (node("Loop", ["n", "", "x"], body=branch("Abs", "x")), "The body takes 0 inputs, not 3"),
        (
            node("Scan", ["x"], body=branch("Abs", "x"), num_scan_inputs=2),
            "2 sequences do not fit 1 inputs",
        ),
        (
            node("If", ["yes"], then_branch=branch("Abs", "w"), else_branch=branch("Abs", "x")),
            "'w' is read, but nothing makes it",
        ),
        (
            node(
                *("If", ["yes"]),
                then_branch=graph([], [], ["gone"]),
                else_branch=branch("Abs", "x"),
            ),
            "'gone' is read, but nothing makes it",
        ),
    ],
)
def test_malformed_bodies_are_one_error(made, message):
    with pytest.raises(InputError, match=message) as caught:
        model([made], [*STORED, ("two", np.array([1, 0]))])
    assert "\n" not in str(caught.value)


def test_operators_that_onnx_defines_by_others_are_read_by_their_definition():
    made = model([node("HannWindow", ["n"], ["w"]), node("Mul", ["x", "w"])], [("n", np.array(2))])
    assert [round(float(v), 12) for v in values(made, 3, 5)[0]] == [0, 5]


def listed(*numbers):
    return np.array(numbers, dtype=np.int64)


SEQUENCES = {
    "split and taken": [
        node("SplitToSequence", ["x", "two"], ["s"], axis=0),
        node("SequenceAt", ["s", "last"], ["a"]),
        node("SequenceAt", ["s", "zero"], ["b"]),
        node("Sub", ["a", "b"]),
    ],
    "split into lines and joined": [
        node("SplitToSequence", ["x"], ["s"], axis=1, keepdims=0),
        node("ConcatFromSequence", ["s"], axis=0, new_axis=1),
    ],
    "made, changed and joined": [
        node("Neg", ["x"], ["n"]),
        node("SequenceConstruct", ["x", "n"], ["s"]),
        node("SequenceInsert", ["s", "x", "zero"], ["t"]),
        node("SequenceErase", ["t", "last"], ["u"]),
        node("ConcatFromSequence", ["u"], axis=1),
    ],
    "of a known length": [
        node("SplitToSequence", ["x", "parts"], ["s"], axis=0),
        node("SequenceLength", ["s"], ["l"]),
        node("Cast", ["l"], ["f"], to=TensorProto.FLOAT),
        node("Mul", ["x", "f"]),
    ],
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_sequences_are_those_of_onnxruntime(name):
    stored = [
        *(("two", np.int64(2)), ("zero", np.int64(0)), ("last", np.int64(-1))),
        ("parts", listed(1, 3)),
    ]
    tensors = [numpy_helper.from_array(np.asarray(v), n) for n, v in stored]
    whole = helper.make_graph(SEQUENCES[name], "g", [info("x", (4, 3))], [info("y")], tensors)
    raw = helper.make_model(
        whole, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    (want,) = ort.InferenceSession(raw).run(None, {"x": x})
    (found,) = exact_values(load_onnx(raw).graph, {"x": x}).values()
    assert found.tolist() == want.tolist()


def test_a_loop_fills_a_sequence():
    body = graph(
        [
            node("SequenceInsert", ["s", "v"], ["t"]),
            node("Add", ["v", "v"], ["w"]),
            node("Identity", ["alive"], ["next"]),
        ],
        ["trip", "alive", "s", "v"],
        ["next", "t", "w"],
    )
    nodes = [
        node("SequenceEmpty", [], ["e"]),
        node("Loop", ["n", "yes", "e", "x"], ["s", "v"], body=body),
        node("ConcatFromSequence", ["s"], axis=0),
    ]
    assert values(model(nodes, STORED), 1, -1) == [[1, -1, 2, -2, 4, -4]]


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([node("SequenceConstruct", ["x"])], "y: the output is a sequence"),
        ([node("SequenceConstruct", ["x"], ["s"]), node("Abs", ["s"])], "is a sequence, not"),
        ([node("SequenceAt", ["x", "n"])], "is a tensor, not a sequence"),
        (
            [node("SequenceConstruct", ["x"], ["s"]), node("SequenceAt", ["s", "n"])],
            "no position 3 in a sequence of 1",
        ),
        (
            [node("SequenceEmpty", [], ["s"]), node("ConcatFromSequence", ["s"], axis=0)],
            "sequence is empty",
        ),
        ([node("SplitToSequence", ["x", "n"], ["s"]), node("SequenceAt", ["s", "n"])], "position"),
    ],
)
def test_what_does_not_fit_a_sequence_is_one_error(nodes, message):
    with pytest.raises((InputError, UnsupportedError), match=message):
        model(nodes, STORED)
