"""Certificates in the hands of a user: checked by the kernel, and what exactly they claim."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamecheck.checkers import check, has_shares
from tamecheck.errors import InputError
from tamecheck.ir.exact import shown
from tamecheck.ir.judge import has_many_splits
from tamecheck.kernel import Report
from tamecheck.kernel_bnn import FORMAT as BALL
from tamecheck.kernel_bnn import REGION
from tamecheck.kernel_mip import FORMAT as TREE
from tamecheck.kernel_pwl import FORMAT as SPLITS
from tamecheck.kernel_pwl import STEPS
from tamecheck.kernel_pwl import check as check_splits
from tamecheck.loaders.files import read_bytes

if TYPE_CHECKING:
    from tamecheck.ir.box import Bound, Box, Side
    from tamecheck.ir.tensor import Shape
    from tamecheck.tame import Check

Levels = tuple[tuple[Fraction, Fraction], ...]
"""The low and the high level of each input; equal where it is fixed."""


@dataclass(frozen=True, slots=True)
class Statement:
    """Of which inputs, and of which of their values, a certificate's claim speaks.

    Parameters
    ----------
    count
        The number of inputs: elements of all input tensors, or columns of a program.
    fixed
        How many of them have a single value.
    bounded
        How many others have a finite bound.
    shapes, box
        The inputs' names and shapes, and the domain, of a claim about a function.
    levels
        The levels of the inputs of a claim about a ball.
    program
        ``sense``, ``columns`` and ``rows`` of a claim about a program.
    narrow
        A sentence for each way in which the claim is about less than all values of the inputs.
    assumes
        A sentence for each thing that the kernel cannot see and takes to be so.
    """

    count: int
    fixed: int
    bounded: int = 0
    shapes: Mapping[str, Shape] = field(default_factory=dict[str, tuple[int, ...]])
    box: Box | None = None
    levels: Levels | None = None
    program: Mapping[str, Any] | None = None
    narrow: tuple[str, ...] = ()
    assumes: tuple[str, ...] = ()
    refutes: bool = False

    @property
    def free(self) -> int:
        """How many inputs have more than one value."""
        return self.count - self.fixed

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        domain = None
        if self.box is not None:
            from tamecheck.show.wording import box_json

            domain = box_json(self.box, self.shapes)
        numbers = {"count": self.count, "free": self.free}
        levels = self.levels
        return {
            "inputs": {**numbers, "fixed": self.fixed, "bounded": self.bounded},
            "domain": domain,
            "levels": None if levels is None else [[str(v) for v in pair] for pair in levels],
            "program": self.program,
            "narrow": list(self.narrow),
            "assumes": list(self.assumes),
        }

    @property
    def rows(self) -> list[tuple[str, str]]:
        """Where the claim holds, in words; what each input has is said once if it is the same."""
        from tamecheck.show.wording import interval_text, value_text

        def said(texts: list[str]) -> str:
            return texts[0] if len(set(texts)) == 1 else value_text(texts)

        rows = [("inputs", f"{self.free} free, {self.fixed} fixed")]
        for name, side in () if self.box is None else self.box:
            pairs = zip(side.lower, side.upper, strict=True)
            rows.append(("domain", f"{name} in {said([interval_text(*pair) for pair in pairs])}"))
        if self.levels is not None:
            texts = [f"{a}" if a == b else f"{a} or {b}" for a, b in self.levels]
            rows.append(("levels", said(texts)))
        if self.program is not None:
            known = ((key, value) for key, value in self.program.items() if value != "")
            rows += [(key, value_text(value)) for key, value in known]
        return rows

    def differs(self, asked: Box | Levels) -> str | None:
        """Why the claim is no answer about this box, or these levels; None if it is one.

        That a function is definable, and its properties, hold on every smaller box too; that it is
        not definable, on every larger one.
        """
        if not isinstance(asked, tuple):
            if self.box is None:
                return "it is about no box"
            outer, inner = (asked, self.box) if self.refutes else (self.box, asked)
            named = next(
                (n for n in self.shapes if not _inside(inner.side(n), outer.side(n))), None
            )
            return None if named is None else f"it is about other values of {named!r}"
        if self.levels is None:
            return "it is about no levels"
        if len(asked) != len(self.levels):
            return f"it is about {len(self.levels)} inputs, not {len(asked)}"
        other = [i for i, pair in enumerate(self.levels) if pair != asked[i]]
        return f"it is about other levels of input {other[0]}" if other else None


def recheck(
    certificate: str | bytes | Mapping[str, Any] | Path | Check,
    *,
    steps: int | None = None,
    workers: int | None = 1,
) -> Report:
    """The kernel's verdict on a certificate.

    Parameters
    ----------
    certificate
        Its JSON text, its document, the path of its file, or the answer of a check.  A text that
        does not begin as JSON is a path.
    steps
        How many elementary steps the kernel may take, besides those for reading the text; by
        default some seconds' worth.  A check that needs more is incomplete.
    workers
        How many processes may share a large tree of splits, each of which checks a part; None for
        one a core.

    Raises
    ------
    InputError
        If a file cannot be read, or the answer of a check has no certificate.  A certificate that
        is no certificate is not an error: it is invalid.
    """
    if workers is not None and workers < 1:
        raise InputError(f"{workers} workers are none.")
    match certificate:
        case bytes():
            text: str | bytes = certificate
        case str() if _is_json(certificate):
            text = certificate
        case str() | Path():
            text = read_bytes(certificate)
        case Mapping():
            text = _json(certificate)
        case _:
            text = json.dumps(_of_answer(certificate))
    if workers != 1 and has_many_splits(text) and has_shares(text):
        from tamecheck.solvers.executors import count_cores, judge_in_shares

        limit = STEPS if steps is None else steps
        return judge_in_shares(check_splits, text, limit, workers or count_cores())
    return check(text, steps)


def _of_answer(answer: Any) -> Mapping[str, Any]:
    """The certificate of the answer of a check."""
    from tamecheck.tame import Check

    if not isinstance(answer, Check):
        raise InputError(
            f"The certificate is {shown(answer)}.",
            hint="Give a path, a JSON text, a document, or the answer of a check.",
        )
    if answer.certificate is None:
        raise InputError("An unknown verdict has no certificate.")
    return answer.certificate


def _is_json(text: str) -> bool:
    """Whether a text is a document rather than a path: it begins as one."""
    return text.lstrip()[:1] in {"{", "[", '"'}


def _json(document: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(document), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"The document is no JSON: {error}.") from None


def statement(document: Mapping[str, Any]) -> Statement:
    """What a certificate, which the kernel does not call invalid, is about."""
    if document["format"] == BALL:
        return _of_ball(document)
    if document["format"] == TREE:
        return _of_tree(document)
    if document["format"] in (REGION, SPLITS):
        return _of_regions(document)
    return _of_derivation(document)


def _of_derivation(document: Mapping[str, Any]) -> Statement:
    from tamecheck.ir.box import Box, Side

    nodes = document["model"]["graph"]["nodes"]
    shapes: dict[str, Shape] = {n["name"]: tuple(n["shape"]) for n in nodes if n["op"] == "input"}
    sides = {
        name: Side(*(tuple(map(_bound, side[end])) for end in ("lower", "upper")))
        for name, side in document["domain"].items()
    }
    count = sum(map(prod, shapes.values()))
    fixed = bounded = 0
    for name, shape in shapes.items():
        pairs = list(zip(sides[name].lower, sides[name].upper, strict=True))
        copies = prod(shape) // len(pairs)
        fixed += copies * sum(low is not None and low == high for low, high in pairs)
        bounded += copies * sum(low != high for low, high in pairs)
    narrow = _fixed_text(fixed, count, "nothing is said about their other values")
    if bounded:
        narrow.append(
            f"{bounded} of {count} inputs are bounded: nothing is said outside the domain"
        )
    hidden = {n["tensor"] for n in nodes if n["op"] == "constant"} - set(document["tensors"])
    indices = {
        nodes[n["args"][1]].get("tensor") for n in nodes if n["op"] in ("gather", "gather_elements")
    }
    assumes = [
        f"the constants whose data are not in the certificate ({len(tensors)}) are {kind}"
        for tensors, kind in (
            (hidden - indices, "rational numbers"),
            (hidden & indices, "integers in range"),
        )
        if tensors
    ]
    return Statement(
        count=count,
        fixed=fixed,
        bounded=bounded,
        shapes=shapes,
        box=Box(sides),
        narrow=tuple(narrow),
        assumes=tuple(assumes),
        refutes=document["claim"]["verdict"] == "not-tame",
    )


def _of_ball(document: Mapping[str, Any]) -> Statement:
    network = document["network"]
    ends = ([Fraction(v) for v in network[side]] for side in ("low", "high"))
    levels = tuple(zip(*ends, strict=True))
    fixed = sum(low == high for low, high in levels)
    narrow = _fixed_text(fixed, len(levels), "the ball holds no other levels of them")
    if document["claim"].get("radius") == 0:
        narrow = [*narrow, "the radius is 0: the ball holds only its centre"]
    return Statement(len(levels), fixed, levels=levels, narrow=tuple(narrow))


def _of_regions(document: Mapping[str, Any]) -> Statement:
    """Of the inputs that some region does not fix."""
    regions = document["claim"]["regions"]
    count = max((len(region["lower"]) for region in regions), default=0)
    ends = [zip(region["lower"], region["upper"], strict=True) for region in regions]
    fixed = sum(all(low == high for low, high in pairs) for pairs in zip(*ends, strict=True))
    narrow = _fixed_text(fixed, count, "nothing is said about their other values")
    boxes = {(tuple(region["lower"]), tuple(region["upper"])) for region in regions}
    said = "one box" if len(boxes) == 1 else f"{len(boxes)} boxes"
    narrow.append(f"the inputs are in {said}: nothing is said outside")
    return Statement(count, fixed, bounded=count - fixed, narrow=tuple(narrow))


def _of_tree(document: Mapping[str, Any]) -> Statement:
    program = document["program"]
    columns = program["columns"]
    about = {
        "name": program["name"],
        "sense": program["sense"],
        "columns": len(columns),
        "rows": len(program["rows"]),
    }
    single = [c for c in columns if c["lower"] is not None and c["lower"] == c["upper"]]
    fixed = sum("semi" not in c["kind"] for c in single)
    return Statement(len(columns), fixed, program=about)


def _fixed_text(fixed: int, count: int, consequence: str) -> list[str]:
    if fixed == count > 0:
        return ["all inputs are fixed: the claim is about a single point"]
    return [f"{fixed} of {count} inputs are fixed: {consequence}"] if fixed else []


def _bound(value: str | None) -> Bound:
    return None if value is None else Fraction(value)


def _inside(inner: Side, outer: Side) -> bool:
    size = max(len(inner.lower), len(outer.lower))
    pairs = zip(inner.elements(size), outer.elements(size), strict=True)
    return all(
        (low is None or (a is not None and low <= a))
        and (high is None or (b is not None and b <= high))
        for (a, b), (low, high) in pairs
    )
