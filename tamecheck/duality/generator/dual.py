"""Generator subadditive functions: some columns stay as they are, a multiplier prices the rest.

For multipliers ``alpha`` and kept columns E, with residual generators r_k,

    F(d) = min { c_E·x + alpha·(sum of r_k t_k) : A_E x + sum of r_k t_k (=, >=, <=) d, x, t >= 0 }

The residual ``d - A_E x`` lies in a monoid S that the r_k generate: the orthant (Klabjan 2007,
``alpha·d - max{sum of (alpha·a_i - c_i) x_i : A_E x <= d}`` for non-negative data), the cone of
the columns that are not kept (general programs; Cheung, Moazzez 2016), or the monoid of these
columns with integer multiples (Angulo, Kocuk, Morán 2024).  S is closed under sums, so F is
subadditive; ``F(a_j) <= c_j`` holds where a_j is kept, or is in S and priced at most c_j.
Published choices of alpha and E do not always give this (Moazzez 2014): it is checked at every
column afterwards, exactly, and so is F(0) = 0.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from tamecheck.budget import Budget
from tamecheck.duality.answer import Definability, DualFunction, definability
from tamecheck.duality.check import CheckItem, Value
from tamecheck.duality.form import Form, FormColumn, Vector, normalise, program_of
from tamecheck.duality.optimum import minimise, proved_optimum, require_integer_solution
from tamecheck.errors import DomainError, InputError, SolverError, UnsupportedError
from tamecheck.ir.answer import Infeasible, Optimal, Unbounded
from tamecheck.ir.exact import rational_text
from tamecheck.ir.program import Column, Program
from tamecheck.programs.tree import Search

__all__ = [
    "GeneratorDual",
    "Minimum",
    "Priced",
    "defining_program",
    "generator_dual",
    "generator_function",
    "minimum_at",
    "priced_columns",
]

_ZERO = Fraction(0)
_DEFAULT_SECONDS = 60.0
_SECONDS_A_VALUE = 10.0
RESIDUALS = ("orthant", "cone", "monoid")


@dataclass(frozen=True, slots=True)
class Priced:
    """A column of the program that defines F; ``source`` is a kept column, None for a residual."""

    column: FormColumn
    source: int | None


def generator_dual(  # noqa: PLR0913 (options, by keyword only)
    program: Program,
    *,
    seconds: float | None = None,
    seed: int = 0,
    alpha: Sequence[Fraction | int] | None = None,
    kept: Collection[int] | None = None,
    residual: str = "cone",
) -> GeneratorDual:
    """A generator subadditive function that is dual feasible, as strong as the time allows.

    Without ``alpha``, the multipliers are found by row generation (each point of the defining
    program bounds F(b) by an affine function of alpha; a linear program maximises the least of
    them) and E by column generation (columns that the best point uses join it), until F(b) =
    z(b); with all integer columns in E that holds, so the search ends.

    Parameters
    ----------
    program
        Mixed or pure.
    seconds
        For the search; 60 if not given.
    seed
        Of the solvers that prove the optimum.
    alpha
        Multipliers, one a row of the normal form: no search, this function.
    kept
        Columns of the form in E besides the continuous ones; those with ``alpha·a_j > c_j`` if
        not given.
    residual
        ``cone``, ``monoid`` or ``orthant``.

    Raises
    ------
    InputError
        If the residual's name or the number of multipliers is wrong.
    InfeasibleProgramError, DomainError
        If the program is infeasible, or the dual of its relaxation is.
    """
    form = normalise(program)
    require_integer_solution(form)
    limit = _DEFAULT_SECONDS if seconds is None else seconds
    if alpha is not None:
        optimum = proved_optimum(form, seconds=limit, seed=seed)
        vector = tuple(map(Fraction, alpha))
        return generator_function(form, vector, kept=kept, residual=residual, optimum=optimum)
    from tamecheck.duality.generator.search import strongest

    return strongest(form, seconds=limit, seed=seed, residual=residual)


def generator_function(
    form: Form,
    alpha: Vector,
    *,
    kept: Collection[int] | None = None,
    residual: str = "cone",
    optimum: Fraction | None = None,
) -> GeneratorDual:
    """The function of given multipliers and kept columns; whether it is a dual is for its checks.

    Raises
    ------
    InputError
        If the residual's name, the number of multipliers or a column is wrong.
    """
    if residual not in RESIDUALS:
        raise InputError(f"There is no residual {residual!r}.", hint=f"{', '.join(RESIDUALS)}.")
    if len(alpha) != form.size:
        raise InputError(f"{len(alpha)} multipliers were given for {form.size} rows.")
    chosen = {
        j
        for j, column in enumerate(form.columns)
        if not column.integral or (kept is None and column.product(alpha) > column.cost)
    }
    if kept is not None:
        if not set(kept) <= set(range(len(form.columns))):
            raise InputError(f"A kept column is not among 0 to {len(form.columns) - 1}.")
        chosen |= set(kept)
    return GeneratorDual(form, optimum, alpha, frozenset(chosen), residual)


def priced_columns(
    form: Form, alpha: Vector, kept: Collection[int], residual: str
) -> tuple[Priced, ...]:
    """The columns of the program that defines F: kept ones, then the residual's generators."""
    own = [Priced(column, j) for j, column in enumerate(form.columns) if j in kept]
    if residual == "orthant":
        units = [Priced(_unit(i, alpha[i]), None) for i in range(form.size)]
        return (*own, *units)
    rest = [
        Priced(
            FormColumn(column.name, residual == "monoid", column.product(alpha), column.entries),
            None,
        )
        for j, column in enumerate(form.columns)
        if j not in kept
    ]
    return (*own, *rest)


