"""The answer about an extreme value: a point, its exact value, and a proved or believed bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, TypeAlias

from tamecheck.ir.exact import rational_text

__all__ = ["Optimum", "Status"]

Status: TypeAlias = Literal["optimal", "feasible", "unknown"]


@dataclass(frozen=True, slots=True)
class Optimum:
    """What is known of the largest (or smallest) value of an output on a box.

    Parameters
    ----------
    status
        ``optimal`` if no point of the box has a better value than ``value``; ``feasible`` if a
        point is known, ``unknown`` if none is.
    value
        The exact value of the network at ``x``, or None.
    bound
        No point is better than this; None if no bound is known.
    x
        The elements of all inputs, in order, inside the box.
    checked
        What the bound rests on: ``certificate``, ``linear bounds`` (rigorous), or None.
    method
        How the point was found.
    notes
        What a user should know, a sentence each.
    seconds
        The time that it took.
    certificate
        Of an optimum that rests on one: about the program of the network, for `recheck`.
    """

    status: Status
    value: Fraction | None
    bound: Fraction | None
    x: tuple[Fraction, ...] | None
    checked: str | None
    method: str
    notes: tuple[str, ...]
    seconds: float
    certificate: Mapping[str, Any] | None = None

    @property
    def gap(self) -> Fraction | None:
        """The distance of value and bound."""
        if self.value is None or self.bound is None:
            return None
        return abs(self.bound - self.value)

    def document(self) -> dict[str, Any]:
        """The answer as JSON: exact numbers as strings."""
        gap = self.gap
        return {
            "status": self.status,
            "value": None if self.value is None else rational_text(self.value),
            "bound": None if self.bound is None else rational_text(self.bound),
            "gap": None if gap is None else float(gap),
            "x": None if self.x is None else [rational_text(v) for v in self.x],
            "checked": self.checked,
            "rests_on": self.checked if self.status == "optimal" else None,
            "method": self.method,
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
        }
