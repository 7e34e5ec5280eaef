"""VIPR files: every line is derived again by a reader of the format, and mutants are refused."""

import json
import random
import re
import shutil
import subprocess
from fractions import Fraction

import pytest
from corpus import script

from tamecheck.cli import main
from tamecheck.errors import UnsupportedError
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.programs import Infeasible, Optimal, solve
from tamecheck.programs.vipr import vipr_text

READER = script("tests/programs/vipr_reader.py")
F = Fraction


def random_program(seed):
    rng = random.Random(seed)
    count = rng.randint(2, 5)

    def number(low=-5, high=5):
        return F(rng.randint(low, high), rng.choice([1, 1, 1, 2, 3]))

    columns = []
    for j in range(count):
        low = number(-3, 1)
        kind = Kind.INTEGER if rng.random() < 0.7 else Kind.CONTINUOUS
        columns.append(Column(f"x{j}", low, low + number(1, 6), kind, number()))
    rows = []
    for i in range(rng.randint(1, 4)):
        terms = tuple((j, a) for j in range(count) if (a := number()))
        side, kind = number(-6, 8), rng.choice(["G", "L", "E", "both"])
        lower = side if kind in "GE" or kind == "both" else None
        upper = {"L": side, "E": side, "both": side + number(1, 4)}.get(kind)
        rows.append(Row(f"r{i}", terms, lower, upper))
    sense = rng.choice(list(Sense))
    return Program(tuple(columns), tuple(rows), sense, constant=number())


def proved(seeds, wanted, count):
    """Programs with a proof of this kind, and their answers."""
    found = 0
    for seed in seeds:
        program = random_program(seed)
        answer = solve(program, seconds=20).answer
        if isinstance(answer, wanted):
            found += 1
            yield program, answer
        if found == count:
            return
    raise AssertionError("the seeds ran out")


def stated(program):
    """The program as the reader finds it."""
    one = {"G": lambda row: row.lower, "L": lambda row: row.upper}
    rows = []
    for j, column in enumerate(program.columns):
        rows += [(s, f(column), {j: F(1)}) for s, f in one.items() if f(column) is not None]
    for row in program.rows:
        if row.lower is not None and row.lower == row.upper:
            rows.append(("E", row.lower, dict(row.terms)))
        else:
            rows += [(s, f(row), dict(row.terms)) for s, f in one.items() if f(row) is not None]
    costs = {j: column.cost for j, column in enumerate(program.columns) if column.cost}
    integers = {j for j, column in enumerate(program.columns) if column.kind.integral}
    return ("min" if program.sense is Sense.MINIMISE else "max", costs, rows, integers)


def check(program, answer, version="1.0"):
    text = vipr_text(program, answer.certificate, version)
    shown, (sense, costs, rows, integers) = READER.verify(text)
    assert (sense, costs, [(r.sense, r.right, r.form) for r in rows], integers) == stated(program)
    checker = shutil.which("viprchk")
    if checker is not None:
        command = [checker, "/dev/stdin"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
    return text, shown


def test_optima_are_derived_line_by_line():
    for program, answer in proved(range(1000), Optimal, 14):
        _, shown = check(program, answer)
        assert shown == ("optimal", answer.objective - program.constant)


def test_infeasibility_is_derived_line_by_line():
    for program, answer in proved(range(2000, 4000), Infeasible, 9):
        _, shown = check(program, answer, "1.1")
        assert shown == ("infeasible",)


KNAPSACK = Program(
    tuple(Column(f"x{j}", F(0), F(1), Kind.INTEGER, F(c)) for j, c in enumerate((7, 9, 6, 8, 5))),
    (Row("weight", tuple(enumerate(map(F, (5, 7, 4, 6, 3)))), None, F(12)),),
    Sense.MAXIMISE,
)
PARITY = Program(
    tuple(Column(n, F(0), F(100), Kind.INTEGER, F(1)) for n in "xy"),
    (Row("odd", ((0, F(2)), (1, F(2))), F(7), F(7)),),
)
STEPS = Program(
    (
        Column("x", F(0), F(9), Kind.INTEGER, F(3, 2)),
        Column("y", F(-5), F(5), Kind.CONTINUOUS, F(1)),
        Column("z", F(0), F(9), Kind.INTEGER, F(5, 2)),
    ),
    (
        Row("tie", ((1, F(1)), (2, F(-1, 2))), F(1, 3), F(1, 3)),
        Row("need", ((0, F(2)), (2, F(3))), F(7, 2), None),
    ),
)


@pytest.mark.parametrize(
    ("program", "kind"), [(KNAPSACK, Optimal), (PARITY, Infeasible), (STEPS, Optimal)]
)
def test_gaps_and_steps_become_roundings(program, kind):
    answer = solve(program, seconds=20).answer
    assert isinstance(answer, kind)
    text, _ = check(program, answer)
    if kind is Infeasible or answer.certificate["granularity"] is not None:
        assert "rnd" in text


def test_mutants_are_refused_or_prove_the_same():
    rng = random.Random(7)
    tried = refused = 0
    for program, answer in proved(range(5000, 9000), Optimal, 12):
        text = vipr_text(program, answer.certificate)
        truth, known = READER.verify(text)
        numbers = list(re.finditer(r"(?<=\s)-?[0-9]+(/[0-9]+)?(?=\s)", text))
        for _ in range(40):
            at = rng.choice(numbers)
            new = str(F(at[0]) + rng.choice([-1, 1, F(1, 2)]))
            mutant = text[: at.start()] + new + text[at.end() :]
            tried += 1
            try:
                shown, program_read = READER.verify(mutant)
            except READER.RefusedError:
                refused += 1
                continue
            rows = [[(r.sense, r.right, r.form) for r in p[2]] for p in (known, program_read)]
            if (known[:2], known[3], rows[0]) == (program_read[:2], program_read[3], rows[1]):
                assert shown == truth
    assert refused > tried / 2


def test_what_the_format_cannot_state_is_refused():
    semi = Column("s", F(2), F(4), Kind.SEMICONTINUOUS, F(1))
    program = Program((semi,), ())
    answer = solve(program, seconds=5).answer
    with pytest.raises(UnsupportedError, match="semicontinuous"):
        vipr_text(program, answer.certificate)
    free = Program((Column("x", F(0), None, Kind.CONTINUOUS, F(-1)),), ())
    answer = solve(free, seconds=5).answer
    with pytest.raises(UnsupportedError, match="unbounded"):
        vipr_text(free, answer.certificate)


def test_the_command_line_writes_the_file(tmp_path, capsys):
    program, target = tmp_path / "p.lp", tmp_path / "p.vipr"
    program.write_text("min\n cost: 3 x + 2 y + 7\nst\n c: 2 x + 2 y >= 3\ngen\n x y\nend\n")
    arguments = ["solve", str(program), "--proof", "vipr"]
    assert main(arguments) == 2
    assert "-o" in capsys.readouterr().err
    assert main([*arguments, "-o", str(target), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["proof"] == str(target)
    assert answer["certificate"] is None
    assert answer["objective"] == "11"
    assert READER.verify(target.read_text())[0] == ("optimal", 4)
    assert main([*arguments[:-1], "vipr-1.1", "-o", str(target)]) == 0
    assert "VER 1.1" in target.read_text()
    assert main(["solve", str(program), "-o", str(tmp_path / "c.json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["proof"] is None


def test_names_are_words_of_their_own():
    columns = tuple(
        Column(name, F(0), F(1), Kind.INTEGER, F(1)) for name in ("a b", "a_b", "%", "{x}")
    )
    program = Program(columns, ())
    check(program, solve(program, seconds=5).answer)
