"""Directions along which every optimal part of a program becomes infeasible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import islice, product

from tamecheck.ir.program import Column, Program, Row
from tamecheck.layers.exact_linear import Best, Linear
from tamecheck.layers.optimal_set import OptimalSet
from tamecheck.layers.polyhedron import Point

__all__ = ["common_ascent"]

_MOST_CHOICES = 256


def common_ascent(sets: Sequence[OptimalSet], rows: Sequence[int], sign: int) -> Point | None:
    """A change of right-hand sides along a ray of every set of multipliers.

    A linear program with a ray r of multipliers (Farkas) is infeasible at ``b + t g`` for every
    t > 0 if ``r·g > 0``.

    Parameters
    ----------
    sets
        Of multipliers, one number a row.
    rows
        The positions of the rows whose right-hand sides may change.
    sign
        Of the programs' sense.

    Returns
    -------
    Point or None
        One number for each of ``rows``; None if none was found, for some rays of each set.
    """
    rays = [
        [tuple(sign * ray[i] for i in rows) for ray in _rays(multipliers, rows)]
        for multipliers in sets
    ]
    for choice in islice(product(*rays), _MOST_CHOICES):
        direction = _ascent(choice)
        if direction is not None:
            return direction
    return None


def _rays(multipliers: OptimalSet, rows: Sequence[int]) -> Iterator[Point]:
    """Directions in which the multipliers of some rows are endless."""
    recession = _recession(multipliers.program)
    for j in rows:
        column = recession.columns[j]
        for end in (Fraction(1), Fraction(-1)):
            columns = list(recession.columns)
            if not column.admits(end):
                continue
            columns[j] = replace(column, lower=end, upper=end)
            found = Linear(replace(recession, columns=tuple(columns))).minimum(
                [Fraction(0)] * len(columns)
            )
            if isinstance(found, Best):
                yield found.point


def _recession(program: Program) -> Program:
    zero = Fraction(0)
    columns = tuple(
        replace(
            column,
            lower=None if column.lower is None else zero,
            upper=None if column.upper is None else zero,
        )
        for column in program.columns
    )
    rows = tuple(
        replace(
            row,
            lower=None if row.lower is None else zero,
            upper=None if row.upper is None else zero,
        )
        for row in program.rows
    )
    return Program(columns, rows)


def _ascent(rays: tuple[Point, ...]) -> Point | None:
    """A direction g with ``r·g >= 1`` for all rays, of least 1-norm; None if there is none."""
    size = len(rays[0])
    columns = tuple(Column(f"{s}{i}", cost=Fraction(1)) for s in "+-" for i in range(size))
    rows = tuple(
        Row(
            f"{k}",
            tuple((i, a) for i, a in enumerate((*ray, *(-a for a in ray))) if a),
            Fraction(1),
            None,
        )
        for k, ray in enumerate(rays)
    )
    found = Linear(Program(columns, rows)).minimum([Fraction(1)] * (2 * size))
    if not isinstance(found, Best):
        return None
    return tuple(found.point[i] - found.point[size + i] for i in range(size))
