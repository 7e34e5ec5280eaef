"""CPLEX LP: the grammar, and every way to be wrong."""

from fractions import Fraction

import pytest

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.program import Kind, Sense
from tamecheck.loaders.programs.lp import program_from_lp


def lp(text):
    return program_from_lp(text, where="f.lp").program


def row_of(text):
    row = lp(f"min\n x + y + z\nst\n {text}\nend").rows[0]
    return row.lower, dict(row.terms), row.upper


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("c: x + y <= 1", (None, {0: 1, 1: 1}, 1)),
        ("x - 2 y >= -1", (-1, {0: 1, 1: -2}, None)),
        ("3x = 1/3", (Fraction(1, 3), {0: 3}, Fraction(1, 3))),
        ("1/3 x + .5e1 y =< 2.", (None, {0: Fraction(1, 3), 1: 5}, 2)),
        ("-1 <= x + x <= 4", (-1, {0: 2}, 4)),
        ("4 >= x >= 1", (1, {0: 1}, 4)),
        ("x - 1 >= 2", (3, {0: 1}, None)),
        ("x >= y", (0, {0: 1, 1: -1}, None)),
        ("x >= 2 y", (0, {0: 1, 1: -2}, None)),
        ("x + 2 y >= 3 - x + y", (3, {0: 2, 1: 1}, None)),
        ("x + z = z - 3", (-3, {0: 1}, -3)),
        ("x + [ 0 x ^ 2 + x*y - y * x ] <= 1", (None, {0: 1}, 1)),
        ("x + y >= -inf", (None, {0: 1, 1: 1}, None)),
        ("x - x <= 3", (None, {}, 3)),
        ("- - x < 5", (None, {0: 1}, 5)),
        ("0 x >= 5", (5, {}, None)),
    ],
)
def test_rows(text, expected):
    assert row_of(text) == expected


def test_rows_without_labels_follow_each_other():
    program = lp("max\n 3 x\nst\n x + y <= 2\n -x + y >= 0\n 2 x - y <= 7\nend")
    assert [dict(row.terms) for row in program.rows] == [{0: 1, 1: 1}, {0: -1, 1: 1}, {0: 2, 1: -1}]
    assert [row.name for row in program.rows] == ["R1", "R2", "R3"]
    assert program.sense is Sense.MAXIMISE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x <= 4", (0, 4)),
        ("x >= -2", (-2, None)),
        ("-2 <= x <= 4", (-2, 4)),
        ("-inf <= x", (None, None)),
        ("x free", (None, None)),
        ("x = 1/3", (Fraction(1, 3), Fraction(1, 3))),
        ("x >= -1e30", (None, None)),
        ("4 >= x", (0, 4)),
        ("x <= -1", (0, -1)),
    ],
)
def test_bounds(text, expected):
    column = lp(f"min\n x\nst\n x >= 0\nbounds\n {text}\nend").columns[0]
    assert (column.lower, column.upper) == expected


def test_kinds():
    program = lp(
        "min\n a + b + c + d\nst\nbounds\n a = 0\n b <= 1\n c <= 9\n d <= 9\n"
        "bin\n a\n b\ngenerals\n c\nsemi-continuous\n c d\nend"
    )
    assert [(c.lower, c.upper, c.kind) for c in program.columns] == [
        (0, 0, Kind.INTEGER),
        (0, 1, Kind.INTEGER),
        (0, 9, Kind.SEMI_INTEGER),
        (0, 9, Kind.SEMICONTINUOUS),
    ]


def test_names_constants_and_titles():
    program = lp(
        "\\Problem name: my problem\nMinimize\n cost: 2 x#1 - 3 + 4\nst\n end: x#1 >= 1\nend"
    )
    assert (program.name, program.objective_name, program.constant) == ("my problem", "cost", 1)
    assert (program.rows[0].name, program.columns[0].name) == ("end", "x#1")


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", 0, "does not begin an LP file"),
        ("blah", 1, "does not begin an LP file"),
        ("min\n x\nst\n x >= 0", 4, "ends without 'End'"),
        ("min\n x\nend", 3, "'Subject to' was expected"),
        ("min\n x\nst\n x >=\nend", 5, "A sum was expected"),
        ("min\n x\nst\n x 3\nend", 4, "A relation"),
        ("min\n x\nst\n x >= 2 y >= 1\nend", 4, "A sum"),
        ("min\n x\nst\n c: x >= 1 -> y >= 1\nend", 4, "no condition"),
        ("min\n x + [ x ] / 2\nst\nend", 2, "Terms in brackets"),
        ("min\n x + [ 0 x^2 ] / 3\nst\nend", 2, "divided by 2"),
        ("min\n x\nst\nsos\n s: S3:: x:1\nend", 5, "begins no special ordered set"),
        ("min\n x\nst\nsos\n s: S1:: x:1 x:2\nend", 5, "twice"),
        ("min\n x + y\nst\nsos\n s: S2:: x:1 y:1\nend", 5, "no order"),
        ("min\n x\nst\n x >= nan\nend", 4, "no number"),
        ("min\n x\nst\n c: x >= 0\n c: x <= 1\nend", 5, "occurs twice"),
        ("min\n x\nst\n c: x >= inf\nend", 4, "cannot be a lower bound"),
        ("min\n inf x\nst\nend", 2, "infinite constant"),
        ("min\n x\nst\nbounds\n x fre\nend", 5, "'free' or a relation"),
        ("min\n x\nst\n x >= 0\nend\nx", 6, "after 'End'"),
        ("min\n x\nst\n x >= 1 / 2\nend", 4, "What is '/'"),
    ],
)
def test_mistakes_are_named_with_their_line(text, line, what):
    if what == "never":
        # a name like any other
        assert lp(text).rows[0].terms
        return
    with pytest.raises(InputError, match=what) as caught:
        program_from_lp(text, where="f.lp")
    assert caught.value.where == f"f.lp:{line}"


def test_lazy_constraints_are_rows_and_user_cuts_are_not():
    found = program_from_lp(
        "min\n x\nst\n c: x >= 1\nlazy constraints\n d: x >= 2\nuser cuts\n e: x >= 2\nend"
    )
    assert [(row.name, row.lower) for row in found.program.rows] == [("c", 1), ("d", 2)]
    assert [note.split(" ")[0] for note in found.notes] == ["Lazy", "User"]


def test_a_semi_integer_column_is_noted():
    found = program_from_lp("min\n x\nst\nbounds\n x <= 9\ngen\n x\nsemi\n x\nend")
    assert found.program.columns[0].kind is Kind.SEMI_INTEGER
    assert found.notes == ("Integer and semi-continuous columns are semi-integer: x.",)


@pytest.mark.parametrize(
    "text",
    [
        "min\n x\nst\n c: [ x ^2 ] <= 1\nend",
        "min\n x\nst\n c: x = 1 <-> y <= 2\nend",
        "min\n x\nst\nsos1\n s: x:1\nend",
    ],
)
def test_what_is_no_linear_program_is_refused(text):
    with pytest.raises(UnsupportedError) as caught:
        program_from_lp(text, where="f.lp")
    assert caught.value.where == "f.lp:4"
