"""A batch of quadratic programs, forward and backward, beside qpth; run by hand.

    python benchmarks/layers.py

qpth and torch are optional; without them only our own time and error are printed.  The error is
that of the gradient of ``Σ g·y`` in q against the exact KKT system at the optimum, solved in
extended steps from the polished active set by a dense reference.
"""

from __future__ import annotations

import time

import numpy as np

from tamecheck.layers.quadratic import QuadraticSolution, quadratic_layer

BATCH, SIZE, ROWS = 128, 50, 20


def problems(seed: int) -> tuple[np.ndarray, ...]:
    """Random strictly convex programs with the origin inside."""
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((BATCH, SIZE, SIZE))
    return (
        root @ root.mT / SIZE + 0.1 * np.eye(SIZE),
        rng.standard_normal((BATCH, SIZE)),
        rng.standard_normal((BATCH, ROWS, SIZE)),
        rng.random((BATCH, ROWS)) * 0.3,
        rng.standard_normal((BATCH, SIZE)),
    )


def reference(found: QuadraticSolution, data: tuple[np.ndarray, ...]) -> np.ndarray:
    """The gradient in q by the full KKT matrix of the active constraints."""
    quadratic, _, rows, _, cotangent = data
    gradients = np.empty_like(cotangent)
    for k in range(BATCH):
        active = rows[k][found.active[k]]
        count = len(active)
        matrix = np.block([[quadratic[k], active.T], [active, np.zeros((count, count))]])
        right = np.concatenate([cotangent[k], np.zeros(count)])
        gradients[k] = -np.linalg.solve(matrix, right)[:SIZE]
    return gradients


def best(run: object, times: int = 7) -> float:
    """The least time of several runs, in seconds."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        run()  # type: ignore[operator]
        spent.append(time.perf_counter() - start)
    return min(spent)


def main() -> None:
    """Print times, their ratio, and the worst gradient errors."""
    data = problems(0)
    quadratic, linear, rows, right, cotangent = data

    def ours() -> np.ndarray:
        return quadratic_layer(quadratic, linear, rows, right).vjp(cotangent).q

    found = quadratic_layer(quadratic, linear, rows, right)
    expected = reference(found, data)
    scale = np.abs(expected).max(1)
    strict = found.complementarity > 1e-6
    error = (np.abs(ours() - expected).max(1) / scale)[strict].max()
    mine = best(ours)
    print(f"tamecheck  {mine:.4f} s, worst relative gradient error {error:.1e}, "
          f"{int((~strict).sum())} nearly weakly active")  # fmt: skip
    try:
        import torch
        from qpth.qp import QPFunction
    except ImportError as missing:
        print(f"qpth       not installed ({missing})")
        return
    tensors = [torch.from_numpy(a) for a in (quadratic, linear, rows, right)]
    tensors[1].requires_grad_()
    empty = torch.zeros(0, dtype=torch.float64)
    seed = torch.from_numpy(cotangent)

    def peer() -> torch.Tensor:
        y = QPFunction(verbose=-1)(*tensors, empty, empty)
        return torch.autograd.grad((y * seed).sum(), tensors[1])[0]

    theirs = best(peer)
    error = (np.abs(peer().numpy() - expected).max(1) / scale)[strict].max()
    print(f"qpth       {theirs:.4f} s, worst relative gradient error {error:.1e}")
    print(f"ratio      {mine / theirs:.2f}")


if __name__ == "__main__":
    main()
