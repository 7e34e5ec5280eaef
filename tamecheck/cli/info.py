"""``tamecheck info``: what a model or a program holds, also where it is not supported."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from tamecheck.cli.answer import print_json
from tamecheck.cli.options import Subparsers, add_common, add_model
from tamecheck.cli.source import model_of, name_of, names_program
from tamecheck.errors import UnsupportedError

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Show inputs, outputs, parameters and operators of a model; rows, columns and integer variables of a
mixed-integer program.  Exit code 4 if some are not supported: all of
those are listed."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser("info", help="what a model holds", description=_DESCRIPTION)
    add_model(parser, programs=True)
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Print what the model holds."""
    document = _describe(args)
    unsupported = document["unsupported"]
    if args.json:
        print_json(document)
    elif args.quiet:
        print(f"{len(unsupported)} unsupported nodes" if unsupported else "supported")
    else:
        _print(document)
    return 4 if unsupported else 0


def _describe(args: Namespace) -> dict[str, Any]:
    return _program(args) if names_program(args) else _model(args)


def _program(args: Namespace) -> dict[str, Any]:
    """What a program holds, with the keys of a model, empty where they have no meaning."""
    from collections import Counter

    from tamecheck.programs import read_file

    source = read_file(args.model)
    program = source.program
    kinds = Counter(column.kind.value for column in program.columns)
    return {
        "model": {"source": args.model, "sha256": program.sha256},
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
        model = model_of(args)
    except UnsupportedError:
        if args.model is None or suffix_of(args.model) != ".onnx":
            raise
        from tamecheck.loaders.onnx import inspect

        return inspect(args.model)
    from tamecheck.ir.graph import Apply
    from tamecheck.show.document import shapes_json

    primitives: dict[str, int] = {}
    for node in model.graph.nodes:
        if isinstance(node, Apply):
            primitives[node.op.name] = primitives.get(node.op.name, 0) + 1
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


def _print(document: Mapping[str, Any]) -> None:
    from tamecheck.show.tables import print_sections

    def shapes(records: list[dict[str, Any]]) -> list[tuple[str, ...]]:
        return [(record["name"], _shape(record["shape"])) for record in records]

    def counts(ops: Mapping[str, int]) -> list[tuple[str, ...]]:
        return [(name, str(count)) for name, count in ops.items()]

    facts = ("sense", "rows", "columns", "integers", "nonzeros")
    parameters = document.get("parameters")
    print_sections(
        sys.stdout,
        {
            "Program": [(key, str(document[key])) for key in facts if key in document],
            "Kinds of columns": counts(document.get("kinds", {})),
            "sha256": [(document["model"]["sha256"],)] if "rows" in document else [],
            "Inputs": shapes(document.get("inputs", [])),
            "Outputs": shapes(document.get("outputs", [])),
            "Parameters": [] if parameters is None else [(str(parameters),)],
            "Operators in the file": counts(document["ops"]),
            "Primitive ops": counts(document.get("primitives", {})),
            "Not supported": [(gap["node"], gap["why"]) for gap in document["unsupported"]],
            "Notes": [(note,) for note in document.get("notes", [])],
        },
    )


def _shape(extents: list[int | str | None]) -> str:
    """A shape as ``[1, 30]``; an extent that is not fixed is its name, or ``?``."""
    return f"[{', '.join('?' if n is None else str(n) for n in extents)}]"
