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


QUESTIONS = """\
verdict   kernel                    check --expr 'max(x,0)'
verdict   kernel                    check --expr 'floor(x)'
verdict   kernel                    check --expr 'sin(x)'
verdict   programs.tameness         check p.lp
verdict   kernel                    recheck certificate.json
verdict   verification.exact        verify --expr 'max(x,0)' above.vnnlib
verdict   verification.witness      verify --expr 'max(x,0)' below.vnnlib
verdict   kernel_pwl                verify --expr 'max(x,0)' above.vnnlib --certify
truth     verification.referee      referee --expr 'max(x,0)' above.vnnlib --answers said.txt
verdict   binarized.distance        verify M --input point.json --hamming 1
verdict   kernel_bnn                verify M --input point.json --hamming 1 --certify
verdict   verification.witness      verify M --input point.json --hamming 2
verdict   kernel_bnn                verify M --domain -1,1 --monotone 'a:+'
verdict   verification.witness      verify M --domain -1,1 --fair a
verdict   verification.exact        verify --expr 'max(x,0)' --box -1:1 --monotone 'x:+'
status    kernel_mip                solve p.lp
status    kernel_mip                solve none.lp
status    kernel_mip                solve free.lp
status    kernel_mip                maximise --expr 'max(x,0)-x/2' --box -1:1
status    kernel_mip                minimise --expr 'max(x,0)-x/2' --box -1:1
strong    duality.check             dual p.lp --method tree
strong    duality.check             dual p.lp --method chvatal
exact     derivative.check          diff --expr 'abs(x)' --at x=0
verdict   derivative.implicit.check diff --expr 'y + 2*abs(y) - x' --implicit y --at x=0,y=0
verdict   derivative.implicit.check diff --expr '2*y + abs(y) - x' --implicit y --at x=0,y=0
minimal   explain.check             explain M --input point.json --domain -1,1
minimal   explain.check             explain M --input point.json --domain -1,1 --kind contrastive
minimal   explain.check             explain M --input point.json --domain -1,1 --kind counterfactual
rule      explain.check             explain M --input point.json --domain -1,1 --kind relevancy
rule      explain.check             explain M --input point.json --domain -1,1 --kind shapley
flips     explain.check             explain M --domain -1,1 --protected a
faithful  explain.check             rules M --domain -1,1
total     explain.check             count M --domain -1,1
count     cells.check               cells --expr 'abs(x) + max(y,0)' --box -1:1
"""
"""A line a command: the key of its answer, what shows such answers, the command (M: `MAJORITY`)."""

ROWS = tuple(
    Row(command.replace(" M ", f" {MAJORITY} "), answer, shown_by)
    for answer, shown_by, command in (line.split(maxsplit=2) for line in QUESTIONS.splitlines())
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
