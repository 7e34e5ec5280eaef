"""Proofs that a function is not Lipschitz near a point: curves along which it gets steep.

Along a curve ``x(t)`` that ends in the point, on which every decision is strict for small t > 0,
the function is differentiable, and its derivative in a direction is a Puiseux series in t.  If that
begins with a negative power, derivatives are unbounded arbitrarily near the point.
"""

from __future__ import annotations

import operator
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial, reduce
from math import floor

from flint import arb, fmpq

from tamecheck.derivative.dependence import Dependence, dependence
from tamecheck.derivative.kinks import derivative, term_value
from tamecheck.errors import TamecheckError
from tamecheck.evaluate.exact import exact_nodes
from tamecheck.evaluate.exact_terms import value_at
from tamecheck.evaluate.walk import Elements, site_of
from tamecheck.exact.arrays import from_list, objects
from tamecheck.exact.reals import (
    ZERO,
    Number,
    UndecidedError,
    as_fraction,
    as_number,
    multiply,
    power,
)
from tamecheck.ir.arithmetic import Arithmetic
from tamecheck.ir.formula import Call, Compare, Elementary, Piece, Term, Var, truth
from tamecheck.ir.graph import Apply, Graph, Input
from tamecheck.ir.op import Op
from tamecheck.ir.tensor import Array, element_names, size_of
from tamecheck.ops import ADD
from tamecheck.ops.facets import larger, variables

_TRIES = 40
_ELEMENTS = 20_000
"""Elements of all nodes, times curves, that are looked at."""

_DEGREE = 6
"""The degree of Taylor polynomials."""

_ENDS = frozenset({Elementary.ASIN, Elementary.ACOS, Elementary.ACOSH})
"""Functions that end in a root, where they have Puiseux series and no Taylor series."""


@dataclass(frozen=True, slots=True, eq=False)
class Puiseux:
    """``Σ a t^e + O(t^order)``, convergent for small t > 0; without an order nothing is left out.

    The terms are exponents, increasing, and coefficients.  Whatever a property or an operation
    needs and is not known, as whether a ball is 0, raises `UndecidedError`.
    """

    terms: tuple[tuple[Fraction, Number], ...]
    order: Fraction | None = None

    @property
    def zero(self) -> bool:
        """Whether it is 0 for all t."""
        return not self.terms and self.order is None

    @property
    def first(self) -> tuple[Fraction, Number]:
        """The first exponent and its coefficient."""
        if not self.terms or (isinstance(a := self.terms[0][1], arb) and not (a > 0 or a < 0)):
            raise UndecidedError
        return self.terms[0]

    @property
    def sign(self) -> int:
        """The sign for small t."""
        return 0 if self.zero else 1 if self.first[1] > 0 else -1

    @property
    def valuation(self) -> Fraction:
        """The lowest exponent that may occur, of a series other than 0."""
        return self.terms[0][0] if self.terms else self.order or Fraction(0)

    @property
    def start(self) -> Number:
        """The limit as t falls to 0."""
        if (self.terms and self.terms[0][0] < 0) or (self.order is not None and self.order <= 0):
            raise UndecidedError
        return next((a for e, a in self.terms if e == 0), fmpq(0))

    def __add__(self, other: Puiseux) -> Puiseux:
        orders = [s.order for s in (self, other) if s.order is not None]
        return _collect([*self.terms, *other.terms], min(orders, default=None))

    def __sub__(self, other: Puiseux) -> Puiseux:
        return self + constant(fmpq(-1)) * other

    def __mul__(self, other: Puiseux) -> Puiseux:
        if self.zero or other.zero:
            return _ZERO
        orders = [
            a.order + b.valuation for a, b in ((self, other), (other, self)) if a.order is not None
        ]
        products = [(e + f, multiply(a, b)) for e, a in self.terms for f, b in other.terms]
        return _collect(products, min(orders, default=None))

    def power(self, exponent: Fraction) -> Puiseux:
        """``self ** exponent``, by the binomial series."""
        if exponent == 0:
            return constant(fmpq(1))
        if self.zero and exponent > 0:
            return _ZERO
        low, first = self.first
        if exponent.denominator != 1 and not first > 0:
            raise UndecidedError
        head = Puiseux(((low * exponent, power(first, as_number(exponent))),))
        # the first term is left out, not cancelled, which balls would not do
        rest = Puiseux(((-low, power(first, fmpq(-1))),)) * Puiseux(self.terms[1:], self.order)
        coefficients: list[Number] = [fmpq(1)]
        for k in range(_DEGREE):
            coefficients.append(coefficients[-1] * as_number((exponent - k) / (k + 1)))
        return head * _polynomial(coefficients, rest)

    def slope(self) -> Puiseux:
        """The derivative by t."""
        order = None if self.order is None else self.order - 1
        return Puiseux(tuple((e - 1, as_number(e) * a) for e, a in self.terms if e), order)

    def integral(self, start: Number) -> Puiseux:
        """The integral from 0, plus a number."""
        if self.terms and self.terms[0][0] <= -1:
            raise UndecidedError
        terms = [(e + 1, a / as_number(e + 1)) for e, a in self.terms]
        order = None if self.order is None else self.order + 1
        return _collect([(Fraction(0), start), *terms], order)


