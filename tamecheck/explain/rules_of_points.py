"""Cubes around points: sufficient reasons, widened code by code as far as the decision stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod

from tamecheck.binarized import ThresholdNetwork
from tamecheck.explain.coverage import union_of
from tamecheck.explain.deletion import sufficient
from tamecheck.explain.domain import Domain
from tamecheck.explain.search import Codes, OutOfTimeError, Search
from tamecheck.ir.tensor import Array

__all__ = ["PointCubes", "cubes_of_points"]

FeatureCube = Mapping[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class PointCubes:
    """Cubes with the class of all their points, and the share of the domain in their union.

    Parameters
    ----------
    cubes
        Each with its class.
    covered
        A proved lower bound on the share.
    """

    cubes: tuple[tuple[FeatureCube, int], ...]
    covered: Fraction


def cubes_of_points(  # noqa: PLR0913  # the limits are the caller's
    network: ThresholdNetwork,
    domain: Domain,
    points: Array,
    *,
    most: int,
    deadline: float,
    seed: int,
) -> PointCubes:
    """A cube for each point that lies in none yet, until the time or the limit is reached.

    Parameters
    ----------
    points
        Rows of states.

    Raises
    ------
    InputError
        If a point is not in the domain.
    """
    search = Search(network, domain, deadline=deadline, seed=seed)
    cubes: list[tuple[FeatureCube, int]] = []
    for states in points:
        codes = domain.codes(states)
        if len(cubes) >= most:
            break
        if any(_holds(cube, codes) for cube, _ in cubes):
            continue
        try:
            cubes.append((_cube(search, codes), search.decide(codes)))
        except OutOfTimeError:
            break
    sizes = [len(feature.codes) for feature in domain.features]
    masks = [{k: sum(1 << c for c in chosen) for k, chosen in cube.items()} for cube, _ in cubes]
    return PointCubes(tuple(cubes), Fraction(union_of(masks, sizes).size, prod(sizes)))


def _holds(cube: FeatureCube, codes: Codes) -> bool:
    return all(codes[feature] in chosen for feature, chosen in cube.items())


def _cube(search: Search, codes: Codes) -> FeatureCube:
    """A sufficient reason with as many codes for each feature as the decision allows.

    A code is added if the decision stays on all of the larger cube.
    """
    reason = sufficient(search, codes).features
    cube = {feature: (codes[feature],) for feature in reason}
    for feature in reason:
        described = search.domain.features[feature]
        if len(described.codes) == 2:
            continue
        steps = _steps(len(described.codes), codes[feature], ordered=described.ordered)
        for run in steps:
            for code in run:
                wider = {**cube, feature: tuple(sorted((*cube[feature], code)))}
                if _keeps(search, codes, wider):
                    cube = wider
                elif described.ordered:
                    break
    return cube


def _steps(count: int, code: int, *, ordered: bool) -> list[range]:
    """The other codes; of an ordered feature, upwards and downwards from this one."""
    if ordered:
        return [range(code + 1, count), range(code - 1, -1, -1)]
    return [range(code), range(code + 1, count)]


def _keeps(search: Search, codes: Codes, cube: FeatureCube) -> bool:
    """Whether all points of the cube have the decision of a point in it."""
    domain = search.domain
    features = list(domain.features)
    inner = list(codes)
    for k, chosen in cube.items():
        features[k] = replace(features[k], codes=features[k].codes[list(chosen)])
        inner[k] = chosen.index(codes[k])
    part = Search(search.network, Domain(tuple(features)), deadline=search.deadline)
    free = [k for k, feature in enumerate(features) if len(feature.codes) > 1]
    return part.change(tuple(inner), free) is None
