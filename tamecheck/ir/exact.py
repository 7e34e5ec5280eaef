"""Numbers, exactly: a float is the rational that it denotes, a decimal literal what it says."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from tamecheck.errors import InputError

__all__ = ["MAX_EXPONENT", "parse_rational", "rational", "rational_text"]

MAX_EXPONENT = 4_000
"""Decimal exponents beyond this are refused: ``1e999999999`` would fill the memory."""

# below the 4,300 digits that Python converts between int and str
_MAX_DIGITS = 4_000
_MAX_BITS = 13_500
_LITERAL = re.compile(
    r"(?P<sign>[+-]?)(?:(?P<numerator>\d+)/(?P<denominator>\d+)"
    r"|(?P<whole>\d*)(?:\.(?P<part>\d*))?(?:[eE](?P<exponent>[+-]?\d+))?)",
    re.ASCII,
)


def rational(value: float | Fraction) -> Fraction:
    """The rational number that a float, an integer or a NumPy scalar denotes.

    Raises
    ------
    InputError
        If the value is NaN or infinite.
    """
    if isinstance(value, Fraction):
        return value
    if isinstance(value, int):
        return Fraction(value)
    number = float(value)
    if not math.isfinite(number):
        raise InputError(f"{number} is not a real number.", hint="Weights must be finite.")
    return Fraction(number)


def parse_rational(text: str) -> Fraction:
    """The number that a decimal (``-1.5e-3``) or ``p/q`` literal denotes, without rounding.

    Raises
    ------
    InputError
        If the text is no such literal, or is too long to be meant seriously.
    """
    match = _LITERAL.fullmatch(text.strip())
    if match is None or max(len(part or "") for part in match.groups()) > _MAX_DIGITS:
        raise InputError(f"{text[:40]!r} is not a number.", hint="Write -1.5, 2e-3 or 1/3.")
    sign = -1 if match["sign"] == "-" else 1
    if match["numerator"] is not None:
        if int(match["denominator"]) == 0:
            raise InputError(f"{text!r} has denominator 0.")
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
    value = sign * Fraction(int(whole + part or "0"), 10 ** len(part)) * Fraction(10) ** exponent
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MAX_BITS:
        raise InputError(f"{text[:40]!r} has too many digits.")
    return value


def rational_text(value: Fraction) -> str:
    """The canonical text of a rational: ``p`` or ``p/q`` in lowest terms."""
    return str(value)
