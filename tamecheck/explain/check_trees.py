"""A second look at an answer about trees: intervals of a class's lead, from the graph itself.

Nothing of the search is used.  A graph is followed backwards, element by element, from the lead of
one score over another: a linear form of elements.  Sums and products with constants are expanded;
selections by the same test are taken together, and where a box leaves the test open the interval is
the hull of both branches.  A test compares a form in one input with 0; what signs it takes on a
box is told by the ends of the cells that are left.  All numbers are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from flint import fmpq

from tamecheck import ops
from tamecheck.budget import Budget
from tamecheck.errors import TimeLimitError
from tamecheck.exact.reals import ONE, ZERO, as_number
from tamecheck.explain.attributes import Attributes
from tamecheck.explain.check_cells import Ends, clip, covers, ends, runs
from tamecheck.explain.thresholds import Codes, Division
from tamecheck.ir.exact import rational
from tamecheck.ir.formula import Add, And, Compare, Condition, Const, Div, Mul, Or, Term, Var
from tamecheck.ir.graph import Apply, Constant, Input, Node
from tamecheck.ir.op import Contraction, Fold, Pointwise, Routing, Selection
from tamecheck.ir.spec import Inequality
from tamecheck.ir.tensor import Array, Shape, size_of
from tamecheck.ops.facets import compared
from tamecheck.ops.shapes import axes_of, axis_of
from tamecheck.verification.decisions import Decision

Element: TypeAlias = tuple[int, int]
"""A node and a flat position."""

Form: TypeAlias = tuple[tuple[tuple[Element, fmpq], ...], fmpq]
"""A linear form of elements: their coefficients, none of them 0, and a constant."""


_ONE: Form = ((), ONE)


class NotTreesError(Exception):
    """The graph is read no further here."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """An element that is chosen by the sign of a form."""

    test: Form
    branches: Mapping[int, Form]


@dataclass(frozen=True, slots=True)
class _Box:
    """The cells that are left to each input."""

    cells: Mapping[int, Sequence[Ends]]


_Region: TypeAlias = tuple[int, fmpq, Mapping[int, frozenset[int]]]
"""An input, a number, and for each sign of a form on which sides of the number it has that."""


@dataclass(slots=True)
class LeadCheck:
    """Checks that a class nowhere beats another one on parts of a domain."""

    decision: Decision
    domain: Attributes
    codes: Sequence[Codes]
    _forms: dict[Element, Form | None] = field(default_factory=dict[Element, "Form | None"])
    _regions: dict[Form, _Region] = field(default_factory=dict[Form, "_Region"])
    _choices: dict[Element, _Choice] = field(default_factory=dict[Element, "_Choice"])
    _spread: dict[tuple[int, Shape], list[int]] = field(
        default_factory=dict[tuple[int, Shape], list[int]]
    )
    _starts: dict[str, int] = field(default_factory=dict[str, int])
    _routes: dict[int, Array] = field(default_factory=dict[int, Array])

    def is_domain(self) -> bool:
        """Whether the codes of each feature are all of its range."""
        pairs = zip(self.domain.items, self.codes, strict=True)
        return all(covers(one.range, codes) for one, codes in pairs)

    def holds(
        self,
        allowed: Sequence[Array],
        rows: Sequence[Inequality],
        division: Division,
        budget: Budget,
    ) -> bool | None:
        """Whether on each part of some codes one of the inequalities fails everywhere.

        None if the parts are not divided finely enough, the graph has more than trees, or the time
        is over.
        """
        stack = [list(allowed)]
        try:
            for step in division:
                budget.check()
                if not stack:
                    return None
                part = stack.pop()
                if step is None:
                    if all(mask.any() for mask in part) and not self._shown(part, rows, budget):
                        return None
                    continue
                inside, outside = list(part), list(part)
                inside[step.feature] = part[step.feature] & step.inside
                outside[step.feature] = part[step.feature] & ~step.inside
                stack += [outside, inside]
        except (NotTreesError, TimeLimitError, RecursionError):
            return None
        return True if not stack else None

    def _shown(self, part: Sequence[Array], rows: Sequence[Inequality], budget: Budget) -> bool:
        """Whether one of the inequalities fails everywhere on a part.

        The inputs of a group are looked at one code after the other where all at once is too wide.
        """
        budget.check()
        if self._fails(part, rows):
            return True
        for k, (one, mask) in enumerate(zip(self.domain.items, part, strict=True)):
            codes = np.flatnonzero(mask).tolist()
            if len(one.inputs) > 1 and len(codes) > 1:
                numbers = np.arange(len(mask))
                halves = ([*part[:k], numbers == code, *part[k + 1 :]] for code in codes)
                return all(self._shown(half, rows, budget) for half in halves)
        return False

    def _fails(self, part: Sequence[Array], rows: Sequence[Inequality]) -> bool:
        """Whether one of the inequalities fails everywhere on a part."""
        cells: dict[int, list[Ends]] = {}
        for one, codes, mask in zip(self.domain.items, self.codes, part, strict=True):
            chosen = np.flatnonzero(mask).tolist()
            for place, i in enumerate(one.inputs):
                if codes.cells:
                    cells[i] = [ends(codes.cells[a], codes.cells[b]) for a, b in runs(chosen)]
                else:
                    values = dict.fromkeys(codes.points[k][place] for k in chosen)
                    cells[i] = [(as_number(v), as_number(v), True, True) for v in values]
        box, output = _Box(cells), self.decision.graph.outputs[0][1]
        for row in rows:
            form = tuple(((output, i), as_number(c)) for i, c in row.outputs)
            least = self._least((form, ZERO), box)
            bound = as_number(row.bound)
            if least > bound or (row.strict and least == bound):
                return True
        return False

    # --- intervals ------------------------------------------------------------------------------

    def _least(self, form: Form, box: _Box) -> fmpq:
        """A lower bound of a linear form of elements."""
        chosen: dict[Form, dict[Element, fmpq]] = {}
        terms, total = self._expanded(form)
        for element, factor in terms:
            if isinstance(self._node(element), Input):
                raise NotTreesError
            chosen.setdefault(self._choice(element).test, {})[element] = factor
        for test, group in chosen.items():
            parts = ((self._branches(group, s), p) for s, p in self._divided(test, box))
            total += min(self._least(branch, part) for branch, part in parts)
        return total

    def _branches(self, group: Mapping[Element, fmpq], sign: int) -> Form:
        """A form of elements with one test where the test's number has a sign."""
        return _total(
            (self._choice(element).branches[sign], factor) for element, factor in group.items()
        )

    def _divided(self, test: Form, box: _Box) -> list[tuple[int, _Box]]:
        """The signs that a form takes on a box, each with the part where it does."""
        i, at, ways = self._region(test)
        if i < 0:
            return [(sign, box) for sign in ways]
        found: list[tuple[int, _Box]] = []
        for sign, sides in ways.items():
            left = [part for pair in box.cells[i] for part in clip(pair, at, sides)]
            if left:
                found.append((sign, _Box({**box.cells, i: left})))
        return found

    def _region(self, test: Form) -> _Region:
        """The input that a form depends on, a number, and on which sides of it which sign is.

        Of a form that depends on no input, the input is -1.
        """
        if test not in self._regions:
            terms, constant = self._expanded(test)
            if len(terms) > 1:
                raise NotTreesError
            if not terms:
                self._regions[test] = (-1, ZERO, {_sign(constant): frozenset({-1, 0, 1})})
                return self._regions[test]
            ((element, factor),) = terms
            if isinstance(self._node(element), Input):
                ways = {_sign(factor) * side: frozenset({side}) for side in (-1, 0, 1)}
                self._regions[test] = (self._place(element), -constant / factor, ways)
                return self._regions[test]
            choice = self._choice(element)
            i, at, inner = self._region(choice.test)
            outer: dict[int, frozenset[int]] = {}
            for sign, sides in inner.items():
                value = _total([(choice.branches[sign], factor), (_ONE, constant)])
                rest, number = self._expanded(value)
                if rest:
                    raise NotTreesError
                outer[_sign(number)] = outer.get(_sign(number), frozenset()) | sides
            self._regions[test] = (i, at, outer)
        return self._regions[test]

    def _expanded(self, form: Form) -> Form:
        """A form in inputs and in elements that are chosen by a test."""
        done: dict[Element, fmpq] = {}
        (terms, total), rest = form, dict[Element, fmpq]()
        rest.update(terms)
        while rest:
            element, factor = rest.popitem()
            found = self._linear(element)
            if found is None:
                done[element] = done.get(element, ZERO) + factor
                continue
            total += factor * found[1]
            for term, own in found[0]:
                rest[term] = rest.get(term, ZERO) + factor * own
        return tuple(sorted((e, c) for e, c in done.items() if c)), total

    # --- the graph ------------------------------------------------------------------------------

    def _node(self, element: Element) -> Node:
        return self.decision.graph.nodes[element[0]]

    def _place(self, element: Element) -> int:
        """The number of an input element."""
        if not self._starts:
            start = 0
            for name, shape in self.decision.graph.inputs.items():
                self._starts[name], start = start, start + size_of(shape)
        node = self._node(element)
        return self._starts[node.name if isinstance(node, Input) else ""] + element[1]

    def _linear(self, element: Element) -> Form | None:
        """An element as a linear form of others; None of inputs, and where a test chooses."""
        if element not in self._forms:
            self._forms[element] = self._read(element)
        return self._forms[element]

    def _read(self, element: Element) -> Form | None:
        graph, (index, place) = self.decision.graph, element
        node = graph.nodes[index]
        if isinstance(node, Input):
            return None
        if isinstance(node, Constant):
            return (), as_number(rational(node.tensor.array.reshape(-1)[place]))
        shape = graph.nodes[int(node.args[0])].shape
        match node.op.meaning:
            case Routing() | Selection():
                return self._moved(index, node, place)
            case Fold(ops.ADD):
                axes = axes_of(shape, node.params)
                numbers = np.arange(size_of(shape)).reshape(shape)
                moved = np.moveaxis(numbers, axes, range(len(axes)))
                column = moved.reshape((-1, size_of(node.shape)))[:, place].tolist()
                return tuple(((node.args[0], k), ONE) for k in column), ZERO
            case Contraction():
                return self._contracted(node, place)
            case Pointwise() as meaning:
                pieces = meaning.pieces(node.params)
                if len(pieces) != 1:
                    return None
                return self._term(pieces[0].term, self._arguments(node, place))
            case _:
                raise NotTreesError

    def _arguments(self, node: Apply, place: int) -> list[Form]:
        """The arguments of one element of a pointwise op."""
        found: list[Form] = []
        for arg in node.args:
            shape = self.decision.graph.nodes[arg].shape
            key = (arg, node.shape)
            if key not in self._spread:
                numbers = np.arange(size_of(shape)).reshape(shape)
                self._spread[key] = np.broadcast_to(numbers, node.shape).reshape(-1).tolist()
            found.append(_form((arg, self._spread[key][place])))
        return found

    def _choice(self, element: Element) -> _Choice:
        """The test of an element, and its forms where that is negative, zero and positive."""
        if element not in self._choices:
            node = self._node(element)
            if not isinstance(node, Apply) or not isinstance(node.op.meaning, Pointwise):
                raise NotTreesError
            pieces = node.op.meaning.pieces(node.params)
            args = self._arguments(node, element[1])
            test = self._term(next(compared(pieces[0].condition)), args)
            branches: dict[int, Form] = {}
            for sign in (-1, 0, 1):
                held = (p.term for p in pieces if self._holds(p.condition, args, test, sign))
                term = next(held, None)
                if term is None:
                    raise NotTreesError
                branches[sign] = self._term(term, args)
            self._choices[element] = _Choice(test, branches)
        return self._choices[element]

    def _holds(self, condition: Condition, args: Sequence[Form], test: Form, sign: int) -> bool:
        match condition:
            case Compare(term, relation):
                form = self._term(term, args)
                if form == test:
                    return sign in relation.signs
                if _total([(form, -ONE)]) == test:
                    return -sign in relation.signs
                raise NotTreesError
            case And(parts):
                return all(self._holds(part, args, test, sign) for part in parts)
            case Or(parts):
                return any(self._holds(part, args, test, sign) for part in parts)

    def _term(self, term: Term, args: Sequence[Form]) -> Form:
        """A term of forms as a form."""
        match term:
            case Var(number):
                return args[number]
            case Const(value):
                return (), as_number(value)
            case Add(left, right):
                return _total((self._term(one, args), ONE) for one in (left, right))
            case Mul(left, right) | Div(left, right):
                first, second = self._term(left, args), self._term(right, args)
                a, b = self._value(first), self._value(second)
                if isinstance(term, Div):
                    b = None if not b else 1 / b
                    a = None
                if b is not None:
                    return _total([(first, b)])
                if a is not None:
                    return _total([(second, a)])
                raise NotTreesError
            case _:
                raise NotTreesError

    def _value(self, form: Form) -> fmpq | None:
        """The value of a form that depends on no input; None of another one."""
        free = self.decision.graph.input_free
        if not all(free[node] for (node, _), _ in form[0]):
            return None
        terms, total = self._expanded(form)
        return None if terms else total

    def _moved(self, index: int, node: Apply, place: int) -> Form:
        """An element that is a copy of another one."""
        graph = self.decision.graph
        if index not in self._routes:
            self._routes[index] = self._route(node)
        source = int(self._routes[index].reshape(-1)[place])
        for arg in node.args:
            size = size_of(graph.nodes[arg].shape)
            if source < size:
                return _form((arg, source))
            source -= size
        raise NotTreesError

    def _route(self, node: Apply) -> Array:
        """The positions, in one row of all arguments, of a node's elements."""
        graph, numbers, start = self.decision.graph, list[Array](), 0
        for arg in node.args:
            shape = graph.nodes[arg].shape
            numbers.append(np.arange(start, start + size_of(shape)).reshape(shape))
            start += size_of(shape)
        if isinstance(node.op.meaning, Routing):
            if any(isinstance(value, Fraction) for value in node.params.values()):
                raise NotTreesError
            return np.asarray(node.op.meaning.route(numbers, node.params))
        indices = graph.nodes[node.args[-1]]
        if node.op is not ops.GATHER or not isinstance(indices, Constant):
            raise NotTreesError
        axis = axis_of(graph.nodes[node.args[0]].shape, node.params)
        return np.take(numbers[0], indices.tensor.array.astype(np.int64), axis=axis)

    def _contracted(self, node: Apply, place: int) -> Form:
        """An element of a matrix product with a constant."""
        left, right = node.args
        first, second = (self.decision.graph.nodes[arg].shape for arg in node.args)
        if len(first) not in (1, 2) or len(second) not in (1, 2):
            raise NotTreesError
        columns = second[1] if len(second) == 2 else 1
        row, column = divmod(place, columns)
        product = Mul(Var(0), Var(1))
        return _total(
            (
                self._term(
                    product,
                    [_form((left, row * first[-1] + k)), _form((right, k * columns + column))],
                ),
                ONE,
            )
            for k in range(first[-1])
        )


def _form(element: Element) -> Form:
    return ((element, ONE),), ZERO


def _total(parts: Iterable[tuple[Form, fmpq]]) -> Form:
    """A linear combination of forms."""
    terms: dict[Element, fmpq] = {}
    constant = ZERO
    for (own, number), factor in parts:
        constant += factor * number
        for element, coefficient in own:
            terms[element] = terms.get(element, ZERO) + factor * coefficient
    return tuple(sorted((e, c) for e, c in terms.items() if c)), constant


def _sign(value: fmpq) -> int:
    return (value > 0) - (value < 0)
