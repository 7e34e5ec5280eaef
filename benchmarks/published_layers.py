"""The published examples of cvxpylayers and qpth in them and in ours, in one run.

    python benchmarks/published_layers.py --peers PYTHON

PYTHON has cvxpylayers, qpth and torch; it runs this file as a child, which solves the same batches
in turns.  Times are CPU times of one thread, forward and backward, the least of several turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import peers

BATCH, TURNS = 32, 5
Arrays = dict[str, np.ndarray]
Answer = tuple[np.ndarray, np.ndarray]
"""The solutions, and the gradient of a loss in the data that vary."""


def numbers() -> dict[str, Arrays]:
    """The data of every example, and weights of a loss."""
    rng = np.random.default_rng(0)
    found: dict[str, Arrays] = {}
    for name in ("softmax by entropy", "sparsemax", "l1 ball"):
        found[name] = {"x": 2 * rng.standard_normal((BATCH, 8))}
    found["robust regression"] = {
        "x": rng.standard_normal((BATCH, 20)) + 3 * (rng.random((BATCH, 20)) < 0.2),
        "X": rng.standard_normal((20, 3)),
    }
    puzzle = (rng.random((BATCH, 64)) < 0.1).astype(float)
    rules = sudoku_rules()
    found["Sudoku, its rules"] = {"x": -puzzle, "A": rules, "b": np.ones(len(rules))}
    free = rng.random(rules.shape)
    right = free @ np.exp(0.1 * rng.standard_normal(64))
    found["Sudoku, random rules"] = {"x": -puzzle, "A": free, "b": right}
    sizes = {"softmax by entropy": 8, "sparsemax": 8, "l1 ball": 8, "robust regression": 3}
    for name, data in found.items():
        data["weight"] = rng.standard_normal((BATCH, sizes.get(name, 64)))
    return found


def sudoku_rules() -> np.ndarray:
    """Independent equations of a 4 x 4 Sudoku in 64 variables (row, column, digit)."""
    cell = np.arange(64).reshape(4, 4, 4)
    blocks = cell.reshape(2, 2, 2, 2, 4).transpose(0, 2, 1, 3, 4).reshape(4, 4, 4)
    groups = [cell.reshape(16, 4)]
    groups += [g.transpose(0, 2, 1).reshape(16, 4) for g in (cell, cell.transpose(1, 0, 2), blocks)]
    rows: list[np.ndarray] = []
    for group in np.concatenate(groups):
        row = np.isin(np.arange(64), group).astype(float)
        if np.linalg.matrix_rank(np.array([*rows, row])) > len(rows):
            rows.append(row)
    return np.array(rows)


def quadratic_form(name: str, data: Arrays) -> tuple[list[np.ndarray], int]:
    """Q, q, G, h, A, b in qpth's form with the data that vary in q or b, and their place."""
    x = data["x"]
    none = np.zeros((0, 8)), np.zeros(0)
    eye = np.eye(8)
    if name == "sparsemax":
        rows = np.vstack([-eye, eye])
        right = np.r_[np.zeros(8), np.ones(8)]
        return [2 * eye, -2 * x, rows, right, np.ones((1, 8)), np.ones(1)], 1
    if name == "l1 ball":
        # y and bounds t of |y|
        zero = np.zeros((8, 8))
        sides = np.hstack([eye, -eye]), np.hstack([-eye, -eye])
        rows = np.vstack([*sides, np.r_[np.zeros(8), np.ones(8)]])
        quadratic = np.block([[eye, zero], [zero, zero]])
        linear = np.hstack([-x, np.zeros_like(x)])
        none = np.zeros((0, 16)), np.zeros(0)
        return [quadratic, linear, rows, np.r_[np.zeros(16), 1.0], *none], 1
    if name == "robust regression":
        # coefficients, residuals up to 1, and what exceeds it: Huber's function
        matrix = data["X"]
        count, size = matrix.shape
        eye = np.eye(count)
        quadratic = np.diag(np.r_[np.zeros(size), np.ones(count), np.zeros(2 * count)])
        linear = np.r_[np.zeros(size + count), np.ones(2 * count)]
        rows = np.hstack([np.zeros((2 * count, size + count)), -np.eye(2 * count)])
        equal = np.hstack([matrix, -eye, -eye, eye])
        return [quadratic, linear, rows, np.zeros(2 * count), equal, x], 5
    return [0.1 * np.eye(64), x, -np.eye(64), np.zeros(64), data["A"], data["b"]], 1


