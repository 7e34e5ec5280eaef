"""Readers of untrusted files, a small valid corpus for each, and mutations of it."""

import contextlib
import gzip
import json
import random
import re
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

import tamecheck as tc
from tamecheck.cli import items as merge
from tamecheck.cli.entry import _parse
from tamecheck.cli.inputs import naming_of
from tamecheck.cli.items import items_of, names_many, sha256_of_items
from tamecheck.cli.source import slice_of
from tamecheck.loaders.samples import read_point, read_rows
from tamecheck.loaders.tables.schema_file import read_schema
from tamecheck.loaders.tables.table import read_table
from tamecheck.loaders.text.box import parse_point
from tamecheck.loaders.text.vnnlib import read_vnnlib
from tamecheck.programs import check, write
from tamecheck.verification.referee import answers_in

KERNEL = Path(__file__).parents[1] / "kernel" / "accept"


@dataclass(frozen=True)
class Reader:
    """A suffix, texts or bytes that can be read, and what reads the file."""

    suffix: str
    corpus: tuple[bytes, ...]
    read: Callable[[Path], object]
    binary: bool = False


def _onnx_models():
    rng = np.random.default_rng(0)
    weight = numpy_helper.from_array(rng.normal(size=(2, 3)).astype(np.float32), "w")
    shape = numpy_helper.from_array(np.array([3, 1], dtype=np.int64), "s")
    kernel = numpy_helper.from_array(rng.normal(size=(1, 1, 2, 2)).astype(np.float32), "k")
    value = helper.make_tensor_value_info
    made = [
        helper.make_graph(
            [
                helper.make_node("MatMul", ["x", "w"], ["h"]),
                helper.make_node("Relu", ["h"], ["r"]),
                helper.make_node("Reshape", ["r", "s"], ["t"]),
                helper.make_node("Transpose", ["t"], ["u"], perm=[1, 0]),
                helper.make_node("Softmax", ["u"], ["y"], axis=1),
            ],
            "net",
            [value("x", TensorProto.FLOAT, [1, 2])],
            [value("y", TensorProto.FLOAT, [1, 3])],
            [weight, shape],
        ),
        helper.make_graph(
            [
                helper.make_node("Conv", ["x", "k"], ["c"], kernel_shape=[2, 2], pads=[0] * 4),
                helper.make_node("MaxPool", ["c"], ["p"], kernel_shape=[2, 2], strides=[1, 1]),
                helper.make_node("Clip", ["p"], ["q"]),
                helper.make_node("ReduceSum", ["q"], ["y"], keepdims=0),
            ],
            "image",
            [value("x", TensorProto.FLOAT, [1, 1, 4, 4])],
            [value("y", TensorProto.FLOAT, [])],
            [kernel],
        ),
    ]
    models = [
        helper.make_model(g, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        for g in made
    ]
    return tuple(model.SerializeToString() for model in models)


def _npy_files():
    found = []
    for array in (np.array([0.5, -1.0]), np.array([[1, 2]], dtype=np.int8), np.float32([1, 2])):
        stream = BytesIO()
        np.save(stream, array)
        found.append(stream.getvalue())
    return tuple(found)


def _json_models():
    texts = ("max(x,0) - sign(y)", "clip(x, -1, 1)*y + exp(x)/3")
    return tuple(json.dumps(_document(tc.expression(text))).encode() for text in texts)


def _document(model):
    from tamecheck.loaders.json_model import graph_document

    return graph_document(model.graph)


PAIR = tc.expression("max(x, 0) - 2*y; x + y")


def _use(model: tc.Model) -> None:
    model.check(timeout=2)
    model.evaluate(*(np.zeros(shape) for shape in model.inputs.values()), exact=True)


def _point(path):
    read_point(path, {"x": (), "y": ()})


def _rows(path):
    read_rows(path, 2)


def _table(path):
    read_table(path, target=-1, missing="drop")


def _program(path):
    program = tc.load_program(path)
    check(program)
    write(program, path.with_suffix(".mps"))


def _expression(path):
    _use(tc.expression(path.read_text(errors="replace")))


def _box(path):
    text = path.read_text(errors="replace")
    PAIR.check(text, timeout=2)


def _spot(path):
    parse_point(path.read_text(errors="replace"), {"x": (), "y": (2,)})


def _property(path):
    tc.verify(PAIR, read_vnnlib(path), timeout=1)


def _query(path):
    spec = read_vnnlib(path)
    names = [network.name for network in spec.networks if not network.equal_to]
    tc.verify(dict.fromkeys(names, PAIR), spec, timeout=1)


@cache
def _once(*arguments):
    return vars(_parse(arguments))


def _arguments(*arguments, **changed):
    """As the command line reads them; the parser of all verbs is made once."""
    return Namespace(**{**_once(*arguments), **changed})


def _list(verb):
    """Which items a list names; nothing of them is read."""

    def read(path):
        args = _arguments(verb, "x", model=str(path))
        assert names_many(args)
        sha256_of_items(items_of(args))

    return read


def _answers(path):
    changed = {"parts": [str(path)], "output": f"{path}.merged", "force": True}
    with contextlib.redirect_stdout(None):
        code = merge.MERGE.run(_arguments("merge", "x", "-q", "-o", "y", **changed))
    assert code in (0, 3)


def _said(path):
    list(answers_in(path, model="n.onnx", spec="p.vnnlib", size=2))


def _slice(path):
    slice_of(str(path), PAIR, PAIR.box("-1:1"))


def _names(path):
    naming_of(_arguments("rules", "--expr", "sign(x)", names=str(path)), PAIR)


V1 = b"""; comment
(declare-const X_0 Real)
(declare-const X_1 Real)
(declare-const Y_0 Real)
(declare-const Y_1 Real)
(assert (>= X_0 -1.5)) (assert (<= X_0 1e-1))
(assert (<= X_1 0.5)) (assert (>= X_1 -0.5))
(assert (or (and (<= Y_0 Y_1) (>= Y_1 3)) (and (> (+ Y_0 (* 2.5 Y_1)) 1) (< X_0 0))))
"""
V2 = b"""(vnnlib-version <2.0>)
(declare-network f (declare-input X Real [2]) (declare-output Y Real [2]))
(assert (<= -1 X[0] 1)) (assert (and (>= X[1] -1) (<= X[1] 1)))
(assert (=> (>= Y[0] 1) (not (<= Y[1] (- 2)))))
"""
QUERY = b"""(vnnlib-version <2.0>)
(declare-network f (declare-input X float32 []) (declare-input Z float32 [1])
  (declare-output Y float32 []) (declare-output W float32 []))
(declare-network g (equal-to f) (declare-input A float32 []) (declare-input C float32 [1])
  (declare-output B float32 []) (declare-output D float32 []))
(assert (and (<= -1 X) (<= X 0.1) (<= 0 Z[0]) (<= Z[0] 1) (== C[0] Z[0])))
(assert (and (<= X A) (<= A 1)))
(assert (or (> Y B) (>= (+ W (* 2 D)) 7.5)))
"""
MPS = b"""NAME test
OBJSENSE
    MAX
ROWS
 N  cost
 L  r1
 G  r2
 E  r3
COLUMNS
    M1        'MARKER'                 'INTORG'
    x         cost      1.5   r1   2
    x         r2        1
    M2        'MARKER'                 'INTEND'
    y         cost      -1e-3   r1   1.25
    y         r3        1
RHS
    RHS       r1        10   r2   -1
    RHS       r3        2
RANGES
    RNG       r1        4
BOUNDS
 UP BND       x         8
 MI BND       y
ENDATA
"""
LP = b"""\\ comment
maximize
 obj: 3 x + 2.5 y - z
subject to
 c1: x + y + z <= 10
 c2: -1 <= x - 2 y <= 8.5e0
 c3: b + x >= -2
bounds
 0 <= x <= 4
 y free
 -inf <= z <= 12
general
 x
binary
 b
end
"""
TABLE = b'''age,"kind of work",income >= 5,label
37,"a, b",1.5,yes
12,c,0,no
99,"say ""x""",-3e2,yes
5,,NA,no
'''
ARFF = b"""@relation r
@attribute age numeric
@attribute 'kind of' {a, 'b c'}
@attribute class {yes,no}
@data
1,a,yes
2.5,'b c',no
?,a,no
"""
SIDECAR = json.dumps(
    {
        "format": "tamecheck-features",
        "version": 2,
        "model": None,
        "features": ["age \u2265 37 years", "kind = a", "kind = b", "kind = c"],
        "negations": ["age < 37 years", "kind \u2260 a", "kind \u2260 b", "kind \u2260 c"],
        "classes": ["no", "yes"],
        "target": {"name": "label", "index": 2, "numbers": False},
        "columns": [
            {
                "name": "age [years]",
                "index": 0,
                "feature": "age",
                "unit": "years",
                "values": [12, 37.5],
            },
            {"name": "kind", "index": 1, "categories": ["a", "b", "c"]},
        ],
        "inputs": [
            {"column": 0, "kind": "threshold", "lower": 37},
            {"column": 1, "kind": "category", "category": "a"},
            {"column": 1, "kind": "category", "category": "b"},
            {"column": 1, "kind": "category", "category": "c"},
        ],
        "groups": [{"kind": "free", "inputs": [0]}, {"kind": "one-hot", "inputs": [1, 2, 3]}],
        "levels": [-1, 1],
        "training": {"sha256": "0" * 64, "rows": 20, "held_out": [1, 3]},
    }
).encode()
PROGRAM = b"""{"format": "tamecheck-program", "version": 1, "name": "p", "sense": "minimise",
"objective": {"name": "cost", "constant": "0"}, "columns": [{"name": "x", "lower": "0",
"upper": "4", "kind": "integer", "cost": "3/2"}], "rows": [{"name": "r", "terms": [[0, "1"]],
"lower": "1", "upper": null}]}"""
EXPRESSIONS = (
    b"max(x, 0) - 3*sign(y)^2 + exp(x)/(1+x)",
    b"(x+1)^3 * sin(clip(x, -1, 1)) - floor(x/7) + x1/(2+x)",
    b"abs(x) * 1e-3 + log(1 + y^2) - round(sqrt(abs(y))); tanh(x)/7",
)
BOXES = (b"x=-1:1, y=0:inf", b"-1:1", b"x=1/3:0.5e0,y=-inf:2")
POINTS = (b"x=0,y[0]=1/3,y[1]=2", b"0", b"x=-1.5e-3,y[0:2]=1")

CORPUS = Path(__file__).parent / "corpus"
_CERTIFICATES = tuple(
    path.read_bytes() for folder in (CORPUS, KERNEL) for path in sorted(folder.glob("*.json"))
)
if len(_CERTIFICATES) < 40:
    raise FileNotFoundError(KERNEL)

LIST = b"""model,timeout,box,seed
a.onnx,20,-1:1,3
"b c.json",,"x=0:1,y=-1:inf",
"""
INSTANCES = b"onnx/a.onnx,vnnlib/b_1.vnnlib,20\n./onnx/a.onnx,./vnnlib/c.vnnlib.gz,1e2\n"
_HEAD = {"verb": "check", "items": 2, "times": False, "shard": "1/1"}
_LINES = (
    {"format": "tamecheck-answers", "version": 1, "question": _HEAD},
    {"item": 1, "arguments": {"model": "b"}, "exit_code": 0, "verdict": "tame"},
    {"item": 0, "arguments": {"model": "a"}, "exit_code": 3, "error": "out of time"},
)
ANSWERS = "".join(json.dumps(line) + "\n" for line in _LINES).encode()
SAID = (
    b"sat\n((X_0 0.5)\n (X_1 -1e-3)\n (Y_0 3) (Y_1 1/3))\n",
    b"safenlp,./onnx/n.onnx,./vnnlib/p.vnnlib,0.5,violated,1.25\n",
    b'{"verdict": "violated", "witness": {"input": ["1/2", "-3"], "output": ["0"]}}',
)
SLICE = b'{"origin": [0, "1/3"], "directions": [[1, 0.5]], "bounds": [[-1, 2]]}'
NAMES = b'["age of a", "kind = a"]'

READERS = {
    "VNN-LIB": Reader(".vnnlib", (V1, V2), _property),
    "query": Reader(".vnnlib", (QUERY,), _query),
    "MPS": Reader(".mps", (MPS,), _program),
    "LP": Reader(".lp", (LP,), _program),
    "program JSON": Reader(".json", (PROGRAM,), _program),
    "model JSON": Reader(".json", _json_models(), lambda path: _use(tc.load(path))),
    "ONNX": Reader(".onnx", _onnx_models(), lambda path: _use(tc.load(path)), binary=True),
    "certificate": Reader(".json", _CERTIFICATES, tc.recheck),
    "sidecar": Reader(".json", (SIDECAR,), lambda path: read_schema(str(path))),
    "table": Reader(".csv", (TABLE,), _table),
    "ARFF": Reader(".arff", (ARFF,), _table),
    "npy": Reader(".npy", _npy_files(), _point, binary=True),
    "npy rows": Reader(".npy", _npy_files(), _rows, binary=True),
    "csv point": Reader(".csv", (b"x,y\n1/3,2\n", b"0.5 -1e3\n"), _point),
    "json point": Reader(".json", (b'{"x": 1.5, "y": "1/3"}', b"[1, 2]"), _point),
    "gzip": Reader(".json.gz", (gzip.compress(b"[1, 2]", mtime=0),), _point, binary=True),
    "expression": Reader(".txt", EXPRESSIONS, _expression),
    "list": Reader(".csv", (LIST,), _list("check")),
    "instances": Reader(".csv", (INSTANCES,), _list("verify")),
    "answers": Reader(".jsonl", (ANSWERS,), _answers),
    "referee": Reader(".csv", SAID, _said),
    "slice": Reader(".json", (SLICE,), _slice),
    "names": Reader(".json", (NAMES,), _names),
    "box": Reader(".txt", BOXES, _box),
    "point": Reader(".txt", POINTS, _spot),
}

_TOKEN = re.compile(rb"[A-Za-z_]+|[0-9.]+(?:[eE][-+]?[0-9]+)?|\s+|.", re.DOTALL)
_NUMBER = re.compile(rb"[0-9.]+(?:[eE][-+]?[0-9]+)?\Z")
_NUMBERS = (
    *(b"nan", b"inf", b"-inf", b"1e400", b"-1e400", b"1e-400", b"1e999999999", b"1e308", b"0"),
    *(b"-1", b"1/0", b"1/3", b"9" * 400, b"9" * 4400, b"2" * 30, b"1e39999", b"4294967296"),
    *(b"9223372036854775808", b"0x10", b"1_000", b"NaN", b"Infinity", b"null", b"true", b'"7"'),
    *(b"[]", b"{}", b"", b"\xd9\xa3", b"1e+4000", b"5e-324", b"3.0", b"''", b"1e5", b"100000"),
)
_BITS = (
    b"(",
    b")",
    b"[",
    b"]",
    b"{",
    b"}",
    b",",
    b":",
    b'"',
    b"'",
    b"\0",
    b"\n",
    b"\xff",
    b"\xe2\x80\xa8",
)
_FILLS = (
    b"(" * 30_000,
    b"[" * 100_000,
    b"-" * 20_000,
    b"x+" * 5_000,
    b"{" * 3_000,
    b'{"a":' * 2_000,
)


def mutated(rng: random.Random, reader: Reader) -> bytes:
    """A file of the corpus with one to four changes."""
    data = rng.choice(reader.corpus)
    for _ in range(rng.choice((1, 1, 2, 4))):
        data = (_flipped if reader.binary or rng.random() < 0.15 else _edited)(rng, data)
    return data


def _flipped(rng: random.Random, data: bytes) -> bytes:
    if not data:
        return data
    at, kind = rng.randrange(len(data)), rng.randrange(5)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
    if kind == 2:
        return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    end = min(len(data), at + rng.randrange(1, 12))
    return data[:at] + data[end:] if kind == 3 else data[:end] + data[at:]


def _edited(rng: random.Random, data: bytes) -> bytes:
    tokens = _TOKEN.findall(data)
    if not tokens:
        return rng.choice(_NUMBERS)
    at, kind = rng.randrange(len(tokens)), rng.randrange(8)
    numbers = [i for i, token in enumerate(tokens) if _NUMBER.match(token)]
    if kind <= 2 and numbers:
        tokens[rng.choice(numbers)] = rng.choice(_NUMBERS)
    elif kind == 3:
        del tokens[at]
    elif kind == 4:
        tokens.insert(at, tokens[rng.randrange(len(tokens))])
    elif kind == 5:
        other = rng.randrange(len(tokens))
        tokens[at], tokens[other] = tokens[other], tokens[at]
    elif kind == 6:
        tokens.insert(at, rng.choice(_BITS))
    elif rng.random() < 0.2:
        tokens.insert(at, rng.choice(_FILLS))
    else:
        tokens[at:at] = tokens[max(0, at - rng.randrange(1, 30)) : at]
    return b"".join(tokens)
