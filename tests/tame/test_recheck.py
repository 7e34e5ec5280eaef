"""A certificate is checked in whatever form a user holds it."""

import json

import pytest

import tamecheck as tc
from tamecheck.cli.entry import main


@pytest.fixture
def answer():
    return tc.expression("max(x, 0)").check()


def test_an_answer_a_document_a_text_and_a_file_are_all_valid(answer, tmp_path):
    text = json.dumps(answer.certificate)
    path = tmp_path / "relu.json"
    path.write_text(text)
    for form in (answer, answer.certificate, text, text.encode(), path):
        assert tc.recheck(form).verdict == "valid"


def test_a_text_that_is_no_certificate_is_invalid_not_an_error():
    assert tc.recheck("{}").verdict == "invalid"
    assert tc.recheck(b"").verdict == "invalid"


def test_an_unknown_verdict_has_nothing_to_check():
    with pytest.raises(tc.InputError, match="no certificate"):
        tc.recheck(tc.expression("floor(x)-floor(sqrt(2)*x)").check())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(tc.InputError, match=r"nowhere\.json"):
        tc.recheck(tmp_path / "nowhere.json")


NARROW = [
    ("sin(x)", "0:0", 1, 0),
    ("sin(x)", "-1:1", 0, 1),
    ("exp(x)", "3:3", 1, 0),
    ("exp(x) + y", "x=0:0", 1, 0),
    ("exp(x) + y", "x=0:1", 0, 1),
    ("x*y", "x=1/3:1/3,y=0:inf", 1, 1),
    ("x*y", "x=0:inf", 0, 1),
    ("x*y", "x=-inf:0,y=2:2", 1, 1),
    ("abs(x) + abs(y) + abs(z)", "x=1:1,y=2:2,z=3:3", 3, 0),
    ("abs(x) + abs(y) + abs(z)", "x=1:1,y=2:2,z=3:4", 2, 1),
    ("abs(x) + abs(y) + abs(z)", "z=0:0", 1, 0),
    ("log(x)", "1:2", 0, 1),
    ("log(x)", "1:inf", 0, 1),
    ("1/x", "1:1", 1, 0),
    ("sqrt(x)", "0:inf", 0, 1),
    ("floor(x)", "0:3", 0, 1),
    ("floor(x) + y", "x=0:0", 1, 0),
    ("max(x, y)", "-1:1", 0, 2),
    ("max(x, y)", "5:5", 2, 0),
    ("sin(x)", "0:inf", 0, 1),
]


@pytest.fixture
def recheck_json(tmp_path, capsys):
    def run(document, *options):
        path = tmp_path / "certificate.json"
        path.write_text(json.dumps(document))
        code = main(["recheck", str(path), "--json", *options])
        answer = json.loads(capsys.readouterr().out)
        assert main(["recheck", str(path), *options]) == code
        return code, answer | {"text": capsys.readouterr().out}

    return run


@pytest.mark.parametrize(("text", "box", "fixed", "bounded"), NARROW)
def test_a_claim_about_less_than_all_inputs_is_said_to_be_one(
    text, box, fixed, bounded, recheck_json
):
    found = tc.expression(text).check(box)
    code, answer = recheck_json(found.certificate, "--expr", text)
    count = answer["inputs"]["count"]
    assert (code, answer["verdict"]) == (0, "valid")
    assert answer["inputs"] == {
        "count": count, "free": count - fixed, "fixed": fixed, "bounded": bounded,
    }  # fmt: skip
    assert answer["domain"] == found.certificate["domain"]
    assert len(answer["narrow"]) == (fixed > 0) + (bounded > 0)
    assert "About less than all inputs" in answer["text"]
    assert f"{count - fixed} free, {fixed} fixed" in answer["text"]
    words = " ".join(answer["text"].split())
    assert all(f"domain {name} in " in words for name in answer["domain"])


def test_a_claim_about_all_inputs_is_not_narrow(recheck_json):
    found = tc.expression("max(x, y)").check()
    _, answer = recheck_json(found.certificate)
    assert (answer["narrow"], answer["inputs"]["free"]) == ([], 2)
    assert "About less" not in answer["text"]


@pytest.mark.parametrize(
    ("text", "proved", "asked", "code"),
    [
        ("sin(x)", "0:0", "-1:1", 5),
        ("sin(x)", "0:0", "0:0", 0),
        ("sin(x)", "-1:1", "-1/2:1", 0),
        ("sin(x)", "-1:1", "-1:2", 5),
        ("sin(x)", "-1:1", "-2:1", 5),
        ("sin(x)", "-1:1", "0:inf", 5),
        ("x*y", "x=0:1", "x=0:1", 0),
        ("x*y", "x=0:1", "y=0:1", 5),
        ("x*y", "x=0:1", "x=1:1,y=3:4", 0),
        ("abs(x)", None, "-9:9", 0),
        # no structure defines it on less, so none does on more
        ("sin(x)", "0:inf", "-9:inf", 0),
        ("sin(x)", "0:inf", "5:inf", 5),
    ],
)
def test_the_domain_is_compared_with_the_question(text, proved, asked, code, recheck_json):
    found = tc.expression(text).check(proved)
    returned, answer = recheck_json(found.certificate, f"--box={asked}")
    assert returned == code
    assert answer["verdict"] == ("invalid" if code else "valid")
    assert ("than --box" in answer["why"]) == (code == 5)


