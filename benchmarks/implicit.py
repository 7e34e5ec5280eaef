"""Random piecewise linear systems through `tc.implicit`: every verdict beside brute force.

Run: python benchmarks/implicit.py [count] [seed].  Half of the systems have a singular element
planted in the convex hull of their Jacobians, but at no vertex; the others are invertible by
construction, or decided here by the determinants at all corners.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from flint import fmpq, fmpq_mat, fmpq_poly

import tamecheck as tc

Matrix = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class System:
    """``F(x, p) = 0`` as text, what brute force knows, and the Jacobians of all sign patterns."""

    kind: str
    size: int
    text: str
    invertible: bool
    jacobians: frozenset[tuple[int, ...]]


def linear(row: Matrix) -> str:
    """A linear form of x as text."""
    return "(" + " + ".join(f"({int(a)})*x{j}" for j, a in enumerate(row)) + ")"


def determinant(matrix: Matrix) -> int:
    """The exact determinant of an integer matrix."""
    size = len(matrix)
    return int(fmpq_mat(size, size, [int(a) for a in matrix.reshape(-1)]).det().p)


def directions(rng: np.random.Generator, size: int) -> Matrix:
    """Many random integer directions; with few kinks they meet every cone."""
    return rng.integers(-1000, 1001, (4000, size))


def planted(rng: np.random.Generator, matrices: list[Matrix]) -> tuple[int, Matrix]:
    """A factor f and a matrix L so that some mean of ``f M + L`` is singular."""
    size = len(matrices[0])
    rank = int(rng.integers(max(size - 2, 1), size))
    low = rng.integers(-3, 4, (size, rank)) @ rng.integers(-3, 4, (rank, size))
    count = min(len(matrices), int(rng.integers(2, 5)))
    picked = rng.choice(len(matrices), count, replace=False)
    weights = rng.integers(1, 4, count)
    mean = sum((int(w) * matrices[k] for w, k in zip(weights, picked, strict=True)), 0 * low)
    return int(weights.sum()), low - mean


def absolute(rng: np.random.Generator, size: int, kinks: int, *, plant: bool) -> System | None:
    """``A x + Σ b_k |c_k x| - p``."""
    b, c = rng.integers(-2, 3, (size, kinks)), rng.integers(-2, 3, (kinks, size))
    values = directions(rng, size) @ c.T
    patterns = np.unique(np.sign(values[(values != 0).all(axis=1)]), axis=0)
    if not len(patterns):
        return None
    changes = [b @ (signs[:, None] * c) for signs in patterns]
    free = np.linalg.matrix_rank(c) == kinks
    if plant:
        factor, base = planted(rng, changes)
    else:
        heavy = int(rng.integers(4, 12 + 3 * kinks))
        factor, base = 1, rng.integers(-3, 4, (size, size)) + heavy * np.eye(size, dtype=int)
        if not free:
            base = np.diag(np.abs(b) @ np.abs(c) @ np.ones(size, int) + 1)
    jacobians = [factor * change + base for change in changes]
    dets = [determinant(m) for m in jacobians]
    if 0 in dets:
        return None
    if free and len(patterns) < 2**kinks:
        return None
    # affine in each sign: with all patterns there, one sign at the corners is one sign inside
    invertible = not plant and (not free or len({d > 0 for d in dets}) == 1)
    rows = [
        f"{linear(base[i])}"
        + "".join(f" + ({factor * int(b[i, k])})*abs{linear(c[k])}" for k in range(kinks))
        + f" - p{i}"
        for i in range(size)
    ]
    kind = "|.| free" if free else "|.| dependent"
    every = [factor * b @ (np.array(s)[:, None] * c) + base for s in product((1, -1), repeat=kinks)]
    return System(kind, size, "; ".join(rows), invertible, _set(every))


def maxima(rng: np.random.Generator, size: int, pieces: int, *, plant: bool) -> System | None:
    """``L x + max_j a_ij x - p_i`` in row i."""
    a = rng.integers(-4, 5, (size, pieces, size))
    values = np.einsum("ijk,dk->dij", a, directions(rng, size))
    best = values.max(axis=2, keepdims=True)
    clear = ((values == best).sum(axis=2) == 1).all(axis=1)
    choices = np.unique(values.argmax(axis=2)[clear], axis=0)
    matrices = [a[np.arange(size), choice] for choice in choices]
    if plant:
        factor, base = planted(rng, matrices)
    else:
        factor, base = 1, np.diag(np.abs(a).max(axis=1).sum(axis=1) + 1)
    jacobians = [factor * matrix + base for matrix in matrices]
    if any(determinant(m) == 0 for m in jacobians):
        return None
    rows = [
        f"{linear(base[i])} + max("
        + ", ".join(linear(factor * a[i, j]) for j in range(pieces))
        + f") - p{i}"
        for i in range(size)
    ]
    every = [
        factor * a[np.arange(size), np.array(choice)] + base
        for choice in product(range(pieces), repeat=size)
    ]
    return System("max", size, "; ".join(rows), not plant, _set(every))


def _set(jacobians: list[Matrix]) -> frozenset[tuple[int, ...]]:
    return frozenset(tuple(int(a) for a in m.reshape(-1)) for m in jacobians)


def systems(count: int, seed: int) -> Iterator[System]:
    """Random systems of 2 to 6 unknowns, every second one with a planted singular element."""
    rng = np.random.default_rng(seed)
    made = 0
    while made < count:
        size, plant = 2 + made // 2 % 5, made % 2 == 1
        if rng.random() < 0.75:
            kinks = int(rng.integers(2, size + 3))
            found = absolute(rng, size, kinks, plant=plant)
        else:
            found = maxima(rng, min(size, 4), 2 + int(size == 2), plant=plant)
        if found is not None:
            made += 1
            yield found


def verdict(system: System) -> tuple[str, float]:
    """The verdict with the seconds that it took; a singular element is checked."""
    names = [f"x{j}" for j in range(system.size)]
    at: dict[str, Any] = {**dict.fromkeys(names, 0), **{f"p{j}": 0 for j in range(system.size)}}
    start = time.perf_counter()
    found = tc.implicit(system.text, unknowns=names, at=at)
    seconds = time.perf_counter() - start
    squares = [
        tuple(Fraction(int(a.p), int(a.q)) for row in u for a in row) for u, _ in found.pairs
    ]
    known = [tuple(int(a) for a in square) in system.jacobians for square in squares]
    if found.listed and not all(known):
        return "unexpected Jacobian", seconds
    if found.verdict.value == "refuted" and not confirmed(found, system.size):
        return "singular element not confirmed", seconds
    return found.verdict.value, seconds


def confirmed(found: Any, size: int) -> bool:
    """Whether the singular element is one, from the vertices ``U`` of the result."""
    squares = list(dict.fromkeys(u for u, _ in found.pairs))
    singular = found.singular

    def mean(weights: Any) -> fmpq_mat:
        total = fmpq_mat(size, size)
        for w, u in zip(weights, squares, strict=True):
            total += fmpq_mat(size, size, [a for row in u for a in row]) * fmpq(
                w.numerator, w.denominator
            )
        return total

    if singular.weights is not None:
        proper = sum(singular.weights) == 1 and min(singular.weights) >= 0
        return proper and mean(singular.weights).det() == 0
    root = singular.algebraic
    ends = [mean(root.start), mean(root.end)]
    low, high = (fmpq(t.numerator, t.denominator) for t in root.interval)
    values = [(ends[0] * (1 - t) + ends[1] * t).det() for t in (low, high)]
    polynomial = fmpq_poly([fmpq(c.numerator, c.denominator) for c in root.polynomial])
    matches = all(
        polynomial(fmpq(k)) == (ends[0] * (1 - fmpq(k)) + ends[1] * fmpq(k)).det()
        for k in range(size + 1)
    )
    return matches and 0 <= low <= high <= 1 and values[0] * values[1] <= 0


def main() -> None:
    """Run all systems and count the answers."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    counts: Counter[tuple[str, bool, str]] = Counter()
    times: list[float] = []
    wrong = 0
    for system in systems(count, seed):
        answer, seconds = verdict(system)
        times.append(seconds)
        counts[system.kind, system.invertible, answer] += 1
        if answer != ("proved" if system.invertible else "refuted"):
            wrong += 1
            print(answer, f"{seconds:.1f} s", system.text, flush=True)
    for (kind, invertible, answer), number in sorted(counts.items()):
        truth = "invertible" if invertible else "singular element"
        print(f"{kind:14} {truth:17} {answer:10} {number}")
    print(f"{count - wrong} of {count} right")
    print(f"seconds: median {np.median(times):.2f}, largest {max(times):.2f}, sum {sum(times):.0f}")


if __name__ == "__main__":
    main()
