"""Approximations of the solution map of a program, which itself jumps and has derivative 0.

``x(c) = argmin c·x`` over a polytope or over integer points is piecewise constant: its true
derivative is 0 where there is one, so nothing is learned through it.  What is here is something
else, and says so in its type:

* a *perturbed* layer, the mean of x over random changes of the costs, which is smooth (Berthet and
  others 2020), with its *Fenchel-Young loss*, which is convex in the costs;
* *blackbox interpolation*, the slope of x between two costs (Pogančić and others 2020);
* the *SPO+ loss*, a convex bound of the regret (Elmachtoub and Grigas 2022).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array
from tamecheck.layers.kkt import cotangent_of
from tamecheck.layers.oracles import Oracle, read_costs

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


def fenchel_young_loss(  # noqa: PLR0913 (options, by keyword only)
    oracle: Oracle,
    costs: Any,
    target: Any,
    *,
    size: float = 1.0,
    samples: int = 16,
    noise: Noise = "gaussian",
    seed: int = 0,
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
    found = perturbed_layer(oracle, given, size=size, samples=samples, noise=noise, seed=seed)
    least = ((given + size * found.noise) * found.solutions).sum(2).mean(0)
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
