"""Chvátal functions of mixed programs, by the formula of Jeroslow: ceilings on the integer part.

A ceiling grows infinitely fast along the column of a continuous variable.  So let C be the rows
with such columns G, among them slacks of inequalities, and E a basis of them whose multipliers
``v = e_E E^-1`` satisfy ``v G <= e``.  For an integer M let ``[d] = E floor(M E^-1 d) / M`` on the
rows C, and d elsewhere: the nearest point of a lattice below d, as E sees it.  If M makes all
``M E^-1 A`` integral, and H is a Chvátal function of the pure integer program in which continuous
variables are multiples of 1/M, then

    F(d) = min over E of  H([d]) + v (d - [d])

is at most z(d): at a basic optimum with the basis E, the basic variables rounded down to multiples
of 1/M are feasible for [d], at a cost that is smaller by v (d - [d]).  If M makes ``M E^-1 b``
integral, too, then [b] = b, the optimum is such a multiple, and F(b) = z(b) where H is strong
(Blair, Jeroslow 1984; Blair 1995).

Equations that continuous columns do not span get artificial ones of a large cost, which can only
lower F.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from typing import Any

from flint import fmpq_mat

from tamecheck import ops
from tamecheck.budget import Budget
from tamecheck.duality.answer import Definability, DualFunction, definability, to_sympy
from tamecheck.duality.check import CheckItem, Value
from tamecheck.duality.expression.dual import ExpressionBuilder, expression_graph, expression_sympy
from tamecheck.duality.expression.function import Expression
from tamecheck.duality.form import Constraint, Form, FormColumn, Vector, dot, normalise, program_of
from tamecheck.duality.optimum import require_dual
from tamecheck.duality.proof import CuttingRun
from tamecheck.errors import DomainError, UnsupportedError
from tamecheck.exact.feasibility import pivots
from tamecheck.exact.reals import as_fraction, as_number
from tamecheck.ir.exact import ONE, ZERO
from tamecheck.ir.graph import Graph, GraphBuilder

_MOST_BASES = 3000
_TRIES, _LARGER = 3, 64
"""So often artificial columns become so much dearer."""


@dataclass(frozen=True, slots=True)
class Basis:
    """A lattice: ``step`` has the columns E/M, ``inverse`` is M E^-1, ``slope`` the multipliers."""

    step: tuple[Vector, ...]
    inverse: tuple[Vector, ...]
    slope: Vector

    def below(self, d: Vector) -> Vector:
        """The point of the lattice below d."""
        return self._point([Fraction(math.floor(x)) for x in self.coordinates(d)])

    def coordinates(self, d: Vector) -> Vector:
        """The coordinates of d."""
        return tuple(dot(row, d) for row in self.inverse)

    def corner(self, g: Vector) -> Vector:
        """The point of the lattice below ``t g`` for small positive t."""
        return self._point([Fraction(-int(x < 0)) for x in self.coordinates(g)])

    def _point(self, whole: Sequence[Fraction]) -> Vector:
        return tuple(dot(row, whole) for row in zip(*self.step, strict=True))


class MixedChvatalDual(DualFunction):
    """``min over bases of H([d]) + v (d - [d])``, with H a Chvátal function."""

    method = "chvatal"

    def __init__(
        self,
        form: Form,
        optimum: Fraction | None,
        function: Expression,
        rows: Sequence[int],
        bases: Sequence[Basis],
    ) -> None:
        super().__init__(form, optimum)
        self.function, self.rows, self.bases = function, tuple(rows), tuple(bases)

    def _part(self, d: Vector) -> Vector:
        return tuple(d[i] for i in self.rows)

    def _with(self, d: Vector, part: Vector) -> Vector:
        moved = list(d)
        for i, value in zip(self.rows, part, strict=True):
            moved[i] = value
        return tuple(moved)

    def _piece(self, basis: Basis, d: Vector) -> Fraction:
        own = self._part(d)
        below = basis.below(own)
        rest = (a - b for a, b in zip(own, below, strict=True))
        return self.function(self._with(d, below)) + dot(basis.slope, rest)

    def evaluate(self, d: Vector) -> Fraction:
        """F at a right-hand side of the form, exactly."""
        return min(self._piece(basis, d) for basis in self.bases)

    def directional(self, g: Vector) -> Value:
        """The least slope of the pieces that start at 0; minus infinite where one starts below.

        Columns of continuous variables have entries in the rows C only.
        """
        own = self._part(g)
        slopes: list[Value] = [math.inf]
        for basis in self.bases:
            corner = basis.corner(own)
            start = self.function(self._with((ZERO,) * len(g), corner)) - dot(basis.slope, corner)
            if start < 0:
                return -math.inf
            if not start:
                slopes.append(dot(basis.slope, own))
        return min(slopes)

    def slopes(self, d: Vector) -> tuple[Vector, ...]:
        """The slopes of the least pieces between the points of the lattices."""
        top, own = self.evaluate(d), self._part(d)
        found: dict[Vector, None] = {}
        for basis in self.bases:
            if any(x.denominator == 1 for x in basis.coordinates(own)):
                raise UnsupportedError(
                    "The gradient is offered between the points of the integer part's lattices.",
                    hint="Move the right-hand side a little.",
                )
            moved = self._with(d, basis.below(own))
            if self._piece(basis, d) == top:
                for slope in self._slopes_of_rest(moved):
                    found[self._with(slope, basis.slope)] = None
        return tuple(found)

    def _slopes_of_rest(self, moved: Vector) -> tuple[Vector, ...]:
        """The slopes of H in the other rows; in the rows C the lattice point is constant nearby."""
        if len(self.rows) == self.form.size:
            return ((ZERO,) * self.form.size,)
        try:
            return self.function.slopes(moved)
        except DomainError as error:
            raise UnsupportedError(
                "It was not shown that the Chvátal function is continuous in the rows without"
                " continuous columns.",
                hint="Move the right-hand side a little.",
            ) from error

    @property
    def subadditive(self) -> CheckItem:
        """Not known: a minimum need not be."""
        return CheckItem(
            status=None,
            why="a minimum over bases need not be subadditive; F <= z holds all the same, because"
            " some basis is that of an optimum",
        )

    @property
    def formula(self) -> str:
        """The formula of Jeroslow, and H in the names of the rows."""
        text = self.function.text(names=self.form.names)
        rows = ", ".join(self.form.names[i] for i in self.rows)
        bases = "1 basis" if len(self.bases) == 1 else f"{len(self.bases)} bases"
        return f"min over {bases} of H([d]) + v*(d - [d]), [d] below d in ({rows}), H = {text}"

    def to_sympy(self) -> Any:
        """The minimum, with floors."""
        import sympy

        sp: Any = sympy
        symbols = self.symbols()
        own = [symbols[i] for i in self.rows]

        def total(row: Sequence[Fraction], terms: Sequence[Any]) -> Any:
            return sp.Add(*(to_sympy(a) * t for a, t in zip(row, terms, strict=True) if a))

        pieces: list[Any] = []
        for basis in self.bases:
            whole = [sp.floor(total(row, own)) for row in basis.inverse]
            below = [total(row, whole) for row in zip(*basis.step, strict=True)]
            moved = list(symbols)
            for i, value in zip(self.rows, below, strict=True):
                moved[i] = value
            rest = [a - b for a, b in zip(own, below, strict=True)]
            pieces.append(expression_sympy(self.function, moved) + total(basis.slope, rest))
        return sp.Min(*pieces, evaluate=False) if len(pieces) > 1 else pieces[0]

    def graph(self) -> Graph:
        """The minimum of H at the lattice points, with floors."""
        builder, size = GraphBuilder(), self.form.size
        d = builder.input("d", (size, 1))
        function = expression_graph(self.function)
        ((_, output),) = function.outputs

        def times(matrix: Sequence[Sequence[Fraction]], source: int) -> int:
            rows = [list(row) for row in matrix]
            return builder.apply(ops.MATMUL, [builder.constant(rows), source])

        unit = [[Fraction(int(i == k)) for i in range(size)] for k in range(size)]
        whole: int | None = None
        for basis in self.bases:
            own = [unit[i] for i in self.rows]
            place = times(basis.inverse, times(own, d))
            # the part below d is d minus the step of the fractional part of its coordinates
            part = builder.apply(ops.SUB, [place, builder.apply(ops.FLOOR, [place])])
            rest = times(list(zip(*basis.step, strict=True)), part)
            moved = builder.apply(ops.SUB, [d, times(list(zip(*own, strict=True)), rest)])
            nodes = builder.include(function, lambda _, moved=moved: moved)
            piece = builder.apply(ops.ADD, [nodes[output], times([basis.slope], rest)])
            whole = piece if whole is None else builder.apply(ops.MINIMUM, [whole, piece])
        if whole is None:
            raise AssertionError("there is a basis")
        return builder.build({"F": whole})

    def definability(self, domain: str = "everywhere") -> Definability:
        """Rounding takes finitely many values on a box only."""
        return definability(
            domain,
            "roundings of linear forms take finitely many values on a box"
            if domain == "box"
            else "minima, sums and roundings of linear forms",
            tame=domain == "box",
        )


def mixed_chvatal_dual(
    form: Form, budget: Budget, prove: Callable[[], Fraction | None], *, rounds: int
) -> MixedChvatalDual:
    """The function of a mixed form, strong where the cutting planes of its integer part end.

    Raises
    ------
    UnsupportedError
        If there are too many bases of continuous columns.
    """
    optimum = prove()
    y = require_dual(form)
    rows = [
        i
        for i in range(form.size)
        if any(k == i for c in form.columns if not c.integral for k, _ in c.entries)
    ]
    lacking = _lacks(form, rows)
    gap = ZERO if optimum is None else optimum - dot(y, form.right)
    dear, best = 1 + max(gap, ZERO), None
    for _ in range(_TRIES if lacking else 1):
        costs = [abs(y[i]) + dear for i in rows]
        found = _attempt(form, rows, costs if lacking else None, budget, rounds, optimum)
        if best is None or found.evaluate(form.right) > best.evaluate(form.right):
            best = found
        if best.strong or budget.is_spent:
            break
        dear *= _LARGER
    if best is None:
        raise AssertionError("at least one attempt was made")
    if lacking and not best.strong and not budget.is_spent:
        more = f"artificial columns that are {_LARGER ** (_TRIES - 1)} times dearer did not help"
        best.notes = (*best.notes, more)
    return best


def _attempt(  # noqa: PLR0913, PLR0917 (what is known so far)
    form: Form,
    rows: Sequence[int],
    artificial: Sequence[Fraction] | None,
    budget: Budget,
    rounds: int,
    optimum: Fraction | None,
) -> MixedChvatalDual:
    columns = _continuous(form, rows, artificial)
    found = _bases(columns, rows)
    integral = [
        tuple(dict(c.entries).get(i, ZERO) for i in rows) for c in form.columns if c.integral
    ]
    own = tuple(form.right[i] for i in rows)
    coordinates = (
        dot(row, v) for _, inverse, _ in found for v in (*integral, own) for row in inverse
    )
    scale = math.lcm(1, *(x.denominator for x in coordinates))
    bases = [
        Basis(
            tuple(tuple(a / scale for a in column) for column in step),
            tuple(tuple(scale * a for a in row) for row in inverse),
            slope,
        )
        for step, inverse, slope in found
    ]
    parts = [
        replace(
            c,
            integral=True,
            cost=c.cost / scale,
            entries=tuple((i, a / scale) for i, a in c.entries),
        )
        for c in columns
    ]
    constraints = [
        Constraint(c.name, "=", i) if i in rows else replace(c, row=i)
        for i, c in enumerate(form.constraints)
    ]
    whole = [*(c for c in form.columns if c.integral), *parts]
    pure = normalise(program_of(whole, constraints, form.right))
    builder = ExpressionBuilder(form.size)
    run = CuttingRun(pure, budget, builder, lambda: optimum)
    function = builder.build(run.run(rounds))
    if optimum is None and run.optimum is not None:
        optimum = _attained(form, run, scale)
    result = MixedChvatalDual(form, optimum, function, rows, bases)
    result.notes = (f"{run.note}; continuous variables in steps of 1/{scale}",)
    return result


def _attained(form: Form, run: CuttingRun, scale: int) -> Fraction | None:
    """The value of the integral point where it is one of the form: no dual function is above it."""
    whole = [j for j, c in enumerate(form.columns) if c.integral]
    rest = [j for j, c in enumerate(form.columns) if not c.integral]
    x = [ZERO] * len(form.columns)
    for place, j in enumerate((*whole, *rest)):
        x[j] = run.linear.value(place + 1) / (1 if form.columns[j].integral else scale)
    value = dot((c.cost for c in form.columns), x)
    is_point = not form.program.violations(form.point(x))
    return value if is_point and value == run.optimum else None


def _continuous(
    form: Form, rows: Sequence[int], artificial: Sequence[Fraction] | None
) -> list[FormColumn]:
    """The continuous columns, the slacks of inequalities in their rows, and artificial ones."""
    found = [c for c in form.columns if not c.integral]
    for place, i in enumerate(rows):
        sense = form.constraints[i].sense
        if sense != "=":
            side = -ONE if sense == ">=" else ONE
            found.append(FormColumn(f"slack {i}", False, ZERO, ((i, side),)))  # noqa: FBT003
        elif artificial is not None:
            found += [
                FormColumn(f"artificial {i}", False, artificial[place], ((i, side),))  # noqa: FBT003
                for side in (ONE, -ONE)
            ]
    return found


def _dense(columns: Sequence[FormColumn], rows: Sequence[int]) -> list[Vector]:
    return [tuple(dict(c.entries).get(i, ZERO) for i in rows) for c in columns]


def _lacks(form: Form, rows: Sequence[int]) -> bool:
    """Whether continuous columns and slacks do not span the rows."""
    vectors = _dense(_continuous(form, rows, None), rows)
    return len(pivots([tuple(map(as_number, v)) for v in vectors])) < len(rows)


def _bases(
    columns: Sequence[FormColumn], rows: Sequence[int]
) -> list[tuple[tuple[Vector, ...], tuple[Vector, ...], Vector]]:
    """The bases with feasible multipliers: their columns, inverses and multipliers."""
    size, vectors = len(rows), _dense(columns, rows)
    if math.comb(len(columns), size) > _MOST_BASES:
        raise UnsupportedError(
            f"{len(columns)} continuous columns and slacks in {size} rows have more than"
            f" {_MOST_BASES} bases, over which a Chvátal function of a mixed program is a minimum.",
            hint="Use the method gomory, tree or generator.",
        )
    found: list[tuple[tuple[Vector, ...], tuple[Vector, ...], Vector]] = []
    for chosen in combinations(range(len(columns)), size):
        step = [vectors[k] for k in chosen]
        matrix = fmpq_mat(
            size, size, [as_number(step[k][i]) for i in range(size) for k in range(size)]
        )
        if matrix.det() == 0:
            continue
        inverse = matrix.inv()
        lines = tuple(tuple(as_fraction(inverse[k, i]) for i in range(size)) for k in range(size))
        costs = [columns[k].cost for k in chosen]
        slope = tuple(dot(costs, line) for line in zip(*lines, strict=True))
        if all(dot(slope, v) <= c.cost for v, c in zip(vectors, columns, strict=True)):
            found.append((tuple(step), lines, slope))
    return found
