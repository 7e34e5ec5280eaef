"""Verdicts and times on a table of instances, each in its own process, one at a time.

The table has the columns ``benchmark``, ``onnx``, ``vnnlib`` and ``resolved`` (``sat``, ``unsat``
or ``unknown``, perhaps with a remark), with paths relative to its folder:

    python benchmarks/verify.py INSTANCES.tsv --limit 60 --only acasxu --every 8
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

_WORDS = {"holds": "unsat", "violated": "sat", "unknown": "unknown"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds an instance")
    parser.add_argument("--only", action="append", help="a benchmark; may be repeated")
    parser.add_argument("--every", type=int, default=1, help="every n-th instance of a benchmark")
    options = parser.parse_args()
    with options.table.open(newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    groups: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        groups[row["benchmark"]].append(row)
    totals: list[str] = []
    for name, members in groups.items():
        if options.only and name not in options.only:
            continue
        totals.append(run_group(name, members[:: options.every], options))
        print(totals[-1], flush=True)
    print("\n".join(["", *totals]))


def run_group(name: str, rows: list[dict[str, str]], options: argparse.Namespace) -> str:
    decided = wrong = 0
    spent = 0.0
    unconfirmed = 0
    for row in rows:
        answer, seconds = run_one(row, options)
        word = _WORDS[answer["verdict"]]
        known = row["resolved"].split()[0]
        decided += word != "unknown"
        # a verdict that others reached within a tolerance is no error of an exact one
        wrong += word != "unknown" and known not in ("unknown", word)
        witness = answer.get("witness")
        unconfirmed += bool(witness) and witness["float32"] is not True
        spent += seconds if word != "unknown" else 2 * options.limit
        line = f"  {Path(row['onnx']).name} {Path(row['vnnlib']).name}: {word} ({known})"
        print(f"{line} {seconds:.2f} s", flush=True)
    return (
        f"{name}: {decided}/{len(rows)} decided, {wrong} differ from the published verdict, "
        f"{unconfirmed} witnesses not confirmed in float32, PAR-2 {spent / len(rows):.2f} s"
    )


def run_one(row: dict[str, str], options: argparse.Namespace) -> tuple[dict, float]:
    folder = options.table.parent
    command = [sys.executable, "-m", "tamecheck", "verify", "--json", "-q"]
    command += ["--timeout", str(options.limit), folder / row["onnx"], folder / row["vnnlib"]]
    started = time.monotonic()
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )
    seconds = time.monotonic() - started
    answer = json.loads(done.stdout) if done.stdout.strip() else {}
    if "verdict" not in answer:
        print(f"  {done.stderr.strip()}", file=sys.stderr)
        answer = {"verdict": "unknown"}
    return answer, seconds


if __name__ == "__main__":
    main()
