"""Is every matrix in the convex hull of given ones invertible?  A proof, a singular one, or open.

Each proof is exact, and each is a theorem about the whole hull:

* A matrix C and positive v with ``|I - C U| v < v``, or with ``C U`` of positive definite
  symmetric part, at every vertex U; both conditions are convex (see `conditions`).
* The determinant is linear in each row, so on the product of the rows' hulls it has its extremes
  where every row is a vertex; the same for columns.  The products contain the hull.
* One sign of the determinant on each part of a cover of the hull (see `subdivision`).

A singular element is exact as well: rational weights, or a root of the determinant along a segment.
What neither decides goes to z3, whose answer "no zero" is named in ``rests_on``; a zero that it
names is checked like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

from flint import arb, arb_mat, fmpq, fmpq_mat

from tamecheck.budget import Budget
from tamecheck.derivative.implicit import subdivision
from tamecheck.derivative.implicit.conditions import definite_hull, dominant_hull
from tamecheck.derivative.implicit.singular import (
    Singular,
    brief,
    combination,
    edge_root,
    search_element,
    segment_root,
    unit_weights,
)
from tamecheck.exact.hull import Matrix, extreme, rational
from tamecheck.exact.reals import BITS, as_fraction, as_number, working_precision
from tamecheck.ir.answer import Feasible, Infeasible
from tamecheck.solvers.nlsat import zero_on_simplex

_MOST_PRODUCTS = 4096
_LARGEST_PRODUCT = 10
_MOST_REDUCED, _MOST_FORMS = 16, 20_000
_DEFAULT_SECONDS, _LEAST_SECONDS = 20.0, 1.0
_SHARE = 0.6
"""Of the time that is left, the part for halving; the rest is for z3."""


@dataclass(frozen=True, slots=True)
class Invertibility:
    """Whether every element is invertible (None: open), why, and a singular element.

    ``rests_on`` names a solver whose word was taken for the answer; empty for a proof of our own.
    """

    holds: bool | None
    why: str
    singular: Singular | None = None
    rests_on: str = ""


def decide_invertible(
    matrices: Sequence[Matrix], *, timeout: float | None = None, seed: int = 0
) -> Invertibility:
    """Whether every element of the convex hull of square matrices is invertible.

    Parameters
    ----------
    matrices
        The vertices: rows of exact numbers, or of balls.
    timeout
        Seconds; when they are over the answer is open.
    seed
        Seed of the search for a singular element.
    """
    exact = [matrix_of(matrix) for matrix in matrices if rational(matrix) is not None]
    if len(exact) < len(matrices):
        return _of_balls(matrices)
    budget = Budget.of(_DEFAULT_SECONDS if timeout is None else timeout)
    kept = extreme(matrices) if len(matrices) <= _MOST_REDUCED else range(len(matrices))
    vertices = [matrix for k in kept if isinstance(matrix := exact[k], fmpq_mat)]
    found = _decide(vertices, budget, seed)
    if found.singular is None:
        return found
    return replace(found, singular=_renumber(found.singular, kept, len(matrices)))


def matrix_of(matrix: Matrix) -> fmpq_mat | arb_mat:
    """The matrix with these rows; one of balls if an entry is a ball."""
    rows, columns = len(matrix), len(matrix[0]) if matrix else 0
    exact = rational(matrix)
    if exact is not None:
        return fmpq_mat(rows, columns, [a for row in exact for a in row])
    return arb_mat(rows, columns, [arb(a) for row in matrix for a in row])


def _renumber(singular: Singular, kept: Sequence[int], count: int) -> Singular:
    """The same element with weights on all matrices that were given."""

    def spread(weights: Sequence[Fraction]) -> tuple[Fraction, ...]:
        wide = dict(zip(kept, weights, strict=True))
        return tuple(wide.get(k, Fraction(0)) for k in range(count))

    weights, algebraic = singular.weights, singular.algebraic
    if algebraic is not None:
        algebraic = replace(algebraic, start=spread(algebraic.start), end=spread(algebraic.end))
    return replace(singular, weights=weights and spread(weights), algebraic=algebraic)


def _decide(vertices: Sequence[fmpq_mat], budget: Budget, seed: int) -> Invertibility:
    determinants = [vertex.det() for vertex in vertices]
    count = len(vertices)
    if 0 in determinants:
        weights = unit_weights(count, determinants.index(fmpq(0)))
        return _refuted(combination(vertices, weights))
    if count == 1:
        size = float(as_fraction(determinants[0]))
        return Invertibility(holds=True, why=f"the only element has determinant {size:.6g}")
    if len({value > 0 for value in determinants}) > 1:
        found = edge_root(vertices, budget, crossing=True)
        if found is not None:
            return _refuted(found)
    proof = _proof(vertices)
    if proof:
        return Invertibility(holds=True, why=proof)
    found = edge_root(vertices, budget, crossing=False)
    found = found or search_element(vertices, budget, seed=seed)
    return _refuted(found) if found is not None else _subdivided(vertices, budget)


def _refuted(found: Singular) -> Invertibility:
    return Invertibility(
        holds=False, why=f"{brief(found)} is singular and in the convex hull", singular=found
    )


def _proof(vertices: Sequence[fmpq_mat]) -> str:
    if dominant_hull(vertices):
        return (
            "multiplied by a fixed matrix, every vertex is strictly diagonally dominant with one "
            "scaling, so every element is"
        )
    if definite_hull(vertices):
        return (
            "multiplied by a fixed matrix, every vertex has a positive definite symmetric part, so "
            "every element has"
        )
    if vertices[0].nrows() > _LARGEST_PRODUCT:
        return ""
    for kind, family in (("rows", vertices), ("columns", [v.transpose() for v in vertices])):
        count = _product_sign([[tuple(row) for row in v.tolist()] for v in family])
        if count:
            return (
                f"the determinant is linear in each of the {kind} and has one sign at the {count} "
                f"vertices of the product of their hulls"
            )
    return ""


def _product_sign(vertices: Sequence[Sequence[Sequence[Any]]]) -> int:
    """The number of choices of rows, if all their determinants have one sign; else 0."""
    choices = [_distinct([v[i] for v in vertices]) for i in range(len(vertices[0]))]
    count = prod(map(len, choices))
    if count > _MOST_PRODUCTS:
        return 0
    signs: set[bool] = set()
    for rows in product(*choices):
        value = matrix_of(tuple(tuple(row) for row in rows)).det()
        if not (value > 0 or value < 0):
            return 0
        signs.add(bool(value > 0))
        if len(signs) > 1:
            return 0
    return count


def _distinct(rows: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    found: list[Sequence[Any]] = []
    for row in rows:
        if not any(all(map(_identical, row, other)) for other in found):
            found.append(row)
    return found


def _identical(left: Any, right: Any) -> bool:
    if isinstance(left, fmpq) and isinstance(right, fmpq):
        return bool(left == right)
    # balls of one number computed twice are kept apart unless they are the same ball
    if not isinstance(left, arb) or not isinstance(right, arb):
        return False
    return bool(left.mid() == right.mid() and left.rad() == right.rad())


def _subdivided(vertices: Sequence[fmpq_mat], budget: Budget) -> Invertibility:
    part, found = budget.part(_SHARE * budget.seconds), subdivision.coordinates(vertices)
    if found is not None:
        halves, noun = subdivision.halve_box(vertices, found, part), ("box", "boxes")
        what = (
            "the edges of the hull are rank-one changes, so the determinant is affine in each "
            "coordinate; it has one sign at the corners of"
        )
    else:
        halves, noun = subdivision.halve_simplex(vertices, part), ("simplex", "simplices")
        what = "the determinant's Bernstein coefficients, or a symmetric part, have one sign on"
    if halves.singular is not None:
        return _refuted(halves.singular)
    if halves.open == 0:
        cover = f"a {noun[0]}" if halves.parts == 1 else f"{halves.parts} {noun[1]}"
        return Invertibility(holds=True, why=f"{what} {cover} about the hull")
    why = (
        f"neither a proof nor a singular element was found in time ({halves.parts} {noun[1]} "
        f"proved, {halves.open} open)"
    )
    return _by_z3(vertices, why, budget)


def _by_z3(vertices: Sequence[fmpq_mat], why: str, budget: Budget) -> Invertibility:
    if subdivision.coefficient_count(vertices) > _MOST_FORMS:
        return Invertibility(holds=None, why=why)
    terms = {
        tuple(int(e) for e in exponents): as_fraction(value)
        for exponents, value in subdivision.determinant_form(vertices).to_dict().items()
    }
    claim = zero_on_simplex(terms, seconds=max(budget.seconds, _LEAST_SECONDS))
    match claim:
        case Infeasible(solver=solver):
            return Invertibility(
                holds=True, why=f"{solver} finds no zero of the determinant", rests_on=solver
            )
        case Feasible(point=values, solver=solver):
            found = _confirm(vertices, values)
            if found is not None:
                return _refuted(found)
            why = (
                f"{why}; {solver} names a singular element with several irrational weights, "
                f"which is not confirmed"
            )
            return Invertibility(holds=None, why=why)
        case _:
            return Invertibility(holds=None, why=f"{why}; {claim.why}")


def _confirm(vertices: Sequence[fmpq_mat], values: Sequence[Fraction | None]) -> Singular | None:
    """The singular element with these weights; two that are not rational share what is left."""
    exact = [fmpq(0) if v is None else as_number(v) for v in values]
    rest = fmpq(1) - sum(exact, fmpq(0))
    open_ = [k for k, value in enumerate(values) if value is None]
    if any(w < 0 for w in exact) or rest < 0 or len(open_) not in (0, 2):
        return None
    if not open_ and rest != 0:
        return None
    ends = [[w + rest * int(k == j) for j, w in enumerate(exact)] for k in open_]
    return segment_root(vertices, *(ends or [exact, exact]))


@working_precision(BITS)
def _of_balls(matrices: Sequence[Matrix]) -> Invertibility:
    """For entries that are balls: convex conditions, or rows or columns chosen independently."""
    balls = [matrix_of(matrix) for matrix in matrices]
    if dominant_hull(balls) or definite_hull(balls):
        return Invertibility(
            holds=True,
            why="multiplied by a fixed matrix, the enclosures of all vertices are strictly "
            "diagonally dominant with one scaling, or have a positive definite symmetric part",
        )
    transposed = [tuple(zip(*matrix, strict=True)) for matrix in matrices]
    for kind, family in (("rows", matrices), ("columns", transposed)):
        count = _product_sign(family)
        if count:
            return Invertibility(
                holds=True,
                why=f"the determinant is linear in each of the {kind}, and its enclosures at the "
                f"{count} vertices of the product of their hulls have one sign",
            )
    return Invertibility(
        holds=None, why="the enclosures of the determinant contain 0 or are too many"
    )
