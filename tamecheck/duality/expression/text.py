"""Subadditive expressions as text, in sympy, and as graphs whose tameness is derived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from tamecheck import ops
from tamecheck.duality.expression.function import (
    Ceiling,
    Combination,
    Expression,
    Gomory,
    Linear,
    Maximum,
    absolute,
)
from tamecheck.ir.exact import rational_text
from tamecheck.ir.graph import Graph, GraphBuilder

__all__ = ["expression_graph", "expression_sympy", "expression_text"]


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
