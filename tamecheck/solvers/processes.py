"""Questions to solvers in child processes with limits, and their answers.

A question is a JSON object; its ``solver`` names a function of `tamecheck.solvers.worker`, to which
a new solver is added.  The answer is one with a ``status``: ``optimal`` or ``feasible`` with
``point`` and ``objective``, ``infeasible``, ``unbounded``, or ``unknown`` with ``why``.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

PARENT = "TAMECHECK_PARENT"
"""The environment variable that tells a child the process that started it."""

_WORKER = "tamecheck.solvers.worker"
_DEATH_SIGNAL = 1
"""Linux's ``PR_SET_PDEATHSIG``."""
_LONGEST = 1e6
"""Seconds in place of no limit."""

_NEEDED = frozenset(
    (
        *("PATH", "HOME", "USERPROFILE", "SYSTEMROOT", "LANG", "LC_ALL", "LC_CTYPE"),
        *("TMPDIR", "TEMP", "TMP", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME"),
        *("VIRTUAL_ENV", "PMIP_CBC_LIBRARY", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
    )
)

NOT_NEEDED = "another one was done"
"""Why a process has no answer that was ended because another one had."""

Document = Mapping[str, Any]


def ask(question: Document, *, seconds: float) -> Document:
    """The answer to one question; when the seconds are over, it is ``unknown``."""
    return ask_all([question], seconds=seconds)[0]


def ask_all(
    questions: Sequence[Document],
    *,
    seconds: float,
    patience: Callable[[int, float], float] = lambda _, __: math.inf,
) -> list[Document]:
    """The answers to questions that are asked side by side; no process is left behind.

    When one answer is definite, the others have as long as ``patience`` says of the number of its
    question and of the seconds that it took.
    """
    start, most = time.monotonic(), min(seconds, _LONGEST)
    limit = most
    answers: dict[int, Document] = {}
    with ExitStack() as stack:
        processes: list[subprocess.Popen[str]] = []
        for question in questions:
            processes.append(stack.enter_context(child(_WORKER)))
            _send(processes[-1], question)
        while len(answers) < len(processes):
            elapsed = time.monotonic() - start
            for k, process in enumerate(processes):
                if k in answers:
                    continue
                if elapsed > limit:
                    why = "out of time" if limit >= most else NOT_NEEDED
                    answers[k] = {"status": "unknown", "why": why}
                elif (text := _try_read(process, limit - elapsed, len(processes))) is not None:
                    answers[k] = _read(process, text)
                    if answers[k]["status"] in {"optimal", "infeasible"}:
                        limit = min(limit, elapsed + patience(k, elapsed))
    return [answers[k] for k in range(len(questions))]


def _send(process: subprocess.Popen[str], question: Document) -> None:
    if process.stdin is not None:
        # one that ended before it read the question has an exit status that says why
        with suppress(BrokenPipeError):
            json.dump(question, process.stdin)
            process.stdin.close()
        process.stdin = None


def _try_read(process: subprocess.Popen[str], left: float, count: int) -> str | None:
    """The answer if it is there, waiting a moment for it; longer if it is the only one."""
    try:
        return process.communicate(timeout=left if count == 1 else 0.02)[0]
    except subprocess.TimeoutExpired:
        return None


def _read(process: subprocess.Popen[str], text: str) -> Document:
    try:
        return json.loads(text)
    except ValueError:
        why = f"its process ended with status {process.returncode}"
        return {"status": "unknown", "why": why}


@contextmanager
def child(worker: str, *, text: bool = True) -> Generator[subprocess.Popen[Any]]:
    """A process that runs ``python -m worker``; after the body it is gone, whatever happened."""
    process: subprocess.Popen[Any] | None = None
    try:
        with _hold_interrupts():
            process = subprocess.Popen(  # noqa: S603 (the worker is a module of ours)
                [sys.executable, "-m", worker],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=text,
                start_new_session=True,
                env=_environment(),
            )
        yield process
    finally:
        with _hold_interrupts():
            if process is not None:
                _end(process)


def _end(process: subprocess.Popen[Any]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            # what was not read by a process that is dead is not written
            with suppress(OSError):
                pipe.close()


@contextmanager
def _hold_interrupts() -> Generator[None]:
    """Hold Ctrl-C back until the end of the body, lest it leave a process that nobody knows."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        # only the main thread is interrupted
        yield
        return
    held: list[tuple[int, FrameType | None]] = []

    def hold(number: int, frame: FrameType | None) -> None:
        held.append((number, frame))

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if held:
            before(*held[0])


def _environment() -> dict[str, str]:
    """What a child has to know: where its modules and libraries are, and who started it."""
    kept = {name: value for name, value in os.environ.items() if name.upper() in _NEEDED}
    folders = [str(Path(folder).resolve()) for folder in sys.path if folder]
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(folders),
        # not the folder in which the user happens to be
        "PYTHONSAFEPATH": "1",
        PARENT: str(os.getpid()),
    }


def end_with_parent() -> None:
    """Ask Linux to end this process when the thread that waits for its answer is gone."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, int(signal.SIGKILL))
    if os.environ.get(PARENT) not in (None, str(os.getppid())):
        # it was gone before the request
        os._exit(1)
