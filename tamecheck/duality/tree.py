"""Dual functions from branch and bound: the minimum over the leaves of affine functions.

Güzelsoy, Ralphs: Duality for mixed-integer linear programs, 2007, section 4.6.  Each leaf bounds
the objective on its part by an affine function of the right-hand side; every integer point is in
some leaf, whatever the right-hand side.  Of several such functions the maximum is taken, among
them the linear one of the relaxation, which makes F(0) = 0.

Where branching on variables does not end soon, a small program is divided by integer forms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tamecheck import ops
from tamecheck.budget import Budget
from tamecheck.duality.answer import Definability, DualFunction, definability, to_sympy
from tamecheck.duality.check import CheckItem
from tamecheck.duality.form import Form, InfeasibleProgramError, RightHandSide, Vector, normalise
from tamecheck.duality.leaves import Affine, Leaves, linear_function
from tamecheck.duality.optimum import (
    MINUTE,
    SearchOutcome,
    require_dual,
    require_integer_solution,
    search_at,
    search_limit,
)
from tamecheck.duality.proof import prove_point, settle_by_splits
from tamecheck.duality.splits import MOST_SECONDS
from tamecheck.errors import InputError, SolverError
from tamecheck.ir.exact import ZERO
from tamecheck.ir.graph import Graph, GraphBuilder

if TYPE_CHECKING:
    from tamecheck.ir.program import Program


_FEW = 200
"""Nodes of a tree before the optimum is proved otherwise."""

_PROOF = 0.4
"""The part of the time that this proof may take."""

_SPLITS = 0.2
"""The part of the time for a tree of integer forms."""

_NO_POINT = "The program is infeasible, so that no dual function attains its value."


class TreeDual(DualFunction):
    """``F(d) = max over the trees of min over their leaves of affine functions``.

    Each tree is given by its affine functions; one of a single leaf is a linear dual.  The
    multipliers are feasible for the dual of the relaxation.  ``unfinished`` says why the search did
    not close, where it did not.
    """

    method = "tree"

    def __init__(
        self,
        form: Form,
        optimum: Fraction | None,
        trees: Sequence[Sequence[Affine]],
        multipliers: Vector,
        unfinished: str = "",
    ) -> None:
        super().__init__(form, optimum)
        self.notes = (unfinished,) if unfinished else ()
        self.trees = tuple(map(tuple, trees))
        self._multipliers = multipliers

    def evaluate(self, d: Vector) -> Fraction:
        """The largest of the trees' values."""
        return max(min(values) for values in self._values(d))

    def _values(self, d: Vector) -> list[list[Fraction]]:
        """The values of each tree's pieces."""
        scale = math.lcm(*(x.denominator for x in d))
        whole = [(x * scale).numerator for x in d]
        return [[piece.at(whole, scale) for piece in tree] for tree in self.trees]

    def _active(self, d: Vector) -> list[list[Affine]]:
        """Of each tree that has the function's value at ``d``, the pieces that have it."""
        values = self._values(d)
        top = max(map(min, values))
        return [
            [piece for piece, value in zip(tree, own, strict=True) if value == top]
            for tree, own in zip(self.trees, values, strict=True)
            if min(own) == top
        ]

    def directional(self, g: Vector) -> Fraction:
        """The derivative at 0 in a direction: that of the pieces that are active there."""
        active = self._active((ZERO,) * self.form.size)
        return max(min(piece.along(g) for piece in own) for own in active)

    def slopes(self, d: Vector) -> tuple[Vector, ...]:
        """The slopes of all pieces that have the function's value at ``d``."""
        found: dict[Vector, None] = {}
        for piece in (piece for own in self._active(d) for piece in own):
            slopes = {i: Fraction(n, piece.denominator) for i, n in piece.slopes}
            found[tuple(slopes.get(i, ZERO) for i in range(self.form.size))] = None
        return tuple(found)

    @property
    def _pieces(self) -> list[Affine]:
        return [piece for tree in self.trees for piece in tree]

    @property
    def subadditive(self) -> CheckItem:
        """True for a linear function; else not known: minima of affine functions need not be."""
        if len(self._pieces) == len(self.trees) and not any(p.intercept for p in self._pieces):
            return CheckItem(status=True, why="a maximum of linear functions")
        return CheckItem(
            status=None,
            why="a minimum of affine functions need not be subadditive; the dual conditions on the"
            " columns and F <= z hold all the same, because every leaf bounds its part",
        )

    @property
    def monotone(self) -> CheckItem:
        """By the signs of the multipliers."""
        constraints = self.form.constraints
        for i, n in (slope for piece in self._pieces for slope in piece.slopes):
            if not constraints[i].admits(Fraction(n)):
                why = f"a piece has the wrong sign in {self.form.names[i]}"
                return CheckItem(status=False, why=why)
        return CheckItem(status=True, why="all pieces have slopes with the signs of their rows")

    @property
    def formula(self) -> str:
        """``max(…, min(…, …))`` in the names of the rows."""
        names, shift = self.form.names, self.form.shift
        texts = [_apply("min", [piece.text(names, shift) for piece in tree]) for tree in self.trees]
        return _apply("max", texts)

    def to_sympy(self) -> Any:
        """The formula in sympy; not simplified, which would compare all pairs of pieces."""
        sympy: Any = import_module("sympy")
        symbols = self.symbols()

        def piece_in_sympy(piece: Affine) -> Any:
            slopes = ((i, to_sympy(Fraction(n, piece.denominator))) for i, n in piece.slopes)
            intercept = to_sympy(Fraction(piece.intercept, piece.denominator))
            return sympy.Add(intercept, *(a * symbols[i] for i, a in slopes))

        trees = [_join(sympy.Min, [piece_in_sympy(p) for p in tree]) for tree in self.trees]
        return _join(sympy.Max, trees)

    def definability(self, domain: str = "everywhere") -> Definability:
        """Semilinear, and Lipschitz with the largest slope, on all right-hand sides."""
        slopes = (Fraction(abs(n), p.denominator) for p in self._pieces for _, n in p.slopes)
        return definability(
            domain,
            f"a maximum of {len(self.trees)} minima of finitely many affine functions with"
            " rational coefficients",
            continuous=True,
            lipschitz=True,
            constant=max(slopes, default=ZERO),
        )

    def graph(self) -> Graph:
        """Minima of the rows of matrix products, and their maximum."""
        builder, size = GraphBuilder(), self.form.size
        d = builder.input("d", (size, 1))
        parts: list[int] = []
        for tree in self.trees:
            rows = [dict(piece.slopes) for piece in tree]
            scales = [piece.denominator for piece in tree]
            matrix = [
                [Fraction(row.get(i, 0), q) for i in range(size)]
                for row, q in zip(rows, scales, strict=True)
            ]
            side = [[Fraction(piece.intercept, piece.denominator)] for piece in tree]
            lines = builder.apply(ops.MATMUL, [builder.constant(matrix), d])
            lines = builder.apply(ops.ADD, [lines, builder.constant(side)])
            parts.append(builder.apply(ops.REDUCE_MIN, [lines], axes=(0,), keepdims=True))
        whole = parts[0]
        for part in parts[1:]:
            whole = builder.apply(ops.MAXIMUM, [whole, part])
        return builder.build({"F": whole})

    def improved(
        self, b: RightHandSide, *, seconds: float | None = None, nodes: int | None = None
    ) -> TreeDual:
        """The maximum of this function and that of a tree at another right-hand side."""
        d, budget = self.form.at(b), limits(self.form, seconds, nodes)
        tree = _tree_at(self.form, d, self._multipliers, search_at(self.form, d, budget))
        trees = (*self.trees, tree)
        return TreeDual(self.form, self._optimum, trees, self._multipliers, *self.notes)

    def to_json(self) -> dict[str, Any]:
        """As for every dual function, with the numbers of trees and pieces."""
        counts = {"trees": len(self.trees), "pieces": len(self._pieces)}
        return {**super().to_json(), **counts}


