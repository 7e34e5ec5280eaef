"""Cuts and narrower bounds: derived exactly, checked by the kernel, and false ones refused."""

import copy
import json
import random
from contextlib import suppress
from fractions import Fraction

import pytest
from corpus import script

from tamecheck.budget import Budget
from tamecheck.errors import InputError
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.kernel_mip import check
from tamecheck.programs import solve
from tamecheck.programs.certificate import (
    certificate,
    records_of,
    unfinished,
)
from tamecheck.programs.pruning import prune
from tamecheck.programs.strengthen import strengthen
from tamecheck.programs.tree import Search
from tamecheck.programs.vipr import vipr_text
from tamecheck.solvers.relaxation import Relaxation
from tests.programs.structured_programs import structured_program

READER = script("tests/programs/vipr_reader.py")
F = Fraction


def random_program(chance):
    width = chance.randint(2, 6)
    kinds = [chance.choice((Kind.INTEGER, Kind.INTEGER, Kind.CONTINUOUS)) for _ in range(width)]
    if chance.random() < 0.1:
        kinds[0] = Kind.SEMICONTINUOUS
    columns = tuple(
        Column(
            f"x{j}",
            F(chance.randint(1, 2) if kind.semi else chance.randint(-2, 1)),
            F(chance.randint(2, 4)),
            kind,
            F(chance.randint(-9, 9), chance.choice((1, 1, 3))),
        )
        for j, kind in enumerate(kinds)
    )
    rows = []
    for i in range(chance.randint(1, 5)):
        numbers = ((j, F(chance.randint(-9, 9), chance.choice((1, 1, 2)))) for j in range(width))
        terms = tuple((j, a) for j, a in numbers if a and chance.random() < 0.8)
        low = F(chance.randint(-20, 20))
        high = low + chance.randint(0, 10)
        rows.append(Row(f"r{i}", terms, *chance.choice(((low, None), (None, high), (low, high)))))
    return Program(columns, tuple(rows), chance.choice(list(Sense)), F(chance.randint(-3, 3)))


def proof(program, cutoff):
    """The certificate of a strengthened tree, and of the plain one; None if either is open."""
    plain = Search(program).run(Budget(nodes=300))
    point = plain.point if cutoff else None
    value = None
    if point is not None:
        value = program.sense.sign * (program.objective(point) - program.constant)
    own = strengthen(program, value, Budget())
    tree = Search(own.program, point=point).run(Budget(nodes=300))
    if not (plain.closed and tree.closed):
        return None
    assert (tree.point is None) == (plain.point is None)
    derived, nodes = prune(program, own.program, own.derived, tree.nodes, Budget())
    assert prune(program, own.program, own.derived, tree.nodes, Budget.of(0))[0] == own.derived
    COUNTS.append((len(own.derived), len(derived)))
    if tree.point is None:
        return certificate(program, "infeasible", nodes, derived=derived)
    value = program.objective(tree.point)
    assert value == program.objective(plain.point)
    steps = tree.granularity
    return certificate(program, "optimal", nodes, steps, derived, x=tree.point, value=value)


COUNTS = []


@pytest.mark.slow
def test_strengthened_trees_find_what_plain_ones_find_and_every_step_is_checked():
    cuts = bounds = read = 0
    for seed in range(60):
        program = random_program(random.Random(seed))
        cutoff = bool(seed % 2)
        document = proof(program, cutoff)
        if document is None:
            continue
        report = check(json.dumps(document))
        assert report.verdict == "valid", (seed, report)
        cuts += sum("cut" in step for step in document["derived"])
        bounds += sum("cut" not in step for step in document["derived"])
        if not cutoff and not any(c.kind.semi for c in program.columns):
            READER.verify(vipr_text(program, document))
            read += 1
    assert cuts > 4
    assert bounds > 40
    assert read > 10
    assert sum(kept for _, kept in COUNTS) < 0.7 * sum(count for count, _ in COUNTS)


def hard(seed=3, width=12):
    """A knapsack with two rows that needs some nodes."""
    chance = random.Random(seed)
    columns = tuple(
        Column(f"x{j}", F(0), F(1), Kind.INTEGER, F(chance.randint(40, 60))) for j in range(width)
    )
    rows = tuple(
        Row(f"r{i}", tuple((j, F(chance.randint(40, 60))) for j in range(width)), None, F(320))
        for i in range(2)
    )
    return Program(columns, rows, Sense.MAXIMISE)


