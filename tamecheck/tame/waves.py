"""The search for waves whose coefficients are out of proportion, along curves.

On a curve an output is written as a quotient of sums of ``exp(ip)`` with coefficients in a Hardy
field.  If it were definable, it would be in a Hardy field too, and the coefficients above would be
those below times the output.  The kernel does the algebra again: a witness holds only the curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import partial

from flint import fmpq

from tamecheck import ops
from tamecheck.exact.reals import UndecidedError, as_fraction, as_number, working_precision
from tamecheck.ir.box import Box
from tamecheck.ir.formula import Arithmetic, Compare, Term, truth
from tamecheck.ir.graph import Graph
from tamecheck.ir.op import Op, Params, Pointwise
from tamecheck.ops.facets import variables
from tamecheck.tame.curves import Curve, curves, may_oscillate
from tamecheck.tame.elementary import call, raised
from tamecheck.tame.follow import Algebra, Along, Refuter, first_witness
from tamecheck.tame.forms import number
from tamecheck.tame.hardy import WILD, Germ, on_curve, waves_out_of_proportion
from tamecheck.tame.series import Series, pieces_at
from tamecheck.tame.verdict import Witness

_BUDGET = 40_000
_PRECISION = 80
_INJECTIVE = {*"neg exp sigmoid tanh softplus sinh asinh atan log sqrt".split()}  # noqa: SIM905
"""Ops whose inverse stays in a Hardy field, so that they keep what is in none."""

_ON_POSITIVE = ("log", "sqrt")


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
        return WILD if _keeps_wild(op, args) else None


_ALGEBRA = Algebra(_constant, Germ.value, _apply)
_ARITHMETIC: Arithmetic[Germ] = Arithmetic(
    constant=_constant,
    power=lambda base, e: raised(base, _constant(e) if isinstance(e, Fraction) else e),
    floor=Germ.floor,
    call=call,
)


def _exact(meaning: Pointwise, params: Params, args: Sequence[Germ | None]) -> Germ | None:
    """The value of rationals, if it is one."""
    values = [None if germ is None else germ.value() for germ in args]
    known = [Series.constant(as_number(value), 0) for value in values if value is not None]
    if len(known) < len(args):
        return None
    found = pieces_at(meaning.pieces(params), known)[0]
    return _constant(as_fraction(found)) if isinstance(found, fmpq) else None


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


def _keeps_wild(op: Op, args: Sequence[Germ | None]) -> bool:
    """Whether the value is in no Hardy field, since an argument is in none."""
    if op is ops.POWER and args[0] is not None and args[1] is not None:
        try:
            return _is_wild(args[1] * Germ(args[0].logarithm()))
        except UndecidedError:
            return False
    if op.name not in _INJECTIVE or args[0] is None:
        return False
    if args[0].is_wild:
        return op.name not in _ON_POSITIVE
    try:
        positive = op.name not in _ON_POSITIVE or args[0].sign() > 0
        return positive and _is_wild(args[0])
    except UndecidedError:
        return False


def _is_wild(germ: Germ) -> bool:
    return germ.is_wild or waves_out_of_proportion(germ) is not None
