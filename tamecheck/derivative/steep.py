"""Proofs that a function is not Lipschitz near a point: curves along which it gets steep.

Along a curve ``x(t)`` that ends in the point, on which every decision is strict for small t > 0,
the function is differentiable, and its derivative in a direction is a Puiseux series in t.  If that
begins with a negative power, derivatives are unbounded arbitrarily near the point.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq

from tamecheck.derivative.dependence import Dependence, dependence
from tamecheck.derivative.kinks import derivative
from tamecheck.derivative.puiseux import ZERO, Puiseux, constant, series_of
from tamecheck.derivative.reverse import Values, compared_groups, route_index
from tamecheck.errors import TamecheckError
from tamecheck.evaluate.exact import op_exact
from tamecheck.evaluate.exact_terms import value_at
from tamecheck.evaluate.walk import site_of
from tamecheck.exact.arrays import objects
from tamecheck.exact.reals import Number, UndecidedError, as_fraction, as_number
from tamecheck.ir.formula import And, Compare, Condition, Or, Piece, Var, subterms
from tamecheck.ir.graph import Apply, Graph, Input
from tamecheck.ir.op import Contraction, Fold, Pointwise, Routing
from tamecheck.ir.tensor import Array, size_of
from tamecheck.ops.shapes import axes_of

__all__ = ["Steep", "steep"]

_TRIES = 40
_ELEMENTS = 20_000
"""Elements of all nodes, times curves, that are looked at."""


@dataclass(frozen=True, slots=True)
class Steep:
    """A curve ``point + a t^k`` by coordinates, and how the slope grows along it.

    Parameters
    ----------
    names
        The coordinates.
    start
        The point.
    steps
        For each coordinate a and k.
    direction
        In which direction the slope is that of the function.
    exponent, factor
        The slope is ``factor t^exponent`` and what is smaller, with a negative exponent.
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


def _monomial(factor: int, power: int) -> str:
    return ("" if factor == 1 else f"{factor} ") + ("t" if power == 1 else f"t^{power}")


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
        return _Moving(
            self.value + other.value, self.slope + other.slope, self.fixed and other.fixed
        )

    def __mul__(self, other: _Moving) -> _Moving:
        slope = self.value * other.slope + self.slope * other.value
        return _Moving(self.value * other.value, slope, self.fixed and other.fixed)


def _power(factor: int, exponent: int) -> Puiseux:
    return Puiseux(((Fraction(exponent), fmpq(factor)),))


def _still(value: Number) -> _Moving:
    return _Moving(constant(value), ZERO, fixed=True)


