"""What is drawn: a model on a box or an affine slice, as a graph over the axes of the figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from tamecheck import ops
from tamecheck.cells import Slice, slice_of_box
from tamecheck.errors import InputError
from tamecheck.evaluate.selection import route_index
from tamecheck.ir.box import Box
from tamecheck.ir.graph import Apply, Graph, GraphBuilder, Input
from tamecheck.ir.op import Expansion, Pointwise
from tamecheck.ir.tensor import Array, size_of
from tamecheck.ops.facets import is_analytic
from tamecheck.ops.monotone import anchor
from tamecheck.plots.canvas import label_of

_COORDINATES = "coordinates"
_SHIFTS = (0.0137035999, -0.0091596559)


@dataclass(frozen=True, slots=True)
class Plane:
    """A function of the figure's one or two coordinates."""

    graph: Graph
    """The function; its one input is the vector of coordinates."""
    bounds: tuple[tuple[Fraction, Fraction], ...]
    """The interval of each coordinate."""
    labels: tuple[str, ...]
    """The axes' labels, ready for matplotlib."""
    outputs: tuple[str, ...]
    """The names of the output elements."""
    chart: Slice
    """How coordinates give the model's inputs."""

    @property
    def size(self) -> int:
        """The number of coordinates."""
        return len(self.bounds)

    @property
    def box(self) -> Box:
        """The bounds as a box of the graph."""
        from tamecheck.loaders.text.box import box_of_mapping

        low, high = [b[0] for b in self.bounds], [b[1] for b in self.bounds]
        return box_of_mapping({_COORDINATES: (low, high)}, self.graph.inputs)

    @property
    def low(self) -> Array:
        """The lower ends, as floats."""
        return np.array([float(low) for low, _ in self.bounds])

    @property
    def high(self) -> Array:
        """The upper ends, as floats."""
        return np.array([float(high) for _, high in self.bounds])

    @property
    def aspect(self) -> float:
        """Height over width of the axes' box: true to scale where the sides are of like length."""
        width, height = (self.high - self.low).tolist()
        return height / width if self.to_scale else 0.9

    @property
    def to_scale(self) -> bool:
        """Whether both axes have the same scale."""
        width, height = (self.high - self.low).tolist()
        return 0.4 <= height / width <= 2.5

    @property
    def scale(self) -> Array:
        """The factors to coordinates in which the axes' box has width 1.

        There a gradient points straight across the level lines as they are drawn.
        """
        width, height = (self.high - self.low).tolist()
        return np.array([width, height / self.aspect])

    def lattice(self, *per_axis: int) -> Array:
        """The centres of the boxes of a regular subdivision, one a row; the first axis fastest.

        One number of boxes is that of each axis.
        """
        counts = per_axis * self.size if len(per_axis) == 1 else per_axis
        return self._mesh([(np.arange(count) + 0.5) / count for count in counts])

    def generic(self, per_axis: int) -> Array:
        """The same, moved by a small part of a step, so that hardly any point is on a boundary."""
        index = np.arange(per_axis) + 0.5
        return self._mesh([(index + shift) / per_axis for shift in _SHIFTS[: self.size]])

    def _mesh(self, steps: Sequence[Array]) -> Array:
        ends = zip(self.low, self.high, steps, strict=True)
        mesh = np.meshgrid(*(low + (high - low) * step for low, high, step in ends), indexing="xy")
        return np.stack([side.reshape(-1) for side in mesh], axis=1)

    def inside(self, point: Sequence[Fraction]) -> bool:
        """Whether a point of the coordinates is in the bounds."""
        return all(low <= x <= high for x, (low, high) in zip(point, self.bounds, strict=True))

    def coordinates(self, values: Sequence[Fraction | None]) -> list[Fraction | None]:
        """The coordinates of a point of a figure along axes, by the values of input elements."""
        matrix = self.chart.matrix
        moving = [row.index(1) if any(row) else -1 for row in matrix]
        own = [values[moving.index(axis)] for axis in range(self.size)]
        if any(value is not None for value in own):
            for row, fixed, value in zip(matrix, self.chart.origin, values, strict=True):
                if not any(row) and value is not None and value != fixed:
                    raise InputError("The point is not in the plane of the figure.", where="--at")
        return own

    def point(self, values: Sequence[Fraction | None], text: str) -> tuple[Fraction, ...]:
        """The point in the figure with these coordinates, all of which are to be known."""
        point = tuple(value for value in values if value is not None)
        if len(point) < self.size:
            raise InputError(
                "The point needs a value for each coordinate.",
                where="--at",
                hint=f"Coordinates: {', '.join(self.chart.names)}.",
            )
        if not self.inside(point):
            raise InputError(f"The point {text} is outside the figure.", where="--at")
        return point

    def only(self, output: int) -> Plane:
        """The same plane with one output element."""
        if not 0 <= output < len(self.outputs):
            raise InputError(
                f"There is no output element {output}.",
                hint=f"The model has {len(self.outputs)}, counted from 0.",
            )
        if len(self.outputs) == 1:
            return self
        graph = element(self.graph, output)
        return replace(self, graph=graph, outputs=(self.outputs[output],))


