"""The order of attack: a few samples, gradients, then proof by splitting, until time is over."""

from __future__ import annotations

import time

import numpy as np

from tamecheck.encode import Layers, Pointwise
from tamecheck.ir.graph import Graph
from tamecheck.ir.spec import Specification
from tamecheck.verify.answer import Answer, Holds, Unknown, Violated, Witness
from tamecheck.verify.boxes import split_inputs
from tamecheck.verify.falsify import attacked, sampled
from tamecheck.verify.flips import flipped
from tamecheck.verify.neurons import split_neurons
from tamecheck.verify.plain import bounded_plainly, sampled_plainly
from tamecheck.verify.problem import Problem, problem_of
from tamecheck.verify.search import Search
from tamecheck.verify.witness import Replay

__all__ = ["verify"]

_FEW_INPUTS = 40
_FOREVER = 1e9
_BOXES = "linear bounds over boxes of inputs"
_NEURONS = "linear bounds over sign patterns of rectifiers"


def verify(
    graph: Graph,
    spec: Specification,
    *,
    timeout: float | None = None,
    seed: int = 0,
    replay: Replay | None = None,
) -> Answer:
    """Whether no input of the property's region is unsafe.

    Parameters
    ----------
    graph
        The model.
    spec
        The property.
    timeout
        Seconds; when they are over the answer is `Unknown`, as after Ctrl-C.
    seed
        Seed of the search for a violation.
    replay
        A float32 run of the model, to report whether it confirms a witness.

    Raises
    ------
    InputError
        If the property does not fit the model.
    """
    started = time.monotonic()
    deadline = started + (_FOREVER if timeout is None else timeout)
    problem = problem_of(graph, spec)
    if not spec.cases:
        return Holds("empty region", "The region is empty.", time.monotonic() - started)
    run = _Run(problem, replay, started, deadline, seed)
    try:
        return run.plain() if problem.layers is None else run.layered(problem.layers)
    except KeyboardInterrupt:
        return run.interrupted()


class _Run:
    def __init__(
        self, problem: Problem, replay: Replay | None, started: float, deadline: float, seed: int
    ) -> None:
        self.problem, self.replay = problem, replay
        self.started, self.deadline = started, deadline
        self.rng = np.random.default_rng(seed)
        self.facts: dict[str, int] = {}
        self.search: Search | None = None

    def _violated(self, witness: Witness, method: str) -> Violated:
        reason = "An exact evaluation of the witness violates the property."
        if witness.float32 is False:
            reason += " A float32 run does not confirm it: the violation is within its rounding."
        return Violated(witness, method, reason, time.monotonic() - self.started, self.facts)

    def _holds(self, method: str) -> Holds:
        reason = "No input of the region is unsafe, by bounds rounded outward."
        return Holds(method, reason, time.monotonic() - self.started, self.facts)

    def _unknown(self, why: str) -> Unknown:
        late = time.monotonic() >= self.deadline
        spent = time.monotonic() - self.started
        return Unknown("Out of time." if late else why, spent, late, self.facts)

    def interrupted(self) -> Answer:
        """What is known when Ctrl-C ends the search: an exact witness, or nothing."""
        kept = None if self.search is None else self._kept(self.search)
        return kept or self._unknown("interrupted")

    def plain(self) -> Answer:
        """Samples and intervals only: some node has no linear bounds."""
        problem = self.problem
        witness = sampled_plainly(problem, self.rng, self.replay, self.deadline)
        if witness is not None:
            return self._violated(witness, "samples")
        shown, seen = bounded_plainly(problem, self.deadline)
        self.facts["boxes"] = seen
        if shown:
            return self._holds("intervals over boxes of inputs")
        return self._unknown(f"No linear bounds are known for {problem.open_nodes}.")

    def layered(self, layers: Layers) -> Answer:
        """Samples and gradients, then splitting of inputs or of signs."""
        search = Search(self.problem, layers, self.rng, self.replay, self.deadline)
        self.search = search
        return self._attack(search) or self._prove(search)

    def _attack(self, search: Search) -> Violated | None:
        cost = sum(layer.size for layer in search.layers.layers)
        count = int(np.clip((1 << 22) // cost, 4, 64))
        for region in self.problem.regions:
            witness = sampled(search, region, 4 * count)
            if witness is not None:
                return self._violated(witness, "samples")
        if any(isinstance(one, Pointwise) and one.scalar.jumps for one in search.layers.layers):
            return self._attack_jumps(search, count)
        for region in self.problem.regions:
            witness = attacked(search, region, restarts=count, steps=50)
            if witness is not None:
                return self._violated(witness, "projected gradients")
        return self._kept(search)

    def _attack_jumps(self, search: Search, count: int) -> Violated | None:
        """Where a proof is out of reach, most of the time goes into the search."""
        regions = [region for region in self.problem.regions if region.finite]
        small = search.layers.inputs <= _FEW_INPUTS
        share = min(search.left, 1e3) * (0.2 if small else 0.8) / max(len(regions), 1)
        for region in regions:
            witness = flipped(search, region, count=max(count, 8), limit=share)
            if witness is not None:
                return self._violated(witness, "flips of coordinates")
        return self._kept(search)

    def _kept(self, search: Search) -> Violated | None:
        return None if search.kept is None else self._violated(search.kept, "projected gradients")

    def _prove(self, search: Search) -> Answer:
        if not all(region.finite for region in self.problem.regions):
            return self._unknown("The region is unbounded, and no violation was found.")
        if search.layers.inputs <= _FEW_INPUTS or not _rectified(search.layers):
            return self._by_boxes(search)
        return self._by_neurons(search)

    def _by_boxes(self, search: Search) -> Answer:
        boxes = split_inputs(search, self.problem.regions, limit=search.left)
        self.facts["boxes"] = boxes.seen
        if boxes.witness is not None:
            return self._violated(boxes.witness, _BOXES)
        if not boxes.count:
            return self._holds(_BOXES)
        return self._kept(search) or self._unknown("Boxes are left that cannot be halved.")

    def _by_neurons(self, search: Search) -> Answer:
        left = seen = 0
        regions = self.problem.regions
        for number, region in enumerate(regions):
            signs = split_neurons(search, region, limit=search.left / (len(regions) - number))
            left, seen = left + signs.open, seen + signs.seen
            self.facts["subproblems"] = seen
            if signs.witness is not None:
                return self._violated(signs.witness, _NEURONS)
        if not left:
            return self._holds(_NEURONS)
        return self._kept(search) or self._by_boxes(search)


def _rectified(layers: Layers) -> bool:
    """Whether some layer is a rectifier, whose sign can be fixed."""
    return any(isinstance(layer, Pointwise) and layer.scalar.kinked for layer in layers.layers)
