"""``tamecheck eval``: the model's value at a point, in floats or exactly."""

from __future__ import annotations

import json
import math
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import print_json
from tamecheck.cli.options import Subparsers, add_common, add_model
from tamecheck.cli.source import model_of
from tamecheck.errors import InputError, UnsupportedError, visible

if TYPE_CHECKING:
    from tamecheck.ir.tensor import Array
    from tamecheck.model import Model

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Evaluate the model at one point.  The input file is .json (an object {"x": [...]}, or one list),
.csv or .npy (all elements of all inputs in order).  With --exact, values are exact rationals
"p/q", or rigorous balls "[m +/- r]" where no rational value exists; a decimal in a text file is
then the number that it says."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser("eval", help="evaluate, also exactly", description=_DESCRIPTION)
    add_model(parser)
    parser.add_argument("--input", metavar="FILE", help=".json, .csv or .npy, also .gz")
    parser.add_argument("--exact", action="store_true", help="exact rationals or rigorous balls")
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Evaluate at the point of the file and print the outputs."""
    model, point = _model_and_point(args)
    document: dict[str, Any] = {
        "outputs": _outputs(model, point, exact=False),
        "shapes": {name: list(shape) for name, shape in model.outputs.items()},
    }
    if args.exact:
        document["exact"] = _outputs(model, point, exact=True)
    if args.json:
        print_json(document)
    else:
        for name, value in document["exact" if args.exact else "outputs"].items():
            print(_text(value) if args.quiet else f"{visible(name)} = {_text(value)}")
    return 0


def _model_and_point(args: Namespace) -> tuple[Model, list[Array]]:
    """The model and the point; an input that decides a shape is read from the point first."""
    try:
        model = model_of(args)
    except UnsupportedError as refusal:
        if args.input is None:
            raise
        try:
            model = _model_at_point(args)
        except InputError:
            raise refusal from None
    return model, _point(args, model)


def _model_at_point(args: Namespace) -> Model:
    import tamecheck
    from tamecheck.loaders.arrays import read_point
    from tamecheck.loaders.onnx import input_shapes

    return tamecheck.load(args.model, given=read_point(args.input, input_shapes(args.model)))


def _point(args: Namespace, model: Model) -> list[Array]:
    if not model.inputs:
        return []
    if args.input is None:
        raise InputError("No --input is given.", hint=f"The model takes {', '.join(model.inputs)}.")
    from tamecheck.loaders.arrays import read_point

    point = read_point(args.input, model.inputs)
    return [point[name] for name in model.inputs]


def _outputs(model: Model, point: list[Array], *, exact: bool) -> dict[str, Any]:
    found = model.evaluate(*point, exact=exact)
    values = found if isinstance(found, tuple) else (found,)
    return {name: _plain(value) for name, value in zip(model.outputs, values, strict=True)}


def _plain(array: Array) -> Any:
    """Nested lists of floats, or of exact strings; an overflow is the string ``inf``."""
    import numpy as np

    from tamecheck.show.number import exact_text

    if array.dtype != object and np.isfinite(array).all():
        return array.tolist()
    write = exact_text if array.dtype == object else _float
    values = np.empty(array.shape, dtype=object)
    values.reshape(-1)[:] = [write(value) for value in array.reshape(-1).tolist()]
    return values.tolist()


def _float(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _text(value: Any) -> str:
    """A number, or nested lists of numbers, without the quotes of strings."""
    return json.dumps(value).replace('"', "")
