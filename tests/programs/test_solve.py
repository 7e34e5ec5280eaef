"""Optima are those of enumeration, certificates are valid, and forged ones are not."""

import itertools
import json
import random
from concurrent.futures import Future
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamecheck.budget import Budget
from tamecheck.errors import EndedError, InputError, SolverError
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.kernel_mip import check
from tamecheck.loaders.programs.json_program import program_from_json
from tamecheck.programs import (
    Evidence,
    Feasible,
    Infeasible,
    Optimal,
    Unbounded,
    Unknown,
    explore,
    read,
    solve,
    solving,
    tree,
    write,
)
from tamecheck.programs.certificate import unfinished
from tamecheck.programs.confirm import seconds_to_confirm
from tamecheck.programs.tree import Search

F = Fraction
SMALL = st.integers(-4, 4)
NUMBERS = st.fractions(min_value=-5, max_value=5, max_denominator=6)


@st.composite
def integer_programs(draw):
    """Programs whose points can be counted: bounded integer and semi-integer columns."""
    columns = []
    for j in range(draw(st.integers(1, 4))):
        low = draw(st.integers(-2, 2))
        kind = draw(st.sampled_from([Kind.INTEGER, Kind.INTEGER, Kind.SEMI_INTEGER]))
        high = F(low + draw(st.integers(0, 3)))
        columns.append(Column(f"x{j}", F(low), high, kind, draw(NUMBERS)))
    rows = []
    for i in range(draw(st.integers(0, 3))):
        terms = [(j, F(draw(SMALL))) for j in range(len(columns))]
        low = draw(st.none() | NUMBERS)
        high = draw(st.none() | NUMBERS)
        rows.append(Row(f"r{i}", tuple(t for t in terms if t[1]), low, high))
    sense = draw(st.sampled_from(Sense))
    return Program(tuple(columns), tuple(rows), sense, draw(NUMBERS))


def enumerated(program):
    """The optimum by trying every point, None if there is none."""
    choices = [
        sorted(
            {F(v) for v in range(int(c.lower), int(c.upper) + 1)}
            | ({F(0)} if c.kind.semi else set())
        )
        for c in program.columns
    ]
    values = [
        program.objective(x) for x in itertools.product(*choices) if not program.violations(x)
    ]
    return None if not values else (min if program.sense is Sense.MINIMISE else max)(values)


@settings(max_examples=20)
@given(integer_programs())
def test_the_optimum_is_that_of_enumeration_with_a_valid_certificate(program):
    answer = solve(program, certify=True, solvers=()).answer
    expected = enumerated(program)
    if expected is None:
        assert isinstance(answer, Infeasible)
    else:
        assert isinstance(answer, Optimal)
        assert answer.objective == expected
        assert not program.violations(answer.point)
    report = check(json.dumps(answer.certificate))
    assert (report.verdict, report.model_sha256) == ("valid", program.sha256)


@pytest.mark.slow
@settings(max_examples=6)
@given(integer_programs())
def test_the_solvers_agree_with_enumeration(program):
    answer = solve(program).answer
    expected = enumerated(program)
    found = answer.objective if isinstance(answer, Optimal) else None
    assert found == expected
    assert answer.evidence is not Evidence.ONE_SOLVER


@given(integer_programs())
def test_files_keep_every_program(tmp_path_factory, program):
    folder = tmp_path_factory.mktemp("programs")
    for suffix in (".mps", ".lp", ".json"):
        crossed = any(
            r.lower is not None and r.upper is not None and r.lower > r.upper for r in program.rows
        )
        if crossed and suffix == ".mps":
            with pytest.raises(InputError, match="crossed"):
                write(program, folder / f"p{suffix}")
            continue
        write(program, folder / f"p{suffix}")
        assert read(folder / f"p{suffix}") == program


