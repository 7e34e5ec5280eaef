"""Counterexamples to regularity, each replayed exactly on germs of rays.

On a germ ``f(p + ε d) = a + b ε + c ε² + ...`` with exact coefficients: ``b`` or ``c`` not 0
refutes *piecewise constant*; ``c`` not 0 refutes *piecewise linear*; a term in a fractional power
of ε below 1 refutes *locally Lipschitz*; and limits from two sides, or a value, that differ at a
point refute *continuous*, as do two values of a function that is known to be piecewise constant.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise

from flint import arb, fmpq

from tamecheck.exact.reals import Number, UndecidedError, as_fraction, working_precision
from tamecheck.ir.box import Bound, Box
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Op, Params
from tamecheck.ir.tensor import size_of
from tamecheck.ops.facets import chooses_indices, comparisons, rounds, steps, variables
from tamecheck.tame.germs import Germ, GermRunner, cost_of, has_fractional_power
from tamecheck.tame.properties import random_number, refuted_by_values
from tamecheck.tame.refute_rays import Ray
from tamecheck.tame.series import Series, sign_of
from tamecheck.tame.verdict import Properties

DEFAULT_BUDGET = 1_000_000
"""Scalar operations that the probes may take together."""

_PRECISION = 128
_SCALES = (1, 4, 16)
_CORNERS = 10
_TRIES = 3
_SNAP = 64


def refuted_properties(graph: Graph, box: Box, *, known: Properties, seed: int = 0) -> Properties:
    """The properties that some output is shown not to have: false, or None.

    Parameters
    ----------
    graph, box
        The function; it must be defined on the whole box.
    known
        What is shown to hold, so that nothing is tried against it.
    seed
        Fixes the random points and directions.
    """
    roots = [node for _, node in graph.outputs]
    size, source = max(cost_of(graph, roots), 1), random.Random(seed)  # noqa: S311 no secret
    if 4 * size > DEFAULT_BUDGET:
        # a larger graph is evaluated at a few points at most
        return (
            refuted_by_values(graph, box, known, source)
            if 3 * size < 8 * DEFAULT_BUDGET
            else Properties()
        )
    with working_precision(_PRECISION):
        search = _Search(graph, box, known, DEFAULT_BUDGET // (4 * size), source)
        search.run()
        return search.found


@dataclass(frozen=True, slots=True)
class _Corner:
    """An element of a node whose value is to be hit: 0, or a number at which a rounding jumps."""

    node: int
    element: int
    time: Fraction


@dataclass(slots=True)
class _Search:
    """The state of one search for counterexamples."""

    graph: Graph
    box: Box
    known: Properties
    runs: int
    source: random.Random
    found: Properties = field(default_factory=Properties)

    def run(self) -> None:
        """Probe smooth points, then corners."""
        outputs = [node for _, node in self.graph.outputs]
        runner = GermRunner(self.graph, outputs)
        origin = self._ray(at_origin=True)
        values: list[list[Number]] = []
        for ray in (origin, *(self._ray(scale=scale) for scale in _SCALES)):
            if ray is origin or self._open("piecewise_constant", "piecewise_linear", "continuous"):
                self._smooth(runner, ray, values)
        if self.known.piecewise_constant and _some_differ(values):
            # a continuous image of a box is connected, and this one is countable
            self._refute_continuity()
        if self._open("continuous", "locally_lipschitz"):
            self._corners(outputs)

    def _open(self, *names: str) -> bool:
        undecided = any(
            getattr(self.known, name) is None and getattr(self.found, name) is None
            for name in names
        )
        return undecided and self.runs > 0

    # -- points and directions ------------------------------------------------------------------

    def _ray(self, *, at_origin: bool = False, scale: int = 1) -> Ray:
        base: dict[str, tuple[Fraction, ...]] = {}
        slope: dict[str, tuple[Fraction, ...]] = {}
        for name, shape in self.graph.inputs.items():
            pairs = self.box.side(name).elements(size_of(shape))
            starts = [
                _near_zero(p) if at_origin else random_number(p, self.source, scale) for p in pairs
            ]
            base[name] = tuple(starts)
            slope[name] = tuple(self._towards(s, p) for s, p in zip(starts, pairs, strict=True))
        return Ray(base, slope)

    def _towards(self, start: Fraction, pair: tuple[Bound, Bound]) -> Fraction:
        low, high = pair
        if low is not None and low == high:
            return Fraction(0)
        speed = Fraction(self.source.randint(1, 16), 16)
        if low is not None and start == low:
            return speed
        if high is not None and start == high:
            return -speed
        return speed if self.source.random() < 0.5 else -speed

    # -- smooth points --------------------------------------------------------------------------

    def _germs(self, runner: GermRunner, ray: Ray, order: int) -> dict[int, Germ] | None:
        if self.runs <= 0:
            return None
        self.runs -= 1
        try:
            return runner.run(ray, order=order)
        except UndecidedError:
            return None

    def _smooth(self, runner: GermRunner, ray: Ray, values: list[list[Number]]) -> None:
        germs = self._germs(runner, ray, 2)
        if germs is None:
            return
        values.append([series[0] for germ in germs.values() for series in germ.elements()])
        self._note(runner.ramification, germs)

    def _note(self, whole: int, germs: dict[int, Germ]) -> None:
        """What the germ of the outputs on a ray refutes by itself."""
        for series in (s for germ in germs.values() for s in germ.elements()):
            powers = [i for i in range(1, len(series.coefficients)) if _nonzero(series[i])]
            if powers:
                self.found = replace(self.found, piecewise_constant=False)
            if any(i != whole for i in powers):
                self.found = replace(self.found, piecewise_linear=False)
            if any(i < whole for i in powers):
                self._refute_lipschitz()

    def _refute_lipschitz(self) -> None:
        self.found = replace(self.found, locally_lipschitz=False, path_differentiable=False)

    def _refute_continuity(self) -> None:
        self.found = replace(self.found, continuous=False)
        self._refute_lipschitz()

    # -- corners --------------------------------------------------------------------------------

    def _corners(self, outputs: Sequence[int]) -> None:
        watched = sorted(set(_watched(self.graph, outputs)))
        if not watched:
            return
        args = {arg for index in watched for arg in self._args(index)}
        scout = GermRunner(self.graph, [*outputs, *args])
        sharp = GermRunner(self.graph, outputs)
        self._compare(sharp, self._ray(at_origin=True))
        rays = [self._ray(scale=scale) for scale in _SCALES]
        rays += [r for ray in rays if (r := self._mirrored(ray)) is not None]
        for ray in rays:
            if not self._open("continuous", "locally_lipschitz"):
                return
            germs = self._germs(scout, ray, 1)
            if germs is None:
                continue
            corners = sorted(self._aims(germs, watched, scout.ramification), key=lambda c: c.time)
            for corner in corners[:_CORNERS]:
                if not self._open("continuous", "locally_lipschitz"):
                    return
                point = self._landed(scout, ray, corner)
                if point is not None:
                    self._compare(sharp, point)

    def _args(self, index: int) -> tuple[int, ...]:
        node = self.graph.nodes[index]
        if not isinstance(node, Apply):
            return ()
        deciding = variables(comparisons(node.op, node.params))
        return tuple(node.args[i] for i in sorted(deciding)) if deciding else node.args

    def _aims(
        self, germs: dict[int, Germ], watched: Sequence[int], whole: int
    ) -> Iterator[_Corner]:
        """When a first-order step along the ray would hit a corner, for each that it may hit."""
        for index in watched:
            for element, series in enumerate(self._gaps(germs, index)):
                value, slope = series[0], series[whole]
                if not _nonzero(slope):
                    continue
                for target in self._targets(index, value):
                    time = _snapped((target - value) / slope)
                    if time is not None and time > 0:
                        yield _Corner(index, element, time)

    def _gaps(self, germs: dict[int, Germ], index: int) -> list[Series]:
        """For each element of a node, a series whose special values are the node's corners."""
        node = self.graph.nodes[index]
        if not isinstance(node, Apply):
            return []
        first = germs[node.args[0]].elements()
        if len(variables(comparisons(node.op, node.params))) == 2:
            second = germs[node.args[1]].elements()
            if len(first) == 1 or len(second) == 1:
                count = max(len(first), len(second))
                first, second = first * (count // len(first)), second * (count // len(second))
            return (
                []
                if len(first) != len(second)
                else [_minus(a, b) for a, b in zip(first, second, strict=True)]
            )
        if chooses_indices(node.op):
            return [_minus(a, b) for a, b in pairwise(first)]
        return first

    def _targets(self, index: int, value: Number) -> list[fmpq]:
        node = self.graph.nodes[index]
        if not (isinstance(node, Apply) and rounds(node.op, node.params)):
            return [fmpq(0)]
        if isinstance(value, arb):
            # not value.mid().fmpq(): the exponent of a ball may exceed the memory
            near = float(value)
            if not math.isfinite(near):
                return []
            value = fmpq(*near.as_integer_ratio())
        nearest = str(node.params.get("mode", "")).startswith("half")
        half = fmpq(1, 2) if nearest else fmpq(0)
        low = fmpq((value - half).floor()) + half
        return [low, low + 1]

    def _landed(self, scout: GermRunner, ray: Ray, corner: _Corner) -> Ray | None:
        """The ray moved to start exactly at the corner, by Newton's method; None if it misses."""
        time = corner.time
        for _ in range(_TRIES):
            ahead = _moved(ray, time)
            point = ahead if self._contains(ahead) else self._mirrored(ahead)
            if point is None:
                return None
            germs = self._germs(scout, point, 1)
            if germs is None:
                return point
            series = self._gaps(germs, corner.node)[corner.element]
            value, slope = series[0], series[scout.ramification]
            targets = self._targets(corner.node, value)
            if not targets:
                return None
            target = min(targets, key=lambda t: abs(t - value))
            if isinstance(value, fmpq) and value == target:
                return point
            step = _snapped((target - value) / slope) if _nonzero(slope) else None
            if step is None:
                return None
            time += step if point is ahead else -step
        return None

    def _contains(self, ray: Ray) -> bool:
        """Whether the start of the ray, and its germ, are in the box."""
        for name, shape in self.graph.inputs.items():
            pairs = self.box.side(name).elements(size_of(shape))
            for b, d, (low, high) in zip(ray.base[name], ray.direction[name], pairs, strict=True):
                if low is not None and (b < low or (b == low and d < 0)):
                    return False
                if high is not None and (b > high or (b == high and d > 0)):
                    return False
        return True

    def _mirrored(self, ray: Ray) -> Ray | None:
        back = Ray(ray.base, {n: tuple(-v for v in vs) for n, vs in ray.direction.items()})
        return back if self._contains(back) else None

    def _compare(self, runner: GermRunner, ray: Ray) -> None:
        """Compare the limits from both sides and the value at the start of a ray."""
        still = Ray(ray.base, {n: (Fraction(0),) * len(vs) for n, vs in ray.direction.items()})
        sides: list[list[Number]] = []
        for side in (ray, self._mirrored(ray), still):
            germs = None if side is None else self._germs(runner, side, 2)
            if germs is not None:
                self._note(runner.ramification, germs)
                sides.append([s[0] for germ in germs.values() for s in germ.elements()])
        if _some_differ(sides):
            self._refute_continuity()


def _watched(graph: Graph, outputs: Sequence[int]) -> Iterator[int]:
    for index in graph.ancestors(outputs):
        node = graph.nodes[index]
        if (
            isinstance(node, Apply)
            and not graph.input_free[index]
            and (
                steps(node.op, node.params)
                or _chooses_arguments(node.op, node.params)
                or has_fractional_power(node.op, node.params)
            )
        ):
            yield index


def _chooses_arguments(op: Op, params: Params) -> bool:
    """Whether a comparison decides between arguments, so that the values jump."""
    return not op.regularity.continuous and len(comparisons(op, params)) == 1


def _near_zero(pair: tuple[Bound, Bound]) -> Fraction:
    low, high = pair
    if low is not None and low > 0:
        return low
    return high if high is not None and high < 0 else Fraction(0)


def _some_differ(values: Sequence[Sequence[Number]]) -> bool:
    """Whether two of the lists certainly differ somewhere."""
    return any(
        _nonzero(a - b)
        for first, second in pairwise(values)
        for a, b in zip(first, second, strict=True)
    )


def _minus(left: Series, right: Series) -> Series:
    return left + right.scaled(fmpq(-1))


def _nonzero(value: Number) -> bool:
    """Whether the number is certainly not zero."""
    try:
        return sign_of(value) != 0
    except UndecidedError:
        return False


def _snapped(time: Number) -> Fraction | None:
    """The time as a rational: exact, or a simple one near a ball."""
    if isinstance(time, fmpq):
        return as_fraction(time)
    near = float(time)
    return Fraction(near).limit_denominator(_SNAP) if math.isfinite(near) else None


def _moved(ray: Ray, time: Fraction) -> Ray:
    base = {
        name: tuple(b + time * d for b, d in zip(ray.base[name], slope, strict=True))
        for name, slope in ray.direction.items()
    }
    return Ray(base, ray.direction)
