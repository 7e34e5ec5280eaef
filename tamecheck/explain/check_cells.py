"""Cells of inputs in a second look: their ends as exact numbers, and whether they have gaps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

from flint import fmpq

from tamecheck.exact.reals import as_number
from tamecheck.explain.attributes import Listed, Range
from tamecheck.explain.thresholds import Cell, Codes

Ends: TypeAlias = "tuple[fmpq | None, fmpq | None, bool, bool]"
"""The ends of an interval, and whether they belong to it."""


def runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """The first and last of consecutive numbers."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def ends(first: Cell, last: Cell) -> Ends:
    """All numbers from one cell to another one."""
    low = None if first.low is None else as_number(first.low)
    high = None if last.high is None else as_number(last.high)
    return low, high, first.closed[0], last.closed[1]


def clip(pair: Ends, at: fmpq, sides: frozenset[int]) -> list[Ends]:
    """The parts of an interval on some sides of a number: below (-1), at (0), above (1)."""
    low, high, opens, closes = pair
    found: list[Ends] = []
    if -1 in sides and (low is None or low < at):
        # up to the number, with it if it is asked for too
        below = high is not None and (high < at or (high == at and not closes))
        found.append(pair if below else (low, at, opens, 0 in sides))
    elif 0 in sides and (low is None or low < at or (low == at and opens)):
        there = high is None or high > at or (high == at and closes)
        found += [(at, at, True, True)] if there else []
    if 1 in sides and (high is None or high > at):
        above = low is not None and (low > at or (low == at and not opens))
        found.append(pair if above else (at, high, 0 in sides and not found, closes))
    return found


def covers(range_: Range, codes: Codes) -> bool:
    """Whether codes are all of a range: listed values, or cells without a gap."""
    if isinstance(range_, Listed):
        return set(codes.points) == set(range_.rows) and not codes.cells
    cells = codes.cells
    if not cells or cells[0].low != range_.low or cells[-1].high != range_.high:
        return False
    opens, closes = cells[0].closed[0], cells[-1].closed[1]
    if (range_.low is not None and not opens) or (range_.high is not None and not closes):
        return False
    for before, after in pairwise(cells):
        if before.high is None or after.low is None:
            return False
        if range_.integral:
            joined = before.closed[1] and after.closed[0] and after.low == before.high + 1
        else:
            joined = before.high == after.low and before.closed[1] != after.closed[0]
        if not joined:
            return False
    return True
