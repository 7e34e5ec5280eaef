"""Learn the penalty of a Lasso by gradient descent on the validation error."""

from __future__ import annotations

import math

import numpy as np

import tamecheck as tc


def main() -> None:
    """Descend in the logarithm of the penalty, with the exact derivative of the coefficients."""
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((80, 12))
    target = matrix[:, :3] @ [2.0, -1.0, 0.5] + rng.standard_normal(80)
    fit, check = slice(0, 40), slice(40, 80)
    log_penalty = math.log(20.0)
    for step in range(41):
        penalty = math.exp(log_penalty)
        found = tc.layers.lasso_layer(matrix[fit], target[fit], penalty)
        rest = matrix[check] @ found.coefficients - target[check]
        slope = rest @ (matrix[check] @ found.derivative) * penalty / 40
        if step % 10 == 0:
            kink = ", at a kink" if found.edge else ""
            print(f"penalty {penalty:.3f}: validation error {rest @ rest / 80:.4f}{kink}")
        log_penalty -= 0.3 * slope


if __name__ == "__main__":
    main()
