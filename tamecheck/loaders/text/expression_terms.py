"""The values of subexpressions: exact constants, folded, or nodes of the graph."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from functools import reduce
from types import MappingProxyType

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.ir.graph import Apply, GraphBuilder
from tamecheck.ir.op import Op, Value

__all__ = ["FUNCTIONS", "Kind", "Operand", "Terms", "Token", "error_at", "tokens"]

MAX_LENGTH = 2_000_000
_SPACE = re.compile(r"\s*")
_WORD = re.compile(
    r"(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<sign>\*\*|[-+*/^(),;])"
)
_AROUND = 24
_HINTS = {
    "=": "An expression has no equations; write only the right-hand side.",
    "<": "There are no comparisons; step(y - x) is 1 where x ≤ y.",
    ">": "There are no comparisons; step(x - y) is 1 where x ≥ y.",
    "[": "Inputs are scalars; write x1, x2 instead of x[1], x[2].",
    "|": "Write abs(x) for |x|.",
    "%": "Write x - y*floor(x/y) for x mod y.",
    "−": "Use the plain minus sign '-'.",
    "·": "Write x*y.",
    "×": "Write x*y.",
}


class Kind(Enum):
    """What a token is."""

    NUMBER = "a number"
    NAME = "a name"
    SIGN = "a sign"
    END = "the end"


@dataclass(frozen=True, slots=True)
class Token:
    """A word of the text, from ``start`` up to ``end``."""

    kind: Kind
    text: str
    start: int
    end: int

    @property
    def shown(self) -> str:
        """The token as an error message quotes it."""
        if self.kind is Kind.END:
            return "the end"
        return repr(self.text if len(self.text) <= _AROUND else self.text[:_AROUND] + "…")


def error_at(text: str, start: int, end: int, what: str, hint: str = "") -> InputError:
    """The error for a place in an expression: its column, and the text around it."""
    stop = min(max(end, start + 1), start + _AROUND)
    before = ("…" if start > _AROUND else "") + text[max(0, start - _AROUND) : start]
    after = text[stop : stop + _AROUND] + ("…" if len(text) > stop + _AROUND else "")
    place = f"Here: {before}»{text[start:stop]}«{after}"
    return InputError(
        what, where=f"expression, column {start + 1}", hint=f"{hint} {place}" if hint else place
    )


def tokens(text: str) -> Iterator[Token]:
    """The tokens of an expression, the last one being the end."""
    if len(text) > MAX_LENGTH:
        raise InputError(
            f"The expression has {len(text)} characters; at most {MAX_LENGTH} are read.",
            where="expression",
        )
    position = 0
    while True:
        gap = _SPACE.match(text, position)
        position = gap.end() if gap else position
        if position == len(text):
            yield Token(Kind.END, "", position, position)
            return
        word = _WORD.match(text, position)
        if word is None:
            sign = text[position]
            raise error_at(
                text, position, position + 1, f"Unexpected {sign!r}.", _HINTS.get(sign, "")
            )
        kind = Kind[(word.lastgroup or "sign").upper()]
        yield Token(kind, word.group(), position, word.end())
        position = word.end()


MAX_BITS = 13_000
"""A folded constant's numerator and denominator stay below 4,000 decimal digits."""

MAX_POWER = 100_000
"""The largest integer exponent, so that exact values stay computable."""

_LABEL_LENGTH = 40
_ZERO, _ONE = Fraction(0), Fraction(1)

FUNCTIONS: MappingProxyType[str, tuple[int, int | None]] = MappingProxyType(
    {
        **{
            op.name: (1, 1)
            for op in ops.ALL
            if op.arity == 1 and not op.params and op is not ops.NEG
        },
        "sign": (1, 1),
        "step": (1, 1),
        "round": (1, 1),
        "clip": (3, 3),
        "max": (1, None),
        "min": (1, None),
    }
)
"""Each function's name, with the smallest and largest number of its arguments."""


@dataclass(frozen=True, slots=True)
class Operand:
    """A subexpression, from ``start`` to ``end`` in the text: a constant, else a node."""

    start: int
    end: int
    constant: Fraction | None = None
    node: int = -1


