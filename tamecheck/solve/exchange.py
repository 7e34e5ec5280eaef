"""One question to a worker in a child process, and its answer: JSON in, JSON out."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

__all__ = ["LONGEST", "BrokenAnswerError", "OutOfTimeError", "ask"]

LONGEST = 1e6
"""Seconds in place of no limit."""


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
    try:
        done = subprocess.run(  # noqa: S603 (the worker is a module of ours)
            [sys.executable, "-m", worker],
            input=json.dumps(question),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=max(min(seconds, LONGEST), 0.0),
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise OutOfTimeError from None
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise BrokenAnswerError(done.returncode) from None
