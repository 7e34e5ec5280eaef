"""Searches for proofs about the signs of functions near a point where all of them vanish.

A set ``g_i > 0`` is reached by a curve, or it is excluded by an identity between the functions,
whose multipliers are found by linear programs.  What is found is a claim, which
`tamecheck.derivative.check` checks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations, combinations_with_replacement
from typing import TypeAlias

import numpy as np
from flint import fmpq, fmpq_mat

from tamecheck.derivative.check import proofs
from tamecheck.derivative.check.germs import (
    Germ,
    Tail,
    code_of,
    degree_of,
    union,
    variables_of,
)
from tamecheck.derivative.cone import inner_direction
from tamecheck.exact.feasibility import (
    Multipliers,
    Vector,
    nonnegative_solution,
    null_basis,
    pivots,
)
from tamecheck.exact.hull import dot
from tamecheck.exact.reals import ONE, ZERO, UndecidedError

_MOST_MULTIPLIERS = 2
"""The largest degree of multipliers."""

_MOST_CIRCUITS = 6
_TRIES = 24

_MOST_DEGREE = {1: 6, 2: 4, 3: 3, 4: 2, 5: 2, 6: 2}
"""The largest degree of a form that is looked for, by the number of rays of a cone."""


def find_claim(germs: Sequence[Germ]) -> proofs.Claim | None:
    """A proof that all functions are positive at points arbitrarily near, or that they are not."""
    size = germs[0].space.size
    try:
        direction = inner_direction(size, [germ.gradient for germ in germs], ())
    except UndecidedError:
        direction = None
    if direction is not None and any(direction):
        return proofs.Curve((direction,))
    exact = [k for k, germ in enumerate(germs) if germ.rational]
    known = [germs[k] for k in exact]
    rows = [tuple(a for a in germ.gradient if isinstance(a, fmpq)) for germ in known]
    circuits = _circuits(rows)
    for relation in circuits:
        claim = proofs.Tangents(relation)
        if proofs.excludes(claim, known):
            return _numbered(claim, exact, len(germs))
    curve = _curve_inside(germs, rows, circuits) if len(known) == len(germs) else None
    if curve is not None:
        return curve
    claims = chain.from_iterable(
        search(known, rows, relation)
        for search in (_tangents, _identities)
        for relation in circuits
    )
    found = next((claim for claim in claims if proofs.excludes(claim, known)), None)
    return None if found is None else _numbered(found, exact, len(germs))


def _numbered(
    claim: proofs.Tangents | proofs.Identity, places: Sequence[int], size: int
) -> proofs.Claim:
    """The same claim about functions among more."""
    multiples = tuple(
        proofs.Multiple(tuple(places[k] for k in m.factors), m.terms) for m in claim.multiples
    )
    if isinstance(claim, proofs.Identity):
        return proofs.Identity(multiples)
    relation = [ZERO] * size
    for k, factor in zip(places, claim.relation, strict=True):
        relation[k] = factor
    return proofs.Tangents(tuple(relation), multiples, tuple(places[k] for k in claim.beside))


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
        wide = [ZERO] * len(rows)
        wide[k] = ONE
        for j, factor in zip(others, solution, strict=False):
            wide[j] = factor
        if tuple(wide) not in found:
            found.append(tuple(wide))
    if len(found) > 1:
        found.append(tuple(sum(column, ZERO) for column in zip(*found, strict=True)))
    return found[-1:] + found[: _MOST_CIRCUITS - 1] if len(found) > 1 else found


Place: TypeAlias = int | Tail
"""What a column adds to: a monomial, a tail, or a coefficient of a form on a cone."""


@dataclass(frozen=True, slots=True)
class _Column:
    """A polynomial times a product of functions: what the identity may use any amount of."""

    factors: tuple[int, ...]
    code: int
    lead: int
    terms: Mapping[Place, fmpq]


def _used(germs: Sequence[Germ], relation: Vector) -> tuple[list[int], tuple[int, ...]]:
    """The functions of a relation, and their variables."""
    used = [k for k, factor in enumerate(relation) if factor != 0]
    return used, variables_of(union(germs[k].mask for k in used))


def _tangents(
    germs: Sequence[Germ], _rows: Sequence[Vector], relation: Vector
) -> Iterator[proofs.Tangents]:
    """Combinations that are negative on all directions that a relation leaves, by their degree."""
    used, own = _used(germs, relation)
    for names in dict.fromkeys((own, _used(germs, (ONE,) * len(germs))[1])):
        yield from _tangents_in(germs, relation, used, names)


def _tangents_in(
    germs: Sequence[Germ], relation: Vector, used: Sequence[int], names: Sequence[int]
) -> Iterator[proofs.Tangents]:
    """Those for directions in some variables."""
    variables = sum(1 << v for v in names)
    beside = [k for k, germ in enumerate(germs) if k not in used and not germ.mask & ~variables]
    cones = proofs.tangent_cones(relation, germs, [*used, *beside])
    if not cones:
        if cones is not None:
            yield proofs.Tangents(relation, (), tuple(beside))
        return
    # many directions and high degrees make large programs
    most = _MOST_DEGREE.get(len(cones[0]), 0)
    for degree in range(2, min(most, germs[0].space.order) + 1):
        free = [
            _column(germs, (k,), code, 0) for k in used for code in _codes(names, 1, degree - 1)
        ]
        signed = [_column(germs, (k,), 0, 0) for k in used]
        count = len(signed)
        # products with a function of the relation are multiples of that
        signed += [_column(germs, pair, 0, 0) for pair in combinations_with_replacement(beside, 2)]
        if degree > 2:
            squares = [code_of(((v, 2),)) for v in names]
            signed += [_column(germs, (k,), code, code) for k in beside for code in squares]
        forms = {
            code: [proofs.form_on(cone, {code: ONE}, degree) for cone in cones]
            for code in _codes(names, degree, degree)
        }
        columns = [_cut(column, degree, forms) for column in (*free, *signed)]
        right: dict[Place, fmpq] = {}
        slack: list[_Column] = []
        for number, cone in enumerate(cones):
            corners = {code_of(((k, degree),)) for k in range(len(cone))}
            for code in _codes(range(len(cone)), degree, degree):
                right[number, code] = -ONE if code in corners else ZERO
                slack.append(_Column((), 0, 0, {(number, code): ONE}))
        found = _amounts(columns[: len(free)], [*columns[len(free) :], *slack], range(count), right)
        if found is not None:
            yield proofs.Tangents(relation, _multiples([*free, *signed], found), tuple(beside))


def _cut(
    column: _Column, degree: int, forms: Mapping[int, Sequence[Mapping[int, fmpq]]]
) -> _Column:
    """What a column adds below a degree, and to the form of that degree on cones."""
    terms: dict[Place, fmpq] = {}
    for code, a in column.terms.items():
        if not isinstance(code, int) or degree_of(code) > degree:
            continue
        if degree_of(code) < degree:
            terms[code] = a
            continue
        for number, form in enumerate(forms[code]):
            for other, b in form.items():
                terms[number, other] = terms.get((number, other), ZERO) + a * b
    return _Column(column.factors, column.code, column.lead, terms)


def _codes(names: Sequence[int], low: int, high: int) -> Iterator[int]:
    """The monomials of some variables with degrees in a range."""
    for degree in range(low, high + 1):
        for chosen in combinations_with_replacement(names, degree):
            yield code_of([(v, chosen.count(v)) for v in set(chosen)])


def _multiples(columns: Sequence[_Column], amounts: Sequence[fmpq]) -> tuple[proofs.Multiple, ...]:
    terms: dict[tuple[tuple[int, ...], int], dict[int, fmpq]] = {}
    for column, amount in zip(columns, amounts, strict=False):
        if amount != 0:
            terms.setdefault((column.factors, column.lead), {})[column.code] = amount
    return tuple(proofs.Multiple(factors, values) for (factors, _), values in terms.items())


def _identities(
    germs: Sequence[Germ], rows: Sequence[Vector], relation: Vector
) -> Iterator[proofs.Identity]:
    """Identities ``Σ m_j p_j = N`` that start from a relation between the gradients.

    The functions of the relation have positive shares: by elimination and a linear program.
    """
    used, names = _used(germs, relation)
    order = germs[0].space.order
    others = [k for k in range(len(germs)) if k not in used]
    signed = [_column(germs, (k,), 0, 0) for k in (*used, *others)]
    if order > 1:
        pairs = combinations_with_replacement(range(len(germs)), 2)
        signed += [_column(germs, pair, 0, 0) for pair in pairs if _is_flat(germs, pair)]
    slack = [_Column((), 0, 0, terms) for terms in _square_forms(names, order)]
    for even in _absorbers([rows[k] for k in used], names, order):
        # without even powers nothing may be left, so what is no polynomial is only scaled
        free = [
            _column(germs, (k,), code, 0)
            for k in used
            if even or germs[k].polynomial
            for code in _codes(names, 1, _most(germs[k]))
        ]
        below = [_Column((), 0, 0, {code: ONE}) for code in even]
        forced = [*range(len(used)), *range(len(signed), len(signed) + len(below))]
        rest = [_outside(column, even) for column in (*signed, *below, *slack)]
        found = _amounts([_outside(column, even) for column in free], rest, forced, {})
        if found is not None:
            yield proofs.Identity(_multiples([*free, *signed], found))


def _absorbers(
    rows: Sequence[Vector], names: Sequence[int], order: int
) -> Iterator[tuple[int, ...]]:
    """Sets of different even powers, of variables that gradients leave free, beside none."""
    yield ()
    bound = pivots([tuple(row[v] for v in names) for row in rows])
    free = [v for j, v in enumerate(names) if j not in bound]
    if len(free) == 2 and order > 3:
        for powers in ((2, 4), (4, 2)):
            yield tuple(code_of(((v, p),)) for v, p in zip(free, powers, strict=True))


def _outside(column: _Column, even: Sequence[int]) -> _Column:
    """Without what even powers outweigh, and without what has a higher order if there are any."""
    if not even:
        return column
    kept = {
        code: a
        for code, a in column.terms.items()
        if isinstance(code, int) and not any(proofs.divides(e, code) for e in even)
    }
    return replace(column, terms=kept)


def _most(germ: Germ) -> int:
    """The largest degree of a multiplier."""
    lowest = max(map(degree_of, germ.terms), default=0) if germ.polynomial else 1
    return min(germ.space.order - lowest, _MOST_MULTIPLIERS)


def _amounts(
    free: Sequence[_Column],
    signed: Sequence[_Column],
    forced: Sequence[int],
    right: Mapping[Place, fmpq],
) -> list[fmpq] | None:
    """Amounts of all columns with a given sum.

    The first columns may have any amount, the others one that is not negative, the forced ones
    among those at least 1.
    """
    columns, wide = [*free, *signed], len(free)
    places = dict.fromkeys([*right, *(place for column in columns for place in column.terms)])
    if not places:
        return None
    table = [
        [
            *(column.terms.get(place, ZERO) for column in columns),
            sum((signed[k].terms.get(place, ZERO) for k in forced), ZERO) - right.get(place, ZERO),
        ]
        for place in places
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
    amounts = [ZERO] * wide
    for line, start in zip(lines, starts, strict=True):
        if start < wide:
            amounts[start] = -line[-1] - dot(line[wide:-1], answer.values)
    shares = list(answer.values)
    for k in forced:
        shares[k] += 1
    return [*amounts, *shares]


def _is_flat(germs: Sequence[Germ], pair: Sequence[int]) -> bool:
    """Whether a product is worth a try: some function starts with degree 2, or is a product."""
    return any(not any(germ.gradient) for germ in germs) or len(germs) < len(pair)


def _column(germs: Sequence[Germ], factors: tuple[int, ...], code: int, lead: int) -> _Column:
    product = Germ(germs[0].space, {code: ONE})
    for k in factors:
        product = product * germs[k]
    parts = (*product.terms.items(), *product.tails.items())
    return _Column(factors, code, lead, {c: a for c, a in parts if isinstance(a, fmpq)})


def _square_forms(names: Sequence[int], order: int) -> Iterator[dict[Place, fmpq]]:
    """Squares that N may contain with any negative factor."""
    if order < 2:
        return
    for v in names:
        yield {code_of(((v, 2),)): ONE}
    for v, w in combinations(names, 2):
        for sign in (1, -1):
            yield {
                code_of(((v, 2),)): ONE,
                code_of(((w, 2),)): ONE,
                code_of(((v, 1), (w, 1))): fmpq(2 * sign),
            }


def _curve_inside(
    germs: Sequence[Germ], rows: Sequence[Vector], circuits: Sequence[Vector]
) -> proofs.Curve | None:
    """A curve on which all functions are positive, by one coefficient after the other."""
    size, order = germs[0].space.size, germs[0].space.order
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
    for start in dict.fromkeys(starts):
        if any(dot(rows[k], start) < 0 for k in loose) or not any(start):
            continue
        found = _lift(germs, rows, start)
        if found is not None:
            return found
    return None


def _lift(germs: Sequence[Germ], rows: Sequence[Vector], start: Vector) -> proofs.Curve | None:
    """A curve with these first coefficients."""
    size, order = germs[0].space.size, germs[0].space.order
    unit = (*((ZERO,) * size), ONE)
    coefficients = [start]
    while True:
        curve = proofs.Curve(tuple(coefficients))
        series = [curve.series(k) for k in range(size)]
        level = len(coefficients) + 1
        wanted: list[Vector] = []
        done = True
        for germ, row in zip(germs, rows, strict=True):
            values = [a for a in germ.along(series) if isinstance(a, fmpq)]
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
        if dot(row, total) > 0:
            continue
        others = [other for j, other in enumerate(rows) if j != k]
        found = inner_direction(size, [unit, row], (), others)
        if found is not None:
            total = tuple(a + b for a, b in zip(total, found, strict=True))
    return total
