"""Rectifiers and jumps that are split one after the other: the tree of a split certificate.

Each part has a linear program: its rows, the bounds of what was split, lines around rectifiers that
are open and ranges of jumps that are.  Where it has no point, its multipliers say so to the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor, lcm

import numpy as np

from tamecheck.bounds.layers import Linear, Pointwise
from tamecheck.bounds.propagation import State
from tamecheck.evaluate.intervals import Interval
from tamecheck.ir.tensor import Array
from tamecheck.solvers.dense import deepest
from tamecheck.verification.split_search import (
    BOUND,
    COEFFICIENT,
    SLOPE,
    VALUES,
    Search,
    Step,
    Tree,
    bounds_on,
    is_beside,
    ratios,
    value_at,
)

INPUTS, BENDS = 24, 256
"""The most inputs and elements that are not linear of a network whose pieces are few."""
_NODES = 20_000
_OPEN, _GLIMPSE = 64, 15
"""The most rectifiers that are open where pieces may be few; what is looked at if they are more."""
_GAP, _TOUCH = 1e-7, 1e-9
_SLIVER = 2.0**-36
_NEAR = 2.0**-28
_WHOLE = 2.0**30
_LEAST = 2.0**-60
_ROOM = 2.0**-18
"""Below 0 the largest least excess has to be by so much, of numbers of size 1."""

_AWAY = {"floor": (-1.0, 0.0), "ceil": (0.0, 1.0), "round": (-0.5, 0.5)}
"""By how much what is rounded is above its argument, at least and at most."""

Place = tuple[int, int]
"""A nonlinear layer and one of its elements."""


@dataclass(frozen=True, slots=True, eq=False)
class _Program:
    """Variables: inputs, then open elements; a form has a constant first.  ``rows @ v >= least``.

    ``args`` are the forms of what nonlinear elements read; ``above`` has the row that puts an open
    rectifier above its argument, after which comes the line above it, and the argument's bounds;
    ``near`` the row that puts a rounded one not far below its argument, then comes the other.
    The first rows are those of the property, then come two for each of ``sides``: it is at least
    its lower bound, and at most its upper one.
    """

    box: tuple[Array, Array]
    outputs: Array
    args: Mapping[Place, Array]
    open: Sequence[Place]
    sides: Sequence[Place]
    rows: Array
    least: Array
    above: Mapping[Place, tuple[int, float, float]]
    near: Mapping[Place, int]


class Pieces(Search):
    """Parts by the pieces of rectifiers and jumps, each closed by multipliers.

    ``most`` limits the parts where no more than a ``few`` rectifiers are open; ``reached`` says
    whether a bound was, so that others need not try.
    """

    most, few, reached = _NODES, BENDS, False

    def find(self) -> Tree | None:
        """The tree; None if it is not found in time, or there are too many pieces."""
        layers, region = self.layers, self.region
        self.bent = [
            (index, layer.args[0], self.names.bends[index])
            for index, layer in enumerate(layers.computed, 1)
            if isinstance(layer, Pointwise)
        ]
        count = sum(layers.sizes[index] for index, _, _ in self.bent)
        if layers.inputs > INPUTS or count > BENDS:
            return None
        lower, upper = region.lower[np.newaxis], region.upper[np.newaxis]
        with np.errstate(all="ignore"):
            root = bounds_on(layers, lower, upper, budget=self.budget)
            self.tree.steps[0].append(BOUND)
            kinked = [(k, arg) for k, arg, (op, _) in self.bent if op == "relu"]
            open_ = sum(int(_is_open(root, k, arg, "relu").sum()) for k, arg in kinked)
            most = self.most if open_ <= self.few else _GLIMPSE
            stack: list[tuple[int, State, list[int]]] = [(0, root, self.cases.tolist())]
            while stack:
                if self.budget.is_spent or len(self.tree.steps) > most:
                    return None
                node, state, cases = stack.pop()
                left = [case for case in cases if not self._closes(node, state, case)]
                if not left:
                    continue
                halves = self._split(node, state, left)
                if halves is None:
                    return None
                stack += [(child, part, left) for child, part in reversed(halves)]
        return self.tree

    # --- one part ---

    def _closes(self, node: int, state: State, case: int) -> bool:
        """Whether the program of a case has no point; the multipliers are written down."""
        problem = self._program(state, case)
        if self._contradicted(problem, state):
            # the kernel knows, by intervals, that no point is left
            self.point = None
            self.close(node, case, int(self.problem.members[case].argmax()))
            return True
        found = deepest(
            problem.box, problem.rows, problem.least, np.zeros((0, len(problem.box[0])))
        )
        self.point = None if found is None else (problem, found[0])
        if found is None:
            return False
        point, factors = found
        excess = (problem.rows @ point - problem.least).min()
        size = 1.0 + np.abs(problem.least).max(initial=0.0)
        room = _ROOM * self.names.slack * 2.0**-20 or _TOUCH
        if not self.names.slack and abs(excess) <= _TOUCH * size:
            # the sum may be reached if one of its rows is strict: the kernel decides, exactly
            other = self._strictly(problem, state, case)
            if other is not None:
                self.tree.steps[node].append(self._step(problem, case, other, excess))
                return True
        if not excess < -room * size or not np.isfinite(excess):
            return False
        self.tree.steps[node].append(self._step(problem, case, factors, excess))
        return True

    def _strictly(self, problem: _Program, state: State, case: int) -> Array | None:
        """Multipliers, not all 0 of strict rows and of ends that are not attained, if there are."""
        strict = np.zeros(len(problem.rows), dtype=bool)
        rows = self.problem.strict[self.problem.members[case]]
        strict[: len(rows)] = rows
        args = {index: arg for index, arg, _ in self.bent}
        for k, (index, e) in enumerate(problem.sides):
            bounds, at = state.bounds[args[index]], len(rows) + 2 * k
            ends = bounds.lower[0, e], bounds.upper[0, e]
            strict[at : at + 2] = is_beside(ends[0], -np.inf), is_beside(ends[1], np.inf)
        if not strict.any():
            return None
        none = np.zeros((0, len(problem.box[0])))
        found = deepest(problem.box, problem.rows, problem.least, none, strict)
        if found is None:
            return None
        excess = (problem.rows @ found[0] - problem.least)[strict].min()
        size = 1.0 + np.abs(problem.least).max(initial=0.0)
        if excess <= _TOUCH * size:
            return found[1]
        # no bound is reached there, but something is split
        self.point = problem, found[0]
        return None

    def _contradicted(self, problem: _Program, state: State) -> bool:
        """Whether what an element reads is known by now, and is not where it was split."""
        for index, arg, _ in self.bent:
            low, high = state.bounds[arg].lower[0], state.bounds[arg].upper[0]
            for e, (bottom, top) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
                form = problem.args[index, e]
                if form[1:].any():
                    continue
                beside = max(bottom - float(form[0]), float(form[0]) - top)
                if beside > _GAP * max(abs(bottom), abs(top), 1.0):
                    return True
                # it is at a jump, of which the part has one side alone
                before = not self.names.slack and is_beside(bottom, -np.inf)
                after = not self.names.slack and is_beside(top, np.inf)
                if (before and form[0] < bottom) or (after and form[0] > top):
                    return True
        return False

    def _step(self, problem: _Program, case: int, factors: Array, excess: float) -> Step:
        """What closes a case: weights of rows, multiples of variables, slopes below rectifiers."""
        members = np.flatnonzero(self.problem.members[case])
        weights, count = np.zeros(self.problem.members.shape[1]), len(members)
        weights[members] = factors[:count]
        changes = factors[count + 1 : count + 2 * len(problem.sides) : 2]
        changes = changes - factors[count : count + 2 * len(problem.sides) : 2]
        alone = not weights.max() > 0
        if alone and (excess < -_GAP or not changes.any()):
            # the bounds contradict each other whatever the rows say
            first = problem.outputs[:, members[0]]
            weights[members[0]] = max(-excess, _LEAST) / (
                1 + 4 * np.abs(first) @ self._reach(problem)
            )
        if self.names.slack or excess < -_GAP:
            said, unit = self.whole(case, weights, _WHOLE)
            slopes = self._slopes(problem, weights, changes, factors)
        else:
            most = float(weights.max() or np.abs(changes).max())
            weights, changes, factors = (
                np.array(ratios(side / most), float) for side in (weights, changes, factors)
            )
            slopes = self._slopes(problem, weights, changes, factors)
            # what lines have added to the changes is a ratio, too
            changes, said, unit = self._in_ratios(case, weights, changes)
        moved = list[list[int]]()
        for (index, e), change in zip(problem.sides, changes.tolist(), strict=True):
            factor = round(change * unit * 2**COEFFICIENT)
            moved += [[self.names.groups[index], e, factor]] if factor else []
        return ["combine", self.number[case], said, moved, slopes]

    def _slopes(
        self, problem: _Program, weights: Array, changes: Array, factors: Array
    ) -> list[list[int]]:
        """Slopes below open rectifiers, from the last to the first; changes may grow.

        Where a rectifier is bounded from both sides at once, its argument is at a bound.
        """
        total, slopes = problem.outputs @ weights, list[list[int]]()
        number = {place: k for k, place in enumerate(problem.sides)}
        for place, change in zip(problem.sides, changes.tolist(), strict=True):
            total = total + change * problem.args[place]
        for k in reversed(range(len(problem.open))):
            place, column = problem.open[k], 1 + self.layers.inputs + k
            if place in problem.near:
                row, factor = problem.near[place], float(total[column])
                below = min(float(factors[row]), max(factor, 0.0))
                beyond = min(float(factors[row + 1]), max(-factor, 0.0))
                # what is left of a line bounds the argument, with an end of the range
                shift = float(factors[row]) - below - float(factors[row + 1]) + beyond
                changes[number[place]] += shift
                share = round((below + beyond) / abs(factor) * 2**SLOPE) if factor else 0
                slopes += [[self.names.groups[place[0]], place[1], share]] if share else []
                along = shift + factor * share * 2.0**-SLOPE
                total = total + along * problem.args[place]
            if place not in problem.above:
                continue
            row, bottom, top = problem.above[place]
            form, over = problem.args[place], top / (top - bottom)
            below, beyond = float(factors[row]), float(factors[row + 1])
            twice = min(below, beyond) if place in number else 0.0
            below, beyond = below - twice, beyond - twice
            rest = max(min(beyond, total[column] - below + beyond), 0.0) if place in number else 0.0
            shift = twice * (1 - over) - rest * over
            if shift:
                changes[number[place]] += shift
                total = total + shift * form
            factor = total[column]
            slope = min(max(below / factor, 0.0), 1.0) if factor > 0 else over
            if factor > 0:
                slopes.append([self.names.groups[place[0]], place[1], round(slope * 2**SLOPE)])
            total = total + factor * slope * form
        return slopes

    def _in_ratios(
        self, case: int, weights: Array, changes: Array
    ) -> tuple[Array, list[list[int]], float]:
        """Changes in small ratios, as at a vertex, and weights as integers for the kernel."""
        w, c = ratios(weights), ratios(changes)
        rows = {r: v * Fraction(self.names.scales[r]) for r, v in enumerate(w) if v}
        unit = lcm(*(v.denominator for v in (*rows.values(), *c)))
        places = self.names.places[case]
        said = [[places[r], int(v * unit)] for r, v in rows.items()]
        return np.array(c, float), said, float(unit)

    @staticmethod
    def _reach(problem: _Program) -> Array:
        low, high = problem.box
        return np.concatenate([[1.0], np.maximum(np.abs(low), np.abs(high))])

    def _program(self, state: State, case: int) -> _Program:
        """The linear program of a case on a part."""
        layers, count = self.layers, self.layers.inputs
        open_ = [
            (index, e)
            for index, arg, (op, _) in self.bent
            for e in np.flatnonzero(_is_open(state, index, arg, op)).tolist()
        ]
        column = {place: 1 + count + k for k, place in enumerate(open_)}
        width = 1 + count + len(open_)
        forms = [np.eye(width)[:, 1 : 1 + count]]
        low, high = ([*state.bounds[0].lower[0]], [*state.bounds[0].upper[0]])
        args: dict[Place, Array] = {}
        bent = {index: (arg, op) for index, arg, (op, _) in self.bent}
        for index, layer in enumerate(layers.computed, 1):
            if isinstance(layer, Linear):
                form = layer.apply([forms[arg] for arg in layer.args])
                if layer.offset is not None:
                    form = form.copy()
                    form[0] += layer.offset
            else:
                arg, op = bent[index]
                own, read = state.bounds[index], state.bounds[arg]
                form = np.zeros((width, layers.sizes[index]))
                args |= {(index, e): forms[arg][:, e] for e in range(layers.sizes[index])}
                if op == "relu":
                    active = read.lower[0] >= -_NEAR
                    form[:, active] = forms[arg][:, active]
                else:
                    form[0] = own.lower[0]
                for e in np.flatnonzero(_is_open(state, index, arg, op)).tolist():
                    form[:, e] = 0.0
                    form[column[index, e], e] = 1.0
                    # what a split says of a rectifier's value is said of what reads it
                    low.append(0.0 if op == "relu" else own.lower[0, e])
                    high.append((read if op == "relu" else own).upper[0, e])
            forms.append(form)
        outputs, members = forms[layers.output], np.flatnonzero(self.problem.members[case])
        rows, least = [-outputs[1:, r] for r in members], [outputs[0, r] for r in members]
        sides = [place for place, form in args.items() if form[1:].any()]
        ends = {index: state.bounds[arg] for index, arg, _ in self.bent}
        for index, e in sides:
            form = args[index, e]
            rows += [form[1:], -form[1:]]
            least += [ends[index].lower[0, e] - form[0], form[0] - ends[index].upper[0, e]]
        above: dict[Place, tuple[int, float, float]] = {}
        near: dict[Place, int] = {}
        for index, e in (place for place in open_ if _has_lines(bent[place[0]][1], args[place])):
            form, unit = args[index, e], np.eye(width)[column[index, e]]
            bottom, top = ends[index].lower[0, e], ends[index].upper[0, e]
            if bent[index][1] == "relu":
                above[index, e] = len(rows), bottom, top
            else:
                near[index, e] = len(rows)
            over, below, beyond = _lines(bent[index][1], bottom, top)
            rows += [(unit - form)[1:], (over * form - unit)[1:]]
            least += [below + form[0], -beyond - over * form[0]]
        box, system = (np.array(low), np.array(high)), (np.array(rows), np.array(least))
        return _Program(box, outputs, args, open_, sides, *system, above, near)

    # --- splits ---

    def _split(
        self, node: int, state: State, cases: Sequence[int]
    ) -> list[tuple[int, State]] | None:
        """Both parts by the open element that the last program's point contradicts most."""
        if self.point is None:
            return None
        problem, point = self.point
        values = np.concatenate([[1.0], point])
        inputs, best, chosen = 1 + self.layers.inputs, _GAP, None
        ops = {index: (arg, *bend) for index, arg, bend in self.bent}
        for k, (index, e) in enumerate(problem.open):
            arg, op, at_zero = ops[index]
            z, own = float(values @ problem.args[index, e]), float(values[inputs + k])
            exact = value_at(self.layers[index], z) if op != "relu" else max(z, 0.0)
            ends = state.bounds[arg].lower[0, e], state.bounds[arg].upper[0, e]
            gap = _gap(op, own - exact, *ends)
            if gap > best:
                best, chosen = gap, (index, arg, e, _break(op, at_zero, z, *ends))
        if chosen is None:
            excess = (problem.rows @ point - problem.least).min()
            size = 1.0 + np.abs(problem.least).max(initial=0.0)
            self.reached = bool(abs(excess) <= _TOUCH * size)
            return None
        index, arg, e, (end, kind) = chosen
        op = ops[index][1]
        step = ["split", self.names.groups[index], e, round(end * 2**VALUES), kind]
        children = self.tree.split(node, step)
        found: list[tuple[int, State]] = []
        for side, child in enumerate(children):
            known = {
                i: Interval(b.lower.copy(), b.upper.copy()) for i, b in enumerate(state.bounds)
            }
            if side == 0:
                top = np.nextafter(end, -np.inf) if kind == 1 else end
                known[arg].upper[0, e] = min(known[arg].upper[0, e], top)
            else:
                bottom = np.nextafter(end, np.inf) if kind == -1 else end
                known[arg].lower[0, e] = max(known[arg].lower[0, e], bottom)
            if op != "relu" and known[arg].lower[0, e] == known[arg].upper[0, e] == end:
                value = value_at(self.layers[index], end)
                known[index].lower[0, e] = known[index].upper[0, e] = value
            self.tree.steps[child].append(["bound", 0])
            strict = (1, -1)[side] == kind
            if strict and known[arg].lower[0, e] >= known[arg].upper[0, e] - _SLIVER * max(
                abs(end), 1.0
            ):
                # there is nothing but what floats have lost: the kernel knows
                for case in cases:
                    self.close(child, case, int(self.problem.members[case].argmax()))
                continue
            box = self.region.lower[np.newaxis], self.region.upper[np.newaxis]
            found.append((child, bounds_on(self.layers, *box, known, deep=False)))
        return found


