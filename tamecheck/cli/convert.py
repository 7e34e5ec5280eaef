"""``tamecheck convert``: a model as exact JSON, SMT-LIB, LaTeX or sympy."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from tamecheck.cli.answer import claim, message, print_json
from tamecheck.cli.options import Subparsers, add_box, add_common, add_model, add_output
from tamecheck.cli.source import domain_of, model_of
from tamecheck.errors import InputError, visible

if TYPE_CHECKING:
    from tamecheck.model import Model

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Write the model in another language; the file's suffix says which:

  .json, .json.gz  tamecheck's own exact format, which certificates refer to by its hash
  .smt2            SMT-LIB 2: the formula y = f(x), with x in --box if one is given
  .tex             LaTeX equations, by cells if a bounded --box is given, else op by op
  .py              the same formulas as a Python module of sympy expressions"""

_COMMENTS = {".smt2": ";", ".tex": "%", ".py": "#"}
_SUFFIXES = (".json", ".json.gz", *_COMMENTS)


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "convert", help="write a model as JSON, SMT-LIB, LaTeX or sympy", description=_DESCRIPTION
    )
    add_model(parser)
    add_output(
        parser,
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        help="a .json, .smt2, .tex or .py file",
    )
    add_box(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
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
    for note in model.loaded.notes:
        message(args, note)
    if as_json:
        model.save(args.output)
    else:
        from tamecheck.loaders.outputs import write_text

        mark = _COMMENTS[Path(name).suffix]
        write_text(args.output, f"{mark} written by tamecheck\n{_text(args, model, name)}")
    if args.json:
        print_json({"file": args.output, "model": {"sha256": model.graph.sha256}})
    elif args.quiet:
        print(visible(args.output))
    else:
        line = f"{args.output}: {len(model.graph.nodes)} nodes, sha256 {model.graph.sha256}"
        print(visible(line))
    return 0


def _text(args: Namespace, model: Model, name: str) -> str:
    bounded = args.box is not None or args.spec is not None
    box = domain_of(args, model) if bounded else None
    if name.endswith(".smt2"):
        return model.to_smtlib(box)
    found = model.to_sympy(box)
    if name.endswith(".py"):
        return found.python()
    return f"\\begin{{align*}}\n{found.latex()}\n\\end{{align*}}\n"
