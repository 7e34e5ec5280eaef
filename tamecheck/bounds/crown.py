"""Bounds of all layers over a batch of boxes, each nonlinear layer's argument tightened first."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tamecheck.bounds.forward import carried, entry
from tamecheck.bounds.layers import Layers
from tamecheck.bounds.linear import Dense
from tamecheck.bounds.nonlinear import Largest, Pointwise, Product
from tamecheck.bounds.propagation import State, back, concretised, meet, start
from tamecheck.evaluate.intervals import Interval
from tamecheck.ir.tensor import Array

__all__ = ["bounded", "tightened"]

_FEW_INPUTS = 12
_WIDE = 120
_ELEMENTS = 1 << 23
"""The most elements that the functionals of one pass may have."""


def bounded(
    layers: Layers,
    lower: Array,
    upper: Array,
    *,
    known: Mapping[int, Interval] | None = None,
    tighten: bool = True,
) -> State:
    """Bounds of every layer on the boxes ``lower ≤ x ≤ upper``, one a row.

    Parameters
    ----------
    layers
        The network.
    lower, upper
        The boxes.
    known
        Bounds of some layers that hold already, one row a box.
    tighten
        Whether the arguments of nonlinear layers get bounds from functionals run back, and not
        from interval arithmetic alone.
    """
    state = start(layers, lower, upper)
    given = known or {}
    wanted = _arguments(layers) if tighten else frozenset[int]()
    if tighten and _wide(layers):
        return _carried_forward(state, given)
    direct = _direct(layers)
    with np.errstate(all="ignore"):
        for index in range(1, len(layers.layers)):
            state.extend(given.get(index))
            if index in wanted and index not in direct:
                tightened(state, index)
    return state


def _wide(layers: Layers) -> bool:
    """Whether functionals of the whole input are far fewer than those of the widest layer."""
    widest = max(layer.size for layer in layers.layers)
    return layers.inputs <= _FEW_INPUTS and widest >= _WIDE


def _carried_forward(state: State, known: Mapping[int, Interval]) -> State:
    layers = state.layers.layers
    with np.errstate(all="ignore"):
        affine = {0: entry(state.bounds[0])}
        last = {arg: index for index, layer in enumerate(layers) for arg in layer.args}
        for index in range(1, len(layers)):
            state.extend(known.get(index))
            affine[index] = carried(state, affine, index)
            for arg in layers[index].args:
                if last[arg] == index:
                    affine.pop(arg, None)
    return state


def _arguments(layers: Layers) -> frozenset[int]:
    """The layers that a nonlinear layer reads."""
    return frozenset(
        arg
        for layer in layers.layers
        if isinstance(layer, (Pointwise, Product, Largest))
        for arg in layer.args
    )


def _direct(layers: Layers) -> frozenset[int]:
    """Layers whose interval is exact: the input passes at most one sum on its way to them."""
    sums = [0]
    for layer in layers.layers[1:]:
        if isinstance(layer, (Pointwise, Product, Largest)):
            sums.append(9)
            continue
        deepest = max((sums[arg] for arg in layer.args), default=0)
        sums.append(
            deepest if len(layer.args) == 1 and not isinstance(layer, Dense) else deepest + 1
        )
    return frozenset(i for i, count in enumerate(sums) if count <= 1)


def tightened(state: State, index: int) -> None:
    """Replace the bounds of a layer, where its sign is open, by those of functionals run back."""
    bounds = state.bounds[index]
    open_ = ((bounds.lower < 0) & (bounds.upper > 0)).any(axis=0)
    layer_users = [
        layer
        for layer in state.layers.layers
        if isinstance(layer, (Pointwise, Product, Largest)) and index in layer.args
    ]
    if not all(isinstance(user, Pointwise) and user.scalar.kinked for user in layer_users):
        open_ = (bounds.lower < bounds.upper).any(axis=0)
    rows = np.flatnonzero(open_)
    if not rows.size:
        return
    widest = max(layer.size for layer in state.layers.layers[: index + 1])
    chunk = max(1, _ELEMENTS // (2 * widest * state.count))
    lower, upper = bounds.lower.copy(), bounds.upper.copy()
    for first in range(0, len(rows), chunk):
        chosen = rows[first : first + chunk]
        a = np.zeros((1, 2 * len(chosen), bounds.lower.shape[-1]))
        a[0, np.arange(len(chosen)), chosen] = 1.0
        a[0, len(chosen) + np.arange(len(chosen)), chosen] = -1.0
        found = concretised(state, back(state, index, a))
        lower[:, chosen], upper[:, chosen] = (
            found[:, : len(chosen)],
            -found[:, len(chosen) :],
        )
    state.bounds[index] = meet(bounds, Interval(lower, upper))
