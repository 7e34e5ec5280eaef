"""Piecewise polynomial regression of tame functions, with exact errors and proved bounds."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
from sklearn import utils
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import validation

from tamecheck.ir.answer import Feasible, Optimal, Unknown
from tamecheck.learn.effort import (
    MIP_SOLVERS,
    DataError,
    Effort,
    Interruption,
    check_limits,
    check_solver,
    data_errors,
    seconds_for,
)
from tamecheck.learn.network import Floats
from tamecheck.learn.regression.encoding import tree_point, tree_program
from tamecheck.learn.regression.search import search_tree
from tamecheck.learn.regression.tree import (
    PolynomialTree,
    Split,
    absolute_error,
    exponents,
    joined,
    leaf_polynomial,
    monomials,
)
from tamecheck.programs import solve

if TYPE_CHECKING:
    from tamecheck.model import Model

__all__ = ["PiecewisePolynomialRegressor"]

# scikit-learn has no stubs
_VALIDATE = cast("Any", validation)
_UTILS = cast("Any", utils)

_ROUNDING = Fraction(1, 2**50)
_TOLERANCE = 1e-6
_MOST_TERMS = 200_000
_SHORT = 10.0
"""Seconds for a proof."""
_GAP = Fraction(1, 10_000)

Rows = list[list[Fraction]]


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
    timeout
        Seconds.  None stands for 60, or for no limit where ``max_nodes`` is given.
    max_nodes
        The most nodes of each tree of a solver: limits work instead of time, so that the same seed
        gives the same function on a machine of any speed and load.
    random_state
        Seed, or generator as in scikit-learn.

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

    n_features_in_: int

    def __init__(  # noqa: PLR0913  # scikit-learn wants every parameter by name
        self,
        depth: int = 2,
        *,
        order: int = 1,
        splits: str = "axis",
        solver: str = "auto",
        timeout: float | None = None,
        max_nodes: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.depth = depth
        self.order = order
        self.splits = splits
        self.solver = solver
        self.timeout = timeout
        self.max_nodes = max_nodes
        self.random_state = random_state

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
        with data_errors():
            x, values = _VALIDATE.validate_data(self, X, y, dtype=np.float64, y_numeric=True)
            values = np.asarray(values, dtype=np.float64)
        seconds = seconds_for(self.timeout, self.max_nodes)
        seed = int(_UTILS.check_random_state(self.random_state).randint(2**31 - 1))
        powers = exponents(x.shape[1], int(self.order))
        interruption = Interruption()
        found = search_tree(
            x, monomials(x, powers), values, depth=int(self.depth), axis=self.splits == "axis",
            rng=np.random.default_rng(seed), seconds=0.4 * seconds, interruption=interruption,
        )  # fmt: skip
        points: Rows = [[Fraction(v) for v in row] for row in x.tolist()]
        exact = [Fraction(v) for v in values.tolist()]
        phi = [_monomials(point, powers) for point in points]
        splits = tuple(
            Split(tuple(map(Fraction, direction.tolist())), Fraction(threshold))
            for direction, threshold in found.cuts
        )
        tree = _refitted(splits, powers, points, phi, exact)
        self.notes_: tuple[str, ...] = ()
        self.largest_ = 0.0
        bound, proof = _data_bound(points, exact)
        left = begun + seconds - time.monotonic()
        effort = Effort(MIP_SOLVERS.get(self.solver, ()), max(1.0, left), self.max_nodes, seed)
        missed = _loss(tree, points, phi, exact) > bound and not _fits(tree, points, exact)
        if missed and effort.solvers and not interruption.happened:
            with interruption:
                tree, proved = self._improved(tree, points, phi, exact, effort)
                if proved is not None:
                    bound, proof = proved
        interruption.warn("the function is the best so far", stacklevel=2)
        self.interrupted_ = interruption.happened
        tree = joined(tree, points, exact, axis=self.splits == "axis")
        self._conclude(tree, points, phi, exact, bound, proof)
        self.optimal_ = self.loss_ == self.bound_ or _fits(tree, points, exact)
        return self

    def _check_parameters(self) -> None:
        for name, least in (("depth", 0), ("order", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or int(value) != value or value < least:
                raise DataError(f"{name}={value!r} is no natural number.")
        if self.splits not in {"axis", "affine"}:
            raise DataError(f"splits={self.splits!r} is unknown.", hint="There are: axis, affine.")
        check_solver(self.solver, "search")
        check_limits(self.timeout, self.max_nodes)

    def _improved(
        self, tree: PolynomialTree, x: Rows, phi: Rows, y: list[Fraction], effort: Effort
    ) -> tuple[PolynomialTree, tuple[Fraction, str] | None]:
        """The best of this tree and those of the solvers, and what these prove."""
        terms = len(y) * 2 ** int(self.depth) * (len(x[0]) * int(self.depth) + 2 * len(phi[0]))
        if terms > _MOST_TERMS:
            self.notes_ = ("The program is too large for the solvers.",)
            return tree, None
        sizes = [abs(c) for leaf in tree.leaves for c in leaf]
        largest = Fraction(2 * (int(max(sizes)) + 1))
        self.largest_ = float(largest)
        made = tree_program(
            x, phi, y, depth=int(self.depth), axis=self.splits == "axis", gap=_GAP, largest=largest
        )
        said = effort.claims(made.program, tree_point(made, tree, x, phi, y))
        self.notes_ = tuple(f"{c.solver}: {c.why}." for c in said if isinstance(c, Unknown))
        for claim in said:
            if isinstance(claim, Optimal | Feasible):
                other = _refitted(made.splits(claim.point), tree.powers, x, phi, y)
                tree = min(tree, other, key=lambda t: _loss(t, x, phi, y))
        best = _loss(tree, x, phi, y)
        answer = solve(
            made.program,
            seconds=min(effort.seconds, _SHORT),
            solvers=(),
            incumbent=tree_point(made, tree, x, phi, y),
        ).answer
        if isinstance(answer, Optimal):
            bound = answer.objective
        elif isinstance(answer, Feasible | Unknown) and answer.bound is not None:
            bound = answer.bound
        else:
            bound = Fraction(0)
        if bound < best:
            self.notes_ += tuple(
                f"{claim.solver} calls the error optimal, which is not proved."
                for claim in said
                if isinstance(claim, Optimal)
                and abs(claim.objective - float(best)) <= _TOLERANCE * float(best)
            )
        # a tree outside of the program may be better
        bound = min(bound, best)
        return tree, (bound, "certificate") if bound > 0 else None

    def _conclude(  # noqa: PLR0913, PLR0917 (one call)
        self,
        tree: PolynomialTree,
        x: Rows,
        phi: Rows,
        y: list[Fraction],
        bound: Fraction,
        proof: str,
    ) -> None:
        count = len(y)
        self.tree_ = tree
        self.loss_ = float(_loss(tree, x, phi, y) / count)
        self.bound_, self.proof_ = float(bound / count), proof
        misses = (abs(tree.value(point) - value) for point, value in zip(x, y, strict=True))
        self.max_error_ = float(max(misses))

    def predict(self, X: Any) -> Floats:  # noqa: N803
        """The values at the points, each rounded once from the exact one."""
        _VALIDATE.check_is_fitted(self)
        with data_errors():
            x = np.asarray(_VALIDATE.validate_data(self, X, dtype=np.float64, reset=False))
        return np.array([float(self.tree_.value(list(map(Fraction, row)))) for row in x.tolist()])

    def to_model(self) -> Model:
        """The function as a `tamecheck.Model` with scalar inputs ``x0``, ``x1`` and so on."""
        from tamecheck.loaders import parse_expression
        from tamecheck.model import Model

        _VALIDATE.check_is_fitted(self)
        names = [f"x{k}" for k in range(int(self.n_features_in_))]
        # every input occurs, in order
        every = " + ".join(f"0*{name}" for name in names)
        return Model(parse_expression(f"{every} + {self.tree_.text(names)}"))


def _monomials(point: Sequence[Fraction], powers: Sequence[Sequence[int]]) -> list[Fraction]:
    made: list[Fraction] = []
    for power in powers:
        value = Fraction(1)
        for v, e in zip(point, power, strict=True):
            if e:
                value *= v**e
        made.append(value)
    return made


def _refitted(
    splits: tuple[Split, ...], powers: tuple[tuple[int, ...], ...], x: Rows, phi: Rows,
    y: list[Fraction],
) -> PolynomialTree:  # fmt: skip
    """The tree of these splits with the best polynomials."""
    empty = PolynomialTree(splits, powers, ())
    leaves = [empty.leaf(point) for point in x]
    fitted = [
        leaf_polynomial(
            [row for row, leaf in zip(phi, leaves, strict=True) if leaf == t] or [phi[0]],
            [v for v, leaf in zip(y, leaves, strict=True) if leaf == t],
        )
        for t in range(len(splits) + 1)
    ]
    return PolynomialTree(splits, powers, tuple(fitted))


def _loss(tree: PolynomialTree, x: Rows, phi: Rows, y: list[Fraction]) -> Fraction:
    """The sum of absolute errors."""
    return sum(
        (
            absolute_error([row], [v], tree.leaves[tree.leaf(point)])
            for point, row, v in zip(x, phi, y, strict=True)
        ),
        Fraction(0),
    )


def _fits(tree: PolynomialTree, x: Rows, y: list[Fraction]) -> bool:
    """Whether no error is larger than what rounding the values to floats explains."""
    least = _ROUNDING * max(map(abs, y))
    return all(abs(tree.value(p) - v) <= least for p, v in zip(x, y, strict=True))


def _data_bound(x: Rows, y: list[Fraction]) -> tuple[Fraction, str]:
    """What equal points with different values force on every function."""
    groups: defaultdict[tuple[Fraction, ...], list[Fraction]] = defaultdict(list)
    for point, value in zip(x, y, strict=True):
        groups[tuple(point)].append(value)
    total = Fraction(0)
    for values in groups.values():
        middle = sorted(values)[len(values) // 2]
        total += sum((abs(v - middle) for v in values), Fraction(0))
    return total, "data" if total else "trivial"
