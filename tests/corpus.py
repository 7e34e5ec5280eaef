"""Generators of networks that tests share, and the scripts of the repository as modules."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from tamecheck.binarized import ThresholdLayer, ThresholdNetwork
from tamecheck.ir.graph import Apply, Constant, Graph, GraphBuilder, Input
from tamecheck.loaders.loaded import Loaded
from tamecheck.model import Model
from tamecheck.ops import BY_NAME

PARAMS = {
    "clip": {"lo": Fraction(-1, 4), "hi": Fraction(1, 3)},
    "leaky_relu": {"alpha": Fraction(1, 8)},
    "sign": {"at_zero": Fraction(1)},
    "step": {"at_zero": Fraction(1)},
}
"""Parameters of activations, where a test does not give them."""


SPEC = """(declare-const X_0 Real)
(declare-const Y_0 Real)
(assert (>= X_0 -1))
(assert (<= X_0 1))
(assert (>= Y_0 0.5))
"""
"""A property of one input and one output."""


def dense_network(
    sizes,
    weights: Callable[[tuple[int, int]], np.ndarray],
    biases: Callable[[int], np.ndarray] | None = None,
    act: str | Callable[[GraphBuilder, int], int] = "relu",
    **params,
) -> Graph:
    """Affine layers of these widths with an activation between them, from ``x`` to ``y``.

    ``weights((n, m))`` and ``biases(m)`` draw the numbers, in the order of the layers.
    """
    builder = GraphBuilder()
    value = builder.input("x", (1, sizes[0]))
    for number, (n, m) in enumerate(pairwise(sizes)):
        if number:
            value = (
                act(builder, value)
                if callable(act)
                else builder.apply(BY_NAME[act], [value], **(params or PARAMS.get(act, {})))
            )
        value = builder.apply(BY_NAME["matmul"], [value, builder.constant(weights((n, m)))])
        if biases is not None:
            value = builder.apply(BY_NAME["add"], [value, builder.constant(biases(m))])
    return builder.build({"y": value})


def random_dense_network(sizes, rng, act="relu", *, digits=None, dtype=np.float32, **params):
    """Normal weights, and biases of 0.3 times a normal number, perhaps rounded to digits."""

    def stored(values):
        return (values if digits is None else np.round(values, digits)).astype(dtype)

    return dense_network(
        sizes,
        lambda shape: stored(rng.normal(size=shape)),
        lambda m: stored(rng.normal(size=(m,)) * 0.3),
        act,
        **params,
    )


def random_model(sizes, seed, act="relu", *, digits=None) -> Model:
    """A random dense network as a model."""
    graph = random_dense_network(sizes, np.random.default_rng(seed), act, digits=digits)
    return Model(Loaded(graph, "graph", "a random network"))


def threshold_network(  # noqa: PLR0913 (how large the integers are)
    rng,
    inputs: int,
    widths: Iterable[int],
    classes: int | Callable[[], int] = 2,
    *,
    weights=2,
    thresholds=2,
    readout=2,
    offsets=2,
    low=-1,
) -> ThresholdNetwork:
    """Layers of threshold neurons on inputs ``low`` and 1, of random integers of these sizes.

    They are drawn layer by layer; widths and classes may be drawn themselves where they are asked.
    """

    def upto(size, *shape):
        return rng.integers(-size, size + 1, shape)

    layers, width = [], inputs
    for size in widths:
        layers.append(ThresholdLayer(upto(weights, size, width), upto(thresholds, size)))
        width = size
    count = classes() if callable(classes) else classes
    ends = (Fraction(low),) * inputs, (Fraction(1),) * inputs
    return ThresholdNetwork(*ends, tuple(layers), upto(readout, count, width), upto(offsets, count))


def some_threshold_network(seed, inputs=None):
    """One of up to two hidden layers and three classes, and what draws further numbers."""
    rng = np.random.default_rng(seed)
    n, largest = inputs or int(rng.integers(3, 9)), int(rng.integers(1, 4))
    widths = rng.integers(2, 6, int(rng.integers(0, 3))).tolist()
    sizes = {"weights": largest, "thresholds": 3, "readout": 9, "offsets": 20}
    return threshold_network(rng, n, widths, 3, **sizes, low=0), rng


def over_vectors(graph: Graph, weights: np.ndarray | None = None, size: int = 3) -> Graph:
    """A function of scalars, element by element over rows, each perhaps a linear image first."""
    builder = GraphBuilder()
    nodes: list[int] = []
    for node in graph.nodes:
        match node:
            case Input(name=name):
                nodes.append(builder.input(name, (1, size)))
                if weights is not None:
                    mixed = [nodes[-1], builder.constant(weights)]
                    nodes[-1] = builder.apply(BY_NAME["matmul"], mixed)
            case Constant(tensor=tensor):
                nodes.append(builder.constant(tensor))
            case Apply(op=op, args=args, params=params):
                nodes.append(builder.apply(op, [nodes[arg] for arg in args], **params))
    return builder.build({name: nodes[output] for name, output in graph.outputs})


def save_forest(folder: Path) -> tuple[str, str]:
    """A small forest over two integers, and the table that it was fitted to; their paths."""
    from sklearn.ensemble import RandomForestClassifier

    import tamecheck as tc

    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.integers(18, 80, 60), rng.integers(10, 90, 60)])
    labels = (rows[:, 1] > 20 + rows[:, 0] / 2).astype(int)
    forest = RandomForestClassifier(3, max_depth=2, random_state=0).fit(rows, labels)
    tc.from_sklearn(forest).save(folder / "f.json")
    lines = [f"{a},{b},{c}" for (a, b), c in zip(rows, labels, strict=True)]
    (folder / "t.csv").write_text("\n".join(["age,income,label", *lines]) + "\n")
    return str(folder / "f.json"), str(folder / "t.csv")


@contextlib.contextmanager
def dask_client(workers: int, *, threads: int) -> Iterator[Any]:
    """A client of a cluster on this machine."""
    from dask import distributed

    # nannies leave the numbers of threads of their workers in our environment
    with (
        mock.patch.dict(os.environ),
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=threads, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def onnx_model(  # noqa: PLR0913 (what a model has)
    nodes, shape, stored=None, outputs=None, *, opset=13, ir_version=8
):
    """An ONNX model from floats ``x`` of this shape to ``y``, or outputs with the shapes they say.

    ``stored`` are arrays by name; an output without a shape says nothing of itself.
    """
    from onnx import TensorProto, helper, numpy_helper

    def info(name, extents):
        if extents is None:
            return helper.make_empty_tensor_value_info(name)
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, extents)

    graph = helper.make_graph(
        nodes,
        "network",
        [info("x", shape)],
        [info(*pair) for pair in (outputs or {"y": None}).items()],
        [numpy_helper.from_array(np.asarray(v), name) for name, v in (stored or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)


def agree_with_onnxruntime(raw: bytes, points, *, rtol: float, atol: float = 0.0) -> Graph:
    """The graph of an ONNX model, whose values are onnxruntime's, in floats and exactly."""
    import onnxruntime

    from tamecheck.evaluate import exact_values, float_values
    from tamecheck.loaders.onnx import load_onnx

    graph = load_onnx(raw).graph
    session = onnxruntime.InferenceSession(raw, providers=["CPUExecutionProvider"])
    for point in points:
        numbers = {
            name: x.astype(np.float64) if x.dtype == np.float32 else x for name, x in point.items()
        }
        floats, exact = float_values(graph, numbers), exact_values(graph, numbers)
        found = zip(session.run(None, point), floats.values(), exact.values(), strict=True)
        for want, got, sharp in found:
            np.testing.assert_allclose(got, want, rtol=rtol, atol=atol)
            near = np.vectorize(float, otypes=[float])(sharp)
            np.testing.assert_allclose(near, want, rtol=rtol, atol=atol)
    return graph


def written(path: Path, text: str) -> str:
    """The name of a file with this text."""
    path.write_text(text, encoding="utf-8")
    return str(path)


ROOT = Path(__file__).parents[1]


@cache
def script(path: str):
    """The module of a script, by its path in the repository."""
    name = Path(path).stem
    # scripts import what stands beside them
    sys.path.append(str((ROOT / path).parent))
    spec = importlib.util.spec_from_file_location(name, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their module up
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def theorem_pages() -> str:
    """The pages that state the theorems, one after the other."""
    pages = (ROOT / "docs" / name for name in ("theorems.md", "theorems-bounds.md"))
    return "\n".join(page.read_text(encoding="utf-8") for page in pages)
