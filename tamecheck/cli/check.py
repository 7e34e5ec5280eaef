"""``tamecheck check`` and ``recheck``: in which structure a function is, and its certificate."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import EXIT_CODES, claim, message, print_answer, write_certificate
from tamecheck.cli.balls import POINT, about_radius, ball_of
from tamecheck.cli.inputs import DOMAIN
from tamecheck.cli.options import (
    BOX,
    CERTIFICATE,
    MODEL,
    MODEL_OR_PROGRAM,
    SARIF,
    Group,
    Place,
    Verb,
    flag,
    natural,
    option,
)
from tamecheck.cli.pairs import ASKED, WITHIN, other_pairs
from tamecheck.cli.source import domain_of, model_of, name_of, names_program, program_of
from tamecheck.errors import InputError, TamecheckError

if TYPE_CHECKING:
    from tamecheck.certificates import Levels, Statement
    from tamecheck.ir.box import Box
    from tamecheck.ir.graph import Graph
    from tamecheck.ir.spec import Case, Inequality, Specification
    from tamecheck.kernel import Report
    from tamecheck.show.answers import Sections


_ABOUT_CHECK = """\
Find the smallest o-minimal structure in which the model's outputs are definable on the domain,
what follows from that, or a witness that there is none.  For a mixed-integer program: of the
feasible set and the optimal value as functions of the right-hand side.

exit codes: 0 tame or locally tame, 1 not tame, 3 unknown"""


def _check(args: Namespace) -> int:
    """Check the model, write the certificate, print the answer."""
    from tamecheck.show import check_json, check_line, print_check

    claim(args, args.output, "certificate")
    claim(args, args.sarif, "result log")
    if names_program(args):
        return _check_program(args)
    model = model_of(args)
    found = model.check(domain_of(args, model), timeout=args.timeout, seed=args.seed)
    path = write_certificate(args, found.certificate, "an unknown verdict has no certificate.")
    document = check_json(found, certificate=path, derivation=args.derivation)
    document["rests_on"] = found.rests_on
    document["model"].update(source=name_of(args), format=model.loaded.format)

    def text() -> None:
        detail: Any = {"verbose": args.verbose, "derivation": args.derivation}
        options: Any = {"title": name_of(args), "certificate": path, **detail}
        print_check(found, file=sys.stdout, **options)

    print_answer(args, document, text, check_line(found))
    if found.trusted:
        message(args, f"The verdict rests on {found.rests_on}, so the exit code is 3.")
        return 3
    return EXIT_CODES[found.verdict.value]


def _check_program(args: Namespace) -> int:
    """Check a program, whose right-hand side is the variable."""
    from tamecheck.programs import check
    from tamecheck.show.text import print_program_check, program_check_line
    from tamecheck.show.wording import program_check_json

    if args.box is not None or args.spec is not None:
        raise InputError(
            "A program has no inputs that --box or --spec could bound.",
            where=args.model,
            hint="The bounds of its variables stand in the file.",
        )
    source = program_of(args, args.model)
    found = check(source.program)
    write_certificate(args, None, "no certificate of a program's verdict yet.")
    document = program_check_json(found)
    document["model"].update(source=args.model, format=source.format)
    document["rests_on"] = "definition"

    def text() -> None:
        print_program_check(found, file=sys.stdout, title=args.model, verbose=args.verbose)

    print_answer(args, document, text, program_check_line(found))
    return EXIT_CODES[found.verdict.value]


_DETAIL = (
    flag("-v --verbose", "show a digest of the derivation, and what follows in full"),
    flag("--derivation", "show every line of the derivation as well"),
)

CHECK = Verb(
    "check",
    "is the model tame? with a proof",
    _ABOUT_CHECK,
    (MODEL_OR_PROGRAM, BOX, CERTIFICATE, SARIF, *_DETAIL),
    _check,
    answers=True,
    many=(
        Place("spec", (".vnnlib",), listed=False),
        Place("model", (".onnx", ".json", ".mps", ".lp")),
    ),
)


# --- recheck -------------------------------------------------------------------------------------

_ABOUT_RECHECK = """\
Let the kernel, a small program of its own, check every step of a certificate, and say all of what
is claimed: of which inputs, and where.  With a MODEL, also check that the certificate is about that
model; with --box, --spec or --domain, that it answers the question there.

