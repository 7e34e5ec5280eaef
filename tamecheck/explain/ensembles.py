"""Models that are sums of decision trees over thresholds of single inputs, read off their graph.

Every step of the graph is followed on affine forms whose variables are the inputs and trees.  Where
a step decides by the sign of a form in one input, there is a split at a threshold; where it decides
by a tree, the tree goes on from its leaves.  What is a tree in the end jumps at thresholds only and
is constant in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple, TypeAlias

import numpy as np

from tamecheck.cells.forms import NonlinearError
from tamecheck.cells.reading import steps_of
from tamecheck.cells.steps import Extreme, Fixed, Move, Pieces, Product, Step, Total
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.exact.arrays import fractions
from tamecheck.ir.affine import AffineForm
from tamecheck.ir.arithmetic import Arithmetic, MissingError
from tamecheck.ir.formula import Compare, Piece, Term, truth
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import Array, Shape, size_of

_MOST_NODES = 400_000
_ARGUMENTS = 8
"""At least as many as any op has."""


class Cut(NamedTuple):
    """``x < at``, or ``x <= at`` if closed, of an input."""

    input: int
    at: Fraction
    closed: bool


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """``low`` where the cut's inequality holds, ``high`` where not."""

    cut: Cut
    low: Tree
    high: Tree


Tree: TypeAlias = "Split | Fraction"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf of trees that split alike: the cuts on the way, and the value for each output."""

    below: tuple[Cut, ...]
    """Cuts whose inequality holds."""
    above: tuple[Cut, ...]
    """Cuts whose inequality does not."""
    values: tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Scores as constants plus sums over trees; each tree is the list of its leaves."""

    constants: tuple[Fraction, ...]
    trees: tuple[tuple[Leaf, ...], ...]

    @property
    def cuts(self) -> set[Cut]:
        """All cuts."""
        return {cut for tree in self.trees for leaf in tree for cut in (*leaf.below, *leaf.above)}


def ensemble_of(graph: Graph) -> Ensemble | None:
    """The one output of a graph as an ensemble; None if it is none, or a large one."""
    try:
        steps = steps_of(graph)
        reading = _Reading(sum(map(size_of, graph.inputs.values())))
        forms = reading.through(steps)[graph.outputs[0][1]].reshape(-1).tolist()
    except (UnsupportedError, InputError, NonlinearError, ZeroDivisionError, RecursionError):
        return None
    if any(reading.reads_inputs(form) for form in forms):
        return None
    return reading.ensemble(forms)