def test_an_unfinished_tree_is_gone_on_with_from_its_certificate():
    program = hard()
    whole = Search(program).run()
    for nodes in (1, 5, 20):
        part = Search(program, point=whole.point)
        part.run(Budget(nodes=nodes))
        value = program.sense.sign * program.objective(whole.point)
        own = strengthen(program, value, Budget())
        search = Search(own.program, point=whole.point)
        tree = search.run(Budget(nodes=nodes))
        bound = min(tree.bound, own.cutoff)
        unfinished = certificate(
            program, "bound", tree.nodes, None, own.derived, bound=-bound, x=whole.point
        )
        assert check(json.dumps(unfinished)).verdict == "valid"
        solved = solve(program, resume=json.loads(json.dumps(unfinished)))
        assert solved.answer.objective == program.objective(whole.point)
        assert check(json.dumps(solved.answer.certificate)).verdict == "valid"
        other = hard(seed=4)
        with pytest.raises(InputError, match="about another program"):
            solve(other, resume=unfinished)


class Killed(BaseException):
    """What nobody catches."""


def kill_at(records, count):
    def keep(record):
        records.append(json.loads(json.dumps(record)))
        if len(records) == count:
            raise Killed

    return keep


@pytest.mark.parametrize("root", [0.0, 30.0])
def test_a_search_that_was_killed_goes_on_with_its_journal(monkeypatch, root):
    monkeypatch.setattr("tamecheck.programs.solving._FEW", 2)
    monkeypatch.setattr("tamecheck.programs.solving._ROOT", root)
    program = hard(width=12)
    whole = solve(program, solvers=())
    records = []
    solve(program, solvers=(), journal=records.append)
    assert len(records) > 4
    for count in (1, len(records) // 2, len(records) - 1):
        records = []
        with pytest.raises(Killed):
            solve(program, solvers=(), journal=kill_at(records, count))
        document = unfinished(program.sha256, records)
        assert unfinished(program.sha256, records_of(document)) == document
        # the journal of the journal: killed again
        again = list(records_of(document))
        with suppress(Killed):
            solve(program, solvers=(), resume=document, journal=kill_at(again, len(again) + 2))
        solved = solve(program, solvers=(), resume=unfinished(program.sha256, again))
        assert solved.answer.objective == whole.answer.objective
        assert root or solved.nodes <= whole.nodes


@pytest.mark.parametrize("seed", [78, 180, 383])
def test_a_search_that_was_killed_while_its_steps_were_written_goes_on(monkeypatch, seed):
    monkeypatch.setattr("tamecheck.programs.solving._FEW", 2)
    program, records = structured_program(seed), []
    answer = solve(program, solvers=(), journal=records.append).answer
    steps = [record for record in records if "node" not in record and "x" not in record]
    assert len(steps) > 2
    # earlier versions wrote the point after the steps that rest on it
    for kept in (*(records[:count] for count in range(len(records))), steps, steps[:3]):
        document = unfinished(program.sha256, json.loads(json.dumps(kept)))
        assert solve(program, solvers=(), resume=document).answer.objective == answer.objective


@pytest.mark.parametrize(
    "records",
    [
        [{"node": 1, "crossed": 0}],
        [{"node": 0, "branch": 0, "at": 0, "children": [1, 3]}],
        [{"node": -1, "crossed": 0}],
        [{"node": 1, "branch": 0, "at": 0, "children": [1, 2]}],
    ],
)
def test_a_journal_holds_a_tree(records):
    with pytest.raises(InputError, match="all nodes"):
        unfinished("", records)


def test_progress_is_shown_and_what_was_found_is_kept(monkeypatch):
    monkeypatch.setattr("tamecheck.programs.solving._FEW", 2)
    monkeypatch.setattr("tamecheck.programs.solving._ROOT", 0.0)
    seen, records = [], []
    program = hard(width=60)

    def stop(record):
        records.append(record)
        if len(records) == 120:
            raise KeyboardInterrupt

    solved = solve(
        program,
        seconds=60,
        solvers=(),
        journal=stop,
        progress=seen.append,
        incumbent=(F(0),) * 60,
    )
    assert solved.interrupted
    assert not program.violations(solved.answer.point)
    assert all(status.open >= 1 and status.explored > 0 for status in seen)
    assert seen


def test_bounds_are_what_all_rows_leave_and_not_only_each():
    # x <= 2 follows from both rows, x >= 1 from the cutoff with them
    columns = (Column("x", F(0), F(9), Kind.INTEGER, F(-1)), Column("y", F(0), F(9), cost=F(-1, 3)))
    rows = (
        Row("sum", ((0, F(1)), (1, F(1))), None, F(9, 2)),
        Row("less", ((0, F(1)), (1, F(-1))), None, F(0)),
    )
    program = Program(columns, rows)
    own = strengthen(program, F(-2), Budget())
    assert (own.program.columns[0].lower, own.program.columns[0].upper) == (1, 2)
    tree = Search(own.program, point=(F(2), F(5, 2))).run()
    value = program.objective(tree.point)
    claim = certificate(
        program, "optimal", tree.nodes, tree.granularity, own.derived, x=tree.point, value=value
    )
    assert check(json.dumps(claim)).verdict == "valid"


@pytest.mark.slow
def test_changed_certificates_prove_nothing_false():
    """A third of all numbers in a certificate, changed one at a time: what stays valid is true."""
    chance = random.Random(5)
    tried = 0
    for seed in range(40):
        document = proof(random_program(random.Random(seed)), cutoff=True)
        if document is None or not document["derived"]:
            continue
        claim = document["claim"]
        for _ in range(8):
            lie = copy.deepcopy(document)
            step = chance.choice(lie["derived"] + lie["nodes"])
            while isinstance(step, dict | list) and step:
                key = chance.choice(list(step) if isinstance(step, dict) else range(len(step)))
                if isinstance(step[key], int | str):
                    value = step[key]
                    step[key] = value + chance.choice((-1, 1)) if isinstance(value, int) else "7"
                    break
                step = step[key]
            # a better value than the optimum is false, whatever the steps are
            if claim["verdict"] == "optimal":
                sign = 1 if document["program"]["sense"] == "minimise" else -1
                bound = str(Fraction(claim["value"]) + sign * Fraction(1, 7))
                lie["claim"] = {"verdict": "bound", "bound": bound}
                lie["granularity"] = None
                assert check(json.dumps(lie)).verdict != "valid"
            tried += 1
    assert tried > 100


def network(seed, *, size=8, arcs=16, capacity=3000):
    """Flow of one source to some nodes over arcs that cost something once they are used."""
    chance = random.Random(seed)
    ends = [(chance.randrange(i), i) for i in range(1, size)]
    while len(ends) < arcs:
        ends.append(tuple(chance.sample(range(size), 2)))
    wanted = [0, *(chance.choice((0, 1, 2, 5)) for _ in range(size - 1))]
    wanted[0] = -sum(wanted)
    columns, rows = [], []
    for k in range(arcs):
        columns.append(Column(f"x{k}", F(0), None, Kind.CONTINUOUS, F(0)))
        columns.append(Column(f"y{k}", F(0), F(1), Kind.INTEGER, F(chance.randint(1, 9))))
        rows.append(Row(f"u{k}", ((2 * k, F(1)), (2 * k + 1, F(-capacity))), None, F(0)))
    for i, amount in enumerate(wanted):
        terms = tuple(
            (2 * k, F(1 if i == b else -1)) for k, (a, b) in enumerate(ends) if i in (a, b)
        )
        rows.append(Row(f"n{i}", terms, F(amount), F(amount)))
    return Program(tuple(columns), tuple(rows))


def test_the_cuts_of_a_network_with_large_capacities_close_the_gap():
    for seed in range(3):
        program = network(seed)
        own = strengthen(program, None, Budget())
        value = Relaxation(own.program).solve().objective
        tree = Search(own.program).run(Budget(nodes=50))
        assert tree.closed
        assert value > 0.97 * float(program.objective(tree.point))
        assert Relaxation(program).solve().objective < 0.1 * value
