"""How a kernel is asked about a proof that a search has found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tamecheck.errors import CertificateError

if TYPE_CHECKING:
    from tamecheck.kernel import Report

UNLIMITED = 1 << 60
"""The limit of steps is there for certificates of others."""

_MANY, _SHARES = 256, 64
"""Splits of a certificate, and of another the shares: so many parts are below six splits."""


def judge(
    kernel: Callable[[Any, int], Report],
    certificate: Mapping[str, Any] | str,
    steps: int | None = None,
) -> Report:
    """What a kernel says of a proof in so many steps; without a limit it comes to an end.

    The proof is JSON text, or what is read from it.

    Raises
    ------
    CertificateError
        If it refuses it: a defect of tamecheck.
    """
    report = kernel(certificate, UNLIMITED if steps is None else steps)
    open_end = steps is None and report.verdict != "valid" and not report.trusted
    if report.verdict == "invalid" or open_end:
        raise CertificateError(
            f"The kernel does not accept the proof that was found: {report.why}.",
            hint="This is a defect of tamecheck; please report it.",
        )
    return report


def has_many_splits(text: str | bytes) -> bool:
    """Whether shares of a certificate are worth processes of their own."""
    count = text.count('"split"') if isinstance(text, str) else text.count(b'"split"')
    return count >= _MANY


def judge_shares(
    ask: Callable[[Sequence[tuple[int, int]]], Iterable[Report]], count: int
) -> Report:
    """What the verdicts on so many shares of a certificate, asked for together, say of the whole.

    Of more than 64 some would have nothing to look at.
    It is valid if all are; else the first step that is refused says why it is not.
    """
    count = min(count, _SHARES)
    reports = list(ask([(k, count) for k in range(count)]))
    refused = [one for one in reports if one.verdict == "invalid"]
    late = [one for one in reports if one.verdict == "incomplete"]
    first = min(refused, key=lambda one: -1 if one.step is None else one.step, default=None)
    return first or (late or reports)[0]
