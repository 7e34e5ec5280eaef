"""What is read from an LP or MPS file is what HiGHS reads from it, or it is refused."""

import random
from dataclasses import replace
from fractions import Fraction

import highspy
import mip
import pytest

from tamecheck.errors import InputError, TamecheckError
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.loaders.programs.lp import program_from_lp
from tamecheck.loaders.programs.mps import program_from_mps
from tamecheck.loaders.programs.writers import program_to_lp, program_to_mps

NAMES = [
    "x", "y", "d1", "e2", "E3", "D4", "d", "e", "x.1", "x_2", "a,b", "inf1", "free1", "st1", "end1",
    "x#", "f(1)", "x1e5", "nan1", "_a", "xé",
]  # fmt: skip
KINDS = {
    "kContinuous": "continuous",
    "kInteger": "integer",
    "kSemiContinuous": "semicontinuous",
    "kSemiInteger": "semi-integer",
}
ENDS = ["\n", "\n\n", "\r\n", " \\ said + 5 x\n", " \\ a\x0b+ 5 x\n", " \\ a\u2028+ 5 x\x0c\n"]


class Writer:
    """Random LP texts with layouts, glued coefficients and names that other readers know."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.names = self.random.sample(NAMES, self.random.randint(1, 4))

    def pick(self, *choices):
        return self.random.choice(choices)

    def number(self):
        digit = self.random.randint(1, 9)
        return self.pick(f"{digit}", f"{digit}.{digit}", f".{digit}", f"{digit}.", f"{digit}e2",
                         f"{digit}E-3", f"{digit}.5e+1", "0")  # fmt: skip

    def side(self):
        return self.pick("", "-", "+", "- ") + self.number()

    def end(self):
        return self.pick(*ENDS)

    def form(self):
        terms = []
        for k in range(self.random.randint(1, 4)):
            sign = self.pick("+", "-", "- -") if k else self.pick("", "-")
            name = self.pick(*self.names)
            # e2 after a number that ends there would be its exponent, and the rest a constant
            glue = " " if name[0] in "eE" else self.pick("", " ", " \n ")
            factor = self.pick("", self.number() + glue)
            terms.append(f"{sign}{self.pick('', ' ')}{factor}{name}")
        return self.pick(" ", "\n ").join(terms)

    def relation(self):
        return self.pick("<=", ">=", "=", "<", ">", "=<", "=>")

    def row(self, i):
        body = self.pick(self.form(), self.form(), self.form(), "", "0")
        return f" c{i}: {body} {self.relation()} {self.side()}"

    def bound(self):
        name = self.pick(*self.names)
        return self.pick(
            f" {name} {self.relation()} {self.side()}",
            f" {self.side()} {self.relation()} {name}",
            f" {self.side()} <= {name} <= {self.side()}",
            f" {name} free",
            f" -inf <= {name} <= {self.side()}",
            f" {name} >= -1e30",
        )

    def text(self):
        lines = [self.pick("min", "Maximize", "MINIMISE", " max "), f" obj: {self.form()}"]
        lines.append(self.pick("st", "Subject To", "s.t.", "such  that"))
        lines += [self.row(i) for i in range(self.random.randint(1, 3))]
        sections = [["Bounds", *(self.bound() for _ in range(self.random.randint(0, 3)))]]
        headings = ("Generals", "integer", "bin", "semi")
        chosen = [heading for heading in headings if self.random.random() < 0.2]
        sections += [[heading, " ".join(self.names[:2])] for heading in chosen]
        self.random.shuffle(sections)
        lines += [line for section in sections for line in section]
        return "".join(f"{line}{self.end()}" for line in [*lines, "End"])


def ours(text):
    try:
        return seen(program_from_lp(text).program)
    except TamecheckError:
        return None


def seen(program):
    names = [column.name for column in program.columns]
    columns = {c.name: (c.cost, c.lower, c.upper, c.kind.value) for c in program.columns}
    rows = [(r.lower, r.upper, {names[j]: a for j, a in r.terms}) for r in program.rows]
    return rounded((program.sense.value, program.constant, columns, rows))


def theirs(text, path):
    path.write_bytes(text.encode())
    solver = highspy.Highs()
    silent = False
    solver.setOptionValue("output_flag", silent)
    if solver.readModel(str(path)) == highspy.HighsStatus.kError:
        return None
    model = solver.getLp()
    count = model.num_col_
    kinds = [KINDS[kind.name] for kind in model.integrality_] or ["continuous"] * count
    rows = [{} for _ in range(model.num_row_)]
    matrix = model.a_matrix_
    assert matrix.format_ == highspy.MatrixFormat.kColwise
    for j in range(count):
        for k in range(matrix.start_[j], matrix.start_[j + 1]):
            if matrix.value_[k]:
                rows[matrix.index_[k]][model.col_names_[j]] = matrix.value_[k]
    columns = zip(
        model.col_names_, model.col_cost_, model.col_lower_, model.col_upper_, kinds, strict=True
    )
    sides = zip(model.row_lower_, model.row_upper_, rows, strict=True)
    return rounded(
        (
            "maximise" if model.sense_ == highspy.ObjSense.kMaximize else "minimise",
            model.offset_,
            {name: rest for name, *rest in columns},
            list(sides),
        )
    )


def rounded(value):
    """The same with floats of nine digits, and None for what is infinite."""
    match value:
        case None | str():
            return value
        case dict():
            return {key: rounded(v) for key, v in value.items()}
        case list() | tuple():
            return [rounded(v) for v in value]
    return None if abs(value) >= 1e20 else float(f"{float(value):.9g}")


@pytest.mark.slow
def test_random_files_are_read_as_highs_reads_them_or_refused(tmp_path):
    read = 0
    for seed in range(200):
        text = Writer(seed).text()
        mine, other = ours(text), theirs(text, tmp_path / "p.lp")
        if mine is not None and other is not None:
            assert mine == other, text
            read += 1
    assert read > 83


class MpsWriter(Writer):
    """Random free MPS texts: sets with names, markers, ranges, bounds of every type, free rows."""

    def side(self):
        return super().side().replace(" ", "")

    def pairs(self, head, names, chance):
        """Data lines of one or two pairs of a name and a number."""
        pairs = [f"{name}  {self.side()}" for name in names if self.random.random() < chance]
        while pairs:
            count = self.random.randint(1, 2)
            yield f" {head} {'  '.join(pairs[:count])}"
            pairs = pairs[count:]

    def bounds(self):
        """One for a name, as readers differ in what a second one does."""
        names = self.random.sample(self.names, self.random.randint(0, len(self.names)))
        return [self.bound_of(name) for name in names]

    def bound_of(self, name):
        kind = self.pick("UP", "LO", "FX", "FR", "MI", "PL", "BV", "LI", "UI", "SC", "SI")
        number = self.number() if kind in {"UP", "SC", "SI"} else self.side()
        value = "" if kind in {"FR", "MI", "PL", "BV"} else self.pick(number, number, "1e30")
        return f" {kind} B {name} {value}"

    def text(self):
        rows = [f"c{i}" for i in range(self.random.randint(1, 4))]
        types = [self.pick("L", "G", "E", "N") for _ in rows]
        bounded = [row for row, kind in zip(rows, types, strict=True) if kind != "N"]
        lines = [self.pick("NAME t", "NAME", "* said"), *self.pick(["OBJSENSE", " MAX"], [])]
        lines += ["ROWS", " N obj"]
        lines += [f" {kind} {row}" for kind, row in zip(types, rows, strict=True)]
        lines.append("COLUMNS")
        for k, name in enumerate(self.names):
            if self.random.random() < 0.3:
                lines.append(f" M{k} 'MARKER' '{self.pick('INTORG', 'INTEND')}'")
            lines += [f" {name} obj {self.side()}", *self.pairs(name, rows, 0.6)]
        lines += ["RHS", *self.pairs("S", ["obj", *bounded], 0.7)]
        lines += ["RANGES", *self.pairs("R", bounded, 0.4)]
        lines += ["BOUNDS", *self.bounds(), "ENDATA"]
        return "".join(f"{line}{self.pick(*ENDS[:1], '  ' + ENDS[0], ENDS[2])}" for line in lines)


@pytest.mark.slow
def test_random_mps_files_are_read_as_highs_reads_them_or_refused(tmp_path):
    read = 0
    for seed in range(200):
        text = MpsWriter(seed).text()
        try:
            found = program_from_mps(text)
        except TamecheckError:
            continue
        # readers differ in these, which the notes say
        differs = any("semi-integer" in note or "is free" in note for note in found.notes)
        other = theirs(text, tmp_path / "p.mps")
        if other is not None and not differs:
            rows = tuple(row for row in found.program.rows if not row.free)
            assert seen(replace(found.program, rows=rows)) == other, text
            read += 1
    assert read > 83


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("min\n x\nst\n c: -4 <= 8\n x <= 3\nend", "Readers differ"),
        ("min\n x\nst\n c: 0 <= 8\n -x <= 3\nend", "Readers differ"),
        ("min\n x\nst\n c: x >= 1\nbounds\n x <= 3\nbin\n x\nend", "beyond 0 and 1"),
        ("min\n x\nst\n c: x >= 1\nbin\n x\nbounds\n x free\nend", "beyond 0 and 1"),
        ("min\n x\nst\n c: x >= 1\nint\n x\nend", "'int'"),
        ("min\n x\u2028+ y\nst\n c: x >= 1\nend", "What is"),
        ("min\n x\xa0+ y\nst\n c: x >= 1\nend", "What is"),
    ],
)
def test_what_readers_take_in_different_ways_is_refused(text, what):
    with pytest.raises(TamecheckError, match=what):
        program_from_lp(text)


def test_a_constant_beside_variables_is_moved_with_a_note():
    # HiGHS drops it
    found = program_from_lp("min\n x\nst\n c: x - 1 >= 2\nend")
    assert found.program.rows[0].lower == 3
    assert "some readers drop it" in found.notes[0]


def test_an_infinite_side_of_a_row_without_terms_bounds_nothing():
    row = program_from_lp("min\n x\nst\n c: 0 <= inf\nend").program.rows[0]
    assert (row.lower, row.upper) == (None, None)


@pytest.mark.parametrize("name", ["x[0]", "x[0,1]", "x[i][j].k", "c[a]b"])
def test_brackets_may_be_part_of_a_name(name):
    program = program_from_lp(f"min\n 2 {name}\nst\n {name}: 3{name} >= 1\nend").program
    assert (program.columns[0].name, program.columns[0].cost) == (name, 2)
    assert (program.rows[0].name, program.rows[0].terms) == (name, ((0, 3),))


ODD = [
    "x", "x[0]", "c[1,2]", "e1", "free", "End", "max", "subject", "1x", "x:y", "a-b", "x^2", "a<b",
    "é", "naïve", "x" * 300, "two words", "", "R1", "c@lower", "c", "\u2028", ".x", "x_0_",
]  # fmt: skip


def drawn(seed):
    """A random program with names that LP knows, or not."""
    draw = random.Random(seed)
    names = draw.sample(ODD, 8)
    number = lambda: Fraction(draw.randint(-50, 50), draw.choice([1, 4, 10]))  # noqa: E731
    kinds = [Kind.CONTINUOUS, Kind.INTEGER, Kind.SEMICONTINUOUS, Kind.SEMI_INTEGER]
    columns = []
    for name in names[:3]:
        low, high = sorted([number(), number() + 60])
        kind = draw.choice(kinds)
        low = draw.choice([None, Fraction(0), low]) if not kind.semi else abs(low)
        columns.append(Column(name, low, draw.choice([None, high]), kind, number()))
    rows = []
    for name in names[3:6]:
        terms = tuple((j, a) for j in range(3) if (a := number()) and draw.random() < 0.8)
        low, high = sorted([number(), number()])
        rows.append(Row(name, terms, draw.choice([None, low]), draw.choice([None, high])))
    title = draw.choice(["", "a b"])
    return Program(tuple(columns), tuple(rows), draw.choice(list(Sense)), number(), title, names[6])


def test_what_is_written_is_read_by_highs_and_identical_for_us(tmp_path):
    for seed in range(60):
        program = drawn(seed)
        text = program_to_lp(program)
        again = program_from_lp(text).program
        names = [item.name for item in (*again.columns, *again.rows)]
        for new, old in zip(names, (*program.columns, *program.rows), strict=True):
            assert new == old.name or f"\\ {new} is {old.name!a}\n" in text
        columns = tuple(
            replace(column, name=old.name)
            for column, old in zip(again.columns, program.columns, strict=True)
        )
        rows = tuple(
            replace(row, name=old.name) for row, old in zip(again.rows, program.rows, strict=True)
        )
        name = program.objective_name
        assert replace(again, columns=columns, rows=rows, objective_name=name) == program
        mine, other = ours(text), theirs(text, tmp_path / "p.lp")
        # a row with two ends is two rows to HiGHS
        sides = [
            side
            for low, high, form in mine[3]
            for side in (
                [[None, high, form], [low, None, form]]
                if None not in {low, high} and low != high
                else [[low, high, form]]
            )
        ]
        assert other is not None, text
        assert [*mine[:3], sides] == other, text


def test_what_is_written_as_mps_is_read_by_highs_and_identical_for_us(tmp_path):
    for seed in range(60):
        program = drawn(seed)
        columns = tuple(replace(c, name=f"x{j}") for j, c in enumerate(program.columns))
        rows = tuple(replace(row, name=f"r{i}") for i, row in enumerate(program.rows))
        program = replace(program, columns=columns, rows=rows, objective_name="obj")
        text = program_to_mps(program)
        assert program_from_mps(text).program == program
        # free rows are none to HiGHS
        bounded = replace(program, rows=tuple(row for row in rows if not row.free))
        assert seen(bounded) == theirs(text, tmp_path / "p.mps"), text


def test_cbc_keeps_the_names_of_what_is_written(tmp_path):
    # it forgets all where one has more than 100 characters, or a row is called like a section
    path = tmp_path / "p.lp"
    for seed in [1245, *range(20)]:
        program = drawn(seed)
        text = program_to_lp(program)
        path.write_text(text)
        model = mip.Model(solver_name="CBC")
        model.verbose = 0
        model.read(str(path))
        again = program_from_lp(text).program
        assert [v.name for v in model.vars] == [c.name for c in again.columns], text
        labels = [r.name for r in again.rows]
        names = [c.name for c in model.constrs if c.name in labels]
        assert names == labels, text


def test_the_names_of_sets_are_none_of_rows_in_mps():
    # HiGHS takes a set that is named like a row for that row
    program = Program(
        (Column("BND", upper=Fraction(3)),), (Row("RNG", ((0, Fraction(1)),), None, Fraction(2)),),
        objective_name="RHS",
    )  # fmt: skip
    text = program_to_mps(program)
    assert program_from_mps(text).program == program
    assert " RHS_  " in text
    assert " BND_  " in text


@pytest.mark.parametrize("name", ["a\nb", " a", "a\r"])
@pytest.mark.parametrize("suffix", [".lp", ".mps"])
def test_a_program_is_not_written_under_a_name_that_would_be_read_otherwise(tmp_path, name, suffix):
    from tamecheck.programs import write

    with pytest.raises(InputError, match="another one"):
        write(Program((Column("x"),), (), name=name), tmp_path / f"p{suffix}")
