"""Small programs that two solvers with absolute tolerances get wrong: the known answers."""

import csv
import json
import os
from fractions import Fraction
from pathlib import Path

import pytest

from tamecheck.kernel_mip import check
from tamecheck.programs import Infeasible, Optimal, read, solve

DATA = Path(os.environ.get("TAMECHECK_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
CASES = DATA.parent / "cases" / "programs"
TABLE = CASES / "EXPECTED.tsv"


def expected():
    if not TABLE.is_file():
        return []
    with TABLE.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def test_the_cases_are_there():
    assert len(expected()) >= 16


@pytest.mark.parametrize("case", expected(), ids=lambda case: case["file"])
def test_the_answer_is_the_known_one_with_a_certificate(case):
    program = read(CASES / case["file"])
    answer = solve(program).answer
    if case["status"] == "infeasible":
        assert isinstance(answer, Infeasible)
    else:
        assert isinstance(answer, Optimal)
        assert answer.objective == Fraction(case["objective"])
        assert not program.violations(answer.point)
    report = check(json.dumps(answer.certificate))
    assert (report.verdict, report.model_sha256) == ("valid", program.sha256)
