"""Failures are one line and an exit code; time, interrupts and closed pipes are handled."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from argparse import ArgumentTypeError

import pytest

from tamecheck.cli import check, main
from tamecheck.cli.deadline import deadline
from tamecheck.cli.inputs import row_ranges
from tamecheck.cli.options import attach_values
from tamecheck.errors import TimeLimitError, UnsupportedError


def run_process(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "tamecheck", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


def failing(error):
    def run(_args):
        raise error

    return run


def sleep_in_small_steps(seconds):
    for _ in range(int(100 * seconds)):
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (RuntimeError("a\nb"), 2, "Internal error (RuntimeError: a b). Please report it"),
        (MemoryError(), 2, "does not fit in memory"),
        (RecursionError(), 2, "nested too deeply"),
        (OSError(28, "No space left on device", "f.json"), 2, "f.json: No space left on device"),
        (TimeLimitError("Out of time after 1 s."), 3, "Out of time after 1 s."),
        (
            UnsupportedError("2 nodes.", nodes=[("a", "why a"), ("b", "why b")], where="m.onnx"),
            4,
            "m.onnx: 2 nodes. a: why a; b: why b",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_every_failure_is_one_line(error, code, words, capsys, monkeypatch):
    monkeypatch.setattr(check, "model_of", failing(error))
    monkeypatch.delenv("TAMECHECK_DEBUG", raising=False)
    assert main(["check", "m.onnx"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("tamecheck: ")
    assert words in err


def test_a_failure_is_one_json_object_where_json_is_asked_for(capsys, monkeypatch):
    error = UnsupportedError("2 nodes.", nodes=[("a", "why a"), ("b", "why b")])
    monkeypatch.setattr(check, "model_of", failing(error))
    assert main(["check", "m.onnx", "--json"]) == 4
    document = json.loads(capsys.readouterr().out)
    assert document["exit_code"] == 4
    assert document["unsupported"] == [
        {"node": "a", "why": "why a"},
        {"node": "b", "why": "why b"},
    ]


def test_debugging_shows_the_traceback(monkeypatch):
    monkeypatch.setattr(check, "model_of", failing(RuntimeError("inner")))
    monkeypatch.setenv("TAMECHECK_DEBUG", "1")
    with pytest.raises(RuntimeError, match="inner"):
        main(["check", "m.onnx"])


def test_ctrl_c_exits_130(capsys, monkeypatch):
    monkeypatch.setattr(check, "model_of", failing(KeyboardInterrupt()))
    assert main(["check", "m.onnx"]) == 130
    assert capsys.readouterr().err == "tamecheck: interrupted\n"


@pytest.mark.parametrize("verb", ["check", "recheck", "eval", "info", "convert", "doctor", "demo"])
def test_every_verb_explains_itself_and_takes_the_common_options(verb, capsys):
    with pytest.raises(SystemExit) as done:
        main([verb, "--help"])
    assert done.value.code == 0
    text = capsys.readouterr().out
    for option in ("--json", "--timeout", "--seed", "--quiet"):
        assert option in text


def test_values_that_start_with_a_minus_are_values():
    assert attach_values(["--expr", "-x", "--box", "-1:1"]) == ["--expr=-x", "--box=-1:1"]
    assert attach_values(["--box"]) == ["--box"]


def test_a_deadline_interrupts_python_code():
    with pytest.raises(TimeLimitError, match=r"after 0\.2 s"), deadline(0.2):
        sleep_in_small_steps(10)


def test_a_deadline_that_is_met_leaves_nothing_behind():
    with deadline(0.1):
        pass
    time.sleep(0.2)


def test_a_real_interrupt_is_no_timeout():
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt), deadline(60):
        sleep_in_small_steps(10)
    timer.join()


def test_a_closed_pipe_ends_quietly():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "tamecheck", "check", "--expr", "x", "--json"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(write)
    assert done.returncode == 141
    assert done.stderr == ""


def test_output_that_is_not_unicode_is_spelt_out():
    done = run_process("check", "--expr", "exp(x)", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert "R_exp" in done.stdout


def test_json_is_one_object_on_one_line():
    done = run_process("check", "--expr", "max(x,0)", "--json")
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    assert json.loads(done.stdout)["verdict"] == "tame"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_verbs_options_and_choices(shell, capsys):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for word in ("explain", "kind", "abductive", "rows"):
        assert word in script


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("0-9,-1", ((0, 9), (-1, -1))),
        ("-3--1", ((-3, -1),)),
        ("5--1", ((5, -1),)),
        (" 2 , 4 - 4", ((2, 2), (4, 4))),
    ],
)
def test_rows_count_from_both_ends(text, ranges):
    assert row_ranges(text) == ranges


@pytest.mark.parametrize("text", ["", "1,,2", "9-3", "-1--3", "1-2-3", "a", "1.5", "²"])
def test_what_is_no_row_is_refused(text):
    with pytest.raises(ArgumentTypeError):
        row_ranges(text)


def test_help_is_wrapped_and_rows_of_words_stay_rows(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 60
    assert any(line.startswith("         tame   ") for line in lines)


@pytest.mark.parametrize("module", ["tamecheck.cli.entry", "tamecheck.cli.options"])
def test_an_interrupt_of_an_import_ends_with_one_line(module):
    """Ctrl-C may come before there is a verb."""
    code = f"""
import signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
from tamecheck.cli import main
sys.exit(main(["check", "--expr", "x"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 130
    assert (done.stdout, done.stderr) == ("", "tamecheck: interrupted\n")


def test_an_alarm_that_strikes_while_it_is_taken_back_ends_nothing(monkeypatch):
    ended, set_timer = [], signal.setitimer

    def strike(which, seconds):
        if not seconds:
            signal.raise_signal(signal.SIGALRM)
        return set_timer(which, seconds)

    monkeypatch.setattr(signal, "setitimer", strike)
    monkeypatch.setattr("tamecheck.cli.deadline._GRACE", 0.0)
    monkeypatch.setattr(os, "_exit", ended.append)
    with deadline(0.3):
        pass
    time.sleep(0.6)
    assert not ended
