"""Proofs about signs of functions that vanish at a point, checked from the definitions.

The claim is about functions ``g_i`` with ``g_i(x0) = 0`` and the set R of points x with
``g_i(x) > 0`` for all i.

* `Curve`: R comes arbitrarily near to x0, since it contains a polynomial curve that starts there.
* `Tangents`: R stays away from x0.  With ``λ_i > 0`` and ``Σ λ_i ∇g_i = 0`` over some of the
  functions, a limit d of directions to points of R would have ``∇g_i · d = 0`` for these; there is
  no such d other than 0 if the gradients have full rank in the variables of these functions.
* `Identity`: R stays away from x0.  Functions ``m_j`` that are positive near x0, off a null set of
  coordinates at most, and products ``p_j`` of the g_i make ``Σ m_j p_j = N`` with ``N <= 0`` near
  x0, though the left side is positive on R up to boundary points, so that no open part of R is
  near.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TypeAlias

from flint import fmpq, fmpq_mat

from tamecheck.derivative.check.jets import (
    Jet,
    code_of,
    degree_of,
    exponents_of,
    mask_of,
    variables_of,
)

__all__ = [
    "Claim",
    "Curve",
    "Identity",
    "Multiple",
    "Tangents",
    "approaches",
    "excludes",
    "leading_sign",
    "used_by",
]

_ZERO = fmpq(0)


@dataclass(frozen=True, slots=True)
class Curve:
    """``x0 + Σ_k t^k coefficients[k - 1]`` for small ``t > 0``."""

    coefficients: tuple[tuple[fmpq, ...], ...]

    def series(self, variable: int) -> tuple[fmpq, ...]:
        """The coefficients of one coordinate's shift."""
        return (_ZERO, *(vector[variable] for vector in self.coefficients))


@dataclass(frozen=True, slots=True)
class Tangents:
    """A multiplier for each function, 0 for those that are not used."""

    multipliers: tuple[fmpq, ...]


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


Claim: TypeAlias = Curve | Tangents | Identity


def approaches(curve: Curve, jets: Sequence[Jet]) -> bool:
    """Whether all functions are positive on a curve, by their first coefficient along it."""
    return all(leading_sign(curve, jet) > 0 for jet in jets)


def leading_sign(curve: Curve, jet: Jet) -> int:
    """The sign along a curve near its start; 0 if it is not known."""
    series = [curve.series(k) for k in range(jet.space.size)]
    first = next((a for a in jet.along(series) if a != 0), _ZERO)
    # a ball about 0 has no sign
    return int(first > 0) - int(first < 0)


def excludes(claim: Claim, jets: Sequence[Jet]) -> bool:
    """Whether a claim proves that the functions are not all positive arbitrarily near."""
    used = used_by(claim)
    if not used or not all(0 <= k < len(jets) and jets[k].rational for k in used):
        return False
    match claim:
        case Curve():
            return False
        case Tangents(multipliers):
            return _no_tangent(multipliers, jets)
        case Identity(multiples):
            return _contradiction(multiples, jets)


def used_by(claim: Claim) -> tuple[int, ...]:
    """The functions that a proof of absence speaks of."""
    match claim:
        case Curve():
            return ()
        case Tangents(multipliers):
            return tuple(k for k, factor in enumerate(multipliers) if factor != 0)
        case Identity(multiples):
            return tuple(sorted({k for multiple in multiples for k in multiple.factors}))


def _no_tangent(multipliers: Sequence[fmpq], jets: Sequence[Jet]) -> bool:
    used = [k for k, factor in enumerate(multipliers) if factor != 0]
    if not used or any(multipliers[k] < 0 for k in used):
        return False
    if any(jets[k].value != 0 for k in used):
        return False
    mask = 0
    for k in used:
        mask |= jets[k].mask
    table: list[list[fmpq]] = []
    for k in used:
        row = [a for a in jets[k].gradient if isinstance(a, fmpq)]
        if len(row) < jets[k].space.size:
            return False
        table.append(row)
    for column in zip(*table, strict=True):
        if sum((multipliers[k] * a for k, a in zip(used, column, strict=True)), _ZERO) != 0:
            return False
    return bool(fmpq_mat(table).rank() == len(variables_of(mask)))


def _contradiction(multiples: Sequence[Multiple], jets: Sequence[Jet]) -> bool:
    if not multiples or not all(_positive(multiple) for multiple in multiples):
        return False
    space = jets[0].space
    total = Jet(space, {})
    for multiple in multiples:
        if not multiple.factors:
            return False
        product = Jet(space, dict(multiple.terms))
        for k in multiple.factors:
            product = product * jets[k]
        total = total + product
    return _nonpositive(total)


def _positive(multiple: Multiple) -> bool:
    """Whether the polynomial is positive near x0 where no coordinate vanishes."""
    codes = [code for code, a in multiple.terms.items() if a != 0]
    if not codes:
        return False
    least = min(codes, key=degree_of)
    if any(e % 2 for _, e in exponents_of(least)) or not multiple.terms[least] > 0:
        return False
    return all(code == least or _divides(least, code) for code in codes)


def _divides(left: int, right: int) -> bool:
    """Whether a monomial is a proper divisor of another."""
    high = dict(exponents_of(right))
    return left != right and all(high.get(v, 0) >= e for v, e in exponents_of(left))


def _nonpositive(jet: Jet) -> bool:
    """Whether a jet is ``<= 0`` near the point.

    Even powers with negative coefficients outweigh their proper multiples there; so does a negative
    definite quadratic form everything of higher degree in its variables.
    """
    if not all(isinstance(a, fmpq) for a in jet.terms.values()) or jet.terms.get(0, _ZERO) > 0:
        return False
    if jet.zero or jet.terms.get(0, _ZERO) < 0:
        return True
    terms = {code: a for code, a in jet.terms.items() if isinstance(a, fmpq)}
    even = [
        code
        for code, a in terms.items()
        if a < 0 and all(e % 2 == 0 for _, e in exponents_of(code))
    ]
    rest = [code for code in terms if code not in even]
    above = jet.space.order + 1
    loose = variables_of(jet.loose)
    if loose:
        rest += [
            code_of([(v, chosen.count(v)) for v in set(chosen)])
            for chosen in combinations_with_replacement(loose, above)
        ]
    if all(any(_divides(code, other) for code in even) for other in rest):
        return True
    return _definite(terms, rest, jet.loose)


def _definite(terms: Mapping[int, fmpq], rest: Sequence[int], loose: int) -> bool:
    """Whether the part of degree 2 is negative definite, in all variables that occur."""
    if any(degree_of(code) < 2 for code in terms):
        return False
    mask = loose
    for code in (*terms, *rest):
        mask |= mask_of(code)
    names = variables_of(mask)
    half = fmpq(1, 2)
    form = fmpq_mat(
        [
            [
                -terms.get(code_of(((i, 2),)), _ZERO)
                if i == j
                else -half * terms.get(code_of(((i, 1), (j, 1))), _ZERO)
                for j in names
            ]
            for i in names
        ]
    )
    minors = (
        fmpq_mat([[form[i, j] for j in range(size)] for i in range(size)]).det()
        for size in range(1, len(names) + 1)
    )
    return all(minor > 0 for minor in minors)
