"""A graph of ops read as a binarized network over windows, exactly."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import accumulate

import numpy as np

from tamecheck.binarized.affine import Fixed, UnfitError, arithmetic
from tamecheck.binarized.recognise import route_of, sum_axes
from tamecheck.binarized.window_elements import (
    Elements,
    Steps,
    Sums,
    Value,
    attained,
    closed_at,
    exact,
    integer_sums,
    move,
    number,
    of_fixed,
    readout_of,
    shifted,
    thresholds,
    with_constant,
    with_forms,
)
from tamecheck.binarized.windows import WindowLayer, WindowNetwork
from tamecheck.errors import UnsupportedError
from tamecheck.exact.quadratic import sign
from tamecheck.ir.formula import Var
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Contraction, Fold, Routing
from tamecheck.ir.tensor import Array, size_of
from tamecheck.ops import SELECT
from tamecheck.ops.facets import comparisons, extremum, line_of, sign_values

_X, _Y = Var(0), Var(1)


def recognise_windows(graph: Graph) -> WindowNetwork:
    """The graph as layers of threshold neurons over windows of real inputs, when it is one.

    Parameters
    ----------
    graph
        One output; convolutions and dense layers with constant weights, batch normalisation,
        poolings by maximum, signs and steps, each layer behind the one before.

    Returns
    -------
    WindowNetwork
        Its neurons are those of the model, ties included, but for thresholds of the first layer
        that are irrational or count as below: there a neuron may be either in a gap of 2**-190.

    Raises
    ------
    UnsupportedError
        Naming the node that does not fit.
    """
    return _Reader(graph).network()


class _Reader:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        if len(graph.outputs) != 1:
            raise UnsupportedError("A binarized network has one output.")
        sizes = list(map(size_of, graph.inputs.values()))
        self.starts = dict(zip(graph.inputs, accumulate(sizes, initial=0), strict=False))
        self.inputs = sum(sizes)
        self.layers: list[WindowLayer] = []

    def network(self) -> WindowNetwork:
        """The network, once every node has been read."""
        values: dict[int, Value] = {}
        last = self.graph.outputs[0][1]
        for index in self.graph.ancestors([last]):
            try:
                values[index] = self._value(index, values)
            except (ValueError, TypeError, IndexError, ZeroDivisionError) as error:
                why = str(error)
                raise UnsupportedError(
                    "This is no binarized network over windows:",
                    nodes=[(self.graph.name_of(index), why)],
                ) from None
        head = values[last]
        if not self.layers or not isinstance(head, Elements) or isinstance(head.source, int):
            raise UnsupportedError("The output is no linear map of signs.")
        if head.source.level != len(self.layers):
            raise UnsupportedError("The output passes the last layer by.")
        try:
            return WindowNetwork(self.inputs, tuple(self.layers), readout_of(head, self.layers[-1]))
        except ValueError as error:
            raise UnsupportedError(str(error)) from None

    def _value(self, index: int, values: dict[int, Value]) -> Value:
        node = self.graph.nodes[index]
        match node:
            case Input(name=name, shape=shape):
                places = self.starts[name] + np.arange(size_of(shape)).reshape(shape)
                form = np.zeros(shape, dtype=np.int64)
                return Elements(0, places, form, [(Fraction(1), Fraction(0))])
            case Constant(tensor=tensor):
                return Fixed(tensor.array)
            case Apply(args=args):
                found = self._apply(node, [values[arg] for arg in args])
                if found is None:
                    raise UnfitError(f"op {node.op.name} is not one of its parts here")
                return found

    def _apply(self, node: Apply, args: list[Value]) -> Value | None:
        route = route_of(node, [arg for arg in args[1:] if isinstance(arg, Fixed)])
        if route is not None:
            if isinstance(node.op.meaning, Routing) and len(args) > 1:
                return None
            # what is inserted is exact only among exact numbers
            inserts = any(isinstance(v, Fraction) for v in node.params.values())
            return move(route, [exact(a) if inserts and isinstance(a, Fixed) else a for a in args])
        if isinstance(node.op.meaning, Contraction):
            return self._product(args, node.shape)
        first = args[0]
        if all(isinstance(arg, Fixed) for arg in args):
            return of_fixed(node, [exact(arg) for arg in args if isinstance(arg, Fixed)])
        if isinstance(first, Steps) and len(args) == 2 and isinstance(args[1], Fixed):
            return self._apply_to_steps(node, first, args[1])
        values = sign_values(node.op, node.params)
        if values is not None:
            compared = comparisons(node.op, node.params)
            return self._jump(args, values, ordered=compared == (_X - _Y,))
        if len(args) == 1:
            return self._unary(node, first)
        return with_constant(node, args) if len(args) == 2 else _chosen(node, args)

    def _apply_to_steps(self, node: Apply, steps: Steps, constant: Fixed) -> Value | None:
        """A function of the three values, where the constant is one number."""
        numbers = set(constant.values.reshape(-1).tolist())
        if len(numbers) != 1:
            return with_constant(node, [self._states(steps), constant])
        other = number(Fraction(numbers.pop()))
        found = [arithmetic(node.op, [number(v), other], ()) for v in steps.values]
        values = [v.values.item() for v in found if isinstance(v, Fixed)]
        return replace(steps, values=tuple(values)) if len(values) == 3 else None

    def _jump(
        self, args: list[Value], values: tuple[Fraction, ...], *, ordered: bool
    ) -> Value | None:
        below, level, above = values
        first = args[0]
        if isinstance(first, Steps) and len(args) == 1:
            turned = tuple((below, level, above)[sign(v) + 1] for v in first.values)
            return replace(first, values=turned)
        if len(args) == 2 and ordered:
            left, right = args
            if isinstance(left, Fixed):
                left, right, below, above = right, left, above, below
            if not isinstance(right, Fixed):
                return None
            first = shifted(left, [-v for v in exact(right).values.reshape(-1)], right)
        elif len(args) != 1:
            return None
        if not isinstance(first, Elements) or isinstance(first.source, int):
            raise UnfitError("a sign of something that is no sum")
        return Steps(first, (below, level, above))

    def _unary(self, node: Apply, value: Value) -> Value | None:
        meaning = node.op.meaning
        if isinstance(meaning, Fold) and extremum(node.op):
            axes = sum_axes(node)
            return self._largest(value, axes, node.shape, smallest=extremum(node.op) < 0)
        line = line_of(node.op, node.params)
        if line is None:
            return None
        if isinstance(value, Steps):
            values = tuple(line(v) for v in value.values)
            return replace(value, values=values)
        if isinstance(value, Elements) and not line.breaks:
            slope, intercept = line.pieces[0]
            return with_forms(value, lambda one: (one[0] * slope, one[1] * slope + intercept))
        return None

    def _largest(
        self, value: Value, axes: tuple[int, ...], shape: tuple[int, ...], *, smallest: bool
    ) -> Value:
        """The largest (or smallest) of sums of one channel, or of states."""
        elements = value if isinstance(value, Elements) else self._states(value)

        def by_group(part: Array) -> Array:
            moved = np.moveaxis(part, axes, range(-len(axes), 0))
            return moved.reshape(size_of(shape), -1)

        index, form = by_group(elements.index), by_group(elements.form)
        if (form != form[:, :1]).any() or (index < 0).any():
            raise UnfitError("a pooling of elements of different forms")
        ways = {sign(scale) for scale, _ in elements.table} - {0}
        if len(ways) != 1:
            raise UnfitError("a pooling of elements of different directions")
        upward = ways == {-1 if smallest else 1}
        if isinstance(elements.source, int):
            count = index.shape[1]
            # of states: some (or every) one is 1
            end = Fraction(2 - count if upward else count)
            layer = WindowLayer(
                index, np.ones((1, count), np.int64), _alone(len(index)), (end,), (end,)
            )
            level = self._add(elements.source, layer)
            places = np.arange(len(index)).reshape(shape)
            return Elements(level, places, form[:, 0].reshape(shape), elements.table)
        if not upward:
            raise UnfitError("the smallest of several sums")
        sums = elements.source
        if len(sums.groups) != len(sums.windows):
            raise UnfitError("a pooling of a pooling")
        places, channel = np.divmod(index, len(sums.weights))
        if (channel != channel[:, :1]).any():
            raise UnfitError("a pooling over channels")
        groups, number = np.unique(np.sort(places, axis=1), axis=0, return_inverse=True)
        pooled = replace(sums, groups=groups)
        found = number.reshape(-1) * len(sums.weights) + channel[:, 0]
        return Elements(pooled, found.reshape(shape), form[:, 0].reshape(shape), elements.table)

    def _add(self, level: int, layer: WindowLayer) -> int:
        if level != len(self.layers):
            raise UnfitError("layers that do not follow one another")
        self.layers.append(layer)
        return len(self.layers)

    def _states(self, value: Value) -> Elements:
        """What a jump of sums is: the states of a new layer."""
        if not isinstance(value, Steps):
            raise UnfitError("constants where states are needed")
        sums, (below, level, above) = value.sums, value.values
        source = sums.source
        assert isinstance(source, Sums)  # noqa: S101 (jumps are only made of sums)
        if (sums.index < 0).any():
            raise UnfitError("a constant among sums")
        channels = len(source.weights)
        channel = sums.index % channels
        pairs = np.unique(np.stack([channel.reshape(-1), sums.form.reshape(-1)]), axis=1)
        if len(np.unique(pairs[0])) != pairs.shape[1]:
            raise UnfitError("thresholds that depend on the place")
        ends = [(Fraction(0), Fraction(0))] * channels
        weights = source.weights.copy()
        rising = np.ones(channels, dtype=np.bool_)
        for c, form in pairs.T.tolist():
            scale, offset = sums.table[int(form)]
            way = sign(scale)
            if way == 0:
                raise UnfitError("a sum of nothing")
            rising[c] = way > 0
            # the state is 1 where the sum is at or above the end, or where it is above
            closed = closed_at(level, above if way > 0 else below, below if way > 0 else above)
            ends[c] = thresholds(-offset / scale, closed=closed, attained=attained(source, c))
        layer = WindowLayer(
            source.windows,
            weights,
            source.groups,
            tuple(low for low, _ in ends),
            tuple(high for _, high in ends),
        )
        number = self._add(source.level, layer)
        middle, half = (above + below) / 2, (above - below) / 2
        table = [(half, middle), (-half, middle)]
        return Elements(number, sums.index, np.where(rising[channel], 0, 1), table)

    def _product(self, args: list[Value], shape: tuple[int, ...]) -> Value | None:
        """A product with constant weights: windows, one a column."""
        left, right = args
        if isinstance(left, Fixed) == isinstance(right, Fixed):
            return None
        turned = isinstance(right, Fixed)
        constant = right if turned else left
        value = left if turned else right
        if not isinstance(constant, Fixed) or isinstance(value, Fixed):
            return None
        elements = value if isinstance(value, Elements) else self._states(value)
        if not isinstance(elements.source, int):
            raise UnfitError("a product of sums, without a sign between them")
        weights = constant.values
        if turned:
            weights = np.swapaxes(weights, -1, -2) if weights.ndim > 1 else weights[None, :]
        if size_of(weights.shape[:-2]) != 1:
            raise UnfitError("weights in groups")
        weights = weights.reshape(weights.shape[-2:] if weights.ndim > 1 else (1, -1))
        index, form = elements.index, elements.form
        if not turned and index.ndim > 1:
            index, form = np.swapaxes(index, -1, -2), np.swapaxes(form, -1, -2)
        width = weights.shape[1]
        index, form = index.reshape(-1, width), form.reshape(-1, width)
        whole, table = integer_sums(weights, index, form, elements.table)
        channels = len(whole)
        places = np.arange(len(index) * channels).reshape(*_lead(shape, turned=turned), channels)
        numbers = np.broadcast_to(np.arange(channels), places.shape)
        if not turned:
            places, numbers = np.swapaxes(places, -1, -2), np.swapaxes(numbers, -1, -2)
        source = Sums(elements.source, index, whole, _alone(len(index)))
        return Elements(source, places.reshape(shape), numbers.reshape(shape), table)


def _chosen(node: Apply, args: list[Value]) -> Value | None:
    """One of two numbers, by whether a jump is 0."""
    if node.op is not SELECT or not isinstance(args[0], Steps):
        return None
    numbers = [set(arg.values.reshape(-1).tolist()) for arg in args[1:] if isinstance(arg, Fixed)]
    if [len(one) for one in numbers] != [1, 1]:
        return None
    yes, no = (Fraction(one.pop()) for one in numbers)
    below, level, above = (yes if v else no for v in args[0].values)
    return replace(args[0], values=(below, level, above))


def _lead(shape: tuple[int, ...], *, turned: bool) -> tuple[int, ...]:
    """The axes of the windows of a product of this shape."""
    return shape[:-1] if turned else (*shape[:-2], shape[-1])


def _alone(count: int) -> Array:
    return np.arange(count).reshape(-1, 1)
