"""The real numbers behind a binarized network in training, and the network that they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tamecheck.ir.tensor import size_of
from tamecheck.learn.network import BinarizedNetwork, Floats, Layer, WeightKind, rounded, sign
from tamecheck.learn.problems import DataError

__all__ = ["KINDS", "Latent", "Scaling", "initial", "kind_of", "scaling_of"]

KINDS: tuple[WeightKind, ...] = ("real", "binary", "ternary")
_TERNARY = 1 / 3
"""Latent weights below this in absolute value are 0 in a ternary network."""


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """Features as training sees them: ``(x - centre) / scale``.

    Parameters
    ----------
    centre, scale
        One number a feature.
    signs
        Whether all features are -1, 0 or 1; they are then left as they are.
    """

    centre: Floats
    scale: Floats
    signs: bool

    def __call__(self, x: Floats) -> Floats:
        """The scaled rows."""
        return x if self.signs else (x - self.centre) / self.scale


def scaling_of(x: Floats, kind: WeightKind) -> Scaling:
    """The scaling for a table: none for signs, else to mean 0 and deviation 1.

    A network of integer weights cannot undo different scales, so there all features share one.
    """
    features = x.shape[1]
    zeros: Floats = np.zeros(features)
    if bool(np.isin(x, (-1.0, 0.0, 1.0)).all()):
        return Scaling(zeros, zeros + 1, signs=True)
    centre: Floats = x.mean(axis=0)
    deviation: Floats = np.sqrt(((x - centre) ** 2).mean(axis=0))
    if kind != "real":
        deviation = zeros + float(np.sqrt((deviation**2).mean()))
    # what is constant but for rounding stays at 0
    tiny = 1e-12 * np.abs(centre) + np.finfo(np.float64).tiny
    scale: Floats = np.where(deviation <= tiny, 1.0, deviation)
    return Scaling(centre, scale, signs=False)


@dataclass(slots=True, eq=False)
class Latent:
    """Real parameters that gradient steps change.

    Parameters
    ----------
    vector
        All of them, weights before offsets.
    weights, offsets
        One array a layer, the readout last: views of ``vector``.
    kind, readout
        Which weights the hidden layers and the readout have in the network.
    """

    vector: Floats
    weights: list[Floats]
    offsets: list[Floats]
    kind: WeightKind
    readout: WeightKind

    def effective(self) -> list[tuple[Floats, Floats]]:
        """The matrices and offsets that the network in training computes with.

        Integer weights are scaled by one over the root of the number of terms (twice that for the
        readout), so that sums have the size that the penalty and the loss expect.
        """
        last = len(self.weights) - 1
        found: list[tuple[Floats, Floats]] = []
        for number, (weights, offset) in enumerate(zip(self.weights, self.offsets, strict=True)):
            kind = self.readout if number == last else self.kind
            if kind == "real":
                found.append((weights, offset))
                continue
            gain = (2 if number == last else 1) / np.sqrt(len(weights))
            found.append((_discrete(weights, kind) * gain, offset * gain))
        return found

    def clip(self) -> None:
        """Keep the latent numbers of integer weights in [-1, 1], where they can still change."""
        last = len(self.weights) - 1
        for number, weights in enumerate(self.weights):
            if (self.readout if number == last else self.kind) != "real":
                np.clip(weights, -1, 1, out=weights)

    def network(self, scaling: Scaling, magnitude: float | None) -> BinarizedNetwork:
        """The network on unscaled features: real weights in [-1, 1], or exact integers."""
        layers: list[Layer] = []
        last = len(self.weights) - 1
        for number, (weights, offset) in enumerate(zip(self.weights, self.offsets, strict=True)):
            kind = self.readout if number == last else self.kind
            matrix = weights if kind == "real" else _discrete(weights, kind)
            shift = offset
            if number == 0 and not scaling.signs:
                unit = 1.0 if kind == "real" else float(scaling.scale[0])
                matrix = matrix / scaling.scale[:, None] * unit
                shift = offset * unit - scaling.centre @ matrix
                if kind != "real":
                    matrix = np.rint(matrix)
            if kind == "real":
                # a positive factor changes no sign, and one for all scores changes no decision
                size = np.abs(matrix).max(axis=None if number == last else 0, initial=0)
                factor = np.where(size > 0, size, 1.0)
                matrix, shift = matrix / factor, shift / factor
            layers.append(Layer(matrix, shift))
        exact = magnitude is not None and (scaling.signs or self.kind != "real")
        return rounded(layers, magnitude if exact else None)


def kind_of(value: str, name: str) -> WeightKind:
    """The kind of weights of that name.

    Raises
    ------
    DataError
        If there is none.
    """
    for kind in KINDS:
        if kind == value:
            return kind
    raise DataError(f"{name}={value!r} is unknown.", hint=f"There are: {', '.join(KINDS)}.")


def initial(widths: Sequence[int], kind: str, readout: str, rng: np.random.Generator) -> Latent:
    """Random parameters: offsets 0, weights normal with variance one over the number of inputs.

    Raises
    ------
    DataError
        If a kind of weights is unknown.
    """
    kinds = kind_of(kind, "weights"), kind_of(readout, "readout")
    shapes = [*pairwise(widths), *((n,) for n in widths[1:])]
    vector = np.zeros(sum(map(size_of, shapes)))
    ends = np.cumsum([size_of(shape) for shape in shapes])
    views = [part.reshape(s) for part, s in zip(np.split(vector, ends[:-1]), shapes, strict=True)]
    layers = len(widths) - 1
    for view in views[:layers]:
        view[:] = rng.normal(0, 1 / np.sqrt(len(view)), view.shape)
    return Latent(vector, views[:layers], views[layers:], *kinds)


def _discrete(weights: Floats, kind: WeightKind) -> Floats:
    signs = sign(weights)
    return signs if kind == "binary" else np.where(np.abs(weights) < _TERNARY, 0.0, signs)
