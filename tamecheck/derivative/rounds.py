"""Convex sets of matrices with balls in them: discs at norms, and arcs that kinks cut out.

A set is the hull of parts.  A part is a matrix, and for each norm the image of a ball:
``base + Σ_j factor_j (Q_j u_j)ᵀ`` with ``u_jᵀ Q_j u_j <= 1``.  Where norms and kinks share their
variables, a part may take one direction d for all norms, in a cone: ``u_j = d / √(dᵀ Q_j d)``.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from flint import arb, fmpq, fmpq_mat

from tamecheck.exact import hull
from tamecheck.exact.feasibility import Vector
from tamecheck.exact.reals import ONE, ZERO, Number, as_fraction, as_number, power

_HALF = fmpq(1, 2)
_ROUNDS = 80
_MOST_BOXES = 3000
_CLOSE = 2.0**-27
_FINE = 1 << 40


@dataclass(frozen=True, slots=True)
class Blend:
    """The matrix is ``Σ weights[k] elements[k]``, with weights ``>= 0`` of sum 1.

    Each element is one of a part, with a vector u for each of its balls.
    """

    weights: tuple[Fraction, ...]
    parts: tuple[int, ...]
    vectors: tuple[tuple[tuple[Fraction, ...], ...], ...]

    def __bool__(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Ball:
    """``factor (Q u)ᵀ`` for all u with ``uᵀ Q u <= 1``: an ellipsoid, by its matrix Q."""

    factor: Vector
    gram: hull.Exact

    def image(self, functional: hull.Exact) -> Vector:
        """The functional of the vector ``Q u``."""
        return tuple(
            sum((w * b for w, b in zip(column, self.factor, strict=True)), ZERO)
            for column in zip(*functional, strict=True)
        )

    def square(self, vector: Sequence[fmpq]) -> fmpq:
        """``vᵀ Q v``."""
        return hull.dot(vector, _times(self.gram, vector))

    def element(self, vector: Sequence[fmpq]) -> hull.Exact:
        """``factor (Q u)ᵀ``."""
        moved = _times(self.gram, vector)
        return tuple(tuple(b * a for a in moved) for b in self.factor)


@dataclass(frozen=True, slots=True)
class Part:
    """A matrix and its balls; with ``rows``, one direction d with ``row · d >= 0`` for them all."""

    base: hull.Exact
    balls: tuple[Ball, ...] = ()
    rows: tuple[Vector, ...] | None = None
    ray: Vector | None = None
    """The only direction, if there is one."""

    @property
    def whole(self) -> bool:
        """Whether all vectors of all balls are taken."""
        return self.rows is None and self.ray is None

    def along(self, functional: hull.Exact, direction: Sequence[arb]) -> arb:
        """The value of a functional at the element of a direction, or of a box of directions."""
        total = arb(hull.inner(functional, self.base))
        for ball in self.balls:
            image = ball.image(functional)
            most = arb(ball.square(image)).sqrt()
            square = sum(
                (arb(q) * a * b for row, a in zip(ball.gram, direction, strict=True)
                 for q, b in zip(row, direction, strict=True)),
                arb(0),
            )  # fmt: skip
            moved = _times(ball.gram, image)
            value = sum((arb(m) * a for m, a in zip(moved, direction, strict=True)), arb(0))
            inside = value / square.sqrt() if square > 0 else arb("nan")
            total += _between(inside, most)
        return total


def _between(value: arb, most: arb) -> arb:
    """A ball about a number that is in another one, and at most so large."""
    high = arb(most.upper())
    if not value.is_finite():
        return arb(0).union(high).union(-high)
    low = max(-high, value.lower())
    top = min(high, value.upper())
    return arb(low).union(arb(top)) if low <= top else value


@dataclass(frozen=True, slots=True)
class RoundSet:
    """The convex hull of parts."""

    parts: tuple[Part, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of the matrices."""
        base = self.parts[0].base
        return len(base), len(base[0])

    def support(self, functional: hull.Exact) -> Number:
        """The largest value of ``<functional, M>``: exact, or a ball about it."""
        values = [_value(part, functional) for part in self.parts]
        best = values[0]
        for value in values[1:]:
            best = (
                arb(best).max(arb(value))
                if isinstance(value, arb) or isinstance(best, arb)
                else max(best, value)
            )
        return best

    def contains(self, matrix: hull.Exact) -> Blend | hull.Separator | bool | None:
        """Whether a matrix is an element, with the proof; None where that is not decided.

        True alone says that it is in the hull of elements that are known by balls.
        """
        alone = self._exact(matrix)
        if alone is not None:
            return alone
        points = [p for v in _axes(*self.shape) for p in self._farthest(v)]
        for _ in range(_ROUNDS):
            found = hull.membership([point.matrix for point in points], matrix)
            if isinstance(found, hull.Combination):
                return self._inside(matrix, points, found)
            if found is None:
                return None
            functional = tuple(tuple(map(as_number, row)) for row in found.functional)
            level = self.support(functional)
            reached = hull.inner(functional, matrix)
            if arb(level) < arb(reached):
                above = arb(level).upper() if isinstance(level, arb) else level
                return hull.Separator(found.functional, _fraction_above(above, reached))
            new = [
                p for p in self._farthest(functional) if p.matrix not in {q.matrix for q in points}
            ]
            if not new:
                return None
            points += new
        return None

    def _exact(self, matrix: hull.Exact) -> Blend | hull.Separator | None:
        """The decision for one ellipsoid, also on its boundary; None for other sets."""
        part, *others = self.parts
        if others or len(part.balls) != 1 or not part.whole:
            return None
        ball = part.balls[0]
        pivot = next((k for k, b in enumerate(ball.factor) if b != 0), None)
        if pivot is None:
            return None
        gap = [
            [a - b for a, b in zip(*rows, strict=True)]
            for rows in zip(matrix, part.base, strict=True)
        ]
        target = [a / ball.factor[pivot] for a in gap[pivot]]
        vector = _solve(ball.gram, target)
        if vector is None or ball.element(vector) != tuple(tuple(row) for row in gap):
            return None
        if ball.square(vector) <= 1:
            return Blend((Fraction(1),), (0,), (hull.fractions_of((vector,)),))
        # the point itself is farther out than any element
        rows = [tuple(ZERO for _ in vector) for _ in ball.factor]
        rows[pivot] = tuple(v / ball.factor[pivot] for v in vector)
        # the root of s is at most (s + 1) / 2, which is less than s beyond 1
        level = hull.inner(tuple(rows), part.base) + (ball.square(vector) + 1) / 2
        return hull.Separator(hull.fractions_of(tuple(rows)), as_fraction(level))

    def _inside(
        self, matrix: hull.Exact, points: Sequence[_Point], found: hull.Combination
    ) -> Blend | bool | None:
        used = [(w, p) for w, p in zip(found.weights, points, strict=True) if w]
        if all(point.vectors is not None for _, point in used):
            return Blend(
                tuple(w for w, _ in used),
                tuple(point.part for _, point in used),
                tuple(hull.fractions_of(point.vectors or ()) for _, point in used),
            )
        # elements are known by balls: a small ball about the matrix has to be in the hull
        for axis in _axes(*self.shape, fmpq(1, _FINE)):
            corner = hull.membership([p.matrix for p in points], _plus(matrix, axis))
            if not isinstance(corner, hull.Combination):
                return None
        return True

    def _farthest(self, functional: hull.Exact) -> list[_Point]:
        """An element of each part that is about the farthest in a direction."""
        found: list[_Point] = []
        for number, part in enumerate(self.parts):
            if part.whole:
                vectors = [_unit(ball, ball.image(functional)) for ball in part.balls]
                matrix = part.base
                for ball, vector in zip(part.balls, vectors, strict=True):
                    matrix = _plus(matrix, ball.element(vector))
                found.append(_Point(number, matrix, tuple(vectors)))
            else:
                direction = part.ray or _highest(part, functional)[1]
                if direction is not None:
                    found.append(_Point(number, _near(part, direction), None))
        return found

    def outline(self, count: int = 64) -> list[hull.Exact]:
        """Elements that are about the farthest in so many directions, to draw the set by."""
        height, width = self.shape
        found: list[hull.Exact] = []
        for k in range(count):
            # equal angles for two entries; no pattern for more
            angle = 2 * math.pi * k / count
            turns = [
                angle - j * math.pi / 2 if height * width == 2 else 1 + (k + 1) * (j + 1) ** 1.5
                for j in range(height * width)
            ]
            row = [fmpq(round(1000 * math.cos(turn)), 1000) for turn in turns]
            functional = hull.in_rows(row, width)
            points = [p.matrix for p in self._farthest(functional)]
            found.append(max(points, key=lambda matrix: hull.inner(functional, matrix)))
        return found

    def describe(self, names: Sequence[str]) -> str:
        """The set in words."""
        parts = [_words(part, names) for part in self.parts]
        return parts[0] if len(parts) == 1 else f"the hull of {'; '.join(parts)}"


