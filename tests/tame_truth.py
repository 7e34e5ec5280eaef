"""Formulas whose tameness is known, and how an answer compares with what is known."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import tamecheck as tc
from tamecheck.ir.box import Box
from tamecheck.ir.graph import Graph
from tamecheck.ir.structure import Structure
from tamecheck.loaders.text.box import parse_box
from tamecheck.loaders.text.expression import parse_expression
from tamecheck.tame.check import check
from tamecheck.tame.verdict import Check, Verdict

__all__ = ["Row", "Score", "Truth", "compared", "score", "summary", "table"]


class Truth(NamedTuple):
    """A verdict, and for a tame function a structure in which it is definable.

    ``least`` says that it is definable in no structure that is not above this one.
    """

    verdict: Verdict
    structure: Structure | None = None
    least: bool = False

    @classmethod
    def read(cls, text: str) -> Truth:
        """Of ``tame:STRUCTURE``, ``locally-tame`` or ``not-tame``."""
        word, _, name = text.partition(":")
        return cls(Verdict(word), Structure(name) if name else None)

    def __str__(self) -> str:
        """As it is read."""
        name = "" if self.structure is None else f":{self.structure.value}"
        return f"{self.verdict.value}{name}"


class Row(NamedTuple):
    """A question with its answer: an expression, the text of a box or None, and the truth."""

    text: str
    box: str | None
    truth: Truth
    name: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """An answer beside the truth.

    ``word`` is *right* (perhaps in a smaller structure), *weaker* (true, but less than is known),
    *unknown*, *wrong*, or *error*; ``kernel`` is the kernel's word on the certificate, and
    ``seconds`` its time.
    """

    row: Row
    word: str
    said: str
    kernel: str
    seconds: float
    size: int

    def __str__(self) -> str:
        """One line of a table."""
        where = f" on {self.row.box}" if self.row.box else ""
        certificate = f"{self.kernel} {self.seconds:.3f} s" if self.kernel else ""
        return (
            f"{self.word:8}{self.row.truth!s:20} {self.said:22} {certificate:18} "
            f"{self.row.text}{where}"
        )


def table(path: Path) -> Iterator[Row]:
    """The questions in a shared table that can be written as an expression."""
    named = "activations" in path.name
    with path.open(encoding="utf-8") as file:
        for cells in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if cells[0].startswith("#") or cells[1 if named else 0] == "-":
                continue
            if named:
                yield Row(cells[1], None, Truth.read(cells[2]), cells[0])
            else:
                box = None if cells[1] == "-" else cells[1]
                yield Row(cells[0], box, Truth.read(cells[2]))


def _word(truth: Truth, answer: Check) -> str:
    """How an answer compares; a smaller structure than the one that is known is right too."""
    match truth.verdict, answer.verdict:
        case _, Verdict.UNKNOWN:
            return "unknown"
        case Verdict.TAME, Verdict.TAME:
            assert truth.structure is not None
            if truth.least and not all(truth.structure <= found for found in answer.structures):
                return "wrong"
            fits = any(found <= truth.structure for found in answer.structures)
            return "right" if fits else "weaker"
        case Verdict.TAME, Verdict.LOCALLY_TAME:
            return "weaker"  # a semilinear function is definable with the integers as well
        case known, said if known is said:
            return "right"
        case _:
            return "wrong"


def score(row: Row, graph: Graph | None = None, *, timeout: float = 10) -> Score:
    """The answer to a question, compared with the truth, its certificate checked by the kernel.

    A graph is asked in place of the expression, if it is given.
    """
    try:
        graph = parse_expression(row.text).graph if graph is None else graph
        box = Box.everything() if row.box is None else parse_box(row.box, graph.inputs)
        answer = check(graph, box, timeout=timeout)
    except tc.TamecheckError as error:
        return Score(row, "error", str(error), "", 0.0, 0)
    return compared(row, answer)


def compared(row: Row, answer: Check) -> Score:
    """An answer, compared with the truth, its certificate checked by the kernel."""
    known = answer.structure if answer.verdict is Verdict.TAME else None
    said, word = str(Truth(answer.verdict, known)), _word(row.truth, answer)
    if answer.certificate is None:
        return Score(row, word, said, "", 0.0, 0)
    text, recheck = json.dumps(answer.certificate), tc.recheck
    start = time.process_time()
    verdict = recheck(text).verdict
    return Score(row, word, said, verdict, time.process_time() - start, len(text))


def summary(scores: Iterable[Score]) -> dict[str, int]:
    """How many answers are right, weaker, unknown, wrong and errors."""
    words = [found.word for found in scores]
    return {word: words.count(word) for word in ("right", "weaker", "unknown", "wrong", "error")}