@dataclass(slots=True)
class _Reading:
    """Forms whose variables are the inputs, and after them the trees."""

    inputs: int
    trees: list[Tree] = field(default_factory=list["Tree"])
    _numbers: dict[int, int] = field(default_factory=dict[int, int])
    _made: dict[tuple[Cut, int, int], Split] = field(
        default_factory=dict[tuple[Cut, int, int], "Split"]
    )
    _constants: dict[Fraction, Fraction] = field(default_factory=dict[Fraction, Fraction])

    def through(self, steps: Mapping[int, Step]) -> dict[int, Array]:
        """The forms of the elements of every node."""
        entries = np.empty(self.inputs, dtype=object)
        entries[:] = [AffineForm.variable(i) for i in range(self.inputs)]
        found: dict[int, Array] = {-1: entries}
        for index, step in steps.items():
            found[index] = self._step(step, [found[arg] for arg in step.args])
        return found

    def reads_inputs(self, form: AffineForm) -> bool:
        """Whether an input itself is left in a form."""
        return any(variable < self.inputs for variable in form.terms)

    def _step(self, step: Step, args: Sequence[Array]) -> Array:
        match step:
            case Fixed(known=known):
                return _constants(fractions(known.exact))
            case Move(index=index, filler=filler):
                joined = [form for arg in args for form in arg.reshape(-1).tolist()]
                joined.append(AffineForm.number(filler))
                flat: list[int] = index.reshape(-1).tolist()
                return _reshaped([joined[place] for place in flat], index.shape)
            case Product(known=known, left=left):
                return _product(args[0], fractions(known.exact), left=left)
            case Total(axes=axes, keepdims=keepdims):
                return _total(args[0], axes, keepdims=keepdims)
            case Pieces():
                return self._pointwise(step, args)
            case Extreme(index=False) if step.groups.shape[1] == 1:
                return args[0].reshape(-1)[step.groups[:, 0]].reshape(step.shape)
            case _:
                raise NonlinearError

    def _pointwise(self, step: Pieces, args: Sequence[Array]) -> Array:
        spread = [np.broadcast_to(arg, step.shape).reshape(-1).tolist() for arg in args]
        result = np.empty(size_of(step.shape), dtype=object)
        for place, forms in enumerate(zip(*spread, strict=True)):
            if not step.terms:
                result[place] = _affine(step.pieces[0].term, forms)
                continue
            tree = self._divide(step, forms, ())
            if isinstance(tree, Fraction):
                result[place] = AffineForm.number(tree)
            else:
                result[place] = AffineForm.variable(self._number(tree))
        return result.reshape(step.shape)

    def _number(self, tree: Split) -> int:
        if id(tree) not in self._numbers:
            self._numbers[id(tree)] = self.inputs + len(self.trees)
            self.trees.append(tree)
        return self._numbers[id(tree)]

    def _divide(self, step: Pieces, forms: Sequence[AffineForm], signs: tuple[int, ...]) -> Tree:
        """The tree of one element, once the signs of some terms are known."""
        if len(signs) == len(step.terms):
            piece = _piece_of(step, signs)
            return self._leafwise(_affine(piece.term, forms))
        form = _affine(step.terms[len(signs)], forms)
        if not form.terms:
            return self._divide(step, forms, (*signs, _sign(form.constant)))
        trees = [v for v in form.terms if v >= self.inputs]
        if trees:
            number = trees[0]
            return self._grow(
                self.trees[number - self.inputs],
                lambda value: self._divide(step, _put(forms, number, value), signs),
            )
        if len(form.terms) > 1:
            raise NonlinearError
        ((variable, slope),) = form.terms.items()
        low, zero, high = (
            self._divide(step, forms, (*signs, sign if slope > 0 else -sign)) for sign in (-1, 0, 1)
        )
        at = -form.constant / slope
        if zero is high:
            return self._split(Cut(variable, at, closed=False), low, high)
        if low is zero:
            return self._split(Cut(variable, at, closed=True), low, high)
        rest = self._split(Cut(variable, at, closed=True), zero, high)
        return self._split(Cut(variable, at, closed=False), low, rest)

    def _leafwise(self, form: AffineForm) -> Tree:
        """The tree of a form in trees."""
        if not form.terms:
            # one object for a number, so that equal leaves are the same
            return self._constants.setdefault(form.constant, form.constant)
        if self.reads_inputs(form):
            raise NonlinearError
        number = max(form.terms)
        if form.terms == {number: 1} and not form.constant:
            return self.trees[number - self.inputs]
        return self._grow(
            self.trees[number - self.inputs],
            lambda value: self._leafwise(_put((form,), number, value)[0]),
        )

    def _grow(self, tree: Tree, at_leaf: Callable[[Fraction], Tree]) -> Tree:
        """The tree with another one in place of each leaf."""
        if isinstance(tree, Fraction):
            return at_leaf(tree)
        low, high = self._grow(tree.low, at_leaf), self._grow(tree.high, at_leaf)
        return self._split(tree.cut, low, high)

    def _split(self, cut: Cut, low: Tree, high: Tree) -> Tree:
        key = (cut, id(low), id(high))
        if key not in self._made:
            if len(self._made) > _MOST_NODES:
                raise NonlinearError
            self._made[key] = Split(cut, low, high)
        return self._made[key]

    def ensemble(self, forms: Sequence[AffineForm]) -> Ensemble:
        """The forms of the outputs; trees that split alike are one with several values."""
        alike: dict[tuple[object, ...], list[tuple[int, int, Fraction]]] = {}
        taken: dict[tuple[tuple[object, ...], int], int] = {}
        for output, form in enumerate(forms):
            for number, factor in form.terms.items():
                shape = tuple(_skeleton(self.trees[number - self.inputs]))
                # the n-th tree of a shape in each output is one with those of the others
                turn = taken.get((shape, output), 0)
                taken[shape, output] = turn + 1
                alike.setdefault((turn, *shape), []).append((output, number, factor))
        trees = tuple(self._leaves(members, len(forms)) for members in alike.values())
        return Ensemble(tuple(form.constant for form in forms), trees)

    def _leaves(
        self, members: Sequence[tuple[int, int, Fraction]], outputs: int
    ) -> tuple[Leaf, ...]:
        found: list[Leaf] = []
        start = [self.trees[number - self.inputs] for _, number, _ in members]
        stack: list[tuple[list[Tree], tuple[Cut, ...], tuple[Cut, ...]]] = [(start, (), ())]
        while stack:
            heads, below, above = stack.pop()
            first = heads[0]
            if isinstance(first, Fraction):
                values = [Fraction(0)] * outputs
                for (output, _, factor), value in zip(members, heads, strict=True):
                    values[output] += factor * value if isinstance(value, Fraction) else 0
                found.append(Leaf(below, above, tuple(values)))
                continue
            splits = [head for head in heads if isinstance(head, Split)]
            stack.append(([one.high for one in splits], below, (*above, first.cut)))
            stack.append(([one.low for one in splits], (*below, first.cut), above))
        return tuple(found)