def constant(value: Number) -> Puiseux:
    """A number, for all t."""
    return Puiseux(() if value == 0 else ((Fraction(0), value),))


_ZERO = constant(fmpq(0))


def _collect(terms: Sequence[tuple[Fraction, Number]], order: Fraction | None) -> Puiseux:
    total: dict[Fraction, Number] = {}
    for exponent, a in terms:
        if order is None or exponent < order:
            total[exponent] = total[exponent] + a if exponent in total else a
    kept = (e for e in sorted(total) if isinstance(total[e], arb) or total[e] != 0)
    return Puiseux(tuple((e, total[e]) for e in kept), order)


def _polynomial(coefficients: Sequence[Number], rest: Puiseux) -> Puiseux:
    """``Σ a_k rest^k`` of an infinite series in something that vanishes at 0."""
    if rest.zero:
        return constant(coefficients[0])
    if rest.valuation <= 0:
        raise UndecidedError
    total = _ZERO
    for a in reversed(coefficients):
        total = total * rest + constant(a)
    return total + Puiseux((), len(coefficients) * rest.valuation)


def series_of(term: Term, args: Sequence[Puiseux]) -> Puiseux:
    """A term of series."""
    return _ARITHMETIC.value(term, args)


def _power(base: Puiseux, exponent: Fraction | Puiseux) -> Puiseux:
    if isinstance(exponent, Fraction):
        return base.power(exponent)
    if len(exponent.terms) > 1 or exponent.order is not None:
        raise UndecidedError
    if not isinstance(exponent.start, fmpq):
        raise UndecidedError
    return base.power(as_fraction(exponent.start))


def _floor(series: Puiseux) -> Puiseux:
    start = series.start
    if not isinstance(start, fmpq):
        raise UndecidedError
    if start.q != 1:
        return constant(fmpq(floor(as_fraction(start))))
    sign = (series - constant(start)).sign
    if sign == 0:
        raise UndecidedError
    return constant(start if sign > 0 else start - 1)


def _call(function: Elementary, series: Puiseux) -> Puiseux:
    start = series.start
    term: Term = Call(function, Var(0))
    if function in _ENDS and isinstance(start, fmpq) and start in (1, -1):
        along = series_of(derivative(term, 0), [series]) * series.slope()
        return along.integral(term_value(term, [start]))
    coefficients: list[Number] = []
    scale = fmpq(1)
    for k in range(_DEGREE + 1):
        coefficients.append(term_value(term, [start]) * scale)
        term, scale = derivative(term, 0), scale / (k + 1)
    return _polynomial(coefficients, series - constant(start))


_ARITHMETIC: Arithmetic[Puiseux] = Arithmetic(
    constant=lambda value: constant(as_number(value)),
    power=_power,
    floor=_floor,
    call=_call,
    divide=lambda left, right: left * right.power(Fraction(-1)),
)


@dataclass(frozen=True, slots=True)
class Steep:
    """A curve ``point + a t^k`` by coordinates, and how the slope grows along it.

    ``steps`` has a and k for each coordinate.  The derivative in the direction is
    ``factor t^exponent`` and what is smaller, with a negative exponent.
    """

    names: tuple[str, ...]
    start: tuple[Number, ...]
    steps: tuple[tuple[int, int], ...]
    direction: tuple[int, ...]
    exponent: Fraction
    factor: Number

    def __str__(self) -> str:
        curve = ", ".join(
            f"{name} = {_number(value)} {'+' if a > 0 else '-'} {_monomial(abs(a), k)}"
            for name, value, (a, k) in zip(self.names, self.start, self.steps, strict=True)
        )
        towards = ", ".join(map(str, self.direction))
        return (
            f"along {curve} the derivative in direction ({towards}) grows like "
            f"{_number(self.factor)} t^({self.exponent}) as t falls to 0"
        )


def _monomial(factor: int, exponent: int) -> str:
    return ("" if factor == 1 else f"{factor} ") + ("t" if exponent == 1 else f"t^{exponent}")


def _number(value: Number) -> str:
    return str(as_fraction(value)) if isinstance(value, fmpq) else f"{float(value.mid()):.6g}"


@dataclass(frozen=True, slots=True, eq=False)
class _Moving:
    """A number that moves along the curve: its value, and its derivative in the direction.

    A ``fixed`` one is constant in a neighbourhood of the curve.
    """

    value: Puiseux
    slope: Puiseux
    fixed: bool

    def __add__(self, other: _Moving) -> _Moving:
        fixed = self.fixed and other.fixed
        return _Moving(self.value + other.value, self.slope + other.slope, fixed)

    def __mul__(self, other: _Moving) -> _Moving:
        slope = self.value * other.slope + self.slope * other.value
        return _Moving(self.value * other.value, slope, self.fixed and other.fixed)


