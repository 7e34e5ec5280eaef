"""How far from the point the derivative, and the only solution, are known to reach.

Piecewise affine F: every op that decides is affine near the point, so what it compares to 0 stays
on its side up to a distance that a division gives.  Smooth F: Krawczyk's operator with a box of
parameters maps a box of unknowns into itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf

from flint import arb, fmpq

from tamecheck.derivative.chainrule import ChainRule, chain_rule
from tamecheck.derivative.cone import Row
from tamecheck.derivative.explore import argument_rows, combination
from tamecheck.derivative.implicit.newton import Equations, contract
from tamecheck.derivative.kinks import Affinity, gradient_at, term_value
from tamecheck.derivative.lowering import lowered
from tamecheck.derivative.reverse import Local, input_rows, points_of, tied_groups
from tamecheck.evaluate.enclosure import float_down
from tamecheck.exact.arrays import objects
from tamecheck.exact.hull import rational
from tamecheck.exact.reals import BITS, Number, as_fraction, working_precision
from tamecheck.ir.graph import Apply
from tamecheck.ir.tensor import Array
from tamecheck.ops.facets import chooses_indices, comparisons, extremum, rounds

Radius = Fraction | float

_SMALLEST = 22
_THIN = 32
_LONGEST_BITS = 64

_PAD = 1 + 2.0**-20
"""The centre is only as near to the solution as its ball; boxes are larger by more than that."""


@dataclass(frozen=True, slots=True)
class Validity:
    """Radii in the largest norm, or why there are none; infinite where nothing bounds them."""

    parameters: Radius | None
    """For every p nearer than this to the given one there is the solution x(p) of the theorem, and
    its derivative there is in the set that is given here. For a smooth F, only x(p) exists, is
    unique in the box of unknowns and differentiable."""
    unknowns: Radius | None
    """For every p nearer than both radii, no other x nearer than this solves the equations."""
    why: str
    """How they were found, or why there are none."""

    def to_json(self) -> dict[str, str | None]:
        """The JSON form."""
        radii = {"parameters": self.parameters, "unknowns": self.unknowns}
        return {**{k: None if r is None else str(r) for k, r in radii.items()}, "why": self.why}


def affine_validity(
    equations: Equations, point: Mapping[str, Array], slopes: Sequence[Sequence[Sequence[Fraction]]]
) -> Validity | None:
    """The radii for a piecewise affine F at a rational point; None for another F.

    ``slopes`` are the derivatives of x by p on all pieces that meet at the point.
    """
    graph = lowered(equations.graph)
    affinity = Affinity.of(graph)
    if not all(affinity.affine[node] for _, node in graph.outputs):
        return None
    applied = [node for node in graph.nodes if isinstance(node, Apply)]
    if any(rounds(node.op, node.params) or chooses_indices(node.op) for node in applied):
        return Validity(None, None, "F contains an op whose jumps are not measured")
    # also of branches that are not taken here, which end where they are
    rule = chain_rule(graph, point, whole=True)
    several = bool(rule.places)
    locals_ = rule.enclosing() if several else rule.chosen({})
    if locals_ is None:
        return Validity(None, None, "tied elements of a maximum leave a choice at this point")
    in_p: Radius = inf
    in_both: Radius = inf
    for value, row in _margins(rule, locals_):
        size = sum((_magnitude(a) for a in row), Fraction(0))
        if size:
            in_both = min(in_both, abs(value) / size)
        along = max((_along(equations, row, slope) for slope in slopes), default=Fraction(0))
        if along:
            in_p = min(in_p, abs(value) / along)
    if several:
        why = "no other kink than those at the point is nearer"
    else:
        why = "F is affine" if in_both == inf else "the distance to the next kink"
    return Validity(_short(in_p), _short(in_both), why)


def _short(radius: Radius) -> Radius:
    """The radius, or a float below it where it has too many digits to be read."""
    if not isinstance(radius, Fraction) or radius.denominator.bit_length() <= _LONGEST_BITS:
        return radius
    return Fraction(float_down(radius))


def _along(equations: Equations, row: Row, slope: Sequence[Sequence[Fraction]]) -> Fraction:
    """How fast a compared number changes at most when p moves and x follows: a sum over p."""
    exact = rational((row,))
    total = Fraction(0)
    for number, column in enumerate(equations.parameters):
        rates = [(column, Fraction(1))]
        rates += [(k, slope[i][number]) for i, k in enumerate(equations.unknowns)]
        if exact is None:
            total += sum((_magnitude(row[k]) * abs(rate) for k, rate in rates), Fraction(0))
        else:
            total += abs(sum((as_fraction(exact[0][k]) * rate for k, rate in rates), Fraction(0)))
    return total


def _magnitude(value: Number) -> Fraction:
    """The absolute value, or a bound on that of a ball."""
    if isinstance(value, fmpq):
        return abs(as_fraction(value))
    return as_fraction(arb(value.abs_upper()).fmpq())


def _margins(rule: ChainRule, locals_: Mapping[int, Local]) -> list[tuple[Fraction, Row]]:
    """What is compared with 0 and is not 0 at the point: its value and its gradient."""
    graph, found = rule.graph, list[tuple[Fraction, Row]]()
    for index, node in graph.applied():
        if graph.input_free[index]:
            continue
        if extremum(node.op):
            found += _fold_margins(rule, node, locals_)
        terms = comparisons(node.op, node.params)
        args = [rule.values[arg] for arg in node.args]
        for element, point in enumerate(points_of(args, node) if terms else ()):
            for term in terms:
                value = term_value(term, point)
                if isinstance(value, fmpq) and value != 0:
                    weights = gradient_at(term, point, [True] * len(point))
                    rows = argument_rows(graph, node, locals_, element)
                    found.append((as_fraction(value), combination(weights, rows, len(rows[0]))))
    return found


def _fold_margins(
    rule: ChainRule, node: Apply, locals_: Mapping[int, Local]
) -> list[tuple[Fraction, Row]]:
    """The margin of the best element of each group over the others."""
    data = rule.values[node.args[0]]
    flat = objects(data).reshape(-1).tolist()
    found: list[tuple[Fraction, Row]] = []
    for group in tied_groups(node, data):
        best = group.tied[0]
        others = [k for k in group.group if k not in group.tied]
        rows = input_rows(rule.graph, locals_, node.args[0], [best, *others])
        for k, row in zip(others, rows[1:], strict=True):
            gap = tuple(a - b for a, b in zip(rows[0], row, strict=True))
            found.append((as_fraction(flat[best] - flat[k]), gap))
    return found


def smooth_validity(equations: Equations, point: Mapping[str, Array]) -> Validity:
    """The radii of boxes on which Krawczyk's operator proves one solution for every parameter.

    The point may have balls as unknowns; its parameters are rational.
    """
    centre = [v if isinstance(v, fmpq) else v.mid().fmpq() for v in equations.flat(point)]
    middle = [centre[k] for k in equations.unknowns]
    scale = 1 + max((int(abs(v)) for v in middle), default=0)

    def proved(radius: Fraction, wide: Fraction) -> bool:
        values = [arb(v, float(radius) * _PAD) for v in centre]
        balls = [arb(v, float(wide) * _PAD) for v in middle]
        return contract(equations, values, middle, balls, inside=True) is not None

    with working_precision(BITS):
        sides = (scale * Fraction(2) ** -power for power in range(-2, _SMALLEST))
        wide = next((side for side in sides if proved(side / _THIN, side)), None)
        if wide is None:
            return Validity(None, None, "no box of parameters and unknowns was proved")
        radius = next(wide / 2**k for k in range(6) if proved(wide / 2**k, wide) or 2**k == _THIN)
    return Validity(radius, wide, "Krawczyk's operator maps the box of unknowns into itself")
