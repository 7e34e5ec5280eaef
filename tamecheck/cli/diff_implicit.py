"""``tamecheck diff --implicit``: the implicit function theorem at a point."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import print_json

if TYPE_CHECKING:
    from tamecheck.derivative.implicit import Implicit
    from tamecheck.model import Model

__all__ = ["run_implicit"]


def run_implicit(args: Namespace, model: Model, point: Mapping[str, Any]) -> int:
    """Check the hypotheses and print the Jacobian of the unknowns."""
    from tamecheck.derivative.implicit import implicit

    unknowns = [name.strip() for name in args.implicit.split(",") if name.strip()]
    found = implicit(model.graph, unknowns=unknowns, at=point, timeout=args.timeout, seed=args.seed)
    document = _document(found)
    if args.json:
        print_json(document)
    else:
        _print(args, document)
    return {"proved": 0, "refuted": 1, "unknown": 3}[found.verdict.value]


def _document(found: Implicit) -> dict[str, Any]:
    from tamecheck.show.number import exact_text

    singular = found.singular
    return {
        "verdict": found.verdict.value,
        "hypotheses": [
            {"name": h.name, "status": h.status.value, "why": h.why} for h in found.hypotheses
        ],
        "unknowns": list(found.unknowns),
        "parameters": list(found.parameters),
        "kind": found.kind,
        "vertices": [[[exact_text(a) for a in row] for row in matrix] for matrix in found.vertices],
        "hull_is_exact": found.hull_is_exact,
        "singular": None
        if singular is None
        else (
            [[exact_text(a) for a in row] for row in singular.matrix]
            if singular.matrix is not None
            else str(singular)
        ),
    }


def _print(args: Namespace, document: dict[str, Any]) -> None:
    unknowns, parameters = ", ".join(document["unknowns"]), ", ".join(document["parameters"])
    print(f"{unknowns} as a function of {parameters or 'nothing'}: {document['verdict']}")
    if args.quiet:
        return
    for hypothesis in document["hypotheses"]:
        print(f"  {hypothesis['status']:8} {hypothesis['name']}: {hypothesis['why']}")
    if document["vertices"]:
        between = "hull of" if document["hull_is_exact"] else "at the vertices of F's Jacobian"
        print(f"Jacobian, {between}:")
        for matrix in document["vertices"]:
            print("  [" + "; ".join(" ".join(row) for row in matrix) + "]")
