"""The command line: exit codes, the JSON keys of the contract, the competition's file."""

import json
import time
from fractions import Fraction

import numpy as np
import onnx
import pytest
from corpus import onnx_model
from onnx import helper

from tamecheck.cli import main

UNSAFE = {
    "holds": "(assert (<= Y_0 -0.001))",
    "violated": "(assert (<= Y_0 0.5))",
}


@pytest.fixture
def files(tmp_path):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Relu", ["h"], ["y"])]
    stored = {"w": np.eye(2, 1, dtype=np.float32)}
    onnx.save(onnx_model(nodes, [1, 2], stored, {"y": [1, 1]}), tmp_path / "net.onnx")
    declared = "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)"
    box = "".join(f"(assert (>= X_{i} -1))(assert (<= X_{i} 1))" for i in range(2))
    for name, unsafe in UNSAFE.items():
        (tmp_path / f"{name}.vnnlib").write_text(declared + box + unsafe)
    return tmp_path


@pytest.mark.parametrize(("name", "code"), [("holds", 0), ("violated", 1)])
def test_json_has_the_keys_of_the_contract(files, capsys, name, code):
    arguments = ["verify", files / "net.onnx", files / f"{name}.vnnlib", "--json"]
    assert main([*map(str, arguments), "--timeout", "10"]) == code
    answer = json.loads(capsys.readouterr().out)
    assert answer["verdict"] == name
    assert {"reason", "witness", "certificate", "method", "seconds"} <= answer.keys()
    if name == "violated":
        witness = answer["witness"]
        x, y = ([Fraction(text) for text in witness[key]] for key in ("input", "output"))
        assert max(x[0], 0) == y[0] <= Fraction(1, 2)
        assert witness["exact"] is True
        assert witness["float32"] is True


def test_text_names_the_witness(files, capsys):
    main(["verify", str(files / "net.onnx"), str(files / "violated.vnnlib")])
    shown = capsys.readouterr().out
    assert "violated" in shown
    assert "float32 run violates it too: yes" in shown


@pytest.mark.parametrize(("name", "word"), [("holds", "unsat"), ("violated", "sat")])
def test_competition_mode_writes_a_file_and_exits_with_0(files, name, word):
    result = files / "result.txt"
    arguments = ["verify", files / "net.onnx", files / f"{name}.vnnlib", "--vnncomp", result, "-q"]
    assert main([str(argument) for argument in arguments]) == 0
    assert result.read_text().split()[0] == word


@pytest.mark.parametrize(
    ("model", "text", "word"),
    [
        ("net.onnx", None, "error"),
        ("nowhere.onnx", "(assert true)", "error"),
        ("net.onnx", "(assert (<= Y_0 0", "error"),
        ("net.onnx", "(declare-const X_0 Real)(assert (<= (/ 1 X_0) 0))", "unknown"),
        ("net.onnx", "(declare-const X_0 Real)(declare-const Y_0 Real)", "error"),
    ],
)
def test_competition_mode_writes_its_file_when_nothing_can_be_verified(
    files, capsys, model, text, word
):
    result, path = files / "result.txt", files / "p.vnnlib"
    if text is not None:
        path.write_text(text)
    arguments = ["verify", str(files / model), str(path), "--vnncomp", str(result)]
    assert main(arguments) == 0
    assert result.read_text() == f"{word}\n"
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.slow
def test_competition_mode_says_timeout_when_the_clock_ends_the_run(files, monkeypatch):
    def slow(*_, **__):
        time.sleep(20)

    monkeypatch.setattr("tamecheck.verification.verify", slow)
    result = files / "result.txt"
    arguments = ["verify", files / "net.onnx", files / "holds.vnnlib", "--vnncomp", result]
    assert main([*map(str, arguments), "--timeout", "0.2"]) == 0
    assert result.read_text() == "timeout\n"


def test_an_expression_takes_the_place_of_the_model(files, capsys):
    arguments = ["verify", "--expr", "max(x,0) + 0*y", str(files / "holds.vnnlib"), "-q"]
    assert main(arguments) == 0
    assert capsys.readouterr().out == "holds\n"


def test_a_property_of_another_size_is_bad_input(files, capsys):
    assert main(["verify", "--expr", "x", str(files / "holds.vnnlib")]) == 2
    assert "2 input elements" in capsys.readouterr().err
