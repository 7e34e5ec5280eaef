"""Is F locally Lipschitz and definable?  On a given box, or on some box around the point."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from tamecheck.derivative.implicit.result import Hypothesis, Status
from tamecheck.ir.box import Box, Side
from tamecheck.ir.graph import Graph
from tamecheck.ir.structure import Structure
from tamecheck.ir.tensor import Array
from tamecheck.tame import check
from tamecheck.tame.verdict import Check, Verdict

__all__ = ["regularity_near", "regularity_on"]

_RADII = (Fraction(1), Fraction(1, 16), Fraction(1, 1024))
"""Half widths of the boxes on which regularity is tried; the theorem is local, so one suffices."""


def regularity_near(
    graph: Graph, point: Mapping[str, Array], deadline: float, seed: int
) -> list[Hypothesis]:
    """The two hypotheses on some box around a rational point.

    What fails on every box that was tried is unknown, not refuted: a smaller box may do.
    """
    lipschitz = definable = None
    last: Check | None = None
    place = ""
    for radius in _RADII:
        last = check(graph, _around(graph, point, radius), timeout=_left(deadline) / 3, seed=seed)
        place = f"on the box of half width {radius} around the point"
        if definable is None and last.verdict in (Verdict.TAME, Verdict.LOCALLY_TAME):
            definable = _definable(last, place)
            definable = replace(definable, why=definable.why + _elsewhere(last, deadline, seed))
        if lipschitz is None and last.properties.locally_lipschitz:
            lipschitz = Hypothesis("locally Lipschitz", Status.PROVED, f"derived {place}")
        if lipschitz and definable:
            return [lipschitz, definable]
    assert last is not None  # noqa: S101 (there are radii)
    if lipschitz is None:
        why = "not derived on any box around the point"
        if last.properties.continuous is False or last.properties.locally_lipschitz is False:
            why = f"refuted {place}, the smallest one tried, though not at the point itself"
        lipschitz = Hypothesis("locally Lipschitz", Status.UNKNOWN, why)
    if definable is None:
        why = f"no o-minimal structure was found {place} ({_reasons(last)})"
        definable = Hypothesis("definable", Status.UNKNOWN, why)
    return [lipschitz, definable]


def regularity_on(graph: Graph, box: Box, deadline: float, seed: int) -> list[Hypothesis]:
    """The two hypotheses on the whole of a box; what is refuted there is refuted."""
    found = check(graph, box, timeout=_left(deadline) / 3, seed=seed)
    properties = found.properties
    status, why = Status.UNKNOWN, "not derived on the given box"
    if properties.locally_lipschitz:
        status, why = Status.PROVED, "derived on the given box"
    elif properties.continuous is False or properties.locally_lipschitz is False:
        status, why = Status.REFUTED, "refuted on the given box"
    # a witness of the derivation's, with a certificate, refutes either
    refuted = "certificate" if status is Status.REFUTED else ""
    lipschitz = Hypothesis("locally Lipschitz", status, why, refuted)
    if found.verdict in (Verdict.TAME, Verdict.LOCALLY_TAME):
        return [lipschitz, _definable(found, "on the given box")]
    if found.verdict is Verdict.NOT_TAME:
        status, why = Status.REFUTED, "in no o-minimal structure on the given box"
        rests_on = "certificate"
    else:
        status, why = Status.UNKNOWN, "no o-minimal structure was found on the given box"
        rests_on = ""
    return [lipschitz, Hypothesis("definable", status, f"{why} ({_reasons(found)})", rests_on)]


def _definable(found: Check, place: str) -> Hypothesis:
    structure = found.structures[0].value
    return Hypothesis("definable", Status.PROVED, f"definable in {structure} {place}")


def _elsewhere(found: Check, deadline: float, seed: int) -> str:
    """A note where the structure restricts functions to boxes and F is not definable without."""
    if found.structures[0] not in (Structure.AN, Structure.AN_EXP):
        return ""
    whole = check(found.graph, Box.everything(), timeout=_left(deadline) / 3, seed=seed)
    if whole.verdict is not Verdict.NOT_TAME:
        return ""
    return f", which suffices; on the whole space it is in no o-minimal one: {_reasons(whole)}"


def _reasons(found: Check) -> str:
    if found.witness is not None:
        return found.witness.summary
    return "; ".join(f"{o.node}: {o.why}" for o in found.open)


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.1)


def _around(graph: Graph, point: Mapping[str, Array], radius: Fraction) -> Box:
    sides: dict[str, Side] = {}
    for name in graph.inputs:
        values = [Fraction(v) for v in point[name].reshape(-1).tolist()]
        sides[name] = Side(tuple(v - radius for v in values), tuple(v + radius for v in values))
    return Box(sides)
