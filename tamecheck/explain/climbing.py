"""Quick searches for another class: random completions, and steps along slopes of ramps."""

from __future__ import annotations

import numpy as np

from tamecheck.explain.completions import Completions
from tamecheck.ir.tensor import Array

__all__ = ["climbed", "sampled"]

_SAMPLES = 256
_FEW = 12
_STARTS, _STEPS = 3, 24


def sampled(problem: Completions, rng: np.random.Generator) -> Array | None:
    """The columns of a random completion of another class; none is no proof.  The first is bare."""
    if not problem.features:
        taken = np.zeros((1, 0), dtype=np.bool_)
    else:
        # a row keeps about as many present codes as its threshold is high
        taken = problem.pulled(
            rng.random((_SAMPLES, len(problem.owners))) - rng.random((_SAMPLES, 1))
        )
        taken[0] = False
    hits = np.flatnonzero(problem.won(problem.sums(taken)))
    return problem.columns(taken[hits[0]]) if hits.size else None


def climbed(problem: Completions, rng: np.random.Generator) -> Array | None:
    """The columns of a completion of another class, by steps along slopes of ramps.

    One row follows each rival, from the input and from a few random completions.  None is no proof.
    """
    rivals = len(problem.leads.constant)
    if problem.features < _FEW:
        return None
    follow = np.arange(_STARTS * rivals) % rivals
    pull = rng.standard_normal((len(follow), len(problem.owners)))
    pull[:rivals] = 0.0
    # rows with different memories do not all run into the same cycle
    memory = rng.uniform(0.6, 0.95, size=(len(follow), 1))
    taken = problem.pulled(pull)
    pull[:] = 0.0
    for _ in range(_STEPS):
        sums = problem.sums(taken)
        hits = np.flatnonzero(problem.won(sums))
        if hits.size:
            return problem.columns(taken[hits[0]])
        pull = memory * pull + problem.slopes(sums, follow) @ problem.changes.T
        taken = problem.pulled(pull)
    return None
