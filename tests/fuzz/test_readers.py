"""Damaged files: every reader ends with an answer or an error of ours, in little time and memory.

``python -m tests.fuzz 3600`` goes on for an hour.
"""

import contextlib
import itertools

import pytest

import tamecheck as tc

from . import limits as here
from .limits import fuzz, limits
from .readers import ANSWERS, LIST, READERS, SAID

FILES = 50


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


FOUND = [
    ("expression", b"abs(x) * " + b"9" * 4000 + b" + log(1 + y^2) - round(sqrt(abs(y)))"),
    ("expression", b"(x+1e400)^3 * sin(clip(x, -1, 0)) - floor(x/7) + x1/(2+x)"),
    ("referee", SAID[2].replace(b"-3", b"-1e999999999")),
    ("list", LIST.replace(b"a.onnx", b"a" * 5000 + b".onnx")),
    ("list", LIST.replace(b"a.onnx", b"a\0.onnx")),
    ("list", LIST.replace(b"a.onnx", b"a\r.onnx" * 30_000)),
    ("referee", SAID[1].replace(b"violated", b"violated\r," + b"9" * 140_000)),
    ("referee", b'{"a":' * 20_000),
    ("answers", ANSWERS.replace(b'"items": 2', b'"items": 1' + b"0" * 30)),
    ("answers", ANSWERS.replace(b'"exit_code": 0', b'"exit_code": 1e999')),
]
"""What went wrong once."""


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_was_found_stays_mended(name, data, tmp_path):
    path = tmp_path / f"file{READERS[name].suffix}"
    path.write_bytes(data)
    with limits(), contextlib.suppress(tc.TamecheckError):
        READERS[name].read(path)


def test_time_and_memory_are_limited(monkeypatch):
    with limits(), pytest.raises(MemoryError):
        bytearray(2 << 30)
    monkeypatch.setattr(here, "PATIENCE", 0.05)
    with limits(), pytest.raises(TimeoutError):
        max(n for n in itertools.count() if n < 0)
