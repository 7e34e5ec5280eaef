"""Dual functions from branch and bound: the minimum over the leaves of affine functions.

Güzelsoy, Ralphs: Duality for mixed-integer linear programs, 2007, section 4.6.  Each leaf bounds
the objective on its part by an affine function of the right-hand side; every integer point is in
some leaf, whatever the right-hand side.  Of several such functions the maximum is taken, among
them the linear one of the relaxation, which makes F(0) = 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tamecheck.duality.answer import DualFunction
from tamecheck.duality.check import CheckItem, Value
from tamecheck.duality.definability import semilinear
from tamecheck.duality.form import Form, InfeasibleProgramError, RightHandSide, Vector, normalise
from tamecheck.duality.lattice import require_integer_solution
from tamecheck.duality.optimum import require_dual
from tamecheck.duality.pieces import Affine, affine, affine_text, evaluate_minimum
from tamecheck.duality.search import Searched, search_at
from tamecheck.duality.tree.leaves import LeafFunctions
from tamecheck.errors import InputError, SolverError

if TYPE_CHECKING:
    from tamecheck.duality.definability import Definability
    from tamecheck.ir.program import Program

__all__ = ["TreeDual", "tree_dual"]


class TreeDual(DualFunction):
    """``F(d) = max over the trees of min over their leaves of affine functions``.

    Parameters
    ----------
    form, optimum
        As for every dual function.
    trees
        For each tree its affine functions; a tree of one leaf is a linear dual.
    multipliers
        Feasible for the dual of the relaxation.
    """

    method = "tree"

    def __init__(
        self,
        form: Form,
        optimum: Fraction | None,
        trees: Sequence[Sequence[Affine]],
        multipliers: Vector,
    ) -> None:
        super().__init__(form, optimum)
        self.trees = tuple(tuple(tree) for tree in trees)
        self._multipliers = multipliers

    def evaluate(self, d: Vector) -> Fraction:
        """The largest of the trees' values."""
        return max(evaluate_minimum(tree, d)[0] for tree in self.trees)

    def directional(self, g: Vector) -> Fraction:
        """The derivative at 0 in a direction: that of the pieces that are active there."""
        zero = (Fraction(0),) * self.form.size
        top = self.evaluate(zero)
        slopes = [
            min(piece.along(g) for piece in _active(tree, zero, top))
            for tree in self.trees
            if evaluate_minimum(tree, zero)[0] == top
        ]
        return max(slopes)

    def slopes(self, d: Vector) -> tuple[Vector, ...]:
        """The slopes of all pieces that have the function's value at ``d``."""
        top = self.evaluate(d)
        found: dict[Vector, None] = {}
        for tree in self.trees:
            if evaluate_minimum(tree, d)[0] == top:
                for piece in _active(tree, d, top):
                    found[piece.slope(self.form.size)] = None
        return tuple(found)

    @property
    def subadditive(self) -> CheckItem:
        """True for a linear function; else not known: minima of affine functions need not be."""
        pieces = [piece for tree in self.trees for piece in tree]
        if len(pieces) == len(self.trees) and all(piece.intercept == 0 for piece in pieces):
            return CheckItem(status=True, why="a maximum of linear functions")
        return CheckItem(
            status=None,
            why="a minimum of affine functions need not be subadditive; the dual conditions on the"
            " columns and F <= z hold all the same, because every leaf bounds its part",
        )

    @property
    def monotone(self) -> CheckItem:
        """By the signs of the multipliers."""
        wrong = [
            self.form.names[i]
            for tree in self.trees
            for piece in tree
            for i, n in piece.slopes
            if not self.form.constraints[i].admits(Fraction(n))
        ]
        if wrong:
            return CheckItem(status=False, why=f"a piece has the wrong sign in {wrong[0]}")
        return CheckItem(status=True, why="all pieces have slopes with the signs of their rows")

    @property
    def formula(self) -> str:
        """``max(…, min(…, …))`` in the names of the rows."""
        texts = [self._tree_text(tree) for tree in self.trees]
        return texts[0] if len(texts) == 1 else f"max({', '.join(texts)})"

    def _tree_text(self, tree: Sequence[Affine]) -> str:
        pieces = [affine_text(piece, self.form.names, self.form.shift) for piece in tree]
        return pieces[0] if len(pieces) == 1 else f"min({', '.join(pieces)})"

    def to_sympy(self) -> Any:
        """The formula in sympy; not simplified, which would compare all pairs of pieces."""
        sympy: Any = import_module("sympy")
        symbols = self.symbols()
        trees: list[Any] = []
        for tree in self.trees:
            first, *others = (_sympy(piece, symbols) for piece in tree)
            trees.append(sympy.Min(first, *others, evaluate=False) if others else first)
        return trees[0] if len(trees) == 1 else sympy.Max(*trees, evaluate=False)

    def definability(self, domain: str = "everywhere") -> Definability:
        """Semilinear, and Lipschitz with the largest slope, on all right-hand sides."""
        largest = max(
            (
                Fraction(abs(n), piece.denominator)
                for tree in self.trees
                for piece in tree
                for _, n in piece.slopes
            ),
            default=Fraction(0),
        )
        return semilinear(
            domain,
            f"a maximum of {len(self.trees)} minima of finitely many affine functions with"
            " rational coefficients",
            continuous=True,
            lipschitz=True,
            constant=largest,
        )

    def improved(
        self, b: RightHandSide, *, seconds: float | None = None, nodes: int = 10**9
    ) -> TreeDual:
        """The maximum of this function and that of a tree at another right-hand side."""
        d = self.form.at(b)
        tree = _tree_at(self.form, d, self._multipliers, search_at(self.form, d, seconds, nodes))
        return TreeDual(self.form, self._optimum, (*self.trees, tree), self._multipliers)

    def to_json(self) -> dict[str, Any]:
        """As for every dual function, with the numbers of trees and pieces."""
        counts = {"trees": len(self.trees), "pieces": sum(map(len, self.trees))}
        return {**super().to_json(), **counts}


