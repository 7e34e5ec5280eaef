"""What one run shares: the problem, the clock, the random numbers, and the witness check."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from tamecheck.bounds import Layers
from tamecheck.ir.tensor import Array
from tamecheck.verification.answer import Witness
from tamecheck.verification.problem import Problem
from tamecheck.verification.witness import Replay, witnessed

__all__ = ["Search"]

_CHECKS = 40


@dataclass(slots=True, eq=False)
class Search:
    """The state of one verification run.

    ``kept`` is a witness that is exact but that a float32 run does not confirm; the search for
    a better one goes on for a while.
    """

    problem: Problem
    layers: Layers
    rng: np.random.Generator
    replay: Replay | None = None
    deadline: float = np.inf
    kept: Witness | None = None
    checks: int = 0
    failed: set[bytes] = field(default_factory=set[bytes])

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.deadline - time.monotonic()

    def rows(self, x: Array) -> Array:
        """The rows of the property at points, in float64."""
        with np.errstate(all="ignore"):
            return self.layers.values(x)[-1]

    def confirmed(self, points: Array, rows: Array, allowed: Array | None = None) -> Witness | None:
        """A witness among points whose rows look unsafe, deepest first, checked exactly.

        ``allowed`` (points, cases) says which cases a point may witness.
        """
        unsafe = self.problem.unsafe(rows)
        if allowed is not None:
            unsafe = unsafe & allowed
        if not unsafe.any():
            return None
        depth = np.where(unsafe, self.problem.depth(rows), np.inf)
        order = np.argsort(depth.min(-1))
        for index in order[: min(3, int(unsafe.any(-1).sum()))]:
            case = int(depth[index].argmin())
            key = points[index].tobytes()
            if key in self.failed or (self.checks >= _CHECKS and self.left < 1):
                continue
            self.checks += 1
            found = witnessed(self.problem, case, points[index], self.replay)
            if found is None:
                self.failed.add(key)
            elif found.float32 is False:
                self.kept = self.kept or found
            else:
                return found
        return None
