"""Piecewise polynomial regression of tame functions, with exact errors and proved bounds."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import KW_ONLY, dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import validation

from tamecheck.budget import Budget
from tamecheck.ir.answer import Feasible, Optimal, Unknown
from tamecheck.learn import effort as effort_of
from tamecheck.learn.estimator import check_fitted, read_rows, seed_of
from tamecheck.learn.network import Floats
from tamecheck.learn.regression.search import search_tree
from tamecheck.learn.regression.tree import (
    Points,
    PolynomialTree,
    Split,
    exact_monomials,
    exponents,
    join_pieces,
    leaf_polynomial,
    misses,
    monomials,
    tree_point,
    tree_program,
)
from tamecheck.programs import solve

if TYPE_CHECKING:
    from tamecheck.model import Model


# scikit-learn has no stubs
_VALIDATE = cast("Any", validation)

_ROUNDING = Fraction(1, 2**50)
_MOST_TERMS = 200_000
_SHORT = 10.0
"""Seconds for a proof."""
_GAP = Fraction(1, 10_000)


@dataclass(eq=False, repr=False)
class PiecewisePolynomialRegressor(RegressorMixin, BaseEstimator):
    """A tree of half-spaces with a polynomial in each leaf, of least mean absolute error.

    A search (growth with lookahead, then alternation between splits and leaves) gives a start; the
    polynomials are refitted in rational arithmetic.  Where the error attains what the data alone
    prove (0, unless equal points have different values), the tree is optimal; else the program of
    Nemecek, Bareilles, Aspman, Marecek (2023), with true monomials, goes to MIP solvers from there.

    Parameters
    ----------
    depth
        Of the tree: ``2 ** depth`` leaves.
    order
        The degree of the polynomials.
    splits
        ``"axis"`` (one feature a split) or ``"affine"``.
    solver
        ``"cbc"``, ``"highs"``, ``"auto"`` (both side by side), or ``"search"``: no solver is asked
        and the bound is that of the data.
    timeout, max_nodes, random_state
        As in `MIPBinarizedClassifier`.

    Attributes
    ----------
    tree_ : PolynomialTree
        The function, in rationals.
    loss_ : float
        The mean absolute error, rounded from the exact one.
    bound_ : float
        A bound on it; see ``proof_``.
    max_error_ : float
        The largest absolute error on the training points.
    proof_ : str
        ``"trivial"`` (0 is a bound), ``"data"`` (equal points with different values),
        ``"certificate"`` (a search tree with exact multipliers: for coefficients of at most
        ``largest_``, and points on the left at least 1/10000 below a threshold, at directions
        within [-1, 1]).
    optimal_ : bool
        Whether the loss attains the bound, or no error exceeds the rounding of values as floats
        (2^-50 of the largest of them).
    largest_ : float
        The bound on coefficients in the program.
    notes_ : tuple of str
        What solvers failed at.
    interrupted_ : bool
        Whether Ctrl-C ended the search; the function is the best until then.
    """

    depth: int = 2
    _: KW_ONLY
    order: int = 1
    splits: str = "axis"
    solver: str = "auto"
    timeout: float | None = None
    max_nodes: int | None = None
    random_state: Any = None

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803
        """Fit the function.

        Parameters
        ----------
        X : array of shape (points, features)
            Points.
        y : array of shape (points,)
            Values.

        Raises
        ------
        DataError
            If the data or a parameter cannot be used.
        """
        begun = time.monotonic()
        self._check_parameters()
        effort = effort_of.effort_for(self, "search", 0)
        with effort_of.data_errors():
            x, values = _VALIDATE.validate_data(self, X, y, dtype=np.float64, y_numeric=True)
            values = np.asarray(values, dtype=np.float64)
        effort = replace(effort, seed=seed_of(self.random_state))
        seconds = effort_of.seconds_for(self.timeout, self.max_nodes)
        budget = Budget(begun + seconds)
        powers, axis = exponents(x.shape[1], int(self.order)), self.splits == "axis"
        found = search_tree(
            x,
            monomials(x, powers),
            values,
            depth=int(self.depth),
            axis=axis,
            rng=np.random.default_rng(effort.seed),
            budget=budget.part(0.4 * seconds),
        )
        points = [[Fraction(v) for v in row] for row in x.tolist()]
        exact = [Fraction(v) for v in values.tolist()]
        data = Points(points, [exact_monomials(point, powers) for point in points], exact)
        splits = tuple(
            Split(tuple(map(Fraction, direction.tolist())), Fraction(threshold))
            for direction, threshold in found.cuts
        )
        tree = _refit(splits, powers, data)
        self.notes_: tuple[str, ...] = ()
        self.largest_ = 0.0
        bound, proof = _data_bound(data)
        effort = replace(effort, seconds=max(1.0, budget.seconds))
        missed = _loss(tree, data) > bound and not _fits(tree, data)
        if missed and effort.solvers and not budget.cancelled.is_set():
            with effort_of.interruptible(budget):
                tree, proved = self._improve(tree, data, effort)
                if proved > 0:
                    bound, proof = proved, "certificate"
        kept = "the function is the best so far"
        self.interrupted_ = effort_of.warn_of_interrupt(budget, kept, stacklevel=2)
        self.tree_ = join_pieces(tree, data, axis=axis)
        self.loss_ = float(_loss(self.tree_, data) / len(exact))
        self.bound_, self.proof_ = float(bound / len(exact)), proof
        self.max_error_ = float(max(misses(self.tree_, data)))
        self.optimal_ = self.loss_ == self.bound_ or _fits(self.tree_, data)
        return self

    def _check_parameters(self) -> None:
        for name in ("depth", "order"):
            value = getattr(self, name)
            if isinstance(value, bool) or int(value) != value or value < 0:
                raise effort_of.DataError(f"{name}={value!r} is no natural number.")
        effort_of.check_choice("splits", self.splits, ("axis", "affine"))

    def _improve(
        self, tree: PolynomialTree, data: Points, effort: effort_of.Effort
    ) -> tuple[PolynomialTree, Fraction]:
        """The best of this tree and those of the solvers, and a proved bound; 0 is no bound."""
        x, phi, y = data.x, data.phi, data.y
        terms = len(y) * 2 ** int(self.depth) * (len(x[0]) * int(self.depth) + 2 * len(phi[0]))
        if terms > _MOST_TERMS:
            self.notes_ = ("The program is too large for the solvers.",)
            return tree, Fraction(0)
        largest = Fraction(2 * (int(max(abs(c) for leaf in tree.leaves for c in leaf)) + 1))
        self.largest_ = float(largest)
        made = tree_program(
            data, depth=int(self.depth), axis=self.splits == "axis", gap=_GAP, largest=largest
        )
        said = effort.claims(made.program, tree_point(made, tree, data))
        self.notes_ = effort_of.failures(said)
        for point in effort_of.points_of(said):
            other = _refit(made.splits(point), tree.powers, data)
            tree = min(tree, other, key=lambda t: _loss(t, data))
        best, seconds = _loss(tree, data), min(effort.seconds, _SHORT)
        incumbent = tree_point(made, tree, data)
        answer = solve(made.program, seconds=seconds, solvers=(), incumbent=incumbent).answer
        bound: Fraction | None = None
        if isinstance(answer, Optimal):
            bound = answer.objective
        elif isinstance(answer, Feasible | Unknown):
            bound = answer.bound
        bound = bound or Fraction(0)
        if bound < best:
            self.notes_ += effort_of.unproved(said, "error", float(best))
        # a tree outside of the program may be better
        return tree, min(bound, best)

    def predict(self, X: Any) -> Floats:  # noqa: N803
        """The values at the points, each rounded once from the exact one."""
        x = read_rows(self, X)
        return np.array([float(self.tree_.value(list(map(Fraction, row)))) for row in x.tolist()])

    def to_model(self) -> Model:
        """The function as a `tamecheck.Model` with scalar inputs ``x0``, ``x1`` and so on."""
        from tamecheck.loaders import parse_expression
        from tamecheck.model import Model

        check_fitted(self)
        names = [f"x{k}" for k in range(len(self.tree_.powers[0]))]
        # every input occurs, in order
        every = " + ".join(f"0*{name}" for name in names)
        return Model(parse_expression(f"{every} + {self.tree_.text(names)}"))


def _refit(
    splits: tuple[Split, ...], powers: tuple[tuple[int, ...], ...], data: Points
) -> PolynomialTree:
    """The tree of these splits with the best polynomials."""
    empty = PolynomialTree(splits, powers, ())
    leaves = [empty.leaf(point) for point in data.x]
    fitted = [
        leaf_polynomial(
            [row for row, leaf in zip(data.phi, leaves, strict=True) if leaf == t] or [data.phi[0]],
            [v for v, leaf in zip(data.y, leaves, strict=True) if leaf == t],
        )
        for t in range(len(splits) + 1)
    ]
    return PolynomialTree(splits, powers, tuple(fitted))


def _loss(tree: PolynomialTree, data: Points) -> Fraction:
    """The sum of absolute errors."""
    return sum(misses(tree, data), Fraction(0))


def _fits(tree: PolynomialTree, data: Points) -> bool:
    """Whether no error is larger than what rounding the values to floats explains."""
    return max(misses(tree, data)) <= _ROUNDING * max(map(abs, data.y))


def _data_bound(data: Points) -> tuple[Fraction, str]:
    """What equal points with different values force on every function."""
    groups: defaultdict[tuple[Fraction, ...], list[Fraction]] = defaultdict(list)
    for point, value in zip(data.x, data.y, strict=True):
        groups[tuple(point)].append(value)
    total = Fraction(0)
    for values in groups.values():
        middle = sorted(values)[len(values) // 2]
        total += sum((abs(v - middle) for v in values), Fraction(0))
    return total, "data" if total else "trivial"
