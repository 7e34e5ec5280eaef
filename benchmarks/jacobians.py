"""One conservative Jacobian a point, 784-256-256-10 ReLU net: the batch beside bare products.

Run: python benchmarks/jacobians.py.  Where PyTorch is installed, `vmap(jacrev)` runs beside them.
"""

import importlib.util
import time
from collections.abc import Callable

import numpy as np
from cells import Weights, network

from tamecheck.derivative import gradient
from tamecheck.ir.tensor import Array


def masked_products(weights: Weights, points: Array) -> Array:
    """The same by hand, with nothing but the matrix products."""
    (w1, b1), (w2, b2), (w3, _) = weights
    first = points @ w1 + b1
    second = np.maximum(first, 0) @ w2 + b2
    rows = (w3.T[None] * (second > 0)[:, None]).reshape(-1, w2.shape[1]) @ w2.T
    rows = rows.reshape(len(points), -1, w1.shape[1]) * (first > 0)[:, None]
    return (rows.reshape(-1, w1.shape[1]) @ w1.T).reshape(len(points), -1, w1.shape[0])


def by_torch(weights: Weights, points: Array) -> Callable[[], Array]:
    """PyTorch's batched reverse mode."""
    import torch

    tensors = [(torch.from_numpy(w), torch.from_numpy(b)) for w, b in weights]

    def net(x: torch.Tensor) -> torch.Tensor:
        for w, b in tensors[:-1]:
            x = torch.relu(x @ w + b)
        return x @ tensors[-1][0] + tensors[-1][1]

    batch = torch.from_numpy(points)
    jacobians = torch.func.vmap(torch.func.jacrev(net))
    return lambda: jacobians(batch).numpy()


def main() -> None:
    graph, weights = network([784, 256, 256, 10], 0)
    for dtype in ("float32", "float64"):
        points = np.random.default_rng(0).normal(size=(1000, 784)).astype(dtype)
        cast = [(w.astype(dtype), b.astype(dtype)) for w, b in weights]
        runs: dict[str, Callable[[], Array]] = {
            "tamecheck": lambda p=points, d=dtype: gradient(graph, p, dtype=d),
            "products": lambda p=points, c=cast: masked_products(c, p),
        }
        if importlib.util.find_spec("torch") is not None:
            runs["vmap(jacrev)"] = by_torch(cast, points)
        times: dict[str, list[float]] = {name: [] for name in runs}
        answers: dict[str, Array] = {}
        for _ in range(5):
            for name, run in runs.items():
                start = time.perf_counter()
                answers[name] = run()
                times[name].append((time.perf_counter() - start) * 1e6 / len(points))
        line = dtype
        for name, spent in times.items():
            gap = np.abs(answers["tamecheck"] - answers[name]).max()
            line += f"; {name} {np.median(spent):.0f} µs a point, largest gap {gap:.1e}"
        print(line)


if __name__ == "__main__":
    main()