def plane_of(
    graph: Graph, domain: Box | Slice, *, names: Sequence[str] = (), units: Sequence[str] = ()
) -> Plane:
    """A model on a bounded box, or on an affine slice, as a function of the coordinates.

    Raises `InputError` if the box is unbounded, or the labels do not fit.

    Parameters
    ----------
    graph
        The model.
    domain
        A box, whose sides of positive width are the coordinates; or a slice.
    names, units
        Labels of the coordinates instead of the inputs' names; units go into brackets.
    """
    chart = domain if isinstance(domain, Slice) else slice_of_box(graph.inputs, domain)
    count = len(chart.bounds)
    for what, given in (("names", names), ("units", units)):
        if given and len(given) != count:
            raise InputError(f"The figure has {count} coordinates, but {len(given)} {what}.")
    for name, (low, high) in zip(chart.names, chart.bounds, strict=True):
        if not low < high:
            raise InputError(
                f"The side {name} of the slice has no width.", hint="Give an interval low < high."
            )
    pairs = zip(names or chart.names, units or [""] * count, strict=True)
    labels = tuple(label_of(name, unit) for name, unit in pairs)
    taken = {name.partition("[")[0] for name in chart.names} | set(names)
    outputs = (f"output {name}" if name in taken else name for name in output_names(graph))
    return Plane(_restricted(graph, chart), chart.bounds, labels, tuple(outputs), chart)


def output_names(graph: Graph) -> tuple[str, ...]:
    """A name for every output element."""
    found: list[str] = []
    for name, node in graph.outputs:
        size = size_of(graph.nodes[node].shape)
        found += [name] if size == 1 else [f"{name}[{index}]" for index in range(size)]
    return tuple(found)


def _restricted(graph: Graph, chart: Slice) -> Graph:
    """The model after ``x = matrix u + origin``."""
    builder = GraphBuilder()
    size, start = len(chart.bounds), 0
    u = builder.input(_COORDINATES, (size,))

    def source(node: Input) -> int:
        nonlocal start
        rows = range(start, start := start + size_of(node.shape))
        origin = _numbers([chart.origin[row] for row in rows])
        flat = _numbers([chart.matrix[row][axis] for axis in range(size) for row in rows])
        weights = builder.constant(flat.reshape((size, len(rows))))
        product = builder.apply(ops.MATMUL, [u, weights], node.label)
        moved = builder.apply(ops.ADD, [product, builder.constant(origin)], node.label)
        return builder.apply(ops.RESHAPE, [moved], shape=node.shape)

    number = builder.include(graph, source)
    return builder.build([(name, number[node]) for name, node in graph.outputs])


def _numbers(values: Sequence[Fraction]) -> Array:
    """Integers where all are, which are faster to compute with; else rationals."""
    if all(v.denominator == 1 and abs(v.numerator) < 2**53 for v in values):
        return np.array([int(v) for v in values], dtype=np.int64)
    return np.array(values, dtype=object)


