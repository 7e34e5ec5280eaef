"""Models written as formulas: ``max(x,0) - 3*sign(y)``, parsed without recursion or eval."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field

from tamecheck.errors import InputError
from tamecheck.ir.exact import parse_rational
from tamecheck.loaders.loaded import Loaded
from tamecheck.loaders.text.expression_terms import (
    FUNCTIONS,
    Kind,
    Operand,
    Terms,
    Token,
    error_at,
    tokens,
)

__all__ = ["parse_expression"]


MAX_DEPTH = 1_000
"""Parentheses nested deeper than this are refused."""

_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2, "negative": 3, "^": 4}
_NO_NUMBERS = {
    "pi": "Names are inputs, and there is no constant pi; write acos(-1) for π.",
    "inf": "There is no infinity; every value is a real number.",
    "infinity": "There is no infinity; every value is a real number.",
    "nan": "Every value is a real number.",
}


@dataclass(slots=True)
class _Frame:
    """An open parenthesis, or the whole text: what has been read inside, up to now."""

    opened: Token | None
    function: Token | None = None
    args: list[Operand] = field(default_factory=list[Operand])
    values: list[Operand] = field(default_factory=list[Operand])
    signs: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])


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
    terms = Terms(text)
    results = _Parser(terms, tokens(text)).run()
    names = ["y"] if len(results) == 1 else [f"y{i}" for i in range(len(results))]
    nodes = [terms.node_of(result) for result in results]
    graph = terms.builder.build(list(zip(names, nodes, strict=True)))
    # on one line, as it heads an answer
    line = " ".join(text[:200].split())
    where = line if len(line) <= 60 else line[:59] + "…"
    return Loaded(graph, "expression", where, dict(sorted(terms.counts.items())))


class _Parser:
    """An operator-precedence parser whose stack is a list, so that depth costs no recursion."""

    def __init__(self, terms: Terms, stream: Iterator[Token]) -> None:
        self._terms = terms
        self._stream = stream
        self._token = next(stream)
        self._frames = [_Frame(None)]
        self._results: list[Operand] = []

    def run(self) -> list[Operand]:
        """Read everything."""
        while True:
            self._read_operand()
            if self._read_operators():
                return self._results

    def _next(self) -> Token:
        token = self._token
        if token.kind is not Kind.END:
            self._token = next(self._stream)
        return token

    def _fail(self, token: Token, what: str, hint: str = "") -> InputError:
        return error_at(self._terms.text, token.start, token.end, what, hint)

    def _read_operand(self) -> None:
        """Read prefix signs and opening parentheses, then a number or a name."""
        while True:
            token, frame = self._next(), self._frames[-1]
            if token.kind is Kind.NUMBER:
                frame.values.append(self._number(token))
                return
            if token.kind is Kind.NAME and self._token.text != "(":
                frame.values.append(self._name(token))
                return
            if token.kind is Kind.NAME:
                self._check_function(token)
                self._open(self._next(), token)
            elif token.text == "(":
                self._open(token, None)
            elif token.text == "-":
                frame.signs.append(("negative", token.start))
            elif token.text != "+":
                raise self._fail(
                    token, f"A number, a name or '(' was expected, but {token.shown} was found."
                )

    def _read_operators(self) -> bool:
        """Read closing parentheses, then what comes between operands; whether it is the end."""
        while True:
            token, frame = self._next(), self._frames[-1]
            sign = "^" if token.text == "**" else token.text
            if sign in _BINDING:
                self._reduce(frame, _BINDING[sign], right=sign == "^")
                frame.signs.append((sign, token.start))
                return False
            if token.kind in (Kind.NUMBER, Kind.NAME) or sign == "(":
                raise self._fail(
                    token, f"An operator is missing before {token.shown}.", "Write 2*x, not 2x."
                )
            self._reduce(frame, 0)
            if sign == ")":
                self._close(frame, token)
            elif sign == ",":
                self._add_argument(frame, token)
                return False
            elif frame.opened is not None:
                raise self._fail(frame.opened, f"'(' is not closed before {token.shown}.")
            else:
                self._results.append(frame.values.pop())
                return token.kind is Kind.END

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

    def _open(self, token: Token, function: Token | None) -> None:
        if len(self._frames) > MAX_DEPTH:
            raise self._fail(token, f"Parentheses are nested deeper than {MAX_DEPTH}.")
        self._frames.append(_Frame(token, function))

    def _add_argument(self, frame: _Frame, token: Token) -> None:
        if frame.function is None:
            raise self._fail(
                token,
                "A ',' outside of a function's arguments.",
                "Separate outputs by ';'; write 0.5, not 0,5.",
            )
        frame.args.append(frame.values.pop())

    def _close(self, frame: _Frame, token: Token) -> None:
        if frame.opened is None:
            raise self._fail(token, "')' closes nothing.")
        self._frames.pop()
        function, value = frame.function, frame.values.pop()
        if function is None:
            # the text of a parenthesised operand includes the parentheses
            value = Operand(frame.opened.start, token.end, value.constant, value.node)
        else:
            value = self._call(function, [*frame.args, value], token.end)
        self._frames[-1].values.append(value)

    def _call(self, function: Token, args: list[Operand], end: int) -> Operand:
        least, most = FUNCTIONS[function.text]
        if len(args) < least or (most is not None and len(args) > most):
            wanted = f"{least} argument{'' if least == 1 else 's'}"
            hint = "Write clip(x, low, high)." if function.text == "clip" else ""
            raise self._fail(
                function, f"{function.text} takes {wanted}, but {len(args)} were given.", hint
            )
        return self._terms.call(function.text, args, function.start, end)

    def _check_function(self, token: Token) -> None:
        if token.text in FUNCTIONS:
            return
        close = difflib.get_close_matches(token.text.lower()[:40], FUNCTIONS, n=3, cutoff=0.6)
        known = _ALIASES.get(token.text.lower())
        if known is not None:
            hint = f"Write {known}."
        elif close:
            hint = f"Did you mean {' or '.join(close)}?"
        else:
            hint = f"The functions are {', '.join(sorted(FUNCTIONS))}."
        raise self._fail(token, f"There is no function {token.shown}.", hint)

    def _name(self, token: Token) -> Operand:
        if token.text in FUNCTIONS:
            raise self._fail(
                token, f"{token.text} is a function.", f"Write {token.text}(…) with its argument."
            )
        hint = _NO_NUMBERS.get(token.text.lower())
        if hint is not None:
            raise self._fail(token, f"{token.text} is no number here.", hint)
        return self._terms.input(token.text, token.start, token.end)

    def _number(self, token: Token) -> Operand:
        try:
            value = parse_rational(token.text)
        except InputError as error:
            raise self._fail(token, error.what, error.hint) from None
        return self._terms.constant(value, token.start, token.end)


_ALIASES = {
    "ln": "log(x), which is the natural logarithm",
    "log10": "log(x)/log(10)",
    "log2": "log(x)/log(2)",
    "arctan": "atan(x)",
    "arcsin": "asin(x)",
    "arccos": "acos(x)",
    "sgn": "sign(x)",
    "heaviside": "step(x)",
    "pow": "x^y",
    "power": "x^y",
    "ceiling": "ceil(x)",
    "logistic": "sigmoid(x)",
    "clamp": "clip(x, low, high)",
    "fabs": "abs(x)",
}
