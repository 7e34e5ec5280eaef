"""Lower bounds of a linear map of signs, by Lagrangian decomposition over windows.

The signs of a layer are functions of the open signs before it, each of few.  So a linear map of
them is a sum over clusters of groups, and its minimum is at least the sum of the minima over each
cluster's own signs, where multipliers that sum to 0 for every sign are added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tamecheck.binarized.windows import WindowLayer
from tamecheck.budget import Budget
from tamecheck.ir.tensor import Array
from tamecheck.verification.patterns import Clause, FirstLayer, realisable

SCALE = 16
"""Multipliers are integers over this."""

_STEP, _SHRINK, _PATIENCE = 4.0, 0.9, 2
_LEAST = 0.05
_EXACT = 1 << 51
_PATTERNS, _FEW_PATTERNS = 1 << 20, 256
"""After so many patterns in all clusters a group has few."""
_SUMS = 1 << 25


@dataclass(frozen=True, slots=True, eq=False)
class Cluster:
    """Groups of a layer and the signs before it that are enumerated.

    ``patterns`` (patterns, signs) are those of the signs that may occur, by the clauses that are
    listed; ``table`` (patterns, neurons) holds the states of the open neurons, 0 where signs that
    are not enumerated leave them open.
    """

    groups: tuple[int, ...]
    signs: tuple[int, ...]
    neurons: Array
    patterns: Array
    table: Array
    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """What clusters of a layer are made of.

    Parameters
    ----------
    before, states
        The states before the layer and its own, 0 where open.
    first
        The layer before if that is the first one, whose signs depend on the inputs.
    """

    layer: WindowLayer
    before: Array
    states: Array
    first: FirstLayer | None
    budget: Budget

    def find(self, *, most: int, merged: int) -> list[Cluster]:
        """Clusters of the groups that have open neurons; some of them when time is over.

        Parameters
        ----------
        most, merged
            The patterns of a single group, and of groups that are joined because they share signs.
        """
        layer = self.layer
        is_open = (self.states.reshape(len(layer.groups), -1) == 0).any(axis=1)
        parts: list[Cluster] = []
        total = 0
        for group in np.flatnonzero(is_open).tolist():
            if self.budget.is_spent:
                return parts
            places = np.unique(layer.windows[layer.groups[group]])
            places = places[places >= 0]
            limit = most if total < _PATTERNS else min(most, _FEW_PATTERNS)
            parts.append(self._cluster((group,), places[self.before[places] == 0].tolist(), limit))
            total += len(parts[-1].patterns)
        return self._join(parts, merged)

    def _join(self, parts: list[Cluster], merged: int) -> list[Cluster]:
        """Join clusters greedily: first where one sees no sign more, then where they share most."""
        failed: set[tuple[tuple[int, ...], tuple[int, ...]]] = set()
        while True:
            taken: set[int] = set()
            joined: list[Cluster] = []
            for extra, one, other in _near(parts, merged):
                left, right = parts[one], parts[other]
                pair = left.groups, right.groups
                if one in taken or other in taken or pair in failed or self.budget.is_spent:
                    continue
                signs = sorted({*left.signs, *right.signs})
                limit = merged if extra else len(left.patterns) + len(right.patterns)
                found = self._cluster(left.groups + right.groups, signs, limit)
                if len(found.signs) == len(signs):
                    taken |= {one, other}
                    joined.append(found)
                else:
                    failed.add(pair)
            if not joined:
                return parts
            parts = [part for number, part in enumerate(parts) if number not in taken] + joined

    def _cluster(self, groups: tuple[int, ...], signs: list[int], limit: int) -> Cluster:
        layer, before = self.layer, self.before
        # the sums of all windows of the groups are held at once
        sums = sum(layer.groups[group].size for group in groups) * layer.channels
        limit = min(limit, max(_SUMS // sums, 1))
        if len(signs) > most_signs(limit):
            signs = signs[: most_signs(limit)]
        clauses = self.first.clauses(signs) if self.first is not None else []
        found, count, used = realisable(signs, clauses, limit)
        signs = signs[:count]
        channels = layer.channels
        numbers = (np.array(groups)[:, None] * channels + np.arange(channels)).reshape(-1)
        neurons = numbers[self.states[numbers] == 0]
        group, channel = np.divmod(neurons, channels)
        # a row a window of each neuron
        windows = layer.windows[layer.groups[group]]
        weights = layer.weights[channel][:, None, :]
        values = np.where(windows >= 0, before[np.maximum(windows, 0)], 0)
        known = (values * weights).sum(-1)
        columns = np.zeros((*known.shape, count))
        for i, sign in enumerate(signs):
            columns[..., i] = ((windows == sign) * weights).sum(-1)
        is_open = (windows >= 0) & (before[np.maximum(windows, 0)] == 0)
        reach = (np.abs(weights) * (is_open & ~np.isin(windows, signs))).sum(-1)
        flat = found.astype(np.float64) @ columns.reshape(-1, count).T
        sums = known + flat.reshape(len(found), *known.shape)
        ends = layer.thresholds[channel][:, None]
        sure, never = (sums - reach >= ends).any(-1), (sums + reach < ends).all(-1)
        table = sure.astype(np.int8) - never.astype(np.int8)
        return Cluster(groups, tuple(signs), neurons, found, table, tuple(used))


def most_signs(limit: int) -> int:
    """More signs than these have more patterns than the limit, as a rule."""
    return 8 + 2 * limit.bit_length()


def _near(parts: Sequence[Cluster], merged: int) -> list[tuple[int, int, int]]:
    """Pairs of clusters that share signs, the best to join first, with how many signs they add."""
    seen = [frozenset(part.signs) for part in parts]
    by_sign: dict[int, list[int]] = {}
    for number, signs in enumerate(seen):
        for one in signs:
            by_sign.setdefault(one, []).append(number)
    found: list[tuple[int, int, int, int]] = []
    for number, signs in enumerate(seen):
        for other in {o for one in signs for o in by_sign[one] if o > number}:
            extra = len(signs | seen[other]) - max(len(signs), len(seen[other]))
            if not extra or len(parts[number].patterns) + len(parts[other].patterns) <= merged:
                found.append((extra, -len(signs & seen[other]), number, other))
    return [(extra, one, other) for extra, _, one, other in sorted(found)]


class Dual:
    """The dual function of linear maps of a layer's states, over clusters of it."""

    def __init__(self, clusters: Sequence[Cluster], states: Array) -> None:
        self.clusters, self.states = clusters, states
        self.signs = sorted({s for cluster in clusters for s in cluster.signs})
        place = {s: i for i, s in enumerate(self.signs)}
        buckets: dict[tuple[int, int], list[int]] = {}
        for number, one in enumerate(clusters):
            size = len(one.signs), 1 << (len(one.patterns) - 1).bit_length()
            buckets.setdefault(size, []).append(number)
        self.buckets = [
            _Bucket.of([clusters[n] for n in numbers], numbers, place, *size)
            for size, numbers in buckets.items()
        ]
        self.copies = np.zeros(len(self.signs))
        for bucket in self.buckets:
            np.add.at(self.copies, bucket.places.reshape(-1), 1)
        inside = np.zeros(len(states), dtype=np.bool_)
        for cluster in clusters:
            inside[cluster.neurons] = True
        self.outside = (states == 0) & ~inside

    def _mean(self, chosen: Sequence[Array], rows: int) -> Array:
        """For each row and sign the mean over the clusters' minimisers, in [-1, 1]."""
        total = np.zeros((rows, len(self.signs)))
        for bucket, picked in zip(self.buckets, chosen, strict=True):
            places = bucket.places.reshape(-1)
            for row in range(rows):
                np.add.at(total[row], places, picked[row].reshape(-1))
        return total / np.maximum(self.copies, 1)

    def ascend(self, rows: Array, goals: Array, budget: Budget, steps: int) -> Ascent:
        """Subgradient steps for every row until its bound reaches its goal."""
        known = rows @ self.states.astype(np.int64) - np.abs(rows) @ self.outside
        values = [bucket.values(rows) for bucket in self.buckets]
        count = len(rows)
        now = [np.zeros((count, *b.places.shape), dtype=np.float32) for b in self.buckets]
        kept = [one.copy() for one in now]
        best = np.full(count, -np.inf)
        means = np.zeros((count, len(self.signs)))
        step, stale = np.full(count, _STEP), np.zeros(count, dtype=np.int64)
        live = np.arange(count)
        for _ in range(steps):
            bounds = known[live].astype(np.float64)
            chosen: list[Array] = []
            for bucket, value, multipliers in zip(self.buckets, values, now, strict=True):
                least, picked = bucket.minima(value[live], multipliers[live])
                bounds += least
                chosen.append(picked)
            better = bounds > best[live] + 1e-6
            which = live[better]
            best[which] = bounds[better]
            mean = self._mean(chosen, len(live))
            means[which] = mean[better]
            for old, new in zip(kept, now, strict=True):
                old[which] = new[which]
            stale[live] = np.where(better, 0, stale[live] + 1)
            tired = live[stale[live] >= _PATIENCE]
            step[tired] *= _SHRINK
            stale[tired] = 0
            for bucket, picked, new in zip(self.buckets, chosen, now, strict=True):
                gap = picked - mean[:, bucket.places]
                new[live] += (step[live][:, None, None] * gap).astype(np.float32)
            live = live[(best[live] < goals[live]) & (step[live] >= _LEAST)]
            if not len(live) or budget.is_spent:
                break
        return Ascent(best, kept, means)

    def multipliers(self, ascent: Ascent, row: int) -> list[tuple[int, ...]]:
        """The multipliers of a row as integers over `SCALE` that sum to 0, a tuple a cluster."""
        total = np.zeros(len(self.signs), dtype=np.int64)
        last: dict[int, tuple[int, int, int]] = {}
        whole: list[Array] = []
        for number, (bucket, one) in enumerate(zip(self.buckets, ascent.kept, strict=True)):
            rounded = np.rint(one[row] * SCALE).astype(np.int64)
            rounded[self.copies[bucket.places] == 1] = 0
            np.add.at(total, bucket.places.reshape(-1), rounded.reshape(-1))
            whole.append(rounded)
            last |= {int(p): (number, i, j) for (i, j), p in np.ndenumerate(bucket.places)}
        for place, (number, i, j) in last.items():
            whole[number][i, j] -= total[place]
        found: list[tuple[int, ...]] = [()] * len(self.clusters)
        for bucket, one in zip(self.buckets, whole, strict=True):
            for number, values in zip(bucket.numbers, one.tolist(), strict=True):
                found[number] = tuple(values)
        return found

    def bound(self, row: Array, multipliers: Sequence[tuple[int, ...]]) -> int:
        """The lower bound of a row, times `SCALE`, in integers."""
        total = int(row @ self.states.astype(np.int64) - np.abs(row) @ self.outside) * SCALE
        # floats that hold these integers multiply them faster
        kind = np.float64 if SCALE * int(np.abs(row).sum()) < _EXACT else np.int64
        for cluster, values in zip(self.clusters, multipliers, strict=True):
            g = row[cluster.neurons].astype(kind)
            table = cluster.table.astype(kind) @ g - (cluster.table == 0) @ np.abs(g)
            moved = cluster.patterns.astype(kind) @ np.array(values, dtype=kind)
            total += int((SCALE * table + moved).min())
        return total