def tree_dual(
    program: Program,
    *,
    more: Sequence[RightHandSide] = (),
    seconds: float | None = None,
    seed: int = 0,
    nodes: int = 10**9,
) -> TreeDual:
    """The dual function of a search tree, strong at the program's right-hand side if it closes.

    Parameters
    ----------
    program
        The program.
    more
        Further right-hand sides: their trees are added, and the maximum is taken.
    seconds, nodes
        Limits of each search; a tree that is not finished still gives a function, with a gap.
    seed
        Of the solvers that are asked for a first point.

    Raises
    ------
    InfeasibleProgramError, DomainError, UnsupportedError
        If the program is infeasible or has no dual function, or has semi variables.
    """
    if nodes < 1:
        raise InputError(f"A tree has at least one node, not {nodes}.", where="nodes")
    form = normalise(program)
    multipliers = require_dual(form)
    require_integer_solution(form)
    found = search_at(form, form.right, seconds, nodes, seed=seed)
    if found.value is None and found.closed:
        raise InfeasibleProgramError(
            "The program is infeasible, so that no dual function attains its value."
        )
    optimum = found.value if found.closed else None
    linear = affine(Fraction(0), dict(enumerate(multipliers)))
    trees = [[linear], _tree_at(form, form.right, multipliers, found)]
    result = TreeDual(form, optimum, trees, multipliers)
    for b in more:
        result = result.improved(b, seconds=seconds, nodes=nodes)
    return result


def _tree_at(form: Form, d: Vector, multipliers: Vector, found: Searched) -> list[Affine]:
    """The affine functions of a tree; where it proves infeasibility, large ones."""
    if found.nodes is None:
        raise SolverError("The search stopped with a node that has no bound.", hint=found.hint)
    value = found.value if found.value is not None else Fraction(2**40)
    return LeafFunctions(form, multipliers).of(found.nodes, d, value)


def _active(tree: Sequence[Affine], d: Sequence[Fraction], value: Value) -> list[Affine]:
    scale = math.lcm(*(x.denominator for x in d)) if d else 1
    whole = [(x * scale).numerator for x in d]
    return [piece for piece in tree if piece.at(whole, scale) == value]


def _sympy(piece: Affine, symbols: Sequence[Any]) -> Any:
    import sympy

    terms = [sympy.Rational(n, piece.denominator) * symbols[i] for i, n in piece.slopes]
    return sympy.Add(sympy.Rational(piece.intercept, piece.denominator), *terms)
