"""Building subadditive expressions, and as dual functions, in sympy, and as graphs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import reduce
from math import ceil
from typing import Any

from tamecheck import ops
from tamecheck.duality.answer import Definability, DualFunction, definability, to_sympy
from tamecheck.duality.check import CheckItem, Value
from tamecheck.duality.expression.function import (
    Ceiling,
    Combination,
    Expression,
    Gomory,
    Linear,
    Maximum,
    Node,
    ancestors,
)
from tamecheck.duality.form import Form, Vector
from tamecheck.errors import InputError
from tamecheck.ir.exact import ZERO
from tamecheck.ir.graph import Graph, GraphBuilder
from tamecheck.ir.op import Op
from tamecheck.ir.structure import Structure
from tamecheck.ir.verdict import Verdict

_LONGEST = 400
"""Nodes up to which the formula is written out in sympy."""

_PATIENCE = 2.0
"""Seconds for the derivation of a structure."""


class ExpressionBuilder:
    """Collects nodes of functions of ``size`` variables, each once, in simplified form."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._nodes: list[Node] = []
        self._ids: dict[Node, int] = {}

    def linear(self, coefficients: Sequence[Fraction | int]) -> int:
        """A linear form."""
        if len(coefficients) != self.size:
            raise InputError(f"{len(coefficients)} coefficients, not {self.size}, were given.")
        return self._add(Linear(tuple(map(Fraction, coefficients))))

    def combination(self, terms: Sequence[tuple[int, Fraction]]) -> int:
        """A combination with non-negative weights; sums of sums and of linear forms are merged.

        A negative weight is an error: the result would not be subadditive.
        """
        if any(w < 0 for _, w in terms):
            raise InputError("A weight of a subadditive combination is negative.")
        flat: dict[int, Fraction] = {}
        line: dict[int, Fraction] = {}
        for i, w in terms:
            node = self._nodes[i]
            for j, own in node.terms if isinstance(node, Combination) else ((i, Fraction(1)),):
                inner = self._nodes[j]
                if isinstance(inner, Linear):
                    for k, a in enumerate(inner.coefficients):
                        if a:
                            line[k] = line.get(k, ZERO) + w * own * a
                elif w:
                    flat[j] = flat.get(j, ZERO) + w * own
        if any(line.values()) or not flat:
            flat[self.linear([line.get(k, ZERO) for k in range(self.size)])] = Fraction(1)
        if len(flat) == 1 and next(iter(flat.values())) == 1:
            return next(iter(flat))
        return self._add(Combination(tuple(sorted(flat.items()))))

    def ceiling(self, arg: int) -> int:
        """The ceiling, or the node itself if its values are integers anyway."""
        if self._is_integral(arg):
            return arg
        return self._add(Ceiling(arg))

    def maximum(self, args: Sequence[int]) -> int:
        """The maximum; maxima of maxima are merged, and a single one is the node itself."""
        flat: dict[int, None] = {}
        for i in args:
            node = self._nodes[i]
            flat.update(dict.fromkeys(node.args if isinstance(node, Maximum) else (i,)))
        if not flat:
            raise InputError("A maximum of nothing has no value.")
        return next(iter(flat)) if len(flat) == 1 else self._add(Maximum(tuple(sorted(flat))))

    def gomory(
        self, v: Fraction, free: Sequence[Fraction] | None, terms: Sequence[tuple[int, Fraction]]
    ) -> int:
        """The layer ``tri_v(free·d + sum of w r) + sum of abs_v(-w) r``."""
        if not 0 < v < 1:
            raise InputError(f"The parameter {v} of a Gomory layer is not between 0 and 1.")
        kept = tuple(sorted((i, w) for i, w in terms if w))
        own = None if free is None or not any(free) else self.linear(free)
        return self._add(Gomory(v, own, kept))

    def build(self, root: int) -> Expression:
        """The function of a node, with the nodes that it needs."""
        kept = ancestors(self._nodes, root)
        number = {old: new for new, old in enumerate(kept)}
        nodes = (_renumber(self._nodes[i], number) for i in kept)
        return Expression(tuple(nodes), self.size)

    def _is_integral(self, i: int) -> bool:
        node = self._nodes[i]
        match node:
            case Ceiling():
                return True
            case Combination(terms):
                return all(w.denominator == 1 and self._is_integral(j) for j, w in terms)
            case Maximum(args):
                return all(map(self._is_integral, args))
            case Linear(coefficients):
                return not any(coefficients)
            case _:
                return False

    def _add(self, node: Node) -> int:
        if node not in self._ids:
            self._ids[node] = len(self._nodes)
            self._nodes.append(node)
        return self._ids[node]


