"""Is every matrix in the convex hull of given ones invertible?  A proof, a singular one, or open.

Each proof is exact, and each is a theorem about the whole hull:

* A matrix C and positive v with ``|I - C U| v < v``, or with ``C U`` of positive definite
  symmetric part, at every vertex U; both conditions are convex (see `conditions`).
* The determinant is linear in each row, so on the product of the rows' hulls it has its extremes
  where every row is a vertex; the same for columns.  The products contain the hull.
* Where the edges of the hull are rank-one changes, the determinant is affine in each coordinate, so
  on a box it has its extremes at the corners; boxes about the hull are halved where need be.
* Otherwise the Bernstein coefficients of the determinant on the simplex of the vertices, again on
  halves where need be.

A singular element is exact as well: rational weights, or a root of the determinant along a segment.
What neither decides goes to z3, whose answer "no zero" is named in ``rests_on``; a zero that it
names is checked like any other.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from typing import Any

from flint import arb, arb_mat, fmpq, fmpq_mat

from tamecheck.derivative.implicit.conditions import definite_hull, dominant_hull
from tamecheck.derivative.implicit.singular import (
    Singular,
    brief,
    combination,
    edge_root,
    searched_element,
    segment_root,
    unit_weights,
)
from tamecheck.derivative.implicit.subdivision import (
    Coordinates,
    coefficient_count,
    coordinates,
    determinant_form,
    halved,
    subdivided,
)
from tamecheck.exact.hull import Matrix, extreme
from tamecheck.exact.reals import as_fraction, as_number, working_precision
from tamecheck.ir.answer import Feasible, Infeasible
from tamecheck.solvers.nlsat import zero_on_simplex

__all__ = ["Invertibility", "decide_invertible", "matrix_of"]

_MOST_PRODUCTS = 4096
_LARGEST_PRODUCT = 10
_MOST_REDUCED = 16
_MOST_FORMS = 20_000
_DEFAULT_SECONDS = 20.0
_SHARE = 0.6
"""Of the time that is left, the part for halving; the rest is for z3."""

_LEAST_SECONDS = 1.0
_BITS = 128


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
    rational = [matrix_of(matrix) for matrix in matrices]
    exact = [matrix for matrix in rational if isinstance(matrix, fmpq_mat)]
    if len(exact) < len(rational):
        return _of_balls(matrices)
    deadline = time.monotonic() + (_DEFAULT_SECONDS if timeout is None else timeout)
    kept = extreme(matrices) if len(matrices) <= _MOST_REDUCED else range(len(matrices))
    found = _decide([exact[k] for k in kept], deadline, seed)
    return found if found.singular is None else _renumbered(found, kept, len(matrices))


def matrix_of(matrix: Matrix) -> fmpq_mat | arb_mat:
    """The matrix with these rows; one of balls if an entry is a ball."""
    entries = [a for row in matrix for a in row]
    rows = len(matrix)
    columns = len(matrix[0]) if rows else 0
    exact = [a for a in entries if isinstance(a, fmpq)]
    if len(exact) == len(entries):
        return fmpq_mat(rows, columns, exact)
    return arb_mat(rows, columns, [arb(a) for a in entries])


def _renumbered(found: Invertibility, kept: Sequence[int], count: int) -> Invertibility:
    """The same answer with weights on all matrices that were given."""

    def spread(weights: Sequence[Fraction]) -> tuple[Fraction, ...]:
        wide = [Fraction(0)] * count
        for k, weight in zip(kept, weights, strict=True):
            wide[k] = weight
        return tuple(wide)

    singular = found.singular
    if singular is None:
        return found
    weights = None if singular.weights is None else spread(singular.weights)
    algebraic = singular.algebraic
    if algebraic is not None:
        algebraic = replace(algebraic, start=spread(algebraic.start), end=spread(algebraic.end))
    return replace(found, singular=replace(singular, weights=weights, algebraic=algebraic))


def _decide(vertices: Sequence[fmpq_mat], deadline: float, seed: int) -> Invertibility:
    determinants = [vertex.det() for vertex in vertices]
    count = len(vertices)
    for number, value in enumerate(determinants):
        if value == 0:
            return _singular(combination(vertices, unit_weights(count, number)))
    if count == 1:
        size = float(as_fraction(determinants[0]))
        return Invertibility(holds=True, why=f"the only element has determinant {size:.6g}")
    if len({value > 0 for value in determinants}) > 1:
        found = edge_root(vertices, deadline, crossing=True)
        if found is not None:
            return _singular(found)
    found_proof = _proof(vertices)
    if found_proof:
        return Invertibility(holds=True, why=found_proof)
    found = edge_root(vertices, deadline, crossing=False)
    found = found or searched_element(vertices, deadline, seed=seed)
    if found is not None:
        return _singular(found)
    return _halved(vertices, coordinates(vertices), deadline)


def _singular(found: Singular) -> Invertibility:
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
    for kind, rows in (("rows", vertices), ("columns", [v.transpose() for v in vertices])):
        count = _product_sign(rows)
        if count:
            return (
                f"the determinant is linear in each of the {kind} and has one sign at the {count} "
                f"vertices of the product of their hulls"
            )
    return ""


def _product_sign(vertices: Sequence[fmpq_mat]) -> int:
    """The number of products of rows, if all their determinants have one sign; else 0."""
    size = vertices[0].nrows()
    if size > _LARGEST_PRODUCT:
        return 0
    choices = [
        list(dict.fromkeys(tuple(v[i, j] for j in range(size)) for v in vertices))
        for i in range(size)
    ]
    count = 1
    for rows in choices:
        count *= len(rows)
        if count > _MOST_PRODUCTS:
            return 0
    positive = vertices[0].det() > 0
    for rows in product(*choices):
        value = fmpq_mat(size, size, [a for row in rows for a in row]).det()
        if value == 0 or (value > 0) != positive:
            return 0
    return count


def _halved(
    vertices: Sequence[fmpq_mat], found: Coordinates | None, deadline: float
) -> Invertibility:
    now = time.monotonic()
    stop = now + _SHARE * max(deadline - now, 0.0)
    if found is not None:
        parts, noun = halved(vertices, found, stop), ("box", "boxes")
        what = (
            "the edges of the hull are rank-one changes, so the determinant is affine in each "
            "coordinate; it has one sign at the corners of"
        )
    else:
        parts, noun = subdivided(vertices, stop), ("simplex", "simplices")
        what = "the determinant's Bernstein coefficients, or a symmetric part, have one sign on"
    if parts.singular is not None:
        return _singular(parts.singular)
    if parts.open == 0:
        cover = f"a {noun[0]}" if parts.parts == 1 else f"{parts.parts} {noun[1]}"
        return Invertibility(holds=True, why=f"{what} {cover} about the hull")
    why = (
        f"neither a proof nor a singular element was found in time ({parts.parts} {noun[1]} "
        f"proved, {parts.open} open)"
    )
    return _by_z3(vertices, why, deadline)


def _by_z3(vertices: Sequence[fmpq_mat], why: str, deadline: float) -> Invertibility:
    if coefficient_count(vertices) > _MOST_FORMS:
        return Invertibility(holds=None, why=why)
    terms = {
        tuple(int(e) for e in exponents): as_fraction(value)
        for exponents, value in determinant_form(vertices).to_dict().items()
    }
    claim = zero_on_simplex(terms, seconds=max(deadline - time.monotonic(), _LEAST_SECONDS))
    match claim:
        case Infeasible(solver=solver):
            return Invertibility(
                holds=True, why=f"{solver} finds no zero of the determinant", rests_on=solver
            )
        case Feasible(point=values, solver=solver):
            found = _confirmed(vertices, values)
            if found is not None:
                return _singular(found)
            return Invertibility(
                holds=None,
                why=f"{why}; {solver} names a singular element with several irrational weights, "
                f"which is not confirmed",
            )
        case _:
            return Invertibility(holds=None, why=f"{why}; {claim.why}")


def _confirmed(vertices: Sequence[fmpq_mat], values: Sequence[Fraction | None]) -> Singular | None:
    """The singular element with these weights; two that are not rational share what is left."""
    count = len(values)
    exact = [fmpq(0) if v is None else as_number(v) for v in values]
    rest = fmpq(1) - sum(exact, fmpq(0))
    open_ = [k for k, value in enumerate(values) if value is None]
    if any(w < 0 for w in exact) or rest < 0:
        return None
    if len(open_) != 2:
        if open_ or rest != 0:
            return None
        ends = [exact, exact]
    else:
        ends = [
            [w + rest * unit for w, unit in zip(exact, unit_weights(count, k), strict=True)]
            for k in open_
        ]
    return segment_root(vertices, ends[0], ends[1])


@working_precision(_BITS)
def _of_balls(matrices: Sequence[Matrix]) -> Invertibility:
    """For entries that are balls: convex conditions, or rows or columns chosen independently."""
    balls = [matrix_of(matrix) for matrix in matrices]
    if dominant_hull(balls) or definite_hull(balls):
        return Invertibility(
            holds=True,
            why="multiplied by a fixed matrix, the enclosures of all vertices are strictly "
            "diagonally dominant with one scaling, or have a positive definite symmetric part",
        )
    size = len(matrices[0])
    transposed = [tuple(zip(*matrix, strict=True)) for matrix in matrices]
    for kind, family in (("rows", matrices), ("columns", transposed)):
        choices = [_distinct([matrix[i] for matrix in family]) for i in range(size)]
        count = 1
        for rows in choices:
            count *= len(rows)
        if count > _MOST_PRODUCTS:
            continue
        determinants = [
            arb_mat([[arb(a) for a in row] for row in rows]).det() for rows in product(*choices)
        ]
        if all(d > 0 for d in determinants) or all(d < 0 for d in determinants):
            return Invertibility(
                holds=True,
                why=f"the determinant is linear in each of the {kind}, and its enclosures at the "
                f"{count} vertices of the product of their hulls have one sign",
            )
    return Invertibility(
        holds=None, why="the enclosures of the determinant contain 0 or are too many"
    )


def _distinct(rows: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    found: list[Sequence[Any]] = []
    for row in rows:
        if not any(all(_identical(a, b) for a, b in zip(row, o, strict=True)) for o in found):
            found.append(row)
    return found


def _identical(left: Any, right: Any) -> bool:
    if isinstance(left, fmpq) and isinstance(right, fmpq):
        return bool(left == right)
    # balls of one number computed twice are kept apart unless they are the same ball
    if not isinstance(left, arb) or not isinstance(right, arb):
        return False
    return bool(left.mid() == right.mid() and left.rad() == right.rad())
