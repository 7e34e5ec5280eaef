"""Building subadditive expressions: each node once, in simplified form."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tamecheck.duality.expression.function import (
    Ceiling,
    Combination,
    Expression,
    Gomory,
    Linear,
    Maximum,
    Node,
    arguments,
)
from tamecheck.errors import InputError

__all__ = ["ExpressionBuilder"]

_ZERO = Fraction(0)


class ExpressionBuilder:
    """Collects nodes, each once, in simplified form.

    Parameters
    ----------
    size
        The number of variables.
    """

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

        Raises
        ------
        InputError
            If a weight is negative: the result would not be subadditive.
        """
        if any(w < 0 for _, w in terms):
            raise InputError("A weight of a subadditive combination is negative.")
        flat: dict[int, Fraction] = {}
        line = [_ZERO] * self.size
        for i, w in terms:
            node = self._nodes[i]
            for j, own in node.terms if isinstance(node, Combination) else ((i, Fraction(1)),):
                inner = self._nodes[j]
                if isinstance(inner, Linear):
                    line = [x + w * own * a for x, a in zip(line, inner.coefficients, strict=True)]
                elif w:
                    flat[j] = flat.get(j, _ZERO) + w * own
        if any(line) or not flat:
            flat[self.linear(line)] = Fraction(1)
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
        """The layer ``tri_v(free·d + sum of w r) + sum of abs_v(-w) r``.

        Raises
        ------
        InputError
            If ``v`` is not between 0 and 1.
        """
        if not 0 < v < 1:
            raise InputError(f"The parameter {v} of a Gomory layer is not between 0 and 1.")
        kept = tuple(sorted((i, w) for i, w in terms if w))
        own = None if free is None or not any(free) else self.linear(free)
        return self._add(Gomory(v, own, kept))

    def build(self, root: int) -> Expression:
        """The function of a node, with the nodes that it needs."""
        needed = {root}
        for i in range(root, -1, -1):
            if i in needed:
                needed.update(arguments(self._nodes[i]))
        number = {old: new for new, old in enumerate(sorted(needed))}
        nodes = (_renumbered(self._nodes[i], number) for i in sorted(needed))
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


def _renumbered(node: Node, number: dict[int, int]) -> Node:
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
