"""Open dimensions: a batch is read as 1, every other one is asked for by name."""

import json

import numpy as np
import pytest
from onnx import TensorProto, helper

import tamecheck as tc
from tamecheck.cli.entry import main
from tamecheck.errors import InputError
from tamecheck.loaders.onnx import input_shapes, load_onnx


def model(*shapes):
    """A sum over all elements of inputs a, b, ... of the given shapes."""
    names = "abcdef"[: len(shapes)]
    infos = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, s)
        for n, s in zip(names, shapes, strict=True)
    ]
    nodes = [helper.make_node("ReduceSum", [n], [f"s{n}"], keepdims=0) for n in names]
    nodes.append(helper.make_node("Sum", [f"s{n}" for n in names], ["y"]))
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", infos, [output])
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


@pytest.mark.parametrize(
    "shape",
    [
        *(("N", 3), ("batch_size", 3), ("unk__6", 3), (None, 3), ("s0", 3), ("anything", 3)),
        *(("N",), ("batch",)),
    ],
)
def test_a_batch_is_read_as_one_and_noted(shape):
    found = load_onnx(model(shape))
    assert found.graph.inputs == {"a": (1, *shape[1:])}
    name = shape[0] or "?"
    assert found.notes == (f"Dimension {name!r} of input 'a' is read as 1.",)


def test_the_name_of_a_batch_is_one_wherever_it_stands():
    found = load_onnx(model(("batch", 3), (4, "batch")))
    assert found.graph.inputs == {"a": (1, 3), "b": (4, 1)}


@pytest.mark.parametrize(
    ("shape", "option"),
    [
        ((1, 3, "w"), "--dim w=SIZE"),
        ((1, 3, None), "--dim 'a[2]'=SIZE"),
        (("N", "h", "w"), "--dim h=SIZE --dim w=SIZE"),
        (("sequence", 1, 3), "--dim sequence=SIZE"),
        (("T", 1, 3), "--dim T=SIZE"),
        (("n_features",), "--dim n_features=SIZE"),
        (("batch*seq", 3), "--dim 'batch*seq'=SIZE"),
        ((1, "my dim"), "--dim 'my dim'=SIZE"),
    ],
)
def test_another_dimension_is_asked_for(shape, option):
    with pytest.raises(InputError, match=r"has no size") as caught:
        load_onnx(model(shape))
    assert option in caught.value.hint
    assert "\n" not in str(caught.value)


def test_sizes_are_given_by_name_or_by_place():
    raw = model(("N", "h", "w"), (1, "w", None))
    found = load_onnx(raw, dims={"h": 2, "w": 5, "b[2]": 7})
    assert found.graph.inputs == {"a": (1, 2, 5), "b": (1, 5, 7)}
    found = load_onnx(raw, dims={"N": 4, "h": 2, "w": 5, "b[2]": 7, "b[1]": 6})
    assert found.graph.inputs == {"a": (4, 2, 5), "b": (1, 6, 7)}
    assert found.notes == ()
    assert input_shapes(raw, {"h": 2, "w": 5, "b[2]": 7}) == {"a": (1, 2, 5), "b": (1, 5, 7)}


def test_a_given_value_has_a_shape():
    given = {"a": np.zeros((1, 2, 6))}
    assert load_onnx(model((1, "h", "w")), given=given).graph.inputs == {"a": (1, 2, 6)}


@pytest.mark.parametrize(
    ("dims", "message"),
    [
        ({"w": 0}, "'w' cannot have size 0"),
        ({"w": 2**40}, "'w' cannot have size"),
        ({"w": 2, "v": 3}, "No input has an open dimension 'v'"),
        ({"w": 2, "a[1]": 4}, r"The dimension a\[1\] is 3, not 4"),
        ({"w": 2**28, "a[0]": 3}, "more than 268435456 elements"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(dims, message):
    with pytest.raises(InputError, match=message):
        load_onnx(model((None, 3, "w")), dims=dims)


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "net.onnx"
    found.write_bytes(model(("N", "h", "w")))
    return str(found)


def test_the_command_line_asks_and_takes_sizes(path, capsys):
    assert main(["check", path]) == 2
    assert "--dim h=SIZE --dim w=SIZE" in capsys.readouterr().err
    assert main(["check", path, "--dim", "h=2", "--dim", "w=3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "tame"
    assert main(["info", path, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["inputs"] == [{"name": "a", "shape": ["N", "h", "w"]}]
    assert any("--dim h=SIZE" in note for note in found["notes"])


@pytest.mark.parametrize(
    "options",
    [
        *(["--dim", "h"], ["--dim", "h=two"], ["--dim", "=2"], ["--dim", "h=2", "--dim", "h=3"]),
        ["--dim", "h=2", "--dim", "w=3", "--dim", "q=1"],
    ],
)
def test_options_that_do_not_fit_are_one_error(path, options, capsys):
    assert main(["check", path, *options]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_expressions_and_other_files_have_no_open_dimensions(tmp_path, capsys):
    assert main(["check", "--expr", "x+1", "--dim", "h=2"]) == 2
    assert "no open dimensions" in capsys.readouterr().err
    other = tmp_path / "net.json"
    other.write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="Only ONNX models can have open dimensions"):
        tc.load(other, dims={"h": 2})


def test_python_takes_sizes_and_replays(path):
    found = tc.load(path, dims={"h": 2, "w": np.int64(3)}, replay=True)
    assert found.inputs == {"a": (1, 2, 3)}
    with pytest.raises(InputError, match="no natural number"):
        tc.load(path, dims={"h": 2.5, "w": 3})
