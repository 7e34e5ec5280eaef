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
    clarabel, sparse = package("clarabel", "layers"), package("scipy.sparse", "layers")
    kinds: dict[str, Any] = {
        "zero": clarabel.ZeroConeT,
        "nonnegative": clarabel.NonnegativeConeT,
        "second-order": clarabel.SecondOrderConeT,
        "semidefinite": clarabel.PSDTriangleConeT,
        "power": clarabel.PowerConeT,
    }
    blocks: list[Any] = []
    for kind, size in cones:
        if kind == "exponential":
            blocks += [clarabel.ExponentialConeT()] * (int(size) // 3)
        else:
            blocks.append(kinds[kind](_size(kind, size)))
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-12
    solver = clarabel.DefaultSolver(
        sparse.triu(sparse.csc_matrix(P)).tocsc(),
        q,
        sparse.csc_matrix(A),
        b,
        blocks,
        settings,
    )
    found = solver.solve()
    claim = str(found.status)
    if claim not in ("Solved", "AlmostSolved", "InsufficientProgress"):
        raise SolverError(f"Clarabel answers {claim}.", hint="The cone program may be infeasible.")
    return np.array(found.x, dtype=float), np.array(found.z, dtype=float)


def _size(kind: str, rows: float) -> float:
    """What Clarabel calls the size of a cone: of a triangle the order of its matrix."""
    if kind == "power":
        return rows
    return (isqrt(8 * int(rows) + 1) - 1) // 2 if kind == "semidefinite" else int(rows)
