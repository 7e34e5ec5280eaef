"""Certificates from few words: nodes, tensors and steps, put together with hashes and digests."""

import base64
import copy
import hashlib
import json
import struct

LINQ, LIN, ALG, LOCAL = "rational-semilinear", "semilinear", "semialgebraic", "local"
REALS = (None, None)


def x(name="x", shape=()):
    """An input."""
    return {"op": "input", "name": name, "shape": list(shape)}


def c(digest, shape=()):
    """A constant; any word stands for the digest of data that are not given."""
    return {"op": "constant", "tensor": digest, "shape": list(shape)}


def op(name, *args, shape=(), **params):
    """Any other node."""
    return {"op": name, "args": list(args), "params": params, "shape": list(shape)}


def tensor(values, shape=(), encoding="q"):
    """The digest and the form of a tensor; floats and integers are packed."""
    head = f"{encoding}:{','.join(map(str, shape))}:".encode()
    if encoding == "q":
        data = [str(v) for v in values]
        raw = "\n".join(data).encode()
    else:
        raw = struct.pack(
            "<" + {"i64": "q", "f32": "f", "f64": "d"}[encoding] * len(values), *values
        )
        data = base64.b64encode(raw).decode()
    form = {"shape": list(shape), "encoding": encoding, "data": data}
    return hashlib.sha256(head + raw).hexdigest(), form


def structure(node, words, *args, bounded=(), enclosures=(), **more):
    """A step; ``words`` are the structures, separated by blanks."""
    return {
        "rule": "structure", "node": node, "in": words.split(), "args": list(args),
        "bounded": list(bounded), "enclosures": list(enclosures), **more,
    }  # fmt: skip


def enclosure(node, lower, upper, *cited):
    """A step; one bound, or a list of one for each element."""
    sides = [v if isinstance(v, list) else [v] for v in (lower, upper)]
    return {
        "rule": "enclosure", "node": node, "lower": sides[0], "upper": sides[1],
        "from": list(cited),
    }  # fmt: skip


def bounded(node, *cited):
    """A step."""
    return {"rule": "bounded", "node": node, "from": list(cited)}


def has(node, name, *args, enclosures=()):
    """A property step."""
    return {
        "rule": "property", "node": node, "property": name, "args": list(args),
        "enclosures": list(enclosures),
    }  # fmt: skip


def tame(words, properties=None, verdict="tame"):
    """A claim; the properties are separated by blanks."""
    claim = {"verdict": verdict, "structures": words.split()}
    return claim if properties is None else claim | {"properties": properties.split()}


def wild(which="o-minimal"):
    """A claim that there is a refutation."""
    return {"verdict": "not-tame", "refutes": which}


def certificate(nodes, steps, claim=None, *, outputs=None, boxes=(), tensors=()):  # noqa: PLR0913  (its fields)
    """A certificate.

    ``boxes`` are those of the inputs, in order, as pairs of bounds or of lists of bounds; all of
    space where none are left.  Without a claim, the first node is claimed to be in LINQ, by a step
    at the end: so the steps before are what counts.
    """
    if claim is None:
        steps, claim, outputs = [*steps, structure(0, LINQ)], tame(LINQ), [0]
    outputs = [len(nodes) - 1] if outputs is None else outputs
    graph = {
        "format": "tamecheck-graph", "version": 1, "nodes": nodes,
        "outputs": [{"name": f"y{i}", "node": k} for i, k in enumerate(outputs)],
    }  # fmt: skip
    names = [n["name"] for n in nodes if n["op"] == "input"]
    pairs = [*boxes, *[REALS] * (len(names) - len(boxes))]
    domain = {
        name: {
            side: ends if isinstance(ends, list) else [ends]
            for side, ends in zip(("lower", "upper"), pair, strict=True)
        }
        for name, pair in zip(names, pairs, strict=True)
    }
    return signed(
        {
            "format": "tamecheck-certificate", "version": 1,
            "model": {"sha256": "", "graph": graph}, "tensors": dict(tensors),
            "domain": domain, "claim": claim, "steps": steps,
        }
    )  # fmt: skip


