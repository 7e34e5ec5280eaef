"""The nonsmooth implicit function theorem at a point (Bolte, Le, Pauwels, Silveti-Falls 2021)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

from tamecheck.budget import Budget
from tamecheck.derivative.implicit.elements import Elements, elements_at
from tamecheck.derivative.implicit.newton import Equations, Given, equations_of
from tamecheck.derivative.implicit.result import Hypothesis, Implicit, Status, negative_quotient
from tamecheck.derivative.implicit.solution import Solution, complete, solution_near
from tamecheck.derivative.implicit.validity import Validity, affine_validity, smooth_validity
from tamecheck.errors import TamecheckError
from tamecheck.exact.hull import Matrix
from tamecheck.exact.reals import BITS, UndecidedError
from tamecheck.ir.arguments import natural, seconds
from tamecheck.ir.box import Box, Side
from tamecheck.ir.graph import Graph
from tamecheck.ir.structure import Structure
from tamecheck.ir.tensor import Array
from tamecheck.loaders.text.box import box_of_value
from tamecheck.tame import check
from tamecheck.tame.confirm import confirm
from tamecheck.tame.verdict import Check, Verdict

_SECONDS = 60.0
_WITHIN = 1e-2
_LEAST_SECONDS = 0.1
_RADII = (Fraction(1), Fraction(1, 16), Fraction(1, 1024))
"""Half widths of the boxes on which regularity is tried; the theorem is local, so one suffices."""

_TAME = (Verdict.TAME, Verdict.LOCALLY_TAME)


def implicit(  # noqa: PLR0913 (options, by keyword only)
    F: Given,  # noqa: N803 (the theorem's name for it)
    *,
    unknowns: Sequence[str],
    at: Mapping[str, Any],
    box: Box | str | None = None,
    within: float = _WITHIN,
    timeout: float | None = None,
    seed: int = 0,
) -> Implicit:
    """The derivative of the solution ``x(p)`` of ``F(x, p) = 0``, with the theorem's verdict.

    The theorem: F is locally Lipschitz and definable near the point, F is zero there, and every
    element U of the convex hull of the Jacobians of F with respect to x is invertible.  The
    Clarke Jacobian is used, which is contained in every convex-valued conservative Jacobian; if
    it has a singular element then no other one satisfies the hypothesis.

    Parameters
    ----------
    F
        A model, a graph, an expression with equations separated by ``;``, or a list of these.
    unknowns
        The inputs that are x; as many elements as F has.
    at
        The point: a value for each input of F.  The parameters are taken as they are; unknowns
        that do not solve the equations exactly are refined to a solution that does, which is
        proved to exist.  Unknowns may be left out where only one solution is found.
    box
        Where F has to be locally Lipschitz and definable, as text or as a box; by default near
        the point, which is all that the theorem asks for.
    within
        How far a solution may be from the given unknowns x, relative to ``1 + |x|``.
    timeout
        Seconds; what is not decided by then is unknown.
    seed
        Seed of the searches.

    Raises
    ------
    InputError
        If the point or the unknowns do not fit F, there are more or fewer equations, or unknowns
        are left out and no solution is found or several.
    DomainError
        If F has no value at the point.

    Examples
    --------
    >>> found = implicit("2*x + abs(x) - p", unknowns=["x"], at={"x": 0, "p": 0})
    >>> found.verdict.value, [str(v[0][0]) for v in found.vertices]
    ('proved', ['1/3', '1'])
    >>> implicit("x^3 - p", unknowns=["x"], at={"x": 0, "p": 0}).verdict.value
    'refuted'
    >>> root = implicit("x^2 - p", unknowns=["x"], at={"x": 1.414, "p": 2})
    >>> root.verdict.value, float(root.vertices[0][0][0].mid())
    ('proved', 0.35355339059327373)
    """
    limit = seconds(timeout)
    budget = Budget.of(_SECONDS if limit is None else limit)
    seed = natural(seed, what="seed")
    equations = equations_of(F, unknowns)
    graph = equations.graph
    solution = solution_near(equations, complete(equations, at, seed), within)
    if box is None:
        regular = _regularity_near(graph, solution.rough, budget, seed)
    else:
        regular = _regularity_on(graph, box_of_value(box, graph.inputs), budget, seed)
    elements = elements_at(equations, solution.at, budget, seed)
    if elements.lipschitz and box is None and regular[0].status is not Status.PROVED:
        why = "every op on which F depends near the point is locally Lipschitz there"
        regular[0] = replace(regular[0], status=Status.PROVED, why=why)
    return Implicit(
        (solution.hypothesis, *regular, *_about(elements)),
        tuple(equations.columns[k] for k in equations.unknowns),
        tuple(equations.columns[k] for k in equations.parameters),
        elements.kind,
        tuple((equations.by_unknowns(m), equations.by_parameters(m)) for m in elements.matrices),
        elements.listed,
        solution.unknowns,
        solution.isolated,
        None if elements.invertible is None else elements.invertible.singular,
        partial(_validity, equations, solution, elements.limits),
    )


def _about(elements: Elements) -> list[Hypothesis]:
    """The hypotheses on the Jacobian and on its elements."""
    name, invertible = "convex conservative Jacobian", elements.invertible
    if invertible is None:
        status = Status.REFUTED if elements.refuted else Status.UNKNOWN
        return [Hypothesis(name, status, elements.why, elements.rests_on)]
    status = {True: Status.PROVED, False: Status.REFUTED, None: Status.UNKNOWN}[invertible.holds]
    why = invertible.why
    if status is Status.REFUTED and elements.kind != "clarke":
        status = Status.UNKNOWN
        why += "; but the chain rule's set may be larger than the Clarke Jacobian"
    return [
        Hypothesis(name, Status.PROVED, elements.why),
        Hypothesis("every element invertible", status, why, invertible.rests_on),
    ]


def _validity(
    equations: Equations, solution: Solution, limits: Sequence[Matrix], found: Implicit
) -> Validity:
    try:
        point = solution.at(BITS)
        if not found.listed:
            return Validity(None, None, "too many kinks meet at the point")
        slopes = _slopes(equations, limits)
        if slopes and solution.isolated is None:
            affine = affine_validity(equations, point, slopes)
            if affine is not None:
                return affine
        if len(found.pairs) == 1:
            return smooth_validity(equations, point)
    except (UndecidedError, TamecheckError) as open_:
        return Validity(None, None, f"not bounded: {open_}")
    return Validity(None, None, "F is curved and has a kink at the point")


def _slopes(
    equations: Equations, limits: Sequence[Matrix]
) -> list[tuple[tuple[Fraction, ...], ...]]:
    """The derivatives of x by p on all pieces that meet at the point; none if they are balls."""
    found: list[tuple[tuple[Fraction, ...], ...]] = []
    for m in limits:
        slope = negative_quotient(equations.by_unknowns(m), equations.by_parameters(m))
        rows = tuple(tuple(a for a in row if isinstance(a, Fraction)) for row in slope)
        if any(len(a) < len(b) for a, b in zip(rows, slope, strict=True)):
            return []
        found.append(rows)
    return found


def _regularity_near(
    graph: Graph, point: Mapping[str, Array], budget: Budget, seed: int
) -> list[Hypothesis]:
    """Whether F is locally Lipschitz and definable on some box around a rational point.

    What fails on every box that was tried is unknown, not refuted: a smaller box may do.
    """
    lipschitz = definable = None
    found, place = None, ""
    for radius in _RADII:
        found = _checked(graph, _around(graph, point, radius), budget, seed)
        place = f"on the box of half width {radius} around the point"
        if definable is None and found.verdict in _TAME and found.defined.total:
            definable = _definable(found, place)
            definable = replace(definable, why=definable.why + _elsewhere(found, budget, seed))
        if lipschitz is None and found.properties.locally_lipschitz and found.defined.total:
            lipschitz = Hypothesis("locally Lipschitz", Status.PROVED, f"derived {place}")
        if lipschitz and definable:
            return [lipschitz, definable]
    assert found is not None  # noqa: S101 (there are radii)
    why = "not derived on any box around the point"
    if found.properties.continuous is False or found.properties.locally_lipschitz is False:
        why = f"refuted {place}, the smallest one tried, though not at the point itself"
    open_ = f"no o-minimal structure was found {place} ({_reasons(found)})"
    return [
        lipschitz or Hypothesis("locally Lipschitz", Status.UNKNOWN, why),
        definable or Hypothesis("definable", Status.UNKNOWN, open_),
    ]


def _regularity_on(graph: Graph, box: Box, budget: Budget, seed: int) -> list[Hypothesis]:
    """The two hypotheses on the whole of a box; what is refuted there is refuted."""
    found = _checked(graph, box, budget, seed)
    properties = found.properties
    status, why = Status.UNKNOWN, "not derived on the given box"
    if properties.locally_lipschitz and found.defined.total:
        status, why = Status.PROVED, "derived on the given box"
    elif properties.continuous is False or properties.locally_lipschitz is False:
        status, why = Status.REFUTED, "refuted on the given box"
    # a witness of the derivation's, with a certificate, refutes either
    rests_on = "certificate" if status is Status.REFUTED else ""
    lipschitz = Hypothesis("locally Lipschitz", status, why, rests_on)
    if found.verdict in _TAME and found.defined.total:
        return [lipschitz, _definable(found, "on the given box")]
    status, why, rests_on = Status.UNKNOWN, "no o-minimal structure was found on the given box", ""
    if found.verdict is Verdict.NOT_TAME:
        status, why = Status.REFUTED, "in no o-minimal structure on the given box"
        rests_on = "certificate"
    return [lipschitz, Hypothesis("definable", status, f"{why} ({_reasons(found)})", rests_on)]


def _checked(graph: Graph, box: Box, budget: Budget, seed: int) -> Check:
    return confirm(check(graph, box, timeout=max(budget.seconds, _LEAST_SECONDS) / 3, seed=seed))


def _definable(found: Check, place: str) -> Hypothesis:
    structure = found.structures[0].value
    return Hypothesis("definable", Status.PROVED, f"definable in {structure} {place}")


def _elsewhere(found: Check, budget: Budget, seed: int) -> str:
    """A note where the structure restricts functions to boxes and F is not definable without."""
    if found.structures[0] not in (Structure.AN, Structure.AN_EXP):
        return ""
    whole = _checked(found.graph, Box.everything(), budget, seed)
    if whole.verdict is not Verdict.NOT_TAME:
        return ""
    return f", which suffices; on the whole space it is in no o-minimal one: {_reasons(whole)}"


def _reasons(found: Check) -> str:
    if found.witness is not None:
        return found.witness.summary
    return "; ".join(f"{o.node}: {o.why}" for o in found.open)


def _around(graph: Graph, point: Mapping[str, Array], radius: Fraction) -> Box:
    sides: dict[str, Side] = {}
    for name in graph.inputs:
        values = [Fraction(v) for v in point[name].reshape(-1).tolist()]
        sides[name] = Side(tuple(v - radius for v in values), tuple(v + radius for v in values))
    return Box(sides)
