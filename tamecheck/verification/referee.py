"""Who is right: the answers and witnesses of several tools about one property, judged exactly."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

from flint import arb

from tamecheck.errors import InputError
from tamecheck.evaluate.float_terms import nearest_float
from tamecheck.ir.exact import parse_rational, rational
from tamecheck.ir.graph import Graph
from tamecheck.ir.spec import Case, Specification
from tamecheck.loaders.files import read_text
from tamecheck.model import Model
from tamecheck.verification.answer import Answer, Unknown, Violated
from tamecheck.verification.confirm import verify
from tamecheck.verification.witness import (
    Replay,
    exact_outputs,
    graph_of,
    holds_at,
    left_minus_bound,
    replay_of,
    run_in_float32,
)

Word: TypeAlias = Literal["sat", "unsat", "unknown", "timeout", "error"]

_SYNONYMS: Mapping[Word, tuple[str, ...]] = {
    "sat": ("violated", "falsified", "unsafe"),
    "unsat": ("holds", "verified", "safe"),
    "timeout": ("timed-out", "run_instance_timeout"),
    "unknown": ("no_result_in_file", "not_attempted"),
    "error": (),
}
_WORDS: Mapping[str, Word] = {
    word: meaning for meaning, words in _SYNONYMS.items() for word in (meaning, *words)
}
_FAILED = re.compile(r"(?:prepare_instance_)?error\w*", re.IGNORECASE)
"""What a table of results says of a tool that ended with an error."""
_PAIR = re.compile(r"\b([XYxy])_([0-9]{1,9})(?:\s+([^\s()]*))?")
_HEAD = re.compile(r"^[^\S\n]*\S+\s+[A-Za-z]\w*\s+\[([0-9,\s]*)\][^\S\n]*$", re.MULTILINE)
"""The line above the elements of a tensor, as VNN-LIB 2.0 prints an assignment."""
_LIMIT = 2**28


@dataclass(frozen=True, slots=True)
class Said:
    """What a tool says: its name, its answer, and the elements of the input that it gives.

    ``fault`` is why what it gives is no input, where it is none.
    """

    name: str
    answer: Word
    witness: tuple[Fraction, ...] | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class WitnessCheck:
    """Whether an input violates the property.

    ``exact`` in rational arithmetic (None if the outputs cannot be computed), ``float32`` in a run
    of the file (None if there was none); ``misses_by`` is the least amount by which all
    inequalities of a case have to be relaxed, 0 if it is a witness.  ``reason`` says why it is no
    input at all.
    """

    exact: bool | None
    float32: bool | None
    misses_by: float | None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The facts by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Judged:
    """What a tool said, whether it is right (None: not known, or nothing definite), its witness."""

    said: Said
    right: bool | None
    witness: WitnessCheck | None

    def to_json(self) -> dict[str, Any]:
        """The judgement as JSON."""
        witness = None if self.witness is None else self.witness.to_json()
        said = self.said
        return {"name": said.name, "answer": said.answer, "right": self.right, "witness": witness}


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The truth, what it rests on, and who is right."""

    truth: str
    """``holds``, ``violated`` or ``unknown``."""
    reason: str
    rests_on: str | None
    tools: tuple[Judged, ...]
    answer: Answer | None
    """Ours; None if the witness of a tool settles it."""

    @property
    def status(self) -> str:
        """The truth."""
        return self.truth

    def to_json(self) -> dict[str, Any]:
        """The verdicts as JSON."""
        return {
            "truth": self.truth,
            "reason": self.reason,
            "rests_on": self.rests_on,
            "tools": [one.to_json() for one in self.tools],
            "verify": None if self.answer is None else self.answer.to_json(),
        }

    def __repr__(self) -> str:
        wrong = [one.said.name for one in self.tools if one.right is False]
        return f"Verdicts({self.truth!r}, wrong={wrong})"


def referee(
    model: Model | Graph,
    spec: Specification,
    said: Sequence[Said],
    *,
    timeout: float | None = None,
    seed: int = 0,
) -> Verdicts:
    """Judge what tools say of a property.

    A witness is evaluated in rationals and run in float32; one that is exact settles the question.
    Else `verify` is asked.  ``sat`` is right if the property is violated, whatever became of the
    witness that came with it.

    Parameters
    ----------
    model, spec, timeout, seed
        As for `verify`.
    said
        The answers, as `answers_in` reads them.
    """
    graph, replay = graph_of(model), replay_of(model)
    checks = [_checked(graph, spec, one, replay) for one in said]
    answer: Answer | None = None
    exact = [one.name for one, found in zip(said, checks, strict=True) if found and found.exact]
    if exact:
        truth = "violated"
        reason, rests_on = f"The witness of {exact[0]} violates the property exactly.", "replay"
    else:
        answer = verify(model, spec, timeout=timeout, seed=seed)
        truth = answer.status
        reason = answer.reason
        rests_on = None if isinstance(answer, Unknown) else answer.rests_on
    right = {"holds": "unsat", "violated": "sat"}.get(truth)
    tools = (
        Judged(
            one, one.answer == right if right and one.answer in ("sat", "unsat") else None, found
        )
        for one, found in zip(said, checks, strict=True)
    )
    if isinstance(answer, Violated):
        reason += " No tool's witness does."
    return Verdicts(truth, reason, rests_on, tuple(tools), answer)


