"""The order of attack: a few samples, gradients, then proof by splitting, until time is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from fractions import Fraction
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from tamecheck.bounds.layers import Layers, Pointwise
from tamecheck.budget import Budget
from tamecheck.ir.arguments import natural
from tamecheck.ir.graph import Graph
from tamecheck.ir.spec import Specification
from tamecheck.ir.tensor import Array
from tamecheck.model import Model
from tamecheck.solvers.executors import executor_of
from tamecheck.verification.answer import RECOMPUTATION, Answer, Holds, Unknown, Violated, Witness
from tamecheck.verification.boolean import search_cases
from tamecheck.verification.boxes import split_inputs, still_open
from tamecheck.verification.branch import Items
from tamecheck.verification.contradiction import bounded_or_open, not_contradicted
from tamecheck.verification.exact import Exact, exact_of, point_of
from tamecheck.verification.falsify import attack, deepen_around, flip, sample
from tamecheck.verification.integers import branch
from tamecheck.verification.joint import subject_of
from tamecheck.verification.neurons import split_neurons
from tamecheck.verification.plain import bound_plainly, sample_plainly
from tamecheck.verification.problem import (
    FEW_INPUTS,
    Problem,
    Region,
    halves_inputs,
    has_jumps,
    network_of,
    problem_of,
    signs_share,
    without,
)
from tamecheck.verification.witness import Prove, Replay, Search, confirm_exactly

if TYPE_CHECKING:
    from tamecheck.verification.windows import SignProofs

_FOREVER = 1e9
_FEW_DECISIONS, _MANY_REGIONS = 64, 16
_SAMPLED, _ATTACKED = 0.1, 0.3
_SHORT, _LONG = 0.5, 30.0
_STEPS = 50
_MOMENT, _MOMENT_SHARE = 1 << 28, 0.2
"""Products of a first try with boxes, which take about three seconds; its share of the time."""
_PIECES = "linear pieces in rationals"
_CLAUSES = "a Boolean formula"
_BOXES = "linear bounds over boxes of inputs"
_NEURONS = "linear bounds over sign patterns of rectifiers"
_WHOLE = 8
"""A cut of the whole region takes so many times as long as one of a small box."""
_LARGE = 1 << 14
"""Neurons of a network of signs whose boxes are not bounded."""
_QUICK, _QUICK_SHARE, _PROOF_SHARE, _DESCENT = 3.0, 0.1, 0.5, 0.2


def decide(  # noqa: PLR0913 (options, by keyword only)
    model: Model | Graph | Mapping[str, Model],
    spec: Specification,
    budget: Budget,
    *,
    seed: int = 0,
    replay: Replay | None = None,
    workers: int = 1,
    prove: Prove | None = None,
) -> Answer:
    """What `verify` answers, by ``prove`` or without a kernel's word; Ctrl-C cancels the budget."""
    graph, own = subject_of(model, spec)
    replay = replay or own

    def ask(part: Specification, budget: Budget) -> Answer:
        started, problem, limit = time.monotonic(), problem_of(graph, part), budget.part(_FOREVER)
        run = _Run(problem, replay, limit, np.random.default_rng(natural(seed, what="seed")))
        run.started, run.workers = started, workers
        run.prove = prove if part is spec else None
        return run.answer()

    if spec.input_size and not any(spec.integral):
        return ask(spec, budget)
    started = time.monotonic()
    try:
        # without inputs there is one point
        return branch(ask, graph, spec, budget, replay)
    except KeyboardInterrupt:
        budget.cancelled.set()
        return Unknown("interrupted", time.monotonic() - started)