def _skeleton(tree: Tree) -> list[object]:
    """The cuts of a tree in preorder, without its values."""
    found: list[object] = []
    stack = [tree]
    while stack:
        head = stack.pop()
        if isinstance(head, Split):
            found.append(head.cut)
            stack += (head.high, head.low)
        else:
            found.append(None)
    return found


def _put(forms: Sequence[AffineForm], variable: int, value: Fraction) -> tuple[AffineForm, ...]:
    """The forms with a number for a variable."""
    return tuple(
        AffineForm(
            {v: c for v, c in form.terms.items() if v != variable},
            form.constant + form.terms[variable] * value,
        )
        if variable in form.terms
        else form
        for form in forms
    )


def _constants(array: Array) -> Array:
    found = np.empty(array.shape, dtype=object)
    flat = found.reshape(-1)
    flat[:] = [AffineForm.number(value) for value in array.reshape(-1).tolist()]
    return found


def _reshaped(flat: Sequence[AffineForm], shape: Shape) -> Array:
    """Elements of an array that has any shape, also none."""
    found = np.empty(shape, dtype=object)
    found.reshape(-1)[:] = flat
    return found


def _sign(value: Fraction) -> int:
    return (value > 0) - (value < 0)


def _piece_of(step: Pieces, signs: Sequence[int]) -> Piece:
    """The piece that holds where the compared terms have these signs."""
    known = {_key(term): sign for term, sign in zip(step.terms, signs, strict=True)}

    def decide(condition: Compare) -> bool:
        key = _key(condition.term)
        sign = known[key] if key in known else -known[_key(condition.term, -1)]
        return sign in condition.relation.signs

    return next(piece for piece in step.pieces if truth(piece.condition, decide))


_Key: TypeAlias = tuple[frozenset[tuple[int, Fraction]], Fraction]


def _key(term: Term, factor: int = 1) -> _Key:
    """A multiple of a term as a form in the op's arguments."""
    form = _affine(term, [AffineForm.variable(number) for number in range(_ARGUMENTS)])
    scaled = form * Fraction(factor)
    return frozenset(scaled.terms.items()), scaled.constant


def _affine(term: Term, args: Sequence[AffineForm]) -> AffineForm:
    """A term of forms as a form; `NonlinearError` if it is none."""
    try:
        return _ARITHMETIC.value(term, args)
    except MissingError:
        raise NonlinearError from None


def _times(first: AffineForm, second: AffineForm) -> AffineForm:
    if first.terms and second.terms:
        raise NonlinearError
    return second * first.constant if not first.terms else first * second.constant


def _over(numerator: AffineForm, denominator: AffineForm) -> AffineForm:
    if denominator.terms:
        raise NonlinearError
    return numerator * (1 / denominator.constant)


_ARITHMETIC = Arithmetic(AffineForm.number, multiply=_times, divide=_over)


def _product(array: Array, known: Array, *, left: bool) -> Array:
    """The matrix product with a constant."""
    first, second = (known, array) if left else (array, known)
    wide = np.atleast_2d(first) if first.ndim == 1 else first
    tall = second[:, None] if second.ndim == 1 else second
    if wide.ndim != 2 or tall.ndim != 2:
        raise NonlinearError
    found = np.empty((wide.shape[0], tall.shape[1]), dtype=object)
    for i, row in enumerate(wide.tolist()):
        for j, column in enumerate(tall.T.tolist()):
            pairs = zip(row, column, strict=True)
            parts = [b * a if left else a * b for a, b in pairs if (a if left else b)]
            found[i, j] = AffineForm.total(parts)
    return _reshaped(found.reshape(-1).tolist(), (*first.shape[:-1], *second.shape[1:]))


def _total(array: Array, axes: Sequence[int], *, keepdims: bool) -> Array:
    """The sum over axes."""
    moved = np.moveaxis(array, axes, range(len(axes)))
    rest = moved.shape[len(axes) :]
    columns = moved.reshape((-1, size_of(rest))).T.tolist()
    found = np.empty(len(columns), dtype=object)
    found[:] = [AffineForm.total(column) for column in columns]
    shape = tuple(1 if i in axes else n for i, n in enumerate(array.shape))
    return found.reshape(shape if keepdims else rest)
