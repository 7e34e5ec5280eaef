"""The canonical tensor graph: operations, parameters, shapes, hash and exact tensor data."""

# fmt: off
# ruff: noqa: C901, D102, E701, E704, SIM905  (one line a case, so that it reads as a table)
import hashlib
import json
from base64 import b64decode
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from math import prod
from struct import iter_unpack

from tamecheck.kernel.strict import (
    Reject,
    common,
    fields,
    flag,
    integer,
    items,
    mapping,
    rational,
    require,
    spend,
    word,
)

Shape = tuple[int, ...]
Tensor = tuple[list[int], int]  # element i, in C order, is list[i] / int
MAX_SIZE = 1 << 40
POINTWISE: dict[str, int] = {"select": 3, **dict.fromkeys((  # with the number of arguments
    "neg abs relu leaky_relu elu clip sign step floor ceil round pow sqrt exp log sigmoid tanh "
    "softplus sin cos tan asin acos atan sinh cosh asinh acosh atanh erf").split(), 1),
    **dict.fromkeys("add sub mul div prelu maximum minimum equal less less_equal power".split(), 2)}
ROUTING = {"gather": 2, "gather_elements": 2, "concat": 0,  # 0: one or more
           **dict.fromkeys("reshape transpose slice pad broadcast".split(), 1)}
FOLDS = {"sum": "add", "prod": "mul", "reduce_max": "maximum", "reduce_min": "minimum"}
ARITY = {**POINTWISE, **ROUTING, **dict.fromkeys(FOLDS, 1), "matmul": 2, **dict.fromkeys(
    "argmax argmin argsort softmax log_softmax logsumexp".split(), 1)}
PARAMS = {  # q rational, q? also null, n integer, n* integers, b true or false, m rounding mode
    "leaky_relu": "alpha:q", "elu": "alpha:q beta:q", "clip": "lo:q? hi:q?", "sign": "at_zero:q",
    "step": "at_zero:q", "round": "mode:m", "pow": "exponent:q", "reshape": "shape:n*",
    "transpose": "perm:n*", "slice": "starts:n* steps:n* sizes:n*", "broadcast": "shape:n*",
    "pad": "before:n* after:n* value:q", "argsort": "axis:n descending:b", **dict.fromkeys(
        "gather gather_elements concat softmax log_softmax".split(), "axis:n"), **dict.fromkeys(
        ["argmax", "argmin"], "axis:n keepdims:b last:b"), **dict.fromkeys(
        [*FOLDS, "logsumexp"], "axes:n* keepdims:b")}
MODES = "half_even half_up half_down half_away half_toward_zero toward_zero away_from_zero".split()

