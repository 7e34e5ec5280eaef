"""``tamecheck info``, ``convert`` and ``eval``: what a model holds, in which forms, its values."""

from __future__ import annotations

import json
import math
from argparse import Namespace
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import claim, print_answer
from tamecheck.cli.options import BOX, MODEL, MODEL_OR_PROGRAM, Verb, flag, option, output
from tamecheck.cli.source import dims_of, domain_of, model_of, name_of, names_program
from tamecheck.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from tamecheck.ir.tensor import Array
    from tamecheck.model import Model


_DESCRIPTION = """\
Show inputs, outputs, parameters and operators of a model; rows, columns and integer variables of a
mixed-integer program.  Exit code 4 if some are not supported: all of
those are listed."""


def _info(args: Namespace) -> int:
    """Print what the model holds."""
    from tamecheck.show.answers import info_sections

    document = _program(args.model) if names_program(args) else _model(args)
    gaps = len(document["unsupported"])
    brief = f"{gaps} unsupported nodes" if gaps else "supported"
    print_answer(args, document, info_sections(document), brief)
    return 4 if gaps else 0


def _program(path: str) -> dict[str, Any]:
    """What a program holds, with the keys of a model, empty where they have no meaning."""
    from tamecheck.programs import read_file

    source = read_file(path)
    program = source.program
    kinds = Counter(column.kind.value for column in program.columns)
    return {
        "model": {"source": path, "sha256": program.sha256},
        "format": source.format,
        "name": program.name,
        "sense": program.sense.value,
        "rows": len(program.rows),
        "columns": len(program.columns),
        "integers": sum(column.kind.integral for column in program.columns),
        "nonzeros": sum(len(row.terms) for row in program.rows),
        "kinds": dict(sorted(kinds.items())),
        "inputs": [],
        "outputs": [],
        "parameters": None,
        "ops": {},
        "unsupported": [],
        "notes": list(source.notes),
    }


def _model(args: Namespace) -> dict[str, Any]:
    from tamecheck.loaders.files import suffix_of

    try:
        model = model_of(args, notes=False)
    except (UnsupportedError, InputError) as error:
        if args.model is None or suffix_of(args.model) != ".onnx":
            raise
        from tamecheck.loaders.onnx import OpenDimensionError, inspect

        if not isinstance(error, UnsupportedError | OpenDimensionError):
            raise
        return inspect(args.model, dims_of(args))
    from tamecheck.ir.graph import Apply
    from tamecheck.show.wording import shapes_json

    primitives = Counter(node.op.name for node in model.graph.nodes if isinstance(node, Apply))
    return {
        "model": {"source": name_of(args), "sha256": model.graph.sha256},
        "format": model.loaded.format,
        "inputs": shapes_json(model.inputs),
        "outputs": shapes_json(model.outputs),
        "parameters": model.graph.parameters,
        "ops": dict(model.loaded.source_ops),
        "primitives": dict(sorted(primitives.items())),
        "unsupported": [],
        "notes": list(model.loaded.notes),
    }


INFO = Verb("info", "what a model holds", _DESCRIPTION, (MODEL_OR_PROGRAM,), _info)

_ABOUT_FORMS = """\
Write the model in another language; the file's suffix says which:

  .json, .json.gz  tamecheck's own exact format, which certificates refer to by its hash
  .smt2            SMT-LIB 2: the formula y = f(x), with x in --box if one is given
  .tex             LaTeX equations, by cells if a bounded --box is given, else op by op
  .py              the same formulas as a Python module of sympy expressions"""

_COMMENTS = {".smt2": ";", ".tex": "%", ".py": "#"}
_SUFFIXES = (".json", ".json.gz", *_COMMENTS)


def _convert(args: Namespace) -> int:
    """Write the file and say where."""
    name = args.output.lower()
    if not name.endswith(_SUFFIXES):
        raise InputError(
            "Models are written as JSON, SMT-LIB, LaTeX or sympy.",
            where=args.output,
            hint=f"Name it {', '.join(_SUFFIXES)}.",
        )
    as_json = name.endswith((".json", ".json.gz"))
    claim(args, args.output, "model" if as_json else "formula")
    model = model_of(args)
    if as_json:
        model.save(args.output)
    else:
        from tamecheck.loaders.outputs import write_text

        mark = _COMMENTS[Path(name).suffix]
        write_text(args.output, f"{mark} written by tamecheck\n{_formula(args, model, name)}")
    graph = model.graph
    line = f"{args.output}: {len(graph.nodes)} nodes, sha256 {graph.sha256}"
    document = {"file": args.output, "model": {"sha256": graph.sha256}}
    print_answer(args, document, [line], args.output)
    return 0


def _formula(args: Namespace, model: Model, name: str) -> str:
    bounded = args.box is not None or args.spec is not None
    box = domain_of(args, model) if bounded else None
    if name.endswith(".smt2"):
        return model.to_smtlib(box)
    found = model.to_sympy(box)
    if name.endswith(".py"):
        return found.python()
    return f"\\begin{{align*}}\n{found.latex()}\n\\end{{align*}}\n"


CONVERT = Verb(
    "convert",
    "write a model as JSON, SMT-LIB, LaTeX or sympy",
    _ABOUT_FORMS,
    (MODEL, output("-o --output", "FILE", "a .json, .smt2, .tex or .py file", required=True), BOX),
    _convert,
)


# --- eval ----------------------------------------------------------------------------------------

_ABOUT_VALUES = """\
Evaluate the model at one point.  The input file is .json (an object {"x": [...]}, or one list),
.csv or .npy (all elements of all inputs in order).  With --exact, values are exact rationals
"p/q", or rigorous balls "[m +/- r]" where no rational value exists; a decimal in a text file is
then the number that it says."""


def _eval(args: Namespace) -> int:
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
    from tamecheck.loaders.samples import read_point

    point = read_point(args.input, model.inputs)
    return model, [point[name] for name in model.inputs]


def _model_at_point(args: Namespace) -> Model:
    import tamecheck
    from tamecheck.loaders.onnx import input_shapes
    from tamecheck.loaders.samples import read_point

    dims = dims_of(args)
    point = read_point(args.input, input_shapes(args.model, dims))
    return tamecheck.load(args.model, given=point, dims=dims)


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
    exact = array.dtype == object
    values = [
        exact_text(v) if exact else v if math.isfinite(v) else str(v)
        for v in array.reshape(-1).tolist()
    ]
    return np.array(values, dtype=object).reshape(array.shape).tolist()


EVAL = Verb(
    "eval",
    "evaluate, also exactly",
    _ABOUT_VALUES,
    (
        MODEL,
        option("--input", "FILE", ".json, .csv or .npy, also .gz"),
        flag("--exact", "exact rationals or rigorous balls"),
    ),
    _eval,
)
