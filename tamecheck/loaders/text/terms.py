"""The values of a formula's parts: exact constants, folded, or nodes of a graph."""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import reduce

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.ir.exact import ONE, ZERO
from tamecheck.ir.graph import Apply, GraphBuilder
from tamecheck.ir.op import Op, Value

MAX_BITS = 13_000
"""A folded constant's numerator and denominator stay below 4,000 decimal digits."""

MAX_POWER = 100_000
"""The largest integer exponent, so that exact values stay computable."""

_LABEL_LENGTH = 40
_AROUND = 24
_OPERATORS: Mapping[str, tuple[Op, Callable[[Fraction, Fraction], Fraction]]] = {
    "+": (ops.ADD, operator.add),
    "-": (ops.SUB, operator.sub),
    "*": (ops.MUL, operator.mul),
    "/": (ops.DIV, lambda a, b: a / b),
}
COMPARISONS: Mapping[str, tuple[Op, bool, Callable[[Fraction, Fraction], bool]]] = {
    "<": (ops.LESS, False, operator.lt),
    "<=": (ops.LESS_EQUAL, False, operator.le),
    ">": (ops.LESS, True, operator.gt),
    ">=": (ops.LESS_EQUAL, True, operator.ge),
    "==": (ops.EQUAL, False, operator.eq),
    "!=": (ops.EQUAL, False, operator.ne),
}
"""For each sign its op, and whether that takes the sides the other way round."""

_FOLDS = {"max": (ops.MAXIMUM, max), "min": (ops.MINIMUM, min)}
_PARAMS = {"sign": {"at_zero": ZERO}, "step": {"at_zero": ONE}, "round": {"mode": "half_even"}}
_EXACT: Mapping[str, Callable[[Fraction], Fraction | int]] = {
    "abs": abs,
    "relu": lambda x: max(x, ZERO),
    "sign": lambda x: (x > 0) - (x < 0),
    "step": lambda x: int(x >= 0),
    "floor": math.floor,
    "ceil": math.ceil,
    "round": round,
}
LISTS = {"sort": (1, None), "topk": (2, None), "cummax": (1, None), "cummin": (1, None)}
"""Functions with several values, of which an index in brackets takes one."""

FUNCTIONS: Mapping[str, tuple[int, int | None]] = {
    **{op.name: (1, 1) for op in ops.ALL if op.arity == 1 and not op.params and op is not ops.NEG},
    **dict.fromkeys(_PARAMS, (1, 1)),
    **dict.fromkeys(_FOLDS, (1, None)),
    **LISTS,
    **dict.fromkeys(("norm", "median", "argmax", "argmin", "logsumexp"), (1, None)),
    **dict.fromkeys(("huber", "smooth_l1"), (1, 2)),
    **dict.fromkeys(("hypot", "xlogy", "logaddexp"), (2, 2)),
    **dict.fromkeys(("clip", "where", "threshold"), (3, 3)),
    **dict.fromkeys(("trunc", "frac"), (1, 1)),
    "choose": (2, None),
}
"""Each function's name, with the smallest and largest number of its arguments."""

USAGE: Mapping[str, str] = {
    "clip": "Write clip(x, low, high).",
    "where": "Write where(condition, value, other value).",
    "threshold": "Write threshold(x, bound, value): x where x > bound, else the value.",
    "choose": "Write choose(index, value 0, value 1, …).",
    "topk": "Write topk(k, x, y, …)[0] for the largest.",
    "huber": "Write huber(x, delta), or huber(x) for delta 1.",
    "smooth_l1": "Write smooth_l1(x, beta), or smooth_l1(x) for beta 1.",
}


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the text, from ``start`` up to ``end``."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Operand(Span):
    """A subexpression: a constant, else a node, or several values; ``truth`` for a condition."""

    constant: Fraction | None = None
    node: int = -1
    several: tuple[Operand, ...] = ()
    truth: bool = False


