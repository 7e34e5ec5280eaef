"""Mixed-integer programs as layers: the value, differentiated with its jumps reported.

With the integer part fixed at k a program is linear, with value ``v_k``, and ``v = min_k v_k``.
The adjoint of the linear program, its optimal multipliers, is the gradient of ``v_k`` in the
right-hand sides.  Near a right-hand side b only the parts that are optimal at b count, since v is
lower semicontinuous (Meyer 1974).  Let ``D_k`` be the multipliers of such a part.

* ``v_k`` is finite near b exactly if ``D_k`` is bounded; the part is then called stable.
* If some part is stable, v is continuous at b.  A part l that is not stable does not matter if
  ``D_k ⊆ D_l`` for a stable k, because then ``v_k <= v_l`` near b.  If no others are left, v is a
  minimum of Lipschitz functions, and the hull of all ``D_k`` of stable parts is a conservative
  gradient.
* If a direction g has ``r_k·g > 0`` for a ray ``r_k`` of every ``D_k``, all optimal parts are
  infeasible at ``b + t g`` for small t > 0, and v jumps upward.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

from tamecheck.errors import InputError
from tamecheck.ir.exact import rational_text
from tamecheck.ir.program import Column, Program, Row
from tamecheck.layers.directions import common_ascent
from tamecheck.layers.integer_parts import FixedPart, optimal_parts
from tamecheck.layers.optimal_set import OptimalSet, multiplier_set, solution_set
from tamecheck.layers.polyhedron import Point

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

    program: Program
    value: Fraction
    parts: tuple[IntegerPart, ...]
    integer_names: tuple[str, ...]
    rows: tuple[int, ...]

    @cached_property
    def verdict(self) -> str:
        """``"lipschitz"``, ``"jump"`` or ``"unknown"``: the value in the right-hand sides."""
        if all(part.stable or self._is_covered(part) for part in self.parts):
            return "lipschitz"
        return "unknown" if self.jump_direction is None else "jump"

    @cached_property
    def jump_direction(self) -> Mapping[str, Fraction] | None:
        """A change of the rows' right-hand sides along which the value jumps; None if not found.

        Every optimal integer part becomes infeasible, however small the change is.
        """
        if any(part.stable for part in self.parts):
            return None
        direction = common_ascent(
            [part.multipliers for part in self.parts], self.rows, self.program.sense.sign
        )
        if direction is None:
            return None
        names = (self.program.rows[i].name for i in self.rows)
        return {name: g for name, g in zip(names, direction, strict=True) if g}

    @property
    def reason(self) -> str:
        """The verdict in a sentence, naming the integer part and the direction at a jump."""
        if self.verdict == "lipschitz":
            if all(part.stable for part in self.parts):
                return "every optimal integer part stays feasible nearby, so the value is Lipschitz"
            return (
                "the optimal integer parts that become infeasible nearby are covered there by "
                "others that do not, so the value is Lipschitz"
            )
        loose = next(p for p in self.parts if not p.stable and not self._is_covered(p))
        named = ", ".join(
            f"{n}={v}" for n, v in zip(self.integer_names, loose.integers, strict=True) if v
        )
        named = named or "all integer columns 0"
        if self.jump_direction is None:
            return (
                f"the optimal integer part ({named}) becomes infeasible arbitrarily near; whether "
                f"another one takes its place without a jump was not decided"
            )
        along = ", ".join(f"{n} by {_signed(g)}·t" for n, g in self.jump_direction.items())
        what = "the only optimal integer part" if len(self.parts) == 1 else "every optimal part, as"
        return (
            f"the value jumps: {what} ({named}) becomes infeasible if right-hand sides change, "
            f"{along}, for every small t > 0"
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
        if self.verdict != "lipschitz":
            raise InputError(f"There is no gradient in the right-hand sides: {self.reason}.")
        return tuple(dict.fromkeys(u for p in self.parts if p.stable for u in self.projected(p)))

    def require_lipschitz(self) -> None:
        """Raise unless the value is known to be locally Lipschitz in the right-hand sides.

        Raises
        ------
        InputError
            With the reason, naming the jump.
        """
        if self.verdict != "lipschitz":
            raise InputError(f"There is no gradient in the right-hand sides: {self.reason}.")

    def projected(self, part: IntegerPart) -> tuple[Point, ...]:
        """The hull of a stable part's multipliers, of the rows that may vary, as points."""
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

    def _is_covered(self, part: IntegerPart) -> bool:
        """Whether a stable part is as good wherever this one is feasible nearby."""
        return any(
            other.stable and other.multipliers.within(part.multipliers) for other in self.parts
        )


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
        program.constant + sign * parts[0].best.value,
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


def _signed(value: Fraction) -> str:
    return rational_text(value) if value < 0 else f"+{rational_text(value)}"


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
