"""XOR with one and with two hidden neurons: the fewest errors, and why there are no fewer.

``python examples/train_by_mip.py``
"""

from __future__ import annotations

from tamecheck.learn import MIPBinarizedClassifier, PiecewisePolynomialRegressor

POINTS = [[-1, -1], [-1, 1], [1, -1], [1, 1]]


def main() -> None:
    """Train, and say what the bound rests on; then fit |x|."""
    for hidden in (1, 2):
        trained = MIPBinarizedClassifier((hidden,), random_state=0).fit(POINTS, [0, 1, 1, 0])
        print(f"{trained.network_}: {trained.loss_:g} errors, at least {trained.bound_:g}")
        print(f"  proved by: {trained.proof_}")
    line = [[k / 4] for k in range(-4, 5)]
    fitted = PiecewisePolynomialRegressor(1, random_state=0).fit(line, [abs(x[0]) for x in line])
    print(f"|x| in two pieces: error {fitted.loss_:g}, at least {fitted.bound_:g}")


if __name__ == "__main__":
    main()
