"""Large models are checked in little time, and hostile certificates cannot make the kernel hang."""

import base64
import hashlib
import json
import random
import struct
from fractions import Fraction
from itertools import pairwise

import pytest

from tamecheck.kernel import check

LINQ = "rational-semilinear"
WILD = {"verdict": "not-tame", "refutes": "o-minimal"}
TAME = {"verdict": "tame", "structures": [LINQ]}
RAY = {"rule": "line", "base": {"x": ["0"]}, "direction": {"x": ["1"]}, "t": ["0", "1"]}


def certificate(nodes, steps, claim=TAME, box=(None, None), tensors=None):
    outputs = [{"name": "y", "node": len(nodes) - 1}]
    graph = {"format": "tamecheck-graph", "version": 1, "nodes": nodes, "outputs": outputs}
    text = json.dumps(graph, sort_keys=True, separators=(",", ":"))
    return json.dumps(
        {
            "format": "tamecheck-certificate",
            "version": 1,
            "model": {"sha256": hashlib.sha256(text.encode()).hexdigest(), "graph": graph},
            "tensors": tensors or {},
            "domain": {"x": {"lower": [box[0]], "upper": [box[1]]}},
            "claim": claim,
            "steps": steps,
        }
    )


def x(*shape):
    return {"op": "input", "name": "x", "shape": list(shape)}


def op(name, *args, shape=(), **params):
    return {"op": name, "args": list(args), "params": params, "shape": list(shape)}


def structure(node, *args):
    return {"rule": "structure", "node": node, "in": [LINQ], "args": list(args)}


def enclosure(node, lower, upper, *args):
    return {"rule": "enclosure", "node": node, "lower": lower, "upper": upper, "from": list(args)}


def network(sizes, *, bounds):
    """A ReLU network with random weights; exact bounds of each layer, if these are asked for."""
    rng = random.Random(0)
    nodes, tensors, box = [x(1, sizes[0])], {}, [(Fraction(0), Fraction(1))] * sizes[0]
    steps = [structure(0), enclosure(0, ["0"], ["1"])]
    below, shown, bounded = 0, 0, 1
    for n, m in pairwise(sizes):
        w = [rng.randrange(-64, 65) / 64 for _ in range(n * m)]
        raw = struct.pack(f"<{n * m}f", *w)
        digest = hashlib.sha256(f"f32:{n},{m}:".encode() + raw).hexdigest()
        k = len(nodes)
        nodes.append({"op": "constant", "tensor": digest, "shape": [n, m]})
        nodes.append(op("matmul", below, k, shape=(1, m)))
        nodes.append(op("relu", k + 1, shape=(1, m)))
        s = len(steps)
        steps += [structure(k), structure(k + 1, shown, s), structure(k + 2, s + 1)]
        if bounds:
            data = base64.b64encode(raw).decode()
            tensors[digest] = {"shape": [n, m], "encoding": "f32", "data": data}
            columns = [[Fraction(v) for v in w[j::m]] for j in range(m)]
            ends = [[(v * a, v * b) for v, (a, b) in zip(c, box, strict=True)] for c in columns]
            box = [(sum(map(min, e)), sum(map(max, e))) for e in ends]
            sides = [[str(v) for v in side] for side in zip(*box, strict=True)]
            box = [(max(a, Fraction(0)), max(b, Fraction(0))) for a, b in box]
            cut = [[str(v) for v in side] for side in zip(*box, strict=True)]
            steps.append(enclosure(k, ["-1"], ["1"]))
            steps.append(enclosure(k + 1, *sides, bounded, s + 3))
            steps.append(enclosure(k + 2, *cut, s + 4))
            bounded = s + 5
        below, shown = k + 2, s + 2
    return certificate(nodes, steps, box=("0", "1"), tensors=tensors)


@pytest.mark.parametrize(
    ("sizes", "bounds"),
    [((784, 1200, 700, 10), False), ((784, 128, 10), True), ((32, 16, 4), True)],
)
def test_networks_are_checked_sharply(sizes, bounds):
    report = check(network(sizes, bounds=bounds))
    assert report.verdict == "valid", report


def test_sharper_than_exact_is_refused():
    document = json.loads(network((8, 4), bounds=True))
    step = next(s for s in document["steps"] if s["rule"] == "enclosure" and s["node"] == 2)
    step["upper"][0] = str(Fraction(step["upper"][0]) - Fraction(1, 10**30))
    assert check(json.dumps(document)).verdict == "invalid"


def chain(name, length, first, *, twice=True):
    nodes = [x(), *first]
    for _ in range(length):
        k = len(nodes) - 1
        nodes.append(op(name, k, k) if twice else op(name, k))
    return nodes


HUGE = 1 << 20
HOSTILE = {
    "huge input on a line": certificate(
        [x(HUGE, HUGE), op("slice", 0, shape=(1, 1), starts=[0, 0], steps=[1, 1], sizes=[1, 1])],
        [{**RAY, "output": [1, 0]}],
        WILD,
    ),
    "degree doubles": certificate(chain("mul", 200, []), [{**RAY, "output": [200, 0]}], WILD),
    "terms double": certificate(
        chain("mul", 60, [op("sin", 0), op("add", 0, 1)]), [{**RAY, "output": [62, 0]}], WILD
    ),
    "tower": certificate(
        chain("exp", 60, [op("sin", 0)], twice=False), [{**RAY, "output": [61, 0]}], WILD
    ),
    "digits double": certificate(
        chain("mul", 60, []),
        [enclosure(0, ["3"], ["3"])]
        + [enclosure(k, ["3"], [None], k - 1, k - 1) for k in range(1, 61)],
        box=("3", "3"),
    ),
    "long numbers": certificate(
        [x(), op("sin", 0), op("tanh", 0), op("pow", 0, exponent="9" * 18)],
        [
            enclosure(0, ["1" + "0" * 3999], ["2" + "0" * 3999]),
            enclosure(1, ["-1"], ["1"], 0),
            enclosure(2, ["0"], ["1"], 0),
            enclosure(3, [None], [None], 0),
        ],
        box=("1" + "0" * 3999, "2" + "0" * 3999),
    ),
    "huge tensor": certificate([x(1 << 40)], [{"rule": "bounded", "node": 0, "from": []}]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_certificates_are_refused(name):
    assert check(HOSTILE[name]).verdict != "valid"


def test_huge_shapes_cost_nothing():
    nodes = [x(HUGE, HUGE), op("transpose", 0, shape=(HUGE, HUGE), perm=[1, 0])]
    steps = [
        structure(0),
        structure(1, 0),
        enclosure(0, ["0"], ["1"]),
        enclosure(1, ["0"], ["1"], 2),
    ]
    assert check(certificate(nodes, steps, box=("0", "1"))).verdict == "valid"
