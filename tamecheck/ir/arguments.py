"""What a caller gives, as exact numbers, arrays, paths and choices; or one clear error."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tamecheck.errors import InputError
from tamecheck.ir.exact import rational, shown

if TYPE_CHECKING:
    from tamecheck.ir.tensor import Array

T = TypeVar("T")


def instance(value: Any, kind: type[T], *, what: str, hint: str = "") -> T:
    """The value itself, if it is of a class.

    Raises `InputError` if it is not.
    """
    if not isinstance(value, kind):
        raise InputError(f"The {what} is {shown(value)}, which is no {kind.__name__}.", hint=hint)
    return value


def mapping(value: Any, *, what: str, hint: str = "") -> Mapping[str, Any]:
    """A mapping whose keys are texts.

    Raises `InputError` if it is none.
    """
    found = cast("Mapping[object, Any]", instance(value, Mapping, what=what, hint=hint))
    for key in found:
        instance(key, str, what=f"name of an entry of the {what}")
    return cast("Mapping[str, Any]", found)


def path(value: Any, *, what: str = "path") -> str:
    """A path as text.

    Raises
    ------
    InputError
        If it is neither a text nor a path object.
    """
    if not isinstance(value, str | os.PathLike):
        raise InputError(f"The {what} is {shown(value)}, which is no path.")
    found = os.fspath(cast("str | os.PathLike[str]", value))
    return instance(found, str, what=what)


def choice(value: Any, options: Iterable[str], *, what: str) -> str:
    """One of some words.

    Raises
    ------
    InputError
        If it is none of them.
    """
    known = tuple(options)
    if not isinstance(value, str) or value not in known:
        raise InputError(f"There is no {what} {shown(value)}.", hint=f"Known: {', '.join(known)}.")
    return value


def natural(value: Any, *, what: str) -> int:
    """An integer of any type that is not negative.

    Raises `InputError` if it is none, or longer than 63 bits.
    """
    number = None if isinstance(value, bool | str) else _number(value)
    if number is None or number.denominator != 1 or not 0 <= number < 2**63:
        raise InputError(f"The {what} is {shown(value)}, which is no natural number.")
    return int(number)


def seconds(value: Any, *, what: str = "timeout") -> float | None:
    """Seconds, or None for no limit.

    Raises
    ------
    InputError
        If it is no number, or NaN.
    """
    if value is None or (isinstance(value, float) and value == float("inf")):
        return None
    number = None if isinstance(value, str | bool) else _number(value)
    if number is None:
        raise InputError(f"The {what} is {shown(value)}, which is no number of seconds.")
    return float(max(min(number, Fraction(10**9)), Fraction(-1)))


def _number(value: Any) -> Fraction | None:
    try:
        return rational(value)
    except InputError:
        return None


def is_numeric(given: Any) -> bool:
    """Whether something is a NumPy array of floats, integers or booleans."""
    import numpy as np

    return isinstance(given, np.ndarray) and cast("Array", given).dtype.kind in "fiub"


def _objects(given: Any, what: str) -> Array:
    import numpy as np

    if isinstance(given, Mapping | bytes):
        raise InputError(f"The {what} is {_shown(given)}, which is no array of numbers.")
    many = isinstance(given, Iterable) and not isinstance(given, str | np.ndarray)
    # an iterator would be one object
    listed = list(cast("Iterable[Any]", given)) if many else cast("Any", given)
    try:
        return np.asarray(listed, dtype=object)
    except ValueError:
        raise InputError(f"The {what} is {_shown(given)}, whose rows differ in length.") from None


def _shown(given: Any) -> str:
    return shown(given)


def rationals(values: Any, *, what: str) -> Array:
    """An array of exact numbers, from nested sequences, an array, or one number.

    Raises `InputError`, naming the first element that is no number.
    """
    import numpy as np

    array = _objects(values, what)
    found = np.empty(array.size, dtype=object)
    for place, value in enumerate(array.reshape(-1).tolist()):
        number = _number(value)
        if number is None:
            raise InputError(f"The {what} holds {shown(value)}, which is no real number.")
        found[place] = number
    return found.reshape(array.shape)


def values(given: Any, *, what: str) -> Array:
    """An array of numbers as it is, or of exact ones.

    Raises
    ------
    InputError
        As `rationals`.
    """
    import numpy as np

    if is_numeric(given):
        return cast("Array", given)
    found = rationals(given, what=what)
    whole = all(v.denominator == 1 and abs(v) < 2**63 for v in found.reshape(-1).tolist())
    return found.astype(np.int64) if whole else found


def float_array(given: Any, *, what: str) -> Array:
    """An array of float64, from nested sequences, an array, or one number.

    Raises `InputError` if an element is no number, or lies beyond float64.
    """
    import numpy as np

    if is_numeric(given):
        return cast("Array", given).astype(np.float64)
    array = _objects(given, what)
    texts = any(isinstance(value, str | bytes) for value in array.reshape(-1).tolist())
    found = None if texts else _floats(array)
    if found is None:
        raise InputError(f"The {what} is {_shown(given)}, which is no array of floats.")
    return found


def _floats(array: Array) -> Array | None:
    import numpy as np

    try:
        return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
