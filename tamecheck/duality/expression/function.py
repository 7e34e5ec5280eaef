"""Subadditive functions as straight-line programs: sums, rounding, maxima and Gomory layers.

Every node is subadditive and 0 at 0 by construction: linear forms; combinations with
non-negative weights; ceilings and maxima of such functions (Blair, Jeroslow 1982); and the
mixed-integer Gomory layer ``tri_v(w·r) + sum of abs_v(-w_k) r_k``, which is moreover
non-decreasing in each ``r_k``, with ``tri_v(t) = min(frac(t)/v, (1-frac(t))/(1-v))`` and
``abs_v(t) = max(t/v, -t/(1-v))``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product
from typing import TypeAlias

from tamecheck.duality.check import Value
from tamecheck.duality.form import Vector
from tamecheck.errors import DomainError, InputError, UnsupportedError
from tamecheck.ir.exact import rational_text

__all__ = [
    "Ceiling",
    "Combination",
    "Expression",
    "ExpressionBuilder",
    "Gomory",
    "Linear",
    "Maximum",
    "Node",
    "absolute",
    "arguments",
    "triangle",
]

Terms: TypeAlias = tuple[tuple[int, Fraction], ...]
_ZERO = Fraction(0)
_MOST_VERTICES = 4096


def triangle(v: Fraction, t: Fraction) -> Fraction:
    """``min(frac(t)/v, (1-frac(t))/(1-v))`` for ``0 < v < 1``."""
    part = t - math.floor(t)
    return min(part / v, (1 - part) / (1 - v))


def absolute(v: Fraction, t: Fraction) -> Fraction:
    """``max(t/v, -t/(1-v))``, the derivative of `triangle` at 0 in the direction t."""
    return max(t / v, -t / (1 - v))


@dataclass(frozen=True, slots=True)
class Linear:
    """``coefficients · d``."""

    coefficients: Vector


@dataclass(frozen=True, slots=True)
class Combination:
    """The sum of weight times node, with positive weights."""

    terms: Terms


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The least integer that is not below a node."""

    arg: int


@dataclass(frozen=True, slots=True)
class Maximum:
    """The largest of some nodes."""

    args: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Gomory:
    """``tri_v(free + sum of w r) + sum of abs_v(-w) r``; ``free`` is a linear node or None."""

    v: Fraction
    free: int | None
    terms: Terms


Node: TypeAlias = Linear | Combination | Ceiling | Maximum | Gomory


def arguments(node: Node) -> tuple[int, ...]:
    """The nodes that a node takes."""
    match node:
        case Linear():
            return ()
        case Combination(terms):
            return tuple(i for i, _ in terms)
        case Ceiling(arg):
            return (arg,)
        case Maximum(args):
            return args
        case Gomory(_, free, terms):
            return (*(() if free is None else (free,)), *(i for i, _ in terms))


@dataclass(frozen=True)
class Expression:
    """A subadditive function of ``size`` numbers: nodes in topological order, the last is it."""

    nodes: tuple[Node, ...]
    size: int

    def values(self, d: Sequence[Fraction]) -> list[Fraction]:
        """The exact value of every node."""
        found: list[Fraction] = []
        for node in self.nodes:
            found.append(_value(node, found, d))
        return found

    def __call__(self, d: Sequence[Fraction]) -> Fraction:
        """The value."""
        return self.values(d)[-1]

    def directional(self, g: Sequence[Fraction]) -> Value:
        """``limsup of F(t g)/t`` for t down to 0: infinite where a ceiling jumps at 0.

        Every node is positively homogeneous near 0 along a ray, up to jumps of ceilings, so
        that the chain rule is exact.
        """
        found: list[Value] = []
        for node in self.nodes:
            found.append(_directional(node, found, g))
        return found[-1]

    @cached_property
    def ceilings(self) -> int:
        """The number of ceilings: without one the function is Lipschitz."""
        return sum(isinstance(node, Ceiling) for node in self.nodes)

    @cached_property
    def lipschitz(self) -> Fraction | None:
        """A Lipschitz constant for the 1-norm, None if there is a ceiling."""
        if self.ceilings:
            return None
        bounds: list[list[Fraction]] = []
        for node in self.nodes:
            bounds.append(_slope_bounds(node, bounds, self.size))
        return max(bounds[-1], default=_ZERO)

    def monotone_in(self, admits: Sequence[Callable[[Fraction], bool]]) -> bool | None:
        """True if every linear leaf has coefficients that ``admits`` allows; None otherwise.

        All nodes are non-decreasing functions of their arguments, except for the free part of
        a Gomory layer, whose coefficients must be 0 wherever only one sign is allowed.
        """
        free = {n.free for n in self.nodes if isinstance(n, Gomory) and n.free is not None}
        bound = {
            i
            for node in self.nodes
            for i in arguments(node)
            if not (isinstance(node, Gomory) and i == node.free)
        } | {len(self.nodes) - 1}
        for i, node in enumerate(self.nodes):
            if not isinstance(node, Linear):
                continue
            for coefficient, allowed in zip(node.coefficients, admits, strict=True):
                if i in bound and not allowed(coefficient):
                    return None
                if i in free and not (allowed(coefficient) and allowed(-coefficient)):
                    return None
        return True

    def slopes(self, d: Sequence[Fraction]) -> tuple[Vector, ...]:
        """Vertices of a conservative gradient: one slope at each kink, chosen in every way.

        Raises
        ------
        DomainError
            If a ceiling jumps at ``d``.
        UnsupportedError
            If more than 12 kinks meet there.
        """
        values = self.values(d)
        constant = self._locally_constant(d, values)
        choices = [
            _choices(node, values, constant) if not constant[i] else (_ZERO,)
            for i, node in enumerate(self.nodes)
        ]
        if math.prod(len(own) for own in choices) > _MOST_VERTICES:
            raise UnsupportedError(
                f"More than {_MOST_VERTICES} combinations of slopes meet at this right-hand side.",
                hint="Move it a little.",
            )
        found: dict[Vector, None] = {}
        for selection in product(*choices):
            rows: list[Vector] = []
            for i, node in enumerate(self.nodes):
                flat = constant[i]
                rows.append(
                    (_ZERO,) * self.size if flat else _slope(node, rows, selection[i], self.size)
                )
            found[rows[-1]] = None
        return tuple(found)

    def _locally_constant(self, d: Sequence[Fraction], values: Sequence[Fraction]) -> list[bool]:
        """Which nodes are constant near ``d``; raises where a ceiling jumps."""
        flat: list[bool] = []
        for node in self.nodes:
            match node:
                case Linear(coefficients):
                    flat.append(not any(coefficients))
                case Ceiling(arg):
                    if not flat[arg] and values[arg].denominator == 1:
                        at = ", ".join(map(rational_text, d))
                        raise DomainError(
                            "The dual function jumps at this right-hand side: its term"
                            f" ceil({self.text(arg)}) has the integer argument"
                            f" {rational_text(values[arg])} at ({at}).",
                            hint="There is no gradient at a jump.",
                        )
                    flat.append(True)
                case Maximum(args):
                    top = max(values[i] for i in args)
                    flat.append(all(flat[i] for i in args if values[i] == top))
                case _:
                    flat.append(all(flat[i] for i in arguments(node)))
        return flat

    def text(self, node: int | None = None, names: Sequence[str] | None = None) -> str:
        """The formula of the root or of a node; a node that occurs twice is named.

        Names of shared nodes are ``t0, t1, ...``; they are defined behind ``where``.
        """
        from tamecheck.duality.expression.dual import expression_text

        return expression_text(self, len(self.nodes) - 1 if node is None else node, names)


