"""``tamecheck cells``: the exact cells of a model on a box; any model has cells with formulas."""

from __future__ import annotations

import json
import math
import time
from argparse import Namespace
from collections.abc import Iterable
from functools import partial
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any

from tamecheck.budget import Budget
from tamecheck.cli.answer import print_answer, print_json
from tamecheck.cli.deadline import TO_ANSWER
from tamecheck.cli.options import AT, BOX, MODEL, SLICE, Verb, flag, option
from tamecheck.cli.source import chosen_slice, domain_of, model_of
from tamecheck.errors import SolverError, UnsupportedError, visible

if TYPE_CHECKING:
    from tamecheck.cells import Complex
    from tamecheck.model import Model


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


def _run(args: Namespace) -> int:
    """Find the cells and print them."""
    from tamecheck.cells import DEFAULT_LIMIT, cells, decision_regions
    from tamecheck.cells.formulas import FORMULA_LIMIT, formula_cells
    from tamecheck.show.answers import cells_lines, formula_cells_lines

    budget = Budget.of(args.timeout)
    model = model_of(args)
    slice_ = chosen_slice(args, model)
    box = None if slice_ is not None else domain_of(args, model)
    limit = DEFAULT_LIMIT if args.limit is None else args.limit
    left = None if args.timeout is None else budget.seconds
    try:
        found = cells(model.graph, box, slice_=slice_, limit=limit, timeout=left)
    except UnsupportedError:
        if args.merge or args.decision:
            raise
        most = FORMULA_LIMIT if args.limit is None else args.limit
        formulas = formula_cells(
            model.graph, box, slice_=slice_, limit=most, timeout=left, seed=args.seed or 0
        )
        lines = formula_cells_lines(formulas)
        brief = "\n".join(islice(lines, 2 if formulas.undecided else 1)) if args.quiet else None
        print_answer(args, formulas.to_json() if args.json else {}, lines, brief)
        return 0 if formulas.complete else 3
    rests_on = _rests_on(model, found)
    until = _until(budget, args.timeout)
    listed = True
    if args.decision:
        regions = decision_regions(found)
        if args.json:
            print_json(regions.to_json())
        else:
            print(visible(regions.smtlib()), end="")
    elif args.json:
        listed = _print_json(found, rests_on, merge=args.merge, until=until)
    else:
        volume = partial(_volume, found, until)
        lines = cells_lines(found, volume, rests_on, merge=args.merge, limit=limit)
        print_answer(args, {}, lines)
    return 0 if found.complete and listed else 3


def _rests_on(model: Model, found: Complex) -> str:
    """What shows that these are the cells."""
    from tamecheck.cells import is_complex

    holds = is_complex(model.graph, found)
    if holds is False:
        raise SolverError(
            "A recomputation contradicts these cells; they are not given.",
            hint="Please report it, with the model.",
        )
    return "recomputation" if holds else "search"


def _until(budget: Budget, timeout: float | None) -> float:
    """When to stop listing cells, now that the search is over."""
    if timeout is None:
        return math.inf
    return min(time.monotonic() + 1 + timeout / 5, budget.deadline + 0.7 * TO_ANSWER)


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
    thin = (cell.to_json() for cell in found.lower_dimensional)
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
    parts = [found.cells[number] for number in members]
    first = parts[0].to_json()
    if len(parts) > 1:
        first["parts"] = [{"halfspaces": [h.to_json() for h in part.halfspaces]} for part in parts]
        first["halfspaces"] = None
    for part in parts:
        part.forget()
    return first


VERB = Verb(
    "cells",
    "exact linear regions on a box",
    _DESCRIPTION,
    (
        MODEL,
        BOX,
        SLICE,
        AT,
        flag("--merge", "join neighbours on which the model is the same map"),
        flag("--decision",
            "conditions for each class (the largest score, ties to the first); an SMT-LIB 2 "
            "script, or JSON with --json"),
        option("--limit", "N", "stop after N cells (default 200000)", type=int),
    ),
    _run,
    answers=True,
)  # fmt: skip
