"""A box given as a Python mapping of input names to bounds."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.box import Bound, Box, Side
from tamecheck.ir.exact import parse_rational, rational
from tamecheck.ir.tensor import Array, Shape, size_of

__all__ = ["box_of_mapping", "box_of_rows"]


def box_of_mapping(bounds: Mapping[str, Any], inputs: Mapping[str, Shape]) -> Box:
    """The box of ``{"x": (lower, upper)}``; each bound is a number or one number an element.

    A number may be an int, a float (infinite for no bound), a fraction, a literal such as
    ``"1/3"``, or None for no bound.

    Raises
    ------
    InputError
        If a bound is no number, or the box does not fit the inputs.
    """
    sides: dict[str, Side] = {}
    for name, pair in bounds.items():
        try:
            lower, upper = pair
        except (TypeError, ValueError):
            raise InputError(
                f"The box gives {pair!r} for {name!r}.", hint="Give (low, high)."
            ) from None
        size = size_of(inputs[name]) if name in inputs else 1
        low, high = _ends(lower, "-inf"), _ends(upper, "inf")
        if len(low) != len(high):
            low, high = (_stretched(side, max(len(low), len(high), size)) for side in (low, high))
        sides[name] = Side(low, high)
    return Box(sides).checked(inputs)


def box_of_rows(rows: Array, inputs: Mapping[str, Shape]) -> Box:
    """The smallest box that holds some points, whose columns are all input elements in order."""
    low, high = rows.min(axis=0).tolist(), rows.max(axis=0).tolist()
    bounds: dict[str, tuple[list[Any], list[Any]]] = {}
    start = 0
    for name, shape in inputs.items():
        stop = start + size_of(shape)
        bounds[name] = low[start:stop], high[start:stop]
        start = stop
    return box_of_mapping(bounds, inputs)


def _ends(values: Any, unbounded: str) -> tuple[Bound, ...]:
    flat: list[Any] = np.asarray(values, dtype=object).reshape(-1).tolist()
    return tuple(_bound(value, unbounded) for value in flat)


def _bound(value: Any, unbounded: str) -> Bound:
    match value:
        case None:
            return None
        case str() if value.strip().lower().lstrip("+") == unbounded:
            return None
        case str():
            return parse_rational(value)
        case float() if value == float(unbounded):
            return None
        case Fraction() | int() | float():
            return rational(value)
        case _:
            raise InputError(f"The box holds {value!r}, which is no number.")


def _stretched(ends: tuple[Bound, ...], size: int) -> tuple[Bound, ...]:
    return ends * size if len(ends) == 1 else ends
