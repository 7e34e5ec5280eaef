"""Exact numbers as text that loses nothing."""

from __future__ import annotations

from fractions import Fraction

from flint import arb

from tamecheck.ir.exact import MAX_EXPONENT, rational_text

__all__ = ["exact_text"]

_DIGITS = 25


def exact_text(value: Fraction | arb) -> str:
    """A rational as ``p`` or ``p/q``; a ball as ``[m +/- r]``, decimals that enclose it."""
    if isinstance(value, Fraction):
        return rational_text(value)
    if value.is_exact():
        mantissa, exponent = value.man_exp()
        if abs(int(exponent)) <= MAX_EXPONENT:
            return rational_text(int(mantissa) * Fraction(2) ** int(exponent))
    text: str = value.str(_DIGITS)
    if not text.startswith("["):
        return f"[{text} +/- 0]"
    # Arb omits a midpoint of which no digit is known
    return text.replace("[+/-", "[0 +/-")
