"""Five images a digit: neurons of largest margin for every pair of digits, which vote.

``python examples/ensemble.py``
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from tamecheck.learn import MIPBinarizedEnsemble


def main() -> None:
    """Train on 50 images, test on the others, and show how close the margins are to their bound."""
    data = load_digits()
    rng = np.random.default_rng(0)
    train = np.concatenate(
        [rng.permutation(np.flatnonzero(data.target == c))[:5] for c in range(10)]
    )
    test = np.setdiff1d(np.arange(len(data.target)), train)
    for weights in ("real", "ternary"):
        ensemble = MIPBinarizedEnsemble(3, weights=weights, random_state=0)
        ensemble.fit(data.data[train], data.target[train])
        least = min(float(m.margin / m.bound) for m in ensemble.margins_)
        print(f"{ensemble.network_}")
        print(f"  {ensemble.score(data.data[test], data.target[test]):.1%} of the other images")
        print(f"  every margin is at least {least:.6f} of what its features allow (proved)")


if __name__ == "__main__":
    main()
