"""``tamecheck cells`` for models that are not piecewise linear: cells with formulas."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import print_json
from tamecheck.cli.source import domain_of
from tamecheck.errors import visible

if TYPE_CHECKING:
    from tamecheck.cells import Slice
    from tamecheck.cells.formulas import FormulaCell, FormulaCells
    from tamecheck.model import Model

__all__ = ["run_formulas"]

_WIDTH = 160
_SHOWN = 10
_DIGITS = 4
_LONG = 1000


def run_formulas(args: Namespace, model: Model, slice_: Slice | None, timeout: float | None) -> int:
    """Find the cells of any model and print them; the exit code."""
    from tamecheck.cells.formulas import FORMULA_LIMIT, formula_cells

    limit = FORMULA_LIMIT if args.limit is None else args.limit
    box = None if slice_ is not None else domain_of(args, model)
    found = formula_cells(
        model.graph, box, slice_=slice_, limit=limit, timeout=timeout, seed=args.seed or 0
    )
    if args.json:
        print_json(_document(found))
    else:
        _print(args, found)
    return 0 if found.complete else 3


def _document(found: FormulaCells) -> dict[str, Any]:
    return {
        "count": found.count,
        "lower_dimensional": None,
        "dimension": found.dimension,
        "volume": None,
        "complete": found.complete,
        "coordinates": list(found.names),
        "cells": [_cell(found, cell) for cell in found],
        "undecided": [[str(c) for c in conditions] for conditions in found.undecided],
        "listed": found.count,
    }


def _cell(found: FormulaCells, cell: FormulaCell) -> dict[str, Any]:
    formulas, latex = iter(cell.formulas), iter(cell.latex())
    sizes = {name: len(elements) for name, elements in found.elements.items()}
    return {
        "conditions": [str(condition) for condition in cell.conditions],
        "polyhedral": cell.polyhedral,
        "formulas": {name: [next(formulas) for _ in range(n)] for name, n in sizes.items()},
        "latex": {name: [next(latex) for _ in range(n)] for name, n in sizes.items()},
        "halfspaces": None,
        "A": None,
        "b": None,
        "interior_point": [str(x) for x in cell.interior_point],
    }


def _print(args: Namespace, found: FormulaCells) -> None:
    noun = "cell" if found.count == 1 else "cells"
    line = f"{found.count} {noun} with formulas in dimension {found.dimension}"
    if not found.finished:
        line += " (stopped at the limit or the timeout: there are more)"
    print(line)
    if found.undecided:
        print(f"{len(found.undecided)} sets of conditions of which it is open if they can hold")
    if args.quiet:
        return
    for cell in found.cells[:_SHOWN]:
        conditions = [f"{_rounded(c.left)} {c.relation} 0" for c in cell.conditions]
        formulas = [str(_rounded(formula)) for formula in cell.sympy]
        where = f"where {_short(', '.join(conditions))}" if conditions else "everywhere"
        print(visible(f"  {where}:"))
        print(visible(f"    {_short(', '.join(formulas))}"))
    if found.count > _SHOWN:
        print(f"  and {found.count - _SHOWN} more")
    print(f"long fractions with {_DIGITS} digits; --json gives all of them, exactly")


def _rounded(expression: Any) -> Any:
    """The expression with long fractions as decimals."""
    return expression.replace(_is_long, _decimal)


def _is_long(part: Any) -> bool:
    return bool(part.is_Rational) and part.q > _LONG


def _decimal(part: Any) -> Any:
    return part.n(_DIGITS)


def _short(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
