"""What a certificate keeps of the steps that were derived."""

import json
import random
from dataclasses import replace
from fractions import Fraction

import pytest
from corpus import script

from tamecheck.budget import Budget
from tamecheck.ir.answer import Optimal
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.kernel_mip import check
from tamecheck.programs import solve
from tamecheck.programs.branching import Branch
from tamecheck.programs.certificate import (
    Bounded,
    Branched,
    Crossed,
    Excluded,
    Tightened,
    certificate,
)
from tamecheck.programs.pruning import collapse, prune
from tamecheck.programs.scaled import Multipliers
from tamecheck.programs.strengthen import strengthen, strengthen_by
from tamecheck.programs.tree import Search

PROGRAMS = script("tests/programs/test_strengthen.py")
F = Fraction


def test_of_steps_that_narrow_one_end_a_certificate_keeps_the_tightest():
    kept = 0
    for seed in range(24):
        program = PROGRAMS.random_program(random.Random(seed))
        found = strengthen(program, None, Budget()).derived
        # weaker ones after it are as true, and say nothing more
        weaker = [
            replace(s, ends=tuple((j, sign, to - sign * F(3, 2)) for j, sign, to in s.ends))
            for s in found
            if isinstance(s, Tightened)
        ]
        own = strengthen_by(program, None, [*found, *weaker])
        tree = Search(own.program).run(Budget(nodes=100))
        if not (weaker and tree.closed):
            continue
        assert strengthen_by(program, None, found).program == own.program
        derived, nodes = prune(program, own.program, own.derived, tree.nodes, Budget())
        assert not any(step in weaker for step in derived)
        claim = {} if tree.point is None else {"x": tree.point}
        if tree.point is not None:
            claim["value"] = program.objective(tree.point)
        verdict = "optimal" if claim else "infeasible"
        document = certificate(program, verdict, nodes, tree.granularity, derived, **claim)
        assert check(json.dumps(document)).verdict == "valid"
        kept += len(derived)
    assert kept > 4


def numbers_of(value, path=()):
    """The places of the numbers in what is read from JSON."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, one in pairs:
            yield from numbers_of(one, (*path, key))
    elif isinstance(value, int) or (isinstance(value, str) and value[-1:].isdigit()):
        yield path


def change(document, path, chance):
    *way, last = path
    for key in way:
        document = document[key]
    old = document[last]
    step = chance.choice((-2, -1, 1, 2))
    document[last] = old + step if isinstance(old, int) else str(F(old) + F(step, 2))


@pytest.mark.slow
def test_no_change_of_a_long_certificate_proves_a_better_bound():
    program = PROGRAMS.hard(seed=3, width=16)
    own = strengthen(program, None, Budget())
    tree = Search(own.program).run()
    point, best = tree.point, program.objective(tree.point)
    derived, nodes = prune(program, own.program, own.derived, tree.nodes, Budget())
    text = json.dumps(
        certificate(program, "optimal", nodes, tree.granularity, derived, x=point, value=best)
    )
    assert check(text).verdict == "valid"
    assert len(nodes) > 100
    assert len(derived) > 50
    chance, refused = random.Random(1), 0
    for _ in range(16):
        changed = json.loads(text)
        parts = [
            (part, *path) for part in ("derived", "nodes") for path in numbers_of(changed[part])
        ]
        for path in chance.sample(parts, chance.choice((1, 1, 3))):
            change(changed, path, chance)
        true = json.loads(text)["claim"]
        # of a maximised objective a lower bound than the best value is false
        changed["claim"] = {"verdict": "bound", "bound": str(best - F(1, 2))}
        assert check(changed).verdict == "invalid"
        changed["claim"] = {"verdict": "infeasible"}
        assert check(changed).verdict == "invalid"
        changed["claim"] = true
        refused += check(changed).verdict == "invalid"
    assert refused > 5


def packing(chance):
    """Maximise over integers with three rows."""
    width = chance.randint(6, 9)
    columns = tuple(
        Column(f"x{j}", F(0), F(chance.randint(1, 3)), Kind.INTEGER, F(chance.randint(3, 20)))
        for j in range(width)
    )
    terms = [tuple((j, F(chance.randint(3, 20))) for j in range(width)) for _ in range(3)]
    rows = tuple(Row(f"r{i}", own, None, F(9 * width)) for i, own in enumerate(terms))
    return Program(columns, rows, Sense.MAXIMISE)


def test_branchings_that_no_leaf_needs_are_left_out():
    before = after = 0
    for seed in range(12):
        program = packing(random.Random(seed))
        tree = Search(program).run(Budget(nodes=400))
        assert tree.closed
        rest = tree.bound, tree.granularity
        small = collapse(program, tree.nodes, *rest, Budget())
        before, after = before + len(tree.nodes), after + len(small)
        # one more branching above, beyond a bound, is needless
        below = [
            replace(node, children=tuple(c + 2 for c in node.children))
            if isinstance(node, Branched)
            else node
            for node in tree.nodes
        ]
        above = [Branched(Branch(0, 3), (2, 1)), Crossed(0), *below]
        assert collapse(program, above, *rest, Budget()) == small
        assert collapse(program, tree.nodes, *rest, Budget(0.0)) == tree.nodes
        claim = {"x": tree.point, "value": program.objective(tree.point)}
        document = certificate(program, "optimal", small, tree.granularity, **claim)
        assert check(json.dumps(document)).verdict == "valid"
    assert after < 0.9 * before


def test_a_branching_that_narrows_nothing_does_not_stand_for_one_above_it():
    # below x <= 2 nothing is better; x <= 5 says no more, and the row excludes what is beyond it
    columns = (
        Column("x", F(0), F(10), Kind.INTEGER, F(-1)),
        Column("y", F(0), F(1), Kind.INTEGER),
    )
    program = Program(columns, (Row("r", ((0, F(2)), (1, F(2))), None, F(5)),))
    beyond, best = Excluded(Multipliers({0: -1}, 1)), Bounded(Multipliers({}, 1), F(-2))
    nodes = (Branched(Branch(0, 2), (1, 2)), Branched(Branch(0, 5), (3, 4)), beyond, best, beyond)
    document = certificate(program, "bound", nodes, None, (), bound=F(-2), x=(F(2), F(0)))
    assert check(json.dumps(document)).verdict == "valid"
    found = solve(program, resume=document, solvers=()).answer
    assert isinstance(found, Optimal)
    assert found.objective == -2
    assert len(found.certificate["nodes"]) == 3
