"""Learn the values of knapsack items from features: three substitutes for a derivative of 0.

Weights are known, values depend on features through an unknown linear map plus noise.  The
solution map of the knapsack jumps and has derivative 0 almost everywhere, so it is learned through
an approximation: the perturbed layer with its Fenchel-Young loss, blackbox interpolation of the
regret, or the SPO+ bound of the regret.  Prints the regret on the 200 instances that are trained
on and on 200 others.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

import tamecheck as tc
from tamecheck.ir.program import Column, Kind, Program, Row, Sense

ITEMS, FEATURES, INSTANCES, CAPACITY, STEPS = 10, 5, 200, 20, 300


def knapsack(weights: np.ndarray) -> Program:
    """Choose items of the largest value whose weights fit."""
    columns = tuple(
        Column(f"item{j}", Fraction(0), Fraction(1), Kind.INTEGER) for j in range(ITEMS)
    )
    terms = tuple((j, Fraction(int(w))) for j, w in enumerate(weights))
    return Program(columns, (Row("capacity", terms, None, Fraction(CAPACITY)),), Sense.MAXIMISE)


def instances(rng: np.random.Generator, hidden: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features with a constant, and the costs (minus the values) of all items."""
    features = rng.standard_normal((INSTANCES, FEATURES))
    features = np.concatenate([features, np.ones((INSTANCES, 1))], axis=1)
    values = features @ hidden + 0.05 * rng.standard_normal((INSTANCES, ITEMS))
    return features, -values


Slope = Callable[[np.ndarray, int], np.ndarray]


def train(slope: Slope, features: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The weights after some steps of Adam; ``slope`` is a loss's gradient in the costs."""
    w = start.copy()
    mean, square = np.zeros_like(w), np.zeros_like(w)
    for step in range(1, STEPS + 1):
        gradient = features.T @ slope(features @ w, step) / len(features)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        w -= 0.1 * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    return w


def main() -> None:
    """Print the regret of each rule before and after."""
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((FEATURES + 1, ITEMS))
    hidden[-1] += 3
    program = knapsack(rng.integers(2, 8, ITEMS))
    solve = tc.layers.points_oracle(tc.layers.integer_points(program))
    features, costs = instances(rng, hidden)
    new_features, new_costs = instances(rng, hidden)
    chosen = solve(costs)

    def regret(w: np.ndarray, inputs: np.ndarray, true: np.ndarray) -> float:
        best = (true * solve(true)).sum(1)
        return float(((true * solve(inputs @ w)).sum(1) - best).mean())

    def perturbed(predicted: np.ndarray, step: int) -> np.ndarray:
        return tc.layers.fenchel_young_loss(solve, predicted, chosen, samples=8, seed=step).gradient

    def blackbox(predicted: np.ndarray, step: int) -> np.ndarray:
        del step
        # the regret's gradient in the solution is the true costs
        return tc.layers.blackbox_layer(solve, predicted, size=10.0).vjp(costs)

    def spo_plus(predicted: np.ndarray, step: int) -> np.ndarray:
        del step
        return tc.layers.spo_plus_loss(solve, predicted, costs).gradient

    start = 0.1 * rng.standard_normal((FEATURES + 1, ITEMS))
    before = regret(start, features, costs)
    new_before = regret(start, new_features, new_costs)
    print(f"{'':12}{'trained':>10}{'reduced':>10}{'new':>10}{'reduced':>10}")
    print(f"{'start':12}{before:10.4f}{'':10}{new_before:10.4f}")
    for name, slope in (("perturbed", perturbed), ("blackbox", blackbox), ("SPO+", spo_plus)):
        w = train(slope, features, start)
        after, new = regret(w, features, costs), regret(w, new_features, new_costs)
        print(f"{name:12}{after:10.4f}{1 - after / before:10.1%}{new:10.4f}"
              f"{1 - new / new_before:10.1%}")  # fmt: skip


if __name__ == "__main__":
    main()
