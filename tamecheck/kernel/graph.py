"""The canonical tensor graph: operations, parameters, shapes, hash and exact tensor data."""

# ruff: noqa: D102, SIM905  (lists of words are tables)
from base64 import b64decode
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from hashlib import sha256
from math import prod
from struct import iter_unpack

from tamecheck.kernel import read
from tamecheck.kernel.strict import Reject, joint, pairs, require, spend, spend_long

Shape = tuple[int, ...]
Parameters = tuple[dict[str, Fraction], dict[str, tuple[int, ...]], str]
Tensor = tuple[list[int], int]  # element i, in C order, is list[i] / int
MAX_SIZE = 1 << 40
LONGEST_DENOMINATOR = 1 << 14
UNARY = (
    "neg abs relu leaky_relu elu clip sign step floor ceil round pow sqrt exp log sigmoid tanh "
    "softplus sin cos tan asin acos atan sinh cosh asinh acosh atanh erf"
).split()
BINARY = "add sub mul div prelu maximum minimum equal less less_equal power".split()
POINTWISE = {*UNARY, *BINARY, "select"}
GATHERS = {"gather", "gather_elements"}
ROUTING = {*GATHERS, *"concat reshape transpose slice pad broadcast".split()}
FOLDS = {"sum": "add", "prod": "mul", "reduce_max": "maximum", "reduce_min": "minimum"}
ALONG = "argmax argmin argsort softmax log_softmax logsumexp".split()
ARITY = {
    **dict.fromkeys([*UNARY, *ROUTING, *FOLDS, *ALONG], 1),
    **dict.fromkeys([*BINARY, *GATHERS, "matmul"], 2),
    "select": 3,
    "concat": 0,  # one or more
}
PARAMS = {  # q rational, q? also null, n integer, n* integers, b true or false, m rounding mode
    "leaky_relu": "alpha:q",
    "elu": "alpha:q beta:q",
    "clip": "lo:q? hi:q?",
    **dict.fromkeys(["sign", "step"], "at_zero:q"),
    "round": "mode:m",
    "pow": "exponent:q",
    **dict.fromkeys(["reshape", "broadcast"], "shape:n*"),
    "transpose": "perm:n*",
    "slice": "starts:n* steps:n* sizes:n*",
    "pad": "before:n* after:n* value:q",
    "argsort": "axis:n descending:b",
    **dict.fromkeys([*GATHERS, "concat", "softmax", "log_softmax"], "axis:n"),
    **dict.fromkeys(["argmax", "argmin"], "axis:n keepdims:b last:b"),
    **dict.fromkeys([*FOLDS, "logsumexp"], "axes:n* keepdims:b"),
}
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
    def size(self) -> int:
        return prod(self.shape)

    @property
    def axis(self) -> int:
        return self.n["axis"][0]


@dataclass(frozen=True, slots=True)
class Graph:
    """A well-formed graph; `free[k]` says that node k has no input among its ancestors."""

    nodes: list[Node]
    outputs: list[int]
    free: list[bool]
    sha256: str
    tensors: dict[str, Tensor]

    def data(self, k: int) -> Tensor | None:
        """Return the data of a constant, if the certificate provides them."""
        node = self.nodes[k]
        return self.tensors.get(node.name) if node.op == "constant" else None


def read_graph(value: object, tensors: object) -> Graph:
    """Read a graph and the tensor data that come with it; check shapes and digests."""
    raw = read.fields(value, "format version nodes outputs")
    require(raw["format"] == "tamecheck-graph", "unknown graph format")
    read.integer(raw["version"], 1, 1)
    nodes, free = list[Node](), list[bool]()
    for k, entry in enumerate(read.items(raw["nodes"])):
        try:
            nodes.append(_node(entry, nodes))
        except (Reject, ValueError, IndexError) as error:
            raise Reject(f"node {k}: {error}") from error
        free.append(nodes[-1].op != "input" and all(free[a] for a in nodes[-1].args))
    ends = [read.fields(entry, "name node") for entry in read.items(raw["outputs"])]
    outputs = [read.integer(entry["node"], 0, len(nodes) - 1) for entry in ends]
    names = [n.name for n in nodes if n.op == "input"]
    require(len(set(names)) == len(names), "two inputs have one name")
    labels = {read.word(entry["name"]) for entry in ends}
    require(0 < len(ends) == len(labels), "no outputs, or two of one name")
    used = {(n.name, n.shape) for n in nodes if n.op == "constant"}
    require(len(dict(used)) == len(used), "one tensor is used with two shapes")
    found = {digest: _tensor(digest, t, used) for digest, t in read.mapping(tensors).items()}
    graph = Graph(nodes, outputs, free, read.digest(raw), found)
    for k, node in enumerate(nodes):
        _require_indices(graph, k, node)
    return graph


