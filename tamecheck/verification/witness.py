"""Witnesses: a float candidate becomes a rational input, and its outputs are computed exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from flint import arb, fmpq

from tamecheck.bounds.layers import Layers
from tamecheck.budget import Budget
from tamecheck.errors import InputError, TamecheckError
from tamecheck.evaluate import exact_values
from tamecheck.evaluate.float_terms import nearest_float
from tamecheck.exact.reals import working_precision
from tamecheck.ir.arguments import instance
from tamecheck.ir.box import Bound
from tamecheck.ir.graph import Graph
from tamecheck.ir.spec import Case, Inequality
from tamecheck.ir.tensor import Array, Shape
from tamecheck.loaders.files import suffix_of
from tamecheck.loaders.onnx.runtime import Runtime
from tamecheck.model import Model
from tamecheck.verification.answer import Holds, Witness
from tamecheck.verification.problem import Problem

Replay: TypeAlias = Callable[[Array], Array | None]
"""The outputs, flat, of a float32 run on a flat float32 input; None if it cannot be run."""

Watch: TypeAlias = Callable[[Array, Array], bool]
"""Whether to stop, given points and the cases that each of them may witness."""
Prove: TypeAlias = Callable[[Budget, Watch], Holds | None]
"""A proof that a property holds, within a budget, unless a watch stops the search for it."""

_BITS = 256
_CHECKS = 40


def witness_near(problem: Problem, case: int, x: Array, replay: Replay | None) -> Witness | None:
    """The witness at (or next to) a float point, if the exact outputs are unsafe there.

    The point is moved into the exact box, to float32 numbers where the box has them; first to
    integers where these are declared.
    """
    wanted = problem.spec.cases[case]
    with np.errstate(over="ignore"):
        single = inside(x.astype(np.float32), wanted)
    double = inside(x, wanted)
    # last the float itself, cut at the exact ends of the box
    points = single, double, _cut(x, wanted)
    if any(problem.integral):
        points = _whole(points[-1], wanted, problem.integral), *points
    for point in dict.fromkeys(points):
        found = witness_at(problem, case, point, replay)
        if found is not None:
            return found
    return None


def witness_at(
    problem: Problem, case: int, point: tuple[Fraction, ...], replay: Replay | None
) -> Witness | None:
    """The witness at a rational point of the case's box, if the exact outputs are unsafe there."""
    wanted = problem.spec.cases[case]
    if not wanted.contains(point):
        return None
    judged, spec = problem.judged
    found = exact_outputs(judged, point)
    rows = spec.cases[case].outputs
    if found is None or not all(holds_at(row, point, found) for row in rows):
        return None
    outputs = found if judged is problem.graph else exact_outputs(problem.graph, point)
    if outputs is None:
        return None
    single = replayed(problem.stated.cases[case], point, replay)
    return Witness.of(point, outputs, float32=single)


def confirm_exactly(
    problem: Problem, case: int, point: tuple[Fraction, ...], replay: Replay | None
) -> Witness | None:
    """The witness at the float next to a rational point, or at the point itself."""
    near = np.array([nearest_float(value) for value in point])
    return witness_near(problem, case, near, replay) or witness_at(problem, case, point, replay)


def inside(x: Array, case: Case) -> tuple[Fraction, ...]:
    """The point with each coordinate moved into the case's box.

    It moves to the next number of the array's type if that suffices, else to the end of the
    interval, which is rational.
    """
    # NumPy's scalars keep the type, so that the next number is one of that type
    return tuple(
        _move(value, low, high, x)
        for value, low, high in zip(x, case.lower, case.upper, strict=True)
    )


def _cut(x: Array, case: Case) -> tuple[Fraction, ...]:
    """The point with each coordinate cut at the ends of the case's box."""
    return tuple(map(_clamp, x.tolist(), case.lower, case.upper))


def _whole(x: Sequence[Fraction], case: Case, integral: Sequence[bool]) -> tuple[Fraction, ...]:
    """The point with the nearest integers of the case's box where these are declared."""
    found = list(x)
    for i, (low, high) in enumerate(zip(case.lower, case.upper, strict=True)):
        if integral[i]:
            near = round(x[i])
            near += (low is not None and near < low) - (high is not None and near > high)
            found[i] = Fraction(near)
    return tuple(found)