class FewPieces(Pieces):
    """As `Pieces`, where they are few; where many elements are open, a glimpse shows whether."""

    most, few = 300, _OPEN


def _gap(op: str, wrong: float, low: float, high: float) -> float:
    """How much a split may gain; a jump that only what floats have lost leaves open comes first."""
    sliver = high - low <= _SLIVER * max(abs(low), abs(high), 1.0)
    return np.inf if op != "relu" and sliver else abs(wrong)


def _is_open(state: State, index: int, arg: int, op: str) -> Array:
    """Which elements of a nonlinear layer are not affine on a part."""
    if op == "relu":
        # one that only rounding leaves open is the argument, or 0, as for the kernel
        return (state.bounds[arg].lower[0] < -_NEAR) & (state.bounds[arg].upper[0] > _NEAR)
    return state.bounds[index].lower[0] < state.bounds[index].upper[0]


def _has_lines(op: str, form: Array) -> bool:
    """Whether an open element is between lines, of which its argument has a part in the program."""
    return op == "relu" or (op in _AWAY and bool(form[1:].any()))


def _lines(op: str, low: float, high: float) -> tuple[float, float, float]:
    """A slope s, and b and c: the element of z is at least z + b, and at most s z + c."""
    if op == "relu":
        over = high / (high - low)
        return over, 0.0, -over * low
    return 1.0, *_AWAY[op]


def _break(op: str, at_zero: float, z: float, low: float, high: float) -> tuple[float, int]:
    """Where an element is split, near z, and which part is without that end.

    That is 1 for the first, -1 for the second, and 0 where both have it.
    """
    if op == "relu":
        return 0.0, 0
    if op in ("sign", "step"):
        left = -1.0 if op == "sign" else 0.0
        return 0.0, -1 if at_zero == left or low >= 0 else 1
    shift = 0.5 if op == "round" else 0.0
    found: list[tuple[float, float, int]] = []
    for whole in (floor(v - shift) + k for v in (low, z, high) for k in (-1, 0, 1, 2)):
        # a middle is rounded to the even number beside it
        kind = -1 if op == "ceil" or (op == "round" and not whole % 2) else 1
        end = whole + shift
        if low < end <= high if kind == 1 else low <= end < high:
            found.append((abs(end - z), end, kind))
    return min(found, default=(0.0, 0.0, 0))[1:]
