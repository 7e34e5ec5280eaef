"""Decision rules of a binarized network: exact over the whole domain, or with a proved share."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.budget import Budget
from tamecheck.errors import InputError, SolverError, TimeLimitError
from tamecheck.explain.check import RECOMPUTED, Recomputation, confirm
from tamecheck.explain.cubes import cover, is_cover, union_of
from tamecheck.explain.domain import Domain
from tamecheck.explain.networks import described, network_of, occurring_network
from tamecheck.explain.reasons import sufficient
from tamecheck.explain.row_reader import RowReader
from tamecheck.explain.rules_result import DecisionRules, Rule, holding
from tamecheck.explain.search import Codes, Search
from tamecheck.explain.tables import decision_table, grid_of
from tamecheck.explain.words import Vocabulary, condition, conjunction
from tamecheck.ir.tensor import Array

__all__ = [
    "MAX_TABLE",
    "PointCubes",
    "cubes_of_points",
    "get_rules",
    "rules_of_points",
    "rules_of_table",
]

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
    search = Search(network, domain, budget=Budget(deadline), seed=seed)
    cubes: list[tuple[FeatureCube, int]] = []
    for states in points:
        codes = domain.codes(states)
        if len(cubes) >= most:
            break
        if any(_holds(cube, codes) for cube, _ in cubes):
            continue
        try:
            cubes.append((_cube(search, codes), search.decide(codes)))
        except TimeLimitError:
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
    part = Search(search.network, Domain(tuple(features)), budget=search.budget)
    free = [k for k, feature in enumerate(features) if len(feature.codes) > 1]
    return part.change(tuple(inner), free) is None


MAX_TABLE = 2**22
"""A domain of at most this many points gets exact rules."""

_SAMPLES, _MOST = 200, 20_000


def get_rules(  # noqa: PLR0913  # what can be said about a domain, each by its name
    model: Any,
    domain: Domain | tuple[Any, Any] | None = None,
    *,
    names: Sequence[str] | None = None,
    one_hot: Mapping[str, Sequence[int]] | None = None,
    thermometer: Mapping[str, Sequence[int]] | None = None,
    binariser: Any = None,
    classes: Sequence[Any] | None = None,
    data: Any = None,
    most: int = 20_000,
    timeout: float | None = None,
    seed: int = 0,
) -> DecisionRules:
    """The decisions of a binarized network as if-then rules.

    Parameters
    ----------
    model
        A `tamecheck.Model`, a `ThresholdNetwork`, a fitted estimator of `tamecheck.learn`, or a
        pipeline of a `Binariser` and such an estimator.
    domain
        What can occur: a `Domain`, or the two levels of each input; None where they are known, see
        `tamecheck.explain.Explainer`.
    names, one_hot, thermometer
        As in `tamecheck.explain.domain.domain_of`.
    binariser
        A fitted `Binariser`, for words and groups.
    classes
        A label for each class; that of the estimator if None.
    data
        Rows of inputs, or of a pipeline's features: their decisions get rules first where the
        domain is large.
    most
        The most rules.
    timeout
        Seconds after which the rules found so far are returned, with the share that is proved.
    seed
        Of all random choices.

    Returns
    -------
    DecisionRules
        With ``faithful == "exact"`` if the domain has at most `MAX_TABLE` points and the rules
        fit in the limits.

    Raises
    ------
    UnsupportedError
        If the model is no binarized network.
    InputError
        If the domain does not fit the model.
    """
    about = described(model)
    if binariser is not None:
        about = replace(about, schema=binariser.schema())
    if classes is None and about.classes:
        classes = about.classes
    labels = None if classes is None else tuple(map(str, classes))
    if isinstance(domain, Domain):
        network = network_of(about.model)
    else:
        network = occurring_network(about, domain)
    rows = None
    if data is not None:
        reader = RowReader(about.schema, None if names is None else tuple(names), about.encoded)
        rows = reader.points(data)
    if not isinstance(domain, Domain):
        told = any(given is not None for given in (names, one_hot, thermometer))
        known = about.schema is not None and (binariser is not None or about.encoded or not told)
        said = Vocabulary.of(about.schema) if known and about.schema is not None else Vocabulary()
        domain = said.domain(network, names, one_hot=one_hot, thermometer=thermometer)
    if labels is not None and len(labels) != network.classes:
        raise InputError(f"{len(labels)} labels for {network.classes} classes.")
    deadline = float("inf") if timeout is None else time.monotonic() + timeout
    states = None if rows is None else network.states(rows)
    if domain.size <= MAX_TABLE:
        return rules_of_table(
            network, domain, labels, states=states, most=most, deadline=deadline, seed=seed
        )
    return rules_of_points(
        network, domain, labels, states=states, most=most, deadline=deadline, seed=seed
    )


def rules_of_table(  # noqa: PLR0913  # the limits are the caller's
    network: ThresholdNetwork,
    domain: Domain,
    classes: Sequence[str] | None = None,
    *,
    states: Array | None = None,
    most: int = 20_000,
    deadline: float = float("inf"),
    seed: int = 0,
) -> DecisionRules:
    """Rules from the decisions of all points: an irredundant cover by prime cubes a class.

    The rules are compared with the decisions cell by cell before they are returned.
    """
    varying = [k for k, f in enumerate(domain.features) if len(f.codes) > 1]
    table = decision_table(network, domain, limit=MAX_TABLE)
    grid = grid_of(domain, table)
    rules: list[Rule] = []
    exact, left = True, max(most, _MOST)
    for decision in range(network.classes):
        inside = np.asarray(grid.table == decision)
        found = cover(inside, grid.ordered, seed=seed, most=left, deadline=deadline)
        if found.complete and not is_cover(found.cubes, inside):
            raise SolverError("The rules of a class are not its points.", hint="Please report it.")
        exact, left = exact and found.complete, max(left - len(found.cubes), 0)
        made = [_rule(domain, grid.cube(cube), decision, classes) for cube in found.cubes]
        rules += sorted(made, key=lambda rule: -rule.coverage)
    if len(rules) > most:
        rules, exact = _foremost(rules, domain, states, most), False
    # a second reading of the decisions, point by point, is what the rules are held against
    covered = _covered(rules, Recomputation(network, domain).table(), varying)
    default = None if exact else _rest(table, rules, varying)
    return DecisionRules(
        rules=tuple(rules),
        domain=domain,
        classes=_labels(network, classes),
        covered=covered,
        default=default,
        fidelity=_measured(network, domain, rules, default, states),
        grid=grid,
        seed=seed,
        rests_on=RECOMPUTED,
    )


def _foremost(rules: Sequence[Rule], domain: Domain, states: Array | None, most: int) -> list[Rule]:
    """The rules that hold for most rows of the data, or else for most of the domain."""
    hits = [0] * len(rules)
    if states is not None:
        hits = [int(np.count_nonzero(holding(rule, domain, states))) for rule in rules]
    order = sorted(range(len(rules)), key=lambda k: (-hits[k], -rules[k].coverage, k))
    return [rules[k] for k in sorted(order[:most])]


def _rule(
    domain: Domain,
    cube: Mapping[int, Sequence[int]],
    decision: int,
    classes: Sequence[str] | None,
) -> Rule:
    conditions = tuple(condition(k, domain.features[k], codes) for k, codes in cube.items())
    share = Fraction(1)
    for part in conditions:
        share *= Fraction(len(part.codes), len(domain.features[part.feature].codes))
    label = str(decision) if classes is None else classes[decision]
    return Rule(
        conjunction(conditions), decision, share, exact=True, conditions=conditions, label=label
    )


def _labels(network: ThresholdNetwork, classes: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(map(str, range(network.classes))) if classes is None else tuple(classes)


def _where(rule: Rule, varying: Sequence[int], shape: tuple[int, ...]) -> Any:
    chosen = [np.arange(size) for size in shape]
    for part in rule.conditions:
        chosen[varying.index(part.feature)] = np.array(part.codes)
    return np.ix_(*chosen) if chosen else ()


def _covered(rules: Sequence[Rule], table: Array, varying: Sequence[int]) -> Fraction:
    """The share of points in a rule; every rule is compared with the decisions of its points."""
    reached = np.zeros(table.shape, dtype=np.bool_)
    for rule in rules:
        where = _where(rule, varying, table.shape)
        if bool((table[where] != rule.then).any()):
            raise SolverError(f"A rule does not hold: {rule.if_}.", hint="Please report it.")
        reached[where] = True
    return Fraction(int(np.count_nonzero(reached)), table.size)


def _rest(table: Array, rules: Sequence[Rule], varying: Sequence[int]) -> int:
    """The most frequent class of the points in no rule."""
    left = np.ones(table.shape, dtype=np.bool_)
    for rule in rules:
        left[_where(rule, varying, table.shape)] = False
    return int(np.bincount(table[left]).argmax())


def rules_of_points(  # noqa: PLR0913  # the limits are the caller's
    network: ThresholdNetwork,
    domain: Domain,
    classes: Sequence[str] | None = None,
    *,
    states: Array | None = None,
    most: int = 20_000,
    deadline: float = float("inf"),
    seed: int = 0,
) -> DecisionRules:
    """Rules from subset-minimal sufficient reasons of the decisions at some points.

    Each rule holds for every point of the domain in it; the share of the domain in the union of
    the rules is counted exactly, or from below.

    Parameters
    ----------
    states
        The points, in rows of -1 and 1; some random ones of the domain if None.
    """
    points = _sampled(domain, seed) if states is None else states
    found = cubes_of_points(network, domain, points, most=most, deadline=deadline, seed=seed)
    made = [_rule(domain, cube, decision, classes) for cube, decision in found.cubes]
    rules = sorted(made, key=lambda rule: (rule.then, -rule.coverage))
    counts = np.bincount(network.decide(points), minlength=network.classes)
    default = None if found.covered == 1 else int(counts.argmax())
    holds = Recomputation(network, domain).are_rules(
        found.cubes, int(found.covered * domain.size), deadline=deadline
    )
    return DecisionRules(
        rules=tuple(rules),
        domain=domain,
        classes=_labels(network, classes),
        covered=found.covered,
        default=default,
        fidelity=_measured(network, domain, rules, default, states),
        rests_on=confirm(holds, "these rules", "search"),
    )


def _sampled(domain: Domain, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    sizes = [len(f.codes) for f in domain.features]
    return np.stack([domain.states(rng.integers(sizes).tolist()) for _ in range(_SAMPLES)])


def _measured(
    network: ThresholdNetwork,
    domain: Domain,
    rules: Sequence[Rule],
    default: int | None,
    states: Array | None,
) -> float | None:
    """The share of the rows on which the rules say what the network does."""
    if states is None:
        return None
    if not len(states):
        raise InputError("The data has no rows.")
    said = DecisionRules(tuple(rules), domain, (), Fraction(0), default, None).decide(states)
    return float((said == network.decide(states)).mean())
