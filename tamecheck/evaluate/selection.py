"""Which elements an op takes: argmax, argmin, argsort, indexing, and the places of what is moved.

Arrays of floats and integers are compared by NumPy.  Arrays of exact numbers are compared one by
one by `order`, which may find that a comparison of two balls is not decided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cmp_to_key
from typing import Any

import numpy as np

from tamecheck.errors import DomainError, UnsupportedError
from tamecheck.evaluate.walk import Site, axis_last, lanes_of
from tamecheck.ir.graph import Apply
from tamecheck.ir.op import Routing
from tamecheck.ir.tensor import Array, Shape, positions, size_of
from tamecheck.ops import GATHER
from tamecheck.ops.facets import chooses_indices, extremum
from tamecheck.ops.shapes import axis_of

Order = Callable[[Any, Any], int]
"""-1, 0 or 1 as the first number is less than, equal to or greater than the second."""


def select(site: Site, args: Sequence[Array], order: Order) -> Array:
    """The value of a selection op; indices come out as int64.

    Raises
    ------
    DomainError
        If a computed index is no integer, or outside the data.
    """
    params, way = site.params, extremum(site.op)
    if not chooses_indices(site.op):
        return pick(site, args[0], _indices(args[1], site.where))
    lanes = axis_last(args[0], params)
    if not way:
        chosen = _sorted(lanes, descending=bool(params["descending"]), order=order)
        axis = axis_of(args[0].shape, params)
        rest = tuple(n for i, n in enumerate(args[0].shape) if i != axis)
        return np.moveaxis(chosen.reshape((*rest, args[0].shape[axis])), -1, axis)
    chosen = _extreme(lanes, largest=way > 0, last=bool(params["last"]), order=order)
    return chosen.reshape(site.shape)


def pick(site: Site, data: Array, indices: Array) -> Array:
    """Elements of ``data`` at integer ``indices``; negative ones count from the end.

    Raises `DomainError` if an index is outside the data.
    """
    axis = axis_of(data.shape, site.params)
    extent = data.shape[axis]
    if indices.size and (int(indices.min()) < -extent or int(indices.max()) >= extent):
        worst = int(indices.max()) if int(indices.max()) >= extent else int(indices.min())
        raise DomainError(
            f"The index {worst} is outside an axis of extent {extent}.", where=site.where
        )
    if site.op is GATHER:
        # NumPy takes an element out of its array where a single one is left
        return np.asarray(np.take(data, indices, axis=axis), dtype=data.dtype)
    window = tuple(slice(None) if i == axis else slice(0, n) for i, n in enumerate(indices.shape))
    return np.take_along_axis(data[window], indices, axis=axis)


def _indices(values: Array, where: str) -> Array:
    if values.dtype.kind in "iu":
        return values
    if values.dtype == object:
        whole = np.array([int(v) for v in values.reshape(-1).tolist()], dtype=object)
        whole = whole.reshape(values.shape)
        fits = bool(np.asarray(whole == values).all())
    else:
        whole = np.floor(values)
        fits = bool((whole == values).all()) and bool((np.abs(values) < 2**53).all())
    if not fits:
        raise DomainError("An index is not an integer.", where=where)
    return whole.astype(np.int64)


def _extreme(lanes: Array, *, largest: bool, last: bool, order: Order) -> Array:
    if lanes.dtype != object:
        seen = lanes[:, ::-1] if last else lanes
        found = np.argmax(seen, axis=1) if largest else np.argmin(seen, axis=1)
        return lanes.shape[1] - 1 - found if last else found
    sign = 1 if largest else -1
    best: list[int] = []
    for lane in lanes.tolist():
        at = 0
        for index in range(1, len(lane)):
            found = sign * order(lane[index], lane[at])
            if found > 0 or (last and found == 0):
                at = index
        best.append(at)
    return np.array(best, dtype=np.int64)


def _sorted(lanes: Array, *, descending: bool, order: Order) -> Array:
    if lanes.dtype != object:
        if not descending:
            return np.argsort(lanes, axis=1, kind="stable")
        # negation may overflow for integers; reversing twice keeps ties in order
        back = np.argsort(lanes[:, ::-1], axis=1, kind="stable")
        return (lanes.shape[1] - 1 - back)[:, ::-1]
    sign = -1 if descending else 1

    def compare(left: tuple[int, Any], right: tuple[int, Any]) -> int:
        return sign * order(left[1], right[1])

    rows: list[list[int]] = []
    listed: list[list[Any]] = lanes.tolist()
    for lane in listed:
        numbered: list[tuple[int, Any]] = list(enumerate(lane))
        rows.append([index for index, _ in sorted(numbered, key=cmp_to_key(compare))])
    return np.array(rows, dtype=np.int64).reshape(lanes.shape)


def gather_index(site: Site, shape: Shape, indices: Array) -> Array:
    """Where each element of a gathering op comes from, in the data's elements in one row."""
    if indices.dtype != object and bool(np.isfinite(indices).all()):
        return np.asarray(pick(site, positions(shape), indices.astype(np.int64)))
    whole = [int(v) for v in indices.reshape(-1).tolist()]
    return np.asarray(
        pick(site, positions(shape), np.array(whole, np.int64).reshape(indices.shape))
    )


def route_index(node: Apply, shapes: Sequence[Shape]) -> Array:
    """Where each element of a routing op comes from, in the arguments' elements in one row.

    What the op inserts comes from behind the last of them.
    """
    meaning = node.op.meaning
    if not isinstance(meaning, Routing):
        raise UnsupportedError("This op moves no elements.", nodes=[(node.label, node.op.name)])
    start, numbers = 0, list[Array]()
    for shape in shapes:
        numbers.append(positions(shape, start))
        start += size_of(shape)
    params = dict(node.params)
    if isinstance(params.get("value"), Fraction):
        params["value"] = Fraction(start)
    return np.asarray(meaning.route(numbers, params)).astype(np.int64)


def compared_groups(node: Apply, shape: Shape) -> Array:
    """The flat positions that a fold or choice compares, one row for each output element."""
    return lanes_of(node.op, positions(shape), node.params)