def mixed():
    """Maximise x + y with a semi-continuous y and an odd equation."""
    columns = (
        Column("x", F(0), F(7, 2), Kind.INTEGER, F(1)),
        Column("y", F(2), F(3), Kind.SEMICONTINUOUS, F(1, 3)),
        Column("z", None, None),
    )
    rows = (
        Row("a", ((0, F(1)), (1, F(1))), None, F(9, 2)),
        Row("b", ((0, F(2)), (1, F(-1)), (2, F(3))), F(1, 7), F(1, 7)),
    )
    return Program(columns, rows, Sense.MAXIMISE, F(5))


def test_semi_variables_and_free_ones():
    answer = solve(mixed(), certify=True).answer
    assert isinstance(answer, Optimal)
    assert answer.objective == F(8)
    assert answer.point[:2] == (3, 0)
    assert check(json.dumps(answer.certificate)).verdict == "valid"


@pytest.mark.parametrize("kind", [Kind.SEMICONTINUOUS, Kind.SEMI_INTEGER])
def test_a_program_that_is_unbounded_along_a_semi_variable_is_called_so(kind):
    # with y at 0 as the solver finds it, s = y / 2 is 0, too, and far along the ray beyond 2
    columns = (
        Column("s", F(2), None, kind, F(-1)),
        Column("y", F(0), None),
        Column("b", F(0), F(1), Kind.INTEGER, F(1)),
    )
    rows = (Row("r", ((0, F(2)), (1, F(-1))), F(0), F(0)), Row("q", ((2, F(2)),), F(1), None))
    answer = solve(Program(columns, rows), solvers=()).answer
    assert isinstance(answer, Unknown)
    assert answer.why == "It is unbounded, along s, a semi variable, which no certificate can say."
    none = replace(rows[1], upper=F(1))
    assert isinstance(solve(Program(columns, (rows[0], none)), solvers=()).answer, Infeasible)
    along = (replace(columns[0], cost=F(0)), replace(columns[1], cost=F(-1)), columns[2])
    assert isinstance(solve(Program(along, rows[1:]), solvers=()).answer, Unbounded)


def test_an_unfinished_search_gives_a_point_and_a_proved_bound():
    columns = tuple(Column(f"x{j}", F(0), F(1), Kind.INTEGER, F(-2)) for j in range(30))
    row = Row("r", tuple((j, F(2)) for j in range(30)), None, F(29))
    answer = solve(Program(columns, (row,)), solvers=(), seconds=0.4).answer
    if isinstance(answer, Feasible):
        assert answer.bound is not None
        assert answer.bound <= answer.objective
        assert check(json.dumps(answer.certificate)).verdict == "valid"


def certified():
    numbers = enumerate(zip((8, 7, 15, 15, 6), (11, 14, 7, 8, 7), strict=True))
    pairs = [(Column(f"x{j}", F(0), F(1), Kind.INTEGER, F(-c)), (j, F(a))) for j, (c, a) in numbers]
    columns, terms = zip(*pairs, strict=True)
    row = Row("r", terms, None, F(23))
    answer = solve(Program(columns, (row,)), certify=True, solvers=()).answer
    return json.loads(json.dumps(answer.certificate))


def leaf(document, kind):
    return next(node for node in document["nodes"] if kind in node)


