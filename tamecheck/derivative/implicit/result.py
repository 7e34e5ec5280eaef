"""What the implicit function theorem says at a point, hypothesis by hypothesis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, arb_mat, fmpq_mat

from tamecheck.derivative.implicit.invertible import matrix_of
from tamecheck.derivative.implicit.singular import Singular, floats
from tamecheck.derivative.implicit.validity import Validity
from tamecheck.derivative.result import matrix_json, public
from tamecheck.errors import InputError
from tamecheck.exact.hull import Matrix
from tamecheck.exact.reals import BITS, exact_text, working_precision
from tamecheck.ir.answer import Readable
from tamecheck.ir.tensor import Array


class Status(Enum):
    """Of a hypothesis, and of the theorem as a whole."""

    PROVED = "proved"
    REFUTED = "refuted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A hypothesis of the theorem, whether it holds, and why.

    ``rests_on`` names what shows it, or the solver whose word it is; empty for a proof of our own.
    """

    name: str
    status: Status
    why: str
    rests_on: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Implicit(Readable):
    """The nonsmooth implicit function theorem for ``F(x, p) = 0`` at a point.

    If the verdict is proved, then near the point there is exactly one solution ``x(p)``; it is
    locally Lipschitz and path-differentiable, and ``{-U⁻¹ V : [U V] in J}`` is a conservative
    Jacobian, J the convex hull of ``pairs``.
    """

    hypotheses: tuple[Hypothesis, ...]
    """All hypotheses in the order in which they were checked."""
    unknowns: tuple[str, ...]
    """The names of the elements of x."""
    parameters: tuple[str, ...]
    """The names of the elements of p."""
    kind: str
    """Which Jacobian of F was used: ``"clarke"``, ``"conservative"``, or ``"enclosure"``, an
    interval matrix about the hull of what the chain rule gives."""
    pairs: tuple[tuple[Matrix, Matrix], ...] = field(repr=False)
    """The vertices ``(U, V)`` of the Jacobian of F; none where there is none, and one element of
    it where ``listed`` is false."""
    listed: bool = True
    """Whether ``pairs`` are all vertices; there are too many where hundreds of kinks meet."""
    solution: tuple[Fraction | arb, ...] = ()
    """The unknowns: fractions, or balls with the solution inside."""
    isolated: Fraction | None = None
    """For a solution in balls: the half width of a box about them without another solution."""
    singular: Singular | None = None
    """A singular element of the hull of the U."""
    reach: Callable[[Implicit], Validity] | None = field(default=None, repr=False, compare=False)
    """Computes `validity`."""

    @property
    def verdict(self) -> Status:
        """Proved if every hypothesis is, refuted if one is, else unknown."""
        found = {hypothesis.status for hypothesis in self.hypotheses}
        if Status.REFUTED in found:
            return Status.REFUTED
        return Status.UNKNOWN if Status.UNKNOWN in found else Status.PROVED

    @property
    def vertices(self) -> tuple[tuple[tuple[Fraction | arb, ...], ...], ...]:
        """``-U⁻¹ V`` at the vertices ``[U V]`` of the Jacobian of F, each once.

        None unless the theorem is proved and the vertices are listed.  The hull of these is the
        whole set where `hull_is_exact`; else the set is curved between them.  Where the Jacobian
        of F is only enclosed, one matrix of balls that contain the whole set.
        """
        if self.verdict is not Status.PROVED or not self.listed:
            return ()
        found: list[tuple[tuple[Fraction | arb, ...], ...]] = []
        for u, v in self.pairs:
            matrix = negative_quotient(u, v)
            if not any(_equal(matrix, other) for other in found):
                found.append(matrix)
        return tuple(found)

    @property
    def hull_is_exact(self) -> bool:
        """Whether the set is known to be the convex hull of `vertices`.

        One element; or one unknown: a quotient of affine functions whose denominator keeps its
        sign maps segments to segments; or one U for all vertices: the map is then linear in V.
        """
        if self.verdict is not Status.PROVED or not self.listed or self.kind == "enclosure":
            return False
        same = all(u == self.pairs[0][0] for u, _ in self.pairs[1:])
        return len(self.unknowns) == 1 or same

    def validity(self) -> Validity | None:
        """How far the derivative and the uniqueness are known to reach; None unless proved.

        Computed on every call: by one division for each comparison in F, or by a dozen boxes.
        """
        if self.verdict is not Status.PROVED or self.reach is None:
            return None
        return self.reach(self)

    def to_json(self) -> dict[str, Any]:
        """The JSON form, with exact numbers as strings."""
        singular, validity = self.singular, self.validity()
        return {
            "verdict": self.verdict.value,
            "hypotheses": [
                {
                    "name": h.name,
                    "status": h.status.value,
                    "why": h.why,
                    "rests_on": h.rests_on or None,
                }
                for h in self.hypotheses
            ],
            "unknowns": list(self.unknowns),
            "parameters": list(self.parameters),
            "solution": [exact_text(v) for v in self.solution],
            "isolated": None if self.isolated is None else float(self.isolated),
            "kind": self.kind,
            "vertices": [matrix_json(matrix) for matrix in self.vertices],
            "listed": self.listed,
            "hull_is_exact": self.hull_is_exact,
            "validity": None if validity is None else validity.to_json(),
            "singular": None
            if singular is None
            else str(singular)
            if singular.matrix is None
            else matrix_json(singular.matrix),
        }

    def jvp(self, directions: Any, *, vertex: int = 0) -> Array:
        """``-U⁻¹ (V d)`` for one element of the set: one factorisation, no inverse; in float64.

        Parameters
        ----------
        directions
            One direction of the parameters, or an array ``(..., parameters)`` of them.
        vertex
            The number of the pair in ``pairs``.

        Returns
        -------
        Array
            Of shape ``(..., unknowns)``.

        Raises
        ------
        InputError
            If the theorem is not proved at this point, no element of the Jacobian is known, or
            the directions have another length.
        """
        u, v = self._element(vertex)
        return _mapped(directions, v.shape[1], lambda rows: -np.linalg.solve(u, v @ rows.T).T)

    def vjp(self, cotangents: Any, *, vertex: int = 0) -> Array:
        """``-(wᵀ U⁻¹) V`` for one element of the set: one factorisation of Uᵀ; in float64.

        Parameters
        ----------
        cotangents
            One cotangent of the unknowns, or an array ``(..., unknowns)`` of them; the result has
            the shape ``(..., parameters)``.
        vertex
            As for `jvp`, which raises in the same cases.
        """
        u, v = self._element(vertex)
        return _mapped(cotangents, len(u), lambda rows: -np.linalg.solve(u.T, rows.T).T @ v)

    def _element(self, vertex: int) -> tuple[Array, Array]:
        if self.verdict is not Status.PROVED:
            reasons = "; ".join(
                f"{h.name}: {h.why}" for h in self.hypotheses if h.status is not Status.PROVED
            )
            raise InputError(f"There is no derivative to multiply by ({reasons}).")
        if self.kind == "enclosure" and self.listed:
            raise InputError(
                "The Jacobian is only enclosed, and no element of it is known.",
                hint="Take the balls of vertices.",
            )
        if not 0 <= vertex < len(self.pairs):
            raise InputError(f"The set has {len(self.pairs)} vertices; there is no {vertex}.")
        u, v = self.pairs[vertex]
        return floats(matrix_of(u)), floats(matrix_of(v)).reshape(len(u), len(self.parameters))

    def __str__(self) -> str:
        lines = [f"implicit function: {self.verdict.value}"]
        for h in self.hypotheses:
            trusted = f" (rests on {h.rests_on})" if h.rests_on else ""
            lines.append(f"  {h.name}: {h.status.value}: {h.why}{trusted}")
        return "\n".join(lines)


