"""Where a dual function is definable, and how smooth it is there."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tamecheck.ir.exact import rational_text
from tamecheck.ir.structure import Structure
from tamecheck.ir.verdict import Verdict

__all__ = ["Definability", "locally_tame", "semilinear"]


@dataclass(frozen=True, slots=True)
class Definability:
    """Whether a dual function is tame on a domain of right-hand sides, and why.

    Parameters
    ----------
    domain
        ``everywhere`` or ``box`` (any bounded box with rational ends).
    verdict, structure
        Tame with an o-minimal structure, or locally tame in (ℝ, <, +, ℤ).
    continuous, lipschitz
        True or false if proved for all such functions or for this one, None if not known.
    constant
        A Lipschitz constant for the 1-norm, if one is known.
    reasons
        Why, in sentences.
    """

    domain: str
    verdict: Verdict
    structure: Structure
    continuous: bool | None
    lipschitz: bool | None
    reasons: tuple[str, ...]
    constant: Fraction | None = None

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "domain": self.domain,
            "verdict": self.verdict.value,
            "structure": self.structure.public_name,
            "continuous": self.continuous,
            "locally_lipschitz": self.lipschitz,
            "lipschitz_constant": None if self.constant is None else rational_text(self.constant),
            "reasons": list(self.reasons),
        }


def semilinear(
    domain: str,
    *reasons: str,
    continuous: bool | None,
    lipschitz: bool | None,
    constant: Fraction | None = None,
) -> Definability:
    """Tame: finitely many polyhedra with rational data, an affine map on each."""
    return Definability(
        domain,
        Verdict.TAME,
        Structure.RATIONAL_SEMILINEAR,
        continuous,
        lipschitz,
        reasons,
        constant,
    )


def locally_tame(
    domain: str,
    *reasons: str,
    continuous: bool | None,
    lipschitz: bool | None,
    constant: Fraction | None = None,
) -> Definability:
    """Locally tame: definable with the integers beside linear operations over the rationals."""
    return Definability(
        domain,
        Verdict.LOCALLY_TAME,
        Structure.LOCAL,
        continuous,
        lipschitz,
        reasons,
        constant,
    )
