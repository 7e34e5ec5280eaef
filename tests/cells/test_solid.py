"""Cuts of a whole layer in 3 and more dimensions against cuts one by one, and degenerate ones."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from flint import fmpq

from tamecheck.cells import cut
from tamecheck.cells.cut import cut_all
from tamecheck.cells.decisions import divide
from tamecheck.cells.polytope import Hyperplanes, Question, Table, box_polytope, dot
from tamecheck.cells.steps import Pieces
from tamecheck.cells.work import Work


def a_table(dim, columns, seed, spread):
    """Small whole coefficients: many hyperplanes through one vertex, and some of them equal."""
    rng = np.random.default_rng(seed)
    value = rng.integers(-spread, spread + 1, size=(dim + 1, columns)).astype(float)
    planes = Hyperplanes(dim)

    def exact(column):
        return tuple(fmpq(int(a)) for a in value[:, column])

    table = Table(planes, value, np.zeros_like(value), exact)
    return box_polytope(planes, [(Fraction(-1), Fraction(1))] * dim), table


def solid_parts(start, table):
    return [(part, signs) for some in cut_all([start], [table]) for _, part, signs in some]


def shape_of(part, planes):
    points = [tuple(map(str, point)) for point in part.exact_points(planes)]
    facets = [
        frozenset(points[k] for k in np.flatnonzero(part.tight[:, number]))
        for number in range(len(part.facets))
    ]
    # a hyperplane that only touches a face of lower dimension is no facet
    assert not any(f <= g for f, g in permutations(facets, 2))
    return frozenset(points), frozenset(facets)


@pytest.mark.parametrize("doubtful", [cut.DOUBTFUL, 0.0, 1e300])
@pytest.mark.parametrize(("dim", "columns"), [(3, 7), (4, 5)])
@pytest.mark.parametrize("spread", [1, 2, 9])
def test_parts_are_those_of_single_cuts(dim, columns, spread, doubtful, monkeypatch):
    monkeypatch.setattr(cut, "DOUBTFUL", doubtful)
    for seed in range(3):
        start, table = a_table(dim, columns, seed, spread)
        step = Pieces((), (), (), (columns,), jump=False)
        single = divide(step, Work.start(start, table), lower=False)
        expected = {tuple(s.tolist()): shape_of(p.polytope, table.planes) for p, s in single}
        found = {tuple(s.tolist()): shape_of(p, table.planes) for p, s in solid_parts(start, table)}
        assert len(found) > 1
        assert found == expected


@pytest.mark.parametrize(("dim", "columns"), [(2, 5), (3, 4), (4, 4), (5, 3)])
def test_parts_at_jumps_list_every_facet_once(dim, columns):
    for seed in range(4):
        start, table = a_table(dim, columns, seed, 1)
        step = Pieces((), (), (), (columns,), jump=True)
        parts = [p.polytope for p, _ in divide(step, Work.start(start, table), lower=True)]
        assert {part.dim for part in parts} >= {dim - 1, dim}
        for part in parts:
            points, facets = shape_of(part, table.planes)
            assert len(facets) > part.dim or part.dim == 0
            assert len(points) > part.dim


@pytest.mark.parametrize(("seed", "spread"), [(0, 50), (1, 50), (2, 3), (3, 1000)])
def test_the_errors_of_vertices_are_bounds(seed, spread):
    start, table = a_table(4, 7, seed, spread)
    for part, signs in solid_parts(start, table):
        for point, near, doubt in zip(
            part.exact_points(table.planes), part.points, part.doubt, strict=True
        ):
            for x, y, bound in zip(point, near.tolist(), doubt.tolist(), strict=True):
                off = abs(Fraction(int(x.p), int(x.q)) - Fraction(y))
                assert off <= Fraction(bound)
                assert bound < 2.0**-20
            for column, sign in enumerate(signs.tolist()):
                value = dot(table.exact_row(Question(column)), point)
                assert value * sign >= 0
                assert sign or value == 0
