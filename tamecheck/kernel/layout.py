"""Which elements a node combines, as offsets into flat C-order tensors; generic over elements."""
# fmt: off
# ruff: noqa: E701  (one line a case, so that it reads as a table)
from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import accumulate
from math import prod
from operator import mul
from typing import TypeVar

from tamecheck.kernel.graph import FOLDS, POINTWISE, Graph, Node, Shape
from tamecheck.kernel.strict import Reject, require

T = TypeVar("T")
OUTSIDE = -(1 << 50)  # a sum of offsets below 0 is outside the tensor

def _axes(shape: Shape) -> list[list[int]]:
    steps = list(accumulate(shape[:0:-1], mul, initial=1))[::-1]
    return [[i * s for i in range(d)] for d, s in zip(shape, steps, strict=False)]

def _grid(axes: list[list[int]]) -> list[int]:
    return reduce(lambda found, axis: [a + b for a in found for b in axis], axes, [0])

def _spread(shape: Shape, out: Shape) -> list[int]:
    padded = (1,) * (len(out) - len(shape)) + shape
    return _grid([a * (d // len(a)) for a, d in zip(_axes(padded), out, strict=True)])

def _offsets(graph: Graph, node: Node) -> list[int]:
    x, n, axis = graph.nodes[node.args[0]].shape, node.n, node.n.get("axis", (0,))[0]
    axes = _axes(x)
    match node.op:
        case "reshape": return list(range(node.size))
        case "broadcast": return _spread(x, node.shape)
        case "transpose": return _grid([axes[a] for a in n["perm"]])
        case "slice":
            cuts = zip(axes, n["starts"], n["steps"], n["sizes"], strict=True)
            return _grid([[line[s + i * t] for i in range(k)] for line, s, t, k in cuts])
        case "pad":
            ends = zip(n["before"], axes, n["after"], strict=True)
            return _grid([[OUTSIDE] * b + line + [OUTSIDE] * a for b, line, a in ends])
        case _: pass
    indices = graph.data(node.args[1])
    if indices is None:
        raise Reject("the constant indices of a gather are not given")
    fits = indices[1] == 1 and all(-x[axis] <= i < x[axis] for i in indices[0])
    require(fits, "a constant index is not an integer in range")
    chosen = [axes[axis][i] for i in indices[0]]
    if node.op == "gather":
        return _grid([*axes[:axis], chosen, *axes[axis + 1:]])
    rest = [[0] * d if a == axis else axes[a][:d] for a, d in enumerate(node.shape)]
    return [a + b for a, b in zip(_grid(rest), chosen, strict=True)]

def sums(a: Shape, b: Shape) -> tuple[list[tuple[int, int]], int, int]:
    """Return for `a @ b` where each sum of products starts in a and in b, its length, b's step."""
    a, b = (a if len(a) > 1 else (1, *a)), (b if len(b) > 1 else (*b, 1))
    rank = max(len(a), len(b))
    a, b = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    batch = tuple(map(max, zip(a[:-2], b[:-2], strict=True)))
    (n, k), m = a[-2:], b[-1]
    starts = zip(_spread(a[:-2], batch), _spread(b[:-2], batch), strict=True)
    return [((p * n + i) * k, q * k * m + j) for p, q in starts for i in range(n) for j in range(m)], k, m

def lift(graph: Graph, node: Node, args: Sequence[Sequence[T]], pad: T,
         apply: Callable[[str, list[T]], T]) -> list[T]:
    """Return the elements of a pointwise, routing, folding or matmul node from its arguments'."""
    shapes = [graph.nodes[a].shape for a in node.args]
    if node.op in POINTWISE:
        columns = [[v[o] for o in _spread(s, node.shape)] for v, s in zip(args, shapes, strict=True)]
        return [apply(node.op, list(row)) for row in zip(*columns, strict=True)]
    if node.op == "concat":
        blocks = [prod(s[node.n["axis"][0]:]) for s in shapes]
        return [element for i in range(len(args[0]) // blocks[0])
                for v, b in zip(args, blocks, strict=True) for element in v[i * b:(i + 1) * b]]
    if node.op == "matmul":
        starts, k, m = sums(shapes[0], shapes[1])
        rows = [[apply("mul", [args[0][p + i], args[1][q + i * m]]) for i in range(k)] for p, q in starts]
    elif node.op in FOLDS:
        axes, folded = _axes(shapes[0]), node.n["axes"]
        inner = _grid([line for a, line in enumerate(axes) if a in folded])
        outer = _grid([line for a, line in enumerate(axes) if a not in folded])
        rows = [[args[0][o + i] for i in inner] for o in outer]
    else:
        return [pad if o < 0 else args[0][o] for o in _offsets(graph, node)]
    op = FOLDS.get(node.op, "add")
    return [reduce(lambda a, b: apply(op, [a, b]), row) for row in rows]
