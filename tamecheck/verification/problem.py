"""A property of a network as rows: unsafe means that all rows of some case are at most 0."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from flint import fmpq

from tamecheck.bounds.ascent import kinks
from tamecheck.bounds.builder import layers_of
from tamecheck.bounds.layers import Combine, Dense, Layers, Pointwise
from tamecheck.bounds.opposites import join_opposites
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.evaluate.enclosure import float_down, float_up
from tamecheck.exact.feasibility import Inequality as Row
from tamecheck.exact.feasibility import Polyhedron, opposite
from tamecheck.exact.reals import as_fraction, as_number
from tamecheck.ir.box import is_crossed
from tamecheck.ir.graph import Graph
from tamecheck.ir.spec import Case, Inequality, Specification
from tamecheck.ir.tensor import Array, size_of
from tamecheck.verification.last import add_up, before_last, beside_last

if TYPE_CHECKING:
    from tamecheck.binarized.windows import WindowNetwork

FEW_INPUTS = 40
"""So many at most are few: their boxes are halved where nothing else has led to a proof."""


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A box, rounded outward, and which cases have it."""

    lower: Array
    upper: Array
    cases: Array

    @property
    def finite(self) -> bool:
        """Whether the box is bounded."""
        return bool(np.isfinite(self.lower).all() and np.isfinite(self.upper).all())


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """The network with the rows of the property as its outputs.

    ``scores`` is the model without a last op that keeps order, where that does not matter, and
    ``spec`` a property of it that is violated wherever the one ``stated`` of the model is, case by
    case; a witness has to violate ``judged``, which is equivalent to what is stated.
    ``layers`` is the network followed by the rows, None where a node has no linear bounds, which
    ``open_nodes`` tells.  ``members`` (cases, rows) says which rows each case has, ``places`` the
    numbers of these, filled up by the number after the last, ``strict`` which rows are unsafe only
    below 0; ``regions`` are the distinct boxes.
    """

    graph: Graph
    stated: Specification
    spec: Specification
    judged: tuple[Graph, Specification]
    scores: Graph
    layers: Layers | None
    open_nodes: str
    members: Array
    places: Array
    strict: Array
    regions: tuple[Region, ...]

    @property
    def integral(self) -> tuple[bool, ...]:
        """Of each input element whether its tensor is declared to have integers."""
        return self.spec.integral

    def held(self, rows: Array, *, fill: float, cases: Array | slice = slice(None)) -> Array:
        """The rows that each case has, one after the other, and ``fill`` where it has no more."""
        end = np.full((*rows.shape[:-1], 1), fill, dtype=rows.dtype)
        return np.concatenate([rows, end], -1)[..., self.places[cases]]

    def unsafe(self, rows: Array, cases: Array | slice = slice(None)) -> Array:
        """For each point, given its rows, and each case: whether the floats say unsafe."""
        below = np.where(self.strict, rows < 0, rows <= 0)
        return np.asarray(self.held(below, fill=True, cases=cases).all(-1))

    def closed(self, least: Array) -> Array:
        """For each box, given lower bounds of the rows, and each case: whether it is impossible."""
        above = np.where(self.strict, least >= 0, least > 0)
        return np.asarray(self.held(above, fill=False).any(-1))

    def depth(self, rows: Array, cases: Array | slice = slice(None)) -> Array:
        """For each point and case the largest row: at most 0 means unsafe."""
        return np.asarray(self.held(rows, fill=-np.inf, cases=cases).max(-1, initial=-np.inf))


def without(regions: Sequence[Region], cases: Collection[int]) -> tuple[Region, ...]:
    """The regions without some cases."""
    drop = sorted(cases)
    kept: list[Region] = []
    for region in regions:
        mask = region.cases.copy()
        mask[drop] = False
        if mask.any():
            kept.append(Region(region.lower, region.upper, mask))
    return tuple(kept)


