"""Which elements of its arguments a node combines to each of its own."""

from collections.abc import Callable, Sequence
from functools import reduce
from math import prod
from typing import TypeVar

from tamecheck.kernel.graph import FOLDS, GATHERS, POINTWISE, ROUTING, Graph, Node, Shape, broadcast
from tamecheck.kernel.strict import pairs

T = TypeVar("T")
Apply = Callable[[str, Sequence[T]], T]
Factors = list[tuple[Sequence[T], Sequence[T]]]


def lifts(graph: Graph, k: int) -> bool:
    """Return whether `lift` applies to a node: what it combines does not depend on the inputs."""
    node = graph.nodes[k]
    known = node.op not in GATHERS or graph.data(node.args[1]) is not None
    return known and node.op in {*POINTWISE, *ROUTING, *FOLDS, "matmul"}


def combinations(graph: Graph, node: Node) -> int:
    """Return how many elements a node has, or of how many products they are the sums."""
    return node.size * (graph.nodes[node.args[0]].shape[-1] if node.op == "matmul" else 1)


def lift(graph: Graph, node: Node, args: Sequence[Sequence[T]], pad: T, apply: Apply[T]) -> list[T]:
    """Return the elements of a pointwise, routing, folding or matmul node from its arguments'."""
    shapes = [graph.nodes[a].shape for a in node.args]
    if node.op in POINTWISE:
        columns = [[v[o] for o in spread(s, node.shape)] for v, s in pairs(args, shapes)]
        return [apply(node.op, [column[i] for column in columns]) for i in range(node.size)]
    if node.op == "concat":
        turns, blocks = prod(node.shape[: node.axis]), [prod(s[node.axis :]) for s in shapes]
        return [
            element
            for i in range(turns)
            for v, b in pairs(args, blocks)
            for element in v[i * b : (i + 1) * b]
        ]
    if node.op in ROUTING:
        return [pad if o < 0 else args[0][o] for o in _offsets(graph, node, shapes[0])]
    if node.op == "matmul":
        factors = dots(shapes[0], shapes[1], args[0], args[1])
        rows = [[apply("mul", pair) for pair in pairs(x, y)] for x, y in factors]
    else:
        axes, folded = _axes(shapes[0]), node.n["axes"]
        inner = _grid([axes[a] for a in folded])
        outer = _grid([line for a, line in enumerate(axes) if a not in folded])
        rows = [[args[0][o + i] for i in inner] for o in outer]
    op = FOLDS.get(node.op, "add")
    return [reduce(lambda a, b: apply(op, [a, b]), row) for row in rows]


def _axes(shape: Shape) -> list[list[int]]:
    """Return the offsets of the positions along each axis."""
    return [list(range(0, prod(shape[a:]), prod(shape[a + 1 :]))) for a in range(len(shape))]


def _grid(axes: list[list[int]]) -> list[int]:
    """Return the offsets of all elements, in C order."""
    return reduce(lambda found, axis: [a + b for a in found for b in axis], axes, [0])


def spread(shape: Shape, out: Shape) -> list[int]:
    """Return the offset of the element of a tensor at each place of the shape it extends to."""
    padded = (1,) * (len(out) - len(shape)) + shape
    return _grid([line * (d // len(line)) for line, d in pairs(_axes(padded), out)])


def _offsets(graph: Graph, node: Node, shape: Shape) -> list[int]:
    """Return the offset of the element at each place of a routing; it is negative for a pad."""
    axes, n = _axes(shape), node.n
    match node.op:
        case "reshape":
            return list(range(node.size))
        case "broadcast":
            return spread(shape, node.shape)
        case "transpose":
            return _grid([axes[a] for a in n["perm"]])
        case "slice":
            return _grid(
                [
                    [line[n["starts"][a] + i * n["steps"][a]] for i in range(n["sizes"][a])]
                    for a, line in enumerate(axes)
                ]
            )
        case "pad":
            outside = [-prod(shape)]  # a sum of offsets with this one is below 0
            return _grid(
                [
                    outside * n["before"][a] + line + outside * n["after"][a]
                    for a, line in enumerate(axes)
                ]
            )
        case _:
            tensor = graph.data(node.args[1])
            return _gathered(node, axes, tensor[0] if tensor else [])


def _gathered(node: Node, axes: list[list[int]], indices: list[int]) -> list[int]:
    chosen = [axes[node.axis][i] for i in indices]
    if node.op == "gather":
        return _grid([*axes[: node.axis], chosen, *axes[node.axis + 1 :]])
    axes[node.axis] = [0] * node.shape[node.axis]
    rest = _grid([line[:d] for line, d in pairs(axes, node.shape)])
    return [a + b for a, b in pairs(rest, chosen)]


def dots(a: Shape, b: Shape, x: Sequence[T], y: Sequence[T]) -> Factors[T]:
    """Return the row and the column of each element of a product of tensors."""
    a, b = (1, *a), b if len(b) > 1 else (*b, 1)
    (n, k), m, batch = a[-2:], b[-1], broadcast(a[:-2], b[:-2])
    starts = pairs(spread(a[:-2], batch), spread(b[:-2], batch))
    return [
        (x[(p * n + i) * k : (p * n + i + 1) * k], y[q * k * m + j : (q + 1) * k * m : m])
        for p, q in starts
        for i in range(n)
        for j in range(m)
    ]
