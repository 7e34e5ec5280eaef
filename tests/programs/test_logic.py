"""Special ordered sets and indicator rows are the points that they say, by enumeration."""

import itertools
import random

import pytest

from tamecheck.errors import UnsupportedError
from tamecheck.loaders.programs.lp import program_from_lp
from tamecheck.loaders.programs.mps import program_from_mps
from tamecheck.loaders.programs.writers import program_to_lp, program_to_mps
from tamecheck.programs import Infeasible, Optimal, solve

HOLDS = {
    "<=": lambda value, end: value <= end,
    ">=": lambda value, end: value >= end,
    "=": lambda value, end: value == end,
}
TYPES = {"<=": "L", ">=": "G", "=": "E"}


def linear(form):
    return " ".join(f"{'+' if a >= 0 else '-'} {abs(a)} {name}" for name, a in form.items())


class Drawn:
    """A random program over small integers with conditions and sets, as LP and as MPS."""

    def __init__(self, seed):
        draw = self.random = random.Random(seed)
        self.ends = {f"x{i}": self.interval() for i in range(draw.randint(2, 3))}
        # where the upper bounds are rows, they have to be found
        self.by_rows = draw.random() < 0.3
        self.names = [*self.ends, "b0", "b1"]
        self.costs = {name: draw.randint(-5, 5) for name in self.names}
        self.rows = [self.row(None) for _ in range(draw.randint(0, 2))]
        conditions = [(draw.choice("01"), draw.choice(["b0", "b1"])) for _ in range(2)]
        self.rows += [self.row(condition) for condition in conditions[: draw.randint(0, 2)]]
        if self.by_rows:
            self.rows += [(None, {name: 1}, "<=", high) for name, (_, high) in self.ends.items()]
        self.sets = [self.ordered() for _ in range(draw.randint(0, 2))]

    def interval(self):
        low = self.random.choice([0, 0, -1, -2, 1])
        return low, low + self.random.randint(0, 3)

    def row(self, condition):
        chosen = [name for name in self.names if self.random.random() < 0.7] or self.names[:1]
        form = {name: self.random.choice([-2, -1, 1, 2, 3]) for name in chosen}
        relation = self.random.choice(["<=", ">=", "="] if condition else ["<=", ">="])
        return condition, form, relation, self.random.randint(-3, 6)

    def ordered(self):
        members = self.random.sample(self.names, self.random.randint(1, len(self.names)))
        weights = self.random.sample(range(1, 30), len(members))
        return self.random.randint(1, 2), dict(zip(members, weights, strict=True))

    def admits(self, x):
        for condition, form, relation, end in self.rows:
            asked = condition is None or x[condition[1]] == int(condition[0])
            if asked and not HOLDS[relation](sum(a * x[k] for k, a in form.items()), end):
                return False
        for kind, weights in self.sets:
            order = sorted(weights, key=weights.__getitem__)
            nonzero = [place for place, name in enumerate(order) if x[name]]
            if len(nonzero) > kind or any(b > a + 1 for a, b in itertools.pairwise(nonzero)):
                return False
        return True

    @property
    def best(self):
        domains = [range(low, high + 1) for low, high in self.ends.values()]
        points = itertools.product(*domains, (0, 1), (0, 1))
        named = (dict(zip(self.names, point, strict=True)) for point in points)
        values = (sum(c * x[k] for k, c in self.costs.items()) for x in named if self.admits(x))
        return min(values, default=None)

    @property
    def lp(self):
        lines = ["min", f" obj: {linear(self.costs)}", "st"]
        for i, (condition, form, relation, end) in enumerate(self.rows):
            head = f"{condition[1]} = {condition[0]} -> " if condition else ""
            lines.append(f" r{i}: {head}{linear(form)} {relation} {end}")
        lines.append("bounds")
        for name, (low, high) in self.ends.items():
            lines.append(f" {low} <= {name}" if self.by_rows else f" {low} <= {name} <= {high}")
        lines += ["general", *self.ends, "binary", "b0 b1", "sos"]
        for k, (kind, weights) in enumerate(self.sets):
            members = " ".join(f"{name}:{weight}" for name, weight in weights.items())
            lines.append(f" s{k}: S{kind}:: {members}")
        return "\n".join([*lines, "end"])

    @property
    def mps(self):
        rows = {f"r{i}": row for i, row in enumerate(self.rows)}
        lines = ["NAME", "ROWS", " N obj"]
        lines += [f" {TYPES[relation]} {name}" for name, (_, _, relation, _) in rows.items()]
        lines += ["COLUMNS", " M 'MARKER' 'INTORG'"]
        for column, cost in self.costs.items():
            lines.append(f" {column} obj {cost}")
            forms = ((name, form) for name, (_, form, _, _) in rows.items() if column in form)
            lines += [f" {column} {name} {form[column]}" for name, form in forms]
        lines += [" M 'MARKER' 'INTEND'", "RHS"]
        lines += [f" R {name} {end}" for name, (_, _, _, end) in rows.items()]
        lines += ["BOUNDS", " BV B b0", " BV B b1"]
        for name, (low, high) in self.ends.items():
            lines += [f" LO B {name} {low}"]
            lines += [f" PL B {name}" if self.by_rows else f" UP B {name} {high}"]
        lines.append("SOS")
        for k, (kind, weights) in enumerate(self.sets):
            lines += [f" S{kind} s{k}", *(f" {name} {w}" for name, w in weights.items())]
        asked = [(name, row[0]) for name, row in rows.items() if row[0]]
        lines += ["INDICATORS", *(f" IF {name} {b} {value}" for name, (value, b) in asked)]
        return "\n".join([*lines, "ENDATA"])


