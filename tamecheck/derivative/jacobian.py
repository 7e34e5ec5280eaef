"""Jacobians at a point, as exact sets: Bouligand, Clarke, and the chain rule's conservative one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any, cast, get_args

from tamecheck.derivative.chainrule import (
    ChainRule,
    NotLipschitzAt,
    Place,
    chain_rule,
)
from tamecheck.derivative.dependence import edges
from tamecheck.derivative.limits import kink_family, limit_set
from tamecheck.derivative.lowering import lowered, with_choices, without_norms, without_roots
from tamecheck.derivative.minkowski import MinkowskiSum, minkowski_sum
from tamecheck.derivative.norms import norm_limits
from tamecheck.derivative.result import Autodiff, JacobianSet, Kind
from tamecheck.derivative.reverse import output_matrix
from tamecheck.derivative.steep import steep
from tamecheck.errors import DomainError, InputError, TamecheckError
from tamecheck.evaluate.walk import checked_inputs
from tamecheck.exact.arrays import from_values, objects
from tamecheck.exact.hull import Exact, Matrix, extreme, rational, same
from tamecheck.exact.reals import UndecidedError, working_precision
from tamecheck.ir.arguments import choice, is_numeric, mapping, rationals
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import Array, size_of

DEFAULT_LIMIT = 4096
"""Cones of directions, or combinations of kinks, after which the search gives up."""

_ALL_CHOICES = "the chain rule with all choices at the kinks, which is the definition"

_FIRST_BITS, _LAST_BITS = 128, 2048
_GOOD_BITS = 53


def jacobian(
    graph: Graph,
    at: Mapping[str, Any] | Sequence[Any],
    kind: Kind = "clarke",
    *,
    limit: int = DEFAULT_LIMIT,
) -> JacobianSet:
    """The set of Jacobians of a function at a rational point.

    ``"bouligand"``: all limits of Jacobians from points nearby where it is differentiable.
    ``"clarke"``: their convex hull, by its extreme points.  ``"conservative"``: what the chain
    rule gives with the Clarke Jacobian of every op, by the extreme points of its hull.  Where there
    may be more extreme points than ``limit``, these sets are given by generators, if that is
    possible: see `JacobianSet`.

    Parameters
    ----------
    graph
        The function; its Jacobian has a row for each output element and a column for each input
        element, all in C order.
    at
        The point: an array for each input's name, or the elements of all inputs in one row.
        Numbers may be fractions, floats, or strings such as ``"1/3"``.
    limit
        The largest number of cones or combinations to look at.

    Raises
    ------
    InputError
        If the point does not fit the inputs.
    DomainError
        If the function has no value there.
    UnsupportedError
        If more cones than the limit meet at the point (for the conservative set, if kinks that feed
        each other combine in more ways), and there are no generators.

    Examples
    --------
    >>> from tamecheck.loaders.text.expression import parse_expression
    >>> graph = parse_expression("max(x,0) - max(-x,0)").graph
    >>> jacobian(graph, {"x": 0}).vertices
    (((Fraction(1, 1),),),)
    >>> [v[0][0] for v in jacobian(graph, {"x": 0}, "conservative").vertices]
    [Fraction(2, 1), Fraction(0, 1)]
    """
    kind = cast("Kind", choice(kind, get_args(Kind), what="kind of Jacobian set"))
    point = exact_point(graph, at)
    return jacobian_near(graph, lambda _bits: point, kind, limit=limit)


def jacobian_near(
    graph: Graph,
    point: Callable[[int], Mapping[str, Array]],
    kind: Kind = "clarke",
    *,
    limit: int = DEFAULT_LIMIT,
) -> JacobianSet:
    """The set of Jacobians at a point that balls enclose: `jacobian` for irrational points.

    Raises `TamecheckError` if the answer hinges on a number that 2048 bits do not tell from 0.

    Parameters
    ----------
    graph, kind, limit
        As for `jacobian`.
    point
        For a number of bits, arrays of ``fmpq`` and ``arb`` that contain the point.
    """
    simple = lowered(graph)
    bits = _FIRST_BITS
    while True:
        try:
            with working_precision(bits):
                found = _jacobian(simple, point(bits), kind, limit)
                if found.accurate(_GOOD_BITS) or bits >= _LAST_BITS:
                    return found
        except UndecidedError:
            if bits >= _LAST_BITS:
                raise TamecheckError(
                    f"The derivative here hinges on a number that is zero to {bits} bits.",
                    hint="Move the point.",
                ) from None
        bits *= 4


def exact_point(graph: Graph, at: Mapping[str, Any] | Sequence[Any]) -> dict[str, Array]:
    """The point as an exact array of the right shape for each input."""
    inputs = graph.inputs
    if isinstance(at, Mapping):
        mapping(at, what="point")
        unknown = [name for name in at if name not in inputs]
        if unknown:
            raise InputError(
                f"{unknown[0]!r} is no input.", hint=f"Inputs: {', '.join(inputs) or 'none'}."
            )
        arrays = {name: _exact(value) for name, value in at.items()}
    else:
        row, total = _exact(at).reshape(-1), sum(map(size_of, inputs.values()))
        if row.size != total:
            raise InputError(f"The point has {row.size} numbers; the inputs have {total} elements.")
        arrays = graph.split(row)
    for name, array in arrays.items():
        if array.size != size_of(inputs[name]):
            raise InputError(
                f"Input {name!r} has shape {inputs[name]}, but {array.size} numbers are given."
            )
    return checked_inputs(graph, {name: a.reshape(inputs[name]) for name, a in arrays.items()})


def _exact(value: Any) -> Array:
    given = value if is_numeric(value) else rationals(value, what="point")
    return objects(from_values(given))


def _jacobian(graph: Graph, point: Mapping[str, Array], kind: Kind, limit: int) -> JacobianSet:
    chosen = with_choices(graph, point)
    if chosen is not graph:
        found = _jacobian_of(chosen, point, kind, limit)
        return replace(found, automatic=_conventions(graph, point))
    return _jacobian_of(graph, point, kind, limit)


def _conventions(graph: Graph, point: Mapping[str, Array]) -> Autodiff:
    """What automatic differentiation gives, whatever is tied."""
    try:
        return _automatic(chain_rule(graph, point, choosing=False))
    except NotLipschitzAt as found:
        plain = without_norms(graph, point)
        if plain is None:
            return Autodiff(None, None, f"the derivative of {found.where} is infinite")
    try:
        by_norms = _automatic(chain_rule(plain, point, choosing=False))
    except NotLipschitzAt as found:
        return Autodiff(None, None, f"the derivative of {found.where} is infinite")
    return replace(by_norms, jax=None, why=by_norms.why or "JAX's derivative of a norm at 0 is NaN")


def _jacobian_of(graph: Graph, point: Mapping[str, Array], kind: Kind, limit: int) -> JacobianSet:
    empty = JacobianSet(kind, graph.inputs)
    try:
        rule = chain_rule(graph, point)
    except NotLipschitzAt as found:
        return _at_roots(graph, point, empty, found.where, limit)
    empty = replace(empty, automatic=_automatic(rule))
    if kind == "conservative":
        return _conservative(rule, empty, limit)
    outside = edges(graph, rule.values, rule.depends, point)
    if outside:
        open_ = (
            "whether the function has values all around this point: "
            f"{', '.join(outside)} is at the edge of its domain"
        )
        return replace(empty, why=f"it is not known {open_}", open=(open_,))
    if rule.combinations > limit:
        # a search would go through all of them
        family = kink_family(rule)
        whole = None if family is None else family.limits(empty, limit)
        if whole is not None:
            return whole
    try:
        return limit_set(rule, point, empty, limit)
    except NotLipschitzAt as sharp:
        return _without(empty, *why_not_lipschitz(graph, point, sharp.where))
    except DomainError as edge:
        open_ = f"whether the function has a limit at this point: {edge.what}"
        return replace(empty, why=f"it is not known {open_}", open=(open_,))


def _at_roots(
    graph: Graph, point: Mapping[str, Array], empty: JacobianSet, where: str, limit: int
) -> JacobianSet:
    """The answer where an op is not Lipschitz at the point; the function may be."""
    if empty.kind == "conservative":
        why = (
            f"the last op of {where} is not Lipschitz at what it is given here, where the chain "
            "rule says nothing"
        )
        return replace(empty, why=why, rests_on=_ALL_CHOICES)
    simpler = without_roots(graph)
    if simpler is not None:
        why = f"the infinite derivative of {where} is multiplied by others, which may be 0"
        found = _jacobian_of(simpler, point, cast("Kind", empty.kind), limit)
        return replace(found, automatic=Autodiff(None, None, why))
    found = norm_limits(graph, point, empty, limit)
    if found is None:
        found = _without(empty, *why_not_lipschitz(graph, point, where))
    return replace(found, automatic=_conventions(graph, point))


def _automatic(rule: ChainRule) -> Autodiff:
    pytorch, jax = rule.unknown("PyTorch"), rule.unknown("JAX")
    return Autodiff(
        None if pytorch else output_matrix(rule.graph, rule.conventional("PyTorch")),
        None if jax else output_matrix(rule.graph, rule.conventional("JAX")),
        pytorch or jax,
    )


def _without(empty: JacobianSet, why: str, proved: bool) -> JacobianSet:  # noqa: FBT001 (a pair)
    """No set: a curve along which the function gets steep shows it, or it is open."""
    if proved:
        return replace(empty, why=why, rests_on="replay")
    return replace(empty, why=why, open=(why,))


def why_not_lipschitz(graph: Graph, point: Mapping[str, Array], where: str) -> tuple[str, bool]:
    """What is known of a lowered graph with an op, at a node, that is not Lipschitz at a point.

    A sentence, and whether it is proved that the function is not Lipschitz near the point.
    """
    proof = steep(graph, point)
    if proof is not None:
        why = "the function is not Lipschitz near this point, so there is no Clarke Jacobian"
        return f"{why}: {proof}", True
    why = (
        f"the last op of {where} is not Lipschitz at what it is given here; whether the function "
        "is near this point remains open, and its set need not have finitely many vertices"
    )
    return why, False


def _conservative(rule: ChainRule, empty: JacobianSet, limit: int) -> JacobianSet:
    jump = rule.jump()
    if jump is not None:
        why = f"{jump} jumps at this point, where the chain rule says nothing"
        return replace(empty, why=why)
    empty = replace(empty, rests_on=_ALL_CHOICES)
    generated = _generated(rule, limit)
    if generated is None:
        matrices: list[Matrix] = []
        for locals_ in rule.choices(limit):
            matrix = output_matrix(rule.graph, locals_)
            if not any(same(matrix, other) for other in matrices):
                matrices.append(matrix)
        return replace(empty, raw=tuple(matrices[number] for number in extreme(matrices)))
    if generated.most_vertices > limit:
        return replace(empty, generated=generated)
    return replace(empty, raw=tuple(generated.vertices()))


def _generated(rule: ChainRule, limit: int) -> MinkowskiSum | None:
    """The hull of all choices by generators; None if it has one part only, or numbers are balls.

    The Jacobian is a sum of terms by parts of the kinks, so the hulls of the terms add up.
    """
    places, clusters = rule.places, rule.clusters
    if len(clusters) < 2 or max(prod(places[p] for p in cluster) for cluster in clusters) > limit:
        return None

    def chosen(picked: Mapping[Place, int]) -> Exact | None:
        return rational(output_matrix(rule.graph, rule.chosen({**last, **picked})))

    last = {place: count - 1 for place, count in places.items()}
    base = chosen({})
    if base is None:
        return None
    groups: list[list[Exact]] = []
    for cluster in clusters:
        *picks, _ = itertools.product(*(range(places[place]) for place in cluster))
        found = [chosen(dict(zip(cluster, picked, strict=True))) for picked in picks]
        groups.append([_difference(matrix, base) for matrix in found if matrix is not None])
        if len(groups[-1]) < len(found):
            return None
    return minkowski_sum(base, groups)


def _difference(left: Exact, right: Exact) -> Exact:
    pairs = zip(left, right, strict=True)
    return tuple(tuple(a - b for a, b in zip(row, other, strict=True)) for row, other in pairs)
