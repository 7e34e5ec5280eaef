"""The kernel's word on an answer, before anybody hears it.

It is the one module of this package that knows a kernel, and no search imports it.
"""

from __future__ import annotations

import json
from dataclasses import replace

from tamecheck.errors import CertificateError
from tamecheck.ir.graph import Apply
from tamecheck.ir.judge import UNLIMITED, judge
from tamecheck.ir.verdict import Open, Properties, Verdict
from tamecheck.ops import BY_NAME
from tamecheck.tame.consequences import consequences
from tamecheck.tame.properties import CERTIFIED
from tamecheck.tame.verdict import Check, Defined


def confirm(found: Check) -> Check:
    """The answer with what its certificate takes on trust, once the kernel accepts it.

    The kernel does not know ops that are declared outside of this package.  Where it does not
    accept a proof, a defect of tamecheck, the answer is the part of it that it accepts, and says
    so.
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
    try:
        return _accepted(found)
    except CertificateError as error:
        weaker = _without_properties(found)
        try:
            return replace(_accepted(weaker), weaker=(*weaker.weaker, f"nothing more: {error}"))
        except CertificateError:
            return _unknown(found, error)


def _accepted(found: Check) -> Check:
    from tamecheck.kernel import check

    report = judge(check, json.dumps(found.certificate, allow_nan=False))
    return replace(found, trusted=report.trusted)


def _without_properties(found: Check) -> Check:
    """The verdict and the structures alone, by the steps before the one that is refused."""
    from tamecheck.kernel import check

    document = dict(found.certificate or {})
    refused = check(json.dumps(document, allow_nan=False), UNLIMITED).step
    kept = ("verdict", "structures", "refutes")
    claim = {key: value for key, value in document["claim"].items() if key in kept}
    document |= {"claim": claim, "steps": document["steps"][:refused]}
    known = found.properties
    proved = (name for name in (*CERTIFIED, "path_differentiable") if getattr(known, name))
    properties = replace(known, **dict.fromkeys(proved))
    where = found.defined
    return replace(
        found,
        certificate=document,
        properties=properties,
        defined=Defined(where=where.where, definable_in=where.definable_in),
        consequences=found.consequences
        if found.verdict is Verdict.NOT_TAME
        else consequences(
            found.graph, found.box, found.verdict, found.structures, properties, total=False
        ),
    )


def _unknown(found: Check, error: CertificateError) -> Check:
    """That nothing is shown, and why."""
    open_ = Open("the model", str(error), "a report of this defect of tamecheck")
    return Check(
        graph=found.graph,
        box=found.box,
        verdict=Verdict.UNKNOWN,
        properties=Properties(),
        open=(open_,),
        derivation=(),
    )
