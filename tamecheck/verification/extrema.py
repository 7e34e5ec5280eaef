"""The largest or smallest value of an output: walks find points, programs and boxes bound them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import Any, Literal, Required, TypeAlias, TypedDict, TypeVar, Unpack

import numpy as np

from tamecheck.bounds.builder import layers_of
from tamecheck.bounds.crown import bound
from tamecheck.bounds.layers import Layers
from tamecheck.bounds.propagation import back, least_on
from tamecheck.budget import Budget
from tamecheck.encode.mip.network import Encoding, mip_encoding
from tamecheck.errors import InputError, SolverError, TimeLimitError, UnsupportedError
from tamecheck.evaluate.enclosure import float_down, float_up
from tamecheck.evaluate.float_terms import nearest_float
from tamecheck.ir.arguments import natural, seconds
from tamecheck.ir.box import Box
from tamecheck.ir.exact import shown
from tamecheck.ir.graph import Graph
from tamecheck.ir.program import Sense
from tamecheck.ir.tensor import Array, size_of
from tamecheck.model import Model
from tamecheck.programs import Feasible, Optimal, Unknown, solve
from tamecheck.verification.answer import RECOMPUTATION, Optimum, Status
from tamecheck.verification.boxes import halve_boxes
from tamecheck.verification.branch import (
    Items,
    count_items,
    join_items,
    pick_items,
)
from tamecheck.verification.supremum import supremum
from tamecheck.verification.walk import (
    Walker,
    best_walks,
    piecewise_affine,
    relaxed_starts,
    sampled_starts,
)
from tamecheck.verification.witness import exact_outputs

Method: TypeAlias = Literal["auto", "walk"]
Progress: TypeAlias = Callable[[str], None]
T = TypeVar("T")

_DEFAULT_WALK = 10.0
_MOST_WALK = 20.0
_SHORT_WALK = 0.1
"""Seconds of walks before a small program, which is solved as soon as that."""
_DEFAULT_SPLIT = 30.0
_NOT_ATTAINED = "No point is known that attains the bound; values come near to it."
_FEW = 60
_NARROW = 16
_BATCH, _GOOD, _MOST, _LEAST = 64, 1e-6, 200_000, 2.0**-1000
_SMALL = 50_000
"""Parameters up to which walks alone are given the relaxations of the program too."""


class TaskOptions(TypedDict, total=False):
    """What `relax_and_walk` may be told; the meaning and the defaults are those of `maximise`."""

    output: int
    box: Required[Box | Mapping[str, Any] | str]
    timeout: float | None
    seed: int
    progress: Progress | None


class Options(TaskOptions, total=False):
    """What `maximise` and `minimise` may be told."""

    method: Method


def maximise(model: Model, **options: Unpack[Options]) -> Optimum:
    """The largest value of an output element on a bounded box.

    A piecewise affine network becomes an exact mixed-integer program; walks find a first point,
    the solvers of `tamecheck.solve` go on from it, and every value is that of the network itself
    in rational arithmetic.  One that jumps is optimised on every linear piece, if they are few.
    Other networks get a rigorous bound from linear bounds on boxes that are halved; then the status
    is ``feasible``, unless value and bound are equal.

    Parameters
    ----------
    model
        A model.
    output
        The number of the element, all outputs one after the other; 0 by default.
    box
        The domain, bounded; see `Model.check`.
    method
        ``"auto"``, or ``"walk"`` for Relax-and-Walk alone.
    timeout
        Seconds, roughly; None is as long as the solvers take.
    seed
        Seed of all random choices.
    progress
        Called now and then with a line about the state.

    Raises
    ------
    InputError
        If the box is unbounded or does not fit, or there is no such output.
    """
    return _Task.of(model, Sense.MAXIMISE, **options).run()


def minimise(model: Model, **options: Unpack[Options]) -> Optimum:
    """The smallest value of an output element on a bounded box; see `maximise`."""
    return _Task.of(model, Sense.MINIMISE, **options).run()


def relax_and_walk(model: Model, **options: Unpack[TaskOptions]) -> Optimum:
    """A large value of an output by Relax-and-Walk alone, with a rigorous linear bound.

    Source: Tong, Cai and Serra (CPAIOR 2024).  Half of the starting points are theirs, the others
    the best of many gradient ascents.  Parameters as of `maximise`; ten seconds by default.
    """
    return _Task.of(model, Sense.MAXIMISE, method="walk", **options).run()


@dataclass(slots=True)
class _Task:
    graph: Graph
    output: int
    box: Box
    sense: Sense
    asked: Method
    budget: Budget
    seed: int
    progress: Progress | None
    ends: list[tuple[Fraction, Fraction]]
    notes: list[str] = field(default_factory=list[str])
    x: tuple[Fraction, ...] | None = None
    value: Fraction | None = None
    bound: Fraction | None = None
    checked: str | None = None
    certificate: Mapping[str, Any] | None = None
    method: str = "none"

    @staticmethod
    def of(  # noqa: PLR0913 (options, by keyword only)
        model: Model,
        sense: Sense,
        *,
        output: int = 0,
        box: Any,
        method: Method = "auto",
        timeout: float | None = None,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> _Task:
        """A task whose box and output fit the model."""
        if not isinstance(getattr(model, "graph", None), Graph):
            raise InputError(f"The model is {shown(model)}, which is no model.")
        graph, found = model.graph, model.box(box)
        for name, shape in graph.inputs.items():
            if any(None in pair for pair in found.side(name).elements(size_of(shape))):
                raise InputError(f"Input {name!r} is unbounded.", hint="Give a box: -1:1.")
        pairs = found.elements(graph.inputs)
        ends = [(a, b) for a, b in pairs if a is not None and b is not None]
        count = sum(size_of(graph.nodes[node].shape) for _, node in graph.outputs)
        output, seed = natural(output, what="output"), natural(seed, what="seed")
        budget = Budget.of(seconds(timeout))
        if not 0 <= output < count:
            raise InputError(f"There is no output {output}; the model has {count}, from 0 on.")
        return _Task(graph, output, found, sense, method, budget, seed, progress, ends)

    def run(self) -> Optimum:
        """The answer; Ctrl-C gives the best so far."""
        start = time.monotonic()
        try:
            self._run()
        except KeyboardInterrupt:
            self.notes.append("Interrupted.")
        status: Status = "unknown" if self.value is None else "feasible"
        if self.value is not None and self.value == self.bound:
            status = "optimal"
        return Optimum(
            status,
            self.value,
            self.bound,
            self.x,
            self.checked,
            self.method,
            tuple(self.notes),
            time.monotonic() - start,
            self.certificate if status == "optimal" else None,
        )

    def _run(self) -> None:
        # first what is quick, so that there is an answer whenever time is up
        self._offer([(low + high) / 2 for low, high in self.ends], "middle of the box")
        left = self.budget.seconds
        layers = self._try(lambda: layers_of(self.graph)) if self.ends else None
        if layers is not None:
            self._split(layers, 0.0)
        encoding = None
        if self.graph.parameters <= _SMALL or self.asked == "auto":
            encoding = self._try(lambda: mip_encoding(self.graph, self.box, budget=self.budget))
        if encoding is not None or self.asked == "walk" or not self._by_pieces():
            self._search(layers, encoding, left)

    def _search(self, layers: Layers | None, encoding: Encoding | None, left: float) -> None:
        """Walks, then the program or halves of the box, with so many seconds."""
        many = encoding is not None and len(encoding.rules) >= _FEW
        if layers is not None:
            share = _DEFAULT_WALK if math.isinf(left) else left
            if self.asked == "auto":
                share = min(share / 4, _MOST_WALK if many or encoding is None else _SHORT_WALK)
            self._walk(layers, encoding, self.budget.part(share))
        elif self.asked == "walk":
            self.notes.append("No walk: some node is not known as a layer.")
        if self.asked == "walk" or self.value == self.bound:
            return
        if encoding is not None:
            if layers is not None and many and len(self.ends) <= _NARROW:
                # a program of many rectifiers may not be closed; halves give a bound that lasts
                self._split(layers, min(self.budget.seconds / 5, _DEFAULT_SPLIT / 3))
            self._solve(encoding)
        elif layers is not None:
            left = self.budget.seconds
            self._split(layers, _DEFAULT_SPLIT if math.isinf(left) else left)

    def _try(self, make: Callable[[], T]) -> T | None:
        try:
            return make()
        except UnsupportedError as error:
            self.notes.append(error.message)
        except TimeLimitError:
            self.notes.append("No program: its encoding takes longer than there is time.")
        return None

    # points

    def _offer(self, x: Iterable[Fraction], method: str) -> Fraction | None:
        """Keep a point, moved into the box, if its exact value is the best so far; that value."""
        point = [min(max(v, low), high) for v, (low, high) in zip(x, self.ends, strict=True)]
        value, sign = self._value(point), self.sense.sign
        if value is not None and (self.value is None or sign * value < sign * self.value):
            self.x, self.value, self.method = tuple(point), value, method
            if self.progress is not None:
                self.progress(f"{method}: {float(value):.9g}")
        return self.value

    def _value(self, x: Sequence[Fraction]) -> Fraction | None:
        """The exact value, or for a smooth function a rational on the safe side of it."""
        outputs = exact_outputs(self.graph, x)
        if outputs is None:
            return None
        value = outputs[self.output]
        if isinstance(value, Fraction):
            return value
        note = "The value is irrational; what is given is rounded to the worse side."
        self.notes += [] if note in self.notes else [note]
        end = value.lower() if self.sense is Sense.MAXIMISE else value.upper()
        numerator, exponent = end.man_exp()
        return Fraction(int(numerator)) * Fraction(2) ** int(exponent)

    def _walk(self, layers: Layers, encoding: Encoding | None, budget: Budget) -> None:
        lower, upper = (np.array([nearest_float(end) for end in side]) for side in self._sides())
        walker = Walker(layers, lower, upper, self.output, -float(self.sense.sign))
        rng = np.random.default_rng(self.seed)
        if not piecewise_affine(layers):
            for points in sampled_starts(walker, rng, budget):
                self._offer(map(Fraction, points.tolist()), "gradient ascent")
            return
        for relaxed in (False, True):
            part = budget if relaxed else budget.part(budget.seconds / 2)
            if relaxed and encoding is not None:
                starts = relaxed_starts(encoding, walker, rng, part)
            else:
                starts = sampled_starts(walker, rng, part)
            for x in best_walks(walker, starts, rng, part):
                self._offer(map(Fraction, x.tolist()), "walk")
        if self.x is not None:
            # a corner of a region often has short coordinates
            self._offer([v.limit_denominator(10**6) for v in self.x], self.method)

    def _sides(self) -> list[list[Fraction]]:
        return [[end[k] for end in self.ends] for k in (0, 1)]

    # bounds

    def _better_bound(self, bound: Fraction | None, checked: str) -> None:
        sign = self.sense.sign
        if bound is not None and (self.bound is None or sign * bound > sign * self.bound):
            self.bound, self.checked = bound, checked

    def _by_pieces(self) -> bool:
        offer = partial(self._offer, method="linear pieces")
        asked = self.graph, self.ends, self.output, self.sense
        found = supremum(*asked, budget=self.budget, offer=offer)
        if found is not None:
            self.bound, attained = found
            self.checked, self.notes = RECOMPUTATION, [] if attained else [_NOT_ATTAINED]
        return found is not None

    def _split(self, layers: Layers, seconds: float) -> None:
        lower, upper = self._sides()
        box = np.array([float_down(v) for v in lower]), np.array([float_up(v) for v in upper])
        found = bound_output(
            layers,
            box,
            self.output,
            self.sense,
            budget=self.budget,
            seconds=seconds,
            offer=lambda x: self._offer(x, "bounds"),
        )
        self._better_bound(found, "linear bounds")

    def _solve(self, encoding: Encoding) -> None:
        program = encoding.objective(self.output, self.sense)
        point = None if self.x is None else tuple(encoding.complete(self.x))
        left = self.budget.seconds
        limit = None if math.isinf(left) else max(left, 0.1)
        said = solve(program, seconds=limit, seed=self.seed, incumbent=point)
        self.notes += said.notes
        answer = said.answer
        match answer:
            case Optimal() | Feasible():
                self._offer([answer.point[j] for j in encoding.inputs], "program")
                if isinstance(answer, Feasible):
                    self._better_bound(answer.bound, "certificate")
                elif self.value == answer.objective:
                    self.bound, self.checked = answer.objective, "certificate"
                    self.certificate = answer.certificate
            case Unknown():
                self._better_bound(answer.bound, "certificate")
            case _:
                # the middle of the box is a point, and the box is bounded
                raise SolverError(
                    "The program that was made of the network has no point or no bound.",
                    hint="This is a defect of tamecheck; please report it.",
                )


def bound_output(  # noqa: PLR0913 (a question, its limits, and a conversation)
    layers: Layers,
    box: tuple[Array, Array],
    output: int,
    sense: Sense,
    *,
    budget: Budget,
    seconds: float,
    offer: Callable[[list[Fraction]], Fraction | None],
) -> Fraction | None:
    """No point of the box has a better output than this; None if there is no finite bound.

    Each round halves the boxes with the weakest bounds, until the bound is near the best value
    known, or so many seconds or the budget are over; with no seconds, the whole box gets one bound.
    ``offer`` takes a promising point and gives the best value so far.
    """
    sign, scale = float(sense.sign), box[1] - box[0]
    row = np.zeros((1, 1, layers.sizes[-1]))
    row[..., output] = sign

    def bounds_of(lower: Array, upper: Array, budget: Budget) -> Items:
        """Boxes, lower bounds of the signed output, and the slopes of the functionals below it."""
        with np.errstate(all="ignore"):
            state = bound(layers, lower, upper, budget=budget)
            functional = back(state, layers.output, row)
            least = least_on(state.bounds[0], functional)[:, 0]
            last = state.bounds[-1]
        plain = last.lower[:, output] if sign > 0 else -last.upper[:, output]
        least = np.fmax(np.where(np.isnan(least), -np.inf, least), plain)
        slope = np.nan_to_num(functional.a[:, 0])
        return {"lower": lower, "upper": upper, "bound": least, "slope": slope}

    items = bounds_of(box[0][np.newaxis], box[1][np.newaxis], budget)
    known: Fraction | None = None
    part = budget.part(seconds)
    while not part.is_spent and count_items(items) < _MOST:
        order = np.argsort(items["bound"], kind="stable")
        weak, rest = pick_items(items, order[:_BATCH]), pick_items(items, order[_BATCH:])
        low, high, slope = weak["lower"], weak["upper"], weak["slope"]
        corner = np.where(slope > 0, low, high)
        for point in (corner[0], (low[0] + high[0]) / 2):
            known = offer([Fraction(v) for v in point.tolist()])
        goal = np.inf if known is None else sign * float(known)
        if items["bound"].min() >= goal - _GOOD * max(1.0, abs(goal)):
            break
        halves = bounds_of(*halve_boxes(low, high, slope, np.maximum(scale, _LEAST)), part)
        # a half is never worse than the whole
        twice = np.concatenate([weak["bound"], weak["bound"]])
        halves = {**halves, "bound": np.maximum(halves["bound"], twice)}
        items = join_items(rest, halves)
        if not (halves["upper"] > halves["lower"]).any():
            break
    worst = float(items["bound"].min())
    return Fraction(sign * worst) if np.isfinite(worst) else None
