"""From a network to an exact point of its training program."""

from __future__ import annotations

from fractions import Fraction
from typing import cast

import numpy as np
import numpy.typing as npt

from tamecheck.learn.mip.encoding import Encoding, factors
from tamecheck.learn.mip.task import Grid, Params
from tamecheck.learn.network import Floats, Layer

__all__ = ["lifted", "normal_form"]

Exact = npt.NDArray[np.object_]


def normal_form(encoding: Encoding, params: Params) -> Params:
    """An equal network with neurons sorted and turned as the program wants them."""
    weights = [layer.weights.copy() for layer in params]
    offsets = [layer.offset.copy() for layer in params]
    for number in range(len(params) - 1):
        grid = encoding.grids[number]
        if grid.above == -grid.below:
            last = number == len(params) - 2
            lead = weights[number + 1][:, 0] if last else weights[number][0]
            turn = np.where(lead < 0, -1.0, 1.0)
            weights[number] *= turn
            offsets[number] *= turn
            weights[number + 1] *= turn[:, None]
        keys = np.array(list(map(float, factors(len(weights[number]))))) @ weights[number]
        order = np.argsort(keys, kind="stable")
        weights[number], offsets[number] = weights[number][:, order], offsets[number][order]
        weights[number + 1] = weights[number + 1][order]
    return tuple(Layer(w, b) for w, b in zip(weights, offsets, strict=True))


def lifted(encoding: Encoding, params: Params) -> tuple[Fraction, ...] | None:
    """The point of the program that stands for a network, exactly feasible; None if there is none.

    Real weights may fail the program's margin although the network classifies well.
    """
    params = normal_form(encoding, params)
    values: dict[str, Fraction] = {}
    signs = _exact(encoding.task.x)
    for number, (layer, grid) in enumerate(zip(params, encoding.grids, strict=True)):
        weights, offset = _exact(layer.weights), _exact(layer.offset)
        _weights(values, number, layer, encoding.architecture.kind)
        _offsets(values, number, layer, grid)
        if number:
            for i, row in enumerate(signs):
                for k, s in enumerate(row):
                    for j, w in enumerate(weights[k]):
                        values[f"t{number}_{i}_{k}_{j}"] = w * s
        sums = cast("Exact", signs @ weights + offset)
        if number == len(params) - 1:
            _losses(values, encoding, sums)
            break
        bits = np.array(sums >= 0, dtype=bool)
        for (i, j), bit in np.ndenumerate(bits):
            values[f"u{number}_{i}_{j}"] = Fraction(int(bit))
        for j, least in enumerate(np.abs(sums).min(axis=0)):
            values[f"m{number}_{j}"] = Fraction(least)
        signs = _exact(np.where(bits, 1.0, -1.0))
    point = tuple(values[column.name] for column in encoding.program.columns)
    return None if encoding.program.violations(point) else point


def _weights(values: dict[str, Fraction], number: int, layer: Layer, kind: str) -> None:
    for (k, j), value in np.ndenumerate(layer.weights):
        w, name = Fraction(float(value)), f"w{number}_{k}_{j}"
        values[f"s{number}_{k}_{j}"] = abs(w)
        if kind == "ternary":
            values[f"{name}_plus"], values[f"{name}_minus"] = (
                max(w, Fraction(0)),
                max(-w, Fraction(0)),
            )
        else:
            values[name] = (w + 1) / 2 if kind == "binary" else w


def _offsets(values: dict[str, Fraction], number: int, layer: Layer, grid: Grid) -> None:
    for j, value in enumerate(layer.offset.tolist()):
        shift = Fraction(value)
        values[f"b{number}_{j}"] = (shift - grid.base) / grid.step if grid.step else shift


def _losses(values: dict[str, Fraction], encoding: Encoding, sums: Exact) -> None:
    grid, task = encoding.grids[-1], encoding.task
    strict = encoding.architecture.margin if encoding.architecture.kind == "real" else Fraction(1)
    for i, row in enumerate(sums.tolist()):
        for label, _ in task.weights[i]:
            if len(row) == 1:
                gains = [row[0] - grid.above if label else grid.below - row[0]]
                least = row[0] if label else -row[0]
            else:
                others = [c for c in range(len(row)) if c != label]
                gains = [row[label] - row[c] - (strict if c < label else 0) for c in others]
                least = min(row[label] - row[c] for c in others)
            values[f"e{i}_{label}"] = Fraction(int(min(gains) < 0))
            values[f"h{i}_{label}"] = max(Fraction(0), Fraction(1 - least))


def _exact(values: Floats) -> Exact:
    made: Exact = np.empty(values.size, dtype=object)
    made[:] = [Fraction(v) for v in values.reshape(-1).tolist()]
    return made.reshape(values.shape)
