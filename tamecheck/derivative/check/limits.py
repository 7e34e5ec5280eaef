"""The limits of Jacobians near a point, each with its proof, and what is left open."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import comb

import numpy as np
from flint import fmpq

from tamecheck.derivative.check.germs import Germ
from tamecheck.derivative.check.patterns import (
    Finder,
    OpenError,
    Pattern,
    Reading,
    TooManyError,
)
from tamecheck.derivative.check.proofs import Curve, approaches, leading_sign
from tamecheck.derivative.check.terms import UnreadError
from tamecheck.exact.reals import Number, UndecidedError
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Contraction
from tamecheck.ir.tensor import Array, size_of

__all__ = ["Limits", "read_limits"]

_MOST_TERMS = 130
_USUAL, _HIGHEST = 4, 6
"""Orders that are tried, the second where the first leaves something open."""

_MOST_WORK = 1_000_000
_SECONDS = 10.0
_TRIES = 40


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """The patterns of signs near a point.

    Parameters
    ----------
    patterns
        All that are not proved to be absent.
    whole
        Whether these are all; otherwise there was no time to go through more.
    """

    patterns: tuple[Pattern, ...]
    whole: bool = True

    @property
    def shown(self) -> tuple[Pattern, ...]:
        """Those that occur: each has a curve."""
        return tuple(pattern for pattern in self.patterns if pattern.curve is not None)

    @property
    def open(self) -> tuple[Pattern, ...]:
        """Those of which it is not known."""
        return tuple(pattern for pattern in self.patterns if pattern.curve is None)

    @property
    def jumped(self) -> bool:
        """Whether a function that jumps was decided."""
        return any(pattern.jumped for pattern in self.patterns)

    def jump(self) -> Curve | None:
        """A curve of points at which the function jumps, if one is found.

        Two patterns differ in one sign; on the curve that function is 0, its gradient is not, and
        all others are positive: so both patterns occur arbitrarily near each point of the curve.
        The outputs of the two have different limits there.
        """
        rng = np.random.default_rng(0)
        for number, first in enumerate(self.patterns):
            for second in self.patterns[number + 1 :]:
                walls = [
                    k for k, (key, sign) in enumerate(first.signs) if second.known.get(key) == -sign
                ]
                if first.known.keys() != second.known.keys() or len(walls) != 1:
                    continue
                wall = first.positive[walls[0]]
                others = [germ for k, germ in enumerate(first.positive) if k != walls[0]]
                gaps = [a - b for a, b in zip(first.outputs, second.outputs, strict=True)]
                for _ in range(_TRIES):
                    curve = _on_wall(wall, rng)
                    if curve is None:
                        break
                    apart = any(leading_sign(curve, gap) != 0 for gap in gaps)
                    if apart and approaches(curve, others):
                        return curve
        return None


def _on_wall(wall: Germ, rng: np.random.Generator) -> Curve | None:
    """The first coefficients of a curve on which a function with a gradient is 0."""
    size, order = wall.space.size, wall.space.order
    gradient = wall.gradient
    pivot = next((k for k, a in enumerate(gradient) if isinstance(a, fmpq) and a != 0), None)
    if pivot is None or not wall.rational:
        return None
    scale = gradient[pivot]
    table: list[list[Number]] = [[fmpq(0)] * order for _ in range(size)]
    for k in range(size):
        for power in range(min(2, order)):
            if k != pivot:
                table[k][power] = fmpq(int(rng.integers(-3, 4)))
    # the rest of the one coordinate follows from the equation, by the implicit function theorem
    for power in range(order):
        value = wall.along([(fmpq(0), *row) for row in table])[power + 1]
        table[pivot][power] = -value / scale
    columns = zip(*table, strict=True)
    return Curve(tuple(tuple(a for a in c if isinstance(a, fmpq)) for c in columns))


def read_limits(
    graph: Graph,
    point: Mapping[str, Array],
    find: Finder,
    limit: int,
    enough: Callable[[Limits], bool],
) -> Limits | None:
    """The patterns of a graph without expansions; None if they are too many or it is not read.

    Parameters
    ----------
    graph, point
        The function, and the values of all inputs.
    find
        Looks for proofs, which are checked.
    limit
        The largest number of patterns.
    enough
        Whether derivatives of higher order are not needed.
    """
    size = sum(size_of(shape) for shape in graph.inputs.values())
    if _work(graph) * (size + 1) > _MOST_WORK:
        return None
    deadline = time.process_time() + _SECONDS
    highest = max(
        (k for k in range(1, _HIGHEST + 1) if comb(size + k, k) <= _MOST_TERMS), default=1
    )
    found: Limits | None = None
    for order in dict.fromkeys((1, min(_USUAL, highest), highest)):
        strict = order == 1 < highest
        reading = Reading(graph, point, order, find, limit, deadline, strict=strict)
        seen: list[Pattern] = []
        try:
            seen.extend(reading.patterns())
        except OpenError:
            continue
        except TooManyError:
            return found or Limits(tuple(seen), whole=False)
        except (UnreadError, UndecidedError):
            return found
        found = Limits(tuple(seen))
        if enough(found):
            break
    return found


def _work(graph: Graph) -> int:
    """The number of products that one reading takes, about."""
    total = 0
    for index in graph.ancestors([node for _, node in graph.outputs]):
        node = graph.nodes[index]
        inner = 1
        if isinstance(node, Apply) and isinstance(node.op.meaning, Contraction):
            inner = graph.nodes[node.args[0]].shape[-1]
        total += size_of(node.shape) * inner
    return total
