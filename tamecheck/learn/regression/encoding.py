"""Piecewise polynomial regression as a mixed-integer linear program (Nemecek et al. 2023).

With a bit z_it for "row i is in leaf t": ``a_m . x_i >= b_m`` at the ancestors m where t is to the
right, ``a_m . x_i <= b_m - gap`` where it is to the left, and ``d_i >= |y_i - c_t . phi(x_i)|``,
all relaxed by a big-M unless z_it = 1; minimise the sum of d_i.  Directions are one feature (a bit
each) or anything in [-1, 1]; coefficients are bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from tamecheck.ir.program import Column, Kind, Program, Row
from tamecheck.learn.regression.tree import Points, PolynomialTree, Split, dot

_ONE = Fraction(1)


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
        Column(f"z{i}_{t}", Fraction(0), _ONE, Kind.INTEGER)
        for i in range(len(y))
        for t in range(leaves)
    ]
    polynomials = len(columns)
    columns += [Column(f"c{t}_{k}", -largest, largest) for t in range(leaves) for k in range(count)]
    errors = len(columns)
    columns += [Column(f"d{i}", cost=_ONE) for i in range(len(y))]
    for i, (point, monomials, value) in enumerate(zip(x, phi, y, strict=True)):
        own = [(bits + leaves * i + t, _ONE) for t in range(leaves)]
        rows.append(Row(f"one{i}", tuple(own), _ONE, _ONE))
        big = 2 * size + gap
        miss = abs(value) + largest * sum((abs(v) for v in monomials), Fraction(0))
        for t in range(leaves):
            z = bits + leaves * i + t
            for m, right in _ancestors(t, depth):
                form = [(m * width + k, v) for k, v in enumerate(point) if v]
                form += [(m * width + features, -_ONE)]
                name = f"s{i}_{t}_{m}"
                if right:
                    rows.append(Row(name, (*form, (z, -big)), lower=-big))
                else:
                    rows.append(Row(name, (*form, (z, big)), upper=big - gap))
            fit = [(polynomials + count * t + k, v) for k, v in enumerate(monomials) if v]
            rows.append(
                Row(f"u{i}_{t}", ((z, -miss), *fit, (errors + i, _ONE)), lower=value - miss)
            )
            rows.append(
                Row(f"l{i}_{t}", ((z, miss), *fit, (errors + i, -_ONE)), upper=value + miss)
            )
    program = Program(tuple(columns), tuple(rows), name="piecewise polynomial regression")
    return TreeProgram(program, features, depth, gap, largest)


def tree_point(
    made: TreeProgram, tree: PolynomialTree, data: Points
) -> tuple[Fraction, ...] | None:
    """The point of a tree, exactly feasible; None if the tree violates the program's gap."""
    values: list[Fraction] = []
    for split in tree.splits:
        scale = max((abs(a) for a in split.direction), default=_ONE) or _ONE
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
        low = Fraction(0) if axis else -_ONE
        columns += [Column(f"a{m}_{k}", low, _ONE, kind) for k in range(features)]
        columns.append(Column(f"b{m}", -size, size))
        if axis:
            terms = tuple((place + k, _ONE) for k in range(features))
            rows.append(Row(f"feature{m}", terms, _ONE, _ONE))
    return columns, rows


def _ancestors(leaf: int, depth: int) -> list[tuple[int, bool]]:
    """The inner nodes above a leaf, and whether the way goes right there."""
    node, found = leaf + 2**depth - 1, list[tuple[int, bool]]()
    while node:
        parent = (node - 1) // 2
        found.append((parent, node == 2 * parent + 2))
        node = parent
    return found
