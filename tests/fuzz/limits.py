"""Damaged files are to be read in so much time and memory, or refused."""

import contextlib
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import tamecheck as tc

from .readers import Reader, mutated

PATIENCE = 20.0
"""Seconds of the processor for a file, of which checks take two at most."""
ROOM = 3 << 29
"""Bytes beyond those that are held before."""


@dataclass
class Count:
    """Of one reader: the files, those that were refused, the longest time, and what went wrong."""

    files: int = 0
    refused: int = 0
    slowest: float = 0.0
    wrong: list[tuple[str, str]] = field(default_factory=list)


@contextlib.contextmanager
def limits():
    """At most so many seconds of the processor, and so many bytes more; Linux counts both."""

    def over(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, PATIENCE)
    try:
        with _room():
            yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextlib.contextmanager
def _room():
    import resource

    status = Path("/proc/self/status")
    if not status.exists():
        yield
        return
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    held = int(lines["VmData"].split()[0]) * 1024
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (held + ROOM, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def fuzz(
    name: str, reader: Reader, folder: Path, going: Callable[[int], bool], first: int = 0
) -> Count:
    """Let a reader read one damaged file after the other."""
    count = Count()
    path = folder / f"file{reader.suffix}"
    while going(count.files):
        seed = f"{name} {first + count.files}"
        path.write_bytes(mutated(random.Random(seed), reader))
        begun = time.process_time()
        try:
            with limits():
                reader.read(path)
        except tc.TamecheckError as error:
            count.refused += 1
            if "\n" in error.message:
                count.wrong.append((seed, f"two lines: {error.message!r}"))
        except Exception as error:  # noqa: BLE001 (whatever it is, it is what we look for)
            count.wrong.append((seed, f"{type(error).__name__}: {error}"[:300]))
        count.files += 1
        count.slowest = max(count.slowest, time.process_time() - begun)
    return count
