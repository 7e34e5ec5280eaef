"""The search for waves whose coefficients are out of proportion, along curves.

On a curve an output is written as a quotient of sums of ``exp(ip)`` with coefficients in a Hardy
field.  If it were definable, it would be in a Hardy field too, and the coefficients above would be
those below times the output.  The kernel does the algebra again: a witness holds only the curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import partial

from tamecheck import ops
from tamecheck.exact.reals import UndecidedError, working_precision
from tamecheck.ir.arithmetic import Arithmetic
from tamecheck.ir.box import Box
from tamecheck.ir.formula import TRUE, Call, Compare, Condition, Elementary, Term, subterms, truth
from tamecheck.ir.graph import Graph
from tamecheck.ir.op import Op, Params, Pointwise
from tamecheck.ops.facets import term_of, variables
from tamecheck.ops.monotone import direction
from tamecheck.tame.curves import Curve, curves, may_oscillate
from tamecheck.tame.elementary import call, raised
from tamecheck.tame.follow import Algebra, Along, Refuter, first_witness
from tamecheck.tame.forms import number
from tamecheck.tame.hardy import WILD, Germ, on_curve, waves_out_of_proportion
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


_ALGEBRA = Algebra(_constant, Germ.value, _apply)
_ARITHMETIC: Arithmetic[Germ] = Arithmetic(
    constant=_constant,
    power=lambda base, e: raised(base, _constant(e) if isinstance(e, Fraction) else e),
    floor=Germ.floor,
    call=call,
)


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
