"""Covers by prime cubes, decision tables and unions, against brute force."""

import itertools
import math
import time

import numpy as np
import pytest

from tamecheck.explain.cubes import cover, cube_size, is_cover, prime, union_of
from tamecheck.explain.tables import reduce_table


def some_class(seed):
    rng = np.random.default_rng(seed)
    shape = rng.integers(2, 5, int(rng.integers(1, 5))).tolist()
    inside = rng.random(shape) < rng.choice([0.3, 0.6, 0.9])
    return inside, (rng.random(len(shape)) < 0.4).tolist(), rng


def inside_of(cube, inside):
    return bool(inside[np.ix_(*cube)].all())


def is_prime(cube, inside, ordered):
    for axis, size in enumerate(inside.shape):
        for code in set(range(size)) - set(cube[axis]):
            if ordered[axis] and code not in (cube[axis][0] - 1, cube[axis][-1] + 1):
                continue
            wider = list(cube)
            wider[axis] = tuple(sorted((*cube[axis], code)))
            if inside_of(wider, inside):
                return False
    return True


@pytest.mark.parametrize("seed", range(60))
def test_a_cover_is_exact_prime_and_irredundant(seed):
    inside, ordered, _ = some_class(seed)
    found = cover(inside, ordered)
    assert found.complete
    assert found.covered == inside.sum()
    assert is_cover(found.cubes, inside)
    for number, cube in enumerate(found.cubes):
        assert is_prime(cube, inside, ordered)
        rest = found.cubes[:number] + found.cubes[number + 1 :]
        assert not is_cover(rest, inside)
        for axis, codes in enumerate(cube):
            assert not ordered[axis] or codes == tuple(range(codes[0], codes[-1] + 1))


@pytest.mark.parametrize("seed", range(8))
def test_a_cover_that_is_cut_short_stays_inside(seed):
    inside, ordered, _ = some_class(seed)
    found = cover(inside, ordered, most=2)
    assert all(inside_of(cube, inside) for cube in found.cubes)
    reached = np.zeros_like(inside)
    for cube in found.cubes:
        reached[np.ix_(*cube)] = True
    assert found.covered == reached.sum()
    assert found.complete == (found.covered == inside.sum())


def test_parity_needs_every_cell():
    inside = np.indices((2, 2, 2)).sum(axis=0) % 2 == 1
    assert len(cover(inside, [False] * 3).cubes) == 4


def test_two_of_three_needs_three_cubes():
    inside = np.indices((2, 2, 2)).sum(axis=0) >= 2
    assert sorted(map(sorted, cover(inside, [False] * 3).cubes)) == sorted(
        map(sorted, [((1,), (1,), (0, 1)), ((1,), (0, 1), (1,)), ((0, 1), (1,), (1,))])
    )


def test_an_ordered_axis_keeps_to_intervals():
    inside = np.array([True, True, False, True])
    assert prime(inside, ((0,),), [0], [False]) == ((0, 1, 3),)
    assert prime(inside, ((0,),), [0], [True]) == ((0, 1),)
    assert set(cover(inside, [True]).cubes) == {((0, 1),), ((3,),)}


@pytest.mark.parametrize("value", [True, False])
def test_a_table_without_axes(value):
    found = cover(np.array(value), [])
    assert found.cubes == (((),) if value else ())


@pytest.mark.parametrize("seed", range(16))
def test_reducing_loses_nothing(seed):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 3, (2, 3, 2)).astype(np.uint8)
    # codes that repeat others, and an axis that does not matter
    copies = [
        rng.permutation(np.concatenate([np.arange(n), rng.integers(0, n, 2)])) for n in (2, 3, 2)
    ]
    table = np.stack([small[np.ix_(*copies)]] * 3, axis=1)
    ordered = [False, bool(rng.random() < 0.5), bool(rng.random() < 0.5), False]
    found, merged = reduce_table(table, ordered)
    assert 1 not in merged
    for codes in itertools.product(*map(range, table.shape)):
        place = tuple(
            next(k for k, group in enumerate(groups) if codes[axis] in group)
            for axis, groups in merged.items()
        )
        assert found[place] == table[codes]


@pytest.mark.parametrize("seed", range(24))
def test_the_size_of_a_union(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 5, 5).tolist()
    reached = np.zeros(sizes, dtype=bool)
    cubes = []
    for _ in range(int(rng.integers(1, 9))):
        axes = rng.permutation(5)[: int(rng.integers(0, 4))].tolist()
        cube = {a: int(rng.integers(1, 1 << sizes[a])) for a in axes}
        chosen = [[c for c in range(n) if cube.get(a, -1) >> c & 1] for a, n in enumerate(sizes)]
        reached[np.ix_(*chosen)] = True
        assert cube_size(cube, sizes) == np.prod([len(c) for c in chosen])
        cubes.append(cube)
    found = union_of(cubes, sizes)
    assert (found.size, found.exact) == (reached.sum(), True)
    short = union_of(cubes, sizes, most=3)
    assert short.size <= reached.sum()
    assert not short.exact or short.size == reached.sum()


def test_a_cover_of_many_cubes_comes_back_in_time():
    # parity has one prime cube a cell, and each costs a look at the whole table
    inside = np.indices((2,) * 16).sum(axis=0) % 2 == 1
    begun = time.process_time()
    found = cover(inside, [False] * 16, most=10**6, deadline=time.monotonic() + 0.5)
    assert time.process_time() - begun < 5
    assert not found.complete
    assert found.covered == sum(math.prod(map(len, cube)) for cube in found.cubes)
