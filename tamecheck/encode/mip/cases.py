"""Piecewise affine trees as columns and rows: exactly, or not at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

from tamecheck.encode.mip.forms import (
    Choice,
    Form,
    Leaf,
    Point,
    Rows,
    Tree,
    constant,
    continuous,
    leaves,
    multiple,
    shorten,
    total,
)
from tamecheck.encode.unrolling import BeyondError
from tamecheck.ir.exact import ZERO

_JUMP = (
    "jumps where its argument, which is not known to take isolated values, is 0; a program's"
    " feasible set is closed"
)


@dataclass(frozen=True, slots=True)
class _Line:
    """``factor * t + shift`` from ``low`` to ``high``, with or without these."""

    low: Fraction
    high: Fraction
    factor: Fraction
    shift: Fraction
    has_low: bool = True
    has_high: bool = True

    def at(self, t: Fraction) -> Fraction:
        """The value at ``t``."""
        return self.factor * t + self.shift


class Cases:
    """Turns trees into forms over new columns of a program."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._known: dict[int, tuple[Tree, Form]] = {}
        self._rectified: dict[Any, tuple[Form, Form | None]] = {}

    def form(self, tree: Tree) -> Form:
        """A form that equals the tree; `BeyondError` for a jump that a closed set cannot show."""
        if isinstance(tree, Form):
            return tree
        if id(tree) not in self._known:
            # the tree is kept, so that its id stays taken
            self._known[id(tree)] = tree, self._name(tree)
        found = self._known[id(tree)][1]
        found.narrow(tree.low, tree.high)
        return found

    def _name(self, tree: Choice) -> Form:
        try:
            return self._form(tree)
        except BeyondError as error:
            raise BeyondError(f"{tree.origin} {error}".strip()) from None

    def known(self, tree: Tree) -> Tree:
        """The form that was made for a tree, if there is one; else the tree."""
        found = self._known.get(id(tree))
        return tree if found is None else found[1]

    def _form(self, tree: Choice) -> Form:
        tree_ = self._prune(tree)
        if isinstance(tree_, Form):
            return replace(tree_)
        bend = self._bend(tree_)
        if bend is not None:
            return bend
        along = self._line_of(tree_)
        if along is not None:
            return self._univariate(tree_, *along)
        return self._disjunction(tree_)

    def _bend(self, tree: Choice) -> Form | None:
        """The tree if its two sides differ by a multiple of the test, which most do."""
        if not (isinstance(tree.value, Form) and isinstance(tree.other, Form)):
            return None
        found = multiple(tree.value - tree.other, tree.test)
        if found is None or found[1] != 0:
            return None
        return tree.other + self._positive_part(tree.test)[0] * found[0]

    def _prune(self, tree: Tree) -> Tree:
        """The tree without branches that the ranges exclude."""
        if isinstance(tree, Form):
            return tree
        low, high = self._rows.range(tree.test)
        if low >= 0:
            return self._prune(tree.value)
        if high < 0:
            return self._prune(tree.other)
        value, other = self._prune(tree.value), self._prune(tree.other)
        if isinstance(value, Form) and isinstance(other, Form) and value.affine == other.affine:
            return value
        return Choice(tree.test, value, other)

    # one direction

    def _line_of(self, tree: Choice) -> tuple[Form, Form] | None:
        """A direction and a form with which the tree is a function of the one plus the other."""
        test = tree.test
        t = (test - test.constant) * (1 / next(iter(test.terms.values())))
        found = list(leaves(tree))
        base = found[-1].form
        forms = [guard for leaf in found for guard, _ in leaf.guards]
        differences = [leaf.form - base for leaf in found]
        if all(multiple(form, t) is not None for form in (*forms, *differences)):
            return t, base
        return None

    def _univariate(self, tree: Choice, t: Form, base: Form) -> Form:
        roots = set[Fraction]()
        for leaf in leaves(tree):
            for guard, _ in leaf.guards:
                factor, shift = _multiple(guard, t)
                low, high = self._rows.range(guard)
                ends = sorted([(low - shift) / factor, (high - shift) / factor])
                t.narrow(*ends)
                roots.add(-shift / factor)
        low, high = self._rows.range(t)
        lines = _merge(self._lines(tree, t, base, _parts(low, high, roots)))
        if len(lines) == 1:
            return base + t * lines[0].factor + lines[0].shift
        closed = self._close(lines)
        if closed is not None:
            return base + self._bends(t, closed)
        step = self._rows.lattice(t)
        if not step:
            raise BeyondError(_JUMP)
        return base + self._steps(t, _on_lattice(lines, step))

    def _lines(
        self, tree: Choice, t: Form, base: Form, parts: Sequence[tuple[Fraction, Fraction]]
    ) -> list[_Line]:
        """The line on each part: a point, or the open interval between two."""
        found: list[_Line] = []
        for low, high in parts:
            middle = (low + high) / 2
            node: Tree = tree
            while isinstance(node, Choice):
                factor, shift = _multiple(node.test, t)
                node = node.value if factor * middle + shift >= 0 else node.other
            factor, shift = _multiple(node - base, t)
            if low == high:
                # a point says nothing of a slope
                factor, shift = ZERO, factor * low + shift
            found.append(_Line(low, high, factor, shift, low == high, low == high))
        return found

    def _close(self, lines: Sequence[_Line]) -> list[_Line] | None:
        """The lines on closed intervals, if they agree where they meet; else None."""
        wide = [line for line in lines if line.low < line.high]
        points = [line for line in lines if line.low == line.high]
        ends = {
            end: [w.at(end) for w in wide if end in (w.low, w.high)]
            for w in wide
            for end in (w.low, w.high)
        }
        for point in points:
            if any(value != point.shift for value in ends.get(point.low, ())):
                return None
        if any(len(set(values)) > 1 for values in ends.values()) or not wide:
            return None
        return wide

    def _bends(self, t: Form, lines: Sequence[_Line]) -> Form:
        """A continuous function as a line and rectified shifts of ``t``."""
        parts = [t * lines[0].factor, constant(lines[0].shift)]
        last: Form | None = None
        for before, after in pairwise(lines):
            positive, on = self._positive_part(t - after.low)
            parts.append(positive * (after.factor - before.factor))
            if on is not None and last is not None:
                # beyond a later bend means beyond the earlier ones
                self._rows.at_least(last - on)
            last = on
        return total(parts)

    def _positive_part(self, form: Form) -> tuple[Form, Form | None]:
        """``max(form, 0)``, and a form that is 1 where it is positive and 0 where negative."""
        low, high = self._rows.range(form)
        if low >= 0:
            return form, None
        if high <= 0:
            return constant(0), None
        lead = form.terms[min(form.terms)]
        size = abs(lead)
        if lead < 0:
            turned, on = self._positive_part(-form)
            found = form + turned
            found.narrow(ZERO, high)
            return found, None if on is None else 1 - on
        key = form.constant / size, tuple(sorted((j, a / size) for j, a in form.terms.items()))
        if key not in self._rectified:
            self._rectified[key] = self._rectifier(form * (1 / size))
        positive, on = self._rectified[key]
        return positive * size, on

    def _rectifier(self, form: Form) -> tuple[Form, Form]:
        rows = self._rows
        low, high = rows.range(form)
        low, high = shorten(low, up=False), shorten(high, up=True)
        positive = rows.column(
            "relu#", ZERO, high, rule=lambda x: max(form.value(x), 0), after=[form]
        )
        on = rows.binary("on#", lambda x: form.value(x) >= 0, [form])
        rows.at_least(positive - form)
        # where on is 0 the form may be as small as low
        rows.at_least(form - positive - low + on * low)
        rows.at_least(on * high - positive)
        return positive, on

    def _steps(self, t: Form, lines: Sequence[_Line]) -> Form:
        """A function on closed intervals that do not touch: which of them is chosen."""
        rows = self._rows

        def number(x: Point) -> int:
            value = t.value(x)
            return next((i for i, line in enumerate(lines) if value <= line.high), len(lines) - 1)

        on = [
            rows.binary("case#", lambda x, i=i: number(x) == i, [t]) for i in range(1, len(lines))
        ]
        if len(on) > 1:
            rows.at_least(total([constant(1), *(-z for z in on)]))

        def pick(values: Sequence[Fraction]) -> Form:
            jumps = (z * (v - values[0]) for z, v in zip(on, values[1:], strict=True))
            return total([constant(values[0]), *jumps])

        rows.at_least(t - pick([line.low for line in lines]))
        rows.at_least(pick([line.high for line in lines]) - t)
        shift, factors = pick([line.shift for line in lines]), {line.factor for line in lines}
        if len(factors) == 1:
            return t * factors.pop() + shift
        values = [line.at(end) for line in lines for end in (line.low, line.high)]
        low, high = lines[0].low, lines[-1].high
        found = rows.column(
            "value#",
            min(values),
            max(values),
            rule=lambda x: lines[number(x)].at(t.value(x)),
            after=[t],
        )
        chosen = [1 - total(on), *on]
        for line, z in zip(lines, chosen, strict=True):
            own = t * line.factor + line.shift
            reach = [line.at(low), line.at(high)]
            self._where(z, found, own, (min(values) - max(reach), max(values) - min(reach)))
        return found

    def _where(self, on: Form, left: Form, right: Form, gap: tuple[Fraction, Fraction]) -> None:
        """Demand ``left = right`` where ``on`` is 1; the difference is within the gap elsewhere."""
        off = 1 - on
        low, high = shorten(min(gap[0], ZERO), up=False), shorten(max(gap[1], ZERO), up=True)
        apart = left - right
        self._rows.at_least(apart - off * low)
        self._rows.at_least(off * high - apart)

    # several directions

    def _disjunction(self, tree: Choice) -> Form:
        """One binary a leaf: where it is 1, the leaf's guards hold and its value is taken."""
        rows = self._rows
        self._check_jumps(tree)
        found = list(leaves(tree))
        ranges = [rows.range(leaf.form) for leaf in found]
        low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)

        def number(x: Point) -> int:
            return next(
                i
                for i, leaf in enumerate(found)
                if all((guard.value(x) >= 0) is held for guard, held in leaf.guards)
            )

        after = [form for leaf in found for form in (leaf.form, *(g for g, _ in leaf.guards))]
        if len(found) == 2:
            z = rows.binary("case#", lambda x: number(x) == 1, after)
            on = [1 - z, z]
        else:
            on = [
                rows.binary("case#", lambda x, i=i: number(x) == i, after)
                for i in range(len(found))
            ]
            rows.equal(total(on) - 1)
        value = rows.column(
            "value#",
            shorten(low, up=False),
            shorten(high, up=True),
            rule=lambda x: found[number(x)].form.value(x),
            after=after,
        )
        value_low, value_high = rows.range(value)
        for leaf, z, (first, last) in zip(found, on, ranges, strict=True):
            self._where(z, value, leaf.form, (value_low - last, value_high - first))
            self._guard(leaf, z)
        return value

    def _guard(self, leaf: Leaf, on: Form) -> None:
        rows = self._rows
        for guard, held in leaf.guards:
            if held:
                form = guard
            else:
                step = rows.lattice(guard)
                # the largest value below 0, or 0 itself where both sides agree
                below = guard.constant % step - step if step else ZERO
                form = -guard + below
            low = min(shorten(rows.range(form)[0], up=False), ZERO)
            rows.at_least(form - (1 - on) * low)

    def _check_jumps(self, tree: Tree) -> None:
        if isinstance(tree, Choice):
            if self._rows.lattice(tree.test) is None and not continuous(tree):
                raise BeyondError(_JUMP)
            self._check_jumps(tree.value)
            self._check_jumps(tree.other)