def _require_indices(graph: Graph, k: int, node: Node) -> None:
    """Reject unless the indices of a gather, where they are given, are integers in range."""
    tensor = graph.data(node.args[1]) if node.op in GATHERS else None
    if tensor is not None:
        indices, denominator = tensor
        extent = graph.nodes[node.args[0]].shape[node.axis]
        spend(len(indices))
        fits = denominator == 1 and all(-extent <= i < extent for i in indices)
        require(fits, f"node {k}: a constant index is no integer in range")


def _node(value: object, before: list[Node]) -> Node:
    raw = read.mapping(value)
    op, shape = read.word(raw.get("op")), _shape(raw.get("shape"))
    if op in ("input", "constant"):
        key = "name" if op == "input" else "tensor"
        return Node(op, (), shape, read.word(read.fields(raw, f"op shape {key}")[key]))
    read.fields(raw, "op args params shape")
    args = tuple(read.integer(a, 0, len(before) - 1) for a in read.items(raw["args"]))
    require(op in ARITY, f"unknown op {op[:40]!a}")
    require(len(args) == (ARITY[op] or max(len(args), 1)), "wrong number of arguments")
    shapes = [before[a].shape for a in args]
    node = Node(op, args, shape, "", *_parameters(op, raw["params"], len(shapes[0])))
    require(_infer(node, shapes) == shape, "wrong shape")
    return node


def _parameters(op: str, value: object, rank: int) -> Parameters:
    """Read the rationals, the integers and flags, and the mode of an operation."""
    q, n, mode = dict[str, Fraction](), dict[str, tuple[int, ...]](), ""
    kinds = dict(entry.split(":") for entry in PARAMS.get(op, "").split())
    for name, given in read.fields(value, " ".join(kinds)).items():
        ends = (0, rank - 1) if name in ("axis", "axes") else (-MAX_SIZE, MAX_SIZE)
        match kinds[name]:
            case "m":
                mode = read.word(given)
            case "b":
                n[name] = (int(read.flag(given)),)
            case "n":
                n[name] = (read.integer(given, *ends),)
            case "n*":
                n[name] = tuple(read.integer(i, *ends) for i in read.items(given))
            case kind:
                if given is not None or kind == "q":
                    q[name] = read.rational(given)
    axes = n.get("axes", ())
    require(mode in MODES or op != "round", "unknown rounding mode")
    require(len(set(axes)) == len(axes), "an axis is repeated")
    require(op != "clip" or len(q) < 2 or q["lo"] <= q["hi"], "clip with lo > hi")
    require(op != "elu" or q["beta"] > 0, "elu with beta <= 0")
    return q, n, mode


def _shape(value: object) -> Shape:
    found = tuple(read.integer(d, 1, MAX_SIZE) for d in read.items(value))
    require(len(found) <= 32 and prod(found) <= MAX_SIZE, "a tensor is too large")
    return found


def broadcast(*shapes: Shape) -> Shape:
    """Return the shape to which all of these extend, as in NumPy."""
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(s)) + s for s in shapes]
    found = tuple(max(s[a] for s in padded) for a in range(rank))
    require(all(d in (1, m) for s in padded for d, m in pairs(s, found)), "unequal shapes")
    return found


def _fit(condition: bool) -> None:  # noqa: FBT001
    require(condition, "the shapes do not fit the operation")


