"""The sentences and names that every form of an answer shares, and answers as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from math import prod
from typing import TYPE_CHECKING, Any, cast

from tamecheck.ir.exact import bound_text, rational_text
from tamecheck.ir.structure import Antichain, Structure
from tamecheck.ir.verdict import Properties, Verdict

if TYPE_CHECKING:
    from tamecheck.ir.box import Bound, Box, Side
    from tamecheck.ir.tensor import Shape
    from tamecheck.programs.tameness import ProgramCheck
    from tamecheck.tame.verdict import Check, Line

_PROPERTIES: Mapping[str, str] = {
    "piecewise_linear": "piecewise linear",
    "piecewise_constant": "piecewise constant",
    "continuous": "continuous",
    "locally_lipschitz": "locally Lipschitz",
    "path_differentiable": "path-differentiable",
}
"""The name in prose of each property."""

_LONGEST = 200
_MOST_NEEDS = 4
_ANSWERS: Mapping[bool | None, str] = {True: "yes", False: "no", None: "not proved"}

_LINEAR = Structure.RATIONAL_SEMILINEAR.symbol
_SYMBOLS = tuple(structure.symbol for structure in Structure)


def property_rows(properties: Properties) -> list[tuple[str, str]]:
    """Each property by its name in prose, with yes, no or not proved."""
    return [(_PROPERTIES[key], _ANSWERS[held]) for key, held in asdict(properties).items()]


def reason(line: Line) -> str:
    """Why the line holds, where its structures do not say it already."""
    own = ", ".join(structure.symbol for structure in line.structures)
    if line.why == own:
        return ""
    if line.why == _LINEAR:
        return "from its arguments"
    return f"itself in {line.why}" if line.why.startswith(_SYMBOLS) else line.why


def ingredients(check: Check) -> list[tuple[str, str]]:
    """Which ops need more than linear maps with rational slopes: op and count, and why."""
    free = check.graph.input_free
    counts = Counter(
        (line.op, line.why)
        for line in check.derivation
        if not free[line.node] and line.op != "input" and line.why != _LINEAR
    )
    rows = [(f"{op} × {count}" if count > 1 else op, why) for (op, why), count in counts.items()]
    linear = sum(not free[line.node] and line.why == _LINEAR for line in check.derivation)
    if linear:
        rest = f"{linear} other op" if rows else f"{linear} op"
        rows.append((f"{rest}s" if linear > 1 else rest, _LINEAR))
    return rows


def structure_names(structures: Antichain) -> str:
    """The public names, in order."""
    return ", ".join(dict.fromkeys(structure.public_name for structure in structures))


def headline(check: Check) -> str:
    """The verdict in one sentence."""
    structure = check.structure
    match check.verdict:
        case Verdict.TAME if structure is not None:
            said = f"Every output is definable in {structure.symbol}, an o-minimal structure."
            scores = [s.public_name for s in check.before_softmax[:1]]
            return (
                f"{said} Its scores, before the final softmax, are {scores[0]}." if scores else said
            )
        case Verdict.LOCALLY_TAME if structure is not None:
            return (
                f"Every output is definable in {structure.symbol}, which is locally o-minimal, "
                "not o-minimal."
            )
        case Verdict.TAME | Verdict.LOCALLY_TAME:
            return "Every output is definable."
        case Verdict.NOT_TAME:
            return _refuted(check)
        case Verdict.UNKNOWN:
            return "Neither a derivation nor a refutation was found."


def _refuted(check: Check) -> str:
    which = check.witness.refutes if check.witness else "o-minimal"
    if which == "locally-o-minimal":
        return "No locally o-minimal structure on ℝ with < and + defines it."
    return (
        "No o-minimal expansion of the real field defines it; this is a statement about "
        "structures with + and ×."
    )


def program_headline(check: ProgramCheck) -> str:
    """The verdict on a program in one sentence."""
    kind = "an o-minimal" if check.structure.o_minimal else "a locally o-minimal"
    return (
        "The feasible set, the optimal value and the optimal points, as they depend on the "
        f"right-hand side, are definable in {check.structure.symbol}, {kind} structure."
    )


def domain_text(box: Box, inputs: dict[str, Shape]) -> str:
    """The domain in words: ``x in [-1, 1], y in [0, inf)``."""
    parts = [
        f"{name} in {_side_text(box.side(name), shape)}"
        for name, shape in inputs.items()
        if box.side(name).lower != (None,) or box.side(name).upper != (None,)
    ]
    if not parts:
        return "all inputs"
    rest = len(inputs) - len(parts)
    return ", ".join([*parts, "all other inputs"] if rest else parts)


def _side_text(side: Side, shape: Shape) -> str:
    pairs = set(zip(side.lower, side.upper, strict=True))
    if len(pairs) > 1:
        ends = "bounded" if side.bounded else "partly unbounded"
        return f"a box of {len(side.lower)} intervals ({ends})"
    power = f"^{prod(shape)}" if prod(shape) > 1 else ""
    return interval_text(*pairs.pop()) + power if pairs else "the empty product"


def interval_text(low: Bound, high: Bound) -> str:
    """A closed interval, open where it is unbounded."""
    left = "(-inf" if low is None else f"[{_end(low)}"
    right = "inf)" if high is None else f"{_end(high)}]"
    return f"{left}, {right}"


def _end(value: Bound) -> str:
    if value is None:
        return "inf"
    text = rational_text(value)
    # a float's exact fraction is long; nine digits are enough for a reader
    return text if len(text) <= 12 else f"{float(value):.9g}"


def value_text(value: Any) -> str:
    """A value of a JSON document in words, cut off where it is long."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in cast("list[Any]", value)):
        text = ", ".join(cast("list[str]", value))  # an interval begins with a bracket of its own
    else:
        text = json.dumps(value).translate({34: None}).strip("[]")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


