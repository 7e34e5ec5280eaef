"""Without the optional solvers there is one line that says what to install."""

import sys

import pytest
from corpus import written

from tamecheck.cli import main
from tamecheck.ir.answer import Optimal, Unknown
from tamecheck.programs import read, solve
from tamecheck.solvers.claims import claims

PROGRAM = "min\n obj: x + y\nst\n c: 2 x + 2 y >= 3\nbounds\n x <= 5\n y <= 5\ngenerals\n x\nend\n"


@pytest.fixture
def program(tmp_path):
    return written(tmp_path / "p.lp", PROGRAM)


def forget(monkeypatch, *modules):
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)


@pytest.mark.parametrize("missing", [("highspy",), ("highspy", "mip")])
@pytest.mark.parametrize("options", [(), ("--certify",), ("-q",)])
def test_solve_says_what_to_install(program, capsys, monkeypatch, missing, options):
    forget(monkeypatch, *missing)
    assert main(["solve", program, *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "tamecheck: Solving a program needs HiGHS, which is not installed. "
        "Install it, with CBC: pip install mip highspy.\n"
    )


def test_without_cbc_highs_solves(program, monkeypatch):
    forget(monkeypatch, "mip")
    question = read(program)
    cbc, highs = claims(question, seconds=30)
    assert cbc == Unknown("not installed (pip install mip highspy)", solver="cbc")
    assert isinstance(highs, Optimal)
    assert isinstance(solve(question, seconds=30).answer, Optimal)


@pytest.mark.parametrize("verb", ["check", "info"])
def test_check_and_info_need_no_solver(program, capsys, monkeypatch, verb):
    forget(monkeypatch, "highspy", "mip")
    assert main([verb, program]) == 0
    assert capsys.readouterr().err == ""


def test_doctor_reports_missing_solvers_without_an_error(capsys, monkeypatch):
    forget(monkeypatch, "highspy", "mip")
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "CBC    not installed: pip install mip highspy" in out
    assert "HiGHS  not installed: pip install mip highspy" in out


def test_doctor_asks_the_solvers_that_are_there(capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "CBC    works (mip " in out
    assert "HiGHS  works (highspy " in out
