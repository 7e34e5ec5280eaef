"""The document that an independent checker needs to confirm what a search found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from tamecheck.ir.exact import rational_text
from tamecheck.ir.program import Program
from tamecheck.programs.branching import Branch
from tamecheck.programs.granularity import Granularity
from tamecheck.programs.nodes import Bounded, Branched, Crossed, CrossedRow, Excluded, Gap, Node
from tamecheck.programs.scaled import Multipliers

__all__ = ["bound_claim", "certificate", "infeasible_claim", "optimal_claim", "unbounded_claim"]

_LONGEST_INTEGER = 10**17
# longer ones are strings, since JSON readers may round them


def certificate(
    program: Program,
    claim: Mapping[str, Any],
    nodes: Sequence[Node] = (),
    steps: Granularity | None = None,
) -> dict[str, Any]:
    """The certificate: the program, what is claimed about it, and the tree that proves it."""
    return {
        "format": "tamecheck-tree-certificate",
        "version": 1,
        "program": program.document(),
        "claim": dict(claim),
        "granularity": None if steps is None else _granularity(steps),
        "nodes": [_node(node) for node in nodes],
    }


def optimal_claim(program: Program, point: Sequence[Fraction]) -> dict[str, Any]:
    """No point has a better value than this one."""
    value = rational_text(program.objective(point))
    return {"verdict": "optimal", "x": _texts(point), "value": value}


def infeasible_claim() -> dict[str, Any]:
    """There is no point."""
    return {"verdict": "infeasible"}


def bound_claim(bound: Fraction) -> dict[str, Any]:
    """No point has a better value than this number."""
    return {"verdict": "bound", "bound": rational_text(bound)}


def unbounded_claim(point: Sequence[Fraction], ray: Sequence[Fraction]) -> dict[str, Any]:
    """Every multiple of the ray may be added to the point, and each is better."""
    return {"verdict": "unbounded", "x": _texts(point), "ray": _texts(ray)}


def _granularity(found: Granularity) -> dict[str, Any]:
    rows = [[i, rational_text(y)] for i, y in sorted(found.rows.items())]
    return {"step": rational_text(found.step), "rows": rows}


def _node(node: Node) -> dict[str, Any]:
    match node:
        case Branched(Branch(column, at), children):
            return {"branch": column, "at": _integer(at), "children": list(children)}
        case Branched(by, children):
            return {"semi": by.column, "children": list(children)}
        case Bounded(multipliers):
            return {"bound": _pairs(multipliers), "over": _integer(multipliers.denominator)}
        case Excluded(multipliers):
            return {"none": _pairs(multipliers)}
        case Gap(multipliers):
            return {"gap": _pairs(multipliers), "over": _integer(multipliers.denominator)}
        case Crossed(column):
            return {"crossed": column}
        case CrossedRow(row):
            return {"row": row}


def _pairs(multipliers: Multipliers) -> list[list[int | str]]:
    return [[i, _integer(n)] for i, n in sorted(multipliers.numerators.items())]


def _integer(value: int) -> int | str:
    return value if abs(value) < _LONGEST_INTEGER else str(value)


def _texts(point: Sequence[Fraction]) -> list[str]:
    return [rational_text(value) for value in point]
