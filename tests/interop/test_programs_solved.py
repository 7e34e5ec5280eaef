"""Known programs: the printed optima, exact points, and certificates that the checker accepts.

``TAMECHECK_SLOW=1`` adds the certificates that take minutes.
"""

import json
import os
from fractions import Fraction
from functools import cache

import pytest

from tamecheck.kernel_mip import check
from tamecheck.programs import Evidence, Feasible, Infeasible, Optimal, Unknown, read, solve

OPTIMA = {
    "highs/afiro.mps": "-464.7531428",
    "highs/avgas.mps": "-7.75",
    "highs/comment.mps": "-4",
    "highs/semi-continuous.lp": "8.22333333",
    "highs/semi-integer.lp": "8.13333333",
    "highs/small_mip.mps": "3.2368421",
    "flugpl_rational.mps": "1201500",
    "semicon1.mps": "1.1",
    "gt2.mps": "21166",
    "lseu.mps": "1120",
}
LONG = {"highs/sp150x300d.mps": "69"}
"""Of which no tree is closed in a minute."""
CERTIFIED = {
    "flugpl.mps": "1201500",
    "miplib3/p0033.mps.gz": "3089",
    "enigma.mps": "0",
}
SLOW = {
    "egout.mps": "568.1007",
    "lseu.mps": "1120",
    "gt2.mps": "21166",
    "miplib3/vpm1.mps.gz": "20",
}


LATER = SLOW if os.environ.get("TAMECHECK_SLOW") == "1" else {}


def agrees(value, printed):
    places = len(printed.partition(".")[2])
    return abs(value - Fraction(printed)) < Fraction(1, 10**places)


@cache
def certified(path):
    """The program and its answer, for whoever asks in this process."""
    program = read(path)
    return program, solve(program, certify=True, seconds=180).answer


@pytest.mark.parametrize("name", OPTIMA)
def test_the_optimum_is_the_printed_one(data, name):
    if name in SLOW:
        program, answer = certified(data / "mip" / name)
    else:
        program = read(data / "mip" / name)
        answer = solve(program, seconds=60).answer
    assert isinstance(answer, Optimal)
    assert agrees(answer.objective, OPTIMA[name])
    assert not program.violations(answer.point)


@pytest.mark.parametrize("name", LONG)
def test_what_is_not_proved_has_a_bound_that_is(data, name):
    program = read(data / "mip" / name)
    answer = solve(program, seconds=4).answer
    assert isinstance(answer, Feasible | Unknown)
    if isinstance(answer, Feasible):
        assert answer.objective >= Fraction(LONG[name])
        assert not program.violations(answer.point)
    report = check(json.dumps(answer.certificate))
    assert report.verdict == "valid"
    assert (report.claim["verdict"], report.claim["bound"]) == ("bound", str(answer.bound))
    assert answer.bound <= Fraction(LONG[name])


@pytest.mark.parametrize(
    "name", [*CERTIFIED, *(pytest.param(name, marks=pytest.mark.slow) for name in LATER)]
)
def test_optima_are_certified(data, name):
    program, answer = certified(data / "mip" / name)
    assert isinstance(answer, Optimal)
    assert agrees(answer.objective, (CERTIFIED | SLOW)[name])
    report = check(json.dumps(answer.certificate))
    assert (report.verdict, report.model_sha256) == ("valid", program.sha256)


def test_infeasibility_is_certified(data):
    program = read(data / "mip" / "stein27_inf.lp")
    answer = solve(program, certify=True, seconds=180).answer
    assert isinstance(answer, Infeasible)
    assert answer.evidence is Evidence.CERTIFICATE
    assert check(json.dumps(answer.certificate)).verdict == "valid"


@pytest.mark.parametrize("name", ["highs/infeasible-mip0.mps", "highs/infeasible-mip1.mps"])
def test_there_is_no_point(data, name):
    answer = solve(read(data / "mip" / name), seconds=60).answer
    assert isinstance(answer, Infeasible)
    assert check(json.dumps(answer.certificate)).verdict == "valid"
