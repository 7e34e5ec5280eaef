"""``tamecheck verify --hamming`` and ``--distance``: keys, exit codes, certificates, bad input."""

import json

import pytest

from tamecheck.cli import main
from tamecheck.kernel import Report

MAJORITY = "sign(x0 + x1 + x2 + x3 + x4)"


@pytest.fixture
def point(tmp_path):
    path = tmp_path / "p.json"
    path.write_text("[1, 1, 1, 1, -1]")
    return str(path)


def run(capsys, *arguments):
    code = main(["verify", "--expr", MAJORITY, *arguments])
    return code, capsys.readouterr()


def test_one_flip_leaves_the_majority_of_five(point, tmp_path, capsys):
    # sum 3; one flip leaves 1, two leave -1
    certificate = str(tmp_path / "c.json.gz")
    code, streams = run(
        capsys, "--input", point, "--hamming", "1", "--certify", "-o", certificate, "--json"
    )
    answer = json.loads(streams.out)
    assert (code, answer["verdict"], answer["checked"]) == (0, "holds", "certificate")
    assert answer["certificate"] == certificate
    code = main(["recheck", "-q", certificate, "--expr", MAJORITY])
    assert (code, capsys.readouterr().out) == (0, "valid\n")
    for other in (MAJORITY.replace("x0", "2*x0"), "sign(x0)", "exp(y)"):
        assert main(["recheck", "-q", certificate, "--expr", other]) == 5


def test_two_flips_change_it(point, capsys):
    code, streams = run(capsys, "--input", point, "--hamming", "2", "--json")
    answer = json.loads(streams.out)
    assert (code, answer["verdict"], answer["checked"]) == (1, "violated", None)
    assert answer["witness"]["exact"] is True
    assert answer["witness"]["output"] == ["-1"]
    assert [(c["from"], c["to"]) for c in answer["changed"]] == [("1", "-1")] * 2


def test_the_distance_is_two_and_certified(point, tmp_path, capsys):
    certificate = str(tmp_path / "c.json")
    code, streams = run(capsys, "--input", point, "--distance", "-o", certificate, "--json")
    answer = json.loads(streams.out)
    assert (code, answer["distance"], answer["bounds"]) == (0, 2, [2, 2])
    assert answer["checked"] == "certificate"
    assert main(["recheck", "-q", certificate, "--expr", MAJORITY]) == 0


def test_a_decision_that_never_changes(tmp_path, capsys):
    (tmp_path / "p.json").write_text("[1, 1]")
    code = main(
        [
            *("verify", "--expr", "sign(x0 + x1 + 3)", "--distance", "-q", "--certify"),
            *("--input", str(tmp_path / "p.json")),
        ]
    )
    assert (code, capsys.readouterr().out) == (0, "never\n")


def test_other_levels(tmp_path, capsys):
    # over {0, 1}: 1 + 1 > 1/2, a flip leaves 1, two leave 0
    (tmp_path / "p.json").write_text("[1, 1]")
    words = ["verify", "--expr", "sign(x0 + x1 - 1/2)", "--input", str(tmp_path / "p.json")]
    assert main([*words, "--distance", "--domain", "0,1", "-q"]) == 0
    assert capsys.readouterr().out == "2\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--hamming", "1"], "No --input is given"),
        (["--input", "POINT", "--hamming", "-1"], "no natural number"),
        (["--input", "POINT", "--hamming", "x"], "no natural number"),
        (["--input", "POINT", "--hamming", "1", "--domain", "1,-1"], "no pair of levels"),
        (["--input", "POINT", "--hamming", "1", "--domain", "0,1"], "neither 0 nor 1"),
        (["--input", "POINT", "spec.vnnlib"], "no use with a property file"),
        (["--domain", "0,1", "spec.vnnlib"], "no use with a property file"),
        (["--input", "POINT", "--hamming", "1", "--vnncomp", "r.txt"], "no use for vnncomp"),
        ([], "No property is given"),
    ],
)
def test_bad_questions_are_one_line(point, capsys, arguments, words):
    code, streams = run(capsys, *[point if a == "POINT" else a for a in arguments])
    assert code == 2
    assert words in streams.err
    assert len(streams.err.splitlines()) == 1


def test_the_answer_to_a_property_file_has_no_certificate_and_says_so(tmp_path, capsys):
    (tmp_path / "p.vnnlib").write_text(
        "(declare-const X_0 Real)\n(declare-const Y_0 Real)\n"
        "(assert (>= X_0 0))\n(assert (<= X_0 1))\n(assert (>= Y_0 3))\n"
    )
    words = ["verify", "--expr", "sin(x)", str(tmp_path / "p.vnnlib"), "--certify", "--json"]
    assert main(words) == 0
    streams = capsys.readouterr()
    assert json.loads(streams.out)["certificate"] is None
    assert "No certificate" in streams.err


def test_a_rectifier_is_unsupported(tmp_path, capsys):
    (tmp_path / "p.json").write_text("[1]")
    point = str(tmp_path / "p.json")
    assert main(["verify", "--expr", "max(x, 0)", "--input", point, "--distance"]) == 4
    assert "binarized" in capsys.readouterr().err


def test_a_certificate_that_needs_too_many_steps_is_not_written(
    point, tmp_path, capsys, monkeypatch
):
    spent = Report("incomplete", (), 0, "it needs more than the 9 elementary steps", None, None)
    monkeypatch.setattr("tamecheck.certificates.recheck", lambda *_, **__: spent)
    path = tmp_path / "c.json"
    code, streams = run(capsys, "--input", point, "--hamming", "1", "-o", str(path))
    assert (code, path.exists()) == (0, False)
    assert "No certificate that the kernel checks: it needs more" in streams.err
