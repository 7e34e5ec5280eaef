"""MPS: every section, every kind of bound, both layouts, and every way to be wrong."""

from fractions import Fraction

import pytest

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.program import Kind, Sense
from tamecheck.loaders.programs.mps import program_from_mps
from tamecheck.loaders.programs.writers import program_to_mps

HEAD = "NAME t\nROWS\n N obj\n L l\n G g\n E e\nCOLUMNS\n x obj 1 l 1\n x g 1 e 1\n y obj 2\n"


def mps(rest, head=HEAD):
    return program_from_mps(f"{head}{rest}ENDATA\n", where="f.mps").program


def bounds_of(line):
    column = mps(f"BOUNDS\n{line}").columns[0]
    return column.lower, column.upper, column.kind


def test_ranges_follow_the_sign_conventions():
    def limits(width):
        text = f"RHS\n RHS l 4 g 5\n RHS e 6\nRANGES\n RNG l {width} g {width}\n RNG e {width}\n"
        return [(row.lower, row.upper) for row in mps(text).rows]

    assert limits("2") == [(2, 4), (5, 7), (6, 8)]
    assert limits("-2") == [(2, 4), (5, 7), (4, 6)]


def test_the_objective_s_right_hand_side_is_subtracted():
    assert mps("RHS\n RHS obj 3\n").constant == -3
    assert mps("RHS\n obj -1/3\n").constant == Fraction(1, 3)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (" FR B x\n", (None, None, Kind.CONTINUOUS)),
        (" MI B x\n", (None, None, Kind.CONTINUOUS)),
        (" MI x\n UP x 3\n", (None, 3, Kind.CONTINUOUS)),
        (" PL B x\n", (0, None, Kind.CONTINUOUS)),
        (" BV B x\n", (0, 1, Kind.INTEGER)),
        (" LI B x -2\n", (-2, None, Kind.INTEGER)),
        (" UI B x 7\n", (0, 7, Kind.INTEGER)),
        (" FX B x 2.5\n", (Fraction(5, 2), Fraction(5, 2), Kind.CONTINUOUS)),
        (" LO B x -1\n", (-1, None, Kind.CONTINUOUS)),
        (" LO B x -1e30\n", (None, None, Kind.CONTINUOUS)),
        (" UP B x 1.0D3\n", (0, 1000, Kind.CONTINUOUS)),
        (" UP B x inf\n", (0, None, Kind.CONTINUOUS)),
        (" UI B x -1\n", (0, -1, Kind.INTEGER)),
        (" UP B x -1\n", (None, -1, Kind.CONTINUOUS)),
        (" LO B x 0\n UP B x -1\n", (0, -1, Kind.CONTINUOUS)),
        (" LO B x -5\n UP B x -1\n", (-5, -1, Kind.CONTINUOUS)),
        (" UP B x -1\n LO B x -5\n", (-5, -1, Kind.CONTINUOUS)),
        (" MI B x\n UP B x 3\n UP B x 3\n", (None, 3, Kind.CONTINUOUS)),
        (" LO B x 2\n SC B x 9\n", (2, 9, Kind.SEMICONTINUOUS)),
        (" SC B x\n", (0, None, Kind.SEMICONTINUOUS)),
        (" SI B x 9\n", (0, 9, Kind.SEMI_INTEGER)),
    ],
)
def test_bounds(line, expected):
    assert bounds_of(line) == expected


def test_the_note_on_a_negative_upper_bound():
    notes = program_from_mps(f"{HEAD}BOUNDS\n UP B x -1\nENDATA\n").notes
    assert notes == ("Column x has a negative upper bound: its lower bound is taken as -inf.",)


