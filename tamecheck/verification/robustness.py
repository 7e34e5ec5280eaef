"""Local robustness: does a classifier decide alike everywhere near a point.

The ball of radius r is that of the maximum norm: each input element differs by at most r, and
stays in the domain.  It is closed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from tamecheck.budget import Budget
from tamecheck.errors import InputError
from tamecheck.ir.arguments import choice, natural, rationals, seconds
from tamecheck.ir.box import Bound, Box
from tamecheck.ir.exact import decimal_text, rational_text, shown
from tamecheck.ir.floats import FLOATS
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.spec import Case, Specification, TensorName
from tamecheck.ir.tensor import size_of
from tamecheck.model import Model
from tamecheck.ops import LOG_SOFTMAX, SIGMOID, SOFTMAX
from tamecheck.verification.answer import REAL, Answer, Arithmetics, Holds, Violated, Witness
from tamecheck.verification.confirm import answer_within
from tamecheck.verification.decisions import Decision, decision_of
from tamecheck.verification.witness import (
    Replay,
    exact_outputs,
    graph_of,
    holds_at,
    replay_of,
    replayed,
)

ITSELF = "the point itself"


class LocalRobustness:
    """The question of one point: its class, and the properties that balls around it have."""

    def __init__(
        self,
        model: Model | Graph,
        point: Any,
        *,
        label: int | None = None,
        box: Box | Mapping[str, Any] | str | None = None,
        classes: int = 0,
    ) -> None:
        """The point is flat, all inputs one after the other; ``label`` is by default its class.

        Raises
        ------
        InputError
            If point, label or box do not fit.
        UnsupportedError, DomainError
            If it is not known how the model decides, or what it decides at the point.
        """
        graph = graph_of(model)
        self.decision: Decision = decision_of(graph, classes)
        last = graph.nodes[graph.outputs[0][1]]
        whole = len(graph.outputs) == 1 and size_of(last.shape) == self.decision.classes
        same = self.decision.graph.outputs[0][1] == graph.outputs[0][1] and len(graph.outputs) == 1
        own = (whole and self.decision.rule == "largest") or same
        self.graph = graph if own else self.decision.graph
        """The model itself where its outputs decide, else its scores: what proofs are about."""
        self.run: Replay | None = replay_of(model) if own else None
        self._rounded = not own and _ends_in_library(graph, self.graph)
        values = rationals(point, what="point").reshape(-1).tolist()
        self.centre: tuple[Fraction, ...] = tuple(map(Fraction, values))
        if len(self.centre) != self.decision.inputs:
            what = f"The point has {len(self.centre)} numbers, the model takes "
            raise InputError(f"{what}{self.decision.inputs}.")
        self.domain = _domain(model, graph, box)
        for number, (x, (low, high)) in enumerate(zip(self.centre, self.domain, strict=True)):
            if (low is not None and x < low) or (high is not None and x > high):
                what = f"The point is outside the box: its element {number} is {decimal_text(x)}."
                raise InputError(what)
        self.decided = self.decision.decide(self.centre)
        self.label = self.decided if label is None else natural(label, what="label")
        if self.label >= self.decision.classes:
            what = f"There is no class {self.label}: there are {self.decision.classes}, from 0 on."
            raise InputError(what)
        self.ways = self.decision.others(self.label)

    @property
    def otherwise(self) -> str:
        """That the point itself is no example of the class."""
        return f"The point itself is of class {self.decided}, not {self.label}."

    @property
    def reach(self) -> Fraction | None:
        """The radius at which a ball is the whole domain; None if it is unbounded."""
        found = Fraction(0)
        for x, (low, high) in zip(self.centre, self.domain, strict=True):
            if low is None or high is None:
                return None
            found = max(found, x - low, high - x)
        return found

    def property(self, radius: Fraction) -> Specification:
        """That no input of a ball is decided otherwise."""
        lower = tuple(
            x - radius if low is None else max(low, x - radius)
            for x, (low, _) in zip(self.centre, self.domain, strict=True)
        )
        upper = tuple(
            x + radius if high is None else min(high, x + radius)
            for x, (_, high) in zip(self.centre, self.domain, strict=True)
        )
        inputs = tuple(TensorName(name, shape) for name, shape in self.graph.inputs.items())
        outputs = tuple(
            TensorName(name, self.graph.nodes[node].shape) for name, node in self.graph.outputs
        )
        cases = tuple(Case(lower, upper, (), rows) for rows in self.ways)
        return Specification(inputs, outputs, cases)

    def distance(self, point: tuple[Fraction, ...]) -> Fraction:
        """How far a point is from the centre."""
        return max(
            (abs(x - c) for x, c in zip(point, self.centre, strict=True)), default=Fraction(0)
        )

    def witness_at(self, point: tuple[Fraction, ...]) -> Witness | None:
        """The witness at a point, if its exact outputs are decided otherwise."""
        outputs = exact_outputs(self.graph, point)
        if outputs is None:
            return None
        for rows in self.ways:
            if all(holds_at(row, point, outputs) for row in rows):
                ends = (None,) * len(point)
                single = replayed(Case(ends, ends, (), rows), point, self.run)
                return Witness.of(point, outputs, float32=single)
        return None

    def verify(
        self,
        radius: Fraction,
        budget: Budget,
        *,
        seed: int = 0,
        certify: bool = False,
        arithmetic: str | None = None,
    ) -> Answer:
        """Whether every input within a radius is of the class."""
        started = time.monotonic()
        found = None if self.decided == self.label else self.witness_at(self.centre)
        if found is not None:
            return Violated(found, ITSELF, self.otherwise, time.monotonic() - started)
        name = (
            None if arithmetic is None else choice(arithmetic, (REAL, *FLOATS), what="arithmetic")
        )
        answer = answer_within(
            self.graph, self.property(radius), budget, seed=seed, replay=self.run, certify=certify,
            arithmetic=REAL if self._rounded else name,
        )  # fmt: skip
        if self._rounded and name not in (None, REAL) and isinstance(answer, Holds):
            why = "The last op is of a function that a library computes."
            return replace(answer, arithmetic=Arithmetics(name, REAL, why))
        return answer


def _ends_in_library(graph: Graph, scores: Graph) -> bool:
    """Whether what a graph has after its scores is rounded as a library does."""
    before = set(scores.ancestors(scores.output_nodes))
    after = (graph.nodes[i] for i in graph.ancestors(graph.output_nodes) if i not in before)
    return any(isinstance(n, Apply) and n.op in (SIGMOID, SOFTMAX, LOG_SOFTMAX) for n in after)


def _domain(
    model: Model | Graph, graph: Graph, box: Box | Mapping[str, Any] | str | None
) -> list[tuple[Bound, Bound]]:
    if isinstance(box, Box):
        return box.checked(graph.inputs).elements(graph.inputs)
    if isinstance(model, Graph):
        if box is None:
            return Box.everything().elements(graph.inputs)
        raise InputError("Of a graph the box is a Box.")
    return model.box(box).elements(graph.inputs)


def verify_robustness(  # noqa: PLR0913 (options, by keyword only)
    model: Model | Graph,
    point: Any,
    radius: Any,
    *,
    label: int | None = None,
    box: Box | Mapping[str, Any] | str | None = None,
    timeout: float | None = None,
    seed: int = 0,
    certify: bool = False,
    arithmetic: str | None = None,
) -> Answer:
    """Whether a classifier decides alike wherever each input element differs by at most ``radius``.

    The decision is the class of the largest output, the first of several; of a single output,
    whether it is positive.  The ball is closed.

    Parameters
    ----------
    model
        The classifier, or its graph.
    point
        The centre: the elements of all inputs, one after the other.
    radius
        The largest difference of an element.
    label
        The class that is asked about; by default that of the point.
    box
        The domain: only inputs in it count.
    timeout, seed, certify, arithmetic
        As of `verify`.

    Raises
    ------
    InputError
        If point, radius, label or box do not fit.
    UnsupportedError
        If it is not known how the model decides.
    """
    question = LocalRobustness(model, point, label=label, box=box)
    budget = Budget.of(seconds(timeout))
    return question.verify(
        radius_of(radius), budget, seed=seed, certify=certify, arithmetic=arithmetic
    )


def _number(value: Any, what: str) -> Fraction:
    found: list[Fraction] = rationals(value, what=what).reshape(-1).tolist()
    if len(found) != 1:
        raise InputError(f"The {what} is {shown(value)}, which is not one number.")
    return found[0]


def radius_of(value: Any) -> Fraction:
    """A radius; an `InputError` if it is no number, or negative."""
    found = _number(value, "radius")
    if found < 0:
        raise InputError(f"The radius {rational_text(found)} is negative.")
    return found


def tolerance_of(value: Any) -> Fraction:
    """A tolerance; an `InputError` if it is not between 0 and 1."""
    found = _number(value, "tolerance")
    if not 0 < found < 1:
        raise InputError(f"The tolerance {rational_text(found)} is not between 0 and 1.")
    return found
