"""Systems of integers from digits: what is found is exact, whatever the approximate inverse is."""

import random

import numpy as np

from tamecheck.exact.lifting import Square, lift


def system(chance, size, longest):
    rows = [
        {j: chance.randint(-longest, longest) or 1 for j in chance.sample(range(size), 3)}
        for _ in range(size)
    ]
    for i, row in enumerate(rows):
        row[i] = chance.choice((-1, 1)) * (longest + 1)
    return Square([sorted(row.items()) for row in rows])


def dense(square):
    matrix = np.zeros((len(square.rows), len(square.rows)))
    for i, row in enumerate(square.rows):
        for j, a in row:
            matrix[i, j] = a
    return matrix


def test_solutions_are_exact_and_come_from_a_poor_inverse_too():
    for seed in range(60):
        chance = random.Random(seed)
        size = chance.randint(3, 30)
        square = system(chance, size, chance.choice((1, 5, 1000, 10**6)))
        bits = chance.choice((1, 10, 300))
        right = [chance.randint(-(2**bits), 2**bits) for _ in range(size)]
        inverse = np.linalg.pinv(dense(square))
        noise = chance.choice((0, 1e-9, 1e-4))
        wrong = inverse * (1 + noise * np.random.default_rng(seed).standard_normal(inverse.shape))
        found = lift(square, right, lambda r, own=wrong: own @ r)
        if found is None:
            # a nearly singular matrix, or noise that its inverse magnifies
            assert noise or np.linalg.cond(dense(square)) > 1e8
            continue
        x, denominator = found
        assert denominator > 0
        assert square.times(x) == [denominator * b for b in right]


def test_no_solution_comes_from_an_inverse_of_another_matrix():
    square, other = (system(random.Random(seed), 12, 50) for seed in (1, 2))
    inverse = np.linalg.inv(dense(other))
    assert lift(square, [1] * 12, lambda r: inverse @ r) is None
    assert lift(square, [1] * 12, lambda _: None) is None
    assert lift(square, [2**400] * 12, lambda r: 0 * r) is None
    assert lift(Square([[(0, 2**50)]]), [1], lambda r: r / 2.0**50) is None
