"""What was read is compared with its source: faults are found, rounding and jumps are none."""

import sys

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.preprocessing import StandardScaler

import tamecheck as tc
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.graph import GraphBuilder
from tamecheck.loaders.agreement import Original, points_like, refuse_difference
from tamecheck.loaders.onnx.runtime import replay_graph
from tamecheck.loaders.sklearn.model import from_sklearn
from tamecheck.loaders.text.expression import parse_expression
from tamecheck.models import path
from tamecheck.ops import SUM


def compare(text, function, precision=np.float32, refined=None, at=0.5):
    """Compare an expression in x with a function of an array in float32, or in ``precision``."""
    graph = parse_expression(text).graph
    (output,) = dict(graph.outputs)

    def run(kind, act):
        def at(point):
            with np.errstate(all="ignore"):
                return {output: np.asarray(act(point["x"].astype(kind)), dtype=kind)}

        return at

    better = None if refined is None else run(np.float64, refined)
    original = Original("NumPy", precision, run(precision, function), better)
    refuse_difference(graph, original, points_like({"x": np.asarray(precision(at))}), where="it")


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("2*x", lambda x: np.float32(2.0001) * x),
        ("max(x, 0)", lambda x: np.maximum(x, 0) * (x < 3)),
        ("x + 1/1000", lambda x: x),
        ("log(abs(x))", np.log),
        ("clip(x, -1, 1)", lambda x: np.clip(x, -1, 1.001)),
    ],
)
def test_another_function_is_refused(text, function):
    with pytest.raises(UnsupportedError, match=r"^it: What was read is another function: output"):
        compare(text, function)


@pytest.mark.parametrize(
    ("text", "function", "at"),
    [
        ("step(x)", lambda x: x > 0, 0.0),
        ("sign(x)", lambda x: np.where(x < 0, -1, 1), 0.0),
        ("round(x)", lambda x: np.floor(x + 0.5), 2.5),
        ("floor(x)", lambda x: np.ceil(x) - 1, 3.0),
    ],
)
def test_another_value_at_a_jump_is_refused(text, function, at):
    """Float32 and float64 agree there: it is no rounding that moved the source across the jump."""
    with pytest.raises(UnsupportedError, match="another function"):
        compare(text, function, refined=function, at=at)


def test_the_error_names_output_values_difference_and_point():
    with pytest.raises(UnsupportedError) as caught:
        compare("x + 1", lambda x: x)
    assert "output 'y' is 1.5, but 0.5 in NumPy (difference 1) at point 0, x = [0.5]" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("log(1 + exp(x))", lambda x: np.log1p(np.exp(x))),
        ("floor(10*x/3)", lambda x: np.floor(np.float32(10) * x / np.float32(3))),
        ("sqrt(x)", np.sqrt),
        ("1/x", lambda x: np.float32(1) / x),
        ("exp(x)", np.exp),
    ],
)
def test_rounding_jumps_overflow_and_undefined_points_are_no_difference(text, function):
    compare(text, function)


def test_cancellation_is_settled_in_float64():
    """(1000 + x)³ loses all of x in float32 near 0; one wrong term of it is found all the same."""

    def cube(x):
        return (x + 1000) ** 3 - 10**9 - 3 * 10**6 * x

    compare("3000*x^2 + x^3", cube, refined=cube)
    with pytest.raises(UnsupportedError, match="another function"):
        compare("3000*x^2 + 2*x^3", cube, refined=cube)


def test_a_source_that_fails_everywhere_decides_nothing():
    graph = parse_expression("x").graph
    original = Original("NumPy", np.float64, lambda _: None)
    with pytest.raises(UnsupportedError, match="49 of 49 points decide nothing"):
        refuse_difference(graph, original, points_like({"x": np.float64(1)}), where="it")


def test_points_have_the_types_of_the_example_and_integers_its_range():
    example = {"i": np.array([[2, 5]]), "b": np.array([True]), "x": np.float32([1, 200])}
    points = list(points_like(example))
    assert len(points) == 49
    assert all(
        p[n].dtype == a.dtype and p[n].shape == a.shape for p in points for n, a in example.items()
    )
    assert {int(i) for p in points for i in p["i"].flat} == {2, 3, 4, 5}
    assert {bool(b) for p in points for b in p["b"]} == {True, False}
    scales = [float(np.abs(p["x"]).max()) for p in points]
    assert min(scales) < 0.1
    assert max(scales) > 100


@pytest.mark.parametrize(
    ("kind", "method", "output"),
    [
        (LinearRegression, "predict", "value"),
        (LogisticRegression, "decision_function", "decision"),
        (LogisticRegression, "predict", "label"),
        (StandardScaler, "transform", "y"),
    ],
)
def test_an_estimator_that_computes_something_else_is_refused(kind, method, output, monkeypatch):
    rows = np.random.default_rng(0).normal(size=(40, 3))
    estimator = kind().fit(rows, (rows[:, 0] > 0).astype(int))
    right = getattr(kind, method)
    assert from_sklearn(estimator).graph.inputs == {"x": (3,)}
    monkeypatch.setattr(
        kind,
        method,
        lambda self, x: 1 - right(self, x) if output == "label" else right(self, x) + 1,
    )
    with pytest.raises(UnsupportedError, match=rf"output '{output}' is .* in scikit-learn"):
        from_sklearn(estimator)


@pytest.mark.parametrize("name", ["relu", "bnn"])
def test_embedded_models_are_what_onnxruntime_computes(name):
    assert tc.load(path(name), replay=True).graph.sha256 == tc.load(path(name)).graph.sha256


def test_a_graph_that_is_not_the_file_is_refused():
    builder = GraphBuilder()
    x = builder.input("x", (1, 2))
    other = builder.build({"y": builder.apply(SUM, [x], axes=(1,), keepdims=True)})
    with pytest.raises(UnsupportedError, match=r"relu\.onnx: .*onnxruntime"):
        replay_graph(other, path("relu"))


def test_what_cannot_be_replayed_says_why(tmp_path, monkeypatch):
    file = tmp_path / "m.json"
    tc.expression("x").save(file)
    with pytest.raises(InputError, match="Only ONNX"):
        tc.load(file, replay=True)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match="onnxruntime is not installed"):
        tc.load(path("relu"), replay=True)
