"""Programs in JSON: the canonical form that `Program.document` gives, and its reader."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, cast

from tamecheck.errors import InputError
from tamecheck.ir.box import Bound
from tamecheck.ir.exact import parse_rational
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.loaders.files import name_place, read_text
from tamecheck.loaders.json_model import parse_json

_FORMAT = re.compile(r'"format"\s*:\s*"tamecheck-program"')
_TOP = {"format", "version", "name", "sense", "objective", "columns", "rows"}


def is_program_json(path: str | os.PathLike[str]) -> bool:
    """Whether a JSON file, gzipped or not, says that it is a program; other files are models."""
    return _FORMAT.search(read_text(path)) is not None


def read_program_json(path: str | os.PathLike[str]) -> Program:
    """The program in a JSON file, gzipped or not."""
    return program_from_json(read_text(path), where=str(path))


def program_from_json(text: str, *, where: str = "") -> Program:
    """The program that a JSON text denotes."""
    with name_place(lambda: where):
        return _program(parse_json(text, where=where, decimals=_refuse))


def _refuse(token: str) -> Any:
    raise InputError(f"{token[:40]} is a float.", hint='Numbers are strings: "1/10".')


def _program(value: object) -> Program:
    top = _fields(value, _TOP, "the program")
    if top["format"] != "tamecheck-program" or top["version"] != 1:
        raise InputError("This is no tamecheck-program of version 1.")
    objective = _fields(top["objective"], {"name", "constant"}, "the objective")
    return Program(
        columns=tuple(map(_column, _list(top["columns"], "columns"))),
        rows=tuple(map(_row, _list(top["rows"], "rows"))),
        sense=Sense(_choice(top["sense"], [sense.value for sense in Sense])),
        constant=_number(objective["constant"]),
        name=_text(top["name"]),
        objective_name=_text(objective["name"]),
    )


def _column(value: object) -> Column:
    found = _fields(value, {"name", "lower", "upper", "kind", "cost"}, "a column")
    return Column(
        name=_text(found["name"]),
        lower=_bound(found["lower"]),
        upper=_bound(found["upper"]),
        kind=Kind(_choice(found["kind"], [kind.value for kind in Kind])),
        cost=_number(found["cost"]),
    )


def _row(value: object) -> Row:
    found = _fields(value, {"name", "lower", "upper", "terms"}, "a row")
    return Row(
        name=_text(found["name"]),
        terms=tuple(map(_term, _list(found["terms"], "terms"))),
        lower=_bound(found["lower"]),
        upper=_bound(found["upper"]),
    )


def _term(value: object) -> tuple[int, Fraction]:
    match _list(value, "a term"):
        case [int(place), coefficient] if type(place) is int:
            return place, _number(coefficient)
        case _:
            raise InputError('A term is a pair [column, "coefficient"].')


def _fields(value: object, names: set[str], what: str) -> Mapping[str, object]:
    if not isinstance(value, dict) or set(cast("dict[str, object]", value)) != names:
        raise InputError(f"{what} has not exactly the fields {', '.join(sorted(names))}.")
    return cast("dict[str, object]", value)


def _list(value: object, what: str) -> list[object]:
    if not isinstance(value, list):
        raise InputError(f"{what} is not a list.")
    return cast("list[object]", value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise InputError(f"A name is not a string but {str(value)[:40]!r}.")
    return value


def _choice(value: object, choices: list[str]) -> str:
    if value not in choices:
        raise InputError(f"{str(value)[:40]!r} is none of {', '.join(choices)}.")
    return str(value)


def _number(value: object) -> Fraction:
    return Fraction(value) if type(value) is int else parse_rational(_text(value))


def _bound(value: object) -> Bound:
    return None if value is None else _number(value)
