"""Quadratic programs as layers: batches solved through the dual, and differentiated implicitly.

The layer is ``y(Q, q, G, h, A, b) = argmin ½ yᵀQy + qᵀy  subject to  G y <= h, A y = b`` with Q
positive semidefinite.  Where it is definite, with ``P`` its inverse on the null space of A and
``y₀`` the minimiser under the equations alone, ``y = y₀ - P Gᵀ z`` where the multipliers solve the
complementarity problem ``s = d + H z, s >= 0, z >= 0, sᵀz = 0`` with ``H = G P Gᵀ`` and
``d = h - G y₀``.

Hypotheses of the derivative (nonsmooth implicit function theorem of Bolte, Le, Pauwels and
Silveti-Falls 2021, for this residual map): Q is positive definite where the constraints with a
positive multiplier are equations, and the gradients of the tight constraints are linearly
independent (LICQ).  Then the KKT matrix of every choice of weakly active constraints is invertible,
and each choice gives an element of a conservative Jacobian.

Without independence the constraints alone have no derivative, but the cost has: with fixed
constraints the solution is a projection onto a polyhedron, and its derivative in q (and in Q) at a
point where multipliers of all tight constraints may be positive is the projection onto the
directions that keep them tight.  Where they may not, this is the derivative on the region of costs
that have the same tight constraints, one of those that meet there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any, Literal

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array
from tamecheck.layers.kkt import Triple, cotangent_of
from tamecheck.layers.quadratic_data import Equations, read_programs
from tamecheck.layers.quadratic_singular import failure, minimise_singular
from tamecheck.layers.quadratic_solve import (
    WEAKLY_ACTIVE,
    Core,
    is_definite,
    minimise,
)

Dependent = Literal["refuse", "choose"]
Infeasible = Literal["raise", "nan"]

_MOST_WEAK = 10
_SMOOTH = "the solution is differentiable here, and the gradient is its derivative"
_KINK = "an inequality is weakly active: the gradient is one element of a conservative Jacobian"
_DEPENDENT = "the gradients of the tight constraints are linearly dependent (LICQ fails)"
_IN_COSTS = "in Q and q the gradient is {}; in the constraints there is none, or a choice of one"
_PAIRS = (
    "; inequalities that make an equation have the gradient for changes under which they still do"
)


@dataclass(frozen=True, slots=True)
class QuadraticGradients:
    """Gradients of a loss with respect to the data, each of the data's shape with the batch.

    ``refused`` says why there is none in the constraints, if so.
    """

    y: Array
    multipliers: Array
    equation_multipliers: Array
    adjoint: Triple
    refused: str | None = None

    @property
    def Q(self) -> Array:  # noqa: N802 (the field's name)
        """In Q, symmetric."""
        half = _outer(self.adjoint[0], self.y)
        return -(half + np.swapaxes(half, -1, -2)) / 2

    @property
    def q(self) -> Array:
        """In q."""
        return -self.adjoint[0]

    @property
    def G(self) -> Array:  # noqa: N802 (the field's name)
        """In G."""
        self._require_constraints()
        wy, wz, _ = self.adjoint
        return -(_outer(self.multipliers, wy) + _outer(wz, self.y))

    @property
    def h(self) -> Array:
        """In h."""
        self._require_constraints()
        return self.adjoint[1]

    @property
    def A(self) -> Array:  # noqa: N802 (the field's name)
        """In A."""
        self._require_constraints()
        wy, _, wn = self.adjoint
        return -(_outer(self.equation_multipliers, wy) + _outer(wn, self.y))

    @property
    def b(self) -> Array:
        """In b."""
        self._require_constraints()
        return self.adjoint[2]

    def _require_constraints(self) -> None:
        if self.refused is not None:
            raise InputError(
                self.refused,
                hint="Remove redundant rows, go on with found.select(found.independent), or take "
                'a choice with dependent="choose".',
            )


@dataclass(frozen=True, slots=True)
class QuadraticSolution:
    """Solutions of a batch of quadratic programs.

    ``y`` has shape ``(batch, n)``, the ``multipliers`` of the inequalities and ``slack = h - G y``
    have ``(batch, m)``.  The ``active`` inequalities were solved as equations.  ``complementarity``
    is for each program the least ``max(multiplier, slack)``, in relative terms: 0 at a kink of the
    solution map.  It is ``independent`` if the gradients of its tight constraints, weakly active
    ones and equations included, are linearly independent (LICQ); where they are not, the
    multipliers are not unique.  The solution is ``unique`` where Q is definite, or else where no
    direction of equal values is feasible, and ``regular`` if this stays so nearby.  What is not
    `solved` has y = NaN and a reason in `verdict`.
    """

    y: Array
    multipliers: Array
    equation_multipliers: Array
    slack: Array
    active: Array
    complementarity: Array
    independent: Array
    unique: Array
    regular: Array
    reasons: tuple[str, ...]
    core: Core
    equations: Equations
    smoothed: float | None = None

    @property
    def solved(self) -> Array:
        """For each program whether it has a solution, which is in y."""
        return np.array([not reason for reason in self.reasons], dtype=bool)

    @property
    def weakly_active(self) -> Array:
        """For each program, whether some inequality is (nearly) weakly active.

        There the solution map has a kink, or one within the flagged distance, and the gradient is
        one element of a conservative Jacobian.
        """
        return self.complementarity <= WEAKLY_ACTIVE

    @property
    def approximation(self) -> str | None:
        """What gradients with ``smoothed=`` stand for, in a sentence; None for derivatives."""
        if self.smoothed is None:
            return None
        return (
            f"gradients of a smooth substitute, where the product of a multiplier and its slack is "
            f"{self.smoothed}² (relative to their sizes) instead of 0: an approximation, not the "
            f"derivative of the solution map"
        )

    @property
    def verdict(self) -> tuple[str, ...]:
        """For each program what holds for the derivative, in a sentence."""
        return tuple(self._verdict(k) for k in range(len(self.y)))

    def _verdict(self, k: int) -> str:
        if self.reasons[k]:
            return self.reasons[k]
        if not self.unique[k]:
            return "there are several solutions, of which y is one: the solution map jumps nearby"
        if not self.regular[k]:
            return (
                "the solution is unique, but not for all data nearby: it may jump there, and has "
                "no derivative"
            )
        if not self.independent[k]:
            kind = "one of several" if self.weakly_active[k] else "the derivative"
            return f"{_DEPENDENT}: {_IN_COSTS.format(kind)}"
        return (_KINK if self.weakly_active[k] else _SMOOTH) + (_PAIRS * bool(self.equations))

    def select(self, programs: Any) -> QuadraticSolution:
        """The programs of the batch that a mask or a list of positions names."""
        rows = np.asarray(programs)
        if rows.dtype != bool:
            rows = rows.astype(int)
        names = [f.name for f in fields(self)[: -len(("reasons", "core", "equations", "smoothed"))]]
        arrays: dict[str, Any] = {name: getattr(self, name)[rows] for name in names}
        reasons = tuple(np.array(self.reasons, dtype=object)[rows].tolist())
        return replace(self, **arrays, reasons=reasons, core=self.core.select(rows))

    def vjp(self, cotangent: Any, *, dependent: Dependent = "refuse") -> QuadraticGradients:
        """Gradients of ``Σ cotangent · y``, by one symmetric solve a program.

        Parameters
        ----------
        cotangent
            Of the shape of ``y``; entries of programs without a solution are 0, or give NaN.
        dependent
            What gradients in the constraints are where those that are tight are dependent: refused,
            or a choice, which is right for all changes that keep them tight together.

        Raises
        ------
        InputError
            If some solution is not unique, here or for data nearby; and, when G, h, A or b is asked
            for, if the gradients of the tight constraints of some program are dependent.
        """
        given = cotangent_of(cotangent, self.y.shape)
        lost = ~self.solved
        refused = None
        if self.smoothed is not None:
            adjoint = self.core.smoothed_adjoint(given, self.smoothed)
        else:
            self._require_regular()
            adjoint = self.core.adjoint(given)
            dependent_ones = np.flatnonzero(~lost & ~self.independent)
            if len(dependent_ones) and dependent == "refuse":
                refused = (
                    f"There is no gradient in the constraints to trust in program(s) "
                    f"{_list(dependent_ones)} of the batch: {_DEPENDENT}."
                )
        wy, wz, wn = adjoint
        # without a solution there is a gradient only of what does not ask for one
        for part in (wy, wz, wn):
            part[lost] = np.where((given[lost] == 0).all(1), 0.0, np.nan)[:, None]
        multipliers, nu = self.equations.multipliers(self.core.z, self.core.nu)
        rows = self.equations.adjoint(wz, wn, multipliers)
        y = np.where(lost[:, None], 0.0, self.y)
        return QuadraticGradients(y, multipliers, nu, (wy, *rows), refused)

    def _require_regular(self) -> None:
        jumping = np.flatnonzero(self.solved & ~self.regular)
        if len(jumping):
            raise InputError(
                f"There is no gradient in program(s) {_list(jumping)} of the batch: "
                f"{self._verdict(int(jumping[0]))}.",
                hint="Add a multiple of the identity to Q, or ask for an approximation, with "
                "smoothed=1e-3.",
            )

    def jacobian_vertices(self, index: int = 0) -> tuple[Array, ...]:
        """``dy/dq`` of one program for each choice of its weakly active inequalities.

        These are elements of the conservative Jacobian that the implicit function theorem gives.

        Raises
        ------
        InputError
            If more than ten inequalities are weakly active, or the hypotheses fail.
        """
        one = self.select([index])
        if not (one.regular[0] and one.independent[0]):
            raise InputError(f"There is no Jacobian: {one.verdict[0]}.")
        weak = np.flatnonzero(one.core.larger[0] <= WEAKLY_ACTIVE)
        if len(weak) > _MOST_WEAK:
            raise InputError(
                f"{len(weak)} inequalities are weakly active; at most {_MOST_WEAK} are listed."
            )
        found: list[Array] = []
        for choice in product((False, True), repeat=len(weak)):
            active = one.core.reduced[1].copy()
            active[0, weak] = choice
            reduced = one.core.systems.reduce(active)
            units = np.eye(one.y.size)[:, None]
            rows = np.array([-one.core.adjoint(unit, reduced)[0][0] for unit in units])
            if not any(np.allclose(rows, other, atol=1e-9) for other in found):
                found.append(rows)
        return tuple(found)


def quadratic_layer(  # noqa: PLR0913, PLR0917 (the data of a program)
    Q: Any,  # noqa: N803 (the field's names)
    q: Any,
    G: Any = None,  # noqa: N803
    h: Any = None,
    A: Any = None,  # noqa: N803
    b: Any = None,
    *,
    infeasible: Infeasible = "raise",
    least_norm: bool = False,
    smoothed: float | None = None,
) -> QuadraticSolution:
    """Minimise ``½ yᵀQy + qᵀy`` subject to ``G y <= h`` and ``A y = b`` for a batch.

    Parameters
    ----------
    Q, q
        ``(batch, n, n)`` or ``(n, n)``, symmetric positive semidefinite, None for 0; ``(batch, n)``
        or ``(n,)``.
    G, h
        ``(batch, m, n)`` and ``(batch, m)``, or without the batch; None for no inequalities.  A row
        with the bound +∞ does not count; rows which are opposite in all programs are an equation.
    A, b
        ``(batch, k, n)`` and ``(batch, k)``, or without the batch; None for no equations.
    infeasible
        Whether a program without a solution raises an error, or has NaN as y and a verdict.
    least_norm
        Of several solutions take the one with the least norm.
    smoothed
        Gradients of a smooth substitute, of this size in relative terms: an approximation, which is
        not 0 where the solution stays at a vertex.

    Raises
    ------
    InputError
        If shapes do not fit, Q has a negative eigenvalue, or some program is infeasible or
        unbounded, which is proved in rationals.
    SolverError
        If some program has no solution that can be confirmed.

    Notes
    -----
    Time is ``O(batch (n³ + m³ iterations))``.  The interior point method only guesses the active
    set; the solution is that of the active constraints as equations, whose signs are checked, and
    rows with a wrong sign change sides (Murty's least-index rule, which does not cycle).  Where Q
    is singular Clarabel guesses, a program at a time.
    """
    if infeasible not in {"raise", "nan"}:
        raise InputError(f'infeasible is "raise" or "nan", not {infeasible!r}.')
    if smoothed is not None and not 0 < smoothed < np.inf:
        raise InputError("The size of what is smoothed is positive.")
    given = read_programs(Q, q, G, h, A, b)
    equations = Equations.of(given)
    data = equations.replace(given)
    if is_definite(data.Q):
        core = minimise(data)
        unique = regular = np.ones(len(data), dtype=bool)
    else:
        core, unique, regular = minimise_singular(data, least_norm=least_norm)
    reasons = [""] * len(data)
    for k in np.flatnonzero(np.isnan(core.y).any(1)):
        why = failure(given.select(np.array([k])))
        if infeasible == "raise":
            why.raise_for(int(k))
        reasons[k] = why.reason
    larger = core.larger
    complementarity = larger.min(1) if larger.shape[1] else np.full(len(data), np.inf)
    multipliers, nu = equations.multipliers(core.z, core.nu)
    return QuadraticSolution(
        core.y,
        multipliers,
        nu,
        equations.rows_of(core.slack, 0.0),
        equations.rows_of(core.reduced[1], fill=True),
        complementarity,
        core.independent,
        unique,
        regular,
        tuple(reasons),
        core,
        equations,
        smoothed,
    )


def _outer(left: Array, right: Array) -> Array:
    return left[:, :, None] * right[:, None, :]


def _list(indices: Sequence[int] | Array) -> str:
    shown = ", ".join(str(k) for k in indices[:8])
    return f"{shown} and {len(indices) - 8} more" if len(indices) > 8 else shown
