"""Decision rules of a binarized network: exact over the whole domain, or with a proved share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.budget import Budget
from tamecheck.errors import InputError, SolverError, TimeLimitError
from tamecheck.explain.check import RECOMPUTED, Recomputation, confirm
from tamecheck.explain.constraints import constrain
from tamecheck.explain.cubes import cover, is_cover, union_of
from tamecheck.explain.domain import Domain
from tamecheck.explain.joint import deciding_for
from tamecheck.explain.networks import describe, network_of, occurring_network
from tamecheck.explain.reasons import sufficient
from tamecheck.explain.row_reader import RowReader
from tamecheck.explain.rules_result import DecisionRules, Rule, holding
from tamecheck.explain.search import Codes, Search
from tamecheck.explain.sketches import random_codes
from tamecheck.explain.tables import decision_table, grid_of
from tamecheck.explain.words import Vocabulary, condition, conjunction
from tamecheck.ir.tensor import Array

MAX_TABLE = 2**22
"""A domain of at most this many points gets exact rules."""

_SAMPLES, _MOST = 200, 20_000
_POINTS_A_SECOND = 2**18

FeatureCube = Mapping[int, tuple[int, ...]]


def get_rules(  # noqa: PLR0913  # what can be said about a domain, each by its name
    model: Any,
    domain: Domain | tuple[Any, Any] | None = None,
    *,
    names: Sequence[str] | None = None,
    one_hot: Mapping[str, Sequence[int]] | None = None,
    thermometer: Mapping[str, Sequence[int]] | None = None,
    binariser: Any = None,
    classes: Sequence[Any] | None = None,
    constraints: Sequence[str] = (),
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
    constraints
        What cannot occur, such as ``"a implies b"``, in the domain's words.
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
    about = describe(model)
    if binariser is not None:
        about = replace(about, schema=binariser.schema())
    if classes is None and about.classes:
        classes = about.classes
    if isinstance(domain, Domain):
        network = network_of(about.model)
    else:
        network = occurring_network(about, domain)
    states = None
    if data is not None:
        reader = RowReader(about.schema, None if names is None else tuple(names), about.encoded)
        states = network.states(reader.points(data))
    if not isinstance(domain, Domain):
        told = any(given is not None for given in (names, one_hot, thermometer))
        known = about.schema is not None and (binariser is not None or about.encoded or not told)
        said = Vocabulary.of(about.schema) if known and about.schema is not None else Vocabulary()
        domain = said.domain(network, names, one_hot=one_hot, thermometer=thermometer)
    if constraints:
        domain = constrain(domain, constraints, network, names)
    labels = tuple(map(str, range(network.classes) if classes is None else classes))
    if len(labels) != network.classes:
        raise InputError(f"{len(labels)} labels for {network.classes} classes.")
    task = RuleTask(network, domain, labels, states, most, Budget.of(timeout), seed)
    visited = min(MAX_TABLE, task.budget.seconds * _POINTS_A_SECOND)
    return (rules_of_table if domain.product.size <= visited else rules_of_points)(task)


@dataclass(frozen=True, slots=True, eq=False)
class RuleTask:
    """What rules are asked for: of a network on a domain, at most so many.

    ``states`` are rows of data, and ``seed`` that of all random choices.
    """

    network: ThresholdNetwork
    domain: Domain
    classes: tuple[str, ...]
    states: Array | None = None
    most: int = _MOST
    budget: Budget = field(default_factory=Budget)
    seed: int = 0

    def rules(self, cubes: Iterable[FeatureCube], decision: int) -> list[Rule]:
        """The rules of a class, the widest first."""
        made: list[Rule] = []
        for cube in cubes:
            features = self.domain.features
            conditions = tuple(condition(k, features[k], codes) for k, codes in cube.items())
            allowed = [cube.get(k, range(len(f.codes))) for k, f in enumerate(features)]
            share = Fraction(self.domain.points_in(allowed), self.domain.size)
            text, label = conjunction(conditions), self.classes[decision]
            made.append(Rule(text, decision, share, True, conditions, label))  # noqa: FBT003
        return sorted(made, key=lambda rule: -rule.coverage)

    def result(
        self, rules: Sequence[Rule], covered: Fraction, default: int | None, rests_on: str
    ) -> DecisionRules:
        """The rules as a value, measured on the data."""
        rated = DecisionRules(
            tuple(rules), self.domain, self.classes, covered, default, None, rests_on=rests_on
        )
        if self.states is None:
            return rated
        if not len(self.states):
            raise InputError("The data has no rows.")
        agrees = rated.decide(self.states) == self.network.decide(self.states)
        return replace(rated, fidelity=float(agrees.mean()))


def rules_of_table(task: RuleTask) -> DecisionRules:
    """Rules from the decisions of all points: an irredundant cover by prime cubes a class.

    The rules are compared with the decisions cell by cell before they are returned.
    """
    network, domain = task.network, task.domain
    table = decision_table(network, domain, MAX_TABLE)
    grid = grid_of(domain, table)
    free = ~grid.possible
    rules: list[Rule] = []
    exact, left = True, max(task.most, _MOST)
    for decision in range(network.classes):
        inside = np.asarray(grid.table == decision)
        found = cover(
            inside,
            grid.ordered,
            free=free,
            seed=task.seed,
            most=left,
            deadline=task.budget.deadline,
        )
        if found.complete and not is_cover(found.cubes, inside, free):
            raise SolverError("The rules of a class are not its points.", hint="Please report it.")
        exact, left = exact and found.complete, max(left - len(found.cubes), 0)
        rules += task.rules(map(grid.cube, found.cubes), decision)
    if len(rules) > task.most:
        rules, exact = _foremost(rules, task), False
    # a second reading of the decisions, point by point, is what the rules are held against
    varying = [k for k, f in enumerate(domain.features) if len(f.codes) > 1]
    again = Recomputation(network, domain).table()
    reached = _points_in(rules, again, varying)
    covered = Fraction(int(np.count_nonzero(reached)), domain.size)
    left_over = again[~reached & (again >= 0)]
    default = None if exact or not left_over.size else int(np.bincount(left_over).argmax())
    made = task.result(rules, covered, default, RECOMPUTED)
    return replace(made, grid=grid, seed=task.seed)


def _foremost(rules: Sequence[Rule], task: RuleTask) -> list[Rule]:
    """The rules that hold for most rows of the data, or else for most of the domain."""
    hits = [0] * len(rules)
    if task.states is not None:
        hits = [int(np.count_nonzero(holding(rule, task.domain, task.states))) for rule in rules]
    order = sorted(range(len(rules)), key=lambda k: (-hits[k], -rules[k].coverage, k))
    return [rules[k] for k in sorted(order[: task.most])]


def _points_in(rules: Sequence[Rule], table: Array, varying: Sequence[int]) -> Array:
    """The points in a rule; every rule is compared with the decisions of its points.

    What cannot occur has the decision -1, and is in none.
    """
    reached = np.zeros(table.shape, dtype=np.bool_)
    for rule in rules:
        chosen: list[Array] = [np.arange(size) for size in table.shape]
        for part in rule.conditions:
            chosen[varying.index(part.feature)] = np.array(part.codes)
        where: Any = np.ix_(*chosen) if chosen else ()
        if bool(((table[where] != rule.then) & (table[where] >= 0)).any()):
            raise SolverError(f"A rule does not hold: {rule.if_}.", hint="Please report it.")
        reached[where] = True
    return reached & (table >= 0)


def rules_of_points(task: RuleTask) -> DecisionRules:
    """Rules from subset-minimal sufficient reasons of the decisions at the data, or random points.

    Each rule holds for every point of the domain in it; the share of the domain in the union of
    the rules is counted exactly, or from below.
    """
    network, domain = task.network, task.domain
    points = task.states
    if points is None:
        rng = np.random.default_rng(task.seed)
        points = np.stack([domain.states(c) for c in random_codes(domain, _SAMPLES, rng).tolist()])
    cubes = _cubes_of_points(task, points)
    sizes = [len(group.codes) for group in domain.groups]
    union = union_of([_mask(domain, cube) for cube, _ in cubes], sizes)
    covered = Fraction(union.size, domain.size)
    rules = [
        rule
        for decision in range(network.classes)
        for rule in task.rules((cube for cube, then in cubes if then == decision), decision)
    ]
    counts = np.bincount(network.decide(points), minlength=network.classes)
    default = None if covered == 1 else int(counts.argmax())
    holds = Recomputation(network, domain).are_rules(
        cubes, int(covered * domain.size), deadline=task.budget.deadline
    )
    return task.result(rules, covered, default, confirm(holds, "these rules", "search"))


def _cubes_of_points(task: RuleTask, points: Array) -> list[tuple[FeatureCube, int]]:
    """A cube with its class for each point that lies in none yet, until a limit is reached."""
    searches: dict[int, Search] = {}
    cubes: list[tuple[FeatureCube, int]] = []
    for states in points:
        codes = task.domain.codes(states)
        if len(cubes) >= task.most:
            break
        if any(all(codes[k] in chosen for k, chosen in cube.items()) for cube, _ in cubes):
            continue
        decision = int(task.network.decide(states[np.newaxis])[0])
        if decision not in searches:
            network = deciding_for(task.network, task.domain, decision)
            domain, budget = task.domain.product, task.budget
            searches[decision] = Search(network, domain, budget=budget, seed=task.seed)
        try:
            cubes.append((_cube(searches[decision], codes), decision))
        except TimeLimitError:
            break
    return cubes


def _mask(domain: Domain, cube: FeatureCube) -> dict[int, int]:
    """The combinations of each group of features that a cube restricts, as bits."""
    allowed = [cube.get(k, range(len(f.codes))) for k, f in enumerate(domain.features)]
    found: dict[int, int] = {}
    for place, group in enumerate(domain.groups):
        if any(k in cube for k in group.features):
            inside = np.ones(len(group.codes), dtype=np.bool_)
            for column, k in zip(group.codes.T, group.features, strict=True):
                inside &= np.isin(column, allowed[k])
            found[place] = sum(1 << int(bit) for bit in np.flatnonzero(inside))
    return found


def _cube(search: Search, codes: Codes) -> FeatureCube:
    """A sufficient reason with as many codes for each feature as the decision allows.

    A code is added if the decision stays on all of the larger cube; those of an ordered feature
    are tried upwards and downwards.
    """
    reason = sufficient(search, codes).features
    cube = {feature: (codes[feature],) for feature in reason}
    for feature in reason:
        described, code = search.domain.features[feature], codes[feature]
        count = len(described.codes)
        if count == 2:
            continue
        down = range(code - 1, -1, -1) if described.ordered else range(code)
        up = range(code + 1, count)
        for run in (up, down) if described.ordered else (down, up):
            for other in run:
                wider = {**cube, feature: tuple(sorted((*cube[feature], other)))}
                if _keeps(search, codes, wider):
                    cube = wider
                elif described.ordered:
                    break
    return cube


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
