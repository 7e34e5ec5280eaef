"""The data of a batch of quadratic programs: shapes, infinite bounds, equations in two rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array

_ASYMMETRY = 1e-5  # of products in single precision
_OPPOSITE = 4 * np.finfo(float).eps


@dataclass(frozen=True, slots=True)
class Programs:
    """A batch of programs ``min ½ yᵀQy + qᵀy, G y <= h, A y = b``.

    Vectors have the batch in front; matrices too, or 1 where all programs share them.  Rows without
    a bound are ``endless``, and 0 here, with the bound 1.
    """

    Q: Array
    q: Array
    G: Array
    h: Array
    A: Array
    b: Array
    endless: Array

    def __len__(self) -> int:
        return len(self.q)

    def select(self, programs: Array) -> Programs:
        """Some programs of the batch."""
        shared = (a if len(a) == 1 else a[programs] for a in (self.Q, self.G, self.A))
        Q, G, A = shared  # noqa: N806 (the field's names)
        vectors = (a[programs] for a in (self.q, self.h, self.b, self.endless))
        q, h, b, endless = vectors
        return Programs(Q, q, G, h, A, b, endless)


def read_programs(*given: Any) -> Programs:
    """Q, q, G, h, A and b as a batch.

    Raises
    ------
    InputError
        If shapes do not fit, entries are not finite (other than +∞ in h), or Q is not symmetric.
    """
    arrays = [None if a is None else np.asarray(a, dtype=float) for a in given]
    q = arrays[1]
    if q is None or q.ndim not in (1, 2):
        raise InputError("q has the shape (batch, n) or (n,).")
    size = q.shape[-1]
    for matrix, vector, name in ((2, 3, "G"), (4, 5, "A")):
        if (arrays[matrix] is None) != (arrays[vector] is None):
            raise InputError(f"Give both {name} and its right-hand side, or neither.")
        if arrays[matrix] is None:
            arrays[matrix], arrays[vector] = np.zeros((0, size)), np.zeros(0)
    if arrays[0] is None:
        arrays[0] = np.zeros((size, size))
    full = [a for a in arrays if a is not None]
    ranks = (2, 1, 2, 1, 2, 1)
    batches = {a.shape[0] for a, rank in zip(full, ranks, strict=True) if a.ndim == rank + 1}
    if len(batches) > 1:
        raise InputError(f"The batches have different lengths: {sorted(batches)}.")
    batch = batches.pop() if batches else 1
    rows, equations = full[2].shape[-2:-1], full[4].shape[-2:-1]
    shapes = ((size, size), (size,), (*rows, size), rows, (*equations, size), equations)
    for array, shape, name in zip(full, shapes, "QqGhAb", strict=True):
        if array.shape not in (shape, (batch, *shape)):
            raise InputError(f"{name} has shape {array.shape}; {(batch, *shape)} is needed.")
        if not (np.isfinite(array) | (name == "h") & (array == np.inf)).all():
            raise InputError(f"{name} has entries that are not finite.")
    full[0] = _symmetric(full[0])
    Q, G, A = (a if a.ndim == 3 else a[None] for a in full[::2])  # noqa: N806
    q, h, b = (
        np.broadcast_to(a, (batch, *s)) for a, s in zip(full[1::2], shapes[1::2], strict=True)
    )
    return _without_infinite(Programs(Q, q, G, h, A, b, np.zeros(h.shape, dtype=bool)))


def _symmetric(Q: Array) -> Array:  # noqa: N803 (the field's name)
    """Q itself where it is symmetric, and its symmetric part where that is so up to rounding."""
    transposed = np.swapaxes(Q, -1, -2)
    skew = np.abs(Q - transposed).max(initial=0)
    if skew > _ASYMMETRY * np.abs(Q).max(initial=0):
        raise InputError("Q is not symmetric.")
    return (Q + transposed) / 2 if skew else Q


def _without_infinite(data: Programs) -> Programs:
    endless = np.isinf(data.h)
    if not endless.any():
        return data
    # the rows of shared matrices stay shared if all programs lack the same bounds
    rows = endless[:1] if (endless == endless[0]).all() else endless
    bounded = np.where(rows[:, :, None], 0.0, data.G)
    return Programs(
        data.Q, data.q, bounded, np.where(endless, 1.0, data.h), data.A, data.b, endless
    )


@dataclass(frozen=True, slots=True)
class Equations:
    """Pairs of inequalities ``g y <= h`` and ``-c g y <= -c h``, which make an equation.

    ``first`` and ``second`` are their rows, ``ratio`` the numbers c, and ``rest`` the other rows,
    of ``rows`` in all.  The equations follow those that are given, ``given`` of them.
    """

    first: Array
    second: Array
    ratio: Array
    rest: Array
    rows: int
    given: int

    @classmethod
    def of(cls, data: Programs) -> Equations:
        """The pairs that are the same in all programs of the batch."""
        pairs = _opposite_rows(data)
        first, second = (np.array([pair[k] for pair in pairs], dtype=int) for k in (0, 1))
        count = data.G.shape[1]
        rest = np.ones(count, dtype=bool)
        rest[first] = rest[second] = False
        ratio = np.array([pair[2] for pair in pairs], dtype=float)
        return cls(first, second, ratio, np.flatnonzero(rest), count, data.A.shape[1])

    def __bool__(self) -> bool:
        return len(self.first) > 0

    def replace(self, data: Programs) -> Programs:
        """The programs with equations in place of the pairs."""
        if not self:
            return data
        batch = max(len(data.G), len(data.A))
        old, new = (
            np.broadcast_to(a, (batch, *a.shape[1:])) for a in (data.A, data.G[:, self.first])
        )
        return Programs(
            data.Q,
            data.q,
            data.G[:, self.rest],
            data.h[:, self.rest],
            np.concatenate([old, new], axis=1),
            np.concatenate([data.b, data.h[:, self.first]], axis=1),
            data.endless[:, self.rest],
        )

    def rows_of(self, inequalities: Array, fill: Any) -> Array:
        """What belongs to the rows as they were given, with a value for those of the pairs."""
        if not self:
            return inequalities
        found = np.full((len(inequalities), self.rows), fill, dtype=inequalities.dtype)
        found[:, self.rest] = inequalities
        return found

    def multipliers(self, inequalities: Array, equations: Array) -> tuple[Array, Array]:
        """Multipliers of the rows as they were given, and of the equations as they were."""
        found = self.rows_of(inequalities, 0.0)
        if self:
            extra = equations[:, self.given :]
            found[:, self.first] = np.maximum(extra, 0.0)
            found[:, self.second] = np.maximum(-extra, 0.0) / self.ratio
        return found, equations[:, : self.given]

    def adjoint(
        self, inequalities: Array, equations: Array, multipliers: Array
    ) -> tuple[Array, Array]:
        """Gradients in the right-hand sides, each in the row of its pair that presses."""
        found = self.rows_of(inequalities, 0.0)
        if self:
            extra = equations[:, self.given :]
            second = multipliers[:, self.second] > 0
            found[:, self.first] = np.where(second, 0.0, extra)
            found[:, self.second] = np.where(second, -extra / self.ratio, 0.0)
        return found, equations[:, : self.given]


def _opposite_rows(data: Programs) -> Sequence[tuple[int, int, float]]:
    """Pairs of rows which are opposite in each program, and the ratio of their sizes."""
    sizes = np.abs(data.G).max(axis=2, initial=0)
    first: Array = data.G[0] / np.where(sizes[0] > 0, sizes[0], 1.0)[:, None]
    rounded: Array = np.round(np.abs(first), 9)
    like: dict[tuple[float, ...], list[int]] = {}
    found: list[tuple[int, int, float]] = []
    used: set[int] = set()
    for j, row in enumerate(rounded.tolist()):
        others = like.setdefault(tuple(row), [])
        others.append(j)
        for i in others[:-1]:
            if used & {i, j} or not sizes[0, i]:
                continue
            ratio = float(sizes[0, j] / sizes[0, i])
            sums = data.G[:, j] + ratio * data.G[:, i]
            levels = data.h[:, j] + ratio * data.h[:, i]
            if (np.abs(sums) <= _OPPOSITE * sizes[:, j, None]).all() and (
                np.abs(levels) <= _OPPOSITE * np.abs(data.h[:, j])
            ).all():
                found.append((i, j, ratio))
                used |= {i, j}
    return found
