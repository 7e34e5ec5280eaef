"""Models written as formulas: ``max(x,0) - 3*sign(y)``, parsed without recursion or eval."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tamecheck.errors import InputError
from tamecheck.ir.exact import parse_rational
from tamecheck.loaders.loaded import Loaded
from tamecheck.loaders.text.composites import COMPOSITES
from tamecheck.loaders.text.terms import COMPARISONS, FUNCTIONS, LISTS, USAGE, Operand, Span, Terms

MAX_LENGTH = 2_000_000
MAX_DEPTH = 1_000
"""Parentheses nested deeper than this are refused."""

_AROUND = 24
_WORD = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<sign>\*\*|[<>=!]=|[-+*/^(),;<>\[\]])|(?P<end>\Z))"
)
_HINTS = {
    "=": "Write only the right-hand side of an equation; a comparison is x == y.",
    "[": "Inputs are scalars; write x1, x2 instead of x[1], x[2].",
    "|": "Write abs(x) for |x|, and 'or' between conditions.",
    "&": "Write 'and' between conditions.",
    "!": "Write 'not' before a condition.",
    "?": "Write where(condition, value, other value).",
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
    **dict.fromkeys(("if", "iif", "ifelse", "piecewise", "select"), "where(x > 0, a, b)"),
    **dict.fromkeys(("kthvalue", "sorted"), "sort(x, y, …)[k]"),
    "l2norm": "norm(x, y, …)",
}
_BINDING = {
    "or": 1,
    "and": 2,
    "not": 3,
    **dict.fromkeys(COMPARISONS, 4),
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "negative": 7,
    "^": 8,
}
_BETWEEN = _BINDING.keys() - {"not", "negative"}


def parse_expression(text: str) -> Loaded:
    """The model whose outputs are the formulas in ``text``, separated by ``;``.

    Names are scalar inputs, in the order of their first occurrence.  One output is named ``y``,
    several are ``y0``, ``y1`` and so on.  Literals are exact: ``0.1`` is 1/10.
    A condition is 1 or 0.

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
    results = _Parser(terms).run()
    names = ["y"] if len(results) == 1 else [f"y{i}" for i in range(len(results))]
    nodes = [terms.node_of(result) for result in results]
    graph = terms.builder.build(list(zip(names, nodes, strict=True)))
    # on one line, as it heads an answer
    line = " ".join(text[:200].split())
    where = line if len(line) <= 60 else line[:59] + "…"
    return Loaded(graph, "expression", where, dict(sorted(terms.counts.items())))


@dataclass(frozen=True, slots=True)
class _Token(Span):
    """A number, a name or a sign, or the end of the text."""

    kind: str
    text: str

    @property
    def shown(self) -> str:
        """The token as an error message quotes it."""
        if self.kind == "end":
            return "the end"
        return repr(self.text if len(self.text) <= _AROUND else self.text[:_AROUND] + "…")


def _tokens(terms: Terms) -> Iterator[_Token]:
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
            raise terms.error(Span(at, at + 1), what, hint)
        kind = str(word.lastgroup)
        position = word.end()
        yield _Token(word.start(kind), position, kind, word[kind])


@dataclass(slots=True)
class _Frame:
    """An open parenthesis, or the whole text: what has been read inside, up to now."""

    opened: _Token | None
    function: _Token | None = None
    args: list[Operand] = field(default_factory=list[Operand])
    values: list[Operand] = field(default_factory=list[Operand])
    signs: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])


class _Parser:
    """An operator-precedence parser whose stack is a list, so that depth costs no recursion."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._stream = _tokens(terms)
        self._token = next(self._stream)
        self._frames = [_Frame(None)]
        self._results: list[Operand] = []

    def run(self) -> list[Operand]:
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
            if token.text == "not":
                frame.signs.append(("not", token.start))
                continue
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
            if sign in _BETWEEN:
                self._reduce(frame, _BINDING[sign], right=sign == "^")
                frame.signs.append((sign, token.start))
                return False
            if sign in ("[", "]"):
                raise self._terms.error(token, f"Unexpected {sign!r}.", _HINTS["["])
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
            elif sign == "not":
                frame.values.append(self._terms.opposite(operand, start))
            else:
                frame.values.append(self._terms.binary(sign, frame.values.pop(), operand))

    def _close(self, frame: _Frame, token: _Token) -> None:
        if frame.opened is None:
            raise self._terms.error(token, "')' closes nothing.")
        self._frames.pop()
        function, value = frame.function, frame.values.pop()
        if function is None:
            # the text of a parenthesised operand includes the parentheses
            value = replace(value, start=frame.opened.start, end=token.end)
        else:
            args = [*frame.args, value]
            least, most = FUNCTIONS[function.text]
            if len(args) < least or (most is not None and len(args) > most):
                wanted = f"{least} argument{'' if least == 1 else 's'}"
                what = f"{function.text} takes {wanted}, but {len(args)} were given."
                raise self._terms.error(function, what, USAGE.get(function.text, ""))
            at = Span(function.start, token.end)
            if function.text in COMPOSITES:
                self._terms.counts[function.text] += 1
                value = COMPOSITES[function.text](self._terms, args, at)
            else:
                value = self._terms.call(function.text, args, at)
            if function.text in LISTS:
                value = self._element(function, value)
        self._frames[-1].values.append(value)

    def _element(self, function: _Token, value: Operand) -> Operand:
        """The one of several values that an index in brackets takes."""
        count, name = len(value.several), function.text
        words = [self._next() for _ in range(3)] if self._token.text == "[" else []
        if not words or words[1].kind != "number" or words[2].text != "]":
            what = f"{name} has {count} value{'' if count == 1 else 's'}, of which one is used."
            raise self._terms.error(function, what, f"Write {name}(…)[0] for the first.")
        index = parse_rational(words[1].text)
        if index.denominator != 1 or index >= count:
            what = f"{name} has no value {words[1].text}."
            raise self._terms.error(words[1], what, f"The values are 0 to {count - 1}.")
        return replace(value.several[int(index)], start=value.start, end=words[2].end)

    def _check_function(self, token: _Token) -> None:
        if token.text in FUNCTIONS:
            return
        word = token.text.lower()
        close = difflib.get_close_matches(word[:40], FUNCTIONS, n=3, cutoff=0.6)
        if word in _ALIASES:
            hint = f"Write {_ALIASES[word]}."
        elif close:
            hint = f"Did you mean {' or '.join(close)}?"
        else:
            hint = f"The functions are {', '.join(sorted(FUNCTIONS))}."
        raise self._terms.error(token, f"There is no function {token.shown}.", hint)

    def _name(self, token: _Token) -> Operand:
        if token.text in FUNCTIONS:
            hint = f"Write {token.text}(…) with its argument."
            raise self._terms.error(token, f"{token.text} is a function.", hint)
        hint = _NO_NUMBERS.get(token.text.lower())
        if hint is not None:
            raise self._terms.error(token, f"{token.text} is no number here.", hint)
        return self._terms.input(token.text, token)

    def _number(self, token: _Token) -> Operand:
        try:
            return self._terms.constant(parse_rational(token.text), token)
        except InputError as error:
            if error.where:
                raise
            raise self._terms.error(token, error.what, error.hint) from None