def problem_of(graph: Graph, spec: Specification) -> Problem:
    """The rows, regions and layers of a property of a model.

    An `InputError` says where the numbers of inputs or outputs do not fit.
    """
    _check_sizes(graph, spec)
    stated = spec
    scores, spec = before_last(graph, add_up(graph, spec))
    judged = scores, spec
    scores, spec = beside_last(scores, spec)
    spec = replace(spec, cases=tuple(map(_bounded, spec.cases)))
    rows: dict[Inequality, int] = {}
    for case in spec.cases:
        for row in (*case.region, *case.outputs):
            rows.setdefault(row, len(rows))
    members = np.zeros((len(spec.cases), len(rows)), dtype=bool)
    for number, case in enumerate(spec.cases):
        for row in (*case.region, *case.outputs):
            members[number, rows[row]] = True
    layers, missing = None, ""
    try:
        layers = _with_rows(_layers(scores), [_scale(row) for row in rows]) if rows else None
    except UnsupportedError as error:
        missing = "; ".join(f"{name} ({why})" for name, why in error.nodes[:4])
    strict = np.array([row.strict for row in rows], dtype=bool)
    regions = _regions(spec.cases)
    return Problem(
        graph,
        stated,
        spec,
        judged,
        scores,
        layers,
        missing,
        members,
        _places(members),
        strict,
        regions,
    )


def network_of(problem: Problem) -> WindowNetwork | None:
    """The binarized network that a problem is about, as its property is stated; None for others."""
    known = () if problem.layers is None else problem.layers.computed
    if not any(isinstance(one, Pointwise) and one.scalar.jumps for one in known):
        return None
    if problem.spec.cases != problem.stated.cases:
        # a certificate is about the property as it is stated
        return None
    from tamecheck.binarized import recognise_windows

    try:
        return recognise_windows(problem.scores)
    except UnsupportedError:
        return None


def separate_layers(
    problem: Problem, change: Callable[[Layers], Layers] = lambda network: network
) -> Layers:
    """The layers of a problem whose nodes have linear bounds, with every rectifier as it is.

    The network may be changed before the rows of the property follow it.
    """
    cases = problem.spec.cases
    rows = dict.fromkeys(row for case in cases for row in (*case.region, *case.outputs))
    return _with_rows(change(layers_of(problem.scores)), list(map(_scale, rows)))


def _places(members: Array) -> Array:
    """The numbers of each case's rows, as many as the longest has, filled up."""
    count = int(members.sum(-1).max(initial=0))
    order = np.argsort(~members, axis=-1, kind="stable")[:, :count]
    return np.where(np.take_along_axis(members, order, -1), order, members.shape[1])


def _layers(scores: Graph) -> Layers:
    found = layers_of(scores)
    return join_opposites(found) if found.inputs <= _HALVED_INPUTS else found


def halves_inputs(layers: Layers) -> bool:
    """Whether boxes of inputs are halved in proofs; else the signs of rectifiers are split."""
    return layers.inputs <= _HALVED_INPUTS or not kinks(layers)


def has_jumps(layers: Layers) -> bool:
    """Whether some layer takes discrete values."""
    bent = (one.scalar for one in layers.computed if isinstance(one, Pointwise))
    return any(scalar.jumps or scalar.integral for scalar in bent)


def signs_share(layers: Layers) -> float:
    """The share of the time that splitting signs may take; boxes have the rest."""
    return 0.5 if layers.inputs <= FEW_INPUTS else 1.0


def _check_sizes(graph: Graph, spec: Specification) -> None:
    inputs = sum(size_of(shape) for shape in graph.inputs.values())
    outputs = sum(size_of(graph.nodes[node].shape) for _, node in graph.outputs)
    for what, model, declared in (
        ("input", inputs, spec.input_size),
        ("output", outputs, spec.output_size),
    ):
        if model != declared:
            raise InputError(
                f"The property is about {declared} {what} elements, the model has {model}.",
                where=spec.where,
            )

    _check_order(spec, [tensor.model_name for tensor in spec.inputs], list(graph.inputs))
    names = [name for name, _ in graph.outputs]
    _check_order(spec, [tensor.model_name for tensor in spec.outputs], names)


def _check_order(spec: Specification, declared: Sequence[str], model: Sequence[str]) -> None:
    """Flat indices run through the declared tensors, so these must come in the model's order."""
    if len(declared) > 1 and set(declared) == set(model) and list(declared) != list(model):
        raise InputError(
            f"The property declares {', '.join(declared)}, the model has {', '.join(model)}.",
            where=spec.where,
            hint="Declare them in the model's order.",
        )


