"""Files that tamecheck writes: whole or not at all, and never over what somebody else wrote.

A file of our own says so in its first or last bytes: by a ``format``, a producer or a comment.  So
an existing file is replaced if it is an earlier output of the same kind, or empty; any other is
left alone.

Answers are added to a journal one by one, so that a run that was ended can be taken up.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import secrets
import stat
import sys
import time
import zlib
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from tamecheck.errors import InputError
from tamecheck.ir.arguments import path as argument
from tamecheck.loaders.files import MAX_BYTES, read_bytes

_Path: TypeAlias = "str | os.PathLike[str]"

INSTEAD = "Give the output another name, or --force to replace the file."

_EDGE = 2**16
"""Bytes at either end of a file in which it says who wrote it."""

_STREAMS = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/")
"""Names of files that are open already, which are written and never replaced."""


Kind: TypeAlias = Literal[
    "certificate",
    "journal",
    "model",
    "list of features",
    "dual function",
    "list of explanations",
    "list of answers",
    "result log",
    "list of rules",
    "formula",
    "figure",
    "report",
    "summary",
    "result",
    "assignment",
]
"""What an output is."""

_MARKS: Mapping[Kind, bytes] = {
    "certificate": rb'(\{"format":"tamecheck-(\w{4,6}-)?certificate",|% written by tamecheck\n)',
    "journal": rb'\{"format": "tamecheck-search-journal",',
    "model": rb'\{"format":"tamecheck-graph",|\x08.\x12\x09tamecheck:',
    "list of features": rb'\{"format":"tamecheck-features",',
    "dual function": rb'\{"format":"tamecheck-dual",',
    "list of explanations": rb'\{"format": "tamecheck-explanations",',
    "list of answers": rb'\{"format": "tamecheck-answers",',
    "result log": rb'\{"\$schema":"https://[^"]*sarif[^"]*","version":"2.1.0",.*"name":"tamecheck"',
    "list of rules": rb'(\{"format":"tamecheck-rules",|# Rules, written by tamecheck\n)',
    "formula": rb"[;%#] written by tamecheck\n",
    "figure": rb"(\x89PNG.{33}tEXtSoftware\0|<\?xml.*<dc:title>|%PDF.*/Creator \()tamecheck",
    "report": rb'<!DOCTYPE html>.*<meta name="generator" content="tamecheck">',
    "summary": rb"# (Four small networks: are they tame\?\n|Referee: .*written by tamecheck\n\Z)",
    "assignment": rb".*tamecheck:assignment\Z",
    "result": rb"(unsat|unknown|timeout|error|sat\n\(\(X_0 .*\)\))\n\Z",
}
"""How an output of each kind begins, or begins and ends."""


def check_output(
    path: _Path, kind: Kind, *, inputs: Iterable[_Path] = (), force: bool = False
) -> None:
    """Refuse a place for an output before anything is worked out.

    Refused are a folder, a file in no folder, an input, which is never replaced, what is read-only,
    and without ``force`` a file that is no earlier output of this kind.
    """
    where, target = str(path), target_of(path)
    if is_stream(target):
        return
    there = target.exists()
    if target.is_dir():
        raise InputError("This is a folder; a file was expected.", where=where)
    if not target.parent.is_dir():
        raise InputError("The folder of the file does not exist.", where=where)
    if not os.access(target if there else target.parent, os.W_OK):
        what = f"The {'file' if there else 'folder'} is read-only."
        raise InputError(what, where=where, hint="Choose another place.")
    if there and any(_same(target, other) for other in inputs):
        what = f"It is read as an input, and the {kind} would replace it."
        raise InputError(what, where=where, hint="Give the output another name.")
    if there and not (force or target.stat().st_size == 0 or _wrote(target, kind)):
        raise foreign_file(where, kind)


def make_folder(path: _Path) -> None:
    """Make a folder for outputs, unless it is there."""
    try:
        Path(argument(path)).mkdir(exist_ok=True)
    except OSError as error:
        raise write_error(path, error) from None


def write_text(path: _Path, text: str) -> None:
    """Write a UTF-8 text file; as `write_bytes`."""
    write_bytes(path, text.encode())


def write_bytes(path: _Path, data: bytes) -> None:
    """Write a file whole: who reads it finds what was there before, or all of the data.

    The data is gzipped, with the same bytes each time, if the name ends in ``.gz``.  A link is
    followed.  If the file cannot be written, what was there is as it was.
    """
    write_files({path: data})


def write_files(contents: Mapping[_Path, bytes]) -> None:
    """Write files that belong together: none of them, unless there is room for all."""
    pairs: list[tuple[Path, Path]] = []
    path: _Path = ""
    try:
        for path, data in contents.items():
            packed = gzip.compress(data, 6, mtime=0) if _is_gzip(path) else data
            target = target_of(path)
            if is_stream(target):
                target.write_bytes(packed)
            else:
                pairs.append((stage(target, packed), target))
        while pairs:
            temporary, target = pairs[0]
            temporary.replace(target)
            del pairs[0]
            _keep_name(target.parent)
    except OSError as error:
        raise write_error(path, error) from None
    finally:
        for temporary, _ in pairs:
            with suppress(OSError):
                temporary.unlink()


def stage(target: Path, data: bytes) -> Path:
    """The data in a file of its own in the same folder, on the disk for sure."""
    temporary = target.with_name(f".tamecheck-{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if target.exists():
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    return temporary


def _keep_name(folder: Path) -> None:
    """Put the names in a folder on the disk, where the system has a way to."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def target_of(path: _Path) -> Path:
    """The file itself, behind all links."""
    try:
        found = Path(argument(path))
        return found if is_stream(found) else Path(os.path.realpath(found))
    except (OSError, ValueError) as error:
        raise InputError(f"This is no name of a file ({error}).", where=str(path)) from None


