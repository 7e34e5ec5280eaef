"""The largest or smallest value of an output: walks find points, programs and boxes bound them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, TypeAlias

import numpy as np

from tamecheck.bounds import Layers, layers_of
from tamecheck.encode.mip.network import Encoding, mip_encoding
from tamecheck.errors import DomainError, InputError, SolverError, TamecheckError, UnsupportedError
from tamecheck.evaluate import exact_values
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
from tamecheck.verification.answer import Optimum, Status
from tamecheck.verification.halving import halved_bound
from tamecheck.verification.walk import (
    Walker,
    best_walks,
    piecewise_affine,
    relaxed_starts,
    sampled_starts,
)

__all__ = ["Method", "Progress", "maximise", "minimise", "relax_and_walk"]

Method: TypeAlias = Literal["auto", "walk"]
Progress: TypeAlias = Callable[[str], None]

_DEFAULT_WALK = 10.0
_MOST_WALK = 20.0
_DEFAULT_SPLIT = 30.0
_FEW = 60
_NARROW = 16
_SMALL = 50_000
"""Parameters up to which walks alone are given the relaxations of the program too."""


def maximise(  # noqa: PLR0913 (options, by keyword only)
    model: Model,
    *,
    output: int = 0,
    box: Box | Mapping[str, Any] | str,
    method: Method = "auto",
    timeout: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Optimum:
    """The largest value of an output element on a bounded box.

    A piecewise affine network becomes an exact mixed-integer program; walks find a first point,
    the solvers of `tamecheck.solve` go on from it, and every value is that of the network itself
    in rational arithmetic.  Other networks get a rigorous bound from linear bounds on boxes that
    are halved; then the status is ``feasible``, unless value and bound are equal.

    Parameters
    ----------
    model
        A model.
    output
        The number of the element, all outputs one after the other.
    box
        The domain, bounded; see `Model.check`.
    method
        ``"walk"`` for Relax-and-Walk alone.
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
    return _Task.of(model, output, box, Sense.MAXIMISE, timeout, seed, progress).run(method)


