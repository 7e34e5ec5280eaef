"""The option ``--slice``: free inputs by name, or an affine slice in a file."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from tamecheck.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from fractions import Fraction
    from typing import TypeAlias

    from tamecheck.cells import Slice
    from tamecheck.cli.options import Parser
    from tamecheck.ir.box import Box
    from tamecheck.model import Model

    Point: TypeAlias = Mapping[str, Sequence[Fraction | None]]

__all__ = ["add_slice", "chosen_slice", "in_file", "point_of", "slice_of"]

_EXAMPLE = "Write --slice 'x[0],x[3]', or a JSON file with origin, directions and bounds."


def add_slice(parser: Parser, *, at: bool = True) -> None:
    """Add ``--slice``, and ``--at`` for the inputs that a slice fixes.

    Parameters
    ----------
    parser
        The verb's parser.
    at
        False for a verb with an ``--at`` of its own.
    """
    parser.add_argument(
        "--slice",
        metavar="INPUTS|FILE",
        help="free inputs, 'x[0],x[3]', the others fixed at --at or at the middle of the box; or "
        "a .json file with origin, directions and bounds of the coordinates",
    )
    if at:
        parser.add_argument(
            "--at", metavar="POINT", help="the point through which --slice goes: 'x=0,y=1/3'"
        )


def slice_of(text: str, model: Model, box: Box, at: Point | None = None) -> Slice:
    """The slice that the option describes.

    Parameters
    ----------
    text
        Names of input elements, ``x`` or ``x[3]``, by commas; or the name of a ``.json`` file.
    model
        The model.
    box
        The domain: the free inputs' intervals.
    at
        The values of inputs' elements.  Fixed ones without a value are at the middle of ``box``.

    Raises
    ------
    InputError
        If a name is unknown, a free input is unbounded or has a value outside of its interval, or
        a fixed one has no value.
    """
    if in_file(text):
        return _from_file(text, model)
    return _from_names(text, model, box, at)


def chosen_slice(args: Namespace, model: Model) -> Slice | None:
    """The slice of ``--slice``, ``--at``, ``--box`` and ``--spec``; None without ``--slice``."""
    from tamecheck.cli.source import domain_of

    if args.slice is None:
        if args.at is not None:
            raise InputError("--at goes with --slice.", hint=_EXAMPLE)
        return None
    if args.at is None:
        at = None
    elif in_file(args.slice):
        raise InputError("A slice in a file has an origin of its own.", hint="Leave out --at.")
    else:
        at = point_of(args.at, model)
    return slice_of(args.slice, model, domain_of(args, model), at)


def point_of(text: str, model: Model) -> Point:
    """The values that ``--at`` gives to inputs' elements."""
    from tamecheck.loaders.text.box import parse_point

    return parse_point(text, model.inputs, where="--at")


def in_file(text: str) -> bool:
    """Whether ``--slice`` names a file."""
    return text.lower().endswith((".json", ".json.gz"))


def _from_file(path: str, model: Model) -> Slice:
    from tamecheck.cells import slice_of_points
    from tamecheck.loaders.files import read_text

    try:
        document: Any = json.loads(read_text(path), parse_float=str, parse_int=str)
    except json.JSONDecodeError as error:
        raise InputError(f"This is not JSON ({error.msg}).", where=path) from None
    return slice_of_points(model.inputs, document)


def _from_names(text: str, model: Model, box: Box, at: Point | None) -> Slice:
    from fractions import Fraction

    from tamecheck.cells import Slice, element_names
    from tamecheck.ir.tensor import size_of

    names = element_names(model.inputs)
    free = _positions(text, names)
    sides = [
        side
        for name, shape in model.inputs.items()
        for side in box.side(name).elements(size_of(shape))
    ]
    given = (
        [None] * len(names)
        if at is None
        else [value for name in model.inputs for value in at[name]]
    )
    bounds: list[tuple[Fraction, Fraction]] = []
    for index in free:
        low, high = sides[index]
        if low is None or high is None:
            raise InputError(
                f"The free input {names[index]} is unbounded.", where="--slice", hint="Give --box."
            )
        value = given[index]
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
            origin.append(Fraction(0))
        elif value is not None:
            origin.append(value)
        elif low is not None and high is not None:
            origin.append((low + high) / 2)
        else:
            raise InputError(
                f"Input {names[index]} has no value and an unbounded side.",
                where="--slice",
                hint=f"Give --at '{names[index]}=0'.",
            )
    matrix = tuple(
        tuple(Fraction(int(index == axis)) for axis in free) for index in range(len(names))
    )
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
