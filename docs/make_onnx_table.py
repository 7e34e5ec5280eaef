"""Write the table of ONNX operators in docs/onnx.md, from the node cases of ONNX itself.

    python docs/make_onnx_table.py            rewrites the table
    python docs/make_onnx_table.py --check    tells whether it is up to date

A case is a model of one operator, its inputs and its outputs.  The package ``onnx`` generates them
all (onnx/backend/test/case/node); an archive of them holds one folder a case.
"""

from __future__ import annotations

import sys
import tarfile
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from pages import between, write_or_compare

from tamecheck.errors import DomainError, InputError, TamecheckError, UnsupportedError
from tamecheck.evaluate import exact_values, float_values
from tamecheck.ir.graph import Apply, Graph
from tamecheck.loaders.onnx import load_onnx
from tamecheck.loaders.onnx.reader import LOWERINGS

RTOL, ATOL = 1e-3, 1e-7
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


def in_folders(root: Path) -> Iterator[Case]:
    """The cases in folders of their own, as the package ``onnx`` has some of whole models."""
    for model in sorted(root.glob("*/model.onnx")):
        for data in sorted(model.parent.glob("test_data_set_*")):
            files = {path.name: path.read_bytes() for path in data.glob("*.pb")}
            name = f"{root.name}/{model.parent.name}"
            sides = (_numbered(files, stem) for stem in ("input", "output"))
            yield Case(name, model.read_bytes(), *sides)


def published() -> Iterator[Case]:
    """The cases that the installed package ``onnx`` generates, by name."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {case.name: case for case in collect_testcases("")}
    for name, case in sorted(found.items()):
        graph = case.model.graph
        (inputs, outputs), *_ = case.data_sets
        sides = zip((graph.input, graph.output), (inputs, outputs), strict=True)
        given, wanted = (
            tuple(_written(v, info) for v, info in zip(values, infos, strict=True))
            for infos, values in sides
        )
        yield Case(name, case.model.SerializeToString(), given, wanted)


def _written(value: Any, info: Any) -> bytes:
    """A tensor as it stands in an archive; of other values, which are not read, nothing."""
    if info.type.WhichOneof("value") != "tensor_type":
        return b""
    proto = value if isinstance(value, onnx.TensorProto) else None
    return (proto or numpy_helper.from_array(np.asarray(value))).SerializeToString()


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
    domains = {node.domain for node in model.graph.node}
    opset = max(entry.version for entry in model.opset_import if entry.domain in domains)
    try:
        stored = {tensor.name for tensor in model.graph.initializer}
        infos = [info for info in model.graph.input if info.name not in stored]
        given: dict[str, Any] = {}
        for raw, info in zip(case.inputs, infos, strict=True):
            if (
                info.type.WhichOneof("value") == "tensor_type"
                and info.type.tensor_type.elem_type != 8
            ):
                given[info.name] = array_of(raw)
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


def table(outcomes: Sequence[Outcome]) -> str:
    """The table in Markdown, a row for each operator that is read."""
    lines = [
        "| operator | opsets in the cases | becomes | cases passed | of which exact |",
        "|---|---|---|---|---|",
    ]
    by_operator: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if len(outcome.operators) == 1 and not outcome.case.endswith("_expanded"):
            by_operator.setdefault(outcome.operators[0], []).append(outcome)
    known = {name for domain, name in LOWERINGS if not domain}
    read = {name for name, rows in by_operator.items() if any(r.verdict == "passed" for r in rows)}
    for name in sorted(known | read):
        rows = by_operator.get(name, [])
        passed = [row for row in rows if row.verdict == "passed"]
        opsets = sorted({row.opset for row in rows})
        span = "–".join(dict.fromkeys(map(str, (opsets[0], opsets[-1])))) if opsets else ""
        primitives = sorted(set[str]().union(*(row.primitives for row in passed)))
        exact = sum(row.exact == "rational" for row in passed)
        shown = name if name in known else f"{name} †"
        lines.append(
            f"| {shown} | {span} | {' '.join(primitives)} | {len(passed)}/{len(rows)} | {exact} |"
            if rows
            else f"| {shown} | | | | |"
        )
    lines += ["", "Of other domains are read:", ""]
    for domain in sorted({domain for domain, _ in LOWERINGS if domain}):
        names = sorted(name for other, name in LOWERINGS if other == domain)
        lines.append(f"- `{domain}`: {', '.join(names)}.")
    counts = Counter(outcome.verdict for outcome in outcomes)
    lines += ["", "† read by the definition that ONNX itself has.", ""]
    lines += [f"Cases passed: {counts['passed']} of {len(outcomes)} (onnx {onnx.__version__}).", ""]
    lines += ["| cases that do not pass | how many | reason |", "|---|---|---|"]
    reasons = Counter(
        (", ".join(outcome.operators) if len(outcome.operators) < 4 else "several", reason(outcome))
        for outcome in outcomes
        if outcome.verdict != "passed"
    )
    lines += [f"| {names} | {count} | {why} |" for (names, why), count in sorted(reasons.items())]
    return "\n".join(lines)


_REASONS = (
    ("holds NaN or infinity", "an input is infinite or NaN"),
    ("of the output is -inf", "an output is infinite"),
    ("tensors of type STRING", "strings are not read"),
    ("is no tensor", "an input is a sequence or optional"),
    ("the output is a sequence", "an output is a sequence"),
    ("logsumexp over no element", "the value is infinite"),
    ("The largest of no floats", "the value is infinite"),
    ("log (the natural", "the value is infinite"),
)


def reason(outcome: Outcome) -> str:
    """Why a case does not pass."""
    for part, why in _REASONS:
        if part in outcome.why:
            return why
    if outcome.verdict == "failed":
        return ROUNDED
    return outcome.why.rpartition(": ")[2].removesuffix(".").replace("|", "\\|")


ROUNDED = "the published value is rounded on the way"


def page(outcomes: Sequence[Outcome]) -> str:
    """The page with the table written anew."""
    return between(PAGE, "docs/make_onnx_table.py", f"\n{table(outcomes)}\n")


def main() -> int:
    """Rewrite the table, or check it."""
    outcomes = [run(case) for case in published()]
    for outcome in outcomes:
        differs = outcome.verdict == "failed" and reason(outcome) == ROUNDED
        if differs or (outcome.verdict == "passed" and outcome.exact not in ("rational", "ball")):
            print(outcome.case, outcome.verdict, outcome.why, outcome.exact, file=sys.stderr)
    return write_or_compare(PAGE, page(outcomes))


if __name__ == "__main__":
    sys.exit(main())
