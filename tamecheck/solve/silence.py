"""Standard output as the operating system sees it, closed while a solver talks."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["silence"]


@contextmanager
def silence() -> Generator[None]:
    """Discard what is written to file descriptor 1 in the body, by C libraries too."""
    _flush()
    try:
        saved = os.dup(1)
    except OSError:
        # there is no standard output
        yield
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 1)
        yield
    finally:
        _flush()
        os.dup2(saved, 1)
        os.close(saved)
        os.close(sink)


def _flush() -> None:
    """Write out the buffers of Python and of the C library."""
    if sys.stdout is not None:  # pyright: ignore[reportUnnecessaryComparison] (pythonw)
        sys.stdout.flush()
    if os.name == "posix":
        ctypes.CDLL(None).fflush(None)
