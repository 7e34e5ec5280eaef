"""Writing answers: JSON or text on stdout, messages on stderr, documents to files."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamecheck.cli.options import OUTPUTS
from tamecheck.errors import CertificateError, visible

if TYPE_CHECKING:
    from tamecheck.loaders.outputs import Kind

__all__ = ["claim", "confirm", "json_line", "message", "print_json", "write_document"]

_UNLIMITED = 1 << 60


def confirm(certificate: Mapping[str, Any]) -> tuple[str, ...]:
    """Let the kernel check a certificate before an answer rests on it; the steps it has to trust.

    Raises
    ------
    CertificateError
        If it is not valid, trusted steps aside: then there is no answer.
    """
    from tamecheck.certificates import recheck

    # the limit of steps is there for certificates of others
    report = recheck(certificate, steps=_UNLIMITED)
    if report.verdict != "valid" and not report.trusted:
        raise CertificateError(
            f"The kernel does not accept the proof that was found: {report.why}.",
            hint="This is a defect of tamecheck; please report it.",
        )
    return report.trusted


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON object on one line."""
    print(json.dumps(document, allow_nan=False))


def message(args: Namespace, line: str) -> None:
    """Say something on stderr, unless asked to be quiet."""
    if not args.quiet:
        print(f"tamecheck: {visible(line)}", file=sys.stderr)


def claim(args: Namespace, path: str | Path, kind: Kind) -> None:
    """Refuse a place for an output that another argument names, or that holds somebody's work.

    Raises
    ------
    InputError
        As `tamecheck.loaders.outputs.check_output`.
    """
    from tamecheck.loaders.outputs import check_output

    given = [value for option, value in vars(args).items() if option not in OUTPUTS]
    read = [value for value in given if isinstance(value, str)]
    check_output(
        path, kind, inputs=[*read, *(f"{p}.features.json" for p in read)], force=args.force
    )


def write_document(path: str | Path, document: Mapping[str, Any]) -> None:
    """Write a JSON document; gzipped, with the same bytes each time, if the name ends in .gz."""
    from tamecheck.loaders.outputs import write_bytes

    write_bytes(path, json_line(document))


def json_line(document: Mapping[str, Any]) -> bytes:
    """A JSON document without spaces, as it stands in files."""
    return json.dumps(document, allow_nan=False, separators=(",", ":")).encode()
