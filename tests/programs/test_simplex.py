"""Linear programs in rationals: every outcome is proved, from any basis, whatever the numbers."""

import random
from fractions import Fraction

import pytest
from flint import fmpq

from tamecheck.budget import Budget
from tamecheck.exact.linear import Basis, Box, LinearProgram, linear_box, minimum
from tamecheck.exact.revised import Simplex, State
from tamecheck.ir.answer import Infeasible, Optimal, Unbounded, Unknown
from tamecheck.ir.program import Column, Program, Row
from tamecheck.programs.scaled import Multipliers, Scaled

F = Fraction


def number(chance):
    value = F(chance.randint(-4, 4), chance.choice((1, 1, 2, 3)))
    return value * F(10) ** chance.choice((0, 0, chance.randint(-15, 15)))


def interval(chance):
    low, high = sorted((number(chance), number(chance)))
    return chance.choice(((None, None), (low, None), (None, high), (low, low), (low, high)))


def random_program(chance):
    width, height = chance.randint(0, 6), chance.randint(0, 5)
    columns = tuple(Column(f"x{j}", *interval(chance)) for j in range(width))
    rows = tuple(
        Row(
            f"r{i}",
            tuple((j, a) for j in range(width) if (a := number(chance)) and chance.random() < 0.8),
            *interval(chance),
        )
        for i in range(height)
    )
    return Program(columns, rows), [number(chance) for _ in range(width)]


def random_basis(chance, program):
    width, size = len(program.columns), len(program.columns) + len(program.rows)
    basic = set(chance.sample(range(size), len(program.rows)))
    statuses = [
        "basic" if k in basic else chance.choice(("lower", "upper", "zero")) for k in range(size)
    ]
    return Basis(tuple(statuses[:width]), tuple(statuses[width:]))


def proved(program, costs, outcome):
    """The outcome's name, after its proof is checked by the inequality of `Scaled.bound`."""
    box = linear_box(program)
    priced = Program(tuple(Column(f"{j}", cost=c) for j, c in enumerate(costs)), program.rows)
    scaled = Scaled(priced)
    if isinstance(outcome, Infeasible):
        multipliers = Multipliers.of(dict(enumerate(outcome.certificate.multipliers)))
        assert scaled.bound(multipliers, box, costs=False) > 0
        return "infeasible"
    assert not program.violations(outcome.point)
    if isinstance(outcome, Unbounded):
        far = [x + 10**40 * r for x, r in zip(outcome.point, outcome.ray, strict=True)]
        assert not program.violations(far)
        assert sum(c * r for c, r in zip(costs, outcome.ray, strict=True)) < 0
        return "unbounded"
    assert isinstance(outcome, Optimal)
    multipliers = Multipliers.of(dict(enumerate(outcome.certificate.multipliers)))
    value = sum((c * x for c, x in zip(costs, outcome.point, strict=True)), F(0))
    assert outcome.objective == value == scaled.bound(multipliers, box)
    return "optimal"


def test_every_outcome_is_proved_and_the_same_from_any_basis():
    seen = set()
    for seed in range(134):
        chance = random.Random(seed)
        program, costs = random_program(chance)
        box = linear_box(program)
        first = proved(program, costs, minimum(program, costs, box))
        basis = random_basis(chance, program)
        assert proved(program, costs, minimum(program, costs, box, basis)) == first, seed
        seen.add(first)
    assert seen == {"optimal", "infeasible", "unbounded"}


def test_the_basis_of_an_optimum_is_one_where_nothing_is_left_to_do():
    program = Program((Column("x"), Column("y")), (Row("r", ((0, F(1)), (1, F(2))), F(3)),))
    found = minimum(program, [F(1), F(1)], linear_box(program))
    assert (found.objective, found.point, found.certificate.multipliers) == (
        F(3, 2),
        (0, F(3, 2)),
        (F(1, 2),),
    )
    again = minimum(
        program, [F(1), F(1)], linear_box(program), found.certificate.basis, budget=Budget.of(0)
    )
    assert again == found


