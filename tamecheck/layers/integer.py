"""Mixed-integer programs as layers: the value, differentiated with its jumps reported.

With the integer part fixed at k a program is linear, with value ``v_k``, and ``v = min_k v_k``.
The adjoint of the linear program, its optimal multipliers, is the gradient of ``v_k`` in the
right-hand sides.  Near a right-hand side b only the parts that are optimal at b count, since v is
lower semicontinuous (Meyer 1974).  Let ``D_k`` be the multipliers of such a part.

* ``v_k`` is finite near b exactly if ``D_k`` is bounded; the part is then called stable.
* A part l that is not stable does not matter if ``D_k ⊆ D_l`` for a stable k, because then
  ``v_k <= v_l`` near b.
* If all others are stable, v is a minimum of Lipschitz functions.  If not, `jumps.find_jump`
  decides whether v jumps arbitrarily near.
* If it does not, the hull of the vertices of all ``D_k`` that matter is a conservative gradient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property

from tamecheck.errors import InputError
from tamecheck.exact.hull import Point
from tamecheck.ir.exact import rational_text
from tamecheck.ir.program import Column, Program, Row
from tamecheck.layers.integer_parts import FixedPart, optimal_parts
from tamecheck.layers.jumps import Continuous, Jump, Piece, Undecided, find_jump
from tamecheck.layers.optimal_set import OptimalSet, multiplier_set, solution_set

__all__ = ["IntegerPart", "IntegerValue", "elastic", "integer_value_layer"]


@dataclass(frozen=True, slots=True)
class IntegerPart:
    """An optimal integer part, and the optima of the linear program that it leaves.

    Parameters
    ----------
    integers
        The values of the integer columns.
    multipliers
        The optimal multipliers, one number a row of the program: gradients of the fixed
        program's value in the right-hand sides.
    solutions
        The optimal solutions, all columns.
    stable
        Whether the fixed program stays feasible for all right-hand sides nearby, of the rows that
        may vary: their multipliers are bounded.
    """

    integers: Point
    multipliers: OptimalSet
    solutions: OptimalSet
    stable: bool


@dataclass(frozen=True)
class IntegerValue:
    """The optimal value of a mixed-integer program, and all optimal integer parts.

    Parameters
    ----------
    program
        What was solved.
    value
        Its exact value.
    parts
        All optimal integer parts.
    integer_names
        The names of the integer columns.
    rows
        The positions of the rows whose right-hand sides may vary.
    """

    program: Program = field(repr=False)
    value: Fraction
    parts: tuple[IntegerPart, ...]
    integer_names: tuple[str, ...]
    rows: tuple[int, ...]

    @cached_property
    def verdict(self) -> str:
        """``"lipschitz"``, ``"jump"`` or ``"unknown"``: the value in the right-hand sides."""
        match self._found:
            case Continuous():
                return "lipschitz"
            case Jump():
                return "jump"
            case Undecided():
                return "unknown"

    @property
    def jump(self) -> tuple[Mapping[str, Fraction], Mapping[str, Fraction]] | None:
        """Changes of right-hand sides ``(towards, outward)`` at a jump, None if none is known.

        However small t > 0 is, at ``b + t towards`` an optimal integer part becomes infeasible
        along ``outward``, and all others are worse there.  ``towards`` is empty for a jump at b.
        """
        found = self._found
        if not isinstance(found, Jump):
            return None
        return self._named(found.towards), self._named(found.outward)

    @property
    def reason(self) -> str:
        """The verdict in a sentence, naming the integer part and the direction at a jump."""
        match self._found:
            case Continuous():
                if all(part.stable for part in self.parts):
                    return "every optimal integer part stays feasible nearby: Lipschitz"
                return (
                    "optimal integer parts that become infeasible nearby are covered there by "
                    "others: Lipschitz"
                )
            case Jump(part, towards, outward):
                named = self._text(self._mattering[part])
                along = _changes(self._named(outward))
                if any(towards):
                    return (
                        f"the value jumps arbitrarily near: where right-hand sides change, "
                        f"{_changes(self._named(towards))}, the best integer part ({named}) "
                        f"becomes infeasible by any change along {along}"
                    )
                only = "the only" if len(self.parts) == 1 else "every"
                return (
                    f"the value jumps: {only} optimal integer part ({named}) becomes infeasible "
                    f"if right-hand sides change, {along}, for every small t > 0"
                )
            case Undecided():
                part = next(p for p in self._mattering if not p.stable)
                return (
                    f"the optimal integer part ({self._text(part)}) becomes infeasible arbitrarily "
                    f"near; whether others take its place without a jump was not decided"
                )

    @property
    def right_side_gradients(self) -> tuple[Point, ...]:
        """Points whose hull is a conservative gradient in the right-hand sides that may vary.

        For a row with two different bounds it is that of the bound that the row stands at.

        Raises
        ------
        InputError
            If the value is not known to be locally Lipschitz here, naming the jump.
        UnsupportedError
            If some part has too many vertices of multipliers to list.
        """
        self.require_lipschitz()
        return tuple(dict.fromkeys(u for part in self._mattering for u in self.projected(part)))

    def require_lipschitz(self) -> None:
        """Raise unless the value is known to be locally Lipschitz in the right-hand sides.

        Raises
        ------
        InputError
            With the reason, naming the jump.
        """
        if self.verdict != "lipschitz":
            raise InputError(f"There is no gradient in the right-hand sides: {self.reason}.")

    def __str__(self) -> str:
        count = f"{len(self.parts)} optimal integer part{'s' if len(self.parts) > 1 else ''}"
        return f"value {rational_text(self.value)}, {count}: {self.reason}"

    def projected(self, part: IntegerPart) -> tuple[Point, ...]:
        """The vertices of a part's multipliers, of the rows that may vary."""
        found = part.multipliers.listed_vertices
        return tuple(dict.fromkeys(tuple(u[i] for i in self.rows) for u in found))

    @property
    def cost_gradients(self) -> tuple[Point, ...]:
        """The vertices of the Clarke set in the costs: all optimal solutions.

        The value is a minimum of linear functions of the cost, so it is concave (for a
        maximisation, convex).

        Raises
        ------
        InputError
            If the optimal set is unbounded.
        UnsupportedError
            If some part has too many optimal vertices to list.
        """
        for part in self.parts:
            if not part.solutions.bounded:
                raise InputError(
                    f"The optimal set is unbounded, in {', '.join(part.solutions.endless)}: the "
                    f"value is infinite for costs nearby, and has no Clarke set."
                )
        return tuple(dict.fromkeys(x for p in self.parts for x in p.solutions.listed_vertices))

    @cached_property
    def _mattering(self) -> tuple[IntegerPart, ...]:
        """The parts without those that a stable one covers wherever they are feasible nearby."""
        return tuple(
            part
            for part in self.parts
            if part.stable
            or not any(p.stable and p.multipliers.within(part.multipliers) for p in self.parts)
        )

    @cached_property
    def _found(self) -> Jump | Continuous | Undecided:
        if all(part.stable for part in self._mattering):
            return Continuous()
        sign = self.program.sense.sign
        pieces: list[Piece] = []
        for part in self._mattering:
            rays = part.multipliers.rays
            if rays is None or part.multipliers.vertices is None:
                return Undecided()
            outward = (tuple(sign * ray[i] for i in self.rows) for ray in rays)
            corners = (tuple(sign * a for a in u) for u in self.projected(part))
            pieces.append(Piece(tuple(corners), tuple(r for r in dict.fromkeys(outward) if any(r))))
        return find_jump(pieces)

    def _named(self, change: Point) -> Mapping[str, Fraction]:
        names = (self.program.rows[i].name for i in self.rows)
        return {name: g for name, g in zip(names, change, strict=True) if g}

    def _text(self, part: IntegerPart) -> str:
        pairs = zip(self.integer_names, part.integers, strict=True)
        return ", ".join(f"{n}={v}" for n, v in pairs if v) or "all integer columns 0"


