"""Verdicts and times of tamecheck, Marabou and nnenum, one after the other on the same instances.

The table is that of ``benchmarks/verify.py``.  Marabou runs in an environment of its own:

    python3.11 -m venv VENV
    VENV/bin/pip install maraboupy==2.0.0 onnx onnxruntime 'numpy<2'
    python benchmarks/marabou.py INSTANCES.tsv --python VENV/bin/python --timeout 60

With ``--nnenum OTHER/bin/python`` an environment into which a checkout of stanleybak/nnenum is
installed (``OTHER/bin/pip install .``) runs as a third.

A verdict is wrong if it is not the published one.  PAR-2 counts an undecided instance as twice the
timeout; all tools pay for starting their process.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

_WORDS = {"holds": "unsat", "violated": "sat", "unknown": "unknown"}
_LOADED = (
    "test", "rl_benchmarks", "acasxu", "safenlp", "collins_rul", "tllverify", "reach_prob",
    "mnist_fc",
)  # fmt: skip
_GRACE = 15.0
_ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


@dataclass(slots=True)
class Score:
    """What a tool did on a benchmark."""

    solved: int = 0
    wrong: int = 0
    spent: float = 0.0

    def add(self, word: str, known: str, seconds: float, timeout: float) -> None:
        """Count one instance; a wrong verdict counts as undecided."""
        differs = word != "unknown" and known in {"sat", "unsat"} and known != word
        good = word != "unknown" and not differs and seconds <= timeout + _GRACE
        self.solved += good
        self.wrong += differs
        self.spent += seconds if good else 2 * timeout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path)
    parser.add_argument("--python", type=Path, required=True, help="interpreter with maraboupy")
    parser.add_argument("--nnenum", type=Path, help="interpreter with nnenum")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds an instance")
    parser.add_argument("--per-benchmark", type=int, help="at most so many, evenly chosen")
    parser.add_argument("--only", action="append", help="a benchmark; may be repeated")
    options = parser.parse_args()
    groups: dict[str, list[dict[str, str]]] = defaultdict(list)
    with options.table.open(newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            if row["benchmark"].startswith(_LOADED):
                groups[row["benchmark"]].append(row)
    for name, rows in groups.items():
        if not options.only or name in options.only:
            print(compared(name, chosen(rows, options.per_benchmark), options), flush=True)


def chosen(rows: list[dict[str, str]], most: int | None) -> list[dict[str, str]]:
    count = len(rows) if most is None else min(most, len(rows))
    return [rows[i * len(rows) // count] for i in range(count)]


def compared(name: str, rows: list[dict[str, str]], options: argparse.Namespace) -> str:
    runs = [run_tamecheck, run_marabou, *([run_nnenum] if options.nnenum else [])]
    scores = {run.__name__.removeprefix("run_"): (run, Score()) for run in runs}
    for row in rows:
        known = row["resolved"].split()[0]
        with tempfile.TemporaryDirectory() as folder:
            files = [unpacked(options.table.parent / row[k], folder) for k in ("onnx", "vnnlib")]
            for tool, (run, score) in scores.items():
                started = time.monotonic()
                word = run(files, options)
                seconds = time.monotonic() - started
                score.add(word, known, seconds, options.timeout)
                print(f"  {files[1].name}: {tool} {word} ({known}) {seconds:.2f} s", flush=True)
    told = (
        f"{tool} solved {score.solved}, wrong {score.wrong}, PAR-2 {score.spent / len(rows):.2f} s"
        for tool, (_, score) in scores.items()
    )
    return f"{name}, {len(rows)} instances: " + "; ".join(told)


def unpacked(path: Path, folder: str) -> Path:
    """The file, or its content beside it: Marabou reads no gzip."""
    if path.suffix != ".gz":
        return path
    plain = Path(folder) / path.stem
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    return plain


def run_tamecheck(files: list[Path], options: argparse.Namespace) -> str:
    command = [sys.executable, "-m", "tamecheck", "verify", "--json", "-q", *map(str, files)]
    out = output([*command, "--timeout", str(options.timeout)], options.timeout)
    answer = json.loads(out) if out.strip() else {}
    return _WORDS.get(answer.get("verdict", ""), "unknown")


def run_marabou(files: list[Path], options: argparse.Namespace) -> str:
    with tempfile.TemporaryDirectory() as folder:
        summary = Path(folder) / "summary.txt"
        command = [options.python.with_name("Marabou"), *files, "--verbosity", "0"]
        command += ["--timeout", str(int(options.timeout)), "--summary-file", summary]
        output([str(part) for part in command], options.timeout)
        words = summary.read_text().split() if summary.is_file() else []
    return words[0].lower() if words and words[0].lower() in {"sat", "unsat"} else "unknown"


def run_nnenum(files: list[Path], options: argparse.Namespace) -> str:
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.txt"
        command = [options.nnenum, "-m", "nnenum.nnenum", *files, int(options.timeout), result]
        output([str(part) for part in command], options.timeout)
        words = result.read_text().split() if result.is_file() else []
    return {"holds": "unsat", "violated": "sat"}.get(words[0] if words else "", "unknown")


def output(command: list[str], timeout: float) -> str:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout + _GRACE,
            env=_ENVIRONMENT,
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout


if __name__ == "__main__":
    main()
