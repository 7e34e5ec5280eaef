"""CPU time of the main verbs here and in another checkout, run in turns.

    git worktree add /tmp/before v0.1.0
    python benchmarks/checkouts.py /tmp/before --data ../shared/data --runs 3

Each line is one command: median seconds of CPU (user and system, children included) before and
now, and the ratio; the last line is the geometric mean of the ratios.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parents[1]
PROGRAM = """Maximize
 obj: 5 x + 4 y + 3 z
Subject To
 a: 2 x + 3 y + z <= 5
 b: 4 x + y + 2 z <= 11
 c: 3 x + 4 y + 2 z <= 8
Generals
 x y z
End
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path, help="the other checkout")
    parser.add_argument("--data", type=Path, help="a folder of models and programs")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ratios = [
            compare(command, options.before, options.runs)
            for command in commands(Path(folder), options.data)
        ]
    mean = math.exp(statistics.fmean(map(math.log, ratios)))
    print(f"{'geometric mean':58} {mean:.2f}")


def commands(folder: Path, data: Path | None) -> list[list[str]]:
    models = HERE / "tamecheck" / "models"
    (folder / "p.lp").write_text(PROGRAM)
    (folder / "row.csv").write_text(",".join(["1"] * 30))
    net = "max(2*x-y,0)-3*max(x+y-1,0)+max(y,0)+abs(x-2*y)"
    bnn = str(models / "bnn.onnx")
    found = [
        ["check", str(models / "relu.onnx"), "--box", "-1:1"],
        ["check", bnn],
        ["check", "--expr", "sin(x)*exp(-x)", "--box", "0:inf"],
        ["explain", bnn, "--input", str(folder / "row.csv"), "--domain", "-1,1"],
        ["count", bnn, "--domain", "-1,1"],
        ["cells", "--expr", net, "--box", "-2:2"],
        ["diff", "--expr", net, "--at", "x=0,y=0"],
        ["solve", str(folder / "p.lp"), "--certify"],
        ["dual", str(folder / "p.lp"), "--method", "gomory"],
    ]
    if data is not None:
        nets, mips = data / "nets", data / "mip"
        for name in ("acasxu", "tllverifybench", "mnist_fc", "collins_rul_cnn"):
            first = next(iter(sorted((nets / name).rglob("*.onnx*"))), None)
            if first is not None:
                found.append(["check", str(first)])
        for name in ("flugpl", "egout", "p0033", "stein27", "bell5"):
            first = next(iter(sorted(mips.rglob(f"{name}.mps*"))), None)
            if first is not None:
                found.append(["solve", str(first), "--timeout", "60"])
        spec = next(iter(sorted((nets / "acasxu").rglob("*prop_3*.vnnlib*"))), None)
        model = next(iter(sorted((nets / "acasxu").rglob("*run2a_1_7*.onnx*"))), None)
        if spec is not None and model is not None:
            found.append(["verify", str(model), str(spec), "--timeout", "60"])
    return found


def compare(command: list[str], before: Path, runs: int) -> float:
    times: dict[Path, list[float]] = {before: [], HERE: []}
    for _ in range(runs):
        for checkout, spent in times.items():
            spent.append(seconds(command, checkout))
    old, new = (statistics.median(spent) for spent in times.values())
    shown = " ".join(Path(part).name if part.startswith("/") else part for part in command)
    print(f"{shown[:58]:58} {old:7.2f} {new:7.2f} {new / old:6.2f}", flush=True)
    return new / old


def seconds(command: list[str], checkout: Path) -> float:
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "tamecheck", *command],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1, 3):
        raise SystemExit(f"{' '.join(command)} in {checkout}: {done.stderr}")
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    return end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime


if __name__ == "__main__":
    main()
