"""``tamecheck verify --hamming`` and ``--distance``: balls of a binarized network."""

from __future__ import annotations

import json
import time
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import message, print_json, write_document
from tamecheck.cli.occurring import levels_of
from tamecheck.cli.source import model_of, name_of
from tamecheck.errors import CertificateError, InputError, visible

if TYPE_CHECKING:
    from tamecheck.model import Model
    from tamecheck.verification import HammingBall, Witness

__all__ = ["run_hamming"]

_EXIT_CODES = {"holds": 0, "violated": 1, "unknown": 3}


def run_hamming(args: Namespace) -> int:
    """Answer about a ball around the point of ``--input``, print the answer."""
    for name in ("spec", "vnncomp"):
        if getattr(args, name) is not None:
            option = "--distance" if args.distance else "--hamming"
            raise InputError(f"{option} takes no property file: there is no use for {name}.")
    if args.input is None:
        raise InputError("No --input is given.", hint="It is the point whose decision counts.")
    radius = None if args.distance else _radius(args.hamming)
    model = model_of(args)
    ball = _ball(args, model)
    started = time.monotonic()
    document = _distance(args, model, ball) if radius is None else _holds(args, model, ball, radius)
    document["seconds"] = round(time.monotonic() - started, 3)
    if args.json:
        document["model"] = {"sha256": model.graph.sha256, "source": name_of(args)}
        print_json(document)
    else:
        _print(args, document)
    return _EXIT_CODES[document["verdict"]]


def _radius(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise InputError(f"--hamming {text!r} is no natural number.")
    return int(text)


def _ball(args: Namespace, model: Model) -> HammingBall:
    from tamecheck.ir.exact import rational
    from tamecheck.loaders.arrays import read_point
    from tamecheck.verification import HammingBall

    point = read_point(args.input, model.inputs)
    flat = [rational(v) for name in model.inputs for v in point[name].reshape(-1).tolist()]
    return HammingBall.of(model.graph, flat, levels_of(args.domain or "-1,1"))


def _holds(args: Namespace, model: Model, ball: HammingBall, radius: int) -> dict[str, Any]:
    from tamecheck.verification import Unknown, Violated, answer_document
    from tamecheck.verification.witness import replay_of

    started = time.monotonic()
    answer = ball.verify(radius, timeout=args.timeout, replay=replay_of(model))
    document = answer_document(answer)
    document["distance"] = None
    if isinstance(answer, Violated):
        document["changed"] = _changes(ball, answer.witness)
    # a proof that the kernel checks turns what solvers say into an answer
    claimed = isinstance(answer, Unknown) and answer.said_by
    if claimed or (document["verdict"] == "holds" and _certifying(args)):
        _certify(args, document, ball.certify(radius, timeout=_left(args, started)))
    return document


def _distance(args: Namespace, model: Model, ball: HammingBall) -> dict[str, Any]:
    from tamecheck.verification import Violated, answer_document, solvers_word
    from tamecheck.verification.witness import replay_of

    started = time.monotonic()
    found = ball.distance(timeout=args.timeout)
    flips = len(ball.network.free)
    never = found.witness is None and found.lower > flips
    claimed = found.exact or never
    shown = claimed and found.checked == "enumeration"
    reason = found.why
    if claimed:
        reason = "No input at all is decided otherwise." if never else "No fewer changes suffice."
    document: dict[str, Any] = {
        "verdict": "holds" if shown else "unknown",
        "reason": reason if shown or not claimed else solvers_word(found),
        "witness": None,
        "certificate": None,
        "method": found.method,
        "rests_on": "recomputation" if shown else None,
        "checked": found.checked if shown else None,
        "distance": found.upper if shown else None,
        "bounds": [found.lower, found.upper],
        "facts": {},
    }
    if found.witness is not None:
        witness = ball.witness(found, replay_of(model))
        violated = answer_document(Violated(witness, found.method, reason, 0.0))
        document["witness"] = violated["witness"]
        document["changed"] = _changes(ball, witness)
    if claimed and (_certifying(args) or not shown):
        _certify(args, document, ball.certify_distance(found, timeout=_left(args, started)))
        if document["verdict"] == "holds":
            document |= {"distance": found.upper, "reason": reason}
    return document


def _changes(ball: HammingBall, witness: Witness) -> list[dict[str, Any]]:
    """The inputs that the witness changes."""
    from tamecheck.ir.exact import rational_text

    centre = ball.network.point(ball.states)
    return [
        {"input": i, "from": rational_text(old), "to": rational_text(new)}
        for i, (old, new) in enumerate(zip(centre, witness.inputs, strict=True))
        if old != new
    ]


def _certifying(args: Namespace) -> bool:
    return args.certify or args.output is not None


def _left(args: Namespace, started: float) -> float | None:
    return None if args.timeout is None else args.timeout - (time.monotonic() - started)


def _certify(args: Namespace, document: dict[str, Any], certificate: dict[str, Any] | None) -> None:
    """Enter the certificate into the answer, if there is one that the kernel accepts."""
    from tamecheck.certificates import recheck

    if certificate is None:
        message(args, "No certificate was found in time.")
        return
    report = recheck(json.dumps(certificate))
    if report.verdict == "incomplete":
        message(args, f"No certificate that the kernel checks: {report.why}.")
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


def _print(args: Namespace, document: dict[str, Any]) -> None:
    verdict, distance = document["verdict"], document["distance"]
    if args.quiet:
        known = args.distance and verdict == "holds"
        print(("never" if distance is None else distance) if known else verdict)
        return
    if args.distance and verdict == "holds":
        verdict = "never" if distance is None else f"distance {distance}"
    print(f"{visible(name_of(args))}: {verdict}")
    print(f"  {document['reason']}")
    if args.distance and document["verdict"] == "unknown":
        lower, upper = document["bounds"]
        print(f"  at least {lower}" + ("" if upper is None else f", at most {upper}"))
    for change in document.get("changed", ()):
        print(f"  input {change['input']}: {change['from']} -> {change['to']}")
    if document["checked"] is not None:
        print(f"  rests on: {document['checked']} ({document['method']})")
    if document["certificate"] is not None:
        print(f"  certificate: {visible(document['certificate'])}")