def _renumber(node: Node, number: dict[int, int]) -> Node:
    match node:
        case Linear():
            return node
        case Combination(terms):
            return Combination(tuple((number[i], w) for i, w in terms))
        case Ceiling(arg):
            return Ceiling(number[arg])
        case Maximum(args):
            return Maximum(tuple(number[i] for i in args))
        case Gomory(v, free, terms):
            own = None if free is None else number[free]
            return Gomory(v, own, tuple((number[i], w) for i, w in terms))


class ExpressionDual(DualFunction):
    """F given by an expression in the right-hand sides of the form."""

    why_subadditive = (
        "built from linear forms by combinations with non-negative weights, ceilings,"
        " maxima and Gomory layers, which keep subadditivity"
    )

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

    def graph(self) -> Graph:
        """The expression's graph."""
        return expression_graph(self.expression)

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
        from tamecheck.ir.box import Box
        from tamecheck.tame.check import check

        radius = Fraction(1 + max((ceil(abs(b)) for b in self.form.right), default=0))
        box = Box.uniform(["d"], -radius, radius) if domain == "box" else Box.everything()
        found = check(expression_graph(self.expression), box, timeout=_PATIENCE)
        if found.verdict is Verdict.UNKNOWN:
            why = "it is made of sums, maxima and ceilings with rational coefficients"
            late = f"no more was derived from its graph in {_PATIENCE:g} s"
            return definability(domain, why, late, tame=False, constant=self.expression.lipschitz)
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


def expression_sympy(expression: Expression, symbols: Sequence[Any]) -> Any:
    """The root in sympy, where ``symbols`` stand for the variables."""
    import sympy

    sp: Any = sympy
    found: list[Any] = []

    def total(terms: Iterable[tuple[int, Fraction]]) -> Any:
        return sp.Add(*(to_sympy(w) * found[i] for i, w in terms))

    for node in expression.nodes:
        match node:
            case Linear(coefficients):
                pairs = zip(coefficients, symbols, strict=True)
                found.append(sp.Add(*(to_sympy(a) * s for a, s in pairs if a)))
            case Combination(terms):
                found.append(total(terms))
            case Ceiling(arg):
                found.append(sp.ceiling(found[arg], evaluate=False))
            case Maximum(args):
                found.append(sp.Max(*(found[i] for i in args), evaluate=False))
            case Gomory(v):
                part = sp.frac(total(node.inner), evaluate=False)
                layer = sp.Min(part / to_sympy(v), (1 - part) / to_sympy(1 - v), evaluate=False)
                found.append(sp.Add(layer, total(node.outer)))
    return found[-1]


def expression_graph(expression: Expression) -> Graph:  # noqa: C901 (one case a node)
    """The root as a graph over one input ``d`` of shape (size, 1), output ``F`` of shape (1, 1)."""
    import numpy as np

    builder = GraphBuilder()
    source = builder.input("d", (expression.size, 1))
    found: list[int] = []

    def constant(*row: Fraction) -> int:
        return builder.constant(np.array([row], dtype=object))

    def fold(op: Op, terms: Iterable[int]) -> int:
        return reduce(lambda left, right: builder.apply(op, [left, right]), terms)

    def scale(i: int, weight: Fraction) -> int:
        return i if weight == 1 else builder.apply(ops.MUL, [constant(weight), i])

    def total(terms: Iterable[tuple[int, Fraction]]) -> list[int]:
        return [scale(found[i], w) for i, w in terms]

    for node in expression.nodes:
        match node:
            case Linear(coefficients):
                found.append(builder.apply(ops.MATMUL, [constant(*coefficients), source]))
            case Combination(terms):
                found.append(fold(ops.ADD, total(terms)))
            case Ceiling(arg):
                found.append(builder.apply(ops.CEIL, [found[arg]]))
            case Maximum(args):
                found.append(fold(ops.MAXIMUM, [found[i] for i in args]))
            case Gomory(v):
                inner = fold(ops.ADD, total(node.inner))
                part = builder.apply(ops.SUB, [inner, builder.apply(ops.FLOOR, [inner])])
                rest = builder.apply(ops.SUB, [constant(Fraction(1)), part])
                layer = builder.apply(ops.MINIMUM, [scale(part, 1 / v), scale(rest, 1 / (1 - v))])
                found.append(fold(ops.ADD, [layer, *total(node.outer)]))
    return builder.build({"F": found[-1]})