exit codes: 0 valid; 3 incomplete: steps are taken on trust, or there are too many; 5 invalid, or
about something else"""


def _recheck(args: Namespace) -> int:
    """Check the certificate and say what it proves, or which step fails."""
    from tamecheck.certificates import recheck, statement
    from tamecheck.loaders.files import read_bytes

    certificate = read_bytes(args.certificate)
    if args.workers is not None and args.workers < 1:
        raise InputError(f"--workers {args.workers} is no positive number.")
    report = recheck(certificate, steps=args.steps, workers=args.workers)
    raw: dict[str, Any] = {} if report.claim is None else json.loads(certificate)
    about = statement(raw) if raw else None
    document: dict[str, Any] = {
        "verdict": report.verdict,
        "trusted": list(report.trusted),
        "step": report.step,
        "why": report.why,
        "claim": report.claim,
        "model": {"sha256": report.model_sha256},
    }
    if about is not None:
        document |= about.to_json()
        why = _other_question(args, raw, report, about)
        if why is not None:
            document.update(verdict="invalid", step=None, why=why)
    document["rests_on"] = "certificate" if document["verdict"] == "valid" else None
    sections = partial(_print_sections, document, about)
    print_answer(args, document, sections, document["verdict"])
    return EXIT_CODES[document["verdict"]]


def _other_question(
    args: Namespace, raw: Mapping[str, Any], report: Report, about: Statement
) -> str | None:
    """Why the certificate does not answer what the arguments ask; None if it does."""
    if args.monotone is not None or args.fair is not None:
        return _other_pairs(args, raw, report)
    if about_radius(args) or args.input is not None:
        if args.spec is not None:
            raise InputError("A certificate is about a ball or about --spec, not about both.")
        return _other_ball(args, raw, report)
    named = args.model is not None or args.expr is not None
    from tamecheck.kernel_pwl import FORMAT as SPLITS

    both = args.spec is not None and (named or args.network)
    if both and raw["format"] == SPLITS:
        return _other_splits(args, raw, report)
    if args.network:
        raise InputError("--network is for certificates of queries.", hint="Give --spec QUERY.")
    if named:
        actual = _hash_of(args, raw)
        if actual != report.model_sha256:
            return f"it is about another model than {name_of(args)}, whose sha256 is {actual}"
    from tamecheck.kernel_bnn import REGION

    if raw["format"] in (REGION, SPLITS) and args.spec is not None:
        return _other_regions(args.spec, raw)
    asked = _asked(args, about)
    if asked is None:
        return None
    name, domain = asked
    other = about.differs(domain)
    return None if other is None else f"{other} than {name}"


def _other_splits(args: Namespace, document: Mapping[str, Any], report: Report) -> str | None:
    """Why the claim is none about a model and a property, or about the model before its last op."""
    from tamecheck.cli.verify import networks_of
    from tamecheck.loaders.text.vnnlib import read_vnnlib
    from tamecheck.verification.joint import subject_of
    from tamecheck.verification.rounding import claimed

    spec = claimed(read_vnnlib(args.spec), document["claim"])
    model = networks_of(args, spec) if args.network else model_of(args, notes=False)
    name = "the networks" if args.network else name_of(args)
    graph = subject_of(model, spec)[0]
    return _differs(graph, spec, document, report, (name, f"--spec {args.spec}"))


def _differs(
    graph: Graph,
    spec: Specification,
    document: Mapping[str, Any],
    report: Report,
    names: tuple[str, str],
) -> str | None:
    """Why a claim about piecewise linear networks is none about a graph and a property."""
    from tamecheck.verification.split_proofs import before_last_op, regions_json

    same = [
        (one.sha256 == report.model_sha256, regions_json(cases) == document["claim"]["regions"])
        for one, cases in ((graph, spec.cases), before_last_op(graph, spec))
    ]
    if (True, True) in same:
        return None
    if not any(model for model, _ in same):
        return f"it is about another model than {names[0]}, whose sha256 is {graph.sha256}"
    return f"it is about another property than {names[1]}"


def _other_ball(args: Namespace, raw: Mapping[str, Any], report: Report) -> str | None:
    """Why the certificate is not about a ball around the point of ``--around``."""
    from tamecheck.kernel_bnn import REGION
    from tamecheck.kernel_pwl import FORMAT as SPLITS
    from tamecheck.verification.rounding import claimed

    if raw["format"] not in (REGION, SPLITS):
        return "it is not about a ball around a point"
    model = model_of(args, notes=False)
    question, spec = ball_of(args, model, raw["claim"]["regions"])
    names = name_of(args), f"the ball around {args.input}"
    if raw["format"] == SPLITS:
        return _differs(question.graph, claimed(spec, raw["claim"]), raw, report, names)
    actual = _hash_over_windows(question.graph, raw)
    if actual != report.model_sha256:
        return f"it is about another model than {names[0]}, whose sha256 is {actual}"
    return _other_cases(spec.cases, raw, names[1])


def _other_pairs(args: Namespace, raw: Mapping[str, Any], report: Report) -> str | None:
    """Why the certificate is not about what ``--monotone`` or ``--fair`` asks of the model."""
    from tamecheck.kernel_bnn import FORMAT as BALL
    from tamecheck.kernel_pwl import FORMAT as SPLITS

    if raw["format"] not in (BALL, SPLITS):
        return "it is not about pairs of inputs"
    return other_pairs(args, model_of(args, notes=False), raw, report.model_sha256)


def _asked(args: Namespace, about: Statement) -> tuple[str, Box | Levels] | None:
    """The domain that the arguments ask about, with the option's name."""
    if args.domain is not None:
        if about.levels is None:
            raise InputError(
                "--domain is of use for balls only.", hint="Give --box for a function's domain."
            )
        from tamecheck.cli.inputs import levels_of

        return f"--domain {args.domain}", (levels_of(args.domain),) * about.count
    if args.box is None and args.spec is None:
        return None
    if about.box is None:
        raise InputError(
            "--box and --spec are of use for claims about functions only.",
            hint="Give --domain for a ball; a program's bounds are in its file.",
        )
    from tamecheck.loaders.text.box import parse_box
    from tamecheck.loaders.text.vnnlib import read_vnnlib

    if args.box is not None:
        return f"--box {args.box}", parse_box(args.box, about.shapes)
    return f"--spec {args.spec}", read_vnnlib(args.spec).box(about.shapes)