def in_x(name: str, gradient: np.ndarray) -> np.ndarray:
    """The gradient in x from that in q or b."""
    factor = {"sparsemax": -2.0, "l1 ball": -1.0}.get(name, 1.0)
    return factor * (gradient[:, :8] if name == "l1 ball" else gradient)


def in_torch(
    data: list[np.ndarray], place: int, solve: Callable[..., Any], weight: np.ndarray
) -> Answer:
    """The solutions and the gradient in the data at a place."""
    import torch

    tensors = [torch.from_numpy(np.ascontiguousarray(a)) for a in data]
    tensors[place].requires_grad_()
    y = solve(*tensors)[:, : weight.shape[1]]
    (gradient,) = torch.autograd.grad((y * torch.from_numpy(weight)).sum(), tensors[place])
    return y.detach().numpy(), gradient.numpy()


def ours(name: str, data: Arrays) -> Answer:
    """By tamecheck."""
    from tamecheck.layers import torch_layers

    if name != "softmax by entropy":
        form, place = quadratic_form(name, data)
        found = in_torch(form, place, torch_layers.quadratic_function, data["weight"])
        return found[0], in_x(name, found[1])
    count = 8
    eye, zero = np.eye(count), np.zeros((count, count))
    triples = [np.hstack([zero, -eye]), np.hstack([-eye, zero]), np.zeros((count, 2 * count))]
    rows = np.vstack(
        [np.r_[np.ones(count), np.zeros(count)], np.stack(triples, 1).reshape(-1, 2 * count)]
    )
    right = np.r_[1, np.tile([0.0, 0, 1], count)]
    linear = np.hstack([-data["x"], -np.ones_like(data["x"])])
    cones = [("zero", 1), ("exponential", 3 * count)]

    def solve(*tensors: Any) -> Any:
        return torch_layers.conic_function(None, *tensors, cones)

    y, gradient = in_torch([linear, rows, right], 0, solve, data["weight"])
    return y, -gradient[:, :count]


# --- the peers, in their own interpreter


def with_qpth(name: str, data: Arrays) -> Answer | None:
    """By qpth, with a multiple of the identity where Q is singular."""
    import torch
    from qpth.qp import QPFunction

    if name == "softmax by entropy":
        return None
    form, place = quadratic_form(name, data)
    if name in {"l1 ball", "robust regression"}:
        form[0] = form[0] + 1e-7 * np.eye(len(form[0]))
    if place != 1:
        form[1] = np.broadcast_to(form[1], (BATCH, len(form[1])))

    def solve(*tensors: Any) -> Any:
        full = [t if t.numel() else torch.zeros(0, dtype=torch.float64) for t in tensors]
        return QPFunction(verbose=-1, eps=1e-14, maxIter=40)(*full)

    y, gradient = in_torch(form, place, solve, data["weight"])
    return y, in_x(name, gradient)


_LAYERS: dict[str, Any] = {}