@dataclass(frozen=True, slots=True)
class _Point:
    """An element of a part; without vectors the matrix is within ``2^-41`` of one."""

    part: int
    matrix: hull.Exact
    vectors: tuple[Vector, ...] | None


def _value(part: Part, functional: hull.Exact) -> Number:
    if not part.whole:
        if part.ray is not None:
            return part.along(functional, [arb(a) for a in part.ray])
        return _highest(part, functional)[0]
    total: Number = hull.inner(functional, part.base)
    for ball in part.balls:
        total = total + power(ball.square(ball.image(functional)), _HALF)
    return total


def _highest(  # noqa: C901 (one search)
    part: Part, functional: hull.Exact
) -> tuple[arb, Vector | None]:
    """The largest value over the directions of a part, and about where it is taken.

    By branch and bound over the faces of the cube of directions.
    """
    size = len(part.base[0])
    best: arb | None = None
    place: Vector | None = None
    waiting: list[tuple[float, int, arb, tuple[tuple[fmpq, fmpq], ...]]] = []
    count = 0

    def add(box: tuple[tuple[fmpq, fmpq], ...]) -> None:
        nonlocal best, place, count
        sides = [arb(a).union(arb(b)) for a, b in box]
        for row in part.rows or ():
            if sum((arb(r) * s for r, s in zip(row, sides, strict=True)), arb(0)) < 0:
                return
        upper = part.along(functional, sides).upper()
        middle = tuple((a + b) / 2 for a, b in box)
        if all(hull.dot(row, middle) >= 0 for row in part.rows or ()):
            here = part.along(functional, [arb(a) for a in middle])
            if here.is_finite() and (best is None or here.mid() > best.mid()):
                best, place = here, middle
        count += 1
        heapq.heappush(waiting, (-float(upper), count, upper, box))

    for axis, sign in product(range(size), (-ONE, ONE)):
        add(tuple((sign, sign) if k == axis else (-ONE, ONE) for k in range(size)))
    while waiting and count < _MOST_BOXES:
        if best is not None and -waiting[0][0] - float(best.mid()) < _CLOSE:
            break
        _, _, _, box = heapq.heappop(waiting)
        wide = max(range(size), key=lambda k: box[k][1] - box[k][0])
        low, high = box[wide]
        if low == high:
            break
        for side in ((low, (low + high) / 2), ((low + high) / 2, high)):
            add(tuple(side if k == wide else box[k] for k in range(size)))
    top = max((u for *_, u, _ in waiting), key=float, default=None)
    if best is None or top is None:
        return arb("nan"), place
    return best.union(arb(top)), place