def _extended(graph: Graph) -> tuple[GraphBuilder, int]:
    """A builder that holds the graph, and the node of all its output elements in one vector."""
    builder = GraphBuilder()
    number = builder.include(graph, lambda node: builder.input(node.name, node.shape, node.label))
    flat = [
        builder.apply(ops.RESHAPE, [number[node]], shape=(size_of(graph.nodes[node].shape),))
        for _, node in graph.outputs
    ]
    return builder, flat[0] if len(flat) == 1 else builder.apply(ops.CONCAT, flat, axis=0)


def element(graph: Graph, output: int) -> Graph:
    """One output element of a graph, counted through all outputs in C order."""
    builder, flat = _extended(graph)
    chosen = builder.apply(ops.SLICE, [flat], starts=(output,), steps=(1,), sizes=(1,))
    return builder.build([(output_names(graph)[output], chosen)], graph.gradient)


def decided(graph: Graph, rule: str) -> Graph:
    """The class: ``argmax`` or ``argmin`` of the output elements, or ``sign`` of the only one.

    The first of tied elements wins; ``sign`` gives 1 where the output is positive, else 0.
    """
    builder, flat = _extended(graph)
    match rule:
        case "argmax" | "argmin":
            op = ops.ARGMAX if rule == "argmax" else ops.ARGMIN
            node = builder.apply(op, [flat], axis=0, keepdims=True, last=False)
        case "sign":
            node = builder.apply(ops.STEP, [flat], at_zero=Fraction(0))
        case _:
            node = flat
    return builder.build([("class", node)])


@dataclass(frozen=True, slots=True)
class Scores:
    """A graph without last ops that are smooth, and the names of these.

    ``place`` is the element of a graph with one output element among those that are left, and
    ``alike`` whether the largest output stays so, or the sign of the only one.
    """

    graph: Graph
    dropped: tuple[str, ...] = ()
    place: int = 0
    alike: bool = True


def scores(graph: Graph) -> Scores:
    """The graph without last ops that are smooth: it has the same pieces.

    A softmax after the last layer adds no kink and no jump, and neither does a sigmoid or another
    analytic function that increases strictly from 0 or 1/2 at 0.  One element of a softmax has the
    pieces of all its scores.
    """
    outputs: list[tuple[str, int]] = []
    dropped: dict[str, None] = {}
    lost: list[list[Apply]] = []
    place = 0
    for name, root in graph.outputs:
        kept, here, part = root, 0, False
        found = graph.nodes[root]
        passed: list[Apply] = []
        while isinstance(found, Apply) and len(found.args) == 1:
            if _is_smooth(found) and not (part and isinstance(found.op.meaning, Pointwise)):
                passed.append(found)
                kept, place = found.args[0], here
            elif found.op in (ops.RESHAPE, ops.SLICE):
                part = part or found.op is ops.SLICE
                shape = graph.nodes[found.args[0]].shape
                here = int(route_index(found, [shape]).reshape(-1)[here])
            else:
                break
            found = graph.nodes[found.args[0]]
        dropped.update(dict.fromkeys(node.op.name for node in passed))
        lost.append(passed)
        outputs.append((name, kept))
    # elements of several softmaxes are not ordered as their scores
    simple = all(isinstance(node.op.meaning, Pointwise) for passed in lost for node in passed)
    same = len({tuple(node.op.name for node in passed) for passed in lost}) == 1
    # only of the last function another number than 0 is the threshold
    signs = all(anchor(node.op, node.params) in (0, None) for passed in lost for node in passed[1:])
    alike = not dropped or (signs and (len(outputs) == 1 or (simple and same)))
    return Scores(Graph(graph.nodes, tuple(outputs)), tuple(dropped), place, alike)


def _is_smooth(node: Apply) -> bool:
    """Whether an op is differentiable everywhere, strictly increasing in each class of use."""
    if isinstance(node.op.meaning, Expansion):
        axis = node.params.get("axis")
        return isinstance(axis, int) and node.shape[axis] == size_of(node.shape)
    # signs are kept, or whether a number is above 1/2
    kept = anchor(node.op, node.params) in (0, Fraction(1, 2))
    return kept and is_analytic(node.op, node.params)
