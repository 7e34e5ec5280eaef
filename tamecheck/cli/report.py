"""``tamecheck report``: one HTML file with everything that is known of a model."""

from __future__ import annotations

import shlex
import time
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import claim, message, print_json
from tamecheck.cli.occurring import levels_of
from tamecheck.cli.options import Subparsers, add_box, add_common, add_model, add_output
from tamecheck.cli.source import domain_of, model_of, name_of, names_program
from tamecheck.cli.table import (
    add_shape,
    add_table,
    row_numbers,
    sample_from,
    sha256_of_file,
    sha256_of_table,
    shape_of,
)
from tamecheck.errors import InputError

if TYPE_CHECKING:
    from tamecheck.model import Model

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Write a self-contained HTML file: the model, whether it is tame and why, what follows, its gradient
field, cells, Clarke Jacobian and decision regions, decision rules, counts, explanations and
robustness of rows of a table, certificates to download, versions and hashes.  A section that
cannot be made says so, and why.

exit codes: 0 written, 3 written, but some section ran out of time"""
_SECONDS = 45.0
_CHECK_SHARE = 0.3


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "report", help="one HTML file with everything", description=_DESCRIPTION
    )
    add_model(parser)
    add_output(
        parser, "-o", "--output", metavar="FILE", required=True, help="the report: a .html file"
    )
    add_box(parser)
    add_table(parser, what="rows for the model")
    parser.add_argument(
        "--rows", type=row_numbers, metavar="I,J-K",
        help="the rows to explain, by their number in the file: 0,5,7-9",
    )  # fmt: skip
    parser.add_argument(
        "--names", metavar="A,B",
        help="names of the input elements; - for none; default: those of the training",
    )  # fmt: skip
    parser.add_argument(
        "--domain", metavar="LOW,HIGH",
        help="the two levels of every input, if no table and no training says so",
    )  # fmt: skip
    add_shape(parser)
    parser.add_argument("--title", metavar="TEXT", help="a title instead of the file's name")
    parser.add_argument(
        "--at", metavar="POINT", help="a point for the Clarke Jacobian and slices: 'x=0,y=1/3'"
    )
    parser.add_argument("--rule", choices=("argmax", "argmin", "sign"), help="how outputs decide")
    add_common(parser, answers=True)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Work out the report and write it."""
    started = time.monotonic()
    output = _checked(args)
    model = model_of(args)
    box = domain_of(args, model)
    from tamecheck.loaders.outputs import write_text
    from tamecheck.report import make_report, subject_of

    schema = None if args.names is not None else model.schema
    sample = sample_from(args, model, schema)
    seconds = _SECONDS if args.timeout is None else args.timeout
    check = model.check(box, timeout=_CHECK_SHARE * seconds, seed=args.seed)
    subject = subject_of(
        model,
        check,
        title=args.title or name_of(args),
        sample=sample,
        schema=schema,
        levels=None if args.domain is None else levels_of(args.domain),
        names=() if args.names in (None, "-") else [n.strip() for n in args.names.split(",")],
        rule=args.rule,
        at=_point(args, model),
        rows=args.rows,
        seed=args.seed,
        shape=shape_of(args.shape),
        table_sha256="" if args.data is None else sha256_of_table(args.data),
    )
    report = make_report(
        subject,
        argument=_argument(args),
        seconds=max(1.0, seconds - (time.monotonic() - started)),
        recheck=_kernel,
        remarks=_remarks(args),
    )
    write_text(output, report.html)
    missing = [s for s in report.sections if s.state == "not-made"]
    late = [s.title for s in report.sections if s.why.startswith("Out of time")]
    if args.json:
        print_json({"file": args.output, "sections": [_document(s) for s in report.sections]})
    else:
        made = len(report.sections) - len(missing)
        print(f"{args.output}: {made} of {len(report.sections)} sections made")
        if not args.quiet:
            for section in missing:
                message(args, f"{section.title}: {section.why}")
    return 3 if late else 0


def _document(section: Any) -> dict[str, Any]:
    return {
        "name": section.key,
        "title": section.title,
        "state": section.state,
        "why": section.why,
        "seconds": round(section.seconds, 2),
    }


def _checked(args: Namespace) -> Path:
    output = Path(args.output)
    if output.suffix.lower() not in (".html", ".htm"):
        raise InputError("A report is a .html file.", where=args.output)
    claim(args, output, "report")
    if names_program(args):
        raise InputError(
            "A report is about a model, not a program.",
            where=args.model,
            hint="See 'tamecheck check' and 'tamecheck plot value' for programs.",
        )
    return output


def _point(args: Namespace, model: Model) -> Any:
    if args.at is None:
        return None
    from tamecheck.cli.plot_inputs import input_point

    return input_point(args.at, model.inputs)


def _argument(args: Namespace) -> str:
    return shlex.quote(args.model) if args.expr is None else f"--expr {shlex.quote(args.expr)}"


def _remarks(args: Namespace) -> list[tuple[str, str]]:
    """The files that went into the report, by their hashes."""
    found: list[tuple[str, str]] = []
    for what, path in (("Model file", args.model), ("Table", args.data)):
        if path is not None:
            found.append((f"SHA-256 of the {what.lower()}", f"{sha256_of_file(path)} ({path})"))
    found.append(("Seed", str(args.seed)))
    return found


def _kernel(text: str) -> str:
    from tamecheck.certificates import recheck

    report = recheck(text)
    return report.verdict + (f": {report.why}" if report.verdict == "invalid" else "")
