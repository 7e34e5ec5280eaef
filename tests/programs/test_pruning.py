"""What a certificate keeps of the steps that were derived."""

import json
import random
from dataclasses import replace
from fractions import Fraction

import pytest
from corpus import script

from tamecheck.budget import Budget
from tamecheck.kernel_mip import check
from tamecheck.programs.certificate import Tightened, certificate
from tamecheck.programs.pruning import prune
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
