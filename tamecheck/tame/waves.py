"""The search for waves whose coefficients are out of proportion, along curves.

On a curve an output is written as a quotient of sums of ``exp(ip)`` with coefficients in a Hardy
field.  If it were definable, it would be in a Hardy field too, and the coefficients above would be
those below times the output.  The kernel does the algebra again: a witness holds only the curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import partial

from flint import arb, fmpq

from tamecheck import ops
from tamecheck.exact import reals
from tamecheck.exact.reals import UndecidedError, working_precision
from tamecheck.ir.arithmetic import Arithmetic
from tamecheck.ir.box import Box
from tamecheck.ir.formula import TRUE, Call, Compare, Condition, Elementary, Term, subterms, truth
from tamecheck.ir.graph import Graph
from tamecheck.ir.op import Op, Params, Pointwise
from tamecheck.ops.facets import term_of, variables
from tamecheck.ops.monotone import direction
from tamecheck.tame.curves import Curve, curves, may_oscillate
from tamecheck.tame.follow import Algebra, Along, Refuter, first_witness
from tamecheck.tame.forms import ONE, Complex, Form, function, number
from tamecheck.tame.hardy import (
    MARGIN,
    WILD,
    Germ,
    exponential,
    on_curve,
    waves_out_of_proportion,
    with_slope,
)
from tamecheck.tame.series import rational_at
from tamecheck.tame.verdict import Witness

_BUDGET = 40_000
_PRECISION = 80
_INVERTIBLE = frozenset({Elementary.EXP, Elementary.LOG, Elementary.SINH, Elementary.TANH}) | {
    *(Elementary.ASINH, Elementary.ATAN)
}
"""Functions whose inverse stays in a Hardy field, so that they keep what is in none."""


def find_waves(
    graph: Graph, box: Box, output_nodes: Sequence[int], *, seed: int = 0, budget: int = _BUDGET
) -> Witness | None:
    """A curve on which an output is in no Hardy field, or None if the search finds none.

    The parameters are those of `tamecheck.tame.refute.find_staircase`.
    """

    def search(curve: Curve) -> tuple[Along[Germ], Refuter[Germ]]:
        inputs = {name: [Germ(on_curve(e)) for e in es] for name, es in curve.inputs.items()}
        return Along(inputs, _ALGEBRA), partial(_witness, curve)

    with working_precision(_PRECISION):
        roots = [root for root in output_nodes if may_oscillate(graph, root, rounding=False)]
        return first_witness(graph, roots, lambda: curves(graph, box, seed), search, budget)


def _witness(curve: Curve, output: tuple[int, int], germ: Germ) -> Witness | None:
    try:
        angle = None if germ.is_wild else waves_out_of_proportion(germ)
    except UndecidedError:
        return None
    if angle is None and not germ.is_wild:
        return None
    document = {"rule": "exp-trig", "curve": curve.document(), "output": list(output)}
    wave = "" if angle is None else f", one with the angle {angle.text()}"
    summary = (
        f"along {curve.text()}, the output is made of sines and cosines{wave}, whose coefficients "
        "compare with every definable function: it is in no Hardy field"
    )
    return Witness("o-minimal", summary, document)


# values of ops


def _constant(value: Fraction) -> Germ:
    return Germ(number(value))


def germ_of(op: Op, params: Params, args: Sequence[Germ | None]) -> Germ:
    """The value of an op, where it is defined.

    Raises `UndecidedError` where it has no form.
    """
    if not isinstance(op.meaning, Pointwise):
        raise UndecidedError
    return _exact(op.meaning, params, args) or _pointwise(op.meaning, params, args)


def _apply(op: Op, params: Params, args: Sequence[Germ | None]) -> Germ | None:
    try:
        if op is ops.POWER and (args[0] is None or args[0].sign() <= 0):
            return None  # the exponent may depend on the inputs
        return germ_of(op, params, args)
    except UndecidedError:
        return WILD if _keeps_wild(op, params, args) else None


def _exact(meaning: Pointwise, params: Params, args: Sequence[Germ | None]) -> Germ | None:
    values = [None if germ is None else germ.value() for germ in args]
    found = rational_at(meaning.pieces(params), values)
    return None if found is None else _constant(found)


def _pointwise(meaning: Pointwise, params: Params, args: Sequence[Germ | None]) -> Germ:
    def decide(condition: Compare) -> bool:
        return value(condition.term).sign() in condition.relation.signs

    def value(term: Term) -> Germ:
        if any(args[k] is None for k in variables([term])):
            raise UndecidedError
        return _ARITHMETIC.value(term, [WILD if germ is None else germ for germ in args])

    if meaning.whole is not None:
        return value(meaning.whole)
    for piece in meaning.pieces(params):
        if truth(piece.condition, decide):
            return value(piece.term)
    raise UndecidedError


def _keeps_wild(op: Op, params: Params, args: Sequence[Germ | None]) -> bool:
    """Whether the value is in no Hardy field, since an argument is in none."""
    if op is ops.POWER and args[0] is not None and args[1] is not None:
        try:
            return _is_wild(args[1] * Germ(args[0].logarithm()))
        except UndecidedError:
            return False
    domain = _domain(op, params)
    if domain is None or args[0] is None:
        return False
    if args[0].is_wild:
        return domain == TRUE
    try:
        return (domain == TRUE or args[0].sign() > 0) and _is_wild(args[0])
    except UndecidedError:
        return False


def _domain(op: Op, params: Params) -> Condition | None:
    """Where an op that keeps what is in no Hardy field is defined; None for another op."""
    term = term_of(op, params)
    if term is None or params or not direction(op, params) or not isinstance(op.meaning, Pointwise):
        return None
    called = {t.function for t in subterms(term) if isinstance(t, Call)}
    return op.meaning.domain(params) if called <= _INVERTIBLE else None


def _is_wild(germ: Germ) -> bool:
    return germ.is_wild or waves_out_of_proportion(germ) is not None


_I: Complex = (fmpq(0), fmpq(1))


def call(name: Elementary, argument: Germ) -> Germ:
    """An elementary function of a germ.

    Raises `UndecidedError` where the value is not known to be in a Hardy field, or a wave over one.
    """
    match name:
        case Elementary.EXP:
            return exponential(argument.single())
        case Elementary.LOG:
            return Germ(argument.logarithm())
        case Elementary.SIN | Elementary.COS:
            return _wave(name, argument.single())
        case Elementary.TAN:
            angle = argument.single()
            return _wave(Elementary.SIN, angle) / _wave(Elementary.COS, angle)
        case Elementary.ATAN | Elementary.ERF | Elementary.ASIN | Elementary.ACOS:
            return _bounded(name, argument)
        case _:
            return _hyperbolic(name, argument)


def _hyperbolic(name: Elementary, argument: Germ) -> Germ:
    one = Germ(ONE)
    if name in (Elementary.SINH, Elementary.COSH, Elementary.TANH):
        there = exponential(argument.single())
        back = exponential(argument.scaled(Fraction(-1)).single())
        total, gap = there + back, there - back
        half = Fraction(1, 2)
        if name is Elementary.TANH:
            return gap / total
        return total.scaled(half) if name is Elementary.COSH else gap.scaled(half)
    if name is Elementary.ATANH:
        ratio = (one + argument) / (one - argument)
        return Germ(ratio.logarithm()).scaled(Fraction(1, 2))
    square = argument * argument
    inside = square + one if name is Elementary.ASINH else square - one
    return Germ((argument + root(inside)).logarithm())


def root(argument: Germ) -> Germ:
    """The square root of a positive germ."""
    return raised(argument, Germ(number(Fraction(1, 2))))


def raised(base: Germ, exponent: Germ) -> Germ:
    """``base ** exponent``: a natural power, or ``exp(exponent * log(base))``."""
    value = exponent.value()
    if value is not None and value.denominator == 1:
        return base.power(int(value))
    return exponential(exponent.single() * base.logarithm())


def _wave(name: Elementary, angle: Form) -> Germ:
    turn = angle.exponential(_I)
    if name is Elementary.SIN:
        return Germ((turn - turn.inverse()).scaled((fmpq(0), fmpq(-1, 2))))
    return Germ((turn + turn.inverse()).scaled((fmpq(1, 2), fmpq(0))))


_FAR = {Elementary.ATAN: arb.pi() / 2, Elementary.ERF: arb(1)}


def _bounded(name: Elementary, argument: Germ) -> Germ:
    side, limit = argument.limit()
    form, value = argument.single(), argument.value()
    if name in _FAR and side:
        return Germ(function(name.value, form, side * _FAR[name]))
    if not side and limit.is_zero() and name is not Elementary.ACOS:
        slope = 2 / arb.pi().sqrt() if name is Elementary.ERF else arb(1)
        return Germ(with_slope(name.value, form, slope))
    inside = name in _FAR or abs(limit) < 1 - arb(MARGIN)
    if side or not (inside or (value is not None and abs(value) == 1)):
        raise UndecidedError
    return Germ(function(name.value, form, arb(reals.call(name, limit))))


_ALGEBRA = Algebra(_constant, Germ.value, _apply)
_ARITHMETIC: Arithmetic[Germ] = Arithmetic(
    constant=_constant,
    power=lambda base, e: raised(base, _constant(e) if isinstance(e, Fraction) else e),
    floor=Germ.floor,
    call=call,
)
