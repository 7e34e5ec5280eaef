"""Strict reading: JSON without repeated keys, floats or NaN; exact rationals in lowest terms."""

# ruff: noqa: D103  (small functions, each with a name that says it all)
import json
import re
from fractions import Fraction
from functools import cache
from hashlib import sha256
from typing import Any, NoReturn

from tamecheck.kernel.strict import Reject, require, spend

Json = dict[str, object]
LONGEST_TEXT = 1 << 28
_RATIONAL = re.compile(r"(0|-?[1-9][0-9]*)(?:/([1-9][0-9]*))?", re.ASCII)


def document(text: str | bytes) -> object:
    """Read JSON in which keys are distinct and numbers are integers of at most 19 characters."""
    require(len(text) <= LONGEST_TEXT, "the text is too long")
    return json.loads(
        text if isinstance(text, str) else text.decode("utf-8"),
        parse_float=_refuse,
        parse_int=_small,
        parse_constant=_refuse,
        object_pairs_hook=_unique,
    )


def _unique(members: list[tuple[str, object]]) -> Json:
    require(len(dict(members)) == len(members), "an object repeats a key")
    return dict(members)


def _small(token: str) -> int:
    return int(token) if len(token) < 20 else _refuse(token)


def _refuse(token: str) -> NoReturn:
    raise Reject(f"{token[:20]!a} is not a small integer; other numbers are strings")


def mapping(value: object) -> Json:
    return _typed(value, dict, "an object")


def items(value: object) -> list[object]:
    return _typed(value, list, "a list")


def word(value: object) -> str:
    return _typed(value, str, "a string")


def flag(value: object) -> bool:
    return _typed(value, bool, "true or false")


def _typed(value: object, kind: type, name: str) -> Any:
    if type(value) is not kind:
        raise Reject(f"{name} was expected")
    return value


def pair(value: object, why: str) -> list[object]:
    return pairs([value], why)[0]


def pairs(value: object, why: str) -> list[list[object]]:
    """Return a list of pairs."""
    found: list[Any] = items(value)
    require(set(map(type, found)) <= {list} and set(map(len, found)) <= {2}, why)
    return found


def digest(value: object) -> str:
    """Return the SHA-256 of the canonical text of what was read."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), check_circular=False)
    require(len(text) <= LONGEST_TEXT, "the text is too long")
    return sha256(text.encode()).hexdigest()


def fields(value: object, required: str, optional: str = "") -> Json:
    """Return an object that has the required fields, and no others but the optional ones."""
    found, needed = mapping(value), _words(required)
    if found.keys() != needed:
        wrong = (needed - set(found)) | (set(found) - needed - _words(optional))
        require(not wrong, f"a missing or unknown field: {min(wrong, default='')[:40]!a}")
    return found


@cache
def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def integer(value: object, low: int, high: int) -> int:
    """Return an integer in [low, high]; a boolean is none."""
    if type(value) is int and low <= value <= high:
        return value
    raise Reject(f"an integer in [{low}, {high}] was expected")


def indices(values: list[Any], count: int) -> list[int]:
    """Return integers from 0 to below the count."""
    known = set(map(type, values)) <= {int}
    for value in (min(values), max(values)) if known and values else values:
        integer(value, 0, count - 1)
    return values


def rational(value: object, digits: int = 4000) -> Fraction:
    """Return a rational, written in lowest terms."""
    if type(value) is str:
        spend(reading(value))
    return Fraction(number(value, digits))


def reading(text: str) -> int:
    """Return the steps that reading a rational takes."""
    return 1 + (len(text) >> 8) ** 2


def number(value: object, digits: int) -> int | Fraction:
    """Return a rational, written in lowest terms, once the steps are spent."""
    found = _RATIONAL.fullmatch(value) if type(value) is str else None
    if found is None or (len(found[0]) > digits and max(map(len, found[0].split("/"))) > digits):
        raise Reject(f"a rational 'p' or 'p/q' of at most {digits} digits was expected")
    if found[2] is None:
        return _decimal(found[1])
    low = _decimal(found[2])
    value = Fraction(_decimal(found[1]), low)
    require(low > 1 and value.denominator == low, "a rational not in lowest terms")
    return value


def _decimal(numeral: str) -> int:
    """Return the integer that a numeral denotes; CPython reads 4300 digits at once."""
    if len(numeral) <= 4000:
        return int(numeral)
    if numeral[0] == "-":
        return -_decimal(numeral[1:])
    half = len(numeral) // 2
    return _decimal(numeral[:-half]) * 10**half + _decimal(numeral[-half:])
