"""The search for the tree of a split certificate, over boxes of inputs or signs of rectifiers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import floor
from typing import Any, TypeAlias

import numpy as np

from tamecheck.bounds.ascent import Ascent, SignAscent, costliest, kinks
from tamecheck.bounds.crown import direct
from tamecheck.bounds.layers import Layers, Linear, Nonlinear, Pointwise
from tamecheck.bounds.propagation import (
    WHOLE,
    State,
    back,
    least_on,
    magnitude,
    meet,
    run_back,
)
from tamecheck.bounds.scalar import Lines
from tamecheck.budget import Budget
from tamecheck.evaluate.intervals import Interval
from tamecheck.ir.tensor import Array
from tamecheck.verification.problem import Problem, Region
from tamecheck.verification.witness import Watch

ATTEMPTS = (2.0**20, 2.0**26, 0.0)
"""What is tried in turn: the room of closed leaves, in multiples of what float64 may have lost.  At
last none, for bounds that may be reached."""

COEFFICIENT, SLOPE = 28, 26
VALUES = 34
"""The kernel's units of coefficients and slopes, and ours of values: 2**-28 and so on."""

TIE = 2.0**-8
_NEAR = 2.0 ** (4 - VALUES)
_ROUNDINGS = 2.0 ** (3 - COEFFICIENT)
_MOST, _RATIO = 400_000, 1000

Step: TypeAlias = list[Any]
BOUND: Step = ["bound", 1]
Items: TypeAlias = Mapping[tuple[str, int], Array]


@dataclass(slots=True)
class Tree:
    """What is said at each node, and its children; node 0 is the root."""

    steps: list[list[Step]] = field(default_factory=lambda: [[]])
    children: list[tuple[int, int] | None] = field(default_factory=lambda: [None])

    def split(self, node: int, step: Step) -> tuple[int, int]:
        """Divide a node; its children."""
        first = len(self.steps)
        self.steps[node].append(step)
        self.steps += [[], []]
        self.children += [None, None]
        self.children[node] = (first, first + 1)
        return first, first + 1

    def preorder(self) -> Iterator[tuple[int, Step]]:
        """All steps with their nodes, as the kernel reads them."""
        stack = [0]
        while stack:
            node = stack.pop()
            yield from ((node, step) for step in self.steps[node])
            stack += reversed(self.children[node] or ())


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """How the kernel names things: groups of rectifiers by layer, cases, and rows in a case.

    ``bends`` has the op of each nonlinear layer, and what a jump is at 0; ``scales`` the factors
    of rows in the layers over those in the kernel's integers, ``slack`` the room that a closed leaf
    has, in multiples of what float64 may have lost, or 0 where a bound may be reached.
    """

    groups: Mapping[int, int]
    bends: Mapping[int, tuple[str, float]]
    numbers: Mapping[int, int]
    places: Sequence[Mapping[int, int]]
    scales: Sequence[float]
    slack: float


def arguments(layers: Layers) -> tuple[int, ...]:
    """The layers that nonlinear ones read, in order."""
    bent = (layer for layer in layers.computed if not isinstance(layer, Linear))
    return tuple(sorted({arg for layer in bent for arg in layer.args}))


def in_steps(layers: Layers) -> Layers:
    """The layers with what rounds bounded by its least and largest value, as by the kernel."""
    return replace(layers, computed=tuple(map(_in_steps, layers.computed)))


def _in_steps(layer: Linear | Nonlinear) -> Linear | Nonlinear:
    if not isinstance(layer, Pointwise) or not layer.scalar.integral:
        return layer
    span = layer.scalar.range

    def lines(x: Interval) -> Lines:
        flat, found = np.zeros_like(x.lower), span(x)
        return Lines(flat, found.lower, flat, found.upper)

    return replace(layer, scalar=replace(layer.scalar, lines=lines))


