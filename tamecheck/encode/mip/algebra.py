"""The language of mixed-integer programs: affine forms, trees of choices, no true products."""

from __future__ import annotations

import math
from fractions import Fraction

from tamecheck.encode.mip.cases import Cases
from tamecheck.encode.mip.forms import (
    Form,
    Known,
    Rows,
    Tree,
    at_least,
    constant,
    join,
    negation,
    shorten,
    total,
)
from tamecheck.encode.unrolling import Algebra, BeyondError
from tamecheck.ir.affine import AffineForm
from tamecheck.ir.formula import Elementary, Relation
from tamecheck.ir.program import Kind

_ZERO, _ONE = Fraction(0), Fraction(1)
_MOST_TERMS = 256


class Language:
    """Forms and trees over the columns of a program, as an `Algebra`."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._cases = Cases(rows)

    def form(self, tree: Tree) -> Form:
        """A tree as an affine form, over new columns if need be."""
        return self._cases.form(tree)

    @property
    def algebra(self) -> Algebra:
        """The language."""
        return Algebra(
            number=constant,
            add=lambda parts: total(map(self.form, parts)),
            multiply=self._multiply,
            divide=self._divide,
            power=self._power,
            floor=self._floor,
            call=self._call,
            compare=self._compare,
            both=lambda parts: join(parts, every=True),
            either=lambda parts: join(parts, every=False),
            choose=self._choose,
            require=self._require,
        )

    def _multiply(self, left: Tree, right: Tree) -> Tree:
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
        return total(parts)

    def _divide(self, left: Tree, right: Tree) -> Tree:
        divisor = self.form(right)
        if not divisor.fixed or divisor.constant == 0:
            raise BeyondError("a division by a quantity that depends on the inputs")
        return self.form(left) * (1 / divisor.constant)

    def _power(self, base: Tree, exponent: Fraction) -> Tree:
        form = self.form(base)
        if exponent.denominator == 1 and 0 <= exponent <= 8:
            result: Tree = constant(1)
            for _ in range(int(exponent)):
                result = self._multiply(result, form)
            return result
        raise BeyondError(f"the power {exponent} is not piecewise linear")

    def _floor(self, value: Tree) -> Tree:
        form = self.form(value)
        low, high = self._rows.range(form)
        if math.floor(low) == math.floor(high):
            return constant(math.floor(low))
        step = self._rows.lattice(form)
        if step is None:
            raise BeyondError("jumps at integers; a program's feasible set is closed")
        if step.denominator == 1 and form.constant.denominator == 1:
            return form
        # values are multiples of 1 / denominator, so the last one below an integer is known
        denominator = math.lcm(step.denominator, form.constant.denominator)
        ends = Fraction(math.floor(low)), Fraction(math.floor(high))
        found = self._rows.column(
            "floor#",
            *ends,
            Kind.INTEGER,
            rule=lambda x: math.floor(form.value(x)),
            after=[form],
        )
        rest = form - found
        self._rows.at_least(rest)
        self._rows.at_least(1 - Fraction(1, denominator) - rest)
        return found

    def _call(self, function: Elementary, value: Tree) -> Tree:
        form = self.form(value)
        raise BeyondError(
            f"{function.value} is not piecewise linear"
            if not form.fixed
            else f"{function.value} of a constant"
        )

    def _compare(self, value: Tree, relation: Relation) -> Known:
        form = self.form(value)
        negative = -form
        match relation:
            case Relation.GE:
                return self._at_least(form)
            case Relation.LE:
                return self._at_least(negative)
            case Relation.GT:
                return negation(self._at_least(negative))
            case Relation.LT:
                return negation(self._at_least(form))
            case Relation.EQ:
                return self._zero(form, negative)
            case Relation.NE:
                return negation(self._zero(form, negative))

    def _at_least(self, form: Form) -> Known:
        low, high = self._rows.range(form)
        if low >= 0:
            return True
        return False if high < 0 else at_least(form)

    def _zero(self, form: Form, negative: Form) -> Known:
        step = self._rows.lattice(form)
        if step and form.constant % step:
            return False
        parts = [self._at_least(form), self._at_least(negative)]
        return join(parts, every=True)

    def _choose(self, condition: Known, value: Tree, other: Tree) -> Tree:
        if isinstance(condition, bool):
            return value if condition else other
        # a tree that a test has turned into columns is to be compared with in these columns
        return condition(self._cases.known(value), self._cases.known(other))

    def _require(self, condition: Known) -> None:
        if condition is not True:
            raise BeyondError("not shown to be defined on the whole box")

    def _binary(self, form: Form) -> bool:
        columns = (self._rows.columns[j] for j in form.terms)
        return all(c.kind is Kind.INTEGER and (c.lower, c.upper) == (0, 1) for c in columns)

    def _product(self, j: int, form: Form) -> Form:
        """The product of a binary column and a form, as a new column."""
        if set(form.terms) == {j}:
            at_one = form.terms[j] + form.constant
            return Form(AffineForm({j: at_one} if at_one else {}))
        on = Form(AffineForm.variable(j), _ZERO, _ONE)
        low, high = self._rows.range(form)
        low, high = shorten(low, up=False), shorten(high, up=True)
        rows = self._rows
        found = rows.column(
            "product#",
            min(low, _ZERO),
            max(high, _ZERO),
            rule=lambda x: x[j] * form.value(x),
            after=[form, on],
        )
        off = 1 - on
        # found is within the range of form where on is 1, and its rest where it is 0
        for part, switch in ((found, on), (form - found, off)):
            rows.at_least(part - switch * low)
            rows.at_least(switch * high - part)
        return found
