"""Mixed-integer linear programs in exact matrix form: every number is a rational."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from functools import cached_property
from operator import lt
from typing import Any, TypeVar

from tamecheck.errors import InputError
from tamecheck.ir.answer import Readable
from tamecheck.ir.box import Bound, is_within
from tamecheck.ir.exact import bound_text, map_once, rational_text
from tamecheck.ir.graph import canonical_sha256

_T = TypeVar("_T")


class Sense(Enum):
    """The direction of the objective."""

    MINIMISE = "minimise"
    MAXIMISE = "maximise"

    @property
    def sign(self) -> int:
        """1 when smaller is better, -1 when larger is."""
        return 1 if self is Sense.MINIMISE else -1


class Kind(Enum):
    """The values that a variable may take within its bounds; a semi variable may also be 0."""

    CONTINUOUS = "continuous"
    INTEGER = "integer"
    SEMICONTINUOUS = "semicontinuous"
    SEMI_INTEGER = "semi-integer"

    @property
    def integral(self) -> bool:
        """Whether only integers are allowed."""
        return self is Kind.INTEGER or self is Kind.SEMI_INTEGER

    @property
    def semi(self) -> bool:
        """Whether 0 is allowed whatever the bounds are."""
        return self is Kind.SEMICONTINUOUS or self is Kind.SEMI_INTEGER


@dataclass(frozen=True, slots=True)
class Column:
    """A variable: ``lower <= x <= upper`` (None: unbounded), its kind, its objective coefficient.

    A crossed pair of bounds is allowed: it makes the program infeasible.
    """

    name: str
    lower: Bound = Fraction(0)
    upper: Bound = None
    kind: Kind = Kind.CONTINUOUS
    cost: Fraction = Fraction(0)

    def admits(self, value: Fraction) -> bool:
        """Whether the variable may take this value."""
        if self.kind.semi and value == 0:
            return True
        if self.kind.integral and value.denominator != 1:
            return False
        return is_within(value, self.lower, self.upper)


@dataclass(frozen=True, slots=True)
class Row:
    """A constraint ``lower <= sum of coefficient * column <= upper`` (None: no bound).

    ``terms`` are ``(column, coefficient)`` pairs with increasing columns and no zero.
    """

    name: str
    terms: tuple[tuple[int, Fraction], ...]
    lower: Bound = None
    upper: Bound = None

    @property
    def free(self) -> bool:
        """Whether the row constrains nothing."""
        return self.lower is None and self.upper is None

    def value(self, point: Sequence[Fraction]) -> Fraction:
        """The value of the linear form at a point."""
        # sums of one denominator first: there are few
        parts: dict[int, int] = {}
        for j, a in self.terms:
            x = point[j]
            if x:
                over = a.denominator * x.denominator
                parts[over] = parts.get(over, 0) + a.numerator * x.numerator
        return sum((Fraction(top, over) for over, top in parts.items()), Fraction(0))

    def admits(self, value: Fraction) -> bool:
        """Whether the value of the linear form is within the bounds."""
        return is_within(value, self.lower, self.upper)


@dataclass(frozen=True, slots=True)
class Violation:
    """A row or column whose condition fails at a point, with the exact value there."""

    what: str
    name: str
    value: Fraction

    def __str__(self) -> str:
        return f"{self.what} {self.name} has the value {rational_text(self.value)}"


@dataclass(frozen=True, repr=False)
class Program(Readable):
    """Optimise ``constant + sum of cost * x`` subject to the rows, the bounds and the kinds.

    Parameters
    ----------
    columns, rows
        Variables and constraints; the names of each are distinct.
    sense
        Whether the objective is minimised or maximised.
    constant
        The objective's constant term.
    name, objective_name
        As the source says; empty if it does not.

    Raises
    ------
    InputError
        If a name occurs twice, a row's terms are not what `Row` demands, or a number is a float:
        no NaN gets in.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    sense: Sense = Sense.MINIMISE
    constant: Fraction = Fraction(0)
    name: str = ""
    objective_name: str = "obj"
    _index: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for what, names in (
            ("columns", [column.name for column in self.columns]),
            ("rows", [row.name for row in self.rows]),
        ):
            if len(set(names)) < len(names):
                name, count = Counter(names).most_common(1)[0]
                raise InputError(f"{count} {what} have the same name {name!r}.")
        for row in self.rows:
            indices = [j for j, _ in row.terms]
            increasing = all(map(lt, indices, indices[1:]))
            inside = not indices or (indices[0] >= 0 and indices[-1] < len(self.columns))
            if not (increasing and inside and all(a for _, a in row.terms)):
                raise InputError(f"Row {row.name!r} has terms out of order, outside, or zero.")
        odd = set(map(type, self._numbers())) - {Fraction, int}
        for number in self._numbers() if odd else ():
            if not isinstance(number, Fraction | int):
                raise InputError(f"{number!r} is no rational number.")
        index = {column.name: j for j, column in enumerate(self.columns)}
        object.__setattr__(self, "_index", index)

    def _numbers(self) -> Iterator[object]:
        yield self.constant
        for column in self.columns:
            yield column.cost
        for row in self.rows:
            yield from (a for _, a in row.terms)
        for limited in (*self.columns, *self.rows):
            yield from (end for end in (limited.lower, limited.upper) if end is not None)

    def __str__(self) -> str:
        integers = sum(column.kind.integral for column in self.columns)
        named = f"{self.name}: " if self.name else ""
        return (
            f"{named}{self.sense.value} over {len(self.columns)} variables, {integers} of them "
            f"integer, with {len(self.rows)} rows"
        )

    @property
    def integral(self) -> bool:
        """Whether some variable is integer or semi, so that the program is no linear program."""
        return any(column.kind is not Kind.CONTINUOUS for column in self.columns)

    @cached_property
    def sha256(self) -> str:
        """The hash of the canonical JSON form."""
        return canonical_sha256(self.document())

    @cached_property
    def _distinct(self) -> tuple[Mapping[int, Fraction], Sequence[int]]:
        """The objects among the coefficients of the rows, by number, and that of each."""
        entries = [a for row in self.rows for _, a in row.terms]
        places = list(map(id, entries))
        return dict(zip(places, entries, strict=True)), places

    def map_coefficients(self, function: Callable[[Fraction], _T]) -> list[_T]:
        """The function of each coefficient, row by row, computed once for an object."""
        known, places = self._distinct
        found = {place: function(value) for place, value in known.items()}
        return list(map(found.__getitem__, places))

    def column(self, name: str) -> int:
        """The position of the column with this name.

        Raises
        ------
        InputError
            If there is none.
        """
        if name not in self._index:
            raise InputError(f"The program has no column {name!r}.")
        return self._index[name]

    def objective(self, point: Sequence[Fraction]) -> Fraction:
        """The objective's exact value at a point, given as one number a column."""
        terms = (column.cost * x for column, x in zip(self.columns, point, strict=True))
        return sum(terms, self.constant)

    def violations(self, point: Sequence[Fraction]) -> tuple[Violation, ...]:
        """Every column and row whose condition fails at a point: none means feasible."""
        columns = (
            Violation("column", column.name, x)
            for column, x in zip(self.columns, point, strict=True)
            if not column.admits(x)
        )
        values = ((row, row.value(point)) for row in self.rows)
        rows = (Violation("row", row.name, v) for row, v in values if not row.admits(v))
        return (*columns, *rows)

    def document(self) -> dict[str, Any]:
        """The canonical JSON form, with rationals as strings."""
        texts = iter(self.map_coefficients(rational_text))
        lowers, uppers, row_lowers, row_uppers = (
            iter(map_once(bound_text, ends))
            for limited in (self.columns, self.rows)
            for ends in ([own.lower for own in limited], [own.upper for own in limited])
        )
        costs = iter(map_once(rational_text, [column.cost for column in self.columns]))
        return {
            "format": "tamecheck-program",
            "version": 1,
            "name": self.name,
            "sense": self.sense.value,
            "objective": {"name": self.objective_name, "constant": rational_text(self.constant)},
            "columns": [
                {
                    "name": column.name,
                    "lower": next(lowers),
                    "upper": next(uppers),
                    "kind": column.kind.value,
                    "cost": next(costs),
                }
                for column in self.columns
            ],
            "rows": [
                {
                    "name": row.name,
                    "lower": next(row_lowers),
                    "upper": next(row_uppers),
                    "terms": [[j, next(texts)] for j, _ in row.terms],
                }
                for row in self.rows
            ],
        }
