"""Answers that are added to a file one by one, so that a run that was ended can be taken up."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, cast

from tamecheck.errors import InputError
from tamecheck.loaders.files import MAX_BYTES
from tamecheck.loaders.outputs import (
    INSTEAD,
    Kind,
    foreign_file,
    stage,
    target_of,
    write_bytes,
    write_error,
)

_PATIENCE = 1.0


@dataclass(slots=True)
class Journal:
    """A file to which records are added one by one, each on a line, by one process at a time.

    ``kept`` are the records that earlier runs finished; ``cut`` says whether an earlier run left an
    unfinished line, which is gone now.
    """

    _path: str
    _stream: FileIO
    _end: int
    kept: tuple[dict[str, Any], ...] = ()
    cut: bool = False

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a record; if there is no room for all of it, the file is as it was."""
        line = _line(record)
        try:
            _write_at(self._stream, line, self._end)
        except BaseException as error:
            self._stream.truncate(self._end)
            if isinstance(error, OSError):
                raise write_error(self._path, error) from None
            raise
        self._end += len(line)


@contextmanager
def journal(
    path: str | os.PathLike[str],
    kind: Kind,
    form: str,
    question: Mapping[str, Any],
    *,
    force: bool = False,
) -> Generator[Journal]:
    """A journal of answers to one question, which a later run with the same question goes on with.

    The first line says by its ``form`` what kind of file this is, and repeats the question: what
    the answers depend on, as JSON.  The file is made if it is not there, and with ``force`` begun
    anew if it holds anything else; otherwise a file of another kind, of another question, with a
    line that is no record, or in use by another process, is refused.
    """
    where, target = str(path), target_of(path)
    head = {"format": form, "version": 1, "question": question}
    with ExitStack() as stack:
        try:
            if not target.exists():
                _create(target, _line(head))
            stream = stack.enter_context(FileIO(target, "r+"))
            if not _lock_soon(stream.fileno()):
                raise InputError(
                    "Another process writes this file.",
                    where=where,
                    hint="Wait for it, or give another name.",
                )
            found = _resume(where, stream, head, kind, force=force)
        except OSError as error:
            raise write_error(path, error) from None
        try:
            yield found
        finally:
            with suppress(OSError):
                os.fsync(stream.fileno())


def write_journal(
    path: str | os.PathLike[str],
    form: str,
    question: Mapping[str, Any],
    records: Sequence[Mapping[str, Any]],
) -> None:
    """Write a journal whole: its first line, and records in this order."""
    head = {"format": form, "version": 1, "question": question}
    write_bytes(path, b"".join(map(_line, (head, *records))))


def _create(target: Path, first: bytes) -> None:
    """Make a file with its first line, unless somebody else makes it at the same moment."""
    temporary = stage(target, first)
    try:
        os.link(temporary, target)
    except FileExistsError:
        pass
    except OSError:
        # a file system without hard links
        with suppress(FileExistsError), target.open("xb") as stream:
            stream.write(first)
    finally:
        temporary.unlink()


def _resume(
    where: str, stream: FileIO, head: Mapping[str, Any], kind: Kind, *, force: bool
) -> Journal:
    """What the file holds, once it is ours and locked."""
    data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InputError(f"The file is larger than {MAX_BYTES} bytes.", where=where)
    whole = data[: data.rfind(b"\n") + 1]
    try:
        kept = _records(where, whole, head, kind) if data else None
    except InputError:
        if not force:
            raise
        kept = None
    if kept is None:
        whole = _line(head)
        _write_at(stream, whole, 0)
    stream.truncate(len(whole))
    return Journal(where, stream, len(whole), kept or (), kept is not None and whole != data)


def _records(
    where: str, whole: bytes, head: Mapping[str, Any], kind: Kind
) -> tuple[dict[str, Any], ...]:
    """The records of a journal of this question; an error if it is anything else."""
    lines = whole.split(b"\n")[:-1]
    said = _object(lines[0]) if lines else None
    if said is None or said.get("format") != head["format"]:
        raise foreign_file(where, kind)
    known = json.loads(_line(head))
    if said != known:
        raise InputError(
            f"The file answers another question (other {', '.join(_differences(known, said))}).",
            where=where,
            hint=INSTEAD,
        )
    kept: list[dict[str, Any]] = []
    for number, line in enumerate(lines[1:], start=2):
        record = _object(line)
        if record is None:
            raise InputError(f"Line {number} is no record.", where=where, hint=INSTEAD)
        kept.append(record)
    return tuple(kept)


def _differences(known: dict[str, Any], said: dict[str, Any]) -> list[str]:
    """The parts of the question in which two first lines differ, or those beside it."""
    if isinstance(said.get("question"), dict) and said["question"] != known["question"]:
        known, said = known["question"], said["question"]
    return [key for key in dict.fromkeys([*known, *said]) if known.get(key) != said.get(key)]


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        found: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def _line(record: Mapping[str, Any]) -> bytes:
    return (json.dumps(record, allow_nan=False) + "\n").encode()


def _write_at(stream: FileIO, data: bytes, offset: int) -> None:
    stream.seek(offset)
    while data:
        data = data[stream.write(data) :]


def _lock_soon(descriptor: int) -> bool:
    """Whether the file is ours alone; processes of a run that was killed have a second to end."""
    last = time.monotonic() + _PATIENCE
    while not (found := _lock(descriptor)) and time.monotonic() < last:
        time.sleep(_PATIENCE / 20)
    return found


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> bool:
        # a byte far beyond the end, since others may not read a locked one
        os.lseek(descriptor, 2**40, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _lock(descriptor: int) -> bool:
        """Whether the file is ours alone until it is closed."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
