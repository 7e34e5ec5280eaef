"""Write ``docs/activations.md``: which published activation functions are tame.

python docs/make_activations_table.py            write the page and its pictures
python docs/make_activations_table.py --check    only compare the page; exit code 1 if out of date

The list is read where it is, ``$TAMECHECK_DATA/tame/activations.tsv``.
"""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from pages import write_or_compare

import tamecheck as tc
from tamecheck.ir.graph import Graph
from tamecheck.plots.sample import values
from tamecheck.tame import Check, Verdict

DOCS = Path(__file__).parent
PAGE = DOCS / "activations.md"
PICTURES = DOCS / "pictures" / "germs"
DATA = Path(os.environ.get("TAMECHECK_DATA", DOCS.parents[1] / "shared" / "data"))
WORDS = {
    Verdict.TAME: "tame",
    Verdict.LOCALLY_TAME: "locally tame",
    Verdict.NOT_TAME: "not tame",
    Verdict.UNKNOWN: "unknown",
}
HEAD = """\
# Which activations are tame?

Activation functions of the literature that can be written as an expression, after the survey of
V. Kunc and J. Kléma, *Three decades of activations* (arXiv:2402.09092), and others: what
`tamecheck check --expr FORMULA` says of each on its natural domain. The page is written by
`docs/make_activations_table.py`, and a test keeps it fresh.

- **structure**: the least o-minimal structure in which it is definable
  ([architecture](architecture.md#words)); *local* is (ℝ, <, +, ℤ), which is locally o-minimal.
- **defined**: where, if not everywhere.
- **certificate**: its size. The kernel accepts every one; one that trusts a solver says so.
- **germ**: for a function that is refuted, its graph along the curve of the witness, on a scale
  that shrinks large values.

"""
WIDTH, HEIGHT, POINTS = 150, 36, 500


@dataclass(frozen=True, slots=True)
class Row:
    """An activation function and the answer."""

    name: str
    formula: str
    answer: Check

    @property
    def slug(self) -> str:
        """Its name as a file name."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


def rows(path: Path) -> list[Row]:
    """The activation functions that can be written, each checked."""
    with path.open(encoding="utf-8") as file:
        lines = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    found = []
    for name, formula, *_ in lines:
        if not name.startswith("#") and formula != "-":
            found.append(Row(name, formula, tc.expression(formula).check()))
    return found


def table(checked: Sequence[Row]) -> str:
    """The whole page."""
    counts = Counter(WORDS[row.answer.verdict] for row in checked)
    total = ", ".join(f"{counts[word]} {word}" for word in WORDS.values() if counts[word])
    lines = [HEAD, f"{len(checked)} functions: {total}.\n\n"]
    lines.append("| name | formula | verdict | structure | defined | certificate | germ |\n")
    lines.append("|---|---|---|---|---|---|---|\n")
    lines.extend(f"| {' | '.join(cells(row))} |\n" for row in checked)
    return "".join(lines)


def cells(row: Row) -> tuple[str, ...]:
    """One row of the table."""
    answer = row.answer
    structures = ", ".join(s.public_name for s in answer.structures)
    certificate = answer.certificate
    size = "" if certificate is None else f"{-(-len(json.dumps(certificate)) // 1000)} kB"
    size += " (trusts a bound)" if answer.trusted else ""
    defined = (
        ""
        if answer.defined.total
        else "; ".join(
            dict.fromkeys(need.needs.replace("|", "\\|") for need in answer.defined.where)
        )
    )
    germ = "" if answer.witness is None else f"![](pictures/germs/{row.slug}.svg)"
    return (
        row.name,
        f"`{row.formula}`",
        WORDS[answer.verdict],
        structures,
        defined,
        size,
        germ,
    )


# -- pictures -------------------------------------------------------------------------------------


def curve_of(witness: Mapping[str, Any], inputs: Sequence[str], t: np.ndarray) -> np.ndarray:
    """The points of the witness's curve at these parameters, one a row."""
    columns = []
    for name in inputs:
        if "curve" in witness:
            entry = witness["curve"].get(name, {})
            terms = entry[0] if isinstance(entry, list) else entry
            columns.append(sum(float(Fraction(a)) * t ** int(j) for j, a in terms.items()) + 0 * t)
        else:
            base, slope = (float(Fraction(witness[key][name][0])) for key in ("base", "direction"))
            columns.append(base + slope * t)
    return np.stack(columns, axis=1)


def picture(graph: Graph, witness: Mapping[str, Any]) -> str:
    """The graph along the witness's curve, as far as it takes to see it wave or jump."""
    for last in (10.0, 30.0, 100.0):
        t = np.linspace(0.2, last, POINTS)
        heights = graph_along(graph, witness, t)
        if turns(heights) >= 9:
            return svg(t, heights)
    t = np.geomspace(0.2, 1e9, POINTS)
    return svg(np.log(t), graph_along(graph, witness, t))


def graph_along(graph: Graph, witness: Mapping[str, Any], t: np.ndarray) -> np.ndarray:
    """The refuted output along the curve."""
    roots = [root for _, root in graph.outputs]
    node = witness.get("output", [roots[0], 0])[0]
    with np.errstate(all="ignore"):
        found = values(graph, curve_of(witness, list(graph.inputs), t)).reshape(len(t), -1)
    return found[:, roots.index(node) if node in roots else 0]


def turns(heights: np.ndarray) -> int:
    """How often the values change their direction, or start and stop being defined."""
    finite = np.isfinite(heights)
    gaps = int(np.sum(finite[1:] != finite[:-1]))
    steps = np.sign(np.diff(heights[finite]))
    steps = steps[steps != 0]
    return gaps + int(np.sum(steps[1:] != steps[:-1]))


def svg(t: np.ndarray, heights: np.ndarray) -> str:
    """A line on a small canvas; broken where the value is undefined or jumps."""
    finite = np.isfinite(heights)
    scale = np.median(np.abs(heights[finite])) + 1e-9
    y = np.arcsinh(heights / scale)
    low, high = np.min(y[finite]), np.max(y[finite])
    x = 1 + (WIDTH - 2) * (t - t[0]) / (t[-1] - t[0])
    y = HEIGHT - 3 - (HEIGHT - 6) * (y - low) / max(high - low, 1e-9)
    parts, pen = [], False
    last = 0.0
    for a, b, there in zip(x, y, finite, strict=True):
        if not there:
            pen = False
            continue
        broken = not pen or abs(b - last) > HEIGHT / 3
        parts.append(f"{'M' if broken else 'L'}{a:.1f} {b:.1f}")
        pen, last = True, b
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">'
        f'<path d="{"".join(parts)}" fill="none" stroke="#1f5fa8" stroke-width="1"/></svg>\n'
    )


def main() -> int:
    """Write or compare."""
    checked = rows(DATA / "tame" / "activations.tsv")
    outcome = write_or_compare(PAGE, table(checked))
    if "--check" in sys.argv[1:]:
        return outcome
    PICTURES.mkdir(parents=True, exist_ok=True)
    for old in PICTURES.glob("*.svg"):
        old.unlink()
    for row in checked:
        if row.answer.witness is not None:
            drawn = picture(row.answer.graph, row.answer.witness.document)
            (PICTURES / f"{row.slug}.svg").write_text(drawn, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