@dataclass(slots=True)
class Terms:
    """The values of subexpressions of ``text``."""

    text: str
    builder: GraphBuilder = field(default_factory=GraphBuilder)
    counts: Counter[str] = field(default_factory=Counter[str])
    inputs: dict[str, int] = field(default_factory=dict[str, int])

    def error(self, at: Span, what: str, hint: str = "") -> InputError:
        """The error for a place in the text: its column, and what is around it."""
        text, start = self.text, at.start
        stop = min(max(at.end, start + 1), start + _AROUND)
        before = ("…" if start > _AROUND else "") + text[max(0, start - _AROUND) : start]
        after = text[stop : stop + _AROUND] + ("…" if len(text) > stop + _AROUND else "")
        hint = f"{hint} Here: {before}»{text[start:stop]}«{after}".removeprefix(" ")
        return InputError(what, where=f"expression, column {start + 1}", hint=hint)

    def node_of(self, operand: Operand) -> int:
        """The node of an operand; a constant gets its node when one is needed."""
        if operand.constant is None:
            return operand.node
        value = operand.constant
        exact = int(value) if value.denominator == 1 and abs(value) < 2**63 else value
        return self.builder.constant(exact, self.label(operand))

    def input(self, name: str, at: Span) -> Operand:
        """The scalar input of a name, the same one for every occurrence."""
        if name not in self.inputs:
            self.inputs[name] = self.builder.input(name, ())
        return Operand(at.start, at.end, node=self.inputs[name])

    def constant(self, value: Fraction | int, at: Span) -> Operand:
        """An exact constant that is short enough to be meant seriously."""
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
            raise self.error(at, "The constant has too many digits.")
        return Operand(at.start, at.end, constant=Fraction(value))

    def negative(self, operand: Operand, start: int) -> Operand:
        """Minus the operand."""
        self.counts["-"] += 1
        at = Span(start, operand.end)
        if operand.constant is not None:
            return self.constant(-operand.constant, at)
        inner = self.builder.node(operand.node)
        if isinstance(inner, Apply) and inner.op is ops.NEG:
            return Operand(start, operand.end, node=inner.args[0])
        return self.apply(ops.NEG, [operand], at)

    def opposite(self, operand: Operand, start: int) -> Operand:
        """The negation of a condition."""
        self.counts["not"] += 1
        at = Span(start, operand.end)
        self.check_condition(operand, "not")
        if operand.constant is not None:
            return self._truth(self.constant(1 - operand.constant, at))
        return self._truth(self.apply(ops.EQUAL, [operand, self.constant(0, at)], at))

    def binary(self, sign: str, left: Operand, right: Operand) -> Operand:
        """The value of ``left sign right``."""
        self.counts[sign] += 1
        at = Span(left.start, right.end)
        if sign in COMPARISONS:
            return self.comparison(sign, left, right, at)
        if sign in ("and", "or"):
            for side in (left, right):
                self.check_condition(side, sign)
            fold = ("min", "max")[sign == "or"]
            return self._truth(self.fold(fold, [left, right], at))
        if sign == "^":
            return self.power(left, right, at)
        a, b = left.constant, right.constant
        if sign == "/" and b == 0:
            raise self.error(right, "Division by 0.")
        op, exact = _OPERATORS[sign]
        if a is None or b is None:
            return self.apply(op, [left, right], at)
        return self.constant(exact(a, b), at)

    def comparison(self, sign: str, left: Operand, right: Operand, at: Span) -> Operand:
        """A condition."""
        if left.truth or right.truth:
            raise self.error(at, "A condition is compared.", "Write x < y and y < z for x < y < z.")
        op, turned, exact = COMPARISONS[sign]
        if left.constant is not None and right.constant is not None:
            return self._truth(self.constant(int(exact(left.constant, right.constant)), at))
        sides = [right, left] if turned else [left, right]
        found = self.apply(op, sides, at)
        if sign == "!=":
            found = self.apply(ops.EQUAL, [found, self.constant(0, at)], at)
        return self._truth(found)

    def check_condition(self, operand: Operand, word: str) -> None:
        """Refuse a number where a condition is meant."""
        if not operand.truth:
            what = f"{word!r} needs conditions, such as x < y."
            raise self.error(operand, what, "Write x != 0 for a number that is not 0.")

    def _truth(self, operand: Operand) -> Operand:
        return replace(operand, truth=True)

    def call(self, name: str, args: list[Operand], at: Span) -> Operand:
        """The value of a function at as many arguments as it takes."""
        self.counts[name] += 1
        if name in _FOLDS:
            return self.fold(name, args, at)
        known = [arg.constant for arg in args if arg.constant is not None]
        if name in _EXACT and known:
            return self.constant(_EXACT[name](known[0]), at)
        return self.apply(ops.BY_NAME[name], args, at, **_PARAMS.get(name, {}))

    def fold(self, name: str, args: Sequence[Operand], at: Span, function: str = "") -> Operand:
        """The largest or smallest of some values, pair by pair."""
        op, exact = _FOLDS[name]
        known = [arg.constant for arg in args if arg.constant is not None]
        if len(known) == len(args):
            return self.constant(exact(known), at)
        return reduce(lambda a, b: self.apply(op, [a, b], at, function), args)

    def power(self, base: Operand, exponent: Operand, at: Span) -> Operand:
        """The power of a base."""
        b, e = base.constant, exponent.constant
        if e is None:
            return self.apply(ops.POWER, [base, exponent], at)
        whole = e.denominator == 1
        if whole and abs(e) > MAX_POWER:
            raise self.error(exponent, f"The exponent is beyond {MAX_POWER}.")
        if b is not None and ((b == 0 and e < 0) or (b < 0 and not whole)):
            raise self.error(at, "This power has no real value.")
        if b is None or (not whole and b not in (ZERO, ONE)):
            return self.apply(ops.POW, [base], at, exponent=e)
        bits = max(b.numerator.bit_length(), b.denominator.bit_length())
        if bits > 1 and bits * abs(e) > 2 * MAX_BITS:
            raise self.error(at, "The constant has too many digits.")
        return self.constant(b ** int(e) if whole else b, at)

    def apply(
        self, op: Op, args: list[Operand], at: Span, function: str = "", /, **params: Value
    ) -> Operand:
        """The value of an op, whose function a framework may call by another name."""
        nodes = [self.node_of(arg) for arg in args]
        if op is ops.MUL and nodes[0] == nodes[1]:
            # a square has a sign, which a product of two unrelated factors has not
            op, nodes, params["exponent"] = ops.POW, nodes[:1], Fraction(2)
        node = self.builder.apply(op, nodes, self.label(at), function, **params)
        return Operand(at.start, at.end, node=node)

    def label(self, at: Span) -> str:
        """The text of a part, shortened."""
        if at.end - at.start <= _LABEL_LENGTH:
            return " ".join(self.text[at.start : at.end].split())
        return " ".join(self.text[at.start : at.start + _LABEL_LENGTH - 1].split()) + "…"
