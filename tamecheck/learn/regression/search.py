"""Trees of half-spaces for piecewise polynomials: greedy growth with lookahead, then alternation.

A split is judged by the squared residuals of one polynomial on each side, for all thresholds of a
direction at once (sums of outer products along the sorted projections).  Alternation revisits each
node: every point that reaches it prefers the side whose subtree fits it better, and the split that
respects these preferences best replaces the old one, if the fit improves.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from sklearn import linear_model

from tamecheck.budget import Budget
from tamecheck.learn.effort import Effort, interruptible
from tamecheck.learn.mip.ensemble import wide_neuron
from tamecheck.learn.network import Floats

_LINEAR = cast("Any", linear_model)
_BEAM = (24, 6, 3, 1)
_RIDGE = 1e-12
_KEPT = 4
_ROUNDS = 12
_IMPROVED = 24
_REWEIGHTED = 12
_TIE = 1e-7
"""Points that prefer a side by less than this share of the largest preference may go anywhere."""

Cut = tuple[Floats, float]
"""A direction and a threshold: right where direction . x >= threshold."""


@dataclass(frozen=True, slots=True, eq=False)
class FloatTree:
    """Cuts in heap order; the leaf of each row; the sum of absolute residuals of the fits."""

    cuts: tuple[Cut, ...]
    leaves: np.ndarray
    error: float


@dataclass(frozen=True, slots=True, eq=False)
class _Data:
    """The points, the directions of cuts, and how the polynomial of some rows is fitted."""

    x: Floats
    phi: Floats
    y: Floats
    axis: bool
    pool: Floats
    fit: Callable[[Floats, Floats], Floats]

    def coefficients(self, rows: np.ndarray) -> Floats:
        return self.fit(self.phi[rows], self.y[rows])


def search_tree(  # noqa: PLR0913 (options, by keyword only)
    x: Floats,
    phi: Floats,
    y: Floats,
    *,
    depth: int,
    axis: bool,
    rng: np.random.Generator,
    budget: Budget,
) -> FloatTree:
    """The best tree of the search; with ``axis``, splits are parallel to the axes.

    Trees are grown from several first cuts and improved with least squares, which are fast; the
    best of them are then improved with least absolute residuals, which are what is wanted.
    """
    half = budget.part(budget.seconds / 2)
    scaled = phi / np.maximum(np.abs(phi).max(axis=0), 1e-300)
    data = _Data(x, scaled, y, axis, _pool(x, axis, rng), _least_squares)
    nothing = 1e-11 * float(np.abs(y).sum())
    rows = np.arange(len(y))
    grown: list[FloatTree] = []
    with interruptible(budget):
        for cut in _first_cuts(data, rows) if depth else []:
            right = x @ cut[0] >= cut[1]
            cuts = {0: cut}
            _grow(data, rows[~right], 1, depth, cuts)
            _grow(data, rows[right], 2, depth, cuts)
            grown.append(_tree(data, cuts, depth))
            grown[-1] = _alternate(data, grown[-1], depth, half)
            if half.is_spent or grown[-1].error <= nothing:
                break
    if not grown:
        return _tree(data, {}, depth)
    grown.sort(key=lambda tree: tree.error)
    best, robust = grown[0], replace(data, fit=_least_absolute)
    with interruptible(budget):
        for tree in grown[:_IMPROVED]:
            if best.error <= nothing or budget.is_spent:
                break
            other = _tree(robust, dict(enumerate(tree.cuts)), depth)
            other = _alternate(robust, other, depth, budget)
            if not axis:
                other = _replace_cuts(robust, other, depth, budget, _separate)
            best = min(best, other, key=lambda tree: tree.error)
    return best


def _pool(x: Floats, axis: bool, rng: np.random.Generator) -> Floats:  # noqa: FBT001
    features = x.shape[1]
    eye = np.eye(features)
    if axis or features == 1:
        return eye
    pairs = [
        eye[i] + s * eye[j] for i, j in itertools.combinations(range(features), 2) for s in (1, -1)
    ]
    random = rng.normal(size=(24, features))
    random = np.rint(64 * random / np.abs(random).max(axis=1, keepdims=True)) / 64
    return np.vstack([eye, *pairs[:60], random])


def _rank(scored: Iterable[tuple[float, int, Cut]]) -> list[Cut]:
    """The cuts of least score first; of equal ones that of the first direction."""
    return [cut for _, _, cut in sorted(scored, key=lambda item: item[:2])]


def _candidates(data: _Data, rows: np.ndarray, each: int = 1) -> list[Cut]:
    """The best thresholds of each direction, ranked."""
    return _rank(
        (error, number, (direction, threshold))
        for number, direction in enumerate(data.pool)
        for error, threshold in _thresholds(data, rows, direction)[:each]
    )


def _first_cuts(data: _Data, rows: np.ndarray) -> list[Cut]:
    """The best cuts of the root; where directions are few, more thresholds of each of them."""
    found = _candidates(data, rows)[: _BEAM[0]]
    each = (_BEAM[0] - len(found)) // len(data.pool)
    for direction in data.pool if each else ():
        values = np.unique(data.x @ direction)
        places = np.linspace(0, len(values) - 1, each + 2)[1:-1].astype(int)
        for place in np.unique(places[places < len(values) - 1]):
            found.append((direction, float(values[place] + values[place + 1]) / 2))
    return found


def _thresholds(data: _Data, rows: np.ndarray, direction: Floats) -> list[tuple[float, float]]:
    """Squared residuals and threshold of every cut between two projections, best first."""
    values = data.x[rows] @ direction
    order = np.argsort(values, kind="stable")
    values, phi, y = values[order], data.phi[rows][order], data.y[rows][order]
    gaps = _gaps(values)
    if not len(gaps):
        return []
    if len(gaps) > 128:
        gaps = gaps[np.linspace(0, len(gaps) - 1, 128).astype(int)]
    outer = np.cumsum(phi[:, :, None] * phi[:, None, :], axis=0)
    cross, square = np.cumsum(phi * y[:, None], axis=0), np.cumsum(y**2)
    left = _residual(outer[gaps], cross[gaps], square[gaps])
    right = _residual(outer[-1] - outer[gaps], cross[-1] - cross[gaps], square[-1] - square[gaps])
    total = left + right
    best = np.argsort(total, kind="stable")
    return [
        (float(total[k]), float((values[gaps[k]] + values[gaps[k] + 1]) / 2)) for k in best[:_KEPT]
    ]


def _gaps(values: Floats) -> np.ndarray:
    """Where sorted values differ from the next ones."""
    return np.flatnonzero(np.diff(values) > 1e-9 * (1 + np.abs(values).max(initial=0)))


def _residual(outer: Floats, cross: Floats, square: Floats) -> Floats:
    size = outer.shape[-1]
    trace = np.trace(outer, axis1=-2, axis2=-1)[..., None, None]
    steady = cast("Floats", outer + (_RIDGE * trace + 1e-300) * np.eye(size))
    solved = np.linalg.solve(steady, cross[..., None])[..., 0]
    return np.maximum(0, square - np.sum(cross * solved, axis=-1))


def _grow(data: _Data, rows: np.ndarray, node: int, depth: int, cuts: dict[int, Cut]) -> float:
    """Split a node and those below it greedily, looking one level ahead; the squared error."""
    level = (node + 1).bit_length() - 1
    if level == depth:
        return float((_misses(data, rows) ** 2).sum())
    best, chosen = np.inf, dict[int, Cut]()
    width = _BEAM[min(level, len(_BEAM) - 1)] if level < depth - 1 else 1
    for cut in _candidates(data, rows)[:width]:
        right = data.x[rows] @ cut[0] >= cut[1]
        below: dict[int, Cut] = {node: cut}
        error = _grow(data, rows[~right], 2 * node + 1, depth, below)
        error += _grow(data, rows[right], 2 * node + 2, depth, below)
        if error < best:
            best, chosen = error, below
    cuts.update(chosen)
    return best if chosen else float((_misses(data, rows) ** 2).sum())


def _misses(data: _Data, rows: np.ndarray) -> Floats:
    """The residuals of the fit of some rows."""
    if not len(rows):
        return np.zeros(0)
    return data.y[rows] - data.phi[rows] @ data.coefficients(rows)


def _least_squares(phi: Floats, y: Floats) -> Floats:
    return cast("Floats", np.linalg.lstsq(phi, y, rcond=None)[0])


def _least_absolute(phi: Floats, y: Floats) -> Floats:
    """The coefficients of nearly least absolute residuals, by reweighted least squares."""
    found = _least_squares(phi, y)
    for _ in range(_REWEIGHTED):
        residuals = np.abs(y - phi @ found)
        scale = np.sqrt(1 / np.maximum(residuals, 1e-9 * float(residuals.max()) + 1e-300))
        found = _least_squares(phi * scale[:, None], y * scale)
    return found


def _tree(data: _Data, cuts: dict[int, Cut], depth: int) -> FloatTree:
    """The tree with these cuts; where one is missing, all points go right."""
    everywhere = (np.eye(data.x.shape[1])[0], float(data.x[:, 0].min()))
    whole = tuple(cuts.get(k, everywhere) for k in range(2**depth - 1))
    leaves = _leaves(whole, data.x, 0)
    error = sum(
        float(np.abs(_misses(data, np.flatnonzero(leaves == k))).sum()) for k in np.unique(leaves)
    )
    return FloatTree(whole, leaves, error)


def _leaves(cuts: Sequence[Cut], x: Floats, node: int) -> np.ndarray:
    """The leaf of each point if it takes the way through a node."""
    nodes = np.full(len(x), node)
    while (nodes < len(cuts)).any():
        for k in np.unique(nodes[nodes < len(cuts)]):
            at = nodes == k
            direction, threshold = cuts[int(k)]
            nodes[at] = 2 * k + 1 + (x[at] @ direction >= threshold)
    return nodes - len(cuts)


def _alternate(data: _Data, tree: FloatTree, depth: int, budget: Budget) -> FloatTree:
    """Replace one cut after the other as long as the absolute residuals shrink."""
    return _replace_cuts(data, tree, depth, budget, _revise)


def _replace_cuts(
    data: _Data,
    tree: FloatTree,
    depth: int,
    budget: Budget,
    revise: Callable[[_Data, FloatTree, int, int], list[Cut]],
) -> FloatTree:
    for _ in range(_ROUNDS):
        before = tree.error
        for node in range(2**depth - 1):
            if budget.is_spent:
                return tree
            for cut in revise(data, tree, node, depth):
                cuts = dict(enumerate(tree.cuts))
                cuts[node] = cut
                other = _tree(data, cuts, depth)
                if other.error < tree.error:
                    tree = other
        if tree.error >= before * (1 - 1e-9):
            break
    return tree


def _separate(data: _Data, tree: FloatTree, node: int, depth: int) -> list[Cut]:
    """The widest separation of the points that prefer either side of a node.

    Few points on the wrong side of a nearly right cut hardly move a logistic fit, but they are what
    is left of the error; a fit that they do not pull tells which they are.
    """
    rows, gain = _preferences(data, tree, node, depth)
    decided = np.abs(gain) > _TIE * np.abs(gain).max(initial=0)
    rows, signs = rows[decided], np.sign(gain[decided])
    if len(np.unique(signs)) < 2:
        return []
    found = wide_neuron(data.x[rows], signs, "real", Effort((), 0, None, 0))
    return [(found.weights, -found.offset)]


def _preferences(data: _Data, tree: FloatTree, node: int, depth: int) -> tuple[np.ndarray, Floats]:
    """The rows that reach a node, and how much better the right subtree fits each of them."""
    level = (node + 1).bit_length() - 1
    span = 2 ** (depth - level)
    first = (node + 1) * span - 2**depth
    rows = np.flatnonzero((tree.leaves >= first) & (tree.leaves < first + span))
    left = _follow(data, tree, rows, 2 * node + 1)
    right = _follow(data, tree, rows, 2 * node + 2)
    return rows, left - right


def _revise(data: _Data, tree: FloatTree, node: int, depth: int) -> list[Cut]:
    """The cuts that respect best which side of a node fits each of its points better."""
    rows, gain = _preferences(data, tree, node, depth)
    if len(rows) < 2:
        return []
    directions = list(data.pool)
    if not data.axis and data.x.shape[1] > 1 and (gain > 0).any() and (gain < 0).any():
        model = _LINEAR.LogisticRegression(C=1e4, max_iter=200)
        model.fit(data.x[rows], gain > 0, sample_weight=np.abs(gain) / np.abs(gain).max() + 1e-9)
        slope = model.coef_[0] / max(float(np.abs(model.coef_[0]).max()), 1e-300)
        directions += [np.rint(slope * grain) / grain for grain in (1, 2, 4, 16, 1024)]
    ranked: list[tuple[float, int, Cut]] = []
    for number, direction in enumerate(directions):
        values = data.x[rows] @ direction
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        gaps = _gaps(ordered)
        if not len(gaps):
            continue
        # rows up to a gap go left, where each costs its gain more than right
        costs = np.cumsum(gain[order])[gaps]
        place = gaps[int(np.argmin(costs))]
        cut = (direction, float((ordered[place] + ordered[place + 1]) / 2))
        ranked.append((float(costs.min()), number, cut))
    # above two leaves also the cuts that are best for squares, whatever the leaves are now
    above_leaves = node >= 2 ** (depth - 1) - 1
    return _rank(ranked)[:4] + (_candidates(data, rows, _KEPT)[:6] if above_leaves else [])


def _follow(data: _Data, tree: FloatTree, rows: np.ndarray, node: int) -> Floats:
    """The absolute residual of each row if it took the way through a node."""
    leaves = _leaves(tree.cuts, data.x[rows], node)
    result = np.zeros(len(rows))
    for leaf in np.unique(leaves):
        at, own = leaves == leaf, np.flatnonzero(tree.leaves == leaf)
        fit = data.phi[rows[at]] @ data.coefficients(own) if len(own) else 0.0
        result[at] = np.abs(data.y[rows[at]] - fit)
    return result
