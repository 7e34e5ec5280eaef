"""Training for decisions: PyEPO's shortest paths, knapsacks and tours, there and here, in one run.

    python benchmarks/predict_then_optimise.py --peers PYTHON

PYTHON has PyEPO, torch and HiGHS in SciPy, and runs this file as a child.  Every method trains the
same linear model for the same CPU time of one thread; its regret is that of its decisions on new
data, relative to the best objective, with all optima exact.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np
import peers

SECONDS, TRAIN, TEST, BATCH = 8.0, 200, 400, 32
PARTS = 5
SEEDS = (1, 2, 3)
Trained = tuple[np.ndarray, int, float]
"""Weights with the bias, epochs and CPU time."""


def statement(task: str, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Rows, their lower and upper bounds, and the sense of a task over binary columns."""
    if task == "shortest path":
        edges: list[tuple[int, int]] = []
        for i in range(5):
            edges += [(5 * i + j, 5 * i + j + 1) for j in range(4)]
            edges += [(5 * i + j, 5 * i + j + 5) for j in range(5) if i < 4]
        rows = np.zeros((25, len(edges)))
        for k, (a, b) in enumerate(edges):
            rows[a, k], rows[b, k] = -1, 1
        level = np.zeros(25)
        level[0], level[24] = -1, 1
        return rows, level, level, 1
    if task == "knapsack":
        return weights, np.full(len(weights), -np.inf), np.full(len(weights), 20.0), -1
    pairs = list(combinations(range(6), 2))
    degrees = np.array([[float(v in pair) for pair in pairs] for v in range(6)])
    # without subtours: two edges leave every set of three nodes
    cuts = [
        [float(len({*pair} & {*part}) == 1) for pair in pairs] for part in combinations(range(6), 3)
    ]
    rows = np.vstack([degrees, cuts])
    lower = np.full(len(rows), 2.0)
    return rows, lower, np.r_[lower[:6], np.full(len(cuts), np.inf)], 1


def data_of(task: str, seed: int) -> dict[str, Any]:
    """Features and costs by PyEPO's generators, and the weights of a knapsack."""
    import pyepo

    count = TRAIN + TEST
    weights = np.zeros((0, 0))
    if task == "shortest path":
        x, c = pyepo.data.shortestpath.genData(count, 5, (5, 5), deg=4, noise_width=0.5, seed=seed)
    elif task == "knapsack":
        generate = pyepo.data.knapsack.genData
        weights, x, c = generate(count, 5, 12, dim=2, deg=4, noise_width=0.5, seed=seed)
        weights = np.round(weights, 2)
    else:
        x, c = pyepo.data.tsp.genData(count, 5, 6, deg=4, noise_width=0.5, seed=seed)
    return {"x": x.astype(float), "c": c.astype(float), "weights": weights}


def train_in_pyepo(method: str, task: str, data: dict[str, Any], seed: int) -> Trained:
    """Weights and bias, epochs and CPU time."""
    import pyepo
    import torch
    from pyepo.model.opt import optModel
    from scipy.optimize import Bounds, LinearConstraint, milp

    torch.manual_seed(seed)
    rows, lower, upper, sense = statement(task, data["weights"])

    class Model(optModel):
        """A binary program, solved by HiGHS."""

        modelSense = pyepo.EPO.MINIMIZE if sense == 1 else pyepo.EPO.MAXIMIZE  # noqa: N815

        def _getModel(self) -> tuple[None, list[int]]:  # noqa: N802
            return None, list(range(rows.shape[1]))

        def setObj(self, c: Any) -> None:  # noqa: N802
            self.costs = np.asarray(c, dtype=float)

        def solve(self) -> tuple[np.ndarray, float]:
            found = milp(
                sense * self.costs,
                constraints=LinearConstraint(rows, lower, upper),
                integrality=np.ones(rows.shape[1]),
                bounds=Bounds(0, 1),
            )
            x = np.round(found.x)
            return x, float(self.costs @ x)

    model = Model()
    pairs = pyepo.data.dataset.optDataset(model, data["x"][:TRAIN], data["c"][:TRAIN])
    loader = torch.utils.data.DataLoader(pairs, batch_size=BATCH, shuffle=True)
    predictor = torch.nn.Linear(5, rows.shape[1])
    optimiser = torch.optim.Adam(predictor.parameters(), lr=1e-2)
    loss = {
        "SPO+": lambda: pyepo.func.SPOPlus(model),
        "perturbed": lambda: pyepo.func.perturbedFenchelYoung(model, n_samples=10, sigma=0.5),
        "blackbox": lambda: pyepo.func.blackboxOpt(model, lambd=20),
    }[method]()
    start = time.process_time()
    epochs = 0
    while time.process_time() - start < SECONDS:
        for x, c, w, z in loader:
            predicted = predictor(x.float())
            if method == "SPO+":
                value = loss(predicted, c.float(), w.float(), z.float())
            elif method == "perturbed":
                value = loss(predicted, w.float())
            else:
                value = sense * (loss(predicted) * c.float()).sum(1).mean()
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
            if time.process_time() - start > SECONDS:
                break
        epochs += 1
    spent = time.process_time() - start
    weights = predictor.weight.detach().double().numpy()
    bias = predictor.bias.detach().double().numpy()
    return np.column_stack([weights, bias]), epochs, spent


