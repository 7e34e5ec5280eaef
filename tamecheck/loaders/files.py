"""Files from anywhere: read whole, gunzipped up to a limit, with one clear error when not."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.arguments import path as argument

MAX_BYTES = 2**29
"""A file that is larger, before or after decompression, is refused."""

MAX_TEXT = 2**27
"""The same for a text that is parsed as a whole: its parse tree takes several times its size."""

BLANKS = " \t\r\v\f"
"""White space within a line to C programs; that of Unicode beyond it is part of a name to them."""


def suffix_of(path: str | os.PathLike[str]) -> str:
    """The suffix that tells the format, in lower case: ``.onnx`` for ``net.onnx.gz``."""
    name = Path(argument(path)).name.lower().removesuffix(".gz")
    return Path(name).suffix


def read_bytes(path: str | os.PathLike[str], *, limit: int = MAX_BYTES) -> bytes:
    """The content of a file; that of a ``.gz`` file is decompressed."""
    where = argument(path)
    try:
        if not Path(path).is_file():
            known = "a folder" if Path(path).is_dir() else "no such file"
            raise InputError(f"{known}; a file was expected.", where=where)
        if Path(path).stat().st_size > limit:
            raise InputError(f"The file is larger than {limit} bytes.", where=where)
        if where.lower().endswith(".gz"):
            with gzip.open(path) as stream:
                data = stream.read(limit + 1)
        else:
            with Path(path).open("rb") as stream:
                data = stream.read(limit + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"The gzip data is damaged ({error}).", where=where) from None
    except (OSError, ValueError) as error:
        # ValueError: a path with a null byte
        raise InputError(f"The file cannot be read ({error}).", where=where) from None
    if len(data) > limit:
        raise InputError(f"The file decompresses to more than {limit} bytes.", where=where)
    return data


def gunzip(data: bytes, where: str) -> bytes:
    """What gzipped data hold, by their first bytes; other data as they are."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        with gzip.open(io.BytesIO(data)) as stream:
            found = stream.read(MAX_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"The gzip data is damaged ({error}).", where=where) from None
    if len(found) > MAX_BYTES:
        raise InputError(f"The data decompress to more than {MAX_BYTES} bytes.", where=where)
    return found


def read_text(path: str | os.PathLike[str], *, limit: int = MAX_TEXT) -> str:
    """The content of a UTF-8 text file, gzipped or not, without a byte order mark."""
    return decode(read_bytes(path, limit=limit), str(path))


def decode(data: bytes, where: str) -> str:
    """UTF-8 text without a byte order mark."""
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise InputError(
            f"Byte {error.start} is not UTF-8 text.",
            where=where,
            hint="Is this the right file? Save it as UTF-8.",
        ) from None


@contextmanager
def name_place(place: Callable[[], str]) -> Generator[None]:
    """Name the place in an error that names none."""
    try:
        yield
    except (InputError, UnsupportedError) as error:
        if error.where:
            raise
        raise type(error)(error.what, where=place(), hint=error.hint) from None


def lines_of(text: str) -> list[str]:
    r"""The lines as C programs see them: only a line feed ends one.

    `str.splitlines` knows nine other ends, among them U+2028 and the form feed, which would end a
    comment that other readers of the same file see go on.

    >>> lines_of("a\u2028b\r\nc\n")
    ['a\u2028b\r', 'c']
    """
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return lines
