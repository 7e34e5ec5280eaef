"""Write the table of ONNX operators in docs/onnx.md, from the node cases of ONNX itself.

    python docs/make_onnx_table.py ARCHIVE    rewrites the table
    python docs/make_onnx_table.py ARCHIVE --check    tells whether it is up to date

The archive holds one folder a case, with a model of one operator, its inputs and its outputs, as
they are published with ONNX (onnx/backend/test/data/node).
"""

from __future__ import annotations

import argparse
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from tamecheck.errors import DomainError, InputError, TamecheckError, UnsupportedError
from tamecheck.evaluate import exact_values, float_values
from tamecheck.ir.graph import Apply, Graph
from tamecheck.loaders.onnx import load_onnx
from tamecheck.loaders.onnx.reader import LOWERINGS

RTOL, ATOL = 1e-3, 1e-7
START, END = "<!-- table: python docs/make_onnx_table.py -->", "<!-- end of table -->"
PAGE = Path(__file__).with_name("onnx.md")


@dataclass(frozen=True)
class Case:
    """One node case: a model, its inputs and the outputs that it must have."""

    name: str
    model: bytes
    inputs: tuple[bytes, ...]
    outputs: tuple[bytes, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    ``verdict`` is ``passed``, ``refused`` (an `UnsupportedError`) or ``failed``; ``exact`` is
    ``rational`` if all outputs have rational values and these agree, ``ball`` if some have none,
    and empty if the exact values disagree.
    """

    case: str
    operators: tuple[str, ...]
    opset: int
    verdict: str
    why: str = ""
    exact: str = ""
    primitives: frozenset[str] = field(default_factory=frozenset)


def cases(archive: Path) -> Iterator[Case]:
    """The cases in an archive, by name."""
    files: dict[str, dict[str, bytes]] = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            stream = tar.extractfile(member)
            if stream is not None:
                folder, _, rest = member.name.removeprefix("./").partition("/")
                files.setdefault(folder, {})[rest] = stream.read()
    for name, found in sorted(files.items()):
        if "model.onnx" in found:
            data = {key.partition("/")[2]: value for key, value in found.items()}
            yield Case(
                name, found["model.onnx"], _numbered(data, "input"), _numbered(data, "output")
            )


def _numbered(data: dict[str, bytes], stem: str) -> tuple[bytes, ...]:
    count = sum(key.startswith(f"{stem}_") for key in data)
    return tuple(data[f"{stem}_{i}.pb"] for i in range(count))


def array_of(raw: bytes) -> Any:
    """The tensor in a protocol buffer."""
    return numpy_helper.to_array(onnx.TensorProto.FromString(raw))


def run(case: Case) -> Outcome:
    """Load a case and compare its values with those that are published."""
    model = onnx.ModelProto.FromString(case.model)
    operators = tuple(sorted({node.op_type for node in model.graph.node}))
    opset = next(entry.version for entry in model.opset_import if not entry.domain)
    try:
        names = [info.name for info in model.graph.input]
        given: dict[str, Any] = {}
        for name, raw, info in zip(names, case.inputs, model.graph.input, strict=True):
            if (
                info.type.WhichOneof("value") == "tensor_type"
                and info.type.tensor_type.elem_type != 8
            ):
                given[name] = array_of(raw)
        loaded = load_onnx(case.model, where=case.name, given=given)
        expected = [array_of(raw) for raw in case.outputs]
        inputs = {name: real(given[name]) for name in loaded.graph.inputs}
        found = float_values(loaded.graph, inputs)
        why = difference(list(found.values()), expected)
        exact = exact_verdict(loaded.graph, inputs, expected)
    except UnsupportedError as error:
        return Outcome(case.name, operators, opset, "refused", str(error))
    except TamecheckError as error:
        return Outcome(case.name, operators, opset, "failed", f"{type(error).__name__} {error}")
    primitives = frozenset(node.op.name for node in loaded.graph.nodes if isinstance(node, Apply))
    verdict = "failed" if why else "passed"
    return Outcome(case.name, operators, opset, verdict, why, exact, primitives)


def real(array: Any) -> Any:
    """An array of a type that NumPy computes with."""
    if array.dtype.kind in "biuf":
        return array
    return array.astype(np.float64)


def difference(found: list[Any], expected: list[Any]) -> str:
    """What differs, or nothing."""
    if len(found) != len(expected):
        return f"{len(found)} outputs instead of {len(expected)}"
    for index, (one, other) in enumerate(zip(found, expected, strict=True)):
        if one.shape != other.shape:
            return f"output {index} has shape {one.shape} instead of {other.shape}"
        exact = other.dtype.kind in "biu" or "int" in str(other.dtype)
        wanted, values = other.astype(np.float64), one
        if other.dtype.itemsize < 4 and not exact:
            # the published value is rounded to its type; so is ours before they are compared
            values = one.astype(other.dtype).astype(np.float64)
        tolerance = 0.0 if exact else ATOL + RTOL * np.abs(wanted)
        if not bool((np.abs(values - wanted) <= tolerance).all()):
            return f"output {index} is off by {np.abs(values - wanted).max()}"
    return ""


def exact_verdict(graph: Graph, inputs: dict[str, Any], expected: list[Any]) -> str:
    """Whether exact evaluation agrees too, and whether its values are all rational."""
    try:
        found = exact_values(graph, inputs)
    except (DomainError, InputError) as error:
        return f"error: {error}"
    values = list(found.values())
    rational = all(
        isinstance(v, (int, Fraction)) for array in values for v in np.asarray(array).flat
    )
    if not rational:
        floats = [np.vectorize(float, otypes=[float])(array) for array in values]
        return "ball" if not difference(floats, expected) else ""
    floats = [np.asarray(array).astype(np.float64) for array in values]
    return "rational" if not difference(floats, expected) else ""


def table(outcomes: list[Outcome]) -> str:
    """The table in Markdown, a row for each operator that is read."""
    lines = [
        "| operator | opsets in the cases | becomes | cases passed | of which exact |",
        "|---|---|---|---|---|",
    ]
    by_operator: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        for operator in set(outcome.operators) if len(set(outcome.operators)) == 1 else ():
            by_operator.setdefault(operator, []).append(outcome)
    for domain, name in sorted(LOWERINGS):
        if domain:
            continue
        rows = by_operator.get(name, [])
        passed = [row for row in rows if row.verdict == "passed"]
        opsets = sorted({row.opset for row in rows})
        span = "–".join(dict.fromkeys(map(str, (opsets[0], opsets[-1])))) if opsets else ""
        primitives = sorted(set[str]().union(*(row.primitives for row in passed)))
        exact = sum(row.exact == "rational" for row in passed)
        lines.append(
            f"| {name} | {span} | {' '.join(primitives)} | {len(passed)}/{len(rows)} | {exact} |"
            if rows
            else f"| {name} | | | | |"
        )
    counts = Counter(outcome.verdict for outcome in outcomes)
    lines += ["", f"Cases passed: {counts['passed']} of {len(outcomes)}.", ""]
    lines += ["| refused case | reason |", "|---|---|"]
    for outcome in outcomes:
        if outcome.verdict == "refused":
            reason = outcome.why.split("These nodes are not read: ")[-1].replace("|", "\\|")
            lines.append(f"| {outcome.case} | {reason} |")
    return "\n".join(lines)


def page_with(text: str, page: str) -> str:
    """The page with another table."""
    head, _, rest = page.partition(START)
    _, _, tail = rest.partition(END)
    return f"{head}{START}\n\n{text}\n\n{END}{tail}"


def main() -> int:
    """Rewrite the table, or check it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("archive", type=Path, help="onnx_node_cases.tar.gz")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if outdated")
    args = parser.parse_args()
    outcomes = [run(case) for case in cases(args.archive)]
    for outcome in outcomes:
        if outcome.verdict == "failed" or outcome.exact not in ("rational", "ball"):
            print(outcome.case, outcome.verdict, outcome.why, outcome.exact, file=sys.stderr)
    page = PAGE.read_text(encoding="utf-8")
    new = page_with(table(outcomes), page)
    if args.check:
        return int(new != page)
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
