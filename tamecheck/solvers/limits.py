"""The memory that a process and its children hold, and a limit on it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tamecheck.errors import InputError

_MOMENT = 0.05
_PAGE = 4096 if not hasattr(os, "sysconf") else os.sysconf("SC_PAGE_SIZE")


def can_limit() -> bool:
    """Whether this system says what memory processes hold; Linux does."""
    return Path("/proc/self/statm").exists()


def refuse_elsewhere() -> None:
    """An error where memory cannot be limited."""
    if not can_limit():
        raise InputError(
            "A limit of memory needs Linux.",
            where="--memory",
            hint="Leave it out, or run tamecheck in a container with a limit.",
        )


def resident(process: int) -> int:
    """The bytes that a process and all processes below it hold in memory; 0 if it is gone."""
    total, found = 0, [process]
    while found:
        one = found.pop()
        with suppress(OSError, ValueError, IndexError):
            total += int(Path(f"/proc/{one}/statm").read_text(encoding="ascii").split()[1]) * _PAGE
            for task in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text(encoding="ascii").split())
    return total


def limit_memory(process: int, limit: int, over: Callable[[], None]) -> Callable[[], None]:
    """Hold a process and its children below so many bytes; what ends the watch.

    The process itself is refused more, so that Python says so; ``over`` is called once when it and
    its children hold more together.
    """
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_MOMENT):
            if resident(process) > limit:
                over()
                return

    with suppress(ImportError, OSError, ValueError, AttributeError):
        import resource

        resource.prlimit(process, resource.RLIMIT_DATA, (limit, limit))
    threading.Thread(target=watch, daemon=True).start()
    return ended.set
