"""Whether every element of a hull of matrices is invertible, computed a second time.

The determinant of ``sum w_i U_i`` is a homogeneous polynomial in the weights.  Its coefficient in
Bernstein form at a multiset of vertices is the mean of the determinants whose columns are taken
from them; coefficients of one strict sign leave the determinant no zero.  Else the hull is halved.
Nothing is shared with the searches of `tamecheck.derivative.implicit.invertible`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import combinations, product
from typing import Any

from flint import arb_mat, fmpq, fmpq_mat

from tamecheck.derivative.implicit.result import Implicit, Status
from tamecheck.exact.hull import Matrix
from tamecheck.exact.reals import as_number

_MOST = 2**16
"""The most determinants."""


_SHOWN_BY = {
    "solution": "replay",
    "definable": "replay",
    "convex conservative Jacobian": "recomputation",
}
"""What shows that a hypothesis fails: F at the point, the witness on its line, limits on curves."""


def ground(found: Implicit) -> str | None:
    """What shows the verdict: ``recomputation``, ``replay`` of a singular element, or a claim."""
    if found.verdict is Status.UNKNOWN:
        return None
    vertices = [u for u, _ in found.pairs]
    if found.verdict is Status.PROVED:
        claims = {h.rests_on for h in found.hypotheses} - {"", "certificate"}
        shown = found.listed and all_invertible(vertices)
        return "recomputation" if shown else ", ".join(sorted(claims)) or "search"
    refuted = [h for h in found.hypotheses if h.status is Status.REFUTED]
    shown = {h.rests_on or _SHOWN_BY.get(h.name, "") for h in refuted}
    for word in ("certificate", "replay", "recomputation"):
        if word in shown:
            return word
    singular = found.singular
    if singular is None or singular.matrix is None or singular.weights is None:
        return "search"
    weights = [as_number(w) for w in singular.weights]
    element = [[as_number(a) for a in row] for row in singular.matrix]
    convex = sum(weights, fmpq(0)) == 1 and min(weights) >= 0 and len(weights) == len(vertices)
    mixed = convex and all(
        sum((w * u[i][j] for w, u in zip(weights, vertices, strict=True)), fmpq(0)) == a
        for i, row in enumerate(element)
        for j, a in enumerate(row)
    )
    return "replay" if mixed and _determinant(element) == 0 else "search"


def all_invertible(vertices: Sequence[Matrix]) -> bool | None:
    """Whether every element of the convex hull of square matrices is invertible.

    The vertices have rational entries or balls.  None after some thousands of determinants.
    """
    if not vertices:
        return None
    if _are_dominant(vertices):
        return True
    size, left = len(vertices[0]), _MOST
    waiting: list[tuple[Any, ...]] = [tuple(vertices)]
    signs: set[int | None] = set()
    while waiting:
        hull = waiting.pop()
        left -= len(hull) ** size
        if left < 0:
            return None
        corners: set[int | None] = {_sign(_determinant(u)) for u in hull}
        signs |= corners
        if 0 in corners or len(signs) > 1:
            # a corner without a strict sign, or two of different signs with a zero between them
            return None if None in corners else False
        means: dict[tuple[int, ...], Any] = {}
        for places in product(range(len(hull)), repeat=size):
            chosen = [[hull[k][i][j] for j, k in enumerate(places)] for i in range(size)]
            key = tuple(sorted(places))
            means[key] = means.get(key, 0) + _determinant(chosen)
        if {_sign(value) for value in means.values()} == corners:
            continue
        pairs = combinations(range(len(hull)), 2)
        i, j = max(pairs, key=partial(_apart, hull))
        middle = [[(hull[i][r][c] + hull[j][r][c]) / 2 for c in range(size)] for r in range(size)]
        waiting += [(*hull[:k], middle, *hull[k + 1 :]) for k in (i, j)]
    return True


def _are_dominant(vertices: Sequence[Matrix]) -> bool:
    """Whether all are strictly dominated by diagonals of the same signs, row by row.

    So is every mean of them then, and it is invertible (Lévy, Desplanques).
    """
    for i in range(len(vertices[0])):
        signs = {_sign(u[i][i]) for u in vertices}
        if len(signs) > 1 or not signs <= {-1, 1}:
            return False
        for u in vertices:
            others = sum((abs(a) for j, a in enumerate(u[i]) if j != i), fmpq(0))
            if not abs(u[i][i]) > others:
                return False
    return True


def _determinant(rows: Sequence[Sequence[Any]]) -> Any:
    size = len(rows)
    entries = [a for row in rows for a in row]
    if not entries:
        return fmpq(1)
    exact = all(isinstance(a, fmpq) for a in entries)
    return (fmpq_mat if exact else arb_mat)(size, size, entries).det()


def _sign(value: Any) -> int | None:
    """The sign; None for a ball about 0."""
    if value > 0:
        return 1
    if value < 0:
        return -1
    return 0 if value == 0 else None


def _apart(hull: Sequence[Any], places: tuple[int, int]) -> float:
    pairs = zip(*(hull[k] for k in places), strict=True)
    return sum(abs(float(a - b)) for one, other in pairs for a, b in zip(one, other, strict=True))
