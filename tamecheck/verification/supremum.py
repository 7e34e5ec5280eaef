"""The supremum of an output, piece by piece: of networks that jump, which have no exact program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from flint import fmpq

from tamecheck.budget import Budget
from tamecheck.exact.reals import as_fraction
from tamecheck.ir.graph import Graph
from tamecheck.ir.program import Sense
from tamecheck.ir.spec import Case
from tamecheck.verification.exact import NOT_REACHED, exact_of

_FEW, _SHARE = 64, 0.5
"""The most decisions of a network whose pieces may be few; the share of the time that is theirs."""
_LONG = 4.0
"""The seconds that cuts of small parts take, which are many more on large ones."""
_NEAR = fmpq(1, 1 << 20)
"""How far from a supremum that is not attained a point is looked for, in multiples of its size."""


def supremum(  # noqa: PLR0913 (a question, its limits, and a conversation)
    graph: Graph,
    ends: Sequence[tuple[Fraction, Fraction]],
    output: int,
    sense: Sense,
    *,
    budget: Budget,
    offer: Callable[[Sequence[Fraction]], Fraction | None],
) -> tuple[Fraction, bool] | None:
    """The least upper bound of an output on a box, and whether a point was seen to attain it.

    None if it is not known.  Bounds of pieces are multiplied out again in rationals.  ``offer``
    takes a point and gives the best value so far.  A minimum is the negative of a supremum.
    """
    exact = exact_of(graph)
    if exact is None or exact.decisions > _FEW:
        return None
    # counted, so that the same question has the same answer on a machine that is busy
    limit = replace(budget.share(_SHARE), nodes=exact.cuts_in(_LONG))
    lower, upper = ([end[k] for end in ends] for k in (0, 1))
    case, sign = Case(tuple(lower), tuple(upper), (), ()), -sense.sign
    best: fmpq | None = None
    attained = False
    try:
        for part, outputs in exact.pieces(case, limit):
            row = tuple(sign * a for a in outputs[:, output].tolist())
            over = part.range(row)[1]
            if best is not None and over is not None and not _is_more(over, best, attained):
                continue
            most = part.most(row)
            if most is None:
                return None
            if best is not None and not _is_more(most, best, attained):
                continue
            best, attained = most, False
            for lost in (fmpq(0), _NEAR * max(abs(most), fmpq(1))):
                near = part.cut([((*row[:-1], row[-1] - most + lost), False)])
                if near is not None:
                    value = offer([as_fraction(x) for x in near.point])
                    attained = value == sign * as_fraction(most)
                    break
    except NOT_REACHED:
        return None
    return None if best is None else (sign * as_fraction(best), attained)


def _is_more(value: fmpq, best: fmpq, attained: bool) -> bool:  # noqa: FBT001 (what best is)
    return value > best or (value == best and not attained)
