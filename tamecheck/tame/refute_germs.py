"""The search for curves on which an output oscillates, jumps, or has a domain that falls apart.

By the monotonicity theorem (van den Dries 1998, ch. 3) a definable function of ``t`` eventually
has a sign, a limit, and finitely many jumps; and its domain has finitely many components.  The
kernel computes every record again: a witness holds only the curve and the output.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial

from flint import arb

from tamecheck import ops
from tamecheck.evaluate.ranges import REAL, Range, point_range
from tamecheck.exact.reals import UndecidedError, as_fraction, working_precision
from tamecheck.ir.box import Box
from tamecheck.ir.exact import ONE, ZERO
from tamecheck.ir.formula import TRUE, And, Call, Compare, Const, Mul, Or, Relation, Var, sides
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Op, Params, Pointwise, Selection
from tamecheck.ir.tensor import size_of
from tamecheck.ops.facets import comparisons, is_algebraic, sign_values, steps, terms_by_sign
from tamecheck.tame.curves import Curve, curves, may_oscillate
from tamecheck.tame.domains import Domains
from tamecheck.tame.follow import Algebra, Along, Refuter, WorkError, first_witness
from tamecheck.tame.forms import is_constant, number
from tamecheck.tame.germs import has_fractional_power
from tamecheck.tame.hardy import Germ, on_curve
from tamecheck.tame.images import image
from tamecheck.tame.records import (
    CONSTANT,
    HALF_LINES,
    NOUGHT,
    Condition,
    Record,
    constant,
    has,
    inverse,
    is_inside,
    larger,
    plus,
    range_of,
    settle,
    signs_about,
    swing,
    times,
)
from tamecheck.tame.steps import ProofSteps
from tamecheck.tame.verdict import Witness
from tamecheck.tame.waves import germ_of

_LARGE_GRAPH = 400
_BUDGET = 4_000
_PRECISION = 80
_MARGIN = Fraction(1, 2**30)
_X = Var(0)


def find_germ(
    graph: Graph, box: Box, output_nodes: Sequence[int], *, seed: int = 0, budget: int = _BUDGET
) -> Witness | None:
    """A curve on which an output is no function of an o-minimal structure, or None.

    The parameters are those of `tamecheck.tame.refute.find_staircase`.
    """

    def search(curve: Curve) -> tuple[Along[Record], Refuter[Record]]:
        walk = _Walk()
        inputs = {
            name: [walk.of_germ(Germ(on_curve(element)), 1) for element in elements]
            for name, elements in curve.inputs.items()
        }
        return Along(inputs, walk.algebra), partial(_witness, curve)

    with working_precision(_PRECISION):
        roots = [root for root in output_nodes if may_oscillate(graph, root, rounding=True)]
        return first_witness(graph, roots, lambda: curves(graph, box, seed), search, budget)


def bound_far_out(proof: ProofSteps, domains: Domains, node: int) -> int | None:
    """A step that shows a continuous function of one number to be bounded, or None.

    Its germs along the only input, to both sides, are bounded, and in between it is continuous.
    """
    graph = proof.graph
    if len(graph.nodes) > _LARGE_GRAPH or len(graph.inputs) != 1:
        return None
    below = [graph.nodes[index] for index in graph.ancestors([node])]
    smooth = all(
        part.op.regularity.continuous and not isinstance(part.op.meaning, Selection)
        for part in below
        if isinstance(part, Apply)
    )
    total = domains.total(node) if smooth else None
    if total is None or not _is_bounded_far_out(graph, proof.box, node):
        return None
    return proof.add_proof(node, {"rule": "germ-bound", "node": node, "from": total})


def _is_bounded_far_out(graph: Graph, box: Box, root: int) -> bool:
    """Whether a node is bounded on both far sides of the only input, a number."""
    if [size_of(shape) for shape in graph.inputs.values()] != [1]:
        return False
    (name,) = graph.inputs
    side = box.side(name)
    with working_precision(_PRECISION):
        for direction, end in ((1, side.upper[0]), (-1, side.lower[0])):
            walk = _Walk()
            start = walk.of_germ(Germ(on_curve({1: Fraction(direction)})), 1)
            try:
                found, _ = Along({name: [start]}, walk.algebra).elements(graph, root, _BUDGET)
            except WorkError:
                return False
            spans = [None if g is None or g.needs else g.span for g in found]
            if end is None and any(x is None or None in (x.low, x.high) for x in spans):
                return False
    return True


def _witness(curve: Curve, output: tuple[int, int], record: Record) -> Witness | None:
    near = all(k in (0, -1) for row in curve.inputs.values() for element in row for k in element)
    if record.needs:
        rule, why = "components", "the output is defined on infinitely many pieces, and no more"
        if not _falls_apart(record.needs):
            return None
    elif record.escapes:
        rule, why = "germ", f"the output {record.escapes}"
    elif record.rest is not None and record.rest.escapes:
        rule, near = "germ", False
        why = f"the output minus a semialgebraic function {record.rest.escapes}"
    else:
        return None
    document = {"rule": rule, "curve": curve.document(), "output": list(output)}
    refutes = "locally-o-minimal" if near else "o-minimal"
    return Witness(refutes, f"on {curve.text()}, {why}, as t grows", document)


def _falls_apart(known: Sequence[Condition]) -> bool:
    """Whether conditions hold, and fail, ever again."""
    poles = [c.record for c in known if c.kind is Relation.NE]
    others = [c for c in known if c.kind is not Relation.NE]
    if len(others) > 1:
        return False
    if any(not {-1, 1} & signs_about(w) or (w.smooth < 2 and len(known) > 1) for w in poles):
        return False
    fails = [0 in signs_about(w) for w in poles]
    for kind, w in others:
        inside, outside, dense = _sides(kind, w)
        if not ((dense and w.smooth) or (inside and not poles)):
            return False
        fails.append(outside)
    return any(fails)


def _sides(kind: Relation, w: Record) -> tuple[bool, bool, bool]:
    """Whether a record is in a set, outside of it, and in its interior, ever again."""
    if kind in (Relation.LT, Relation.LE):
        above, below = signs_about(w, ONE), signs_about(w, -ONE)
        edge = {0} if kind is Relation.LT else set[int]()
        taken = Record(takes=w.takes)
        crossed = w.takes is not None and -1 in signs_about(taken, ONE)
        crossed = crossed and 1 in signs_about(taken, -ONE)
        return crossed, bool(above & {1, *edge} or below & {-1, *edge}), crossed
    found = signs_about(w)
    inside = 1 in found or (kind is Relation.GE and 0 in found)
    return inside, -1 in found or (kind is Relation.GT and 0 in found), 1 in found


class _Walk:
    """The records of the elements of a graph on one curve."""

    def __init__(self) -> None:
        self.algebra = Algebra(self.rational, self.value, self.apply)

    def rational(self, value: Fraction) -> Record:
        return self.of_germ(Germ(number(value)), CONSTANT)

    @staticmethod
    def value(record: Record) -> Fraction | None:
        return record.exact

    def of_germ(self, germ: Germ, degree: int) -> Record:
        """The record of a germ; raises `UndecidedError` if it has waves."""
        terms = [*germ.numerator.terms, *germ.denominator.terms]
        exponents = [term.exponent for term in terms if term.exponent is not None]
        if any(Germ(exponent.imaginary()).limit()[0] for exponent in exponents):
            raise UndecidedError
        side, limit = germ.limit()
        value = germ.value()
        near = point_range(value) if value is not None else _range_of(limit)
        if is_constant(germ.numerator) and is_constant(germ.denominator):
            return settle(Record(near, 2, germ, limit=near, degree=CONSTANT))
        span = _half_line(germ)
        return settle(Record(span, 2, germ, side, side, None if side else near, degree=degree))

    def apply(self, op: Op, params: Params, args: Sequence[Record | None]) -> Record | None:
        """An element of a node, with the conditions of what it needs."""
        side = args[0].sign if op is ops.SELECT and args[0] is not None else None
        used = args if side is None else [args[0], args[1 if side else 2]]
        given = [record for record in used if record is not None]
        if len(given) < len(used):
            return None
        needs = tuple({id(need): need for record in given for need in record.needs}.values())
        try:
            if op is ops.SELECT:
                if side is None and any(record.needs for record in given[1:]):
                    return None
                return replace(given[1] if side is not None else _chosen(*given), needs=needs)
            missing = self._condition(op, params, given)
            if missing is None:
                found = self.record(op, params, given)
                return found if found.needs == needs else replace(found, needs=needs)
        except UndecidedError:
            return None
        above = Range(ZERO, None) if has_fractional_power(op, params) else REAL
        return Record(above, needs=(*needs, missing))

    def at(self, op: Op, *args: Record, **params: Fraction) -> Record:
        """An op that is not of the graph."""
        return self.record(op, params, args)

    def record(self, op: Op, params: Params, args: Sequence[Record]) -> Record:
        """The record of an op that is eventually defined."""
        piece = self._piece(op, params, args)
        if piece is not None:
            return piece
        germ = _germ(op, params, args)
        degree = min(record.degree for record in args) if is_algebraic(op, params) else 0
        if germ is not None:
            try:
                return self.of_germ(germ, degree)
            except UndecidedError:
                pass
        if all(record.degree == CONSTANT for record in args):
            return constant(range_of(op, params, *(record.span for record in args)))
        found = self._rule(op, params, args)
        if germ is None:
            return found
        return settle(replace(found, germ=germ, span=found.span & _half_line(germ)))

    def _piece(self, op: Op, params: Params, args: Sequence[Record]) -> Record | None:
        """The piece that eventually holds, of an op that is made of pieces."""
        u = args[0]
        if op.arity == 1 and steps(op, params):
            found = range_of(op, params, u.span)
            return self.rational(found.low) if found.single and found.low is not None else None
        terms = terms_by_sign(op, params)
        if terms is None or terms[1] != _X:
            return None
        if comparisons(op, params) == (_X,):
            sign = 1 if is_inside(u.span, Range(ZERO, None)) else u.sign
        else:
            sign = self.at(ops.SUB, *args).sign
        match None if sign is None else terms[sign + 1]:
            case Var(k):
                return args[k]
            case Mul(Var(i), Var(j)):
                return self.at(ops.MUL, args[i], args[j])
            case Mul(Const(factor), Var(k)):
                return self.at(ops.MUL, args[k], self.rational(factor))
            case _:
                return None

    def _rule(  # noqa: C901, PLR0912  (an op a case)
        self, op: Op, params: Params, args: Sequence[Record]
    ) -> Record:
        """What is known of an op on what may have waves."""
        u, v, minus = args[0], args[-1], constant(point_range(-1))
        match op:
            case ops.ADD:
                return plus(u, v)
            case ops.NEG:
                return times(minus, u)
            case ops.SUB:
                return constant(NOUGHT) if u is v else plus(u, times(minus, v))
            case ops.MUL:
                return self.at(ops.POW, u, exponent=Fraction(2)) if u is v else times(u, v)
            case ops.DIV:
                return times(u, inverse(v))
            case ops.MAXIMUM:
                return larger(u, v)
            case ops.MINIMUM:
                return times(minus, larger(times(minus, u), times(minus, v)))
            case ops.RELU:
                return self.at(ops.MAXIMUM, u, self.rational(ZERO))
            case ops.CLIP:
                for end, cut in (("lo", ops.MAXIMUM), ("hi", ops.MINIMUM)):
                    bound = params[end]
                    u = self.at(cut, u, self.rational(bound)) if isinstance(bound, Fraction) else u
                return u
            case _ if op.arity == 2 and (found := sign_values(op, params)) is not None:
                values = {found[a + 1] for a in signs_about(self.at(ops.SUB, u, v))}
                unit = Range(ZERO, ONE)
                return Record(unit, swings=unit, jumps=True) if len(values) > 1 else Record(unit)
            case ops.POWER | ops.POW:
                return self._power(op, params, u, v)
            case _ if isinstance(op.meaning, Pointwise) and op.arity == 1:
                return image(op, params, u)
            case _:
                raise UndecidedError

    def _power(self, op: Op, params: Params, u: Record, v: Record) -> Record:
        exponent = _exponent(params) if op is ops.POW else v.exact
        if exponent is None:
            return self.at(ops.EXP, self.at(ops.MUL, v, self.at(ops.LOG, u)))
        if exponent == 0:
            return self.rational(ONE)
        if exponent < 0:
            return inverse(self.at(ops.POW, u, exponent=-exponent))
        if op is ops.POWER:
            return self.at(ops.POW, u, exponent=exponent)
        return image(op, params, u)

    def _condition(self, op: Op, params: Params, args: Sequence[Record]) -> Condition | None:
        """The condition under which an op is defined, unless it eventually holds."""
        domain = op.meaning.domain(params) if isinstance(op.meaning, Pointwise) else TRUE
        # of a power a positive base
        match domain.parts[0] if isinstance(domain, Or) else domain:
            case Compare() as compare:
                relation, w = compare.relation, self._compared(compare, args)
                inside = relation is Relation.GE and is_inside(w.span, Range(ZERO, None))
                holds = inside or w.sign == 1 or (relation is Relation.NE and w.sign)
                return None if holds else Condition(relation, w)
            case And((Compare(_, relation), _)):
                u, strict = args[0], relation is Relation.GT
                ends = strict and (has(u.span, ONE) or has(u.span, -ONE))
                inside = is_inside(u.span, Range(-ONE, ONE)) and not ends
                return None if inside else Condition(Relation.LT if strict else Relation.LE, u)
            case _:
                return None

    def _compared(self, compare: Compare, args: Sequence[Record]) -> Record:
        """What a domain compares with 0."""
        match sides(compare):
            case Var(k), _, Const(value):
                return self.at(ops.SUB, args[k], self.rational(value)) if value else args[k]
            case Call(function, Var(k)), _, _:
                return self.at(ops.BY_NAME[function.value], args[k])
            case _:
                raise UndecidedError


def _chosen(c: Record, a: Record, b: Record) -> Record:
    """A choice that changes ever again, or may."""
    g, around = Record(a.span | b.span), signs_about(c)
    if 0 in around and len(around) > 1:
        for k, m in ((a, b), (b, a)):
            if k.span.high is not None and m.span.low is not None:
                g = replace(g, swings=g.swings or swing(k.span.high, m.span.low))
    return g


def _germ(op: Op, params: Params, args: Sequence[Record]) -> Germ | None:
    germs = [record.germ for record in args]
    try:
        return None if None in germs else germ_of(op, params, germs)
    except UndecidedError:
        return None


def _half_line(germ: Germ) -> Range:
    """The side of 0 on which a germ eventually is, if it is found."""
    try:
        return HALF_LINES[germ.sign()]
    except UndecidedError:
        return REAL


def _exponent(params: Params) -> Fraction:
    value = params["exponent"]
    return value if isinstance(value, Fraction) else ONE


def _range_of(ball: arb) -> Range:
    """A range around a ball, with room for what another computation of it encloses."""
    if not ball.is_finite():
        raise UndecidedError
    if ball.is_exact():
        return point_range(as_fraction(ball.fmpq()))
    ends = float(ball.mid()), float(ball.rad())
    if not all(map(math.isfinite, ends)):
        # beyond the largest float
        raise UndecidedError
    middle, room = Fraction(ends[0]), Fraction(ends[1]) + _MARGIN
    room += abs(middle) * _MARGIN
    return Range(middle - room, middle + room)
