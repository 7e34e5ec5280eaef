"""Write ``docs/trust.md``: what every definite answer of the command line rests on.

python docs/make_trust_table.py            write the page
python docs/make_trust_table.py --check    only compare; exit code 1 if it is out of date

Every row is a command that is run here; its verdict, exit code and ``rests_on`` are what it said.
"""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pages import write_or_compare

from tamecheck.cli import main as tamecheck

PAGE = Path(__file__).parent / "trust.md"
CHECKED = {
    "certificate": "a kernel checks a certificate",
    "recomputation": "computed a second time, by code that shares nothing with the search",
    "replay": "a witness, evaluated exactly",
    "enumeration": "every point is evaluated, nothing is searched",
    "definition": "the answer is read off its definition, nothing is searched",
}
HEAD = """\
# What answers rest on

A definite answer (exit code 0 or 1) is never the word of a solver or of a search alone. Every
answer in JSON says in `rests_on` what shows it:

| `rests_on` | what that means |
|---|---|
"""
MIDDLE = """
Anything else in `rests_on` names the claim that is trusted. An answer that could not be shown a
second time is `unknown`, `feasible` or "at least", or comes with exit code 3 and the reason. Four
claims are trusted with exit code 0, and named:

- `outward rounding`: `verify` of networks with more than 64 deciding terms, and of smooth ones.
  `holds` rests on bounds in floats that are rounded outwards, by the code that found them; so do
  explanations of such networks.
- `integer bounds`: `verify` of a binarized network over windows, where the time is over before the
  kernel has checked the certificate. It is there: `recheck` checks it.
- `search`: `cells` of complexes with many cells, or with cells at jumps. Signs in doubt were
  decided in rationals, but the cells were not followed again.
- the search of `diff` on graphs with more than about a million products, or where the second
  reading takes longer than ten seconds; the claim is named in words.

What nobody checks for you: that the model that was read is the one in your file. The loaders are
tested against other implementations; `tc.from_torch` and `tc.from_sklearn` compare with the object
itself, and witnesses are replayed in float32 by onnxruntime.

The table is written by `docs/make_trust_table.py`, which runs every command, and a test keeps it
fresh. The files are a few lines long and stand in that script.

| command | answer | exit code | `rests_on` | shown by |
|---|---|---|---|---|
"""
TAIL = "\nVerbs that state nothing of their own:\n\n| verb | |\n|---|---|\n"
FILES = {
    "p.lp": "min\n cost: 3 x + 2 y\nst\n c: 2 x + 2 y >= 3\n"
    "bounds\n x <= 9\n y <= 9\ngen\n x y\nend\n",
    "none.lp": "min\n x\nst\n c: 2 x - 2 y = 1\nbounds\n x <= 9\n y <= 9\ngen\n x y\nend\n",
    "free.lp": "max\n x\nst\n c: x - y = 0\nend\n",
    "above.vnnlib": "(declare-const X_0 Real)\n(declare-const Y_0 Real)\n"
    "(assert (>= X_0 -1))\n(assert (<= X_0 1))\n(assert (>= Y_0 2))\n",
    "below.vnnlib": "(declare-const X_0 Real)\n(declare-const Y_0 Real)\n"
    "(assert (>= X_0 -1))\n(assert (<= X_0 1))\n(assert (<= Y_0 0))\n",
    "point.json": "[1, 1, 1]",
    "said.txt": "unsat\n",
}
MAJORITY = "--expr 'sign(a + b + c)'"


@dataclass(frozen=True, slots=True)
class Row:
    """A command, where its answer stands in the JSON, and what shows such answers."""

    command: str
    answer: str
    shown_by: str


