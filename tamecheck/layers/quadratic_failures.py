"""Why a quadratic program has no solution, decided in rationals where it can be."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck.errors import InputError, SolverError
from tamecheck.ir.program import Column, Program, Row
from tamecheck.ir.tensor import Array
from tamecheck.layers.quadratic_data import Programs
from tamecheck.programs import Infeasible, Optimal, solve

_PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a program has no solution here; it is ``proved`` that it has none at all, or not."""

    reason: str
    proved: bool

    def raise_for(self, index: int) -> None:
        """Raise the error for a program of the batch."""
        text = f"Program {index} of the batch {self.reason}."
        if self.proved:
            raise InputError(text)
        raise SolverError(
            text,
            hint="Its data are very badly scaled, or its constraints nearly contradict each other.",
        )


def failure(one: Programs) -> Failure:
    """Why one program has no solution: exactly where it is infeasible or unbounded."""
    answer = _answer(one.G[0], one.h[0], one.A[0], one.b[0])
    if isinstance(answer, Infeasible):
        return Failure("is infeasible, which is proved exactly", proved=True)
    # a direction of equal values along which qᵀy falls
    equal = np.concatenate([one.Q[0], one.A[0], one.q])
    levels = np.concatenate([np.zeros(len(equal) - 1), [-1.0]])
    ray = _answer(one.G[0], one.endless[0].astype(float), equal, levels)
    if isinstance(answer, Optimal) and isinstance(ray, Optimal):
        return Failure("is unbounded, which is proved exactly", proved=True)
    return Failure("has no solution that could be confirmed", proved=False)


def _answer(G: Array, h: Array, A: Array, b: Array) -> Any:  # noqa: N803 (the field's names)
    """What an exact linear program says of ``G y <= h`` and ``A y = b``."""
    columns = tuple(Column(f"y{j}", None) for j in range(G.shape[1]))
    rows = [_row(f"G{i}", a, None, h[i]) for i, a in enumerate(G)]
    rows += [_row(f"A{i}", a, b[i], b[i]) for i, a in enumerate(A)]
    return solve(Program(columns, tuple(rows)), certify=True, seconds=_PATIENCE).answer


def _row(name: str, entries: Array, lower: float | None, upper: float) -> Row:
    terms = tuple((j, Fraction(a)) for j, a in enumerate(entries.tolist()) if a)
    low = None if lower is None else Fraction(float(lower))
    return Row(name, terms, low, Fraction(float(upper)))