def _clamp(value: float, low: Bound, high: Bound) -> Fraction:
    exact = Fraction(value) if np.isfinite(value) else Fraction(0)
    exact = exact if low is None else max(exact, low)
    return exact if high is None else min(exact, high)


def _move(value: np.floating, low: Bound, high: Bound, like: Array) -> Fraction:
    end = _clamp(float(value), low, high)
    if np.isfinite(value) and end == Fraction(float(value)):
        return end
    with np.errstate(over="ignore"):
        near = like.dtype.type(nearest_float(end))
        numbers = [near, *(np.nextafter(near, like.dtype.type(way)) for way in (np.inf, -np.inf))]
    exact = [Fraction(float(number)) for number in numbers if np.isfinite(number)]
    within = ((low is None or low <= v) and (high is None or v <= high) for v in exact)
    return next((v for v, is_inside in zip(exact, within, strict=True) if is_inside), end)


def exact_outputs(graph: Graph, point: Sequence[Fraction]) -> list[Fraction | arb] | None:
    """All outputs at a flat point; None where the model has no value or it cannot be computed."""
    try:
        found = exact_values(graph, graph.split(point))
    except TamecheckError:
        return None
    return [value for name, _ in graph.outputs for value in found[name].reshape(-1).tolist()]


def holds_at(row: Inequality, point: Sequence[Fraction], outputs: Sequence[Fraction | arb]) -> bool:
    """Whether the inequality certainly holds at an input with these outputs."""
    left = left_minus_bound(row, point, outputs)
    # a comparison of balls is true only if it holds for all their elements
    return bool(left < 0 if row.strict else left <= 0)


def left_minus_bound(
    row: Inequality, point: Sequence[Fraction], outputs: Sequence[Fraction | arb]
) -> Fraction | arb:
    """The left side minus the bound: a rational, or a ball where an output is one."""
    total: Fraction | arb = sum((c * point[i] for i, c in row.inputs), -row.bound)
    needed = [(outputs[i], c) for i, c in row.outputs]
    if not any(isinstance(value, arb) for value, _ in needed):
        return sum((c * v for v, c in needed if isinstance(v, Fraction)), total)
    with working_precision(_BITS):
        return sum((_ball(c) * _ball(v) for v, c in needed), _ball(total))


def _ball(value: Fraction | arb) -> arb:
    return value if isinstance(value, arb) else arb(fmpq(value.numerator, value.denominator))


def run_in_float32(
    point: Sequence[Fraction], replay: Replay
) -> tuple[list[Fraction], list[Fraction]] | None:
    """The point as float32 has it and the outputs there, exact; None if there was no run.

    Both are empty if some number is not finite.
    """
    with np.errstate(over="ignore"):
        single = np.array([nearest_float(value) for value in point]).astype(np.float32)
    outputs = replay(single)
    if outputs is None:
        return None
    if not (np.isfinite(outputs).all() and np.isfinite(single).all()):
        return [], []
    return [Fraction(float(v)) for v in single], [Fraction(float(v)) for v in outputs]


def replayed(case: Case, point: Sequence[Fraction], replay: Replay | None) -> bool | None:
    """Whether a float32 run is unsafe too; None if there is none."""
    found = None if replay is None else run_in_float32(point, replay)
    if found is None:
        return None
    inputs, outputs = found
    return bool(outputs) and all(row.holds(inputs, outputs) for row in case.outputs)


def with_replay(problem: Problem, witness: Witness, replay: Replay | None) -> Witness:
    """The witness, and whether a float32 run is unsafe too."""
    found = None if replay is None else run_in_float32(witness.inputs, replay)
    if found is None:
        return witness
    inputs, outputs = found
    cases = (one for one in problem.stated.cases if one.contains(witness.inputs))
    said = bool(outputs) and any(
        all(row.holds(inputs, outputs) for row in case.outputs) for case in cases
    )
    return replace(witness, float32=said)


