"""Processes of solvers: gone when nobody waits for them, and told no more than they need."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tamecheck.solvers import processes
from tamecheck.solvers.processes import child

WORKER = "tamecheck.solvers.worker"


on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this reads /proc")


def gone(pid):
    """Whether a process has ended, once there was time for it."""
    for _ in range(1500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return True
        # one that nobody has waited for is dead, too
        if state[0] == "Z":
            return True
        time.sleep(0.02)
    return False


def worker_of_killed(script):
    """The process that a script says it has started; the script is killed."""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    return worker


@pytest.mark.parametrize("kind", [KeyboardInterrupt, RuntimeError, GeneratorExit])
def test_no_process_is_left_behind_by_an_exception(kind):
    with pytest.raises(kind), child(WORKER) as process:
        raise kind
    assert process.returncode == -signal.SIGKILL


@on_linux
def test_a_worker_ends_with_the_process_that_started_it():
    script = textwrap.dedent(f"""
        import time
        from tamecheck.solvers.processes import child
        with child("{WORKER}") as process:
            # it waits for its question from now on
            time.sleep(1.0)
            print(process.pid, flush=True)
            time.sleep(600)
    """)
    assert gone(worker_of_killed(script))


@on_linux
def test_a_worker_does_not_inherit_what_it_does_not_need(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    with child(WORKER) as process:
        seen = Path(f"/proc/{process.pid}/environ")
        # the process is another program from the moment on when it has another environment
        for _ in range(500):
            given = seen.read_bytes()
            if b"TAMECHECK_PARENT=" in given:
                break
            time.sleep(0.01)
    assert b"hunter2" not in given
    assert f"TAMECHECK_PARENT={os.getpid()}".encode() in given
    assert b"PYTHONPATH=" in given


@on_linux
def test_the_processes_of_a_pool_end_with_the_process_that_made_it():
    script = textwrap.dedent("""
        import os, time
        from tamecheck.solvers.executors import Workers
        with Workers(2) as pool:
            print(pool.submit(os.getpid).result(), flush=True)
            time.sleep(600)
    """)
    assert gone(worker_of_killed(script))


def test_ctrl_c_while_a_process_starts_leaves_none_behind(monkeypatch):
    started = []

    class Interrupted(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)
            # it is held back until somebody knows the process
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(processes.subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        processes.ask({"solver": "none"}, seconds=60)
    (process,) = started
    assert process.returncode == -signal.SIGKILL
