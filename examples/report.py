"""From a table to a trained binarized network to one HTML report on it.

Run: python examples/report.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from tamecheck.cli.entry import main as tamecheck


def write_table(path: Path) -> None:
    """Forms that were accepted if two of three things hold: age, income, and not in a hurry."""
    rng = np.random.default_rng(0)
    lines = ["age [years],income [k€],hurry,accepted"]
    for _ in range(120):
        age, income = (int(n) for n in rng.integers([18, 10], [80, 90]))
        hurry = "yes" if rng.integers(2) else "no"
        votes = (age >= 37) + (income >= 40) + (hurry == "no")
        lines.append(f"{age},{income},{hurry},{'yes' if votes >= 2 else 'no'}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(folder: Path) -> int:
    """Write the table, train the network, write the report."""
    table, model, report = (folder / name for name in ("forms.csv", "forms.json", "forms.html"))
    write_table(table)
    given = ["--target", "accepted", "--quiet"]
    training = ["--hidden", "4", "--epochs", "40", "-o", str(model)]
    code = tamecheck(["train", str(table), *given, *training])
    if code:
        return code
    return tamecheck(["report", str(model), "--data", str(table), *given, "-o", str(report)])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