def test_random_programs_have_the_optimum_of_their_points():
    for seed in range(25):
        drawn = Drawn(seed)
        best = drawn.best
        for program in (program_from_lp(drawn.lp).program, program_from_mps(drawn.mps).program):
            answer = solve(program).answer
            if best is None:
                assert isinstance(answer, Infeasible), seed
            else:
                assert isinstance(answer, Optimal), seed
                assert answer.objective == best, seed
            assert program_from_lp(program_to_lp(program)).program == program
            assert program_from_mps(program_to_mps(program)).program == program


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("st\n c: x + y >= 1\nsos\n s: S1:: x:1 y:2\nend", 6, "no finite upper bound"),
        ("st\n i: b = 1 -> x + y <= 3\nbin\n b\nend", 4, "no finite bound where it need not"),
        ("st\n i: b = 1 -> x + y >= 3\nend", 4, "'b' of a condition is not binary"),
    ],
)
def test_what_no_bound_makes_linear_is_refused(text, line, what):
    with pytest.raises(UnsupportedError, match=what) as caught:
        program_from_lp(f"min\n x + y + b\n{text}", where="f.lp")
    assert caught.value.where == f"f.lp:{line}"


def test_sets_between_markers_are_read():
    text = (
        "ROWS\n N obj\nCOLUMNS\n S2 s 'MARKER' 'SOSORG'\n x obj -1\n y obj -2\n z obj -3\n"
        " s 'MARKER' 'SOSEND'\nBOUNDS\n UP B x 9\n UP B y 1\n UP B z 1\nENDATA"
    )
    assert solve(program_from_mps(text).program).answer.objective == -11


def test_a_file_that_is_not_utf8_is_read_as_latin1(tmp_path):
    from tamecheck.programs import read_file

    path = tmp_path / "p.lp"
    path.write_bytes("min\n xé\nst\n c: xé >= 1\nend".encode("latin-1"))
    found = read_file(path)
    assert found.program.columns[0].name == "xé"
    assert found.notes == ("The file is not UTF-8: it is read as Latin-1.",)
