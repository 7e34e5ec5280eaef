"""Cuts at the places where the polynomials on their two sides agree.

Training points leave room for a cut between them.  A continuous function has its kinks where two
pieces have the same value; where the difference of a polynomial left of a cut and one right of it
is affine, its zeros are such a place.  A cut is moved there if the training points fit no worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from tamecheck.learn.regression.tree import PolynomialTree, Split

__all__ = ["joined"]

Rows = Sequence[Sequence[Fraction]]


def joined(tree: PolynomialTree, x: Rows, y: Sequence[Fraction], *, axis: bool) -> PolynomialTree:
    """The tree with cuts moved to where pieces join, its error on the points not larger.

    Parameters
    ----------
    tree, x, y
        The tree, points and their values.
    axis
        Whether cuts have to be parallel to the axes.
    """
    error = _error(tree, x, y)
    for node in range(len(tree.splits)):
        for split in _joints(tree, node):
            if axis and sum(map(bool, split.direction)) > 1:
                continue
            splits = (*tree.splits[:node], split, *tree.splits[node + 1 :])
            other = replace(tree, splits=splits)
            if (missed := _error(other, x, y)) <= error:
                tree, error = other, missed
                break
    return tree


def _error(tree: PolynomialTree, x: Rows, y: Sequence[Fraction]) -> Fraction:
    return sum((abs(tree.value(p) - v) for p, v in zip(x, y, strict=True)), Fraction(0))


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
