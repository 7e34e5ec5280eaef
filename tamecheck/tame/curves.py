"""Curves in a box: where the searches for witnesses look.

A curve gives each element of each input as a Laurent polynomial in ``t``, and stays in the box for
all large ``t``: rays, approaches to a point, and different powers of ``t`` at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, permutations

from tamecheck.ir.box import Bound, Box
from tamecheck.ir.exact import rational_text
from tamecheck.ir.formula import Elementary
from tamecheck.ir.graph import Apply, Constant, Graph
from tamecheck.ir.tensor import size_of
from tamecheck.ops.facets import elementary_of, rounds
from tamecheck.tame.refute_rays import inputs_text, nearest_in, rays

WAVES = (Elementary.SIN, Elementary.COS)

Laurent = Mapping[int, Fraction]
"""From each power of t to its coefficient, which is not 0."""

_COORDINATES = 6
_POINTS = 12
_LARGEST = 1 << 16


@dataclass(frozen=True, slots=True)
class Curve:
    """The points whose elements are these Laurent polynomials, as t grows."""

    inputs: Mapping[str, tuple[Laurent, ...]]

    def document(self) -> dict[str, list[dict[str, str]]]:
        """The curve as it stands in certificate steps."""
        return {
            name: [{str(k): rational_text(c) for k, c in element.items()} for element in elements]
            for name, elements in self.inputs.items()
        }

    def text(self) -> str:
        """The curve for people: ``x = t, y = 1 + 2t``."""
        return inputs_text({n: list(map(_laurent_text, es)) for n, es in self.inputs.items()})


def may_oscillate(
    graph: Graph,
    root: int,
    *,
    rounding: bool,
    waves: Collection[Elementary] = (*WAVES, Elementary.TAN),
) -> bool:
    """Whether a node needs one of the waves or, if asked, a rounding."""
    needed = (graph.nodes[index] for index in graph.ancestors([root]))
    return any(
        elementary_of(node.op, node.params) in waves or (rounding and rounds(node.op, node.params))
        for node in needed
        if isinstance(node, Apply)
    )


def _laurent_text(element: Laurent) -> str:
    text = ""
    for k, c in sorted(element.items(), key=lambda term: abs(term[0])):
        size = abs(c)
        moving = {0: "", 1: "t"}.get(k, f"t^{k}" if k > 0 else "1/t" if k == -1 else f"1/t^{-k}")
        factor = str(size) if size != 1 or not moving else ""
        gap = " " if factor and moving and (size.denominator != 1 or k < 0) else ""
        sign = ("-" if c < 0 else "") if not text else " - " if c < 0 else " + "
        text += f"{sign}{factor}{gap}{moving}"
    return text


def curves(graph: Graph, box: Box, seed: int) -> Iterator[Curve]:
    """Curves that stay in the box: rays, approaches to points, then powers that tell inputs apart.

    The points are 0, the finite ends of the box, and the scalar constants of the graph with their
    quotients.  The order is fixed by the seed.
    """
    inputs = graph.inputs
    sides = [
        pair for name, shape in inputs.items() for pair in box.side(name).elements(size_of(shape))
    ]
    seen = set[str]()
    for elements in _elements(graph, box, sides, seed):
        if all(map(_inside, elements, sides)) and str(elements) not in seen:
            seen.add(str(elements))
            found, start = dict[str, tuple[Laurent, ...]](), 0
            for name, shape in inputs.items():
                found[name] = tuple(elements[start : start + size_of(shape)])
                start += size_of(shape)
            yield Curve(found)


def _elements(
    graph: Graph, box: Box, sides: Sequence[tuple[Bound, Bound]], seed: int
) -> Iterator[list[Laurent]]:
    for ray in islice(rays(graph.inputs, box, seed), 2 * _COORDINATES + 1):
        bases = [b for name in graph.inputs for b in ray.base[name]]
        slopes = [d for name in graph.inputs for d in ray.direction[name]]
        yield [_laurent({0: b, 1: d}) for b, d in zip(bases, slopes, strict=True)]
    bases = [[nearest_in(wish, side) for side in sides] for wish in (Fraction(0), Fraction(1))]
    moved = list(enumerate(sides))[:_COORDINATES]
    for i, side in moved:
        ends = [end for end in side if end is not None]
        for point in dict.fromkeys([Fraction(0), *ends, *_points(graph)]):
            for base in bases if len(sides) > 1 else bases[:1]:
                yield _moved(base, {i: {0: point, -1: Fraction(1)}})
                yield _moved(base, {i: {0: point, -1: Fraction(-1)}})
    if len(sides) == 1:
        return
    for i, _ in moved:
        yield _moved(bases[1], {i: {1: Fraction(1)}})
        yield _moved(bases[1], {i: {1: Fraction(-1)}})
    away = [1 if high is None else -1 if low is None else 0 for low, high in sides]
    for powers in (range(1, len(moved) + 1), range(len(moved), 0, -1)):
        yield _moved(
            bases[0], {i: {k: Fraction(away[i])} for (i, _), k in zip(moved, powers, strict=True)}
        )


def _moved(base: Sequence[Fraction], moves: Mapping[int, Laurent]) -> list[Laurent]:
    return [_laurent(moves.get(i, {0: b})) for i, b in enumerate(base)]


def _points(graph: Graph) -> list[Fraction]:
    """Where a divisor may be 0: the scalar constants, their quotients, and the negatives."""
    values = [
        node.tensor.fractions()[0]
        for node in graph.nodes
        if isinstance(node, Constant) and size_of(node.tensor.shape) == 1
    ]
    short = [v for v in dict.fromkeys(values) if max(abs(v.numerator), v.denominator) < _LARGEST]
    ratios = (v / w for v, w in permutations(short[:_POINTS], 2) if w)
    found = dict.fromkeys(w for v in (*short, *ratios) for w in (v, -v))
    return list(islice(found, _POINTS))


def _laurent(terms: Laurent) -> Laurent:
    return {k: c for k, c in terms.items() if c}


def _inside(element: Laurent, side: tuple[Bound, Bound]) -> bool:
    """Whether the element is between both ends for all large t."""
    low, high = side
    above = low is None or _eventual_sign(element, low) >= 0
    return above and (high is None or _eventual_sign(element, high) <= 0)


def _eventual_sign(element: Laurent, subtracted: Fraction) -> int:
    rest = _laurent({**element, 0: element.get(0, Fraction(0)) - subtracted})
    leading = rest[max(rest)] if rest else 0
    return (leading > 0) - (leading < 0)
