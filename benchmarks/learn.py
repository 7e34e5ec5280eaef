"""Tame backpropagation against the straight-through estimator, at equal cost of tuning.

    TAMECHECK_DATA=FOLDER OMP_NUM_THREADS=1 python benchmarks/learn.py [--seeds 10] [--write]

Same architectures, epochs, batches, splits and seeds, no feature erased or neuron bounded.  Each
method is tuned alike: the learning rate, out of three, that is best on a quarter of the training
rows, over five seeds that the table does not use.  Times are those of the final fits, both methods
in turn in one process.  ``--write`` puts the tables into docs/learn.md.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split

from tamecheck.learn import SteBinarizedClassifier, TameBinarizedClassifier
from tamecheck.loaders.tables.table import read_table

Array = npt.NDArray[Any]
ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("TAMECHECK_DATA", ROOT.parent / "shared" / "data")) / "tab"
RATES = (0.05, 0.1, 0.2)
PLAIN = {"erasure": 0.0, "max_norm": np.inf}
FIRST = 7000
TUNING = tuple(range(FIRST + 1000, FIRST + 1005))
"""Seeds and splits that the defaults were not chosen on."""
BEGIN, END = "<!-- {} begin -->", "<!-- {} end -->"


@dataclass(frozen=True)
class Task:
    """A table, an architecture, and the number of epochs."""

    name: str
    table: Callable[[], tuple[Array, Array]]
    hidden: tuple[int, ...]
    epochs: int


def digits() -> tuple[Array, Array]:
    data: Any = load_digits()
    return np.where(data.data >= 8, 1.0, -1.0), data.target


def breast_cancer() -> tuple[Array, Array]:
    data: Any = load_breast_cancer()
    return data.data, data.target


def mnist() -> tuple[Array, Array]:
    table = np.loadtxt(DATA / "mnist_5k.csv.gz", delimiter=",")
    return np.where(table[:, :-1] >= 128, 1.0, -1.0), table[:, -1].astype(int)


def votes() -> tuple[Array, Array]:
    table = read_table(DATA / "house-votes-84.data", target=0, header=False, missing="drop")
    return np.where(table.rows == "y", 1.0, -1.0), table.labels


TASKS = (
    *(Task(f"digits 64-{h}-10", digits, (h,), 60) for h in (8, 10, 16, 32)),
    Task("digits 64-32-16-10", digits, (32, 16), 60),
    Task("breast_cancer 30-8-2", breast_cancer, (8,), 60),
    Task("mnist_5k 784-64-10", mnist, (64,), 20),
    Task("house-votes 16-8-2", votes, (8,), 60),
)


def split(task: Task, seed: int, *, tuning: bool) -> tuple[Array, Array, Array, Array]:
    """Rows to fit and rows to score; features that are no signs are compared with medians."""
    x, y = task.table()
    left, right, y_left, y_right = train_test_split(
        x, y, test_size=0.25, stratify=y, random_state=seed
    )
    if tuning:
        left, right, y_left, y_right = train_test_split(
            left, y_left, test_size=0.25, stratify=y_left, random_state=seed
        )
    if not np.isin(x, (-1, 1)).all():
        median = np.median(left, axis=0)
        left, right = (np.where(part > median, 1.0, -1.0) for part in (left, right))
    return left, y_left, right, y_right


def tuned(task: Task, make: Callable[..., Any]) -> float:
    """The learning rate that is best on validation rows."""
    scores: list[float] = []
    for rate in RATES:
        found: list[float] = []
        for seed in TUNING:
            x, y, held, y_held = split(task, seed, tuning=True)
            model = make(
                task.hidden, epochs=task.epochs, learning_rate=rate, random_state=seed, **PLAIN
            ).fit(x, y)
            found.append(model.score(held, y_held))
        scores.append(float(np.mean(found)))
    return RATES[int(np.argmax(scores))]


def compare(task: Task, makers: dict[str, Callable[..., Any]], seeds: int) -> dict[str, Any]:
    """Train and test accuracies, seconds, and the chosen rates of several methods."""
    rates = {name: tuned(task, make) for name, make in makers.items()}
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in makers}
    inner: dict[str, str] = {}
    for seed in range(FIRST, FIRST + seeds):
        x, y, held, y_held = split(task, seed, tuning=False)
        for name, make in makers.items():
            model = make(
                task.hidden,
                epochs=task.epochs,
                learning_rate=rates[name],
                random_state=seed,
                **PLAIN,
            )
            start = time.perf_counter()
            model.fit(x, y)
            seconds = time.perf_counter() - start
            found[name].append((model.score(x, y), model.score(held, y_held), seconds))
            inner[name] = getattr(model, "inner_", "")
    return {
        name: (
            *np.mean(found[name], axis=0),
            np.std(found[name], axis=0)[1],
            rates[name],
            inner[name],
        )
        for name in makers
    }


def main_table(seeds: int) -> list[str]:
    lines = [
        f"Mean test accuracy in % over {seeds} seeds (± standard deviation over seeds).",
        "",
        "| task | straight-through | tame | difference | inner problems | time ratio |",
        "|---|---|---|---|---|---|",
    ]
    for task in TASKS:
        makers = {"ste": SteBinarizedClassifier, "tame": TameBinarizedClassifier}
        found = compare(task, makers, seeds)
        ste, tame = found["ste"], found["tame"]
        points = round(100 * (tame[1] - ste[1]), 6) + 0.0
        lines.append(
            f"| {task.name} | {100 * ste[1]:.1f} ± {100 * ste[3]:.1f} "
            f"| {100 * tame[1]:.1f} ± {100 * tame[3]:.1f} | {points:+.2f} "
            f"| {tame[5]} | {tame[2] / ste[2]:.1f} |"
        )
        print(
            lines[-1], f"rates {ste[4]} {tame[4]}, seconds {ste[2]:.2f} {tame[2]:.2f}", flush=True
        )
    return lines


def variant_table(seeds: int) -> list[str]:
    makers: dict[str, Callable[..., Any]] = {
        "split": TameBinarizedClassifier,
        "joint": lambda *a, **k: TameBinarizedClassifier(*a, variant="joint", **k),
        "split, minimum": lambda *a, **k: TameBinarizedClassifier(
            *a, temperature=0.0, rho=0.4, kappa=0.5, inner="exact", **k
        ),
        "joint, minimum": lambda *a, **k: TameBinarizedClassifier(
            *a, variant="joint", temperature=0.0, rho=(0.1, 2.0), kappa=0.5, inner="exact", **k
        ),
    }
    lines = [
        f"Mean test accuracy in % over {seeds} seeds; all inner problems solved exactly.",
        "",
        f"| task | {' | '.join(makers)} |",
        "|---|" + "---|" * len(makers),
    ]
    for task in TASKS:
        if len(task.hidden) > 1 or task.hidden[0] > 10:
            continue
        found = compare(task, makers, seeds)
        row = " | ".join(f"{100 * found[name][1]:.1f} ({found[name][2]:.2f} s)" for name in makers)
        lines.append(f"| {task.name} | {row} |")
        print(lines[-1], flush=True)
    return lines


def weights_table() -> list[str]:
    kinds = {"[-1, 1]": "real", "±1": "binary", "-1, 0, 1": "ternary"}
    lines = [
        "Mean test accuracy in % of straight-through training with the defaults, 5 seeds.",
        "",
        f"| task | {' | '.join(kinds)} |",
        "|---|" + "---|" * len(kinds),
    ]
    for task in TASKS:
        table = task.table()
        loaded = replace(task, table=lambda table=table: table)
        means: list[float] = []
        for kind in kinds.values():
            found: list[float] = []
            for seed in range(5):
                x, y, held, y_held = split(loaded, seed, tuning=False)
                model = SteBinarizedClassifier(
                    task.hidden, weights=kind, epochs=task.epochs, random_state=seed
                )
                found.append(model.fit(x, y).score(held, y_held))
            means.append(float(np.mean(found)))
        lines.append(f"| {task.name} | {' | '.join(f'{100 * mean:.1f}' for mean in means)} |")
        print(lines[-1], flush=True)
    return lines


def put(text: str, name: str, lines: list[str]) -> str:
    begin, end = BEGIN.format(name), END.format(name)
    head, rest = text.split(begin)
    return head + begin + "\n" + "\n".join(lines) + "\n" + end + rest.split(end)[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/learn.md")
    arguments = parser.parse_args()
    tables = {
        "weights": weights_table(),
        "comparison": main_table(arguments.seeds),
        "variants": variant_table(arguments.seeds),
    }
    if arguments.write:
        page = ROOT / "docs" / "learn.md"
        text = page.read_text(encoding="utf-8")
        for name, lines in tables.items():
            text = put(text, name, lines)
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
