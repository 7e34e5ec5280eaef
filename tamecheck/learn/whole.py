"""A binariser and the network behind it as one network on the features themselves."""

from __future__ import annotations

import numpy as np

from tamecheck.learn.binariser import Binariser, Bit
from tamecheck.learn.network import BinarizedNetwork, Layer
from tamecheck.learn.problems import DataError

__all__ = ["on_features"]


def on_features(binariser: Binariser, network: BinarizedNetwork) -> BinarizedNetwork:
    """The network whose first layer compares numeric features with thresholds.

    A statement ``x ≥ t`` is the sign of x - t, with sign(0) = 1, and every other statement about
    one numeric feature is an affine function of two such signs.  So the decision is the same at
    every real x, exactly.

    Parameters
    ----------
    binariser
        Fitted, on numeric features only.
    network
        Trained on its output.

    Raises
    ------
    DataError
        If a feature is categorical, or the network takes another number of inputs.
    """
    bits = binariser.bits_
    if len(bits) != network.widths[0]:
        raise DataError(f"The network takes {network.widths[0]} inputs, not {len(bits)}.")
    text = next((bit.feature for bit in bits if bit.category is not None), None)
    if text is not None:
        raise DataError(f"Feature {text!r} is categorical, so it is no real number.")
    cuts = sorted({cut for bit in bits for cut in _cuts(bit)})
    place = {cut: number for number, cut in enumerate(cuts)}
    select = np.zeros((binariser.n_features_in_, len(cuts)))
    for (column, _), number in place.items():
        select[column, number] = 1
    thresholds = Layer(select, np.array([-threshold for _, threshold in cuts]))
    mix, shift = np.zeros((len(cuts), len(bits))), np.zeros(len(bits))
    for output, bit in enumerate(bits):
        # -1 below the interval, 1 in it, -1 above: (sign at lower) - (sign at upper) - 1
        shift[output] = float(bit.lower is None) - float(bit.upper is not None)
        if bit.lower is not None:
            mix[place[bit.column, bit.lower], output] = 1
        if bit.upper is not None:
            mix[place[bit.column, bit.upper], output] = -1
    if not binariser.signs:
        mix, shift = mix / 2, (shift + 1) / 2
    first, *others = network.layers
    merged = Layer(mix @ first.weights, shift @ first.weights + first.offset)
    return BinarizedNetwork((thresholds, merged, *others))


def _cuts(bit: Bit) -> list[tuple[int, float]]:
    return [(bit.column, end) for end in (bit.lower, bit.upper) if end is not None]