def with_cvxpylayers(name: str, data: Arrays) -> Answer:
    """By cvxpylayers; the layer is made once."""
    import cvxpy as cp
    from cvxpylayers.torch import CvxpyLayer

    if name not in _LAYERS:
        size = data["weight"].shape[1]
        x, y = cp.Parameter(data["x"].shape[1]), cp.Variable(size)
        if name == "softmax by entropy":
            problem = cp.Problem(cp.Minimize(-x @ y - cp.sum(cp.entr(y))), [cp.sum(y) == 1])
        elif name == "sparsemax":
            simplex = [cp.sum(y) == 1, y >= 0, y <= 1]
            problem = cp.Problem(cp.Minimize(cp.sum_squares(x - y)), simplex)
        elif name == "l1 ball":
            problem = cp.Problem(cp.Minimize(cp.sum_squares(x - y) / 2), [cp.norm1(y) <= 1])
        elif name == "robust regression":
            problem = cp.Problem(cp.Minimize(cp.sum(cp.huber(data["X"] @ y - x, 1)) / 2))
        else:
            goal = 0.05 * cp.sum_squares(y) + x @ y
            problem = cp.Problem(cp.Minimize(goal), [data["A"] @ y == data["b"], y >= 0])
        _LAYERS[name] = CvxpyLayer(problem, parameters=[x], variables=[y])
    layer = _LAYERS[name]
    options = {"eps": 1e-11, "max_iters": 100_000, "acceleration_lookback": 0}
    return in_torch([data["x"]], 0, lambda x: layer(x, solver_args=options)[0], data["weight"])


PEERS = {"qpth": with_qpth, "cvxpylayers": with_cvxpylayers}


def answer(peer: str, name: str, data: Arrays) -> tuple[Any, float]:
    """What a peer finds, and its seconds."""
    start = time.process_time()
    try:
        found = PEERS[peer](name, data)
    except Exception as error:  # noqa: BLE001 (whatever a peer raises is its answer)
        found = repr(error)
    return found, time.process_time() - start


def work(ask: Callable[..., Any]) -> None:
    """A line a family of programs."""
    import torch

    torch.set_num_threads(1)
    heads = (f"{p + ', ms':>16}{'ratio':>7}{'apart':>8}{'gradients':>10}{'FD':>8}" for p in PEERS)
    print(f"{'':21}{'ours, ms':>9}{'FD':>8}", *heads, sep="")
    for name, data in numbers().items():
        print(f"{name:21}", compare(name, data, ask), sep="", flush=True)


def differences(name: str, data: Arrays, gradient: np.ndarray) -> float:
    """How far a gradient is from central differences of our solutions, in most programs.

    The largest relative error but for a tenth of them, which may be at kinks.
    """
    rng, step = np.random.default_rng(1), 1e-6
    change = rng.standard_normal(data["x"].shape)
    ends = [ours(name, {**data, "x": data["x"] + t * change})[0] for t in (step, -step)]
    slopes = ((ends[0] - ends[1]) * data["weight"]).sum(1) / (2 * step)
    errors = np.abs(slopes - (gradient * change).sum(1)) / (1 + np.abs(slopes))
    return float(np.sort(errors)[-1 - BATCH // 10])


def compare(name: str, data: Arrays, ask: Callable[..., Any]) -> str:
    """A line of the table: times, ratios and how far the answers are apart."""
    least = dict.fromkeys(["ours", *PEERS], float("inf"))
    answers: dict[str, Any] = {}
    for _ in range(TURNS):
        start = time.process_time()
        answers["ours"] = ours(name, data)
        least["ours"] = min(least["ours"], time.process_time() - start)
        for peer in PEERS:
            answers[peer], spent = ask(peer, name, data)
            least[peer] = min(least[peer], spent)
    line = f"{1000 * least['ours']:9.1f}{differences(name, data, answers['ours'][1]):8.0e}"
    for peer in PEERS:
        found = answers[peer]
        if found is None or isinstance(found, str):
            line += f"{(found or '-')[:49]:>49}"
            continue
        pairs = list(zip(answers["ours"], found, strict=True))
        apart = [np.sort(np.abs(a - b).max(1))[-1 - BATCH // 10] for a, b in pairs]
        ratio, error = least["ours"] / least[peer], differences(name, data, found[1])
        line += f"{1000 * least[peer]:16.1f}{ratio:7.2f}{apart[0]:8.0e}{apart[1]:10.0e}{error:8.0e}"
    return line


if __name__ == "__main__":
    peers.main(__file__, __doc__, answer, work, quiet=True)
