"""``--timeout``: an exception in the main thread when time is up, and an end if it is stuck."""

from __future__ import annotations

import _thread
import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

from tamecheck.errors import TimeLimitError

TO_ANSWER = 3.0
"""Seconds beyond the timeout for verbs that keep the time themselves, and then still answer."""

_GRACE = 3.0
"""Seconds that a solver or library call has to return before the process ends itself."""


@contextmanager
def deadline(
    seconds: float | None, *, answers: bool = False, last_words: Callable[[], None] | None = None
) -> Generator[None]:
    """Raise `TimeLimitError` in the body after so many seconds; None is no limit.

    If the body does not return to the interpreter, ``last_words`` is called and the process ends
    itself with exit code 3.
    """
    if seconds is None:
        yield
        return
    over = threading.Event()
    last = seconds + (TO_ANSWER if answers else 0.0)

    def end() -> None:
        if last_words is not None:
            last_words()
        os._exit(3)

    stuck = threading.Timer(last + _GRACE, end)
    stuck.daemon = True
    stuck.start()
    cancel = _alarm(last, over)
    try:
        yield
    except KeyboardInterrupt:
        if over.is_set():
            raise TimeLimitError(f"Out of time after {seconds:g} s.") from None
        raise
    finally:
        cancel()
        stuck.cancel()


def _alarm(seconds: float, over: threading.Event) -> Callable[[], None]:
    """Interrupt the main thread after so many seconds, as Ctrl-C does; what takes that back.

    A signal also ends a system call that blocks, and arrives where SIGINT is ignored.
    """
    if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):

        def interrupt(_number: int, _frame: FrameType | None) -> None:
            over.set()
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, seconds)

        def restore() -> None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

        return restore

    def strike() -> None:
        over.set()
        _thread.interrupt_main()

    timer = threading.Timer(seconds, strike)
    timer.daemon = True
    timer.start()
    return timer.cancel
