"""How a deciding step divides a polytope, and what its value is on each part."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TypeAlias, TypeVar, assert_never

import numpy as np

from tamecheck.cells.affine import affine, holds
from tamecheck.cells.forms import Forms, NonlinearError
from tamecheck.cells.polytope import Question
from tamecheck.cells.steps import Extreme, Order, Pick, Pieces, Round
from tamecheck.cells.winners import by_winners
from tamecheck.cells.work import Work
from tamecheck.errors import InputError
from tamecheck.evaluate.exact_terms import rational_pieces
from tamecheck.evaluate.selection import pick
from tamecheck.exact.reals import as_fraction, as_number
from tamecheck.ir.tensor import Array, size_of

__all__ = ["Deciding", "Leaf", "combined", "divided"]

F = TypeVar("F", bound=Forms)
Deciding: TypeAlias = Pieces | Extreme | Round | Order | Pick
Leaf: TypeAlias = tuple[Work, Array]
"""A part of the polytope and the decisions that hold on it."""

_MAX_JUMPS = 1_000_000


def divided(step: Deciding, work: Work, *, lower: bool) -> Iterator[Leaf]:
    """The parts of a polytope on which a step is affine.

    Parameters
    ----------
    lower
        Whether the parts of lower dimension count, where the step jumps.
    """
    match step:
        case Pieces(jump=jump):
            yield from _by_signs(work, work.table.value.shape[1], jump=jump and lower)
        case Extreme():
            yield from by_winners(step, work)
        case Round():
            yield from _by_rounding(step, work, lower=lower)
        case Order(_, groups, pairs, _, _):
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
        cut = part.cut(Question(column), jump=jump)
        for sign, child in ((1, cut.positive), (0, cut.zero), (-1, cut.negative)):
            if child is not None:
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
        cut = part.cut(asked[len(signs)])
        for sign, child in ((1, cut.positive), (0, cut.zero), (-1, cut.negative)):
            if child is not None:
                stack.append((child, [*signs, sign]))


def _by_rounding(step: Round, work: Work, *, lower: bool) -> Iterator[Leaf]:
    count = work.table.value.shape[1]
    if not count:
        yield work, np.array([], dtype=np.int64)
        return
    # one form may have a million pieces: they are made one at a time, as they are asked for
    rounded: list[int] = []
    stack = [_rounded_parts(step, work, 0, lower=lower)]
    while stack:
        found = next(stack[-1], None)
        del rounded[len(stack) - 1 :]
        if found is None:
            stack.pop()
            continue
        part, value = found
        rounded.append(value)
        if len(rounded) == count:
            yield part, np.array(rounded, dtype=np.int64)
        else:
            stack.append(_rounded_parts(step, part, len(rounded), lower=lower))


def _rounded_parts(
    step: Round, part: Work, column: int, *, lower: bool
) -> Iterator[tuple[Work, int]]:
    """The parts on which one rounded form is constant, and its value there."""
    half = Fraction(1, 2)
    value = _rounded(step, Fraction(float(part.values[0, column])))
    rest = part
    for jump in _jumps(step, part, column):
        below, at, above = (_rounded(step, jump + shift) for shift in (-half, 0, half))
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


def _rounded(step: Round, value: Fraction) -> int:
    array = np.empty(1, dtype=object)
    array[0] = as_number(value)
    found = rational_pieces(step.pieces, [array])
    return int(as_fraction(found[0]))


def _constant_indices(work: Work) -> Array:
    table = work.table
    moving = table.value[:-1].any() or table.error.any()
    whole = np.rint(table.value[-1])
    if moving or bool((whole != table.value[-1]).any()):
        raise NonlinearError
    return whole.astype(np.int64)


def combined(step: Deciding, args: Sequence[F], decided: Array) -> F:
    """The value of a step on cells, from its arguments and its decisions there.

    Parameters
    ----------
    decided
        One row a cell; the arguments have one entry a cell, or one for all.
    """
    cells = len(decided)
    match step:
        case Pieces(_, pieces, terms, shape, _):
            padded = [arg.padded(len(shape)) for arg in args]
            stacked = decided.reshape((cells, len(terms), *shape))
            signs = [stacked[:, number] for number in range(len(terms))]
            parts = [affine(piece.term, padded) for piece in pieces]
            if len(pieces) == 1 and not terms and parts[0].shape == shape:
                return parts[0]
            tail = (cells, *shape)
            masks = [np.broadcast_to(holds(p.condition, terms, signs), tail) for p in pieces]
            return parts[0].choose(masks, parts, shape)
        case Extreme(_, groups, shape, _, _, index):
            if index:
                return args[0].integers(decided.reshape((cells, *shape)))
            where = groups[np.arange(len(groups)), decided]
            return args[0].picked(where, shape)
        case Round():
            return args[0].integers(decided.reshape((cells, *args[0].shape)))
        case Order(_, groups, pairs, descending, back):
            signs = decided.reshape((cells, len(groups), len(pairs)))
            ranks = _sorted(signs, pairs, groups.shape[1], descending=descending)
            return args[0].integers(ranks.reshape(cells, -1)[:, back])
        case Pick(_, _, site, data_shape):
            numbers = np.arange(size_of(data_shape)).reshape(data_shape)
            indices = decided.reshape((cells, *args[1].shape))
            rows = [pick(site, numbers, one).reshape(-1) for one in indices]
            return args[0].picked(np.array(rows, dtype=np.int64), site.shape)
        case _:
            assert_never(step)


def _sorted(
    signs: Array, pairs: Sequence[tuple[int, int]], count: int, *, descending: bool
) -> Array:
    """The stable sorting permutation from the signs of all differences ``x_i - x_j``, i < j."""
    before = np.zeros((*signs.shape[:2], count), dtype=np.int64)
    for number, (i, j) in enumerate(pairs):
        later = signs[:, :, number] < 0 if descending else signs[:, :, number] > 0
        before[:, :, i] += later
        before[:, :, j] += ~later
    return np.argsort(before, axis=2, kind="stable")