def _near(part: Part, direction: Vector) -> hull.Exact:
    """A rational matrix near the element of a direction."""
    total = part.base
    for ball in part.balls:
        scale = 1 / arb(ball.square(direction)).sqrt()
        near = scale.mid().fmpq()
        total = _plus(total, ball.element(tuple(near * a for a in direction)))
    return total


def _unit(ball: Ball, image: Vector) -> Vector:
    """A multiple of a vector with ``uᵀ Q u`` just at most 1."""
    square = ball.square(image)
    if square == 0:
        return tuple(ZERO for _ in image)
    root = power(square, _HALF)
    if isinstance(root, fmpq):
        return tuple(a / root for a in image)
    scale = fmpq(math.floor(float((1 / arb(root)).lower()) * _FINE) - 1, _FINE)
    return tuple(a * scale for a in image) if scale > 0 else tuple(ZERO for _ in image)


def _solve(gram: hull.Exact, target: Sequence[fmpq]) -> Vector | None:
    """U with ``Q u = target``."""
    size = len(target)
    table = fmpq_mat([[*row, t] for row, t in zip(gram, target, strict=True)])
    reduced, rank = table.rref()
    found = [ZERO] * size
    for line in reduced.tolist()[: int(rank)]:
        pivot = next(j for j, a in enumerate(line) if a != 0)
        if pivot == size:
            return None
        found[pivot] = line[-1]
    return tuple(found)