MUTATIONS = {
    "another value": lambda d: d["claim"].update(value="-100"),
    "a worse point": lambda d: d["claim"].update(x=["0"] * 5, value="0"),
    "an infeasible point": lambda d: d["claim"]["x"].__setitem__(0, "1/2"),
    "a shorter point": lambda d: d["claim"]["x"].pop(),
    "infeasible": lambda d: d.update(claim={"verdict": "infeasible"}),
    "a better bound": lambda d: d.update(claim={"verdict": "bound", "bound": "5"}),
    "unbounded": lambda d: d.update(
        claim={"verdict": "unbounded", "x": d["claim"]["x"], "ray": ["0"] * 5}, nodes=[]
    ),
    "no tree": lambda d: d["nodes"].clear(),
    "a missing leaf": lambda d: d["nodes"].pop(),
    "a further node": lambda d: d["nodes"].append({"crossed": 0}),
    "a leaf that is not crossed": lambda d: d["nodes"].__setitem__(-1, {"crossed": 0}),
    "a leaf that excludes nothing": lambda d: d["nodes"].__setitem__(-1, {"none": []}),
    "no multipliers": lambda d: leaf(d, "bound").update(bound=[]),
    "negative denominators": lambda d: leaf(d, "bound").update(over=-1),
    "a denominator of 0": lambda d: leaf(d, "bound").update(over=0),
    "a row twice": lambda d: leaf(d, "bound")["bound"].append(leaf(d, "bound")["bound"][0]),
    "a cycle": lambda d: leaf(d, "branch").update(children=[0, 1]),
    "one child twice": lambda d: leaf(d, "branch").update(children=[1, 1]),
    "a gap between children": lambda d: leaf(d, "branch").update(at="1/2"),
    "a branching on another column": lambda d: leaf(d, "branch").update(branch=5),
    "a coarser step": lambda d: d["granularity"].update(step="3"),
    "a step of 0": lambda d: d["granularity"].update(step="0"),
    "a step from an inequality": lambda d: d["granularity"].update(rows=[[0, "1"]]),
    "a continuous column": lambda d: d["program"]["columns"][0].update(kind="continuous"),
    "another right-hand side": lambda d: d["program"]["rows"][0].update(upper="40"),
    "an unknown kind": lambda d: d["program"]["columns"][0].update(kind="complex"),
    "an unknown field": lambda d: d.update(extra=1),
    "an unknown verdict": lambda d: d["claim"].update(verdict="fine"),
    "another version": lambda d: d.update(version=2),
    "a float": lambda d: d.update(version=1.0),
    "a boolean": lambda d: d.update(version=True),
}


def test_the_unchanged_certificate_is_valid():
    assert check(json.dumps(certified())).verdict == "valid"


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_forged_certificate_is_invalid(name):
    document = certified()
    MUTATIONS[name](document)
    assert check(json.dumps(document)).verdict == "invalid"


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"format":"tamecheck-tree-certificate"}'])
def test_what_is_no_certificate_is_invalid(text):
    assert check(text).verdict == "invalid"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda d: d.pop("rows"), "fields"),
        (lambda d: d["rows"][0]["terms"].append([7, "1"]), "outside"),
        (lambda d: d["columns"][0].update(cost=0.5), "float"),
        (lambda d: d["columns"][1].update(name="x"), "same name"),
        (lambda d: d.update(sense="up"), "none of"),
        (lambda d: d.update(version=2), "version 1"),
    ],
)
def test_malformed_json_is_refused(change, what):
    document = mixed().document()
    change(document)
    with pytest.raises(InputError, match=what):
        program_from_json(json.dumps(document), where="f.json")


