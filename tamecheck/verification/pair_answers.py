"""Answers about pairs of inputs, and what a model says at one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, TypeAlias

import numpy as np
from flint import arb

from tamecheck.ir.exact import rational_text
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import size_of
from tamecheck.verification.answer import output_texts

Of: TypeAlias = Literal["decision", "score"]

Rule: TypeAlias = Literal["largest", "positive", "not-negative", "number"]
"""How outputs decide: the first largest; class 1 where the one output is above 0, or where it is
not below; or the output is the number of the class."""


@dataclass(frozen=True, slots=True)
class PairWitness:
    """Two inputs that agree but for some elements, and what the model says at each, exactly.

    ``said`` are the classes or the scores of both; ``float32`` whether runs say so too.
    """

    inputs: tuple[Fraction, ...]
    other_inputs: tuple[Fraction, ...]
    outputs: tuple[Fraction | str, ...]
    other_outputs: tuple[Fraction | str, ...]
    said: tuple[str, str]
    changed: tuple[tuple[str, str, str], ...] = ()
    """For each feature that differs its name, and its values in both inputs, in words."""
    float32: bool | None = None

    def to_json(self) -> dict[str, Any]:
        """The witness as JSON; exact numbers are strings."""
        return {
            "input": list(map(rational_text, self.inputs)),
            "other_input": list(map(rational_text, self.other_inputs)),
            "output": list(map(_text, self.outputs)),
            "other_output": list(map(_text, self.other_outputs)),
            "said": list(self.said),
            "changes": [list(change) for change in self.changed],
            "exact": True,
            "float32": self.float32,
        }


@dataclass(frozen=True, slots=True)
class PairAnswer:
    """Whether a property of pairs holds.

    The fields are those of `Holds`, `Violated` and `Unknown`; a witness is a pair of inputs.
    """

    verdict: Literal["holds", "violated", "unknown"]
    reason: str
    seconds: float
    of: Of
    witness: PairWitness | None = None
    method: str | None = None
    rests_on: str | None = None
    checked: str | None = None
    facts: Mapping[str, int] = field(default_factory=dict[str, int])
    certificate: Mapping[str, Any] | None = field(default=None, compare=False)
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """The answer as JSON; exact numbers are strings."""
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "of": self.of,
            "witness": None if self.witness is None else self.witness.to_json(),
            "certificate": None,
            "method": self.method,
            "rests_on": self.rests_on,
            "checked": self.checked,
            "seconds": round(self.seconds, 3),
            "facts": dict(self.facts),
        }


def said_of(outputs: Sequence[Fraction | arb], of: Of, rule: Rule | None = None) -> Fraction | None:
    """The class of exact outputs, or the score; None where they are no rational numbers."""
    exact = [value for value in outputs if isinstance(value, Fraction)]
    if not exact or len(exact) < len(outputs):
        return None
    if of == "score" or rule == "number":
        return exact[0]
    if len(exact) > 1:
        return Fraction(exact.index(max(exact)))
    return Fraction(int(exact[0] >= 0 if rule == "not-negative" else exact[0] > 0))


def said_text(outputs: Sequence[Fraction | arb], of: Of, rule: Rule | None = None) -> str:
    """The class or the score, as text; a ball around the score where it is no rational number."""
    found = said_of(outputs, of, rule)
    if found is not None:
        return rational_text(found)
    if of == "score":
        return _text(output_texts(outputs)[0])
    values = [float(value) for value in outputs]
    return str(int(np.argmax(values)) if len(values) > 1 else int(values[0] > 0))


def _text(value: Fraction | str) -> str:
    return value if isinstance(value, str) else rational_text(value)


def element_names(graph: Graph) -> list[str]:
    """What each input element is called: ``x`` of a single number, else ``x[3]``."""
    return [
        f"{name}[{k}]" if shape else name
        for name, shape in graph.inputs.items()
        for k in range(size_of(shape))
    ]
