"""``tamecheck report``: one HTML file with everything that is known of a model."""

from __future__ import annotations

import shlex
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamecheck.budget import Budget
from tamecheck.cli import inputs
from tamecheck.cli.answer import claim, message, print_answer
from tamecheck.cli.inputs import levels_of
from tamecheck.cli.options import BOX, MODEL, Verb, option, output
from tamecheck.cli.source import domain_of, input_point, model_of, name_of, names_program
from tamecheck.errors import InputError

if TYPE_CHECKING:
    from tamecheck.report.subject import Subject

_DESCRIPTION = """\
Write a self-contained HTML file.  Page one: what is decided, how well on unseen rows beside simple
models, in which few lines, what protected attributes decide, typical rows and those at the
boundary.  Then rows in detail, robustness, rules, counts, data and the record of the training; last
the mathematics: whether it is tame and why, what follows, decision regions, gradient field, cells,
Clarke Jacobian, certificates to download, versions and hashes; with commands that check it again.
A section that cannot be made says so, and why.

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
    args.data = args.data or inputs.table_of_training(args, schema)
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
        commands=_commands(args),
    )
    subject = _with_protected(args, subject)
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


def _commands(args: Namespace) -> Any:
    """The options that say which table and which domain, for command lines that check again."""
    from tamecheck.report.page import Commands

    table: list[str] = []
    for name in ("data", "target", "sep", "decimal", "missing", "ignore"):
        value = getattr(args, name, None)
        if value is not None:
            table += [f"--{name}", str(value)] if name != "target" else [f"--target={value}"]
    said = {False: ["--no-header"], True: ["--header"]}
    table += said.get(args.header, [])
    domain = [] if args.domain is None else [f"--domain={args.domain}"]
    box = [] if args.box is None else [f"--box={args.box}"]
    names = [] if args.names is None else ["--names", args.names]
    return Commands("MODEL", tuple(table), (*domain, *names), (*box, *names))


def _with_protected(args: Namespace, subject: Subject) -> Subject:
    """The subject with the features that ``--protected`` names."""
    if args.protected is None:
        return subject
    if subject.network is None:
        raise InputError(
            "--protected is about networks whose inputs take two levels.",
            hint="'tamecheck verify --fair' is for any model.",
        )
    domain = subject.possible()
    asked = domain.covering(inputs.named_inputs(args.protected, domain, "--protected"))
    return replace(subject, protected=tuple(domain.features[k].name for k in asked))


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
        option("--protected", "A,B", "features that must not decide, by name"),
        option("--title", "TEXT", "a title instead of the file's name"),
        option("--at", "POINT", "a point for the Clarke Jacobian and slices: 'x=0,y=1/3'"),
        option("--rule", None, "how outputs decide", choices=_RULES),
    ),
    _run,
    answers=True,
)  # fmt: skip
