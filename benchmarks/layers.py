"""Layers beside qpth and diffcp, and against references; run by hand.

    python benchmarks/layers.py

qpth, diffcp and torch are optional; what is missing is said.  Times are CPU times of one thread,
the least of several runs that alternate.  A gradient's error is in the max norm, relative to that
of the reference: the KKT system of the active rows in 300-bit balls.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
from flint import arb_mat, ctx
from threadpoolctl import threadpool_limits

from tamecheck.layers import (
    QuadraticSolution,
    conic_layer,
    elastic_net_layer,
    quadratic_layer,
    support_vector_layer,
)

BATCH, SIZE, ROWS = 128, 50, 20
Data = tuple[np.ndarray, ...]


def programs(
    seed: int, *, equations: int = 0, condition: float = 0.0, weak: float = 0.0, copies: int = 0
) -> Data:
    """Random strictly convex programs ``Q, q, G, h, A, b`` and a cotangent.

    With ``condition`` the eigenvalues of Q are spread over it; with ``weak`` the least multiplier
    of each program is made about as large; ``copies`` rows are there twice.
    """
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((BATCH, SIZE, SIZE))
    quadratic = root @ root.mT / SIZE + 0.1 * np.eye(SIZE)
    if condition:
        basis, _ = np.linalg.qr(root)
        quadratic = (basis * np.logspace(0, -np.log10(condition), SIZE)) @ basis.mT
        quadratic = (quadratic + quadratic.mT) / 2
    linear = rng.standard_normal((BATCH, SIZE))
    rows, right = rng.standard_normal((BATCH, ROWS, SIZE)), rng.random((BATCH, ROWS)) * 0.3
    equal = rng.standard_normal((BATCH, equations, SIZE))
    levels = np.zeros((BATCH, equations))
    if weak:
        found = quadratic_layer(quadratic, linear, rows, right, equal, levels)
        least = np.where(found.active, found.multipliers, np.inf).argmin(1)
        each = np.arange(BATCH)
        change = found.multipliers[each, least] - weak * 10 ** rng.uniform(-1, 1, BATCH)
        linear = linear + change[:, None] * rows[each, least]
    if copies:
        rows = np.concatenate([rows, rows[:, :copies]], axis=1)
        right = np.concatenate([right, right[:, :copies]], axis=1)
    cotangent = rng.standard_normal((BATCH, SIZE))
    return quadratic, linear, rows, right, equal, levels, cotangent


def reference(found: QuadraticSolution, data: Data) -> np.ndarray:
    """The gradient in q by the KKT matrix of the active constraints."""
    quadratic, _, rows, _, equal, _, cotangent = data
    gradients = np.empty_like(cotangent)
    for k in range(len(cotangent)):
        active = np.concatenate([rows[k][found.active[k]], equal[k]])
        count = len(active)
        matrix = np.block([[quadratic[k], active.T], [active, np.zeros((count, count))]])
        right = [[a] for a in (*cotangent[k].tolist(), *([0.0] * count))]
        exact = arb_mat(matrix.tolist()).solve(arb_mat(right))
        gradients[k] = [-float(exact[j, 0].mid()) for j in range(SIZE)]
    return gradients


def errors(gradients: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """The relative error of each program's gradient."""
    return np.abs(gradients - expected).max(1) / np.abs(expected).max(1)


def alternating(runs: Sequence[Callable[[], Any]], times: int = 7) -> list[float]:
    """The least CPU time of each function."""
    spent = [float("inf")] * len(runs)
    for _ in range(times):
        for k, run in enumerate(runs):
            start = time.process_time()
            run()
            spent[k] = min(spent[k], time.process_time() - start)
    return spent


def optional(name: str) -> ModuleType | None:
    """A module, or None after saying that it is missing."""
    try:
        return import_module(name)
    except ImportError as missing:
        print(f"{name}: not installed ({missing})")
        return None


def qpth_function() -> Callable[[Data], np.ndarray] | None:
    """Gradient by qpth in q of ``Σ cotangent · y``."""
    torch, qpth = optional("torch"), optional("qpth.qp")
    if torch is None or qpth is None:
        return None
    torch.set_num_threads(1)
    nothing = torch.zeros(0, dtype=torch.float64)

    def gradient(data: Data) -> np.ndarray:
        tensors = [torch.from_numpy(a) for a in data]
        linear = tensors[1].requires_grad_()
        equal = tensors[4:6] if data[4].shape[1] else (nothing, nothing)
        y = qpth.QPFunction(verbose=-1)(tensors[0], linear, *tensors[2:4], *equal)
        return torch.autograd.grad((y * tensors[6]).sum(), linear)[0].numpy()

    return gradient


def ours(data: Data) -> np.ndarray:
    """Our gradient in q of ``Σ cotangent · y``."""
    return quadratic_layer(*data[:6]).vjp(data[6]).q


