"""Normal forms of nodes: identities that make a node a rational function of others.

Sines and exponentials are multiplied as exponentials, a maximum is an absolute value, and what is
left are symbols for functions of normal forms.  ``sin(x)² + cos(x)²`` is 1, so it is semilinear
although no sine is.  The form holds where the node is defined.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import isqrt

from flint import fmpq

from tamecheck import ops
from tamecheck.exact.reals import UndecidedError, as_fraction
from tamecheck.ir.arithmetic import Arithmetic, MissingError
from tamecheck.ir.formula import Elementary, Var
from tamecheck.ir.graph import Graph, Input
from tamecheck.ir.op import Op, Params, Pointwise
from tamecheck.ir.tensor import size_of
from tamecheck.ops import facets
from tamecheck.tame.follow import Algebra, WorkError, follow
from tamecheck.tame.forms import ONE, ZERO, Complex, Form, Symbol, Term, number, symbol
from tamecheck.tame.series import rational_at

_HALF = Fraction(1, 2)
_MOST_DEPTH = 6
_SQUARES = {"abs": 2, "sqrt": 1}
"""The power of its argument that the square of a symbol is."""

_I: Complex = (fmpq(0), fmpq(1))
_ODD_MODES = ("half_even", "half_away", "half_toward_zero", "toward_zero", "away_from_zero")


@dataclass(frozen=True, slots=True)
class Value:
    """A quotient of forms, whose divisor is not 0 where the value is defined."""

    above: Form
    below: Form = ONE

    def rational(self) -> Fraction | None:
        """The rational that the value is, or None."""
        return self.above.value() if self.below == ONE else None

    def __add__(self, other: Value) -> Value:
        if self.below == other.below:
            return Value(self.above + other.above, self.below)
        above = self.above * other.below + other.above * self.below
        return Value(above, self.below * other.below)

    def __neg__(self) -> Value:
        return Value(self.above * number(-1), self.below)

    def __sub__(self, other: Value) -> Value:
        return self + -other

    def __mul__(self, other: Value) -> Value:
        return Value(self.above * other.above, self.below * other.below)

    def __truediv__(self, other: Value) -> Value:
        if not other.above.terms:
            raise UndecidedError
        return self * _quotient(other.below, other.above)

    def single(self) -> Form:
        """The value as one form."""
        if self.below == ONE:
            return self.above
        return _named("quotient", (self.above, self.below))


def _quotient(above: Form, below: Form) -> Value:
    return Value(above * below.inverse()) if len(below.terms) == 1 else Value(above, below)


def _settled(value: Value) -> Value:
    """The value without squares of roots; a number, where it is a multiple of the divisor."""
    above, below = _without_squares(value.above), _without_squares(value.below)
    if not below.terms:
        raise UndecidedError
    term, (a, b) = next(iter(below.terms.items()))
    c, _ = above.terms.get(term, (fmpq(0), fmpq(0)))
    ratio = number(as_fraction(c / a)) if a and not b else ZERO
    return Value(ratio) if above == ratio * below else _quotient(above, below)


def _without_squares(form: Form) -> Form:
    total = ZERO
    for term, c in form.terms.items():
        found = Form({Term(frozenset(), term.exponent): c})
        for one, power in term.powers:
            squared = one.name in _SQUARES and bool(one.of) and power > 1
            half = int(power // 2) if squared else 0
            if half:
                found = found * one.of[0].power(half * _SQUARES[one.name])
            found = found * symbol(one, power - 2 * half)
        total += found
    return total


def _named(name: str, of: tuple[Form, ...], params: tuple[tuple[str, Hashable], ...] = ()) -> Form:
    """The symbol of a function of forms, which may not be nested too deep."""
    if any(form.depth >= _MOST_DEPTH for form in of):
        raise UndecidedError
    return symbol(Symbol(name, of, params=params))


def _units(form: Form) -> list[Form]:
    """Terms that are nowhere 0, by which the form may be divided."""
    plain = [
        Form({Term(exponent=term.exponent): c})
        for term, c in form.terms.items()
        if not c[1] and (term.exponent is None or not term.exponent.imaginary().terms)
    ]
    size = max(max(abs(a), abs(b)) for a, b in form.terms.values())
    return plain or [number(as_fraction(size)), number(as_fraction(-size))]


def _by_unit(name: str, form: Form) -> tuple[Form, Form]:
    """A term that is nowhere 0, and the symbol of a function of the form divided by it."""
    rests = [(unit, form * unit.inverse()) for unit in _units(form)]
    unit, rest = min(rests, key=lambda pair: hash(pair[1]))
    return unit, _named(name, (rest,))


def _real_term(form: Form) -> tuple[Term, fmpq]:
    ((term, (a, b)),) = form.terms.items()
    if b or (term.exponent is not None and term.exponent.imaginary().terms):
        raise UndecidedError
    return term, a


def _magnitude(form: Form) -> Form:
    if not form.terms:
        return form
    if len(form.terms) > 1:
        unit, rest = _by_unit("abs", form)
        return _magnitude(unit) * rest
    term, a = _real_term(form)
    found = Form({Term(exponent=term.exponent): (abs(a), fmpq(0))})
    for one, power in term.powers:
        even = power.denominator == 1 and power % 2 == 0
        factor = ONE if even else _by_unit("abs", symbol(one))[1]
        found = found * symbol(one, power if even else power - 1) * factor
    return found


def _logarithm(form: Form) -> Form:
    """The logarithm of the absolute value."""
    if len(form.terms) > 1:
        unit, rest = _by_unit("log", form)
        return _logarithm(unit) + rest
    term, a = _real_term(form)
    found = term.exponent or ZERO
    if abs(a) != 1:
        found += _named("log", (number(as_fraction(abs(a))),))
    for one, power in term.powers:
        found += number(power) * _named("log", (symbol(one),))
    return found


def _root(form: Form) -> Form:
    if len(form.terms) == 1:
        term, a = _real_term(form)
        exact = _exact_root(a)
        if exact and all(power.denominator == 1 and power % 2 == 0 for _, power in term.powers):
            powers = frozenset((one, power / 2) for one, power in term.powers)
            exponent = None if term.exponent is None else term.exponent * number(_HALF)
            return _magnitude(Form({Term(powers, exponent): (exact, fmpq(0))}))
    return _named("sqrt", (form,))


def _exact_root(value: fmpq) -> fmpq | None:
    if value <= 0:
        raise UndecidedError
    root = fmpq(isqrt(int(value.p)), isqrt(int(value.q)))
    return root if root * root == value else None


def _floor(value: Value) -> Value:
    real, _ = value.above.terms.get(Term(), (fmpq(0), fmpq(0)))
    whole = Value(number(int(real.floor()) if value.below == ONE else 0))
    return Value(_named("floor", ((value - whole).single(),))) + whole


def _odd(name: str, value: Value) -> Value:
    """An odd function, of the value or of its negative, whichever comes first."""
    plain, minus = value.single(), (-value).single()
    if hash(minus) < hash(plain):
        return -Value(_named(name, (minus,)))
    return Value(_named(name, (plain,)))


def _exp(value: Value) -> Value:
    return Value(value.single().exponential())


def _log(value: Value) -> Value:
    return Value(_logarithm(value.above) - _logarithm(value.below))


def _abs(value: Value) -> Value:
    return _quotient(_magnitude(value.above), _magnitude(value.below))


def _sqrt(value: Value) -> Value:
    return Value(_root(value.single()))


def _sin(value: Value) -> Value:
    turn = value.single().exponential(_I)
    return Value((turn - turn.inverse()).scaled((fmpq(0), fmpq(-1, 2))))


def _cos(value: Value) -> Value:
    turn = value.single().exponential(_I)
    return Value((turn + turn.inverse()).scaled((fmpq(1, 2), fmpq(0))))


def _power(value: Value, exponent: int) -> Value:
    above, below = (p.power(abs(exponent)) for p in (value.above, value.below))
    return Value(above, below) if exponent >= 0 else Value(ONE) / Value(above, below)


def _rational_power(value: Value, exponent: Fraction | Value) -> Value:
    if exponent == _HALF:
        return _sqrt(value)
    if not isinstance(exponent, Fraction) or exponent.denominator != 1:
        raise MissingError
    return _power(value, int(exponent))


def _tanh(x: Value) -> Value:
    square = _exp(x + x)
    return (square - _ONE) / (square + _ONE)


def _maximum(x: Value, y: Value) -> Value:
    return (x + y + _abs(x - y)) / _TWO


def _minimum(x: Value, y: Value) -> Value:
    return (x + y - _abs(x - y)) / _TWO


_ZERO, _ONE, _TWO = Value(ZERO), Value(ONE), Value(number(2))
_FUNCTIONS: Mapping[Elementary, Callable[[Value], Value]] = {
    Elementary.EXP: _exp,
    Elementary.LOG: _log,
    Elementary.SIN: _sin,
    Elementary.COS: _cos,
    Elementary.TAN: lambda x: _sin(x) / _cos(x),
    Elementary.SINH: lambda x: (_exp(x) - _exp(-x)) / _TWO,
    Elementary.COSH: lambda x: (_exp(x) + _exp(-x)) / _TWO,
    Elementary.TANH: _tanh,
    Elementary.ASINH: lambda x: _log(x + _sqrt(x * x + _ONE)),
    Elementary.ACOSH: lambda x: _log(x + _sqrt(x * x - _ONE)),
    Elementary.ATANH: lambda x: _log((_ONE + x) / (_ONE - x)) / _TWO,
    **{f: partial(_odd, f.value) for f in (Elementary.ATAN, Elementary.ERF, Elementary.ASIN)},
}


def _call(function: Elementary, argument: Value) -> Value:
    if function not in _FUNCTIONS:
        raise MissingError
    return _FUNCTIONS[function](argument)


_ARITHMETIC: Arithmetic[Value] = Arithmetic(
    constant=lambda value: Value(number(value)), power=_rational_power, floor=_floor, call=_call
)


def _value(op: Op, params: Params, args: Sequence[Value]) -> Value:
    if op is ops.SELECT:
        raise UndecidedError
    if op in (ops.POW, ops.POWER):
        exponent = args[-1].rational() if op is ops.POWER else params["exponent"]
        if isinstance(exponent, Fraction) and _is_power(op, exponent):
            return _power(args[0], int(exponent))
        return _symbol(op, params, args)
    term = facets.term_of(op, params)
    try:
        found = _joined(op, params, args) if term is None else _ARITHMETIC.value(term, args)
    except MissingError:
        found = None
    return _symbol(op, params, args) if found is None else found


def _symbol(op: Op, params: Params, args: Sequence[Value]) -> Value:
    if params.get("mode") in _ODD_MODES:
        return _odd(f"{op.name} {params['mode']}", args[0])
    known = tuple(sorted((key, str(value)) for key, value in params.items()))
    return Value(_named(op.name, tuple(arg.single() for arg in args), known))


def _joined(op: Op, params: Params, args: Sequence[Value]) -> Value | None:
    """A continuous op of several terms, each where it holds, with its argument kept there."""
    if not op.regularity.continuous:
        return None
    branches, terms, value = (
        facets.branches_of(op, params),
        facets.terms_by_sign(op, params),
        _ARITHMETIC.value,
    )
    if terms is not None and len({*terms}) == 1:
        # of a clip whose bounds are equal the kernel does not see that it is constant
        return None
    if terms is not None:
        (compared,), (below, _, above) = facets.comparisons(op, params), terms
        lower, upper, gap = (value(term, args) for term in (below, above, compared))
        if not gap.above.terms:
            return lower
        ratio = _settled((upper - lower) / gap).rational()
        if ratio is not None:
            return (_settled(lower + upper) + Value(number(ratio)) * _abs(gap)) / _TWO
        if isinstance(compared, Var):
            x = args[compared.index]
            low, zero, high = (
                [end if k == compared.index else arg for k, arg in enumerate(args)]
                for end in (_minimum(x, _ZERO), _ZERO, _maximum(x, _ZERO))
            )
            return value(below, low) + value(above, high) - value(above, zero)
    return None if branches is None else _chain(branches, args[0])


def _chain(branches: facets.Branches, x: Value) -> Value:
    """The sum of the changes of each term between its breaks."""
    breaks = [Value(number(end)) for end in branches.breaks]
    total = _ZERO
    for i, term in enumerate(branches.between):
        within = x
        if facets.variables([term]):
            within = _maximum(within, breaks[i - 1]) if i else within
            within = _minimum(within, breaks[i]) if i < len(breaks) else within
        total += _ARITHMETIC.value(term, [within])
        if i:
            total -= _ARITHMETIC.value(term, [breaks[i - 1]])
    return total


def _is_power(op: Op, exponent: Fraction) -> bool:
    return exponent.denominator == 1 and (op is ops.POW or exponent >= 0)


def _apply(op: Op, params: Params, args: Sequence[Value | None]) -> Value | None:
    given = [arg for arg in args if arg is not None]
    if not isinstance(op.meaning, Pointwise) or len(given) < len(args):
        return None
    try:
        # of a negative base the kernel knows natural powers only
        partial = op is ops.POWER and not _is_power(op, given[1].rational() or Fraction(0))
        found = None if partial else _exact(op.meaning, params, given)
        return found or _settled(_value(op, params, given))
    except UndecidedError:
        return None


def _exact(meaning: Pointwise, params: Params, args: Sequence[Value]) -> Value | None:
    found = rational_at(meaning.pieces(params), [arg.rational() for arg in args])
    return None if found is None else _constant(found)


def _constant(value: Fraction) -> Value:
    return Value(number(value))


_ALGEBRA = Algebra(_constant, Value.rational, _apply)


@dataclass(frozen=True, slots=True)
class NormalForm:
    """A node as a rational function of inputs and other nodes: an affine one, or not."""

    over: tuple[int, ...]
    is_affine: bool


def normal_form(graph: Graph, node: int, atoms: Sequence[int], budget: int) -> NormalForm | None:
    """The node over the inputs and those atoms that its normal form has, if it has nothing else.

    Parameters
    ----------
    graph, node
        The node, which may have several elements.
    atoms
        Nodes before it whose elements are taken as they are.
    budget
        Scalar operations.
    """
    inputs = [i for i, entry in enumerate(graph.nodes) if isinstance(entry, Input)]
    given = {
        atom: [
            Value(symbol(Symbol(str(atom), params=(("element", i),))))
            for i in range(size_of(graph.nodes[atom].shape))
        ]
        for atom in (*atoms, *inputs)
    }
    try:
        found, _ = follow(graph, node, given, _ALGEBRA, budget)
    except WorkError:
        return None
    names, affine = set[str](), True
    for value in found:
        if value is None:
            return None
        for form in (value.above, value.below):
            for term, (_, imaginary) in form.terms.items():
                if term.exponent is not None or imaginary or any(one.of for one, _ in term.powers):
                    return None
                names |= {one.name for one, _ in term.powers}
                affine = affine and (not term.powers or [p for _, p in term.powers] == [1])
        affine = affine and value.below == ONE
    return NormalForm(tuple(atom for atom in atoms if str(atom) in names), affine)
