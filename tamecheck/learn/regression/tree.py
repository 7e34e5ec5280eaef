"""A piecewise polynomial, a binary tree of half-spaces with a polynomial in each leaf, and its MIP.

The program is that of Nemecek et al. 2023.  With a bit z_it for "row i is in leaf t": ``a_m . x_i
>= b_m`` at the ancestors m where t is to the right, ``a_m . x_i <= b_m - gap`` where it is to the
left, and ``d_i >= |y_i - c_t . phi(x_i)|``, all relaxed by a big-M unless z_it = 1; minimise the
sum of d_i.  Directions are one feature (a bit each) or anything in [-1, 1]; coefficients are
bounded.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod

import numpy as np
import numpy.typing as npt
from flint import fmpq_mat

from tamecheck.exact.reals import as_fraction, as_number
from tamecheck.ir.answer import Optimal
from tamecheck.ir.exact import ONE, rational_text
from tamecheck.ir.program import Column, Kind, Program, Row
from tamecheck.learn.network import Floats
from tamecheck.solvers.relaxation import Relaxation

Numbers = Sequence[Fraction]


@dataclass(frozen=True, slots=True)
class Points:
    """Points, the values of their monomials, and the values to fit, all exact."""

    x: Sequence[Numbers]
    phi: Sequence[Numbers]
    y: Numbers


def dot(left: Numbers, right: Numbers) -> Fraction:
    """The inner product."""
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))


@dataclass(frozen=True, slots=True)
class Split:
    """A point goes right where ``direction . x >= threshold``."""

    direction: tuple[Fraction, ...]
    threshold: Fraction

    def right(self, x: Sequence[Fraction]) -> bool:
        """Whether a point goes right."""
        return dot(self.direction, x) >= self.threshold


@dataclass(frozen=True, slots=True)
class PolynomialTree:
    """Splits in heap order (children of k at 2k+1 and 2k+2), then one polynomial a leaf.

    There are ``2^depth - 1`` splits; a leaf has a coefficient for each monomial, given by the
    exponents in ``powers``.
    """

    splits: tuple[Split, ...]
    powers: tuple[tuple[int, ...], ...]
    leaves: tuple[tuple[Fraction, ...], ...]

    def leaf(self, x: Sequence[Fraction]) -> int:
        """The leaf of a point."""
        node = 0
        while node < len(self.splits):
            node = 2 * node + 1 + int(self.splits[node].right(x))
        return node - len(self.splits)

    def value(self, x: Sequence[Fraction]) -> Fraction:
        """The exact value at a point."""
        return dot(self.leaves[self.leaf(x)], exact_monomials(x, self.powers))

    def text(self, names: Sequence[str], node: int = 0) -> str:
        """The function, below a node, as an expression of our language."""
        if node >= len(self.splits):
            coefficients = self.leaves[node - len(self.splits)]
            terms = [
                f"({rational_text(c)}){_power(power, names)}"
                for c, power in zip(coefficients, self.powers, strict=True)
                if c
            ]
            return " + ".join(terms) or "0"
        split = self.splits[node]
        form = " + ".join(
            f"({rational_text(a)})*{name}"
            for a, name in zip(split.direction, names, strict=True)
            if a
        )
        left, right = self.text(names, 2 * node + 1), self.text(names, 2 * node + 2)
        # step(0) = 1: on the boundary, points go right
        inside = f"step({form or '0'} - ({rational_text(split.threshold)}))"
        return f"({left})*(1 - {inside}) + ({right})*{inside}"


def _power(power: tuple[int, ...], names: Sequence[str]) -> str:
    return "".join(f"*{name}^{e}" for name, e in zip(names, power, strict=True) if e)


def misses(tree: PolynomialTree, data: Points) -> list[Fraction]:
    """The absolute errors at the points."""
    return [
        abs(dot(row, tree.leaves[tree.leaf(point)]) - value)
        for point, row, value in zip(data.x, data.phi, data.y, strict=True)
    ]


def exponents(features: int, order: int) -> tuple[tuple[int, ...], ...]:
    """All monomials of at most that total degree, by degree; the constant is the first."""
    every = itertools.product(range(order + 1), repeat=features)
    return tuple(sorted((e for e in every if sum(e) <= order), key=lambda e: (sum(e), e[::-1])))


def exact_monomials(point: Numbers, powers: Sequence[Sequence[int]]) -> list[Fraction]:
    """The values of the monomials at a point."""
    return [
        prod((v**e for v, e in zip(point, power, strict=True) if e), start=Fraction(1))
        for power in powers
    ]


def monomials(x: Floats, powers: Sequence[tuple[int, ...]]) -> Floats:
    """The values of the monomials, ``(rows, monomials)``."""
    columns: list[npt.NDArray[np.float64]] = [
        np.prod(x ** np.array(power), axis=1) for power in powers
    ]
    return np.stack(columns, axis=1)


# --- the polynomial of a leaf with the least sum of absolute errors, exactly


_SIMPLE = (1, 12, 1000)
"""Denominators to which coefficients are rounded, if that fits no worse."""


def leaf_polynomial(rows: Sequence[Numbers], y: Numbers) -> tuple[Fraction, ...]:
    """Coefficients of the monomials whose values at the points are ``rows``.

    A linear program finds them in floating point; the polynomial through the points that it meets,
    solved in rationals, and nearby simple numbers compete with them by their exact error.
    """
    count = len(rows[0])
    if not y:
        return (Fraction(0),) * count
    floats = _least_absolute(rows, y)
    candidates = [tuple(Fraction(v) for v in floats)]
    candidates += [tuple(Fraction(v).limit_denominator(d) for v in floats) for d in _SIMPLE]
    through = _through(rows, y, floats)
    if through is not None:
        candidates.append(through)
    return min(candidates, key=lambda c: absolute_error(rows, y, c))


def absolute_error(rows: Sequence[Numbers], y: Numbers, coefficients: Numbers) -> Fraction:
    """The sum of the absolute residuals."""
    residuals = (abs(v - dot(row, coefficients)) for row, v in zip(rows, y, strict=True))
    return sum(residuals, Fraction(0))


def _least_absolute(rows: Sequence[Numbers], y: Numbers) -> list[float]:
    count = len(rows[0])
    columns = [Column(f"c{k}", None, None) for k in range(count)]
    columns += [Column(f"e{i}", cost=Fraction(1)) for i in range(len(y))]
    made: list[Row] = []
    for i, (row, value) in enumerate(zip(rows, y, strict=True)):
        terms = [(k, a) for k, a in enumerate(row) if a]
        made.append(Row(f"u{i}", (*terms, (count + i, Fraction(1))), lower=value))
        made.append(Row(f"l{i}", (*terms, (count + i, Fraction(-1))), upper=value))
    answer = Relaxation(Program(tuple(columns), tuple(made))).solve()
    if isinstance(answer, Optimal):
        return list(answer.point[:count])
    # no answer: least squares
    matrix = np.array([[float(a) for a in row] for row in rows])
    return np.linalg.lstsq(matrix, np.array([float(v) for v in y]), rcond=None)[0].tolist()


def _through(
    rows: Sequence[Numbers], y: Numbers, floats: Sequence[float]
) -> tuple[Fraction, ...] | None:
    """The polynomial through the independent points with the least residuals; None if too few."""
    residuals = [
        abs(float(v) - sum(float(a) * c for a, c in zip(row, floats, strict=True)))
        for row, v in zip(rows, y, strict=True)
    ]
    count, order = len(rows[0]), sorted(range(len(y)), key=lambda i: residuals[i])
    columns = [[as_number(rows[i][k]) for i in order] for k in range(count)]
    reduced, rank = fmpq_mat(columns).rref()
    if rank < count:
        return None
    # the pivots are the first points that do not depend on those before them
    chosen = [order[next(i for i in range(len(y)) if reduced[r, i])] for r in range(count)]
    matrix = fmpq_mat([[as_number(a) for a in rows[i]] for i in chosen])
    solved = matrix.solve(fmpq_mat([[as_number(y[i])] for i in chosen]))
    return tuple(as_fraction(solved[k, 0]) for k in range(count))


# --- cuts at the places where the polynomials on their two sides agree
# Training points leave room for a cut between them.  A continuous function has its kinks where two
# pieces have the same value; where the difference of a polynomial left of a cut and one right of it
# is affine, its zeros are such a place.  A cut is moved there if the training points fit no worse.


def join_pieces(tree: PolynomialTree, data: Points, *, axis: bool) -> PolynomialTree:
    """The tree with cuts moved to where pieces join, its error on the points not larger.

    With ``axis``, cuts have to be parallel to the axes.
    """
    error = sum(misses(tree, data))
    for node in range(len(tree.splits)):
        for split in _joints(tree, node):
            if axis and sum(map(bool, split.direction)) > 1:
                continue
            splits = (*tree.splits[:node], split, *tree.splits[node + 1 :])
            other = replace(tree, splits=splits)
            if (missed := sum(misses(other, data))) <= error:
                tree, error = other, missed
                break
    return tree


def _joints(tree: PolynomialTree, node: int) -> list[Split]:
    """Where a polynomial left of a node equals one right of it, if that is a hyperplane."""
    found: list[Split] = []
    right = _below(tree, 2 * node + 2)
    for low in _below(tree, 2 * node + 1):
        for high in right:
            differences = [b - a for a, b in zip(low, high, strict=True)]
            linear = {k: d for k, d in zip(tree.powers, differences, strict=True) if d}
            if any(sum(power) > 1 for power in linear):
                continue
            slope = [Fraction(0)] * len(tree.powers[0])
            for power, value in linear.items():
                if sum(power):
                    slope[power.index(1)] = value
            scale = max(map(abs, slope))
            if not scale:
                continue
            constant = linear.get((0,) * len(slope), Fraction(0)) / scale
            for sign in (1, -1):
                split = Split(tuple(sign * v / scale for v in slope), -sign * constant)
                if split not in found:
                    found.append(split)
    return found


def _below(tree: PolynomialTree, node: int) -> list[tuple[Fraction, ...]]:
    """The polynomials of the leaves below a node."""
    if node >= len(tree.splits):
        return [tree.leaves[node - len(tree.splits)]]
    return _below(tree, 2 * node + 1) + _below(tree, 2 * node + 2)


@dataclass(frozen=True, slots=True)
class TreeProgram:
    """The program, and what its big-M constants assume.

    A point that goes left is at least ``gap`` below its threshold, and no coefficient of a
    polynomial exceeds ``largest``.
    """

    program: Program
    features: int
    depth: int
    gap: Fraction
    largest: Fraction

    def splits(self, x: Sequence[float]) -> tuple[Split, ...]:
        """The splits at a point of the program."""
        width = self.features + 1
        found: list[Split] = []
        for m in range(2**self.depth - 1):
            part = x[m * width : (m + 1) * width]
            direction = tuple(Fraction(v).limit_denominator(2**20) for v in part[:-1])
            # half the gap off the points that go right
            found.append(Split(direction, Fraction(part[-1]) - self.gap / 2))
        return tuple(found)


def tree_program(
    data: Points, *, depth: int, axis: bool, gap: Fraction, largest: Fraction
) -> TreeProgram:
    """The program of a regression; with ``axis``, splits are parallel to the axes."""
    x, phi, y = data.x, data.phi, data.y
    features, inner = len(x[0]), 2**depth - 1
    size = max(sum((abs(v) for v in row), Fraction(0)) for row in x)
    columns, rows = _splits(features, inner, size, axis=axis)
    width = features + 1
    leaves, count = 2**depth, len(phi[0])
    bits = len(columns)
    columns += [
        Column(f"z{i}_{t}", Fraction(0), ONE, Kind.INTEGER)
        for i in range(len(y))
        for t in range(leaves)
    ]
    polynomials = len(columns)
    columns += [Column(f"c{t}_{k}", -largest, largest) for t in range(leaves) for k in range(count)]
    errors = len(columns)
    columns += [Column(f"d{i}", cost=ONE) for i in range(len(y))]
    for i, (point, monomials, value) in enumerate(zip(x, phi, y, strict=True)):
        own = [(bits + leaves * i + t, ONE) for t in range(leaves)]
        rows.append(Row(f"one{i}", tuple(own), ONE, ONE))
        big = 2 * size + gap
        miss = abs(value) + largest * sum((abs(v) for v in monomials), Fraction(0))
        for t in range(leaves):
            z = bits + leaves * i + t
            for m, right in _ancestors(t, depth):
                form = [(m * width + k, v) for k, v in enumerate(point) if v]
                form += [(m * width + features, -ONE)]
                name = f"s{i}_{t}_{m}"
                if right:
                    rows.append(Row(name, (*form, (z, -big)), lower=-big))
                else:
                    rows.append(Row(name, (*form, (z, big)), upper=big - gap))
            fit = [(polynomials + count * t + k, v) for k, v in enumerate(monomials) if v]
            rows.append(Row(f"u{i}_{t}", ((z, -miss), *fit, (errors + i, ONE)), lower=value - miss))
            rows.append(Row(f"l{i}_{t}", ((z, miss), *fit, (errors + i, -ONE)), upper=value + miss))
    program = Program(tuple(columns), tuple(rows), name="piecewise polynomial regression")
    return TreeProgram(program, features, depth, gap, largest)


def tree_point(
    made: TreeProgram, tree: PolynomialTree, data: Points
) -> tuple[Fraction, ...] | None:
    """The point of a tree, exactly feasible; None if the tree violates the program's gap."""
    values: list[Fraction] = []
    for split in tree.splits:
        scale = max((abs(a) for a in split.direction), default=ONE) or ONE
        direction = [a / scale for a in split.direction]
        # any threshold between the sides will do: that of the lowest point on the right
        sums = [dot(direction, point) for point in data.x]
        above = [s for s in sums if s >= split.threshold / scale]
        values += [*direction, min(above, default=split.threshold / scale)]
    leaves = [tree.leaf(point) for point in data.x]
    for leaf in leaves:
        values += [Fraction(int(leaf == t)) for t in range(len(tree.leaves))]
    for coefficients in tree.leaves:
        values += coefficients
    for leaf, monomials, value in zip(leaves, data.phi, data.y, strict=True):
        values.append(abs(value - dot(monomials, tree.leaves[leaf])))
    return None if made.program.violations(values) else tuple(values)


def _splits(
    features: int, inner: int, size: Fraction, *, axis: bool
) -> tuple[list[Column], list[Row]]:
    kind = Kind.INTEGER if axis else Kind.CONTINUOUS
    columns: list[Column] = []
    rows: list[Row] = []
    for m in range(inner):
        place = len(columns)
        low = Fraction(0) if axis else -ONE
        columns += [Column(f"a{m}_{k}", low, ONE, kind) for k in range(features)]
        columns.append(Column(f"b{m}", -size, size))
        if axis:
            terms = tuple((place + k, ONE) for k in range(features))
            rows.append(Row(f"feature{m}", terms, ONE, ONE))
    return columns, rows


def _ancestors(leaf: int, depth: int) -> list[tuple[int, bool]]:
    """The inner nodes above a leaf, and whether the way goes right there."""
    node, found = leaf + 2**depth - 1, list[tuple[int, bool]]()
    while node:
        parent = (node - 1) // 2
        found.append((parent, node == 2 * parent + 2))
        node = parent
    return found
