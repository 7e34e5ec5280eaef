"""Certificates for ``tamecheck verify``: the kernel checks one before an answer rests on it."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from tamecheck.budget import Budget
from tamecheck.cli.answer import message, write_document
from tamecheck.errors import CertificateError

if TYPE_CHECKING:
    from collections.abc import Mapping


def certifying(args: Namespace) -> bool:
    """Whether a certificate is asked for."""
    return args.certify or args.output is not None


def left(args: Namespace, budget: Budget) -> float | None:
    """The seconds that are left; None if there is no limit."""
    return None if args.timeout is None else budget.seconds


def steps_of(args: Namespace, budget: Budget) -> int | None:
    """How many steps the kernel may take in the time that is left; None if there is no limit."""
    from tamecheck.verification.confirm import steps_in

    return None if args.timeout is None else steps_in(budget)


def enter(
    args: Namespace, document: dict[str, Any], certificate: Mapping[str, Any] | None, note: str
) -> None:
    """Write the certificate of an answer where ``-o`` says; tell why there is none, or no check."""
    if note:
        message(args, note)
    if certificate is not None and args.output is not None:
        write_document(args.output, certificate)
        document["certificate"] = args.output


def certify(
    args: Namespace,
    document: dict[str, Any],
    certificate: dict[str, Any] | None,
    steps: int | None = None,
) -> None:
    """Enter the certificate into the answer, if there is one that the kernel accepts.

    One that the kernel has no time for, in so many steps, is written all the same.
    """
    from tamecheck.certificates import recheck

    if certificate is None:
        message(args, "No certificate was found in time.")
        return
    report = recheck(json.dumps(certificate), steps=steps)
    if report.verdict == "incomplete":
        if steps is None or args.output is None:
            message(args, f"No certificate that the kernel checks: {report.why}.")
            return
        message(args, "The kernel has no time for the certificate; 'tamecheck recheck' has.")
        write_document(args.output, certificate)
        document["certificate"] = args.output
        return
    if report.verdict != "valid":
        raise CertificateError(f"The kernel rejects the certificate: {report.why}.")
    reason = "No input of the ball is decided otherwise, by a proof that the kernel checks."
    if document["verdict"] == "unknown":
        document |= {"verdict": "holds", "reason": reason}
    document |= {"checked": "certificate", "rests_on": "certificate"}
    if args.output is not None:
        write_document(args.output, certificate)
        document["certificate"] = args.output
