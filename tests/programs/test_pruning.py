"""What a certificate keeps of the steps that were derived."""

import json
import random
from dataclasses import replace
from fractions import Fraction

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
        weaker = [replace(s, to=s.to - s.sign * F(3, 2)) for s in found if isinstance(s, Tightened)]
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
