"""Damaged files: every reader ends with an answer or an error of ours, in little time.

``TAMECHECK_FUZZ_SECONDS=60`` fuzzes each reader for so long instead of a few files.
"""

import contextlib
import os
import random
import signal
import time

import pytest

import tamecheck as tc

from .readers import READERS, mutated

SECONDS = float(os.environ.get("TAMECHECK_FUZZ_SECONDS", "0"))
SEED = int(os.environ.get("TAMECHECK_FUZZ_SEED", "0"))
FILES = 60
PATIENCE = 30


@contextlib.contextmanager
def patience():
    def over(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_read_or_refused(name, tmp_path):
    reader = READERS[name]
    until, number = time.monotonic() + SECONDS, 0
    while number < FILES or time.monotonic() < until:
        seed = f"{name} {SEED + number}"
        path = tmp_path / f"file{reader.suffix}"
        path.write_bytes(mutated(random.Random(seed), reader))
        number += 1
        with patience(), contextlib.suppress(tc.TamecheckError):
            reader.read(path)


@pytest.mark.parametrize("name", READERS)
def test_the_corpus_itself_is_read(name, tmp_path):
    reader = READERS[name]
    for data in reader.corpus:
        path = tmp_path / f"file{reader.suffix}"
        path.write_bytes(data)
        reader.read(path)
