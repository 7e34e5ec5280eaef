"""Mixed-integer programs as layers: the value, differentiated with its jumps reported.

With the integer part fixed at k a program is linear, with value ``v_k``, and ``v = min_k v_k``.
The adjoint of the linear program, its optimal multipliers, is the gradient of ``v_k`` in the
right-hand sides.  Near a right-hand side b only the parts that are optimal at b count, since v is
lower semicontinuous (Meyer 1974).  Let ``D_k`` be the multipliers of such a part.

* ``v_k`` is finite near b exactly if ``D_k`` is bounded; the part is then called stable.
* A part l that is not stable does not matter if ``D_k ⊆ D_l`` for a stable k, because then
  ``v_k <= v_l`` near b.
* If all others are stable, v is a minimum of Lipschitz functions.  If not, `find_jump` decides
  whether v jumps arbitrarily near.
* If it does not, the hull of the vertices of all ``D_k`` that matter is a conservative gradient.

Near b the value is ``v(b) + min_k f_k(g)`` for a small change g, where ``f_k(g)`` is the largest
``u·g`` over u in ``D_k``: finite on the cone ``C_k = {g : r·g <= 0 for all rays r}``, and infinite
elsewhere.  So v is locally Lipschitz exactly if every g is in some ``C_k``, and no g on the
boundary of a cone ``C_l`` has ``f_l(g) < f_k(g)`` for all other k.  Both fail exactly if one of
finitely many systems of linear inequalities has a solution: one for each choice of a ray of every
part in the first case; in the second of a ray of l, and of a vertex or a ray of every other part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from itertools import chain, islice, product
from operator import sub

from tamecheck.budget import Budget
from tamecheck.errors import InputError
from tamecheck.exact.hull import Point
from tamecheck.ir.box import Bound
from tamecheck.ir.exact import rational_text
from tamecheck.ir.program import Column, Program, Row
from tamecheck.layers.integer_parts import FixedPart, optimal_parts
from tamecheck.layers.optimal_set import Linear, OptimalSet, multiplier_set, solution_set

_MOST_CHOICES = 512

_Condition = tuple[Point, Bound, Bound]
"""A linear form with its bounds."""

_SMOOTH, _UNKNOWN = "lipschitz", "unknown"


@dataclass(frozen=True, slots=True)
class Piece:
    """The multipliers of a part: the hull of the vertices, and the rays."""

    vertices: tuple[Point, ...]
    rays: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Jump:
    """At ``b + t towards`` the part becomes infeasible along ``outward``, for every small t.

    ``towards`` is zero where the jump is at b itself; then every part becomes infeasible.
    """

    part: int
    towards: Point
    outward: Point


@dataclass(frozen=True, slots=True)
class IntegerPart:
    """An optimal integer part, and the optima of the linear program that it leaves.

    The optimal ``multipliers``, one number a row of the program, are gradients of the fixed
    program's value in the right-hand sides.  It is ``stable`` if it stays feasible for all
    right-hand sides nearby of the rows that may vary: their multipliers are bounded.
    """

    integers: Point
    multipliers: OptimalSet
    solutions: OptimalSet
    stable: bool


@dataclass(frozen=True)
class IntegerValue:
    """The exact optimal value of a mixed-integer program, and all optimal integer parts.

    ``rows`` are the positions of those whose right-hand sides may vary.
    """

    program: Program = field(repr=False)
    value: Fraction
    parts: tuple[IntegerPart, ...]
    integer_names: tuple[str, ...]
    rows: tuple[int, ...]

    @cached_property
    def verdict(self) -> str:
        """``"lipschitz"``, ``"jump"`` or ``"unknown"``: the value in the right-hand sides."""
        return "jump" if isinstance(self._found, Jump) else self._found

    @property
    def jump(self) -> tuple[Mapping[str, Fraction], Mapping[str, Fraction]] | None:
        """Changes of right-hand sides ``(towards, outward)`` at a jump, None if none is known.

        However small t > 0 is, at ``b + t towards`` an optimal integer part becomes infeasible
        along ``outward``, and all others are worse there.  ``towards`` is empty for a jump at b.
        """
        found = self._found
        if not isinstance(found, Jump):
            return None
        return self._by_name(found.towards), self._by_name(found.outward)

    @property
    def reason(self) -> str:
        """The verdict in a sentence, naming the integer part and the direction at a jump."""
        match self._found:
            case Jump(part, towards, outward):
                named = self._text(self._relevant[part])
                along = _changes(self._by_name(outward))
                if any(towards):
                    return (
                        f"the value jumps arbitrarily near: where right-hand sides change, "
                        f"{_changes(self._by_name(towards))}, the best integer part ({named}) "
                        f"becomes infeasible by any change along {along}"
                    )
                only = "the only" if len(self.parts) == 1 else "every"
                return (
                    f"the value jumps: {only} optimal integer part ({named}) becomes infeasible "
                    f"if right-hand sides change, {along}, for every small t > 0"
                )
            case "unknown":
                part = next(p for p in self._relevant if not p.stable)
                return (
                    f"the optimal integer part ({self._text(part)}) becomes infeasible arbitrarily "
                    f"near; whether others take its place without a jump was not decided"
                )
            case _ if all(part.stable for part in self.parts):
                return "every optimal integer part stays feasible nearby: Lipschitz"
            case _:
                return (
                    "optimal integer parts that become infeasible nearby are covered there by "
                    "others: Lipschitz"
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
        return tuple(dict.fromkeys(u for part in self._relevant for u in self.project(part)))

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

    def project(self, part: IntegerPart) -> tuple[Point, ...]:
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
    def _relevant(self) -> tuple[IntegerPart, ...]:
        """The parts without those that a stable one covers wherever they are feasible nearby."""
        return tuple(
            part
            for part in self.parts
            if part.stable
            or not any(p.stable and p.multipliers.within(part.multipliers) for p in self.parts)
        )

    @cached_property
    def _found(self) -> Jump | str:
        if all(part.stable for part in self._relevant):
            return _SMOOTH
        sign = self.program.sense.sign
        pieces: list[Piece] = []
        for part in self._relevant:
            rays = part.multipliers.rays
            if rays is None or part.multipliers.vertices is None:
                return _UNKNOWN
            outward = (tuple(sign * ray[i] for i in self.rows) for ray in rays)
            corners = (tuple(sign * a for a in u) for u in self.project(part))
            pieces.append(Piece(tuple(corners), tuple(r for r in dict.fromkeys(outward) if any(r))))
        return find_jump(pieces)

    def _by_name(self, change: Point) -> Mapping[str, Fraction]:
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
    parts = optimal_parts(program, Budget.of(seconds, most_nodes), most_parts)
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
    """The sets of optima of an integer part; its stability is about the rows that may vary."""
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


def find_jump(pieces: Sequence[Piece]) -> Jump | str:
    """Where the minimum of the pieces of a minimised program jumps, or ``lipschitz``, ``unknown``.

    At most 512 linear programs in as many variables as there are right-hand sides.
    """
    size = next((len(p) for piece in pieces for p in (*piece.vertices, *piece.rays)), 0)
    tried = 0
    for part, outward, conditions in islice(_systems(pieces), _MOST_CHOICES):
        tried += 1
        found = _solution(size, conditions)
        if found is not None:
            if outward is None:
                return Jump(part, (Fraction(0),) * size, found)
            return Jump(part, found, outward)
    return _UNKNOWN if tried == _MOST_CHOICES else _SMOOTH


def _systems(pieces: Sequence[Piece]) -> Iterator[tuple[int, Point | None, list[_Condition]]]:
    one, zero = Fraction(1), Fraction(0)
    for rays in product(*(piece.rays for piece in pieces)):
        yield 0, None, [(ray, one, None) for ray in rays]
    for part, piece in enumerate(pieces):
        others = [other for k, other in enumerate(pieces) if k != part]
        for ray in piece.rays:
            inside: list[_Condition] = [(ray, zero, zero)]
            inside += [(other, None, zero) for other in piece.rays if other != ray]
            for choice in product(*(tuple(_worse(other, piece)) for other in others)):
                yield part, ray, [*inside, *chain.from_iterable(choice)]


def _worse(other: Piece, piece: Piece) -> Iterator[list[_Condition]]:
    """What makes another part worse than the piece: each of its vertices, or infinity at a ray."""
    one = Fraction(1)
    for point in other.vertices:
        differences = (map(sub, point, vertex) for vertex in piece.vertices)
        yield [(tuple(difference), one, None) for difference in differences]
    for ray in other.rays:
        yield [(ray, one, None)]


def _solution(size: int, conditions: Sequence[_Condition]) -> Point | None:
    """A point of least 1-norm that satisfies the conditions, None if there is none."""
    columns = tuple(Column(f"{sign}{i}") for sign in "+-" for i in range(size))
    rows = tuple(
        Row(
            str(k),
            tuple((i, a) for i, a in enumerate((*form, *(-a for a in form))) if a),
            lower,
            upper,
        )
        for k, (form, lower, upper) in enumerate(conditions)
    )
    found = Linear(Program(columns, rows)).optimum([Fraction(1)] * (2 * size))
    if found is None:
        return None
    return tuple(found.point[i] - found.point[size + i] for i in range(size))
