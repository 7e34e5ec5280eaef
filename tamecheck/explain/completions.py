"""The completions of a partial input, the neurons that may turn there, and local search."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tamecheck.binarized import ThresholdLayer, ThresholdNetwork
from tamecheck.binarized.network import fold
from tamecheck.ir.tensor import Array

PRESENT = -1
"""In place of a column: the present code of a feature."""


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """Sums ``weights @ h + constant`` of the states of the neurons before, in whole floats."""

    weights: Array
    constant: Array

    @classmethod
    def above(cls, layer: ThresholdLayer, least: int = 0) -> Linear:
        """What the sums of a layer exceed its thresholds by, plus a number."""
        constant = (least - layer.thresholds).astype(np.float64)
        return cls(layer.weights.astype(np.float64), constant)

    def of(self, states: Array) -> Array:
        """The sums for rows of states."""
        return np.asarray(states @ self.weights.T + self.constant)

    def between(self, known: Array) -> tuple[Array, Array]:
        """The least and the largest sums for rows of states of which some (0) are open."""
        middle = self.of(known)
        spread = (known == 0) @ np.abs(self.weights).T
        return middle - spread, middle + spread


@dataclass(frozen=True, slots=True, eq=False)
class Completions:
    """A network on the completions of a partial input, without neurons that cannot turn there."""

    base: Array
    """``(neurons,)``: the sums of the first layer at the input, less the thresholds."""
    changes: Array
    """``(columns, neurons)``: what each other code of each free feature adds to them."""
    owners: Array
    """For each column the number of its feature, in order."""
    features: int
    """The number of free features."""
    layers: tuple[Linear, ...]
    """The layers after the first; a neuron is 1 where its sum is at least 0, else -1."""
    margins: Linear
    """What the scores of the rivals exceed that of the decision by; above 0 they win."""
    neurons: tuple[Array, ...]
    """For each layer the numbers of its neurons in the network."""

    @property
    def groups(self) -> Array:
        """The first column of each feature."""
        return np.searchsorted(self.owners, np.arange(self.features))

    @property
    def plain(self) -> bool:
        """Whether every feature has one other code."""
        return len(self.owners) == self.features

    def reach(self) -> tuple[Array, Array]:
        """For each feature the least and the most that it adds to each sum."""
        low = high = self.changes
        if not self.plain:
            low = np.minimum.reduceat(self.changes, self.groups, axis=0)
            high = np.maximum.reduceat(self.changes, self.groups, axis=0)
        return np.minimum(low, 0), np.maximum(high, 0)

    def sums(self, taken: Array) -> Array:
        """The first sums for rows of flags, which columns are taken."""
        return np.asarray(self.base + taken @ self.changes)

    def won(self, sums: Array) -> Array:
        """Whether some rival wins, for rows of sums of the first layer."""
        for layer in (*self.layers, self.margins):
            sums = layer.of(np.where(sums >= 0, 1.0, -1.0))
        return np.asarray((sums > 0).any(axis=1))

    def nearness(self, sums: Array) -> Array:
        """The largest margin of a rival where neurons have ramps in place of jumps, row by row.

        It changes with every feature, as the margin itself does not; only searches rest on it.
        """
        for layer in (*self.layers, self.margins):
            sums = layer.of(sums / (np.abs(sums) + _width(sums)))
        return np.asarray(sums.max(axis=1, initial=-np.inf))

    def steepest(self, slopes: Array) -> Array:
        """For rows with a slope for each column: of each feature the largest positive one."""
        if self.plain:
            return slopes > 0
        groups = self.groups
        largest = np.maximum.reduceat(slopes, groups, axis=1)[:, self.owners]
        first = (slopes == largest) & (slopes > 0)
        # of equal columns the first
        number = np.cumsum(first, axis=1)
        before = np.where(groups > 0, number[:, groups - 1], 0)
        return first & (number - before[:, self.owners] == 1)

    def columns(self, taken: Array) -> Array:
        """For each feature its taken column, or `PRESENT`, for one row of flags."""
        chosen = np.flatnonzero(taken)
        found = np.full(self.features, PRESENT)
        found[self.owners[chosen]] = chosen
        return found

    def slopes(self, sums: Array, follow: Array) -> Array:
        """Slopes of the margin of each row's rival in the first sums.

        In place of its jump a neuron has the slope of a ramp about its threshold, as wide as its
        sums differ; only searches rest on them.
        """
        ramps: list[Array] = []
        for layer in (None, *self.layers):
            sums = sums if layer is None else layer.of(np.where(sums >= 0, 1.0, -1.0))
            ramps.append(1.0 / (1.0 + (sums / _width(sums)) ** 2))
        slope = self.margins.weights[follow] * ramps[-1]
        for layer, ramp in zip(self.layers[::-1], ramps[-2::-1], strict=True):
            slope = (slope @ layer.weights) * ramp
        return np.asarray(slope / (np.abs(slope).max(axis=1, keepdims=True, initial=0) + 1e-300))


def _width(sums: Array) -> Array:
    """How wide a ramp about 0 is, for each row: as its sums differ."""
    return np.asarray(np.abs(sums).sum(axis=1, keepdims=True) / max(sums.shape[1], 1) + 1.0)


def completions(
    network: ThresholdNetwork, decision: int, sums: Array, changes: Array, owners: Array
) -> Completions:
    """The completions of an input that a network with a hidden layer decides so.

    ``sums`` are of the first layer at the input; ``changes`` (columns, neurons) is what each other
    code of each free feature adds to them; ``owners`` has for each column its feature, in order.
    """
    _, numbers = np.unique(owners, return_inverse=True)
    layers = [*network.layers, network.against(decision)]
    base = (sums - layers[0].thresholds).astype(np.float64)
    count = int(numbers.max(initial=-1)) + 1
    margins = Linear.above(layers[-1], 1)
    whole = Completions(base, changes, numbers, count, (), margins, ())
    folded, kept = fold(layers, *(sums + end.sum(axis=0) for end in whole.reach()))
    return replace(
        whole,
        base=base[kept[0]],
        changes=np.ascontiguousarray(changes[:, kept[0]]),
        layers=tuple(map(Linear.above, folded[1:-1])),
        margins=Linear.above(folded[-1], 1),
        neurons=tuple(kept),
    )


_SAMPLES = 256
_FEW = 12
_STARTS, _ASCENT = 3, 24
_KEPT, _ROWS = 32, 1 << 13
_TRIED, _STEPS = 8, 3

Witnesses = dict[int, frozenset[int]]
"""For features the free ones that change the decision together with this one."""


def sample(problem: Completions, rng: np.random.Generator) -> Array | None:
    """The columns of a random completion of another class; none is no proof.  The first is bare."""
    if not problem.features:
        taken = np.zeros((1, 0), dtype=np.bool_)
    else:
        # a row keeps about as many present codes as its threshold is high
        taken = problem.steepest(
            rng.random((_SAMPLES, len(problem.owners))) - rng.random((_SAMPLES, 1))
        )
        taken[0] = False
    hits = np.flatnonzero(problem.won(problem.sums(taken)))
    return problem.columns(taken[hits[0]]) if hits.size else None


def ascend(problem: Completions, rng: np.random.Generator) -> Array | None:
    """The columns of a completion of another class, by steps along slopes of ramps.

    One row follows each rival, from the input and from a few random completions.  None is no proof.
    """
    rivals = len(problem.margins.constant)
    if problem.features < _FEW:
        return None
    follow = np.arange(_STARTS * rivals) % rivals
    slopes = rng.standard_normal((len(follow), len(problem.owners)))
    slopes[:rivals] = 0.0
    # rows with different memories do not all run into the same cycle
    memory = rng.uniform(0.6, 0.95, size=(len(follow), 1))
    taken = problem.steepest(slopes)
    slopes[:] = 0.0
    for _ in range(_ASCENT):
        sums = problem.sums(taken)
        hits = np.flatnonzero(problem.won(sums))
        if hits.size:
            return problem.columns(taken[hits[0]])
        slopes = memory * slopes + problem.slopes(sums, follow) @ problem.changes.T
        taken = problem.steepest(slopes)
    return None


class Boundary:
    """Completions of free features that nearly change the decision.

    A feature is needed if some completion of the free features together with another code of this
    one changes the decision.  Nearly all needed features show it next to the boundary, so a few
    completions there, kept while the free features grow, settle hundreds of features in one
    product.  Every answer is that of sums in whole floats; none is no proof of anything.

    Nothing is free at first; ``features`` and ``codes`` are those that each column stands for.
    """

    def __init__(self, problem: Completions, features: Array, codes: Array) -> None:
        self._problem, self._features, self._codes = problem, features, codes
        self._free = np.zeros(0, dtype=np.int64)
        self._rows = np.zeros((1, len(features)), dtype=np.bool_)
        self._sums = problem.sums(self._rows)

    def needed(self, features: Collection[int]) -> tuple[Witnesses, dict[int, float]]:
        """Those of ``features`` that change the decision in a kept completion, and the others.

        The others have a number each: how near to another class they lead.
        """
        columns = self._columns(features)
        some = max(1, min(len(self._rows), _ROWS // max(1, len(columns))))
        sums = self._sums[:some, np.newaxis] + self._problem.changes[columns]
        flat = _flat(sums)
        owners = self._features[columns]
        hits = self._problem.won(flat).reshape(some, -1)
        found: Witnesses = {}
        for column in np.flatnonzero(hits.any(axis=0)).tolist():
            row = self._rows[int(hits[:, column].argmax())]
            found.setdefault(int(owners[column]), self._changed(row))
        near = self._problem.nearness(flat).reshape(some, -1).mean(axis=0)
        others: dict[int, float] = {}
        for feature, value in zip(owners.tolist(), near.tolist(), strict=True):
            if feature not in found:
                others[feature] = max(value, others.get(feature, value))
        return found, others

    def search(self, features: Sequence[int]) -> Witnesses:
        """Those of ``features`` that change the decision a few changes of free ones away."""
        found: Witnesses = {}
        columns = self._columns(features)
        step = max(1, _ROWS // max(1, _TRIED * len(self._free)))
        for at in range(0, len(columns), step):
            self._walk(columns[at : at + step], found)
        return found

    def winner(self) -> frozenset[int] | None:
        """The features that a kept completion of another class changes; None if there is none."""
        won = np.flatnonzero(self._problem.won(self._sums))
        return self._changed(self._rows[won[0]]) if won.size else None

    def fix(self, feature: int) -> None:
        """A feature is free no more."""
        left = self._features != feature
        self._free = self._free[left[self._free]]
        self._keep(self._rows & left)

    def free(self, features: Sequence[int]) -> None:
        """Take features as free."""
        self._free = np.sort(np.concatenate([self._free, self._columns(features)]))
        for _ in range(2):
            sums = self._moves(self._rows, self._sums)
            best = np.argsort(-self._problem.nearness(sums), kind="stable")[: 4 * _KEPT]
            self._keep(np.concatenate([self._rows, self._taken(self._rows, best)]))

    def prefer(self, codes: Sequence[int]) -> None:
        """Keep the free part of a completion before all others."""
        own = np.zeros_like(self._rows[:1])
        own[0, self._free] = (np.array(codes)[self._features] == self._codes)[self._free]
        self._rows = np.concatenate([own, self._rows[: _KEPT - 1]])
        self._sums = self._problem.sums(self._rows)

    def _columns(self, features: Collection[int]) -> Array:
        """The columns of features."""
        return np.flatnonzero(np.isin(self._features, list(features)))

    def _changed(self, row: Array) -> frozenset[int]:
        """The features whose column a row has."""
        return frozenset(self._features[row].tolist())

    def _walk(self, columns: Array, found: Witnesses) -> None:
        """Note which features of the columns change the decision on a short walk."""
        starts = np.repeat(self._rows[np.newaxis, :_TRIED], len(columns), axis=0)
        tried = starts.shape[1]
        starts[np.arange(len(columns)), :, columns] = True
        rows = _flat(starts)
        owners = self._features[columns]
        sums = self._problem.sums(rows)
        for _ in range(_STEPS):
            after = self._moves(rows, sums)
            hits = self._problem.won(after).reshape(len(owners), -1)
            near = self._problem.nearness(after).reshape(len(owners), -1)
            for place in np.flatnonzero(hits.any(axis=1)).tolist():
                feature = int(owners[place])
                move = place * hits.shape[1] + int(hits[place].argmax())
                witness = self._changed(self._taken(rows, np.array([move]))[0])
                found.setdefault(feature, witness - {feature})
            left = np.flatnonzero(~np.isin(owners, list(found)))
            if not left.size:
                return
            best = np.argsort(-near[left], axis=1, kind="stable")[:, :tried]
            best += left[:, np.newaxis] * near.shape[1]
            rows = self._taken(rows, best.ravel())
            sums, owners = self._problem.sums(rows), owners[left]

    def _moves(self, rows: Array, sums: Array) -> Array:
        """The sums where each row moves by each free column, row by row.

        A column that a row has is given back; another one takes the place of its feature's.
        """
        changes = self._problem.changes[self._free]
        has = rows[:, self._free]
        held = has[:, :, np.newaxis] * changes
        owners = self._features[self._free]
        if len(set(owners.tolist())) < len(owners):
            first = np.flatnonzero(np.diff(owners, prepend=-1))
            number = np.cumsum(np.diff(owners, prepend=-1) != 0) - 1
            held = np.add.reduceat(held, first, axis=1)[:, number]
        after = sums[:, np.newaxis] - held + np.where(has[:, :, np.newaxis], 0.0, changes)
        return _flat(after)

    def _taken(self, rows: Array, moves: Array) -> Array:
        """The rows after moves, numbered as in `_moves`."""
        row, number = np.divmod(moves, len(self._free))
        column = self._free[number]
        made = rows[row]
        had = made[np.arange(len(made)), column]
        made &= self._features != self._features[column][:, np.newaxis]
        made[np.arange(len(made)), column] = ~had
        return made

    def _keep(self, rows: Array) -> None:
        """Keep the nearest rows."""
        _, first = np.unique(np.packbits(rows, axis=1), axis=0, return_index=True)
        rows = rows[first]
        sums = self._problem.sums(rows)
        best = np.argsort(-self._problem.nearness(sums), kind="stable")[:_KEPT]
        self._rows, self._sums = rows[best], sums[best]


def _flat(rows: Array) -> Array:
    """Rows of rows as rows; there may be no neurons."""
    return rows.reshape(rows.shape[0] * rows.shape[1], rows.shape[2])
