"""What a region certificate proves: no input of a box has outputs that a property calls unsafe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import compress
from math import ceil
from operator import add, ge, le, lt, mul, not_, sub

from tamecheck.kernel import read
from tamecheck.kernel.checker import Report, judge
from tamecheck.kernel.read import Json
from tamecheck.kernel.strict import joint, pairs, require, spend
from tamecheck.kernel_bnn.network import NUMBERS, Row

FORMAT = "tamecheck-region-certificate"
STEPS = 600_000_000
LARGEST = 1 << 40
BITS = 4096
Literals = list[tuple[int, int]]  # neurons of the first layer, each with a state
Case = list[tuple[Row, Fraction, bool]]  # rows over the last states, and what each must exceed


class _Layer:
    """Neurons (group, channel): 1 where a sum over a window of the group reaches the upper end.

    It is -1 where all are below the lower end.  A window lists places before; -1 counts as 0.
    """

    def __init__(self, value: object, before: int, *, first: bool) -> None:
        raw = read.fields(value, "windows weights groups lower upper")
        self.windows = [_integers(one, -1, before - 1) for one in read.items(raw["windows"])]
        self.weights = [_integers(one) for one in read.items(raw["weights"])]
        last = len(self.windows) - 1
        self.groups = [_integers(one, 0, last) for one in read.items(raw["groups"])]
        self.lower, self.upper = (_rationals(raw[side]) for side in ("lower", "upper"))
        self.channels, self.size = len(self.weights), len(self.groups) * len(self.weights)
        sizes = {len(row) for row in (*self.windows, *self.weights)}
        require(len(sizes) == 1, "the windows and weights have different lengths")
        require(len(self.lower) == len(self.upper) == self.channels, "a channel has two ends")
        require(all(map(len, self.groups)) and self.size > 0, "there is a group without a window")
        require(all(map(le, self.lower, self.upper)), "a lower end is above the upper")
        require(first or self.lower == self.upper, "only the first layer may have two ends")
        self.columns = list(map(list, zip(*self.weights, strict=True)))
        # of each window: its elements, how far they may be off, and the sums of both
        zeros = [[0] * len(self.columns)] * 2 + [[0] * self.channels] * 2
        self.last = [zeros] * len(self.windows)

    def states(self, values: Row, widths: Row, scale: int) -> Row:
        """Return 1, -1 or 0 (unknown) for each neuron, where values may be off by the widths."""
        values, widths = [*values, 0], [*widths, 0]  # the place -1 is the last of each
        for p, window in enumerate(self.windows):
            spend(2 * len(window))
            inside, off = [values[i] for i in window], [widths[i] for i in window]
            old_inside, old_off, middle, reach = self.last[p]
            middle = self._moved(old_inside, inside, middle, int)
            reach = self._moved(old_off, off, reach, abs)
            self.last[p] = [inside, off, middle, reach]
        up, down = ([ceil(end * scale) for end in ends] for ends in (self.upper, self.lower))
        found: Row = []
        for group in self.groups:
            spend(4 * len(group) * self.channels)
            sure, never = [False] * self.channels, [True] * self.channels
            for _, _, middle, reach in (self.last[p] for p in group):
                sure = list(map(max, sure, map(ge, map(sub, middle, reach), up)))
                never = list(map(min, never, map(lt, map(add, middle, reach), down)))
            found += map(sub, sure, never)
        return found

    def _moved(self, old: Row, new: Row, sums: Row, size: Callable[[int], int]) -> Row:
        """Return the sums of the new elements, given those of the old."""
        if old != new:
            for a, b, column in zip(old, new, self.columns, strict=True):
                if a != b:
                    spend(self.channels)
                    sums = [v + (b - a) * size(w) for v, w in pairs(sums, column)]
        return sums


class _Box:
    """The first layer over a box, all numbers times the scale."""

    def __init__(self, layer: _Layer, low: Sequence[Fraction], high: Sequence[Fraction]) -> None:
        require(all(map(le, low, high)), "a lower end is above the upper")
        unit = joint([v.denominator for v in (*low, *high)], BITS)
        self.layer, self.scale = layer, 2 * unit
        self.middle = [int((a + b) * unit) for a, b in pairs(low, high)] + [0]
        self.width = [int((b - a) * unit) for a, b in pairs(low, high)] + [0]
        self.states = layer.states(self.middle, self.width, self.scale)
        self.highest = [list(map(add, middle, reach)) for _, _, middle, reach in layer.last]

    def clause(self, raw: object) -> Literals:
        """Read literals of which multipliers show that no input of the box has them together."""
        layer, total, found = self.layer, dict[int, int](), Literals()
        needed, strict = Fraction(0), False
        for entry in read.items(raw):
            neuron, at, m = _integers(entry, -LARGEST, LARGEST)
            require(0 <= neuron < len(self.states) and m != 0, "there is no such literal")
            group, channel = divmod(neuron, layer.channels)
            windows = layer.groups[group]
            require(0 <= at < len(windows), "the group has no such window")
            end = (layer.lower if m > 0 else layer.upper)[channel] * self.scale
            if m > 0:  # the neuron is 1, so some sum reaches the end, and it must be this one
                others = (self.highest[p][channel] for p in windows[:at] + windows[at + 1 :])
                require(all(v < end for v in others), "another window may reach the threshold")
            needed, strict = needed + m * end, strict or m < 0
            found.append((neuron, 1 if m > 0 else -1))
            spend(2 * len(layer.columns))
            for i, w in pairs(layer.windows[windows[at]], layer.weights[channel]):
                total[i] = total.get(i, 0) + m * w
        require(len(dict(found)) == len(found) > 0, "a neuron is named twice, or none is")
        # with all literals the sum is at least what is needed, and more if one says below
        most = sum(a * self.middle[i] + abs(a) * self.width[i] for i, a in total.items())
        require(most < needed or (strict and most == needed), "the literals may hold together")
        return found


class _Cluster:
    """Groups of a layer over the patterns of some signs before it."""

    def __init__(
        self, layer: _Layer, raw: object, before: Row, states: Row, clauses: Sequence[Literals]
    ) -> None:
        fields = read.fields(raw, "groups signs")
        groups = _integers(fields["groups"], 0, len(layer.groups) - 1)
        self.signs = _integers(fields["signs"], 0, len(before) - 1)
        place = {s: i for i, s in enumerate(self.signs)}
        require(len(place) == len(self.signs), "a sign is named twice")
        require(all(before[s] == 0 for s in place), "a sign is not open here")
        here = (g * layer.channels + c for g in groups for c in range(layer.channels))
        self.neurons = [j for j in here if states[j] == 0]
        sums: list[tuple[int, int, int]] = []
        rows: list[Row] = []
        self.spans: list[tuple[int, int]] = []
        for group, c in (divmod(j, layer.channels) for j in self.neurons):
            self.spans.append((len(sums), len(sums) + len(layer.groups[group])))
            for p in layer.groups[group]:
                spend(2 * len(layer.columns))
                step, end = [0] * len(place), ceil(layer.upper[c])
                for i, w in pairs(layer.windows[p], layer.weights[c]):
                    if i in place:
                        step[place[i]] += w
                # the signs are enumerated, all other unknown ones may be either
                reach = layer.last[p][3][c] - sum(map(abs, step))
                sums.append((layer.last[p][2][c], end + reach, end - reach))
                rows.append(step)
        start, up, down = ([one[k] for one in sums] for k in range(3))
        found: list[tuple[Row, Row]] = [([], start)]
        for i, ending in enumerate(_ending(clauses, place, before)):
            step = [row[i] for row in rows]
            spend(len(found) * 2 * (2 + len(step) + 2 * len(ending)))
            found = [
                (pattern, list(map(way, now, step)))
                for old, now in found
                for pattern, way in (([*old, 1], add), ([*old, -1], sub))
                if not any(all(pattern[j] == s for j, s in clause) for clause in ending)
            ]
        self.patterns = [pattern for pattern, _ in found]
        numbers: dict[tuple[int, ...], int] = {}
        self.outcome = [
            numbers.setdefault(self._states(now, up, down), len(numbers)) for _, now in found
        ]
        self.outcomes = list(map(list, numbers))

    def _states(self, sums: Row, up: Row, down: Row) -> tuple[int, ...]:
        spend(3 * len(sums))
        sure, possible = list(map(ge, sums, up)), list(map(ge, sums, down))
        return tuple(any(sure[a:b]) - (not any(possible[a:b])) for a, b in self.spans)

    def least(self, row: Row, multipliers: Row, unit: int) -> int:
        """Return the smallest value of the row, times the unit, with the multipliers."""
        require(len(multipliers) == len(self.signs), "there is one multiplier a sign")
        weights = [row[j] for j in self.neurons]
        sizes = list(map(abs, weights))
        spend(len(self.outcomes) * len(weights) + len(self.patterns) * (1 + len(multipliers)))
        values = [
            unit * (sum(map(mul, weights, s)) - sum(compress(sizes, map(not_, s))))
            for s in self.outcomes
        ]
        moved = (sum(map(mul, multipliers, pattern)) for pattern in self.patterns)
        totals = (values[k] + m for k, m in pairs(self.outcome, moved))
        return min(totals, default=unit * LARGEST)  # no pattern: there is no input


def _ending(
    clauses: Sequence[Literals], place: dict[int, int], before: Row
) -> list[list[Literals]]:
    """Sort clauses by their last sign, as literals of places; what is known here is left out."""
    found: list[list[Literals]] = [[] for _ in place]
    for clause in clauses:
        spend(len(clause))
        rest = [(place[j], s) for j, s in clause if j in place]
        if rest and all(j in place or before[j] == s for j, s in clause):
            found[max(rest)[0]].append(rest)
    return found


def _tree(layers: Sequence[_Layer], box: _Box, cases: Sequence[Case], raw: Json) -> None:
    """Check that the leaves cover the box, and each of them.

    In preorder: first comes the part where a sign of the first layer is 1.
    """
    clauses = [box.clause(one) for one in read.items(raw["clauses"])]
    waiting: list[dict[int, int]] = [{}]
    for node in read.items(raw["tree"]):
        require(len(waiting) > 0, "the tree has ended before")
        known = waiting.pop()
        spend(1 + len(known) + len(box.states))
        first = [known.get(j, s) for j, s in enumerate(box.states)]
        if type(node) is int:
            require(first[read.integer(node, 0, len(first) - 1)] == 0, "the sign is not open here")
            waiting += [known | {node: -1}, known | {node: 1}]
        elif "apart" in read.mapping(node):
            number = read.fields(node, "apart")["apart"]
            clause = clauses[read.integer(number, 0, len(clauses) - 1)]
            require(all(first[j] == s for j, s in clause), "not all literals hold here")
        else:
            _leaf(layers, first, cases, clauses, read.fields(node, "unit clusters cases"))
    require(not waiting, "a part of the box is missing")


def _leaf(
    layers: Sequence[_Layer], first: Row, cases: Sequence[Case], clauses: Sequence[Literals],
    raw: Json,
) -> None:  # fmt: skip
    """Check that in this part each case has a row that bounds exclude."""
    before, states = Row(), first
    for layer in layers[1:]:
        before, states = states, layer.states(states, [int(v == 0) for v in states], 1)
    unit = read.integer(raw["unit"], 1, LARGEST)
    listed = read.items(raw["clusters"])
    require(len(layers) > 1 or not listed, "before the first layer are no signs")
    usable = clauses if len(layers) == 2 else ()  # they are about the first layer
    clusters = [_Cluster(layers[-1], one, before, states, usable) for one in listed]
    for case, entry in pairs(cases, read.items(raw["cases"])):
        shown = read.fields(entry, "row multipliers")
        row, end, strict = case[read.integer(shown["row"], 0, len(case) - 1)]
        lists = read.items(shown["multipliers"])
        least = _least(row, states, clusters if lists else (), lists, unit)
        require(least > unit * end or (strict and least == unit * end), "bounds do not exclude it")


def _least(
    row: Row, states: Row, clusters: Iterable[_Cluster], lists: Iterable[object], unit: int
) -> int:
    """Return a lower bound of a row over the last states, times the unit."""
    spend(3 * len(row))
    outside, balance = [s == 0 for s in states], dict[int, int]()
    total = sum(map(mul, row, states)) * unit
    for cluster, values in pairs(clusters, lists):
        multipliers = _integers(values, -LARGEST, LARGEST)
        total += cluster.least(row, multipliers, unit)
        for j in cluster.neurons:
            require(outside[j], "two clusters have the same group")
            outside[j] = False
        for s, m in pairs(cluster.signs, multipliers):
            balance[s] = balance.get(s, 0) + m
    require(not any(balance.values()), "the multipliers of a sign do not sum to 0")
    return total - unit * sum(map(abs, compress(row, outside)))


def _integers(value: object, low: int = NUMBERS[0], high: int = NUMBERS[1]) -> Row:
    return [read.integer(v, low, high) for v in read.items(value)]


def _rationals(value: object) -> list[Fraction]:
    return [read.rational(v) for v in read.items(value)]


def _case(
    value: object, weights: Sequence[Row], scale: Fraction, offsets: Sequence[Fraction]
) -> Case:
    found = Case()
    for one in read.items(value):
        raw = read.fields(one, "outputs bound strict")
        terms = read.pairs(raw["outputs"], "terms are pairs")
        form = {read.integer(j, 0, len(weights) - 1): read.rational(c) for j, c in terms}
        require(len(form) == len(terms) > 0, "an output is named twice, or none is")
        end = read.rational(raw["bound"]) - sum(c * offsets[j] for j, c in form.items())
        unit = joint([(c * scale).denominator for c in form.values()], BITS)
        row = [0] * len(weights[0])
        for j, c in form.items():
            spend(2 * len(row))
            factor = int(c * scale * unit)
            row = list(map(add, row, [factor * w for w in weights[j]]))
        found.append((row, end * unit, read.flag(raw["strict"])))
    return found


def _certificate(raw: Json, at: list[int | None]) -> tuple[Json, Sequence[str], str]:
    read.fields(raw, "format version network claim proofs")
    require(raw["format"] == FORMAT, "unknown format")
    read.integer(raw["version"], 1, 1)
    network = read.fields(raw["network"], "inputs layers readout")
    inputs = width = read.integer(network["inputs"], 1, LARGEST)
    layers: list[_Layer] = []
    for one in read.items(network["layers"]):
        layers.append(_Layer(one, width, first=not layers))
        width = layers[-1].size
    require(len(layers) > 0, "there is no layer")
    last = read.fields(network["readout"], "weights scale offsets")
    weights, offsets = (
        list(map(_integers, read.items(last["weights"]))),
        _rationals(last["offsets"]),
    )
    require(len(offsets) == len(weights), "there is one offset an output")
    require(all(len(row) == width for row in weights), "a row does not fit the last layer")
    claim = read.fields(raw["claim"], "verdict regions")
    require(claim["verdict"] == "holds", "unknown verdict")
    scale = read.rational(last["scale"])
    for k, (one, proof) in enumerate(
        pairs(read.items(claim["regions"]), read.items(raw["proofs"]))
    ):
        at[0] = k
        region = read.fields(one, "lower upper unsafe")
        low, high = _rationals(region["lower"]), _rationals(region["upper"])
        require(len(low) == len(high) == inputs, "a box has two ends an input")
        cases = [_case(case, weights, scale, offsets) for case in read.items(region["unsafe"])]
        _tree(layers, _Box(layers[0], low, high), cases, read.fields(proof, "clauses tree"))
    at[0] = None
    return claim, (), read.digest(raw["network"])


def check(text: str | bytes, steps: int = STEPS) -> Report:
    """Check a certificate, given as JSON text. Never raises: what cannot be checked is invalid."""
    return judge(text, _certificate, steps)