BALL = {
    "format": "tamecheck-ball-certificate",
    "version": 1,
    "network": {
        "low": ["-1", "0", "1"], "high": ["1", "1", "1"],
        "layers": [], "readout": [[0, 0, 0], [0, 0, 0]], "offsets": [0, 1],
    },
    "claim": {"verdict": "holds", "decision": 1, "centre": ["1", "0", "1"], "radius": 2},
    "tree": [-1],
}  # fmt: skip


def test_a_ball_says_its_levels_and_what_is_fixed(recheck_json):
    code, answer = recheck_json(BALL)
    assert (code, answer["claim"]) == (0, BALL["claim"])
    assert answer["levels"] == [["-1", "1"], ["0", "1"], ["1", "1"]]
    assert answer["inputs"] == {"count": 3, "free": 2, "fixed": 1, "bounded": 0}
    assert answer["narrow"] == ["1 of 3 inputs are fixed: the ball holds no other levels of them"]
    for part in ("radius    2", "1, 0, 1", "-1 or 1, 0 or 1, 1", "2 free, 1 fixed", "1 of 3"):
        assert part in answer["text"]


def test_a_ball_answers_a_question_about_its_own_levels_only(recheck_json):
    assert recheck_json(BALL, "--domain=-1,1")[1]["why"].startswith("it is about other levels of i")
    even = json.loads(json.dumps(BALL))
    even["network"].update(low=["-1"] * 3, high=["1"] * 3)
    even["claim"]["centre"] = ["1"] * 3
    assert recheck_json(even, "--domain=-1,1")[0] == 0
    assert recheck_json(even, "--domain=0,1")[0] == 5


def test_a_radius_is_at_most_the_number_of_free_inputs(recheck_json):
    wide = json.loads(json.dumps(BALL))
    wide["claim"]["radius"] = 3
    code, answer = recheck_json(wide)
    assert (code, answer["why"]) == (5, "the radius is larger than the number of free inputs, 2")


def test_a_program_says_its_sense(recheck_json):
    document = {
        "format": "tamecheck-tree-certificate",
        "version": 1,
        "program": {
            "format": "tamecheck-program", "version": 1, "name": "p", "sense": "maximise",
            "objective": {"name": "", "constant": "0"},
            "columns": [
                {"name": "a", "lower": "1", "upper": "1", "kind": "continuous", "cost": "1"},
                {"name": "b", "lower": "0", "upper": "1", "kind": "continuous", "cost": "1"},
            ],
            "rows": [],
        },
        "claim": {"verdict": "bound", "bound": "2"},
        "granularity": None,
        "nodes": [{"bound": [], "over": 1}],
    }  # fmt: skip
    code, answer = recheck_json(document)
    assert code == 0
    assert answer["program"] == {"name": "p", "sense": "maximise", "columns": 2, "rows": 0}
    assert answer["inputs"] == {"count": 2, "free": 1, "fixed": 1, "bounded": 0}


def test_options_for_another_kind_of_claim_are_refused(tmp_path, capsys):
    path = tmp_path / "ball.json"
    path.write_text(json.dumps(BALL))
    assert main(["recheck", str(path), "--box=-1:1"]) == 2
    assert "--domain" in capsys.readouterr().err
    path.write_text(json.dumps(tc.expression("x").check().certificate))
    assert main(["recheck", str(path), "--domain=-1,1"]) == 2
    assert "--box" in capsys.readouterr().err
    assert main(["recheck", str(path), "--steps", "many"]) == 2
    assert "number of steps" in capsys.readouterr().err


def test_constants_without_data_are_said_to_be_taken_for_rational(recheck_json):
    certificate = tc.expression("3*x + floor(x)").check().certificate
    certificate["tensors"] = {}
    _, answer = recheck_json(certificate)
    assert answer["verdict"] == "valid"
    assert any("are rational numbers" in line for line in answer["assumes"])


def test_a_check_that_may_take_too_few_steps_is_incomplete(answer, recheck_json):
    text = json.dumps(answer.certificate)
    # as many steps are given for the text, so these few are missing
    report = tc.recheck(text, steps=-8 * len(text))
    assert (report.verdict, report.claim) == ("incomplete", None)
    assert "elementary steps" in report.why
    assert recheck_json(answer.certificate, "--steps", "0")[0] == 0
