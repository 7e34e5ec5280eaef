"""Every program of the corpus is read as the catalogue says, written, and read back identical."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.programs import read, write

DATA = Path(os.environ.get("TAMECHECK_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
MIP = DATA / "mip"
REFUSED = {
    "highs/1448.lp": 1,
    "highs/garbage.lp": 2,
    "highs/garbage.mps": 2,
    "highs/nan0.mps": 8,
    "highs/nan1.mps": 9,
    "highs/nan2.mps": 12,
    "highs/qcqp.lp": 2,
    "highs/qjh.lp": 5,
}
# a column or a row of these is called like a section of LP files, or begins like a number
NOT_LP_NAMES = {"1451", "bell5", "egout", "enigma", "khb05250", "rgn", "stein27"}
FILES = sorted(
    str(path.relative_to(MIP))
    for path in MIP.rglob("*")
    if path.name.removesuffix(".gz").endswith((".mps", ".lp"))
)
READABLE = [name for name in FILES if name not in REFUSED]


def stem(name):
    return Path(name).name.removesuffix(".gz").removesuffix(".mps").removesuffix(".lp")


def catalogue():
    """Rows, columns, integer columns of each program in the catalogue."""
    sizes = {}
    for line in (MIP / "miplib3.cat.txt").read_text(encoding="utf-8").splitlines():
        parts = line.split()
        if len(parts) >= 8 and all(part.isdigit() for part in parts[1:4]):
            sizes[parts[0]] = tuple(map(int, parts[1:4]))
    return sizes


SIZES = catalogue()
LISTED = [name for name in READABLE if stem(name) in SIZES]


def test_the_corpus_is_there():
    assert len(FILES) == 48
    assert len(LISTED) == 17


@pytest.mark.parametrize("name", LISTED)
def test_sizes_are_those_of_the_catalogue(name):
    program = read(MIP / name)
    rows = [row for row in program.rows if not row.free]
    integral = [column for column in program.columns if column.kind.integral]
    assert (len(rows), len(program.columns), len(integral)) == SIZES[stem(name)]


@pytest.mark.parametrize("name", REFUSED)
def test_malformed_and_quadratic_files_are_refused_with_file_and_line(name):
    with pytest.raises((InputError, UnsupportedError)) as caught:
        read(MIP / name)
    assert caught.value.where == f"{MIP / name}:{REFUSED[name]}"


def renamed(program, other):
    """The program with the names of another."""
    pairs = [
        [replace(one, name=two.name) for one, two in zip(own, theirs, strict=True)]
        for own, theirs in ((program.columns, other.columns), (program.rows, other.rows))
    ]
    columns, rows = map(tuple, pairs)
    return replace(program, columns=columns, rows=rows, objective_name=other.objective_name)


@pytest.mark.parametrize("name", READABLE)
@pytest.mark.parametrize("suffix", [".mps", ".mps.gz", ".lp", ".json"])
def test_written_files_read_back_identical(tmp_path, name, suffix):
    program = read(MIP / name)
    target = tmp_path / f"copy{suffix}"
    write(program, target)
    again = read(target)
    if suffix == ".lp" and stem(name) in NOT_LP_NAMES:
        assert again != program
        again = renamed(again, program)
    assert again == program
    assert again.sha256 == program.sha256


def test_rational_literals_are_read_as_such():
    program = read(MIP / "flugpl_rational.mps")
    decimal = read(MIP / "flugpl.mps")
    assert program == decimal
    assert any(a.denominator == 10 for row in program.rows for _, a in row.terms)


def test_trailing_comments_and_silly_names_are_read():
    assert len(read(MIP / "highs/comment.mps").rows) == 3
    names = [column.name for column in read(MIP / "highs/silly-names.mps").columns]
    assert names == ["C0", "OBJSENSE", "RANGES", "RHS", "C1"]
