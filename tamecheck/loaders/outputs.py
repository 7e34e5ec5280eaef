"""Files that tamecheck writes: whole or not at all, and never over what somebody else wrote.

A file of our own says so in its first or last bytes: by a ``format``, a producer or a comment.  So
an existing file is replaced if it is an earlier output of the same kind, or empty; any other is
left alone.
"""

from __future__ import annotations

import gzip
import os
import re
import secrets
import stat
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeAlias

from tamecheck.errors import InputError
from tamecheck.ir.arguments import path as argument

_Path: TypeAlias = "str | os.PathLike[str]"

INSTEAD = "Give the output another name, or --force to replace the file."

_EDGE = 2**16
"""Bytes at either end of a file in which it says who wrote it."""

_STREAMS = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/")
"""Names of files that are open already, which are written and never replaced."""


Kind: TypeAlias = Literal[
    "certificate",
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
    if _is_stream(target):
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
            if _is_stream(target):
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
        return found if _is_stream(found) else Path(os.path.realpath(found))
    except (OSError, ValueError) as error:
        raise InputError(f"This is no name of a file ({error}).", where=str(path)) from None


def foreign_file(where: str, kind: Kind) -> InputError:
    """The error about a file that somebody else wrote."""
    what = f"The file is no {kind} that tamecheck wrote, and is left alone."
    return InputError(what, where=where, hint=INSTEAD)


def write_error(path: _Path, error: OSError) -> InputError:
    """The error about a file that the operating system does not let us write."""
    return InputError(f"The file cannot be written ({error.strerror or error}).", where=str(path))


def _is_stream(path: Path) -> bool:
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
