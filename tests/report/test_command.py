"""``tamecheck report`` on the command line."""

import json

import pytest

from tamecheck.cli.entry import main
from tamecheck.report import SECTIONS
from tests.report.conftest import Page, majority


@pytest.mark.slow
def test_the_file_and_its_sections_are_reported(tmp_path, capsys):
    path = tmp_path / "report.html"
    table = majority(tmp_path)
    arguments = ["report", "--expr", "sign(a + b + c)", "--data", str(table), "--target", "label"]
    assert main([*arguments, "-o", str(path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["file"] == str(path)
    assert tuple(one["name"] for one in document["sections"]) == SECTIONS
    states = {one["name"]: one["state"] for one in document["sections"]}
    others = {"quality": "partly", "protected": "not-made", "training": "not-made"}
    assert all(state == others.get(name, "made") for name, state in states.items())
    text = path.read_text(encoding="utf-8")
    assert Page(text).wrong == []
    # the same again has the same bytes
    assert main([*arguments, "-o", str(path), "-q"]) == 0
    assert path.read_text(encoding="utf-8") == text
    assert capsys.readouterr().out == f"{path}: 19 of 21 sections made\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--expr", "x", "-o", "report.pdf"], "A report is a .html file"),
        (["--expr", "x", "-o", "nowhere/report.html"], "folder of the file does not exist"),
        (["-o", "report.html"], "No model is given"),
        (["--expr", "x"], "required"),
        (["--expr", "x", "-o", "r.html", "--target", "y"], "--target is about a table"),
        (["--expr", "x", "-o", "r.html", "--rows", "1"], "--rows is about a table"),
        (["--expr", "x", "-o", "r.html", "--data", "none.csv"], "none.csv"),
        (["--expr", "x", "-o", "r.html", "--names", "a,b"], "2 names for 1 inputs"),
        (["--expr", "x", "-o", "r.html", "--rows", "a"], "no rows such as 0,5,7"),
        (["--expr", "x", "-o", "r.html", "--rule", "argmax"], "does not fit 1 outputs"),
        (["--expr", "x", "-o", "r.html", "--box", "y=0:1"], "no input"),
    ],
)
def test_bad_input_is_one_line_and_no_file(arguments, says, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["report", *arguments]) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert said.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
