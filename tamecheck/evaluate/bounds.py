"""Enclosures of pointwise ops: the hull, over the pieces that may hold, of their terms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tamecheck.evaluate.conditions import Floors, refined, term_interval, truth
from tamecheck.evaluate.enclosure import Enclosure, core, spread
from tamecheck.evaluate.intervals import Interval
from tamecheck.ir.formula import TRUE, Floor, Piece, Term, Var, subterms
from tamecheck.ir.op import Params, Pointwise
from tamecheck.ir.tensor import Array, Shape

__all__ = ["pointwise_enclosure"]

_FLOOR = Floor(Var(0))


def pointwise_enclosure(
    meaning: Pointwise, args: Sequence[Enclosure], params: Params, shape: Shape
) -> Enclosure | None:
    """The range of a pointwise op, or None when its domain condition is not shown to hold."""
    ranges = [Interval(core(arg.lower), core(arg.upper)) for arg in args]
    domain = meaning.domain(params)
    if domain != TRUE and not bool(np.all(truth(domain, ranges, {})[0])):
        return None
    pieces = meaning.pieces(params)
    if len(pieces) == 1 and pieces[0].condition == TRUE:
        return spread(*term_interval(pieces[0].term, ranges, {}), shape)
    if len(args) == 1 and any(_FLOOR in subterms(root) for root in _roots(pieces)):
        found = _by_unit_cells(pieces, ranges[0])
    else:
        found = _hull(pieces, ranges, {})
    # a graph is total on its domain; bounds that no piece gave would be those of an empty set
    gap = found.lower > found.upper
    return spread(np.where(gap, -np.inf, found.lower), np.where(gap, np.inf, found.upper), shape)


def _roots(pieces: Sequence[Piece]) -> list[Term]:
    terms = [piece.term for piece in pieces]
    return terms + [term for piece in pieces for term in subterms(piece.condition)]


def _hull(pieces: Sequence[Piece], args: Sequence[Interval], floors: Floors) -> Interval:
    """The hull over the pieces; ``(inf, -inf)`` where none may hold."""
    low: Array = np.asarray(np.inf)
    high: Array = np.asarray(-np.inf)
    for piece in pieces:
        possible = ~truth(piece.condition, args, floors)[1]
        cut = refined(piece.condition, args, floors)
        for part in cut:
            possible = possible & (part.lower <= part.upper)
        if not np.any(possible):
            continue
        # where the piece is not possible the argument is not cut, since it may be empty
        inside = [
            Interval(np.where(possible, c.lower, a.lower), np.where(possible, c.upper, a.upper))
            for c, a in zip(cut, args, strict=True)
        ]
        value = term_interval(piece.term, inside, floors)
        unknown_low = np.where(np.isnan(value.lower), -np.inf, value.lower)
        unknown_high = np.where(np.isnan(value.upper), np.inf, value.upper)
        low = np.minimum(low, np.where(possible, unknown_low, np.inf))
        high = np.maximum(high, np.where(possible, unknown_high, -np.inf))
    return Interval(low, high)


def _by_unit_cells(pieces: Sequence[Piece], x: Interval) -> Interval:
    """The hull over the first, the last and all the middle unit cells of an argument.

    Within one cell the floor is known, so a rounding is as tight as its two ends.
    """
    first, last = np.floor(x.lower), np.floor(x.upper)
    parts = (
        (
            Interval(x.lower, np.minimum(x.upper, first + 1)),
            Interval(first, first),
            np.isfinite(first),
        ),
        (
            Interval(np.maximum(x.lower, last), x.upper),
            Interval(last, last),
            np.isfinite(last) & (first < last),
        ),
        (Interval(first + 1, last), Interval(first + 1, last - 1), first + 1 < last),
    )
    low: Array = np.asarray(np.inf)
    high: Array = np.asarray(-np.inf)
    for cell, known, there in parts:
        # a cell that is not there is replaced by the whole argument, since it may be empty
        whole = Interval(np.where(there, cell.lower, x.lower), np.where(there, cell.upper, x.upper))
        floors: dict[Term, Interval] = {
            _FLOOR: Interval(
                np.where(there, known.lower, -np.inf), np.where(there, known.upper, np.inf)
            )
        }
        value = _hull(pieces, [whole], floors)
        low = np.minimum(low, np.where(there, value.lower, np.inf))
        high = np.maximum(high, np.where(there, value.upper, -np.inf))
    return Interval(low, high)