def _words(part: Part, names: Sequence[str]) -> str:
    """A part in words."""
    pieces = [hull.matrix_text(part.base)] if any(a != 0 for row in part.base for a in row) else []
    for ball in part.balls:
        used = [k for k, row in enumerate(ball.gram) if any(a != 0 for a in row)]
        over = ", ".join(names[k] for k in used)
        scale = ball.gram[used[0]][used[0]] if used else ZERO
        level = all(ball.gram[i][j] == (scale if i == j else 0) for i in used for j in used)
        factor = ball.factor[0] if len(ball.factor) == 1 else None
        if level and factor is not None:
            kind = {1: "the segment", 2: "the disc"}.get(len(used), "the ball")
            radius = power(factor * factor * scale, _HALF)
            size = str(radius) if isinstance(radius, fmpq) else f"√{factor * factor * scale}"
            pieces.append(f"{kind} of radius {size} in {over}")
        else:
            kind = {1: "the segment", 2: "the ellipse"}.get(
                int(fmpq_mat([list(r) for r in ball.gram]).rank()), "the ellipsoid"
            )
            lead = hull.matrix_text((ball.factor,)) if factor is None else str(factor)
            pieces.append(
                f"{lead} times {kind} of Q u with uᵀQu ≤ 1, Q = {hull.matrix_text(ball.gram)}"
            )
    text = " + ".join(pieces) or "0"
    if part.ray is not None:
        return f"{text} in the direction ({' '.join(map(str, part.ray))})"
    if part.rows is None:
        return text
    if not part.rows:
        return f"{text}, by one direction u for all"
    cone = ", ".join(f"{_linear(row, names)} ≥ 0" for row in part.rows)
    return f"{text}, for directions with {cone}"


def _linear(row: Vector, names: Sequence[str]) -> str:
    terms = [
        f"{a}*{name}" if a != 1 else name for a, name in zip(row, names, strict=True) if a != 0
    ]
    return " + ".join(terms).replace("+ -", "- ")


def _axes(height: int, width: int, length: fmpq = ONE) -> Iterator[hull.Exact]:
    for place, step in product(range(height * width), (length, -length)):
        yield hull.in_rows([step if k == place else ZERO for k in range(height * width)], width)


def _plus(left: hull.Exact, right: hull.Exact) -> hull.Exact:
    pairs = zip(left, right, strict=True)
    return tuple(tuple(a + b for a, b in zip(row, other, strict=True)) for row, other in pairs)


def _times(gram: hull.Exact, vector: Sequence[fmpq]) -> Vector:
    return tuple(hull.dot(row, vector) for row in gram)


def _fraction_above(level: Number, below: fmpq) -> Fraction:
    """A rational number that is at least a level, and less than another number."""
    if isinstance(level, fmpq):
        return as_fraction(level)
    middle = (level.mid().fmpq() + below) / 2
    return as_fraction(middle)
