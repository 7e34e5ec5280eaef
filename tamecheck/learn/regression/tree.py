"""A piecewise polynomial: a binary tree of half-spaces with a polynomial in each leaf."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from tamecheck.ir.exact import rational_text
from tamecheck.learn.network import Floats

__all__ = ["PolynomialTree", "Split", "exponents", "monomials"]


@dataclass(frozen=True, slots=True)
class Split:
    """A point goes right where ``direction . x >= threshold``."""

    direction: tuple[Fraction, ...]
    threshold: Fraction

    def right(self, x: Sequence[Fraction]) -> bool:
        """Whether a point goes right."""
        return sum((a * v for a, v in zip(self.direction, x, strict=True)), Fraction(0)) >= (
            self.threshold
        )


@dataclass(frozen=True, slots=True)
class PolynomialTree:
    """Splits in heap order (children of k at 2k+1 and 2k+2), then one polynomial a leaf.

    Parameters
    ----------
    splits
        ``2^depth - 1`` of them.
    powers
        The exponents of each monomial.
    leaves
        The coefficients of the monomials in each of the ``2^depth`` leaves, from left to right.
    """

    splits: tuple[Split, ...]
    powers: tuple[tuple[int, ...], ...]
    leaves: tuple[tuple[Fraction, ...], ...]

    def leaf(self, x: Sequence[Fraction]) -> int:
        """The leaf of a point."""
        node = 0
        while node < len(self.splits):
            node = 2 * node + 1 + int(self.splits[node].right(x))
        return node - len(self.splits)

    def value(self, x: Sequence[Fraction]) -> Fraction:
        """The exact value at a point."""
        total = Fraction(0)
        for coefficient, power in zip(self.leaves[self.leaf(x)], self.powers, strict=True):
            if not coefficient:
                continue
            term = coefficient
            for v, e in zip(x, power, strict=True):
                if e:
                    term *= v**e
            total += term
        return total

    def text(self, names: Sequence[str]) -> str:
        """The function as an expression of our language."""
        return self._text(0, names)

    def _text(self, node: int, names: Sequence[str]) -> str:
        if node >= len(self.splits):
            coefficients = self.leaves[node - len(self.splits)]
            terms = [
                f"({rational_text(c)}){_power(power, names)}"
                for c, power in zip(coefficients, self.powers, strict=True)
                if c
            ]
            return " + ".join(terms) or "0"
        split = self.splits[node]
        form = " + ".join(
            f"({rational_text(a)})*{name}"
            for a, name in zip(split.direction, names, strict=True)
            if a
        )
        left, right = self._text(2 * node + 1, names), self._text(2 * node + 2, names)
        # step(0) = 1: on the boundary, points go right
        inside = f"step({form or '0'} - ({rational_text(split.threshold)}))"
        return f"({left})*(1 - {inside}) + ({right})*{inside}"


def _power(power: tuple[int, ...], names: Sequence[str]) -> str:
    return "".join(f"*{name}^{e}" for name, e in zip(names, power, strict=True) if e)


def exponents(features: int, order: int) -> tuple[tuple[int, ...], ...]:
    """All monomials of at most that total degree, by degree; the constant is the first."""
    every = itertools.product(range(order + 1), repeat=features)
    return tuple(sorted((e for e in every if sum(e) <= order), key=lambda e: (sum(e), e[::-1])))


def monomials(x: Floats, powers: Sequence[tuple[int, ...]]) -> Floats:
    """The values of the monomials, ``(rows, monomials)``."""
    columns: list[npt.NDArray[np.float64]] = [
        np.prod(x ** np.array(power), axis=1) for power in powers
    ]
    return np.stack(columns, axis=1)
