"""Whether a graph as it was read is the function that its source computes, at points.

Every reader of a foreign model ends here: the source is run by its own library at the points, and
its values are those of the graph up to rounding, or the model is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from tamecheck import ops
from tamecheck.errors import DomainError, UnsupportedError
from tamecheck.evaluate import Enclosure, enclose, float_values
from tamecheck.ir.box import Box, Side
from tamecheck.ir.graph import Apply, Graph, Node
from tamecheck.ir.op import Contraction, Fold
from tamecheck.ir.tensor import Array
from tamecheck.ops.shapes import axes_of

Point: TypeAlias = Mapping[str, Array]
"""A value for each input."""

Draw: TypeAlias = Callable[[np.random.Generator, Array], Array]
"""A random array on a scale of its own, of the shape of a given one."""

SHARE = 4
"""One point in so many, at least, must not be left undecided by rounding."""


@dataclass(frozen=True, slots=True)
class Original:
    """A model as its own library runs it, and the float type of its arithmetic.

    ``run`` gives the outputs at a point, by the names that they have in the graph, or None where it
    has none; ``refined`` does it in float64 throughout, where the library can do that.
    """

    name: str
    precision: type[np.floating]
    run: Callable[[Point], dict[str, Array] | None]
    refined: Callable[[Point], dict[str, Array] | None] | None = None


def points_like(example: Point) -> Iterator[Point]:
    """The example, then random points of its shapes and types, on scales from 1/100 to 100.

    There are twelve; for less than sixteen numbers twenty-four and their mirror images.  Integers
    stay between the least and the largest of the example, and so in the range of an index.
    """
    yield example
    rng = np.random.default_rng(0)
    few = sum(array.size for array in example.values()) < 16
    for draw in (*_DRAWS, *_DRAWS) if few else _DRAWS:
        point = {name: _sample(array, draw, rng) for name, array in example.items()}
        yield point
        if few:
            yield {name: np.asarray(-a) if a.dtype.kind == "f" else a for name, a in point.items()}


def _sample(like: Array, draw: Draw, rng: np.random.Generator) -> Array:
    if like.dtype.kind == "b":
        return np.asarray(rng.integers(0, 2, like.shape), dtype=like.dtype)
    if like.dtype.kind in "iu":
        low, high = (int(like.min()), int(like.max())) if like.size else (0, 0)
        return np.asarray(rng.integers(low, high, like.shape, endpoint=True), dtype=like.dtype)
    # a type of float16 has no larger numbers
    return np.asarray(np.clip(draw(rng, _real(like)), -6e4, 6e4), dtype=like.dtype)


def _normal(scale: float) -> Draw:
    return lambda rng, like: scale * rng.standard_normal(like.shape)


def _widest(like: Array) -> float:
    return _largest(np.abs(like)) or 1.0


_DRAWS: tuple[Draw, ...] = (
    *map(_normal, (1.0, 0.01, 0.1, 10.0, 100.0)),
    lambda rng, like: np.abs(rng.standard_normal(like.shape)),
    lambda rng, like: rng.uniform(0, 1, like.shape),
    lambda rng, like: rng.uniform(-1, 1, like.shape),
    # kinks and jumps of what people write stand at such points
    lambda rng, like: rng.integers(-2, 3, like.shape),
    lambda rng, like: rng.integers(-6, 7, like.shape) / 2,
    lambda rng, like: like + _widest(like) * rng.standard_normal(like.shape) / 8,
    lambda rng, like: _widest(like) * rng.standard_normal(like.shape),
)


def refuse_difference(
    graph: Graph, original: Original, points: Iterator[Point], *, where: str
) -> None:
    """Do nothing if graph and original have the same values at the points.

    Values that differ by more than rounding are compared in float64, if the original can do that.
    If they still differ, an enclosure of the graph's values around the point decides: where it
    does not hold the original's value, they differ.  Where it does and is wide, as near a jump, the
    point decides nothing if rounding may have moved the original across the jump: the point is not
    on the jump itself, or the original has another value in float64.  At a point where the graph
    has no value, no output of the original may be finite in all elements, or the point decides
    nothing.
    """
    decided = total = finite = 0
    for number, point in enumerate(points):
        total += 1
        verdict = _compare(graph, original, point, number, where)
        decided += verdict is not None
        finite += verdict is True
    if not finite or decided * SHARE < total:
        raise UnsupportedError(
            f"What was read could not be compared with {original.name}: "
            f"{total - decided} of {total} points decide nothing.",
            where=where,
            hint="Give an example at which every output has a value.",
        )


def _compare(
    graph: Graph, original: Original, point: Point, number: int, where: str
) -> bool | None:
    """True where values agree, False where neither side has one, None where nothing is decided."""
    theirs = original.run(point)
    try:
        ours = float_values(graph, {name: _real(array) for name, array in point.items()})
    except DomainError:
        undefined = theirs is None or not all(np.isfinite(a).all() for a in theirs.values())
        return False if undefined else None
    if theirs is None:
        return None
    refined: dict[str, Array] | None = None
    decided: bool | None = False
    for name, mine in ours.items():
        found = theirs.get(name)
        if found is None or found.shape != mine.shape:
            shape = "is missing" if found is None else f"has shape {found.shape}"
            raise UnsupportedError(
                f"Output {name!r} of shape {mine.shape} {shape} in {original.name}.", where=where
            )
        relative = 1e-9 if original.precision is np.float64 else 1e-6
        # below the smallest normal number digits are lost
        wrong = _apart(mine, found, relative, 8 * float(np.finfo(original.precision).tiny))
        better: Array | None = None
        if wrong.any() and original.refined is not None:
            refined = refined or original.refined(point)
            better = None if refined is None else refined.get(name)
            if better is not None:
                # what float64 rounds away is 2^-29 of what float32 does; 2^-10 leaves room for
                # constants of the model that are float32 in one and float64 in the other
                noise = _largest(np.abs(better - _real(found)))
                wrong &= _apart(mine, better, relative, noise * 2.0**-10)
        if wrong.any():
            size = 1e-3 * _largest(np.abs(_real(found)))
            limits = np.finfo(original.precision)
            inside, reach, slack = _around_point(graph, point, (name, found), limits)
            narrow = reach + slack <= size
            # no more than what sums of large numbers that cancel lose
            narrow |= (np.abs(mine - _real(found)) <= slack) & (slack <= size)
            # a jump excuses what rounding has moved across it, not another value on the jump
            _, reach, slack = _around_point(graph, point, (name, found), np.finfo(np.float64))
            off = reach <= max(size, 2 * slack)
            moved = better is not None and _apart(better, found, relative, 0.0)
            left = wrong & ~(inside & (narrow | off | moved))
            if left.any():
                raise _difference(original, point, number, (name, mine, found, left), where)
            decided = None if (wrong & ~narrow).any() else decided
        if decided is False and bool(np.isfinite(mine).all()):
            decided = True
    return decided


def _real(array: Array) -> Array:
    return np.asarray(array, dtype=np.float64)


def _largest(array: Array) -> float:
    return float(np.where(np.isfinite(array), array, 0.0).max(initial=0.0))


def _apart(mine: Array, theirs: Array, relative: float, absolute: float) -> Array:
    """Where values differ; two values that are no finite numbers are alike."""
    a, b = _real(mine), _real(theirs)
    with np.errstate(all="ignore"):
        near = np.abs(a - b) <= relative * np.maximum(np.abs(a), np.abs(b)) + absolute
    known, other = np.isfinite(a), np.isfinite(b)
    return np.asarray(np.where(known & other, ~near, known != other))


def _around_point(
    graph: Graph, point: Point, found: tuple[str, Array], limits: np.finfo[Any]
) -> tuple[Array, Array, float]:
    """Where the graph's values around the point hold those found, and how far they spread.

    Around means as far as rounding reaches in a float type; the last number is what rounding adds.
    """
    output, values = dict(graph.outputs)[found[0]], _real(found[1])
    width = 16 * float(limits.eps)
    box = Box(
        {
            key: _around(_real(array), width if array.dtype.kind == "f" else 0.0)
            for key, array in point.items()
        }
    )
    nodes = list(graph.ancestors([output]))
    enclosures = enclose(graph, box, hull_above=2**62, nodes=nodes)
    if output not in enclosures:
        return np.ones(values.shape, dtype=bool), np.full(values.shape, np.inf), 0.0
    ends = [max(map(abs, enclosures[node].hull())) for node in nodes if node in enclosures]
    ends += [_largest_sum(graph.nodes[node], enclosures) for node in nodes if node in enclosures]
    finite = [end for end in ends if math.isfinite(end)]
    # the graph's own numbers are rounded too, the largest of them by the most
    slack = width * max(finite, default=0.0) / 8
    overflows = ~np.isfinite(values) & (not max(ends) < float(limits.max) * 2.0**-10)
    around = enclosures[output]
    with np.errstate(all="ignore"):
        inside = (around.lower - slack <= values) & (values <= around.upper + slack)
        reach = around.upper - around.lower
    return np.asarray(inside | overflows), np.asarray(reach), slack


def _largest_sum(node: Node, enclosures: Mapping[int, Enclosure]) -> float:
    """A bound on the absolute values that are summed for one element of a sum or product."""
    if not isinstance(node, Apply) or not all(arg in enclosures for arg in node.args):
        return 0.0
    found = [enclosures[arg] for arg in node.args]
    sizes = [np.maximum(np.abs(one.lower), np.abs(one.upper)) for one in found]
    with np.errstate(all="ignore"):
        match node.op.meaning:
            case Contraction():
                sums = np.matmul(sizes[0], sizes[1])
            case Fold(ops.ADD):
                sums = sizes[0].sum(axis=axes_of(sizes[0].shape, node.params))
            case _:
                return 0.0
    largest = float(np.max(sums, initial=0.0))
    return math.inf if math.isnan(largest) else largest


def _around(array: Array, width: float) -> Side:
    flat = array.reshape(-1)
    reach = Fraction(width * (1 + _largest(np.abs(flat))))
    exact = [Fraction(value) for value in flat.tolist()]
    return Side(tuple(x - reach for x in exact), tuple(x + reach for x in exact))


def _difference(
    original: Original,
    point: Point,
    number: int,
    found: tuple[str, Array, Array, Array],
    where: str,
) -> UnsupportedError:
    name, mine, theirs, wrong = found
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    ours, other = float(mine[place]), float(theirs[place])
    listed = ", ".join(f"{key} = {_short(array)}" for key, array in point.items())
    element = f"element {list(place)} of output {name!r}" if place else f"output {name!r}"
    return UnsupportedError(
        f"What was read is another function: {element} is {ours:.9g}, but {other:.9g} in "
        f"{original.name} (difference {abs(ours - other):.3g}) at point {number}, {listed}.",
        where=where,
        hint="The model uses something that is not read as it runs; please report it.",
    )


def _short(array: Array, limit: int = 6) -> str:
    flat: Sequence[float] = array.reshape(-1).tolist()
    text = ", ".join(f"{float(value):.9g}" for value in flat[:limit])
    return f"[{text}{', ...' if math.prod(array.shape) > limit else ''}]"
