"""Nodes of a finished search tree: each leaf carries its proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from tamecheck.programs.branching import Branch, Split
from tamecheck.programs.scaled import Multipliers
from tamecheck.solvers.scaling import Scaling, power

__all__ = ["Bounded", "Branched", "Crossed", "CrossedRow", "Excluded", "Gap", "Node", "unscaled"]


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
class Gap:
    """A leaf whose multipliers combine rows to one that no integers satisfy."""

    multipliers: Multipliers


@dataclass(frozen=True, slots=True)
class Crossed:
    """A leaf without points because a column's bounds are crossed."""

    column: int


@dataclass(frozen=True, slots=True)
class CrossedRow:
    """A leaf without points because a row's bounds are crossed."""

    row: int


Node: TypeAlias = Branched | Bounded | Excluded | Gap | Crossed | CrossedRow


def unscaled(node: Node, by: Scaling) -> Node:
    """A node of a scaled program as one of the program."""
    match node:
        case Bounded(multipliers, bound):
            own = _times(multipliers, by.rows, -by.objective)
            return Bounded(own, bound * power(-by.objective))
        case Excluded(multipliers):
            return Excluded(_times(multipliers, by.rows))
        case Gap(multipliers):
            return Gap(_times(multipliers, by.rows))
        case _:
            return node


def _times(multipliers: Multipliers, exponents: Sequence[int], common: int = 0) -> Multipliers:
    """The multipliers times ``2^(exponent of the row + common)``."""
    powers = {i: exponents[i] + common for i in multipliers.numerators}
    least = min((0, *powers.values()))
    numerators = {i: n << (powers[i] - least) for i, n in multipliers.numerators.items()}
    return Multipliers(numerators, multipliers.denominator << -least)
