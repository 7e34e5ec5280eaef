"""Equilibrium networks as equations in ONNX files; many kinks at one point."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import tamecheck as tc
from tamecheck.cli.entry import main
from tamecheck.derivative.implicit import Status, implicit
from tamecheck.layers import equilibrium_layer


def weights(size, seed=0):
    """Monotone weights: I - W has a symmetric part of at least 0.2 I."""
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, size, size)) / np.sqrt(size)
    w = 0.8 * np.eye(size) - a.T @ a + b - b.T
    return w, rng.standard_normal((size, 3)), rng.standard_normal(size), rng


def equations_file(path, w, u, shift):
    """``F(z, x) = z - relu(W z + U x + b)`` as an ONNX file."""
    size, width = u.shape
    arrays = {"W": w.T, "U": u.T, "b": shift}
    nodes = [
        helper.make_node("MatMul", ["z", "W"], ["Wz"]),
        helper.make_node("MatMul", ["x", "U"], ["Ux"]),
        helper.make_node("Add", ["Wz", "Ux"], ["sum"]),
        helper.make_node("Add", ["sum", "b"], ["before"]),
        helper.make_node("Relu", ["before"], ["after"]),
        helper.make_node("Sub", ["z", "after"], ["F"]),
    ]
    graph = helper.make_graph(
        nodes,
        "equilibrium",
        [
            helper.make_tensor_value_info("z", TensorProto.DOUBLE, [1, size]),
            helper.make_tensor_value_info("x", TensorProto.DOUBLE, [1, width]),
        ],
        [helper.make_tensor_value_info("F", TensorProto.DOUBLE, [1, size])],
        [numpy_helper.from_array(np.ascontiguousarray(v), k) for k, v in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)
    return path


def unrolled(w, u, shift, x, direction):
    """The fixed point and its derivative along a direction of x, by 5000 steps of the iteration."""
    z, dz = np.zeros(len(w)), np.zeros(len(w))
    step = 0.02
    for _ in range(5000):
        before = z - step * (z - w @ z - u @ x - shift)
        dz = (before > 0) * (dz - step * (dz - w @ dz - u @ direction))
        z = np.maximum(before, 0)
    return z, dz


def test_equilibrium_of_64_units(tmp_path):
    w, u, shift, rng = weights(64)
    model = tc.load(equations_file(tmp_path / "f.onnx", w, u, shift))
    x, direction = rng.standard_normal((2, 3))
    z, dz = unrolled(w, u, shift, x, direction)
    found = implicit(model, unknowns=["z"], at={"z": z, "x": x})
    assert found.verdict is Status.PROVED
    assert np.allclose([float(v) for v in found.solution], z, atol=1e-9)
    assert np.allclose(found.jvp(direction), dz, atol=1e-9)
    cotangents = rng.standard_normal((2, 64))
    layer = equilibrium_layer(w, u, shift, np.stack([x, x]))
    assert np.allclose(found.vjp(cotangents), layer.vjp(cotangents).x, atol=1e-10)


def test_64_kinks_at_one_point(tmp_path):
    """At z = 0, x = 0, b = 0 all units are at their kinks: 2^64 patterns, one condition."""
    w, u, _, _ = weights(64)
    model = tc.load(equations_file(tmp_path / "f.onnx", w, u, np.zeros(64)))
    found = implicit(model, unknowns=["z"], at={"z": np.zeros(64), "x": np.zeros(3)})
    assert found.verdict is Status.PROVED
    assert not found.listed
    assert found.vertices == ()
    why = next(h.why for h in found.hypotheses if h.name == "every element invertible")
    assert "P-matrix" in why
    assert "symmetric part" in why
    assert found.vjp(np.ones(64)).shape == (3,)
    assert found.validity().parameters is None


def test_many_kinks_with_a_singular_element(tmp_path):
    """W = 2 I: I - D W is singular at D = 1/2, which is no vertex."""
    size = 20
    model = tc.load(
        equations_file(tmp_path / "f.onnx", 2 * np.eye(size), np.eye(size, 3), np.zeros(size))
    )
    found = implicit(model, unknowns=["z"], at={"z": np.zeros(size), "x": np.zeros(3)})
    assert found.verdict is Status.REFUTED
    matrix = np.array([[float(a) for a in row] for row in found.singular.matrix])
    assert np.linalg.matrix_rank(matrix) < size
    assert set(np.diag(matrix)) <= {-1.0, 0.0, 1.0}


def test_contraction_of_many_kinks_in_two_layers():
    """z = relu(A relu(B z)) with |A| |B| < 1 at 0: kinks feed kinks, an interval matrix decides."""
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, (2, 16, 16)) / 20
    text = "; ".join(f"z{i} - relu({_row(a[i], b)}) - p" for i in range(16))
    names = [f"z{i}" for i in range(16)]
    found = implicit(text, unknowns=names, at=dict.fromkeys([*names, "p"], 0))
    assert found.verdict is Status.PROVED
    assert found.kind == "enclosure"


def _row(row, inner):
    def linear(values):
        return " + ".join(f"({float(v):.6f})*z{j}" for j, v in enumerate(values))

    return " + ".join(f"({float(v):.6f})*relu({linear(inner[j])})" for j, v in enumerate(row))


def test_onnx_file_on_the_command_line(tmp_path, capsys):
    w, u, shift, rng = weights(4, seed=3)
    path = equations_file(tmp_path / "f.onnx", w, u, shift)
    x = rng.standard_normal(3)
    z, _ = unrolled(w, u, shift, x, np.zeros(3))
    point = tmp_path / "point.json"
    point.write_text(json.dumps({"z": z.tolist(), "x": x.tolist()}))
    arguments = ["diff", str(path), "--implicit", "z", "--input", str(point), "--json"]
    assert main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "proved"
    assert found["unknowns"] == [f"z[{k}]" for k in range(4)]
    matrix = np.array([[fraction(a) for a in row] for row in found["vertices"][0]])
    active = z > 0
    expected = np.linalg.solve(np.eye(4) - active[:, None] * w, active[:, None] * u)
    assert np.allclose(matrix, expected)
    assert found["validity"]["parameters"] is not None
    assert main(["diff", str(path), "--implicit", "x", "--input", str(point)]) == 2
    assert "4 equations for 3 unknowns" in capsys.readouterr().err


def fraction(text):
    top, _, bottom = text.partition("/")
    return int(top) / int(bottom or 1)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--expr", "x^2 - p", "--at", "p=2"], 2, "several solutions"),
        (["--expr", "x^2 + 1 - p", "--at", "p=0"], 2, "No solution exists"),
        (["--expr", "x^2 - p", "--at", "x=0"], 2, "'p' has no value"),
        (["--expr", "x^2 - p", "--at", "x=1:2,p=1"], 2, "--at, 'x=1:2'"),
        (["--expr", "x^3 - p", "--at", "x=0,p=0"], 1, "[0] is singular"),
        (["--expr", "sin(x) - p", "--at", "x=0,p=0", "--box", "-inf:inf"], 1, "periodic"),
        (["--expr", "floor(x) - p", "--at", "x=0,p=0"], 1, "jumps"),
        (["--expr", "x^2 - p", "--at", "x=1.41421,p=2"], 0, "exactly one solution"),
    ],
)
def test_refusals_name_the_reason(capsys, arguments, code, said):
    assert main(["diff", "--implicit", "x", *arguments]) == code
    output = capsys.readouterr()
    assert said in output.out + output.err
