"""Numbers, exactly: a float is the rational that it denotes, a decimal literal what it says."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from decimal import ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from numbers import Rational
from typing import Any, TypeVar

from tamecheck.errors import InputError

_A = TypeVar("_A")
_B = TypeVar("_B")

ZERO, ONE = Fraction(0), Fraction(1)

MAX_EXPONENT = 4_000
"""Decimal exponents beyond this are refused: ``1e999999999`` would fill the memory."""

# below the 4,300 digits that Python converts between int and str
_MAX_DIGITS = 4_000
_MAX_BITS = 13_500
_APART = 4
_SHOWN = 60
_LITERAL = re.compile(
    r"(?P<sign>[+-]?)(?:(?P<numerator>\d+)/(?P<denominator>\d+)"
    r"|(?P<whole>\d*)(?:\.(?P<part>\d*))?(?:[eE](?P<exponent>[+-]?\d+))?)",
    re.ASCII,
)


def shown(value: Any) -> str:
    """A value in an error: its beginning, on one line."""
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return f"an integer of {value.bit_length()} bits"
    try:
        text = " ".join(repr(value).split())
    except Exception:  # noqa: BLE001 (a foreign object's own fault)
        return f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def rational(value: Any) -> Fraction:
    """The rational number that a number of any type denotes: a float, a decimal, a NumPy scalar.

    A text is the literal that it spells, as in `parse_rational`.

    Raises
    ------
    InputError
        If the value is no number, or NaN, or infinite, or has more than 13,500 bits.
    """
    match value:
        case Fraction():
            return value
        case int():
            found = Fraction(value)
        case str():
            found = parse_rational(value)
        case float() | Decimal():
            if not math.isfinite(value):
                raise InputError(f"{value} is not a real number.", hint="Weights must be finite.")
            found = Fraction(value)
        case _:
            found = _scalar(value)
    if max(found.numerator.bit_length(), found.denominator.bit_length()) > _MAX_BITS:
        raise InputError(f"{shown(found.numerator)} has too many digits.")
    return found


def _scalar(value: Any) -> Fraction:
    """A number of another library: a scalar or array of one element, or what has a ratio."""
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        item = value.item()
        if item is not value and not hasattr(item, "shape"):
            return rational(item)
    if isinstance(value, Rational):
        return Fraction(int(value.numerator), int(value.denominator))
    try:
        # of NumPy's long floats and of other libraries' numbers
        numerator, denominator = value.as_integer_ratio()
        return Fraction(int(numerator), int(denominator))
    except (AttributeError, TypeError, ValueError, OverflowError):
        raise InputError(f"{shown(value)} is not a real number.") from None


def parse_rational(text: str) -> Fraction:
    """The number that a decimal (``-1.5e-3``) or ``p/q`` literal denotes, without rounding.

    Raises `InputError` if the text is no such literal, or is too long to be meant seriously.
    """
    match = _LITERAL.fullmatch(text.strip())
    long = len(text) > _MAX_DIGITS
    if match is None or (long and max(len(p or "") for p in match.groups()) > _MAX_DIGITS):
        raise InputError(f"{text[:40]!r} is not a number.", hint="Write -1.5, 2e-3 or 1/3.")
    sign = -1 if match["sign"] == "-" else 1
    if match["numerator"] is not None:
        if int(match["denominator"]) == 0:
            raise InputError(f"{text[:40]!r} has denominator 0.")
        return sign * Fraction(int(match["numerator"]), int(match["denominator"]))
    whole, part = match["whole"] or "", match["part"] or ""
    if not whole and not part:
        raise InputError(f"{text[:40]!r} is not a number.", hint="Write -1.5, 2e-3 or 1/3.")
    if len(match["exponent"] or "") > 6:
        raise InputError(f"The exponent of {text[:40]!r} is out of range.")
    exponent = int(match["exponent"] or 0)
    if abs(exponent) > MAX_EXPONENT:
        raise InputError(f"The exponent of {text[:40]!r} is out of range.")
    if len(whole + part) > _MAX_DIGITS:
        raise InputError(f"{text[:40]!r} has too many digits.")
    top, places = sign * int(whole + part), exponent - len(part)
    value = Fraction(top * 10**places) if places > 0 else Fraction(top, 10**-places)
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MAX_BITS:
        raise InputError(f"{text[:40]!r} has too many digits.")
    return value


def map_once(function: Callable[[_A], _B], values: Sequence[_A]) -> list[_B]:
    """The function of each value, computed once for an object that occurs often.

    Numbers of large files are few objects.
    """
    places = list(map(id, values))
    found = {key: function(value) for key, value in dict(zip(places, values, strict=True)).items()}
    return list(map(found.__getitem__, places))


def rational_text(value: Fraction) -> str:
    """The canonical text of a rational: ``p`` or ``p/q`` in lowest terms, of any length."""
    try:
        return str(value)
    except ValueError:
        # Python itself writes integers of at most 4,300 digits
        from flint import fmpz

        top, low = str(fmpz(value.numerator)), str(fmpz(value.denominator))
        return top if low == "1" else f"{top}/{low}"


def bound_text(bound: Fraction | None) -> str | None:
    """The text of a bound; None where there is none."""
    return None if bound is None else rational_text(bound)


def decimal_text(value: Fraction, digits: int = 6) -> str:
    """A decimal near a rational of any size, for people."""
    try:
        return f"{float(value):.{digits}g}"
    except OverflowError:
        from flint import arb, fmpq

        return arb(fmpq(value.numerator, value.denominator)).str(digits, radius=False)


def decimal_below(value: Fraction) -> str:
    """The largest decimal of six digits that is not above a rational, for people."""
    parts = map(Decimal, (value.numerator, value.denominator))
    down = Context(prec=6, rounding=ROUND_FLOOR).divide(*parts)
    return decimal_text(Fraction(down), 6)


def decimal_between(low: Fraction, high: Fraction) -> Fraction:
    """A short decimal between two numbers: near their geometric mean where they are far apart."""
    if low == 0:
        middle = high / _APART
    elif low * _APART < high:
        middle = low * Fraction(2) ** (_bits(high / low) // 2)
    else:
        middle = (low + high) / 2
    room = min(middle - low, high - middle)
    # about a hundredth of the room, or less
    unit = Fraction(10) ** (math.floor(_bits(room) * math.log10(2)) - 2)
    for scale in (10, 1):
        found = round(middle / (unit * scale)) * unit * scale
        if low + room / 2 < found < high - room / 2:
            return found
    return middle


def _bits(value: Fraction) -> int:
    """The logarithm of a positive number to base 2, at most 1 off; also of those beyond floats."""
    return value.numerator.bit_length() - value.denominator.bit_length()


def rational_of_text(text: str) -> Fraction:
    """The rational that `rational_text` writes, of any length."""
    from flint import fmpz

    top, _, low = text.partition("/")
    return Fraction(int(fmpz(top)), int(fmpz(low or "1")))