def _unit(i: int, cost: Fraction) -> FormColumn:
    return FormColumn(name=f"residual.{i}", integral=False, cost=cost, entries=((i, Fraction(1)),))


@dataclass(frozen=True, slots=True)
class Minimum:
    """The value of the defining program and a point that attains it; infinite values have none."""

    value: Value
    point: Vector | None


def minimum_at(form: Form, priced: Sequence[Priced], d: Sequence[Fraction]) -> Minimum:
    """The defining program solved exactly.

    Raises
    ------
    SolverError
        If the search does not end in its time.
    """
    free = _opposites(priced)
    program = _without_opposites(defining_program(form, priced, d), free)
    tree = Search(program, granular=False).run(Budget.of(_SECONDS_A_VALUE))
    if tree.unbounded:
        columns = [own.column for own in priced]
        relaxed = minimise(columns, form.constraints, d)
        feasible = Search(_without_costs(program)).run(Budget.of(_SECONDS_A_VALUE))
        # a multiple of a rational ray is integral, so an integral point falls without end along it
        if isinstance(relaxed, Unbounded) and feasible.point is not None:
            return Minimum(-math.inf, None)
        if feasible.closed and feasible.point is None:
            return Minimum(math.inf, None)
    if tree.closed:
        if tree.point is None:
            return Minimum(math.inf, None)
        return Minimum(program.objective(tree.point), _split(tree.point, free))
    raise SolverError(
        f"The value of the generator function was not decided in {_SECONDS_A_VALUE:g} seconds.",
        hint="Keep fewer columns, or bound the variables.",
    )


def defining_program(form: Form, priced: Sequence[Priced], d: Sequence[Fraction]) -> Program:
    """The program whose optimum is F(d)."""
    return program_of([own.column for own in priced], form.constraints, d)


def _opposites(priced: Sequence[Priced]) -> Mapping[int, int]:
    """Pairs of integer columns that are the parts of one free variable: their sum costs nothing.

    Branching on such parts need not end, as both may grow along their difference.
    """
    waiting: dict[object, int] = {}
    pairs: dict[int, int] = {}
    for j, own in enumerate(priced):
        if own.column.integral:
            kept = own.source is None
            negative = tuple((i, -a) for i, a in own.column.entries)
            mate = waiting.pop((kept, -own.column.cost, negative), None)
            if mate is None:
                waiting[(kept, own.column.cost, own.column.entries)] = j
            else:
                pairs[mate] = j
    return pairs


def _without_opposites(program: Program, pairs: Mapping[int, int]) -> Program:
    """The first of each pair is free, the second is 0."""
    columns = list(program.columns)
    for one, two in pairs.items():
        columns[one] = replace(columns[one], lower=None)
        columns[two] = replace(columns[two], upper=_ZERO)
    return replace(program, columns=tuple(columns))


def _split(point: Vector, pairs: Mapping[int, int]) -> Vector:
    """Non-negative parts of the free variables."""
    parts = list(point)
    for one, two in pairs.items():
        parts[one], parts[two] = max(point[one], _ZERO), max(-point[one], _ZERO)
    return tuple(parts)


