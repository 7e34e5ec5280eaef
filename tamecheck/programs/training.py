"""The rows of a binarized network in training (after Bah and Kurtz 2020, Toro Icarte et al. 2019).

A neuron with pre-activation a and bit u in {0, 1} obeys ``a >= above - (size + above)(1 - u)`` and
``a <= below + (size - below) u`` with ``size`` a bound on |a|.  Behind the first layer, the product
t of a weight w in [-1, 1] and the level s of a neuron, 1 if u is and ``low`` else, obeys
``|t - w| <= (1 - low)(1 - u)`` and ``|t - low w| <= (1 - low) u``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction

from tamecheck.ir.affine import AffineForm
from tamecheck.ir.exact import ONE, ZERO
from tamecheck.ir.program import Column, Kind, Program, Row


@dataclass(slots=True, eq=False)
class TrainingRows:
    """The columns and rows of a training program so far."""

    columns: list[Column] = field(default_factory=list[Column])
    rows: list[Row] = field(default_factory=list[Row])

    def real(
        self, name: str, lower: Fraction, upper: Fraction, kind: Kind = Kind.CONTINUOUS
    ) -> AffineForm:
        """A new column."""
        self.columns.append(Column(name, lower, upper, kind))
        return AffineForm.variable(len(self.columns) - 1)

    def bit(self, name: str) -> AffineForm:
        """A new column for 0 or 1."""
        return self.real(name, ZERO, ONE, Kind.INTEGER)

    def at_least(self, name: str, form: AffineForm, bound: Fraction = ZERO) -> None:
        """Demand that a form is at least a bound."""
        terms = tuple(sorted(form.terms.items()))
        self.rows.append(Row(name, terms, lower=bound - form.constant))

    def at_most(self, name: str, form: AffineForm, bound: Fraction = ZERO) -> None:
        """Demand that a form is at most a bound."""
        terms = tuple(sorted(form.terms.items()))
        self.rows.append(Row(name, terms, upper=bound - form.constant))

    def sign(self, name: str) -> AffineForm:
        """A weight of -1 or 1, by a bit."""
        return self.bit(name) * Fraction(2) + AffineForm.number(-1)

    def product(
        self, name: str, weight: AffineForm, bit: AffineForm, low: Fraction = -ONE
    ) -> AffineForm:
        """A column for the product of a weight and a neuron's level."""
        found, span = self.real(name, -ONE, ONE), ONE - low
        self.at_most(f"{name} a", found - weight + bit * span, span)
        self.at_most(f"{name} b", weight - found + bit * span, span)
        self.at_most(f"{name} c", found - weight * low - bit * span)
        self.at_least(f"{name} d", found - weight * low + bit * span)
        return found

    def neuron(
        self,
        names: tuple[str, str],
        form: AffineForm,
        bit: AffineForm,
        size: Fraction,
        ends: tuple[Fraction, Fraction],
    ) -> None:
        """Tie a bit to a pre-activation: 1 from the second end on, 0 up to the first one."""
        (on, off), (below, above) = names, ends
        self.at_least(on, form - bit * (size + above), -size)
        self.at_most(off, form - bit * (size - below), below)

    def absolute(self, name: str, form: AffineForm) -> AffineForm:
        """A column that is at least the absolute value of a weight."""
        size = self.real(name, ZERO, ONE)
        self.at_least(f"{name} plus", size - form)
        self.at_least(f"{name} minus", size + form)
        return size

    def program(self, costs: AffineForm) -> Program:
        """The program, which minimises the costs."""
        columns = tuple(
            replace(c, cost=costs.terms.get(j, ZERO)) for j, c in enumerate(self.columns)
        )
        return Program(columns, tuple(self.rows), constant=costs.constant, name="training")
