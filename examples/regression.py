"""A function from points alone: its pieces, what is missed, and a model to check.

``python examples/regression.py``
"""

from __future__ import annotations

import numpy as np

from tamecheck.learn import PiecewisePolynomialRegressor


def main() -> None:
    """Fit max(|x|, |y|) exactly, and a step that one cut cannot make."""
    points = np.random.default_rng(0).integers(-20, 21, (80, 2))
    values = np.abs(points).max(axis=1)
    fitted = PiecewisePolynomialRegressor(2, splits="affine", random_state=0).fit(points, values)
    print(f"max(|x0|, |x1|): mean error {fitted.loss_:g}, at least {fitted.bound_:g}")
    print(f"  {fitted.tree_.text(['x0', 'x1'])}")
    print(f"  {fitted.to_model().check().verdict.value}")
    step = PiecewisePolynomialRegressor(1, order=0, random_state=0).fit([[0], [1], [2]], [0, 1, 0])
    print(f"one step for 0, 1, 0: mean error {step.loss_:.4f}, at least {step.bound_:.4f}")
    print(f"  what says so: {step.proof_}")


if __name__ == "__main__":
    main()