class _Run:
    """The way to an answer where inputs are real numbers; witnesses have integers near by."""

    def __init__(
        self, problem: Problem, replay: Replay | None, budget: Budget, rng: np.random.Generator
    ) -> None:
        self.problem, self.replay, self.budget, self.rng = problem, replay, budget, rng
        self.started, self.workers = time.monotonic(), 1
        self.regions = problem.regions
        self.facts: dict[str, int] = {}
        self.search: Search | None = None
        self.left: Items | None = None  # boxes that a first try has not closed
        self.prove: Prove | None = None

    def answer(self) -> Answer:
        """The answer; Ctrl-C cancels the budget."""
        layers = self.problem.layers
        try:
            return self.unconditional() or (
                self.plain() if layers is None else self.by_layers(layers)
            )
        except KeyboardInterrupt:
            found = self.interrupt()
            self.budget.cancelled.set()
            return found

    @property
    def _spent(self) -> float:
        return time.monotonic() - self.started

    def _violation(self, witness: Witness, method: str) -> Violated:
        reason = "An exact evaluation of the witness violates the property."
        if witness.float32 is False:
            reason += " A float32 run does not confirm it: the violation is within its rounding."
        return Violated(witness, method, reason, self._spent, self.facts)

    def _holds(self, method: str) -> Holds:
        reason = "No input of the region is unsafe, by bounds rounded outward."
        return Holds(method, reason, self._spent, self.facts)

    def _exact_holds(self, method: str, reason: str) -> Holds:
        return Holds(method, reason, self._spent, self.facts, RECOMPUTATION)

    def _unknown(self, why: str) -> Unknown:
        late = self.budget.is_spent
        if "signs" in vars(self) and self.signs is not None:
            self.facts |= self.signs.facts()
        return Unknown("Out of time." if late else why, self._spent, late, self.facts)

    def interrupt(self) -> Answer:
        """What is known when Ctrl-C ends the search: an exact witness, or nothing."""
        kept = None if self.search is None else self._kept(self.search)
        return kept or self._unknown("interrupted")

    def unconditional(self) -> Answer | None:
        """Cases without a condition on the outputs: any input of their region is unsafe.

        Any at which the model has a value, that is.
        """
        spec = self.problem.spec
        empty: list[bool] = []
        for number, case in enumerate(spec.cases):
            if case.outputs:
                empty.append(False)
                continue
            point = point_of(case)
            empty.append(point is None)
            found = None if point is None else self._confirm(number, point)
            if found is not None:
                return self._violation(found, "a point of the region")
        if all(empty):
            return self._exact_holds("empty region", "The region is empty.")
        return None

    def _confirm(self, case: int, point: tuple[Fraction, ...]) -> Witness | None:
        return confirm_exactly(self.problem, case, point, self.replay)

    @cached_property
    def _exact(self) -> Exact | None:
        return exact_of(self.problem.scores)

    def _exactly(self, most: float = _LONG) -> Answer | None:
        """Piece by piece in rationals, where the pieces may be few; drops the cases that are shown.

        A network with one piece has all the time; one with some has half of it, and at most as
        many cuts as take about so many seconds.
        """
        exact = self._exact
        if exact is None or exact.decisions > _FEW_DECISIONS:
            return None
        share = self.budget
        if exact.decisions:
            # counted, so that the same question has the same answer on a machine that is busy
            share = replace(share.share(0.5), nodes=exact.cuts_in(most / _WHOLE))
        # the cases that bounds have not closed
        cases = self.problem.spec.cases
        left = np.flatnonzero(np.any([region.cases for region in self.regions], axis=0)).tolist()
        outcome = exact.search(
            [cases[number] for number in left], share, lambda k, x: self._confirm(left[k], x)
        )
        self.facts["linear pieces"] = outcome.parts
        if outcome.witness is not None:
            return self._violation(outcome.witness, _PIECES)
        if len(outcome.impossible) == len(left):
            reason = "No input of the region is unsafe, by exact multipliers on every linear piece."
            return (
                self._exact_holds(_PIECES, reason)
                if len(left) == len(cases)
                else self._holds(_BOXES)
            )
        self.regions = without(self.regions, [left[k] for k in outcome.impossible])
        return None

    def _by_clauses(self) -> Answer | None:
        """Cases in which inputs are left with two values each, as Boolean formulas."""
        shown, cases = list[int](), self.problem.spec.cases
        for number, count, found in search_cases(self.problem.scores, cases, self.budget):
            self.facts["clauses"] = self.facts.get("clauses", 0) + count
            if isinstance(found, tuple):
                witness = self._confirm(number, found)
                if witness is not None:
                    return self._violation(witness, _CLAUSES)
            elif found is False:
                shown.append(number)
        if len(shown) == len(cases):
            reason = "The property forces inputs to two values each; their formula is refuted."
            return self._exact_holds(_CLAUSES, reason)
        self.regions = without(self.regions, shown)
        return None

    def plain(self) -> Answer:
        """Samples, exact pieces and intervals only: some node has no linear bounds."""
        problem = self.problem
        witness = sample_plainly(problem, self.rng, self.replay, self.budget)
        if witness is not None:
            return self._violation(witness, "samples")
        found = self._exactly()
        if found is not None:
            return found
        open_ = np.any([region.cases for region in self.regions], axis=0)
        cases = [problem.spec.cases[number] for number in np.flatnonzero(open_)]
        shown, seen = bound_plainly(problem, cases, self.budget)
        self.facts["boxes"] = seen
        if shown:
            return self._holds("intervals over boxes of inputs")
        return self._unknown(f"No linear bounds are known for {problem.open_nodes}.")

    def by_layers(self, layers: Layers) -> Answer:
        """Samples, exact pieces, gradients, then splitting of inputs or of signs."""
        search = Search(self.problem, layers, self.rng, self.replay, self.budget)
        # processes, each of which starts when it has something to do
        others = executor_of(None, self.workers - 1) if self.workers > 1 else nullcontext()
        with others as search.executor:
            return self._in_turn(search)

    def _in_turn(self, search: Search) -> Answer:
        """One way after the other, until there is an answer."""
        layers = search.layers
        search.whole = any(self.problem.integral) and self.signs is not None
        self.search, self.regions = search, not_contradicted(self.problem, self.regions)
        if not self.regions:
            return self._exact_holds("rows", "The rows of the property contradict each other.")
        count = int(np.clip((1 << 22) // sum(layers.sizes), 4, 64))
        found = (
            self._search(lambda one: sample(search, one, 4 * count), "samples", _SAMPLED)
            or self._by_clauses()
            or self._descend(search, quickly=True)
            or self._by_signs(quickly=True)
            or (self._first_bounds(search) if len(self.regions) > _MANY_REGIONS else None)
            # splitting is the better way where pieces are many
            or self._exactly(_LONG / 5 if has_jumps(layers) else _SHORT)
            or self._descend(search, quickly=False)
            or self._first_bounds(search)
            or self._by_signs(quickly=False)
            or (self._by_tree(search) if self._has_few_inputs(search) else None)
            or self._prove_quickly(search)
            or self._attack(search, count)
            # boxes do not end where a jump touches the property
            or (self._exactly(_LONG) if has_jumps(layers) else None)
            or (None if self._has_few_inputs(search) else self._by_tree(search))
            or self._prove(search)
        )
        return self._in_float32(search, found, count)

    def _in_float32(self, search: Search, found: Answer, count: int) -> Answer:
        """The answer; where a float32 run denies its witness, with one nearby that it confirms."""
        if not isinstance(found, Violated) or found.witness.float32 is not False:
            return found
        search.kept, near = found.witness, replace(search, budget=self.budget.share(_SAMPLED))
        # a look at all boxes that ended with a witness has left none of them open
        witness = deepen_around(near, self.problem.regions, count=count, steps=_STEPS)
        return found if witness is None else self._violation(witness, found.method)

    def _search(
        self, look: Callable[[Region], Witness | None], method: str, share: float
    ) -> Violated | None:
        """A witness in one region after the other, until a share of the time is over."""
        part = self.budget.part(self.budget.seconds * share)
        for region in self.regions:
            witness = look(region)
            if witness is not None:
                return self._violation(witness, method)
            if part.is_spent:
                break
        return None

    def _first_bounds(self, search: Search) -> Answer | None:
        """One look at all of many boxes, before time is spent on each."""
        if len(self.regions) == 1 or not all(region.finite for region in self.regions):
            return None
        self.regions, witness = still_open(search, self.regions)
        if witness is not None:
            return self._violation(witness, _BOXES)
        return None if self.regions else self._holds(_BOXES)

    @cached_property
    def signs(self) -> SignProofs | None:
        """Proofs for a binarized network; None for other models."""
        network = network_of(self.problem)
        if network is None:
            return None
        from tamecheck.verification.windows import SignProofs

        return SignProofs.of(network, self.problem.spec.cases, self.problem.integral)

    @property
    def _has_many_signs(self) -> bool:
        """Whether this is a binarized network of which one box takes long to bound."""
        layers = self.problem.layers
        return self.signs is not None and layers is not None and sum(layers.sizes) > _LARGE

    @property
    def _quick(self) -> float:
        """The seconds of a first try; less where the linear pieces may be few."""
        few = self._exact is not None and self._exact.decisions <= _FEW_DECISIONS
        return _QUICK / 6 if few else _QUICK

    def _by_signs(self, *, quickly: bool, share: float = _PROOF_SHARE) -> Holds | None:
        """A proof for a binarized network, which the kernel can check."""
        if self.signs is None:
            return None
        left = min(self.budget.seconds, 1e3)
        most = min(self._quick, _QUICK_SHARE * left) if quickly else share * left
        if not self.signs.find(self.budget.part(most), quickly=quickly):
            return None
        return self.signs.answer(self._spent, self.facts)

    def _descend(self, search: Search, *, quickly: bool) -> Violated | None:
        """Annealing and straight-through gradients, for a binarized network."""
        if self.signs is None:
            return None
        most = self._quick / 3 if quickly else _LONG
        limit = self.budget.part(min(most, _DESCENT * self.budget.seconds))

        def confirm(point: Array) -> Witness | None:
            points = point.astype(np.float64)[np.newaxis]
            return search.confirm(points, search.rows(points))

        for number, prover in enumerate(self.signs.provers):
            part = limit.part(limit.seconds / (len(self.signs.provers) - number))
            found = prover.find_violation(confirm, self.rng, part)
            if found is not None:
                return self._violation(*found)
        return self._kept(search)

    def _attack(self, search: Search, count: int) -> Violated | None:
        layers, left = search.layers, self.budget.seconds
        if self._has_many_signs:
            # the minimisers of bounds are known by now
            return self._descend(search, quickly=False)
        if any(isinstance(one, Pointwise) and one.scalar.jumps for one in layers.computed):
            # where a proof is out of reach, most of the time goes into the search
            regions = [region for region in self.regions if region.finite]
            most = min(left, 1e3) * (0.2 if layers.inputs <= FEW_INPUTS else 0.8)
            each = partial(flip, search, count=max(count, 8), limit=most / len(regions))
            witness = next(filter(None, map(each, regions)), None)
            if witness is not None:
                return self._violation(witness, "flips of coordinates")
            return self._kept(search)

        def descend(region: Region) -> Witness | None:
            return attack(search, region, restarts=count, steps=_STEPS)

        # where inputs are few, splitting finds what there is as well
        share = _ATTACKED / 3 if layers.inputs <= FEW_INPUTS else _ATTACKED
        return self._search(descend, "projected gradients", share) or self._kept(search)

    def _kept(self, search: Search) -> Violated | None:
        return None if search.kept is None else self._violation(search.kept, "projected gradients")

    def _prove(self, search: Search) -> Answer:
        if self._has_many_signs:  # one box would take longer than a proof by patterns
            found = self._by_signs(quickly=False, share=1) or self._kept(search)
            return found or self._unknown("Patterns of signs are left that bounds do not close.")
        self.regions = bounded_or_open(self.problem, self.regions)
        if not self.regions:
            return self._holds("intervals over boxes of inputs")
        if not all(region.finite for region in self.regions):
            return self._unknown("The region is unbounded, and no violation was found.")
        if halves_inputs(search.layers):
            return self._by_boxes(search)
        return self._by_neurons(search)

    def _has_few_inputs(self, search: Search) -> bool:
        """Whether boxes of inputs are the way to a proof, which are all bounded."""
        few = halves_inputs(search.layers) and search.layers.inputs <= FEW_INPUTS
        return few and self.signs is None and all(region.finite for region in self.regions)

    def _by_tree(self, search: Search) -> Answer | None:
        """A proof that has been checked, or a witness that the search for it came by."""
        if self.prove is None or self.signs is not None or has_jumps(search.layers):
            return None  # boxes do not end where a jump touches the property
        shown, witness = search.watched(self.prove, self.budget)
        if witness is not None:
            return self._violation(witness, _BOXES)
        proof = shown and replace(shown, seconds=self._spent, facts=self.facts)
        return self._kept(search) or proof

    def _prove_quickly(self, search: Search) -> Answer | None:
        """Boxes for a moment, where inputs are few: easy properties need no more."""
        if not self._has_few_inputs(search):
            return None
        # counted, so that the same question has the same answer on a machine that is busy
        boxes = max(_MOMENT // max(self.problem.graph.parameters, 1), 64)
        found = self._by_boxes(search, _MOMENT_SHARE * self.budget.seconds, boxes)
        return None if isinstance(found, Unknown) or search.kept is not None else found

    def _by_boxes(self, search: Search, most: float = _FOREVER, count: float = np.inf) -> Answer:
        limit = min(most, self.budget.seconds)
        boxes = split_inputs(search, self.regions, limit=limit, boxes=count, items=self.left)
        self.facts["boxes"] = boxes.seen + self.facts.get("boxes", 0)
        self.left = boxes.items
        if boxes.witness is not None:
            return self._violation(boxes.witness, _BOXES)
        if not boxes.open:
            return self._holds(_BOXES)
        return self._kept(search) or self._unknown("Boxes are left that cannot be halved.")

    def _by_neurons(self, search: Search) -> Answer:
        left = seen = 0
        part = self.budget.share(signs_share(search.layers))
        for number, region in enumerate(self.regions):
            share = part.seconds / (len(self.regions) - number)
            signs = split_neurons(search, region, limit=share)
            left, seen = left + signs.open, seen + signs.seen
            self.facts["subproblems"] = seen
            if signs.witness is not None:
                return self._violation(signs.witness, _NEURONS)
        if not left:
            return self._holds(_NEURONS)
        return self._kept(search) or self._by_boxes(search)
