"""Networks beside others: further neurons over the features, and classes that tell of both.

What else is decided about a point, by a points score or by whether it can occur, is a neuron beside
those of the first layer.  A network of both has a class for what both say, so that everything that
is known of networks (counts, proofs, reasons) is known of the two together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from tamecheck.binarized import ThresholdLayer, ThresholdNetwork
from tamecheck.explain.domain import Cube, Domain
from tamecheck.ir.tensor import Array


def neuron_over(domain: Domain, adds: Mapping[int, Sequence[int]], least: int) -> tuple[Array, int]:
    """Weights of the inputs and a threshold, reached where codes add at least so much.

    ``adds`` has for a feature what each of its codes adds; the other features add nothing.
    """
    weights = np.zeros(domain.inputs, dtype=np.int64)
    threshold = 2 * least
    for k, worth in adds.items():
        own, constant = domain.features[k].sum_of(worth)
        weights[list(domain.features[k].inputs)] += own
        threshold -= constant
    return weights, threshold


def beside(network: ThresholdNetwork, neurons: Sequence[tuple[Array, int]]) -> ThresholdNetwork:
    """The network with further neurons, which stand last in its last layer and decide nothing."""
    count, inputs = len(neurons), network.inputs
    first = network.layers[:1] or (
        # the inputs themselves
        ThresholdLayer(np.eye(inputs, dtype=np.int64), np.zeros(inputs, dtype=np.int64)),
    )
    rows = np.array([weights for weights, _ in neurons], dtype=np.int64).reshape(count, inputs)
    limits = np.array([threshold for _, threshold in neurons], dtype=np.int64)
    layers = [
        ThresholdLayer(
            np.concatenate([first[0].weights, rows]), np.concatenate([first[0].thresholds, limits])
        )
    ]
    for layer in network.layers[1:]:
        high, wide = layer.weights.shape
        weights = np.zeros((high + count, wide + count), dtype=np.int64)
        weights[:high, :wide] = layer.weights
        weights[high:, wide:] = np.eye(count, dtype=np.int64)
        passed = np.zeros(count, dtype=np.int64)
        layers.append(ThresholdLayer(weights, np.concatenate([layer.thresholds, passed])))
    readout = np.concatenate(
        [network.readout, np.zeros((network.classes, count), dtype=np.int64)], axis=1
    )
    return replace(network, layers=tuple(layers), readout=readout)


def in_pairs(network: ThresholdNetwork, neuron: tuple[Array, int]) -> ThresholdNetwork:
    """The network that has class 2c where it had c and a further neuron is -1, and 2c + 1 else."""
    both = beside(network, [neuron])
    # scores are integers, so three times a difference outweighs what the neuron adds
    readout = np.repeat(3 * both.readout, 2, axis=0)
    readout[0::2, -1], readout[1::2, -1] = -1, 1
    return replace(both, readout=readout, offsets=np.repeat(3 * both.offsets, 2))


def deciding_for(network: ThresholdNetwork, domain: Domain, decision: int) -> ThresholdNetwork:
    """The network that decides for a class wherever constraints of the domain forbid a point.

    On the points that can occur it decides as the network; so another class is found, over the
    product of the features, exactly where it can occur.
    """
    cubes = list(dict.fromkeys(cube for c in domain.constraints for cube in c.forbidden))
    if not cubes:
        return network
    neurons = [_inside(domain, cube) for cube in cubes]
    both = beside(network, neurons)
    apart = np.abs(network.readout[:, None] - network.readout).sum(axis=2)
    apart = apart + np.abs(network.offsets[:, None] - network.offsets)
    # twice this is added if a neuron is 1, and nothing if none is
    lead = int(apart.max(initial=0)) + 1
    readout, offsets = both.readout.copy(), both.offsets.copy()
    readout[decision, network.readout.shape[1] :] = lead
    offsets[decision] += lead * len(cubes)
    return replace(both, readout=readout, offsets=offsets)


def _inside(domain: Domain, cube: Cube) -> tuple[Array, int]:
    """The neuron that is 1 in a cube: where all of its conditions hold."""
    adds = {
        k: [int(code in codes) for code in range(len(domain.features[k].codes))]
        for k, codes in cube
    }
    return neuron_over(domain, adds, len(cube))
