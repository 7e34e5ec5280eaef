"""Models written as formulas: ``max(x,0) - 3*sign(y)``, parsed without recursion or eval."""

from __future__ import annotations

import difflib
import math
import operator
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.ir.exact import parse_rational
from tamecheck.ir.graph import Apply, GraphBuilder
from tamecheck.ir.op import Op, Value
from tamecheck.loaders.loaded import Loaded

MAX_LENGTH = 2_000_000
MAX_DEPTH = 1_000
"""Parentheses nested deeper than this are refused."""

MAX_BITS = 13_000
"""A folded constant's numerator and denominator stay below 4,000 decimal digits."""

MAX_POWER = 100_000
"""The largest integer exponent, so that exact values stay computable."""

_LABEL_LENGTH = 40
_AROUND = 24
_ZERO, _ONE = Fraction(0), Fraction(1)
_WORD = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<sign>\*\*|[-+*/^(),;])|(?P<end>\Z))"
)
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
_NO_NUMBERS = {
    "pi": "Names are inputs, and there is no constant pi; write acos(-1) for π.",
    **dict.fromkeys(("inf", "infinity"), "There is no infinity; every value is a real number."),
    "nan": "Every value is a real number.",
}
_ALIASES = {
    "ln": "log(x), which is the natural logarithm",
    "log10": "log(x)/log(10)",
    "log2": "log(x)/log(2)",
    "arctan": "atan(x)",
    "arcsin": "asin(x)",
    "arccos": "acos(x)",
    "sgn": "sign(x)",
    "heaviside": "step(x)",
    **dict.fromkeys(("pow", "power"), "x^y"),
    "ceiling": "ceil(x)",
    "logistic": "sigmoid(x)",
    "clamp": "clip(x, low, high)",
    "fabs": "abs(x)",
}
_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2, "negative": 3, "^": 4}
_OPERATORS: Mapping[str, tuple[Op, Callable[[Fraction, Fraction], Fraction]]] = {
    "+": (ops.ADD, operator.add),
    "-": (ops.SUB, operator.sub),
    "*": (ops.MUL, operator.mul),
    "/": (ops.DIV, lambda a, b: a / b),
}
_FOLDS = {"max": (ops.MAXIMUM, max), "min": (ops.MINIMUM, min)}
_PARAMS = {"sign": {"at_zero": _ZERO}, "step": {"at_zero": _ONE}, "round": {"mode": "half_even"}}
_EXACT: Mapping[str, Callable[[Fraction], Fraction | int]] = {
    "abs": abs,
    "relu": lambda x: max(x, _ZERO),
    "sign": lambda x: (x > 0) - (x < 0),
    "step": lambda x: int(x >= 0),
    "floor": math.floor,
    "ceil": math.ceil,
    "round": round,
}
_FUNCTIONS: Mapping[str, tuple[int, int | None]] = {
    **{op.name: (1, 1) for op in ops.ALL if op.arity == 1 and not op.params and op is not ops.NEG},
    **dict.fromkeys(_PARAMS, (1, 1)),
    **dict.fromkeys(_FOLDS, (1, None)),
    "clip": (3, 3),
}
"""Each function's name, with the smallest and largest number of its arguments."""


def parse_expression(text: str) -> Loaded:
    """The model whose outputs are the formulas in ``text``, separated by ``;``.

    Names are scalar inputs, in the order of their first occurrence.  One output is named ``y``,
    several are ``y0``, ``y1`` and so on.  Literals are exact: ``0.1`` is 1/10.

    Raises
    ------
    InputError
        With the column of the first mistake.

    Examples
    --------
    >>> parse_expression("max(x, 0) - 3*sign(z)").graph.inputs
    {'x': (), 'z': ()}
    """
    terms = _Terms(text)
    results = _Parser(terms).run()
    names = ["y"] if len(results) == 1 else [f"y{i}" for i in range(len(results))]
    nodes = [terms.node_of(result) for result in results]
    graph = terms.builder.build(list(zip(names, nodes, strict=True)))
    # on one line, as it heads an answer
    line = " ".join(text[:200].split())
    where = line if len(line) <= 60 else line[:59] + "…"
    return Loaded(graph, "expression", where, dict(sorted(terms.counts.items())))