@dataclass(frozen=True, slots=True)
class Node:
    """A node; its parameters are rationals `q`, integers and flags `n` (as tuples), or a `mode`."""

    op: str
    args: tuple[int, ...]
    shape: Shape
    name: str = ""  # of an input; the digest of a constant
    q: dict[str, Fraction] = field(default_factory=dict[str, Fraction])
    n: dict[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    mode: str = ""

    @property
    def size(self) -> int: return prod(self.shape)

@dataclass(frozen=True, slots=True)
class Graph:
    """A well-formed graph; `free[k]` says that node k has no input among its ancestors."""

    nodes: list[Node]
    outputs: list[int]
    free: list[bool]
    sha256: str
    tensors: dict[str, Tensor]

    def data(self, k: int) -> Tensor | None:  # of a constant, if the certificate provides them
        return self.tensors.get(self.nodes[k].name) if self.nodes[k].op == "constant" else None

def _shape(value: object) -> Shape:
    found = tuple(integer(d, 1, MAX_SIZE) for d in items(value))
    require(len(found) <= 32 and prod(found) <= MAX_SIZE, "a tensor is too large")
    return found

def _broadcast(shapes: list[Shape]) -> Shape:
    rank = max(map(len, shapes))
    columns = list(zip(*((1,) * (rank - len(s)) + s for s in shapes), strict=True))
    require(all(d in (1, max(column)) for column in columns for d in column), "unequal shapes")
    return tuple(map(max, columns))

def _infer(op: str, n: dict[str, tuple[int, ...]], shapes: list[Shape]) -> Shape:
    x, y, axes, ok = shapes[0], shapes[-1], n.get("axes", n.get("axis", ())), True
    match op:
        case "reshape": ok, found = prod(n["shape"]) == prod(x), n["shape"]
        case "broadcast": ok, found = _broadcast([x, n["shape"]]) == n["shape"], n["shape"]
        case "transpose":
            ok, found = sorted(n["perm"]) == list(range(len(x))), [x[a] for a in n["perm"]]
        case "slice":
            cuts, found = zip(n["starts"], n["steps"], n["sizes"], x, strict=True), n["sizes"]
            ok = all(0 <= s < d and 0 <= s + (k - 1) * t < d for s, t, k, d in cuts)
        case "gather": found = x[:axes[0]] + y + x[axes[0] + 1:]
        case "gather_elements":
            pairs, found = enumerate(zip(y, x, strict=True)), y
            ok = all(i <= d or a in axes for a, (i, d) in pairs)
        case "concat":
            ok = len({(s[:axes[0]], s[axes[0] + 1:]) for s in shapes}) == 1
            found = (*x[:axes[0]], sum(s[axes[0]] for s in shapes), *x[axes[0] + 1:])
        case "pad":
            ok = min(n["before"] + n["after"], default=0) >= 0
            found = map(sum, zip(n["before"], x, n["after"], strict=True))
        case "matmul":
            ok = x[-1] == y[-2:][0]
            found = _broadcast([x[:-2], y[:-2]]) + x[-2:-1] + (y[-1:] if len(y) > 1 else ())
        case _ if "keepdims" in n:
            kept = [(a, 1 if a in axes else d) for a, d in enumerate(x)]
            found = [d for a, d in kept if n["keepdims"][0] or a not in axes]
        case _: found = _broadcast(shapes)
    require(ok, "the shapes do not fit the operation")
    return tuple(found)

def _node(value: object, before: list[Node]) -> Node:
    raw = mapping(value)
    op, shape = word(raw.get("op")), _shape(raw.get("shape"))
    if op in ("input", "constant"):
        key = "name" if op == "input" else "tensor"
        return Node(op, (), shape, word(fields(raw, f"op shape {key}")[key]))
    fields(raw, "op args params shape")
    args = [integer(a, 0, len(before) - 1) for a in items(raw["args"])]
    require(op in ARITY, f"unknown op {op[:40]!a}")
    require(len(args) == (ARITY[op] or max(len(args), 1)), "wrong number of arguments")
    node, shapes, mode = Node(op, tuple(args), shape), [before[a].shape for a in args], ""
    kinds = dict(entry.split(":") for entry in PARAMS.get(op, "").split())
    for name, given in fields(raw["params"], " ".join(kinds)).items():
        low, high = (0, len(shapes[0]) - 1) if name in ("axis", "axes") else (-MAX_SIZE, MAX_SIZE)
        match kinds[name]:
            case "m": mode = word(given)
            case "b": node.n[name] = (int(flag(given)),)
            case "n": node.n[name] = (integer(given, low, high),)
            case "n*": node.n[name] = tuple(integer(i, low, high) for i in items(given))
            case _ if given is not None or kinds[name] == "q": node.q[name] = rational(given)
            case _: pass
    axes = node.n.get("axes", ())
    require(mode in MODES or op != "round", "unknown rounding mode")
    require(len(set(axes)) == len(axes), "an axis is repeated")
    require(op != "clip" or len(node.q) < 2 or node.q["lo"] <= node.q["hi"], "clip with lo > hi")
    require(op != "elu" or node.q["beta"] > 0, "elu with beta <= 0")
    require(_infer(op, node.n, shapes) == shape, "wrong shape")
    return Node(op, node.args, shape, "", node.q, node.n, mode)

def read_graph(value: object, tensors: object) -> Graph:
    """Read a graph and the tensor data that come with it; check shapes and digests."""
    raw = fields(value, "format version nodes outputs")
    require(raw["format"] == "tamecheck-graph", "unknown graph format")
    integer(raw["version"], 1, 1)
    nodes, free = list[Node](), list[bool]()
    for k, entry in enumerate(items(raw["nodes"])):
        try: nodes.append(_node(entry, nodes))
        except (Reject, ValueError, IndexError) as error:
            raise Reject(f"node {k}: {error}") from error
        free.append(nodes[-1].op != "input" and all(free[a] for a in nodes[-1].args))
    ends = [fields(entry, "name node") for entry in items(raw["outputs"])]
    outputs = [integer(entry["node"], 0, len(nodes) - 1) for entry in ends]
    names = [n.name for n in nodes if n.op == "input"]
    require(len(set(names)) == len(names), "two inputs have one name")
    require(0 < len(ends) == len({word(e["name"]) for e in ends}), "no outputs, or two of one name")
    text = json.dumps(raw, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    used = {(n.name, n.shape) for n in nodes if n.op == "constant"}
    require(len(dict(used)) == len(used), "one tensor is used with two shapes")
    found = {digest: _tensor(digest, t, used) for digest, t in mapping(tensors).items()}
    graph = Graph(nodes, outputs, free, hashlib.sha256(text.encode()).hexdigest(), found)
    for k, node in enumerate(nodes):
        nums, den = graph.data(node.args[1]) or ([], 1) if "gather" in node.op else ([], 1)
        extent = nodes[node.args[0]].shape[node.n["axis"][0]] if nums else 0
        spend(len(nums))
        fits = den == 1 and all(-extent <= i < extent for i in nums)
        require(fits, f"node {k}: a constant index is no integer in range")
    return graph

def _tensor(digest: str, value: object, used: set[tuple[str, Shape]]) -> Tensor:
    raw = fields(value, "shape encoding data")
    shape, encoding, den = _shape(raw["shape"]), word(raw["encoding"]), 1
    require((digest, shape) in used, "a tensor is not that of a constant of its shape")
    texts = [word(t) for t in items(raw["data"])] if encoding == "q" else []
    data = "\n".join(texts).encode() if texts else b64decode(word(raw["data"]), validate=True)
    head = f"{encoding}:{','.join(map(str, shape))}:"
    require(hashlib.sha256(head.encode() + data).hexdigest() == digest, "wrong tensor digest")
    match encoding:
        case "q":
            den = common({rational(t).denominator for t in texts}, 1 << 14)
            if den is None: raise Reject("the denominators of a tensor are too many")
            spend(len(texts), den.bit_length())
            nums = [v.numerator * (den // v.denominator) for v in map(rational, texts)]
        case "i64": nums = [w for (w,) in iter_unpack("<q", data)]
        case "f32": nums, den = _floats([w for (w,) in iter_unpack("<I", data)], 32, 23)
        case "f64": nums, den = _floats([w for (w,) in iter_unpack("<Q", data)], 64, 52)
        case _: raise Reject("unknown encoding")
    require(len(nums) == prod(shape), "a tensor has the wrong number of elements")
    return nums, den

def _floats(words: list[int], width: int, mantissa: int) -> Tensor:
    # An IEEE number is its mantissa, plus a hidden bit if e > 0, times 2^(max(e, 1) - bias).
    top, unit, sign = (1 << (width - 1 - mantissa)) - 1, 1 << mantissa, 1 << (width - 1)
    exponents = [w >> mantissa & top for w in words]
    require(top not in exponents, "a tensor holds NaN or infinity")
    sizes = [(w & (unit - 1) | (unit if e else 0)) << max(e - 1, 0)
             for w, e in zip(words, exponents, strict=True)]
    bits, bias = reduce(int.__or__, sizes, 0), top // 2 + mantissa - 1
    spare = min((bits & -bits).bit_length() - 1, bias) if bits else bias  # common trailing zeros
    spend(len(words), bits.bit_length() - spare)
    signed = [(-m if w & sign else m) >> spare for m, w in zip(sizes, words, strict=True)]
    return signed, 1 << (bias - spare)
