"""Cases that leave two values to inputs: clauses about these, and their refutation.

An inequality over inputs and rectifiers bounds each of its terms by what the least values of the
others leave.  Where that leaves two values to an input, it is a Boolean variable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

from tamecheck.kernel import read
from tamecheck.kernel.strict import require, spend
from tamecheck.kernel_pwl.blocks import ONE, ZERO, Bend, Linear
from tamecheck.kernel_pwl.network import Network

Form = tuple[dict[int, Fraction], Fraction]  # multiples of inputs and rectifiers, and a constant
Intervals = list[tuple[Fraction, Fraction]]  # closed, apart and in order
Kinked = tuple[
    Fraction, list[tuple[Fraction, Fraction, Fraction]]
]  # a x + sum of b max(p x + q, 0)


def add(terms: Iterable[tuple[Fraction, Form]], constant: Fraction) -> Form:
    """Return a sum of multiples."""
    found = dict[int, Fraction]()
    for factor, (form, at) in terms:
        spend(4 * len(form) + 4)
        constant += factor * at
        for v, c in form.items():
            found[v] = found.get(v, ZERO) + factor * c
    return {v: c for v, c in found.items() if c}, constant


class Forms:
    """The variables of a network as forms; of rectifiers, what they rectify."""

    def __init__(self, network: Network) -> None:
        require(network.floats is None, "a formula about floats")
        self.inputs = network.inputs
        self.of: dict[int, Form] = {v: ({v: ONE}, ZERO) for v in range(network.inputs)}
        self.arguments: dict[int, Form] = {}
        for block in network.blocks:
            if isinstance(block, Bend):
                require(block.op == "relu", "a formula about a network with jumps")
                for v, z in zip(block.ids, block.args, strict=True):
                    self.of[v], self.arguments[v] = ({v: ONE}, ZERO), self.of[z]
            else:
                self._sums(block)
        self.rectifiers = list(self.arguments)

    def _sums(self, block: Linear) -> None:
        require(block.exact, "a formula about a network whose weights have more bits")
        for chunk in block.chunks:
            for v, row in zip(chunk.ids, chunk.rows, strict=True):
                terms = [
                    (Fraction(w, 1 << block.shift), self.of[j])
                    for w, j in zip(row, chunk.index, strict=True)
                    if w
                ]
                self.of[v] = add(terms, block.bias[v - block.ids.start])


class Formula:
    """What is known of inputs and rectifiers where all rows of a case are at most 0."""

    def __init__(
        self, forms: Forms, box: Intervals, rows: Sequence[Form], strict: Sequence[bool]
    ) -> None:
        self.forms, self.rows, self.strict = forms, rows, strict
        self.inputs: list[Intervals] = [[ends] for ends in box]
        self.most: dict[int, Fraction] = {}
        for v, form in forms.arguments.items():
            self.most[v] = max(-self.least(_negative(form)), ZERO)

    def hull(self, v: int) -> tuple[Fraction, Fraction]:
        """Return bounds of an input or a rectifier."""
        if v < self.forms.inputs:
            return self.inputs[v][0][0], self.inputs[v][-1][1]
        return ZERO, self.most[v]

    def least(self, form: Form, fixed: Mapping[int, Fraction] | None = None) -> Fraction:
        """Return a lower bound of a form, where some inputs have known values."""
        terms, total = form
        spend(8 * len(terms))
        for v, c in terms.items():
            low, high = (fixed[v], fixed[v]) if fixed and v in fixed else self.hull(v)
            total += c * (low if c > 0 else high)
        return total

    def learn(self, row: int) -> bool:
        """Bound each term of a row by what the others leave; return whether any point is left."""
        terms, constant = self.rows[row]
        alone, others = dict[int, Kinked](), list[tuple[int, Fraction, Fraction]]()
        for v, c in terms.items():
            argument, at = self.forms.arguments.get(v, ({v: ONE}, ZERO))
            (only, factor), *more = [*argument.items(), (-1, ZERO)]
            if len(more) == 1 and 0 <= only < self.forms.inputs:
                slope, bent = alone.get(only, (ZERO, []))
                if v == only:
                    alone[only] = slope + c, bent
                else:
                    alone[only] = slope, [*bent, (c, factor, at)]
            else:
                others.append((v, c, c * self.hull(v)[c < 0]))
        least = {i: min(_values(kinked, self.inputs[i])) for i, kinked in alone.items()}
        left = -constant - sum(least.values()) - sum(low for _, _, low in others)
        if left < 0:
            return False
        for i, kinked in alone.items():
            self.inputs[i] = _below(kinked, least[i] + left, self.inputs[i])
        for v, c, low in others:
            if c > 0:
                self.most[v] = min(self.most[v], (low + left) / c)
        return True

    def value(self, literal: int, *, true: bool) -> Fraction:
        """Return the value of an input where a literal about it is true, or false."""
        domain = self.inputs[abs(literal) - 1]
        apart = len(domain) == 2 and all(low == high for low, high in domain)
        require(apart, "a literal about an input without two values")
        return domain[(literal > 0) == true][0]

    def clause(self, source: int, literals: Sequence[int]) -> bool:
        """Return whether a row, or that a rectifier has its bound, shows that a literal is true."""
        if source >= 0:
            require(source < len(self.rows), "there is no such row")
            form, strict = self.rows[source], self.strict[source]
        else:
            require(-source <= len(self.forms.rectifiers), "there is no such rectifier")
            v = self.forms.rectifiers[-1 - source]
            terms, constant = self.forms.arguments[v]
            form, strict = (terms, constant - self.most[v]), False
        least = self.least(form, {abs(x) - 1: self.value(x, true=False) for x in literals})
        return least > 0 or (strict and least == 0)


def refuted(formula: Formula, raw: Sequence[object]) -> bool:
    """Return whether rows are learned, clauses follow from them, and these refute each other."""
    learned, given, steps = (read.items(one) for one in raw)
    for row in learned:
        if not formula.learn(read.integer(row, 0, len(formula.rows) - 1)):
            return True
    clauses = list[list[int]]()
    for one in given:
        source, literals = read.pair(one, "a clause has a source and literals")
        clause = _literals(literals, len(formula.inputs))
        shown = formula.clause(read.integer(source, -(1 << 40), 1 << 40), clause)
        require(shown, f"clause {len(clauses)} does not follow")
        clauses.append(clause)
    for one in steps:
        literals, hints = read.pair(one, "a step has literals and hints")
        clause = _literals(literals, len(formula.inputs))
        at = [read.integer(h, 0, len(clauses) - 1) for h in read.items(hints)]
        require(
            _propagated(clause, [clauses[h] for h in at]), f"clause {len(clauses)} does not follow"
        )
        clauses.append(clause)
    return [] in clauses


def _propagated(clause: Sequence[int], hints: Sequence[Sequence[int]]) -> bool:
    """Return whether clauses, each of which leaves one literal, contradict that none is true."""
    false = set(clause)
    for hint in hints:
        spend(len(hint) + 2)
        left = [x for x in hint if x not in false]
        if not left:
            return True
        require(len(left) == 1, "a clause of a step leaves several literals")
        false.add(-left[0])
    return False


def _literals(value: object, inputs: int) -> list[int]:
    found = [read.integer(x, -inputs, inputs) for x in read.items(value)]
    require(0 not in found, "0 is no literal")
    return found


def _negative(form: Form) -> Form:
    return {v: -c for v, c in form[0].items()}, -form[1]


def _at(kinked: Kinked, x: Fraction) -> Fraction:
    slope, bent = kinked
    spend(8 * len(bent) + 4)
    return slope * x + sum(b * max(p * x + q, ZERO) for b, p, q in bent)


def _knots(kinked: Kinked, low: Fraction, high: Fraction) -> list[Fraction]:
    return sorted({low, high, *(-q / p for _, p, q in kinked[1] if low < -q / p < high)})


def _values(kinked: Kinked, domain: Intervals) -> list[Fraction]:
    """Return the values at all ends and kinks, of which one is the least."""
    return [_at(kinked, x) for low, high in domain for x in _knots(kinked, low, high)]


def _below(kinked: Kinked, level: Fraction, domain: Intervals) -> Intervals:
    """Return the part of intervals where the value is at most a level."""
    found = Intervals()
    for low, high in domain:
        knots = _knots(kinked, low, high)
        for a, b in pairwise(knots) if len(knots) > 1 else [(low, low)]:
            start, end = _at(kinked, a) - level, _at(kinked, b) - level
            if start > 0 and end > 0:
                continue
            # where the line between the ends crosses the level, if it does
            cross = a - start * (b - a) / (end - start) if start != end else a
            left, right = (a if start <= 0 else cross), (b if end <= 0 else cross)
            if found and found[-1][1] == left:
                found[-1] = (found[-1][0], right)
            else:
                found.append((left, right))
    return found