@dataclass(slots=True)
class Terms:
    """Builds the graph of the expression ``text`` from its operators and functions."""

    text: str
    builder: GraphBuilder = field(default_factory=GraphBuilder)
    counts: Counter[str] = field(default_factory=Counter[str])
    inputs: dict[str, int] = field(default_factory=dict[str, int])

    def node_of(self, operand: Operand) -> int:
        """The node of an operand; a constant gets its node when one is needed."""
        if operand.constant is None:
            return operand.node
        value = operand.constant
        exact = int(value) if value.denominator == 1 and abs(value) < 2**63 else value
        return self.builder.constant(exact, self._label(operand.start, operand.end))

    def input(self, name: str, start: int, end: int) -> Operand:
        """The scalar input of a name, the same one for every occurrence."""
        if name not in self.inputs:
            self.inputs[name] = self.builder.input(name, ())
        return Operand(start, end, node=self.inputs[name])

    def constant(self, value: Fraction, start: int, end: int) -> Operand:
        """An exact constant."""
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
            raise error_at(self.text, start, end, "The constant has too many digits.")
        return Operand(start, end, constant=value)

    def negative(self, operand: Operand, start: int) -> Operand:
        """Minus the operand."""
        self.counts["-"] += 1
        if operand.constant is not None:
            return self.constant(-operand.constant, start, operand.end)
        inner = self.builder.node(operand.node)
        if isinstance(inner, Apply) and inner.op is ops.NEG:
            return Operand(start, operand.end, node=inner.args[0])
        return self._apply(ops.NEG, [operand], start, operand.end)

    def binary(self, sign: str, left: Operand, right: Operand) -> Operand:
        """The value of ``left sign right``."""
        self.counts[sign] += 1
        if sign == "^":
            return self._power(left, right)
        a, b = left.constant, right.constant
        if sign == "/" and b == 0:
            raise error_at(self.text, right.start, right.end, "Division by 0.")
        if a is None or b is None:
            return self._apply(_OPERATORS[sign], [left, right], left.start, right.end)
        return self.constant(_EXACT[sign](a, b), left.start, right.end)

    def call(self, name: str, args: list[Operand], start: int, end: int) -> Operand:
        """The value of the function ``name`` at ``args``, as many as it takes."""
        self.counts[name] += 1
        if name == "clip":
            return self._clip(args, start, end)
        known = [arg.constant for arg in args if arg.constant is not None]
        exact = _EXACT_FUNCTIONS.get(name)
        if exact is not None and len(known) == len(args):
            return self.constant(exact(known), start, end)
        if name in _FOLDS:
            fold = _FOLDS[name]
            return reduce(lambda a, b: self._apply(fold, [a, b], start, end), args)
        params = _PARAMS.get(name, {})
        return self._apply(ops.BY_NAME[name], args, start, end, **params)

    def _power(self, base: Operand, exponent: Operand) -> Operand:
        start, end = base.start, exponent.end
        b, e = base.constant, exponent.constant
        if e is None:
            return self._apply(ops.POWER, [base, exponent], start, end)
        whole = e.denominator == 1
        if whole and abs(e) > MAX_POWER:
            what = f"The exponent is beyond {MAX_POWER}."
            raise error_at(self.text, exponent.start, exponent.end, what)
        if b is None:
            return self._apply(ops.POW, [base], start, end, exponent=e)
        if (b == 0 and e < 0) or (b < 0 and not whole):
            what = "This power has no real value."
            raise error_at(self.text, start, end, what)
        if not whole and b not in (_ZERO, _ONE):
            return self._apply(ops.POW, [base], start, end, exponent=e)
        bits = max(b.numerator.bit_length(), b.denominator.bit_length())
        if bits > 1 and bits * abs(e) > 2 * MAX_BITS:
            raise error_at(self.text, start, end, "The constant has too many digits.")
        return self.constant(b ** int(e) if whole else b, start, end)

    def _clip(self, args: list[Operand], start: int, end: int) -> Operand:
        argument, *bounds = args
        for bound in bounds:
            if bound.constant is None:
                raise error_at(
                    self.text,
                    bound.start,
                    bound.end,
                    "A bound of clip must be a number.",
                    "Write min(max(x, low), high) instead.",
                )
        low, high = (bound.constant or _ZERO for bound in bounds)
        if low > high:
            raise error_at(self.text, start, end, f"clip: the bounds {low} > {high}.")
        if argument.constant is not None:
            return self.constant(min(max(argument.constant, low), high), start, end)
        return self._apply(ops.CLIP, [argument], start, end, "clamp", lo=low, hi=high)

    def _apply(
        self,
        op: Op,
        args: list[Operand],
        start: int,
        end: int,
        function: str = "",
        /,
        **params: Value,
    ) -> Operand:
        nodes = [self.node_of(arg) for arg in args]
        label = self._label(start, end)
        if op is ops.MUL and nodes[0] == nodes[1]:
            # a square has a sign, which a product of two unrelated factors has not
            node = self.builder.apply(ops.POW, nodes[:1], label, exponent=Fraction(2))
        else:
            node = self.builder.apply(op, nodes, label, function, **params)
        return Operand(start, end, node=node)

    def _label(self, start: int, end: int) -> str:
        if end - start <= _LABEL_LENGTH:
            return " ".join(self.text[start:end].split())
        return " ".join(self.text[start : start + _LABEL_LENGTH - 1].split()) + "…"


def _sign(value: Fraction) -> Fraction:
    return Fraction((value > 0) - (value < 0))


def _step(value: Fraction) -> Fraction:
    return _ONE if value >= 0 else _ZERO


_OPERATORS: MappingProxyType[str, Op] = MappingProxyType(
    {"+": ops.ADD, "-": ops.SUB, "*": ops.MUL, "/": ops.DIV}
)
_EXACT: MappingProxyType[str, Callable[[Fraction, Fraction], Fraction]] = MappingProxyType(
    {
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
        "*": lambda a, b: a * b,
        "/": lambda a, b: a / b,
    }
)
_FOLDS: MappingProxyType[str, Op] = MappingProxyType({"max": ops.MAXIMUM, "min": ops.MINIMUM})
_EXACT_FUNCTIONS: MappingProxyType[str, Callable[[list[Fraction]], Fraction]] = MappingProxyType(
    {
        "max": max,
        "min": min,
        "abs": lambda args: abs(args[0]),
        "relu": lambda args: max(args[0], _ZERO),
        "sign": lambda args: _sign(args[0]),
        "step": lambda args: _step(args[0]),
        "floor": lambda args: Fraction(math.floor(args[0])),
        "ceil": lambda args: Fraction(math.ceil(args[0])),
        "round": lambda args: Fraction(round(args[0])),
    }
)
_PARAMS: MappingProxyType[str, dict[str, Value]] = MappingProxyType(
    {"sign": {"at_zero": _ZERO}, "step": {"at_zero": _ONE}, "round": {"mode": "half_even"}}
)
