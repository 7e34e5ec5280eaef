"""Strictly increasing functions of one variable, seen from the terms that define them."""

from __future__ import annotations

from fractions import Fraction

from tamecheck.ir.formula import TRUE, Add, Call, Const, Div, Elementary, Mul, Pow, Term, Var
from tamecheck.ir.op import Op, Params, Pointwise
from tamecheck.ops.facets import kept, term_of, terms_by_sign


@kept
def anchor(op: Op, params: Params) -> Fraction | None:
    """The value at 0, if it is rational and the op is strictly increasing on the real line.

    Examples
    --------
    >>> from tamecheck.ops import BY_NAME
    >>> [str(anchor(BY_NAME[name], {})) for name in ("sigmoid", "tanh", "exp", "softplus", "cosh")]
    ['1/2', '0', '1', 'None', 'None']
    """
    term = _term(op, params)
    return _value_at_zero(term) if term is not None and increases(op, params) else None


@kept
def direction(op: Op, params: Params) -> int:
    """1 or -1 for an op seen to increase or decrease strictly on each interval of its domain.

    Examples
    --------
    >>> from tamecheck.ops import BY_NAME
    >>> [direction(BY_NAME[name], {}) for name in ("log", "acos", "neg", "softplus", "abs")]
    [1, -1, -1, 1, 0]
    """
    if not isinstance(op.meaning, Pointwise) or op.arity != 1:
        return 0
    term, signed = term_of(op, params), terms_by_sign(op, params)
    if term is not None:
        return _direction(term) or 0
    if signed is None or not op.regularity.continuous:
        return 0
    below, _, above = map(_direction, signed)
    return below or 0 if below == above else 0


@kept
def increases(op: Op, params: Params) -> bool:
    """Whether the op is seen to be strictly increasing on the real line."""
    term = _term(op, params)
    return term is not None and _direction(term) == 1


def _term(op: Op, params: Params) -> Term | None:
    """The term that defines an op of one argument everywhere."""
    meaning = op.meaning
    if not isinstance(meaning, Pointwise) or op.arity != 1 or meaning.domain(params) != TRUE:
        return None
    return term_of(op, params)


_TURNING = frozenset({Elementary.SIN, Elementary.COS, Elementary.COSH})
"""Those that are not monotone on each interval of their domain; of the others all but the inverse
cosine increase."""
_EVEN = frozenset({Elementary.EXP, Elementary.COS, Elementary.COSH})
"""Those that are 1 at 0; the others that are defined there are 0."""


def _direction(term: Term) -> int | None:
    """1 for a term that increases strictly where it is defined, -1 if it decreases, 0 if constant.

    None if that is not seen.
    """
    match term:
        case Var():
            return 1
        case Const():
            return 0
        case Add(left, right):
            ways = {_direction(left), _direction(right)} - {0}
            return next(iter(ways), 0) if len(ways) < 2 else None
        case Mul(Const(c), factor) | Mul(factor, Const(c)) | Div(factor, Const(c)):
            way = _direction(factor)
            return None if way is None else way * ((c > 0) - (c < 0))
        case Div(Const(c), divisor) if _is_positive(divisor):
            way = _direction(divisor)
            return None if way is None else -way * ((c > 0) - (c < 0))
        case Pow(base, Const(c)) if c.denominator > 1:
            way = _direction(base)
            return None if way is None else way * ((c > 0) - (c < 0))
        case Call(function, inner) if function not in _TURNING:
            way = _direction(inner)
            return -way if way and function is Elementary.ACOS else way
        case _:
            return None


def _is_positive(term: Term) -> bool:
    match term:
        case Const(value):
            return value > 0
        case Call(function, _):
            return function in (Elementary.EXP, Elementary.COSH)
        case Add(left, right) | Mul(left, right) | Div(left, right):
            return _is_positive(left) and _is_positive(right)
        case _:
            return False


def _value_at_zero(term: Term) -> Fraction | None:
    """The value of a term where its variable is 0, if it is seen to be rational."""
    match term:
        case Var():
            return Fraction(0)
        case Const(value):
            return value
        case Add(first, second) | Mul(first, second) | Div(first, second):
            left, right = _value_at_zero(first), _value_at_zero(second)
            if left is None or right is None or (isinstance(term, Div) and right == 0):
                return None
            if isinstance(term, Add):
                return left + right
            return left * right if isinstance(term, Mul) else left / right
        case Call(Elementary.LOG, inner):
            return Fraction(0) if _value_at_zero(inner) == 1 else None
        case Call(function, inner) if _value_at_zero(inner) == 0:
            return None if function in _UNDEFINED else Fraction(int(function in _EVEN))
        case _:
            return None


_UNDEFINED = frozenset({Elementary.ACOS, Elementary.ACOSH})
"""Those without a rational value at 0."""
