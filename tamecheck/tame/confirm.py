"""The kernel's word on an answer, before anybody hears it.

It is the one module of this package that knows a kernel, and no search imports it.
"""

from __future__ import annotations

import json
from dataclasses import replace

from tamecheck.errors import CertificateError
from tamecheck.tame.verdict import Check

_UNLIMITED = 1 << 60
"""The limit of steps is there for certificates of others."""


def confirm(found: Check) -> Check:
    """The answer with what its certificate takes on trust, once the kernel accepts it.

    Raises
    ------
    CertificateError
        If it does not: a defect of tamecheck.
    """
    if found.certificate is None:
        return found
    from tamecheck.kernel import check

    report = check(json.dumps(found.certificate), _UNLIMITED)
    if report.verdict != "valid" and not report.trusted:
        raise CertificateError(
            f"The kernel does not accept the proof that was found: {report.why}.",
            hint="This is a defect of tamecheck; please report it.",
        )
    return replace(found, trusted=report.trusted)
