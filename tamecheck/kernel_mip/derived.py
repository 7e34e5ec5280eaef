"""Rows and bounds that follow from a program: each is checked, and may be used by those after it.

Row number ``len(program.rows)`` is the cutoff: what is claimed is that no point with a better
objective exists, so that only points up to the next possible value count.  Derived rows come next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor

from tamecheck.kernel import read
from tamecheck.kernel.read import Json
from tamecheck.kernel.strict import Reject, require, spend, spend_long
from tamecheck.kernel_mip.program import End, Program, Terms, longest, rational


def whole(value: object) -> int:
    """Read an integer of any length, a long one from a string."""
    if type(value) is int:
        require(-(10**18) < value < 10**19, "an integer of more than 19 characters is a string")
        return value
    number = rational(value)
    require(number.denominator == 1, "an integer was expected")
    return number.numerator


def terms_of(value: object, count: int, what: str = "row") -> Terms:
    """Read pairs of an index below the count, each once, and an integer."""
    given = [read.pair(entry, "multipliers are pairs") for entry in read.items(value)]
    y = [(read.integer(i, 0, count - 1), whole(n)) for i, n in given]
    require(len({i for i, _ in y}) == len(y), f"a {what} is named twice")
    return y


def derive(
    program: Program, raw: Sequence[object], cutoff: Fraction | None, at: list[int | None]
) -> Program:
    """Return the program with the cutoff and what is derived, in the order in which it is."""
    own = replace(
        program,
        rows=[*program.rows, list(enumerate(program.costs))],
        row_lower=[*program.row_lower, None],
        row_upper=[*program.row_upper, cutoff],
        lower=list(program.lower),
        upper=list(program.upper),
    )
    for k, value in enumerate(raw):
        at[0] = k
        step = read.mapping(value)
        own = _tighten(own, step) if "tighten" in step else _cut(own, step)
    at[0] = None
    return own


def _hulls(program: Program) -> tuple[list[End], list[End]]:
    """Return the bounds of all columns."""
    spend(len(program.costs))
    ends = [program.hull(j) for j in range(len(program.costs))]
    return [low for low, _ in ends], [high for _, high in ends]


def _tighten(program: Program, step: Json) -> Program:
    """Add a bound of a column: the multipliers prove it, up to rounding of an integer column."""
    raw = read.fields(step, "tighten side to rows over")
    j = read.integer(raw["tighten"], 0, len(program.costs) - 1)
    require(read.word(raw["side"]) in ("lower", "upper"), "unknown side")
    require(not program.semi[j], f"column {j} is a semi variable")
    sign = 1 if raw["side"] == "lower" else -1
    y, over, to = (
        terms_of(raw["rows"], len(program.rows)),
        whole(raw["over"]),
        rational(raw["to"]),
    )
    require(over > 0, "multipliers have a positive denominator")
    costs = [0] * len(program.costs)
    costs[j] = sign * over * program.scale
    least = program.least(y, costs, *_hulls(program))
    if least is None:
        raise Reject("the multipliers prove no bound")
    end: Fraction | int = Fraction(least) / (over * program.scale)
    if program.integral[j]:
        end = ceil(end)
    require(sign * to <= end, "the bound is not proved")
    lower, upper = list(program.lower), list(program.upper)
    low, high = lower[j], upper[j]
    if sign > 0:
        own = ceil(to) if program.integral[j] else to
        lower[j] = own if low is None else max(own, low)
    else:
        own = floor(to) if program.integral[j] else to
        upper[j] = own if high is None else min(own, high)
    return replace(program, lower=lower, upper=upper, bits=max(program.bits, longest([to])))


def _cut(program: Program, step: Json) -> Program:
    """Add a row that holds on both sides of a disjunction of integers."""
    raw = read.fields(step, "cut least split at sides")
    count, scale = len(program.costs), program.scale
    cut, split = (terms_of(raw[key], count, "column") for key in ("cut", "split"))
    least, k = rational(raw["least"]), whole(raw["at"])
    require(all(program.integral[j] for j, _ in split), "a disjunction is about integers")
    sides = read.items(raw["sides"])
    require(len(sides) == 2, "a disjunction has two sides")
    # split x <= k, or split x >= k + 1
    for sign, limit, value in ((-1, -k, sides[0]), (1, k + 1, sides[1])):
        side = read.fields(value, "rows over times")
        y, over = terms_of(side["rows"], len(program.rows)), whole(side["over"])
        times = whole(side["times"])
        require(over >= 0 and times >= 0, "a multiplier of a side is negative")
        costs = [0] * count
        for j, a in cut:
            costs[j] += a * over * scale
        for j, p in split:
            costs[j] -= sign * p * times * scale
        found = program.least(y, costs, *_hulls(program))
        if found is None:
            raise Reject("the multipliers of a side prove nothing")
        shown = Fraction(found) / scale + times * limit
        # with denominator 0 they show that there is no point on this side
        holds = shown >= least * over if over else shown > 0
        require(holds, "the row is not proved on a side")
    bits = max(program.bits, longest([least, *(a * scale for _, a in cut)]))
    spend_long(len(cut), bits)
    return replace(
        program,
        rows=[*program.rows, [(j, a * scale) for j, a in cut]],
        row_lower=[*program.row_lower, least.numerator if least.denominator == 1 else least],
        row_upper=[*program.row_upper, None],
        bits=bits,
    )
