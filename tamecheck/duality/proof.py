"""The optimal value at a right-hand side, proved: by a search tree or by cutting planes.

A search closes most programs; where integers have no bounds it may go on for ever beside a strip
without integer points, which a few rounds of cuts decide.  So a pure integer program gets some of
each.

The cuts are Gomory's fractional ones, recorded as functions of the right-hand side.  The cut of a
row of the dictionary is the Chvátal cut whose multipliers are the fractional parts of the row's
multipliers; so a run is recorded as nested non-negative combinations and ceilings.  With the
lexicographic dual simplex method, cuts from the first fractional row and a bounded feasible set it
is finite (Gomory 1963).  It ends with a Chvátal function F that says why: F(a) <= c at all columns
and F(b) = c·x at a feasible x; or F(a) <= 0 at all columns and F(b) > 0, so that there is no point
(Chvátal, Farkas).  Both are evaluated again before they are believed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tamecheck.budget import Budget
from tamecheck.duality.check import Value
from tamecheck.duality.expression.dual import ExpressionBuilder
from tamecheck.duality.expression.function import Expression
from tamecheck.duality.form import Form, InfeasibleProgramError, Vector, normalise
from tamecheck.duality.optimum import (
    empty_value,
    feasible_multipliers,
    form_at,
    integer_contradiction,
)
from tamecheck.duality.splits import MOST_SECONDS, LeafFunction, leaf_functions, split_tree
from tamecheck.errors import DomainError
from tamecheck.exact.lexicographic import LexicographicProgram
from tamecheck.exact.revised import Contradiction, End, Ray, State
from tamecheck.ir.answer import Infeasible, Optimal, Unbounded
from tamecheck.ir.program import Program
from tamecheck.programs.solving import solve
from tamecheck.programs.tree import Search, Tree

_ROUNDS_BEFORE_SOLVING, _CUTS_A_ROUND = 12, 10
_LARGEST = 40_000
"""Entries of the dictionary up to which a run is tried beside a search."""


@dataclass(frozen=True, slots=True)
class IntegerRow:
    """``coefficients · x >= bound`` in integers, and the node whose value at b is the bound."""

    coefficients: tuple[int, ...]
    bound: int
    node: int


def integer_rows(form: Form, builder: ExpressionBuilder) -> list[IntegerRow]:
    """The constraints as ``>=`` rows with coprime integers; a bound that is none is rounded up.

    An equation becomes two rows.
    """
    rows: list[IntegerRow] = []
    vectors = [form.vector(j) for j in range(len(form.columns))]
    for i, constraint in enumerate(form.constraints):
        line = [vector[i] for vector in vectors]
        # the denominators' multiple over the numerators' divisor makes coprime integers
        scale = Fraction(
            math.lcm(*(a.denominator for a in line)), math.gcd(*(a.numerator for a in line)) or 1
        )
        for sign in {"=": (1, -1), ">=": (1,), "<=": (-1,)}[constraint.sense]:
            node = builder.linear([sign * scale * (i == k) for k in range(form.size)])
            side = sign * scale * form.right[i]
            if side.denominator > 1:
                node = builder.ceiling(node)
            coefficients = tuple(int(sign * scale * a) for a in line)
            rows.append(IntegerRow(coefficients, math.ceil(side), node))
    return rows


def cost_scale(form: Form) -> int:
    """The least common denominator of the costs: the multiple of the objective is an integer."""
    return math.lcm(*(column.cost.denominator for column in form.columns))


def round_up(
    builder: ExpressionBuilder, terms: Sequence[tuple[int, Fraction]], bound: Fraction, scale: int
) -> int:
    """One over the scale of a combination, which is rounded up where that raises its bound."""
    if bound.denominator > 1:
        terms = [(builder.ceiling(builder.combination(terms)), Fraction(1))]
    return builder.combination([(i, y / scale) for i, y in terms])


class CuttingRun:
    """One run of cuts at the form's right-hand side, and the functions of its cuts.

    ``known`` is asked for the optimum now and then: where the rounded bound meets it, the run ends.
    """

    def __init__(
        self,
        form: Form,
        budget: Budget,
        builder: ExpressionBuilder,
        known: Callable[[], Fraction | None] = lambda: None,
    ) -> None:
        self.form, self.budget, self.builder, self.known = form, budget, builder, known
        rows = integer_rows(form, self.builder)
        self.original = len(rows)
        self.nodes = {k: row.node for k, row in enumerate(rows)}
        self.scale = cost_scale(form)
        self.linear = LexicographicProgram(
            [column.cost * self.scale for column in form.columns],
            [(r.coefficients, Fraction(r.bound)) for r in rows],
        )
        self.optimum: Fraction | None = None
        self.note = ""

    def run(self, rounds: int) -> int:
        """Cut until the point is integral, the bound meets the optimum, or time is over.

        The node of the function.  Without a point it raises `InfeasibleProgramError`, after the
        function that shows so was evaluated at all columns.
        """
        linear = self.linear
        end: End = State.STOPPED
        cuts = done = 0
        for done in range(rounds + 1):
            end = linear.optimise(self.budget)
            if isinstance(end, Contradiction | Ray):
                feasible_multipliers(self.form)
            if isinstance(end, Contradiction):
                raise InfeasibleProgramError(
                    "The program is infeasible, so that no dual function attains its value:"
                    f" {self._contradiction(end)}"
                )
            linear.drop_basic(self.original)
            entries = range(len(self.form.columns) + 1)
            fractional = [i for i in entries if linear.value(i).denominator > 1]
            if end is State.STOPPED or done == rounds:
                break
            self.note = f"{cuts} cuts in {done} rounds: the point is integral"
            if not fractional:
                self.optimum = linear.value(0) / self.scale
                return self._root()
            self.note = f"{cuts} cuts in {done} rounds: the bound is the optimum"
            if done >= _ROUNDS_BEFORE_SOLVING and self._meets_optimum():
                return self._root()
            for entry in fractional[:_CUTS_A_ROUND]:
                terms = [(self.nodes[k], a - math.floor(a)) for k, a in linear.surplus_terms(entry)]
                node = self.builder.ceiling(self.builder.combination(terms))
                self.nodes[linear.add_cut(entry)] = node
                cuts += 1
        over = "the time was over" if end is State.STOPPED else "so many rounds were asked for"
        self.note = f"{cuts} cuts in {done} rounds, where {over}: the point is not integral yet"
        return self._root()

    def _meets_optimum(self) -> bool:
        optimum = self.known()
        if optimum is None:
            return False
        self.optimum = optimum
        return optimum == Fraction(math.ceil(self.linear.value(0)), self.scale)

    def _root(self) -> int:
        """The node of the final multipliers."""
        if not self.linear.priced:
            # stopped before the objective was reached: any multipliers that are feasible
            return self.builder.linear(feasible_multipliers(self.form))
        terms = [(self.nodes[k], y) for k, y in self.linear.surplus_terms(0)]
        return round_up(self.builder, terms, self.linear.value(0), self.scale)

    def _contradiction(self, found: Contradiction) -> str:
        """What the combination of rows without points proves, evaluated at every column."""
        terms = [(self.nodes[i], y) for i, y in self.linear.surpluses(found.weights)]
        function = self.builder.build(self.builder.combination(terms))
        bound = function(self.form.right)
        if bound <= 0 or not _is_below(self.form, function, [Fraction(0)] * len(self.form.columns)):
            raise AssertionError("the program is infeasible, the combination is not")
        return (
            "integer cuts of its rows contradict each other: a Chvátal function is at most 0 at"
            f" all columns and {bound} at the right-hand side."
        )


def _is_below(form: Form, function: Expression, costs: Sequence[Fraction]) -> bool:
    return all(function(form.vector(j)) <= cost for j, cost in enumerate(costs))


def settle_by_cuts(form: Form, budget: Budget) -> tuple[Value, Vector | None] | None:
    """The value of a pure integer form and its point, infinite without one; None if undecided.

    The point is feasible and has the value of a Chvátal function that is at most the cost at every
    column: both are evaluated here.
    """
    size = (len(form.columns) + 1) * (form.size + len(form.columns))
    if size > _LARGEST or not all(column.integral for column in form.columns):
        return None
    builder = ExpressionBuilder(form.size)
    own = CuttingRun(form, budget, builder)
    try:
        root = own.run(10_000)
    except InfeasibleProgramError:
        return math.inf, None
    if own.optimum is None:
        return None
    function = builder.build(root)
    point = form.point([own.linear.value(j + 1) for j in range(len(form.columns))])
    shown = (
        not form.program.violations(point)
        and form.inward(form.program.objective(point)) == function(form.right) == own.optimum
        and _is_below(form, function, [column.cost for column in form.columns])
    )
    return (own.optimum, tuple(point)) if shown else None


def settle_by_splits(
    form: Form, budget: Budget
) -> tuple[Value, Vector | None, list[LeafFunction]] | None:
    """The value of a small form, infinite without a point, the point, and what proves it.

    The multipliers of all leaves are checked at all columns, and the point has the least value.
    None if it is undecided.
    """
    tree = split_tree(form, budget)
    if tree is None or not tree.closed:
        return None
    leaves = leaf_functions(form, tree.nodes)
    if any(leaf(form.right) <= 0 for leaf in leaves if leaf.empty):
        return None
    bound = min((leaf(form.right) for leaf in leaves if not leaf.empty), default=math.inf)
    if tree.point is None:
        return (math.inf, None, leaves) if bound == math.inf else None
    point = form.point(tree.point)
    value = form.inward(form.program.objective(point))
    is_least = value <= bound and not form.program.violations(point)
    return (value, point, leaves) if is_least else None


_SHORT, _NODES = 0.5, 200
"""Seconds and nodes of a search before anything else."""

_CUTS, _MOST_CUTS = 0.25, 20.0
"""The part of the time that cutting planes get, and its most seconds."""

_SPLITS = 0.15
"""The part of the time for a tree of integer forms."""


def prove_optimum(form: Form, budget: Budget, *, seed: int = 0) -> Fraction | None:
    """The form's optimal value with a proof; None if there is none in the time."""
    return prove_point(form, budget, seed=seed)[0]


