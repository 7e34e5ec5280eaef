"""Damaged, absurd and dishonest ONNX files: one error that says where, and no harm done."""

import gzip
import random

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tamecheck.errors import InputError, TamecheckError, UnsupportedError
from tamecheck.loaders.onnx import inspect, load_onnx

VARIANTS = 1_000


def tensor(name, values, dtype=np.float32):
    return numpy_helper.from_array(np.asarray(values, dtype=dtype), name)


def integers(name, *values):
    return tensor(name, values, np.int64)


def info(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes, stored=(), *, shape=(2,), opset=13):
    graph = helper.make_graph(nodes, "g", [info("x", shape)], [info("y", None)], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def node(op, inputs, outputs=("y",), **attributes):
    return helper.make_node(op, list(inputs), list(outputs), **attributes)


def convolutional():
    return model(
        [
            node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1], name="conv"),
            node("BatchNormalization", ["c", "b", "b", "b", "v"], ["n"]),
            node("Relu", ["n"], ["r"]),
            node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
            node("Flatten", ["p"], ["f"]),
            node("Gemm", ["f", "m"], ["g"], alpha=0.5),
            node("Softmax", ["g"], axis=1),
        ],
        [
            tensor("w", np.ones((2, 1, 3, 3))),
            tensor("b", [0.5, -0.5]),
            tensor("v", [1, 2]),
            tensor("m", np.ones((8, 3))),
        ],
        shape=(1, 1, 4, 4),
    )


def shaping():
    return model(
        [
            node("Shape", ["x"], ["s"]),
            node("Gather", ["s", "i"], ["n"]),
            node("Concat", ["n", "two"], ["t"], axis=0),
            node("Tile", ["x", "two"], ["l"]),
            node("Pad", ["l", "pads"], ["p"], mode="reflect"),
            node("Slice", ["p", "i", "two"], ["c"]),
            node("Range", ["a", "b", "a"], ["q"]),
            node("Add", ["c", "q"], ["e"]),
            node("Split", ["e"], ["y", "z"], axis=0),
        ],
        [
            integers("i", 0),
            integers("two", 2),
            integers("pads", 1, 1),
            tensor("a", 1.0),
            tensor("b", 3.0),
        ],
        shape=(4,),
    )


def recurrent():
    return model(
        [
            node("LSTM", ["x", "w", "r"], ["h", "last"], hidden_size=2),
            node("QuantizeLinear", ["last", "s"], ["q"]),
            node("DequantizeLinear", ["q", "s"], ["d"]),
            node("Einsum", ["d", "d"], equation="abc,abd->cd"),
        ],
        [
            tensor("w", np.ones((1, 8, 3))),
            tensor("r", np.ones((1, 8, 2))),
            tensor("s", 0.5),
        ],
        shape=(3, 1, 3),
    )


SEEDS = tuple(make().SerializeToString() for make in (convolutional, shaping, recurrent))


def damaged(generator):
    data = bytearray(generator.choice(SEEDS))
    if generator.random() < 0.25:
        return bytes(data[: generator.randrange(len(data))])
    for _ in range(generator.choice([1, 1, 2, 8])):
        place = generator.randrange(len(data))
        if generator.random() < 0.5:
            data[place] ^= 1 << generator.randrange(8)
        else:
            data[place] = generator.choice([0, 127, 128, 255])
    return bytes(data)


def read_or_refused(data):
    try:
        return load_onnx(data, where="net.onnx")
    except TamecheckError as error:
        return error


def test_a_damaged_file_is_refused_in_one_line_or_read():
    generator = random.Random(20)
    read = 0
    for _ in range(VARIANTS):
        data = damaged(generator)
        found = read_or_refused(data)
        if isinstance(found, TamecheckError):
            assert "\n" not in found.message
            assert found.message.startswith("net.onnx: ")
            assert found.exit_code in (2, 4)
        else:
            read += 1
            assert found.graph.sha256
    assert 0 < read < VARIANTS


