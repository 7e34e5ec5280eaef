"""``tamecheck eval``: the model's value at a point, in floats or exactly."""

from __future__ import annotations

import json
import math
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import print_answer
from tamecheck.cli.options import MODEL, Verb, flag, option
from tamecheck.cli.source import model_of
from tamecheck.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from tamecheck.ir.tensor import Array
    from tamecheck.model import Model

__all__ = ["VERB"]

_DESCRIPTION = """\
Evaluate the model at one point.  The input file is .json (an object {"x": [...]}, or one list),
.csv or .npy (all elements of all inputs in order).  With --exact, values are exact rationals
"p/q", or rigorous balls "[m +/- r]" where no rational value exists; a decimal in a text file is
then the number that it says."""


def _run(args: Namespace) -> int:
    """Evaluate at the point of the file and print the outputs."""
    model, point = _model_and_point(args)
    document: dict[str, Any] = {
        "outputs": _outputs(model, point, exact=False),
        "shapes": {name: list(shape) for name, shape in model.outputs.items()},
    }
    if args.exact:
        document["exact"] = _outputs(model, point, exact=True)
    shown = document["exact" if args.exact else "outputs"].items()
    # numbers without the quotes of strings
    texts = [(name, json.dumps(value).replace('"', "")) for name, value in shown]
    lines = (f"{name} = {text}" for name, text in texts)
    print_answer(args, document, lines, "\n".join(text for _, text in texts))
    return 0


def _model_and_point(args: Namespace) -> tuple[Model, list[Array]]:
    """The model and the point; an input that decides a shape is read from the point first."""
    try:
        model = model_of(args, notes=False)
    except UnsupportedError as refusal:
        if args.input is None:
            raise
        try:
            model = _model_at_point(args)
        except InputError:
            raise refusal from None
    if not model.inputs:
        return model, []
    if args.input is None:
        raise InputError("No --input is given.", hint=f"The model takes {', '.join(model.inputs)}.")
    from tamecheck.loaders.arrays import read_point

    point = read_point(args.input, model.inputs)
    return model, [point[name] for name in model.inputs]


def _model_at_point(args: Namespace) -> Model:
    import tamecheck
    from tamecheck.loaders.arrays import read_point
    from tamecheck.loaders.onnx import input_shapes

    return tamecheck.load(args.model, given=read_point(args.input, input_shapes(args.model)))


def _outputs(model: Model, point: list[Array], *, exact: bool) -> dict[str, Any]:
    found = model.evaluate(*point, exact=exact)
    values = found if isinstance(found, tuple) else (found,)
    return {name: _plain(value) for name, value in zip(model.outputs, values, strict=True)}


def _plain(array: Array) -> Any:
    """Nested lists of floats, or of exact strings; an overflow is the string ``inf``."""
    import numpy as np

    from tamecheck.exact.reals import exact_text

    if array.dtype != object and np.isfinite(array).all():
        return array.tolist()
    values = np.empty(array.shape, dtype=object)
    values.reshape(-1)[:] = [
        exact_text(value)
        if array.dtype == object
        else value
        if math.isfinite(value)
        else str(value)
        for value in array.reshape(-1).tolist()
    ]
    return values.tolist()


VERB = Verb(
    "eval",
    "evaluate, also exactly",
    _DESCRIPTION,
    (
        MODEL,
        option("--input", "FILE", ".json, .csv or .npy, also .gz"),
        flag("--exact", "exact rationals or rigorous balls"),
    ),
    _run,
)
