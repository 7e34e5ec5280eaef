"""The region of a piecewise affine network around a point, on which it is one affine function."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tamecheck.bounds import (
    Combine,
    Dense,
    Entry,
    Largest,
    Layers,
    Pointwise,
    Product,
    Route,
    Scale,
)
from tamecheck.bounds.scalar import Scalar
from tamecheck.ir.tensor import Array

__all__ = ["Region", "piecewise_affine", "region"]

_BREAKS_AT_ZERO = frozenset({"relu", "leaky_relu", "abs", "sign", "step"})
_HUGE = 1e300


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """``slope · x + shift`` where ``low <= rows x <= high``.

    Shapes: ``slope`` (inputs,), ``rows`` (pieces, inputs), ``low`` and ``high`` (pieces,).
    """

    slope: Array
    shift: float
    rows: Array
    low: Array
    high: Array


def _breaks(scalar: Scalar) -> Array | None:
    """The points between which the function is affine; None if it is not piecewise affine."""
    if scalar.name in _BREAKS_AT_ZERO:
        return np.zeros(1)
    if scalar.name == "clip":
        ends = scalar.value(np.array([-_HUGE, _HUGE]))
        return ends[np.abs(ends) < _HUGE]
    return None


def piecewise_affine(layers: Layers) -> bool:
    """Whether every layer is piecewise affine, with pieces that `region` knows."""
    return all(
        not isinstance(layer, Product)
        and (not isinstance(layer, Pointwise) or _breaks(layer.scalar) is not None)
        for layer in layers.layers
    )


def region(layers: Layers, x: Array, output: int) -> Region:
    """The affine function and the inequalities of the activation pattern at ``x``.

    At a bend one of the patterns is taken.  Costs as much as evaluating ``inputs`` points.
    """
    values = layers.values(x)
    slopes: list[Array] = []
    rows: list[Array] = []
    lows: list[Array] = []
    highs: list[Array] = []
    for layer in layers.layers:
        args = [slopes[arg] for arg in layer.args]
        match layer:
            case Entry():
                slopes.append(np.eye(layer.size))
            case Route() | Scale() | Combine() | Dense():
                slopes.append(layer.apply(args))
            case Pointwise():
                v, slope = values[layer.args[0]], args[0]
                breaks = _breaks(layer.scalar)
                if breaks is None:
                    raise ValueError("not piecewise affine")
                ends = np.concatenate([[-np.inf], breaks, [np.inf]])
                # below the first break strictly: like the one-sided slopes of the layers
                piece = (v[:, np.newaxis] > breaks).sum(-1)
                own = v - slope.T @ x
                rows.append(slope.T)
                lows.append(ends[piece] - own)
                highs.append(ends[piece + 1] - own)
                slopes.append(slope * layer.scalar.slope(v))
            case Largest():
                v, slope = values[layer.args[0]], args[0]
                best = v.reshape(layer.size, layer.group).argmax(-1)
                first = best + np.arange(layer.size) * layer.group
                chosen = np.repeat(first, layer.group)
                ahead = (slope[:, chosen] - slope).T
                rows.append(ahead)
                lows.append(ahead @ x - (v[chosen] - v))
                highs.append(np.full(len(v), np.inf))
                slopes.append(slope[:, first])
            case Product():
                raise ValueError("not piecewise affine")
    count = layers.inputs
    slope = slopes[-1][:, output]
    return Region(
        slope,
        float(values[-1][output] - slope @ x),
        np.concatenate([np.zeros((0, count)), *rows]),
        np.concatenate([np.zeros(0), *lows]),
        np.concatenate([np.zeros(0), *highs]),
    )
