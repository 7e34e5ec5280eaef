"""Training as a mixed-integer program in rationals (after Bah and Kurtz, Toro Icarte et al.).

The rows of neurons and products are those of `tamecheck.programs.training`, with ``size`` the
largest |a| on that very row and levels ±1.

Neurons of a layer are sorted by a linear form of their weights, and, where neurons can be negated,
the first of their own weights is not negative; in the last hidden layer it is their first weight in
the output instead.  A network is brought to this form layer by layer from the inputs on, so only
networks that another one equals are removed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import cast

import numpy as np

from tamecheck.ir.affine import AffineForm
from tamecheck.ir.exact import ONE, ZERO
from tamecheck.ir.program import Kind
from tamecheck.learn.mip.task import Architecture, Exact, Grid, Params, Task, exact_array, grids
from tamecheck.learn.network import Layer
from tamecheck.programs.training import TrainingRows


@dataclass(frozen=True, slots=True)
class Objective:
    """What to minimise, and the values of earlier measures, which must not get worse.

    The measures are ``errors``, ``hinge``, ``margin`` (its negative is minimised) and ``weight``.
    """

    measure: str
    limits: Mapping[str, Fraction] = field(default_factory=dict[str, Fraction])

    @property
    def measures(self) -> tuple[str, ...]:
        """All that the program has to express."""
        return (*self.limits, self.measure)


class Encoding:
    """A training program (``program``, minimised), and the way between its points and networks.

    A layer of a larger network has the grid that it has there, so that ``limits`` may replace the
    `grids` of the task.
    """

    def __init__(
        self,
        task: Task,
        architecture: Architecture,
        objective: Objective,
        limits: tuple[Grid, ...] | None = None,
    ) -> None:
        self.task, self.architecture, self.objective = task, architecture, objective
        self.grids = grids(task, architecture) if limits is None else limits
        self._rows = TrainingRows()
        self._weights: list[list[list[AffineForm]]] = []
        self._offsets: list[list[AffineForm]] = []
        self._parts: dict[str, list[AffineForm]] = {name: [] for name in objective.measures}
        self._build()
        self.program = self._rows.program(self._measure(objective.measure))

    def params(self, x: Sequence[float]) -> Params:
        """The network at a point, with what is integer rounded."""
        values = [
            round(v) if column.kind is Kind.INTEGER else v
            for column, v in zip(self.program.columns, x, strict=True)
        ]

        def at(form: AffineForm) -> float:
            return float(sum(float(a) * values[j] for j, a in form.terms.items()) + form.constant)

        return tuple(
            Layer(
                np.array([[at(f) for f in row] for row in rows]), np.array(list(map(at, offsets)))
            )
            for rows, offsets in zip(self._weights, self._offsets, strict=True)
        )

    def _measure(self, name: str) -> AffineForm:
        return AffineForm.total(self._parts[name])

    # columns and rows

    def _build(self) -> None:
        bits: list[list[AffineForm]] | None = None
        last = len(self.grids) - 1
        for number, grid in enumerate(self.grids):
            inputs, outputs = self.architecture.widths[number : number + 2]
            self._weights.append(
                [
                    [self._weight(f"w{number}_{k}_{j}") for j in range(outputs)]
                    for k in range(inputs)
                ]
            )
            self._offsets.append([self._offset(f"b{number}_{j}", grid) for j in range(outputs)])
            sums = [self._sums(number, i, bits) for i in range(len(self.task.x))]
            if number < last:
                bits = self._signs(number, grid, sums)
            else:
                self._losses(sums)
        self._order()
        if "weight" in self._parts:
            self._absolutes()
        for measure, value in self.objective.limits.items():
            self._rows.at_most(f"keep {measure}", self._measure(measure), value)

    def _weight(self, name: str) -> AffineForm:
        match self.architecture.kind:
            case "binary":
                return self._rows.sign(name)
            case "ternary":
                plus, minus = self._rows.bit(f"{name}_plus"), self._rows.bit(f"{name}_minus")
                self._rows.at_most(f"{name} one sign", plus + minus, ONE)
                return plus - minus
            case "real":
                return self._rows.real(name, -ONE, ONE)

    def _offset(self, name: str, grid: Grid) -> AffineForm:
        if grid.reach is None:
            return AffineForm({})
        if not grid.step:
            return self._rows.real(name, -grid.reach, grid.reach)
        low, high = (-grid.reach - grid.base) / grid.step, (grid.reach - grid.base) / grid.step
        column = self._rows.real(name, Fraction(-((-low) // 1)), Fraction(high // 1), Kind.INTEGER)
        return column * grid.step + AffineForm.number(grid.base)

    def _sums(self, number: int, i: int, bits: list[list[AffineForm]] | None) -> list[AffineForm]:
        """The pre-activations of a layer at row i of the task."""
        weights, found = self._weights[number], list[AffineForm]()
        for j, offset in enumerate(self._offsets[number]):
            if bits is None:
                values = map(Fraction, self.task.x[i].tolist())
                parts = [weights[k][j] * v for k, v in enumerate(values) if v]
            else:
                parts = [
                    self._rows.product(f"t{number}_{i}_{k}_{j}", weights[k][j], bit)
                    for k, bit in enumerate(bits[i])
                ]
            found.append(AffineForm.total([*parts, offset]))
        return found

    def _size(self, number: int, i: int) -> Fraction:
        """The largest absolute pre-activation of row i in a layer."""
        if number:
            terms = Fraction(self.architecture.widths[number])
        else:
            terms = sum((Fraction(abs(v)) for v in self.task.x[i].tolist()), ZERO)
        return terms + (self.grids[number].reach or 0)

    def _signs(
        self, number: int, grid: Grid, sums: list[list[AffineForm]]
    ) -> list[list[AffineForm]]:
        outputs = self.architecture.widths[number + 1]
        bits = [
            [self._rows.bit(f"u{number}_{i}_{j}") for j in range(outputs)] for i in range(len(sums))
        ]
        sizes = [self._size(number, i) for i in range(len(sums))]
        for i, (row, size) in enumerate(zip(sums, sizes, strict=True)):
            for j, (form, bit) in enumerate(zip(row, bits[i], strict=True)):
                name = f"n{number}_{i}_{j}"
                ends = grid.below, grid.above
                self._rows.neuron((f"{name} on", f"{name} off"), form, bit, size, ends)
        if "margin" in self._parts:
            # a column a neuron that is at most each |a|
            big = 2 * max(sizes)
            for j in range(outputs):
                least = self._rows.real(f"m{number}_{j}", ZERO, max(sizes))
                self._parts["margin"].append(least * -ONE)
                for i, row in enumerate(sums):
                    name, bit = f"m{number}_{i}_{j}", bits[i][j]
                    self._rows.at_most(f"{name} on", least - row[j] + bit * big, big)
                    self._rows.at_most(f"{name} off", least + row[j] - bit * big)
        return bits

    def _losses(self, sums: list[list[AffineForm]]) -> None:
        """Errors and hinge losses of each row and class."""
        for i, row in enumerate(sums):
            wrong: list[AffineForm] = []
            size = self._size(len(self.grids) - 1, i)
            big = size if len(row) == 1 else 2 * size
            for label, weight in self.task.weights[i]:
                gains = self._gains(row, label)
                if "errors" in self._parts:
                    error = self._rows.bit(f"e{i}_{label}")
                    wrong.append(error)
                    self._parts["errors"].append(error * weight)
                    for c, (gain, least) in enumerate(gains):
                        name = f"e{i}_{label}_{c}"
                        self._rows.at_least(name, gain + error * (big + least), least)
                if "hinge" in self._parts:
                    loss = self._rows.real(f"h{i}_{label}", ZERO, big + 1)
                    self._parts["hinge"].append(loss * weight)
                    for c, (gain, _) in enumerate(gains):
                        self._rows.at_least(f"h{i}_{label}_{c}", gain + loss, ONE)
            if len(wrong) > 1:
                self._rows.at_least(
                    f"one of {i}", AffineForm.total(wrong), Fraction(len(wrong) - 1)
                )

    def _gains(self, row: list[AffineForm], label: int) -> list[tuple[AffineForm, Fraction]]:
        """The forms that must reach a least value for a row to be decided as ``label``."""
        grid = self.grids[-1]
        if len(row) == 1:
            gain = row[0] if label else row[0] * -ONE
            return [(gain, grid.above if label else -grid.below)]
        strict = self.architecture.strict
        return [
            (row[label] - row[c], strict if c < label else ZERO)
            for c in range(len(row))
            if c != label
        ]

    def _order(self) -> None:
        """Sorted neurons, and no neuron that its negative could replace."""
        for number, grid in enumerate(self.grids[:-1]):
            weights, behind = self._weights[number], self._weights[number + 1]
            keys = [
                AffineForm.total(
                    form * f for form, f in zip(column, factors(len(weights)), strict=True)
                )
                for column in zip(*weights, strict=True)
            ]
            for j, (left, right) in enumerate(pairwise(keys)):
                self._rows.at_least(f"order{number}_{j}", right - left)
            if grid.above == -grid.below:
                last = number == len(self.grids) - 2
                for j, form in enumerate([row[0] for row in behind] if last else weights[0]):
                    self._rows.at_least(f"turned{number}_{j}", form)

    def _absolutes(self) -> None:
        for number, rows in enumerate(self._weights):
            for k, row in enumerate(rows):
                for j, form in enumerate(row):
                    size = self._rows.absolute(f"s{number}_{k}_{j}", form)
                    self._parts["weight"].append(size)


def factors(count: int) -> list[Fraction]:
    """Coefficients of the form that neurons are sorted by: powers of two while they are small."""
    return [Fraction(2 ** min(count - 1 - k, 8)) if k < 9 else ONE for k in range(count)]


# --- from a network to an exact point of its training program


def normal_form(encoding: Encoding, params: Params) -> Params:
    """An equal network with neurons sorted and turned as the program wants them."""
    weights = [layer.weights.copy() for layer in params]
    offsets = [layer.offset.copy() for layer in params]
    for number, grid in enumerate(encoding.grids[:-1]):
        if grid.above == -grid.below:
            last = number == len(params) - 2
            first = weights[number + 1][:, 0] if last else weights[number][0]
            turn = np.where(first < 0, -1.0, 1.0)
            weights[number] *= turn
            offsets[number] *= turn
            weights[number + 1] *= turn[:, None]
        keys = np.array(list(map(float, factors(len(weights[number]))))) @ weights[number]
        order = np.argsort(keys, kind="stable")
        weights[number], offsets[number] = weights[number][:, order], offsets[number][order]
        weights[number + 1] = weights[number + 1][order]
    return tuple(Layer(w, b) for w, b in zip(weights, offsets, strict=True))


def lift(encoding: Encoding, params: Params) -> tuple[Fraction, ...] | None:
    """The point of the program that stands for a network, exactly feasible; None if there is none.

    Real weights may fail the program's margin although the network classifies well.
    """
    params = normal_form(encoding, params)
    values: dict[str, Fraction] = {}
    signs = exact_array(encoding.task.x)
    for number, (layer, grid) in enumerate(zip(params, encoding.grids, strict=True)):
        weights = exact_array(layer.weights)
        _lift_weights(values, number, weights, encoding.architecture.kind)
        for j, shift in enumerate(map(Fraction, layer.offset.tolist())):
            values[f"b{number}_{j}"] = (shift - grid.base) / grid.step if grid.step else shift
        if number:
            for i, row in enumerate(signs):
                for (k, j), w in np.ndenumerate(weights):
                    values[f"t{number}_{i}_{k}_{j}"] = Fraction(w * row[k])
        sums = cast("Exact", signs @ weights + exact_array(layer.offset))
        if number == len(params) - 1:
            _lift_losses(values, encoding, sums)
            break
        bits = np.array(sums >= 0, dtype=bool)
        for (i, j), bit in np.ndenumerate(bits):
            values[f"u{number}_{i}_{j}"] = Fraction(int(bit))
        for j, least in enumerate(np.abs(sums).min(axis=0)):
            values[f"m{number}_{j}"] = Fraction(least)
        signs = np.where(bits, 1, -1).astype(object)
    point = tuple(values[column.name] for column in encoding.program.columns)
    return None if encoding.program.violations(point) else point


def _lift_weights(values: dict[str, Fraction], number: int, weights: Exact, kind: str) -> None:
    for (k, j), w in np.ndenumerate(weights):
        name = f"w{number}_{k}_{j}"
        values[f"s{number}_{k}_{j}"] = Fraction(abs(w))
        if kind == "ternary":
            values[f"{name}_plus"], values[f"{name}_minus"] = map(Fraction, (max(w, 0), max(-w, 0)))
        else:
            values[name] = Fraction(w + 1) / 2 if kind == "binary" else Fraction(w)


def _lift_losses(values: dict[str, Fraction], encoding: Encoding, sums: Exact) -> None:
    grid, strict = encoding.grids[-1], encoding.architecture.strict
    for i, row in enumerate(sums.tolist()):
        for label, _ in encoding.task.weights[i]:
            if len(row) == 1:
                gains = [row[0] - grid.above if label else grid.below - row[0]]
                least = row[0] if label else -row[0]
            else:
                others = [c for c in range(len(row)) if c != label]
                gains = [row[label] - row[c] - (strict if c < label else 0) for c in others]
                least = min(row[label] - row[c] for c in others)
            values[f"e{i}_{label}"] = Fraction(int(min(gains) < 0))
            values[f"h{i}_{label}"] = max(ZERO, Fraction(1 - least))