def prove_point(
    form: Form, budget: Budget, *, seed: int = 0
) -> tuple[Fraction | None, Vector | None]:
    """The form's optimal value with a proof, and a point that has it; None what is not found.

    Raises
    ------
    InfeasibleProgramError, DomainError
        If there is no point, or the objective has no bound.
    """
    value, point = point_at(form, form.right, budget, seed=seed)
    if value is None or isinstance(value, Fraction):
        return value, point
    if value == math.inf:
        raise InfeasibleProgramError(
            "The program is infeasible, so that no dual function attains its value."
        )
    feasible_multipliers(form)
    raise DomainError(
        "The program is unbounded, so that it has no dual function.",
        hint="Bound the objective: every dual function would be a bound on it.",
    )


def value_at(form: Form, d: Vector, budget: Budget, *, seed: int = 0) -> Value | None:
    """The optimal value at ``d``: infinite without a point, None if it is not proved in time."""
    return point_at(form, d, budget, seed=seed)[0]


def point_at(
    form: Form, d: Vector, budget: Budget, *, seed: int = 0
) -> tuple[Value | None, Vector | None]:
    """The value of `value_at`, and a point of the program that has it, where one was found."""
    if not form.columns:
        return empty_value(form, d), None
    if integer_contradiction(form, d) is not None:
        return math.inf, None
    moved = form if d == form.right else form_at(form, d)
    short = Budget(budget.part(_SHORT).deadline, _NODES)
    tree = Search(moved.program).run(short)
    if not tree.unbounded and not tree.closed:
        found = settle_by_cuts(moved, budget.share(_CUTS).part(_MOST_CUTS))
        if found is not None:
            return found
    match decide(moved.program, budget, seed=seed, tree=tree):
        case Infeasible():
            return math.inf, None
        case Unbounded():
            return -math.inf, None
        case Optimal(point=point, objective=objective):
            return moved.inward(objective), tuple(point)
        case None:
            return None, None


def decide(
    program: Program, budget: Budget, *, seed: int = 0, tree: Tree | None = None
) -> Optimal[Fraction, Any] | Infeasible[Any] | Unbounded[Fraction, Any] | None:
    """A definite answer about a program, which is proved; None if there is none in time.

    ``tree`` is that of a short search, which is made if there is none.
    """
    tree = tree or Search(program).run(Budget(budget.deadline, _NODES))
    if tree.closed and not tree.unbounded:
        if tree.point is None:
            return Infeasible(tree.nodes)
        return Optimal(tree.point, program.objective(tree.point), tree.nodes)
    if budget.is_spent:
        return None
    if not tree.unbounded:
        form = normalise(program)
        found = settle_by_splits(form, budget.share(_SPLITS).part(MOST_SECONDS))
        if found is not None:
            point = found[1]
            if point is None:
                return Infeasible(None)
            return Optimal(point, program.objective(point), None)
    answer = solve(program, certify=True, seconds=budget.timeout, seed=seed).answer
    return answer if isinstance(answer, Optimal | Infeasible | Unbounded) else None
