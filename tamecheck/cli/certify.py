"""Certificates for ``tamecheck verify``: the kernel checks one before an answer rests on it."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from tamecheck.budget import Budget
from tamecheck.cli.answer import message, working, write_document
from tamecheck.errors import CertificateError

if TYPE_CHECKING:
    from tamecheck.ir.graph import Graph
    from tamecheck.ir.spec import Specification
    from tamecheck.kernel import Report
    from tamecheck.model import Model


_STEPS_A_SECOND = 12_000_000
"""Of the kernel, about half of what it takes."""
_PATIENCE = 10
"""How much longer than the proof the search for its certificate may take, if nobody says."""


def certifying(args: Namespace) -> bool:
    """Whether a certificate is asked for."""
    return args.certify or args.output is not None


def left(args: Namespace, budget: Budget) -> float | None:
    """The seconds that are left; None if there is no limit."""
    return None if args.timeout is None else budget.seconds


def steps_of(args: Namespace, budget: Budget) -> int | None:
    """How many steps the kernel may take in the time that is left; None if there is no limit."""
    return None if args.timeout is None else int(max(budget.seconds, 1.0) * _STEPS_A_SECOND)


def certify(
    args: Namespace,
    document: dict[str, Any],
    certificate: dict[str, Any] | None,
    steps: int | None = None,
    report: Report | None = None,
) -> None:
    """Enter the certificate into the answer, if there is one that the kernel accepts.

    One that the kernel has no time for, in so many steps, is written all the same; ``report`` is
    what it said, if it was asked.
    """
    from tamecheck.certificates import recheck

    if certificate is None:
        message(args, "No certificate was found in time.")
        return
    report = report or recheck(json.dumps(certificate), steps=steps)
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


def certify_splits(
    args: Namespace,
    document: dict[str, Any],
    model: Model | Graph,
    spec: str | Specification,
    budget: Budget,
) -> None:
    """Search for a certificate of a property that holds, if its network is piecewise linear."""
    from tamecheck.certificates import recheck
    from tamecheck.verification.split_proofs import ATTEMPTS, proofs_of

    proofs = proofs_of(model, spec)
    if isinstance(proofs, str):
        message(args, f"No certificate: {proofs}.")
        return
    most = _PATIENCE * max(float(document["seconds"]), 10.0)
    limit = Budget.of(most) if args.timeout is None else budget
    for slack, shared in ATTEMPTS:
        with working(args, "searching for a certificate"):
            # the answer is to be said in time, whatever becomes of the certificate
            if not proofs.find(limit.part(limit.seconds / 2), slack=slack, shared=shared):
                break
        certificate, steps = proofs.certificate(), steps_of(args, budget)
        steps = None if steps is None else steps // 2
        report = recheck(json.dumps(certificate), steps=steps)
        if report.verdict != "invalid":
            certify(args, document, certificate, steps, report)
            return
    message(args, "No certificate was found in time.")
