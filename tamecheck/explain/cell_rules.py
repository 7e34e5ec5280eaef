"""Rules of a piecewise linear classifier: conjunctions of inequalities for each cell and class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from html import escape
from typing import Any

import numpy as np

from tamecheck.cells import Cell, cells, element_names
from tamecheck.cells.reading import steps_of
from tamecheck.cells.steps import deciding
from tamecheck.errors import InputError, UnsupportedError, visible
from tamecheck.evaluate import exact_values
from tamecheck.explain.inequalities import CellRule, Inequality, merge_rules, tightest, wording
from tamecheck.explain.words import Written, html_table
from tamecheck.ir.box import Box
from tamecheck.ir.exact import rational, rational_text
from tamecheck.ir.graph import Apply, Graph, Input
from tamecheck.ir.tensor import Array, size_of
from tamecheck.loaders.text.box import box_of_mapping
from tamecheck.verification.decisions import ending, scores_of

_ROUNDING = 2.0**-52


@dataclass(frozen=True, eq=False)
class CellRules(Written):
    """Rules that decide every point of a box as the network does; the order does not matter."""

    rules: tuple[CellRule, ...]
    """By class."""
    names: tuple[str, ...] = field(repr=False)
    """Of the input elements."""
    classes: tuple[str, ...]
    """What the classes are called."""
    bounds: tuple[tuple[Fraction, Fraction], ...] = field(repr=False)
    """The box."""

    @property
    def faithful(self) -> str:
        """``"exact"``: at every point of the box the rules that hold name the network's class."""
        return "exact"

    def __len__(self) -> int:
        return len(self.rules)

    def __iter__(self) -> Iterator[CellRule]:
        return iter(self.rules)

    def decide(self, points: Any) -> Array:
        """The class of each row of points, by the rules alone; exact.

        A float evaluation with a bound on its rounding decides what is clear, and rationals
        decide the rest.

        Raises
        ------
        InputError
            If a point is outside the box, or is no row of numbers.
        """
        rows = np.atleast_2d(np.asarray(points))
        if rows.ndim != 2 or rows.shape[1] != len(self.bounds):
            raise InputError(f"Points of shape {rows.shape} for {len(self.bounds)} inputs.")
        exact = rows.dtype == object
        near = np.array([[float(v) for v in row] for row in rows]) if exact else rows.astype(float)
        for i, (low, high) in enumerate(self.bounds):
            column = rows[:, i].tolist()
            if any(not low <= rational(v) <= high for v in (min(column), max(column))):
                raise InputError(f"A point is outside the box: {self.names[i]}.")
        said = np.full(len(rows), -1, dtype=np.int64)
        for rule in self.rules:
            open_ = np.flatnonzero(said < 0)
            for half in rule.inequalities:
                open_ = open_[_met(half, near[open_], rows[open_])]
            said[open_] = rule.then
        if bool((said < 0).any()):
            raise InputError("A point is in no rule.", hint="Please report it.")
        return said

    @property
    def text(self) -> str:
        """The rules, one a line, after the sums that occur in them."""
        said = wording([rule.inequalities for rule in self.rules], self.names)
        lines = [f"with {text}" for text in said.definitions]
        lines += [
            f"if {text} then {self.classes[rule.then]}"
            for text, rule in zip(said.conditions, self.rules, strict=True)
        ]
        return visible("\n".join([*lines, self.summary]))

    @property
    def summary(self) -> str:
        """What is proved, in a sentence."""
        return (
            f"Exact: {len(self.rules)} rules decide every point of the box as the network does. "
            "Coefficients are shown rounded."
        )

    def _repr_html_(self) -> str:
        said = wording([rule.inequalities for rule in self.rules], self.names)
        pairs = zip(said.conditions, self.rules, strict=True)
        rows = [(text, self.classes[rule.then]) for text, rule in pairs]
        sums = "".join(f"<p>{escape(text)}</p>" for text in said.definitions)
        return sums + html_table(("if", "then"), rows, self.summary)

    def to_json(self) -> dict[str, Any]:
        """The rules as JSON; numbers are exact."""
        return {
            "rules": [self._rule(rule) for rule in self.rules],
            "faithful": self.faithful,
            "text": self.text,
            "classes": list(self.classes),
            "names": list(self.names),
        }

    def _rule(self, rule: CellRule) -> dict[str, Any]:
        return {
            "if": rule.text(self.names),
            "then": rule.then,
            "label": self.classes[rule.then],
            "coverage": None if rule.coverage is None else rational_text(rule.coverage),
            "exact": True,
            "inequalities": [
                {
                    "normal": [rational_text(a) for a in half.normal],
                    "offset": rational_text(half.offset),
                    "strict": half.strict,
                }
                for half in rule.inequalities
            ],
        }