def bounds_on(  # noqa: PLR0913 (options, by keyword only)
    layers: Layers,
    lower: Array,
    upper: Array,
    known: Mapping[int, Interval] | None = None,
    *,
    deep: bool = True,
    budget: Budget | None = None,
) -> State:
    """Bounds of all layers on boxes, as the kernel computes them, but in floats.

    Intervals are cut to what is known of them; if ``deep``, open arguments of nonlinear layers get
    better ones by functionals.  An end of what is rectified that is next to 0 may be 0 for the
    kernel, which fixes a sign, so that it is 0 here; beside a jump it is not.
    """
    state = State(layers, [Interval(lower, upper)], budget=budget or Budget())
    read, rectified = frozenset(arguments(layers)), {arg for _, arg in kinks(layers)}
    for index in range(1, layers.output + 1):
        found = state.extend((known or {}).get(index))
        if deep and index in read - direct(layers):
            open_ = (found.lower < 0) & (found.upper > 0)
            rows = np.flatnonzero(open_.any(axis=0))
            better = run_back(state, index, rows)
            # what is open in other boxes only is not looked at in this one
            low = np.where(open_, better.lower, found.lower)
            high = np.where(open_, better.upper, found.upper)
            found = state.bounds[index] = meet(found, Interval(low, high))
        if index in rectified:
            ends = (np.where(np.abs(x) < _NEAR, 0.0, x) for x in (found.lower, found.upper))
            state.bounds[index] = Interval(*ends)
    return state


def is_beside(end: float, outward: float) -> bool:
    """Whether an end is the float beside a jump, as a split puts it where it is not attained."""
    near = 2 * float(np.nextafter(end, outward))
    return near == floor(near) and 2 * end != near


def ratios(values: Array) -> list[Fraction]:
    """The nearest ratios of small numbers."""
    return [Fraction(v).limit_denominator(_RATIO) for v in values.tolist()]


def value_at(layer: Linear | Nonlinear, z: float) -> float:
    """An element of a layer where it reads z."""
    return float(layer.value([np.array([[z]])])[0, 0])


class Search:
    """Depth-first search for the tree of one region, in batches."""

    def __init__(self, problem: Problem, names: Names, region: Region, budget: Budget) -> None:
        if problem.layers is None:
            raise ValueError("no linear bounds")
        self.problem, self.layers, self.names = problem, problem.layers, names
        self.region, self.budget = region, budget
        self.tree = Tree()
        self.watch: Watch | None = None
        self.stopped = False
        self.mended = 0
        self.cases, self.number = np.flatnonzero(region.cases), names.numbers

    def find(self) -> Tree | None:
        """The tree; None if it is not found in time, as here, where nothing is known."""
        return None

    def run(self, items: Items, look: Callable[[Items], Items | None], most: int) -> bool:
        """Whether `look` closes all subproblems; it gives the children of those that are open."""
        nodes = _MOST if self.budget.nodes is None else self.budget.nodes
        while len(items["node", 0]):
            if self.budget.is_spent or len(self.tree.steps) > nodes:
                return False
            count = min(most, len(items["node", 0]))
            part = {key: value[-count:] for key, value in items.items()}
            children = look(part)
            if children is None:
                return False
            items = {
                key: np.concatenate([value[:-count], children[key]]) for key, value in items.items()
            }
        return True

    def stops(self, points: Array, cases: Array) -> bool:
        """Whether a point near a violation is one, of a case that is open there."""
        self.stopped = self.watch is not None and self.watch(points, cases)
        return self.stopped

    def close(self, node: int, case: int, row: int, slopes: Sequence[Sequence[int]] = ()) -> None:
        """Say at a node that a row of a case fails, with slopes below some open rectifiers."""
        place, number = self.names.places[case][row], self.number[case]
        said = ["combine", number, [[place, 1]], [], list(slopes)] if slopes else None
        self.tree.steps[node].append(said or ["close", number, place])

    def near_ties(self, state: State) -> dict[int, list[list[int]]]:
        """For each box the slopes below rectifiers where rounding might choose the other one."""
        found: dict[int, list[list[int]]] = {}
        for index, arg in kinks(self.layers):
            low, high = state.bounds[arg].lower, state.bounds[arg].upper
            near = (low < 0) & (high > 0) & (np.abs(high + low) < TIE * (high - low))
            for box, e in zip(*(at.tolist() for at in near.nonzero()), strict=True):
                slope = int(high[box, e] > -low[box, e]) << SLOPE
                found.setdefault(box, []).append([self.names.groups[index], e, slope])
        return found

    def whole(self, case: int, rows: Array, most: float) -> tuple[list[list[int]], float]:
        """Weights of the kernel's rows, the largest about ``most``; and what they are times."""
        places = self.names.places[case]
        factors = {r: rows[r] * self.names.scales[r] for r in np.flatnonzero(rows).tolist()}
        unit = 1 / min(factors.values()) if len(factors) == 1 else most / max(factors.values())
        whole = {places[r]: round(f * unit) for r, f in factors.items()}
        return [[place, weight] for place, weight in whole.items() if weight > 0], unit

    def combination(
        self, i: int, case: int, state: State, outcome: Ascent, signs: Mapping[int, Array]
    ) -> Step:
        """What closes a case on a part: weights of rows, multiples of variables, slopes."""
        # multiples of variables are to be small integers too
        most = 2.0**20 if signs else WHOLE
        weights, unit = self.whole(case, outcome.choice["rows", 0][i], most)
        moved, slopes = list[list[int]](), list[list[int]]()
        for index, arg in kinks(self.layers):
            group = self.names.groups[index]
            low, high = state.bounds[arg].lower[i], state.bounds[arg].upper[i]
            if arg in signs:
                multiplier = outcome.choice["multiplier", arg][i]
                change = -multiplier * signs[arg][i] * (unit * 2.0**COEFFICIENT)
                at = np.flatnonzero(np.abs(change) >= 1).tolist()
                moved += [[group, e, round(float(change[e]))] for e in at]
            slope = np.clip(outcome.choice["slope", index][i], 0, 1)
            other = np.abs(slope - (high > -low)) > 2.0**-20
            near = np.abs(high + low) < TIE * (high - low)
            planes = self.planes(i, index, state, outcome)
            at = np.flatnonzero((low < 0) & (high > 0) & (other | near)).tolist()
            below = {e: [round(float(slope[e]) * 2**SLOPE)] for e in at}
            slopes += [[group, e, *said] for e, said in (below | planes).items()]
        return ["combine", self.number[case], weights, moved, slopes]

    def planes(self, i: int, index: int, state: State, outcome: Ascent) -> dict[int, list[int]]:
        """The planes above open rectifiers of a layer, by element; here there are none."""
        del i, index, state, outcome
        return {}

    def mend(self, node: int, budget: Budget) -> bool:
        """Whether a node that the kernel refuses is closed by a further split, in time."""
        del node, budget
        return False


