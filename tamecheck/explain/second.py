"""A second engine's word on a reason: z3 with pseudo-Boolean constraints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.errors import SolverError
from tamecheck.explain.domain import Domain
from tamecheck.explain.search import Codes
from tamecheck.solvers.pseudo_boolean import Threshold, another_class

__all__ = ["second_opinion"]


def second_opinion(
    network: ThresholdNetwork,
    domain: Domain,
    codes: Codes,
    fixed: Sequence[int],
    *,
    seconds: float = 60.0,
) -> str:
    """``"agrees"`` if z3 too finds no other class with the fixed features, or ``"no answer"``.

    Raises
    ------
    SolverError
        If z3 finds one.
    """
    kept = set(fixed)
    possible = [
        (f.inputs, f.codes[[codes[k]]].tolist() if k in kept else f.codes.tolist())
        for k, f in enumerate(domain.features)
    ]
    layers: list[list[Threshold]] = [
        list(zip(layer.weights.tolist(), layer.thresholds.tolist(), strict=True))
        for layer in network.layers
    ]
    decision = int(network.decide(domain.states(codes)[np.newaxis])[0])
    leads: list[Threshold] = []
    for rival in range(network.classes):
        if rival != decision:
            row = (network.readout[rival] - network.readout[decision]).tolist()
            offset = int(network.offsets[rival] - network.offsets[decision])
            leads.append((row, (0 if rival < decision else 1) - offset))
    found = another_class(network.inputs, possible, layers, leads, seconds=seconds)
    if found:
        raise SolverError("z3 disagrees: it finds another class with these features kept.")
    return "agrees" if found is False else "no answer"
