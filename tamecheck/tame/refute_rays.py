"""Rays in a box: where the searches for witnesses look."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

from tamecheck.ir.box import Bound, Box
from tamecheck.ir.exact import rational_text
from tamecheck.ir.tensor import Shape, size_of

Vector = Mapping[str, tuple[Fraction, ...]]

_COORDINATES, _RANDOM = 6, 4


@dataclass(frozen=True, slots=True)
class Ray:
    """The points ``base + t direction`` for ``t >= 0``, element by element for each input."""

    base: Vector
    direction: Vector

    def document(self) -> dict[str, dict[str, list[str]]]:
        """The ray as it stands in certificate steps."""
        return {
            "base": {n: [rational_text(v) for v in vs] for n, vs in self.base.items()},
            "direction": {n: [rational_text(v) for v in vs] for n, vs in self.direction.items()},
        }

    def text(self) -> str:
        """The ray for people: ``x = t, y = 1 + 2t``."""
        return inputs_text(
            {n: list(map(_affine, bs, self.direction[n])) for n, bs in self.base.items()}
        )


def inputs_text(elements: Mapping[str, Sequence[str]]) -> str:
    """Inputs and what their elements are along a line or curve; nothing for those that are 0."""
    parts, still = list[str](), 0
    for name, texts in elements.items():
        for i, text in enumerate(texts):
            label = name if len(texts) == 1 else f"{name}[{i}]"
            still += not text
            if text:
                parts.append(f"{label} = {text}")
    if len(parts) > 4:
        parts = [*parts[:3], f"and {len(parts) - 3} more that move"]
    if still == 1 and len(parts) == 1:
        parts.append("the other input 0")
    elif still:
        parts.append("all other inputs 0")
    return ", ".join(parts)


def _affine(base: Fraction, slope: Fraction) -> str:
    if not slope:
        return str(base) if base else ""
    size = abs(slope)
    moving = "t" if size == 1 else f"{size}t" if size.denominator == 1 else f"{size} t"
    if not base:
        return moving if slope > 0 else f"-{moving}"
    return f"{base} {'+' if slope > 0 else '-'} {moving}"


def rays(inputs: Mapping[str, Shape], box: Box, seed: int) -> Iterator[Ray]:
    """Rays that stay in the box: single coordinates, all together, then random ones.

    Every direction is tried from the point of the box that is nearest to 0, then random
    directions also from random small points.  The order is fixed by the seed.
    """
    pairs = [
        pair for name, shape in inputs.items() for pair in box.side(name).elements(size_of(shape))
    ]
    source = random.Random(seed)  # noqa: S311 a search order, no secret
    nearest = [nearest_in(Fraction(0), pair) for pair in pairs]
    seen: set[tuple[Fraction, ...]] = set()
    for direction in _directions(pairs, source):
        if any(direction) and direction not in seen:
            seen.add(direction)
            yield _ray(inputs, nearest, direction)
    for _ in range(_RANDOM):
        base = [nearest_in(Fraction(source.randint(-8, 8), 4), pair) for pair in pairs]
        direction = _random_direction(pairs, source)
        if any(direction):
            yield _ray(inputs, base, direction)


def _directions(
    pairs: Sequence[tuple[Bound, Bound]], source: random.Random
) -> Iterator[tuple[Fraction, ...]]:
    free = [i for i, pair in enumerate(pairs) if None in pair]
    single = (
        tuple(sign if j == i else Fraction(0) for j in range(len(pairs)))
        for i in free
        for sign in _signs(pairs[i])
    )
    yield from islice(single, 2 * _COORDINATES)
    yield tuple(_signs(pair)[0] if None in pair else Fraction(0) for pair in pairs)
    for _ in range(_RANDOM):
        yield _random_direction(pairs, source)


def _random_direction(
    pairs: Sequence[tuple[Bound, Bound]], source: random.Random
) -> tuple[Fraction, ...]:
    return tuple(
        source.choice(_signs(pair)) * source.randint(0, 3) if None in pair else Fraction(0)
        for pair in pairs
    )


def _signs(pair: tuple[Bound, Bound]) -> list[Fraction]:
    low, high = pair
    return [Fraction(1)] * (high is None) + [Fraction(-1)] * (low is None)


def nearest_in(value: Fraction, pair: tuple[Bound, Bound]) -> Fraction:
    """The number between two bounds that is nearest to a value."""
    low, high = pair
    if low is not None and value < low:
        return low
    return high if high is not None and value > high else value


def _ray(
    inputs: Mapping[str, Shape], base: Sequence[Fraction], direction: Sequence[Fraction]
) -> Ray:
    bases: dict[str, tuple[Fraction, ...]] = {}
    slopes: dict[str, tuple[Fraction, ...]] = {}
    start = 0
    for name, shape in inputs.items():
        end = start + size_of(shape)
        bases[name], slopes[name] = tuple(base[start:end]), tuple(direction[start:end])
        start = end
    return Ray(bases, slopes)