NAN = tensor("w", [np.nan, 1])
ABSURD = {
    "ten gigabytes": (model([node("Relu", ["x"])], shape=(50_000, 50_000)), "'x'|x: "),
    "tile": (model([node("Tile", ["x", "r"])], [integers("r", 2**40)]), "Tile"),
    "range": (
        model(
            [node("Range", ["a", "b", "c"], ["r"]), node("Add", ["x", "r"])],
            [tensor("a", 0, np.int64), tensor("b", 2**62, np.int64), tensor("c", 1, np.int64)],
        ),
        "Range",
    ),
    "constant": (
        model(
            [node("ConstantOfShape", ["s"], ["c"]), node("Add", ["x", "c"])],
            [integers("s", 2**31, 2**31)],
        ),
        "ConstantOfShape",
    ),
    "pad": (model([node("Pad", ["x", "p"])], [integers("p", 2**50, 2**50)]), "Pad"),
    "reflect": (
        model([node("Pad", ["x", "p"], mode="reflect")], [integers("p", 2**50, 0)]),
        "Pad",
    ),
    "expand": (model([node("Expand", ["x", "s"])], [integers("s", 2**40, 2)]), "Expand"),
    "windows": (
        model(
            [node("AveragePool", ["x"], kernel_shape=[2**33], pads=[2**33, 2**33])],
            shape=(1, 1, 5),
        ),
        "AveragePool",
    ),
    "stride": (
        model([node("MaxPool", ["x"], kernel_shape=[1], strides=[0])], shape=(1, 1, 5)),
        "MaxPool",
    ),
    "split": (model([node("Split", ["x"], num_outputs=10**12)], opset=18), "Split"),
    "doubling": (
        model(
            [
                *(node("Concat", [f"c{i}"] * 2, [f"c{i + 1}"], axis=0) for i in range(60)),
                node("Add", ["x", "c60"]),
            ],
            [tensor("c0", [1])],
        ),
        "Concat",
    ),
    "cycle": (model([node("Add", ["x", "y"], ["a"]), node("Relu", ["a"])]), "cycle"),
    "missing": (model([node("Add", ["x", "nowhere"])]), "nowhere"),
    "twice": (model([node("Relu", ["x"]), node("Abs", ["x"])]), "twice"),
    "not a number": (model([node("Add", ["x", "w"])], [NAN]), "tensor 'w'"),
    "infinite": (model([node("Add", ["x", "w"])], [tensor("w", [np.inf, 1])]), "tensor 'w'"),
    "shapes": (model([node("Add", ["x", "w"], name="sum")], [tensor("w", [1, 2, 3])]), "'sum'"),
    "type": (model([node("Cast", ["x"], to=99)]), "Cast"),
    "attribute type": (model([node("Softmax", ["x"], axis="one")]), "axis"),
    "axis": (model([node("Softmax", ["x"], axis=7)]), "Softmax"),
    "index": (model([node("Gather", ["x", "i"])], [integers("i", 2**62)]), "Gather"),
}


@pytest.mark.parametrize("name", ABSURD)
def test_an_absurd_model_is_refused_and_the_place_is_named(name):
    made, place = ABSURD[name]
    with pytest.raises(InputError, match=place):
        load_onnx(made.SerializeToString())


def test_long_exact_constants_stay_in_the_graph():
    squares = [node("Mul", [f"c{i}"] * 2, [f"c{i + 1}"]) for i in range(100)]
    made = model([*squares, node("Add", ["x", "c100"])], [tensor("c0", [3.3])])
    assert load_onnx(made.SerializeToString()).graph.outputs


@pytest.mark.parametrize("data", [b"", b"not a model", gzip.compress(b"x", mtime=0)])
def test_other_files_are_no_model(data):
    with pytest.raises(InputError, match=r"net\.onnx: "):
        load_onnx(data, where="net.onnx")


def test_a_stored_tensor_must_have_as_many_bytes_as_its_shape_says():
    made = model([node("Add", ["x", "w"])], [tensor("w", [1, 2])])
    made.graph.initializer[0].raw_data += b"\0"
    with pytest.raises(InputError, match=r"tensor 'w'.*8 bytes, but 9"):
        load_onnx(made.SerializeToString())
    made.graph.initializer[0].ClearField("raw_data")
    made.graph.initializer[0].float_data.extend([1, 2, 3])
    with pytest.raises(InputError, match=r"tensor 'w'.*2 elements, but 3"):
        load_onnx(made.SerializeToString())


def test_every_node_that_is_not_read_is_listed():
    made = model(
        [
            node("TfIdfVectorizer", ["x"], ["a"]),
            node("Relu", ["a"], ["b"]),
            node("Bernoulli", ["b"], ["c"], name="noise"),
            node("Relu", ["x"], ["d"], slope=2),
            node("Add", ["c", "d"]),
        ]
    )
    with pytest.raises(UnsupportedError) as caught:
        load_onnx(made.SerializeToString())
    assert [name for name, _ in caught.value.nodes] == ["#0", "#3", "noise"]
    assert all("Relu" in why for name, why in caught.value.nodes if name == "#3")


def test_an_unsupported_model_can_be_inspected(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(
        model([node("TfIdfVectorizer", ["x"])], [tensor("w", [1, 2])]).SerializeToString()
    )
    found = inspect(path)
    assert found["ops"] == {"TfIdfVectorizer": 1}
    assert found["parameters"] == 2
    assert [gap["node"] for gap in found["unsupported"]] == ["#0"]
