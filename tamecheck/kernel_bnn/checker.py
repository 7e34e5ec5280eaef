"""What a ball certificate proves; the verdict is that of the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from heapq import nlargest, nsmallest
from itertools import pairwise
from operator import add, lt, ne

from tamecheck.kernel import read
from tamecheck.kernel.checker import Report, judge
from tamecheck.kernel.read import Json
from tamecheck.kernel.strict import require, spend
from tamecheck.kernel_bnn.network import Layer, Network, Row, read_network

FORMAT = "tamecheck-ball-certificate"
STEPS = 150_000_000
LEAF = -1
LARGEST = 1 << 40
States = dict[int, int]


class _Ball:
    """Bounds over the parts of a ball around a point of one decision."""

    def __init__(self, network: Network, centre: Row, layers: Sequence[Layer]) -> None:
        self.layers = layers
        first = layers[0].rows
        self.start, _ = layers[0].sums(centre)
        # what a flip of input i adds to each sum of the first layer
        self.change = [[-2 * row[i] * s for row in first] for i, s in enumerate(centre)]
        self.free = frozenset(network.free())
        self.reach = lru_cache(4096)(self._reach)
        self.size = sum(len(row) for layer in layers[1:] for row in layer.rows)

    def _reach(self, rest: frozenset[int], budget: int) -> tuple[Row, Row]:
        """Return by how much at most budget flips among the rest can lower and raise each sum."""
        spend(len(rest) * len(self.start))
        columns = [[self.change[i][j] for i in rest] for j in range(len(self.start))]
        down = [sum(min(v, 0) for v in nsmallest(budget, column)) for column in columns]
        up = [sum(max(v, 0) for v in nlargest(budget, column)) for column in columns]
        return down, up

    def excluded(self, sums: Row, rest: frozenset[int], budget: int, known: States) -> bool:
        """Return whether bounds show that no class beats the decision in this part."""
        spend(self.size)
        down, up = self.reach(rest, budget)
        low, high = list(map(add, sums, down)), list(map(add, sums, up))
        for number, (layer, after) in enumerate(pairwise(self.layers)):
            states = layer.states(low, high)
            for j, state in known.items() if number == 0 else ():
                if states[j] == -state:
                    return True  # nothing of the ball is in this part
                states[j] = state
            low, high = after.sums(states)
        return all(map(lt, high, self.layers[-1].thresholds))

    def apart(
        self, sums: Row, rest: frozenset[int], budget: int, known: States, raw: object
    ) -> bool:
        """Return whether multipliers show that no flips reach the known states of the part."""
        pairs = read.pairs(raw, "multipliers are pairs")
        weights = {read.integer(j, 0, len(sums) - 1): read.integer(m, 1, LARGEST) for j, m in pairs}
        require(len(weights) == len(pairs), "a neuron is named twice")
        require(weights.keys() <= known.keys(), "the state of a neuron is not known here")
        # the flips must take the sum of a neuron over its threshold, or below it
        ends = self.layers[0].thresholds
        needed = sum(
            m * (ends[j] - sums[j] if known[j] == 1 else sums[j] - ends[j] + 1)
            for j, m in weights.items()
        )
        spend(len(weights) * len(rest))
        gains = [sum(m * known[j] * self.change[i][j] for j, m in weights.items()) for i in rest]
        return sum(max(v, 0) for v in nlargest(budget, gains)) < needed


def _tree(ball: _Ball, radius: int, raw: Sequence[object], at: list[int | None]) -> None:
    """Check that the leaves cover the ball, and that no class beats the decision in any of them."""
    # in preorder: first comes the part where an input is kept, or where a neuron is 1
    waiting: list[tuple[Row, frozenset[int], int, States]] = [(ball.start, ball.free, radius, {})]
    for k, value in enumerate(raw):
        at[0] = k
        require(len(waiting) > 0, "the tree has ended before")
        sums, rest, budget, known = waiting.pop()
        spend(1 + len(sums) + len(rest) + len(known))
        if type(value) is not int:
            node = read.mapping(value)
            if "neuron" in node:
                require(len(ball.layers) > 1, "there is no hidden layer")
                j = read.integer(read.fields(node, "neuron")["neuron"], 0, len(sums) - 1)
                require(j not in known, f"neuron {j} is not open here")
                waiting += [(sums, rest, budget, known | {j: state}) for state in (-1, 1)]
                continue
            shown = ball.apart(sums, rest, budget, known, read.fields(node, "apart")["apart"])
            require(shown, "the multipliers exclude nothing")
            continue
        i = read.integer(value, LEAF, len(ball.change) - 1)
        if i == LEAF:
            shown = ball.excluded(sums, rest, budget, known)
            require(shown, "bounds do not exclude another decision")
            continue
        require(i in rest, f"input {i} is not open here")
        require(budget > 0, "no flip is left")
        moved = list(map(add, sums, ball.change[i]))
        waiting.append((moved, rest - {i}, budget - 1, known))
        waiting.append((sums, rest - {i}, budget, known))
    at[0] = len(raw)
    require(not waiting, "a part of the ball is missing")
    at[0] = None


def _certificate(raw: Json, at: list[int | None]) -> tuple[Json, Sequence[str], str]:
    read.fields(raw, "format version network claim tree")
    require(raw["format"] == FORMAT, "unknown format")
    read.integer(raw["version"], 1, 1)
    network = read_network(raw["network"])
    claim = read.mapping(raw["claim"])
    verdict = read.word(claim.get("verdict"))
    require(verdict in ("holds", "distance"), "unknown verdict")
    read.fields(claim, "verdict decision centre " + ("radius" if verdict == "holds" else "witness"))
    centre = network.read_states(claim["centre"])
    decision = network.decide(centre)
    stated = read.integer(claim["decision"], 0, len(network.readout.rows) - 1)
    require(stated == decision, "the decision at the centre is another")
    if verdict == "holds":
        radius, free = read.integer(claim["radius"], 0, len(centre)), len(network.free())
        # the ball would say no more than that of a smaller radius
        require(radius <= free, f"the radius is larger than the number of free inputs, {free}")
    else:
        witness = network.read_states(claim["witness"])
        require(network.decide(witness) != decision, "the decision at the witness is the same")
        # no point that needs fewer flips than the witness is decided otherwise
        radius = sum(map(ne, centre, witness)) - 1
    _tree(_Ball(network, centre, network.against(decision)), radius, read.items(raw["tree"]), at)
    return claim, (), network.sha256


def check(text: str | bytes, steps: int = STEPS) -> Report:
    """Check a certificate, given as JSON text. Never raises: what cannot be checked is invalid."""
    return judge(text, _certificate, steps)
