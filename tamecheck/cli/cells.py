"""``tamecheck cells``: the exact linear regions of a piecewise linear model on a box."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import message, print_json
from tamecheck.cli.options import Subparsers, add_box, add_common, add_model
from tamecheck.cli.slice import add_slice, chosen_slice
from tamecheck.cli.source import domain_of, model_of
from tamecheck.visible import visible

if TYPE_CHECKING:
    from tamecheck.cells import Cell, Complex, Halfspace

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
List the cells of a piecewise linear model on a bounded box: the polytopes on which it is affine,
one for each activation pattern with an interior, with exact halfspaces, maps and volumes.  Where
the model jumps, the cells of lower dimension with a value of their own are listed too.

exit codes: 0 all cells found, 3 stopped at the limit or the timeout (the cells
found so far are listed)"""

_MANY = 5_000
"""In dimension 3 and more, the volumes of more cells than this are not summed."""


_TO_ANSWER = 10.0
"""Seconds beyond the timeout to print the cells found so far."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "cells", help="exact linear regions on a box", description=_DESCRIPTION
    )
    add_model(parser)
    add_box(parser)
    add_slice(parser)
    parser.add_argument(
        "--merge", action="store_true", help="join neighbours on which the model is the same map"
    )
    parser.add_argument(
        "--decision",
        action="store_true",
        help="conditions for each class (the largest score, ties to the first); an SMT-LIB 2 "
        "script, or JSON with --json",
    )
    parser.add_argument(
        "--limit", type=int, metavar="N", help="stop after N cells (default 200000)"
    )
    add_common(parser, overtime=_TO_ANSWER)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Find the cells and print them."""
    from tamecheck.cells import DEFAULT_LIMIT, cells, decision_regions

    model = model_of(args)
    for note in model.loaded.notes:
        message(args, note)
    limit = DEFAULT_LIMIT if args.limit is None else args.limit
    slice_ = chosen_slice(args, model)
    box = None if slice_ is not None else domain_of(args, model)
    found = cells(model.graph, box, slice_=slice_, limit=limit, timeout=args.timeout)
    if args.decision:
        regions = decision_regions(found)
        if args.json:
            print_json(regions.document())
        else:
            print(visible(regions.smtlib()), end="")
    elif args.json:
        print_json(cells_document(found, merge=args.merge))
    else:
        _print(args, found, limit)
    return 0 if found.complete else 3


def cells_document(found: Complex, *, merge: bool) -> dict[str, Any]:
    """The answer as JSON."""
    groups = found.merged() if merge else tuple((number,) for number in range(found.count))
    small = found.dimension < 3 or found.count <= _MANY
    return {
        "count": len(groups),
        "lower_dimensional": len(found.lower_dimensional),
        "dimension": found.dimension,
        "volume": str(found.volume) if small else None,
        "complete": found.complete,
        "coordinates": list(found.names),
        "cells": [_group(found, members) for members in groups],
        "lower_dimensional_cells": [_cell(cell) for cell in found.lower_dimensional],
    }


def _group(found: Complex, members: tuple[int, ...]) -> dict[str, Any]:
    first = _cell(found.cells[members[0]])
    if len(members) > 1:
        parts = [found.cells[number] for number in members]
        first["parts"] = [{"halfspaces": _halfspaces(part.halfspaces)} for part in parts]
        first["halfspaces"] = None
    return first


def _cell(cell: Cell) -> dict[str, Any]:
    document: dict[str, Any] = {
        "halfspaces": _halfspaces(cell.halfspaces),
        "A": [[str(a) for a in row] for row in cell.map.matrix],
        "b": [str(b) for b in cell.map.offset],
        "interior_point": [str(x) for x in cell.interior_point],
    }
    if cell.equations:
        document["equations"] = _halfspaces(cell.equations)
    return document


def _halfspaces(halfspaces: tuple[Halfspace, ...]) -> list[dict[str, Any]]:
    return [
        {"normal": [str(a) for a in h.normal], "offset": str(h.offset), "strict": h.strict}
        for h in halfspaces
    ]


def _print(args: Namespace, found: Complex, limit: int) -> None:
    count = len(found.merged()) if args.merge else found.count
    kind = "cells with different maps" if args.merge else "cells"
    line = f"{count} {kind} in dimension {found.dimension}"
    if found.lower_dimensional:
        line += f", {len(found.lower_dimensional)} of lower dimension at jumps"
    if not found.complete:
        total = found.count + len(found.lower_dimensional)
        reason = "limit" if total >= limit else "timeout"
        line += f" (stopped at the {reason}: there are more)"
    print(line)
    if args.quiet:
        return
    if found.complete and (found.dimension < 3 or found.count <= _MANY):
        print(f"volume {found.volume}, the sum of the cells")
    for cell in found.cells[:10]:
        point = ", ".join(f"{n}={x}" for n, x in zip(found.names, cell.interior_point, strict=True))
        print(visible(f"  at {point}: {_formula(cell, found.names)}"))
    if found.count > 10:
        print(f"  and {found.count - 10} more; --json lists all, exactly")


def _formula(cell: Cell, names: tuple[str, ...]) -> str:
    """The affine map, with 4 digits of each coefficient."""
    rows: list[str] = []
    for row, offset in zip(cell.map.matrix[:3], cell.map.offset[:3], strict=True):
        terms = [f"{float(a):.4g} {name}" for a, name in zip(row, names, strict=True) if a]
        if offset or not terms:
            terms.append(f"{float(offset):.4g}")
        rows.append(" + ".join(terms).replace("+ -", "- "))
    more = ", …" if len(cell.map.offset) > 3 else ""
    return ", ".join(rows) + more
