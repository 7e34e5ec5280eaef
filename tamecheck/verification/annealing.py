"""A search for a violation of a binarized network: simulated annealing over its first signs.

A move takes the inputs of a window towards a corner of the box until an open sign of the first
layer changes.  Moves at windows of which no group of the second layer sees two are decided in one
evaluation, each for itself: a linear map of the second layer's states is a sum over groups.  Where
there are more layers, that map is the slope of a smooth version of what follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from tamecheck.binarized.windows import WindowLayer, WindowNetwork
from tamecheck.budget import Budget
from tamecheck.ir.tensor import Array
from tamecheck.verification.straight import Found, Rows, smooth_layers

_HOT, _COLD = 4.0, 0.5
"""Temperatures at the begin and in the end, times the mean size of the coefficients."""
_SETS = 48
_PREPARED = 0.2
"""Of the time, for these sets."""
_BEYOND = 1e-3
_SCATTERED, _MORE = 0.5, 0.15
"""The share of moves that take single inputs all the way, and how many more than are needed."""
_FIRST, _CASES, _FEWEST, _GROWTH, _MOST = 250, 8, 2, 3, 20000


class _Open:
    """The part of a layer whose states are not known."""

    def __init__(self, layer: WindowLayer, states: Array) -> None:
        grouped = states.reshape(len(layer.groups), -1)
        self.groups = np.flatnonzero((grouped == 0).any(axis=1))
        self.windows, inverse = np.unique(layer.groups[self.groups], return_inverse=True)
        self.inside = inverse.reshape(layer.groups[self.groups].shape)
        """Of each open group the places of its windows among those of all open groups."""
        self.places = layer.windows[self.windows]
        self.weights = layer.weights.T.astype(np.float32)
        self.channels = layer.channels

    def held(self, sums: Array) -> Array:
        """Which neurons of the open groups are 1, given how far sums exceed their thresholds."""
        return np.asarray((sums >= 0)[self.inside].any(axis=1))


def _inverse(rows: Array, columns: int) -> Array:
    """Of each place the rows that have it; filled up with -1."""
    row, place = np.nonzero(rows >= 0)[0], rows[rows >= 0]
    order = np.argsort(place, kind="stable")
    row, place = row[order], place[order]
    count = np.bincount(place, minlength=columns)
    starts = np.cumsum(count) - count
    found = np.full((columns, max(int(count.max(initial=0)), 1)), -1)
    found[place, np.arange(len(place)) - starts[place]] = row
    return found


def _follow(table: Array, items: Array) -> Array:
    found = np.unique(table[items])
    return found[found >= 0]


@dataclass(frozen=True, slots=True, eq=False)
class _Sites:
    """Open windows at which moves are decided at the same time.

    ``owner`` has of each open group of the second layer the place among ``windows`` of the one
    that it has to do with, or their number.
    """

    windows: Array
    owner: Array


class Annealing:
    """The moves in a box, and the search by them.

    Parameters
    ----------
    network
        Of two layers or more.
    states
        The states of the first two as far as they are known in the box, 0 where open.
    box
        Its ends.
    cases
        Of each case rows over the last states and their ends: unsafe means that all are below.
    integral
        Which inputs are integers; there the ends are.
    """

    def __init__(
        self,
        network: WindowNetwork,
        states: Sequence[Array],
        box: tuple[Array, Array],
        cases: Sequence[tuple[Array, Array]],
        integral: Array,
    ) -> None:
        low, high = box
        first, second, *_ = network.layers
        self.cases, self.rest = cases, smooth_layers(network, 1.0)[2:]
        self.first, self.second = _Open(first, states[0]), _Open(second, states[1])
        self.middle, radius = (low + high) / 2, (high - low) / 2
        self.radius = np.append(radius, 0).astype(np.float32)
        self.integral = np.append(integral, False)
        # integers are off the middle by halves, or not at all
        off = np.where(integral, np.rint(self.middle) - self.middle, 0)
        self.off = np.append(off, 0).astype(np.float32)
        self.states = [np.append(one, 0).astype(np.float32) for one in states[:2]]
        ends = np.array([float(v) for v in first.upper])
        # inputs are relative to the middle, so that small boxes lose no digits
        start = first.sums(self.middle)[self.first.windows] - ends
        reach = self.radius[self.first.places] @ np.abs(self.first.weights)
        self.start, self.beyond = start.astype(np.float32), _BEYOND * reach
        is_open = np.zeros((len(first.windows), first.channels), dtype=np.bool_)
        for column in first.groups.T:
            is_open[column] |= states[0].reshape(len(first.groups), -1) == 0
        self.able = (np.abs(start) < reach) & is_open[self.first.windows]
        """Of each open window the channels that a move changes."""
        self.goals = (second.thresholds - 0.5).astype(np.float32)

    def find(
        self,
        confirm: Callable[[Array], Found | None],
        rng: np.random.Generator,
        budget: Budget,
        rounds: int | None = None,
    ) -> Found | None:
        """The first point that looks unsafe and that is confirmed.

        The cases that are nearest at the middle are tried first, and those that come nearest again,
        for longer; so many rounds, or until time is over.
        """
        sites = self._sites(rng, budget.share(_PREPARED))
        rows = [Rows([case]) for case in self.cases]
        middle = self._full(self._second_states(self._first_sums(self.off)))
        distance = np.array([self._weigh(one, middle)[0] for one in rows])
        waiting: list[int] = np.argsort(distance, kind="stable")[:_CASES].tolist()
        phases = _FIRST
        for _ in count() if rounds is None else range(rounds):
            if budget.is_spent:
                return None
            for number in waiting:
                for found, point in self._anneal(rows[number], sites, phases, rng, budget):
                    distance[number] = min(found, distance[number])
                    witness = confirm(point) if found < 0 else None
                    if witness is not None:
                        return witness
                if budget.is_spent:
                    return None
            if not sites:
                return None  # all of the box has the states of its middle
            best = np.argsort(distance, kind="stable")
            waiting = best[: max(len(waiting) // 2, _FEWEST)].tolist()
            phases = min(phases * _GROWTH, _MOST)
        return None

    def _weigh(self, rows: Rows, state: Array) -> tuple[float, Array]:
        """How far states of the second layer are from unsafe, and the slope in each of them."""
        kept: list[tuple[Array, Array]] = []
        for layer in self.rest:
            state, top, chosen = layer.forward(state)
            kept.append((top, chosen))
        excess, slope = rows.excess(state)
        for layer, (top, chosen) in zip(reversed(self.rest), reversed(kept), strict=True):
            slope = layer.backward(slope, top, chosen)
        return excess, slope

    def _sites(self, rng: np.random.Generator, budget: Budget) -> list[_Sites]:
        """Sets of windows that no group of the second layer sees two of, as many as there fit.

        When time is over there are fewer.
        """
        nearby = _inverse(self.first.places, len(self.radius) - 1)
        groups = _inverse(self.first.inside, len(self.first.windows))
        seen = self.second.places // self.first.channels
        seeing = _inverse(_distinct(seen), self.states[0].size // self.first.channels)
        owners = _inverse(self.second.inside, len(self.second.windows))
        able = np.flatnonzero(self.able.any(axis=1)).tolist()
        reached: dict[int, Array] = {}
        for p in rng.permutation(able).tolist():
            if budget.is_spent:
                break
            own = self.first.places[p]
            changed = _follow(groups, _follow(nearby, own[own >= 0]))
            reached[p] = _follow(owners, _follow(seeing, self.first.groups[changed]))
        able = [p for p, groups in reached.items() if len(groups)]
        found: list[_Sites] = []
        for _ in range(_SETS if able else 0):
            if found and budget.is_spent:
                break
            owner = np.full(len(self.second.groups), -1)
            chosen: list[int] = []
            for p in rng.permutation(able).tolist():
                if (owner[reached[p]] < 0).all():
                    owner[reached[p]] = len(chosen)
                    chosen.append(p)
            found.append(_Sites(np.array(chosen), np.where(owner < 0, len(chosen), owner)))
        return found

    def _first_sums(self, moved: Array) -> Array:
        """How far sums of the first layer exceed their thresholds."""
        return np.asarray(self.start + moved[self.first.places] @ self.first.weights)

    def _second_states(self, sums: Array) -> Array:
        """Which neurons of the second layer's open groups are 1."""
        state = self.states[0].copy()
        held = np.where(self.first.held(sums), np.float32(1), np.float32(-1))
        state[:-1].reshape(-1, self.first.channels)[self.first.groups] = held
        return self.second.held(state[self.second.places] @ self.second.weights - self.goals)

    def _full(self, held: Array) -> Array:
        """The states of the second layer, given the neurons of its open groups."""
        state = self.states[1][:-1].reshape(-1, self.second.channels).copy()
        state[self.second.groups] = np.where(held, np.float32(1), np.float32(-1))
        return state.reshape(-1)

    def _propose(
        self, sites: _Sites, moved: Array, sums: Array, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        """Places of inputs and what they become, so that a sign changes at each of the windows."""
        count = len(sites.windows)
        # of the channels that are able to change one at random
        channel = np.where(self.able[sites.windows], rng.random((count, self.first.channels)), -1)
        channel = channel.argmax(axis=1)
        places = self.first.places[sites.windows]
        rows = self.first.weights.T[channel]
        now = sums[sites.windows, channel]
        way = np.where(now < 0, np.float32(1), np.float32(-1))[:, None] * np.sign(rows)
        before = moved[places]
        corner = np.where(way == 0, before, way * self.radius[places])
        most = ((corner - before) * rows).sum(axis=1)
        over = self.beyond[sites.windows, channel] + np.abs(now)
        share = np.clip(over / np.maximum(np.abs(most), 1e-30), 0, 1)[:, None]
        single = rng.random(places.shape) < share + _MORE
        scattered = rng.random((count, 1)) < _SCATTERED
        line = before + share * (corner - before)
        after = np.where(scattered, np.where(single, corner, before), line)
        if self.integral.any():
            steps = after - self.off[places]
            whole = self.off[places] + np.where(way > 0, np.ceil(steps), np.floor(steps))
            whole = np.clip(whole, -self.radius[places], self.radius[places])
            after = np.where(self.integral[places], whole, after)
        return places, after.astype(np.float32)

    def _anneal(
        self,
        rows: Rows,
        sites: Sequence[_Sites],
        phases: int,
        rng: np.random.Generator,
        budget: Budget,
    ) -> Iterator[tuple[float, Array]]:
        """Points that are nearer to unsafe than all before, each with how far it is."""
        moved = self.off.copy()
        sums = self._first_sums(moved)
        held = self._second_states(sums)
        best = np.inf
        for phase in range(phases):
            excess, slope = self._weigh(rows, self._full(held))
            if excess < best:
                best = excess
                yield best, self.middle + moved[:-1]
            if budget.is_spent or not sites:
                return
            weights = slope.reshape(-1, self.second.channels)[self.second.groups]
            size = np.abs(weights).mean()
            heat = size * _HOT * (_COLD / _HOT) ** (phase / phases)
            here = sites[int(rng.integers(len(sites)))]
            places, after = self._propose(here, moved, sums, rng)
            before = moved[places]
            moved[places] = after
            new_sums = self._first_sums(moved)
            new_held = self._second_states(new_sums)
            change = 2 * (weights * (new_held.astype(np.float32) - held)).sum(axis=1)
            gain = np.bincount(here.owner, change, len(here.windows) + 1)[:-1]
            refused = gain > heat * rng.exponential(size=len(gain))
            if refused.any():
                moved[places[refused]] = before[refused]
                new_sums = self._first_sums(moved)
                new_held = self._second_states(new_sums)
            sums, held = new_sums, new_held


def _distinct(rows: Array) -> Array:
    """The rows, each sorted, with -1 for what occurs again."""
    rows = np.sort(rows, axis=1)
    again = rows[:, 1:] == rows[:, :-1]
    return np.concatenate([rows[:, :1], np.where(again, -1, rows[:, 1:])], axis=1)
