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
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

from tamecheck import ops
from tamecheck.budget import Budget
from tamecheck.duality.answer import Definability, DualFunction, definability, to_sympy
from tamecheck.duality.check import CheckItem
from tamecheck.duality.form import Form, InfeasibleProgramError, RightHandSide, Vector, normalise
from tamecheck.duality.optimum import (
    MINUTE,
    SearchOutcome,
    require_dual,
    require_integer_solution,
    search_at,
    search_limit,
)
from tamecheck.duality.proof import prove_point
from tamecheck.errors import InputError, SolverError
from tamecheck.ir.exact import ZERO
from tamecheck.ir.graph import Graph, GraphBuilder
from tamecheck.programs.branching import Split
from tamecheck.programs.certificate import Bounded, Branched, Crossed, CrossedRow, Excluded, Node
from tamecheck.programs.scaled import Multipliers, domain, minimised_costs

if TYPE_CHECKING:
    from tamecheck.exact.linear import Number
    from tamecheck.ir.program import Program


_FEW = 200
"""Nodes of a tree before the optimum is proved otherwise."""

_PROOF = 0.4
"""The part of the time that this proof may take."""


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

    def along(self, g: Sequence[Fraction]) -> Fraction:
        """The derivative in the direction ``g``."""
        return sum((n * g[i] for i, n in self.slopes), ZERO) / self.denominator

    def text(self, names: Sequence[str], shift: Sequence[Fraction]) -> str:
        """The function in the program's right-hand sides, which are ``d + shift``."""
        slopes = [(i, Fraction(n, self.denominator)) for i, n in self.slopes]
        intercept = Fraction(self.intercept, self.denominator)
        intercept -= sum((a * shift[i] for i, a in slopes), ZERO)
        return affine_text(((names[i], a) for i, a in slopes), intercept)


def affine_text(slopes: Iterable[tuple[str, Fraction]], intercept: Fraction) -> str:
    """An affine function as text: ``2*r - 3/2``."""
    factors = {Fraction(1): "", Fraction(-1): "-"}
    parts = [f"{factors.get(a, f'{a}*')}{name}" for name, a in slopes if a]
    if intercept or not parts:
        parts.append(str(intercept))
    return " + ".join(parts).replace("+ -", "- ")


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
        raise InfeasibleProgramError(
            "The program is infeasible, so that no dual function attains its value."
        )
    trees = [[_affine(dict(enumerate(multipliers)))]]
    if found.nodes is not None:
        trees.append(_tree_at(form, form.right, multipliers, found))
    return TreeDual(form, optimum, trees, multipliers, found.why)


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
    return _Leaves(form, multipliers).functions(found.nodes, d, value)


# -- from the leaves to affine functions of the right-hand side ----------------------------------

_Linear: TypeAlias = dict[int, Fraction]
"""Coefficients of right-hand sides, and the constant at -1."""

_CONSTANT = -1

_Ends: TypeAlias = "tuple[Number | None, Number | None]"
"""The lower bound of a column in a leaf, and the upper one if branching set it."""


def _affine(linear: _Linear) -> Affine:
    kept = {i: a for i, a in sorted(linear.items()) if a and i != _CONSTANT}
    intercept = linear.get(_CONSTANT, ZERO)
    q = math.lcm(intercept.denominator, *(a.denominator for a in kept.values()))
    slopes = tuple((i, (a * q).numerator) for i, a in kept.items())
    return Affine((intercept * q).numerator, slopes, q)


def _value(linear: _Linear, d: Sequence[Fraction]) -> Fraction:
    return sum((a if i == _CONSTANT else a * d[i] for i, a in linear.items()), ZERO)


def _add(total: _Linear, other: Mapping[int, Fraction], factor: Fraction) -> None:
    for i, a in other.items():
        total[i] = total.get(i, ZERO) + factor * a


