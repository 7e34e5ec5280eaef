"""Rules of a piecewise linear classifier: one conjunction of linear inequalities a cell and class.

On a closed cell all scores are affine, so the points that a class wins are those of the cell that
meet one inequality for each other class.  A continuous network gives the same scores in all cells
that share a point, so the rules are exact everywhere in the box, boundaries and ties included.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from tamecheck.cells import Cell, cells, element_names
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.explain.cell_rules_merging import merged
from tamecheck.explain.cell_rules_result import CellRule, CellRules
from tamecheck.explain.cell_rules_scores import Form, Single, affine_start, scores_of
from tamecheck.explain.inequalities import Inequality, tightest
from tamecheck.ir.box import Box
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import size_of
from tamecheck.loaders.text.box import box_of_mapping

__all__ = ["rules_of_cells"]

_MAX_AXES = 10
_MAX_VOLUME = 4
_MAX_RULES = 20_000


def rules_of_cells(
    model: Any,
    box: Any,
    *,
    names: Sequence[str] | None = None,
    classes: Sequence[Any] | None = None,
    limit: int = _MAX_RULES,
) -> CellRules:
    """The decisions of a continuous piecewise linear classifier on a box, as exact rules.

    Parameters
    ----------
    model
        A `tamecheck.Model`: its first output holds a score a class, of which the largest decides,
        the first of several; or one number, positive for class 1, else class 0.  A softmax or a
        logistic function at the end changes no decision and is left out.
    box
        A bounded box, as in `Model.box`.  With more than 10 inputs that vary, the network must
        begin with a layer of at most 10 neurons; its cells are then those of the neurons' values,
        some of which no input may reach.
    names
        A name for each input element.
    classes
        A label for each class.
    limit
        The most cells.

    Raises
    ------
    UnsupportedError
        If the model is not piecewise linear or not continuous, or too wide.
    InputError
        If the box is not bounded, or the limit is reached.
    """
    found: Box = model.box(box)
    graph, single = scores_of(model.graph)
    inputs = graph.inputs
    bounds = _bounds(graph, found)
    labels = list(names) if names is not None else list(element_names(inputs))
    if len(labels) != len(bounds):
        raise InputError(f"{len(labels)} names for {len(bounds)} inputs.")
    free = [i for i, (low, high) in enumerate(bounds) if low != high]
    if len(free) <= _MAX_AXES:
        parts = cells(graph, found, limit=limit)
        lift = [_unit(i, len(bounds)) for i in free]
        axes = [bounds[i] for i in free]
    else:
        graph, lift = affine_start(graph, _MAX_AXES)
        axes = [_reach(form, bounds) for form in lift]
        name = next(iter(graph.inputs))
        sides = {name: ([low for low, _ in axes], [high for _, high in axes])}
        parts = cells(graph, box_of_mapping(sides, graph.inputs), limit=limit)
        # a side without width is no coordinate
        kept = [k for k, (low, high) in enumerate(axes) if low != high]
        lift, axes = [lift[k] for k in kept], [axes[k] for k in kept]
    if not parts.complete:
        raise InputError(f"There are more than {limit} cells.", hint="Give a smaller box.")
    if parts.lower_dimensional:
        raise UnsupportedError("The model jumps: rules of cells are for continuous ones.")
    # volumes of the neurons' values are no volumes of inputs
    known = len(axes) <= _MAX_VOLUME and len(free) <= _MAX_AXES
    total = parts.volume if known else Fraction(1)
    rules: list[CellRule] = []
    for cell in parts:
        share = cell.volume / total if known else None
        rules += _rules_of(cell, axes, lift, single, share)
    count = 2 if single is Single.POSITIVE else size_of(next(iter(parts.outputs.values())))
    said = tuple(map(str, range(count) if classes is None else classes))
    if len(said) != count:
        raise InputError(f"{len(said)} labels for {count} classes.")
    return CellRules(
        tuple(sorted(merged(rules), key=lambda rule: (rule.then, -(rule.coverage or 0)))),
        tuple(labels),
        said,
        tuple(bounds),
    )


def _bounds(graph: Graph, box: Box) -> list[tuple[Fraction, Fraction]]:
    found: list[tuple[Fraction, Fraction]] = []
    for name, shape in graph.inputs.items():
        for low, high in box.side(name).elements(size_of(shape)):
            if low is None or high is None:
                raise InputError(f"Input {name!r} is not bounded.", where="--box")
            found.append((low, high))
    return found


def _unit(place: int, count: int) -> Form:
    return tuple(Fraction(int(i == place)) for i in range(count)), Fraction(0)


def _reach(form: Form, bounds: Sequence[tuple[Fraction, Fraction]]) -> tuple[Fraction, Fraction]:
    """The least and the largest value of a form on a box."""
    low = high = form[1]
    for a, (lower, upper) in zip(form[0], bounds, strict=True):
        low += a * (lower if a > 0 else upper)
        high += a * (upper if a > 0 else lower)
    return low, high


def _rules_of(
    cell: Cell,
    axes: Sequence[tuple[Fraction, Fraction]],
    lift: Sequence[Form],
    single: Single,
    share: Fraction | None,
) -> Iterator[CellRule]:
    """The rules of one cell; ``share`` is its part of the box's volume, if that is known."""
    own = [Inequality(h.normal, h.offset, h.strict) for h in cell.halfspaces]
    own = [half for half in own if not half.everywhere(axes)]
    vertices = cell.vertices
    for decision, rows in _contests(cell, single):
        needed: list[Inequality] = []
        for row in rows:
            values = [row.value(v) for v in vertices]
            if not row.met(max(values)):
                break
            if not row.met(min(values)):
                needed.append(row)
        else:
            # of values that no input reaches, bounds may exclude each other
            halves = tightest([_lifted(half, lift) for half in (*own, *needed)])
            if halves is None:
                continue
            yield CellRule(halves, decision, None if needed else share)


def _contests(cell: Cell, single: Single) -> Iterator[tuple[int, list[Inequality]]]:
    """For each class the inequalities by which it wins: strict ones against earlier classes."""
    rows = [Inequality(row, b) for row, b in zip(cell.map.matrix, cell.map.offset, strict=True)]
    if single is Single.POSITIVE:
        above = Inequality(rows[0].normal, rows[0].offset, strict=True)
        yield 1, [above]
        yield 0, [above.negated()]
        return
    for winner, row in enumerate(rows):
        others = [k for k in range(len(rows)) if k != winner]
        yield winner, [row.less(rows[k], strict=k < winner) for k in others]


def _lifted(half: Inequality, lift: Sequence[Form]) -> Inequality:
    """An inequality in the coordinates as one in the inputs."""
    if not lift:
        return half
    width = len(lift[0][0])
    normal = [
        sum((a * form[0][i] for a, form in zip(half.normal, lift, strict=True)), Fraction(0))
        for i in range(width)
    ]
    offset = sum((a * form[1] for a, form in zip(half.normal, lift, strict=True)), half.offset)
    return Inequality(tuple(normal), offset, half.strict)
