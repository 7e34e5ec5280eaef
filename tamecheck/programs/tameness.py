"""Tameness of programs: where the feasible set and the optimal value are definable.

The variable is the right-hand side b: the finite ends of the rows, one number for an equation.
The matrix, the objective and the bounds of the columns are rationals that stay as they are.  The
value z(b), where it is finite, and the set of optimal points are first-order definable from the
feasible set, so all is decided by the feasible set.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tamecheck.ir.program import Column, Kind, Program, Sense
from tamecheck.ir.structure import Structure
from tamecheck.ir.verdict import Consequence, Open, Properties, Verdict

_NAMED = 5
_WRITTEN_OUT = 10**15
_DRIES = "van den Dries 1998"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramCheck:
    """The answer to "is it tame?" for a program, as a function of its right-hand side."""

    program: Program = field(repr=False)
    verdict: Verdict
    """Tame or locally tame; no linear program with integers is beyond that."""
    structure: Structure
    """Where the feasible set, the value function and the set of optimal points are definable."""
    reasons: tuple[str, ...]
    """Why, in sentences."""
    properties: Properties
    """Of the value function on the set where it is finite."""
    consequences: tuple[Consequence, ...]
    """The theorems that apply."""
    open: tuple[Open, ...]
    """For a locally tame program, each bound whose lack stands in the way of tame."""


def check(program: Program) -> ProgramCheck:
    """The structure in which the feasible set and the value function of a program are definable.

    With finite bounds on every integer variable there are finitely many integer parts, each with a
    polyhedron: all is semilinear.  Else the integers are needed beside linear operations with
    rational coefficients, and all is definable in (ℝ, <, +, ℤ), which is locally o-minimal.
    """
    gaps = tuple(gap for column in program.columns for gap in _gaps(column))
    structure = Structure.LOCAL if gaps else Structure.RATIONAL_SEMILINEAR
    properties = _properties(program)
    return ProgramCheck(
        program=program,
        verdict=Verdict.LOCALLY_TAME if gaps else Verdict.TAME,
        structure=structure,
        reasons=tuple(_reasons(program)),
        properties=properties,
        consequences=tuple(_consequences(program, structure, properties)),
        open=gaps,
    )


# -- what is read off the columns ---------------------------------------------------------------


def _gaps(column: Column) -> list[Open]:
    """The missing bounds of an integer column, which may take infinitely many integers."""
    ends = (("lower", column.lower), ("upper", column.upper))
    return [
        Open(
            node=column.name,
            why=f"it is {column.kind.value} without a finite {side} bound",
            settles=f"a finite {side} bound of {column.name}, even a large one",
        )
        for side, bound in ends
        if column.kind.integral and bound is None
    ]


def _parts(columns: Iterable[Column]) -> int:
    """A bound on the number of integer parts: of integer values, and of zeros of semi columns."""
    return math.prod(map(_choices, columns))


def _choices(column: Column) -> int:
    if column.kind is Kind.CONTINUOUS:
        return 1
    if column.kind is Kind.SEMICONTINUOUS:
        return 2
    if column.lower is None or column.upper is None:
        raise ValueError("an integer column without bounds has infinitely many values")
    values = max(0, math.floor(column.upper) - math.ceil(column.lower) + 1)
    return values + 1 if column.kind is Kind.SEMI_INTEGER else values


def _properties(program: Program) -> Properties:
    """Of the value function on the set where it is finite; what may hold or not is None."""
    linear = True if not program.integral else None
    costly = [column for column in program.columns if column.cost != 0]
    return Properties(
        piecewise_linear=True,
        piecewise_constant=True if all(column.kind.integral for column in costly) else None,
        continuous=linear,
        locally_lipschitz=linear,
        path_differentiable=linear,
    )


# -- reasons ------------------------------------------------------------------------------------


def _reasons(program: Program) -> Iterable[str]:
    integers = [column for column in program.columns if column.kind.integral]
    unbounded = [column for column in integers if _gaps(column)]
    semi = [column for column in program.columns if column.kind is Kind.SEMICONTINUOUS]
    yield (
        "All data are rational: rows, bounds and objective are linear, with rational coefficients."
    )
    if not integers:
        yield "No variable is integer."
    elif not unbounded:
        yield (
            f"Every integer variable has finite bounds ({len(integers)} of {len(integers)}), so "
            f"there are finitely many integer parts, at most {_size(_parts(integers))}; with each, "
            "the rest is a polyhedron."
        )
    else:
        yield (
            f"{_list(unbounded)} {'is' if len(unbounded) == 1 else 'are'} integer without finite "
            f"bounds ({len(unbounded)} of {len(integers)} integer variables); the integers are "
            "only added, multiplied by rationals and compared."
        )
    if semi:
        yield (
            f"{_list(semi)} {'is' if len(semi) == 1 else 'are'} semi-continuous: 0, or in an "
            "interval, which is a union of two cases."
        )


def _list(columns: Sequence[Column]) -> str:
    """The first names, and how many more there are."""
    names = [column.name for column in columns[:_NAMED]]
    rest = len(columns) - len(names)
    if rest:
        return f"{', '.join(names)} and {rest} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _size(count: int) -> str:
    """A number, or a power of 2 above it where it is long."""
    return str(count) if count < _WRITTEN_OUT else f"2^{count.bit_length()}"


# -- consequences -------------------------------------------------------------------------------


def _consequences(
    program: Program, structure: Structure, properties: Properties
) -> Iterable[Consequence]:
    definable = f"definable in {structure.symbol}: rational data, {_integers(program, structure)}"
    yield Consequence(
        "Closure under first-order definitions: the set of right-hand sides with a feasible point, "
        "the set where the value is finite, the value function there, and the relation between "
        "right-hand sides and optimal points are definable in the same structure",
        f"{_DRIES}, ch. 1",
        (definable,),
    )
    yield Consequence(
        "Attainment: where the value is finite, a feasible point has it",
        "Meyer 1974",
        ("all data are rational", "no inequality is strict"),
    )
    if structure.o_minimal:
        yield from _tame(program, structure)
    else:
        yield Consequence(
            "Semilinear on bounded sets: on every bounded box of right-hand sides the value "
            "function is piecewise linear with finitely many pieces",
            "Miller 2001; Toffalori, Vozoris 2009",
            (f"definable in {structure.symbol}, which is locally o-minimal ({structure.source})",),
        )
    if not program.integral:
        yield from _linear(program)
    if properties.piecewise_constant and structure.o_minimal:
        yield Consequence(
            "Finitely many values: the value function takes finitely many values and is locally "
            "constant off a closed nowhere dense set, so its gradient guides no descent",
            f"{_DRIES}, ch. 1 §7",
            (
                definable,
                "only integer variables have costs, and they take finitely many values",
            ),
        )


def _integers(program: Program, structure: Structure) -> str:
    if not any(column.kind.integral for column in program.columns):
        return "no integer variables"
    return "integer variables within finite bounds" if structure.o_minimal else "integer variables"


def _tame(program: Program, structure: Structure) -> Iterable[Consequence]:
    o_minimal = f"definable in {structure.symbol}, which is o-minimal ({structure.source})"
    yield Consequence(
        "Cell decomposition: the set of right-hand sides where the value is finite is a disjoint "
        "union of finitely many polyhedral cells, on each of which the value function is affine",
        f"{_DRIES}, ch. 1 §7 and ch. 3 (2.11)",
        (o_minimal,),
    )
    yield Consequence(
        "Definable choice: where optimal points exist, one can be chosen as a piecewise linear "
        "function of the right-hand side",
        f"{_DRIES}, ch. 6 (1.2)",
        (o_minimal,),
    )
    count = max(1, _parts(program.columns))
    polyhedra = "1 polyhedron" if count == 1 else f"{_size(count)} polyhedra"
    yield Consequence(
        f"Union of polyhedra: for every right-hand side the feasible set is a union of at most "
        f"{polyhedra}, so it has at most as many connected components",
        "one polyhedron for each integer part",
        (f"a product over the {len(program.columns)} variables of the numbers of their cases",),
    )


def _linear(program: Program) -> Iterable[Consequence]:
    convex, extreme = (
        ("convex", "maximum") if program.sense is Sense.MINIMISE else ("concave", "minimum")
    )
    plain = "no variable is integer or semi-continuous"
    yield Consequence(
        f"Polyhedral value function: the set where the value is finite is a polyhedron, on which "
        f"the value function is {convex}, a {extreme} of finitely many affine functions, and so "
        "Lipschitz",
        "Rockafellar 1970, Corollary 19.3.1",
        (plain,),
    )
    yield Consequence(
        "Path-differentiability: along every absolutely continuous curve b(t) in the interior of "
        "the set where the value is finite, for almost all t, d/dt z(b(t)) = v·b'(t) for every v "
        "in the Clarke subdifferential at b(t)",
        "Davis, Drusvyatskiy, Kakade, Lee 2020, Theorem 5.8; Bolte, Pauwels 2021",
        (plain, "piecewise linear and Lipschitz there, by the theorem above"),
    )