# --- JSON, with the keys that scripts may rely on -------------------------------------------------


def check_json(
    check: Check, *, certificate: str | None = None, derivation: bool = False
) -> dict[str, Any]:
    """The answer of ``check`` as a dictionary that `json` can write.

    Parameters
    ----------
    certificate
        The path that the certificate was written to, if it was.
    derivation
        Whether to include the lines of the derivation.
    """
    names = list(dict.fromkeys(s.public_name for s in check.structures))
    witness = check.witness
    document: dict[str, Any] = {
        "verdict": check.verdict.value,
        "structure": names[0] if names and check.structures[0].o_minimal else None,
        "also": names[1:],
        "before_softmax": check.before_softmax[0].public_name if check.before_softmax else None,
        "summary": headline(check),
        **_regularity(check),
        "witness": None
        if witness is None
        else {**witness.document, "refutes": witness.refutes, "summary": witness.summary},
        "weaker": list(check.weaker),
        "open": [asdict(gap) for gap in check.open],
        "certificate": certificate,
        "trusted": list(check.trusted),
        "domain": box_json(check.box, check.graph.inputs),
        "defined": _defined_json(check),
        "model": {"sha256": check.graph.sha256},
    }
    if derivation:
        document["derivation"] = [
            {
                "node": line.node,
                "name": line.name,
                "op": line.op,
                "structures": [s.value for s in line.structures],
                "why": line.why,
                "args": list(line.args),
            }
            for line in check.derivation
        ]
    return document


def _defined_json(check: Check) -> dict[str, Any]:
    """Where the outputs are defined, see `tamecheck.tame.verdict.Defined`."""
    defined = check.defined
    point = defined.undefined_at
    return {
        "total": defined.total,
        "where": [asdict(need) for need in defined.where],
        "definable_in": list(dict.fromkeys(s.public_name for s in defined.definable_in)),
        "empty": defined.empty,
        "undefined_at": None
        if point is None
        else {
            name: ends[0] if check.graph.inputs[name] == () else ends
            for name, values in point.items()
            for ends in [[rational_text(value) for value in values]]
        },
    }


def defined_text(check: Check) -> str:
    """Where the outputs are defined, in one sentence; empty if everywhere on the domain."""
    defined = check.defined
    if defined.empty:
        return "It is nowhere defined."
    if defined.total or not defined.where:
        return ""
    needs = list(dict.fromkeys(need.needs for need in defined.where))
    shown = ", ".join(needs[:_MOST_NEEDS])
    more = f" and {len(needs) - _MOST_NEEDS} more" if len(needs) > _MOST_NEEDS else ""
    return f"It is judged on its natural domain: {shown}{more}."


def program_check_json(check: ProgramCheck) -> dict[str, Any]:
    """The answer with the keys of every answer of ``check``; there is no certificate."""
    return {
        "verdict": check.verdict.value,
        "structure": check.structure.public_name if check.structure.o_minimal else None,
        "also": [],
        "summary": program_headline(check),
        "reasons": list(check.reasons),
        **_regularity(check),
        "witness": None,
        "open": [asdict(gap) for gap in check.open],
        "certificate": None,
        "trusted": [],
        "model": {"sha256": check.program.sha256},
    }


def _regularity(check: Check | ProgramCheck) -> dict[str, Any]:
    return {
        "properties": asdict(check.properties),
        "consequences": [
            {"theorem": c.theorem, "source": c.source, "hypotheses": list(c.hypotheses)}
            for c in check.consequences
        ],
    }


def box_json(box: Box, inputs: Mapping[str, Shape]) -> dict[str, Any]:
    """A box as in certificates: exact strings, null where unbounded, every input named."""

    def ends(bounds: tuple[Bound, ...]) -> list[str | None]:
        return [*map(bound_text, bounds)]

    sides = {name: box.side(name) for name in inputs}
    return {n: {"lower": ends(s.lower), "upper": ends(s.upper)} for n, s in sides.items()}


def shapes_json(shapes: Mapping[str, Shape]) -> list[dict[str, Any]]:
    """Named shapes as a list of records."""
    return [{"name": name, "shape": list(shape)} for name, shape in shapes.items()]
