"""Nodes of a finished search tree: each leaf carries its proof."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from tamecheck.programs.branching import Branch, Split
from tamecheck.programs.scaled import Multipliers

__all__ = ["Bounded", "Branched", "Crossed", "CrossedRow", "Excluded", "Node"]


@dataclass(frozen=True, slots=True)
class Branched:
    """A node with two children, which come later in the list of nodes."""

    by: Branch | Split
    children: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Bounded:
    """A leaf whose multipliers prove this lower bound on the minimised objective."""

    multipliers: Multipliers
    bound: Fraction


@dataclass(frozen=True, slots=True)
class Excluded:
    """A leaf whose multipliers prove that it has no point."""

    multipliers: Multipliers


@dataclass(frozen=True, slots=True)
class Crossed:
    """A leaf without points because a column's bounds are crossed."""

    column: int


@dataclass(frozen=True, slots=True)
class CrossedRow:
    """A leaf without points because a row's bounds are crossed."""

    row: int


Node: TypeAlias = Branched | Bounded | Excluded | Crossed | CrossedRow
