"""One question to a worker in a child process, and its answer: JSON in, JSON out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tamecheck.solvers.answering import PARENT

__all__ = ["LONGEST", "BrokenAnswerError", "OutOfTimeError", "ask", "child"]

LONGEST = 1e6
"""Seconds in place of no limit."""

_NEEDED = frozenset(
    (
        *("PATH", "HOME", "USERPROFILE", "SYSTEMROOT", "LANG", "LC_ALL", "LC_CTYPE"),
        *("TMPDIR", "TEMP", "TMP", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME"),
        *("VIRTUAL_ENV", "PMIP_CBC_LIBRARY", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
    )
)


class OutOfTimeError(Exception):
    """The child process was killed at the time limit."""


class BrokenAnswerError(Exception):
    """The child process ended without an answer.

    Parameters
    ----------
    status
        Its exit status.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def ask(worker: str, question: dict[str, Any], *, seconds: float) -> dict[str, Any]:
    """The answer of ``python -m worker``, which reads the question from standard input.

    Raises
    ------
    OutOfTimeError
        When the seconds are over; the process is dead then.
    BrokenAnswerError
        If it wrote no JSON.
    """
    with child(worker) as process:
        try:
            text, _ = process.communicate(
                json.dumps(question), timeout=max(min(seconds, LONGEST), 0.0)
            )
        except subprocess.TimeoutExpired:
            raise OutOfTimeError from None
    try:
        return json.loads(text)
    except ValueError:
        raise BrokenAnswerError(process.returncode) from None


@contextmanager
def child(worker: str) -> Generator[subprocess.Popen[str]]:
    """A process that runs ``python -m worker``; after the body it is gone, whatever happened."""
    process = subprocess.Popen(  # noqa: S603 (the worker is a module of ours)
        [sys.executable, "-m", worker],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env=_environment(),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                # what was not read by a process that is dead is not written
                with suppress(OSError):
                    pipe.close()


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
