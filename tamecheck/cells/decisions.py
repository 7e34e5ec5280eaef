"""How a deciding step divides a polytope."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TypeAlias, assert_never

import numpy as np

from tamecheck.cells.forms import NonlinearError
from tamecheck.cells.polytope import Question
from tamecheck.cells.steps import Deciding, Extreme, Order, Pick, Pieces, Round
from tamecheck.cells.work import Work
from tamecheck.errors import InputError
from tamecheck.exact.reals import as_number
from tamecheck.ir.tensor import Array

Leaf: TypeAlias = tuple[Work, Array]
"""A part of the polytope and the decisions that hold on it."""

_MAX_JUMPS = 1_000_000


def divide(step: Deciding, work: Work, *, lower: bool) -> Iterator[Leaf]:
    """The parts of a polytope on which a step is affine.

    With ``lower`` the parts of lower dimension count, where the step jumps.
    """
    match step:
        case Pieces(jump=jump):
            yield from _by_signs(work, work.table.value.shape[1], jump=jump and lower)
        case Extreme():
            yield from _by_winners(step, work)
        case Round():
            yield from _by_rounding(step, work, lower=lower)
        case Order(groups=groups, pairs=pairs):
            asked = [
                Question(row * groups.shape[1] + i, row * groups.shape[1] + j)
                for row in range(groups.shape[0])
                for i, j in pairs
            ]
            yield from _by_comparisons(work, asked)
        case Pick():
            yield work, _constant_indices(work)
        case _:
            assert_never(step)


def _by_signs(work: Work, count: int, *, jump: bool) -> Iterator[Leaf]:
    stack = [(work, np.zeros(count, dtype=np.int8), np.arange(count))]
    while stack:
        part, signs, open_ = stack.pop()
        values, errors = part.values[:, open_], part.errors[:, open_]
        above = (values > errors).all(axis=0)
        below = (values < -errors).all(axis=0)
        signs[open_[above]] = 1
        signs[open_[below]] = -1
        rest = open_[~(above | below)]
        if not rest.size:
            yield part, signs
            continue
        column, rest = int(rest[0]), rest[1:]
        for sign, child in part.cut(Question(column), jump=jump).by_sign():
            decided = signs.copy()
            decided[column] = sign
            stack.append((child, decided, rest))


def _by_comparisons(work: Work, asked: Sequence[Question]) -> Iterator[Leaf]:
    stack = [(work, list[int]())]
    while stack:
        part, signs = stack.pop()
        if len(signs) == len(asked):
            yield part, np.array(signs, dtype=np.int8)
            continue
        for sign, child in part.cut(asked[len(signs)]).by_sign():
            stack.append((child, [*signs, sign]))


def _by_rounding(step: Round, work: Work, *, lower: bool) -> Iterator[Leaf]:
    count, rounded = work.table.value.shape[1], list[int]()
    # one form may have a million pieces: they are made one at a time, as they are asked for
    stack: list[Iterator[tuple[Work, int]]] = [iter([(work, 0)])]
    while stack:
        found = next(stack[-1], None)
        del rounded[max(len(stack) - 2, 0) :]
        if found is None:
            stack.pop()
            continue
        part, value = found
        rounded += [value] if len(stack) > 1 else []
        if len(rounded) == count:
            yield part, np.array(rounded, dtype=np.int64)
        else:
            stack.append(_rounded_parts(step, part, len(rounded), lower=lower))


def _rounded_parts(
    step: Round, part: Work, column: int, *, lower: bool
) -> Iterator[tuple[Work, int]]:
    """The parts on which one rounded form is constant, and its value there."""
    half = Fraction(1, 2)
    value = step.integer_at(as_number(Fraction(float(part.values[0, column]))))
    rest = part
    for jump in _jumps(step, part, column):
        below, at, above = (step.integer_at(as_number(jump + shift)) for shift in (-half, 0, half))
        value = above
        if below == at == above:
            continue
        cut = rest.cut(Question(column, threshold=jump), jump=lower)
        if cut.negative is not None:
            yield cut.negative, below
        if cut.zero is not None:
            yield cut.zero, at
        if cut.positive is None:
            return
        rest = cut.positive
    yield rest, value


def _jumps(step: Round, part: Work, column: int) -> Iterator[Fraction]:
    values, errors = part.values[:, column], part.errors[:, column]
    low, high = float((values - errors).min()), float((values + errors).max())
    if not math.isfinite(high - low) or high - low > _MAX_JUMPS:
        raise InputError(
            f"{step.name} has more than {_MAX_JUMPS} pieces on the box.",
            hint="Give a smaller box.",
        )
    start = math.ceil(Fraction(low) - step.offset)
    for number in range(start, math.floor(Fraction(high) - step.offset) + 1):
        yield number + step.offset


def _constant_indices(work: Work) -> Array:
    table = work.table
    moving = table.value[:-1].any() or table.error.any()
    whole = np.rint(table.value[-1])
    if moving or bool((whole != table.value[-1]).any()):
        raise NonlinearError
    return whole.astype(np.int64)


def _by_winners(step: Extreme, work: Work) -> Iterator[tuple[Work, Array]]:
    """The parts of a polytope on which every group has one winner, and these winners.

    Most groups are decided by the floats, all at once; the others cut the polytope one by one.
    """
    rows, count = (int(n) for n in step.groups.shape)
    stack: list[tuple[Work, Array, Array]] = [
        (work, np.zeros(rows, dtype=np.int64), np.arange(rows))
    ]
    while stack:
        part, winners, open_ = stack.pop()
        ahead = _ahead(step, part, open_)
        alone = ahead.sum(axis=1) == 1
        winners[open_[alone]] = ahead[alone].argmax(axis=1)
        rest = open_[~alone]
        if not rest.size:
            yield part, winners
            continue
        first = int(rest[0]) * count
        rivals = np.flatnonzero(ahead[~alone][0]).tolist()
        for winner in rivals:
            won = _won(step, part, first, winner, rivals)
            if won is not None:
                decided = winners.copy()
                decided[rest[0]] = winner
                stack.append((won, decided, rest[1:]))


def _ahead(step: Extreme, part: Work, rows: Array) -> Array:
    """Who may win in some groups, a row each.

    Left out are those that one other beats at every vertex, and all but one of those that are
    certainly the same form.  The maximum of a group is that of the ones that are left.
    """
    count = int(step.groups.shape[1])
    columns = rows[:, None] * count + np.arange(count)
    values, errors = part.values[:, columns], part.errors[:, columns]
    if not step.largest:
        values = -values
    low, high = values - errors, values + errors
    # mostly one is above all others on the whole part
    least, most = low.min(axis=0), high.max(axis=0)
    ahead = most >= least.max(axis=1, keepdims=True)
    rest = np.flatnonzero(ahead.sum(axis=1) > 1)
    places = columns[rest]
    exact: Array = np.logical_not(part.table.error[:, places].any(axis=0))
    ahead[rest] &= ~_repeats(part.table.value[:, places], exact, last=step.last)
    rest = rest[ahead[rest].sum(axis=1) > 1]
    ahead[rest] &= ~_beaten(low[:, rest], high[:, rest])
    return ahead


def _beaten(low: Array, high: Array) -> Array:
    """Who is below one other at every vertex; shapes ``(vertices, groups, count)``."""
    beaten = np.zeros(low.shape[1:], dtype=bool)
    for rival in range(low.shape[2]):
        beaten |= (high < low[:, :, rival : rival + 1]).all(axis=0)
    return beaten


def _repeats(forms: Array, exact: Array, *, last: bool) -> Array:
    """Which forms equal one that is preferred, the first or the last of equals."""
    count = int(forms.shape[2])
    found = np.zeros(exact.shape, dtype=bool)
    for rival in range(count):
        one = slice(rival, rival + 1)
        behind = np.arange(count) < rival if last else np.arange(count) > rival
        found |= behind & exact & exact[:, one] & (forms == forms[:, :, one]).all(axis=0)
    return found


def _won(step: Extreme, part: Work, first: int, winner: int, rivals: list[int]) -> Work | None:
    """Where one is ahead of its rivals; among identical ones the first is, or the last."""
    won: Work | None = part
    for other in rivals:
        if other == winner or won is None:
            continue
        pair = (winner, other) if step.largest else (other, winner)
        cut = won.cut(Question(first + pair[0], first + pair[1]))
        same = (other < winner) if step.last else (other > winner)
        won = cut.zero if cut.zero is not None and same else cut.positive
    return won