def steep(graph: Graph, values: Values) -> Steep | None:
    """A proof that a lowered graph is not Lipschitz near a point, or None if none was found.

    Parameters
    ----------
    values
        The values of inputs and constants.
    """
    known = dict(values)
    order = [
        index
        for index in graph.ancestors([node for _, node in graph.outputs])
        if isinstance(graph.nodes[index], Apply)
    ]
    for index in order:
        node = graph.nodes[index]
        assert isinstance(node, Apply)  # noqa: S101 (by the choice of the order)
        args = [known[arg] for arg in node.args]
        known[index] = objects(op_exact(site_of(graph, index, node), args))
    total = sum(size_of(graph.nodes[index].shape) for index in order)
    reading = _Reading(graph, known, dependence(graph, known))
    names = [
        name if not shape else f"{name}[{k}]"
        for name, shape in graph.inputs.items()
        for k in range(size_of(shape))
    ]
    choose = random.Random(0)  # noqa: S311 (no secret)
    for number in range(min(_TRIES, _ELEMENTS // max(total, 1))):
        # curves that are easy to read first
        powers, most = ((1,), 1) if number < _TRIES // 4 else ((1, 2, 3), 3)
        factors = [a for a in range(-most, most + 1) if a]
        steps = tuple((choose.choice(factors), choose.choice(powers)) for _ in names)
        direction = tuple(choose.choice(factors) for _ in names)
        try:
            slopes = reading.slopes(steps, direction)
        except (UndecidedError, TamecheckError):
            continue
        for slope in slopes:
            if slope.terms and slope.terms[0][0] < 0:
                exponent, factor = slope.lead
                start = tuple(
                    v
                    for node, at in enumerate(graph.nodes)
                    if isinstance(at, Input)
                    for v in objects(known[node]).reshape(-1).tolist()
                )
                return Steep(tuple(names), start, steps, direction, exponent, factor)
    return None


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    graph: Graph
    values: Mapping[int, Array]
    depends: Dependence

    def slopes(self, steps: Sequence[tuple[int, int]], direction: Sequence[int]) -> list[Puiseux]:
        """The derivatives of all output elements in a direction, along a curve."""
        known: dict[int, Array] = {}
        start = 0
        roots = [node for _, node in self.graph.outputs]
        inputs = [i for i, node in enumerate(self.graph.nodes) if isinstance(node, Input)]
        for index in sorted({*inputs, *self.graph.ancestors(roots)}):
            node = self.graph.nodes[index]
            here = objects(self.values[index]).reshape(-1).tolist()
            if isinstance(node, Input):
                flat = [
                    _Moving(constant(v) + _power(a, k), constant(fmpq(d)), fixed=False)
                    for v, (a, k), d in zip(here, steps[start:], direction[start:], strict=False)
                ]
                start += len(here)
            elif not isinstance(node, Apply) or not self.depends.needed[index].any():
                flat = [_still(v) for v in here]
            else:
                flat = self._applied(node, [known[arg] for arg in node.args])
                needs = self.depends.needs(index)
                flat = [m if n else _still(v) for m, n, v in zip(flat, needs, here, strict=True)]
            known[index] = _array(flat).reshape(node.shape)
        return [moving.slope for node in roots for moving in known[node].reshape(-1).tolist()]

    def _applied(self, node: Apply, args: Sequence[Array]) -> list[_Moving]:
        match node.op.meaning:
            case Pointwise() as meaning:
                pieces = meaning.pieces(node.params)
                return [_element(pieces, point) for point in _spread(node, args)]
            case Routing():
                filler = node.params.get("value")
                parts = [m for arg in args for m in arg.reshape(-1).tolist()]
                if isinstance(filler, Fraction):
                    parts.append(_still(as_number(filler)))
                places = route_index(node, [arg.shape for arg in args])
                return [parts[place] for place in places.reshape(-1).tolist()]
            case Contraction():
                return _flat(np.matmul(args[0], args[1]))
            case Fold("add"):
                return _flat(np.add.reduce(args[0], axis=axes_of(args[0].shape, node.params)))
            case Fold("maximum" | "minimum" as name):
                moving = _flat(args[0])
                groups: list[list[int]] = compared_groups(node, args[0].shape).tolist()
                return [_best([moving[k] for k in group], name) for group in groups]
            case _:
                raise UndecidedError


def _spread(node: Apply, args: Sequence[Array]) -> Iterator[list[_Moving]]:
    flat = [np.broadcast_to(arg, node.shape).reshape(-1).tolist() for arg in args]
    return (list(point) for point in zip(*flat, strict=True))


def _array(moving: Sequence[_Moving]) -> Array:
    found = np.empty(len(moving), dtype=object)
    found[:] = moving
    return found


def _flat(found: Any) -> list[_Moving]:
    return np.asarray(found, dtype=object).reshape(-1).tolist()


def _element(pieces: Sequence[Piece], args: Sequence[_Moving]) -> _Moving:
    if all(arg.fixed for arg in args):
        point = [arg.value.start for arg in args]
        return _still(value_at(pieces, point, continuous=False))
    values = [arg.value for arg in args]
    term = next((piece.term for piece in pieces if _held(piece.condition, args)), None)
    if term is None:
        raise UndecidedError
    slope = ZERO
    for number, arg in enumerate(args):
        if not arg.fixed:
            slope += series_of(derivative(term, number), values) * arg.slope
    return _Moving(series_of(term, values), slope, fixed=False)


def _held(condition: Condition, args: Sequence[_Moving]) -> bool:
    """Whether a condition holds in a neighbourhood of the curve for small t, or fails in one."""
    match condition:
        case Compare(term, relation):
            sign = series_of(term, [arg.value for arg in args]).sign
            used = {part.index for part in subterms(term) if isinstance(part, Var)}
            if sign == 0 and not all(args[k].fixed for k in used):
                raise UndecidedError
            return sign in relation.signs
        case And(parts):
            return all(_held(part, args) for part in parts)
        case Or(parts):
            return any(_held(part, args) for part in parts)


def _best(group: Sequence[_Moving], name: str) -> _Moving:
    best = group[0]
    for other in group[1:]:
        sign = (other.value - best.value).sign
        if sign == 0 and not (other.fixed and best.fixed):
            raise UndecidedError
        if sign == (1 if name == "maximum" else -1):
            best = other
    return best
