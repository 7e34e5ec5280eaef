"""What the command line prints, word for word.

Each ``.txt`` file here is a transcript: lines that start with ``$ `` are commands, below each
stands its output (stdout, then the lines of stderr marked ``! ``), and its exit code if not 0.
``TAMECHECK_UPDATE_GOLDEN=1 pytest tests/golden`` rewrites them.
"""

import os
import re
import shlex
from pathlib import Path

import onnx
import pytest

from tamecheck.cli import main
from tamecheck.models import path

FOLDER = Path(__file__).parent
UPDATE = os.environ.get("TAMECHECK_UPDATE_GOLDEN") == "1"
TRANSCRIPTS = sorted(FOLDER.glob("*.txt"))


def write_files():
    """The files that the commands name, into the current folder."""
    for name in ("bnn.onnx", "relu.onnx", "sine.onnx", "snake.onnx"):
        Path(name).write_bytes(path(name).read_bytes())
    unknown = onnx.load("bnn.onnx")
    unknown.graph.node[1].op_type = "NonZero"
    onnx.save(unknown, "unknown.onnx")
    table = path("breast_cancer_test.csv").read_text(encoding="utf-8")
    Path("patient.csv").write_text(table.splitlines()[0], encoding="utf-8")
    Path("bounded.lp").write_text(
        "max\n profit: 2 x + 1/3 y\nst\n c: 3 x + 2 y <= 7\n"
        "bounds\n x <= 5\n y <= 5\ngenerals\n x\nend\n",
        encoding="utf-8",
    )
    Path("unbounded.mps").write_text(
        "NAME trips\nROWS\n N cost\n G c\nCOLUMNS\n MARKER MARKER INTORG\n x cost 2 c 3\n"
        " MARKER MARKER INTEND\n y cost 1 c 0.1\nRHS\n RHS c 7\nBOUNDS\n PL BND x\nENDATA\n",
        encoding="utf-8",
    )
    Path("wrong.mps").write_text("ROWS\n N c\nCOLUMNS\n x c nan\nENDATA\n", encoding="utf-8")
    Path("points.json").write_text('{"x": 0.1, "y": "1/3"}', encoding="utf-8")
    Path("interval.vnnlib").write_text(
        "(declare-const X_0 Real)\n(declare-const Y_0 Real)\n"
        "(assert (>= X_0 -0.5))\n(assert (<= X_0 0.5))\n(assert (>= Y_0 10))\n",
        encoding="utf-8",
    )


def run(command, capsys):
    words = shlex.split(command)
    assert words[0] == "tamecheck"
    try:
        code = main(words[1:])
    except SystemExit as done:
        code = done.code or 0
    out, err = capsys.readouterr()
    shown = out + "".join(f"! {line}\n" for line in err.splitlines())
    return shown + (f"[exit code {code}]\n" if code else "")


def transcript_of(text, capsys):
    commands = [line[2:] for line in text.splitlines() if line.startswith("$ ")]
    return "\n".join(f"$ {command}\n{run(command, capsys)}" for command in commands)


@pytest.mark.parametrize("golden", TRANSCRIPTS, ids=lambda golden: golden.stem)
def test_the_command_line_prints_what_the_transcript_says(golden, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    write_files()
    expected = golden.read_text(encoding="utf-8")
    actual = transcript_of(expected, capsys)
    if UPDATE:
        golden.write_text(actual, encoding="utf-8")
    else:
        assert actual == expected


@pytest.mark.parametrize("golden", TRANSCRIPTS, ids=lambda golden: golden.stem)
def test_transcripts_hold_no_local_paths(golden):
    assert not re.search(r"/(home|root|tmp|Users|work)/", golden.read_text(encoding="utf-8"))
