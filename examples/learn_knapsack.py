"""Learn the values of knapsack items from features: regret beside two baselines.

Weights are known, values depend on features through an unknown linear map plus noise.  The layer
is the *perturbed* knapsack: the mean solution over random changes of the values.  It is a smooth
approximation of the solution map, which itself jumps and has derivative 0 almost everywhere; the
Fenchel-Young loss makes its gradient ``perturbed solution - true solution``.
Baselines: SPO+ (Elmachtoub and Grigas) and blackbox interpolation (Pogančić and others).
"""

from __future__ import annotations

import numpy as np

ITEMS, FEATURES, INSTANCES, CAPACITY = 10, 5, 200, 20


def knapsack(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Best 0/1 choices for a batch of values, by dynamic programming over integer weights."""
    batch = len(values)
    best = np.zeros((ITEMS + 1, batch, CAPACITY + 1))
    for i, weight in enumerate(weights):
        best[i + 1] = best[i]
        with_item = best[i][:, : CAPACITY + 1 - weight] + values[:, i : i + 1]
        best[i + 1][:, weight:] = np.maximum(best[i][:, weight:], with_item)
    chosen = np.zeros((batch, ITEMS))
    room = np.full(batch, CAPACITY)
    rows = np.arange(batch)
    for i in range(ITEMS - 1, -1, -1):
        take = best[i + 1][rows, room] > best[i][rows, room]
        chosen[take, i] = 1
        room = room - take * weights[i]
    return chosen


def data(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, true values and weights."""
    rng = np.random.default_rng(seed)
    features = np.concatenate(
        [rng.standard_normal((INSTANCES, FEATURES)), np.ones((INSTANCES, 1))], 1
    )
    hidden = rng.standard_normal((FEATURES + 1, ITEMS))
    hidden[-1] += 3
    values = features @ hidden + 0.05 * rng.standard_normal((INSTANCES, ITEMS))
    return features, values, rng.integers(2, 8, ITEMS)


def regret(features: np.ndarray, values: np.ndarray, weights: np.ndarray, w: np.ndarray) -> float:
    """Mean loss of true value when the choice follows the predicted values."""
    best = (values * knapsack(values, weights)).sum(1)
    return float((best - (values * knapsack(features @ w, weights)).sum(1)).mean())


def perturbed(predicted: np.ndarray, values: np.ndarray, weights: np.ndarray,
              rng: np.random.Generator) -> np.ndarray:  # fmt: skip
    """The gradient of the Fenchel-Young loss of the perturbed layer."""
    draws = 8
    noise = rng.standard_normal((draws, *predicted.shape))
    mean = sum(knapsack(predicted + z, weights) for z in noise) / draws
    return mean - knapsack(values, weights)


def spo_plus(predicted: np.ndarray, values: np.ndarray, weights: np.ndarray,
             rng: np.random.Generator) -> np.ndarray:  # fmt: skip
    """A subgradient of the SPO+ loss."""
    del rng
    return 2 * (knapsack(2 * predicted - values, weights) - knapsack(values, weights))


def blackbox(predicted: np.ndarray, values: np.ndarray, weights: np.ndarray,
             rng: np.random.Generator) -> np.ndarray:  # fmt: skip
    """The slope of the interpolated regret."""
    del rng
    size = 10.0
    # the regret's derivative in the choice is -values; maximisation flips the sign
    return (knapsack(predicted, weights) - knapsack(predicted + size * values, weights)) / size


def train(
    rule: object, features: np.ndarray, values: np.ndarray, weights: np.ndarray
) -> list[float]:
    """Regret before and after 300 steps of Adam from zero predictions plus noise."""
    rng = np.random.default_rng(0)
    w = 0.1 * rng.standard_normal((features.shape[1], ITEMS))
    history = [regret(features, values, weights, w)]
    mean, square = np.zeros_like(w), np.zeros_like(w)
    for step in range(1, 301):
        slope = rule(features @ w, values, weights, rng)  # type: ignore[operator]
        gradient = features.T @ slope / len(features)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        w = w - 0.1 * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    history.append(regret(features, values, weights, w))
    return history


def main() -> None:
    """Print the regret of each rule before and after."""
    features, values, weights = data(0)
    for name, rule in (("perturbed", perturbed), ("SPO+", spo_plus), ("blackbox", blackbox)):
        before, after = train(rule, features, values, weights)
        print(f"{name:10} regret {before:.3f} -> {after:.4f}  ({1 - after / before:.1%} less)")


if __name__ == "__main__":
    main()