def polyhedron_of(case: Case) -> Polyhedron | None:
    """The region of a case; None if it is empty.  Its box has the sides that relations imply."""
    ends = list(zip(case.lower, case.upper, strict=True))
    if any(is_crossed(*own) for own in ends):
        return None
    lower, upper = (
        [None if end is None else as_number(end) for end in side]
        for side in (case.lower, case.upper)
    )
    rows = [input_row(one, len(ends)) for one in case.region]
    found = Polyhedron.box(lower, upper).cut(rows)
    if found is None or not rows or None not in (*lower, *upper):
        return found
    # a side that only the relations bound is one of the box as well
    for axis, (low, high) in enumerate(zip(lower, upper, strict=True)):
        form = tuple(fmpq(int(i == axis)) for i in range(len(ends) + 1))
        if high is None:
            upper[axis] = found.most(form)
        if low is None and (least := found.most(opposite(form))) is not None:
            lower[axis] = -least
    return Polyhedron.box(lower, upper).cut(rows)


def input_row(one: Inequality, size: int) -> Row:
    """What an inequality demands of inputs alone, as a form that is at least 0."""
    row = [_ZERO] * (size + 1)
    for index, coefficient in one.inputs:
        row[index] -= as_number(coefficient)
    row[-1] = as_number(one.bound)
    return tuple(row), one.strict


def _bounded(case: Case) -> Case:
    """The same case, in the box that its relations imply."""
    if not case.region or len(case.lower) > _MANY_INPUTS or None not in (*case.lower, *case.upper):
        return case
    found = polyhedron_of(case)
    if found is None:
        return case
    lower, upper = (
        tuple(None if end is None else as_fraction(end) for end in side)
        for side in (found.lower, found.upper)
    )
    return replace(case, lower=lower, upper=upper)


_ZERO, _MANY_INPUTS, _HALVED_INPUTS = fmpq(0), 64, 12
_LEAST, _MOST = 2.0**-500, 2.0**500


def _scale(row: Inequality) -> Inequality:
    """The row times a power of two, so that float64 holds it; or an `UnsupportedError`."""
    terms = (*row.inputs, *row.outputs)
    if not terms:
        return row
    exponent = max(c.numerator.bit_length() - c.denominator.bit_length() for _, c in terms)
    factor = Fraction(2) ** -exponent
    inputs, outputs = (
        tuple((i, c * factor) for i, c in side) for side in (row.inputs, row.outputs)
    )
    bound = row.bound * factor
    sizes = [abs(c) for _, c in (*inputs, *outputs)]
    if min(sizes) < _LEAST or abs(bound) > _MOST or 0 < abs(bound) < _LEAST:
        what = "The property has numbers that float64 does not hold."
        raise UnsupportedError(what, nodes=[("the property", "numbers beyond float64")])
    return Inequality(inputs, outputs, bound, row.strict)


def _with_rows(network: Layers, rows: Sequence[Inequality]) -> Layers:
    """The network followed by one layer for the rows ``c y + d x - bound``."""
    layers = list(network.computed)
    parts: list[int] = []
    outputs, inputs = [row.outputs for row in rows], [row.inputs for row in rows]
    for source, forms in ((network.output, outputs), (0, inputs)):
        size = network.sizes[source]
        weight = np.zeros((size, len(rows)))
        for number, form in enumerate(forms):
            for index, coefficient in form:
                weight[index, number] = float(coefficient)
        if weight.any() or source == network.output:
            layers.append(Dense.of(source, weight, (1, size), (1, len(rows)), left=False))
            parts.append(len(layers))
    offset = np.array([-float(row.bound) for row in rows])
    layers.append(Combine.of(parts, (1.0,) * len(parts), offset, len(rows)))
    # rows are about the numbers that come out
    noise = (*network.noise, *[(0.0, 0.0)] * (len(layers) - network.output))
    noise = noise if network.noise else ()
    return Layers(network.inputs, tuple(layers), noise=noise, whole=network.whole)


def _regions(cases: Sequence[Case]) -> tuple[Region, ...]:
    known: dict[tuple[object, object], list[int]] = {}
    same: dict[tuple[int, int], list[int]] = {}
    for number, case in enumerate(cases):
        # as a rule cases share their ends, whose hashes take long
        ends = id(case.lower), id(case.upper)
        if ends not in same:
            same[ends] = known.setdefault((case.lower, case.upper), [])
        same[ends].append(number)
    found: list[Region] = []
    for numbers in known.values():
        case = cases[numbers[0]]
        mask = np.zeros(len(cases), dtype=bool)
        mask[numbers] = True
        lower = np.array([-np.inf if v is None else float_down(v) for v in case.lower])
        upper = np.array([np.inf if v is None else float_up(v) for v in case.upper])
        found.append(Region(lower, upper, mask))
    return tuple(found)
