"""Train an equilibrium network that stays monotone, so that its derivative is proved to exist."""

from __future__ import annotations

import numpy as np

import tamecheck as tc


def weights(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``W = (1 - m) I - AᵀA + B - Bᵀ`` with m = 0.2, so that I - W >= 0.2 I."""
    return 0.8 * np.eye(len(a)) - a.T @ a + b - b.T


def main() -> None:
    """Fit sin on [-2, 2] with 16 units."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 16, 16)) / 4
    u, shift, readout = rng.standard_normal((16, 1)), rng.standard_normal(16), np.zeros(16)
    x = np.linspace(-2, 2, 40)[:, None]
    target = np.sin(2 * x[:, 0])
    for step in range(201):
        found = tc.layers.equilibrium_layer(weights(a, b), u, shift, x)
        rest = found.z @ readout - target
        if step % 50 == 0:
            print(f"step {step}: error {np.mean(rest**2):.4f}; {found.monotone.why}")
        slopes = found.vjp(np.outer(rest, readout) / len(x))
        rate = 0.05
        readout = readout - rate * rest @ found.z / len(x)
        skew = slopes.W - slopes.W.T
        a, b = a + rate * a @ (slopes.W + slopes.W.T), b - rate * skew
        u, shift = u - rate * slopes.U, shift - rate * slopes.b


if __name__ == "__main__":
    main()