@dataclass(frozen=True, slots=True, eq=False)
class Ascent:
    """The best bounds of some rows, the multipliers for them, and the means of the minimisers."""

    bounds: Array
    kept: Sequence[Array]
    means: Array


@dataclass(frozen=True, slots=True, eq=False)
class _Bucket:
    """Clusters with as many signs and about as many patterns, in arrays."""

    clusters: Sequence[Cluster]
    numbers: Sequence[int]
    places: Array
    patterns: Array

    @classmethod
    def of(
        cls,
        clusters: Sequence[Cluster],
        numbers: Sequence[int],
        place: dict[int, int],
        signs: int,
        count: int,
    ) -> _Bucket:
        places = np.array([[place[s] for s in c.signs] for c in clusters], dtype=np.int64)
        patterns = np.zeros((len(clusters), count, signs), dtype=np.float32)
        for i, cluster in enumerate(clusters):
            patterns[i, : len(cluster.patterns)] = cluster.patterns
        return cls(clusters, numbers, places.reshape(len(clusters), signs), patterns)

    def values(self, rows: Array) -> Array:
        """Of each row, cluster and pattern; infinite where there is no pattern."""
        found = np.full((len(rows), *self.patterns.shape[:2]), np.inf, dtype=np.float32)
        for i, cluster in enumerate(self.clusters):
            g = rows[:, cluster.neurons].astype(np.float32)
            value = g @ cluster.table.T.astype(np.float32)
            if not cluster.table.all():
                value -= np.abs(g) @ (cluster.table == 0).T.astype(np.float32)
            found[:, i, : len(cluster.patterns)] = value
        return found

    def minima(self, values: Array, multipliers: Array) -> tuple[Array, Array]:
        """The sum of the minima for each row, and the patterns that attain them."""
        moved = np.swapaxes(multipliers, 0, 1) @ np.swapaxes(self.patterns, 1, 2)
        table = values + np.swapaxes(moved, 0, 1)
        chosen = table.argmin(-1)
        least = np.take_along_axis(table, chosen[..., None], -1)[..., 0]
        return least.sum(-1, dtype=np.float64), self.patterns[np.arange(len(self.places)), chosen]
