"""The answers to "does the property hold", a closed sum of three, and to "what is the largest"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, TypeAlias

from flint import arb

from tamecheck.evaluate.float_terms import nearest_float
from tamecheck.ir.answer import Readable
from tamecheck.ir.exact import bound_text, decimal_text, rational_text

RECOMPUTATION = "recomputation"
INTEGERS = "integer bounds"
ROUNDING = "outward rounding"
REAL = "real"
CERTIFICATE = "certificate"

_DIGITS = 15
"""Of a ball in a text."""

_MOST_SHOWN = 8
"""Elements of a point in a text."""


def output_texts(outputs: Sequence[Fraction | arb]) -> tuple[Fraction | str, ...]:
    """Exact outputs as they are, balls as texts."""
    return tuple(v.str(_DIGITS) if isinstance(v, arb) else v for v in outputs)


@dataclass(frozen=True, slots=True)
class Witness:
    """An input that violates the property, and its outputs."""

    inputs: tuple[Fraction, ...]
    """The elements of all inputs, flat, exact."""
    outputs: tuple[Fraction | str, ...]
    """The elements of all outputs, flat: a rational, or the text of a rigorous ball."""
    float32: bool | None = None
    """Whether a float32 run of the model violates the output constraints too; None if not run."""

    @staticmethod
    def of(
        inputs: Sequence[Fraction], outputs: Sequence[Fraction | arb], *, float32: bool | None
    ) -> Witness:
        """The witness with these exact outputs, or balls around them."""
        return Witness(tuple(inputs), output_texts(outputs), float32)

    def to_json(self) -> dict[str, Any]:
        """The witness as JSON; exact numbers are strings."""
        return {
            "input": [rational_text(value) for value in self.inputs],
            "output": [v if isinstance(v, str) else rational_text(v) for v in self.outputs],
            "exact": True,
            "float32": self.float32,
        }


def listed(values: Sequence[Fraction]) -> str:
    """The first elements of a point, as decimal numbers."""
    shown = ", ".join(decimal_text(value) for value in values[:_MOST_SHOWN])
    return f"{shown}, …" if len(values) > _MOST_SHOWN else shown


class _Verdict(Readable):
    """What the three answers have in common."""

    __slots__ = ()
    reason: str
    seconds: float
    facts: Mapping[str, int]

    @property
    def status(self) -> str:
        """``holds``, ``violated`` or ``unknown``."""
        return type(self).__name__.lower()

    def to_json(self) -> dict[str, Any]:
        """The answer as JSON; exact numbers are strings."""
        witness = getattr(self, "witness", None)
        arithmetic = getattr(self, "arithmetic", None)
        return {
            "verdict": self.status,
            "reason": self.reason,
            "witness": witness.to_json() if isinstance(witness, Witness) else None,
            "certificate": None,
            "method": getattr(self, "method", None),
            "rests_on": getattr(self, "rests_on", None),
            "checked": getattr(self, "checked", None),
            "arithmetic": arithmetic.to_json() if isinstance(arithmetic, Arithmetics) else None,
            "seconds": round(self.seconds, 3),
            "facts": dict(self.facts),
        }

    def __str__(self) -> str:
        witness, rests_on = getattr(self, "witness", None), getattr(self, "rests_on", None)
        lines = [f"{self.status}: {self.reason}"]
        if isinstance(witness, Witness):
            lines.append(f"  at x = {listed(witness.inputs)}")
        return "\n".join(lines if rests_on is None else [*lines, f"  rests on: {rests_on}"])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.reason!r})"


@dataclass(frozen=True, slots=True)
class Arithmetics:
    """The arithmetic that is asked about, and the one of which the answer is proved.

    ``proved`` is ``real``, or the ``declared`` type: then the answer holds of every execution in
    that type, in any order of sums.  ``reason`` says why it is not; ``rests_on`` is as in `Holds`.
    ``near`` says that bounds with error terms were too weak: a certificate may still be found.
    """

    declared: str
    proved: str
    reason: str = ""
    rests_on: str | None = None
    near: bool = False

    def to_json(self) -> dict[str, Any]:
        """The record as JSON."""
        return {
            "declared": self.declared,
            "proved": self.proved,
            "reason": self.reason or None,
            "rests_on": self.rests_on,
        }

    def __str__(self) -> str:
        if self.declared == self.proved == REAL:
            return "real numbers"
        if self.proved == REAL:
            return f"real numbers, not {self.declared}: {self.reason}"
        return f"{self.proved}, every order of its sums ({self.rests_on})"


@dataclass(frozen=True, slots=True, repr=False)
class Holds(_Verdict):
    """No input of the region is unsafe.

    Parameters
    ----------
    method, reason, seconds, facts
        How it was found, in words.
    rests_on
        ``recomputation``: exact arithmetic concludes, in integers or by multipliers that are
        multiplied out; ``integer bounds``: those of the search, with a certificate that nobody has
        checked yet; ``certificate``: the kernel has checked a proof; ``outward rounding``:
        bounds in float64 that are rounded outward, and nothing else.
    checked
        For Hamming balls: ``enumeration`` or ``certificate``.
    certificate
        The document for `tamecheck.recheck`, where there is one.
    note
        Why there is no certificate, or none that the kernel has checked, where one was sought.
    arithmetic
        The arithmetic that the proof covers.
    """

    method: str
    reason: str
    seconds: float
    facts: Mapping[str, int] = field(default_factory=dict[str, int])
    rests_on: str = ROUNDING
    checked: str | None = None
    certificate: Mapping[str, Any] | None = field(default=None, compare=False)
    note: str = ""
    arithmetic: Arithmetics = Arithmetics(REAL, REAL)

    @property
    def is_certified(self) -> bool:
        """Whether the kernel has accepted the certificate."""
        return self.certificate is not None and self.checked == CERTIFICATE


@dataclass(frozen=True, slots=True, repr=False)
class Violated(_Verdict):
    """The witness is unsafe, by exact evaluation."""

    witness: Witness
    method: str
    reason: str
    seconds: float
    facts: Mapping[str, int] = field(default_factory=dict[str, int])
    rests_on: str = "replay"


@dataclass(frozen=True, slots=True, repr=False)
class Unknown(_Verdict):
    """Neither was shown.

    ``said_by`` names solvers in whose word, without a proof, the property holds.
    """

    reason: str
    seconds: float
    out_of_time: bool = False
    facts: Mapping[str, int] = field(default_factory=dict[str, int])
    said_by: str = ""


Answer: TypeAlias = Holds | Violated | Unknown


def vnncomp_text(answer: Answer) -> str:
    """For VNN-COMP: ``sat`` with the witness, ``unsat``, ``timeout`` or ``unknown``."""
    match answer:
        case Holds():
            return "unsat\n"
        case Unknown(out_of_time=late):
            return "timeout\n" if late else "unknown\n"
        case Violated(witness=witness):
            lines = [
                f"({name}_{index} {float_text(value)})"
                for name, values in (("X", witness.inputs), ("Y", witness.outputs))
                for index, value in enumerate(values)
            ]
            return f"sat\n({chr(10).join(lines)})\n"


def float_text(value: Fraction | str) -> str:
    """The nearest float64, or the middle of a ball, as text."""
    # a ball reads "[middle +/- radius]"
    return value.strip("[]").split(" ")[0] if isinstance(value, str) else repr(nearest_float(value))


Status: TypeAlias = Literal["optimal", "feasible", "unknown"]


@dataclass(frozen=True, slots=True, repr=False)
class Optimum(Readable):
    """What is known of the largest (or smallest) value of an output on a box."""

    status: Status
    """``optimal`` if no point of the box has a better value than ``value``; ``feasible`` if a
    point is known, ``unknown`` if none is."""
    value: Fraction | None
    """The exact value of the network at ``x``, or None."""
    bound: Fraction | None
    """No point is better than this; None if no bound is known."""
    x: tuple[Fraction, ...] | None
    """The elements of all inputs, in order, inside the box."""
    checked: str | None
    """What the bound rests on: ``certificate``, ``recomputation`` (of every linear piece),
    ``linear bounds`` (rigorous), or None."""
    method: str
    """How the point was found."""
    notes: tuple[str, ...]
    """What a user should know, a sentence each."""
    seconds: float
    """The time that it took."""
    certificate: Mapping[str, Any] | None = None
    """Of an optimum that rests on one: about the program of the network, for `recheck`."""

    @property
    def gap(self) -> Fraction | None:
        """The distance of value and bound."""
        if self.value is None or self.bound is None:
            return None
        return abs(self.bound - self.value)

    @property
    def rests_on(self) -> str | None:
        """What an optimum rests on; None for other answers."""
        return self.checked if self.status == "optimal" else None

    def to_json(self) -> dict[str, Any]:
        """The answer as JSON: exact numbers as strings."""
        gap = self.gap
        return {
            "status": self.status,
            "value": bound_text(self.value),
            "bound": bound_text(self.bound),
            "gap": None if gap is None else float(gap),
            "x": None if self.x is None else [rational_text(v) for v in self.x],
            "checked": self.checked,
            "rests_on": self.rests_on,
            "method": self.method,
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
        }

    def __str__(self) -> str:
        lines = [self.status]
        for what, value in (("value", self.value), ("bound", self.bound)):
            if value is not None:
                lines.append(f"  {what} {decimal_text(value)}")
        return "\n".join(lines if self.x is None else [*lines, f"  at x = {listed(self.x)}"])

    def __repr__(self) -> str:
        value, bound = (None if v is None else decimal_text(v) for v in (self.value, self.bound))
        return f"Optimum({self.status!r}, value={value}, bound={bound})"


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found about one radius."""

    radius: Fraction
    verdict: str
    method: str | None

    def to_json(self) -> dict[str, Any]:
        """The record as JSON."""
        return {
            "radius": rational_text(self.radius),
            "verdict": self.verdict,
            "method": self.method,
        }


