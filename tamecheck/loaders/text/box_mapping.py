"""A box given in Python: a mapping of input names to bounds, or pairs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any, cast

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.arguments import instance, mapping
from tamecheck.ir.box import Bound, Box, Side
from tamecheck.ir.exact import parse_rational, rational, shown
from tamecheck.ir.tensor import Array, Shape, size_of
from tamecheck.loaders.text.box import parse_box

__all__ = ["box_of_mapping", "box_of_rows", "box_of_value"]

_FORMS = "Give x=-1:1 as text, {'x': (-1, 1)}, or one pair (low, high) an input."


def box_of_value(given: Any, inputs: Mapping[str, Shape]) -> Box:
    """The box that a caller gives in whatever form.

    A `Box`; a text as in ``--box``; a mapping as of `box_of_mapping`; pairs ``(lower, upper)``, one
    an input or one an element of all inputs; or None for all of the input space.
    """
    match given:
        case None:
            return Box.everything()
        case Box():
            return _checked(given, inputs)
        case str():
            return parse_box(given, inputs)
        case Mapping():
            return box_of_mapping(mapping(given, what="box"), inputs)  # pyright: ignore[reportUnknownArgumentType]
        case _:
            return _box_of_pairs(given, inputs)


def _checked(box: Box, inputs: Mapping[str, Shape]) -> Box:
    for side in mapping(box.sides, what="box").values():
        instance(side, Side, what="side of the box")
    return box.checked(inputs)


def _box_of_pairs(given: Any, inputs: Mapping[str, Shape]) -> Box:
    pairs = _items(given)
    if pairs is None:
        raise InputError(f"The box is {shown(given)}, which is no box.", hint=_FORMS)
    sizes = [size_of(shape) for shape in inputs.values()]
    if len(pairs) not in (len(sizes), sum(sizes)):
        raise InputError(
            f"The box has {len(pairs)} pairs; the inputs have {sum(sizes)} elements.", hint=_FORMS
        )
    if len(pairs) == len(sizes):
        return box_of_mapping(dict(zip(inputs, pairs, strict=True)), inputs)
    sides: dict[str, tuple[list[Any], list[Any]]] = {}
    start = 0
    for (name, _), size in zip(inputs.items(), sizes, strict=True):
        ends = [_pair(name, pair) for pair in pairs[start : start + size]]
        sides[name] = [low for low, _ in ends], [high for _, high in ends]
        start += size
    return box_of_mapping(sides, inputs)


def _items(given: Any) -> list[Any] | None:
    """The entries of a sequence or an array; None if it is none."""
    if isinstance(given, str | bytes | Mapping | AbstractSet) or not isinstance(given, Iterable):
        return None
    try:
        return list(cast("Iterable[Any]", given))
    except TypeError:
        # an array of no axes
        return None


def _pair(name: str, pair: Any) -> tuple[Any, Any]:
    ends = _items(pair)
    if ends is None or len(ends) != 2:
        raise InputError(f"The box gives {shown(pair)} for {name!r}.", hint="Give (low, high).")
    return ends[0], ends[1]


def box_of_mapping(bounds: Mapping[str, Any], inputs: Mapping[str, Shape]) -> Box:
    """The box of ``{"x": (lower, upper)}``; each bound is a number or one number an element.

    A number may be an int, a float (infinite for no bound), a fraction, a decimal, a NumPy scalar,
    a literal such as ``"1/3"``, or None for no bound.
    """
    sides: dict[str, Side] = {}
    for name, pair in bounds.items():
        lower, upper = _pair(name, pair)
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
    try:
        flat: list[Any] = np.asarray(values, dtype=object).reshape(-1).tolist()
    except ValueError:
        raise InputError(f"The box holds {shown(values)}, which is no row of numbers.") from None
    return tuple(_bound(value, unbounded) for value in flat)


def _bound(value: Any, unbounded: str) -> Bound:
    match value:
        case None:
            return None
        case str() if value.strip().lower().lstrip("+") == unbounded:
            return None
        case str():
            return parse_rational(value)
        case _ if _is_infinite(value) and (value > 0) == (unbounded == "inf"):
            return None
        case _:
            return rational(value)


def _is_infinite(value: Any) -> bool:
    return isinstance(value, float | Decimal | np.floating) and math.isinf(cast("float", value))


def _stretched(ends: tuple[Bound, ...], size: int) -> tuple[Bound, ...]:
    return ends * size if len(ends) == 1 else ends
