"""``--timeout``: an exception in the main thread when time is up, and an end if it is stuck."""

from __future__ import annotations

import _thread
import os
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["OutOfTimeError", "deadline"]

_GRACE = 5.0
"""Seconds that a solver or library call has to return before the process ends itself."""


class OutOfTimeError(Exception):
    """The time that the user allowed is over."""


@contextmanager
def deadline(seconds: float | None, *, overtime: float = 0) -> Generator[None]:
    """Raise `OutOfTimeError` in the body after so many seconds, and overtime; None is no limit."""
    if seconds is None:
        yield
        return
    over = threading.Event()

    def interrupt() -> None:
        over.set()
        _thread.interrupt_main()

    last = seconds + overtime
    timers = (threading.Timer(last, interrupt), threading.Timer(last + _GRACE, _end))
    for timer in timers:
        timer.daemon = True
        timer.start()
    try:
        yield
    except KeyboardInterrupt:
        if over.is_set():
            raise OutOfTimeError(f"Out of time after {seconds:g} s.") from None
        raise
    finally:
        for timer in timers:
            timer.cancel()


def _end() -> None:
    # the main thread is inside a call that does not return to the interpreter
    sys.stderr.write("tamecheck: Out of time.\n")
    sys.stderr.flush()
    os._exit(3)
