"""What a solver answers, exact or in floating point, with a proof or with its word alone.

``N`` are the numbers of a point, ``C`` is the certificate: None where a solver only claims, and
whoever uses the claim checks it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum
from html import escape
from typing import Generic, Protocol, TypeAlias, TypeVar

from tamecheck.errors import visible

N = TypeVar("N")
C = TypeVar("C")


class Readable(ABC):
    """A result with a text: one line of it as `repr`, all of it in a notebook."""

    __slots__ = ()

    @abstractmethod
    def __str__(self) -> str: ...

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {str(self).partition(chr(10))[0]}>"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(visible(str(self)))}</pre>"


class Evidence(Enum):
    """What there is for an optimum or infeasibility; only a certificate makes an answer definite.

    The others are the word of solvers, which comes with a `Feasible` point or an `Unknown`.
    """

    CERTIFICATE = "certificate"
    TWO_SOLVERS = "two-solvers"
    ONE_SOLVER = "one-solver"


class _Certified(Protocol):
    @property
    def certificate(self) -> object: ...


class _Definite:
    """What a definite answer rests on."""

    __slots__ = ()

    @property
    def evidence(self: _Certified) -> Evidence:
        """A certificate, or a solver's word."""
        return Evidence.ONE_SOLVER if self.certificate is None else Evidence.CERTIFICATE


@dataclass(frozen=True, slots=True)
class Optimal(_Definite, Generic[N, C]):
    """A feasible point, its objective, and the evidence that none is better."""

    point: tuple[N, ...]
    objective: N
    certificate: C
    solver: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Feasible(Generic[N, C]):
    """A feasible point; no point is better than ``bound``, which is proved, or None.

    ``claimed`` says whether solvers call the point optimal.
    """

    point: tuple[N, ...]
    objective: N
    bound: N | None = None
    certificate: C | None = None
    claimed: Evidence | None = None
    solver: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Infeasible(_Definite, Generic[C]):
    """There is no point."""

    certificate: C
    solver: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Unbounded(Generic[N, C]):
    """A feasible point from which the ray leads to ever better ones; empty if they are not told.

    The claim of a solver may also stand for an infeasible program.
    """

    point: tuple[N, ...]
    ray: tuple[N, ...]
    certificate: C
    solver: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Unknown(Generic[N, C]):
    """No point was found, and no proof that there is none: why.

    ``bound`` is proved, or None; ``claimed`` says whether solvers call the program infeasible.
    """

    why: str
    bound: N | None = None
    certificate: C | None = None
    claimed: Evidence | None = None
    solver: str = field(default="", repr=False)


Answer: TypeAlias = Optimal[N, C] | Feasible[N, C] | Infeasible[C] | Unbounded[N, C] | Unknown[N, C]
