"""The end of a solver's child process: a JSON question on stdin, a JSON answer on stdout."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

__all__ = ["PARENT", "answer_once", "end_with_pool"]


PARENT = "TAMECHECK_PARENT"
"""The environment variable that tells a child the process that started it."""

_MOMENT = 0.1

_DEATH_SIGNAL = 1
"""Linux's ``PR_SET_PDEATHSIG``."""


def answer_once(
    solved: Callable[[dict[str, Any]], dict[str, Any]],
    prepared: Callable[[dict[str, Any]], None] = lambda _question: None,
) -> None:
    """Answer the question on stdin and end the process.

    Parameters
    ----------
    solved
        Gives the answer; whatever it raises becomes the status ``unknown``.
    prepared
        Called with the question first: limits of the process.
    """
    _end_with_parent()
    # what the solver prints goes nowhere; the answer goes where stdout went
    answer_to = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    question = json.load(sys.stdin)
    prepared(question)
    try:
        answer = solved(question)
    except MemoryError:
        answer = {"status": "unknown", "why": "out of memory"}
    except Exception as error:  # noqa: BLE001 (whatever happens in a solver is an unknown)
        answer = {"status": "unknown", "why": f"{type(error).__name__}: {error}"}
    answer_to.write(json.dumps(answer))
    answer_to.close()
    # a solver's destructor may still crash; the answer is out
    os._exit(0)


def _end_with_parent() -> None:
    """Ask Linux to end this process when the thread that waits for its answer is gone."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, int(signal.SIGKILL))
    if os.environ.get(PARENT) not in (None, str(os.getppid())):
        # it was gone before the request
        os._exit(1)


def end_with_pool() -> None:
    """In a process of a pool: end soon after the process that made it, which pools do not do."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_MOMENT)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
