"""The value of a program as a function of named right-hand sides and costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from tamecheck.duality import DualFunction, dual
from tamecheck.duality.answer import Gradient
from tamecheck.errors import InputError
from tamecheck.exact.hull import Point
from tamecheck.ir.exact import rational
from tamecheck.ir.program import Program, Row
from tamecheck.layers.integer import IntegerValue, elastic, integer_value_layer
from tamecheck.programs.files import program_of_mip

Values = Mapping[str, Any] | Sequence[Any] | None


@dataclass(frozen=True, slots=True)
class Valued:
    """An exact value, what holds for its derivative in the named parameters, and all optima."""

    value: Fraction
    names: tuple[str, ...]
    optima: IntegerValue = field(repr=False)
    sides: tuple[str, ...]
    costs: tuple[int, ...]

    @property
    def verdict(self) -> str:
        """``"lipschitz"``, ``"jump"`` or ``"unknown"``, for the right-hand sides that vary."""
        return self.optima.verdict

    @property
    def reason(self) -> str:
        """The verdict in a sentence."""
        return self.optima.reason

    @property
    def gradient(self) -> Gradient:
        """The conservative gradient in the parameters: the value's gradient if it is a singleton.

        Raises
        ------
        InputError
            If the value is not known to be locally Lipschitz in the parameters.
        UnsupportedError
            If there are too many vertices to list.
        """
        if not self.costs:
            return Gradient(self.names, self.optima.right_side_gradients)
        if not self.sides:
            points = self.optima.cost_gradients
            return Gradient(self.names, tuple(dict.fromkeys(self._pick(x) for x in points)))
        return Gradient(self.names, tuple(dict.fromkeys(self._pairs())))

    def __str__(self) -> str:
        return str(self.optima)

    def _pairs(self) -> list[Point]:
        self.optima.require_lipschitz()
        # with costs that vary too, a part that another covers now need not be covered nearby
        for part in self.optima.parts:
            if not (part.stable and part.solutions.bounded):
                raise InputError(
                    "The value is not known to be Lipschitz where right-hand sides and costs vary "
                    "together: an optimal integer part becomes infeasible or unbounded nearby."
                )
        return [
            (*u, *self._pick(x))
            for part in self.optima.parts
            for u in self.optima.project(part)
            for x in part.solutions.listed_vertices
        ]

    def _pick(self, x: Point) -> Point:
        return tuple(x[j] for j in self.costs)


@dataclass(frozen=True, slots=True)
class ValueLayer:
    """``parameters -> optimal value`` of a program.

    Parameters
    ----------
    program
        The program at its own values of the parameters.
    sides
        The names of the rows whose right-hand sides are parameters: those with one bound, or
        with two equal ones.
    costs
        The positions of the columns whose costs are parameters, which come after the sides.
    """

    program: Program = field(repr=False)
    sides: tuple[str, ...]
    costs: tuple[int, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters in their order."""
        return (*self.sides, *(self.program.columns[j].name for j in self.costs))

    @property
    def values(self) -> Point:
        """The parameters' values in the program."""
        rows = {row.name: row for row in self.program.rows}
        return (
            *(_side(rows[name]) for name in self.sides),
            *(self.program.columns[j].cost for j in self.costs),
        )

    def at(self, values: Values = None) -> Program:
        """The program with other values of the parameters.

        Parameters
        ----------
        values
            By name, where the others stay; or one number a parameter, in order.  Floats count as
            the rationals that they are.

        Raises
        ------
        InputError
            If a name or the number of numbers is wrong, or a number is not finite.
        """
        new = self._numbers(values)
        sides = dict(zip(self.sides, new, strict=False))
        rows = tuple(_move(row, sides.get(row.name)) for row in self.program.rows)
        columns = list(self.program.columns)
        for j, cost in zip(self.costs, new[len(self.sides) :], strict=True):
            columns[j] = replace(columns[j], cost=cost)
        return replace(self.program, rows=rows, columns=tuple(columns))

    def __call__(self, values: Values = None, *, seconds: float = 60.0) -> Valued:
        """The value at some parameters, with its conservative gradient.

        Raises
        ------
        InputError
            If there is no optimum.
        SolverError
            If the search does not end in ``seconds``.
        """
        optima = integer_value_layer(self.at(values), right_sides=self.sides, seconds=seconds)
        return Valued(optima.value, self.names, optima, self.sides, self.costs)

    def elastic(self, penalty: Fraction | int) -> ValueLayer:
        """The layer of the program whose rows may be violated at a price: Lipschitz everywhere."""
        return replace(self, program=elastic(self.program, penalty))

    def dual(self, values: Values = None, *, method: str = "tree", **options: Any) -> DualFunction:
        """A subadditive dual function of the program: a lower bound for *every* right-hand side.

        Where it is strong, its value here is the layer's, and where both are smooth their
        gradients are the same.
        """
        return dual(self.at(values), method, **options)

    def _numbers(self, values: Values) -> Point:
        if values is None:
            return self.values
        if isinstance(values, Mapping):
            unknown = [name for name in values if name not in self.names]
            if unknown:
                raise InputError(
                    f"There is no parameter {unknown[0]!r}.",
                    hint=f"There are {', '.join(self.names)}.",
                )
            pairs = zip(self.names, self.values, strict=True)
            return tuple(rational(values[n]) if n in values else own for n, own in pairs)
        if len(values) != len(self.names):
            raise InputError(f"{len(self.names)} values are needed, not {len(values)}.")
        return tuple(rational(value) for value in values)


def value_layer(program: Program, parameters: Sequence[str]) -> ValueLayer:
    """The value of a program as a function of some of its numbers.

    Parameters
    ----------
    program
        The program.
    parameters
        Names of rows, for their right-hand sides, and of columns, for their costs.

    Raises
    ------
    InputError
        If a name is that of nothing or of both a row and a column, occurs twice, or names a row
        with two different bounds.
    """
    rows = {row.name: row for row in program.rows}
    columns = {column.name: j for j, column in enumerate(program.columns)}
    sides: list[str] = []
    costs: list[int] = []
    for name in parameters:
        if (name in rows) == (name in columns):
            what = "both a row and a column are" if name in rows else "no row or column is"
            raise InputError(f"Parameter {name!r}: {what} named so.")
        if name in sides or columns.get(name) in costs:
            raise InputError(f"Parameter {name!r} is given twice.")
        if name in rows:
            _side(rows[name])
            sides.append(name)
        else:
            costs.append(columns[name])
    return ValueLayer(program, tuple(sides), tuple(costs))


def from_mip(model: Any, parameters: Sequence[Any]) -> ValueLayer:
    """The value of a python-mip model as a function of some of its numbers.

    Parameters
    ----------
    model
        A `mip.Model`; it is only read, exactly.
    parameters
        Its constraints or their names, for right-hand sides; its variables or their names, for
        costs.

    Raises
    ------
    InputError
        If a parameter is not in the model, or names a constraint and a variable alike.
    """
    names = [given if isinstance(given, str) else str(given.name) for given in parameters]
    return value_layer(program_of_mip(model), names)


def _side(row: Row) -> Fraction:
    found = {end for end in (row.lower, row.upper) if end is not None}
    if len(found) != 1:
        raise InputError(f"Row {row.name!r} has {len(found)} different right-hand sides.")
    return found.pop()


def _move(row: Row, side: Fraction | None) -> Row:
    if side is None:
        return row
    lower, upper = (None if end is None else side for end in (row.lower, row.upper))
    return replace(row, lower=lower, upper=upper)
