"""The search for witnesses that a function is definable in no locally o-minimal structure.

Nothing found here is trusted: a witness is a certificate step, which the kernel replays.

*Staircase*: on a ray the output is ``a n² + b n t + c n + d t + e`` with ``n`` a rounding of an
affine function of ``t`` and ``b`` not 0.  Then multiplication of a bounded interval by the natural
numbers is definable, and with it a dense set with dense complement.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from flint import fmpq

from tamecheck.ir.box import Box
from tamecheck.ir.graph import Graph
from tamecheck.ir.op import Op, Params
from tamecheck.ops.facets import rounds
from tamecheck.tame.curves import may_oscillate
from tamecheck.tame.follow import Along, Refuter, first_witness
from tamecheck.tame.refute_forms import (
    PARAMETER,
    Form,
    affine_in_parameter,
    along_ray,
)
from tamecheck.tame.refute_rays import Ray, rays
from tamecheck.tame.verdict import Witness

DEFAULT_BUDGET = 400_000
"""Scalar operations that a search may take."""

_STEPS = 1


def find_staircase(
    graph: Graph,
    box: Box,
    output_nodes: Sequence[int],
    *,
    budget: int = DEFAULT_BUDGET,
    seed: int = 0,
) -> Witness | None:
    """A ray on which an output multiplies integers by reals, or None if the search finds none.

    Parameters
    ----------
    graph, box
        The function; only rays that stay in the box are tried.
    output_nodes
        The nodes to refute, tried in turn.
    budget
        Scalar operations that may be spent on all of them.
    seed
        Fixes the random rays.
    """

    def search(ray: Ray) -> tuple[Along[Form], Refuter[Form]]:
        stairs = _Stairs()
        return along_ray(ray, stairs.name), partial(stairs.witness, ray)

    roots = [r for r in output_nodes if may_oscillate(graph, r, waves=(), rounding=True)]
    return first_witness(graph, roots, lambda: rays(graph.inputs, box, seed), search, budget)


class _Stairs:
    """One symbol: a rounding of an affine function of t."""

    def __init__(self) -> None:
        self._seen: tuple[str, object, tuple[tuple[tuple[int, ...], fmpq], ...]] | None = None

    def name(self, op: Op, params: Params, args: Sequence[Form]) -> Form | None:
        """The one rounding by its symbol; None for any other op, and for a second rounding."""
        if not rounds(op, params) or not affine_in_parameter(args[0]):
            return None
        key = (op.name, params.get("mode"), tuple(sorted(args[0].items())))
        if self._seen is not None and key != self._seen:
            return None
        self._seen = key
        return {(_STEPS,): fmpq(1)}

    def witness(self, ray: Ray, output: tuple[int, int], form: Form) -> Witness | None:
        """A staircase witness, if the form multiplies the rounding by t."""
        if (
            any(len(key) > 2 for key in form)
            or (PARAMETER, _STEPS) not in form
            or (PARAMETER, PARAMETER) in form
            or self._seen is None
        ):
            return None
        op, _, argument = self._seen
        inner = _affine_text(dict(argument))
        document = {"rule": "staircase", **ray.document(), "output": list(output)}
        summary = (
            f"along {ray.text()}, the output contains the product of t and {op}({inner}): "
            "it multiplies the integers by the reals, so a dense set with dense complement "
            "is definable"
        )
        return Witness("locally-o-minimal", summary, document)


def _affine_text(form: Form) -> str:
    slope, base = form[(PARAMETER,)], form.get((), fmpq(0))
    moving = "t" if slope == 1 else "-t" if slope == -1 else f"{slope} t"
    return moving if base == 0 else f"{moving} {'+' if base > 0 else '-'} {abs(base)}"