def test_marked_columns_without_bounds_are_binary():
    head = (
        "NAME\nROWS\n N obj\nCOLUMNS\n M 'MARKER' 'INTORG'\n x obj 1\n y obj 1\n"
        " M 'MARKER' 'INTEND'\n z obj 1\nBOUNDS\n LO B y 0\n"
    )
    columns = mps("", head).columns
    assert [(c.kind, c.upper) for c in columns] == [
        (Kind.INTEGER, 1),
        (Kind.INTEGER, None),
        (Kind.CONTINUOUS, None),
    ]


@pytest.mark.parametrize("section", ["OBJSENSE MAX\n", "OBJSENSE\n    MAXIMIZE\n"])
def test_both_styles_of_objsense(section):
    assert mps("", HEAD.replace("ROWS\n", f"{section}ROWS\n")).sense is Sense.MAXIMISE


def test_further_free_rows_are_kept():
    program = program_from_mps(
        "ROWS\n N obj\n N other\n L l\nCOLUMNS\n x obj 1 other 2\n x l 1\nRHS\n A l 1\nENDATA"
    )
    assert [row.free for row in program.program.rows] == [True, False]
    assert program.program.rows[1].upper == 1


@pytest.mark.parametrize(
    "lines",
    [
        "BOUNDS\n UP A x 4\n UP B y 3\n",
        "BOUNDS\n UP x 4\n UP B y 3\n",
        "RHS\n l 5\n RHS g 1\n",
        "RHS\n A l 5\n B g 1\n",
        "RANGES\n A l 5\n B g 1\n",
    ],
)
def test_second_sets_that_readers_take_in_different_ways_are_refused(lines):
    # both read all bounds; of the others HiGHS reads all, CBC the first, and HiGHS refuses lines
    # with a name and without
    with pytest.raises(InputError, match="A second set") as error:
        mps(lines)
    assert error.value.where == "f.mps:13"