ROWS = (
    Row("check --expr 'max(x,0)'", "verdict", "kernel"),
    Row("check --expr 'floor(x)'", "verdict", "kernel"),
    Row("check --expr 'sin(x)'", "verdict", "kernel"),
    Row("check p.lp", "verdict", "programs.tameness"),
    Row("recheck certificate.json", "verdict", "kernel"),
    Row("verify --expr 'max(x,0)' above.vnnlib", "verdict", "verification.exact"),
    Row("verify --expr 'max(x,0)' below.vnnlib", "verdict", "verification.witness"),
    Row("verify --expr 'max(x,0)' above.vnnlib --certify", "verdict", "kernel_pwl"),
    Row(
        "referee --expr 'max(x,0)' above.vnnlib --answers said.txt", "truth", "verification.referee"
    ),
    Row(f"verify {MAJORITY} --input point.json --hamming 1", "verdict", "binarized.distance"),
    Row(f"verify {MAJORITY} --input point.json --hamming 1 --certify", "verdict", "kernel_bnn"),
    Row(f"verify {MAJORITY} --input point.json --hamming 2", "verdict", "verification.witness"),
    Row(f"verify {MAJORITY} --domain -1,1 --monotone 'a:+'", "verdict", "kernel_bnn"),
    Row(f"verify {MAJORITY} --domain -1,1 --fair a", "verdict", "verification.witness"),
    Row("verify --expr 'max(x,0)' --box -1:1 --monotone 'x:+'", "verdict", "verification.exact"),
    Row("solve p.lp", "status", "kernel_mip"),
    Row("solve none.lp", "status", "kernel_mip"),
    Row("solve free.lp", "status", "kernel_mip"),
    Row("maximise --expr 'max(x,0)-x/2' --box -1:1", "status", "kernel_mip"),
    Row("minimise --expr 'max(x,0)-x/2' --box -1:1", "status", "kernel_mip"),
    Row("dual p.lp --method tree", "strong", "duality.check"),
    Row("dual p.lp --method chvatal", "strong", "duality.check"),
    Row("diff --expr 'abs(x)' --at x=0", "exact", "derivative.check"),
    Row(
        "diff --expr 'y + 2*abs(y) - x' --implicit y --at x=0,y=0",
        "verdict",
        "derivative.implicit.check",
    ),
    Row(
        "diff --expr '2*y + abs(y) - x' --implicit y --at x=0,y=0",
        "verdict",
        "derivative.implicit.check",
    ),
    Row(f"explain {MAJORITY} --input point.json --domain -1,1", "minimal", "explain.check"),
    Row(
        f"explain {MAJORITY} --input point.json --domain -1,1 --kind contrastive",
        "minimal",
        "explain.check",
    ),
    Row(
        f"explain {MAJORITY} --input point.json --domain -1,1 --kind counterfactual",
        "minimal",
        "explain.check",
    ),
    Row(
        f"explain {MAJORITY} --input point.json --domain -1,1 --kind relevancy",
        "rule",
        "explain.check",
    ),
    Row(
        f"explain {MAJORITY} --input point.json --domain -1,1 --kind shapley",
        "rule",
        "explain.check",
    ),
    Row(f"explain {MAJORITY} --domain -1,1 --protected a", "flips", "explain.check"),
    Row(f"rules {MAJORITY} --domain -1,1", "faithful", "explain.check"),
    Row(f"count {MAJORITY} --domain -1,1", "total", "explain.check"),
    Row("cells --expr 'abs(x) + max(y,0)' --box -1:1", "count", "cells.check"),
)
OTHERS: Mapping[str, str] = {
    "eval": "the model's definition is evaluated; `--exact` gives rationals or rigorous balls",
    "info": "what a file holds, as it was read",
    "supports": "which networks and queries are read",
    "convert": "writes the model that was read",
    "plot": "draws answers of other verbs",
    "report": "prints answers of other verbs, with what they rest on",
    "merge": "joins answers of other verbs",
    "mcp": "answers of other verbs",
    "train": "makes a model; the bound on its training loss says in `proof` what it rests on",
    "doctor": "versions, and a self-test",
    "demo": "runs other verbs",
    "completion": "prints a script for the shell",
}


@contextlib.contextmanager
def folder() -> Iterator[None]:
    """A folder with the files that the commands read."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        for path, text in FILES.items():
            Path(path).write_text(text, encoding="utf-8")
        answer("check --expr 'max(x,0)' -o certificate.json")
        yield


def answer(command: str) -> tuple[int, dict[str, Any]]:
    """The exit code of a command, and its JSON."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        code = tamecheck([*shlex.split(command), "--json"])
    return code, json.loads(out.getvalue())


def line(row: Row) -> str:
    """One row of the table."""
    code, found = answer(row.command)
    said = found[row.answer]
    text = f"{row.answer} {json.dumps(said) if not isinstance(said, str) else said}"
    cells = (f"`{row.command}`", text, str(code), str(found.get("rests_on")), f"`{row.shown_by}`")
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def page() -> str:
    """The whole page."""
    with folder():
        lines = [line(row) for row in ROWS]
    means = "".join(f"| `{word}` | {said} |\n" for word, said in CHECKED.items())
    rest = "".join(f"| `{verb}` | {said} |\n" for verb, said in OTHERS.items())
    table = "".join(f"{one}\n" for one in lines)
    return f"{HEAD}{means}{MIDDLE}{table}{TAIL}{rest}"


if __name__ == "__main__":
    sys.exit(write_or_compare(PAGE, page()))
