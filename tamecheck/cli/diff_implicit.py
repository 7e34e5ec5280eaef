"""``tamecheck diff --implicit``: the implicit function theorem at a point."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import message, print_json
from tamecheck.cli.diff import matrix_text
from tamecheck.errors import visible

if TYPE_CHECKING:
    from tamecheck.derivative.implicit import Implicit
    from tamecheck.model import Model

__all__ = ["run_implicit"]

_MOST_NAMES = 8


def run_implicit(args: Namespace, model: Model, point: Mapping[str, Any]) -> int:
    """Check the hypotheses and print the Jacobian of the unknowns."""
    from tamecheck.derivative.implicit import implicit

    unknowns = [name.strip() for name in args.implicit.split(",") if name.strip()]
    found = implicit(
        model.graph,
        unknowns=unknowns,
        at=point,
        box=args.box,
        timeout=args.timeout,
        seed=args.seed,
    )
    document = _document(found)
    rests_on = document["rests_on"]
    if args.json:
        print_json(document)
    else:
        _print(args, document)
    if rests_on not in {None, "certificate", "recomputation", "replay"}:
        message(args, f"The verdict rests on {rests_on} alone, so the exit code is 3.")
        return 3
    return {"proved": 0, "refuted": 1, "unknown": 3}[found.verdict.value]


def _document(found: Implicit) -> dict[str, Any]:
    from tamecheck.derivative.implicit import ground
    from tamecheck.show.number import exact_text

    singular = found.singular
    return {
        "verdict": found.verdict.value,
        "rests_on": ground(found),
        "hypotheses": [
            {"name": h.name, "status": h.status.value, "why": h.why, "rests_on": h.rests_on or None}
            for h in found.hypotheses
        ],
        "unknowns": list(found.unknowns),
        "parameters": list(found.parameters),
        "solution": [exact_text(v) for v in found.solution],
        "isolated": None if found.isolated is None else float(found.isolated),
        "kind": found.kind,
        "vertices": [[[exact_text(a) for a in row] for row in matrix] for matrix in found.vertices],
        "listed": found.listed,
        "hull_is_exact": found.hull_is_exact,
        "validity": _validity(found),
        "singular": None
        if singular is None
        else (
            [[exact_text(a) for a in row] for row in singular.matrix]
            if singular.matrix is not None
            else str(singular)
        ),
    }


def _validity(found: Implicit) -> dict[str, Any] | None:
    validity = found.validity()
    if validity is None:
        return None
    return {
        "parameters": _radius(validity.parameters),
        "unknowns": _radius(validity.unknowns),
        "why": validity.why,
    }


def _radius(value: Fraction | float | None) -> str | None:
    return None if value is None else str(value)


def _names(names: list[str]) -> str:
    shown = names if len(names) <= _MOST_NAMES else [*names[:2], "...", names[-1]]
    return ", ".join(shown)


def _print(args: Namespace, document: dict[str, Any]) -> None:
    unknowns, parameters = _names(document["unknowns"]), _names(document["parameters"])
    print(f"{unknowns} as a function of {parameters or 'nothing'}: {document['verdict']}")
    if args.quiet:
        return
    for hypothesis in document["hypotheses"]:
        trusted = f" (rests on {hypothesis['rests_on']})" if hypothesis["rests_on"] else ""
        print(
            visible(
                f"  {hypothesis['status']:8} {hypothesis['name']}: {hypothesis['why']}{trusted}"
            )
        )
    if document["isolated"] is not None:
        for name, value in zip(document["unknowns"], document["solution"], strict=True):
            print(f"  {name} = {value}")
    if document["vertices"]:
        between = "hull of" if document["hull_is_exact"] else "at the vertices of F's Jacobian"
        print(f"Jacobian, {between}:")
        for matrix in document["vertices"]:
            print(f"  {matrix_text(matrix)}")
    validity = document["validity"]
    if validity is None:
        return
    if validity["parameters"] is None:
        print(f"no radius is known: {validity['why']}")
    else:
        print(f"radius in the parameters: {validity['parameters']} ({validity['why']})")
