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

from tamecheck.learn.network import Floats
from tamecheck.learn.problems import DataError, data_errors
from tamecheck.learn.regression_encoding import tree_point, tree_program
from tamecheck.learn.regression_leaves import absolute_error, leaf_polynomial
from tamecheck.learn.regression_search import search_tree
from tamecheck.learn.regression_tree import PolynomialTree, Split, exponents, monomials
from tamecheck.solve.children import SOLVERS, claims
from tamecheck.solve.claims import FeasibleClaim, OptimalClaim, UnknownClaim

if TYPE_CHECKING:
    from tamecheck.model import Model

__all__ = ["PiecewisePolynomialRegressor"]

# scikit-learn has no stubs
_VALIDATE = cast("Any", validation)
_UTILS = cast("Any", utils)

_SECONDS = 60.0
_TOLERANCE = 1e-6
_MOST_TERMS = 200_000
_GAP = Fraction(1, 10_000)

Rows = list[list[Fraction]]


class PiecewisePolynomialRegressor(RegressorMixin, BaseEstimator):
    """A tree of half-spaces with a polynomial in each leaf, of least mean absolute error.

    A search (growth with lookahead, then alternation between splits and leaves) gives a start; the
    polynomials are refitted in rational arithmetic.  Where the error attains what the data alone
    prove (0, unless equal points have different values), the tree is optimal; else the program of
    Nemecek, Bareilles, Aspman, Marecek (2023), with true monomials, goes to CBC and HiGHS.

    Parameters
    ----------
    depth
        Of the tree: ``2 ** depth`` leaves.
    order
        The degree of the polynomials.
    splits
        ``"axis"`` (one feature a split) or ``"affine"``.
    solvers
        Of ``"cbc"`` and ``"highs"``.
    timeout
        Seconds; 60 if None.
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
        ``"two-solvers"`` or ``"one-solver"`` (with coefficients of at most ``largest_``, and points
        on the left at least 1/10000 below a threshold, at directions within [-1, 1]).
    optimal_ : bool
        Whether the loss attains the bound, or every exact value rounds to the given float.
    largest_ : float
        The bound on coefficients in the program.
    notes_ : tuple of str
        What solvers failed at.
    """

    n_features_in_: int

    def __init__(  # noqa: PLR0913  # scikit-learn wants every parameter by name
        self,
        depth: int = 2,
        *,
        order: int = 1,
        splits: str = "axis",
        solvers: Sequence[str] = SOLVERS,
        timeout: float | None = None,
        random_state: Any = None,
    ) -> None:
        self.depth = depth
        self.order = order
        self.splits = splits
        self.solvers = solvers
        self.timeout = timeout
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
        seconds = _SECONDS if self.timeout is None else float(self.timeout)
        seed = int(_UTILS.check_random_state(self.random_state).randint(2**31 - 1))
        powers = exponents(x.shape[1], int(self.order))
        found = search_tree(
            x, monomials(x, powers), values, depth=int(self.depth), axis=self.splits == "axis",
            rng=np.random.default_rng(seed), seconds=0.4 * seconds,
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
        if _loss(tree, points, phi, exact) > bound and not _rounds(tree, points, values):
            tree, proved = self._improved(tree, points, phi, exact, max(1.0, left), seed)
            if proved is not None:
                bound, proof = proved
        self._conclude(tree, points, phi, exact, bound, proof)
        self.optimal_ = self.loss_ == self.bound_ or _rounds(tree, points, values)
        return self

    def _check_parameters(self) -> None:
        for name, least in (("depth", 0), ("order", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or int(value) != value or value < least:
                raise DataError(f"{name}={value!r} is no natural number.")
        if self.splits not in {"axis", "affine"}:
            raise DataError(f"splits={self.splits!r} is unknown.", hint="There are: axis, affine.")
        unknown = [name for name in self.solvers if name not in SOLVERS]
        if unknown or not self.solvers:
            raise DataError(f"solvers={self.solvers!r} are unknown.", hint="There are: cbc, highs.")
        if self.timeout is not None and not float(self.timeout) > 0:
            raise DataError(f"timeout={self.timeout!r} is no positive number.")

    def _improved(  # noqa: PLR0913, PLR0917 (one call)
        self, tree: PolynomialTree, x: Rows, phi: Rows, y: list[Fraction], seconds: float, seed: int
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
        start = tree_point(made, tree, x, phi, y)
        said = claims(
            made.program, solvers=tuple(self.solvers), seconds=seconds, seed=seed, incumbent=start
        )
        self.notes_ = tuple(f"{c.solver}: {c.why}." for c in said if isinstance(c, UnknownClaim))
        for claim in said:
            if isinstance(claim, OptimalClaim | FeasibleClaim):
                other = _refitted(made.splits(claim.x), tree.powers, x, phi, y)
                tree = min(tree, other, key=lambda t: _loss(t, x, phi, y))
        best = _loss(tree, x, phi, y)
        tolerance = _TOLERANCE * max(1.0, float(best))
        agreeing = [
            claim.solver
            for claim in said
            if isinstance(claim, OptimalClaim) and abs(claim.objective - float(best)) <= tolerance
        ]
        if not agreeing:
            return tree, None
        return tree, (best, "two-solvers" if len(agreeing) > 1 else "one-solver")

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
        from tamecheck.load import parse_expression
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


def _rounds(tree: PolynomialTree, x: Rows, y: Floats) -> bool:
    """Whether every exact value, rounded to a float, is the given one."""
    return all(float(tree.value(p)) == v for p, v in zip(x, y.tolist(), strict=True))


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
