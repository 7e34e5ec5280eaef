"""Answers as JSON documents, with the keys that scripts may rely on."""

from __future__ import annotations

from typing import Any

from tamecheck.ir.box import Bound, Box
from tamecheck.ir.exact import rational_text
from tamecheck.ir.tensor import Shape
from tamecheck.show.wording import headline, property_values
from tamecheck.tame.verdict import Check, Line, Witness

__all__ = ["box_json", "check_json", "shapes_json"]


def check_json(
    check: Check, *, certificate: str | None = None, derivation: bool = False
) -> dict[str, Any]:
    """The answer of ``check`` as a dictionary that `json` can write.

    Parameters
    ----------
    certificate
        The path that the certificate was written to, if it was.
    derivation
        Whether to include the lines of the derivation.
    """
    names = list(dict.fromkeys(s.public_name for s in check.structures))
    document: dict[str, Any] = {
        "verdict": check.verdict.value,
        "structure": names[0] if names and check.structures[0].o_minimal else None,
        "also": names[1:],
        "before_softmax": check.before_softmax[0].public_name if check.before_softmax else None,
        "summary": headline(check),
        "properties": property_values(check.properties),
        "consequences": [
            {"theorem": c.theorem, "source": c.source, "hypotheses": list(c.hypotheses)}
            for c in check.consequences
        ],
        "witness": _witness(check.witness),
        "open": [{"node": gap.node, "why": gap.why, "settles": gap.settles} for gap in check.open],
        "certificate": certificate,
        "trusted": list(check.trusted),
        "domain": box_json(check.box, check.graph.inputs),
        "model": {"sha256": check.graph.sha256},
    }
    if derivation:
        document["derivation"] = [_line(line) for line in check.derivation]
    return document


def _witness(witness: Witness | None) -> dict[str, Any] | None:
    if witness is None:
        return None
    return {**witness.document, "refutes": witness.refutes, "summary": witness.summary}


def _line(line: Line) -> dict[str, Any]:
    return {
        "node": line.node,
        "name": line.name,
        "op": line.op,
        "structures": [s.value for s in line.structures],
        "why": line.why,
        "args": list(line.args),
    }


def box_json(box: Box, inputs: dict[str, Shape]) -> dict[str, Any]:
    """A box as in certificates: exact strings, null where unbounded, every input named."""
    return {
        name: {
            "lower": [_bound(b) for b in box.side(name).lower],
            "upper": [_bound(b) for b in box.side(name).upper],
        }
        for name in inputs
    }


def _bound(value: Bound) -> str | None:
    return None if value is None else rational_text(value)


def shapes_json(shapes: dict[str, Shape]) -> list[dict[str, Any]]:
    """Named shapes as a list of records."""
    return [{"name": name, "shape": list(shape)} for name, shape in shapes.items()]
