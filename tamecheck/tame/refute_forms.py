"""The elements of a graph on a ray, as polynomials in the ray's parameter and in symbols.

What a symbol stands for is up to the caller: a periodic function, or a rounding.  This is the
search's copy of the algebra that the kernel does when it replays a witness, so that what is found
here is accepted there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from flint import fmpq

from tamecheck import ops
from tamecheck.exact.reals import ONE, ZERO, UndecidedError, as_fraction, as_number
from tamecheck.ir.arithmetic import Arithmetic, MissingError
from tamecheck.ir.op import Op, Params, Pointwise
from tamecheck.ops.facets import term_of
from tamecheck.tame.follow import Algebra, Along
from tamecheck.tame.refute_rays import Ray
from tamecheck.tame.series import rational_at

PARAMETER = 0
"""The symbol of the ray's parameter t."""

Form = Mapping[tuple[int, ...], fmpq]
"""``{(i, i, j): c}`` is ``c s_i² s_j``; the empty key is the constant term."""

Symbols = Callable[[Op, Params, Sequence[Form]], Form | None]
"""Names an op's value on given arguments by a symbol, if it may."""

_MAX_TERMS = 1 << 10
_MAX_DEGREE = 16
_MAX_BITS = 1 << 13


def value_of(form: Form) -> fmpq | None:
    """The rational that a form is, or None."""
    if not form:
        return ZERO
    return form[()] if len(form) == 1 and () in form else None


def affine_in_parameter(form: Form) -> bool:
    """Whether the form is ``a t + b`` with ``a`` not 0."""
    return (PARAMETER,) in form and set(form) <= {(), (PARAMETER,)}


def _sum(left: Form, right: Form, factor: fmpq = ONE) -> Form:
    found = dict(left)
    for key, c in right.items():
        total = found.get(key, ZERO) + factor * c
        if total == 0:
            found.pop(key, None)
        else:
            found[key] = total
    return found


def _product(left: Form, right: Form) -> Form | None:
    if len(left) * len(right) > _MAX_TERMS:
        return None
    found: dict[tuple[int, ...], fmpq] = {}
    for a, c in left.items():
        for b, d in right.items():
            key = tuple(sorted(a + b))
            if len(key) > _MAX_DEGREE:
                return None
            found[key] = found.get(key, ZERO) + c * d
    if any(c.height_bits() > _MAX_BITS for c in found.values()):
        return None
    return {key: c for key, c in found.items() if c != 0}


class _LongError(Exception):
    """A form is too long."""


def _times(left: Form, right: Form) -> Form:
    found = _product(left, right)
    if found is None:
        raise _LongError
    return found


def _over(left: Form, right: Form) -> Form:
    divisor = value_of(right)
    if not divisor:
        raise MissingError
    return _sum({}, left, 1 / divisor)


_FORMS: Arithmetic[Form] = Arithmetic(
    constant=lambda value: {(): as_number(value)} if value else {},
    add=_sum,
    multiply=_times,
    divide=_over,
    scale=lambda form, factor: _sum({}, form, as_number(factor)),
)


def _ring(op: Op, params: Params, args: Sequence[Form]) -> tuple[bool, Form | None]:
    """Whether the value follows by algebra alone, and the value."""
    term = term_of(op, params)
    try:
        return (True, _FORMS.value(term, args)) if term else _rational(op, params, args)
    except _LongError:
        return True, None
    except MissingError:
        return _rational(op, params, args)


def _rational(op: Op, params: Params, args: Sequence[Form]) -> tuple[bool, Form | None]:
    meaning = op.meaning
    values = [_rational_of(form) for form in args]
    if op is ops.POWER and not (values[0] is not None and values[0] > 0):
        return False, None  # the exponent may depend on the inputs
    if not isinstance(meaning, Pointwise):
        return False, None
    try:
        found = rational_at(meaning.pieces(params), values)
    except UndecidedError:
        return False, None
    return found is not None, None if found is None else _constant(found)


def along_ray(ray: Ray, symbols: Symbols) -> Along[Form]:
    """A ray, on which each input is affine in the parameter."""

    def apply(op: Op, params: Params, args: Sequence[Form | None]) -> Form | None:
        given = [form for form in args if form is not None]
        if len(given) != len(args):
            return None
        known, form = _ring(op, params, given)
        return form if known else symbols(op, params, given)

    inputs = {
        name: list(map(_on_ray, base, ray.direction[name])) for name, base in ray.base.items()
    }
    return Along(inputs, Algebra(_constant, _rational_of, apply))


def _constant(value: Fraction) -> Form:
    return _on_ray(value, Fraction(0))


def _rational_of(form: Form) -> Fraction | None:
    value = value_of(form)
    return None if value is None else as_fraction(value)


def _on_ray(base: Fraction, slope: Fraction) -> Form:
    form = {(): as_number(base), (PARAMETER,): as_number(slope)}
    return {key: c for key, c in form.items() if c != 0}
