"""Rows and bounds that follow from a program: each is checked, and may be used by those after it.

Row number ``len(program.rows)`` is the cutoff: what is claimed is that no point with a better
objective exists, so that only points up to the next possible value count.  Derived rows come next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil

from tamecheck.kernel import read
from tamecheck.kernel.read import Json
from tamecheck.kernel.strict import Reject, pairs, require, spend, spend_long
from tamecheck.kernel_mip.program import End, Form, Program, Terms, longest, rational, total


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
    given = read.pairs(value, "multipliers are pairs")
    own = read.indices([i for i, _ in given], count)
    require(len({*own}) == len(own), f"a {what} is named twice")
    return list(pairs(own, [whole(n) for _, n in given]))


def derive(
    program: Program, raw: Sequence[object], cutoff: Fraction | None, at: list[int | None]
) -> tuple[Program, tuple[list[End], list[End]]]:
    """Return the program with the cutoff and derived rows, and the bounds that are derived."""
    own = replace(
        program,
        rows=[*program.rows, program.costs],
        row_lower=[*program.row_lower, None],
        row_upper=[*program.row_upper, cutoff],
    )
    lower, upper = program.hulls()
    for k, value in enumerate(raw):
        at[0] = k
        step = read.mapping(value)
        bits = (_cut if "cut" in step else _tighten)(own, step, lower, upper)
        own = replace(own, bits=max(own.bits, bits))
    at[0] = None
    # columns that can only be 0 add nothing
    spend(sum(map(len, own.rows)))
    gone = {j for j, (low, high) in enumerate(pairs(lower, upper)) if low == high == 0}
    costs, *rows = ([t for t in row if t[0] not in gone] for row in [own.costs, *own.rows])
    return replace(own, costs=costs, rows=rows), (lower, upper)


def _tighten(program: Program, step: Json, lower: list[End], upper: list[End]) -> int:
    """Narrow bounds, up to rounding of integer columns; return the bits of the longest.

    Multipliers show that 0 is at least their sides and the form.  So a column times what its term
    lacks of 0 (of old, times another number) is at least what is left of them.
    """
    old = "over" in step
    raw = read.fields(step, "tighten side to rows over" if old else "lower upper rows")
    y, times = terms_of(raw["rows"], len(program.rows)), 0
    if old:
        times = whole(raw["over"]) * program.scale
        require(times > 0, "multipliers have a positive denominator")
        require(raw["side"] in ("lower", "upper"), "unknown side")
        raw = {"lower": [], "upper": [], raw["side"]: [[raw["tighten"], raw["to"]]]}
    form = program.combine(y, Form(int))
    ends = {j: (d, (lower if d > 0 else upper)[j]) for j, d in form.items() if d}
    loose = {j for j, (_, end) in ends.items() if end is None}
    rest = total([*program.sides(y), *(pair for j, pair in ends.items() if j not in loose)])
    bits, given = longest([rest, times, *form.values()]), list[Fraction]()
    for sign, side, own in ((1, "lower", lower), (-1, "upper", upper)):
        for k, text in read.pairs(raw[side], "bounds are pairs"):
            j, to = read.integer(k, 0, len(lower) - 1), rational(text)
            require(not program.semi[j], f"column {j} is a semi variable")
            spend_long(16, bits)
            d, end = ends.get(j, (0, 0))
            by = sign * times or -d
            last = (lower if d + by > 0 else upper)[j] if d + by else 0
            if rest is None or last is None or sign * by <= 0 or loose - {j}:
                raise Reject("the multipliers prove no bound")
            shown = Fraction(rest - d * (end or 0) + (d + by) * last) / abs(by)
            new, known = sign * to, own[j]
            if program.integral[j]:
                new, shown = ceil(new), ceil(shown)
            require(new <= shown, "the bound is not proved")
            own[j] = sign * (new if known is None else max(new, sign * known))
            given.append(to)
    return longest(given)


def _cut(program: Program, step: Json, lower: list[End], upper: list[End]) -> int:
    """Add a row that holds on both sides of a disjunction of integers; return its bits."""
    raw = read.fields(step, "cut least split at sides")
    scale = program.scale
    cut, split = (terms_of(raw[key], len(lower), "column") for key in ("cut", "split"))
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
        form = Form(int, [(j, a * over * scale) for j, a in cut])
        for j, p in split:
            form[j] -= sign * p * times * scale
        found = program.least(y, form, lower, upper)
        if found is None:
            raise Reject("the multipliers of a side prove nothing")
        shown = Fraction(found) / scale + times * limit
        # with denominator 0 they show that there is no point on this side
        holds = shown >= least * over if over else shown > 0
        require(holds, "the row is not proved on a side")
    row = [(j, a * scale) for j, a in cut]
    bits = longest([least, *(a for _, a in row)])
    spend_long(len(cut), bits)
    program.rows.append(row)
    program.row_lower.append(least.numerator if least.denominator == 1 else least)
    program.row_upper.append(None)
    return bits
