"""``check``, ``info`` and ``recheck`` of programs in every format, and of models beside them."""

import json

import pytest

from tamecheck.cli import main
from tamecheck.programs import read, write

TEXT = "max\n p: 2 x + y\nst\n c: 3 x + 2 y <= 7\nbounds\n x <= 5\n y <= 5\ngen\n x\nend\n"
KEYS = {
    "verdict",
    "structure",
    "also",
    "properties",
    "consequences",
    "witness",
    "open",
    "certificate",
    "model",
}


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "p.lp"
    path.write_text(TEXT)
    return path


def run(capsys, *arguments):
    code = main([*map(str, arguments)])
    return code, capsys.readouterr()


@pytest.mark.parametrize("suffix", [".lp", ".mps", ".json", ".lp.gz", ".mps.gz", ".json.gz"])
def test_every_format_is_checked_and_described(source, tmp_path, capsys, suffix):
    program = read(source)
    path = tmp_path / f"copy{suffix}"
    write(program, path)
    code, streams = run(capsys, "check", path, "--json")
    answer = json.loads(streams.out)
    assert code == 0
    assert set(answer) >= KEYS
    assert (answer["verdict"], answer["structure"]) == ("tame", "semilinear")
    assert (answer["certificate"], answer["model"]["sha256"]) == (None, program.sha256)
    code, streams = run(capsys, "info", path, "--json")
    facts = json.loads(streams.out)
    assert code == 0
    assert facts["model"] == {"source": str(path), "sha256": program.sha256}
    found = [facts[key] for key in ("rows", "columns", "integers", "nonzeros", "sense")]
    assert found == [1, 2, 1, 2, "maximise"]
    empty = [facts[key] for key in ("inputs", "outputs", "parameters", "ops", "unsupported")]
    assert empty == [[], [], None, {}, []]


def test_an_unbounded_integer_is_locally_tame_and_named(tmp_path, capsys):
    path = tmp_path / "p.lp"
    path.write_text(TEXT.replace(" x <= 5\n", ""))
    code, streams = run(capsys, "check", path, "--json")
    answer = json.loads(streams.out)
    assert (code, answer["verdict"], answer["structure"]) == (0, "locally-tame", None)
    assert [gap["node"] for gap in answer["open"]] == ["x"]
    assert "x" in answer["open"][0]["settles"]


def test_a_certificate_about_a_json_program_is_matched(source, tmp_path, capsys):
    path = tmp_path / "p.json"
    write(read(source), path)
    certificate = tmp_path / "c.json"
    assert run(capsys, "solve", path, "--certify", "-o", certificate)[0] == 0
    assert run(capsys, "recheck", certificate, path, "-q")[1].out == "valid\n"


def test_a_json_model_stays_a_model(tmp_path, capsys):
    path = tmp_path / "m.json"
    run(capsys, "convert", "--expr", "max(x,0)", "-o", path)
    assert run(capsys, "check", path, "-q") == (0, ("tame semilinear\n", ""))


@pytest.mark.parametrize("verb", ["check", "info"])
@pytest.mark.parametrize(
    "bad",
    [
        ("p.mps", "ROWS\n N c\nCOLUMNS\n x c nan\nENDATA\n", 2),
        ("p.lp", "blah", 2),
        ("p.lp", "min\n [ x^2 ]\nst\nend", 4),
        ("p.json", '{"format": "tamecheck-program", "version": 2}', 2),
        ("p.json", "{", 2),
        ("p.lp.gz", "no gzip", 2),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path, capsys, verb, bad):
    name, text, code = bad
    (tmp_path / name).write_text(text)
    found, streams = run(capsys, verb, tmp_path / name)
    assert (found, streams.out) == (code, "")
    assert streams.err.count("\n") == 1
    assert str(tmp_path / name) in streams.err


def test_other_verbs_say_which_ones_take_a_program(source, capsys):
    code, streams = run(capsys, "convert", source, "-o", "m.json")
    assert code == 2
    assert "A program has other verbs: check, info, solve, dual and plot value; " in streams.err
