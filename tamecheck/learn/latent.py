"""The real numbers behind a binarized network in training, and the network that they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias, cast

import numpy as np

from tamecheck.ir.tensor import size_of
from tamecheck.learn.effort import check_choice
from tamecheck.learn.network import BinarizedNetwork, Floats, Layer, WeightKind, round_layers, sign

Weights: TypeAlias = list[tuple[Floats, Floats]]
"""Matrices and offsets of layers, the readout last."""

_KINDS: tuple[WeightKind, ...] = ("real", "binary", "ternary")
_TERNARY, _INTEGER_SPREAD = 1 / 3, 0.3
"""Latent weights below the first in absolute value are 0 in a ternary network; by the second, those
of integer weights start within [-1, 1], where they are kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """Features as training sees them, ``(x - centre) / scale``; ``signs`` if all are -1, 0, 1."""

    centre: Floats
    scale: Floats
    signs: bool

    def __call__(self, x: Floats) -> Floats:
        """The scaled rows."""
        return (x - self.centre) / self.scale


def scaling_of(x: Floats, weight: Floats, kind: WeightKind) -> Scaling:
    """The scaling for a table: features that are not signs to mean 0 and deviation 1.

    Means are over the rows by their weights, so that a weight of 2 is as good as a repeated row.
    A network of integer weights cannot undo different scales, so there all features share one.

    Signs are shifted only: by their mean for integer weights, by half of it for real ones.
    Unshifted, the signs that hardly vary (the border of images) act together as one offset that
    grows with their number and changes too fast, until no slope passes the neurons of a layer.
    Integer weights cannot make up for what is left of it; real ones can, and with the whole mean
    taken away a rare sign would weigh far more than a usual one.
    """
    ones: Floats = np.ones(int(x.shape[1]))
    share: Floats = weight / weight.sum()
    centre: Floats = share @ x
    if bool(np.isin(x, (-1.0, 0.0, 1.0)).all()):
        return Scaling(centre / 2 if kind == "real" else centre, ones, signs=True)
    deviation: Floats = np.sqrt(share @ (x - centre) ** 2)
    if kind != "real":
        deviation = ones * float(np.sqrt((deviation**2).mean()))
    # what is constant but for rounding stays at 0
    tiny = 1e-12 * np.abs(centre) + np.finfo(np.float64).tiny
    scale: Floats = np.where(deviation <= tiny, 1.0, deviation)
    return Scaling(centre, scale, signs=False)


