"""``tamecheck diff --implicit``."""

from __future__ import annotations

import json

import pytest

from tamecheck.cli.entry import main


def run(capsys, text, unknowns, at):
    code = main(["diff", "--expr", text, "--implicit", unknowns, "--at", at, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_proved(capsys):
    code, found = run(capsys, "2*x + abs(x) - p", "x", "x=0,p=0")
    assert code == 0
    assert found["verdict"] == "proved"
    assert found["vertices"] == [[["1/3"]], [["1"]]]
    assert found["singular"] is None
    assert {h["status"] for h in found["hypotheses"]} == {"proved"}


@pytest.mark.parametrize("text", ["x^3 - p", "x + abs(x) - p"])
def test_refuted(capsys, text):
    code, found = run(capsys, text, "x", "x=0,p=0")
    assert code == 1
    assert found["verdict"] == "refuted"
    assert found["singular"] == [["0"]]
    assert found["vertices"] == []


def test_several_equations(capsys):
    code, found = run(capsys, "2*x + abs(y) - p; x - 3*y", "x,y", "x=0,y=0,p=0")
    assert code == 0
    assert found["unknowns"] == ["x", "y"]
    assert sorted(found["vertices"]) == [[["3/5"], ["1/5"]], [["3/7"], ["1/7"]]]


def test_bad_unknown(capsys):
    assert main(["diff", "--expr", "x - p", "--implicit", "z", "--at", "x=0,p=0"]) == 2
    assert "no input" in capsys.readouterr().err