def test_an_interrupt_keeps_what_was_proved_before(monkeypatch):
    # the market split of Cornuéjols and Dawande: no relaxation helps
    draw = random.Random(3)
    binary = [Column(f"x{j}", upper=F(1), kind=Kind.INTEGER) for j in range(40)]
    slack = [Column(f"s{i}", cost=F(1)) for i in range(4)]
    rows = []
    for i in range(2):
        weights = [F(draw.randint(1, 99)) for _ in binary]
        half = F(sum(weights).numerator // 2)
        ends = ((40 + 2 * i, F(1)), (41 + 2 * i, F(-1)))
        rows.append(Row(f"r{i}", (*enumerate(weights), *ends), half, half))
    program = Program((*binary, *slack), tuple(rows))
    monkeypatch.setattr(solving, "_FEW", 5)
    kept = []

    def stop(record):
        kept.append(record)
        if record.get("node") == 40:
            raise KeyboardInterrupt

    solved = solve(program, certify=True, seconds=60, solvers=(), journal=stop)
    assert solved.interrupted
    assert isinstance(solved.answer, Feasible | Unknown)
    assert len(solved.answer.certificate["nodes"]) > 40
    # what the task had found is written down, and nothing after it
    place = next(k for k, record in enumerate(kept) if record.get("node") == 40)
    assert len(kept) - place <= 2 * tree._NODES
    assert check(json.dumps(solved.answer.certificate)).verdict == "valid"


def knapsack(width=40, seed=3):
    """Two rows, with a tree of some hundred nodes."""
    chance = random.Random(seed)
    columns = tuple(
        Column(f"x{j}", F(0), F(1), Kind.INTEGER, F(chance.randint(40, 60))) for j in range(width)
    )
    terms = [tuple((j, F(chance.randint(40, 60))) for j in range(width)) for _ in range(2)]
    rows = tuple(Row(f"r{i}", own, None, F(9 * width)) for i, own in enumerate(terms))
    return Program(columns, rows, Sense.MAXIMISE)


class Here:
    """An executor that answers at once, and loses the first answers."""

    def __init__(self, error, lost):
        self.error, self.lost, self.asked = error, lost, 0

    def submit(self, work, *args):
        self.asked += 1
        future = Future()
        if self.asked <= self.lost:
            future.set_exception(self.error)
        else:
            future.set_result(work(*args))
        return future


def test_an_interrupt_while_a_point_is_written_down_loses_no_node():
    kept = []

    def stop(record):
        kept.append(record)
        if "x" in record:
            raise KeyboardInterrupt

    search = Search(knapsack(12), keep=stop)
    tree = search.run()
    assert search.interrupted
    assert "x" in kept[0]
    assert len([record for record in kept if "node" in record]) > 1
    assert tree.point is not None
    assert tree.nodes


def test_an_interrupt_before_a_record_is_written_leaves_no_hole_in_the_journal():
    kept, stopped = [], []

    def stop(record):
        if not stopped and record.get("node") == 3:
            stopped.append(record)
            raise KeyboardInterrupt
        kept.append(record)

    program = knapsack(12)
    assert Search(program, keep=stop).run().nodes
    assert stopped[0] in kept
    document = unfinished(program.sha256, kept)
    assert len(document["nodes"]) > 3
    assert isinstance(solve(program, solvers=(), resume=document).answer, Optimal)


def test_points_are_as_long_as_a_certificate_has_them(monkeypatch):
    """Those of the program, and not of the scaled one."""
    tiny = F(1, 2**40)
    columns = [Column(f"x{j}", F(0), F(2**44), Kind.CONTINUOUS, -tiny) for j in range(2)]
    whole = Column("y", F(0), F(3), Kind.INTEGER, F(-1))
    row = Row("r", ((0, tiny), (1, tiny), (2, F(2))), None, F(5))
    program, seen = Program((*columns, whole), (row,)), []

    def spy(*numbers):
        seen.extend(numbers[2:])
        return False

    monkeypatch.setattr(explore, "is_long", spy)
    tree = Search(program).run()
    points = [point for point in seen if len(point) == 3]
    assert tree.point in points
    assert not any(map(program.violations, points))
    assert (tree.bound,) in seen


def test_crossed_bounds_of_a_journal_are_looked_at():
    nodes = [{"node": 0, "crossed": 0}]
    document = unfinished(knapsack(4).sha256, nodes)
    assert isinstance(solve(knapsack(4), solvers=(), resume=document).answer, Optimal)


def test_a_tree_does_not_depend_on_who_works_on_it(monkeypatch):
    monkeypatch.setattr(tree, "_NODES", 8)
    program = knapsack()
    alone = Search(program, ahead=8).run(Budget(nodes=80))
    assert alone.nodes is not None
    assert len(alone.nodes) > 60
    for error, lost in ((None, 0), (EndedError(-9), 1), (SolverError("No process."), 3)):
        executor = Here(error, lost)
        search = Search(program, ahead=8, start=lambda executor=executor: executor)
        assert search.run(Budget(nodes=80)) == alone
        assert executor.asked >= 6
        assert [n for n in search.notes if "one process. No process." in n] == search.notes
        assert len(search.notes) == (lost == 3)
    search = Search(program, ahead=8, start=lambda: Here(EndedError(-11), 10**9))
    ended = search.run(Budget(nodes=80))
    assert (ended.closed, ended.limited) == (False, False)
    assert "status -11" in ended.obstacle
    assert ended.bound is not None


@pytest.mark.slow
def test_processes_share_a_tree(monkeypatch):
    monkeypatch.setattr(solving, "_FEW", 2)
    monkeypatch.setattr(solving, "_ROOT", 0.0)
    monkeypatch.setattr(tree, "_NODES", 8)
    program = knapsack(width=16)
    alone = solve(program, solvers=())
    assert isinstance(alone.answer, Optimal)
    assert alone.nodes > 40
    shared = solve(program, solvers=(), workers=2)
    assert (shared.answer, shared.nodes, shared.notes) == (alone.answer, alone.nodes, ())

    def refuse(*_, **__):
        raise OSError("no more processes")

    monkeypatch.setattr("tamecheck.solvers.processes.subprocess.Popen", refuse)
    refused = solve(program, solvers=(), workers=2)
    assert refused.answer == alone.answer
    assert "no more processes" in refused.notes[0]
    with pytest.raises(InputError, match="0 workers are none"):
        solve(program, workers=0)


def test_a_tree_that_closes_too_late_for_its_check_is_gone_on_with(monkeypatch):
    program = knapsack(16)
    with monkeypatch.context() as patch:
        patch.setattr(solving, "seconds_to_confirm", lambda *_: 1e3)
        solved = solve(program, certify=True, solvers=(), seconds=20)
    late = solved.answer
    assert isinstance(late, Feasible)
    assert "The tree is closed; to check it would take 1000 s more." in solved.notes
    assert check(json.dumps(late.certificate)).verdict == "valid"
    answer = solve(program, certify=True, solvers=(), resume=late.certificate).answer
    assert isinstance(answer, Optimal)
    assert answer.objective == late.objective
    assert late.bound >= answer.objective


def test_the_time_that_a_check_takes_grows_with_the_tree():
    program = knapsack(16)
    nodes = Search(program).run().nodes
    few = seconds_to_confirm(program, nodes, 0)
    assert 0 < few < seconds_to_confirm(program, nodes, 1000 * len(nodes))
    assert seconds_to_confirm(program, (), 5) == 0


def test_a_tree_without_points_that_closes_too_late_is_gone_on_with_from_its_journal(monkeypatch):
    rng = random.Random(3)
    weights = [rng.randrange(200, 400) for _ in range(11)]
    sums = {sum(itertools.compress(weights, xs)) for xs in itertools.product((0, 1), repeat=11)}
    end = Fraction(next(b for b in range(sum(weights) // 2, sum(weights)) if b not in sums))
    columns = tuple(Column(f"x{j}", Fraction(0), Fraction(1), Kind.INTEGER) for j in range(11))
    row = Row("sum", tuple((j, Fraction(w)) for j, w in enumerate(weights)), end, end)
    program = Program(columns, (row,))
    monkeypatch.setattr(solving, "_FEW", 2)
    kept: list[dict[str, object]] = []
    with monkeypatch.context() as patch:
        patch.setattr(solving, "seconds_to_confirm", lambda *_: 1e3)
        late = solve(program, certify=True, solvers=(), seconds=200, journal=kept.append).answer
    assert isinstance(late, Unknown)
    assert late.why.startswith("There seems to be no point. The tree is closed; to check it")
    leaves = sum("node" in one and "children" not in one for one in kept)
    assert leaves > 20
    resumed = solve(program, certify=True, solvers=(), resume=unfinished(program.sha256, kept))
    assert isinstance(resumed.answer, Infeasible)
    assert resumed.nodes == 0