def test_names_with_blanks_need_the_fixed_columns():
    text = (
        "NAME          two words\n"
        "ROWS\n"
        " N  the cost\n"
        " L  row one\n"
        "COLUMNS\n"
        "    col one   the cost           1.5   row one           1/3\n"
        "RHS\n"
        "    RHS       row one              4\n"
        "BOUNDS\n"
        " UP BND       col one              4\n"
        "ENDATA"
    )
    program = program_from_mps(text).program
    assert program.name == "two words"
    assert program.columns[0].name == "col one"
    assert program.rows[0].terms == ((0, Fraction(1, 3)),)
    assert program_from_mps(program_to_mps(program)).program == program


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (HEAD, 10, "ends without ENDATA"),
        (f"{HEAD}RHS\n RHS nosuch 1\nENDATA", 12, "no row 'nosuch'"),
        (f"{HEAD} x l 2\nENDATA", 11, "continued after another"),
        (f"{HEAD} y obj 3\nENDATA", 11, "two entries"),
        (f"{HEAD} z obj\nENDATA", 11, "pairs of a row and a number"),
        (f"{HEAD} z obj inf\nENDATA", 11, "not a real number"),
        (f"{HEAD} z obj 1/0\nENDATA", 11, "denominator 0"),
        (f"{HEAD} z obj 0x1p3\nENDATA", 11, "not a number"),
        (f"{HEAD}BOUNDS\n XX B x 1\nENDATA", 12, "no type of bound"),
        (f"{HEAD}BOUNDS\n UP B q 1\nENDATA", 12, "no column 'q'"),
        (f"{HEAD}BOUNDS\n UP B x\nENDATA", 12, "needs a number"),
        (f"{HEAD}BOUNDS\n UP B x -inf\nENDATA", 12, "cannot be an upper bound"),
        (f"{HEAD}BOUNDS\n LO B x 1\n LO B x -2\nENDATA", 13, "second lower bound of column 'x'"),
        (f"{HEAD}BOUNDS\n FX B x 2\n UP B x 7\nENDATA", 13, "second upper bound of column 'x'"),
        (f"{HEAD}BOUNDS\n UP B x 7\n FR B x\nENDATA", 13, "second upper bound of column 'x'"),
        (f"{HEAD}BOUNDS\n LO B x 4\n FX B x 4\nENDATA", 13, "second lower bound of column 'x'"),
        (f"{HEAD}BOUNDS\n UP B x 1\n BV B x\nENDATA", 13, "second upper bound of column 'x'"),
        (f"{HEAD}BOUNDS\n UP B x 4\n SC B x 4\nENDATA", 13, "second upper bound of column 'x'"),
        (f"{HEAD}SOS\n S1 s\n x 1\n x 2\nENDATA", 12, "twice"),
        (f"{HEAD}SOS\n S3 s\n x 1\nENDATA", 12, "A column and its weight"),
        (f"{HEAD}SOS\n S2 s\n x 1\n y\nENDATA", 14, "Either all columns"),
        (f"{HEAD}SOS\n S2 s\n x 1\n y 1\nENDATA", 12, "no order"),
        (f"{HEAD} M 'MARKER' 'SOSEND'\nENDATA", 11, "no marker here"),
        (f"{HEAD}INDICATORS\n IF obj y 1\nENDATA", 12, "cannot have a condition"),
        (f"{HEAD}INDICATORS\n IF l q 1\nENDATA", 12, "no column 'q'"),
        (f"{HEAD}INDICATORS\n IF l y 2\nENDATA", 12, "IF, a row, a column and 0 or 1"),
        (f"{HEAD}INDICATORS\n IF l y 1\n IF l x 1\nENDATA", 13, "two conditions"),
        (f"{HEAD}QUADOBJ\n x 1\nENDATA", 12, "two columns and a number"),
        (f"{HEAD}RHS\n R l 1\n R l 2\nENDATA", 13, "two right-hand sides"),
        (f"{HEAD}COLUMNS\nENDATA", 11, "occurs twice"),
        (f"{HEAD}RHS R l 1\nENDATA", 11, "'R l 1' behind RHS"),
        (f"{HEAD}BOUNDS UP B x 1\nENDATA", 11, "behind BOUNDS"),
        ("ROWS\n Q r\nENDATA", 2, "no type of row"),
        ("ROWS\n N r\n N r\nENDATA", 3, "occurs twice"),
        ("NAME\nENDATA", 2, "lacks a ROWS"),
        ("", 0, "ends without ENDATA"),
        (" x y 1\n", 1, "outside of every section"),
    ],
)
def test_mistakes_are_named_with_their_line(text, line, what):
    with pytest.raises(InputError, match=what) as caught:
        program_from_mps(text, where="f.mps")
    assert caught.value.where == f"f.mps:{line}"


def test_what_others_warn_of_is_read_with_a_note():
    notes = program_from_mps(
        f"{HEAD}RANGES\n R obj 1\nBOUNDS\n BV x 1\nQUADOBJ\n x x 0\n x y 0\nENDATA"
    ).notes
    assert [note.split(":")[0] for note in notes] == [
        "Row obj is free",
        "The quadratic terms of the section QUADOBJ are zero.",
    ]


def test_pools_follow_the_rows():
    head = HEAD.replace("COLUMNS\n", "LAZYCONS\n L z\nUSERCUTS\n G u\nCOLUMNS\n")
    found = program_from_mps(f"{head} y z 1 u 1\nRHS\n R z 4 u 9\nENDATA")
    assert [row.name for row in found.program.rows] == ["l", "g", "e", "z"]
    assert found.program.rows[3].upper == 4
    assert len(found.notes) == 2


@pytest.mark.parametrize("section", ["QUADOBJ", "QMATRIX", "SOS1", "GENCONS", "CSECTION k 0 QUAD"])
def test_what_is_no_linear_program_is_refused(section):
    with pytest.raises(UnsupportedError) as caught:
        program_from_mps(f"{HEAD}{section}\n x x 1\nENDATA", where="f.mps")
    assert caught.value.where == "f.mps:11"
