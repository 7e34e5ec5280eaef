"""``tamecheck recheck``: whether the independent kernel accepts a certificate."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from tamecheck.cli.answer import print_json
from tamecheck.cli.options import Subparsers, add_common, add_model
from tamecheck.cli.source import model_of, name_of, names_program
from tamecheck.errors import TamecheckError
from tamecheck.kernel_bnn import FORMAT as BALL

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Let the kernel, a small program of its own, check every step of a certificate.  With a MODEL, also
check that the certificate is about that model.

exit codes: 0 valid, 3 incomplete (steps taken on trust are listed), 5 invalid"""
_LONGEST = 200
_EXIT_CODES = {"valid": 0, "incomplete": 3, "invalid": 5}


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "recheck", help="check a certificate with the kernel", description=_DESCRIPTION
    )
    parser.add_argument("certificate", metavar="CERT", help="a certificate, .json or .json.gz")
    add_model(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Check the certificate and say what it proves, or which step fails."""
    from tamecheck.certificates import recheck
    from tamecheck.load.files import read_bytes

    certificate = read_bytes(args.certificate)
    report = recheck(certificate)
    document: dict[str, Any] = {
        "verdict": report.verdict,
        "trusted": list(report.trusted),
        "step": report.step,
        "why": report.why,
        "claim": report.claim,
        "model": {"sha256": report.model_sha256},
    }
    if report.verdict != "invalid" and (args.model is not None or args.expr is not None):
        actual = _hash_of(args, certificate)
        if actual != report.model_sha256:
            why = f"it is about another model than {name_of(args)}, whose sha256 is {actual}"
            document.update(verdict="invalid", step=None, why=why)
    if args.json:
        print_json(document)
    elif args.quiet:
        print(document["verdict"])
    else:
        _print(document)
    return _EXIT_CODES[document["verdict"]]


def _hash_of(args: Namespace, certificate: bytes) -> str:
    """The hash of the model or of the program that the arguments name.

    A certificate about a Hamming ball is about a network of integers, so the model is read as one.
    """
    if names_program(args):
        from tamecheck.programs import read

        return read(args.model).sha256
    graph = model_of(args).graph
    document = json.loads(certificate)
    if document["format"] != BALL:
        return graph.sha256
    from tamecheck.binarized import recognise

    network = document["network"]
    try:
        return recognise(graph, list(zip(network["low"], network["high"], strict=True))).sha256
    except TamecheckError:
        # no such network at all, so it is about another model
        return graph.sha256


def _print(document: Mapping[str, Any]) -> None:
    from tamecheck.show.tables import print_sections

    verdict = document["verdict"]
    if verdict == "invalid":
        place = "" if document["step"] is None else f"step {document['step']}: "
        print_sections(sys.stdout, {"INVALID": [(f"{place}{document['why']}",)]})
        return
    rows = [(key, _text(value)) for key, value in document["claim"].items()]
    if document["model"]["sha256"] is not None:
        rows.append(("sha256", document["model"]["sha256"]))
    sections: dict[str, list[tuple[str, ...]]] = {verdict.upper(): [*rows]}
    sections["Taken on trust"] = [(step,) for step in document["trusted"]]
    print_sections(sys.stdout, sections)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    text = json.dumps(value).translate({34: None}).strip("[]")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