def _checked(
    graph: Graph, spec: Specification, said: Said, replay: Replay | None
) -> WitnessCheck | None:
    if said.fault is not None:
        return WitnessCheck(exact=False, float32=None, misses_by=None, reason=said.fault)
    return None if said.witness is None else check_witness(graph, spec, said.witness, replay)


def check_witness(
    graph: Graph, spec: Specification, point: Sequence[Fraction], replay: Replay | None
) -> WitnessCheck:
    """Whether an input violates the property, and by how much it misses."""
    if len(point) != spec.input_size:
        why = f"The witness has values for {len(point)} of {spec.input_size} inputs."
        return WitnessCheck(exact=False, float32=None, misses_by=None, reason=why)
    single = None if replay is None else _run_single(spec, point, replay)
    outputs = exact_outputs(graph, point)
    if outputs is None:
        return WitnessCheck(exact=None, float32=single, misses_by=None)
    exact = spec.admits(point) and any(
        case.contains(point) and all(holds_at(row, point, outputs) for row in case.outputs)
        for case in spec.cases
    )
    off = max(
        (abs(x - round(x)) for x, i in zip(point, spec.integral, strict=True) if i), default=0
    )
    slacks = [max(float(off), _slack(case, point, outputs)) for case in spec.cases]
    return WitnessCheck(exact, single, 0.0 if exact else min(slacks, default=None))


def _run_single(spec: Specification, point: Sequence[Fraction], replay: Replay) -> bool | None:
    found = run_in_float32(point, replay)
    if found is None:
        return None
    _, y = found
    # the region is that of the exact input: rounding it to float32 is the run's affair
    return (
        bool(y)
        and spec.admits(point)
        and any(
            case.contains(point) and all(row.holds(point, y) for row in case.outputs)
            for case in spec.cases
        )
    )


def _slack(case: Case, point: Sequence[Fraction], outputs: Sequence[Fraction | arb]) -> float:
    """How much the conditions of a case have to be relaxed for it to hold."""
    ends = zip(point, case.lower, case.upper, strict=True)
    outside = [
        end
        for x, low, high in ends
        for end in (None if low is None else low - x, None if high is None else x - high)
        if end is not None
    ]
    rows = [left_minus_bound(row, point, outputs) for row in (*case.region, *case.outputs)]
    return max([0.0, *map(_float_of, [*outside, *rows])])


def _float_of(value: Fraction | arb) -> float:
    near = float(value.upper()) if isinstance(value, arb) else nearest_float(value)
    # what floats do not hold is more than the largest of them
    return min(near, sys.float_info.max)


# --- what tools wrote ----------------------------------------------------------------------------


def answers_in(
    path: str | Path, *, model: str, spec: str, size: int, name: str | None = None
) -> Iterator[Said]:
    """What a file says about one instance.

    Parameters
    ----------
    path
        A ``results.csv`` of VNN-COMP, of which the rows about this network and property count; a
        counterexample or result file (``sat`` and the values of ``X_i``); or an answer of
        ``tamecheck verify --json``.
    model, spec
        The files of network and property, whose last parts name them in a table.
    size
        The number of input elements.
    name
        What the tool is called; by default the column or folder that names it, else the file.

    Raises
    ------
    InputError
        If the file is none of these, or says nothing about the instance.
    """
    where, text = Path(path), read_text(path, limit=_LIMIT)
    label = name or where.name.removesuffix(".gz")
    start = text.lstrip()
    if start.startswith("{"):
        yield _from_json(start, label, str(path))
        return
    first = start.split(None, 1)[0].strip("\"'").lower() if start else ""
    if first in _WORDS:
        yield _said(label, _WORDS[first], partial(_point, start, size))
        return
    if first.startswith("(("):
        yield _said(label, "sat", partial(_point, start, size))
        return
    try:
        rows = list(_rows(start, model, spec))
    except csv.Error as error:
        raise InputError(f"The table cannot be read ({error}).", where=str(path)) from None
    if not rows:
        raise InputError(
            "The file says nothing about this network and property.",
            where=str(path),
            hint="It is a results.csv, a counterexample file, or an answer in JSON.",
        )
    folder = name or where.resolve().parent.name
    yield from (Said(folder, word) for word in rows)


