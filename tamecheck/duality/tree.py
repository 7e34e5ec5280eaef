"""Dual functions from branch and bound: the minimum over the leaves of affine functions.

Güzelsoy, Ralphs: Duality for mixed-integer linear programs, 2007, section 4.6.  Each leaf bounds
the objective on its part by an affine function of the right-hand side; every integer point is in
some leaf, whatever the right-hand side.  Of several such functions the maximum is taken, among
them the linear one of the relaxation, which makes F(0) = 0.

In a leaf, branching leaves ``low <= x <= high``.  For row multipliers y of the right signs and
reduced costs ``r = c - yA``, every point of the leaf has

    c·x >= y·b + sum of r_j^+ low_j - sum of r_j^- high_j,

where ``high_j`` is a constant if branching set it, and a right-hand side if it is the program's
upper bound.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from typing import Any

from tamecheck.duality.answer import Definability, DualFunction, semilinear
from tamecheck.duality.check import CheckItem, Value
from tamecheck.duality.form import Form, InfeasibleProgramError, RightHandSide, Vector, normalise
from tamecheck.duality.optimum import Searched, require_dual, require_integer_solution, search_at
from tamecheck.errors import InputError, SolverError
from tamecheck.exact.linear import Number
from tamecheck.ir.program import Program
from tamecheck.programs.branching import Branch, Split
from tamecheck.programs.certificate import (
    Bounded,
    Branched,
    Crossed,
    CrossedRow,
    Excluded,
    Gap,
    Node,
)
from tamecheck.programs.scaled import Multipliers, domain

__all__ = [
    "Affine",
    "LeafFunctions",
    "TreeDual",
    "affine",
    "affine_text",
    "evaluate_minimum",
    "tree_dual",
]


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


@dataclass(frozen=True, slots=True)
class _Ends:
    """Bounds of a column in a leaf; ``high_fixed`` says whether branching set the upper one."""

    low: Number | None
    high: Number | None
    high_fixed: bool


@dataclass(frozen=True, slots=True)
class _Draft:
    """An affine function in the making."""

    intercept: Fraction
    slopes: Mapping[int, Fraction]

    def plus(self, other: _Draft, factor: Fraction) -> _Draft:
        slopes = dict(self.slopes)
        for i, a in other.slopes.items():
            slopes[i] = slopes.get(i, Fraction(0)) + factor * a
        return _Draft(self.intercept + factor * other.intercept, slopes)

    def at(self, d: Sequence[Fraction]) -> Fraction:
        return self.intercept + sum((a * d[i] for i, a in self.slopes.items()), Fraction(0))


class LeafFunctions:
    """Affine functions for the leaves of trees of one program.

    Parameters
    ----------
    form
        The program; trees are of ``form.program``, for any right-hand side.
    multipliers
        Feasible for the dual of the form's relaxation: they bound every leaf.
    """

    def __init__(self, form: Form, multipliers: Vector) -> None:
        self._form = form
        program = form.program
        # the search bounds the objective without its constant
        self._offset = form.constant - form.sign * program.constant
        self._costs = [form.sign * column.cost for column in program.columns]
        self._sides: dict[tuple[int, bool], int] = {}
        for k, constraint in enumerate(form.constraints):
            if constraint.row is not None:
                if constraint.sense != "<=":
                    self._sides[constraint.row, True] = k
                if constraint.sense != ">=":
                    self._sides[constraint.row, False] = k
        self._upper: dict[int, int] = {}
        waiting = iter(k for k, c in enumerate(form.constraints) if c.row is None)
        for j, column in enumerate(program.columns):
            low, high = domain(column)
            if low is not None and high is not None:
                self._upper[j] = next(waiting)
        self._base = _Draft(Fraction(0), dict(enumerate(multipliers)))

    def of(
        self, nodes: Sequence[Node], target: Sequence[Fraction], value: Fraction
    ) -> list[Affine]:
        """One function a leaf; those of empty leaves are at least ``value`` at ``target``."""
        found: dict[Affine, None] = {}
        for node, ends in self._leaves(nodes):
            draft = self._leaf(node, ends, target, value)
            found[affine(draft.intercept, draft.slopes)] = None
        return list(found)

    def _leaf(
        self, node: Node, ends: Mapping[int, _Ends], target: Sequence[Fraction], value: Fraction
    ) -> _Draft:
        match node:
            case Bounded(multipliers):
                draft = self._combined(multipliers, ends, self._costs)
                return _Draft(draft.intercept - self._offset, draft.slopes)
            case Excluded(multipliers):
                zeros = [Fraction(0)] * len(self._costs)
                ray = self._combined(multipliers, ends, zeros)
            case Crossed(column):
                ray = self._ends(column, Fraction(1), ends).plus(
                    self._ends(column, Fraction(-1), ends), Fraction(1)
                )
            case CrossedRow(row):
                ray = self._side(self._sides[row, True]).plus(
                    self._side(self._sides[row, False]), Fraction(-1)
                )
            case Gap():
                raise AssertionError("a search without granularity has no such leaf")
            case Branched():
                raise AssertionError("a leaf has no children")
        above = ray.at(target)
        if above <= 0:
            raise SolverError(f"A leaf that was proved empty has the value {above} of its ray.")
        missing = max(Fraction(0), value - self._base.at(target))
        # a whole number keeps the coefficients short
        factor = -(-missing // above)
        return self._base.plus(ray, Fraction(factor))

    def _combined(
        self, multipliers: Multipliers, ends: Mapping[int, _Ends], costs: Sequence[Fraction]
    ) -> _Draft:
        """The bound that row multipliers prove, as a function of the form's right-hand side."""
        reduced = list(costs)
        total = _Draft(Fraction(0), {})
        for i, n in multipliers.numerators.items():
            y = Fraction(n, multipliers.denominator)
            total = total.plus(self._side(self._sides[i, y > 0]), y)
            for j, a in self._form.program.rows[i].terms:
                reduced[j] -= y * a
        for j, r in enumerate(reduced):
            if r:
                total = total.plus(self._ends(j, r, ends), Fraction(1))
        return total

    def _side(self, k: int) -> _Draft:
        """The program's right-hand side of a constraint: the form's plus a constant."""
        return _Draft(self._form.shift[k], {k: Fraction(1)})

    def _ends(self, j: int, r: Fraction, ends: Mapping[int, _Ends]) -> _Draft:
        """``r`` times the bound of a column that its sign asks for."""
        low, high = domain(self._form.program.columns[j])
        own = ends.get(j) or _Ends(low, high, high_fixed=False)
        if r < 0 and not own.high_fixed and j in self._upper:
            side = self._side(self._upper[j])
            return _Draft(r * side.intercept, {k: r * a for k, a in side.slopes.items()})
        end = own.low if r > 0 else own.high
        if end is None:
            raise SolverError("A multiplier of the search relies on a bound that does not exist.")
        return _Draft(r * end, {})

    def _leaves(self, nodes: Sequence[Node]) -> Iterator[tuple[Node, Mapping[int, _Ends]]]:
        """Each leaf, with the columns whose bounds branching changed."""
        stack: list[tuple[int, dict[int, _Ends]]] = [(0, {})]
        while stack:
            index, ends = stack.pop()
            node = nodes[index]
            if not isinstance(node, Branched):
                yield node, ends
                continue
            match node.by:
                case Branch(j, at):
                    pass
                case Split(j):
                    raise SolverError(f"Column {j} was split as if it were semicontinuous.")
            low, high = domain(self._form.program.columns[j])
            own = ends.get(j) or _Ends(low, high, high_fixed=False)
            below = _Ends(own.low, at, high_fixed=True)
            if own.high_fixed and own.high is not None and own.high <= at:
                below = own
            above = _Ends(
                at + 1 if own.low is None else max(own.low, at + 1), own.high, own.high_fixed
            )
            stack += [
                (node.children[1], {**ends, j: above}),
                (node.children[0], {**ends, j: below}),
            ]


