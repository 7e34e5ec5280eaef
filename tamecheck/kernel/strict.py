"""Strict reading: JSON without repeated keys, floats or NaN; exact rationals; exact field sets."""
# fmt: off
from __future__ import annotations

import json
import re
from fractions import Fraction
from math import gcd
from typing import NoReturn, cast

Json = dict[str, object]
MAX_TEXT, DIGITS = 1 << 28, 4000  # fewer digits than CPython's own limit for int(str)
_RATIONAL = re.compile(r"(0|-?[1-9][0-9]*)(?:/([1-9][0-9]*))?", re.ASCII)

class Reject(Exception):
    """The certificate is not accepted; the message says why."""

def require(condition: bool, why: str) -> None:
    """Reject with this reason unless the condition holds."""
    if not condition:
        raise Reject(why)

def _unique(pairs: list[tuple[str, object]]) -> Json:
    require(len(dict(pairs)) == len(pairs), "an object repeats a key")
    return dict(pairs)

def _refuse(token: str) -> NoReturn:
    raise Reject(f"{token[:20]!a} is not a small integer; other numbers are strings")

def read(text: str | bytes) -> object:
    """Parse JSON text, refusing whatever two readers could understand differently."""
    require(len(text) <= MAX_TEXT, "the text is too long")
    return json.loads(text if isinstance(text, str) else text.decode("utf-8"), parse_float=_refuse,
                      object_pairs_hook=_unique, parse_constant=_refuse,
                      parse_int=lambda token: int(token) if len(token) < 20 else _refuse(token))

def mapping(value: object) -> Json:
    """Return the object."""
    require(isinstance(value, dict), "an object was expected")
    return cast(Json, value)

def fields(value: object, required: str, optional: str = "") -> Json:
    """Return the object, which must have exactly these fields (names separated by spaces)."""
    found, needed = mapping(value), set(required.split())
    wrong = (needed - set(found)) | (set(found) - needed - set(optional.split()))
    require(not wrong, f"a missing or unknown field: {min(wrong, default='')[:40]!a}")
    return found

def items(value: object) -> list[object]:
    """Return the list."""
    require(isinstance(value, list), "a list was expected")
    return cast("list[object]", value)

def word(value: object) -> str:
    """Return the string."""
    require(isinstance(value, str), "a string was expected")
    return cast(str, value)

def integer(value: object, low: int, high: int) -> int:
    """Return the integer, which must lie in [low, high]; a boolean is not an integer."""
    if type(value) is int and low <= value <= high:
        return value
    raise Reject(f"an integer in [{low}, {high}] was expected")

def rational(value: object) -> Fraction:
    """Return the rational written "p" or "p/q", in lowest terms and with q > 1."""
    found = _RATIONAL.fullmatch(value) if isinstance(value, str) else None
    if found is None or max(map(len, found[0].split("/"))) > DIGITS:
        raise Reject("a rational 'p' or 'p/q' of at most 4000 digits was expected")
    top, bottom = int(found[1]), int(found[2] or 1)
    require(found[2] is None or (bottom > 1 == gcd(top, bottom)), "a rational not in lowest terms")
    return Fraction(top, bottom)
