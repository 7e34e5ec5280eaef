"""The words of an answer, whether it is about a function or about a program."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """The three-valued answer, with the locally o-minimal case told apart."""

    TAME = "tame"
    LOCALLY_TAME = "locally-tame"
    NOT_TAME = "not-tame"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Properties:
    """Facts about the function on the domain: true or false when proved, else None."""

    piecewise_linear: bool | None = None
    piecewise_constant: bool | None = None
    continuous: bool | None = None
    locally_lipschitz: bool | None = None
    path_differentiable: bool | None = None


@dataclass(frozen=True, slots=True)
class Consequence:
    """A theorem that applies, with the hypotheses that were checked."""

    theorem: str
    source: str
    hypotheses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Open:
    """A node where the derivation stops: why, and what would settle it."""

    node: str
    why: str
    settles: str
