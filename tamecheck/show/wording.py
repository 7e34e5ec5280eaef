"""The sentences and names that every form of an answer shares."""

from __future__ import annotations

from collections import Counter

from tamecheck.ir.box import Bound, Box, Side
from tamecheck.ir.exact import rational_text
from tamecheck.ir.structure import Antichain, Structure
from tamecheck.ir.tensor import Shape, size_of
from tamecheck.tame.verdict import Check, Line, Properties, Verdict

__all__ = [
    "PROPERTY_NAMES",
    "domain_text",
    "headline",
    "ingredients",
    "interval_text",
    "property_values",
    "reason",
    "structure_names",
]

PROPERTY_NAMES: tuple[tuple[str, str], ...] = (
    ("piecewise_linear", "piecewise linear"),
    ("piecewise_constant", "piecewise constant"),
    ("continuous", "continuous"),
    ("locally_lipschitz", "locally Lipschitz"),
    ("path_differentiable", "path-differentiable"),
)
"""Each property: its key in JSON, its name in prose."""


_LINEAR = Structure.RATIONAL_SEMILINEAR.symbol
_SYMBOLS = tuple(structure.symbol for structure in Structure)


def property_values(properties: Properties) -> dict[str, bool | None]:
    """The properties by key: true or false when proved, else None."""
    return {
        "piecewise_linear": properties.piecewise_linear,
        "piecewise_constant": properties.piecewise_constant,
        "continuous": properties.continuous,
        "locally_lipschitz": properties.locally_lipschitz,
        "path_differentiable": properties.path_differentiable,
    }


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
            return (
                f"Every output is definable in {structure.symbol}, an o-minimal structure."
                f"{_scores(check)}"
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


def _scores(check: Check) -> str:
    if not check.before_softmax:
        return ""
    return f" Its scores, before the final softmax, are {check.before_softmax[0].public_name}."


def _refuted(check: Check) -> str:
    which = check.witness.refutes if check.witness else "o-minimal"
    if which == "locally-o-minimal":
        return "No locally o-minimal structure on ℝ with < and + defines it."
    return "No o-minimal expansion of the real field defines it."


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
    power = f"^{size_of(shape)}" if size_of(shape) > 1 else ""
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