def _apply(name: str, texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{name}({', '.join(texts)})"


def _join(function: Any, terms: Sequence[Any]) -> Any:
    return terms[0] if len(terms) == 1 else function(*terms, evaluate=False)


def tree_dual(
    program: Program,
    *,
    seconds: float | None = None,
    seed: int = 0,
    nodes: int | None = None,
) -> TreeDual:
    """The dual function of a search tree, strong at the program's right-hand side if it closes.

    Parameters
    ----------
    nodes
        The limit of each search; a tree that is not finished still gives a function, with a gap.
    """
    if nodes is not None and nodes < 1:
        raise InputError(f"A tree has at least one node, not {nodes}.", where="nodes")
    form = normalise(program)
    multipliers = require_dual(form)
    require_integer_solution(form)
    budget = limits(form, seconds, nodes)
    few = _FEW if nodes is None else min(nodes, _FEW)
    found = search_at(form, form.right, replace(budget, nodes=few), seed=seed)
    if not found.closed and nodes is None:
        split = _split_dual(form, multipliers, budget)
        if split is not None:
            return split
    optimum = found.value
    if not found.closed:
        # leaves have to bound every right-hand side; a proof at this one is easier
        proof = replace(budget.share(_PROOF).part(MINUTE), nodes=None)
        optimum, point = prove_point(form, proof, seed=seed)
        if nodes != few and not budget.is_spent:
            again = search_at(form, form.right, budget, seed=seed, point=point)
            optimum = again.value if again.closed else optimum
            found = found if again.nodes is None else again
    elif optimum is None:
        raise InfeasibleProgramError(_NO_POINT)
    trees = [[linear_function(multipliers)]]
    if found.nodes is not None:
        trees.append(_tree_at(form, form.right, multipliers, found))
    return TreeDual(form, optimum, trees, multipliers, found.why)


def _split_dual(form: Form, multipliers: Vector, budget: Budget) -> TreeDual | None:
    """The function of a tree of integer forms, where that closes."""
    found = settle_by_splits(form, budget.share(_SPLITS).part(MOST_SECONDS))
    if found is None:
        return None
    value, _, leaves = found
    if not isinstance(value, Fraction):
        raise InfeasibleProgramError(_NO_POINT)
    pieces = Leaves(form, multipliers).split_functions(leaves, form.right, value)
    trees = [linear_function(multipliers)], pieces
    return TreeDual(form, value, trees, multipliers)


def limits(form: Form, seconds: float | None, nodes: int | None = None) -> Budget:
    """The limits of a search; a minute where unbounded integers may keep it going for ever."""
    capped = {
        j
        for j, column in enumerate(form.columns)
        for i, _ in column.entries
        if form.constraints[i].row is None
    }
    endless = any(c.integral and j not in capped for j, c in enumerate(form.columns))
    return Budget.of(search_limit(seconds) if endless else seconds, nodes)


def _tree_at(form: Form, d: Vector, multipliers: Vector, found: SearchOutcome) -> list[Affine]:
    """The affine functions of a tree; where it proves infeasibility, large ones."""
    if found.nodes is None:
        raise SolverError(
            f"A node of the tree has no bound: {found.why}.",
            hint="Give more time, or bound the variables.",
        )
    value = found.value if found.value is not None else Fraction(2**40)
    return Leaves(form, multipliers).functions(found.nodes, d, value)