@dataclass(frozen=True, slots=True)
class Affine:
    """``(intercept + sum of slope_i * d_i) / denominator``, all of them integers."""

    intercept: int
    slopes: tuple[tuple[int, int], ...]
    denominator: int

    def at(self, d: Sequence[int], scale: int) -> Fraction:
        """The value at ``d / scale``, given as integers."""
        total = self.intercept * scale + sum(n * d[i] for i, n in self.slopes)
        return Fraction(total, self.denominator * scale)

    def slope(self, size: int) -> Vector:
        """The gradient as a dense vector."""
        dense = [Fraction(0)] * size
        for i, n in self.slopes:
            dense[i] = Fraction(n, self.denominator)
        return tuple(dense)

    def along(self, g: Sequence[Fraction]) -> Fraction:
        """The derivative in the direction ``g``."""
        total = sum((n * g[i] for i, n in self.slopes), Fraction(0))
        return total / self.denominator


def affine(intercept: Fraction, slopes: Mapping[int, Fraction]) -> Affine:
    """The affine function with these coefficients."""
    kept = {i: a for i, a in sorted(slopes.items()) if a}
    q = math.lcm(intercept.denominator, *(a.denominator for a in kept.values()))
    return Affine(
        (intercept * q).numerator, tuple((i, (a * q).numerator) for i, a in kept.items()), q
    )


def evaluate_minimum(pieces: Iterable[Affine], d: Sequence[Fraction]) -> tuple[Fraction, int]:
    """The smallest value of the pieces at ``d``, and how many pieces have it."""
    scale = math.lcm(*(x.denominator for x in d)) if d else 1
    whole = [(x * scale).numerator for x in d]
    values = [piece.at(whole, scale) for piece in pieces]
    least = min(values)
    return least, values.count(least)


def affine_text(piece: Affine, names: Sequence[str], shift: Sequence[Fraction]) -> str:
    """The function as text in the program's right-hand sides, which are ``d + shift``."""
    slopes = [(names[i], Fraction(n, piece.denominator), shift[i]) for i, n in piece.slopes]
    intercept = Fraction(piece.intercept, piece.denominator)
    intercept -= sum((a * s for _, a, s in slopes), Fraction(0))
    parts = [f"{_coefficient(a)}{name}" for name, a, _ in slopes]
    if intercept or not parts:
        parts.append(str(intercept))
    return " + ".join(parts).replace("+ -", "- ")


def _coefficient(a: Fraction) -> str:
    if a in (1, -1):
        return "-" if a < 0 else ""
    return f"{a}*"
