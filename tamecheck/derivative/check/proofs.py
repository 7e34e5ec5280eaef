"""Proofs about signs of functions that vanish at a point, checked from the definitions.

The claim is about functions ``g_i`` with ``g_i(x0) = 0`` and the set R of points x with
``g_i(x) > 0`` for all i.

* `Curve`: R comes arbitrarily near to x0, since it contains a polynomial curve that starts there.
* `Identity`: R stays away from x0.  Functions ``m_j`` that are positive near x0, off a null set of
  coordinates at most, and products ``p_j`` of the g_i make ``Σ m_j p_j = N`` with ``N <= 0`` near
  x0, though the left side is positive on R but for a null set.
* `Tangents`: the same, with ``N < 0`` only near limits of directions to points of R.  With
  ``λ_i > 0`` and ``Σ λ_i ∇g_i = 0`` over some of the functions, a limit d of directions has
  ``∇g_i · d = 0`` for these.  So it suffices that the form of lowest degree of N is negative on
  these directions.  If there are none but 0, no N is needed; nor if there are none in some of the
  variables, where the functions vanish if these variables do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement, product
from math import comb
from typing import TypeAlias

import numpy as np
from flint import arb, fmpq, fmpq_mat

from tamecheck.derivative.check.germs import (
    Germ,
    Space,
    code_of,
    degree_of,
    exponents_of,
    mask_of,
    union,
    variables_of,
)
from tamecheck.exact.reals import ZERO, Number, power

Vector: TypeAlias = tuple[fmpq, ...]

_MOST_CHOICES = 500


@dataclass(frozen=True, slots=True)
class Curve:
    """``x0 + Σ_k t^k coefficients[k - 1]`` for small ``t > 0``."""

    coefficients: tuple[tuple[fmpq, ...], ...]

    def series(self, variable: int) -> tuple[fmpq, ...]:
        """The coefficients of one coordinate's shift."""
        return (ZERO, *(vector[variable] for vector in self.coefficients))


@dataclass(frozen=True, slots=True)
class Multiple:
    """A polynomial times the product of some functions.

    The polynomial is ``x^β (a + …)`` with ``a > 0`` and even β: its other monomials are proper
    multiples of ``x^β``.
    """

    factors: tuple[int, ...]
    terms: Mapping[int, fmpq]


@dataclass(frozen=True, slots=True)
class Identity:
    """The summands on the left, one at least."""

    multiples: tuple[Multiple, ...]


@dataclass(frozen=True, slots=True)
class Tangents:
    """A relation between gradients, and the summands on the left."""

    relation: tuple[fmpq, ...]
    """For each function its factor, 0 for those that are not used."""
    multiples: tuple[Multiple, ...] = ()
    """None if no direction is left."""
    beside: tuple[int, ...] = ()
    """Functions whose gradients leave out some of the directions."""


Claim: TypeAlias = Curve | Tangents | Identity


def approaches(curve: Curve, germs: Sequence[Germ]) -> bool:
    """Whether all functions are positive on a curve, by their first coefficient along it."""
    return all(leading_sign(curve, germ) > 0 for germ in germs)


def leading_sign(curve: Curve, germ: Germ) -> int:
    """The sign along a curve near its start; 0 if it is not known."""
    series = series_on(curve, germ.space)
    first = next((a for a in germ.along(series) if a != 0), ZERO)
    # a ball about 0 has no sign
    return int(first > 0) - int(first < 0)


def series_on(curve: Curve, space: Space) -> list[Sequence[Number]]:
    """The coefficients of all variables along a curve; NaN where one is not known."""
    series: list[Sequence[Number]] = [curve.series(k) for k in range(space.own)]
    for under, _ in space.roots:
        blank = [(ZERO,)] * (space.size - len(series))
        series.append(_root_series(under.along([*series, *blank])))
    return [*series, *([(ZERO,)] * (space.size - len(series)))]


