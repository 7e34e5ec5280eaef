"""The kernel's word on an answer, before anybody hears it.

It is the one module of this package that knows a kernel, and no search imports it.
"""

from __future__ import annotations

import json
from dataclasses import replace

from tamecheck.ir.graph import Apply
from tamecheck.ir.judge import judge
from tamecheck.ops import BY_NAME
from tamecheck.tame.verdict import Check


def confirm(found: Check) -> Check:
    """The answer with what its certificate takes on trust, once the kernel accepts it.

    The kernel does not know ops that are declared outside of this package.

    Raises
    ------
    CertificateError
        If it does not: a defect of tamecheck.
    """
    if found.certificate is None:
        return found
    foreign = {
        node.op.name
        for node in found.graph.nodes
        if isinstance(node, Apply) and BY_NAME.get(node.op.name) is not node.op
    }
    if foreign:
        why = f"the record of {', '.join(sorted(foreign))}, which the kernel does not know"
        return replace(found, trusted=(*found.trusted, why))
    from tamecheck.kernel import check

    report = judge(check, json.dumps(found.certificate, allow_nan=False))
    return replace(found, trusted=report.trusted)