def onnx_replay(path: str | Path, shapes: Mapping[str, Shape] | None = None) -> Replay | None:
    """The model in an ``.onnx`` or ``.onnx.gz`` file as onnxruntime runs it; None if it cannot.

    An open extent is 1 unless the shapes of inputs are given.
    """
    if suffix_of(path) != ".onnx":
        return None
    runtimes: list[Runtime] = []

    def run(x: Array) -> Array | None:
        try:
            if not runtimes:
                runtimes.append(Runtime.of(path, shapes))
        except InputError:
            return None
        runtime, start = runtimes[0], 0
        point: dict[str, Array] = {}
        for name, like in runtime.example.items():
            point[name] = x[start : start + like.size].reshape(like.shape)
            start += like.size
        found = runtime.run(point)
        if found is None:
            return None
        return np.concatenate([array.reshape(-1) for array in found.values()])

    return run


def graph_of(model: Model | Graph) -> Graph:
    """The graph of a model, or the graph itself; an `InputError` if it is neither."""
    if isinstance(model, Graph):
        return model
    hint = "Load it by tc.load or tc.expression."
    return instance(model, Model, what="model", hint=hint).graph


def replay_of(model: Model | Graph) -> Replay | None:
    """A float32 run of the model's file, if it has one that can be run."""
    if isinstance(model, Graph):
        return None
    source = Path(model.loaded.where)
    if model.loaded.format != "onnx" or not source.is_file():
        return None
    return onnx_replay(source, model.inputs)


@dataclass(slots=True, eq=False)
class Search:
    """What one run shares: the problem, the budget, the random numbers, the check of witnesses.

    ``kept`` is a witness that is exact but that a float32 run does not confirm; the search for
    a better one goes on for a while.  With ``whole`` only integers count where they are declared.
    """

    problem: Problem
    layers: Layers
    rng: np.random.Generator
    replay: Replay | None = None
    budget: Budget = field(default_factory=Budget)
    kept: Witness | None = None
    whole: bool = False
    checks: int = 0
    failed: set[bytes] = field(default_factory=set[bytes])
    executor: Any = None
    """What helps once a search has done some work alone."""

    def rows(self, x: Array) -> Array:
        """The rows of the property at points, in float64."""
        with np.errstate(all="ignore"):
            return self.layers.values(x)[-1]

    def confirm_exactly(self, case: int, point: tuple[Fraction, ...]) -> Witness | None:
        """The witness at, or next to, a rational point that is unsafe."""
        return confirm_exactly(self.problem, case, point, self.replay)

    def confirm(self, points: Array, rows: Array, allowed: Array | None = None) -> Witness | None:
        """A witness among points whose rows look unsafe, deepest first, checked exactly.

        ``allowed`` (points, cases) says which cases a point may witness.
        """
        cases = np.arange(len(self.problem.places))
        if allowed is not None:
            cases = np.flatnonzero(allowed.any(0))
        unsafe = self.problem.unsafe(rows, cases)
        if allowed is not None:
            unsafe = unsafe & allowed[:, cases]
        if not unsafe.any():
            return None
        depth = np.where(unsafe, self.problem.depth(rows, cases), np.inf)
        order = np.argsort(depth.min(-1))
        for index in order[: min(3, int(unsafe.any(-1).sum()))]:
            case = int(cases[depth[index].argmin()])
            key = points[index].tobytes()
            if key in self.failed or (self.checks >= _CHECKS and self.budget.seconds < 1):
                continue
            self.checks += 1
            found = witness_near(self.problem, case, points[index], self.replay)
            if found is None or (self.whole and not self.problem.spec.admits(found.inputs)):
                self.failed.add(key)
            elif found.float32 is False:
                self.kept = self.kept or found
            else:
                return found
        return None

    def watched(self, prove: Prove, budget: Budget) -> tuple[Holds | None, Witness | None]:
        """A proof, or a witness that the search for it came by; neither if one is kept."""
        found: list[Witness] = []

        def watch(points: Array, allowed: Array) -> bool:
            witness = self.confirm(points, self.rows(points), allowed)
            found.extend([] if witness is None else [witness])
            return bool(found) or self.kept is not None

        shown = prove(budget, watch)
        return shown, found[0] if found else None
