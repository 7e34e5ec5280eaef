"""Mixed-integer programs as layers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from tamecheck.errors import InputError, SolverError, UnsupportedError
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.layers import elastic, integer_value_layer


def running_example(d):
    """min ½x₁ + 2x₃ + x₄ with x₁ - 3/2 x₂ + x₃ - x₄ = d (Güzelsoy and Ralphs)."""
    columns = (
        Column("x1", Fraction(0), Fraction(3), Kind.INTEGER, Fraction(1, 2)),
        Column("x2", Fraction(0), Fraction(2), Kind.INTEGER),
        Column("x3", cost=Fraction(2)),
        Column("x4", cost=Fraction(1)),
    )
    terms = ((0, Fraction(1)), (1, Fraction(-3, 2)), (2, Fraction(1)), (3, Fraction(-1)))
    return Program(columns, (Row("r", terms, d, d),))


@pytest.mark.parametrize(
    ("d", "value", "slopes"),
    [
        (Fraction(1, 4), Fraction(1, 2), {2}),
        (Fraction(3, 4), Fraction(3, 4), {-1}),
        (Fraction(1, 2), Fraction(1), {2, -1}),
        (Fraction(1), Fraction(1, 2), {2, -1}),
    ],
)
def test_slopes_of_the_running_example(d, value, slopes):
    found = integer_value_layer(running_example(d))
    assert found.value == value
    assert found.verdict == "lipschitz"
    assert {g[0] for g in found.right_side_gradients} == slopes


def test_a_jump_is_named_and_the_elastic_program_has_none():
    columns = (Column("x", Fraction(0), Fraction(5), Kind.INTEGER, Fraction(1)),)
    program = Program(columns, (Row("r", ((0, Fraction(1)),), Fraction(2), None),))
    found = integer_value_layer(program)
    assert found.verdict == "jump"
    with pytest.raises(InputError, match="x=2"):
        _ = found.right_side_gradients
    soft = integer_value_layer(elastic(program, 3))
    assert soft.value == 2
    assert set(soft.right_side_gradients) == {(0,), (3,)}


def random_program(seed):
    """Few bounded integer columns, some continuous ones, rows of all kinds, both senses."""
    rng = np.random.default_rng(seed)
    integers, others, count = (int(rng.integers(*ends)) for ends in ((1, 5), (0, 4), (1, 4)))
    columns = [
        Column(
            f"i{k}",
            Fraction(int(rng.integers(-2, 1))),
            Fraction(int(rng.integers(1, 4))),
            Kind.INTEGER,
            Fraction(int(rng.integers(-5, 6))),
        )
        for k in range(integers)
    ]
    columns += [Column(f"c{k}", cost=Fraction(int(rng.integers(0, 9)))) for k in range(others)]
    rows = []
    for i in range(count):
        terms = enumerate(rng.integers(-4, 5, integers + others))
        side = Fraction(int(rng.integers(-8, 16)), int(rng.choice([1, 1, 2, 7])))
        ends = ((None, side), (side, None), (side - 3, side), (side, side))[rng.integers(0, 4)]
        rows.append(Row(f"r{i}", tuple((j, Fraction(int(a))) for j, a in terms if a), *ends))
    sense = Sense.MINIMISE if rng.random() < 0.5 else Sense.MAXIMISE
    return Program(tuple(columns), tuple(rows), sense)


def value_near(program, change, step):
    """The value with changed right-hand sides; None if there is none."""
    rows = tuple(
        replace(
            row,
            lower=None if row.lower is None else row.lower + step * g,
            upper=None if row.upper is None else row.upper + step * g,
        )
        for row, g in zip(program.rows, change, strict=True)
    )
    try:
        return integer_value_layer(replace(program, rows=rows)).value
    except InputError:
        return None


@pytest.mark.slow
def test_random_programs_agree_with_exact_differences():
    """100 that have an optimum: slopes at smooth points, one-sided ones at kinks, true jumps."""
    step = Fraction(1, 10**9)
    verdicts, seed = Counter(), 0
    while verdicts.total() < 100:
        program, rng = random_program(seed), np.random.default_rng(seed)
        seed += 1
        try:
            found = integer_value_layer(program)
        except InputError:
            continue
        verdicts[found.verdict] += 1
        if found.verdict == "lipschitz":
            change = [Fraction(int(g)) for g in rng.integers(-3, 4, len(program.rows))]
            slope = (value_near(program, change, step) - found.value) / step
            products = [
                sum(a * g for a, g in zip(u, change, strict=True))
                for u in found.right_side_gradients
            ]
            assert min(products) <= slope <= max(products)
        elif found.verdict == "jump":
            # at b + t towards, a change that is much smaller than t moves the value by some t
            towards, outward = (
                [change.get(row.name, Fraction(0)) for row in program.rows] for change in found.jump
            )
            tiny = [a + step * g for a, g in zip(towards, outward, strict=True)]
            before, after = (value_near(program, change, step) for change in (towards, tiny))
            assert after is None or abs(after - before) > step / 1000
    assert verdicts["lipschitz"] > 70
    assert verdicts["jump"] > 5


def test_thirty_integer_columns():
    rng = np.random.default_rng(3)
    columns = [
        Column(f"i{k}", Fraction(0), Fraction(2), Kind.INTEGER, Fraction(int(c)))
        for k, c in enumerate(rng.integers(1, 40, 30))
    ]
    columns += [Column(f"c{k}", cost=Fraction(int(c))) for k, c in enumerate((31, 47))]
    entries = rng.integers(0, 9, (3, 32))
    rows = tuple(
        Row(f"r{i}", tuple((j, Fraction(int(v))) for j, v in enumerate(a) if v), Fraction(b), None)
        for i, (a, b) in enumerate(zip(entries, (61.5, 80.25, 70.75), strict=True))
    )
    program = Program(tuple(columns), rows)
    found = integer_value_layer(program)
    assert found.verdict == "lipschitz"
    (gradient,) = found.right_side_gradients
    step = Fraction(1, 10**6)
    assert (value_near(program, [1, -1, 2], step) - found.value) / step == (
        gradient[0] - gradient[1] + 2 * gradient[2]
    )


def test_a_part_that_ends_here_is_covered_by_one_that_does_not():
    """Two parts of value 0 at b = 0: x = 1 needs b <= 0, x = 0 does not."""
    columns = (Column("x", Fraction(0), Fraction(1), Kind.INTEGER),)
    found = integer_value_layer(Program(columns, (Row("r", ((0, Fraction(1)),), None, 1),)))
    assert len(found.parts) == 2
    assert found.verdict == "lipschitz"
    assert "covered" in found.reason
    assert found.right_side_gradients == ((0,),)


def test_two_parts_that_take_turns():
    """|b| = min(b for x = 1 where b >= 0, -b for x = 0 where b <= 0): continuous at 0."""
    columns = (
        Column("x", Fraction(0), Fraction(1), Kind.INTEGER),
        Column("y", Fraction(0), Fraction(5), cost=Fraction(1)),
        Column("z", Fraction(0), Fraction(5), cost=Fraction(1)),
    )
    rows = (
        Row("b", ((1, Fraction(1)), (2, Fraction(-1))), Fraction(0), Fraction(0)),
        Row("on", ((0, Fraction(-5)), (1, Fraction(1))), None, Fraction(0)),
        Row("off", ((0, Fraction(5)), (2, Fraction(1))), None, Fraction(5)),
    )
    found = integer_value_layer(Program(columns, rows), right_sides=["b"])
    assert [part.stable for part in found.parts] == [False, False]
    assert found.verdict == "lipschitz"
    slopes = [u[0] for u in found.right_side_gradients]
    assert (min(slopes), max(slopes)) == (-1, 1)


def test_a_jump_arbitrarily_near():
    """min y, y >= b - 3 x, x <= a at a = 1, b = 0: with b = t > 0, x = 1 is free and ends at 1."""
    columns = (
        Column("x", Fraction(0), Fraction(1), Kind.INTEGER),
        Column("y", Fraction(0), None, cost=Fraction(1)),
    )
    rows = (
        Row("a", ((0, Fraction(1)),), None, Fraction(1)),
        Row("b", ((0, Fraction(3)), (1, Fraction(1))), Fraction(0), None),
    )
    found = integer_value_layer(Program(columns, rows))
    assert found.verdict == "jump"
    assert found.jump == ({"b": 1}, {"a": -1})
    with pytest.raises(InputError, match="arbitrarily near"):
        _ = found.right_side_gradients


def test_unbounded_integers_are_bounded_by_the_value():
    columns = (
        Column("x", Fraction(0), None, Kind.INTEGER, Fraction(1)),
        Column("y", Fraction(0), None, Kind.CONTINUOUS, Fraction(3)),
    )
    row = Row("r", ((0, Fraction(2)), (1, Fraction(1))), Fraction(15, 2), None)
    found = integer_value_layer(Program(columns, (row,)))
    assert found.value == 4
    with pytest.raises(UnsupportedError, match="unbounded"):
        integer_value_layer(Program((replace(columns[0], cost=Fraction(0)), columns[1]), (row,)))


def test_no_optimum_and_too_many_parts():
    x = Column("x", Fraction(0), Fraction(1), Kind.INTEGER)
    with pytest.raises(InputError, match="infeasible"):
        integer_value_layer(Program((x,), (Row("r", ((0, Fraction(2)),), 1, 1),)))
    with pytest.raises(InputError, match="unbounded"):
        integer_value_layer(Program((x, Column("y", cost=Fraction(-1))), ()))
    columns = tuple(replace(x, name=f"x{j}") for j in range(4))
    with pytest.raises(UnsupportedError, match="more than 3"):
        integer_value_layer(Program(columns, ()), most_parts=3)
    with pytest.raises(SolverError, match="did not end"):
        integer_value_layer(Program(columns, ()), most_nodes=2)
    with pytest.raises(UnsupportedError, match="semicontinuous"):
        integer_value_layer(Program((replace(x, kind=Kind.SEMICONTINUOUS),), ()))
