"""``tamecheck cells``: the exact cells of a model on a box."""

from __future__ import annotations

import json
import math
import time
from argparse import Namespace
from collections.abc import Iterable
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import message, print_json
from tamecheck.cli.cells_formulas import run_formulas
from tamecheck.cli.deadline import TO_ANSWER
from tamecheck.cli.options import Subparsers, add_box, add_common, add_model
from tamecheck.cli.slice import add_slice, chosen_slice
from tamecheck.cli.source import domain_of, model_of
from tamecheck.errors import SolverError, UnsupportedError, visible

if TYPE_CHECKING:
    from tamecheck.cells import Cell, Complex, Halfspace
    from tamecheck.model import Model

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
List the cells of a piecewise linear model on a bounded box: the polytopes on which it is affine,
one for each activation pattern with an interior, with exact halfspaces, maps and volumes.  Where
the model jumps, the cells of lower dimension with a value of their own are listed too.  The cells
of any other model are open sets given by signs of formulas, each with a formula of every output.

exit codes: 0 all cells found, 3 stopped at the limit or the timeout (the cells
found so far are counted, and listed as far as there is time)"""

_MANY = 5_000
"""The volumes of more cells than this are not summed if there are others."""

_WORK = 2_000_000
"""Volumes in dimension 3 and more are summed if they take so much work: about 15 seconds."""


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
    add_common(parser, answers=True)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Find the cells and print them."""
    from tamecheck.cells import DEFAULT_LIMIT, cells, decision_regions

    begun = time.monotonic()
    model = model_of(args)
    for note in model.loaded.notes:
        message(args, note)
    limit = DEFAULT_LIMIT if args.limit is None else args.limit
    slice_ = chosen_slice(args, model)
    box = None if slice_ is not None else domain_of(args, model)
    left = None if args.timeout is None else args.timeout - (time.monotonic() - begun)
    try:
        found = cells(model.graph, box, slice_=slice_, limit=limit, timeout=left)
    except UnsupportedError:
        if args.merge or args.decision:
            raise
        return run_formulas(args, model, slice_, left)
    rests_on = _rests_on(model, found)
    until = _until(begun, args.timeout)
    listed = True
    if args.decision:
        regions = decision_regions(found)
        if args.json:
            print_json(regions.document())
        else:
            print(visible(regions.smtlib()), end="")
    elif args.json:
        listed = _print_json(found, rests_on, merge=args.merge, until=until)
    else:
        _print(args, found, limit, until, rests_on)
    return 0 if found.complete and listed else 3


def _rests_on(model: Model, found: Complex) -> str:
    """What shows that these are the cells.

    Raises
    ------
    SolverError
        If a recomputation contradicts them.
    """
    from tamecheck.cells import is_complex

    holds = is_complex(model.graph, found)
    if holds is False:
        raise SolverError(
            "A recomputation contradicts these cells; they are not given.",
            hint="Please report it, with the model.",
        )
    return "recomputation" if holds else "search"


def _until(begun: float, timeout: float | None) -> float:
    """When to stop listing cells, now that the search is over."""
    if timeout is None:
        return math.inf
    return min(time.monotonic() + 1 + timeout / 5, begun + timeout + 0.7 * TO_ANSWER)


def _print_json(found: Complex, rests_on: str, *, merge: bool, until: float) -> bool:
    """Print the answer as JSON, cell after cell; whether there was time for all of them."""
    groups = found.merged() if merge else tuple((number,) for number in range(found.count))
    head = {
        "count": len(groups),
        "lower_dimensional": len(found.lower_dimensional),
        "dimension": found.dimension,
        "volume": _volume(found, until),
        "complete": found.complete,
        "coordinates": list(found.names),
        "rests_on": rests_on,
    }
    print(json.dumps(head)[:-1], end="")
    listed = _print_list("cells", (_group(found, members) for members in groups), until)
    thin = (_cell(cell) for cell in found.lower_dimensional)
    listed += _print_list("lower_dimensional_cells", thin, until)
    print(f', "listed": {listed}}}')
    return listed == len(groups) + len(found.lower_dimensional)


def _print_list(key: str, items: Iterable[dict[str, Any]], until: float) -> int:
    """Print a member of a JSON object that is a list, as far as there is time; its length."""
    print(f', "{key}": [', end="")
    listed = 0
    for item in items:
        print(", " * bool(listed) + json.dumps(item), end="")
        listed += 1
        if time.monotonic() > until:
            break
    print("]", end="")
    return listed


def _volume(found: Complex, until: float) -> str | None:
    """The sum of the cells' volumes, if that does not take long."""
    if found.count > _MANY and not found.complete:
        return None
    if found.dimension > 2 and sum(len(c.polytope.rows) ** 2 for c in found.cells) > _WORK:
        return None
    # half of the time is for the list of cells
    until -= (until - time.monotonic()) / 2 if math.isfinite(until) else 0
    in_time = takewhile(lambda _: time.monotonic() < until, found.cells)
    known = [cell.exact_volume for cell in in_time]
    return str(found.volume) if len(known) == found.count else None


def _group(found: Complex, members: tuple[int, ...]) -> dict[str, Any]:
    first = _cell(found.cells[members[0]])
    if len(members) > 1:
        parts = [found.cells[number] for number in members]
        first["parts"] = [{"halfspaces": _halfspaces(part.halfspaces)} for part in parts]
        first["halfspaces"] = None
    for number in members:
        found.cells[number].forget()
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


def _print(args: Namespace, found: Complex, limit: int, until: float, rests_on: str) -> None:
    count = len(found.merged()) if args.merge else found.count
    noun = "cell" if count == 1 else "cells"
    kind = f"{noun} with different maps" if args.merge else noun
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
    volume = _volume(found, until) if found.complete else None
    if volume is not None:
        print(f"volume {volume}, the sum of the cells")
    exact = "a search in floats with exact signs" if rests_on == "search" else rests_on
    print(f"rests on: {exact}")
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
