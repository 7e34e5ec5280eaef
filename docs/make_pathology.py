"""Draw the descent of `examples/limit_cycle.py`: ``python docs/make_pathology.py``."""

from __future__ import annotations

import runpy
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")

import matplotlib.pyplot as plt

ROOT = Path(__file__).parents[1]


def main() -> None:
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
    axes.legend()
    figure.savefig(
        ROOT / "docs" / "pictures" / "limit_cycle.png", dpi=110, metadata={"Software": None}
    )


if __name__ == "__main__":
    main()
