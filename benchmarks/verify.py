"""Verdicts and times on a table of instances, each in its own process, one at a time.

The table has the columns ``benchmark``, ``onnx``, ``vnnlib`` and ``resolved`` (``sat``, ``unsat``
or ``unknown``, perhaps with a remark), with paths relative to its folder:

    python benchmarks/verify.py INSTANCES.tsv --limit 60 --only acasxu --every 8

With ``--certify`` every ``holds`` is to have a certificate, which is rechecked.  The ratio is that
of the processor's seconds of two whole commands, ``recheck CERT MODEL`` over ``verify --certify``,
as a user waits for them.  ``--inside`` compares without start-up and files too: the kernel's check
over the search until the answer.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

_SEARCH = """
import sys, time, tamecheck
from tamecheck.budget import Budget
from tamecheck.loaders.text.vnnlib import read_vnnlib
from tamecheck.verification.run import decide
model, spec = tamecheck.load(sys.argv[1]), read_vnnlib(sys.argv[2])
started = time.process_time()
decide(model, spec, Budget.of(float(sys.argv[3])))
print(time.process_time() - started)
"""
_CHECK = """
import sys, time
from tamecheck.checkers import check
from tamecheck.loaders.files import read_bytes
text = read_bytes(sys.argv[1])
started = time.process_time()
check(text)
print(time.process_time() - started)
"""
_WORDS = {"holds": "unsat", "violated": "sat", "unknown": "unknown"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds an instance")
    parser.add_argument("--only", action="append", help="a benchmark; may be repeated")
    parser.add_argument("--every", type=int, default=1, help="every n-th instance of a benchmark")
    parser.add_argument("--first", type=int, default=0, help="from this instance on")
    parser.add_argument("--certify", action="store_true", help="write and recheck certificates")
    parser.add_argument("--inside", action="store_true", help="compare without start-up too")
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
        totals.append(run_group(name, members[options.first :: options.every], options))
        print(totals[-1], flush=True)
    print("\n".join(["", *totals]))


def run_group(name: str, rows: list[dict[str, str]], options: argparse.Namespace) -> str:
    decided = wrong = unconfirmed = holds = valid = 0
    spent = 0.0
    ratios: list[float] = []
    inside: list[float] = []
    for row in rows:
        answer, seconds, used = run_one(row, options)
        word = _WORDS[answer["verdict"]]
        known = row["resolved"].split()[0]
        decided += word != "unknown"
        # a verdict that others reached within a tolerance is no error of an exact one
        wrong += word != "unknown" and known not in ("unknown", "open", word)
        witness = answer.get("witness")
        unconfirmed += bool(witness) and witness["float32"] is not True
        spent += seconds if word != "unknown" else 2 * options.limit
        line = f"  {Path(row['onnx']).name} {Path(row['vnnlib']).name}: {word} ({known})"
        line += f" {seconds:.2f} s, CPU {used:.2f} s"
        if options.certify and word == "unsat":
            holds += 1
            checked = answer["recheck"]
            valid += checked is not None
            line += ", recheck none" if checked is None else f", recheck CPU {checked:.2f} s"
            if checked is not None:
                ratios.append(checked / used)
            if "inside" in answer:
                search, check = answer["inside"]
                inside.append(check / max(search, 0.01))
                line += f", inside: search {search:.3f} s, kernel {check:.3f} s"
        print(line, flush=True)
    told = (
        f"{name}: {decided}/{len(rows)} decided, {wrong} differ from the published verdict, "
        f"{unconfirmed} witnesses not confirmed in float32, PAR-2 {spent / max(len(rows), 1):.2f} s"
    )
    if holds:
        told += f", {valid}/{holds} certificates valid"
    told += f", median ratio of whole commands {median(ratios):.2f}" if ratios else ""
    return told + (f", inside {median(inside):.2f}" if inside else "")


def run_one(row: dict[str, str], options: argparse.Namespace) -> tuple[dict, float, float]:
    folder = options.table.parent
    network, spec = folder / row["onnx"], folder / row["vnnlib"]
    command: list[str | Path] = ["verify", "--json", "-q", "--timeout", str(options.limit)]
    with tempfile.TemporaryDirectory() as kept:
        certificate = Path(kept) / "proof.json.gz"
        if options.certify:
            command += ["--certify", "-o", certificate]
        started = time.monotonic()
        told, errors, used = run_command([*command, network, spec])
        seconds = time.monotonic() - started
        answer = json.loads(told) if told.strip() else {}
        if "verdict" not in answer:
            print(f"  {errors.strip()}", file=sys.stderr)
            answer = {"verdict": "unknown"}
        if options.certify:
            answer["recheck"] = recheck(certificate, network) if certificate.exists() else None
            if options.inside and answer["recheck"] is not None:
                search = run_python(_SEARCH, network, spec, str(options.limit))
                answer["inside"] = (search, run_python(_CHECK, certificate))
        return answer, seconds, used


def recheck(certificate: Path, network: Path) -> float | None:
    """The processor's seconds of a recheck, None if it does not say valid."""
    told, _, used = run_command(["recheck", "--json", "-q", certificate, network])
    return used if told and json.loads(told).get("verdict") == "valid" else None


def run_python(program: str, *arguments: str | Path) -> float:
    """The number that a program prints."""
    return float(run(["-c", program, *arguments])[0])


def run_command(words: list[str | Path]) -> tuple[str, str, float]:
    """What a command prints, its errors, and the processor's seconds that it took."""
    return run(["-m", "tamecheck", *words])


def run(words: list[str | Path]) -> tuple[str, str, float]:
    before = os.times()
    done = subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )
    after = os.times()
    used = after.children_user + after.children_system
    used -= before.children_user + before.children_system
    return done.stdout, done.stderr, used


if __name__ == "__main__":
    main()
