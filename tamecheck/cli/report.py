"""``tamecheck report``: one HTML file with everything that is known of a model."""

from __future__ import annotations

import shlex
from argparse import Namespace
from pathlib import Path
from typing import Any

from tamecheck.budget import Budget
from tamecheck.cli import inputs
from tamecheck.cli.answer import claim, message, print_answer
from tamecheck.cli.inputs import levels_of
from tamecheck.cli.options import BOX, MODEL, Verb, option, output
from tamecheck.cli.source import domain_of, input_point, model_of, name_of, names_program
from tamecheck.errors import InputError

_DESCRIPTION = """\
Write a self-contained HTML file: the model, whether it is tame and why, what follows, its gradient
field, cells, Clarke Jacobian and decision regions, decision rules, counts, explanations and
robustness of rows of a table, certificates to download, versions and hashes.  A section that
cannot be made says so, and why.

exit codes: 0 written, 3 written, but some section ran out of time"""
_SECONDS = 45.0
_CHECK_SHARE = 0.3


def _run(args: Namespace) -> int:
    """Work out the report and write it."""
    budget = Budget.of(_SECONDS if args.timeout is None else args.timeout)
    path = _output(args)
    model = model_of(args, notes=False)
    box = domain_of(args, model)
    from tamecheck.loaders.outputs import write_text
    from tamecheck.report import make_report, subject_of

    schema = None if args.names is not None else model.schema
    sample = inputs.sample_from(args, model, schema)
    seconds = _CHECK_SHARE * (args.timeout or _SECONDS)
    subject = subject_of(
        model,
        model.check(box, timeout=seconds, seed=args.seed),
        title=args.title or name_of(args),
        sample=sample,
        schema=schema,
        levels=None if args.domain is None else levels_of(args.domain),
        names=() if args.names in (None, "-") else [n.strip() for n in args.names.split(",")],
        rule=args.rule,
        at=None if args.at is None else input_point(args.at, model.inputs),
        rows=args.rows,
        seed=args.seed,
        shape=inputs.shape_of(args.shape),
        table_sha256="" if args.data is None else inputs.sha256_of_table(args.data),
    )
    report = make_report(
        subject,
        argument=_argument(args),
        seconds=max(1.0, budget.seconds),
        recheck=_kernel,
        remarks=_remarks(args),
    )
    write_text(path, report.html)
    missing = [s for s in report.sections if s.state == "not-made"]
    made = f"{len(report.sections) - len(missing)} of {len(report.sections)} sections made"
    sections = [section.to_json() for section in report.sections]
    print_answer(args, {"file": args.output, "sections": sections}, [f"{args.output}: {made}"])
    for section in () if args.json else missing:
        message(args, f"{section.title}: {section.why}")
    return 3 if any(s.why.startswith("Out of time") for s in report.sections) else 0


def _output(args: Namespace) -> Path:
    path = Path(args.output)
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError("A report is a .html file.", where=args.output)
    claim(args, path, "report")
    if names_program(args):
        raise InputError(
            "A report is about a model, not a program.",
            where=args.model,
            hint="See 'tamecheck check' and 'tamecheck plot value' for programs.",
        )
    return path


def _argument(args: Namespace) -> str:
    return shlex.quote(args.model) if args.expr is None else f"--expr {shlex.quote(args.expr)}"


def _remarks(args: Namespace) -> list[tuple[str, str]]:
    """The files that went into the report, by their hashes."""
    import hashlib

    found: list[tuple[str, str]] = []
    for what, path in (("model file", args.model), ("table", args.data)):
        if path is not None:
            with Path(path).open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            found.append((f"SHA-256 of the {what}", f"{digest} ({path})"))
    return [*found, ("Seed", str(args.seed))]


def _kernel(text: str) -> str:
    from tamecheck.certificates import recheck

    report = recheck(text)
    return report.verdict + (f": {report.why}" if report.verdict == "invalid" else "")


_ABOUT_NAMES = "names of the input elements; - for none; default: those of the training"
_RULES: Any = ("argmax", "argmin", "sign")
VERB = Verb(
    "report",
    "one HTML file with everything",
    _DESCRIPTION,
    (
        MODEL,
        output("-o --output", "FILE", "the report: a .html file", required=True),
        BOX,
        inputs.table_options("rows for the model"),
        inputs.ROWS,
        option("--names", "A,B", _ABOUT_NAMES),
        option("--domain", "LOW,HIGH",
            "the two levels of every input, if no table and no training says so"),
        inputs.SHAPE,
        option("--title", "TEXT", "a title instead of the file's name"),
        option("--at", "POINT", "a point for the Clarke Jacobian and slices: 'x=0,y=1/3'"),
        option("--rule", None, "how outputs decide", choices=_RULES),
    ),
    _run,
    answers=True,
)  # fmt: skip