def foreign_file(where: str, kind: Kind) -> InputError:
    """The error about a file that somebody else wrote."""
    what = f"The file is no {kind} that tamecheck wrote, and is left alone."
    return InputError(what, where=where, hint=INSTEAD)


def write_error(path: _Path, error: OSError) -> InputError:
    """The error about a file that the operating system does not let us write."""
    return InputError(f"The file cannot be written ({error.strerror or error}).", where=str(path))


def is_stream(path: Path) -> bool:
    """Whether it is a pipe, a device or an open file: nothing that could be replaced."""
    other = path.exists() and not path.is_file() and not path.is_dir()
    return other or str(path).startswith(_STREAMS)


def _wrote(path: Path, kind: Kind) -> bool:
    """Whether a file is an output of this kind."""
    try:
        with path.open("rb") as stream:
            edges = stream.read(_EDGE)
            if (size := path.stat().st_size) > _EDGE:
                stream.seek(max(size - _EDGE, _EDGE))
                edges += stream.read()
        if _is_gzip(path):
            edges = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(edges, _EDGE)
    except (OSError, zlib.error):
        return False
    return re.match(_MARKS[kind], edges, re.DOTALL) is not None


def _same(target: Path, other: _Path) -> bool:
    """Whether two names are one file: by links of either kind."""
    try:
        return target.samefile(other)
    except (OSError, ValueError):
        return False


def _is_gzip(path: _Path) -> bool:
    return str(path).lower().endswith(".gz")


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


def read_journal(path: _Path, form: str) -> tuple[Any, tuple[dict[str, Any], ...]] | None:
    """The question and the whole records of a journal, None if the file is of another form."""
    where, data = str(path), read_bytes(path)
    whole = data[: data.rfind(b"\n") + 1]
    said = _object(whole.partition(b"\n")[0])
    if said is None or said.get("format") != form:
        return None
    return said.get("question"), _records(where, whole, said, "journal")


def remove(path: _Path) -> None:
    """Remove a file of ours, if it is there."""
    with suppress(OSError):
        target_of(path).unlink()


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
