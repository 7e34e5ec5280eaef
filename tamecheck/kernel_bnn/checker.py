"""The verdict on a ball certificate. Only the last line of `check` says that one is valid."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nlargest, nsmallest

from tamecheck.kernel.checker import Report
from tamecheck.kernel.strict import (
    Json,
    Reject,
    fields,
    integer,
    items,
    mapping,
    read,
    require,
    word,
)
from tamecheck.kernel_bnn.network import Layer, Network, Row, read_network

FORMAT = "tamecheck-ball-certificate"
LEAF = -1
_REMEMBERED = 1 << 12

Reach = tuple[Row, Row]


class _Ball:
    """Bounds over the parts of a ball around a point of one decision."""

    def __init__(self, network: Network, centre: Row, layers: Sequence[Layer]) -> None:
        self.layers = layers
        first = layers[0].rows
        self.start, _ = layers[0].sums(centre)
        # what a flip of input i adds to each sum of the first layer
        self.change = [[-2 * row[i] * s for row in first] for i, s in enumerate(centre)]
        self.free = frozenset(i for i in range(len(centre)) if network.free(i))
        self.known: dict[tuple[frozenset[int], int], Reach] = {}

    def reach(self, rest: frozenset[int], budget: int) -> Reach:
        """Return by how much at most budget flips among the rest can lower and raise each sum."""
        key = rest, budget
        if key not in self.known:
            if len(self.known) >= _REMEMBERED:
                self.known.clear()
            columns = [[self.change[i][j] for i in rest] for j in range(len(self.start))]
            down = [sum(v for v in nsmallest(budget, column) if v < 0) for column in columns]
            up = [sum(v for v in nlargest(budget, column) if v > 0) for column in columns]
            self.known[key] = down, up
        return self.known[key]

    def excluded(self, sums: Row, rest: frozenset[int], budget: int) -> bool:
        """Return whether bounds show that no class beats the decision in this part."""
        down, up = self.reach(rest, budget)
        low = [a + b for a, b in zip(sums, down, strict=True)]
        high = [a + b for a, b in zip(sums, up, strict=True)]
        *hidden, last = self.layers
        for layer, after in zip(hidden, self.layers[1:], strict=True):
            low, high = after.sums(layer.states(low, high))
        return all(v < t for v, t in zip(high, last.thresholds, strict=True))


def _tree(ball: _Ball, radius: int, raw: Sequence[object], at: list[int | None]) -> None:
    """Check that the leaves cover the ball, and that no class beats the decision in any of them.

    The nodes come in preorder: the input that is split, then the part where it is kept, then the
    part where it is flipped.
    """
    waiting = [(ball.start, ball.free, radius)]
    for k, value in enumerate(raw):
        at[0] = k
        require(len(waiting) > 0, "the tree has ended before")
        sums, rest, budget = waiting.pop()
        i = integer(value, LEAF, len(ball.change) - 1)
        if i == LEAF:
            require(ball.excluded(sums, rest, budget), "bounds do not exclude another decision")
            continue
        require(i in rest, f"input {i} is not open here")
        require(budget > 0, "no flip is left")
        moved = [a + b for a, b in zip(sums, ball.change[i], strict=True)]
        waiting.append((moved, rest - {i}, budget - 1))
        waiting.append((sums, rest - {i}, budget))
    at[0] = len(raw)
    require(not waiting, "a part of the ball is missing")
    at[0] = None


def _certificate(raw: Json, at: list[int | None]) -> tuple[Json, str]:
    fields(raw, "format version network claim tree")
    require(raw["format"] == FORMAT, "unknown format")
    integer(raw["version"], 1, 1)
    network = read_network(raw["network"])
    claim = mapping(raw["claim"])
    verdict = word(claim.get("verdict"))
    require(verdict in ("holds", "distance"), "unknown verdict")
    fields(claim, "verdict decision centre " + ("radius" if verdict == "holds" else "witness"))
    centre = network.read_states(claim["centre"])
    decision = network.decide(centre)
    stated = integer(claim["decision"], 0, len(network.offsets) - 1)
    require(stated == decision, "the decision at the centre is another")
    if verdict == "holds":
        radius = integer(claim["radius"], 0, len(centre))
    else:
        witness = network.read_states(claim["witness"])
        require(network.decide(witness) != decision, "the decision at the witness is the same")
        # no point that needs fewer flips than the witness is decided otherwise
        radius = sum(a != b for a, b in zip(centre, witness, strict=True)) - 1
    _tree(_Ball(network, centre, network.against(decision)), radius, items(raw["tree"]), at)
    return claim, network.sha256


def check(text: str | bytes) -> Report:
    """Check a certificate, given as JSON text. Never raises: what cannot be checked is invalid."""
    at: list[int | None] = [None]
    try:
        claim, digest = _certificate(mapping(read(text)), at)
    except Reject as error:
        return Report("invalid", (), at[0], str(error), None, None)
    except Exception as error:  # noqa: BLE001  (a checker that cannot go on has not checked)
        return Report("invalid", (), at[0], f"malformed: {type(error).__name__}", None, None)
    return Report("valid", (), None, "", claim, digest)
