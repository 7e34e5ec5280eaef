"""The option ``--slice``: free inputs by name, or an affine slice in a file."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from tamecheck.errors import InputError

if TYPE_CHECKING:
    from tamecheck.cells import Slice
    from tamecheck.cli.options import Parser
    from tamecheck.ir.box import Box
    from tamecheck.model import Model

__all__ = ["add_slice", "chosen_slice", "slice_of"]

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


def slice_of(text: str, model: Model, box: Box, at: Box | None = None) -> Slice:
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
        A box whose sides of width 0 fix inputs.  Others are at the middle of ``box``.

    Raises
    ------
    InputError
        If a name is unknown, a free input is unbounded, or a fixed one has no value.
    """
    if text.lower().endswith((".json", ".json.gz")):
        return _from_file(text, model)
    return _from_names(text, model, box, at)


def chosen_slice(args: Namespace, model: Model) -> Slice | None:
    """The slice of ``--slice``, ``--at``, ``--box`` and ``--spec``; None without ``--slice``."""
    from tamecheck.cli.source import domain_of

    if args.slice is None:
        if args.at is not None:
            raise InputError("--at goes with --slice.", hint=_EXAMPLE)
        return None
    at = None if args.at is None else model.box(args.at)
    return slice_of(args.slice, model, domain_of(args, model), at)


def _from_file(path: str, model: Model) -> Slice:
    from tamecheck.cells import slice_of_points
    from tamecheck.load.files import read_text

    try:
        document: Any = json.loads(read_text(path), parse_float=str, parse_int=str)
    except json.JSONDecodeError as error:
        raise InputError(f"This is not JSON ({error.msg}).", where=path) from None
    return slice_of_points(model.inputs, document)


def _from_names(text: str, model: Model, box: Box, at: Box | None) -> Slice:
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
    given = [
        side
        for name, shape in model.inputs.items()
        for side in (
            [(None, None)] * size_of(shape)
            if at is None
            else at.side(name).elements(size_of(shape))
        )
    ]
    bounds: list[tuple[Fraction, Fraction]] = []
    for index in free:
        low, high = sides[index]
        if low is None or high is None:
            raise InputError(
                f"The free input {names[index]} is unbounded.", where="--slice", hint="Give --box."
            )
        bounds.append((low, high))
    origin: list[Fraction] = []
    for index, ((low, high), (first, last)) in enumerate(zip(sides, given, strict=True)):
        if index in free:
            origin.append(Fraction(0))
        elif first is not None and first == last:
            origin.append(first)
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
