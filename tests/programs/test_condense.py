"""A program without fixed columns and implied rows has the points and proofs of the whole one."""

import random
from dataclasses import replace
from fractions import Fraction

import pytest

from tamecheck.budget import Budget
from tamecheck.ir.answer import Unknown
from tamecheck.ir.program import Column, Kind, Program, Row
from tamecheck.kernel_mip import check
from tamecheck.programs import solve
from tamecheck.programs.certificate import Branched, Crossed, CrossedRow, certificate
from tamecheck.programs.condense import condense
from tamecheck.programs.scaled import minimised
from tamecheck.programs.tree import Search

F = Fraction


def program(chance):
    """Binary and continuous columns, some of them fixed, and rows of which some say nothing."""
    width = chance.randint(3, 9)
    columns = []
    for j in range(width):
        low = F(chance.randint(-1, 1))
        high = low + chance.choice((0, 0, 1, 2))
        kind = chance.choice((Kind.INTEGER, Kind.INTEGER, Kind.CONTINUOUS))
        columns.append(Column(f"x{j}", low, high, kind, F(chance.randint(-9, 9), 2)))
    rows = []
    for i in range(chance.randint(2, 6)):
        terms = tuple((j, F(a)) for j in range(width) if (a := chance.randint(-4, 4)))
        reach = chance.choice((3, 60))
        rows.append(Row(f"r{i}", terms, chance.choice((None, F(-reach))), F(reach, 1)))
    return Program(tuple(columns), (*rows, Row("free", ((0, F(1)),))), constant=F(3))


def test_a_condensed_program_has_the_optimum_and_the_proof_of_the_whole():
    chance = random.Random(5)
    smaller = 0
    for _ in range(40):
        whole = program(chance)
        own = condense(whole)
        smaller += len(own.columns) < len(whole.columns) and len(own.rows) < len(whole.rows)
        tree = Search(whole).run(Budget(nodes=300))
        assert tree.closed
        if tree.point is None:
            assert check(certificate(whole, "infeasible", tree.nodes)).verdict == "valid"
            continue
        # all columns stay where a tree branches on each of them
        kept = condense(whole, range(len(whole.columns)))
        assert len(kept.columns) == len(whole.columns)
        inner = tuple(tree.point[j] for j in own.columns.values())
        assert own.outward_point(inner) == tree.point
        assert not own.program.violations(inner)
        assert minimised(own.program, inner) + own.shift == minimised(whole, tree.point)
        assert tree.bound == minimised(whole, tree.point)
        value = whole.objective(tree.point)
        found = certificate(
            whole, "optimal", tree.nodes, tree.granularity, x=tree.point, value=value
        )
        assert check(found).verdict == "valid"
    assert smaller > 20


def test_a_tree_is_gone_on_with_that_branches_on_a_column_which_is_fixed_by_now():
    columns = tuple(Column(f"x{j}", F(0), F(1), Kind.INTEGER, F(-j - 1)) for j in range(4))
    whole = Program(columns, (Row("r", tuple((j, F(2)) for j in range(4)), None, F(5)),))
    nodes = Search(whole).run().nodes
    column = next(node.by.column for node in nodes if isinstance(node, Branched))
    fixed = replace(columns[column], lower=F(1))
    later = replace(whole, columns=(*columns[:column], fixed, *columns[column + 1 :]))
    search = Search(later)
    search.resume(nodes)
    tree = search.run()
    assert tree.closed
    assert tree.nodes[0] == nodes[0]
    shown = certificate(
        later,
        "optimal",
        tree.nodes,
        tree.granularity,
        x=tree.point,
        value=later.objective(tree.point),
    )
    assert check(shown).verdict == "valid"


def test_the_rows_that_bounds_imply_are_left_out_and_no_others():
    chance, implied = random.Random(9), 0
    for _ in range(100):
        whole = program(chance)
        # at the end exactly, and beside it by less than floats see
        j, a, at = 0, F(chance.randint(1, 9), 7), F(chance.choice((-1, 0, 1)), 10**30)
        low, high = whole.columns[0].lower, whole.columns[0].upper
        tight = Row("tight", ((j, a),), a * low + at, a * high - at)
        whole = replace(whole, rows=(*whole.rows, tight))
        left = set(condense(whole).rows.values())
        for i, row in enumerate(whole.rows):
            ends = [[a * c.lower, a * c.upper] for j, a in row.terms for c in (whole.columns[j],)]
            least, most = (sum(map(pick, ends), F(0)) for pick in (min, max))
            holds = (row.lower is None or least >= row.lower) and (
                row.upper is None or most <= row.upper
            )
            assert holds == (i not in left)
            implied += holds
    assert implied > 100


def test_nothing_is_known_of_leaves_about_what_is_left_out():
    columns = (Column("x", F(1), F(1)), Column("y", F(0), F(1)))
    own = condense(Program(columns, (Row("r", ((0, F(1)),), None, F(3)),)))
    assert own.inward((Crossed(0), Crossed(1), CrossedRow(0), None)) == [
        None,
        Crossed(0),
        None,
        None,
    ]
    assert own.outward(Crossed(0)) == Crossed(1)
    assert own.outward_ray((F(2),)) == (0, 2)


@pytest.mark.parametrize("long", ["lower", "cost"])
def test_a_point_that_is_too_long_with_the_fixed_columns_closes_nothing(long):
    columns = [Column(f"x{j}", F(0), F(1), Kind.INTEGER, F(3 + j)) for j in range(4)]
    number = F(1, 1 << 70_000)
    fixed = Column("y", F(1), F(1), cost=F(1))
    fixed = replace(fixed, **{long: number}, upper=number if long == "lower" else F(1))
    rows = (Row("r", tuple((j, F(2 + j)) for j in range(4)), F(7)),)
    answer = solve(Program((*columns, fixed), rows), certify=True, solvers=()).answer
    assert isinstance(answer, Unknown)
    assert "too long" in answer.why
