"""``--timeout`` and ``--memory``.

When time is up there is an exception in the main thread, and an end if it is stuck.  A command with
a limit of memory runs in a process of its own, which another one watches.
"""

from __future__ import annotations

import _thread
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

from tamecheck.errors import EndedError, MemoryLimitError, TimeLimitError

TO_ANSWER = 3.0
"""Seconds beyond the timeout for verbs that keep the time themselves, and then still answer."""

MEMORY = "TAMECHECK_MEMORY"
"""The environment variable that tells a process how many bytes it may hold."""

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
    over, done = threading.Event(), threading.Event()
    last = seconds + (TO_ANSWER if answers else 0.0)

    def end() -> None:
        if last_words is not None:
            last_words()
        os._exit(3)

    stuck = threading.Timer(last + _GRACE, end)
    stuck.daemon = True
    stuck.start()
    cancel = _alarm(last, over, done)
    try:
        try:
            yield
        finally:
            # an alarm that strikes while it is taken back would keep the process from going on
            done.set()
    except KeyboardInterrupt:
        if over.is_set():
            raise TimeLimitError(f"Out of time after {seconds:g} s.") from None
        raise
    finally:
        cancel()
        stuck.cancel()


def _alarm(seconds: float, over: threading.Event, done: threading.Event) -> Callable[[], None]:
    """Interrupt the main thread after so many seconds, as Ctrl-C does; what takes that back.

    Once it is ``done`` nothing is interrupted.

    A signal also ends a system call that blocks, and arrives where SIGINT is ignored.
    """
    if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):

        def interrupt(_number: int, _frame: FrameType | None) -> None:
            if not done.is_set():
                over.set()
                raise KeyboardInterrupt

        before = signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, seconds)

        def restore() -> None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

        return restore

    def strike() -> None:
        if not done.is_set():
            over.set()
            _thread.interrupt_main()

    timer = threading.Timer(seconds, strike)
    timer.daemon = True
    timer.start()
    return timer.cancel


def run_below(limit: int, arguments: Sequence[str]) -> int:
    """Run a command in a process that holds at most so many bytes, with its children."""
    from tamecheck.solvers.limits import limit_memory, refuse_elsewhere
    from tamecheck.solvers.processes import PARENT

    refuse_elsewhere()
    over = threading.Event()
    process = subprocess.Popen(  # noqa: S603 (ourselves)
        [sys.executable, "-m", "tamecheck", *arguments],
        env={**os.environ, MEMORY: str(limit), PARENT: str(os.getpid())},
    )

    def end() -> None:
        over.set()
        process.kill()

    stop = limit_memory(process.pid, limit, end)
    try:
        code = _wait(process)
    finally:
        stop()
        process.kill()
    if over.is_set():
        raise MemoryLimitError(limit)
    if code < 0:
        raise EndedError(code)
    return code


def _wait(process: subprocess.Popen[bytes]) -> int:
    """The exit code; Ctrl-C, of which a terminal tells all processes, is the other's to obey."""
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(_GRACE)
            process.send_signal(signal.SIGINT)
