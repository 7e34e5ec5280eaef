"""Operators of ``ai.onnx.ml`` have the values of onnxruntime; what is not read is refused."""

import numpy as np
import pytest
from corpus import agree_with_onnxruntime
from onnx import TensorProto, helper

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.loaders.onnx import load_onnx

TREES = "TreeEnsembleRegressor"
RANDOM = np.random.default_rng(7)


def model(op, shape, *, outputs=1, **attributes):
    names = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, ["x"], names, name="here", domain="ai.onnx.ml", **attributes)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_empty_tensor_value_info(name) for name in names],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def forest(prefix, *, trees=3, depth=3, targets=1, modes=("BRANCH_LEQ",)):
    """Attributes of complete trees with random splits of 4 features, and weights of the leaves."""
    columns = {n: [] for n in ("treeids", "nodeids", "featureids", "modes", "values")}
    columns |= {"truenodeids": [], "falsenodeids": []}
    weights = {n: [] for n in ("treeids", "nodeids", "ids", "weights")}
    inner = 2**depth - 1
    for tree in range(trees):
        for node in range(2 * inner + 1):
            leaf = node >= inner
            columns["treeids"].append(tree)
            columns["nodeids"].append(node)
            columns["featureids"].append(0 if leaf else int(RANDOM.integers(4)))
            columns["modes"].append("LEAF" if leaf else modes[node % len(modes)])
            columns["values"].append(0.0 if leaf else float(RANDOM.integers(-4, 5)) / 4)
            columns["truenodeids"].append(0 if leaf else 2 * node + 1)
            columns["falsenodeids"].append(0 if leaf else 2 * node + 2)
            for target in range(targets if leaf else 0):
                weights["treeids"].append(tree)
                weights["nodeids"].append(node)
                weights["ids"].append(target)
                weights["weights"].append(float(RANDOM.integers(-8, 9)) / 8)
    return {
        **{f"nodes_{name}": column for name, column in columns.items()},
        **{f"{prefix}_{name}": column for name, column in weights.items()},
    }


CASES = {
    "scaler": model("Scaler", (3, 4), offset=[1.0, 2, 3, 4], scale=[0.5, 1, 2, 3]),
    "normalizer L1": model("Normalizer", (3, 4), norm="L1"),
    "normalizer L2": model("Normalizer", (3, 4), norm="L2"),
    "binarizer": model("Binarizer", (3, 4), threshold=0.25),
    "imputer": model(
        "Imputer", (3, 4), imputed_value_floats=[9.0, 8, 7, 6], replaced_value_float=0.5
    ),
    "imputer of NaN": model(
        "Imputer", (3, 4), imputed_value_floats=[9.0], replaced_value_float=float("nan")
    ),
    "linear regressor": model(
        *("LinearRegressor", (3, 4)),
        coefficients=[0.5 * i for i in range(8)],
        intercepts=[1.0, -1],
        targets=2,
    ),
    "linear classifier": model(
        *("LinearClassifier", (3, 4)),
        outputs=2,
        classlabels_ints=[5, 3, 8],
        post_transform="SOFTMAX",
        coefficients=[0.5, 1, -1, 2, 0, -1, 0.5, 0.25, 1, 1, -2, 0],
        intercepts=[0.25, 0, -0.125],
    ),
    "trees": model(TREES, (5, 4), n_targets=1, **forest("target")),
    "trees of two targets": model(
        *(TREES, (5, 4)),
        n_targets=2,
        base_values=[0.5, -1.0],
        **forest("target", targets=2, modes=("BRANCH_LT", "BRANCH_GTE", "BRANCH_GT")),
    ),
    **{
        f"{name} of trees": model(
            *(TREES, (5, 4)), aggregate_function=name, n_targets=1, **forest("target", depth=depth)
        )
        for name, depth in (("AVERAGE", 3), ("MAX", 2))
    },
    "a leaf alone": model(TREES, (2, 4), n_targets=1, **forest("target", trees=1, depth=0)),
    "classes of trees": model(
        *("TreeEnsembleClassifier", (5, 4)),
        outputs=2,
        classlabels_int64s=[4, 0, 9],
        post_transform="NONE",
        **forest("class", targets=3),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_values_are_those_of_onnxruntime(name):
    raw = CASES[name]
    shape = load_onnx(raw).graph.inputs["x"]
    drawn = [np.random.default_rng(seed).integers(-8, 9, size=shape) / 4 for seed in range(4)]
    agree_with_onnxruntime(raw, [{"x": np.float32(x)} for x in drawn], rtol=1e-5, atol=1e-6)


def broken(**changes):
    return {**forest("target", trees=1, depth=1), **changes}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (model("Scaler", (3, 4), offset=[1.0, 2], scale=[1.0]), "do not fit"),
        (model("Normalizer", (3, 4), norm="MAX"), "norm 'MAX' is not read"),
        (model("LinearRegressor", (3, 4), coefficients=[1.0]), "1 coefficients"),
        (
            model(*("LinearClassifier", (3, 4)), coefficients=[1.0], classlabels_strings=["a"]),
            "labels that are no integers",
        ),
        (
            model(
                *("TreeEnsembleClassifier", (3, 4)),
                classlabels_int64s=[0, 1],
                **forest("class", targets=2),
            ),
            "trees of two classes",
        ),
        (
            model(TREES, (2, 4), **broken(nodes_truenodeids=[0, 0, 0])),
            "from its root",
        ),
        (
            model(TREES, (2, 4), **broken(nodes_truenodeids=[7, 0, 0])),
            "node 7",
        ),
        (model(TREES, (2, 4), **broken(nodes_featureids=[9, 0, 0])), "outside"),
        (model(TREES, (2, 4), **broken(target_nodeids=[0, 1])), "no leaf"),
        (model(TREES, (2, 4), **broken(nodes_values=[1.0])), "differ in length"),
        (
            model(TREES, (2, 4), post_transform="PROBIT", **broken()),
            "'PROBIT' is not read",
        ),
        (model("SVMRegressor", (2, 4)), "the operator is not known"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(raw, message):
    with pytest.raises((InputError, UnsupportedError), match=message) as caught:
        load_onnx(raw)
    assert "\n" not in str(caught.value)
