"""The order of o-minimal structures in which a function may be definable, with its sources.

``RATIONAL_SEMILINEAR < SEMILINEAR < SEMIALGEBRAIC < AN, EXP < AN_EXP < PFAFFIAN`` are o-minimal;
``RATIONAL_SEMILINEAR < LOCAL`` is locally o-minimal only.  Two o-minimal structures need not have
a common o-minimal expansion (Rolin, Speissegger, Wilkie 2003), so a join exists only where this
order lists an upper bound.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from functools import cache, reduce


class Structure(Enum):
    """A structure on the real line; the value is its name in certificates."""

    RATIONAL_SEMILINEAR = "rational-semilinear"
    SEMILINEAR = "semilinear"
    SEMIALGEBRAIC = "semialgebraic"
    AN = "an"
    EXP = "exp"
    AN_EXP = "an-exp"
    PFAFFIAN = "pfaffian"
    LOCAL = "local"

    @property
    def public_name(self) -> str:
        """The name in the command line's answers, which do not tell rational from real slopes."""
        return "semilinear" if self is Structure.RATIONAL_SEMILINEAR else self.value

    @property
    def symbol(self) -> str:
        """The structure in the notation of the literature."""
        return _FACTS[self][0]

    @property
    def adds(self) -> str:
        """What the structure adds to the ones below it."""
        return _FACTS[self][1]

    @property
    def source(self) -> str:
        """Who proved that it is o-minimal (or locally o-minimal)."""
        return _FACTS[self][2]

    @property
    def o_minimal(self) -> bool:
        """Whether the structure is o-minimal, not just locally so."""
        return self is not Structure.LOCAL

    def __le__(self, other: Structure) -> bool:
        """Whether everything definable in this structure is definable in ``other``."""
        return other in _ABOVE[self]


_FACTS: dict[Structure, tuple[str, str, str]] = {
    Structure.RATIONAL_SEMILINEAR: (
        "(ℝ, <, +, (λ·) for λ∈ℚ)",
        "linear maps with rational slopes",
        "Fourier-Motzkin elimination; van den Dries 1998, ch. 1 §7",
    ),
    Structure.SEMILINEAR: (
        "ℝ_lin",
        "linear maps with real slopes",
        "Fourier-Motzkin elimination; van den Dries 1998, ch. 1 §7",
    ),
    Structure.SEMIALGEBRAIC: ("ℝ_alg", "multiplication", "Tarski 1951; Seidenberg 1954"),
    Structure.AN: (
        "ℝ_an",
        "analytic functions restricted to compact boxes",
        "Gabrielov 1968; van den Dries 1986",
    ),
    Structure.EXP: ("ℝ_exp", "the exponential function", "Wilkie 1996"),
    Structure.AN_EXP: (
        "ℝ_an,exp",
        "restricted analytic functions and the exponential function",
        "van den Dries, Miller 1994",
    ),
    Structure.PFAFFIAN: (
        "P(ℝ_an)",
        "solutions of triangular systems of differential equations (erf)",
        "Speissegger 1999",
    ),
    Structure.LOCAL: (
        "(ℝ, <, +, ℤ)",
        "the integers, with linear maps of rational slope only",
        "Miller 2001 (quantifier elimination); locally o-minimal, not o-minimal",
    ),
}

_TOP = (Structure.AN_EXP, Structure.PFAFFIAN)
_ABOVE: dict[Structure, frozenset[Structure]] = {
    Structure.RATIONAL_SEMILINEAR: frozenset(Structure),
    Structure.SEMILINEAR: frozenset(Structure) - {Structure.RATIONAL_SEMILINEAR, Structure.LOCAL},
    Structure.SEMIALGEBRAIC: frozenset(
        {Structure.SEMIALGEBRAIC, Structure.AN, Structure.EXP, *_TOP}
    ),
    Structure.AN: frozenset({Structure.AN, *_TOP}),
    Structure.EXP: frozenset({Structure.EXP, *_TOP}),
    Structure.AN_EXP: frozenset(_TOP),
    Structure.PFAFFIAN: frozenset({Structure.PFAFFIAN}),
    Structure.LOCAL: frozenset({Structure.LOCAL}),
}

Antichain = tuple[Structure, ...]
"""Pairwise incomparable structures, in the order of declaration: all the minimal valid ones."""


def minimal(structures: Iterable[Structure]) -> Antichain:
    """The minimal elements, in the order of declaration."""
    present = set(structures)
    return tuple(
        s for s in Structure if s in present and not any(t <= s for t in present if t is not s)
    )


@cache
def join(left: Antichain, right: Antichain) -> Antichain:
    """The minimal structures above some element of each side; empty when none is listed."""
    return minimal(s for s in Structure if any(a <= s for a in left) and any(b <= s for b in right))


def join_all(parts: Iterable[Antichain]) -> Antichain:
    """The join of any number of antichains; that of none is the bottom."""
    return reduce(join, parts, (Structure.RATIONAL_SEMILINEAR,))
