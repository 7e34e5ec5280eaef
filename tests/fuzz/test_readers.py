"""Damaged files: every reader ends with an answer or an error of ours, in little time and memory.

``python -m tests.fuzz 3600`` goes on for an hour.
"""

import itertools

import pytest

from . import limits as here
from .limits import fuzz, limits
from .readers import READERS

FILES = 300


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_read_or_refused(name, tmp_path):
    count = fuzz(name, READERS[name], tmp_path, lambda files: files < FILES)
    assert not count.wrong
    assert count.files == FILES


@pytest.mark.parametrize("name", READERS)
def test_the_corpus_itself_is_read(name, tmp_path):
    reader = READERS[name]
    for data in reader.corpus:
        path = tmp_path / f"file{reader.suffix}"
        path.write_bytes(data)
        with limits():
            reader.read(path)


def test_time_and_memory_are_limited(monkeypatch):
    with limits(), pytest.raises(MemoryError):
        bytearray(2 << 30)
    monkeypatch.setattr(here, "PATIENCE", 0.05)
    with limits(), pytest.raises(TimeoutError):
        max(n for n in itertools.count() if n < 0)
