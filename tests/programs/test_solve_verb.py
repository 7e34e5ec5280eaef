"""``tamecheck solve``: JSON keys, exit codes, certificates that `recheck` accepts."""

import json
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import pytest

from tamecheck.cli import main

FEASIBLE = (
    "max\n obj: 2 x + y\nst\n c: 3 x + 2 y <= 7\nbounds\n x <= 5\n y <= 5\ngenerals\n x y\nend\n"
)
CASES = {
    "optimal": (FEASIBLE, 0),
    "infeasible": (FEASIBLE.replace("<= 7", "= 1/2"), 1),
    "unbounded": ("max\n obj: x\nst\n c: x - y <= 1\nend\n", 0),
}


def run(capsys, *arguments):
    code = main(list(arguments))
    return code, capsys.readouterr()


@pytest.mark.parametrize("status", CASES)
def test_the_json_answer_and_the_exit_code(tmp_path, capsys, status):
    text, expected = CASES[status]
    (tmp_path / "p.lp").write_text(text)
    certificate = str(tmp_path / "c.json.gz")
    code, streams = run(
        capsys, "solve", str(tmp_path / "p.lp"), "--certify", "--json", "-o", certificate
    )
    answer = json.loads(streams.out)
    assert (code, answer["status"]) == (expected, status)
    assert answer["checked"] == {"feasible": status != "infeasible", "optimal": "certificate"}
    assert answer["certificate"] == certificate
    assert answer["rests_on"] == "certificate"
    code, streams = run(capsys, "recheck", certificate, str(tmp_path / "p.lp"), "--json")
    assert (code, json.loads(streams.out)["verdict"]) == (0, "valid")


def test_values_are_exact_strings(tmp_path, capsys):
    (tmp_path / "p.lp").write_text(FEASIBLE)
    _, streams = run(capsys, "solve", str(tmp_path / "p.lp"), "--json")
    answer = json.loads(streams.out)
    assert (answer["objective"], answer["bound"], answer["x"]) == ("4", "4", {"x": "2", "y": "0"})


def test_a_certificate_about_another_program_is_rejected(tmp_path, capsys):
    (tmp_path / "p.lp").write_text(FEASIBLE)
    (tmp_path / "q.lp").write_text(FEASIBLE.replace("7", "8"))
    run(capsys, "solve", str(tmp_path / "p.lp"), "--certify", "-o", str(tmp_path / "c.json"))
    code, _ = run(capsys, "recheck", str(tmp_path / "c.json"), str(tmp_path / "q.lp"))
    assert code == 5


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("p.lp", "blah", 2),
        ("p.mps", "ROWS\n N c\nCOLUMNS\n x c nan\nENDATA\n", 2),
        ("p.lp", "min\n [ x^2 ]\nst\nend", 4),
        ("p.txt", "", 2),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, capsys, name, text, expected):
    (tmp_path / name).write_text(text)
    code, streams = run(capsys, "solve", str(tmp_path / name))
    assert code == expected
    assert str(tmp_path / name) in streams.err
    assert streams.out == ""


def test_the_text_says_what_the_answer_rests_on(tmp_path, capsys):
    (tmp_path / "p.lp").write_text(FEASIBLE)
    _, streams = run(capsys, "solve", str(tmp_path / "p.lp"), "--certify")
    assert "OPTIMAL" in streams.out
    assert "proved: a certificate shows it" in streams.out


def test_an_answer_that_is_not_proved_says_so(tmp_path, capsys, monkeypatch):
    from tamecheck import programs

    found = programs.Feasible((Fraction(2), Fraction(0)), Fraction(4), Fraction(5), None)
    claimed = replace(found, claimed=programs.Evidence.TWO_SOLVERS)
    monkeypatch.setattr(programs, "solve", lambda *_, **__: programs.Solved(claimed, (), 7, 1.0))
    (tmp_path / "p.lp").write_text(FEASIBLE)
    code, streams = run(capsys, "solve", str(tmp_path / "p.lp"), "--json")
    answer = json.loads(streams.out)
    assert code == 3
    assert (answer["status"], answer["objective"], answer["bound"]) == ("feasible", "4", "5")
    assert (answer["rests_on"], answer["checked"]["optimal"]) == (None, "two-solvers")
    _, streams = run(capsys, "solve", str(tmp_path / "p.lp"))
    assert "not proved: CBC and HiGHS call the point optimal" in streams.out


@pytest.mark.parametrize("forged", ["infeasible", "optimal", "unbounded"])
def test_the_kernel_has_the_last_word(tmp_path, capsys, monkeypatch, forged):
    import tamecheck as tc
    from tamecheck.programs import Infeasible, Optimal, Unbounded, solving

    document, point = {"format": "tamecheck-tree-certificate"}, (Fraction(0), Fraction(0))
    answers = {
        "infeasible": Infeasible(document),
        "optimal": Optimal(point, Fraction(0), document),
        "unbounded": Unbounded(point, point, document),
    }
    monkeypatch.setattr(solving._Solving, "_answer", lambda _: answers[forged])
    (tmp_path / "p.lp").write_text(FEASIBLE)
    code, streams = run(capsys, "solve", str(tmp_path / "p.lp"))
    assert code == 5
    assert "does not accept the proof" in streams.err
    assert streams.out == ""
    program = tc.load_program(tmp_path / "p.lp")
    with pytest.raises(tc.CertificateError, match="does not accept the proof"):
        tc.solve(program)


def test_solve_loads_nothing_of_models():
    code = """if True:
        import sys, tamecheck as tc
        from tamecheck.programs import solve
        solve(tc.Program((), ()))
        print([n for n in sys.modules if n.startswith(("tamecheck.tame", "tamecheck.kernel_pwl"))])
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"


def test_the_answer_says_how_the_file_was_read(tmp_path, capsys):
    (tmp_path / "p.lp").write_text(
        FEASIBLE.replace("bounds", "user cuts\n d: x <= 1\nbounds").replace("end", "semi\n x\nend")
    )
    code, streams = run(capsys, "solve", str(tmp_path / "p.lp"), "--json")
    answer = json.loads(streams.out)
    assert (code, answer["objective"]) == (0, "4")
    assert answer["notes"] == [
        "User cuts are left out, as they exclude no solution (1).",
        "Integer and semi-continuous columns are semi-integer: x.",
    ]
