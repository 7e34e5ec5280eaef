"""Programs whose variables are the mixed-integer points of a polyhedral cone.

    z(d) = min c·x  subject to  Ax (=, >=, <=) d,  Hx (>=, =) 0,  x >= 0 or free, some x integer

The rows of H are no right-hand sides: they say, with the signs of the variables, that x lies in a
cone K, whose mixed-integer points M are a monoid, in general without finitely many generators.
Every extreme ray r of K, scaled to have whole numbers at the integer variables, is in M; so a
column ``Ar`` of cost ``c·r`` changes nothing.  A generator function of the program with these
columns keeps all of M and prices rays by multipliers:

    F(d) = min { c·x + alpha·(sum of A r t_r) : Ax + sum of A r t_r (=, >=, <=) d, x in M, t >= 0 }

over the rays with ``alpha·Ar <= c·r``, with real or whole t.  It is subadditive, and
``F(Ax) <= c·x`` for all x in M: with h for the sides of the rows of H, F is the function G(d, 0) of
a program whose columns all satisfy ``G(a, h) <= c``, which is checked for each, and G grows with h
(Angulo, Kocuk, Morán 2024 study such functions).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from fractions import Fraction

from tamecheck.budget import Budget
from tamecheck.duality.check import CheckItem
from tamecheck.duality.form import (
    Constraint,
    Form,
    FormColumn,
    Vector,
    dot,
    join_opposites,
    opposites,
    program_of,
)
from tamecheck.duality.optimum import minimise_rows
from tamecheck.duality.proof import decide
from tamecheck.errors import InputError
from tamecheck.ir.answer import Optimal
from tamecheck.ir.exact import ONE, ZERO
from tamecheck.ir.program import Column, Kind, Program

_MOST_RAYS = 1000


def cone_positions(form: Form, names: Collection[str]) -> frozenset[int]:
    """The constraints of the form that describe the cone.

    Raises
    ------
    InputError
        If a name is none of a row, a side is not 0, or a bound of a column is no cone.
    """
    program = form.program
    known = {row.name: i for i, row in enumerate(program.rows)}
    missing = [name for name in names if name not in known]
    if missing:
        raise InputError(f"There is no row {missing[0]!r} for the cone.")
    for name in names:
        row = program.rows[known[name]]
        if any(end not in {None, ZERO} for end in (row.lower, row.upper)):
            raise InputError(
                "A row of a cone has the right-hand side 0.", where=f"row {name!r}", hint=_AS_ROW
            )
    for column, part in zip(program.columns, form.parts, strict=True):
        capped = len(part.terms) == 1 and None not in {column.lower, column.upper}
        if part.offset or capped:
            raise InputError(
                "The bounds of a variable in a cone are 0 or none.",
                where=f"column {column.name!r}",
                hint=_AS_ROW,
            )
    chosen = {known[name] for name in names}
    return frozenset(i for i, c in enumerate(form.constraints) if c.row in chosen)


_AS_ROW = "State it as a row that is not in the cone."


def with_rays(form: Form, cone: Collection[int]) -> Program:
    """The program with a column for each extreme ray of the cone, behind its own columns.

    Those of rays are whole numbers in the program; a generator function takes them real or whole.
    """
    program, taken = form.program, {column.name for column in form.program.columns}
    columns, rows = list(program.columns), [list(row.terms) for row in program.rows]
    kept = {form.constraints[i].row for i in cone}
    points = [form.point(ray) for ray in extreme_rays(form, cone)]
    # the parts of a free variable make a ray that is no direction
    for number, point in enumerate(filter(any, points)):
        name = f"ray.{number}"
        while name in taken:
            name += "'"
        cost = dot((column.cost for column in program.columns), point)
        for i, row in enumerate(program.rows):
            value = row.value(point)
            if value and i not in kept:
                rows[i].append((len(columns), value))
        taken.add(name)
        columns.append(Column(name, kind=Kind.INTEGER, cost=cost))
    own = zip(program.rows, rows, strict=True)
    made = tuple(replace(row, terms=tuple(terms)) for row, terms in own)
    return replace(program, columns=tuple(columns), rows=made)


def extreme_rays(form: Form, cone: Collection[int]) -> list[Vector]:
    """The extreme rays of ``{x >= 0 : Hx >= 0}`` in the form's variables, whole where these are.

    The double description method: rays of the orthant are cut row by row.
    """
    size = len(form.columns)
    vectors = [form.vector(j) for j in range(size)]
    signs = {">=": (1,), "<=": (-1,), "=": (1, -1)}
    rows = [
        tuple(sign * vector[i] for vector in vectors)
        for i in sorted(cone)
        for sign in signs[form.constraints[i].sense]
    ]
    rays = [tuple(Fraction(int(i == j)) for i in range(size)) for j in range(size)]
    used: list[Vector] = list(rays)
    for row in rows:
        rays = _cut(rays, used, row)
        used.append(row)
        if len(rays) > _MOST_RAYS:
            raise InputError(
                f"The cone has more than {_MOST_RAYS} extreme rays.",
                hint="Take fewer rows into the cone.",
            )
    integral = [column.integral for column in form.columns]
    return [_whole(ray, integral) for ray in rays]


def _cut(rays: Sequence[Vector], used: Sequence[Vector], row: Vector) -> list[Vector]:
    values = [dot(row, ray) for ray in rays]
    tight = [frozenset(k for k, own in enumerate(used) if not dot(own, ray)) for ray in rays]
    found = [ray for ray, value in zip(rays, values, strict=True) if value >= 0]
    above = [i for i, value in enumerate(values) if value > 0]
    below = [i for i, value in enumerate(values) if value < 0]
    for i in above:
        for j in below:
            shared = tight[i] & tight[j]
            if any(shared <= own for k, own in enumerate(tight) if k not in {i, j}):
                continue
            pairs = zip(rays[i], rays[j], strict=True)
            found.append(tuple(values[i] * b - values[j] * a for a, b in pairs))
    return found


def _whole(ray: Vector, integral: Sequence[bool]) -> Vector:
    """The least multiple with coprime whole numbers at the integer variables."""
    whole = [x for x, own in zip(ray, integral, strict=True) if own and x] or [x for x in ray if x]
    scale = Fraction(
        math.lcm(*(x.denominator for x in whole)), math.gcd(*(x.numerator for x in whole))
    )
    return tuple(scale * x for x in ray)


# -- conditions of strong duality ----------------------------------------------------------------


def strict_point(form: Form, budget: Budget) -> tuple[bool | None, Vector | None]:
    """Whether a mixed-integer point satisfies all inequalities strictly, and one if so.

    The least slack, at most 1, is maximised: those of the rows, of the cone and of the signs of the
    variables.
    """
    size, free = len(form.columns), opposites(form.columns)
    columns = list(form.columns)
    constraints, right = list(form.constraints), list(form.right)
    signs = {">=": -ONE, "<=": ONE}
    slack = [(i, signs[c.sense]) for i, c in enumerate(constraints) if c.sense != "="]
    for j, column in enumerate(columns):
        columns[j] = replace(column, cost=ZERO)
        if j in free or j in free.values():
            continue
        position = len(constraints)
        constraints.append(Constraint(f"sign {j}", ">="))
        right.append(ZERO)
        slack.append((position, -ONE))
        columns[j] = replace(columns[j], entries=(*column.entries, (position, ONE)))
    constraints.append(Constraint("slack", "<="))
    right.append(ONE)
    columns.append(
        FormColumn("slack", integral=False, cost=-ONE, entries=(*slack, (len(right) - 1, ONE)))
    )
    program = program_of(columns, constraints, right)
    found = decide(join_opposites(program, free), budget)
    if found is None:
        return None, None
    if isinstance(found, Optimal) and found.objective < 0:
        return True, form.point(found.point[:size])
    return False, None


def is_bounded(form: Form) -> bool:
    """Whether the relaxation has no direction without end at any right-hand side."""
    size = len(form.columns)
    vectors = [form.vector(j) for j in range(size)]
    rows = [
        ([vector[i] for vector in vectors], c.sense, ZERO) for i, c in enumerate(form.constraints)
    ]
    rows.append(([ONE] * size, "<=", ONE))
    found = minimise_rows([-ONE] * size, rows)
    return isinstance(found, Optimal) and found.objective == 0


def conditions(
    form: Form, multipliers: Vector, budget: Budget, *, feasible: bool | None
) -> dict[str, CheckItem]:
    """Conditions under which generator functions are a strong dual, each checked exactly.

    The program has rational data.  If it has a point and multipliers bound the relaxation, its
    value function is finite and attained at b (Meyer 1974), 0 at 0, and the generator function that
    keeps all columns: strong duality holds and is attained (Blair, Jeroslow 1977; Kocuk, Morán 2019
    for conic programs).  A point that satisfies all inequalities strictly, or a bounded relaxation
    with a point, is known to imply that there are such multipliers.
    """
    dual = all(column.product(multipliers) <= column.cost for column in form.columns) and all(
        c.admits(y) for c, y in zip(form.constraints, multipliers, strict=True)
    )
    strict, point = strict_point(form, budget)
    shown = ", ".join(map(str, point or ()))
    bounded = is_bounded(form)
    strong = True if feasible and dual else None
    return {
        "feasible": _item(
            feasible,
            yes="the optimum is attained by a mixed-integer point",
            no="there is no mixed-integer point",
            open_="no mixed-integer point is known",
        ),
        "dual_feasible": _item(
            dual,
            yes="multipliers y with y·a <= c for all columns bound the relaxation",
            no="no multipliers are known that bound the relaxation",
        ),
        "strictly_feasible": _item(
            strict,
            yes=f"the mixed-integer point ({shown}) satisfies all inequalities strictly",
            no="no mixed-integer point satisfies all inequalities strictly",
            open_="it was not decided in time",
        ),
        "bounded": _item(
            bounded,
            yes="the relaxation has no direction without end",
            no="the relaxation has a direction without end",
        ),
        "strong_duality": _item(
            strong,
            yes="rational data, a point and feasible multipliers: the dual is attained",
            open_="a hypothesis is not shown",
        ),
    }


def _item(status: bool | None, *, yes: str, no: str = "", open_: str = "") -> CheckItem:  # noqa: FBT001 (a condition)
    """A condition with the words for what was found of it."""
    return CheckItem(status=status, why={True: yes, False: no, None: open_}[status])