def signed(document):
    """The certificate with the hash of its graph."""
    graph = document["model"]["graph"]
    text = json.dumps(graph, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return document | {"model": {"sha256": digest, "graph": graph}}


def edited(document, **fields):
    """The certificate with other values at places such as ``steps__0__node``."""
    for path, value in fields.items():
        document = replaced(document, *path.split("__"), value)
    return document


def replaced(document, *path_and_value):
    """A copy with another value at the end of a path of keys and numbers."""
    *path, last, value = path_and_value
    document = place = copy.deepcopy(document)
    for key in path:
        place = place[int(key) if isinstance(place, list) else key]
    place[int(last) if isinstance(place, list) else last] = value
    return document


def changed(document, **fields):
    """The certificate with other values at such places, signed again."""
    return signed(edited(document, **fields))


def proof(nodes, *steps, boxes=(), tensors=()):
    """A certificate whose steps count; that the first node is in LINQ is claimed at the end."""
    first = next(k for k, n in enumerate(nodes) if n["op"] in ("input", "constant"))
    last = structure(first, LINQ)
    return certificate(
        nodes, [*steps, last], tame(LINQ), outputs=[first], boxes=boxes, tensors=tensors
    )


FLAT = {"shapes": [(3,)], "shape": (1,), "axes": [0], "keepdims": True}
ALONG = {"shapes": [(3,)], "shape": (3,), "axis": 0}
PLACE = {"shapes": [(3,)], "shape": (1,), "axis": 0, "keepdims": True, "last": False}
ORDER = {"shapes": [(3,)], "shape": (3,), "axis": 0, "descending": False}
LINEAR = [
    ("add", 2, {}), ("sub", 2, {}), ("maximum", 2, {}), ("minimum", 2, {}), ("equal", 2, {}),
    ("less", 2, {}), ("less_equal", 2, {}), ("neg", 1, {}), ("abs", 1, {}), ("relu", 1, {}),
    ("leaky_relu", 1, {"alpha": "1/9"}), ("clip", 1, {"lo": "0", "hi": None}),
    ("sign", 1, {"at_zero": "0"}), ("step", 1, {"at_zero": "1"}), ("select", 3, {}),
    ("sum", 1, FLAT), ("reduce_max", 1, FLAT), ("reduce_min", 1, FLAT), ("argmax", 1, PLACE),
    ("argmin", 1, PLACE), ("argsort", 1, ORDER), ("gather", 2, {"shapes": [(3,), ()], "axis": 0}),
    ("gather_elements", 2, {"shapes": [(3,), (3,)], "shape": (3,), "axis": 0}),
    ("concat", 2, {"shapes": [(3,), (2,)], "shape": (5,), "axis": 0}),
    ("transpose", 1, {"perm": []}), ("slice", 1, {"starts": [], "steps": [], "sizes": []}),
    ("pad", 1, {"before": [], "after": [], "value": "0"}),
]  # fmt: skip
"""Operations in the smallest structure: with the number of arguments, and parameters."""


def tree(  # noqa: PLR0913 (a word for each field)
    columns, rows, claim, nodes=(), *, sense="minimise", constant="0", step=None
):
    """A certificate; columns and rows are named by their numbers, ``step`` is (step, rows)."""
    return {
        "format": "tamecheck-tree-certificate",
        "version": 1,
        "program": {
            "format": "tamecheck-program",
            "version": 1,
            "name": "p",
            "sense": sense,
            "objective": {"name": "z", "constant": constant},
            "columns": [c | {"name": c["name"] or f"x{i}"} for i, c in enumerate(columns)],
            "rows": [r | {"name": r["name"] or f"r{i}"} for i, r in enumerate(rows)],
        },
        "claim": claim,
        "granularity": None if step is None else {"step": step[0], "rows": step[1]},
        "nodes": list(nodes),
    }