def _multiple(form: Form, of: Form) -> tuple[Fraction, Fraction]:
    found = multiple(form, of)
    if found is None:
        raise ValueError("the forms are not parallel")
    return found


def _parts(low: Fraction, high: Fraction, roots: set[Fraction]) -> list[tuple[Fraction, Fraction]]:
    """Points and the intervals between them, in order, from ``low`` to ``high``."""
    points = sorted({low, high, *(root for root in roots if low < root < high)})
    parts = [(points[0], points[0])]
    for before, after in pairwise(points):
        parts += [(before, after), (after, after)]
    return parts


def _merge(lines: Sequence[_Line]) -> list[_Line]:
    """Neighbours that lie on one line become one; points join the lines through them."""
    found: list[_Line] = []
    for line in lines:
        if not found:
            found.append(line)
            continue
        last = found[-1]
        if line.low == line.high and last.at(line.low) == line.shift:
            found[-1] = replace(last, high=line.high, has_high=True)
        elif last.low == last.high and line.at(last.low) == last.shift:
            found[-1] = replace(line, low=last.low, has_low=True)
        elif (last.factor, last.shift) == (line.factor, line.shift):
            found[-1] = replace(last, high=line.high, has_high=line.has_high)
        else:
            found.append(line)
    return found


def _on_lattice(lines: Sequence[_Line], step: Fraction) -> list[_Line]:
    """The lines between multiples of the step that they have, where there are some."""
    found: list[_Line] = []
    for line in lines:
        low, high = step * math.ceil(line.low / step), step * math.floor(line.high / step)
        low += step if low == line.low and not line.has_low else 0
        high -= step if high == line.high and not line.has_high else 0
        if low <= high:
            flat = low == high
            factor, shift = (ZERO, line.at(low)) if flat else (line.factor, line.shift)
            found.append(_Line(low, high, factor, shift))
    return _merge(found)