def _said(name: str, word: Word, read: Callable[[], tuple[Fraction, ...] | None]) -> Said:
    """The answer of a tool with its witness, or with what is wrong with that."""
    try:
        return Said(name, word, read())
    except InputError as error:
        return Said(name, word, fault=error.what)


def _rows(text: str, model: str, spec: str) -> Iterator[Word]:
    """The results of the rows of a table that name the network and the property.

    Where such rows are of several benchmarks, those count whose name is a folder of the network.
    """
    wanted = {_stem(model), _stem(spec)}
    table = ([cell.strip() for cell in row] for row in csv.reader(io.StringIO(text)))
    found = [cells for cells in table if wanted <= {_stem(cell) for cell in cells}]
    folders = set(Path(model).resolve().parent.parts)
    named = [cells for cells in found if cells[0] in folders]
    for cells in named or found:
        words: list[Word] = [word for word in map(_word, cells) if word is not None]
        yield words[-1] if words else "unknown"


def _word(cell: str) -> Word | None:
    """What a cell of a table says of the answer, if it does."""
    return "error" if _FAILED.fullmatch(cell) else _WORDS.get(cell.lower())


def _stem(name: str) -> str:
    """The last part of a path, without the suffix of compression."""
    return name.replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".gz")


def _point(text: str, size: int) -> tuple[Fraction, ...] | None:
    """The values of ``X_0`` and so on, or of the tensors that come first; None without any."""
    if heads := list(_HEAD.finditer(text)):
        return _tensors(text, heads, size)
    found: dict[int, Fraction] = {}
    for kind, index, number in _PAIR.findall(text):
        if kind in "Yy":
            continue
        if int(index) in found:
            raise InputError(f"The witness has two values of X_{index}.")
        found[int(index)] = _element(number, f"X_{index}")
    if not found:
        return None
    if sorted(found) != list(range(len(found))) or len(found) != size:
        raise InputError(f"The witness has values for {len(found)} of {size} inputs.")
    return tuple(found[i] for i in range(size))


def _tensors(text: str, heads: Sequence[re.Match[str]], size: int) -> tuple[Fraction, ...]:
    """The first elements of an assignment as VNN-LIB 2.0 prints it: those of the inputs."""
    found: list[Fraction] = []
    ends = [*(head.start() for head in heads[1:]), len(text)]
    for head, end in zip(heads, ends, strict=True):
        if len(found) >= size:
            break
        name = head.group().split()[0]
        found += [_element(word, name) for word in text[head.end() : end].split()]
    if len(found) != size:
        raise InputError(f"The witness has values for {len(found)} of {size} inputs.")
    return tuple(found)


def _element(text: str, name: str) -> Fraction:
    try:
        return parse_rational(text)
    except InputError:
        what = f"The witness has {text[:40]!r} for {name}, which is no number."
        raise InputError(what) from None


def _from_json(text: str, name: str, where: str) -> Said:
    try:
        document: Any = json.loads(text)
        word = _WORDS[str(document["verdict"]).lower()]
        witness = document.get("witness")
        given = None if witness is None else list(witness["input"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        what = f"This is no answer of verify ({type(error).__name__})."
        raise InputError(what, where=where) from None
    return _said(name, word, lambda: None if given is None else tuple(map(rational, given)))


def markdown(verdicts: Verdicts, title: str) -> str:
    """The verdicts as a table in Markdown."""
    marks = {True: "yes", False: "no", None: "-"}
    lines = [
        f"# Referee: {title}",
        "",
        f"**{verdicts.truth}** (rests on {verdicts.rests_on or 'nothing'}). {verdicts.reason}",
        "",
        "| tool | answer | right | witness exact | in float32 | misses by |",
        "|---|---|---|---|---|---|",
    ]
    for one in verdicts.tools:
        found = one.witness
        cells = [one.said.name.replace("|", "\\|"), one.said.answer, marks[one.right]]
        if found is None:
            cells += ["-", "-", "-"]
        else:
            missed = "-" if found.misses_by is None else f"{found.misses_by:.3g}"
            exact = marks[found.exact] + (f" ({found.reason})" if found.reason else "")
            cells += [exact.replace("|", "\\|"), marks[found.float32], missed]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", "written by tamecheck", ""])
