"""What no caller should give: every public method answers, or says in one line what was wrong."""

import json
import subprocess
import sys
import warnings
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.cli import main

PAIR = tc.expression("max(x, 0) - 2*y")
SIGN = tc.expression("sign(x + y)")
PROGRAM_TEXT = "max\n o: x + y\nst\n c: x + y <= 10\nbounds\n x <= 4\n y <= 9\nend\n"


class Odd:
    """An object whose text cannot be shown."""

    def __repr__(self):
        raise ValueError


def junk():
    return [
        *(None, True, "foo", "", b"x", (), [], {}, [None], [1], [1, 2, 3], ["a", "b"], Odd()),
        *([(-1, 1)], [(-1, 1), (0, 1)], {"x": None}, {"x": 1}, {"x": (1,)}, {"x": (1, 0)}),
        *({"x": ("a", "b")}, {1: 2}, {"q": (0, 1)}, {"x": (0, 1, 2)}, {"x": [[0], [1]]}),
        *(np.zeros(2), np.zeros((3, 3)), np.array(["a"]), np.array([None, 1]), np.float32(1)),
        *(np.int64(3), np.nan, float("inf"), 1j, Fraction(1, 3), Decimal("0.1"), object),
        *(10**5000, -1, 2**70, 1e308, "1e400", {"x": "1e400", "y": 0}, {"x": np.nan, "y": 0}),
        *({"x": (0, np.inf), "y": (0, 1)}, {"x": (np.nan, 1)}, [np.nan, 0], [[1, 2], [3]]),
        *({"x": (Decimal("0.1"), 1)}, range(2), iter([1, 2]), {"x": {"y": 1}}, {"x": 0, "y": 9**9}),
        *("nowhere.json", "x=1", "x=1e400:2", {1}, [1j, 0], [True, False], np.zeros((0, 2))),
        *(np.array([[1, 2]]), {"x": np.zeros(3)}),
    ]


METHODS = {
    "check": lambda v, _: PAIR.check(v, timeout=2),
    "timeout": lambda v, _: PAIR.check("-1:1", timeout=v),
    "seed": lambda v, _: PAIR.check("-1:1", seed=v, timeout=2),
    "jacobian": lambda v, _: PAIR.jacobian(v),
    "kind": lambda v, _: PAIR.jacobian([0, 0], v),
    "gradient": lambda v, _: PAIR.gradient(v),
    "evaluate": lambda v, _: PAIR.evaluate(v, 0),
    "exactly": lambda v, _: PAIR.evaluate(v, 0, exact=True),
    "cells": lambda v, _: PAIR.cells(v),
    "smt": lambda v, _: PAIR.to_smtlib(v),
    "load": lambda v, _: tc.load(v),
    "expression": lambda v, _: tc.expression(v),
    "maximise": lambda v, _: tc.maximise(v, box="-1:1", timeout=2),
    "dual": lambda v, _: tc.dual(v, "value"),
    "method": lambda v, program: tc.dual(program, v, seconds=2),
    "program": lambda v, _: tc.load_program(v),
    "solve": lambda v, _: tc.solve(v, seconds=2),
    "recheck": lambda v, _: tc.recheck(v),
    "property": lambda v, _: tc.verify(PAIR, v, timeout=2),
    "point": lambda v, _: tc.verify_hamming(SIGN, v, 1, timeout=2),
    "radius": lambda v, _: tc.verify_hamming(SIGN, [1, 1], v, timeout=2),
    "levels": lambda v, _: tc.verify_hamming(SIGN, [1, 1], 1, domain=v, timeout=2),
    "domain": lambda v, _: tc.Explainer(SIGN, domain=v),
    "explain": lambda v, _: tc.Explainer(SIGN, domain=(-1, 1)).abductive(v, timeout=2),
    "start": lambda v, _: tc.implicit(PAIR, unknowns=["y"], at=v),
    "unknowns": lambda v, _: tc.implicit(PAIR, unknowns=v, at={"x": 1, "y": Fraction(1, 2)}),
    "save": lambda v, _: PAIR.save(v),
}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("program") / "p.lp"
    path.write_text(PROGRAM_TEXT)
    return tc.load_program(path)


