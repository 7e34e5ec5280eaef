"""Answers are as their JSON schemas say, and the page of keys is written from these."""

import json
import re
from pathlib import Path

import pytest
from corpus import script
from jsonschema import Draft202012Validator

from tamecheck.cli import main
from tamecheck.cli.answer import MEANINGS
from tamecheck.cli.entry import _parser
from tamecheck.show.schemas import schema_names, schema_of

ROOT = Path(__file__).parents[2]
PROPERTY = """(declare-const X_0 Real)
(declare-const Y_0 Real)
(assert (>= X_0 -1)) (assert (<= X_0 1))
(assert (>= Y_0 {}))
"""
QUESTIONS = """
check --expr max(x,0)-sign(y) -o c.json
check --expr sin(x) --derivation
check --expr log(x)/y --box 0:1
check p.lp
recheck c.json --expr max(x,0)-sign(y)
recheck c.json --expr x
eval --expr x+sqrt(y) --input point.json --exact
info --expr max(x,0)
info p.lp
convert --expr max(x,0) -o relu.json
convert --expr sign(x+2*y) -o sign.json
cells relu.json --box -1:1
diff --expr max(x,0)+y --at x=0,y=1
diff --expr x^2+y^2-1 --implicit y --at x=0,y=1
verify relu.json holds.vnnlib
verify relu.json violated.vnnlib
verify sign.json --input row.json --hamming 1
verify sign.json --input row.json --distance
verify sign.json --around row.json
verify sign.json --around row.json --radius 1
verify --expr x-y --monotone x:+,y:+ --box 0:1
maximise relu.json --output 0 --box -1:1
minimise relu.json --output 0 --box -1:1
solve p.lp
dual p.lp
explain sign.json --input row.json --domain -1,1
explain sign.json --input row.json --domain -1,1 --kind counterfactual
explain sign.json --input row.json --domain -1,1 --kind relevancy
rules sign.json --domain -1,1
count sign.json --domain -1,1
supports
check --expr max(x
check nowhere.onnx
"""
WITHOUT = {"completion", "mcp"}
"""Verbs whose output is none of ours to define."""


@pytest.mark.slow
def test_answers_are_as_their_schemas_say(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("p.lp").write_text("max\n o: x\nst\n c: 2 x <= 5\ngen\n x\nend\n")
    Path("point.json").write_text('{"x": 0.5, "y": 1}')
    Path("row.json").write_text("[1, 1]")
    Path("holds.vnnlib").write_text(PROPERTY.format(2))
    Path("violated.vnnlib").write_text(PROPERTY.format(0.5))
    for question in QUESTIONS.strip().splitlines():
        arguments = question.split()
        main([*arguments, "--json"])
        answer = json.loads(capsys.readouterr().out)
        schema = schema_of("error" if "error" in answer else arguments[0])
        errors = list(Draft202012Validator(schema).iter_errors(answer))
        assert not errors, f"{question}: {errors[0].json_path}: {errors[0].message}"
        named = schema["properties"].keys()
        assert named >= answer.keys() or not named, f"{question}: {answer.keys() - named}"
    main(["check", "relu.json", "sign.json", "--workers", "1"])
    for line in capsys.readouterr().out.splitlines():
        Draft202012Validator(schema_of("line")).validate(json.loads(line))
        Draft202012Validator(schema_of("check")).validate(json.loads(line))


def test_every_verb_has_a_schema_and_every_schema_is_one():
    _, verbs = _parser()
    assert set(schema_names()) == (set(verbs) - WITHOUT) | {"error", "line"}
    for name in schema_names():
        Draft202012Validator.check_schema(schema_of(name))
        told = schema_of(name)["properties"].values()
        assert all(about.get("description") or about.get("type") for about in told)


def test_the_page_of_keys_and_the_table_of_exit_codes_are_up_to_date(capsys):
    tables = script("docs/make_json_tables.py")
    page = ROOT / "docs" / "json-answers.md"
    assert page.read_text(encoding="utf-8") == tables.page(), "run python docs/make_json_tables.py"
    codes = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    rows = [f"| {code} | {meaning} |" for code, meaning in MEANINGS.items()]
    assert "\n".join(rows) in codes
    assert main(["supports", "--schema", "verify"]) == 0
    assert json.loads(capsys.readouterr().out) == schema_of("verify")
    assert main(["supports", "--schema", "nothing"]) == 2
    assert main(["supports", "--exit-codes"]) == 0
    assert re.match(r"0 proved, or done\n1 refuted", capsys.readouterr().out)
