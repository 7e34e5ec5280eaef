"""A piecewise affine function on a bounded box as an exact mixed-integer program.

Its language has affine forms and trees of choices, no true products.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np

from tamecheck.bounds.builder import layers_of
from tamecheck.bounds.crown import bound
from tamecheck.budget import Budget
from tamecheck.encode.mip import forms
from tamecheck.encode.mip.cases import Cases
from tamecheck.encode.unrolling import Algebra, BeyondError, labels, unroll
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.evaluate.enclose import enclose
from tamecheck.evaluate.enclosure import float_down, float_up
from tamecheck.ir.affine import AffineForm
from tamecheck.ir.box import Box
from tamecheck.ir.exact import ONE, ZERO
from tamecheck.ir.formula import Call, Elementary, Floor, Pow, Relation, subterms
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Contraction, Pointwise, Routing
from tamecheck.ir.program import Kind, Program, Sense
from tamecheck.ir.tensor import Array, Shape, size_of

_MOST_TERMS = 256


class Language:
    """Forms and trees over the columns of a program, as an `Algebra`."""

    def __init__(self, rows: forms.Rows, budget: Budget | None = None) -> None:
        self._rows, self._budget = rows, budget or Budget()
        self._cases = Cases(rows)

    def form(self, tree: forms.Tree) -> forms.Form:
        """A tree as an affine form, over new columns if need be."""
        return self._cases.form(tree)

    @property
    def algebra(self) -> Algebra:
        """The language."""
        return Algebra(
            number=forms.constant,
            add=self._add,
            multiply=self._multiply,
            divide=self._divide,
            power=self._power,
            floor=self._floor,
            call=self._call,
            compare=self._compare,
            both=lambda parts: forms.join(parts, every=True),
            either=lambda parts: forms.join(parts, every=False),
            choose=self._choose,
            require=self._require,
        )

    def _add(self, parts: Iterable[forms.Tree]) -> forms.Tree:
        self._budget.check()
        return forms.total(map(self.form, parts))

    def _multiply(self, left: forms.Tree, right: forms.Tree) -> forms.Tree:
        self._budget.check()
        a, b = self.form(left), self.form(right)
        if b.fixed:
            a, b = b, a
        if a.fixed:
            return b * a.constant
        if not self._binary(a):
            a, b = b, a
        if not self._binary(a) or len(a.terms) > _MOST_TERMS:
            raise BeyondError("a product of two quantities that depend on the inputs")
        parts = [b * a.constant]
        parts += [self._product(j, b) * factor for j, factor in a.terms.items()]
        return forms.total(parts)

    def _divide(self, left: forms.Tree, right: forms.Tree) -> forms.Tree:
        divisor = self.form(right)
        if not divisor.fixed or divisor.constant == 0:
            raise BeyondError("a division by a quantity that depends on the inputs")
        return self.form(left) * (1 / divisor.constant)

    def _power(self, base: forms.Tree, exponent: Fraction) -> forms.Tree:
        form = self.form(base)
        if exponent.denominator == 1 and 0 <= exponent <= 8:
            result: forms.Tree = forms.constant(1)
            for _ in range(int(exponent)):
                result = self._multiply(result, form)
            return result
        raise BeyondError(f"the power {exponent} is not piecewise linear")

    def _floor(self, value: forms.Tree) -> forms.Tree:
        form = self.form(value)
        low, high = self._rows.range(form)
        if math.floor(low) == math.floor(high):
            return forms.constant(math.floor(low))
        step = self._rows.lattice(form)
        if step is None:
            raise BeyondError("jumps at integers; a program's feasible set is closed")
        if step.denominator == 1 and form.constant.denominator == 1:
            return form
        # values are multiples of 1 / denominator, so the last one below an integer is known
        denominator = math.lcm(step.denominator, form.constant.denominator)
        ends = Fraction(math.floor(low)), Fraction(math.floor(high))
        found = self._rows.column(
            "floor#", *ends, Kind.INTEGER, rule=lambda x: math.floor(form.value(x)), after=[form]
        )
        rest = form - found
        self._rows.at_least(rest)
        self._rows.at_least(1 - Fraction(1, denominator) - rest)
        return found

    def _call(self, function: Elementary, value: forms.Tree) -> forms.Tree:
        form = self.form(value)
        raise BeyondError(
            f"{function.value} is not piecewise linear"
            if not form.fixed
            else f"{function.value} of a constant"
        )

    def _compare(self, value: forms.Tree, relation: Relation) -> forms.Known:
        form = self.form(value)
        negative = -form
        match relation:
            case Relation.GE:
                return self._at_least(form)
            case Relation.LE:
                return self._at_least(negative)
            case Relation.GT:
                return forms.negation(self._at_least(negative))
            case Relation.LT:
                return forms.negation(self._at_least(form))
            case Relation.EQ:
                return self._zero(form, negative)
            case Relation.NE:
                return forms.negation(self._zero(form, negative))

    def _at_least(self, form: forms.Form) -> forms.Known:
        low, high = self._rows.range(form)
        if low >= 0:
            return True
        return False if high < 0 else forms.at_least(form)

    def _zero(self, form: forms.Form, negative: forms.Form) -> forms.Known:
        step = self._rows.lattice(form)
        if step and form.constant % step:
            return False
        parts = [self._at_least(form), self._at_least(negative)]
        return forms.join(parts, every=True)

    def _choose(self, condition: forms.Known, value: forms.Tree, other: forms.Tree) -> forms.Tree:
        if isinstance(condition, bool):
            return value if condition else other
        # a tree that a test has turned into columns is to be compared with in these columns
        return condition(self._cases.known(value), self._cases.known(other))

    def _require(self, condition: forms.Known) -> None:
        if condition is not True:
            raise BeyondError("not shown to be defined on the whole box")

    def _binary(self, form: forms.Form) -> bool:
        columns = (self._rows.columns[j] for j in form.terms)
        return all(c.kind is Kind.INTEGER and (c.lower, c.upper) == (0, 1) for c in columns)

    def _product(self, j: int, form: forms.Form) -> forms.Form:
        """The product of a binary column and a form, as a new column."""
        if set(form.terms) == {j}:
            at_one = form.terms[j] + form.constant
            return forms.Form(AffineForm({j: at_one} if at_one else {}))
        on = forms.Form(AffineForm.variable(j), ZERO, ONE)
        low, high = self._rows.range(form)
        low, high = forms.shorten(low, up=False), forms.shorten(high, up=True)
        rows = self._rows
        found = rows.column(
            "product#",
            min(low, ZERO),
            max(high, ZERO),
            rule=lambda x: x[j] * form.value(x),
            after=[form, on],
        )
        off = 1 - on
        # found is within the range of form where on is 1, and its rest where it is 0
        for part, switch in ((found, on), (form - found, off)):
            rows.at_least(part - switch * low)
            rows.at_least(switch * high - part)
        return found


T = TypeVar("T", Fraction, float)


class Values(Enum):
    """The values that the elements of an input may take within its box."""

    REAL = "real"
    INTEGER = "integer"
    ENDS = "ends"


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """A program whose feasible points are exactly the pairs ``(x, f(x))``, x in the box.

    Every other column is determined by the inputs, except where pieces of f meet.

    ``inputs`` and ``outputs`` are the columns of all elements, in C order, one tensor after the
    other; ``rules`` say how each column follows from those before it, None for inputs; ``depths``
    are, for each column, the length of the longest chain of columns that leads to it.
    """

    program: Program
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    rules: tuple[forms.Rule | None, ...]
    depths: tuple[int, ...]

    def complete(self, x: Sequence[T]) -> list[T]:
        """The value of every column at an input, exact for rationals, rounded for floats."""
        point: list[Any] = []
        given = iter(x)
        for rule in self.rules:
            point.append(next(given) if rule is None else rule(point))
        return point

    def objective(
        self, output: int, sense: Sense, fixed: Mapping[int, Fraction] | None = None
    ) -> Program:
        """The program with an output element to be optimised, and some columns fixed."""
        at, chosen = fixed or {}, self.outputs[output]
        columns = tuple(
            replace(
                column,
                lower=at.get(j, column.lower),
                upper=at.get(j, column.upper),
                cost=Fraction(int(j == chosen)),
            )
            for j, column in enumerate(self.program.columns)
        )
        return replace(self.program, columns=columns, sense=sense)


def mip_encoding(
    graph: Graph,
    box: Box,
    *,
    values: Mapping[str, Values] | None = None,
    integer: Collection[int] = (),
    budget: Budget | None = None,
) -> Encoding:
    """Encode a function for mixed-integer programming, without any tolerance.

    Rectifiers and everything continuous that depends on one direction (absolute values, clipping,
    maxima of two) become sums of ``max(e, 0)``, each with one binary and big-M constants from
    rigorous linear bounds, rounded outward; a rectifier that is stable on the box has none.
    Functions that jump are encoded where their argument takes isolated values, a multiple of a
    known rational apart, so that strict inequalities become closed ones. Raises `InputError` if the
    box does not fit the inputs, or is unbounded; `UnsupportedError`, listing every node that is not
    piecewise affine, or that jumps where its argument may be any real number; `TimeLimitError` if
    the budget is spent.

    Parameters
    ----------
    graph
        The function.
    box
        Its domain, bounded.
    values
        For some inputs the values that their elements take: integers, or only the two ends of
        the side; reals are the default.
    integer
        Numbers of single input elements that are integers.
    budget
        The time for it.
    """
    box.checked(graph.inputs)
    rows, budget = forms.Rows(), budget or Budget()
    language = Language(rows, budget)
    inputs: list[tuple[int, forms.Form]] = []
    for name, shape in graph.inputs.items():
        own = (values or {}).get(name, Values.REAL)
        kinds = [
            Values.INTEGER if own is Values.REAL and len(inputs) + i in integer else own
            for i in range(size_of(shape))
        ]
        inputs += _inputs(rows, name, shape, box, kinds)
    known = _node_bounds(graph, box, budget)

    def note(index: int, array: Array) -> None:
        for tree in array.reshape(-1).tolist():
            if isinstance(tree, forms.Choice):
                tree.origin = tree.origin or graph.name_of(index)
        if index in known:
            low, high = known[index]
            flat = array.reshape(-1).tolist()
            for tree, a, b in zip(flat, low.tolist(), high.tolist(), strict=True):
                if isinstance(tree, (forms.Form, forms.Choice)):
                    tree.narrow(_rational(a, up=False), _rational(b, up=True))

    try:
        trees = unroll(
            graph, language.algebra, graph.split([form for _, form in inputs]), note=note
        )
        outputs = [
            column
            for name, array in trees.items()
            for column in _outputs(rows, language, name, array, graph)
        ]
    except UnsupportedError as error:
        raise UnsupportedError(
            "This is no mixed-integer linear program with finitely many exact pieces:",
            nodes=error.nodes,
        ) from None
    columns = tuple(column for column, _ in inputs)
    rules, depths = tuple(rows.rules), tuple(rows.depths)
    return Encoding(rows.program("encoding"), columns, tuple(outputs), rules, depths)


def _inputs(
    rows: forms.Rows, name: str, shape: Shape, box: Box, kinds: Sequence[Values]
) -> list[tuple[int, forms.Form]]:
    """For each element its column, and the form that stands for it."""
    size = size_of(shape)
    found: list[tuple[int, forms.Form]] = []
    sides = box.side(name).elements(size)
    for label, (low, high), values in zip(labels(name, size, "{}[{}]"), sides, kinds, strict=True):
        if low is None or high is None:
            raise InputError(f"Input {label} is unbounded.", hint="Give a box: -1:1.")
        kind = Kind.INTEGER if values is Values.INTEGER else Kind.CONTINUOUS
        form = rows.column(label, low, high, kind)
        column = next(iter(form.terms))
        if values is Values.ENDS and low < high:
            level = rows.binary(f"level#({label})", lambda x, j=column, low=low: x[j] > low)
            ends = forms.Form(AffineForm({next(iter(level.terms)): high - low}, low), low, high)
            rows.equal(form - ends, f"ends({label})")
            form = ends
        found.append((column, form))
    return found


def _outputs(
    rows: forms.Rows, language: Language, name: str, array: Array, graph: Graph
) -> list[int]:
    label = f"out({name})" if name in graph.inputs else name
    found: list[int] = []
    for one, tree in zip(
        labels(label, array.size, "{}[{}]"), array.reshape(-1).tolist(), strict=True
    ):
        try:
            form = language.form(tree)
        except BeyondError as error:
            nodes = [(graph.name_of(dict(graph.outputs)[name]), str(error))]
            raise UnsupportedError("An output is not encoded.", nodes=nodes) from None
        low, high = rows.range(form)
        column = rows.column(
            one, forms.shorten(low, up=False), forms.shorten(high, up=True), rule=form.value
        )
        rows.equal(column - form, f"define({one})")
        found.append(next(iter(column.terms)))
    return found


def _rational(value: float, *, up: bool) -> Fraction | None:
    return forms.shorten(Fraction(value), up=up) if np.isfinite(value) else None


def _node_bounds(graph: Graph, box: Box, budget: Budget) -> dict[int, tuple[Array, Array]]:
    """Rigorous bounds of the outputs and of what bends, by node, flat."""
    bent: set[int] = {node for _, node in graph.outputs}
    for index in graph.ancestors(sorted(bent)):
        node = graph.nodes[index]
        if isinstance(node, Apply) and not graph.input_free[index]:
            bent |= set() if _is_linear(node) else set(node.args)
    nodes = sorted(index for index in bent if not graph.input_free[index])
    wanted = Graph(graph.nodes, tuple((f"node{index}", index) for index in nodes))
    if not nodes:
        return {}
    found = _intervals(wanted, box, nodes)
    try:
        layers = layers_of(wanted)
    except UnsupportedError:
        return found
    pairs = box.elements(graph.inputs)
    lower = np.array([[float_down(low) for low, _ in pairs if low is not None]])
    upper = np.array([[float_up(high) for _, high in pairs if high is not None]])
    last = bound(layers, lower, upper, budget=budget).bounds[-1]
    ends = np.cumsum([size_of(graph.nodes[index].shape) for index in nodes])[:-1]
    for index, low, high in zip(
        nodes, np.split(last.lower[0], ends), np.split(last.upper[0], ends), strict=True
    ):
        own = found.get(index, (low, high))
        found[index] = np.maximum(low, own[0]), np.minimum(high, own[1])
    return found


def _is_linear(node: Apply) -> bool:
    """Whether an op adds and multiplies only, so that nothing bends."""
    meaning = node.op.meaning
    if not isinstance(meaning, Pointwise):
        return isinstance(meaning, Contraction | Routing)
    pieces = meaning.pieces(node.params)
    bent = (isinstance(term, Pow | Floor | Call) for term in subterms(pieces[0].term))
    return len(pieces) == 1 and not any(bent)


def _intervals(graph: Graph, box: Box, nodes: list[int]) -> dict[int, tuple[Array, Array]]:
    enclosures = enclose(graph, box, hull_above=2**20, nodes=nodes)
    return {
        index: (
            np.broadcast_to(enclosures[index].lower, graph.nodes[index].shape).reshape(-1),
            np.broadcast_to(enclosures[index].upper, graph.nodes[index].shape).reshape(-1),
        )
        for index in nodes
        if index in enclosures
    }
