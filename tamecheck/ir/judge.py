"""How a kernel is asked about a proof that a search has found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tamecheck.errors import CertificateError

if TYPE_CHECKING:
    from tamecheck.kernel import Report

UNLIMITED = 1 << 60
"""The limit of steps is there for certificates of others."""


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
