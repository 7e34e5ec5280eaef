"""Write ``docs/networks.md``: what is proved about every network of the shared data.

python docs/make_networks_table.py            write the page
python docs/make_networks_table.py --check    only compare; exit code 1 if it is out of date

The networks are read where they are, in ``$TAMECHECK_DATA``.
"""

from __future__ import annotations

import csv
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pages import write_or_compare

import tamecheck as tc
from tamecheck.ir.tensor import size_of
from tamecheck.loaders.text.vnnlib import read_vnnlib
from tamecheck.tame import Check, Verdict

DOCS = Path(__file__).parent
PAGE = DOCS / "networks.md"
DATA = Path(os.environ.get("TAMECHECK_DATA", DOCS.parents[1] / "shared" / "data"))
FOLDERS = ("bnn", "nets", "vnncomp2025")
HEAD = """\
# A tame theory of the VNN-COMP corpus

Networks of the verification competition VNN-COMP and of libraries of binarized and quantised
networks: in which o-minimal structure each is definable, how regular it is, and which theorems hold
for it ([theorems.md](theorems.md)). Every row rests on a certificate that the kernel accepts. The
page is written by `docs/make_networks_table.py`, and a test keeps it fresh.

- **nets**: how many of the folder have this row; **inputs**, **weights**: numbers of elements,
  for the smallest and the largest of them.
- **on**: ℝⁿ, or the box of a property of the network where the answer is another there.
- **structure**: the least one; *scores* is that of the values before a final softmax.
- **total**: defined everywhere; **regularity**: linear or constant by pieces, locally Lipschitz or
  continuous, each with finitely many pieces.
- **holds**: **K** Kurdyka-Łojasiewicz inequality, **Ł** with an exponent, **D** derivatives along
  curves (path-differentiability, automatic differentiation), **S** convergence of the stochastic
  subgradient method, **C** convergence of descent methods, **M** max-min form, **R** ReLU form,
  **A** averages over inputs are tame, **V** finite VC dimension and sample complexity of the
  architecture. Cell decomposition, stratification, uniform finiteness and definable choice hold for
  every row.
- **regions**, **VC**: the largest bounds, on linear regions and on the VC dimension over all
  weights.

| folder | nets | inputs | weights | on | structure | total | regularity | holds | regions | VC |
|---|---|---|---|---|---|---|---|---|---|---|
"""
HOLDS = {
    "Kurdyka-Łojasiewicz inequality": "K",
    "Łojasiewicz exponent": "Ł",
    "Path-differentiability": "D",
    "Stochastic subgradient method": "S",
    "Convergence of descent methods": "C",
    "Max-min form": "M",
    "ReLU form": "R",
    "Averages over inputs": "A",
    "Finite sample complexity": "V",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A network, and what is proved about it."""

    folder: str
    inputs: int
    weights: int
    on: str
    said: tuple[str, ...]
    regions: str
    dimension: str


def rows(data: Path) -> list[Row]:
    """Every network on all inputs, and on the box of its first property if that says more."""
    return [
        row
        for path, spec in networks(data)
        for row in about(folder_of(path, data), ask(path, spec))
    ]


def networks(data: Path) -> Iterator[tuple[Path, Path | None]]:
    """The files of all networks, each with its first property."""
    boxes = properties(data)
    for folder in FOLDERS:
        for path in sorted((data / folder).rglob("*")):
            if path.name.endswith((".onnx", ".onnx.gz")):
                yield path, boxes.get(path)


def properties(data: Path) -> dict[Path, Path]:
    """The first property of each network."""
    first: dict[Path, Path] = {}
    for table in (data / "INSTANCES.tsv", data / "vnncomp2025" / "INSTANCES.tsv"):
        with table.open(encoding="utf-8") as file:
            for row in list(csv.reader(file, delimiter="\t"))[1:]:
                first.setdefault(table.parent / row[1], table.parent / row[2])
    return first


def ask(path: Path, spec: Path | None) -> tuple[Check, Check | None]:
    """What holds of a network on all inputs, and on the box of its property."""
    model = tc.load(path)
    box = None if spec is None else read_vnnlib(spec).box(model.inputs)
    return model.check(), None if box is None else model.check(box)


def folder_of(path: Path, data: Path) -> str:
    """The folder that a network is listed under."""
    parts = [part for part in path.relative_to(data).parts[:-1] if part != "onnx"]
    return "/".join(parts[:2])


def about(folder: str, answers: tuple[Check, Check | None]) -> list[Row]:
    """What is proved about one network."""
    everywhere, there = answers
    found = [row(folder, "ℝⁿ", everywhere)]
    if there is not None:
        boxed = row(folder, "box", there)
        if boxed.said[:3] != found[0].said[:3]:
            found.append(boxed)
    return found


def row(folder: str, on: str, answer: Check) -> Row:
    """One answer as a row."""
    if answer.rests_on not in (None, "certificate"):
        raise SystemExit(f"a certificate of {folder} is not accepted")
    graph = answer.graph
    inputs = sum(size_of(shape) for shape in graph.inputs.values())
    said = {c.theorem.split(":")[0]: c.theorem for c in answer.consequences}
    structure = "unknown"
    if answer.verdict is not Verdict.UNKNOWN:
        structure = ", ".join(s.public_name for s in answer.structures) or "not tame"
    if answer.before_softmax:
        structure += f" (scores {answer.before_softmax[0].public_name})"
    holds = "".join(letter for name, letter in HOLDS.items() if name in said)
    words = ("yes" if answer.defined.total else "", regularity(answer), holds)
    bounds = [_bound(said.get(name, "")) for name in ("Linear regions", "Sample complexity")]
    return Row(folder, inputs, weights(answer), on, (structure, *words), *bounds)


def weights(answer: Check) -> int:
    """The number of elements of all constants."""
    constants = {id(node): node for node in answer.graph.nodes if hasattr(node, "tensor")}
    return sum(size_of(node.shape) for node in constants.values())


def regularity(answer: Check) -> str:
    """The properties that are proved."""
    known = answer.properties
    pieces = "constant" if known.piecewise_constant else "linear" if known.piecewise_linear else ""
    smooth = "Lipschitz" if known.locally_lipschitz else "continuous" if known.continuous else ""
    return ", ".join(word for word in (pieces, smooth) if word)


def _bound(text: str) -> str:
    """The number in the statement of a bound."""
    match = re.search(r"(?:at most|d ≤) (2\^\d+|[\d,]+)", text)
    return "" if match is None else match[1].rstrip(",")


def _size(bound: str) -> float:
    if not bound:
        return -1
    return float(bound[2:]) if bound.startswith("2^") else float(bound.replace(",", "")) ** 0.01


def span(values: Sequence[int]) -> str:
    """The least and the largest of some numbers."""
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def table(found: Sequence[Row]) -> str:
    """The whole page."""
    groups: dict[tuple[str, str, tuple[str, ...]], list[Row]] = {}
    for each in found:
        groups.setdefault((each.folder, each.on, each.said), []).append(each)
    lines = [HEAD]
    for (folder, on, said), group in groups.items():
        cells = (
            folder,
            str(len(group)),
            span([each.inputs for each in group]),
            span([each.weights for each in group]),
            on,
            *said,
            max((each.regions for each in group), key=_size),
            max((each.dimension for each in group), key=_size),
        )
        lines.append(f"| {' | '.join(cells)} |\n")
    total = sum(each.on == "ℝⁿ" for each in found)
    known = sum(each.on == "ℝⁿ" and each.said[0] not in ("unknown", "not tame") for each in found)
    lines.append(f"\n{total} networks, {known} of them definable on all of ℝⁿ.\n")
    return "".join(lines)


if __name__ == "__main__":
    sys.exit(write_or_compare(PAGE, table(rows(DATA))))
