"""The laws that every op obeys, as functions that raise `LawError` for an op that does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, ctx, fmpq
from op_samples import Sample, objects

from tamecheck.evaluate import Enclosure, enclose, exact_values, float_values
from tamecheck.evaluate.exact_terms import holds, piece_values
from tamecheck.exact.reals import UndecidedError, as_number, compare
from tamecheck.ir.box import Box, Side
from tamecheck.ir.formula import Condition, Piece, everywhere
from tamecheck.ir.graph import Graph, GraphBuilder
from tamecheck.ir.op import Pointwise

Array = np.ndarray[Any, Any]
STEP = Fraction(1, 2**60)
_JUMP = Fraction(1, 2**4)
_CONTINUOUS = Fraction(1, 2**8)
_SLOPE = Fraction(2**16)


class LawError(AssertionError):
    """A law does not hold."""


def graph_of(sample: Sample, shapes: Sequence[tuple[int, ...]]) -> Graph:
    """The graph of the op alone; computed indices are a constant."""
    builder = GraphBuilder()
    args = [builder.input(f"x{i}", shape) for i, shape in enumerate(shapes)]
    if sample.indices:
        args[1] = builder.constant(np.array(sample.indices))
    return builder.build({"y": builder.apply(sample.op, args, **dict(sample.params))})


def values_at(sample: Sample, args: Sequence[Array]) -> Array:
    graph = graph_of(sample, [arg.shape for arg in args])
    return exact_values(graph, padded(graph, args))["y"]


def padded(graph: Graph, args: Sequence[Array]) -> dict[str, Array]:
    """The inputs; one that a constant replaces is there but not used."""
    return {
        name: args[int(name[1:])] if int(name[1:]) < len(args) else np.zeros(shape)
        for name, shape in graph.inputs.items()
    }


def _meaning(sample: Sample) -> tuple[tuple[Piece, ...], Condition]:
    meaning = sample.op.meaning
    if not isinstance(meaning, Pointwise):
        raise TypeError(f"{sample.op.name} has no pieces")
    return meaning.pieces(sample.params), meaning.domain(sample.params)


def one_term_for_all(sample: Sample) -> None:
    """``whole`` has a common value with the pieces at every point of the domain."""
    meaning = sample.op.meaning
    if not isinstance(meaning, Pointwise) or meaning.whole is None:
        return
    pieces, _ = _meaning(sample)
    for point in domain_points(sample):
        (whole,) = piece_values(everywhere(meaning.whole), point)
        for value in piece_values(pieces, point):
            if not arb(whole).overlaps(arb(value)):
                raise LawError(f"{sample}: the whole term has another value at {point}")


def domain_points(sample: Sample) -> list[list[fmpq]]:
    """The points of the grid in the domain."""
    _, domain = _meaning(sample)
    rows = zip(*(arg.tolist() for arg in sample.points()), strict=True)
    points = [[as_number(value) for value in row] for row in rows]
    return [point for point in points if holds(domain, point) is True]


def single_valued_and_total(sample: Sample) -> None:
    """At every point of the domain some piece holds, and all pieces that hold have one value."""
    pieces, _ = _meaning(sample)
    for point in domain_points(sample):
        found = [piece for piece in pieces if holds(piece.condition, point) is True]
        if not found:
            raise LawError(f"{sample}: no piece holds at {point}")
        try:
            values = [value for piece in found for value in piece_values([piece], point)]
        except (UndecidedError, ZeroDivisionError):
            raise LawError(f"{sample}: no value at {point} of the domain") from None
        for other in values[1:]:
            if 0 not in compare(values[0], other):
                raise LawError(f"{sample}: the values {values} at {point} differ")


def matches_reference(sample: Sample, reference: Callable[..., Any], args: Sequence[Array]) -> None:
    """The float value and the exact value are that of an independent NumPy formula."""
    floats = [np.asarray(arg, dtype=np.float64) for arg in args]
    graph = graph_of(sample, [arg.shape for arg in args])
    expected = np.asarray(reference(*floats, sample.params), dtype=np.float64)
    found = float_values(graph, padded(graph, floats))["y"]
    exact = exact_values(graph, padded(graph, args))["y"].astype(np.float64)
    for kind, value in (("float", found), ("exact", exact)):
        if value.shape != expected.shape or not np.allclose(
            value, expected, rtol=1e-12, atol=1e-12
        ):
            raise LawError(f"{sample}: {kind} value {value} is not {expected} at {floats}")


def encloses(sample: Sample, lower: Sequence[Array], upper: Sequence[Array]) -> None:
    """Over a box in the domain there is an enclosure, and it contains the exact values."""
    graph = graph_of(sample, [low.shape for low in lower])
    sides = {
        name: Side(tuple(lower[k].reshape(-1).tolist()), tuple(upper[k].reshape(-1).tolist()))
        for name in graph.inputs
        if (k := int(name[1:])) < len(lower)
    }
    found = enclose(graph, Box(sides)).get(graph.outputs[0][1])
    if found is None:
        raise LawError(f"{sample}: no enclosure on {sides}, though the box is in the domain")
    for share in (Fraction(0), Fraction(1), Fraction(1, 2), Fraction(1, 3)):
        point = [low + (high - low) * share for low, high in zip(lower, upper, strict=True)]
        contains(f"{sample} on {sides}", found, exact_values(graph, padded(graph, point))["y"])


def contains(what: str, found: Enclosure, values: Array) -> None:
    """Every exact value lies in its interval."""
    ends = zip(
        found.lower.reshape(-1).tolist(),
        found.upper.reshape(-1).tolist(),
        values.reshape(-1).tolist(),
        strict=True,
    )
    for low, high, value in ends:
        if not (_at_most(low, value) and _at_most(value, high)):
            raise LawError(f"{what}: {value} is outside [{low}, {high}]")


def _at_most(low: Any, high: Any) -> bool:
    if np.inf in (low, high) or -np.inf in (low, high):
        return low == -np.inf or high == np.inf
    if isinstance(low, arb) or isinstance(high, arb):
        return not _ball(low) > _ball(high)
    return Fraction(low) <= Fraction(high)


def _ball(value: Any) -> arb:
    return value if isinstance(value, arb) else arb(as_number(value))


def continuity_is_as_claimed(sample: Sample) -> None:
    """A continuous op does not jump on the grid; a discontinuous one does, somewhere."""
    jumps = list(_changes(sample))
    claimed = sample.op.regularity.continuous
    worst = max((change for change, _, _ in jumps), default=Fraction(0))
    if claimed and worst > _CONTINUOUS:
        raise LawError(f"{sample}: claimed continuous, but jumps by {float(worst)}")
    if sample.op.regularity.lipschitz and not claimed:
        raise LawError(f"{sample}: claimed Lipschitz but not continuous")
    if sample.op.regularity.lipschitz or sample.op.regularity.lipschitz_inside is not None:
        for change, slope, inside in jumps:
            if inside and slope > _SLOPE:
                raise LawError(f"{sample}: claimed Lipschitz, but changes by {float(change)}")


def jumps(sample: Sample) -> bool:
    """Whether the op changes by more than any continuous op would, over a tiny step."""
    return any(change > _JUMP for change, _, _ in _changes(sample))


def _changes(sample: Sample) -> list[tuple[Fraction, Fraction, bool]]:
    """Over a tiny step from a grid point: the change, its slope, and whether it should be small."""
    _, domain = _meaning(sample)
    condition = sample.op.regularity.lipschitz_inside
    inside = None if condition is None else condition(sample.params)
    found: list[tuple[Fraction, Fraction, bool]] = []
    with ctx.workprec(256):
        for point in domain_points(sample):
            here = _value(sample, point)
            regular = inside is None or holds(inside, point) is True
            for index in range(len(point)):
                for step in (STEP, -STEP):
                    moved = [v + as_number(step) if i == index else v for i, v in enumerate(point)]
                    if holds(domain, moved) is True:
                        change = abs(_rounded(_value(sample, moved)) - _rounded(here))
                        found.append((change, change / STEP, regular))
    return found


def _value(sample: Sample, point: Sequence[fmpq]) -> Any:
    return piece_values(_meaning(sample)[0], point)[0]


def _rounded(value: Any) -> Fraction:
    middle = value.mid().fmpq() if isinstance(value, arb) else value
    return Fraction(int(middle.p), int(middle.q))


def grid_arrays(sample: Sample) -> list[Array]:
    """The grid points of the domain as flat arrays, all of them floats exactly."""
    rows = [
        [_rounded(value) for value in point]
        for point in domain_points(sample)
        if all((int(value.q) & (int(value.q) - 1)) == 0 for value in point)
    ]
    return [objects([row[i] for row in rows]) for i in range(sample.op.arity or 1)]