def _hash_of(args: Namespace, raw: Mapping[str, Any]) -> str:
    """The hash of the model or of the program that the arguments name.

    A certificate about a Hamming ball is about a network of integers, so the model is read as one.
    """
    from tamecheck.kernel_bnn import FORMAT as BALL
    from tamecheck.kernel_bnn import REGION

    if names_program(args):
        from tamecheck.programs import read

        return read(args.model).sha256
    graph = model_of(args, notes=False).graph
    if raw["format"] == REGION:
        return _hash_over_windows(graph, raw)
    if raw["format"] != BALL:
        return graph.sha256
    from tamecheck.binarized import recognise

    network = raw["network"]
    try:
        return recognise(graph, list(zip(network["low"], network["high"], strict=True))).sha256
    except TamecheckError:
        # no such network at all, so it is about another model
        return graph.sha256


def _rows_of(region: Mapping[str, Any]) -> list[Inequality]:
    """The rows of a region that a certificate over windows is about."""
    from tamecheck.ir.spec import Inequality

    found: list[Inequality] = []
    for row in (row for case in region["unsafe"] for row in case):
        terms = tuple((j, Fraction(c)) for j, c in row["outputs"])
        found.append(Inequality((), terms, Fraction(row["bound"]), row["strict"]))
    return found


def _hash_over_windows(graph: Graph, document: Mapping[str, Any]) -> str:
    """The hash of a model as a network over windows; its own if it is none."""
    from tamecheck.binarized import recognise_windows
    from tamecheck.ir.spec import Case, Specification
    from tamecheck.verification.last import before_last

    rows = tuple(row for region in document["claim"]["regions"] for row in _rows_of(region))
    try:
        asked = Specification((), (), (Case((), (), (), rows),))
        scores, spec = before_last(graph, asked)
        # what is before a last op counts only where the rows are about it as they are
        return recognise_windows(scores if spec.cases == asked.cases else graph).sha256
    except TamecheckError:
        return graph.sha256


def _other_regions(path: str, document: Mapping[str, Any]) -> str | None:
    """Why the claim is another than that of a property file; None if it is the same."""
    from tamecheck.loaders.text.vnnlib import read_vnnlib
    from tamecheck.verification.rounding import claimed

    return _other_cases(
        claimed(read_vnnlib(path), document["claim"]).cases, document, f"--spec {path}"
    )


def _other_cases(cases: Sequence[Case], document: Mapping[str, Any], name: str) -> str | None:
    from tamecheck.verification.split_proofs import FORMAT, regions_json
    from tamecheck.verification.windows import Region

    if document["format"] == FORMAT:
        asked = regions_json(cases)
    else:
        asked = [None if one is None else one.to_json() for one in Region.all_of(cases)]
    same = asked == document["claim"]["regions"]
    return None if same else f"it is about another property than {name}"


def _print_sections(document: Mapping[str, Any], about: Statement | None) -> None:
    from tamecheck.show.console import print_sections

    print_sections(sys.stdout, _sections(document, about))


def _sections(document: Mapping[str, Any], about: Statement | None) -> Sections:
    verdict = document["verdict"]
    if verdict == "invalid" or about is None:
        place = "" if document["step"] is None else f"step {document['step']}: "
        return {verdict.upper(): [(f"{place}{document['why']}",)]}
    from tamecheck.show.wording import value_text

    rows = [(key, value_text(value)) for key, value in document["claim"].items()] + about.rows
    if document["model"]["sha256"] is not None:
        rows.append(("sha256", document["model"]["sha256"]))
    return {
        verdict.upper(): rows,
        "About less than all inputs": [(line,) for line in about.narrow],
        "Taken to be so": [(line,) for line in about.assumes],
        "Taken on trust": [(step,) for step in document["trusted"]],
    }


RECHECK = Verb(
    "recheck",
    "check a certificate with the kernel",
    _ABOUT_RECHECK,
    (
        option("certificate", "CERT", "a certificate, .json or .json.gz"),
        MODEL,
        BOX,
        DOMAIN,
        Group("pairs of inputs", (*ASKED, *WITHIN)),
        Group("around a point", POINT),
        option(
            "--network",
            "NAME=FILE",
            "with --spec QUERY, the model of a declared network; once for each",
            action="append",
        ),
        option("--steps", "N", "let the kernel take N elementary steps",
            type=natural("number of steps", digits=18)),
        option("--workers", "N", "processes for a large tree of splits (default: one a core)",
            type=int),
    ),
    _recheck,
)  # fmt: skip