class Neurons(Search):
    """Signs of rectifiers, fixed one after the other, for each case alone."""

    def find(self) -> Tree | None:
        """The tree; None if it is not found in time."""
        region, layers, tree = self.region, self.layers, self.tree
        with np.errstate(all="ignore"):
            box = region.lower[np.newaxis], region.upper[np.newaxis]
            self.root = bounds_on(layers, *box, budget=self.budget)
            form = back(self.root, layers.output, np.eye(layers.sizes[-1])[np.newaxis])
            self.lost = self.room(form.error[0])
            least = least_on(self.root.bounds[0], form)[0] - self.lost
            self.pairs = kinks(layers)
            tree.steps[0].append(BOUND)
            ties = self.near_ties(self.root).get(0, [])
            members, left = self.problem.members, list[int]()
            for case in self.cases.tolist():
                row = np.where(members[case], least, -np.inf).argmax()
                if members[case].any() and least[row] > 0:
                    self.close(0, case, int(row), ties)
                else:
                    left.append(case)
            node = 0
            while left:
                first, *left = left
                own = node
                if left:
                    own, node = tree.split(node, ["only", self.number[first]])
                # a proof that was refused is tried again without them
                self.climb = SignAscent(self.root, planes=self.names.slack == ATTEMPTS[0])
                if not self.run(self.first(first, own, least), self.look, self.most):
                    return None
        return tree

    def room(self, error: Array) -> Array:
        """What a bound has to be above, given what float64 has lost.

        The kernel rounds the coefficient of each variable a few times; in wide layers float64 may
        lose less than its error says.
        """
        rounded = sum(float(magnitude(x).sum()) for x in self.root.bounds) * _ROUNDINGS
        slack = self.names.slack
        return np.minimum(error * (4 * slack), error * 2**14 + rounded * (slack / 2**20))

    @property
    def most(self) -> int:
        """Subproblems in one batch."""
        size = sum(self.layers.sizes) + self.climb.weights
        return int(np.clip((1 << 22) // size, 4, 256))

    def first(self, case: int, node: int, least: Array) -> Items:
        """A case with the row that is nearest to closing it."""
        nearest = int(np.where(self.problem.members[case], least, -np.inf).argmax())
        items: dict[tuple[str, int], Array] = {
            ("node", 0): np.array([node]),
            ("case", 0): np.array([case]),
        }
        for index, arg in self.pairs:
            bounds = self.root.bounds[arg]
            items["slope", index] = (bounds.upper > -bounds.lower).astype(np.float64)
            items["sign", arg] = np.zeros((1, bounds.lower.shape[-1]), np.int8)
            items["multiplier", arg] = np.zeros(items["sign", arg].shape)
        items["rows", 0] = np.eye(len(least))[[nearest]]
        return {**items, **self.climb.first}

    def look(self, items: Items) -> Items | None:
        """Close subproblems, or fix one more sign in them."""
        nodes, cases = items["node", 0], items["case", 0]
        signs = {arg: items["sign", arg] for _, arg in self.pairs}
        names = {"slope", "multiplier", "rows", "over", "share"}
        choice: dict[tuple[str, int], Array] = {k: v for k, v in items.items() if k[0] in names}
        state = self.state(len(nodes), signs)
        members = self.problem.members[cases]
        enough = (members * self.lost).max(-1)
        outcome = self.climb.ascend(state, choice, signs, members, enough)
        closed = outcome.bound > (outcome.choice["rows", 0] * self.lost).sum(-1)
        for i in np.flatnonzero(closed).tolist():
            said = self.combination(i, int(cases[i]), state, outcome, signs)
            self.tree.steps[int(nodes[i])] += [["bound", 0], said]
        open_ = np.flatnonzero(~closed)
        own = cases[open_][:, np.newaxis] == np.arange(len(self.region.cases))
        if open_.size and self.stops(outcome.points[open_], own):
            return None
        kept = {key: value[open_] for key, value in {**items, **outcome.choice}.items()}
        return self.children(kept, state, outcome, open_)

    def planes(self, i: int, index: int, state: State, outcome: Ascent) -> dict[int, list[int]]:
        """See `Search`."""
        if ("over", index) not in outcome.choice or index not in outcome.trace:
            return {}
        windows = self.climb.windows[index]
        bounds, rows = state.bounds[self.layers[index].args[0]], windows.rows
        low, high = bounds.lower[i, rows], bounds.upper[i, rows]
        share = outcome.choice["share", index][i]
        used = (low < 0) & (high > 0) & (outcome.trace[index][i, 0, rows] < 0) & (share < 1)
        line = np.where(used, high / np.where(used, high - low, 1.0), 0.0)
        # what is kept of the line above is a plane with these slopes
        slopes = (share * line)[:, np.newaxis] + (1 - share)[:, np.newaxis] * outcome.choice[
            "over", index
        ][i]
        table = np.column_stack([share * line, share * (1 - line), slopes])
        whole = np.round(np.clip(table, 0, 1) * 2**SLOPE).astype(np.int64)
        return {int(rows[k]): whole[k].tolist() for k in np.flatnonzero(used).tolist()}

    def state(self, count: int, signs: Mapping[int, Array]) -> State:
        """The bounds with the signs in them."""
        known = {
            index: Interval(np.repeat(x.lower, count, 0), np.repeat(x.upper, count, 0))
            for index, x in enumerate(self.root.bounds)
        }
        for arg, sign in signs.items():
            low = np.where(sign > 0, np.maximum(known[arg].lower, 0.0), known[arg].lower)
            high = np.where(sign < 0, np.minimum(known[arg].upper, 0.0), known[arg].upper)
            known[arg] = Interval(np.minimum(low, high), high)
        lower = np.repeat(self.region.lower[np.newaxis], count, 0)
        upper = np.repeat(self.region.upper[np.newaxis], count, 0)
        state = bounds_on(self.layers, lower, upper, known, deep=False)
        for arg, sign in signs.items():
            # what is above 0, if anything is, goes along its argument, as for the kernel
            low, high = state.bounds[arg].lower, state.bounds[arg].upper
            high = np.where((sign > 0) & (low >= 0), np.maximum(high, _NEAR), high)
            state.bounds[arg] = Interval(low, high)
        return state

    def children(self, items: Items, state: State, outcome: Ascent, open_: Array) -> Items | None:
        """Both signs of the rectifier whose relaxation costs the bound most."""
        costly = costliest(self.pairs, items, state, outcome, open_)
        if costly is None:
            return None
        layer, place = costly
        found = [
            self.tree.split(node, ["split", self.names.groups[index], e, 0, -1])
            for node, index, e in zip(
                items["node", 0].tolist(), layer.tolist(), place.tolist(), strict=True
            )
        ]
        sides: list[dict[tuple[str, int], Array]] = []
        for side, sign in enumerate((-1, 1)):
            own = {key: v.copy() if key[0] == "sign" else v for key, v in items.items()}
            own["node", 0] = np.array([pair[side] for pair in found], dtype=np.int64)
            for index, arg in self.pairs:
                rows = np.flatnonzero(layer == index)
                own["sign", arg][rows, place[rows]] = sign
            sides.append(own)
        return {key: np.concatenate([side[key] for side in sides]) for key in items}
