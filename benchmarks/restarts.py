"""Steps to the optimum: Fleming–Viot particles against independent annealing, on plateaus.

    python benchmarks/restarts.py [--seeds 30] [--write]

The same number of particles, the same temperatures and seeds; a run that does not reach the target
counts with all its steps, which favours the method that fails more often.  "Level" is the share of
the best cut below which all cuts count the same.  The best cut of the Petersen graph is known (12);
that of the random 3-regular graphs is the best of long runs without a plateau.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tamecheck.learn.plateaus import MaxCut, random_regular
from tamecheck.learn.restarts import (
    Annealing,
    fleming_viot,
    geometric,
    independent,
    small_gradient,
)

PETERSEN = (
    *((i, (i + 1) % 5) for i in range(5)),
    *((i, i + 5) for i in range(5)),
    *((5 + i, 5 + (i + 2) % 5) for i in range(5)),
)
PAGE = Path(__file__).parents[1] / "docs" / "learn.md"
BEGIN, END = "<!-- restarts begin -->", "<!-- restarts end -->"


@dataclass(frozen=True)
class Task:
    """A graph with a plateau, its best cut, and the size of the system of particles."""

    name: str
    graph: MaxCut
    best: int
    particles: int
    steps: int


def best_known(graph: MaxCut) -> int:
    runs = [
        independent(graph, Annealing(4, 6000, geometric(2, 0.999), seed=seed)) for seed in range(3)
    ]
    return -int(min(run.value for run in runs))


def compare(task: Task, seeds: int) -> str:
    counts: dict[str, list[int]] = {"alone": [], "together": []}
    reached = {"alone": 0, "together": 0}
    flat = small_gradient(task.graph.gradient_norm)
    for seed in range(seeds):
        annealing = Annealing(
            task.particles, task.steps, geometric(1.5, 0.998, 0.3), -float(task.best), seed
        )
        for kind, run in (
            ("alone", independent(task.graph, annealing)),
            ("together", fleming_viot(task.graph, flat, annealing)),
        ):
            counts[kind].append(run.steps)
            reached[kind] += run.reached
    alone, together = (float(np.mean(counts[kind])) for kind in counts)
    return (
        f"| {task.name} | {task.best} | {task.graph.level} "
        f"| {alone:.0f} ({reached['alone']}/{seeds}) "
        f"| {together:.0f} ({reached['together']}/{seeds}) | {together / max(alone, 1):.2f} |"
    )


def tasks() -> Iterator[Task]:
    for level in (10, 11):
        yield Task("Petersen", MaxCut(10, PETERSEN, level), 12, 5, 3000)
    for number in range(2):
        edges = random_regular(60, 3, number)
        best = best_known(MaxCut(60, edges))
        for share in (0.7, 0.8):
            graph = MaxCut(60, edges, int(share * best))
            yield Task(f"3-regular, 60 vertices, no {number}", graph, best, 10, 2500)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--write", action="store_true", help="put the table into docs/learn.md")
    arguments = parser.parse_args()
    lines = [
        "| graph | best cut | level | independent: steps (reached) | Fleming–Viot | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for task in tasks():
        lines.append(compare(task, arguments.seeds))
        print(lines[-1], flush=True)
    if arguments.write:
        head, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
        table = "\n".join([BEGIN, *lines, END])
        PAGE.write_text(head + table + rest.split(END)[1], encoding="utf-8")


if __name__ == "__main__":
    main()