def _root_series(square: Sequence[Number]) -> tuple[Number, ...]:
    """The root of a power series that is positive for small t > 0, as far as it is known."""
    order = len(square) - 1
    unknown = arb("nan")
    first = next((k for k, a in enumerate(square) if a != 0), None)
    if first is None or first % 2 or not square[first] > 0:
        return (ZERO, *([unknown] * order))
    lead = power(square[first], fmpq(1, 2))
    found: list[Number] = [lead]
    for k in range(1, order - first + 1):
        rest = square[first + k] - sum((found[i] * found[k - i] for i in range(1, k)), ZERO)
        found.append(rest / (2 * lead))
    series = [*([ZERO] * (first // 2)), *found]
    return tuple([*series, *([unknown] * (order + 1 - len(series)))][: order + 1])


def curve_on(wall: Germ, rng: np.random.Generator) -> Curve | None:
    """The first coefficients of a curve on which a function with a gradient is 0."""
    size, order = wall.space.size, wall.space.order
    gradient = wall.gradient
    pivot = next((k for k, a in enumerate(gradient) if isinstance(a, fmpq) and a != 0), None)
    if pivot is None or not wall.rational:
        return None
    table: list[list[Number]] = [[fmpq(0)] * order for _ in range(size)]
    for k in range(size):
        for degree in range(min(2, order)):
            if k != pivot:
                table[k][degree] = fmpq(int(rng.integers(-3, 4)))
    # the rest of the one coordinate follows from the equation, by the implicit function theorem
    for degree in range(order):
        value = wall.along([(fmpq(0), *row) for row in table])[degree + 1]
        table[pivot][degree] = -value / gradient[pivot]
    columns = zip(*table, strict=True)
    return Curve(tuple(tuple(a for a in c if isinstance(a, fmpq)) for c in columns))


def excludes(claim: Claim, germs: Sequence[Germ]) -> bool:
    """Whether a claim proves that the functions are not all positive arbitrarily near."""
    used = used_by(claim)
    if not used or not all(0 <= k < len(germs) and germs[k].rational for k in used):
        return False
    if any(germs[k].value != 0 for k in used):
        return False
    match claim:
        case Curve():
            return False
        case Identity(multiples):
            total = _left_side(multiples, germs)
            return total is not None and _nonpositive(total)
        case Tangents(relation, multiples):
            cones = tangent_cones(relation, germs, used)
            if cones is None or not cones or _pinned(relation, germs):
                return cones is not None
            mask = union(germs[k].mask for k in used)
            if any(mask_of(code) & ~mask for multiple in multiples for code in multiple.terms):
                return False
            total = _left_side(multiples, germs)
            return total is not None and _negative_on(cones, total)


def used_by(claim: Claim) -> tuple[int, ...]:
    """The functions that a proof of absence speaks of."""
    match claim:
        case Curve():
            return ()
        case Identity(multiples):
            factors = [k for multiple in multiples for k in multiple.factors]
        case Tangents(relation, multiples, beside):
            factors = [*beside, *(k for multiple in multiples for k in multiple.factors)]
            factors += [k for k, factor in enumerate(relation) if factor != 0]
    return tuple(sorted(set(factors)))


def tangent_cones(
    relation: Sequence[fmpq], germs: Sequence[Germ], used: Sequence[int]
) -> list[tuple[Vector, ...]] | None:
    """Cones, by their rays, about all limits of directions to points where functions are positive.

    In the variables of the functions that are used.  None if the relation is none.
    """
    held = [k for k, factor in enumerate(relation) if factor != 0]
    if not held or any(relation[k] < 0 for k in held) or not set(held) <= set(used):
        return None
    names = variables_of(union(germs[k].mask for k in used))
    rows = {k: _row(germs[k], names) for k in used}
    for column in zip(*(rows[k] for k in held), strict=True):
        if sum((relation[k] * a for k, a in zip(held, column, strict=True)), ZERO) != 0:
            return None
    size = germs[0].space.size
    basis = [
        tuple(vector[names.index(v)] if v in names else ZERO for v in range(size))
        for vector in _orthogonal([rows[k] for k in held], len(names))
    ]
    gradients = [_row(germs[k], range(size)) for k in used]
    whole = _extreme_rays(gradients, basis)
    if whole is not None:
        return [tuple(whole)] if whole else []
    return [
        cone
        for cone in _cover(basis)
        if not any(all(_dot(row, ray) < 0 for ray in cone) for row in gradients)
    ]


def _extreme_rays(rows: Sequence[Vector], basis: Sequence[Vector]) -> list[Vector] | None:
    """The rays that span the part of a space on which functionals are nonnegative.

    None if that contains a line, or there are too many combinations.  A pointed cone is spanned by
    its extreme rays, on each of which functionals of rank one less than the dimension vanish.
    """
    size = len(basis)
    table = [tuple(_dot(row, vector) for vector in basis) for row in rows]
    if not size or comb(len(table), size - 1) > _MOST_CHOICES:
        return None
    if fmpq_mat([list(line) for line in table]).rank() < size:
        return None
    found: dict[Vector, Vector] = {}
    for chosen in combinations(table, size - 1):
        null = _orthogonal(chosen, size) if chosen else [(fmpq(1),)]
        if len(null) != 1:
            continue
        for sign in (1, -1):
            shares = tuple(sign * a for a in null[0])
            if all(_dot(line, shares) >= 0 for line in table):
                lead = next(abs(a) for a in shares if a != 0)
                ray = [ZERO] * len(basis[0])
                for share, vector in zip(shares, basis, strict=True):
                    ray = [a + share * b for a, b in zip(ray, vector, strict=True)]
                found.setdefault(tuple(a / lead for a in shares), tuple(ray))
    return list(found.values())


def _dot(left: Sequence[fmpq], right: Sequence[fmpq]) -> fmpq:
    return sum((a * b for a, b in zip(left, right, strict=True)), ZERO)


def _pinned(relation: Sequence[fmpq], germs: Sequence[Germ]) -> bool:
    """Whether no direction is left in some of the variables, where the others are parameters.

    If the functions of a relation vanish where these variables do, for all values of the others,
    then directions may be taken in these variables alone.
    """
    held = [k for k, factor in enumerate(relation) if factor != 0]
    size = germs[0].space.size
    names = [v for v in range(size) if any(germs[k].gradient[v] != 0 for k in held)]
    mask = sum(1 << v for v in names)
    if not names or not all(germs[k].vanishes(mask) for k in held):
        return False
    return bool(fmpq_mat([list(_row(germs[k], names)) for k in held]).rank() == len(names))


def _row(germ: Germ, names: Sequence[int]) -> Vector:
    gradient = germ.gradient
    return tuple(a for v in names if isinstance(a := gradient[v], fmpq))


def _orthogonal(rows: Sequence[Vector], size: int) -> list[Vector]:
    """A basis of the vectors that are orthogonal to all rows."""
    reduced, rank = fmpq_mat([list(row) for row in rows]).rref()
    lines = reduced.tolist()[: int(rank)]
    pivots = [next(j for j, a in enumerate(line) if a != 0) for line in lines]
    found: list[Vector] = []
    for free in (j for j in range(size) if j not in pivots):
        vector = [fmpq(int(j == free)) for j in range(size)]
        for line, pivot in zip(lines, pivots, strict=True):
            vector[pivot] = -line[free]
        found.append(tuple(vector))
    return found


def _cover(basis: Sequence[Vector]) -> list[tuple[Vector, ...]]:
    """Cones that cover the span of some vectors: 16 of a plane, else all choices of signs."""
    if not basis:
        return []
    if len(basis) == 2:
        ring = [(4, 0), (4, 2), (4, 4), (2, 4), (0, 4), (-2, 4), (-4, 4), (-4, 2)]
        ring = [*ring, *((-a, -b) for a, b in ring)]
        first, second = basis
        rays = [tuple(a * u + b * v for u, v in zip(first, second, strict=True)) for a, b in ring]
        return list(zip(rays, (*rays[1:], rays[0]), strict=True))
    return [
        tuple(tuple(sign * a for a in v) for sign, v in zip(signs, basis, strict=True))
        for signs in product((1, -1), repeat=len(basis))
    ]


def form_on(cone: Sequence[Vector], terms: Mapping[int, fmpq], degree: int) -> dict[int, fmpq]:
    """The part of a degree on ``Σ s_k ray_k``, as a polynomial in s."""
    space = Space(len(cone), degree)
    total = Germ(space, {})
    for code, a in terms.items():
        if degree_of(code) != degree:
            continue
        product_ = space.constant(a)
        for variable, exponent in exponents_of(code):
            line = {code_of(((k, 1),)): ray[variable] for k, ray in enumerate(cone)}
            factor = Germ(space, {c: v for c, v in line.items() if v != 0})
            for _ in range(exponent):
                product_ = product_ * factor
        total = total + product_
    return {code: a for code, a in total.terms.items() if isinstance(a, fmpq)}


def _negative_on(cones: Sequence[Sequence[Vector]], germ: Germ) -> bool:
    """Whether the form of lowest degree is negative on all cones, but for 0."""
    terms = {code: a for code, a in germ.terms.items() if isinstance(a, fmpq)}
    if not terms or len(terms) < len(germ.terms):
        return False
    degree = min(map(degree_of, terms))
    for cone in cones:
        form = form_on(cone, terms, degree)
        corners = (code_of(((k, degree),)) for k in range(len(cone)))
        if any(a > 0 for a in form.values()) or not all(form.get(c, ZERO) < 0 for c in corners):
            return False
    return True


def _left_side(multiples: Sequence[Multiple], germs: Sequence[Germ]) -> Germ | None:
    """``Σ m_j p_j``; None if a multiplier is not positive near the point, or there are none."""
    if not multiples or not all(_positive(multiple) for multiple in multiples):
        return None
    total = Germ(germs[0].space, {})
    for multiple in multiples:
        if not multiple.factors:
            return None
        summand = Germ(germs[0].space, dict(multiple.terms))
        for k in multiple.factors:
            summand = summand * germs[k]
        total = total + summand
    return total


def _positive(multiple: Multiple) -> bool:
    """Whether the polynomial is positive near x0 where no coordinate vanishes."""
    codes = [code for code, a in multiple.terms.items() if a != 0]
    if not codes:
        return False
    least = min(codes, key=degree_of)
    if any(e % 2 for _, e in exponents_of(least)) or not multiple.terms[least] > 0:
        return False
    return all(code == least or divides(least, code) for code in codes)


def divides(left: int, right: int) -> bool:
    """Whether a monomial is a proper divisor of another."""
    high = dict(exponents_of(right))
    return left != right and all(high.get(v, 0) >= e for v, e in exponents_of(left))


def _nonpositive(germ: Germ) -> bool:
    """Whether a germ is ``<= 0`` near the point.

    Even powers with negative coefficients outweigh their proper multiples there; so does a negative
    definite quadratic form everything of higher degree in its variables.
    """
    if not all(isinstance(a, fmpq) for a in germ.terms.values()) or germ.terms.get(0, ZERO) > 0:
        return False
    if germ.zero or germ.terms.get(0, ZERO) < 0:
        return True
    terms = {code: a for code, a in germ.terms.items() if isinstance(a, fmpq)}
    even = [
        code
        for code, a in terms.items()
        if a < 0 and all(e % 2 == 0 for _, e in exponents_of(code))
    ]
    rest = [code for code in terms if code not in even]
    above = germ.space.order + 1
    loose = variables_of(germ.loose)
    if loose:
        rest += [
            code_of([(v, chosen.count(v)) for v in set(chosen)])
            for chosen in combinations_with_replacement(loose, above)
        ]
    if all(any(divides(code, other) for code in even) for other in rest):
        return True
    return _definite(terms, rest, germ.loose)


def _definite(terms: Mapping[int, fmpq], rest: Sequence[int], loose: int) -> bool:
    """Whether the part of degree 2 is negative definite, in all variables that occur."""
    if any(degree_of(code) < 2 for code in terms):
        return False
    names = variables_of(union((loose, *map(mask_of, (*terms, *rest)))))
    # twice the form, negated
    form = [
        [-(1 + (i == j)) * terms.get(code_of(((i, 1), (j, 1))), ZERO) for j in names] for i in names
    ]
    minors = (fmpq_mat([row[:k] for row in form[:k]]).det() for k in range(1, len(names) + 1))
    return all(minor > 0 for minor in minors)
