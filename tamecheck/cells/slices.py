"""Coordinates for the cells: all varying inputs, or an affine slice of a large input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tamecheck.cells.forms import ExactForms
from tamecheck.errors import InputError
from tamecheck.ir.box import Box
from tamecheck.ir.exact import parse_rational, rational
from tamecheck.ir.tensor import Shape, size_of

__all__ = ["Slice", "element_names", "slice_of_box", "slice_of_points"]

Matrix = tuple[tuple[Fraction, ...], ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """``x = matrix u + origin`` for coordinates ``u`` in a box.

    Parameters
    ----------
    matrix, origin
        One row, one entry for each input element.
    bounds
        The interval of each coordinate.
    names
        The coordinates' names.
    """

    matrix: Matrix
    origin: tuple[Fraction, ...]
    bounds: tuple[tuple[Fraction, Fraction], ...]
    names: tuple[str, ...]

    def forms(self) -> ExactForms:
        """The input elements as forms of the coordinates."""
        rows = [(*row, last) for row, last in zip(self.matrix, self.origin, strict=True)]
        return ExactForms.of_rows(len(self.bounds), rows)

    def point(self, u: Sequence[Fraction]) -> tuple[Fraction, ...]:
        """The input at a coordinate point."""
        return tuple(
            sum((a * v for a, v in zip(row, u, strict=True)), c)
            for row, c in zip(self.matrix, self.origin, strict=True)
        )


def element_names(inputs: Mapping[str, Shape]) -> tuple[str, ...]:
    """A name for every input element: ``x`` or ``x[3]``."""
    names: list[str] = []
    for name, shape in inputs.items():
        size = size_of(shape)
        names += [name] if size == 1 else [f"{name}[{index}]" for index in range(size)]
    return tuple(names)


def slice_of_box(inputs: Mapping[str, Shape], box: Box) -> Slice:
    """The inputs themselves as coordinates; those that the box fixes are constants.

    Raises
    ------
    InputError
        If the box is unbounded, naming the input.
    """
    box.checked(inputs)
    for name, shape in inputs.items():
        if any(None in pair for pair in box.side(name).elements(size_of(shape))):
            raise InputError(
                f"Input {name!r} is unbounded.",
                hint="Cells are computed on a bounded box: give --box -1:1, say.",
            )
    pairs = box.elements(inputs)
    ends = [(low, high) for low, high in pairs if low is not None and high is not None]
    moving = [index for index, (low, high) in enumerate(ends) if low < high]
    names = element_names(inputs)
    matrix = tuple(
        tuple(Fraction(int(index == axis)) for axis in moving) for index in range(len(ends))
    )
    origin = tuple(low if low == high else Fraction(0) for low, high in ends)
    bounds = tuple(ends[index] for index in moving)
    return Slice(matrix, origin, bounds, tuple(names[index] for index in moving))


def slice_of_points(inputs: Mapping[str, Shape], document: Mapping[str, Any]) -> Slice:
    """A slice from ``{"origin": [..], "directions": [[..], ..], "bounds": [[low, high], ..]}``.

    Numbers are exact: a string ``"p/q"``, or a float for the rational that it denotes.

    Raises
    ------
    InputError
        If a part is missing or has the wrong length.
    """
    size = sum(size_of(shape) for shape in inputs.values())
    try:
        origin = tuple(_number(v) for v in document["origin"])
        directions = [tuple(_number(v) for v in row) for row in document["directions"]]
        bounds = tuple(
            (_number(low), _number(high))
            for low, high in document.get("bounds", [(-1, 1)] * len(directions))
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"The slice cannot be read ({type(error).__name__}: {error}).",
            hint="It has origin, directions and bounds.",
        ) from None
    if len(origin) != size or any(len(row) != size for row in directions):
        raise InputError(f"The slice's vectors must have {size} elements.")
    if len(bounds) != len(directions) or any(low > high for low, high in bounds):
        raise InputError("The slice needs one interval low <= high for each direction.")
    matrix = tuple(tuple(row[index] for row in directions) for index in range(size))
    names = tuple(f"u{number + 1}" for number in range(len(directions)))
    return Slice(matrix, origin, bounds, names)


def _number(value: Any) -> Fraction:
    return parse_rational(value) if isinstance(value, str) else rational(value)
