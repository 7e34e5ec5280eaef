"""Subadditive expressions as dual functions, in sympy, and as graphs whose tameness is derived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from math import ceil
from typing import Any

from tamecheck import ops
from tamecheck.duality.answer import Definability, DualFunction
from tamecheck.duality.check import CheckItem, Value
from tamecheck.duality.expression.function import (
    Ceiling,
    Combination,
    Expression,
    Gomory,
    Linear,
    Maximum,
    absolute,
)
from tamecheck.duality.form import Form, Vector
from tamecheck.ir.exact import rational_text
from tamecheck.ir.graph import Graph, GraphBuilder
from tamecheck.ir.structure import Structure
from tamecheck.ir.verdict import Verdict

__all__ = ["ExpressionDual", "expression_graph", "expression_sympy", "expression_text"]

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
        from tamecheck.duality.expression.dual import expression_sympy

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
        from tamecheck.duality.expression.dual import expression_graph
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


def expression_text(expression: Expression, root: int, names: Sequence[str] | None) -> str:
    """The formula of a node, with shared nodes defined behind ``where``."""
    letters = names or [f"d{k}" for k in range(expression.size)]
    needed = _needed(expression, root)
    uses = Counter(i for k in needed for i in _parts(expression, k))
    shared: dict[int, str] = {}
    definitions: list[str] = []
    texts: dict[int, str] = {}

    def refer(i: int) -> str:
        return shared.get(i) or texts[i]

    for i in needed:
        text = _text(expression, i, refer, letters)
        if i != root and uses[i] > 1 and not isinstance(expression.nodes[i], Linear):
            shared[i] = f"t{len(shared)}"
            definitions.append(f"{shared[i]} = {text}")
        texts[i] = text
    return texts[root] + (f" where {'; '.join(definitions)}" if definitions else "")


def _needed(expression: Expression, root: int) -> list[int]:
    needed = {root}
    for i in range(root, -1, -1):
        if i in needed:
            needed.update(_parts(expression, i))
    return sorted(needed)


def _parts(expression: Expression, i: int) -> tuple[int, ...]:
    match expression.nodes[i]:
        case Linear():
            return ()
        case Combination(terms):
            return tuple(j for j, _ in terms)
        case Ceiling(arg):
            return (arg,)
        case Maximum(args):
            return args
        case Gomory(_, free, terms):
            # a layer mentions each of its terms twice
            return (*(() if free is None else (free,)), *(j for j, _ in terms for _ in "12"))


def _sum_text(terms: Sequence[tuple[str, Fraction]]) -> str:
    text = ""
    for name, weight in terms:
        size = abs(weight)
        factor = "" if size == 1 else f"{rational_text(size)}*"
        own = f"({name})" if factor and (" + " in name or " - " in name) else name
        if not text:
            text = f"{'-' if weight < 0 else ''}{factor}{own}"
        else:
            text += f" {'-' if weight < 0 else '+'} {factor}{own}"
    return text or "0"


def _text(
    expression: Expression, i: int, refer: Callable[[int], str], letters: Sequence[str]
) -> str:
    match expression.nodes[i]:
        case Linear(coefficients):
            return _sum_text([(n, a) for n, a in zip(letters, coefficients, strict=True) if a])
        case Combination(terms):
            return _sum_text([(refer(j), w) for j, w in terms])
        case Ceiling(arg):
            return f"ceil({refer(arg)})"
        case Maximum(args):
            return f"max({', '.join(refer(j) for j in args)})"
        case Gomory(v, free, terms):
            inner = [(refer(j), w) for j, w in terms]
            if free is not None:
                inner.append((refer(free), Fraction(1)))
            layer = f"tri[{rational_text(v)}]({_sum_text(inner)})"
            outer = [(refer(j), absolute(v, -w)) for j, w in terms]
            return _sum_text([(layer, Fraction(1)), *outer])


def expression_sympy(expression: Expression, symbols: Sequence[Any]) -> Any:
    """The root in sympy, where ``symbols`` stand for the variables."""
    import sympy

    sp: Any = sympy

    def number(value: Fraction) -> Any:
        return sp.Rational(value.numerator, value.denominator)

    found: list[Any] = []
    for node in expression.nodes:
        match node:
            case Linear(coefficients):
                pairs = zip(coefficients, symbols, strict=True)
                found.append(sp.Add(*(number(a) * s for a, s in pairs if a)))
            case Combination(terms):
                found.append(sp.Add(*(number(w) * found[i] for i, w in terms)))
            case Ceiling(arg):
                found.append(sp.ceiling(found[arg], evaluate=False))
            case Maximum(args):
                found.append(sp.Max(*(found[i] for i in args), evaluate=False))
            case Gomory(v, free, terms):
                inner = sp.Add(
                    *(number(w) * found[i] for i, w in terms),
                    *(() if free is None else (found[free],)),
                )
                part = sp.frac(inner, evaluate=False)
                layer = sp.Min(part / number(v), (1 - part) / number(1 - v), evaluate=False)
                outer = (number(absolute(v, -w)) * found[i] for i, w in terms)
                found.append(sp.Add(layer, *outer))
    return found[-1]


def expression_graph(expression: Expression) -> Graph:  # noqa: C901 (one case a node)
    """The root as a graph over one input ``d`` of shape (size, 1), output ``F`` of shape (1, 1)."""
    builder = GraphBuilder()
    source = builder.input("d", (expression.size, 1))

    def number(value: Fraction) -> int:
        return builder.constant(_array([[value]]))

    def total(terms: Sequence[int]) -> int:
        result = terms[0]
        for other in terms[1:]:
            result = builder.apply(ops.ADD, [result, other])
        return result

    def scaled(i: int, weight: Fraction) -> int:
        return i if weight == 1 else builder.apply(ops.MUL, [number(weight), i])

    found: list[int] = []
    for node in expression.nodes:
        match node:
            case Linear(coefficients):
                row = builder.constant(_array([list(coefficients)]))
                found.append(builder.apply(ops.MATMUL, [row, source]))
            case Combination(terms):
                found.append(total([scaled(found[i], w) for i, w in terms]))
            case Ceiling(arg):
                found.append(builder.apply(ops.CEIL, [found[arg]]))
            case Maximum(args):
                result = found[args[0]]
                for i in args[1:]:
                    result = builder.apply(ops.MAXIMUM, [result, found[i]])
                found.append(result)
            case Gomory(v, free, terms):
                parts = [scaled(found[i], w) for i, w in terms]
                inner = total([*parts, *(() if free is None else (found[free],))])
                floor = builder.apply(ops.FLOOR, [inner])
                part = builder.apply(ops.SUB, [inner, floor])
                rest = builder.apply(ops.SUB, [number(Fraction(1)), part])
                layer = builder.apply(ops.MINIMUM, [scaled(part, 1 / v), scaled(rest, 1 / (1 - v))])
                outer = [scaled(found[i], absolute(v, -w)) for i, w in terms]
                found.append(total([layer, *outer]))
    return builder.build({"F": found[-1]})


def _array(rows: list[list[Fraction]]) -> Any:
    import numpy as np

    return np.array(rows, dtype=object)