def _met(half: Inequality, near: Array, rows: Array) -> Array:
    """Whether an inequality holds at each row, exactly."""
    normal = np.array([float(a) for a in half.normal])
    offset = float(half.offset)
    value = near @ normal + offset
    # each product and sum, and the rounding of each number, is off by half a unit at most
    size = np.abs(near) @ np.abs(normal) + abs(offset)
    doubt = size * (len(normal) + 6) * _ROUNDING + 1e-300
    found = np.asarray(value > doubt)
    for k in np.flatnonzero(~(np.abs(value) > doubt)).tolist():
        found[k] = half.met(half.at([rational(v) for v in rows[k].tolist()]))
    return found


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
    graph, by_sign = scores_of(model.graph)
    inputs = graph.inputs
    bounds = _bounds(graph, found)
    labels = list(names) if names is not None else list(element_names(inputs))
    if len(labels) != len(bounds):
        raise InputError(f"{len(labels)} names for {len(bounds)} inputs.")
    free = [i for i, (low, high) in enumerate(bounds) if low != high]
    if len(free) <= _MAX_AXES:
        parts = cells(graph, found, limit=limit)
        width = range(len(bounds))
        lift = [Inequality(tuple(Fraction(int(i == k)) for k in width), Fraction(0)) for i in free]
        axes = [bounds[i] for i in free]
    else:
        graph, lift = affine_start(graph, _MAX_AXES)
        axes = [form.range(bounds) for form in lift]
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
        rules += _rules_of(cell, axes, lift, share, by_sign=by_sign)
    count = 2 if by_sign else size_of(next(iter(parts.outputs.values())))
    said = tuple(map(str, range(count) if classes is None else classes))
    if len(said) != count:
        raise InputError(f"{len(said)} labels for {count} classes.")
    return CellRules(
        tuple(sorted(merge_rules(rules), key=lambda rule: (rule.then, -(rule.coverage or 0)))),
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


def _rules_of(
    cell: Cell,
    axes: Sequence[tuple[Fraction, Fraction]],
    lift: Sequence[Inequality],
    share: Fraction | None,
    *,
    by_sign: bool,
) -> Iterator[CellRule]:
    """The rules of one cell; ``share`` is its part of the box's volume, if that is known."""
    own = [Inequality(h.normal, h.offset, h.strict) for h in cell.halfspaces]
    own = [half for half in own if not half.met(half.range(axes)[0])]
    vertices = cell.vertices
    for decision, rows in _contests(cell, by_sign=by_sign):
        needed: list[Inequality] = []
        for row in rows:
            values = [row.at(v) for v in vertices]
            if not row.met(max(values)):
                break
            if not row.met(min(values)):
                needed.append(row)
        else:
            # of values that no input reaches, bounds may exclude each other
            halves = tightest([half.lifted(lift) if lift else half for half in (*own, *needed)])
            if halves is None:
                continue
            yield CellRule(halves, decision, None if needed else share)


def _contests(cell: Cell, *, by_sign: bool) -> Iterator[tuple[int, list[Inequality]]]:
    """For each class the inequalities by which it wins: strict ones against earlier classes."""
    rows = [Inequality(row, b) for row, b in zip(cell.map.matrix, cell.map.offset, strict=True)]
    if by_sign:
        above = Inequality(rows[0].normal, rows[0].offset, strict=True)
        yield 1, [above]
        yield 0, [above.negated()]
        return
    for winner, row in enumerate(rows):
        others = [k for k in range(len(rows)) if k != winner]
        yield winner, [row.less(rows[k], strict=k < winner) for k in others]


def affine_start(graph: Graph, most: int) -> tuple[Graph, list[Inequality]]:
    """The graph after its first affine layer of at most so many elements, and their exact forms.

    The layer is the one input of the graph.

    Raises `UnsupportedError` if all of the output does not depend on the inputs through one such
    layer.
    """
    last = graph.outputs[0][1]
    for index in graph.ancestors([last]):
        node = graph.nodes[index]
        if not isinstance(node, Apply) or size_of(node.shape) > most or graph.input_free[index]:
            continue
        nodes = list(graph.nodes)
        nodes[index] = Input("layer", node.shape)
        rest = _prune(replace(graph, nodes=tuple(nodes)), last)
        if list(rest.inputs) != ["layer"]:
            continue
        start = ending(graph, index)
        if any(deciding(step) is not None for step in steps_of(start).values()):
            break
        return rest, _forms(start)
    raise UnsupportedError(
        f"More than {most} inputs vary, and the model begins with no affine layer of at most "
        f"{most} neurons.",
        hint="Fix some inputs in --box (x[3]=1/2).",
    )


def _prune(graph: Graph, last: int) -> Graph:
    """The graph of what an output needs."""
    needed = sorted(graph.ancestors([last]))
    place = {old: new for new, old in enumerate(needed)}
    nodes = [
        replace(node, args=tuple(place[arg] for arg in node.args))
        if isinstance(node, Apply)
        else node
        for node in (graph.nodes[old] for old in needed)
    ]
    return Graph(tuple(nodes), (("scores", place[last]),))


def _forms(graph: Graph) -> list[Inequality]:
    """The elements of an affine output, from its values at 0 and at the unit vectors."""
    sizes = [size_of(shape) for shape in graph.inputs.values()]
    values: list[list[Fraction]] = []
    for flat in np.vstack([np.zeros(sum(sizes)), np.eye(sum(sizes))]):
        parts = np.split(flat, np.cumsum(sizes)[:-1])
        shapes = zip(graph.inputs.items(), parts, strict=True)
        point = {name: part.reshape(shape) for (name, shape), part in shapes}
        values.append(exact_values(graph, point)["scores"].reshape(-1).tolist())
    origin, *units = values
    return [Inequality(tuple(row[k] - c for row in units), c) for k, c in enumerate(origin)]
