"""Networks with a proof that no network of their size makes fewer errors.

``python examples/train_by_mip.py``
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from tamecheck.learn import MIPBinarizedClassifier

POINTS = [[-1, -1], [-1, 1], [1, -1], [1, 1]]


def main() -> None:
    """XOR with one and two hidden neurons, then handwritten 3 against 5 by CBC alone."""
    for hidden in (1, 2):
        trained = MIPBinarizedClassifier((hidden,), random_state=0).fit(POINTS, [0, 1, 1, 0])
        print(f"{trained.network_}: {trained.loss_:g} errors, at least {trained.bound_:g}")
        print(f"  proved by: {trained.proof_}")
    data = load_digits()
    rows = np.flatnonzero(np.isin(data.target, (3, 5)))[:40]
    images = np.where(data.data[rows] >= 8, 1, -1)
    trained = MIPBinarizedClassifier((8, 4), solver="cbc", random_state=0)
    trained.fit(images, data.target[rows])
    print(f"{trained.network_}: {trained.loss_:g} errors on 40 images, by CBC")


if __name__ == "__main__":
    main()
