"""The model and the domain that the arguments name."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from tamecheck.errors import InputError

if TYPE_CHECKING:
    from tamecheck.ir.box import Box
    from tamecheck.model import Model

__all__ = ["domain_of", "model_of", "name_of", "names_program"]


def name_of(args: Namespace) -> str:
    """The file or the expression, for titles."""
    return args.model if args.expr is None else args.expr


def names_program(args: Namespace) -> bool:
    """Whether ``MODEL`` is a file that holds a mixed-integer program.

    Raises
    ------
    InputError
        If it is a JSON file that cannot be read, so that nobody can tell.
    """
    if args.model is None or args.expr is not None:
        return False
    from tamecheck.loaders.files import suffix_of
    from tamecheck.loaders.programs.json_program import is_program_json

    suffix = suffix_of(args.model)
    return suffix in {".mps", ".lp"} or (suffix == ".json" and is_program_json(args.model))


def model_of(args: Namespace) -> Model:
    """The model that ``MODEL`` or ``--expr`` names.

    Raises
    ------
    InputError
        If neither or both are given, or the model cannot be read.
    """
    import tamecheck

    if (args.model is None) == (args.expr is None):
        what = "No model is given." if args.model is None else "Both MODEL and --expr are given."
        raise InputError(what, hint="Give one: a .onnx or .json file, or --expr 'max(x,0)'.")
    return tamecheck.load(args.model) if args.expr is None else tamecheck.expression(args.expr)


def domain_of(args: Namespace, model: Model) -> Box:
    """The box that ``--box`` or ``--spec`` names; all of the input space if neither is given.

    Raises
    ------
    InputError
        If it does not fit the model's inputs.
    """
    if args.spec is None:
        return model.box(args.box)
    from tamecheck.loaders.text.vnnlib import read_vnnlib

    return read_vnnlib(args.spec).box(model.inputs)
