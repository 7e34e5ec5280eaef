"""Systems of integers from digits: what is found is exact, whatever the approximate inverse is."""

import json
import pickle
import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq

from tamecheck.budget import Budget
from tamecheck.exact import factor
from tamecheck.exact.lifting import Square, lift
from tamecheck.exact.linear import linear_box, minimum
from tamecheck.exact.reals import as_fraction
from tamecheck.ir.answer import Infeasible, Optimal, Unknown
from tamecheck.ir.program import Column, Kind, Program, Row
from tamecheck.kernel_mip import check
from tamecheck.programs import linear, solve
from tamecheck.programs.linear import decide
from tamecheck.programs.scaled import minimised_costs

F = Fraction


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
    for seed in range(20):
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


def sparse_program(chance):
    """Equations and inequalities around a point, with free and fixed columns and a near miss."""
    width, height = chance.randint(25, 40), chance.randint(20, 30)
    point = [F(chance.randint(0, 4), chance.choice((1, 2, 3))) for _ in range(width)]

    def number():
        power = F(10) ** chance.choice((0, 0, chance.randint(-3, 3)))
        return F(chance.randint(-9, 9), chance.choice((1, 2, 3, 100))) * power

    columns = []
    for j, x in enumerate(point):
        ends = chance.choice(((F(0), None), (F(0), None), (F(0), F(9)), (None, None), (x, x)))
        columns.append(Column(f"x{j}", *ends, Kind.CONTINUOUS, abs(number())))
    rows = []
    for i in range(height):
        some = sorted(chance.sample(range(width), chance.randint(2, 5)))
        terms = tuple((j, a) for j in some if (a := number()))
        value = sum((a * point[j] for j, a in terms), F(0))
        upper = chance.choice((value, value, None, value + F(1, 10**9)))
        rows.append(Row(f"r{i}", terms, value, upper))
    beyond = chance.choice((0, F(1, 10**12), F(-1, 10**12)))
    rows.append(Row("pair", rows[0].terms, None, rows[0].lower + beyond))
    rows.append(Row("big", ((0, F(1)), (1, -F(10**9))), None, F(chance.choice((0, 1)))))
    return Program(tuple(columns), (*rows, Row("empty", (), F(0), F(1))))


def test_programs_end_alike_with_and_without_the_factor_of_a_solver(monkeypatch):
    lifted = []

    def counted(*given):
        found = lift(*given)
        lifted.append(found is not None)
        return found

    monkeypatch.setattr(factor, "lift", counted)
    for seed in range(5):
        program = sparse_program(random.Random(seed))
        found = decide(program, Budget())
        own = minimum(program, minimised_costs(program), linear_box(program))
        assert type(found) is type(own), seed
        assert not isinstance(own, Optimal) or found.objective == own.objective
        assert check(json.dumps(found.certificate)).verdict == "valid"
    assert any(lifted)
    assert all(lifted)


def chain(length, last=Kind.CONTINUOUS):
    """A program whose optimum has 521 bits for each row."""
    prime = F(2**521 - 1)
    rows = [Row(f"r{i}", ((i, F(2)), (i + 1, -prime)), F(0), F(0)) for i in range(length)]
    columns = [Column(f"x{j}", F(0), None, Kind.CONTINUOUS, F(1)) for j in range(length + 1)]
    rows.append(Row("first", ((length, prime - 1),), F(1), None))
    return Program((*columns, Column("y", F(1, 2), F(3, 2), last, F(1))), tuple(rows))


@pytest.mark.slow
def test_a_proof_with_numbers_that_no_certificate_holds_is_no_answer():
    found = decide(chain(130), Budget())
    assert isinstance(found, Unknown)
    assert "too long for a certificate" in found.why
    whole = solve(chain(130, Kind.INTEGER), seconds=20)
    assert whole.rests_on is None
    assert "too long for a certificate" in " ".join(whole.notes)
    assert whole.to_json(chain(130, Kind.INTEGER))["rests_on"] is None


def test_a_proof_with_numbers_that_python_does_not_read_is_one():
    for kind in (Kind.CONTINUOUS, Kind.INTEGER):
        program = chain(30, kind)
        found = solve(program)
        assert found.rests_on == "certificate"
        assert len(found.to_json(program)["objective"]) > 4300
        assert check(json.dumps(found.answer.certificate)).verdict == "valid"


def test_a_short_row_that_its_columns_miss_needs_no_solver(monkeypatch):
    columns = (
        Column("x", F(0), F(1, 3), Kind.CONTINUOUS, F(1)),
        Column("y", F(-1, 7), None, Kind.CONTINUOUS, F(0)),
        Column("z", None, None, Kind.CONTINUOUS, F(0)),
    )
    most = F(3) * F(1, 3) + F(2, 7)
    tight = [
        Row("r", ((0, F(3)), (1, F(-2))), most, None),
        Row("r", ((0, F(-3)), (1, F(2))), None, -most),
        Row("r", ((0, F(-3)), (2, F(2))), None, F(-(10**9))),
    ]
    # for a smaller program no solver is asked
    columns += tuple(Column(f"w{j}") for j in range(20))
    for row in tight:
        assert isinstance(decide(Program(columns, (row,)), Budget()), Optimal)
    tiny = F(1, 1 << 40)
    monkeypatch.setattr(linear.Relaxation, "solve", None)
    missed = [
        replace(tight[0], lower=most + tiny),
        replace(tight[1], upper=-most - tiny),
        Row("r", ((1, F(1)),), None, F(-1, 7) - tiny),
        Row("r", (), tiny, None),
    ]
    for row in missed:
        found = decide(Program(columns, (row,)), Budget())
        assert isinstance(found, Infeasible)
        assert check(found.certificate).verdict == "valid"


def test_a_dual_ray_is_a_proof_once_it_is_rounded(monkeypatch):
    columns = tuple(Column(f"x{j}", F(0), None, Kind.CONTINUOUS, F(1)) for j in range(3))
    rows = (
        Row("a", ((0, F(1)), (1, F(2)), (2, F(1))), None, F(1)),
        Row("b", ((0, F(2)), (1, F(1)), (2, F(1, 3))), None, F(1)),
        Row("c", ((0, F(3)), (1, F(3)), (2, F(4, 3))), F(2) + F(1, 10**6), None),
    )
    columns += tuple(Column(f"w{j}") for j in range(20))
    monkeypatch.setattr(linear.LinearProgram, "of", None)
    found = decide(Program(columns, rows), Budget())
    assert isinstance(found, Infeasible)
    assert check(found.certificate).verdict == "valid"
    monkeypatch.undo()
    # what is too near for a rounded ray is decided by the simplex method in rationals
    for least, kind in ((F(2) + F(1, 10**30), Infeasible), (F(2), Optimal)):
        near = (*rows[:2], replace(rows[2], lower=least))
        found = decide(Program(columns, near), Budget())
        assert isinstance(found, kind)
        assert check(found.certificate).verdict == "valid"


def test_a_fraction_of_a_rational_is_as_python_makes_it():
    for top, low in ((0, 1), (-7, 1), (6, -4), (2**90, 3**60), (-(10**30), 6)):
        found = as_fraction(fmpq(top, low))
        assert found == F(top, low)
        assert hash(found) == hash(F(top, low))
        assert (found.numerator, found.denominator) == F(top, low).as_integer_ratio()
        assert pickle.loads(pickle.dumps(found)) == found
        assert found * 3 - found == F(2 * top, low)