def _value(node: Node, found: Sequence[Fraction], d: Sequence[Fraction]) -> Fraction:
    match node:
        case Linear(coefficients):
            return sum((a * x for a, x in zip(coefficients, d, strict=True) if a), _ZERO)
        case Combination(terms):
            return sum((w * found[i] for i, w in terms), _ZERO)
        case Ceiling(arg):
            return Fraction(math.ceil(found[arg]))
        case Maximum(args):
            return max(found[i] for i in args)
        case Gomory(v, free, terms):
            inner = _ZERO if free is None else found[free]
            inner += sum((w * found[i] for i, w in terms), _ZERO)
            return triangle(v, inner) + sum((absolute(v, -w) * found[i] for i, w in terms), _ZERO)


def _directional(node: Node, found: Sequence[Value], g: Sequence[Fraction]) -> Value:
    if any(found[i] == math.inf for i in arguments(node)):
        return math.inf
    exact = [x if isinstance(x, Fraction) else _ZERO for x in found]
    match node:
        case Ceiling(arg):
            return math.inf if exact[arg] > 0 else _ZERO
        case Gomory(v, free, terms):
            inner = _ZERO if free is None else exact[free]
            inner += sum((w * exact[i] for i, w in terms), _ZERO)
            return absolute(v, inner) + sum((absolute(v, -w) * exact[i] for i, w in terms), _ZERO)
        case _:
            return _value(node, exact, g)


def _slope_bounds(node: Node, found: Sequence[Sequence[Fraction]], size: int) -> list[Fraction]:
    """Bounds of the absolute partial derivatives."""
    match node:
        case Linear(coefficients):
            return [abs(a) for a in coefficients]
        case Combination(terms):
            return [sum((w * found[i][k] for i, w in terms), _ZERO) for k in range(size)]
        case Maximum(args):
            return [max(found[i][k] for i in args) for k in range(size)]
        case Gomory(v, free, terms):
            steep = max(1 / v, 1 / (1 - v))
            both = 1 / v + 1 / (1 - v)
            return [
                (_ZERO if free is None else steep * found[free][k])
                + sum((abs(w) * both * found[i][k] for i, w in terms), _ZERO)
                for k in range(size)
            ]
        case Ceiling():
            raise ValueError("a ceiling has no slope bound")


def _choices(
    node: Node, values: Sequence[Fraction], constant: Sequence[bool]
) -> tuple[Fraction, ...]:
    """The slopes of a Gomory layer's triangle, or the positions of a maximum's active terms."""
    match node:
        case Maximum(args):
            top = max(values[i] for i in args)
            return tuple(Fraction(k) for k, i in enumerate(args) if values[i] == top)
        case Gomory(v, free, terms):
            inner = _ZERO if free is None else values[free]
            inner += sum((w * values[i] for i, w in terms), _ZERO)
            part = inner - math.floor(inner)
            up, down = 1 / v, -1 / (1 - v)
            if part in (0, v) and not all(constant[i] for i in arguments(node)):
                return (up, down)
            return (up,) if part < v else (down,)
        case _:
            return (_ZERO,)


def _slope(node: Node, rows: Sequence[Vector], choice: Fraction, size: int) -> Vector:
    match node:
        case Linear(coefficients):
            return coefficients
        case Combination(terms):
            weights = terms
        case Maximum(args):
            return rows[args[int(choice)]]
        case Gomory(v, free, terms):
            weights = tuple((i, choice * w + absolute(v, -w)) for i, w in terms)
            if free is not None:
                weights = (*weights, (free, choice))
        case Ceiling():
            return (_ZERO,) * size
    return tuple(sum((w * rows[i][k] for i, w in weights), _ZERO) for k in range(size))


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
