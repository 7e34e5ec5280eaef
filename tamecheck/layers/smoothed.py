"""Oracles of the solution map of a program, which jumps and has derivative 0; approximations of it.

``x(c) = argmin c·x`` over a polytope or over integer points is piecewise constant: its true
derivative is 0 where there is one, so nothing is learned through it.  What is here is something
else, and says so in its type:

* a *perturbed* layer, the mean of x over random changes of the costs, which is smooth (Berthet and
  others 2020), with its *Fenchel-Young loss*, which is convex in the costs;
* *blackbox interpolation*, the slope of x between two costs (Pogančić and others 2020);
* the *SPO+ loss*, a convex bound of the regret (Elmachtoub and Grigas 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor, lcm
from typing import Any, Literal, TypeAlias, TypedDict, Unpack

import numpy as np

from tamecheck.budget import Budget
from tamecheck.errors import InputError, SolverError, UnsupportedError
from tamecheck.ir.program import Kind, Program
from tamecheck.ir.tensor import Array
from tamecheck.layers.kkt import cotangent_of
from tamecheck.programs.tree import Search

Oracle: TypeAlias = Callable[[Array], Array]
"""From costs ``(k, n)`` to a point ``(k, n)`` that minimises ``costs · x`` in each row."""

_MOST_POINTS = 1 << 18
_CHUNK = 1 << 22


def _points(points: Any) -> Array:
    listed = np.asarray(points, dtype=float)
    if listed.ndim != 2 or not len(listed) or not np.isfinite(listed).all():
        raise InputError("The points are a non-empty array of finite numbers, (number, n).")
    return listed


def points_oracle(points: Any) -> Oracle:
    """The best of listed points, the first one among equals: ``argmin over x in points of c·x``.

    Parameters
    ----------
    points
        Of shape ``(number, n)``.
    """
    listed = _points(points)
    rows = max(1, _CHUNK // len(listed))

    def best(costs: Array) -> Array:
        chosen = [(costs[k : k + rows] @ listed.T).argmin(1) for k in range(0, len(costs), rows)]
        return listed[np.concatenate(chosen)] if chosen else np.empty_like(costs)

    return best


def integer_points(program: Program) -> Array:
    """All feasible points of a program whose columns are all integer and bounded.

    Columns are fixed one after the other, and what no row allows any more is dropped, in integers:
    rows are brought to one denominator.  The columns of the result are those of the program.

    Raises
    ------
    UnsupportedError
        If a column is not integer, or more than 2^18 points are left at once.
    InputError
        If no point is feasible.
    """
    ranges: list[range] = []
    for column in program.columns:
        if column.kind is not Kind.INTEGER or column.lower is None or column.upper is None:
            raise UnsupportedError(
                f"Column {column.name!r} is no bounded integer column.", hint="Use program_oracle."
            )
        ranges.append(range(ceil(column.lower), floor(column.upper) + 1))
    if not all(ranges):
        raise InputError("The program is infeasible.")
    low, high = (np.array([values[k] for values in ranges], dtype=object) for k in (0, -1))
    matrix, lower, upper = _integer_rows(program, np.maximum(np.abs(low), np.abs(high)))
    low, high = low.astype(matrix.dtype), high.astype(matrix.dtype)
    # what the columns to come add to a row at least and at most
    least, most = np.minimum(matrix * low, matrix * high), np.maximum(matrix * low, matrix * high)
    points = np.zeros((1, 0), dtype=matrix.dtype)
    sums = np.zeros((1, len(matrix)), dtype=matrix.dtype)
    for j, values in enumerate(ranges):
        count = len(points) * len(values)
        if count > 2 * _MOST_POINTS:
            _refuse_points(count)
        column = np.repeat(np.array(values, dtype=matrix.dtype), len(points))
        points = np.column_stack([np.tile(points, (len(values), 1)), column])
        sums = np.tile(sums, (len(values), 1)) + column[:, None] * matrix[:, j]
        above = sums + least[:, j + 1 :].sum(1) <= upper
        below = sums + most[:, j + 1 :].sum(1) >= lower
        good = (above & below).all(1)
        points, sums = points[good], sums[good]
        if len(points) > _MOST_POINTS:
            _refuse_points(len(points))
    if not len(points):
        raise InputError("The program is infeasible.")
    # in lexicographic order, as a product of ranges has them
    found = points.astype(float)
    return found[np.lexsort(found.T[::-1])] if ranges else found


def _refuse_points(number: int) -> None:
    raise UnsupportedError(
        f"There are {number} points to look at; at most {_MOST_POINTS} are.",
        hint="Use program_oracle.",
    )


def _integer_rows(program: Program, sizes: Array) -> tuple[Array, Array, Array]:
    """The rows as integers with bounds, which no sum reaches where there are none."""
    matrix = np.zeros((len(program.rows), len(program.columns)), dtype=object)
    scales = [lcm(*(a.denominator for _, a in row.terms)) for row in program.rows]
    for i, (row, scale) in enumerate(zip(program.rows, scales, strict=True)):
        for j, a in row.terms:
            matrix[i, j] += int(a * scale)
    beyond = [int(total) + 1 for total in (np.abs(matrix) * sizes).sum(1)]
    lower = [-size for size in beyond]
    upper = list(beyond)
    for i, (row, scale) in enumerate(zip(program.rows, scales, strict=True)):
        if row.lower is not None:
            lower[i] = min(max(ceil(row.lower * scale), -beyond[i]), beyond[i])
        if row.upper is not None:
            upper[i] = min(max(floor(row.upper * scale), -beyond[i]), beyond[i])
    largest = max([*beyond, *(int(size) for size in sizes)], default=0)
    kind: Any = np.int64 if largest < 1 << 60 else object
    return matrix.astype(kind), np.array(lower, dtype=kind), np.array(upper, dtype=kind)


def program_oracle(program: Program, *, seconds: float = 60.0) -> Oracle:
    """Exact optima of a program with other costs, one proved search for each row of costs.

    Parameters
    ----------
    program
        Its costs do not count; its sense does: for a maximisation the costs are still minimised,
        so pass ``-values``.
    seconds
        For each search.

    Raises
    ------
    SolverError
        From the oracle, if a search does not end or finds no point.
    """

    def best(costs: Array) -> Array:
        return np.array([_best(program, row.tolist(), seconds) for row in costs], dtype=float)

    return best


def _best(program: Program, costs: Sequence[float], seconds: float) -> list[float]:
    sign = program.sense.sign
    columns = tuple(
        replace(column, cost=sign * Fraction(cost))
        for column, cost in zip(program.columns, costs, strict=True)
    )
    tree = Search(replace(program, columns=columns)).run(Budget.of(seconds))
    if tree.point is None or not tree.closed:
        raise SolverError(
            "The program has no optimum for some costs, or none was proved in time.",
            hint="Check that it is feasible and bounded; give more seconds.",
        )
    return [float(x) for x in tree.point]


@dataclass(frozen=True, slots=True)
class PointSolutions:
    """Solutions over listed points, exactly, with the next best point of each.

    The solution map ``costs -> solution`` ``jumps`` where another point is as good.  Elsewhere it
    is constant for all costs within ``radius`` (Euclidean), up to the jump to ``others``.
    """

    solutions: Array
    others: Array
    jumps: Array
    radius: Array

    @property
    def verdict(self) -> tuple[str, ...]:
        """What holds for the solution map at each of the costs."""
        return tuple(self._verdict(k) for k in range(len(self.jumps)))

    def _verdict(self, k: int) -> str:
        if self.jumps[k]:
            first, second = (
                "(" + ", ".join(f"{x:g}" for x in point[k]) + ")"
                for point in (self.solutions, self.others)
            )
            return (
                f"the solution map jumps at this cost, between {first} and {second}: it is not "
                f"Lipschitz and has no derivative"
            )
        return (
            f"the solution is unique and the same for all costs within {self.radius[k]:.3g}: "
            f"derivative 0"
        )


def point_solutions(points: Any, costs: Any) -> PointSolutions:
    """The best of listed points for each of the costs, and whether the solution map jumps there.

    Parameters
    ----------
    points
        ``(number, n)``, as `integer_points` lists them.
    costs
        ``(batch, n)`` or ``(n,)``, which are minimised; floats count as the rationals they are.
    """
    listed, given = np.unique(_points(points), axis=0), read_costs(costs)
    if listed.shape[1] != given.shape[1]:
        raise InputError(f"Points have {listed.shape[1]} entries, costs {given.shape[1]}.")
    best, other = np.empty_like(given), np.empty_like(given)
    jumps, radius = np.zeros(len(given), dtype=bool), np.full(len(given), np.inf)
    for k, cost in enumerate(given):
        values = listed @ cost
        size = np.abs(listed) @ np.abs(cost)
        near = np.flatnonzero(values <= values.min() + 1e-12 * (1 + listed.shape[1]) * size.max())
        exact = [_exact_value(cost, listed[i]) for i in near]
        first = int(near[exact.index(min(exact))])
        best[k] = other[k] = listed[first]
        equal = [int(i) for i, value in zip(near, exact, strict=True) if value == min(exact)]
        jumps[k] = len(equal) > 1
        if jumps[k]:
            other[k], radius[k] = listed[equal[1]], 0.0
        elif len(listed) > 1:
            lengths = np.linalg.norm(listed - listed[first], axis=1)
            lengths[first] = np.inf
            gaps = np.maximum(values - values[first], 0.0)
            for i, value in zip(near, exact, strict=True):
                gaps[i] = float(value - min(exact))
            ratio = np.where(np.isfinite(lengths), gaps / lengths, np.inf)
            other[k], radius[k] = listed[ratio.argmin()], ratio.min()
    return PointSolutions(best, other, jumps, radius)


def _exact_value(cost: Array, point: Array) -> Fraction:
    pairs = zip(cost.tolist(), point.tolist(), strict=True)
    return sum((Fraction(a) * Fraction(b) for a, b in pairs), Fraction(0))


def read_costs(values: Any) -> Array:
    """Costs or targets ``(batch, n)``."""
    given = np.atleast_2d(np.asarray(values, dtype=float))
    if given.ndim != 2 or not np.isfinite(given).all():
        raise InputError("Costs and targets are finite numbers of shape (batch, n) or (n,).")
    return given


Noise = Literal["gaussian", "gumbel"]

_DRAW: dict[str, Callable[[np.random.Generator, tuple[int, ...]], Array]] = {
    "gaussian": lambda rng, shape: rng.standard_normal(shape),
    # minima of costs: the negative of a Gumbel variable, centred
    "gumbel": lambda rng, shape: np.euler_gamma - rng.gumbel(size=shape),
}
_SCORE: dict[str, Callable[[Array], Array]] = {
    # minus the gradient of the logarithm of the density
    "gaussian": lambda z: z,
    "gumbel": lambda z: np.exp(z - np.euler_gamma) - 1,
}


@dataclass(frozen=True, slots=True)
class PerturbedApproximation:
    """The mean of the solutions for costs with noise: *not* the solution map, a smooth substitute.

    ``mean`` is estimated from ``solutions`` of shape ``(samples, batch, n)``, whose costs were
    changed by ``size`` times the ``noise`` of that ``kind``.
    """

    mean: Array
    solutions: Array
    noise: Array
    kind: Noise
    size: float

    @property
    def approximation(self) -> str:
        """What this stands for, in a sentence."""
        return (
            f"the mean of {len(self.noise)} solutions for costs with {self.kind} noise of scale "
            f"{self.size}: a smooth approximation of the solution map, not its derivative"
        )

    def vjp(self, cotangent: Any) -> Array:
        """An unbiased estimate of the gradient of ``Σ cotangent · E x`` in the costs.

        ``d E x(c + σZ) / dc = E[(x - mean) s(Z)ᵀ] / σ`` with the score s of the noise.
        """
        given = cotangent_of(cotangent, self.mean.shape)
        count = len(self.noise)
        if count < 2:
            raise InputError("One sample shows no change.", hint="Take at least two samples.")
        weight = ((self.solutions - self.mean) * given).sum(2, keepdims=True)
        # the mean is of the same samples, so that one degree of freedom is lost
        return (weight * _SCORE[self.kind](self.noise)).sum(0) / (self.size * (count - 1))


class Sampling(TypedDict, total=False):
    """How the mean of `perturbed_layer` is estimated; the meaning and the defaults are there."""

    size: float
    samples: int
    noise: Noise
    seed: int


def perturbed_layer(  # noqa: PLR0913 (options, by keyword only)
    oracle: Oracle,
    costs: Any,
    *,
    size: float = 1.0,
    samples: int = 16,
    noise: Noise = "gaussian",
    seed: int = 0,
) -> PerturbedApproximation:
    """``E argmin (c + size·Z)·x``, estimated from samples.

    Parameters
    ----------
    oracle
        From costs to solutions, as `points_oracle` and `program_oracle` make.
    costs
        ``(batch, n)`` or ``(n,)``.
    size, samples, noise
        The scale of the noise, how many draws, and ``"gaussian"`` or ``"gumbel"``.
    seed
        Of the noise: the same seed gives the same answer.
    """
    given = read_costs(costs)
    if noise not in _DRAW:
        raise InputError(f"The noise is one of {', '.join(_DRAW)}, not {noise!r}.")
    if not (size > 0 and np.isfinite(size)) or samples < 1:
        raise InputError("The size of the noise and the number of samples are positive.")
    drawn = _DRAW[noise](np.random.default_rng(seed), (samples, *given.shape))
    changed = (given + size * drawn).reshape(-1, given.shape[1])
    solutions = _solve(oracle, changed).reshape(drawn.shape)
    return PerturbedApproximation(solutions.mean(0), solutions, drawn, noise, size)


@dataclass(frozen=True, slots=True)
class FenchelYoungApproximation:
    """A convex loss in the costs whose gradient is ``target - perturbed mean``.

    Its value is ``c·target - E min (c + σZ)·x`` for each of the batch, estimated: the Fenchel-Young
    loss without the part that depends on the target only.
    """

    value: Array
    gradient: Array
    perturbed: PerturbedApproximation


def fenchel_young_loss(
    oracle: Oracle, costs: Any, target: Any, **options: Unpack[Sampling]
) -> FenchelYoungApproximation:
    """The Fenchel-Young loss of the perturbed layer, least where its mean is the target.

    Parameters
    ----------
    target
        Observed solutions, of the shape of the costs; the rest as for `perturbed_layer`.
    """
    given, wanted = read_costs(costs), read_costs(target)
    if wanted.shape != given.shape:
        raise InputError(f"The target has shape {wanted.shape}, the costs {given.shape}.")
    found = perturbed_layer(oracle, given, **options)
    least = ((given + found.size * found.noise) * found.solutions).sum(2).mean(0)
    return FenchelYoungApproximation((given * wanted).sum(1) - least, wanted - found.mean, found)


@dataclass(frozen=True, slots=True)
class BlackboxInterpolation:
    """Solutions with a substitute for their derivative: the slope between two costs.

    The ``costs`` of the ``solutions`` are moved along the cotangent by ``size`` times it.
    """

    solutions: Array
    costs: Array
    oracle: Oracle
    size: float

    @property
    def approximation(self) -> str:
        """What its gradient stands for, in a sentence."""
        return (
            f"the slope of the solution when the costs move by {self.size} times the cotangent: a "
            f"gradient of an interpolation, while the derivative of the solution map is 0 or none"
        )

    def vjp(self, cotangent: Any) -> Array:
        """``(x(c + size·g) - x(c)) / size`` for a cotangent g, one more solution each."""
        given = cotangent_of(cotangent, self.costs.shape)
        moved = _solve(self.oracle, self.costs + self.size * given)
        return (moved - self.solutions) / self.size


def blackbox_layer(oracle: Oracle, costs: Any, *, size: float = 10.0) -> BlackboxInterpolation:
    """Solutions of the program, with interpolated gradients.

    Parameters
    ----------
    oracle, costs
        As for `perturbed_layer`.
    size
        The step of the interpolation: small is faithful and flat, large is smooth and biased.
    """
    given = read_costs(costs)
    if not (size > 0 and np.isfinite(size)):
        raise InputError("The size of the interpolation is positive.")
    return BlackboxInterpolation(_solve(oracle, given), given, oracle, size)


@dataclass(frozen=True, slots=True)
class SpoPlusBound:
    """A convex upper bound of the regret of each of the batch, and a subgradient ``(batch, n)``."""

    value: Array
    gradient: Array


def spo_plus_loss(oracle: Oracle, costs: Any, true_costs: Any) -> SpoPlusBound:
    """``max (c - 2ĉ)·x + 2ĉ·x*(c) - c·x*(c)`` for predicted costs ĉ and true costs c."""
    predicted, true = read_costs(costs), read_costs(true_costs)
    if predicted.shape != true.shape:
        raise InputError(f"The costs have shapes {predicted.shape} and {true.shape}.")
    best = _solve(oracle, true)
    worst = _solve(oracle, 2 * predicted - true)
    value = ((2 * predicted - true) * (best - worst)).sum(1)
    return SpoPlusBound(value, 2 * (best - worst))


def _solve(oracle: Oracle, costs: Array) -> Array:
    found = np.asarray(oracle(costs), dtype=float)
    if found.shape != costs.shape:
        raise InputError(f"The oracle gives shape {found.shape} for costs of {costs.shape}.")
    return found
