"""Draw the pictures of ``docs/implicit.md``: ``python docs/make_pathology.py``.

They show what happens where a hypothesis of the implicit function theorem fails, and the descent of
``examples/limit_cycle.py``.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

import tamecheck as tc

mpl.use("Agg")

import matplotlib.pyplot as plt

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"


def save(figure: Any, name: str) -> None:
    """Write a picture without the date and version that change its bytes."""
    figure.savefig(PICTURES / name, dpi=110, metadata={"Software": None})
    plt.close(figure)


def verdict(text: str, unknown: str = "x") -> str:
    """What the theorem says at the origin."""
    found = tc.implicit(text, unknowns=[unknown], at={"x": 0, "p": 0})
    return found.verdict.value


def panel(axes: Any, text: str, title: str) -> None:
    """Axes through the origin, the equation and the verdict on it."""
    axes.axhline(0, color="0.85", linewidth=0.8)
    axes.axvline(0, color="0.85", linewidth=0.8)
    axes.set(xlim=(-1, 1), ylim=(-1, 1), xlabel="p", title=f"{title}: {verdict(text)}")
    axes.title.set_fontsize(10)


def set_valued(axes: Any) -> None:
    """The solution of 2x + |x| = p, and the slopes in its set at 0."""
    p = np.linspace(-1, 1, 201)
    panel(axes, "2*x + abs(x) - p", "2x + |x| = p")
    axes.fill_between(p, p / 3, p, color="C0", alpha=0.2, linewidth=0, label="slopes [1/3, 1]")
    axes.plot(p, np.where(p > 0, p / 3, p), "C0", linewidth=2, label="x(p)")


def root(axes: Any) -> None:
    """The cube root, and chords whose slopes are not bounded."""
    x = np.linspace(-1, 1, 201)
    panel(axes, "x^3 - p", "x³ = p")
    axes.plot(x**3, x, "C0", linewidth=2, label="x(p)")
    for end in (0.7, 0.5, 0.35):
        axes.plot([0, end**3], [0, end], "C3", linewidth=1)
    axes.plot([], [], "C3", linewidth=1, label="slopes 2, 4, 8")


def one_sided(axes: Any) -> None:
    """A ray of solutions at p = 0, one for p > 0 and none for p < 0."""
    panel(axes, "x + abs(x) - p", "x + |x| = p")
    axes.plot([0, 1], [0, 0.5], "C0", linewidth=2, label="x(p)")
    axes.plot([0, 0], [0, -1], "C3", linewidth=2, label="all solve p = 0")
    axes.axvspan(-1, 0, color="C3", alpha=0.12, linewidth=0)
    axes.text(-0.5, 0.1, "no solution", ha="center", color="C3", fontsize=9)


def fold(axes: Any) -> None:
    """Two solutions on one side, none on the other."""
    x = np.linspace(-1, 1, 201)
    panel(axes, "x^2 - p", "x² = p")
    axes.plot(x**2, x, "C0", linewidth=2, label="two solutions")
    axes.axvspan(-1, 0, color="C3", alpha=0.12, linewidth=0)
    axes.text(-0.5, 0.1, "no solution", ha="center", color="C3", fontsize=9)


def failures() -> None:
    """Write docs/pictures/implicit_failures.png."""
    figure, grid = plt.subplots(2, 2, figsize=(7, 6), layout="constrained")
    drawings: list[Callable[[Any], None]] = [set_valued, root, one_sided, fold]
    for axes, draw in zip(grid.reshape(-1), drawings, strict=True):
        draw(axes)
        axes.legend(loc="upper left", fontsize=8)
    for axes in grid[:, 0]:
        axes.set_ylabel("x")
    save(figure, "implicit_failures.png")


def limit_cycle() -> None:
    """Write docs/pictures/limit_cycle.png."""
    descent = runpy.run_path(str(ROOT / "examples" / "limit_cycle.py"))["descent"]
    path = np.array(descent((1.0, 1.0), 4000))
    figure, axes = plt.subplots(figsize=(5, 4), layout="constrained")
    axes.plot(*path[:600].T, color="0.7", linewidth=1, label="descent from (1, 1)")
    axes.plot(*path[2000:].T, color="C0", linewidth=2, label="the cycle")
    xs = np.array([0.5, 2.5])
    axes.plot(xs, 3 * xs - 2, "C3--", label="here the solution map jumps")
    axes.set_xlabel("x")
    axes.set_ylabel("y")
    axes.legend(loc="lower right", fontsize=8)
    save(figure, "limit_cycle.png")


def main() -> None:
    """Draw all pictures."""
    failures()
    limit_cycle()


if __name__ == "__main__":
    main()