def test_a_box_takes_the_place_of_the_bounds():
    program = Program((Column("x", None, None),), ())
    found = minimum(program, [F(-1)], Box([F(1)], [F(5, 2)]))
    assert found.point == (F(5, 2),)


def test_a_deadline_in_the_past_decides_nothing():
    program = Program((Column("x"),), (Row("r", ((0, F(1)),), F(1)),))
    assert minimum(program, [F(1)], linear_box(program), budget=Budget.of(0)) == Unknown(
        "out of time"
    )


@pytest.mark.parametrize("size", [30])
def test_klee_and_minty_cubes_end(size):
    # max x_n in the cube 0 <= x_1 <= 1, eps x_{j-1} <= x_j <= 1 - eps x_{j-1}
    eps = F(1, 3)
    rows = [
        Row(f"{side}{j}", ((j - 1, sign * eps), (j, F(1))), *ends)
        for j in range(1, size)
        for side, sign, ends in (("low", -1, (F(0), None)), ("high", 1, (None, F(1))))
    ]
    program = Program(tuple(Column(f"x{j}", F(0), F(1)) for j in range(size)), tuple(rows))
    costs = [F(0)] * (size - 1) + [F(-1)]
    found = minimum(program, costs, linear_box(program))
    assert found.objective == -1


def test_a_row_of_a_basis_has_one_basic_variable():
    found = 0
    for seed in range(60):
        chance = random.Random(seed)
        program, _ = random_program(chance)
        basis, own = random_basis(chance, program), LinearProgram.of(program)
        width = len(program.columns)
        basic = [k for k, s in enumerate((*basis.columns, *basis.rows)) if s == "basic"]
        for k in basic:
            y = own.row_of(k, basis)
            if y is None:
                break
            form = [F(0)] * width + [y.get(i, F(0)) for i in range(len(program.rows))]
            for i, value in y.items():
                for j, a in program.rows[i].terms:
                    form[j] += value * a
            assert [j for j in basic if form[j]] == [k]
            found += 1
    assert found > 60


class Named:
    """A guide that says where a basic variable of the first basis may be refuted."""

    def __init__(self, basis, k):
        self.basis, self.k = basis, k

    def refine(self, _vertex):
        return self.basis

    def leaving(self):
        return self.k

    def approximation(self):
        return None


def test_the_row_that_a_guide_names_is_refuted_without_pivots(monkeypatch):
    refuted = 0
    for seed in range(60):
        chance = random.Random(seed)
        program, costs = random_program(chance)
        basis, box = random_basis(chance, program), linear_box(program)
        plain = minimum(program, costs, box)
        for k, status in enumerate((*basis.columns, *basis.rows)):
            if status == "basic":
                found = LinearProgram.of(program).minimum(costs, box, basis, guide=Named(basis, k))
                assert type(found) is type(plain)
                proved(program, costs, found)
                with monkeypatch.context() as patch:
                    patch.setattr(Simplex, "optimise", lambda *_: State.STOPPED)
                    own = LinearProgram.of(program).minimum(
                        costs, box, basis, guide=Named(basis, k)
                    )
                    refuted += isinstance(own, Infeasible)
    assert refuted > 10


def test_one_variable_that_improves_alone_enters_and_ends_the_search():
    # x is basic, y alone improves -x - 2 y on x + y <= 1; where two do, a solver is asked first
    program = Program(
        (Column("x"), Column("y"), Column("z")),
        (Row("r", ((0, F(1)), (1, F(1)), (2, F(1))), None, F(1)),),
    )
    linear = LinearProgram.of(program)
    ends = [fmpq(0)] * 3 + [None], [None] * 3 + [fmpq(1)]
    at = ("basic", "lower", "lower", "upper")
    for third, optimal in ((0, True), (-3, False)):
        run = Simplex(linear.matrix, ends, [fmpq(-1), fmpq(-2), fmpq(third)], at)
        assert run.deficit
        run.polish()
        assert (not run.deficit) is optimal
        assert run.optimise(Budget()) is State.OPTIMAL
        assert run.values[:3] == ([0, 1, 0] if optimal else [0, 0, 1])
