"""Random formulas with curved kinks, norms, choices and sorts: sets contain what is sampled nearby.

``TAMECHECK_FORMULAS=300`` tries so many formulas; a few seconds' worth otherwise.
"""

import os
import random
from fractions import Fraction

import pytest
from mpmath import mp
from random_formulas import DIGITS, NAMES, T, formula, samples, text, value

import tamecheck as tc

FORMULAS = int(os.environ.get("TAMECHECK_FORMULAS", "8"))
TOLERANCE = 1e-4

pytestmark = pytest.mark.slow


def support(found, direction):
    height = found.support([[Fraction(a) for a in direction]])
    return float(height) if isinstance(height, Fraction) else float(height.upper())


def answer(seed):
    size, at, e = formula(seed)
    model = tc.expression(text(e, at))
    columns = [NAMES.index(name) for name in model.inputs]
    return size, e, columns, model.jacobian([at[k] for k in columns])


def quotients(found, columns, rng):
    """Unit differences of points nearby, and the difference quotients of values."""
    with mp.workdps(DIGITS):
        for _ in range(30):
            (p, v, _), (q, w, _) = rng.sample(found, 2)
            gap = [a - b for a, b in zip(p, q, strict=True)]
            length = mp.sqrt(sum(a * a for a in gap))
            if length:
                yield [float(gap[k] / length) for k in columns], float((v - w) / length)


def test_no_gradient_or_difference_quotient_nearby_is_outside_of_a_set():
    refused = decided = 0
    for seed in range(FORMULAS):
        size, e, columns, found = answer(seed)
        if found.open:
            refused += 1
            continue
        near = samples(e, size, seed + 10**6, 60)
        rng = random.Random(seed)
        if not found.defined or len(near) < 2:
            continue
        decided += 1
        for _ in range(6):
            direction = [round(rng.gauss(0, 1), 3) for _ in columns]
            most = support(found, direction) + TOLERANCE
            for _, _, gradient in near:
                reached = sum(a * gradient[k] for a, k in zip(direction, columns, strict=True))
                assert reached <= most, (seed, direction)
        for direction, quotient in list(quotients(near, columns, rng))[:6]:
            # the mean value theorem of Lebourg
            assert quotient <= support(found, direction) + TOLERANCE, (seed, direction)
    assert 10 * refused <= max(FORMULAS, 20)
    assert 2 * decided > FORMULAS


def test_every_vertex_is_the_gradient_on_its_curve():
    for seed in range(FORMULAS):
        size, e, columns, found = answer(seed)
        for proof, vertex in zip(found.proofs, found.raw, strict=True) if found.listed else ():
            shift = [mp.mpf(0)] * size
            with mp.workdps(DIGITS):
                for place, column in enumerate(columns):
                    terms = [(row[place], k + 1) for k, row in enumerate(proof.curve)]
                    shift[column] = sum(
                        (mp.mpf(a.numerator) / a.denominator * T**k for a, k in terms), mp.mpf(0)
                    )
                dual = value(e, shift)
            expected = [float(a) if hasattr(a, "q") else float(a.mid()) for a in vertex[0]]
            for a, k in zip(expected, columns, strict=True):
                assert abs(a - float(dual.g[k])) < TOLERANCE, seed