class _Leaves:
    """Affine functions for the leaves of trees of ``form.program``, for any right-hand side.

    The multipliers, feasible for the dual of the form's relaxation, bound every leaf.
    """

    def __init__(self, form: Form, multipliers: Vector) -> None:
        self.form, self.program = form, form.program
        self.costs = minimised_costs(self.program)
        self.sides: dict[tuple[int, bool], int] = {}
        for k, constraint in enumerate(form.constraints):
            if constraint.row is not None:
                for lower, other in ((True, "<="), (False, ">=")):
                    if constraint.sense != other:
                        self.sides[constraint.row, lower] = k
        capped = (j for j, c in enumerate(self.program.columns) if None not in domain(c))
        caps = (k for k, c in enumerate(form.constraints) if c.row is None)
        self.upper = dict(zip(capped, caps, strict=True))
        self.everywhere = dict(enumerate(multipliers))

    def functions(self, nodes: Sequence[Node], d: Vector, value: Fraction) -> list[Affine]:
        """One function a leaf; those of empty leaves are at least ``value`` at ``d``."""
        found = (self._leaf(node, ends, d, value) for node, ends in self._leaves(nodes))
        return list(dict.fromkeys(_affine(linear) for linear in found))

    def _leaf(self, node: Node, ends: Mapping[int, _Ends], d: Vector, value: Fraction) -> _Linear:
        match node:
            case Bounded(multipliers):
                bound = self._combine(multipliers, ends, self.costs)
                # the search bounds the objective without its constant
                offset = self.form.constant - self.form.sign * self.program.constant
                _add(bound, {_CONSTANT: -offset}, Fraction(1))
                return bound
            case Excluded(multipliers):
                ray = self._combine(multipliers, ends, [ZERO] * len(self.costs))
            case Crossed(column):
                ray = self._at_end(column, Fraction(1), ends)
                _add(ray, self._at_end(column, Fraction(-1), ends), Fraction(1))
            case CrossedRow(row):
                ray = self._side(self.sides[row, True])
                _add(ray, self._side(self.sides[row, False]), Fraction(-1))
            case _:
                raise AssertionError("a search without granularity has no such leaf")
        above = _value(ray, d)
        if above <= 0:
            raise SolverError(f"A leaf that was proved empty has the value {above} of its ray.")
        missing = max(ZERO, value - _value(self.everywhere, d))
        total = dict(self.everywhere)
        # a whole number keeps the coefficients short
        _add(total, ray, Fraction(-(-missing // above)))
        return total

    def _combine(
        self, multipliers: Multipliers, ends: Mapping[int, _Ends], costs: Sequence[Fraction]
    ) -> _Linear:
        """The bound that row multipliers prove, as a function of the form's right-hand side."""
        reduced, total = list(costs), _Linear()
        for i, n in multipliers.numerators.items():
            y = Fraction(n, multipliers.denominator)
            _add(total, self._side(self.sides[i, y > 0]), y)
            for j, a in self.program.rows[i].terms:
                reduced[j] -= y * a
        for j, r in enumerate(reduced):
            if r:
                _add(total, self._at_end(j, r, ends), Fraction(1))
        return total

    def _side(self, k: int) -> _Linear:
        """The program's right-hand side of a constraint: the form's plus a constant."""
        return {_CONSTANT: self.form.shift[k], k: Fraction(1)}

    def _at_end(self, j: int, r: Fraction, ends: Mapping[int, _Ends]) -> _Linear:
        """``r`` times the bound of a column that its sign asks for."""
        low, high = domain(self.program.columns[j])
        low, fixed = ends.get(j, (low, None))
        if r < 0 and fixed is None and j in self.upper:
            return {i: r * a for i, a in self._side(self.upper[j]).items()}
        end = low if r > 0 else high if fixed is None else fixed
        if end is None:
            raise SolverError("A multiplier of the search relies on a bound that does not exist.")
        return {_CONSTANT: r * end}

    def _leaves(self, nodes: Sequence[Node]) -> Iterator[tuple[Node, Mapping[int, _Ends]]]:
        """Each leaf, with the columns whose bounds branching changed."""
        stack: list[tuple[int, dict[int, _Ends]]] = [(0, {})]
        while stack:
            index, ends = stack.pop()
            node = nodes[index]
            if not isinstance(node, Branched):
                yield node, ends
                continue
            j = node.by.column
            if isinstance(node.by, Split):
                raise SolverError(f"Column {j} was split as if it were semicontinuous.")
            low, fixed = ends.get(j, (domain(self.program.columns[j])[0], None))
            at = node.by.at
            below = low, at if fixed is None else min(fixed, at)
            above = at + 1 if low is None else max(low, at + 1), fixed
            stack += [
                (node.children[1], {**ends, j: above}),
                (node.children[0], {**ends, j: below}),
            ]
