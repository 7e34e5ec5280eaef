"""Affine forms over the columns of a program that grows, with exact ranges and lattices.

Piecewise affine values are trees of closed half-spaces over them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from typing import Any, TypeAlias

from tamecheck.ir.affine import AffineForm
from tamecheck.ir.box import Bound
from tamecheck.ir.exact import ZERO
from tamecheck.ir.program import Column, Kind, Program, Row

Point: TypeAlias = Sequence[Any]
"""One number a column, all of them rationals or all floats."""

Rule: TypeAlias = Callable[[Point], Any]

_BITS = 12
_FINEST = 22


class _Ranged:
    """A value with bounds ``low`` and ``high`` that are proved to hold, where some are known."""

    __slots__ = ()
    low: Bound
    high: Bound

    def narrow(self, low: Bound, high: Bound) -> None:
        """Take note of bounds that hold."""
        if low is not None and (self.low is None or low > self.low):
            self.low = low
        if high is not None and (self.high is None or high < self.high):
            self.high = high


@dataclass(slots=True, eq=False)
class Form(_Ranged):
    """An affine form over the columns."""

    affine: AffineForm
    low: Bound = None
    high: Bound = None
    _floats: list[tuple[int, float]] | None = field(default=None, init=False, repr=False)
    ranged: bool = field(default=False, init=False, repr=False)

    @property
    def terms(self) -> Mapping[int, Fraction]:
        """The coefficients, by column."""
        return self.affine.terms

    @property
    def constant(self) -> Fraction:
        """The value where all columns are 0."""
        return self.affine.constant

    @property
    def fixed(self) -> bool:
        """Whether the form is a number."""
        return not self.terms

    def value(self, point: Point) -> Any:
        """The value at a point, given as one number a column: exact, or a float."""
        if point and isinstance(point[0], float):
            # the rounded coefficients are kept, for points come in great numbers
            if self._floats is None:
                self._floats = [(j, float(a)) for j, a in self.terms.items()]
            return sum((a * point[j] for j, a in self._floats), float(self.constant))
        return sum((a * point[j] for j, a in self.terms.items()), self.constant)

    def __add__(self, other: Form | Fraction | int) -> Form:
        if isinstance(other, Form):
            return Form(self.affine + other.affine)
        low = None if self.low is None else self.low + other
        high = None if self.high is None else self.high + other
        return Form(self.affine + AffineForm.number(other), low, high)

    def __neg__(self) -> Form:
        return self * -1

    def __sub__(self, other: Form | Fraction | int) -> Form:
        return self + -other

    def __rsub__(self, other: Fraction | int) -> Form:
        return -self + other

    def __mul__(self, factor: Fraction | int) -> Form:
        if factor == 1:
            return self
        if factor == 0:
            return constant(0)
        low, high = (self.low, self.high) if factor > 0 else (self.high, self.low)
        return Form(
            self.affine * Fraction(factor),
            None if low is None else factor * low,
            None if high is None else factor * high,
        )


def constant(value: Fraction | int) -> Form:
    """A number as a form."""
    return Form(AffineForm.number(value))


def total(forms: Iterable[Form]) -> Form:
    """The sum of forms."""
    return Form(AffineForm.total(form.affine for form in forms))


def rational_gcd(values: Iterable[Fraction]) -> Fraction:
    """The largest rational of which all are integer multiples; 0 if all are 0."""

    def pair(x: Fraction, y: Fraction) -> Fraction:
        numerator = math.gcd(x.numerator * y.denominator, y.numerator * x.denominator)
        return Fraction(numerator, x.denominator * y.denominator)

    return reduce(pair, values, ZERO)


def shorten(value: Fraction, *, up: bool) -> Fraction:
    """A number of few bits above the value if ``up``, else below it; the value if it is short.

    A bound that is off by less than a solver's tolerance leads it to points that do not exist, so
    the distance is at least ``2**-22``.
    """
    if max(value.numerator.bit_length(), value.denominator.bit_length()) <= _BITS:
        return value
    size = value.numerator.bit_length() - value.denominator.bit_length()
    unit = Fraction(2) ** max(size - _BITS, -_FINEST)
    steps = value / unit
    return unit * (math.floor(steps) + 2 if up else math.ceil(steps) - 2)


@dataclass(slots=True, eq=False)
class Choice(_Ranged):
    """``value`` where ``test >= 0``, else ``other``; ``origin`` is the node that it comes from."""

    test: Form
    value: Tree
    other: Tree
    low: Bound = None
    high: Bound = None
    origin: str = ""


Tree: TypeAlias = Form | Choice


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """A value with the tests on the way to it, and whether each holds."""

    form: Form
    guards: tuple[tuple[Form, bool], ...] = field(default=())


Test: TypeAlias = Callable[[Tree, Tree], Tree]
"""A condition on forms, as the choice of one of two trees: the first where it holds."""

Known: TypeAlias = Test | bool
"""A test, or what ranges tell of it."""


def at_least(form: Form) -> Test:
    """The test ``form >= 0``."""
    return lambda value, other: Choice(form, value, other)


def negation(test: Known) -> Known:
    """The test that does not hold where the given one does."""
    return (not test) if isinstance(test, bool) else lambda value, other: test(other, value)


def join(tests: Sequence[Known], *, every: bool) -> Known:
    """The test that holds where all of some do, or where one does."""
    if any(test is (not every) for test in tests):
        return not every
    rest = [test for test in tests if not isinstance(test, bool)]

    def choose(value: Tree, other: Tree) -> Tree:
        for test in reversed(rest):
            if every:
                value = test(value, other)
            else:
                other = test(value, other)
        return value if every else other

    return choose if rest else every


def leaves(tree: Tree, guards: tuple[tuple[Form, bool], ...] = ()) -> Iterator[Leaf]:
    """The leaves, from left to right."""
    if isinstance(tree, Form):
        yield Leaf(tree, guards)
        return
    yield from leaves(tree.value, (*guards, (tree.test, True)))
    yield from leaves(tree.other, (*guards, (tree.test, False)))


def multiple(form: Form, of: Form) -> tuple[Fraction, Fraction] | None:
    """The numbers with ``form = factor * of + shift``, if there are some; ``of`` is no number."""
    if form.fixed:
        return Fraction(0), form.constant
    if form.terms.keys() != of.terms.keys():
        return None
    first = next(iter(of.terms))
    factor = form.terms[first] / of.terms[first]
    if any(a != factor * of.terms[j] for j, a in form.terms.items()):
        return None
    return factor, form.constant - factor * of.constant


def continuous(choice: Choice) -> bool:
    """Whether both sides of the test are seen to agree where it is exactly 0."""
    test = choice.test
    pivot = next(iter(test.terms))

    def reduce_by_test(form: Form) -> Form:
        """The form on that hyperplane, with the first column expressed by the others."""
        a = form.terms.get(pivot)
        return form if a is None else form - test * (a / test.terms[pivot])

    sides: list[Form] = []
    for leaf in (*leaves(choice.value), *leaves(choice.other)):
        tests = [(reduce_by_test(guard), held) for guard, held in leaf.guards]
        if all((form.constant >= 0) is held for form, held in tests if form.fixed):
            sides.append(reduce_by_test(leaf.form))
    return all(sides[0].affine == side.affine for side in sides)


@dataclass(slots=True, eq=False)
class Rows:
    """The columns and rows of a program under construction."""

    columns: list[Column] = field(default_factory=list[Column])
    rows: list[Row] = field(default_factory=list[Row])
    rules: list[Rule | None] = field(default_factory=list["Rule | None"])
    depths: list[int] = field(default_factory=list[int])

    def column(  # noqa: PLR0913 (what a column is)
        self,
        name: str,
        lower: Fraction,
        upper: Fraction,
        kind: Kind = Kind.CONTINUOUS,
        *,
        rule: Rule | None = None,
        after: Iterable[Form] = (),
    ) -> Form:
        """A new column, as a form; ``#`` in its name becomes its number.

        The rule gives its value at a point whose earlier columns are known; inputs have none.
        Its depth is one more than that of any column in the forms ``after`` which it comes.
        """
        number = len(self.columns)
        self.columns.append(Column(name.replace("#", str(number)), lower, upper, kind))
        self.rules.append(rule)
        self.depths.append(self._depth(after))
        return Form(AffineForm.variable(number), lower, upper)

    def _depth(self, after: Iterable[Form]) -> int:
        return max((1 + self.depths[j] for form in after for j in form.terms), default=0)

    def binary(self, name: str, rule: Callable[[Point], bool], after: Iterable[Form] = ()) -> Form:
        """A new column for 0 or 1."""
        return self.column(
            name, ZERO, Fraction(1), Kind.INTEGER, rule=lambda point: int(rule(point)), after=after
        )

    def at_least(self, form: Form, name: str = "") -> None:
        """Demand that a form is not negative."""
        self._row(form, name, -form.constant, None)

    def equal(self, form: Form, name: str = "") -> None:
        """Demand that a form is 0."""
        self._row(form, name, -form.constant, -form.constant)

    def _row(self, form: Form, name: str, lower: Bound, upper: Bound) -> None:
        terms = tuple(sorted(form.terms.items()))
        self.rows.append(Row(name or f"r{len(self.rows)}", terms, lower, upper))

    def range(self, form: Form) -> tuple[Fraction, Fraction]:
        """Numbers between which the form lies: by intervals, by what is known, by its lattice."""
        if not form.ranged:
            low = high = form.constant
            for j, a in form.terms.items():
                column = self.columns[j]
                if column.lower is None or column.upper is None:
                    raise ValueError("a column without bounds")
                low += a * (column.lower if a > 0 else column.upper)
                high += a * (column.upper if a > 0 else column.lower)
            form.narrow(low, high)
            form.ranged = True
        low = form.constant if form.low is None else form.low
        high = form.constant if form.high is None else form.high
        step = self.lattice(form)
        if step:
            low = form.constant + step * math.ceil((low - form.constant) / step)
            high = form.constant + step * math.floor((high - form.constant) / step)
        return low, high

    def lattice(self, form: Form) -> Fraction | None:
        """The step of the values ``constant + step * integer`` that the form takes.

        None if it is not known to take such values only; 0 if the form is a number.
        """
        if any(self.columns[j].kind is not Kind.INTEGER for j in form.terms):
            return None
        return rational_gcd(form.terms.values())

    def program(self, name: str) -> Program:
        """The program."""
        return Program(tuple(self.columns), tuple(self.rows), name=name)
