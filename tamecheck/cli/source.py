"""The model, the program, the domain and the slice that the arguments name."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tamecheck.cli.answer import message
from tamecheck.errors import InputError

if TYPE_CHECKING:
    from tamecheck.cells import Slice
    from tamecheck.ir.box import Box
    from tamecheck.ir.tensor import Array, Shape
    from tamecheck.loaders.programs.draft import ProgramFile
    from tamecheck.model import Model


Point: TypeAlias = Mapping[str, Sequence[Fraction | None]]
_EXAMPLE = "Write --slice 'x[0],x[3]', or a JSON file with origin, directions and bounds."


def name_of(args: Namespace) -> str:
    """The file or the expression, for titles."""
    return args.model if args.expr is None else args.expr


def names_program(args: Namespace) -> bool:
    """Whether ``MODEL`` is a file that holds a mixed-integer program."""
    if args.model is None or args.expr is not None:
        return False
    from tamecheck.loaders.files import suffix_of
    from tamecheck.loaders.programs.json_program import is_program_json

    suffix = suffix_of(args.model)
    found = suffix in {".mps", ".lp"} or (suffix == ".json" and is_program_json(args.model))
    if found and args.dim:
        raise InputError("A program has no open dimensions.", where="--dim")
    return found


def model_of(args: Namespace, *, notes: bool = True) -> Model:
    """The model that ``MODEL`` or ``--expr`` names; notes on reading it are said on stderr."""
    import tamecheck

    if (args.model is None) == (args.expr is None):
        what = "No model is given." if args.model is None else "Both MODEL and --expr are given."
        raise InputError(what, hint="Give one: a .onnx or .json file, or --expr 'max(x,0)'.")
    dims = dims_of(args)
    if args.expr is None:
        model = _load(args.model, tuple(dims.items()), _state(args.model))
    elif dims:
        raise InputError("An expression has no open dimensions.", where="--dim")
    else:
        model = tamecheck.expression(args.expr)
    for note in model.loaded.notes if notes else ():
        message(args, note)
    return model


@lru_cache(maxsize=2)
def _load(path: str, dims: tuple[tuple[str, int], ...], _state: object) -> Model:
    """A model as it was loaded for the last items, if its file is still what it was."""
    import tamecheck

    return tamecheck.load(path, dims=dict(dims))


def _state(path: str) -> object:
    """What changes when a model's file does, or what is known of its training."""
    found: list[object] = []
    for name in (path, f"{path}.features.json"):
        with suppress(OSError, ValueError):
            there = Path(name).stat()
            found.append((name, there.st_mtime_ns, there.st_size))
    return tuple(found)


def dims_of(args: Namespace) -> dict[str, int]:
    """The sizes of open dimensions that ``--dim`` gives."""
    found: dict[str, int] = {}
    for text in args.dim:
        name, equals, size = text.rpartition("=")
        if not equals or not name or name in found:
            what = "is given twice" if name in found else "is not of the form NAME=SIZE"
            raise InputError(f"{text!r} {what}.", where="--dim", hint="As in: --dim w=28.")
        found[name] = number_of(size, f"The size {size!r} is no natural number.", where="--dim")
    return found


def program_of(args: Namespace, path: str) -> ProgramFile:
    """The program in a file; notes on reading it are said on stderr."""
    from tamecheck.programs import read_file

    source = read_file(path)
    for note in source.notes:
        message(args, note)
    return source


def domain_of(args: Namespace, model: Model) -> Box:
    """The box that ``--box`` or ``--spec`` names; all of the input space if neither is given."""
    if args.spec is None:
        return model.box(args.box)
    from tamecheck.loaders.text.vnnlib import read_vnnlib

    return read_vnnlib(args.spec).box(model.inputs)


def number_of(text: str, what: str, *, where: str = "") -> int:
    """A natural number."""
    if not text.strip().isascii() or not text.strip().isdigit():
        raise InputError(what, where=where)
    return int(text)


def row_of_input(path: str, model: Model) -> Array:
    """The point in a file as exact numbers: a row with the elements of all inputs."""
    import numpy as np

    from tamecheck.ir.exact import rational
    from tamecheck.loaders.samples import read_point

    point = read_point(path, model.inputs)
    flat = [rational(v) for name in model.inputs for v in point[name].reshape(-1).tolist()]
    return np.array([flat], dtype=object)


def point_of(text: str, inputs: Mapping[str, Shape]) -> Point:
    """The values that ``--at`` gives to inputs' elements."""
    from tamecheck.loaders.text.box import parse_point

    return parse_point(text, inputs, where="--at")


def input_point(text: str, inputs: Mapping[str, Shape]) -> list[Fraction]:
    """The point of the model's inputs that ``--at`` gives."""
    found = [value for values in point_of(text, inputs).values() for value in values]
    point = [value for value in found if value is not None]
    if len(point) < len(found):
        raise InputError("An input element has no value.", where="--at", hint="Give all inputs.")
    return point


def in_file(text: str) -> bool:
    """Whether ``--slice`` names a file."""
    return text.lower().endswith((".json", ".json.gz"))


def chosen_slice(args: Namespace, model: Model) -> Slice | None:
    """The slice of ``--slice``, ``--at``, ``--box`` and ``--spec``; None without ``--slice``."""
    if args.slice is None:
        if args.at is not None:
            raise InputError("--at goes with --slice.", hint=_EXAMPLE)
        return None
    if args.at is not None and in_file(args.slice):
        raise InputError("A slice in a file has an origin of its own.", hint="Leave out --at.")
    at = None if args.at is None else point_of(args.at, model.inputs)
    return slice_of(args.slice, model, domain_of(args, model), at)


def slice_of(text: str, model: Model, box: Box, at: Point | None = None) -> Slice:
    """The slice that ``--slice`` describes: names of input elements, or the name of a file.

    The free inputs take the intervals of ``box``, the others their values in ``at``, or the middle
    of the box.
    """
    from tamecheck.cells import slice_of_names, slice_of_points
    from tamecheck.loaders.files import read_text
    from tamecheck.loaders.json_model import parse_json

    if in_file(text):
        return slice_of_points(model.inputs, parse_json(read_text(text), where=text))
    return slice_of_names(model.inputs, text, box, at)
