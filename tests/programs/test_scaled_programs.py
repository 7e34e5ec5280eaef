"""Programs of any scale: answers without ``certify`` are those of enumeration in fractions."""

import itertools
import json
import os
import random
import runpy
from fractions import Fraction
from pathlib import Path

import pytest

from tamecheck.budget import Budget
from tamecheck.ir.answer import Feasible, Infeasible, Optimal, Unbounded, Unknown
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.kernel_mip import check
from tamecheck.loaders.programs.lp import program_from_lp
from tamecheck.programs import solve
from tamecheck.programs.agreement import refuted
from tamecheck.programs.branching import middle
from tamecheck.programs.solving import _Solving
from tamecheck.programs.strengthen import strengthen
from tamecheck.programs.tree import Search
from tamecheck.solvers.scaling import scale_program, scaling

F = Fraction
BENCHMARK = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "programs.py"))
COUNT = int(os.environ.get("TAMECHECK_PROGRAMS", "60"))


@pytest.mark.slow
def test_random_programs_of_all_scales_are_closed_and_right():
    outcomes = [BENCHMARK["judged"](seed) for seed in range(1000, 1000 + COUNT)]
    assert [outcome for _, outcome in outcomes if outcome not in {"right", "open"}] == []
    assert sum(outcome == "right" for _, outcome in outcomes) >= 0.95 * COUNT
    assert {status for status, _ in outcomes} == {"optimal", "infeasible", "unbounded"}


def lp(text):
    return program_from_lp(text).program


@pytest.mark.parametrize("power", [-300, -17, -9, -7, 0, 12, 300])
def test_the_optimum_does_not_depend_on_the_unit_of_the_costs(power):
    # a cover whose rounding is wrong: 2 a + b + c >= 2 for 7, 4 and 4
    unit = F(10) ** power
    costs = (7 * unit, 4 * unit, 4 * unit)
    columns = tuple(Column(f"x{j}", F(0), F(1), Kind.INTEGER, cost) for j, cost in enumerate(costs))
    row = Row("r", ((0, F(2)), (1, F(1)), (2, F(1))), F(2))
    answer = solve(Program(columns, (row,))).answer
    assert isinstance(answer, Optimal)
    assert (answer.objective, answer.point) == (7 * unit, (1, 0, 0))


