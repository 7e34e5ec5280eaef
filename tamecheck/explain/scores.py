"""Points scores: literals that give points, and from how many points on a class is decided for.

A score with few literals is looked for at sampled points: a logistic regression over all literals
(ridge penalty, Newton's method) says which to keep, its coefficients are rounded to small integers,
and points are moved by one or given to other literals as long as more of the sample is right
(as in Ustun and Rudin 2019).  What is said of the score afterwards does not rest on the sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np

from tamecheck.budget import Budget
from tamecheck.explain.domain import Domain
from tamecheck.explain.joint import neuron_over
from tamecheck.explain.words import Condition, condition
from tamecheck.ir.tensor import Array

_LARGEST = 9
"""The most points of a literal in a score that is fitted."""

_COMBINED = 16
"""With more literals, smaller points that decide alike are not looked for."""

_SMALLEST = 40
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class PointScore:
    """A class if literals that hold have at least so many points together, else another one."""

    points: tuple[tuple[int, Condition], ...]
    """Each literal with its points, which are not 0; those with most points first."""
    least: int
    yes: int
    no: int

    @property
    def conditions(self) -> int:
        """The number of literals."""
        return len(self.points)

    def decisions(self, codes: Array) -> Array:
        """The class of rows of codes."""
        total = np.zeros(len(codes), dtype=np.int64)
        for points, literal in self.points:
            total += points * np.isin(codes[:, literal.feature], literal.codes)
        return np.where(total >= self.least, self.yes, self.no)

    def neuron(self, domain: Domain) -> tuple[Array, int]:
        """The neuron over the inputs that is 1 exactly where the points suffice."""
        adds = {x.feature: [0] * len(domain.features[x.feature].codes) for _, x in self.points}
        for points, literal in self.points:
            for code in literal.codes:
                adds[literal.feature][code] += points
        return neuron_over(domain, adds, self.least)

    def negate(self, domain: Domain) -> PointScore:
        """The same decisions, with the classes exchanged."""
        turned = [(-points, literal) for points, literal in self.points]
        return score_of(domain, turned, 1 - self.least, self.no, self.yes)

    def text(self, classes: Sequence[str]) -> str:
        """The class and the points that it needs, and what gives points, one a line."""
        label, other = (_called(classes[k]) for k in (self.yes, self.no))
        unit = "point" if self.least == 1 else "points"
        given = (f"  {points:+}  {literal.text}" for points, literal in self.points)
        return "\n".join([f"{label} from {self.least} {unit}, else {other}:", *given])

    def to_json(self) -> dict[str, Any]:
        """The score as JSON."""
        return {
            "from": self.least,
            "then": self.yes,
            "else": self.no,
            "points": [{"points": points, "if": x.text} for points, x in self.points],
        }


def _called(label: str) -> str:
    """A label that cannot be taken for a number of points."""
    return f"class {label}" if label.lstrip("-").isdigit() else label


def score_of(
    domain: Domain, weights: Sequence[tuple[int, Condition]], least: int, yes: int, no: int
) -> PointScore:
    """The score of weighted literals: with points without a common divisor, and small if found.

    Points are positive, but for single values of several: these are better told with a minus.
    """
    weights = [(weight, literal) for weight, literal in weights if weight]
    if not weights:
        return PointScore((), least, yes, no)
    # what counts is whether a literal, or its negation, adds its weight
    lowered = least - sum(min(weight, 0) for weight, _ in weights)
    sizes, lowered = _smaller([abs(weight) for weight, _ in weights], lowered)
    points: list[tuple[int, Condition]] = []
    for size, (weight, literal) in zip(sizes, weights, strict=True):
        if weight > 0:
            points.append((size, literal))
            continue
        feature = domain.features[literal.feature]
        if feature.ordered or len(feature.codes) == 2:
            rest = [code for code in range(len(feature.codes)) if code not in literal.codes]
            points.append((size, condition(literal.feature, feature, rest)))
        else:
            points.append((-size, literal))
            lowered -= size
    order = sorted(range(len(points)), key=lambda k: (-points[k][0], k))
    return PointScore(tuple(points[k] for k in order), lowered, yes, no)


def _smaller(sizes: Sequence[int], least: int) -> tuple[list[int], int]:
    """Smaller weights that reach their threshold for the same sets of literals."""
    common = gcd(*sizes)
    sizes, least = [size // common for size in sizes], -(-least // common)
    if len(sizes) > _COMBINED or not 0 < least <= sum(sizes):
        return sizes, least
    sets = np.zeros(1, dtype=np.int64)
    for size in sizes:
        sets = np.concatenate([sets, sets + size])
    holds = sets >= least
    for top in range(1, min(_SMALLEST, max(sizes))):
        tried = [max(round(size * top / max(sizes)), 1) for size in sizes]
        sums = np.zeros(1, dtype=np.int64)
        for size in tried:
            sums = np.concatenate([sums, sums + size])
        if sums[~holds].max() < sums[holds].min():
            return tried, int(sums[holds].min())
    return list(sizes), least


def literals_of(domain: Domain) -> list[Condition]:
    """The literals of scores: bounds of ordered features, single values of others."""
    found: list[Condition] = []
    for k, feature in enumerate(domain.features):
        size = len(feature.codes)
        sets: list[range | tuple[int, ...]] = [range(c, size) for c in range(1, size)]
        if not feature.ordered and size > 2:
            sets = [(c,) for c in range(size)]
        found += [condition(k, feature, list(codes)) for codes in sets]
    return found


def holding_of(literals: Sequence[Condition], codes: Array) -> Array:
    """Which literals hold for rows of codes, ``(rows, literals)``."""
    return np.stack([np.isin(codes[:, x.feature], x.codes) for x in literals], axis=1)


def fit_scores(  # noqa: PLR0913  # each by its name
    domain: Domain,
    codes: Array,
    holds: Array,
    sizes: Sequence[int],
    *,
    yes: int,
    no: int,
    budget: Budget,
) -> list[PointScore]:
    """Scores of at most so many literals that decide many of some rows of codes as wanted.

    ``holds`` says for which rows the class is ``yes``; sizes are ascending.
    """
    literals = literals_of(domain)
    if not literals:
        return []
    table = holding_of(literals, codes).astype(np.float64)
    # a literal and its negation say the same
    kept = np.flatnonzero(table.std(axis=0) > _TINY)
    target = holds.astype(np.float64)
    found: list[PointScore] = []
    weights = _regress(table[:, kept], target)
    for size in sorted(set(sizes), reverse=True):
        while len(kept) > size:
            if budget.is_spent:
                return found
            strength = np.abs(weights) * table[:, kept].std(axis=0)
            strongest = np.argsort(-strength, kind="stable")[: max(size, len(kept) * 2 // 3)]
            kept = kept[np.sort(strongest)]
            weights = _regress(table[:, kept], target)
        fitted = _Points(table, target, kept, weights).improve(budget)
        chosen = [(p, literals[k]) for k, p in fitted.points.items() if p]
        found.append(score_of(domain, chosen, fitted.least, yes, no))
    return found


def _regress(table: Array, target: Array) -> Array:
    """The coefficients of a ridge logistic regression, without the constant."""
    rows, width = table.shape
    wide = np.concatenate([table, np.ones((rows, 1))], axis=1)
    ridge = np.append(np.ones(width), 1e-6)
    found = np.zeros(width + 1)
    for _ in range(8):
        likely = 1 / (1 + np.exp(-np.clip(wide @ found, -30, 30)))
        slope = wide.T @ (target - likely) - ridge * found
        weights = np.maximum(likely * (1 - likely), 1e-3)
        curvature = (wide * weights[:, None]).T @ wide + np.diag(ridge)
        found = found + np.linalg.solve(curvature, slope)
    return np.asarray(found[:-1])


@dataclass(frozen=True, slots=True)
class _Fit:
    """Points of literals by number, the threshold, and how many rows are right."""

    points: Mapping[int, int]
    least: int
    right: int


class _Points:
    """The search for small points: rounding, then moves that make more rows right."""

    def __init__(self, table: Array, target: Array, kept: Array, weights: Array) -> None:
        self.table, self.target = table.astype(np.int64), target.astype(np.bool_)
        start = [self._rounded(kept, weights, top) for top in range(1, _LARGEST + 1)]
        # of scores that are as good, the one with the smallest points
        self.best = max(start, key=lambda fit: fit.right)

    def _rounded(self, kept: Array, weights: Array, top: int) -> _Fit:
        largest = float(np.abs(weights).max(initial=_TINY))
        points = np.rint(weights * top / largest).astype(np.int64)
        chosen = dict(zip(kept.tolist(), points.tolist(), strict=True))
        return self._fit(chosen, self.table[:, kept] @ points)

    def _fit(self, points: Mapping[int, int], sums: Array) -> _Fit:
        """The best threshold for the sums of all rows."""
        low = int(sums.min(initial=0))
        wide = int(sums.max(initial=0)) - low + 2
        yes = np.bincount(sums[self.target] - low, minlength=wide)
        no = np.bincount(sums[~self.target] - low, minlength=wide)
        right = yes[::-1].cumsum()[::-1] + no.cumsum() - no
        place = int(right.argmax())
        return _Fit(points, place + low, int(right[place]))

    def improve(self, budget: Budget) -> _Fit:
        """The points after moves by one, and moves to other literals, that make more right."""
        before = -1
        while self.best.right > before and not budget.is_spent:
            before = self.best.right
            for k in list(self.best.points):
                if k in self.best.points and not budget.is_spent:
                    self._move(k)
        return self.best

    def _move(self, k: int) -> None:
        points = self.best.points
        places = list(points)
        sums = self.table[:, places] @ np.array([points[j] for j in places], dtype=np.int64)
        without = sums - points[k] * self.table[:, k]
        tried = [p for p in (points[k] - 1, points[k] + 1, 0) if abs(p) <= _LARGEST]
        for p in tried:
            fit = self._fit({**points, k: p}, without + p * self.table[:, k])
            if fit.right > self.best.right:
                self.best = fit
        rest = {j: p for j, p in points.items() if j != k}
        for other in range(self.table.shape[1]):
            if other not in points and points[k]:
                fit = self._fit(
                    {**rest, other: points[k]}, without + points[k] * self.table[:, other]
                )
                if fit.right > self.best.right:
                    self.best = fit
