"""Piecewise affine values as trees of closed half-spaces, and what is known without solving."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

from tamecheck.encode.mip.forms import Form, same, scaled, summed
from tamecheck.ir.box import Bound

__all__ = [
    "AllOf",
    "AnyOf",
    "AtLeast",
    "Choice",
    "Known",
    "Leaf",
    "Not",
    "Test",
    "Tree",
    "chosen",
    "continuous",
    "difference",
    "leaves",
    "multiple",
]


@dataclass(frozen=True, slots=True, eq=False)
class AtLeast:
    """``form >= 0``."""

    form: Form


@dataclass(frozen=True, slots=True, eq=False)
class Not:
    """The part does not hold."""

    part: Test


@dataclass(frozen=True, slots=True, eq=False)
class AllOf:
    """AllOf parts hold."""

    parts: tuple[Test, ...]


@dataclass(frozen=True, slots=True, eq=False)
class AnyOf:
    """Some part holds."""

    parts: tuple[Test, ...]


Test: TypeAlias = AtLeast | Not | AllOf | AnyOf

Known: TypeAlias = Test | bool
"""A test, or what ranges tell of it."""


@dataclass(slots=True, eq=False)
class Choice:
    """``value`` where ``test >= 0``, else ``other``; with bounds of it, where some are known.

    ``origin`` is the node that it comes from.
    """

    test: Form
    value: Tree
    other: Tree
    low: Bound = None
    high: Bound = None
    origin: str = ""

    def narrow(self, low: Bound, high: Bound) -> None:
        """Take note of bounds that hold."""
        if low is not None and (self.low is None or low > self.low):
            self.low = low
        if high is not None and (self.high is None or high < self.high):
            self.high = high


Tree: TypeAlias = Form | Choice


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """A value with the tests on the way to it, and whether each holds."""

    form: Form
    guards: tuple[tuple[Form, bool], ...] = field(default=())


def chosen(test: Test, value: Tree, other: Tree) -> Tree:
    """``value`` where the test holds, else ``other``."""
    match test:
        case AtLeast(form):
            return Choice(form, value, other)
        case Not(part):
            return chosen(part, other, value)
        case AllOf(parts):
            for part in reversed(parts):
                value = chosen(part, value, other)
            return value
        case AnyOf(parts):
            for part in reversed(parts):
                other = chosen(part, value, other)
            return other


def leaves(tree: Tree, guards: tuple[tuple[Form, bool], ...] = ()) -> Iterator[Leaf]:
    """The leaves, from left to right."""
    if isinstance(tree, Form):
        yield Leaf(tree, guards)
        return
    yield from leaves(tree.value, (*guards, (tree.test, True)))
    yield from leaves(tree.other, (*guards, (tree.test, False)))


def difference(left: Form, right: Form) -> Form:
    """``left - right``."""
    return summed([left, scaled(right, Fraction(-1))])


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
    on = _On(choice.test)
    sides = [*on.values(choice.value), *on.values(choice.other)]
    return all(same(sides[0], side) for side in sides)


class _On:
    """The hyperplane on which a form is 0: its first column is expressed by the others."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._pivot = next(iter(form.terms))

    def _reduced(self, form: Form) -> Form:
        a = form.terms.get(self._pivot)
        if a is None:
            return form
        return summed([form, scaled(self._form, -a / self._form.terms[self._pivot])])

    def values(self, tree: Tree) -> Sequence[Form]:
        """The values that a tree may take there."""
        found: list[Form] = []
        for leaf in leaves(tree):
            tests = [(self._reduced(guard), held) for guard, held in leaf.guards]
            if all((g.constant >= 0) is held for g, held in tests if g.fixed):
                found.append(self._reduced(leaf.form))
        return found
