"""Weights beside the model are read, but from no other folder."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from tamecheck.errors import InputError
from tamecheck.evaluate import float_values
from tamecheck.loaders.onnx import load_onnx

WEIGHTS = np.array([1.5, -2.5], dtype="<f4")


def written(folder, location, **entries):
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2])
    weights.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        weights.external_data.add(key=key, value=str(value))
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
        [weights],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    path = folder / "net.onnx"
    path.write_bytes(made.SerializeToString())
    return path


@pytest.fixture
def folder(tmp_path):
    inside = tmp_path / "model"
    (inside / "weights").mkdir(parents=True)
    (inside / "weights" / "w.bin").write_bytes(b"head" + WEIGHTS.tobytes())
    (tmp_path / "secret.bin").write_bytes(WEIGHTS.tobytes())
    return inside


def test_weights_inside_the_folder_are_read(folder):
    path = written(folder, "weights/w.bin", offset=4, length=8)
    graph = load_onnx(path).graph
    assert float_values(graph, {"x": np.zeros(2)})["y"].tolist() == WEIGHTS.tolist()


@pytest.mark.parametrize(
    "location",
    ["../secret.bin", "weights/../../secret.bin", "/etc/hostname", "..\\secret.bin", "C:\\x", ""],
)
def test_no_path_leads_out_of_the_folder(folder, location):
    with pytest.raises(InputError, match=r"tensor 'w'.*outside the folder"):
        load_onnx(written(folder, location))


def test_no_link_leads_out_of_the_folder(folder):
    (folder / "link.bin").symlink_to(folder.parent / "secret.bin")
    (folder / "linked").symlink_to(folder.parent)
    for location in ("link.bin", "linked/secret.bin"):
        with pytest.raises(InputError, match=r"tensor 'w'.*outside the folder"):
            load_onnx(written(folder, location))


@pytest.mark.parametrize(
    "entries",
    [{"offset": 5, "length": 8}, {"offset": -1}, {"length": 10**12}, {"offset": "x"}, {}],
)
def test_the_stored_bytes_must_be_those_of_the_tensor(folder, entries):
    with pytest.raises(InputError, match="tensor 'w'"):
        load_onnx(written(folder, "weights/w.bin", **entries))


def test_there_must_be_a_file(folder):
    for location in ("weights", "none.bin", "nul\0.bin"):
        with pytest.raises(InputError, match="tensor 'w'"):
            load_onnx(written(folder, location))


def test_bytes_have_no_folder(folder):
    data = written(folder, "weights/w.bin").read_bytes()
    with pytest.raises(InputError, match="is no file"):
        load_onnx(data)
