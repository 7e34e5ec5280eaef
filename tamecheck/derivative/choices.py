"""Choices whose branches meet at a point, as continuous functions near it.

A choice by comparisons is continuous if its branches
agree wherever a comparison turns that matters there; it is then a switch, which
has one branch on each side and no jump in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from flint import fmpq

from tamecheck import ops
from tamecheck.derivative.check.germs import Space
from tamecheck.derivative.check.terms import NotAnalyticError, term_germ
from tamecheck.derivative.forms import Form, UnreadFormError
from tamecheck.derivative.kinks import term_value
from tamecheck.derivative.readings import Built, Reading, readings, spread
from tamecheck.errors import DomainError
from tamecheck.evaluate.exact_terms import holds
from tamecheck.exact.reals import Number, UndecidedError
from tamecheck.ir.formula import (
    TRUE,
    Condition,
    Term,
    Var,
    when,
)
from tamecheck.ir.graph import Apply, Constant
from tamecheck.ir.op import Op, Pointwise
from tamecheck.ir.tensor import Array, size_of
from tamecheck.ops.facets import compared
from tamecheck.ops.shapes import broadcast

_MOST_COMPARED = 4

SWITCH = Op(
    name="switch",
    summary="y for x ≥ 0, z for x ≤ 0, where both agree at x = 0",
    arity=3,
    shape=broadcast,
    meaning=Pointwise(lambda _: (when(Var(0) >= 0, Var(1)), when(Var(0) <= 0, Var(2)))),
)
"""A choice between two branches that meet."""

_COMPARISONS = (ops.LESS, ops.LESS_EQUAL, ops.EQUAL)


@dataclass(frozen=True, slots=True)
class Choices(Built):
    """Choices of a graph that is built, as switches."""

    def bare(self, node: int) -> int:
        """A choice without masks in its branches on arguments that are inside of domains anyway."""
        found = self.builder.node(node)
        if not isinstance(found, Apply):
            return node
        condition, value, other = found.args
        try:
            branches = [
                self._unmasked(branch, condition, (), taken=taken)
                for branch, taken in ((value, True), (other, False))
            ]
        except (UnreadFormError, UndecidedError, DomainError):
            return node
        return self._again(found, [condition, *branches])

    def switched(self, node: int) -> int | None:
        """The switch that a choice is, if its branches meet; None if that is not shown."""
        found = self.builder.node(node)
        if not isinstance(found, Apply) or found.op is not ops.SELECT:
            return None
        condition = found.args[0]
        tests = self._tests(condition)
        if tests is None or not 1 <= len(tests) <= _MOST_COMPARED:
            return None
        try:
            value, other = (
                self._unmasked(branch, condition, tests, taken=taken)
                for branch, taken in zip(found.args[1:], (True, False), strict=True)
            )
            if not self._meets(found, condition, tests, value, other):
                return None
        except (UnreadFormError, UndecidedError, DomainError):
            return None
        return self._tree(condition, list(tests), {}, value, other)

    def _tests(self, condition: int) -> tuple[int, ...] | None:
        """The comparisons that a condition is made of."""
        found: list[int] = []
        waiting = [condition]
        while waiting:
            index = waiting.pop()
            node = self.builder.node(index)
            if isinstance(node, Constant):
                continue
            if not isinstance(node, Apply):
                return None
            if node.op in _COMPARISONS and not self._is_truth(node.args[0]):
                found.append(index)
            elif node.op in (ops.MINIMUM, ops.MAXIMUM, ops.MUL, ops.SUB, *_COMPARISONS):
                waiting += node.args
            else:
                return None
        return tuple(sorted(set(found)))

    def _is_truth(self, index: int) -> bool:
        node = self.builder.node(index)
        return isinstance(node, Apply) and (
            node.op in _COMPARISONS
            or (
                node.op in (ops.MINIMUM, ops.MAXIMUM, ops.MUL)
                and all(self._is_truth(arg) for arg in node.args)
            )
        )

    def truth(self, condition: int, signs: Mapping[int, int]) -> bool:
        """Whether a condition holds where comparisons ``a < b`` have signs of ``b - a``."""

        def number(index: int) -> Fraction:
            node = self.builder.node(index)
            if isinstance(node, Constant):
                values = {Fraction(v) for v in node.tensor.array.reshape(-1).tolist()}
                if len(values) != 1:
                    raise UnreadFormError
                return values.pop()
            if not isinstance(node, Apply):
                raise UnreadFormError
            if index in signs:
                sign = signs[index]
                held = {ops.LESS: sign > 0, ops.LESS_EQUAL: sign >= 0, ops.EQUAL: sign == 0}
                return Fraction(held[node.op])
            a, b = (number(arg) for arg in node.args)
            results: dict[Op, Fraction] = {
                ops.MINIMUM: min(a, b),
                ops.MAXIMUM: max(a, b),
                ops.MUL: a * b,
                ops.SUB: a - b,
                ops.LESS: Fraction(a < b),
                ops.LESS_EQUAL: Fraction(a <= b),
                ops.EQUAL: Fraction(a == b),
            }
            return results[node.op]

        return number(condition) != 0

    def _tree(
        self, condition: int, tests: Sequence[int], signs: Mapping[int, int], value: int, other: int
    ) -> int:
        if not tests:
            return value if self.truth(condition, signs) else other
        first, *rest = tests
        high, low = (
            self._tree(condition, rest, {**signs, first: sign}, value, other) for sign in (1, -1)
        )
        if high == low:
            return high
        node = self.builder.node(first)
        assert isinstance(node, Apply)  # noqa: S101 (a comparison)
        gap = self.builder.apply(ops.SUB, [node.args[1], node.args[0]])
        return self.builder.apply(SWITCH, [gap, high, low], node.label)

    def _meets(
        self, found: Apply, condition: int, tests: Sequence[int], value: int, other: int
    ) -> bool:
        """Whether both branches agree near the point wherever a comparison matters."""
        open_at_all = False
        for reading in readings(self):
            sides: list[Array] = []
            for test in tests:
                node = self.builder.node(test)
                assert isinstance(node, Apply)  # noqa: S101 (a comparison)
                low, high = (spread(reading.node(arg), found.shape) for arg in node.args)
                sides.append(reading.gap(high, low))
            values = [spread(reading.node(index), found.shape) for index in (value, other)]
            for element in range(size_of(found.shape)):
                gaps = {
                    test: row.reshape(-1)[element] for test, row in zip(tests, sides, strict=True)
                }
                branches = [row.reshape(-1)[element] for row in values]
                decided = self._agree(reading, condition, gaps, branches)
                if decided is None:
                    return False
                open_at_all = open_at_all or decided
        return open_at_all

    def _agree(
        self,
        reading: Reading,
        condition: int,
        gaps: Mapping[int, Form],
        branches: Sequence[Form],
    ) -> bool | None:
        """Whether there is a comparison that matters for an element; None if branches differ."""
        fixed: dict[int, int] = {}
        for test, gap in gaps.items():
            if not gap.terms:
                # equal everywhere, which is no side of a switch
                return None
            if gap.value != 0:
                if not (gap.value > 0 or gap.value < 0):
                    raise UndecidedError
                fixed[test] = 1 if gap.value > 0 else -1
        free = [test for test in gaps if test not in fixed]
        difference = reading.atoms.add(branches[0], branches[1], fmpq(-1))
        for test in free:
            others = [t for t in free if t != test]
            for signs in product((1, 0, -1), repeat=len(others)):
                around = {**fixed, **dict(zip(others, signs, strict=True))}
                if len({self.truth(condition, {**around, test: s}) for s in (1, 0, -1)}) == 1:
                    continue
                signed = [*reading.signed]
                for other, sign in zip(others, signs, strict=True):
                    signed += reading.sided(gaps[other], sign)
                if not reading.atoms.vanishes(difference, gaps[test], signed):
                    return None
        return bool(free)

    def _unmasked(self, branch: int, condition: int, tests: Sequence[int], *, taken: bool) -> int:
        """A branch without the choices in it that the condition decides where it is taken."""
        new: dict[int, int] = {}
        bare: set[int] = set()
        for index in self.builder.below(branch):
            node = self.builder.node(index)
            if not isinstance(node, Apply):
                continue
            if node.op is ops.SELECT and node.args[0] == condition:
                kept = node.args[1 if taken else 2]
                new[index] = new.get(kept, kept)
                bare.add(index)
                continue
            args = [new.get(arg, arg) for arg in node.args]
            if args == list(node.args):
                continue
            if any(arg in bare for arg in node.args):
                new[index] = self._defined(node, args, tests)
            else:
                new[index] = self._again(node, args)
        return new.get(branch, branch)

    def _again(self, node: Apply, args: Sequence[int]) -> int:
        return self.builder.apply(node.op, args, node.label, node.function, **node.params)

    def _defined(self, node: Apply, args: list[int], tests: Sequence[int]) -> int:
        """An op that was masked, where its own arguments are inside of its domain or at its edge.

        Raises `UnreadFormError` if that is not shown.
        """
        meaning = node.op.meaning
        if not isinstance(meaning, Pointwise):
            return self._again(node, args)
        domain = meaning.domain(node.params)
        if domain == TRUE:
            return self._again(node, args)
        points = (spread(self.value(arg), node.shape).reshape(-1).tolist() for arg in args)
        if all(_inside(domain, row) for row in zip(*points, strict=True)):
            return self._again(node, args)
        reading = Reading(self, [])
        rows = [spread(reading.node(arg), node.shape).reshape(-1).tolist() for arg in args]
        if size_of(node.shape) != 1 or reading.options:
            # the forms are those of some pieces only
            raise UnreadFormError
        row = [forms[0] for forms in rows]
        if node.op is ops.DIV and row[1].value == 0:
            return self._quotient(reading, row, tests, node.shape)
        walls = [reading.node(test_args) for test in tests for test_args in self._sides(test)]
        flat = [form for array in walls for form in array.reshape(-1).tolist()]
        gaps = [reading.atoms.add(flat[k + 1], flat[k], fmpq(-1)) for k in range(0, len(flat), 2)]
        if len(row) == 1 and any(_proportional(row[0], gap) for gap in gaps):
            # the mask says that it is not negative
            return self._again(node, [self.builder.apply(ops.RELU, args)])
        raise UnreadFormError

    def _sides(self, test: int) -> tuple[int, ...]:
        node = self.builder.node(test)
        return node.args if isinstance(node, Apply) else ()

    def _quotient(
        self, reading: Reading, row: Sequence[Form], tests: Sequence[int], shape: Sequence[int]
    ) -> int:
        """A quotient whose divisor vanishes, as a function of what is compared with 0."""
        for low, high in (pair for t in tests for pair in (self._sides(t), self._sides(t)[::-1])):
            inner_form = reading.atoms.add(
                reading.node(high).reshape(-1)[0], reading.node(low).reshape(-1)[0], fmpq(-1)
            )
            if reading.options:
                raise UnreadFormError
            top, bottom = (reading.atoms.one_variable(form, inner_form) for form in row)
            if top is None or bottom is None:
                continue
            op = removable(top / bottom)
            if op is not None:
                inner = self.builder.apply(ops.SUB, [high, low])
                return self.builder.apply(
                    ops.RESHAPE, [self.builder.apply(op, [inner])], shape=tuple(shape)
                )
        raise UnreadFormError


def removable(term: Term) -> Op | None:
    """The function of one variable that is a quotient near 0, if that is analytic there."""
    space = Space(1, 4)
    try:
        germ = term_germ(term, [space.variable(0, fmpq(0))], {})
    except (NotAnalyticError, UndecidedError):
        return None
    value, slope = germ.value, germ.gradient[0]
    if not isinstance(value, fmpq) or not isinstance(slope, fmpq):
        return None
    line = Var(0) * Fraction(int(slope.p), int(slope.q)) + Fraction(int(value.p), int(value.q))
    pieces = (when(Var(0) >= 0, line), when(Var(0) <= 0, line))
    return Op(
        name="quotient",
        summary="a quotient with its limit at 0, to first order",
        shape=lambda shapes, _params: shapes[0],
        meaning=Pointwise(lambda _params: pieces, whole=term),
    )


def _proportional(form: Form, gap: Form) -> bool:
    keys = form.terms.keys()
    if keys != gap.terms.keys() or not keys:
        return False
    return len({abs(form.terms[m] / gap.terms[m]) for m in keys}) == 1


def _inside(domain: Condition, values: Sequence[Number]) -> bool:
    if not holds(domain, values):
        return False
    return all(term_value(term, values) != 0 for term in compared(domain))
