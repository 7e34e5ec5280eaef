"""Sums of products in index notation, as matrix products of two operands at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.loaders.onnx.context import Context, Outputs
from tamecheck.loaders.onnx.kinds import Value

__all__ = ["EINSUM"]

# labels of the axes that an ellipsis stands for: no letters, so that none is taken
_DOTS = "0123456789"


def _parsed(equation: str, values: list[Value]) -> tuple[list[str], str]:
    """The labels of each operand and of the result, with ellipses spelled out."""
    text = equation.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(values):
        raise InputError(f"The equation {equation!r} does not fit {len(values)} operands.")
    labels: list[str] = []
    depth = 0
    for term, value in zip(terms, values, strict=True):
        named = term.replace("...", "")
        missing = value.rank - len(named)
        if missing < 0 or missing > len(_DOTS) or (missing and "..." not in term):
            raise InputError(f"The term {term!r} does not fit shape {value.shape}.")
        depth = max(depth, missing if "..." in term else 0)
        # ellipses are aligned at their ends, as in broadcasting
        labels.append(term.replace("...", _DOTS[len(_DOTS) - missing :]))
    if not arrow:
        counts = "".join(term.replace("...", "") for term in terms)
        right = "..." + "".join(sorted(c for c in set(counts) if counts.count(c) == 1))
    result = right.replace("...", _DOTS[len(_DOTS) - depth :])
    known = set("".join(labels))
    letters = set((left + right).replace("...", "").replace(",", ""))
    if not all(c.isascii() and c.isalpha() for c in letters) or len(set(result)) < len(result):
        raise InputError(f"The equation {equation!r} is malformed.")
    if not set(result) <= known:
        raise InputError(f"The equation {equation!r} has a new index in its result.")
    return labels, result


def _diagonal(ctx: Context, value: Value, labels: str) -> tuple[Value, str]:
    """The operand on the diagonal of axes with the same label."""
    for label in labels:
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            extent = value.shape[first]
            if value.shape[second] != extent:
                raise InputError(f"The index {label!r} has two extents.")
            rest = [i for i in range(value.rank) if i not in (first, second)]
            moved = ctx.transpose(value, (first, second, *rest))
            flat = ctx.reshape(moved, (extent * extent, *moved.shape[2:]))
            value = ctx.take(flat, np.arange(extent, dtype=np.int64) * (extent + 1), 0)
            labels = label + "".join(labels[i] for i in rest)
    return value, labels


def _summed(ctx: Context, value: Value, labels: str, kept: set[str]) -> tuple[Value, str]:
    """The operand summed over the labels that nothing else needs."""
    axes = tuple(i for i, label in enumerate(labels) if label not in kept)
    if not axes:
        return value, labels
    return ctx.total(value, axes, keepdims=False), "".join(c for c in labels if c in kept)


def _arranged(ctx: Context, value: Value, labels: str, order: str) -> Value:
    """The operand with its axes in the given order, extent 1 where it has none."""
    present = [label for label in order if label in labels]
    moved = ctx.transpose(value, [labels.index(label) for label in present])
    extents = dict(zip(present, moved.shape, strict=True))
    return ctx.reshape(moved, [extents.get(label, 1) for label in order])


def _product(
    ctx: Context, left: tuple[Value, str], right: tuple[Value, str], kept: set[str]
) -> tuple[Value, str]:
    """The product of two operands, summed over the labels that nothing else needs."""
    left, right = (
        _summed(ctx, *side, kept | set(other))
        for side, other in ((left, right[1]), (right, left[1]))
    )
    shared = [c for c in left[1] if c in right[1]]
    extents = {c: (_extent(left, c), _extent(right, c)) for c in shared}
    if any(n != m and 1 not in (n, m) for n, m in extents.values()):
        raise InputError("An index has two extents.")
    uneven = [c for c in shared if extents[c][0] != extents[c][1] and c not in kept]
    if uneven:
        raise ctx.refuse("a sum over broadcast axes is not read.")
    batch = "".join(c for c in shared if c in kept)
    inner = "".join(c for c in shared if c not in kept)
    rows = "".join(c for c in left[1] if c not in right[1])
    columns = "".join(c for c in right[1] if c not in left[1])
    one = _arranged(ctx, *left, batch + rows + inner)
    two = _arranged(ctx, *right, batch + inner + columns)
    depth = math.prod(extents[c][0] for c in inner)
    height = math.prod(_extent(left, c) for c in rows)
    width = math.prod(_extent(right, c) for c in columns)
    one = ctx.reshape(one, (*one.shape[: len(batch)], height, depth))
    two = ctx.reshape(two, (*two.shape[: len(batch)], depth, width))
    found = ctx.apply(ops.MATMUL, one, two)
    tail = [_extent(left, c) for c in rows] + [_extent(right, c) for c in columns]
    return ctx.reshape(found, (*found.shape[: len(batch)], *tail)), batch + rows + columns


def _extent(operand: tuple[Value, str], label: str) -> int:
    return operand[0].shape[operand[1].index(label)]


def _einsum(ctx: Context) -> Outputs:
    values = ctx.all_inputs()
    labels, result = _parsed(ctx.attributes.text("equation"), values)
    operands = [_diagonal(ctx, value, term) for value, term in zip(values, labels, strict=True)]
    current = operands[0]
    for index, operand in enumerate(operands[1:], start=1):
        later = set(result).union(*(term for _, term in operands[index + 1 :]))
        current = _product(ctx, current, operand, later)
    value, term = _summed(ctx, *current, set(result))
    return (_arranged(ctx, value, term, result),)


EINSUM: Mapping[str, Callable[[Context], Outputs]] = MappingProxyType({"Einsum": _einsum})
"""The operators of this file."""
