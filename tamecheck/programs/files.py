"""Which reader or writer a program file needs, by its suffix."""

from __future__ import annotations

import json
import os

from tamecheck.errors import InputError
from tamecheck.ir.program import Program
from tamecheck.loaders.files import suffix_of
from tamecheck.loaders.outputs import write_text
from tamecheck.loaders.programs.draft import ProgramFile
from tamecheck.loaders.programs.json_program import read_program_json
from tamecheck.loaders.programs.lp import read_lp
from tamecheck.loaders.programs.mps import read_mps
from tamecheck.loaders.programs.writers import program_to_lp, program_to_mps

__all__ = ["read", "read_file", "write"]

_HINT = "Programs are .mps, .lp or .json files, also with .gz."


def read_file(path: str | os.PathLike[str]) -> ProgramFile:
    """The program in an ``.mps``, ``.lp`` or ``.json`` file, gzipped or not, with notes about it.

    Raises
    ------
    InputError
        Naming the file and the first line that is wrong.
    UnsupportedError
        If the file says something for which a linear program has no place.
    """
    match suffix_of(path):
        case ".mps":
            return read_mps(path)
        case ".lp":
            return read_lp(path)
        case ".json":
            return ProgramFile(read_program_json(path), "json", str(path))
        case suffix:
            raise InputError(
                f"A file with suffix {suffix!r} is no program.", where=str(path), hint=_HINT
            )


def read(path: str | os.PathLike[str]) -> Program:
    """The program in a file, as `read_file`, without the notes."""
    return read_file(path).program


def write(program: Program, path: str | os.PathLike[str]) -> None:
    """Write a program such that reading the file gives the identical program.

    Raises
    ------
    InputError
        If the format of this suffix cannot say all of it, or the file cannot be written.
    """
    match suffix_of(path):
        case ".mps":
            text = program_to_mps(program)
        case ".lp":
            text = program_to_lp(program)
        case ".json":
            text = json.dumps(program.document()) + "\n"
        case suffix:
            raise InputError(
                f"A file with suffix {suffix!r} is no program.", where=str(path), hint=_HINT
            )
    write_text(path, text)
