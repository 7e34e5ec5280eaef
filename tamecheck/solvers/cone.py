"""Cone programs by Clarabel: a float point and its multipliers, which the caller checks."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import Any

import numpy as np

from tamecheck.errors import SolverError, package
from tamecheck.ir.tensor import Array


def cone_solution(
    P: Array,  # noqa: N803 (the field's names)
    q: Array,
    A: Array,  # noqa: N803
    b: Array,
    cones: Sequence[tuple[str, float]],
) -> tuple[Array, Array]:
    """``x`` and multipliers ``z`` of ``min ½ xᵀPx + qᵀx`` subject to ``b - A x`` in a cone.

    The data are dense.  Blocks of rows come in order: ``"zero"``, ``"nonnegative"``,
    ``"second-order"``, ``"semidefinite"`` (the scaled upper triangle of a matrix) or
    ``"exponential"``, and the number of rows; or ``"power"`` and its exponent.  Raises SolverError
    if Clarabel does not claim a solution, MissingPackageError where the extra ``layers`` is not
    installed.
    """
    return ConeSolver(P, A, cones)(q, b)


class ConeSolver:
    """`cone_solution` of programs that share P, A and the cones."""

    __slots__ = ("_blocks", "_clarabel", "_matrix", "_quadratic", "_settings")

    def __init__(self, P: Array, A: Array, cones: Sequence[tuple[str, float]]) -> None:  # noqa: N803
        clarabel, sparse = package("clarabel", "layers"), package("scipy.sparse", "layers")
        kinds: dict[str, Any] = {
            "zero": clarabel.ZeroConeT,
            "nonnegative": clarabel.NonnegativeConeT,
            "second-order": clarabel.SecondOrderConeT,
            "semidefinite": clarabel.PSDTriangleConeT,
            "power": clarabel.PowerConeT,
        }
        self._blocks: list[Any] = []
        for kind, size in cones:
            if kind == "exponential":
                self._blocks += [clarabel.ExponentialConeT()] * (int(size) // 3)
            else:
                self._blocks.append(kinds[kind](_size(kind, size)))
        self._settings = clarabel.DefaultSettings()
        self._settings.verbose = False
        tolerance = 1e-12
        self._settings.tol_gap_abs = self._settings.tol_gap_rel = tolerance
        self._settings.tol_feas = tolerance
        self._quadratic = sparse.csc_matrix(np.triu(P))
        self._matrix = sparse.csc_matrix(A)
        self._clarabel = clarabel

    def __call__(self, q: Array, b: Array) -> tuple[Array, Array]:
        """``x`` and ``z`` for these vectors."""
        data = (self._quadratic, q, self._matrix, b, self._blocks, self._settings)
        found = self._clarabel.DefaultSolver(*data).solve()
        claim = str(found.status)
        if claim not in {"Solved", "AlmostSolved", "InsufficientProgress"}:
            raise SolverError(
                f"Clarabel answers {claim}.", hint="The cone program may be infeasible."
            )
        return np.array(found.x, dtype=float), np.array(found.z, dtype=float)


def _size(kind: str, rows: float) -> float:
    """What Clarabel calls the size of a cone: of a triangle the order of its matrix."""
    if kind == "power":
        return rows
    return (isqrt(8 * int(rows) + 1) - 1) // 2 if kind == "semidefinite" else int(rows)