def _without_costs(program: Program) -> Program:
    columns = tuple(Column(c.name, c.lower, c.upper, c.kind) for c in program.columns)
    return Program(columns, program.rows)


class GeneratorDual(DualFunction):
    """``F(d) = min{c_E·x + alpha·(d - A_E x)}`` over x with the residual in a monoid."""

    method = "generator"

    def __init__(
        self,
        form: Form,
        optimum: Fraction | None,
        alpha: Vector,
        kept: frozenset[int],
        residual: str,
    ) -> None:
        super().__init__(form, optimum)
        self.alpha, self.kept, self.residual = alpha, kept, residual
        self.priced = priced_columns(form, alpha, kept, residual)
        self._values: dict[Vector, Value] = {}

    def evaluate(self, d: Vector) -> Value:
        """F at a right-hand side, by the defining program, solved exactly.

        Infinite where no residual is in the monoid; minus infinite where the multipliers are
        so large that F is no dual function.
        """
        if d not in self._values:
            self._values[d] = minimum_at(self.form, self.priced, d).value
        return self._values[d]

    def directional(self, g: Vector) -> Value:
        """A bound on ``limsup of F(t g) / t``: the value with the integer columns at 0.

        It is positively homogeneous in g, and F is at most that.
        """
        columns = [own.column for own in self.priced if not own.column.integral]
        outcome = minimise(columns, self.form.constraints, g)
        if isinstance(outcome, Optimal):
            return outcome.objective
        return math.inf if isinstance(outcome, Infeasible) else -math.inf

    def slopes(self, d: Vector) -> tuple[Vector, ...]:
        """The slope where a single piece is active.

        Raises
        ------
        DomainError
            If F is infinite at ``d``.
        UnsupportedError
            If it is not proved that one affine piece is F near ``d``.
        """
        if isinstance(self.evaluate(d), float):
            raise DomainError("The generator function is infinite at this right-hand side.")
        from tamecheck.duality.generator.search import slope

        return (slope(self, d),)

    @property
    def subadditive(self) -> CheckItem:
        """True: sums of points and residuals are points and residuals."""
        return CheckItem(
            status=True,
            why="points and residuals of d and of e add up to those of d + e, at the sum of costs",
        )

    @property
    def monotone(self) -> CheckItem:
        """True: the defining program has the rows' senses."""
        return CheckItem(
            status=True,
            why="the rows of the defining program have the senses of the program's, so that more"
            " points are feasible at a weaker right-hand side",
        )

    @property
    def formula(self) -> str:
        """The defining program in words: multipliers and kept columns."""
        line = _sum_text(zip(self.form.names, self.alpha, strict=True))
        columns = [self.form.columns[j] for j in sorted(self.kept)]
        names = [column.name for column in columns]
        gains = _sum_text((c.name, c.product(self.alpha) - c.cost) for c in columns)
        where = {
            "orthant": "d - A x >= 0",
            "cone": "d - A x in the cone of the other columns",
            "monoid": "d - A x in the monoid of the other columns",
        }[self.residual]
        if not names:
            return f"{line} where {where}, x = 0"
        return f"{line} - max{{{gains} : {where}}} over x = ({', '.join(names)})"

    @property
    def latex(self) -> str:
        """The formula as text."""
        return rf"\text{{{self.formula}}}"

    def to_sympy(self) -> Any:
        """Not available: F is the optimum of a program.

        Raises
        ------
        UnsupportedError
            Always; `formula` describes the program.
        """
        raise UnsupportedError(
            "A generator function is the optimum of a program and has no closed form.",
            hint="Use `formula`.",
        )

    def definability(self, domain: str = "everywhere") -> Definability:
        """Definable with the integers; on a box with finitely many pieces, possibly with jumps."""
        if not any(own.column.integral for own in self.priced):
            why = "the optimum of a linear program with rational data, as a function of its sides"
            return definability(domain, why)
        if domain == "box":
            why = (
                "definable in (R, <, +, Z) by quantifier elimination with rounding, which takes"
                " finitely many values on a bounded box; it may jump"
            )
            return definability(domain, why)
        why = "the optimum of a mixed-integer program, definable in (R, <, +, Z)"
        return definability(domain, why, tame=False)


def _sum_text(terms: Iterable[tuple[str, Fraction]]) -> str:
    text = " + ".join(f"{'' if a == 1 else f'{rational_text(a)}*'}{name}" for name, a in terms if a)
    return text.replace("+ -", "- ") or "0"
