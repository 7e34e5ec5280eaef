"""Properties of a last increasing function, or softmax, as properties of what is before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from flint import arb

from tamecheck.errors import TamecheckError
from tamecheck.evaluate import exact_values
from tamecheck.evaluate.enclose import range_of
from tamecheck.exact.reals import as_number, working_precision
from tamecheck.ir.graph import Apply, Graph, GraphBuilder
from tamecheck.ir.op import Expansion, Op, Params, Routing
from tamecheck.ir.spec import Case, Inequality, Specification
from tamecheck.ir.tensor import size_of
from tamecheck.ops import EXP, LOG_SOFTMAX, MATMUL, RESHAPE, SOFTMAX
from tamecheck.ops.facets import line_of
from tamecheck.ops.monotone import anchor, increases
from tamecheck.ops.shapes import axis_of


def add_up(graph: Graph, spec: Specification) -> Specification:
    """The same property, with the known sum of outputs (1 for a softmax) where only that occurs."""
    groups = list(_groups(graph))
    if not groups:
        return spec

    def row(one: Inequality) -> Inequality:
        terms, bound = dict(one.outputs), one.bound
        for group, total in groups:
            factors = {terms.get(index, Fraction(0)) for index in group}
            if len(factors) == 1 and (factor := factors.pop()):
                bound -= factor * total
                terms = {index: c for index, c in terms.items() if index not in group}
        return Inequality(one.inputs, tuple(terms.items()), bound, one.strict)

    cases = (replace(case, outputs=tuple(map(row, case.outputs))) for case in spec.cases)
    return replace(spec, cases=tuple(cases))


def _groups(graph: Graph) -> Iterator[tuple[frozenset[int], Fraction]]:
    """Sets of output elements with a known sum: of a softmax, whose elements may have moved."""
    start = 0
    for _, number in graph.outputs:
        node, moves = graph.nodes[number], list[tuple[Routing, Params]]()
        offset, start = start, start + size_of(node.shape)
        while isinstance(node, Apply) and isinstance(node.op.meaning, Routing):
            below = graph.nodes[node.args[0]]
            if len(node.args) != 1 or size_of(below.shape) != size_of(node.shape):
                # elements are lost or added
                break
            moves.append((node.op.meaning, node.params))
            node = below
        meaning = node.op.meaning if isinstance(node, Apply) else None
        if not isinstance(node, Apply) or not isinstance(meaning, Expansion) or not meaning.total:
            continue
        elements = np.arange(size_of(node.shape)).reshape(node.shape)
        lines = np.moveaxis(elements, axis_of(node.shape, node.params), -1)
        for routing, params in reversed(moves):
            elements = routing.route([elements], params)
        place = {element: offset + i for i, element in enumerate(elements.reshape(-1).tolist())}
        for line in lines.reshape(-1, lines.shape[-1]).tolist():
            if all(element in place for element in line):
                yield frozenset(place[element] for element in line), meaning.total


def before_last(graph: Graph, spec: Specification) -> tuple[Graph, Specification]:
    """The model without a last op that keeps order, and the same property of what is before it.

    A softmax goes where rows only compare its elements; a strictly increasing function such as the
    sigmoid also where they compare one with the value at 0.
    """
    start, outputs = 0, list(graph.outputs)
    for position, (name, last) in enumerate(graph.outputs):
        node = graph.nodes[last]
        places = range(start, start := start + size_of(node.shape))
        found = _rows_before(node, spec, places) if isinstance(node, Apply) else None
        if found is not None and isinstance(node, Apply):
            spec, outputs[position] = found, (name, node.args[0])
    if tuple(outputs) == graph.outputs:
        return graph, spec
    return before_last(Graph(graph.nodes, tuple(outputs)), spec)


def _rows_before(node: Apply, spec: Specification, places: range) -> Specification | None:
    """The property of the argument of a node instead of the node; None if it is not one of it."""
    meaning, value = node.op.meaning, anchor(node.op, node.params)
    if isinstance(meaning, Expansion):
        axis = node.params.get("axis")
        whole = isinstance(axis, int) and node.shape[axis] == size_of(node.shape)
        if not (meaning.keeps_order and whole):
            return None
    elif value is None:
        return None

    def row(one: Inequality) -> Inequality | None:
        own = [c for index, c in one.outputs if index in places]
        if not own:
            return one
        alone = len(own) == len(one.outputs) and not one.inputs
        if alone and len(own) == 2 and own[0] == -own[1] and one.bound == 0:
            return one
        if alone and len(own) == 1 and value is not None and one.bound == own[0] * value:
            return replace(one, bound=Fraction(0))
        return None

    cases: list[Case] = []
    for case in spec.cases:
        rows = [found for one in case.outputs if (found := row(one)) is not None]
        if len(rows) < len(case.outputs):
            return None
        cases.append(replace(case, outputs=tuple(rows)))
    return replace(spec, cases=tuple(cases))


Ends: TypeAlias = tuple[Fraction | None, Fraction | None]
"""Rational bounds below and above a real number; None where it is -infinity, or infinity."""

_NEVER = Inequality((), (), Fraction(-1))
_WIDEST, _BITS = 40, 160


def beside_last(graph: Graph, spec: Specification) -> tuple[Graph, Specification]:
    """The model before a last op whose elements are compared with constants, and a property of it.

    Whatever violates the given property violates the new one, and what violates that one only is
    within a relative 2**-100 of the constants.  A strictly increasing function goes, where each
    constant has a rational enclosure of the argument that it is taken at.  Of a softmax, whose
    element j is ``1 / (1 + Σ exp(z_i - z_j))``, these sums become further outputs.
    """
    start, outputs = 0, list(graph.outputs)
    for position, (name, last) in enumerate(graph.outputs):
        node = graph.nodes[last]
        places = range(start, start := start + size_of(node.shape))
        if not isinstance(node, Apply):
            continue
        if isinstance(node.op.meaning, Expansion):
            found = _beside_softmax(graph, spec, position, places)
            if found is not None:
                return beside_last(*before_last(*found))
        elif increases(node.op, node.params) and line_of(node.op, node.params) is None:
            changed = _rows_inside(node, spec, places)
            if changed is not None:
                outputs[position] = name, node.args[0]
                before = Graph(graph.nodes, tuple(outputs)), changed
                return beside_last(*before_last(*before))
    return graph, spec


def _change_rows(
    spec: Specification,
    places: range,
    change: Callable[[int, Fraction, bool], Sequence[Inequality]],
) -> Specification | None:
    """The property with rows ``±y_j <= b`` about places changed; None if others are about these.

    ``change`` gets the place j, the bound, and whether it is an upper one, and says what is
    demanded instead, of a row that is not strict; rows that compare two of the places stay.
    """
    cases: list[Case] = []
    seen = False
    for case in spec.cases:
        rows: list[Inequality] = []
        for one in case.outputs:
            own = [c for index, c in one.outputs if index in places]
            alone = len(own) == len(one.outputs) and not one.inputs
            if not own or (alone and len(own) == 2 and own[0] == -own[1] and one.bound == 0):
                rows.append(one)
            elif alone and len(own) == 1:
                seen = True
                changed = change(one.outputs[0][0], one.bound / own[0], own[0] > 0)
                rows += [replace(row, strict=one.strict or row.strict) for row in changed]
            else:
                return None
        cases.append(replace(case, outputs=tuple(rows)))
    return replace(spec, cases=tuple(cases)) if seen else None


def _at_most(place: int, ends: Ends, *, upper: bool) -> list[Inequality]:
    """``z <= t``, or ``z >= t``, for the number t between the ends; not more than that."""
    low, high = ends
    if upper:
        terms = ((place, Fraction(1)),)
        return [] if high is None else [Inequality((), terms, high)]
    return [] if low is None else [Inequality((), ((place, Fraction(-1)),), -low)]


def _rows_inside(node: Apply, spec: Specification, places: range) -> Specification | None:
    """The property of the argument of an increasing function; None if it is not about that."""
    known: dict[Fraction, Ends | None] = {}
    low, high = range_of(node.op, node.params)

    def change(place: int, value: Fraction, upper: bool) -> list[Inequality]:  # noqa: FBT001
        # the ends of the range are not taken
        if value <= low or value >= high:
            return [] if (value >= high) == upper else [_NEVER]
        if value not in known:
            known[value] = inverse(node.op, node.params, value)
        ends = known[value]
        if ends is None:
            raise _UnknownError
        return _at_most(place, ends, upper=upper)

    try:
        return _change_rows(spec, places, change)
    except _UnknownError:
        return None


class _UnknownError(Exception):
    """No argument is known at which a function takes a value."""


def inverse(op: Op, params: Params, value: Fraction) -> Ends | None:
    """Bounds of the argument at which an increasing function takes a value; None if none are found.

    By bisection, where each sign is shown by a ball.
    """
    builder = GraphBuilder()
    graph = builder.build({"y": builder.apply(op, [builder.input("x", ())], **params)})

    def below(x: Fraction) -> bool | None:
        """Whether the function is below the value at x; None if that is not seen."""
        point = np.empty((), dtype=object)
        point[()] = x
        try:
            found = exact_values(graph, {"x": point}, precision=_BITS)["y"].reshape(-1)[0]
        except TamecheckError:
            return None
        if isinstance(found, Fraction):
            return found < value
        with working_precision(_BITS):
            number = arb(as_number(value))
            return True if found < number else False if found > number else None

    low, high = Fraction(-1), Fraction(1)
    for _ in range(_WIDEST):
        first, last = below(low), below(high)
        if first and last is False:
            break
        low, high = (low if first else 2 * low), (2 * high if last is not False else high)
    else:
        return None
    for _ in range(_BITS):
        middle = (low + high) / 2
        side = below(middle)
        if side is None:
            break
        low, high = (middle, high) if side else (low, middle)
    return low, high


def _beside_softmax(
    graph: Graph, spec: Specification, position: int, places: range
) -> tuple[Graph, Specification] | None:
    name, last = graph.outputs[position]
    node = graph.nodes[last]
    if not isinstance(node, Apply) or node.op not in (SOFTMAX, LOG_SOFTMAX):
        return None
    count = len(places)
    if count < 2 or node.shape[axis_of(node.shape, node.params)] != count:
        return None
    total = sum(size_of(graph.nodes[k].shape) for _, k in graph.outputs)
    added: dict[int, int] = {}
    logarithmic = node.op is LOG_SOFTMAX

    def change(place: int, value: Fraction, upper: bool) -> list[Inequality]:  # noqa: FBT001
        if value >= (0 if logarithmic else 1):
            return [] if upper else [_NEVER]
        if value <= 0 and not logarithmic:
            return [_NEVER] if upper else []
        ends = _inverse_exp(-value) if logarithmic else (1 / value, 1 / value)
        number = added.setdefault(place, total + len(added))
        # the larger the element, the smaller the sum over the others
        sums = tuple(None if end is None else end - 1 for end in ends)
        return _at_most(number, (sums[0], sums[1]), upper=not upper)

    changed = _change_rows(spec, places, change)
    if changed is None:
        return None
    builder = GraphBuilder()
    numbers = builder.include(graph, lambda one: builder.input(one.name, one.shape, one.label))
    outputs = [(key, numbers[k]) for key, k in graph.outputs]
    scores = numbers[node.args[0]]
    outputs[position] = name, scores
    row = builder.apply(RESHAPE, [scores], shape=(1, count))
    for place in added:
        j = place - places.start
        others = np.delete(np.eye(count), j, axis=1)
        others[j] = -1.0
        apart = builder.apply(MATMUL, [row, builder.constant(others)])
        grown = builder.apply(EXP, [apart])
        if count > 2:
            grown = builder.apply(MATMUL, [grown, builder.constant(np.ones((count - 1, 1)))])
        outputs.append((f"({name}[{j}])", grown))
    return builder.build(outputs), changed


def _inverse_exp(value: Fraction) -> Ends:
    """Bounds of the exponential of a number."""
    with working_precision(_BITS):
        ball = arb(as_number(value)).exp()
        middle, radius = ball.mid().fmpq(), ball.rad().fmpq()
    low, high = middle - radius, middle + radius
    return Fraction(int(low.p), int(low.q)), Fraction(int(high.p), int(high.q))
