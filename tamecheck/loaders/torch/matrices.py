"""Inverses, determinants and factors of small matrices, written out entry by entry."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

from tamecheck.errors import UnsupportedError

MAX_INVERSE = 4
"""The inverse of a larger matrix is not written out by cofactors."""


def _entry(x: Any, i: int, j: int) -> Any:
    return x.select(-2, i).select(-1, j)


def _determinant(x: Any, rows: Sequence[int], columns: Sequence[int]) -> Any:
    """The determinant of the rows and columns of a matrix, by its first row."""
    if len(rows) == 1:
        return _entry(x, rows[0], columns[0])
    parts = [
        _entry(x, rows[0], column)
        * _determinant(x, rows[1:], [c for c in columns if c != column])
        * (-1) ** i
        for i, column in enumerate(columns)
    ]
    return reduce(lambda a, b: a + b, parts)


def _inverse(torch: Any, x: Any) -> Any:
    size = int(x.shape[-1])
    if size > MAX_INVERSE:
        raise UnsupportedError(f"the inverse of a matrix of {size} rows is not written out.")
    every = list(range(size))
    whole = _determinant(x, every, every)
    if size == 1:
        return 1 / x
    rows = [
        torch.stack(
            [
                _determinant(x, [r for r in every if r != j], [c for c in every if c != i])
                * (-1) ** (i + j)
                for j in every
            ],
            -1,
        )
        for i in every
    ]
    return torch.stack(rows, -2) / whole.unsqueeze(-1).unsqueeze(-1)


def inverse_ex(torch: Any, x: Any, **_: Any) -> Any:
    """The inverse, and nothing that tells of errors."""
    return _inverse(torch, x), None


def solve_ex(torch: Any, a: Any, b: Any, *, left: bool = True, **_: Any) -> Any:
    """The solution of ``a @ y = b``, or of ``y @ a = b``."""
    inverse = _inverse(torch, a)
    vector = b.dim() == 1 or (b.dim() == a.dim() - 1 and [*b.shape] == [*a.shape][:-1])
    wide = b.unsqueeze(-1) if vector else b
    found = inverse @ wide if left else wide @ inverse
    return found.squeeze(-1) if vector else found, None, None, None


def slogdet(torch: Any, x: Any) -> Any:
    """The sign of the determinant and the logarithm of its size."""
    every = list(range(int(x.shape[-1])))
    short = len(every) <= MAX_INVERSE
    whole = _determinant(x, every, every) if short else torch.linalg.det(x)
    return torch.sign(whole), torch.log(torch.abs(whole)), None, None


def cholesky(torch: Any, x: Any, *, upper: bool = False, **_: Any) -> Any:
    """The factor, row by row; it reads the lower triangle, or the upper one."""
    size = int(x.shape[-1])
    x = x.transpose(-2, -1) if upper else x
    rows: list[list[Any]] = []
    zero = torch.zeros_like(_entry(x, 0, 0))
    for i in range(size):
        row: list[Any] = []
        for j in range(i + 1):
            other = rows[j] if j < i else row
            rest = _entry(x, i, j)
            for k in range(j):
                rest = rest - row[k] * other[k]
            row.append(torch.sqrt(rest) if i == j else rest / rows[j][j])
        rows.append(row)
    full = [torch.stack([*row, *[zero] * (size - len(row))], -1) for row in rows]
    factor = torch.stack(full, -2)
    return factor.transpose(-2, -1) if upper else factor, None


def solve_triangular(torch: Any, a: Any, b: Any, *, upper: bool, **options: bool) -> Any:
    """The solution of equations with a triangular matrix, row by row."""
    unitriangular = options.get("unitriangular", False)
    if not options.get("left", True):
        turned = a.transpose(-2, -1), b.transpose(-2, -1)
        found = solve_triangular(torch, *turned, upper=not upper, unitriangular=unitriangular)
        return found.transpose(-2, -1)
    size = int(a.shape[-1])
    order = range(size - 1, -1, -1) if upper else range(size)
    rows: dict[int, Any] = {}
    for i in order:
        rest = b.select(-2, i)
        for k, row in rows.items():
            rest = rest - _entry(a, i, k).unsqueeze(-1) * row
        rows[i] = rest if unitriangular else rest / _entry(a, i, i).unsqueeze(-1)
    return torch.stack([rows[i] for i in range(size)], -2)
