"""Which elements win maxima and minima, on which parts of a polytope."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tamecheck.cells.polytope import Question
from tamecheck.cells.steps import Extreme
from tamecheck.cells.work import Work
from tamecheck.ir.tensor import Array

__all__ = ["by_winners"]


def by_winners(step: Extreme, work: Work) -> Iterator[tuple[Work, Array]]:
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
    ahead[rest] &= ~_repeated(part.table.value[:, places], exact, last=step.last)
    rest = rest[ahead[rest].sum(axis=1) > 1]
    ahead[rest] &= ~_beaten(low[:, rest], high[:, rest])
    return ahead


def _beaten(low: Array, high: Array) -> Array:
    """Who is below one other at every vertex; shapes ``(vertices, groups, count)``."""
    beaten = np.zeros(low.shape[1:], dtype=bool)
    for rival in range(low.shape[2]):
        beaten |= (high < low[:, :, rival : rival + 1]).all(axis=0)
    return beaten


def _repeated(forms: Array, exact: Array, *, last: bool) -> Array:
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
