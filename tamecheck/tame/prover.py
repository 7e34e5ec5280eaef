"""Bounds that interval arithmetic cannot show: algebra first, then a solver's word."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from tamecheck.ir.box import Box
from tamecheck.ir.graph import Graph
from tamecheck.tame.quotient import quotient_bound
from tamecheck.tame.step import Step

__all__ = ["bound_prover", "no_prover"]

_CANDIDATES = tuple(Fraction(10) ** k for k in (0, 1, 3, 6))


def no_prover(_graph: Graph, _box: Box, _node: int) -> Step | None:
    """The prover that proves nothing."""
    return None


def bound_prover(remaining: Callable[[], float]) -> Callable[[Graph, Box, int], Step | None]:
    """A prover of ``|node| <= M`` for semialgebraic nodes.

    A sum-of-squares identity is tried first, since the kernel can check it; z3 is asked next, and
    its answer becomes a `trust` step.

    Parameters
    ----------
    remaining
        The seconds that are left.
    """

    def prove(graph: Graph, box: Box, node: int) -> Step | None:
        step = quotient_bound(graph, node)
        return step if step is not None else _ask_solver(graph, box, node, remaining())

    return prove


def _ask_solver(graph: Graph, box: Box, node: int, seconds: float) -> Step | None:
    from tamecheck.solvers.nlsat import Bounded, solver_name, try_bound

    if seconds <= 0:
        return None
    answer = try_bound(graph, box, node, _CANDIDATES, timeout=min(seconds, 8.0))
    if not isinstance(answer, Bounded):
        return None
    return {
        "rule": "trust",
        "by": solver_name(),
        "statement": {
            "kind": "enclosure",
            "node": node,
            "lower": [str(-answer.bound)],
            "upper": [str(answer.bound)],
        },
    }