def _still(value: Number) -> _Moving:
    return _Moving(constant(value), _ZERO, fixed=True)


def steep(graph: Graph, point: Mapping[str, Array]) -> Steep | None:
    """A proof that a lowered graph is not Lipschitz near a point, or None if none was found."""
    known = exact_nodes(graph, point)
    total = sum(size_of(node.shape) for _, node in graph.applied())
    depends = dependence(graph, known)
    names = element_names(graph.inputs, single=False)
    choose = random.Random(0)  # noqa: S311 (no secret)
    for number in range(min(_TRIES, _ELEMENTS // max(total, 1))):
        # curves that are easy to read first
        powers, most = ((1,), 1) if number < _TRIES // 4 else ((1, 2, 3), 3)
        factors = [a for a in range(-most, most + 1) if a]
        steps = tuple((choose.choice(factors), choose.choice(powers)) for _ in names)
        direction = tuple(choose.choice(factors) for _ in names)
        try:
            slopes = _slopes(graph, known, depends, steps, direction)
        except (UndecidedError, TamecheckError):
            continue
        for slope in slopes:
            if slope.terms and slope.terms[0][0] < 0:
                inputs = (objects(point[name]).reshape(-1).tolist() for name in graph.inputs)
                start = tuple(v for flat in inputs for v in flat)
                return Steep(names, start, steps, direction, *slope.first)
    return None


def _slopes(
    graph: Graph,
    values: Mapping[int, Array],
    depends: Dependence,
    steps: Sequence[tuple[int, int]],
    direction: Sequence[int],
) -> list[Puiseux]:
    """The derivatives of all output elements in a direction, along a curve."""
    known: dict[int, Array] = {}
    start = 0
    inputs = [i for i, node in enumerate(graph.nodes) if isinstance(node, Input)]
    for index in sorted({*inputs, *graph.ancestors(graph.output_nodes)}):
        node = graph.nodes[index]
        here = objects(values[index]).reshape(-1).tolist()
        if isinstance(node, Input):
            flat: list[_Moving] = []
            for v, (a, k), d in zip(here, steps[start:], direction[start:], strict=False):
                step = Puiseux(((Fraction(k), fmpq(a)),))
                flat.append(_Moving(constant(v) + step, constant(fmpq(d)), fixed=False))
            start += len(here)
        elif not isinstance(node, Apply) or not depends.needed[index].any():
            flat = [_still(v) for v in here]
        else:
            found = _MOVING.value(site_of(graph, index, node), [known[a] for a in node.args])
            if found is None:
                raise UndecidedError
            flat, needs = found.reshape(-1).tolist(), depends.needs(index)
            flat = [m if n else _still(v) for m, n, v in zip(flat, needs, here, strict=True)]
        known[index] = from_list(node.shape, flat)
    outputs = (known[node].reshape(-1).tolist() for node in graph.output_nodes)
    return [moving.slope for flat in outputs for moving in flat]


def _element(pieces: Sequence[Piece], args: Sequence[_Moving]) -> _Moving:
    if all(arg.fixed for arg in args):
        point = [arg.value.start for arg in args]
        return _still(value_at(pieces, point, continuous=False))
    values = [arg.value for arg in args]
    term = next((piece.term for piece in pieces if truth(piece.condition, _decide(args))), None)
    if term is None:
        raise UndecidedError
    slope = _ZERO
    for number, arg in enumerate(args):
        if not arg.fixed:
            slope += series_of(derivative(term, number), values) * arg.slope
    return _Moving(series_of(term, values), slope, fixed=False)


def _decide(args: Sequence[_Moving]) -> Callable[[Compare], bool]:
    """Whether a comparison holds in a neighbourhood of the curve for small t, or fails in one."""

    def decide(condition: Compare) -> bool:
        sign = series_of(condition.term, [arg.value for arg in args]).sign
        if sign == 0 and not all(args[k].fixed for k in variables([condition.term])):
            raise UndecidedError
        return sign in condition.relation.signs

    return decide


def _fold(op: Op, group: Sequence[_Moving]) -> _Moving:
    if op is ADD:
        return reduce(operator.add, group, _still(ZERO))
    wanted = larger(op)
    if not wanted:
        raise UndecidedError
    best = group[0]
    for other in group[1:]:
        sign = (other.value - best.value).sign
        if sign == 0 and not (other.fixed and best.fixed):
            raise UndecidedError
        if sign == wanted:
            best = other
    return best


_MOVING: Elements[_Moving] = Elements(
    constant=lambda value: _still(as_number(value)),
    pointwise=lambda meaning, site: partial(_element, meaning.pieces(site.params)),
    product=operator.mul,
    fold=_fold,
)
