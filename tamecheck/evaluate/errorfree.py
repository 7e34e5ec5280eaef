"""Error-free transformations: what a float64 sum or product rounds away (Dekker, Knuth)."""

from __future__ import annotations

import numpy as np

from tamecheck.ir.tensor import Array

__all__ = ["product_error", "sum_error"]

_SPLITTER = 134217729.0
_SAFE_HIGH = 2.0**480
_SAFE_LOW = 2.0**-480


def sum_error(a: Array, b: Array, total: Array) -> Array:
    """``(a + b) - total`` exactly, for ``total`` the rounded sum; NaN where that overflowed."""
    back = total - a
    return (a - (total - back)) + (b - back)


def product_error(a: Array, b: Array, product: Array) -> Array:
    """``a b - product`` exactly, for ``product`` the rounded product; NaN where not known.

    Not known means that a factor is so large or so small that the splitting of the factors could
    overflow or underflow.  A zero factor gives 0.
    """
    high_a, low_a = _split(a)
    high_b, low_b = _split(b)
    error = ((high_a * high_b - product) + high_a * low_b + low_a * high_b) + low_a * low_b
    size_a, size_b = np.abs(a), np.abs(b)
    safe = (np.maximum(size_a, size_b) < _SAFE_HIGH) & (np.minimum(size_a, size_b) > _SAFE_LOW)
    zero = ((size_a == 0) & np.isfinite(b)) | ((size_b == 0) & np.isfinite(a))
    return np.where(safe, error, np.where(zero, 0.0, np.nan))


def _split(a: Array) -> tuple[Array, Array]:
    scaled = _SPLITTER * a
    high = scaled - (scaled - a)
    return high, a - high