@pytest.mark.parametrize("name", METHODS)
def test_junk_is_used_or_refused_in_one_line(name, program, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused = []
    for value in junk():
        try:
            METHODS[name](value, program)
        except tc.TamecheckError as error:
            refused.append(str(error))
    assert len(refused) > 5
    assert all("\n" not in text and len(text) < 600 for text in refused)


@pytest.mark.parametrize(
    "box",
    [
        [(-1, 1), (0, 2)],
        np.array([[-1, 1], [0, 2]]),
        {"x": (np.int64(-1), np.float32(1)), "y": (Decimal(0), "2")},
        {"x": (Fraction(-1), 1.0), "y": [0, np.array(2)]},
        "x=-1:1,y=0:2",
    ],
)
def test_a_box_may_be_given_in_many_forms(box):
    found = PAIR.box(box)
    assert [found.side(name).elements(1)[0] for name in "xy"] == [(-1, 1), (0, 2)]


def test_an_unknown_kind_of_jacobian_is_refused():
    with pytest.raises(tc.InputError, match="no kind of Jacobian set 'foo'"):
        PAIR.jacobian({"x": 0, "y": 0}, "foo")


def test_a_certificate_may_be_given_by_the_name_of_its_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = PAIR.check()
    Path("certificate.json").write_text(json.dumps(found.certificate))
    assert tc.recheck("certificate.json").verdict == "valid"
    assert tc.recheck((tmp_path / "certificate.json").read_text()).verdict == "valid"
    with pytest.raises(tc.InputError, match="no such file"):
        tc.recheck("nowhere.json")


def test_points_may_be_iterators_and_decimals_are_exact():
    values = (v for v in (Decimal("0.1"), "1/3"))
    assert isinstance(values, Iterator)
    assert PAIR.jacobian(values).vertices == (((Fraction(1), Fraction(-2)),),)
    assert PAIR.evaluate("0.1", 0, exact=True) == Fraction(1, 10)


HUGE = "1" * 400


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["check", "--expr", "x", "--box", "x=0:1e400"], 2),
        (["check", "--expr", "x*1e400"], 0),
        (["cells", "--expr", f"floor(x)/{HUGE}", "--box", "0:5"], 2),
        (["eval", "--expr", f"floor(x)/{HUGE}", "--input", "p.json", "--exact"], 0),
        (["eval", "--expr", "(x+1)^100000", "--input", "p.json", "--exact"], 0),
        (["diff", "--expr", "(x+1)^100000", "--at", "x=2"], 0),
        (["rules", "--expr", "sign(x+y)", "--domain", "-1,1", "--one-hot", "0-300000000"], 2),
        (["rules", "--expr", "sign(x+y)", "--domain", "-1,1", "--one-hot", f"0-{HUGE}"], 2),
        (["maximise", "--expr", "max(x,0)*1e400", "--box", "0:1e300", "--timeout", "5"], 0),
        (["check", "--expr", "x", "--timeout", "1e300"], 0),
    ],
)
def test_huge_numbers_are_used_or_refused_on_the_command_line(
    arguments, code, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Path("p.json").write_text('{"x": 2}')
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert main(arguments) == code
    streams = capsys.readouterr()
    assert "Internal error" not in streams.err
    assert len(streams.err.splitlines()) <= (1 if code else 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_closed_stream_is_one_line_or_none(name):
    closed = {"stdout": ">&-", "stderr": "2>&-"}[name]
    command = f"{sys.executable} -m tamecheck check -q --expr 'max(x,0)' {closed}"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == (2 if name == "stdout" else 0)
    assert "Internal error" not in done.stderr