@pytest.mark.parametrize("base", [2**53, 2**70, 10**40])
def test_integers_beyond_the_floats(base):
    whole = 3 * (base // 3)
    for right, feasible in ((whole, True), (whole + 1, False)):
        columns = (Column("x", F(0), None, Kind.INTEGER, F(1)),)
        answer = solve(Program(columns, (Row("r", ((0, F(3)),), F(right), F(right)),))).answer
        assert isinstance(answer, Optimal if feasible else Infeasible)
        assert check(json.dumps(answer.certificate)).verdict == "valid"


@pytest.mark.parametrize("gap", [F(1, 10**7), F(1, 10**10), F(1, 10**30)])
def test_rows_that_contradict_each_other_by_little(gap):
    columns = (Column("x", None, None), Column("y", None, None))
    form = ((0, F(1)), (1, F(-1)))
    rows = (Row("r", form, F(1, 10), F(1, 10)), Row("s", form, F(1, 10) + gap, None))
    answer = solve(Program(columns, rows)).answer
    assert isinstance(answer, Infeasible)
    assert check(json.dumps(answer.certificate)).verdict == "valid"


@pytest.mark.parametrize(
    "text",
    [
        "c: 2 x - 2 y = 1",
        "c: 1 <= 3 x - 6 y <= 2",
        "c: x + z = 1/2\n d: y + z = 0",
        "c: 2 x - 2 y + b = 1\n d: b <= 0",
        "c: 4 x - 4 y + 2 w = 1\n d: w <= 9\n e: w >= 1",
    ],
)
@pytest.mark.parametrize("goal", ["0 x", "x", "x + y"])
def test_equations_without_an_integer_solution_need_no_bounds(text, goal):
    # z is continuous, b is binary and fixed by its row
    program = lp(
        f"min\n {goal}\nst\n {text}\nbounds\n x free\n y free\n z free\n"
        "generals\n x y w\nbinary\n b\nend"
    )
    answer = solve(program).answer
    assert isinstance(answer, Infeasible)
    assert check(json.dumps(answer.certificate)).verdict == "valid"


def test_an_unbounded_program_needs_an_integer_point():
    rows = "c: x - y <= 1\n d: 2 u - 2 v = 1"
    kinds = "generals\n u v\nend"
    answer = solve(lp(f"max\n x\nst\n {rows}\n{kinds}")).answer
    assert isinstance(answer, Infeasible)
    answer = solve(lp(f"max\n x\nst\n {rows.replace('= 1', '= 2')}\n{kinds}")).answer
    assert isinstance(answer, Unbounded)
    assert check(json.dumps(answer.certificate)).verdict == "valid"


def test_a_ray_beside_semi_variables_is_found():
    # the relaxation grows along x too, which is 0 or at least 2
    program = lp("max\n 5 x + y\nst\n c: x + y - z <= 4\nbounds\n x >= 2\nsemi\n x\nend")
    answer = solve(program).answer
    assert isinstance(answer, Unbounded)
    assert answer.ray[0] == 0
    assert check(json.dumps(answer.certificate)).verdict == "valid"


def hard():
    """A knapsack of the kind whose trees are exponential: even weights, an odd capacity."""
    columns = tuple(Column(f"x{j}", F(0), F(1), Kind.INTEGER, F(-2, 10**9)) for j in range(40))
    row = Row("r", tuple((j, F(2)) for j in range(40)), None, F(39))
    free = Column("y", F(0), F(1, 10**9), cost=F(-1, 10**3))
    return Program((*columns, free), (row,))


def solving():
    return _Solving(hard(), certify=False, budget=Budget.of(1.0), seed=0, solvers=(), progress=None)


def test_an_unfinished_search_is_feasible_with_a_proved_bound_and_no_more():
    search = Search(hard(), granular=False)
    tree = search.run(Budget(nodes=30))
    assert tree.limited
    assert not tree.closed
    answer = solving()._open(tree, ())
    assert isinstance(answer, Feasible)
    assert answer.bound < answer.objective
    report = check(json.dumps(answer.certificate))
    assert report.verdict == "valid"
    assert report.claim["bound"] == str(answer.bound)


def test_an_interrupt_while_a_small_tree_is_tried_ends_the_search(monkeypatch):
    run = Search.run

    def interrupted(search, budget, **options):
        search.interrupted = True
        return run(search, budget, **options)

    own = strengthen(hard(), None, Budget.of(0))
    assert not solving()._closes(own, 3, 10)
    monkeypatch.setattr(Search, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        solving()._closes(own, 3, 10)


def test_what_solvers_say_is_no_status():
    own = solving()
    tree = Search(hard(), granular=False).run(Budget(nodes=30))
    value = float(hard().objective(tree.point))
    said = tuple(Optimal((), value, None, name) for name in ("cbc", "highs"))
    answer = own._open(tree, said)
    assert isinstance(answer, Feasible)
    assert answer.claimed.value == "two-solvers"
    # an objective of the same absolute size that is far off in relative terms is another one
    other = tuple(Optimal((), value * 1.001, None, name) for name in ("cbc", "highs"))
    assert own._open(tree, other).claimed is None


def test_a_wrong_word_is_only_called_wrong_where_that_is_proved():
    own = solving()
    tree = Search(hard(), granular=False).run(Budget(nodes=30))
    own._open(tree, (Unbounded((), (), None, "cbc"),))
    assert not [note for note in own.notes if "it is not" in note]
    program = lp("min\n x\nst\n c: x >= 1\nend")
    notes = refuted(program, (Unbounded((), (), None, "cbc"),), Search(program).run().point)
    assert list(notes) == ["cbc calls the program unbounded; it is not."]


def test_only_a_limit_is_called_a_lack_of_time():
    program = lp("max\n x\nst\n c: x + y <= 1e15\nsemi\n x\nend")
    columns = (*program.columns[:1], Column("y", None, None))
    rows = (Row("c", ((0, F(1)), (1, F(1))), F(0), F(0)),)
    answer = solve(Program(columns, rows, Sense.MAXIMISE)).answer
    assert isinstance(answer, Unknown)
    assert "time" not in answer.why


def test_scaling_is_exact_and_keeps_the_unit_of_integers():
    program = lp(
        "min\n 1e-9 x + 1e-12 y\nst\n c: 1e-7 x + 1e6 y >= 1e-10\nbounds\n y <= 1e-8\n"
        "generals\n x\nend"
    )
    by = scaling(program)
    assert by.columns[0] == 0
    scaled = scale_program(program, by)
    sizes = [abs(a) for row in scaled.rows for _, a in row.terms]
    assert max(sizes) / min(sizes) < F(10) ** 13 / 10**6
    point = (F(3), F(1, 3))
    inward = by.inward(point)
    assert by.outward(inward) == point
    assert scaled.objective(inward) == program.objective(point) * F(2) ** by.objective
    assert scaled.rows[0].value(inward) == program.rows[0].value(point) * F(2) ** by.rows[0]


def test_what_is_well_scaled_is_left_alone():
    program = lp("min\n x + 3 y\nst\n c: 2 x + 5 y >= 1/3\nend")
    assert scale_program(program, scaling(program)) is program


def beyond_floats(seed):
    """A random program over few integers, with numbers that are no floats beside those that are."""
    chance = random.Random(seed)

    def number(least, most):
        exponents = (0, 0, 0, -1, -16, -300, -320, -400, 16, 300, 308, 400)
        return F(chance.randint(least, most)) * F(10) ** chance.choice(exponents)

    width = chance.randint(2, 4)
    columns = tuple(
        Column(f"x{j}", F(-1), F(chance.randint(0, 2)), Kind.INTEGER, number(-5, 5))
        for j in range(width)
    )
    rows = tuple(
        Row(
            f"r{i}",
            tuple((j, number(1, 7) * chance.choice((-1, 1))) for j in range(width)),
            chance.choice((None, number(-9, 3))),
            chance.choice((None, number(4, 9))),
        )
        for i in range(chance.randint(1, 4))
    )
    return Program(columns, rows, chance.choice(list(Sense)))


@pytest.mark.slow
def test_numbers_beyond_the_floats_beside_others_change_no_answer_and_warn_of_nothing(monkeypatch):
    monkeypatch.setattr("tamecheck.programs.solving._FEW", 1)
    for seed in range(34):
        program = beyond_floats(seed)
        points = itertools.product(*(range(-1, int(c.upper) + 1) for c in program.columns))
        values = [program.objective(x) for x in points if not program.violations(x)]
        answer = solve(program, solvers=()).answer
        if values:
            assert isinstance(answer, Optimal)
            sign = program.sense.sign
            assert sign * answer.objective == min(sign * value for value in values)
        else:
            assert isinstance(answer, Infeasible)


def test_ends_of_columns_may_be_beyond_the_floats():
    large = 10**400
    assert middle(None, 0, large) == large // 2
    assert middle(None, -large, F(1, 3)) == -large // 2
    for kind in (Kind.SEMICONTINUOUS, Kind.SEMI_INTEGER):
        # between 0 and 3 there is nothing: 4 / 2 = 2 is no value of x
        columns = (Column("x", F(3), F(large), kind, F(1)), Column("y", F(0), F(1), Kind.INTEGER))
        row = Row("r", ((0, F(2)), (1, F(1))), F(4))
        answer = solve(Program(columns, (row,)), solvers=()).answer
        assert isinstance(answer, Optimal)
        assert answer.objective == 3
