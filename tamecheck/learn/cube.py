"""The vertices of a cube: all vectors of signs of a length."""

from __future__ import annotations

from functools import cache

import numpy as np

from tamecheck.learn.network import Floats

__all__ = ["patterns"]


@cache
def patterns(count: int) -> Floats:
    """All vectors of signs of a length, ``(2**count, count)``; bit j of a row's number is j's."""
    numbers = np.arange(2**count, dtype=np.int64)[:, None]
    table: Floats = np.where(numbers >> np.arange(count, dtype=np.int64) & 1, 1.0, -1.0)
    table.flags.writeable = False
    return table
