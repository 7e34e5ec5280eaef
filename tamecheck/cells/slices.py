"""Coordinates for the cells: all varying inputs, or an affine slice of a large input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tamecheck.cells.forms import Forms
from tamecheck.errors import InputError
from tamecheck.ir.box import Box
from tamecheck.ir.exact import rational
from tamecheck.ir.tensor import Shape, element_names, size_of

_EXAMPLE = "Write --slice 'x[0],x[3]', or a JSON file with origin, directions and bounds."

Matrix = tuple[tuple[Fraction, ...], ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """``x = matrix u + origin`` for coordinates ``u`` in a box."""

    matrix: Matrix
    origin: tuple[Fraction, ...]
    """One row, one entry for each input element."""
    bounds: tuple[tuple[Fraction, Fraction], ...]
    """The interval of each coordinate."""
    names: tuple[str, ...]
    """The coordinates' names."""

    def forms(self) -> Forms:
        """The input elements as forms of the coordinates."""
        rows = [(*row, last) for row, last in zip(self.matrix, self.origin, strict=True)]
        return Forms.of_rows(len(self.bounds), rows)

    def point(self, u: Sequence[Fraction]) -> tuple[Fraction, ...]:
        """The input at a coordinate point."""
        return tuple(
            sum((a * v for a, v in zip(row, u, strict=True)), c)
            for row, c in zip(self.matrix, self.origin, strict=True)
        )


def slice_of_box(inputs: Mapping[str, Shape], box: Box) -> Slice:
    """The inputs themselves as coordinates; those that the box fixes are constants.

    Raises `InputError` if the box is unbounded, naming the input.
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
        origin = tuple(rational(v) for v in document["origin"])
        directions = [tuple(rational(v) for v in row) for row in document["directions"]]
        bounds = tuple(
            (rational(low), rational(high))
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


def slice_of_names(
    inputs: Mapping[str, Shape],
    text: str,
    box: Box,
    at: Mapping[str, Sequence[Fraction | None]] | None = None,
) -> Slice:
    """The slice in which some input elements, ``x[0],x[3]``, are free within a box.

    The others have their values in ``at``, or are at the middle of the box. Raises `InputError` if
    a name is unknown, a free input is unbounded or has a value outside of its interval, or a fixed
    one has no value.
    """
    names = element_names(inputs)
    free = _positions(text, names)
    sides = box.elements(inputs)
    given: Sequence[Fraction | None] = [None] * len(names)
    if at is not None:
        given = [value for name in inputs for value in at[name]]
    bounds: list[tuple[Fraction, Fraction]] = []
    for index in free:
        (low, high), value = sides[index], given[index]
        if low is None or high is None:
            raise InputError(
                f"The free input {names[index]} is unbounded.", where="--slice", hint="Give --box."
            )
        if value is not None and not low <= value <= high:
            raise InputError(
                f"{names[index]}={value} is outside of the box, where this free input is in "
                f"{low}:{high}.",
                where="--at",
                hint="Leave it out, or widen --box.",
            )
        bounds.append((low, high))
    origin: list[Fraction] = []
    for index, ((low, high), value) in enumerate(zip(sides, given, strict=True)):
        if index in free:
            value = Fraction(0)  # noqa: PLW2901 (it moves along its own direction)
        elif value is None and low is not None and high is not None:
            value = (low + high) / 2  # noqa: PLW2901 (the middle of the box)
        elif value is None:
            raise InputError(
                f"Input {names[index]} has no value and an unbounded side.",
                where="--slice",
                hint=f"Give --at '{names[index]}=0'.",
            )
        origin.append(value)
    matrix = tuple(tuple(Fraction(index == axis) for axis in free) for index in range(len(names)))
    return Slice(matrix, tuple(origin), tuple(bounds), tuple(names[axis] for axis in free))


def _positions(text: str, names: tuple[str, ...]) -> list[int]:
    # x0 is accepted for x[0] where no input is called so
    short = {name.replace("[", "").replace("]", ""): name for name in names}
    found: list[int] = []
    for part in (part.strip() for part in text.split(",")):
        name = part if part in names else short.get(part, part)
        if name not in names:
            shown = ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
            raise InputError(
                f"There is no input element {part!r}.",
                where="--slice",
                hint=f"The elements are {shown}. {_EXAMPLE}",
            )
        if names.index(name) in found:
            raise InputError(f"{part} is named twice.", where="--slice")
        found.append(names.index(name))
    return found