def _mapped(values: Any, size: int, linear: Callable[[Array], Array]) -> Array:
    """The images of vectors, one a row, behind any axes in front."""
    rows = np.asarray(values, dtype=float)
    rows = rows.reshape(1) if rows.ndim == 0 else rows
    if rows.shape[-1] != size:
        raise InputError(f"Vectors of {size} numbers are needed, not of {rows.shape[-1]}.")
    image = linear(rows.reshape((-1, size)))
    return image.reshape((*rows.shape[:-1], image.shape[-1]))


@working_precision(BITS)
def negative_quotient(u: Matrix, v: Matrix) -> tuple[tuple[Fraction | arb, ...], ...]:
    """``-U⁻¹ V``, exactly or by balls."""
    if not v[0]:
        return tuple(() for _ in u)
    left, right = matrix_of(u), matrix_of(v)
    if isinstance(left, fmpq_mat) and isinstance(right, fmpq_mat):
        return public((-left.solve(right)).tolist())
    return public((-arb_mat(left).solve(arb_mat(right))).tolist())


def _equal(left: Sequence[Sequence[Any]], right: Sequence[Sequence[Any]]) -> bool:
    return all(
        isinstance(a, Fraction) and isinstance(b, Fraction) and a == b
        for row, other in zip(left, right, strict=True)
        for a, b in zip(row, other, strict=True)
    )
