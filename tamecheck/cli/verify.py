"""``tamecheck verify``: does a property hold for a model."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from tamecheck.cli.answer import message, print_json
from tamecheck.cli.options import Subparsers, add_common
from tamecheck.cli.source import model_of, name_of

if TYPE_CHECKING:
    from tamecheck.verify import Answer

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Show that no input of the property's region has outputs that it calls unsafe, or find one that has.
A proof rests on arithmetic that is rounded outward; a witness is evaluated exactly, and in float32
where onnxruntime is installed.

exit codes: 0 holds, 1 violated, 3 unknown; with --vnncomp always 0"""
_EXIT_CODES = {"holds": 0, "violated": 1, "unknown": 3}


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "verify", help="does a property hold? with a proof or a witness", description=_DESCRIPTION
    )
    parser.add_argument("model", nargs="?", metavar="MODEL", help=".onnx or .json file, also .gz")
    parser.add_argument("spec", metavar="SPEC", help="the property: .vnnlib file, also .gz")
    parser.add_argument(
        "--expr", metavar="TEXT", help="an expression instead of a file: 'max(x,0) - sign(y)'"
    )
    parser.add_argument(
        "--vnncomp", metavar="FILE", help="write sat, unsat, unknown or timeout here, and exit 0"
    )
    add_common(parser, overtime=5)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Verify, print the answer."""
    from tamecheck.verification import verify
    from tamecheck.verify import answer_document, vnncomp_text

    model = model_of(args)
    for note in model.loaded.notes:
        message(args, note)
    answer = verify(model, args.spec, timeout=args.timeout, seed=args.seed)
    document = answer_document(answer)
    if args.vnncomp is not None:
        Path(args.vnncomp).write_text(vnncomp_text(answer), encoding="utf-8")
    if args.json:
        document["model"] = {"sha256": model.graph.sha256, "source": name_of(args)}
        print_json(document)
    else:
        _print(args, answer, document["verdict"])
    return 0 if args.vnncomp is not None else _EXIT_CODES[document["verdict"]]


def _print(args: Namespace, answer: Answer, verdict: str) -> None:
    from tamecheck.verify import Violated

    if args.quiet:
        print(verdict)
        return
    print(f"{name_of(args)}: {verdict}")
    print(f"  {answer.reason}")
    if isinstance(answer, Violated):
        witness = answer.witness
        shown = [f"{float(value):g}" for value in witness.inputs[:8]]
        more = ", …" if len(witness.inputs) > 8 else ""
        print(f"  at x = {', '.join(shown)}{more}  (exact in --json)")
        confirmed = {True: "yes", False: "no", None: "not run"}[witness.float32]
        print(f"  float32 run violates it too: {confirmed}")
    facts = "".join(f", {count} {name}" for name, count in answer.facts.items())
    print(f"  {answer.seconds:.2f} s{facts}")
