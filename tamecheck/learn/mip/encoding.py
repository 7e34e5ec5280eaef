"""Training as a mixed-integer program in rationals (after Bah and Kurtz, Toro Icarte et al.).

A neuron with pre-activation a = w.h + b and bit u in {0, 1} obeys
``a >= above - (size + above)(1 - u)`` and ``a <= below + (size - below) u`` with ``size`` the
largest |a| on that very row.  Behind the first layer, a product w s of a weight and a sign
s = 2u - 1 is a variable t with ``|t - w| <= 2(1 - u)`` and ``|t + w| <= 2u``.

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
import numpy.typing as npt

from tamecheck.ir.program import Column, Kind, Program, Row
from tamecheck.learn.mip.task import Architecture, Grid, Params, Task, grids
from tamecheck.learn.network import Floats, Layer

__all__ = ["Encoding", "Objective", "encoded", "lifted", "normal_form"]

_ONE = Fraction(1)


@dataclass(frozen=True, slots=True)
class Objective:
    """What to minimise, and what earlier stages have settled.

    Parameters
    ----------
    measure
        ``errors``, ``hinge``, ``margin`` (its negative is minimised) or ``weight``.
    limits
        The values of earlier measures, which must not get worse.
    """

    measure: str
    limits: Mapping[str, Fraction] = field(default_factory=dict[str, Fraction])

    @property
    def measures(self) -> tuple[str, ...]:
        """All that the program has to express."""
        return (*self.limits, self.measure)


@dataclass(frozen=True, slots=True)
class Form:
    """A linear form of columns plus a constant."""

    terms: Mapping[int, Fraction]
    constant: Fraction = Fraction(0)

    def __add__(self, other: Form) -> Form:
        terms = dict(self.terms)
        for j, a in other.terms.items():
            terms[j] = terms.get(j, Fraction(0)) + a
        return Form(terms, self.constant + other.constant)

    def __mul__(self, factor: Fraction) -> Form:
        return Form({j: a * factor for j, a in self.terms.items()}, self.constant * factor)

    def __sub__(self, other: Form) -> Form:
        return self + other * Fraction(-1)


def _total(forms: Sequence[Form]) -> Form:
    terms: dict[int, Fraction] = {}
    constant = Fraction(0)
    for form in forms:
        constant += form.constant
        for j, a in form.terms.items():
            terms[j] = terms.get(j, Fraction(0)) + a
    return Form(terms, constant)


class Encoding:
    """A training program, and the way between its points and networks.

    Parameters
    ----------
    task, architecture, objective
        What to train, on what, and what to minimise.
    limits
        The grid of each layer; that of `grids` if None.  A layer of a larger network has the grid
        that it has there.

    Attributes
    ----------
    program : Program
        The program; its objective is minimised.
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
        self._columns: list[Column] = []
        self._rows: list[Row] = []
        self._weights: list[list[list[Form]]] = []
        self._offsets: list[list[Form]] = []
        self._margins: list[list[int]] = []
        self._absolute: list[int] = []
        self._build()
        costs = self._measure(objective.measure)
        columns = tuple(
            Column(c.name, c.lower, c.upper, c.kind, costs.terms.get(j, Fraction(0)))
            for j, c in enumerate(self._columns)
        )
        self.program = Program(columns, tuple(self._rows), constant=costs.constant, name="training")

    def params(self, x: Sequence[float]) -> Params:
        """The network at a point, with what is integer rounded."""
        values = [
            round(v) if column.kind is Kind.INTEGER else v
            for column, v in zip(self.program.columns, x, strict=True)
        ]

        def at(form: Form) -> float:
            return float(sum(float(a) * values[j] for j, a in form.terms.items()) + form.constant)

        made: list[Layer] = []
        for rows, offsets in zip(self._weights, self._offsets, strict=True):
            weights = np.array([[at(form) for form in row] for row in rows])
            made.append(Layer(weights, np.array([at(form) for form in offsets])))
        return tuple(made)

    # columns and rows

    def _column(self, name: str, lower: Fraction, upper: Fraction, kind: Kind) -> Form:
        self._columns.append(Column(name, lower, upper, kind))
        return Form({len(self._columns) - 1: _ONE})

    def _bit(self, name: str) -> Form:
        return self._column(name, Fraction(0), _ONE, Kind.INTEGER)

    def _real(self, name: str, lower: Fraction, upper: Fraction) -> Form:
        return self._column(name, lower, upper, Kind.CONTINUOUS)

    def _at_least(self, name: str, form: Form, bound: Fraction) -> None:
        terms = tuple(sorted((j, a) for j, a in form.terms.items() if a))
        self._rows.append(Row(name, terms, lower=bound - form.constant))

    def _at_most(self, name: str, form: Form, bound: Fraction) -> None:
        terms = tuple(sorted((j, a) for j, a in form.terms.items() if a))
        self._rows.append(Row(name, terms, upper=bound - form.constant))

    def _build(self) -> None:
        values = [
            [Form({}, Fraction(v)) for v in row] for row in self.task.x.tolist()
        ]  # fmt: skip
        bits: list[list[Form]] | None = None
        last = len(self.grids) - 1
        for number, grid in enumerate(self.grids):
            self._layer(number, grid)
            sums = self._sums(number, values, bits)
            if number < last:
                bits = self._signs(number, grid, sums)
            else:
                self._losses(sums)
        self._order()
        if "weight" in self.objective.measures:
            self._absolutes()
        for measure, value in self.objective.limits.items():
            self._at_most(f"keep {measure}", self._measure(measure), value)

    def _layer(self, number: int, grid: Grid) -> None:
        """The columns of a layer's weights and offsets."""
        inputs, outputs = self.architecture.widths[number : number + 2]
        self._weights.append(
            [[self._weight(f"w{number}_{k}_{j}") for j in range(outputs)] for k in range(inputs)]
        )
        self._offsets.append([self._offset(f"b{number}_{j}", grid) for j in range(outputs)])

    def _weight(self, name: str) -> Form:
        match self.architecture.kind:
            case "binary":
                return self._bit(name) * Fraction(2) + Form({}, -_ONE)
            case "ternary":
                plus, minus = self._bit(f"{name}_plus"), self._bit(f"{name}_minus")
                self._at_most(f"{name} one sign", plus + minus, _ONE)
                return plus - minus
            case "real":
                return self._real(name, -_ONE, _ONE)

    def _offset(self, name: str, grid: Grid) -> Form:
        if grid.reach is None:
            return Form({}, Fraction(0))
        if not grid.step:
            return self._real(name, -grid.reach, grid.reach)
        low, high = (-grid.reach - grid.base) / grid.step, (grid.reach - grid.base) / grid.step
        column = self._column(name, Fraction(-((-low) // 1)), Fraction(high // 1), Kind.INTEGER)
        return column * grid.step + Form({}, grid.base)

    def _sums(
        self, number: int, values: list[list[Form]], bits: list[list[Form]] | None
    ) -> list[list[Form]]:
        """The pre-activations of a layer, one list a row of the task."""
        weights, offsets = self._weights[number], self._offsets[number]
        found: list[list[Form]] = []
        for i in range(len(self.task.x)):
            row: list[Form] = []
            for j, offset in enumerate(offsets):
                if bits is None:
                    parts = [
                        weights[k][j] * v.constant for k, v in enumerate(values[i]) if v.constant
                    ]
                else:
                    parts = [
                        self._product(f"t{number}_{i}_{k}_{j}", weights[k][j], bit)
                        for k, bit in enumerate(bits[i])
                    ]
                row.append(_total([*parts, offset]))
            found.append(row)
        return found

    def _product(self, name: str, weight: Form, bit: Form) -> Form:
        product = self._real(name, -_ONE, _ONE)
        two = Fraction(2)
        self._at_most(f"{name} a", product - weight + bit * two, two)
        self._at_most(f"{name} b", weight - product + bit * two, two)
        self._at_most(f"{name} c", product + weight - bit * two, Fraction(0))
        self._at_least(f"{name} d", product + weight + bit * two, Fraction(0))
        return product

    def _size(self, number: int, i: int) -> Fraction:
        """The largest absolute pre-activation of row i in a layer."""
        if number:
            terms = Fraction(self.architecture.widths[number])
        else:
            terms = sum((Fraction(abs(v)) for v in self.task.x[i].tolist()), Fraction(0))
        return terms + (self.grids[number].reach or 0)

    def _signs(self, number: int, grid: Grid, sums: list[list[Form]]) -> list[list[Form]]:
        outputs = self.architecture.widths[number + 1]
        bits = [[self._bit(f"u{number}_{i}_{j}") for j in range(outputs)] for i in range(len(sums))]
        for i, row in enumerate(sums):
            size = self._size(number, i)
            for j, (form, bit) in enumerate(zip(row, bits[i], strict=True)):
                name = f"n{number}_{i}_{j}"
                self._at_least(f"{name} on", form - bit * (size + grid.above), -size)
                self._at_most(f"{name} off", form - bit * (size - grid.below), grid.below)
        if "margin" in self.objective.measures:
            self._least(number, sums, bits)
        return bits

    def _least(self, number: int, sums: list[list[Form]], bits: list[list[Form]]) -> None:
        """A column a neuron that is at most each |a|."""
        sizes = [self._size(number, i) for i in range(len(sums))]
        for j in range(self.architecture.widths[number + 1]):
            least = self._real(f"m{number}_{j}", Fraction(0), max(sizes))
            self._margins.append(list(least.terms))
            for i in range(len(sums)):
                form, bit, big = sums[i][j], bits[i][j], 2 * max(sizes)
                self._at_most(f"m{number}_{i}_{j} on", least - form + bit * big, big)
                self._at_most(f"m{number}_{i}_{j} off", least + form - bit * big, Fraction(0))

    def _losses(self, sums: list[list[Form]]) -> None:
        """Errors and hinge losses of each row and class."""
        self._errors: list[tuple[Form, Fraction]] = []
        self._hinges: list[tuple[Form, Fraction]] = []
        for i, row in enumerate(sums):
            wrong: list[Form] = []
            for label, weight in self.task.weights[i]:
                gains = self._gains(row, label)
                size = self._size(len(self.grids) - 1, i)
                big = size if len(row) == 1 else 2 * size
                if "errors" in self.objective.measures:
                    error = self._bit(f"e{i}_{label}")
                    wrong.append(error)
                    self._errors.append((error, weight))
                    for c, (gain, least) in enumerate(gains):
                        name = f"e{i}_{label}_{c}"
                        self._at_least(name, gain + error * (big + least), least)
                if "hinge" in self.objective.measures:
                    loss = self._real(f"h{i}_{label}", Fraction(0), big + 1)
                    self._hinges.append((loss, weight))
                    for c, (gain, _) in enumerate(gains):
                        self._at_least(f"h{i}_{label}_{c}", gain + loss, _ONE)
            if len(wrong) > 1:
                self._at_least(f"one of {i}", _total(wrong), Fraction(len(wrong) - 1))

    def _gains(self, row: list[Form], label: int) -> list[tuple[Form, Fraction]]:
        """The forms that must reach a least value for a row to be decided as ``label``."""
        grid = self.grids[-1]
        if len(row) == 1:
            gain = row[0] if label else row[0] * Fraction(-1)
            return [(gain, grid.above if label else -grid.below)]
        strict = self.architecture.margin if self.architecture.kind == "real" else _ONE
        return [
            (row[label] - row[c], strict if c < label else Fraction(0))
            for c in range(len(row))
            if c != label
        ]

    def _order(self) -> None:
        """Sorted neurons, and no neuron that its negative could replace."""
        for number in range(len(self.grids) - 1):
            keys = [self._key(number, j) for j in range(self.architecture.widths[number + 1])]
            for j, (left, right) in enumerate(pairwise(keys)):
                self._at_least(f"order{number}_{j}", right - left, Fraction(0))
            if self.grids[number].above == -self.grids[number].below:
                last = number == len(self.grids) - 2
                turned = (
                    [row[0] for row in self._weights[number + 1]]
                    if last
                    else self._weights[number][0]
                )
                for j, form in enumerate(turned):
                    self._at_least(f"turned{number}_{j}", form, Fraction(0))

    def _key(self, number: int, j: int) -> Form:
        weights = self._weights[number]
        return _total([weights[k][j] * factor for k, factor in enumerate(factors(len(weights)))])

    def _absolutes(self) -> None:
        self._sizes: list[Form] = []
        for number, rows in enumerate(self._weights):
            for k, row in enumerate(rows):
                for j, form in enumerate(row):
                    name = f"s{number}_{k}_{j}"
                    size = self._real(name, Fraction(0), _ONE)
                    self._at_least(f"{name} plus", size - form, Fraction(0))
                    self._at_least(f"{name} minus", size + form, Fraction(0))
                    self._sizes.append(size)

    def _measure(self, name: str) -> Form:
        match name:
            case "errors":
                return _total([form * weight for form, weight in self._errors])
            case "hinge":
                return _total([form * weight for form, weight in self._hinges])
            case "margin":
                return _total([Form({j: -_ONE}) for (j,) in self._margins])
            case _:
                return _total(self._sizes)


def factors(count: int) -> list[Fraction]:
    """Coefficients of the form that neurons are sorted by: powers of two while they are small."""
    return [Fraction(2 ** min(count - 1 - k, 8)) if k < 9 else _ONE for k in range(count)]


def encoded(task: Task, architecture: Architecture, objective: Objective) -> Encoding:
    """The program of a training task."""
    return Encoding(task, architecture, objective)


# --- from a network to an exact point of its training program


Exact = npt.NDArray[np.object_]


def normal_form(encoding: Encoding, params: Params) -> Params:
    """An equal network with neurons sorted and turned as the program wants them."""
    weights = [layer.weights.copy() for layer in params]
    offsets = [layer.offset.copy() for layer in params]
    for number in range(len(params) - 1):
        grid = encoding.grids[number]
        if grid.above == -grid.below:
            last = number == len(params) - 2
            lead = weights[number + 1][:, 0] if last else weights[number][0]
            turn = np.where(lead < 0, -1.0, 1.0)
            weights[number] *= turn
            offsets[number] *= turn
            weights[number + 1] *= turn[:, None]
        keys = np.array(list(map(float, factors(len(weights[number]))))) @ weights[number]
        order = np.argsort(keys, kind="stable")
        weights[number], offsets[number] = weights[number][:, order], offsets[number][order]
        weights[number + 1] = weights[number + 1][order]
    return tuple(Layer(w, b) for w, b in zip(weights, offsets, strict=True))


def lifted(encoding: Encoding, params: Params) -> tuple[Fraction, ...] | None:
    """The point of the program that stands for a network, exactly feasible; None if there is none.

    Real weights may fail the program's margin although the network classifies well.
    """
    params = normal_form(encoding, params)
    values: dict[str, Fraction] = {}
    signs = _exact(encoding.task.x)
    for number, (layer, grid) in enumerate(zip(params, encoding.grids, strict=True)):
        weights, offset = _exact(layer.weights), _exact(layer.offset)
        _weights(values, number, layer, encoding.architecture.kind)
        _offsets(values, number, layer, grid)
        if number:
            for i, row in enumerate(signs):
                for k, s in enumerate(row):
                    for j, w in enumerate(weights[k]):
                        values[f"t{number}_{i}_{k}_{j}"] = w * s
        sums = cast("Exact", signs @ weights + offset)
        if number == len(params) - 1:
            _losses(values, encoding, sums)
            break
        bits = np.array(sums >= 0, dtype=bool)
        for (i, j), bit in np.ndenumerate(bits):
            values[f"u{number}_{i}_{j}"] = Fraction(int(bit))
        for j, least in enumerate(np.abs(sums).min(axis=0)):
            values[f"m{number}_{j}"] = Fraction(least)
        signs = _exact(np.where(bits, 1.0, -1.0))
    point = tuple(values[column.name] for column in encoding.program.columns)
    return None if encoding.program.violations(point) else point


def _weights(values: dict[str, Fraction], number: int, layer: Layer, kind: str) -> None:
    for (k, j), value in np.ndenumerate(layer.weights):
        w, name = Fraction(float(value)), f"w{number}_{k}_{j}"
        values[f"s{number}_{k}_{j}"] = abs(w)
        if kind == "ternary":
            values[f"{name}_plus"], values[f"{name}_minus"] = (
                max(w, Fraction(0)),
                max(-w, Fraction(0)),
            )
        else:
            values[name] = (w + 1) / 2 if kind == "binary" else w


def _offsets(values: dict[str, Fraction], number: int, layer: Layer, grid: Grid) -> None:
    for j, value in enumerate(layer.offset.tolist()):
        shift = Fraction(value)
        values[f"b{number}_{j}"] = (shift - grid.base) / grid.step if grid.step else shift


def _losses(values: dict[str, Fraction], encoding: Encoding, sums: Exact) -> None:
    grid, task = encoding.grids[-1], encoding.task
    strict = encoding.architecture.margin if encoding.architecture.kind == "real" else Fraction(1)
    for i, row in enumerate(sums.tolist()):
        for label, _ in task.weights[i]:
            if len(row) == 1:
                gains = [row[0] - grid.above if label else grid.below - row[0]]
                least = row[0] if label else -row[0]
            else:
                others = [c for c in range(len(row)) if c != label]
                gains = [row[label] - row[c] - (strict if c < label else 0) for c in others]
                least = min(row[label] - row[c] for c in others)
            values[f"e{i}_{label}"] = Fraction(int(min(gains) < 0))
            values[f"h{i}_{label}"] = max(Fraction(0), Fraction(1 - least))


def _exact(values: Floats) -> Exact:
    made: Exact = np.empty(values.size, dtype=object)
    made[:] = [Fraction(v) for v in values.reshape(-1).tolist()]
    return made.reshape(values.shape)