def minimise(  # noqa: PLR0913 (options, by keyword only)
    model: Model,
    *,
    output: int = 0,
    box: Box | Mapping[str, Any] | str,
    method: Method = "auto",
    timeout: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Optimum:
    """The smallest value of an output element on a bounded box; see `maximise`."""
    return _Task.of(model, output, box, Sense.MINIMISE, timeout, seed, progress).run(method)


def relax_and_walk(  # noqa: PLR0913 (options, by keyword only)
    model: Model,
    *,
    output: int = 0,
    box: Box | Mapping[str, Any] | str,
    timeout: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Optimum:
    """A large value of an output by Relax-and-Walk alone, with a rigorous linear bound.

    Source: Tong, Cai and Serra (CPAIOR 2024).  Half of the starting points are theirs, the others
    the best of many gradient ascents.  Parameters as of `maximise`; ten seconds by default.
    """
    return _Task.of(model, output, box, Sense.MAXIMISE, timeout, seed, progress).run("walk")


@dataclass(slots=True)
class _Task:
    graph: Graph
    output: int
    box: Box
    sense: Sense
    limit: float
    seed: int
    progress: Progress | None
    start: float = field(default_factory=time.monotonic)
    notes: list[str] = field(default_factory=list[str])
    x: tuple[Fraction, ...] | None = None
    value: Fraction | None = None
    bound: Fraction | None = None
    checked: str | None = None
    certificate: Mapping[str, Any] | None = None
    method: str = "none"

    @staticmethod
    def of(  # noqa: PLR0913, PLR0917 (what a task is)
        model: Model,
        output: int,
        box: Any,
        sense: Sense,
        timeout: float | None,
        seed: int,
        progress: Progress | None,
    ) -> _Task:
        """A task whose box and output fit the model."""
        if not isinstance(getattr(model, "graph", None), Graph):
            raise InputError(f"The model is {shown(model)}, which is no model.")
        graph = model.graph
        found = model.box(box)
        for name, shape in graph.inputs.items():
            if any(None in pair for pair in found.side(name).elements(size_of(shape))):
                raise InputError(f"Input {name!r} is unbounded.", hint="Give a box: -1:1.")
        count = sum(size_of(graph.nodes[node].shape) for _, node in graph.outputs)
        output, seed = natural(output, what="output"), natural(seed, what="seed")
        timeout = seconds(timeout)
        if not 0 <= output < count:
            raise InputError(f"There is no output {output}; the model has {count}, from 0 on.")
        limit = math.inf if timeout is None else timeout
        return _Task(graph, output, found, sense, limit, seed, progress)

    def run(self, method: Method) -> Optimum:
        """The answer; Ctrl-C gives the best so far."""
        try:
            self._run(method)
        except KeyboardInterrupt:
            self.notes.append("Interrupted.")
        status: Status = "unknown" if self.value is None else "feasible"
        if self.value is not None and self.value == self.bound:
            status = "optimal"
        seconds = time.monotonic() - self.start
        return Optimum(
            status,
            self.value,
            self.bound,
            self.x,
            self.checked,
            self.method,
            tuple(self.notes),
            seconds,
            self.certificate if status == "optimal" else None,
        )

    def _left(self) -> float:
        return self.start + self.limit - time.monotonic()

    def _run(self, method: Method) -> None:
        # first what is quick, so that there is an answer whenever time is up
        self._offer(self._middle(), "middle of the box")
        layers = self._layers()
        self._linear_bound(layers)
        small = self.graph.parameters <= _SMALL
        encoding = self._encoding() if small or method == "auto" else None
        if layers is not None:
            share = _DEFAULT_WALK if math.isinf(self.limit) else self.limit
            if method == "auto":
                few = encoding is not None and len(encoding.rules) < _FEW
                share = min(share / 4, 1.0 if few else _MOST_WALK)
            self._walk(layers, encoding, time.monotonic() + min(share, self._left()))
        elif method == "walk":
            self.notes.append("No walk: some node is not known as a layer.")
        if method == "walk" or self.value == self.bound:
            return
        if encoding is not None:
            if layers is not None and len(encoding.rules) >= _FEW and len(self._ends()) <= _NARROW:
                # a program of many rectifiers may not be closed; halves give a bound that lasts
                self._split(layers, min(self._left() / 5, _DEFAULT_SPLIT / 3))
            self._solve(encoding)
        elif layers is not None:
            seconds = _DEFAULT_SPLIT if math.isinf(self.limit) else self._left()
            self._split(layers, seconds)

    def _layers(self) -> Layers | None:
        if not self._ends():
            return None
        try:
            return layers_of(self.graph)
        except UnsupportedError as error:
            self.notes.append(error.message)
            return None

    def _encoding(self) -> Encoding | None:
        try:
            return mip_encoding(self.graph, self.box)
        except UnsupportedError as error:
            self.notes.append(error.message)
            return None

    # points

    def _ends(self) -> list[tuple[Fraction, Fraction]]:
        return [
            (low, high)
            for name, shape in self.graph.inputs.items()
            for low, high in self.box.side(name).elements(size_of(shape))
            if low is not None and high is not None
        ]

    def _middle(self) -> list[Fraction]:
        return [(low + high) / 2 for low, high in self._ends()]

    def _offer(self, x: list[Fraction], method: str) -> None:
        """Keep a point if it is in the box and its exact value is the best so far."""
        x = [min(max(v, low), high) for v, (low, high) in zip(x, self._ends(), strict=True)]
        value = self._value(x)
        if value is None:
            return
        sign = self.sense.sign
        if self.value is None or sign * value < sign * self.value:
            self.x, self.value, self.method = tuple(x), value, method
            if self.progress is not None:
                self.progress(f"{method}: {float(value):.9g}")

    def _value(self, x: list[Fraction]) -> Fraction | None:
        """The exact value, or for a smooth function a rational on the safe side of it."""
        point: dict[str, Array] = {}
        start = 0
        for name, shape in self.graph.inputs.items():
            array = np.empty(size_of(shape), dtype=object)
            array[:] = x[start : start + array.size]
            start += array.size
            point[name] = array.reshape(shape)
        try:
            found = exact_values(self.graph, point)
        except (DomainError, TamecheckError):
            return None
        flat = [v for name, _ in self.graph.outputs for v in found[name].reshape(-1).tolist()]
        value = flat[self.output]
        if isinstance(value, Fraction):
            return value
        end = value.lower() if self.sense is Sense.MAXIMISE else value.upper()
        self._say_once("The value is irrational; what is given is rounded to the worse side.")
        numerator, exponent = end.man_exp()
        return Fraction(int(numerator)) * Fraction(2) ** int(exponent)

    def _say_once(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def _walk(self, layers: Layers, encoding: Encoding | None, deadline: float) -> None:
        ends = self._ends()
        walker = Walker(
            layers,
            np.array([nearest_float(low) for low, _ in ends]),
            np.array([nearest_float(high) for _, high in ends]),
            self.output,
            -float(self.sense.sign),
        )
        rng = np.random.default_rng(self.seed)
        if not piecewise_affine(layers):
            for points in sampled_starts(walker, rng, deadline=deadline):
                self._offer([Fraction(v) for v in points.tolist()], "gradient ascent")
            return
        now = time.monotonic()
        for number in range(2):
            until = now + (deadline - now) * (number + 1) / 2
            if number == 0:
                starts = sampled_starts(walker, rng, deadline=until)
            elif encoding is not None:
                starts = relaxed_starts(encoding, walker, rng, deadline=until)
            else:
                starts = sampled_starts(walker, rng, deadline=until)
            for _, x in best_walks(walker, starts, rng, deadline=until):
                self._offer([Fraction(v) for v in x.tolist()], "walk")
        if self.x is not None:
            # a corner of a region often has short coordinates
            self._offer([v.limit_denominator(10**6) for v in self.x], self.method)

    # bounds

    def _better_bound(self, bound: Fraction | None, checked: str) -> None:
        sign = self.sense.sign
        if bound is not None and (self.bound is None or sign * bound > sign * self.bound):
            self.bound, self.checked = bound, checked

    def _linear_bound(self, layers: Layers | None) -> None:
        if layers is not None:
            self._split(layers, 0.0)

    def _split(self, layers: Layers, seconds: float) -> None:
        ends = self._ends()
        found = halved_bound(
            layers,
            np.array([float_down(low) for low, _ in ends]),
            np.array([float_up(high) for _, high in ends]),
            self.output,
            self.sense,
            seconds=seconds,
            offer=lambda x: self._offer(x, "bounds"),
            best=lambda: self.value,
        )
        self._better_bound(found, "linear bounds")

    def _solve(self, encoding: Encoding) -> None:
        program = encoding.objective(self.output, self.sense)
        point = None if self.x is None else tuple(encoding.complete(self.x))
        seconds = None if math.isinf(self.limit) else max(self._left(), 0.1)
        said = solve(program, seconds=seconds, seed=self.seed, incumbent=point)
        self.notes += said.notes
        answer = said.answer
        match answer:
            case Optimal():
                x = [answer.point[j] for j in encoding.inputs]
                self._offer(x, "program")
                if self.value == answer.objective:
                    self.bound, self.checked = answer.objective, "certificate"
                    self.certificate = answer.certificate
            case Feasible():
                self._offer([answer.point[j] for j in encoding.inputs], "program")
                self._better_bound(answer.bound, "certificate")
            case Unknown():
                self._better_bound(answer.bound, "certificate")
            case _:
                # the middle of the box is a point, and the box is bounded
                raise SolverError(
                    "The program that was made of the network has no point or no bound.",
                    hint="This is a defect of tamecheck; please report it.",
                )
