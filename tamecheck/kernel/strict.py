"""Strict reading: JSON without repeated keys, floats or NaN; exact rationals; the work allowed."""

# fmt: off
# ruff: noqa: D103, E701, E704, FBT001  (small functions, each with a name that says it all)
import json
import re
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from fractions import Fraction
from math import gcd, lcm
from typing import Any, NoReturn

Json = dict[str, object]
_RATIONAL = re.compile(r"(0|-?[1-9][0-9]*)(?:/([1-9][0-9]*))?", re.ASCII)

class Reject(Exception):  # noqa: N818
    """The certificate is not accepted; the message says why."""

class Spent(Exception):  # noqa: N818
    """The check has done all the work that it may do, and is not at its end."""

_LEFT: ContextVar[int] = ContextVar("_LEFT", default=1 << 80)  # steps, in this thread

@contextmanager
def allowance(steps: int) -> Generator[None, None, None]:
    before = _LEFT.set(steps)
    try: yield
    finally: _LEFT.reset(before)

def spend(steps: int, bits: int = 0) -> None:
    """Take steps from what is allowed, each on numbers of so many bits, in quadratic time."""
    left = _LEFT.get() - steps * (1 + (bits >> 10) ** 2)
    if left < 0: raise Spent
    _LEFT.set(left)

def common(denominators: Iterable[int], most: int) -> int | None:
    """Return the least common multiple, None if it has more bits than that."""
    found = 1
    for d in denominators:
        found = lcm(found, d)
        spend(1, found.bit_length())
        if found.bit_length() > most: return None
    return found

def require(condition: bool, why: str) -> None:
    if not condition: raise Reject(why)

def _unique(pairs: list[tuple[str, object]]) -> Json:
    require(len(dict(pairs)) == len(pairs), "an object repeats a key")
    return dict(pairs)

def _refuse(token: str) -> NoReturn:
    raise Reject(f"{token[:20]!a} is not a small integer; other numbers are strings")

def read(text: str | bytes) -> object:
    require(len(text) <= 1 << 28, "the text is too long")
    return json.loads(text if isinstance(text, str) else text.decode("utf-8"), parse_float=_refuse,
                      object_pairs_hook=_unique, parse_constant=_refuse,
                      parse_int=lambda token: int(token) if len(token) < 20 else _refuse(token))

def _typed(value: object, kind: type, name: str) -> Any:
    require(type(value) is kind, f"{name} was expected")
    return value

def mapping(value: object) -> Json: return _typed(value, dict, "an object")
def items(value: object) -> list[object]: return _typed(value, list, "a list")
def word(value: object) -> str: return _typed(value, str, "a string")
def flag(value: object) -> bool: return _typed(value, bool, "true or false")

def fields(value: object, required: str, optional: str = "") -> Json:
    found, needed = mapping(value), set(required.split())
    wrong = (needed - set(found)) | (set(found) - needed - set(optional.split()))
    require(not wrong, f"a missing or unknown field: {min(wrong, default='')[:40]!a}")
    return found

def integer(value: object, low: int, high: int) -> int:
    if type(value) is int and low <= value <= high: return value
    raise Reject(f"an integer in [{low}, {high}] was expected")

def rational(value: object) -> Fraction:
    found = _RATIONAL.fullmatch(value) if isinstance(value, str) else None
    if found is None or max(map(len, found[0].split("/"))) > 4000:  # CPython reads 4300 digits
        raise Reject("a rational 'p' or 'p/q' of at most 4000 digits was expected")
    spend(1, 4 * len(found[0]))
    top, bottom = int(found[1]), int(found[2] or 1)
    require(found[2] is None or (bottom > 1 == gcd(top, bottom)), "a rational not in lowest terms")
    return Fraction(top, bottom)