@dataclass(slots=True, eq=False)
class Latent:
    """Real parameters that gradient steps change.

    ``weights`` and ``offsets``, an array a layer, are views of ``vector``; ``kind`` and ``readout``
    say which weights the hidden layers and the last one have in the network.  No hidden neuron's
    real weights, as `effective`, have a larger Euclidean norm than ``max_norm`` after `project`.
    """

    vector: Floats
    weights: list[Floats]
    offsets: list[Floats]
    kind: WeightKind
    readout: WeightKind
    max_norm: float = np.inf

    def effective(self) -> Weights:
        """The matrices and offsets that the network in training computes with.

        All are scaled by one over the root of the number of terms (twice that for an integer
        readout), so that sums have the size that the penalty and the loss expect, and one learning
        rate fits layers of all widths.
        """
        found: Weights = []
        for number, (weights, offset) in enumerate(zip(self.weights, self.offsets, strict=True)):
            gain = self.gain_at(number)
            shift = offset * gain if self.kind_at(number) == "real" else offset
            found.append((_weights(weights, self.kind_at(number)) * gain, shift))
        return found

    def gain_at(self, number: int) -> float:
        """The factor of a layer's weights during training."""
        doubled = self.kind_at(number) != "real" and number == len(self.weights) - 1
        return (2 if doubled else 1) / float(np.sqrt(len(self.weights[number])))

    def kind_at(self, number: int) -> WeightKind:
        """The kind of weights of a layer."""
        return self.readout if number == len(self.weights) - 1 else self.kind

    def project(self) -> None:
        """Keep latent numbers of integer weights in [-1, 1], and hidden neurons' in their ball."""
        for number, weights in enumerate(self.weights):
            if self.kind_at(number) != "real":
                np.clip(weights, -1, 1, out=weights)
            elif number < len(self.weights) - 1 and self.max_norm < np.inf:
                norms = np.sqrt(np.einsum("ij,ij->j", weights, weights)) * self.gain_at(number)
                if norms.max(initial=0) > self.max_norm:
                    factor = self.max_norm / np.maximum(norms, self.max_norm)
                    np.multiply(weights, factor, out=weights)

    def network(self, scaling: Scaling, magnitude: float | None) -> BinarizedNetwork:
        """The network on unscaled features: real weights in [-1, 1], or exact integers.

        The first layer takes the scaling over; of ``magnitude`` see `round_layers`.
        """
        layers: list[Layer] = []
        for number, (weights, offset) in enumerate(zip(self.weights, self.offsets, strict=True)):
            kind = self.kind_at(number)
            matrix = _weights(weights, kind)
            shift = offset if kind == "real" else offset / self.gain_at(number)
            if number == 0:
                # one scale for all features, where weights are integers, cancels in the sign
                if kind == "real":
                    matrix = matrix / scaling.scale[:, None]
                else:
                    shift = shift * scaling.scale[0]
                shift = shift - scaling.centre @ matrix
            if kind == "real":
                # a positive factor changes no sign, and one for all scores changes no decision
                whole = number == len(self.weights) - 1
                size = np.abs(matrix).max(axis=None if whole else 0, initial=0)
                factor = np.where(size > 0, size, 1.0)
                matrix, shift = matrix / factor, shift / factor
            layers.append(Layer(matrix, shift))
        exact = magnitude is not None and (scaling.signs or self.kind != "real")
        return round_layers(layers, magnitude if exact else None)


def forward(layers: Weights, x: Floats) -> tuple[list[Floats], list[Floats], Floats]:
    """What each layer gets, the pre-activations of the hidden layers, and the scores."""
    inputs, sums = [x], list[Floats]()
    for weights, offset in layers[:-1]:
        sums.append(inputs[-1] @ weights + offset)
        inputs.append(sign(sums[-1]))
    return inputs, sums, inputs[-1] @ layers[-1][0] + layers[-1][1]


def kind_of(value: str, name: str) -> WeightKind:
    """The kind of weights of that name."""
    check_choice(name, value, _KINDS)
    return cast("WeightKind", value)


def initial(
    widths: Sequence[int],
    kinds: tuple[WeightKind, WeightKind],
    spread: Floats,
    rng: np.random.Generator,
    max_norm: float = np.inf,
) -> Latent:
    """Random parameters: offsets 0, latent weights normal.

    ``kinds`` are those of the hidden layers and of the readout, ``spread`` is the deviation of each
    scaled feature: weights of a feature that hardly varies start small.
    """
    shapes = [*pairwise(widths), *((n,) for n in widths[1:])]
    vector = np.zeros(sum(map(size_of, shapes)))
    ends = np.cumsum([size_of(shape) for shape in shapes])
    views = [part.reshape(s) for part, s in zip(np.split(vector, ends[:-1]), shapes, strict=True)]
    layers = len(widths) - 1
    for number, view in enumerate(views[:layers]):
        kind = kinds[number == layers - 1]
        view[:] = rng.normal(0, 1 if kind == "real" else _INTEGER_SPREAD, view.shape)
    views[0] *= spread[:, None]
    return Latent(vector, views[:layers], views[layers:], *kinds, max_norm)


def _weights(latent: Floats, kind: WeightKind) -> Floats:
    if kind == "real":
        return latent
    signs = sign(latent)
    return signs if kind == "binary" else np.where(np.abs(latent) < _TERNARY, 0.0, signs)
