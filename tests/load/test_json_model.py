"""Models in JSON: read back as they were saved, and refused when anything is off."""

import contextlib
import copy
import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamecheck import ops
from tamecheck.errors import InputError, TamecheckError
from tamecheck.evaluate import exact_values
from tamecheck.ir.graph import GraphBuilder
from tamecheck.loaders import load, parse_expression
from tamecheck.loaders.json_model import graph_document, graph_of, parse_json, write_graph


def network():
    builder = GraphBuilder()
    x = builder.input("x", (1, 3), "X")
    weights = builder.constant(np.arange(6, dtype=np.float32).reshape(3, 2) / 7, "w")
    hidden = builder.apply(ops.MATMUL, [x, weights], "fc")
    clipped = builder.apply(ops.CLIP, [hidden], "clip", lo=Fraction(-1, 3), hi=None)
    bias = builder.constant(np.array([Fraction(1, 3), Fraction(2)], dtype=object))
    total = builder.apply(ops.ADD, [clipped, bias])
    flat = builder.apply(ops.RESHAPE, [total], shape=(2,))
    best = builder.apply(ops.ARGMAX, [flat], axis=0, keepdims=False, last=True)
    scaled = builder.apply(ops.MUL, [best, builder.constant(0.5)])
    return builder.build({"y": flat, "best": scaled})


EXPRESSIONS = ["max(x,0)-3*sign(y);round(x/7)", "1e3900*x", "erf(x)^(1/3)", "1/3", "x;x"]


@pytest.mark.parametrize("name", ["m.json", "m.json.gz"])
@pytest.mark.parametrize("graph", [network(), *(parse_expression(t).graph for t in EXPRESSIONS)])
def test_a_saved_model_is_read_back(tmp_path, graph, name):
    write_graph(graph, tmp_path / name)
    loaded = load(tmp_path / name)
    assert loaded.graph == graph
    assert loaded.graph.sha256 == graph.sha256
    assert [n.label for n in loaded.graph.nodes] == [n.label for n in graph.nodes]
    assert loaded.format == "json"


def test_saving_twice_gives_the_same_bytes(tmp_path):
    write_graph(network(), tmp_path / "a.json.gz")
    write_graph(network(), tmp_path / "b.json.gz")
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()


BY_HAND = """{"format": "tamecheck-graph", "version": 1,
 "nodes": [{"op": "input", "name": "x", "shape": [2]},
           {"op": "constant", "value": [[0.1, "1/3"], [2, -1e-2]]},
           {"op": "matmul", "args": [1, 0]},
           {"op": "clip", "args": [2], "params": {"lo": 0, "hi": "5/2"}}],
 "outputs": [{"name": "y", "node": 3}]}"""


def test_a_model_written_by_hand_is_exact():
    graph = graph_of(parse_json(BY_HAND))
    x = np.array([Fraction(1), Fraction(3)], dtype=object)
    assert exact_values(graph, {"x": x})["y"].tolist() == [Fraction(11, 10), Fraction(197, 100)]


def without(key):
    return lambda d: d.pop(key)


TRUE = True


def setting(value, *path):
    def change(document):
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


NAN = "AADAfwAAgD8AAIA/AACAPwAAgD8AAIA/"
CHANGES = [
    (without("nodes"), "'nodes' is missing"),
    (without("format"), "no model"),
    (setting(2, "version"), "Version 1"),
    (setting(TRUE, "version"), "Version 1"),
    (setting(1, "extra"), "Unknown key 'extra'"),
    (setting([], "outputs"), "no output"),
    (setting([{"name": "y", "node": 99}], "outputs"), "An output must be"),
    (setting([{"name": "y", "node": True}], "outputs"), "An output must be"),
    (setting([{"name": "y", "node": 1}] * 2, "outputs"), "same name"),
    (setting(["a"], "labels"), "'labels'"),
    (setting("frobnicate", "nodes", 2, "op"), "node 2: Unknown op 'frobnicate'"),
    (setting([0, 9], "nodes", 2, "args"), "node 2: 'args' must be numbers of earlier"),
    (setting([0, 2], "nodes", 2, "args"), "node 2: 'args' must be numbers of earlier"),
    (setting([0], "nodes", 2, "args"), "node 2: op matmul does not take 1"),
    (setting([1, 0], "nodes", 2, "args"), "node 2: Shapes (3, 2) and (1, 3)"),
    (setting([9, 9], "nodes", 2, "shape"), "node 2: The shape is [1, 2]"),
    (setting({"x": 1}, "nodes", 2, "params"), "node 2: op matmul has no parameter 'x'"),
    (setting("1/0", "nodes", 3, "params", "lo"), "node 3: '1/0' has denominator 0"),
    (setting(TRUE, "nodes", 3, "params", "lo"), "node 3: 'True' is not a number"),
    (setting([1.5], "nodes", 6, "params", "shape"), "node 6: Parameter 'shape'"),
    (setting(-3, "nodes", 7, "params", "axis"), "node 7: axis -3"),
    (setting([2**70], "nodes", 0, "shape"), "node 0"),
    (setting([2**20, 2**20], "nodes", 0, "shape"), "node 0: The shape (1048576, 1048576) has more"),
    (setting([-1], "nodes", 0, "shape"), "node 0: [-1] is no shape"),
    (setting("", "nodes", 0, "name"), "node 0: An input needs a name"),
    (setting("0" * 64, "nodes", 1, "tensor"), "node 1: There is no tensor"),
    (setting([3, 3], "nodes", 1, "shape"), "node 1: The shape is [3, 2]"),
]


@pytest.mark.parametrize(("change", "words"), CHANGES)
def test_a_wrong_document_is_refused(change, words):
    document = json.loads(json.dumps(graph_document(network())))
    change(document)
    with pytest.raises(InputError) as caught:
        graph_of(document, where="m.json")
    assert caught.value.message.startswith("m.json")
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("data", "AAAA", "bytes do not fill"),
        ("data", "!!!!", "base64"),
        ("data", NAN, "NaN"),
        ("data", "AACAPwAAgD8AAIA/AACAPwAAgD8AAIA/", "digest"),
        ("encoding", "f16", "Unknown encoding"),
        ("encoding", "q", "list of texts"),
        ("shape", [6], "digest"),
        ("shape", None, "no shape"),
    ],
)
def test_wrong_tensor_data_are_refused(key, value, words):
    document = graph_document(network())
    digest = document["nodes"][1]["tensor"]
    document["tensors"][digest][key] = value
    with pytest.raises(InputError) as caught:
        graph_of(document, where="m.json")
    assert caught.value.message.startswith(f"m.json, tensor {digest[:12]}")
    assert words in caught.value.message


@pytest.mark.parametrize(
    "text", ["", "{", "[NaN]", "[1e999999]", '{"a":1,"a":2}', "[" * 100_000, "9" * 5000, "[1,]"]
)
def test_what_is_not_json_is_refused(text):
    with pytest.raises(InputError, match=r"m\.json"):
        parse_json(text, where="m.json")


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.sampled_from(
        ["", "x", "relu", "constant", "1/2", [], {}, [0], [1, 2], 2**40, Fraction(1, 2)]
    ),
)


def places(document, path=()):
    """Every place in a document."""
    children = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


DOCUMENTS = [graph_document(network()), graph_document(parse_expression(EXPRESSIONS[0]).graph)]


@given(st.data())
def test_any_change_is_read_or_refused_politely(data):
    document = copy.deepcopy(data.draw(st.sampled_from(DOCUMENTS)))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(places(document))))
        setting(data.draw(VALUES), *path)(document)
    with contextlib.suppress(TamecheckError):
        graph_of(document)