def _infer(node: Node, shapes: list[Shape]) -> Shape:  # noqa: C901, PLR0912  (a case an operation)
    """Return the shape of a node, by its parameters and the shapes of its arguments."""
    x, y, n = shapes[0], shapes[-1], node.n
    match node.op:
        case "reshape":
            _fit(prod(n["shape"]) == prod(x))
            return n["shape"]
        case "broadcast":
            _fit(broadcast(x, n["shape"]) == n["shape"])
            return n["shape"]
        case "transpose":
            _fit(sorted(n["perm"]) == list(range(len(x))))
            return tuple(x[a] for a in n["perm"])
        case "slice":
            starts, steps, sizes = n["starts"], n["steps"], n["sizes"]
            _fit(len(starts) == len(steps) == len(sizes) == len(x))
            for a, d in enumerate(x):
                _fit(0 <= starts[a] < d and 0 <= starts[a] + (sizes[a] - 1) * steps[a] < d)
            return sizes
        case "pad":
            before, after = n["before"], n["after"]
            _fit(len(before) == len(after) == len(x) and all(w >= 0 for w in before + after))
            return tuple(before[a] + d + after[a] for a, d in enumerate(x))
        case "gather":
            return x[: node.axis] + y + x[node.axis + 1 :]
        case "gather_elements":
            _fit(all(a == node.axis or i <= d for a, (i, d) in enumerate(pairs(y, x))))
            return y
        case "concat":
            heads, tails = {s[: node.axis] for s in shapes}, {s[node.axis + 1 :] for s in shapes}
            _fit(len(heads) == len(tails) == 1)
            return (*x[: node.axis], sum(s[node.axis] for s in shapes), *x[node.axis + 1 :])
        case "matmul":
            _fit(x[-1] == y[-2:][0])
            return broadcast(x[:-2], y[:-2]) + x[-2:-1] + (y[-1:] if len(y) > 1 else ())
        case _ if "keepdims" in n:
            axes = n["axes"] if "axes" in n else n["axis"]
            if n["keepdims"][0]:
                return tuple(1 if a in axes else d for a, d in enumerate(x))
            return tuple(d for a, d in enumerate(x) if a not in axes)
        case _:
            return broadcast(*shapes)


def _tensor(digest: str, value: object, used: set[tuple[str, Shape]]) -> Tensor:
    """Read a tensor, whose data have this digest."""
    raw = read.fields(value, "shape encoding data")
    shape, encoding = _shape(raw["shape"]), read.word(raw["encoding"])
    require((digest, shape) in used, "a tensor is not that of a constant of its shape")
    texts = [read.word(t) for t in read.items(raw["data"])] if encoding == "q" else []
    data = "\n".join(texts).encode() if texts else b64decode(read.word(raw["data"]), validate=True)
    head = f"{encoding}:{','.join(map(str, shape))}:"
    require(sha256(head.encode() + data).hexdigest() == digest, "wrong tensor digest")
    match encoding:
        case "q":
            nums, denominator = _rationals(texts)
        case "i64":
            nums, denominator = [w for (w,) in iter_unpack("<q", data)], 1
        case "f32":
            nums, denominator = _floats([w for (w,) in iter_unpack("<I", data)], 32, 23)
        case "f64":
            nums, denominator = _floats([w for (w,) in iter_unpack("<Q", data)], 64, 52)
        case _:
            raise Reject("unknown encoding")
    require(len(nums) == prod(shape), "a tensor has the wrong number of elements")
    return nums, denominator


def _rationals(texts: list[str]) -> Tensor:
    values = [read.rational(t) for t in texts]
    denominator = joint({v.denominator for v in values}, LONGEST_DENOMINATOR)
    spend_long(len(values), denominator.bit_length())
    return [v.numerator * (denominator // v.denominator) for v in values], denominator


def _floats(words: list[int], width: int, mantissa: int) -> Tensor:
    """Return IEEE numbers: the mantissa, and a hidden bit if e > 0, times 2^(max(e, 1) - bias)."""
    unit, sign = 1 << mantissa, 1 << (width - 1)
    top = sign // unit - 1
    bias = top // 2 + mantissa - 1
    exponents = [w // unit & top for w in words]
    require(top not in exponents, "a tensor holds NaN or infinity")
    sizes = [(w % unit + (unit if e else 0)) << max(e - 1, 0) for w, e in pairs(words, exponents)]
    bits = reduce(int.__or__, sizes)
    spare = min((bits & -bits).bit_length() - 1, bias) if bits else bias  # common trailing zeros
    spend_long(len(words), bits.bit_length() - spare)
    return [(-m if w & sign else m) >> spare for m, w in pairs(sizes, words)], 1 << (bias - spare)
