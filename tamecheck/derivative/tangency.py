"""Searches for proofs about the signs of functions near a point where all of them vanish.

A set ``g_i > 0`` is reached by a curve, whose coefficients are found one after the other by linear
programs, or it is excluded by an identity between the functions, whose multipliers are found by
linear programs too.  What is found is a claim: `tamecheck.derivative.check` checks it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement

import numpy as np
from flint import fmpq, fmpq_mat

from tamecheck.derivative.check.jets import (
    Jet,
    Tail,
    code_of,
    degree_of,
    exponents_of,
    variables_of,
)
from tamecheck.derivative.check.proofs import (
    Claim,
    Curve,
    Identity,
    Multiple,
    Tangents,
    excludes,
)
from tamecheck.derivative.cone import inner_direction
from tamecheck.derivative.farkas import Multipliers, Vector, nonnegative_solution, null_basis
from tamecheck.evaluate.reals import UndecidedError

__all__ = ["found_claim"]

_ZERO, _ONE = fmpq(0), fmpq(1)
_TRIES = 32
_MOST_MULTIPLIERS = 3
"""The largest degree of multipliers."""

_MOST_CIRCUITS = 8


def found_claim(jets: Sequence[Jet]) -> Claim | None:
    """A proof that all functions are positive at points arbitrarily near, or that they are not."""
    size = jets[0].space.size
    try:
        direction = inner_direction(size, [jet.gradient for jet in jets], ())
    except UndecidedError:
        direction = None
    if direction is not None and any(direction):
        return Curve((direction,))
    exact = [k for k, jet in enumerate(jets) if jet.rational]
    known = [jets[k] for k in exact]
    rows = [_exact(jet) for jet in known]
    circuits = _circuits(rows)
    for multipliers in circuits:
        claim = Tangents(_spread(multipliers, exact, len(jets)))
        if excludes(claim, jets):
            return claim
    curve = _curve(jets, rows, circuits) if len(known) == len(jets) else None
    return curve or _identity(jets, exact, rows, circuits)


def _identity(
    jets: Sequence[Jet], exact: Sequence[int], rows: Sequence[Vector], circuits: Sequence[Vector]
) -> Identity | None:
    """An identity between the functions of these numbers, from relations between gradients."""
    known = [jets[k] for k in exact]
    for multipliers in circuits:
        for found in _identities(known, rows, multipliers):
            claim = Identity(
                tuple(Multiple(tuple(exact[k] for k in m.factors), m.terms) for m in found)
            )
            if excludes(claim, jets):
                return claim
    return None


def _exact(jet: Jet) -> Vector:
    return tuple(a for a in jet.gradient if isinstance(a, fmpq))


def _spread(multipliers: Vector, places: Sequence[int], size: int) -> Vector:
    wide = [_ZERO] * size
    for k, factor in zip(places, multipliers, strict=True):
        wide[k] = factor
    return tuple(wide)


def _circuits(rows: Sequence[Vector]) -> list[Vector]:
    """Nonnegative relations between gradients, one for each that has any, and their sum."""
    found: list[Vector] = []
    for k, row in enumerate(rows):
        others = [j for j in range(len(rows)) if j != k]
        solution: Vector = ()
        if any(row):
            answer = nonnegative_solution([rows[j] for j in others], tuple(-a for a in row))
            if not isinstance(answer, Multipliers):
                continue
            solution = answer.values
        wide = [_ZERO] * len(rows)
        wide[k] = _ONE
        for j, factor in zip(others, solution, strict=False):
            wide[j] = factor
        if tuple(wide) not in found:
            found.append(tuple(wide))
    if len(found) > 1:
        found.append(tuple(sum(column, _ZERO) for column in zip(*found, strict=True)))
    return found[-1:] + found[: _MOST_CIRCUITS - 1] if len(found) > 1 else found


def _curve(jets: Sequence[Jet], rows: Sequence[Vector], circuits: Sequence[Vector]) -> Curve | None:
    """A curve on which all functions are positive, by one coefficient after the other."""
    size, order = jets[0].space.size, jets[0].space.order
    if order == 1:
        return None
    tight = [k for k in range(len(rows)) if any(c[k] != 0 for c in circuits)]
    loose = [k for k in range(len(rows)) if k not in tight]
    basis = null_basis([rows[k] for k in tight if any(rows[k])], size)
    inside = inner_direction(
        size, [rows[k] for k in loose], [rows[k] for k in tight if any(rows[k])]
    )
    if inside is None:
        return None
    rng = np.random.default_rng(0)
    starts: list[Vector] = [inside, *basis, *(tuple(-a for a in b) for b in basis)]
    for _ in range(_TRIES if len(basis) > 1 else 4):
        shares = [fmpq(int(v)) for v in rng.integers(-3, 4, len(basis) + 1)]
        total = [a * abs(shares[0]) for a in inside]
        for share, vector in zip(shares[1:], basis, strict=True):
            total = [a + share * b for a, b in zip(total, vector, strict=True)]
        starts.append(tuple(total))
    zero = (_ZERO,) * size
    for start in dict.fromkeys(starts):
        if any(_dot(rows[k], start) < 0 for k in loose) or not any(start):
            continue
        found = _lifted(jets, rows, [start])
        if found is None and order > 3:
            # a parameter t² leaves room for odd powers between
            found = _lifted(jets, rows, [zero, start])
        if found is not None:
            return found
    return None


def _lifted(jets: Sequence[Jet], rows: Sequence[Vector], start: Sequence[Vector]) -> Curve | None:
    """A curve with these first coefficients."""
    size, order = jets[0].space.size, jets[0].space.order
    unit = (*((_ZERO,) * size), _ONE)
    coefficients = list(start)
    while True:
        curve = Curve(tuple(coefficients))
        series = [curve.series(k) for k in range(size)]
        level = len(coefficients) + 1
        wanted: list[Vector] = []
        done = True
        for jet, row in zip(jets, rows, strict=True):
            values = [a for a in jet.along(series) if isinstance(a, fmpq)]
            first = next((k for k, a in enumerate(values) if a != 0), len(values))
            done = done and first < len(values) and values[first] > 0
            if first < level:
                if values[first] < 0:
                    return None
            elif level < len(values):
                wanted.append((*row, values[level]))
        if done:
            return curve
        if level > order:
            return None
        step = inner_direction(size + 1, [unit, *wanted], ()) or _widest(unit, wanted)
        if step is None:
            return None
        coefficients.append(tuple(a / step[-1] for a in step[:-1]))


def _widest(unit: Vector, rows: Sequence[Vector]) -> Vector | None:
    """A vector with ``unit > 0`` and no row negative, on which as many as may be are positive."""
    size = len(unit)
    total = inner_direction(size, [unit], (), rows)
    if total is None:
        return None
    for k, row in enumerate(rows):
        if _dot(row, total) > 0:
            continue
        others = [other for j, other in enumerate(rows) if j != k]
        found = inner_direction(size, [unit, row], (), others)
        if found is not None:
            total = tuple(a + b for a, b in zip(total, found, strict=True))
    return total


def _dot(left: Sequence[fmpq], right: Sequence[fmpq]) -> fmpq:
    return sum((a * b for a, b in zip(left, right, strict=True)), _ZERO)


@dataclass(frozen=True, slots=True)
class _Column:
    """A polynomial times a product of functions: what the identity may use any amount of."""

    factors: tuple[int, ...]
    code: int
    lead: int
    terms: dict[int | Tail, fmpq]


def _identities(
    jets: Sequence[Jet], rows: Sequence[Vector], multipliers: Vector
) -> Iterator[tuple[Multiple, ...]]:
    """Identities ``Σ m_j p_j = N`` that start from a relation between the gradients."""
    used = [k for k, factor in enumerate(multipliers) if factor != 0]
    mask = 0
    for k in used:
        mask |= jets[k].mask
    names = variables_of(mask)
    table = fmpq_mat([[rows[k][v] for v in names] for k in used])
    reduced, rank = table.rref()
    pivots = {next(j for j in range(len(names)) if reduced[i, j] != 0) for i in range(int(rank))}
    free = [v for j, v in enumerate(names) if j not in pivots]
    others = [k for k in range(len(jets)) if k not in used]
    plain = [(k, 0) for k in used]
    squares = [(k, code_of(((v, 2),))) for k in others for v in free[:2]]
    for leads in [plain, *([[*plain, *squares]] if squares else [])]:
        for even in _absorbers(free, jets[0].space.order):
            found = _solved(jets, leads, names, even)
            if found is not None:
                yield found


def _absorbers(free: Sequence[int], order: int) -> Iterator[tuple[int, ...]]:
    """Sets of even powers that outweigh what they divide."""
    yield ()
    for power in range(2, order + 1, 2):
        for size in range(len(free), 0, -1):
            for chosen in combinations(free, size):
                yield tuple(code_of(((v, power),)) for v in chosen)


def _solved(
    jets: Sequence[Jet],
    leads: Sequence[tuple[int, int]],
    names: Sequence[int],
    even: Sequence[int],
) -> tuple[Multiple, ...] | None:
    """An identity in which each lead has a positive share, by elimination and a linear program."""
    order = jets[0].space.order
    # without even powers nothing may be left, so what is no polynomial is only scaled
    free = [
        _column(jets, (k,), code, lead)
        for k, lead in leads
        if even or jets[k].polynomial
        for code in _above(jets[k], lead)
    ]
    signed = [_column(jets, (k,), lead, lead) for k, lead in leads]
    count = len(signed)
    first = {k for k, _ in leads}
    signed += [_column(jets, (k,), 0, 0) for k in range(len(jets)) if k not in first]
    if order > 1:
        pairs = combinations_with_replacement(range(len(jets)), 2)
        signed += [_column(jets, pair, 0, 0) for pair in pairs if _flat(jets, pair)]
    below = [_Column((), 0, 0, {code: _ONE}) for code in even]
    slack = [_Column((), 0, 0, terms) for terms in _square_forms(names, order)]
    forced = [*range(count), *range(len(signed), len(signed) + len(below))]
    found = _amounts(free, [*signed, *below, *slack], forced, even)
    if found is None:
        return None
    terms: dict[tuple[tuple[int, ...], int], dict[int, fmpq]] = {}
    for column, weight in zip([*free, *signed], found, strict=False):
        if weight != 0:
            terms.setdefault((column.factors, column.lead), {})[column.code] = weight
    return tuple(Multiple(factors, values) for (factors, _), values in terms.items())


def _above(jet: Jet, lead: int) -> Iterator[int]:
    """The multiples of a monomial that a multiplier may have."""
    order = jet.space.order
    lowest = max(map(degree_of, jet.terms), default=0) if jet.polynomial else 1
    most = min(order - lowest - degree_of(lead), _MOST_MULTIPLIERS)
    for degree in range(1, most + 1):
        for chosen in combinations_with_replacement(range(jet.space.size), degree):
            yield code_of([(v, chosen.count(v)) for v in set(chosen)]) + lead


def _amounts(
    free: Sequence[_Column], signed: Sequence[_Column], forced: Sequence[int], even: Sequence[int]
) -> list[fmpq] | None:
    """Amounts of all columns whose sum is 0, up to multiples of the even powers.

    The first columns may have any amount, the others one that is not negative, the forced ones
    among those at least 1.
    """
    columns, wide = [*free, *signed], len(free)
    codes = dict.fromkeys(code for column in columns for code in column.terms)
    kept = [
        code
        for code in codes
        if not any(_divides(e, code) for e in even) and (isinstance(code, int) or not even)
    ]
    if not kept:
        return None
    table = [
        [
            *(column.terms.get(code, _ZERO) for column in columns),
            sum((signed[k].terms.get(code, _ZERO) for k in forced), _ZERO),
        ]
        for code in kept
    ]
    matrix, rank = fmpq_mat(table).rref()
    lines = matrix.tolist()[: int(rank)]
    starts = [next(j for j, a in enumerate(line) if a != 0) for line in lines]
    limits = [line for line, start in zip(lines, starts, strict=True) if start >= wide]
    answer = nonnegative_solution(
        [tuple(line[j] for line in limits) for j in range(wide, len(columns))],
        tuple(-line[-1] for line in limits),
    )
    if not isinstance(answer, Multipliers):
        return None
    amounts = [_ZERO] * wide
    for line, start in zip(lines, starts, strict=True):
        if start < wide:
            amounts[start] = -line[-1] - _dot(line[wide:-1], answer.values)
    shares = list(answer.values)
    for k in forced:
        shares[k] += 1
    return [*amounts, *shares]


def _flat(jets: Sequence[Jet], pair: Sequence[int]) -> bool:
    """Whether a product is worth a try: some function starts with degree 2, or is a product."""
    return any(not any(jet.gradient) for jet in jets) or len(jets) < len(pair)


def _column(jets: Sequence[Jet], factors: tuple[int, ...], code: int, lead: int) -> _Column:
    product = Jet(jets[0].space, {code: _ONE})
    for k in factors:
        product = product * jets[k]
    parts = (*product.terms.items(), *product.tails.items())
    return _Column(factors, code, lead, {c: a for c, a in parts if isinstance(a, fmpq)})


def _square_forms(names: Sequence[int], order: int) -> Iterator[dict[int | Tail, fmpq]]:
    """Squares that N may contain with any negative factor."""
    if order < 2:
        return
    for v in names:
        yield {code_of(((v, 2),)): _ONE}
    for v, w in combinations(names, 2):
        for sign in (1, -1):
            yield {
                code_of(((v, 2),)): _ONE,
                code_of(((w, 2),)): _ONE,
                code_of(((v, 1), (w, 1))): fmpq(2 * sign),
            }


def _divides(left: int, right: int | Tail) -> bool:
    if not isinstance(right, int):
        return False
    high = dict(exponents_of(right))
    return left != right and all(high.get(v, 0) >= e for v, e in exponents_of(left))
