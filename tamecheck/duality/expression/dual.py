"""Dual functions that are subadditive expressions of the right-hand side."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Any

from tamecheck.duality.answer import DualFunction
from tamecheck.duality.check import CheckItem, Value
from tamecheck.duality.definability import Definability
from tamecheck.duality.expression.function import Expression
from tamecheck.duality.form import Form, Vector
from tamecheck.ir.structure import Structure
from tamecheck.ir.verdict import Verdict

__all__ = ["ExpressionDual"]

_LONGEST = 400
"""Nodes up to which the formula is written out in sympy."""


class ExpressionDual(DualFunction):
    """F given by an expression in the right-hand sides of the form."""

    def __init__(
        self, form: Form, optimum: Fraction | None, expression: Expression, notes: tuple[str, ...]
    ) -> None:
        super().__init__(form, optimum)
        self.expression = expression
        self.notes = notes

    def evaluate(self, d: Vector) -> Fraction:
        """F at a right-hand side of the form, exactly."""
        return self.expression(d)

    def directional(self, g: Vector) -> Value:
        """``limsup of F(t g) / t`` for t down to 0."""
        return self.expression.directional(g)

    def slopes(self, d: Vector) -> tuple[Vector, ...]:
        """One slope at every kink, in every combination: a conservative gradient."""
        return self.expression.slopes(d)

    @property
    def subadditive(self) -> CheckItem:
        """True by construction."""
        return CheckItem(
            status=True,
            why="built from linear forms by combinations with non-negative weights, ceilings,"
            " maxima and Gomory layers, which keep subadditivity",
        )

    @property
    def monotone(self) -> CheckItem:
        """By the signs of the linear forms, as every other node is non-decreasing."""
        shown = self.expression.monotone_in([c.admits for c in self.form.constraints])
        if shown:
            return CheckItem(
                status=True,
                why="every linear form has the sign of its row's sense, and every other node is"
                " non-decreasing",
            )
        return CheckItem(status=None, why="a linear form has a sign that proves nothing")

    def to_sympy(self) -> Any:
        """The formula as a sympy expression."""
        from tamecheck.duality.expression.text import expression_sympy

        return expression_sympy(self.expression, self.symbols())

    @property
    def formula(self) -> str:
        """F in the names of the rows; where terms are shared, they are named behind ``where``.

        In an inner right-hand side ``(row - shift)`` the shift comes from bounds of columns.
        """
        names = [
            name if not s else f"({name} {'-' if s > 0 else '+'} {abs(s)})"
            for name, s in zip(self.form.names, self.form.shift, strict=True)
        ]
        return self.expression.text(names=names)

    @property
    def latex(self) -> str:
        """F in LaTeX; of an expression with very many terms, the text in a text box."""
        if len(self.expression.nodes) <= _LONGEST:
            return super().latex
        return rf"\text{{{self.formula}}}"

    def definability(self, domain: str = "everywhere") -> Definability:
        """What the check of the function's own graph derives, and its Lipschitz constant."""
        from tamecheck.duality.expression.text import expression_graph
        from tamecheck.ir.box import Box
        from tamecheck.tame.check import check

        radius = Fraction(1 + max((ceil(abs(b)) for b in self.form.right), default=0))
        box = Box.uniform(["d"], -radius, radius) if domain == "box" else Box.everything()
        found = check(expression_graph(self.expression), box)
        where = f"the box |d| <= {radius}" if domain == "box" else "all right-hand sides"
        reasons = [f"derived from the graph of F on {where}: {found.verdict.value}"]
        if domain == "box" and found.verdict is Verdict.TAME:
            reasons.append("on any bounded box every rounding takes finitely many values")
        constant = self.expression.lipschitz
        if constant is not None:
            reasons.append("without ceilings, all nodes are Lipschitz: triangles are continuous")
        else:
            reasons.append("ceilings may jump")
        return Definability(
            domain=domain,
            verdict=found.verdict,
            structure=found.structures[0] if found.structures else Structure.LOCAL,
            continuous=True if constant is not None else found.properties.continuous,
            lipschitz=True if constant is not None else found.properties.locally_lipschitz,
            reasons=tuple(reasons),
            constant=constant,
        )
