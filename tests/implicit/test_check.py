"""The recomputation of invertibility against the search, and against singular elements by hand."""

from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq

import tamecheck as tc
from tamecheck.derivative.implicit import all_invertible, decide_invertible, ground


def matrices(*given):
    return [tuple(tuple(fmpq(int(a)) for a in row) for row in m) for m in given]


@pytest.mark.parametrize(
    ("given", "truth"),
    [
        (([[1]], [[3]]), True),
        (([[1]], [[-1]]), False),
        (([[1]], [[0]]), False),
        (([[1, 0], [0, 1]], [[-1, 0], [0, -1]]), False),
        (([[0, 1], [-1, 0]], [[1, 0], [0, 1]]), True),
        (([[1, 3], [0, 1]], [[1, 0], [-3, 1]]), True),
        (([[1, 3], [0, 1]], [[1, 0], [3, 1]]), False),
    ],
)
def test_hulls_by_hand(given, truth):
    # the determinant of the last mean is 1 - 9 w (1 - w), negative at w = 1/2
    found = all_invertible(matrices(*given))
    assert found is truth or (truth is False and found is None)


@pytest.mark.parametrize("seed", range(24))
def test_it_never_contradicts_the_search(seed):
    rng = np.random.default_rng(seed)
    size, count = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    hull = matrices(*(rng.integers(-3, 4, size=(size, size)) for _ in range(count)))
    first, again = decide_invertible(hull, timeout=20).holds, all_invertible(hull)
    assert again is None or first is None or again is first


def test_singular_means_are_never_called_invertible():
    for seed in range(40):
        rng = np.random.default_rng(seed)
        other = rng.integers(-3, 4, size=(2, 2))
        middle = rng.integers(-3, 4, size=(2, 1)) @ rng.integers(-3, 4, size=(1, 2))
        assert all_invertible(matrices(other, 2 * middle - other)) is not True


@pytest.mark.parametrize(
    ("text", "at", "rests_on"),
    [
        ("2*y + abs(y) - x", {"x": 0, "y": 0}, "recomputation"),
        ("y + 2*abs(y) - x", {"x": 0, "y": 0}, "replay"),
        ("y + y^3 - x", {"x": 2, "y": 1}, "recomputation"),
    ],
)
def test_the_verdict_says_what_shows_it(text, at, rests_on):
    found = tc.implicit(text, unknowns=["y"], at={k: Fraction(v) for k, v in at.items()})
    assert ground(found) == rests_on
