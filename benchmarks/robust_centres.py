"""A centre for which a binarized network is robust, inside the box of a property.

The box around an image is searched for a point where no sum of the first layer is within a radius
of its threshold, so that no input within that radius changes a sign of it:

    python benchmarks/robust_centres.py MODEL SPEC -o centre.npy --within 10 --radius 0.7
    tamecheck verify MODEL --around centre.npy --box 0:255 --radius 0.7 -o proof.json.gz
    tamecheck verify MODEL --around centre.npy --box 0:255 --largest-radius --timeout 60

Where there is no such point, it is one where the sums that are nearer are few.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import tamecheck as tc
from tamecheck.binarized.windows import WindowLayer
from tamecheck.loaders.text.vnnlib import read_vnnlib
from tamecheck.verification.problem import network_of, problem_of

Array = np.ndarray[Any, Any]

_STEPS = 600
_SPARE = 1.03
"""How much farther than the radius sums are pushed, so that a rounded point is far enough."""
_FORGET = 0.98
_UNIT = 64
"""Centres are multiples of 1 over this."""


def fixed_within(layer: WindowLayer, point: Array) -> Array:
    """Of each neuron the radius within which its sign is fixed, as floats see it."""
    sizes = np.abs(layer.weights).sum(axis=1)
    ends = np.array([float(v) for v in layer.upper])
    return np.abs(((layer.sums(point) - ends) / sizes)[layer.groups].max(axis=1))


def push(layer: WindowLayer, centre: Array, box: tuple[Array, Array], radius: float) -> Array:
    """A point of a box whose neurons of the first layer are fixed within the radius, if possible.

    By accelerated projected gradients with restarts, for the sum over neurons of the square of
    what is missing; each neuron keeps the sign that it has at the time.
    """
    low, high = (end.astype(np.float32) for end in box)
    sizes = np.abs(layer.weights).sum(axis=1, keepdims=True)
    weights = (layer.weights / sizes).astype(np.float32)
    ends = np.array([float(v) for v in layer.upper], dtype=np.float32) / sizes[:, 0]
    places = np.where(layer.inside, layer.windows, len(centre))
    far, steepest, speed = np.float32(radius * _SPARE), 0.0, 1.0

    def sums(x: Array) -> Array:
        return np.append(x, np.float32(0))[places] @ weights.T

    x = ahead = centre.astype(np.float32)
    for _ in range(_STEPS):
        grouped = (sums(ahead) - ends)[layer.groups]
        top, chosen = grouped.max(axis=1), grouped.argmax(axis=1)
        # the largest sum of a neuron that is 1 goes up, all of one that is -1 go down
        missing = np.zeros((len(layer.windows), layer.channels), dtype=np.float32)
        best = np.take_along_axis(layer.groups, chosen, 1), np.arange(layer.channels)
        np.add.at(missing, best, -np.maximum(far - top, 0) * (top >= 0))
        down = np.maximum(grouped + far, 0) * (top < 0)[:, None, :]
        np.add.at(missing, layer.groups, down.astype(np.float32))
        if not missing.any():
            return ahead.astype(np.float64)
        slope = np.bincount(places.reshape(-1), (missing @ weights).reshape(-1), len(x) + 1)
        slope = slope[:-1].astype(np.float32)
        curved = np.square(sums(slope)[missing != 0]).sum() / max(np.square(slope).sum(), 1e-30)
        steepest = max(_FORGET * steepest, float(curved), 1e-30)
        moved = np.clip(ahead - slope / steepest, low, high)
        uphill = float((ahead - moved) @ (moved - x)) > 0
        faster = 1.0 if uphill else (1 + (1 + 4 * speed * speed) ** 0.5) / 2
        ahead = moved if uphill else np.clip(moved + (speed - 1) / faster * (moved - x), low, high)
        x, speed = moved, faster
    return x.astype(np.float64)


def centre_in(layer: WindowLayer, box: tuple[Array, Array], radii: list[float]) -> Array:
    """The centre of a box, pushed for one radius after the other."""
    point = (box[0] + box[1]) / 2
    for radius in radii:
        point = push(layer, point, box, radius)
    return np.clip(np.rint(point * _UNIT) / _UNIT, *box)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("spec", type=Path, help="a property whose box is around an image")
    parser.add_argument("-o", "--output", type=Path, default=Path("centre.npy"))
    parser.add_argument("--within", type=float, default=1.0, help="of the image, in each element")
    parser.add_argument("--radius", type=float, nargs="+", default=[0.1], help="increasing")
    options = parser.parse_args()
    spec = read_vnnlib(options.spec)
    network = network_of(problem_of(tc.load(options.model).graph, spec))
    if network is None:
        parser.error("the model is no binarized network over windows")
    low, high = (
        np.array([float(v) for v in end if v is not None])
        for end in (spec.cases[0].lower, spec.cases[0].upper)
    )
    image = (low + high) / 2
    box = np.maximum(image - options.within, 0), np.minimum(image + options.within, 255)
    point = centre_in(network.layers[0], box, options.radius)
    fixed = fixed_within(network.layers[0], point)
    np.save(options.output, point)
    open_ = int((fixed <= options.radius[-1]).sum())
    print(f"{options.output}: signs are fixed within {fixed.min():.4f}, {open_} are open")


if __name__ == "__main__":
    main()