def integer_value_layer(
    program: Program,
    *,
    right_sides: Sequence[str] | None = None,
    seconds: float = 60.0,
    most_nodes: int = 100_000,
    most_parts: int = 1_000,
) -> IntegerValue:
    """The value of a program with all its optimal integer parts, exactly.

    Parameters
    ----------
    program
        No column may be semicontinuous.
    right_sides
        The names of the rows whose right-hand sides may vary; None for all rows.
    seconds, most_nodes, most_parts
        Limits of the search and of the number of optimal integer parts; reaching one is an error.

    Raises
    ------
    InputError
        If there is no optimum, or no row of such a name.
    UnsupportedError
        If integer columns are unbounded among near-optimal points, or there are too many optimal
        integer parts.
    SolverError
        If the search does not end in time.
    """
    rows = _positions(program, right_sides)
    parts = optimal_parts(program, seconds=seconds, most_nodes=most_nodes, most_parts=most_parts)
    sign = program.sense.sign
    return IntegerValue(
        program,
        program.constant + sign * parts[0].best.objective,
        tuple(_part(part, rows) for part in parts),
        tuple(column.name for column in program.columns if column.kind.integral),
        rows,
    )


def _positions(program: Program, names: Sequence[str] | None) -> tuple[int, ...]:
    if names is None:
        return tuple(range(len(program.rows)))
    place = {row.name: i for i, row in enumerate(program.rows)}
    missing = [name for name in names if name not in place]
    if missing:
        raise InputError(f"The program has no row {missing[0]!r}.")
    return tuple(place[name] for name in names)


def _part(part: FixedPart, rows: Sequence[int]) -> IntegerPart:
    multipliers = multiplier_set(part.program, part.best)
    stable = all(None not in multipliers.ranges[i] for i in rows)
    return IntegerPart(part.integers, multipliers, solution_set(part.program, part.best), stable)


def _changes(change: Mapping[str, Fraction]) -> str:
    parts = (f"{n} by {'' if g < 0 else '+'}{rational_text(g)}·t" for n, g in change.items())
    return ", ".join(parts)


def elastic(program: Program, penalty: Fraction | int) -> Program:
    """The program whose rows may be violated at a price: its value is Lipschitz everywhere.

    Every bound of every row gets a continuous slack with cost ``penalty``, so a change of the
    right-hand sides by d changes the value by at most ``penalty · |d|₁``.

    Parameters
    ----------
    program
        The columns' bounds stay hard.
    penalty
        The price of a unit of violation; at least the largest multiplier for an exact penalty.
    """
    if penalty <= 0:
        raise InputError("The penalty is a positive number.")
    price = Fraction(penalty) * program.sense.sign
    columns = list(program.columns)
    rows: list[Row] = []
    for row in program.rows:
        terms = list(row.terms)
        for bound, value in ((row.lower, 1), (row.upper, -1)):
            if bound is not None:
                name = f"{row.name}.{'below' if value == 1 else 'above'}"
                terms.append((len(columns), Fraction(value)))
                columns.append(Column(name, cost=price))
        rows.append(replace(row, terms=tuple(terms)))
    return replace(program, columns=tuple(columns), rows=tuple(rows))