def quadratic_programs() -> None:
    """Errors and times of batches of quadratic programs."""
    peer = qpth_function()
    kinds: tuple[tuple[str, dict[str, Any]], ...] = (
        ("plain", {}),
        ("8 equations", {"equations": 8}),
        ("condition 1e8", {"condition": 1e8}),
        ("multipliers ~1e-5", {"weak": 1e-5}),
        ("multipliers ~1e-6", {"weak": 1e-6}),
        ("multipliers ~1e-8", {"weak": 1e-8}),
    )
    print(f"batches of {BATCH} quadratic programs, {SIZE} variables, {ROWS} inequalities")
    print(f"{'':18} {'seed':>4} {'flagged':>7} {'error':>8} {'qpth':>8}   s, qpth s, ratio")
    for kind, options in kinds:
        for seed in (101, 102) if kind == "plain" else (103,):
            data = programs(seed, **options)
            found = quadratic_layer(*data[:6])
            expected = reference(found, data)
            strict = ~found.weakly_active
            worst = errors(ours(data), expected)[strict].max(initial=0)
            line = f"{kind:18} {seed:4} {int((~strict).sum()):7} {worst:8.1e}"
            if peer is None:
                print(f"{line} {'':8} {alternating([lambda d=data: ours(d)])[0]:.4f}")
                continue
            theirs = errors(peer(data), expected)[strict].max(initial=0)
            mine, other = alternating([lambda d=data: ours(d), lambda d=data: peer(d)])
            print(f"{line} {theirs:8.1e}   {mine:.4f} {other:.4f} {mine / other:.2f}")
    doubled = quadratic_layer(*programs(101, copies=3)[:6])
    tight = int((~doubled.independent).sum())
    print(f"three rows twice: {tight} of {BATCH} refused (dependent gradients), the others solved")


CONES = [("zero", 2), ("nonnegative", 5), ("second-order", 9), ("second-order", 3)]


def cone_program(rng: np.random.Generator) -> Data:
    """A linear form over half-spaces, a hyperplane and cones, inside a ball: ``q, A, b``."""
    rows = rng.standard_normal((19, 8))
    rows[7] = 0
    rows[8:16] = -np.eye(8)
    inside = np.r_[0, 0, rng.random(5), 2, np.zeros(8), 1, 0.2, 0]
    point = rng.standard_normal(8) / 6
    right = rows @ point + inside
    right[8:16] = 0
    return rng.standard_normal(8), rows, right


def cone_programs() -> None:
    """100 smooth programs against central differences with P, and beside diffcp without."""
    diffcp, sparse = optional("diffcp"), optional("scipy.sparse")
    rng = np.random.default_rng(7)
    with_p, without, peer = [], [], []
    while len(with_p) < 100:
        linear, rows, right = cone_program(rng)
        root = rng.standard_normal((8, 8))
        quadratic = root @ root.T / 8 + 0.1 * np.eye(8)
        cotangent = rng.standard_normal(8)
        found = conic_layer(quadratic, linear, rows, right, CONES)
        if found.distance < 1e-3:
            continue
        gradients = found.vjp(cotangent)
        change = [rng.standard_normal(a.shape) for a in (quadratic, linear, rows, right)]
        change[0] = change[0] + change[0].T
        data = (quadratic, linear, rows, right)
        slopes = [
            float(conic_layer(*(a + t * d for a, d in zip(data, change, strict=True)), CONES).x
                  @ cotangent)
            for t in (1e-6, -1e-6)
        ]  # fmt: skip
        names = [field.name for field in fields(gradients)]
        expected = sum(
            float((getattr(gradients, n) * d).sum()) for n, d in zip(names, change, strict=True)
        )
        slope = (slopes[0] - slopes[1]) / 2e-6
        with_p.append(abs(slope - expected) / (1 + abs(slope)))
    print(f"100 cone programs with P: central differences within {max(with_p):.1e}")
    if diffcp is None or sparse is None:
        return
    while len(without) < 100:
        linear, rows, right = cone_program(rng)
        cotangent = rng.standard_normal(8)
        found = conic_layer(None, linear, rows, right, CONES)
        if found.distance < 1e-3:
            continue
        mine = found.vjp(cotangent)
        _, _, _, _, adjoint = diffcp.solve_and_derivative(
            sparse.csc_matrix(rows), right, linear, {"z": 2, "l": 5, "q": [9, 3]},
            mode="dense", solve_method="SCS", eps_abs=1e-12, eps_rel=1e-12, max_iters=100_000,
        )  # fmt: skip
        theirs = adjoint(cotangent, np.zeros(19), np.zeros(19))
        without.append(found.condition)
        pairs = ((mine.b, theirs[1]), (mine.q, theirs[2]))
        peer.append(
            max(np.abs(own - other).max() / (1 + np.abs(other).max()) for own, other in pairs)
        )
    print(f"100 cone programs without P: diffcp (dense) within {max(peer):.1e}, median "
          f"{np.median(peer):.1e}; conditions up to {max(without):.1e}")  # fmt: skip


def penalties() -> None:
    """Hyperparameters of 100 regressions and support vector machines against differences."""
    rng = np.random.default_rng(3)
    step = 1e-6
    for name, layer in (
        ("elastic net", lambda x, y, c: elastic_net_layer(x, y, c, 0.3)),
        ("support vectors", lambda x, y, c: support_vector_layer(x, np.sign(y), c)),
    ):
        worst, edges = 0.0, 0
        for _ in range(100):
            matrix = rng.standard_normal((40, 6))
            target = matrix @ rng.standard_normal(6) + rng.standard_normal(40)
            penalty = float(10 ** rng.uniform(-1, 1))
            found = layer(matrix, target, penalty)
            if found.edge:
                edges += 1
                continue
            up, down = (layer(matrix, target, penalty + s).coefficients for s in (step, -step))
            slope = (up - down) / (2 * step)
            worst = max(worst, float(np.abs(slope - found.derivative).max()))
        print(f"{name}: {100 - edges} of 100 smooth, differences within {worst:.1e}")


def main() -> None:
    """Print all comparisons."""
    ctx.prec = 300
    with threadpool_limits(limits=1):
        quadratic_programs()
        cone_programs()
        penalties()


if __name__ == "__main__":
    main()
