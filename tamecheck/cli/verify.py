"""``tamecheck verify``: does a property hold for a model."""

from __future__ import annotations

import time
from argparse import Namespace
from typing import TYPE_CHECKING

from tamecheck.cli.answer import claim, message, print_json
from tamecheck.cli.options import Subparsers, add_certificate, add_common, add_output
from tamecheck.cli.progress import working
from tamecheck.cli.source import model_of, name_of
from tamecheck.errors import InputError, UnsupportedError, visible

if TYPE_CHECKING:
    from tamecheck.model import Model
    from tamecheck.verification import Answer

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Show that no input of the property's region has outputs that it calls unsafe, or find one that has.
A proof rests on arithmetic that is rounded outward; a witness is evaluated exactly, and in float32
where onnxruntime is installed.

Of a binarized network, whose inputs take two levels each, --hamming K asks instead whether the
decision at the point of --input stays when at most K inputs change, and --distance how many have to
change.  For these --certify -o CERT writes a proof that 'tamecheck recheck CERT MODEL' confirms.

exit codes: 0 holds (--distance: known), 1 violated, 3 unknown; with --vnncomp always 0"""
_EXIT_CODES = {"holds": 0, "violated": 1, "unknown": 3}


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "verify", help="does a property hold? with a proof or a witness", description=_DESCRIPTION
    )
    parser.add_argument("model", nargs="?", metavar="MODEL", help=".onnx or .json file, also .gz")
    parser.add_argument(
        "spec", nargs="?", metavar="SPEC", help="the property: .vnnlib file, also .gz"
    )
    parser.add_argument(
        "--expr", metavar="TEXT", help="an expression instead of a file: 'max(x,0) - sign(y)'"
    )
    add_output(
        parser,
        "--vnncomp",
        metavar="FILE",
        help="write sat, unsat, unknown, timeout or error here, and exit 0",
    )
    add_certificate(parser)
    group = parser.add_argument_group("binarized networks")
    group.add_argument("--input", metavar="FILE", help="the point: .json, .csv or .npy, also .gz")
    question = group.add_mutually_exclusive_group()
    question.add_argument("--hamming", metavar="K", help="may K inputs change the decision?")
    question.add_argument(
        "--distance", action="store_true", help="how many inputs have to change the decision?"
    )
    group.add_argument(
        "--domain", metavar="L,H", help="the two levels of every input (default -1,1)"
    )
    group.add_argument("--certify", action="store_true", help="search for a certificate")
    add_common(parser, answers=True)
    parser.set_defaults(run=run, last_words=_write_timeout)


def _write_timeout(args: Namespace) -> None:
    if args.vnncomp is not None:
        from tamecheck.loaders.outputs import write_text

        write_text(args.vnncomp, "timeout\n")


def run(args: Namespace) -> int:
    """Verify, print the answer."""
    if args.output is not None:
        claim(args, args.output, "certificate")
    if args.vnncomp is not None:
        claim(args, args.vnncomp, "result")
    if args.hamming is not None or args.distance:
        from tamecheck.cli.hamming import run_hamming

        return run_hamming(args)
    return _run(args) if args.vnncomp is None else _run_in_competition(args)


def _run(args: Namespace) -> int:
    model, spec = _property_of(args)
    from tamecheck.verification import answer_document, verify, vnncomp_text

    for note in model.loaded.notes:
        message(args, note)
    if args.certify or args.output is not None:
        message(args, "No certificate: those of verify are about Hamming balls (--hamming).")
    with working(args, "verifying"):
        answer = verify(model, spec, timeout=args.timeout, seed=args.seed)
    document = answer_document(answer)
    if args.vnncomp is not None:
        from tamecheck.loaders.outputs import write_text

        write_text(args.vnncomp, vnncomp_text(answer))
    if args.json:
        document["model"] = {"sha256": model.graph.sha256, "source": name_of(args)}
        print_json(document)
    else:
        _print(args, answer, document["verdict"])
    return _EXIT_CODES[document["verdict"]]


def _run_in_competition(args: Namespace) -> int:
    """Run with a result file whatever happens: the harness reads nothing else."""
    from tamecheck.loaders.outputs import write_text

    # what is there if the process is ended from outside
    write_text(args.vnncomp, "unknown\n")
    begun = time.monotonic()
    try:
        _run(args)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 (the file says what happened)
        late = args.timeout is not None and time.monotonic() - begun >= args.timeout
        if isinstance(error, KeyboardInterrupt):
            word, why = "timeout" if late else "unknown", "out of time" if late else "interrupted"
        else:
            word = "unknown" if isinstance(error, UnsupportedError) else "error"
            why = " ".join(f"{error or type(error).__name__}".split())
        write_text(args.vnncomp, f"{word}\n")
        message(args, why)
        if args.json:
            print_json({"verdict": "unknown", "reason": why, "rests_on": None})
    return 0


def _property_of(args: Namespace) -> tuple[Model, str]:
    """The model and the property's file."""
    if args.expr is not None and args.spec is None:
        # the only file is the property
        args.model, args.spec = None, args.model
    for option in ("input", "domain"):
        if getattr(args, option):
            raise InputError(
                f"--{option} is of no use with a property file.",
                hint="Ask about a Hamming ball with --hamming K, or with --distance.",
            )
    if args.spec is None:
        raise InputError(
            "No property is given.",
            hint="Give a .vnnlib file; or --input FILE and --hamming K for a binarized network.",
        )
    return model_of(args), args.spec


def _print(args: Namespace, answer: Answer, verdict: str) -> None:
    from tamecheck.ir.exact import decimal_text
    from tamecheck.verification import Unknown, Violated

    if args.quiet:
        print(verdict)
        return
    print(f"{visible(name_of(args))}: {verdict}")
    print(f"  {answer.reason}")
    if isinstance(answer, Violated):
        witness = answer.witness
        shown = [decimal_text(value) for value in witness.inputs[:8]]
        more = ", …" if len(witness.inputs) > 8 else ""
        print(f"  at x = {', '.join(shown)}{more}  (exact in --json)")
        confirmed = {True: "yes", False: "no", None: "not run"}[witness.float32]
        print(f"  float32 run violates it too: {confirmed}")
    if not isinstance(answer, Unknown):
        print(f"  rests on: {answer.rests_on} ({answer.method})")
    facts = "".join(f", {count} {name}" for name, count in answer.facts.items())
    print(f"  {answer.seconds:.2f} s{facts}")
