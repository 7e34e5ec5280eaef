"""Subadditive functions as straight-line programs: sums, rounding, maxima and Gomory layers.

Every node is subadditive and 0 at 0 by construction: linear forms; combinations with
non-negative weights; ceilings and maxima of such functions (Blair, Jeroslow 1982); and the
mixed-integer Gomory layer ``tri_v(w·r) + sum of abs_v(-w_k) r_k``, which is moreover
non-decreasing in each ``r_k``, with ``tri_v(t) = min(frac(t)/v, (1-frac(t))/(1-v))`` and
``abs_v(t) = max(t/v, -t/(1-v))``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product
from typing import TypeAlias

from tamecheck.duality.check import Value
from tamecheck.duality.form import Vector, dot
from tamecheck.errors import DomainError, UnsupportedError
from tamecheck.ir.exact import ONE, ZERO, rational_text

Terms: TypeAlias = tuple[tuple[int, Fraction], ...]
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

    @property
    def inner(self) -> Terms:
        """The argument of the triangle, as a combination."""
        return self.terms if self.free is None else (*self.terms, (self.free, ONE))

    @property
    def outer(self) -> Terms:
        """What is added to the triangle, as a combination."""
        return tuple((i, absolute(self.v, -w)) for i, w in self.terms)


Node: TypeAlias = Linear | Combination | Ceiling | Maximum | Gomory


def _arguments(node: Node) -> tuple[int, ...]:
    """The nodes that a node takes, as often as its formula mentions them."""
    match node:
        case Linear():
            return ()
        case Combination(terms):
            return tuple(i for i, _ in terms)
        case Ceiling(arg):
            return (arg,)
        case Maximum(args):
            return args
        case Gomory():
            return tuple(i for i, _ in (*node.inner, *node.outer))


def ancestors(nodes: Sequence[Node], root: int) -> list[int]:
    """The root and the nodes on which it depends, in order."""
    found = {root}
    for i in range(root, -1, -1):
        if i in found:
            found.update(_arguments(nodes[i]))
    return sorted(found)


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
    def lipschitz(self) -> Fraction | None:
        """A Lipschitz constant for the 1-norm, None if there is a ceiling."""
        bounds: list[list[Fraction]] = []
        for node in self.nodes:
            if isinstance(node, Ceiling):
                return None
            bounds.append(_slope_bounds(node, bounds, self.size))
        return max(bounds[-1], default=ZERO)

    def monotone_in(self, admits: Sequence[Callable[[Fraction], bool]]) -> bool | None:
        """True if every linear leaf has coefficients that ``admits`` allows; None otherwise.

        All nodes are non-decreasing functions of their arguments, except for the free part of
        a Gomory layer, whose coefficients must be 0 wherever only one sign is allowed.
        """
        free = {n.free for n in self.nodes if isinstance(n, Gomory) and n.free is not None}
        bound = {
            i
            for node in self.nodes
            for i in _arguments(node)
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
        """Vertices of a conservative gradient: one slope at each kink, chosen in every way."""
        values = self.values(d)
        constant = self._locally_constant(d, values)
        choices = [
            (ZERO,) if flat else _choices(node, values, constant)
            for node, flat in zip(self.nodes, constant, strict=True)
        ]
        if math.prod(len(own) for own in choices) > _MOST_VERTICES:
            raise UnsupportedError(
                f"More than {_MOST_VERTICES} combinations of slopes meet at this right-hand side.",
                hint="Move it a little.",
            )
        found: dict[Vector, None] = {}
        for selection in product(*choices):
            rows: list[Vector] = []
            for node, flat, choice in zip(self.nodes, constant, selection, strict=True):
                rows.append((ZERO,) * self.size if flat else _slope(node, rows, choice, self.size))
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
                    flat.append(all(flat[i] for i in _arguments(node)))
        return flat

    def text(self, node: int | None = None, names: Sequence[str] | None = None) -> str:
        """The formula of the root or of a node; a node that occurs twice is named.

        Names of shared nodes are ``t0, t1, ...``; they are defined behind ``where``.
        """
        root = len(self.nodes) - 1 if node is None else node
        letters = names or [f"d{k}" for k in range(self.size)]
        shown = ancestors(self.nodes, root)
        uses = Counter(i for k in shown for i in _arguments(self.nodes[k]))
        texts: dict[int, str] = {}
        definitions: list[str] = []
        for i in shown:
            texts[i] = _text(self.nodes[i], texts, letters)
            if i != root and uses[i] > 1 and not isinstance(self.nodes[i], Linear):
                name = f"t{len(definitions)}"
                definitions.append(f"{name} = {texts[i]}")
                texts[i] = name
        return texts[root] + (f" where {'; '.join(definitions)}" if definitions else "")


def _combine(terms: Terms, found: Sequence[Fraction]) -> Fraction:
    return sum((w * found[i] for i, w in terms), ZERO)


def _value(node: Node, found: Sequence[Fraction], d: Sequence[Fraction]) -> Fraction:
    match node:
        case Linear(coefficients):
            return dot(coefficients, d)
        case Combination(terms):
            return _combine(terms, found)
        case Ceiling(arg):
            return Fraction(math.ceil(found[arg]))
        case Maximum(args):
            return max(found[i] for i in args)
        case Gomory(v):
            return triangle(v, _combine(node.inner, found)) + _combine(node.outer, found)


def _directional(node: Node, found: Sequence[Value], g: Sequence[Fraction]) -> Value:
    if any(found[i] == math.inf for i in _arguments(node)):
        return math.inf
    exact = [x if isinstance(x, Fraction) else ZERO for x in found]
    match node:
        case Ceiling(arg):
            return math.inf if exact[arg] > 0 else ZERO
        case Gomory(v):
            return absolute(v, _combine(node.inner, exact)) + _combine(node.outer, exact)
        case _:
            return _value(node, exact, g)


def _slope_bounds(node: Node, found: Sequence[Sequence[Fraction]], size: int) -> list[Fraction]:
    """Bounds of the absolute partial derivatives."""
    match node:
        case Linear(coefficients):
            return [abs(a) for a in coefficients]
        case Combination(terms):
            weights = terms
        case Maximum(args):
            return [max(found[i][k] for i in args) for k in range(size)]
        case Gomory(v, free, terms):
            weights = tuple((i, abs(w) * (1 / v + 1 / (1 - v))) for i, w in terms)
            if free is not None:
                weights = (*weights, (free, max(1 / v, 1 / (1 - v))))
        case Ceiling():
            raise ValueError("a ceiling has no slope bound")
    return [sum((w * found[i][k] for i, w in weights), ZERO) for k in range(size)]


def _choices(
    node: Node, values: Sequence[Fraction], constant: Sequence[bool]
) -> tuple[Fraction, ...]:
    """The slopes of a Gomory layer's triangle, or the positions of a maximum's active terms."""
    match node:
        case Maximum(args):
            top = max(values[i] for i in args)
            return tuple(Fraction(k) for k, i in enumerate(args) if values[i] == top)
        case Gomory(v):
            part = _combine(node.inner, values) % 1
            up, down = 1 / v, -1 / (1 - v)
            if part in (0, v) and not all(constant[i] for i in _arguments(node)):
                return (up, down)
            return (up,) if part < v else (down,)
        case _:
            return (ZERO,)


def _slope(node: Node, rows: Sequence[Vector], choice: Fraction, size: int) -> Vector:
    match node:
        case Linear(coefficients):
            return coefficients
        case Combination(terms):
            weights = terms
        case Maximum(args):
            return rows[args[int(choice)]]
        case Gomory():
            weights = (*((i, choice * w) for i, w in node.inner), *node.outer)
        case Ceiling():
            weights = ()
    return tuple(sum((w * rows[i][k] for i, w in weights), ZERO) for k in range(size))


def _text(node: Node, texts: Mapping[int, str], letters: Sequence[str]) -> str:
    match node:
        case Linear(coefficients):
            return _sum_text([(n, a) for n, a in zip(letters, coefficients, strict=True) if a])
        case Combination(terms):
            return _sum_text([(texts[j], w) for j, w in terms])
        case Ceiling(arg):
            return f"ceil({texts[arg]})"
        case Maximum(args):
            return f"max({', '.join(texts[j] for j in args)})"
        case Gomory(v):
            inner = _sum_text([(texts[j], w) for j, w in node.inner])
            layer = (f"tri[{rational_text(v)}]({inner})", ONE)
            return _sum_text([layer, *((texts[j], w) for j, w in node.outer)])


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
