"""Ctrl-C ends a search with the best so far; a terminal sees that something happens, a pipe not."""

import json
import os
import pty
import random
import signal
import subprocess
import sys

import pytest

from tamecheck.cli import main

VERIFY = (
    "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const X_2 Real)"
    "(declare-const Y_0 Real)"
    + "".join(f"(assert (>= X_{i} -1))(assert (<= X_{i} 1))" for i in range(3))
    + "(assert (>= Y_0 0.000001))"
)
IDENTITY = "(x+y+z)^2 - x^2 - y^2 - z^2 - 2*x*y - 2*y*z - 2*x*z"


def hard_program():
    """A market-split program: infeasible or not, no search closes it while a test waits."""
    rng = random.Random(5)
    rows = []
    for i in range(5):
        numbers = [rng.randrange(100) for _ in range(40)]
        terms = " + ".join(f"{a} x{j}" for j, a in enumerate(numbers))
        rows.append(f" r{i}: {terms} + s{i} - t{i} = {sum(numbers) // 2}")
    slacks = " + ".join(f"s{i} + t{i}" for i in range(5))
    names = " ".join(f"x{j}" for j in range(40))
    return "\n".join([f"min\n {slacks}\nst", *rows, "binaries", names, "end\n"])


def interrupt(arguments):
    """The exit code, stdout and terminal of a command that gets SIGINT once it shows progress."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tamecheck", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs) as child:
        os.close(theirs)
        try:
            shown = b""
            while not (b"solving" in shown or b"nodes" in shown or b"verifying" in shown):
                shown += os.read(ours, 4096)
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(0.5)
            child.send_signal(signal.SIGINT)
            out, _ = child.communicate(timeout=60)
        finally:
            child.kill()  # nothing, where it has ended
            os.close(ours)
    return child.returncode, json.loads(out), shown


@pytest.mark.slow
def test_solve_gives_the_best_so_far(tmp_path):
    (tmp_path / "p.lp").write_text(hard_program())
    code, answer, _ = interrupt(["solve", tmp_path / "p.lp", "--certify", "--json"])
    assert code == 3
    assert answer["status"] in {"feasible", "unknown"}
    assert answer["reason"] == "interrupted"


@pytest.mark.slow
def test_verify_says_that_it_was_interrupted(tmp_path):
    (tmp_path / "p.vnnlib").write_text(VERIFY)
    code, answer, _ = interrupt(["verify", "--expr", IDENTITY, tmp_path / "p.vnnlib", "--json"])
    assert (code, answer["verdict"], answer["reason"]) == (3, "unknown", "interrupted")


@pytest.mark.slow
def test_a_pipe_sees_no_progress(tmp_path):
    (tmp_path / "p.lp").write_text("max\n x\nst\n c: x <= 1\nend\n")
    command = [sys.executable, "-m", "tamecheck", "solve", str(tmp_path / "p.lp")]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stderr == b""


def test_names_in_files_steer_no_terminal(tmp_path, capsys):
    document = {"format": "tamecheck-program", "version": 1, "name": "", "sense": "maximise",
                "objective": {"name": "o", "constant": "0"}, "rows": [],
                "columns": [{"name": "a\x1b[31mb", "lower": "0", "upper": "1",
                             "kind": "continuous", "cost": "1"}]}  # fmt: skip
    (tmp_path / "p.json").write_text(json.dumps(document))
    assert main(["solve", str(tmp_path / "p.json")]) == 0
    (tmp_path / "\x1b[31m.vnnlib").write_text(VERIFY)
    main(["verify", "--expr", "x+y+z", str(tmp_path / "\x1b[31m.vnnlib")])
    main(["verify", "--expr", "x", str(tmp_path / "\x1b[31m.vnnlib")])
    streams = capsys.readouterr()
    assert "\x1b" not in streams.out + streams.err
    assert r"a\x1b[31mb" in streams.out