def program_of(task: str, weights: np.ndarray) -> tuple[Any, int]:
    """The task as a program of tamecheck, and its sense."""
    from tamecheck.ir.program import Column, Kind, Program, Row

    rows, lower, upper, sense = statement(task, weights)
    columns = tuple(
        Column(f"x{j}", Fraction(0), Fraction(1), Kind.INTEGER) for j in range(rows.shape[1])
    )
    made = [
        Row(
            f"r{i}",
            tuple((j, Fraction(str(a))) for j, a in enumerate(row.tolist()) if a),
            None if np.isinf(low) else Fraction(low),
            None if np.isinf(high) else Fraction(high),
        )
        for i, (row, low, high) in enumerate(zip(rows, lower.tolist(), upper.tolist(), strict=True))
    ]
    return Program(columns, tuple(made)), sense


def train_here(data: dict[str, Any], seed: int, points: np.ndarray, sense: int) -> Trained:
    """SPO+ on parts of the data, each stopped where the rest has the least regret, and the mean."""
    from tamecheck.layers import points_oracle

    rng = np.random.default_rng(seed)
    oracle = points_oracle(points)
    x = np.column_stack([data["x"][:TRAIN], np.ones(TRAIN)])
    c = sense * data["c"][:TRAIN]
    start, epochs = time.process_time(), 0
    found: list[np.ndarray] = []
    for k, rest in enumerate(np.array_split(rng.permutation(TRAIN), PARTS)):
        kept = np.setdiff1d(np.arange(TRAIN), rest)
        until = start + SECONDS * (k + 1) / PARTS
        theta, count = train_part((x[kept], c[kept]), (x[rest], c[rest]), oracle, until)
        found.append(theta)
        epochs += count
    return sense * np.mean(found, axis=0), epochs, time.process_time() - start


def train_part(
    part: tuple[np.ndarray, np.ndarray],
    rest: tuple[np.ndarray, np.ndarray],
    oracle: Callable[[np.ndarray], np.ndarray],
    until: float,
) -> tuple[np.ndarray, int]:
    """The weights with the least regret on the rest, and epochs."""
    from tamecheck.layers import spo_plus_loss

    x, c = part
    rng = np.random.default_rng(len(x))
    theta = np.linalg.lstsq(x, c, rcond=None)[0].T
    mean, square, average = np.zeros_like(theta), np.zeros_like(theta), theta
    best, least, epochs, steps = theta, np.inf, 0, 0
    while time.process_time() < until:
        for rows in np.array_split(rng.permutation(len(x)), max(1, len(x) // BATCH)):
            steps += 1
            gradient = spo_plus_loss(oracle, x[rows] @ theta.T, c[rows]).gradient
            slope = gradient.T @ x[rows] / len(rows)
            mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope**2
            unbiased = np.sqrt(square / (1 - 0.999**steps)) + 1e-12
            theta = theta - 1e-2 * mean / (1 - 0.9**steps) / unbiased
            average = 0.98 * average + 0.02 * theta
        epochs += 1
        lost = float((rest[1] * oracle(rest[0] @ average.T)).sum())
        if lost < least:
            best, least = average, lost
    return best, epochs


def regret(
    theta: np.ndarray, data: dict[str, Any], points: np.ndarray, sense: int
) -> tuple[float, int]:
    """The relative regret on new data, and at how many predictions the solution map jumps."""
    from tamecheck.layers import point_solutions

    x, c = data["x"][TRAIN:], sense * data["c"][TRAIN:]
    predicted = sense * np.column_stack([x, np.ones(len(x))]) @ theta.T
    found, best = point_solutions(points, predicted), (c @ points.T).min(1)
    lost = (c * found.solutions).sum(1) - best
    return float(lost.sum() / np.abs(best).sum()), int(found.jumps.sum())


def answer(name: str, arguments: tuple[Any, ...]) -> Any:
    """What a function of the peers gives."""
    known: dict[str, Callable[..., Any]] = {"data": data_of, "train": train_in_pyepo}
    return known[name](*arguments)


def work(ask: Callable[..., Any]) -> None:
    """A table a task."""
    for task in ("shortest path", "knapsack", "tour"):
        table(task, lambda name, *arguments: ask(name, arguments))


def table(task: str, ask: Callable[..., Any]) -> None:
    """Regrets of all methods, a column a seed."""
    from tamecheck.layers import integer_points, point_solutions

    found: dict[str, list[str]] = {}
    for seed in SEEDS:
        data = ask("data", task, seed)
        program, sense = program_of(task, data["weights"])
        points = integer_points(program)
        answers = {"tamecheck": train_here(data, seed, points, sense)}
        for method in ("SPO+", "perturbed", "blackbox"):
            answers[f"PyEPO {method}"] = ask("train", method, task, data, seed)
        for name, (theta, epochs, spent) in answers.items():
            lost, jumps = regret(theta, data, points, sense)
            line = f"{100 * lost:6.2f} % ({epochs:4} epochs, {spent:.0f} s, {jumps} jumps)"
            found.setdefault(name, []).append(line)
    flat = point_solutions(points, np.zeros((1, points.shape[1])))
    print(f"{task}: {len(points)} points; at costs 0 {flat.verdict[0][:40]} ..")
    for name, lines in found.items():
        print(f"  {name:16}", *lines, sep="  ", flush=True)


if __name__ == "__main__":
    peers.main(__file__, __doc__, answer, work)