@dataclass(frozen=True, slots=True, repr=False)
class Robustness(Readable):
    """How far a decision is robust.

    Parameters
    ----------
    verdict
        ``holds``: the largest radius is known, to the tolerance, or all that was asked about is
        proved; ``violated``: the point itself is not of the class; ``unknown`` otherwise.
    decision
        The class that is asked about.
    radius
        The largest radius that is proved; 0 if only the point itself is decided.
    witness, witness_radius
        An input that is decided otherwise, and its exact distance: no larger radius can be proved.
    certificate, certified_radius
        A proof that the kernel has accepted, for `tamecheck.recheck`, and its radius; or None.
    tried
        The radii that were asked about, in order.
    """

    verdict: Literal["holds", "violated", "unknown"]
    reason: str
    decision: int
    radius: Fraction | None
    witness: Witness | None
    witness_radius: Fraction | None
    method: str | None
    rests_on: str | None
    seconds: float
    tried: tuple[Probe, ...] = ()
    certificate: Mapping[str, Any] | None = None
    certified_radius: Fraction | None = None
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """The answer as JSON; exact numbers are strings."""
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "witness": None if self.witness is None else self.witness.to_json(),
            "certificate": None,
            "method": self.method,
            "rests_on": self.rests_on,
            "decision": self.decision,
            "radius": bound_text(self.radius),
            "witness_radius": bound_text(self.witness_radius),
            "certified_radius": bound_text(self.certified_radius),
            "tried": [one.to_json() for one in self.tried],
            "seconds": round(self.seconds, 3),
            "facts": {},
        }

    def __str__(self) -> str:
        lines = [f"{self.verdict}: {self.reason}", f"  decision {self.decision}"]
        if self.witness is not None:
            lines.append(f"  decided otherwise at x = {listed(self.witness.inputs)}")
        return "\n".join(
            lines if self.rests_on is None else [*lines, f"  rests on: {self.rests_on}"]
        )
