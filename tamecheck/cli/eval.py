"""``tamecheck eval``: the model's value at points, in floats or exactly."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import print_json
from tamecheck.cli.options import Subparsers, add_common, add_model
from tamecheck.cli.source import model_of

if TYPE_CHECKING:
    from tamecheck.cli.points import Points
    from tamecheck.ir.tensor import Array
    from tamecheck.model import Model

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Evaluate the model.  The input file is .json (an object {"x": [...]}, or a list for a single
input), .csv (one point a row), .npy or .npz.  With --exact, numbers are exact rationals "p/q",
or rigorous balls "[m +/- r]" where no rational value exists."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser("eval", help="evaluate, also exactly", description=_DESCRIPTION)
    add_model(parser)
    parser.add_argument("--input", metavar="FILE", help=".json, .csv, .npy or .npz, also .gz")
    parser.add_argument("--exact", action="store_true", help="exact rationals or rigorous balls")
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Evaluate at every point of the file and print the outputs."""
    from tamecheck.cli.points import Points, read_points

    model = model_of(args)
    if args.input is None:
        points = Points(((),), batch=False) if not model.inputs else _no_input(model)
    else:
        points = read_points(args.input, model.inputs, exact=args.exact)
    document = {"outputs": _values(model, points, exact=False)}
    if args.exact:
        document["exact"] = _values(model, points, exact=True)
    if args.json:
        print_json(document)
    else:
        for name, value in document["exact" if args.exact else "outputs"].items():
            print(_text(value) if args.quiet else f"{name} = {_text(value)}")
    return 0


def _no_input(model: Model) -> Points:
    from tamecheck.errors import InputError

    raise InputError("No --input is given.", hint=f"The model takes {', '.join(model.inputs)}.")


def _values(model: Model, points: Points, *, exact: bool) -> dict[str, Any]:
    """Each output as nested lists; a batch is joined along a leading axis of extent 1, if any."""
    import numpy as np

    rows = [_outputs(model, point, exact=exact) for point in points.points]
    if not points.batch:
        return {name: _plain(value) for name, value in rows[0].items()}
    shapes = [*model.inputs.values(), *model.outputs.values()]
    join = np.concatenate if all(shape[:1] == (1,) for shape in shapes) else np.stack
    return {name: _plain(join([row[name] for row in rows])) for name in model.outputs}


def _outputs(model: Model, point: tuple[Array, ...], *, exact: bool) -> dict[str, Array]:
    found = model.evaluate(*point, exact=exact)
    values = found if isinstance(found, tuple) else (found,)
    return dict(zip(model.outputs, values, strict=True))


def _plain(array: Array) -> Any:
    """Nested lists of floats, or of exact strings."""
    if array.dtype != object:
        return array.tolist()
    import numpy as np

    from tamecheck.show.number import exact_text

    texts = np.empty(array.shape, dtype=object)
    texts.reshape(-1)[:] = [exact_text(value) for value in array.reshape(-1).tolist()]
    return texts.tolist()


def _text(value: Any) -> str:
    """A number, or nested lists of numbers, without the quotes of strings."""
    return json.dumps(value).replace('"', "")