@dataclass(frozen=True, slots=True)
class _Span:
    """A part of the text, from ``start`` up to ``end``."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Token(_Span):
    """A number, a name or a sign, or the end of the text."""

    kind: str
    text: str

    @property
    def shown(self) -> str:
        """The token as an error message quotes it."""
        if self.kind == "end":
            return "the end"
        return repr(self.text if len(self.text) <= _AROUND else self.text[:_AROUND] + "…")


@dataclass(frozen=True, slots=True)
class _Operand(_Span):
    """A subexpression: a constant, else a node."""

    constant: Fraction | None = None
    node: int = -1


def _tokens(terms: _Terms) -> Iterator[_Token]:
    """The tokens of an expression, the last one being the end."""
    text = terms.text
    if len(text) > MAX_LENGTH:
        raise InputError(
            f"The expression has {len(text)} characters; at most {MAX_LENGTH} are read.",
            where="expression",
        )
    position, kind = 0, ""
    while kind != "end":
        word = _WORD.match(text, position)
        if word is None:
            at = len(text) - len(text[position:].lstrip())
            what, hint = f"Unexpected {text[at]!r}.", _HINTS.get(text[at], "")
            raise terms.error(_Span(at, at + 1), what, hint)
        kind = str(word.lastgroup)
        position = word.end()
        yield _Token(word.start(kind), position, kind, word[kind])


@dataclass(slots=True)
class _Terms:
    """The values of subexpressions of ``text``: exact constants, folded, or nodes of a graph."""

    text: str
    builder: GraphBuilder = field(default_factory=GraphBuilder)
    counts: Counter[str] = field(default_factory=Counter[str])
    inputs: dict[str, int] = field(default_factory=dict[str, int])

    def error(self, at: _Span, what: str, hint: str = "") -> InputError:
        """The error for a place in the text: its column, and what is around it."""
        text, start = self.text, at.start
        stop = min(max(at.end, start + 1), start + _AROUND)
        before = ("…" if start > _AROUND else "") + text[max(0, start - _AROUND) : start]
        after = text[stop : stop + _AROUND] + ("…" if len(text) > stop + _AROUND else "")
        hint = f"{hint} Here: {before}»{text[start:stop]}«{after}".removeprefix(" ")
        return InputError(what, where=f"expression, column {start + 1}", hint=hint)

    def node_of(self, operand: _Operand) -> int:
        """The node of an operand; a constant gets its node when one is needed."""
        if operand.constant is None:
            return operand.node
        value = operand.constant
        exact = int(value) if value.denominator == 1 and abs(value) < 2**63 else value
        return self.builder.constant(exact, self._label(operand))

    def input(self, token: _Token) -> _Operand:
        """The scalar input of a name, the same one for every occurrence."""
        if token.text not in self.inputs:
            self.inputs[token.text] = self.builder.input(token.text, ())
        return _Operand(token.start, token.end, node=self.inputs[token.text])

    def constant(self, value: Fraction | int, at: _Span) -> _Operand:
        """An exact constant that is short enough to be meant seriously."""
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
            raise self.error(at, "The constant has too many digits.")
        return _Operand(at.start, at.end, constant=Fraction(value))

    def negative(self, operand: _Operand, start: int) -> _Operand:
        """Minus the operand."""
        self.counts["-"] += 1
        at = _Span(start, operand.end)
        if operand.constant is not None:
            return self.constant(-operand.constant, at)
        inner = self.builder.node(operand.node)
        if isinstance(inner, Apply) and inner.op is ops.NEG:
            return _Operand(start, operand.end, node=inner.args[0])
        return self._apply(ops.NEG, [operand], at)

    def binary(self, sign: str, left: _Operand, right: _Operand) -> _Operand:
        """The value of ``left sign right``."""
        self.counts[sign] += 1
        at = _Span(left.start, right.end)
        if sign == "^":
            return self._power(left, right, at)
        a, b = left.constant, right.constant
        if sign == "/" and b == 0:
            raise self.error(right, "Division by 0.")
        op, exact = _OPERATORS[sign]
        if a is None or b is None:
            return self._apply(op, [left, right], at)
        return self.constant(exact(a, b), at)

    def call(self, name: str, args: list[_Operand], at: _Span) -> _Operand:
        """The value of a function at as many arguments as it takes."""
        self.counts[name] += 1
        if name == "clip":
            return self._clip(args, at)
        known = [arg.constant for arg in args if arg.constant is not None]
        if name in _FOLDS:
            op, exact = _FOLDS[name]
            if len(known) == len(args):
                return self.constant(exact(known), at)
            return reduce(lambda a, b: self._apply(op, [a, b], at), args)
        if name in _EXACT and known:
            return self.constant(_EXACT[name](known[0]), at)
        return self._apply(ops.BY_NAME[name], args, at, **_PARAMS.get(name, {}))

    def _power(self, base: _Operand, exponent: _Operand, at: _Span) -> _Operand:
        b, e = base.constant, exponent.constant
        if e is None:
            return self._apply(ops.POWER, [base, exponent], at)
        whole = e.denominator == 1
        if whole and abs(e) > MAX_POWER:
            raise self.error(exponent, f"The exponent is beyond {MAX_POWER}.")
        if b is not None and ((b == 0 and e < 0) or (b < 0 and not whole)):
            raise self.error(at, "This power has no real value.")
        if b is None or (not whole and b not in (_ZERO, _ONE)):
            return self._apply(ops.POW, [base], at, exponent=e)
        bits = max(b.numerator.bit_length(), b.denominator.bit_length())
        if bits > 1 and bits * abs(e) > 2 * MAX_BITS:
            raise self.error(at, "The constant has too many digits.")
        return self.constant(b ** int(e) if whole else b, at)

    def _clip(self, args: list[_Operand], at: _Span) -> _Operand:
        argument, *bounds = args
        for bound in bounds:
            if bound.constant is None:
                hint = "Write min(max(x, low), high) instead."
                raise self.error(bound, "A bound of clip must be a number.", hint)
        low, high = (bound.constant or _ZERO for bound in bounds)
        if low > high:
            raise self.error(at, f"clip: the bounds {low} > {high}.")
        if argument.constant is not None:
            return self.constant(min(max(argument.constant, low), high), at)
        return self._apply(ops.CLIP, [argument], at, "clamp", lo=low, hi=high)

    def _apply(
        self, op: Op, args: list[_Operand], at: _Span, function: str = "", /, **params: Value
    ) -> _Operand:
        nodes = [self.node_of(arg) for arg in args]
        if op is ops.MUL and nodes[0] == nodes[1]:
            # a square has a sign, which a product of two unrelated factors has not
            op, nodes, params["exponent"] = ops.POW, nodes[:1], Fraction(2)
        node = self.builder.apply(op, nodes, self._label(at), function, **params)
        return _Operand(at.start, at.end, node=node)

    def _label(self, at: _Span) -> str:
        if at.end - at.start <= _LABEL_LENGTH:
            return " ".join(self.text[at.start : at.end].split())
        return " ".join(self.text[at.start : at.start + _LABEL_LENGTH - 1].split()) + "…"


@dataclass(slots=True)
class _Frame:
    """An open parenthesis, or the whole text: what has been read inside, up to now."""

    opened: _Token | None
    function: _Token | None = None
    args: list[_Operand] = field(default_factory=list[_Operand])
    values: list[_Operand] = field(default_factory=list[_Operand])
    signs: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])


class _Parser:
    """An operator-precedence parser whose stack is a list, so that depth costs no recursion."""

    def __init__(self, terms: _Terms) -> None:
        self._terms = terms
        self._stream = _tokens(terms)
        self._token = next(self._stream)
        self._frames = [_Frame(None)]
        self._results: list[_Operand] = []

    def run(self) -> list[_Operand]:
        """Read everything."""
        while True:
            self._read_operand()
            if self._read_operators():
                return self._results

    def _next(self) -> _Token:
        token = self._token
        if token.kind != "end":
            self._token = next(self._stream)
        return token

    def _read_operand(self) -> None:
        """Read prefix signs and opening parentheses, then a number or a name."""
        while True:
            token, frame = self._next(), self._frames[-1]
            if token.kind == "number":
                frame.values.append(self._number(token))
                return
            if token.kind == "name" and self._token.text != "(":
                frame.values.append(self._name(token))
                return
            function = token if token.kind == "name" else None
            if function is not None:
                self._check_function(function)
                token = self._next()
            if token.text == "(":
                if len(self._frames) > MAX_DEPTH:
                    what = f"Parentheses are nested deeper than {MAX_DEPTH}."
                    raise self._terms.error(token, what)
                self._frames.append(_Frame(token, function))
            elif token.text == "-":
                frame.signs.append(("negative", token.start))
            elif token.text != "+":
                what = f"A number, a name or '(' was expected, but {token.shown} was found."
                raise self._terms.error(token, what)

    def _read_operators(self) -> bool:
        """Read closing parentheses, then what comes between operands; whether it is the end."""
        while True:
            token, frame = self._next(), self._frames[-1]
            sign = "^" if token.text == "**" else token.text
            if sign in _BINDING:
                self._reduce(frame, _BINDING[sign], right=sign == "^")
                frame.signs.append((sign, token.start))
                return False
            if token.kind in ("number", "name") or sign == "(":
                what = f"An operator is missing before {token.shown}."
                raise self._terms.error(token, what, "Write 2*x, not 2x.")
            self._reduce(frame, 0)
            if sign == ")":
                self._close(frame, token)
            elif sign == ",":
                if frame.function is None:
                    what = "A ',' outside of a function's arguments."
                    hint = "Separate outputs by ';'; write 0.5, not 0,5."
                    raise self._terms.error(token, what, hint)
                frame.args.append(frame.values.pop())
                return False
            elif frame.opened is not None:
                what = f"'(' is not closed before {token.shown}."
                raise self._terms.error(frame.opened, what)
            else:
                self._results.append(frame.values.pop())
                return token.kind == "end"

    def _reduce(self, frame: _Frame, binding: int, *, right: bool = False) -> None:
        """Apply the waiting operators that bind stronger than the one that comes."""
        while frame.signs:
            sign, start = frame.signs[-1]
            if _BINDING[sign] < binding or (right and _BINDING[sign] == binding):
                return
            frame.signs.pop()
            operand = frame.values.pop()
            if sign == "negative":
                frame.values.append(self._terms.negative(operand, start))
            else:
                frame.values.append(self._terms.binary(sign, frame.values.pop(), operand))

    def _close(self, frame: _Frame, token: _Token) -> None:
        if frame.opened is None:
            raise self._terms.error(token, "')' closes nothing.")
        self._frames.pop()
        function, value = frame.function, frame.values.pop()
        if function is None:
            # the text of a parenthesised operand includes the parentheses
            value = _Operand(frame.opened.start, token.end, value.constant, value.node)
        else:
            args = [*frame.args, value]
            least, most = _FUNCTIONS[function.text]
            if len(args) < least or (most is not None and len(args) > most):
                wanted = f"{least} argument{'' if least == 1 else 's'}"
                what = f"{function.text} takes {wanted}, but {len(args)} were given."
                hint = "Write clip(x, low, high)." if function.text == "clip" else ""
                raise self._terms.error(function, what, hint)
            value = self._terms.call(function.text, args, _Span(function.start, token.end))
        self._frames[-1].values.append(value)

    def _check_function(self, token: _Token) -> None:
        if token.text in _FUNCTIONS:
            return
        word = token.text.lower()
        close = difflib.get_close_matches(word[:40], _FUNCTIONS, n=3, cutoff=0.6)
        if word in _ALIASES:
            hint = f"Write {_ALIASES[word]}."
        elif close:
            hint = f"Did you mean {' or '.join(close)}?"
        else:
            hint = f"The functions are {', '.join(sorted(_FUNCTIONS))}."
        raise self._terms.error(token, f"There is no function {token.shown}.", hint)

    def _name(self, token: _Token) -> _Operand:
        if token.text in _FUNCTIONS:
            hint = f"Write {token.text}(…) with its argument."
            raise self._terms.error(token, f"{token.text} is a function.", hint)
        hint = _NO_NUMBERS.get(token.text.lower())
        if hint is not None:
            raise self._terms.error(token, f"{token.text} is no number here.", hint)
        return self._terms.input(token)

    def _number(self, token: _Token) -> _Operand:
        try:
            return self._terms.constant(parse_rational(token.text), token)
        except InputError as error:
            if error.where:
                raise
            raise self._terms.error(token, error.what, error.hint) from None
