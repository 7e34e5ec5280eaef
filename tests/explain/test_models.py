"""Explanations of trees, networks and linear models, against all points of small domains."""

from __future__ import annotations

import itertools
import pickle
import time
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from flint import fmpq
from sklearn.ensemble import (
    AdaBoostClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import tamecheck as tc
from tamecheck.explain import ModelExplainer
from tamecheck.explain.attributes import Listed, Point
from tamecheck.explain.check_cells import clip
from tamecheck.explain.check_trees import LeadCheck
from tamecheck.explain.oracles import EnsembleOracle, Question, VerifyOracle
from tamecheck.explain.shares import shares_of

_MADE: tuple[Callable[[], Any], ...] = (
    lambda: DecisionTreeClassifier(max_depth=4, random_state=0),
    lambda: RandomForestClassifier(5, max_depth=3, random_state=0),
    lambda: GradientBoostingClassifier(n_estimators=3, max_depth=2, random_state=0),
    lambda: AdaBoostClassifier(n_estimators=3, random_state=0),
    lambda: make_pipeline(
        StandardScaler(), HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=3)
    ),
    lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    lambda: MLPClassifier((4,), solver="lbfgs", max_iter=2000, random_state=0),
)


@cache
def made(kind: int) -> ModelExplainer:
    """An estimator of a kind, on a group of three, a list, and integers."""
    rng = np.random.default_rng(kind)
    count = 80
    group = np.eye(3)[rng.integers(3, size=count)]
    rows = np.column_stack([group, rng.choice([-2, 0, 3], count), rng.integers(-1, 3, count)])
    scores = rows @ rng.normal(size=(5, 3)) + np.sin(rows @ rng.normal(size=(5, 3)) * 2)
    estimator = _MADE[kind]().fit(rows, np.argmax(scores, axis=1))
    found: Any = tc.Explainer(
        estimator,
        box=[(0, 1)] * 3 + [(-2, 3), (-1, 2)],
        one_hot={"colour": [0, 1, 2]},
        values={3: [-2, 0, 3]},
        integers=[4],
    )
    return found


def points(made: ModelExplainer) -> Iterator[Point]:
    """All points of the domain."""
    sides = (
        one.range.rows if isinstance(one.range, Listed) else [(Fraction(k),) for k in range(-1, 3)]
        for one in made.domain.items
    )
    return itertools.product(*sides)


class Table:
    """The classes of all points, for one of them."""

    def __init__(self, made: ModelExplainer, point: Point) -> None:
        self.classes = {p: made.decision.decide(made.domain.flat(p)) for p in points(made)}
        self.point, self.own = point, self.classes[point]
        self.features = range(len(point))

    def turns(self, free: Any, wanted: Callable[[Point, int], bool] | None = None) -> bool:
        """Whether some point differs in free features only and has another, or a wanted class."""
        test = wanted or (lambda _, known: known != self.own)
        return any(
            test(other, known)
            and all(other[k] == self.point[k] for k in self.features if k not in free)
            for other, known in self.classes.items()
        )

    def others(self, kept: Any) -> list[int]:
        """The features that are not kept."""
        return [k for k in self.features if k not in kept]

    def fewest(
        self, allowed: Any, wanted: Callable[[Point, int], bool] | None = None
    ) -> int | None:
        """The size of a smallest set of allowed features whose change does it."""
        sizes = range(1, len(allowed) + 1)
        sets = (one for size in sizes for one in itertools.combinations(allowed, size))
        return next((len(one) for one in sets if self.turns(one, wanted)), None)


@pytest.mark.parametrize("kind", range(len(_MADE)))
def test_answers_are_those_of_all_points(kind: int) -> None:
    explainer = made(kind)
    assert isinstance(explainer.oracle, EnsembleOracle if kind < 5 else VerifyOracle)
    number = {name: k for k, name in enumerate(explainer.domain.names)}
    for point in list(points(explainer))[kind::17]:
        table, x = Table(explainer, point), list(explainer.domain.flat(point))
        reason = explainer.abductive(x)
        kept = [number[name] for name in reason.names]
        assert reason.minimal
        assert reason.checked
        assert not table.turns(table.others(kept))
        assert all(table.turns([*table.others(kept), k]) for k in kept)
        smallest = explainer.abductive(x, smallest=True)
        smaller = itertools.combinations(table.features, smallest.size - 1) if smallest.size else ()
        assert all(table.turns(table.others(one)) for one in smaller)
        contrast = explainer.contrastive(x)
        assert (contrast and contrast.size) == table.fewest(table.features)
        if contrast is not None:
            other = explainer.domain.point(list(map(Fraction, contrast.witness)))
            assert table.classes[other] == contrast.other != table.own
            changed = {name for name, k in number.items() if other[k] != point[k]}
            assert changed == set(contrast.names)
        target = (table.own + 1) % explainer.decision.classes
        near = explainer.counterfactual(x, target=target, immutable=[0], increasing=[4])
        wanted = table.fewest([1, 2], partial(_rises, target, point))
        assert (near and near.distance) == wanted
        if near is not None:
            other = explainer.domain.point(list(map(Fraction, near.witness)))
            assert table.classes[other] == target == near.other
            assert other[2] >= point[2]


def _rises(target: int, point: Point, other: Point, known: int) -> bool:
    return known == target and other[2] >= point[2]


def test_all_reasons_are_found() -> None:
    explainer = made(1)
    for point in list(points(explainer))[::11]:
        table, x = Table(explainer, point), list(explainer.domain.flat(point))
        sets = [set(s) for n in range(4) for s in itertools.combinations(table.features, n)]
        enough = [s for s in sets if not table.turns(table.others(s))]
        minimal = [s for s in enough if not any(t < s for t in enough)]
        found = explainer.relevancy(x)
        assert found.complete
        assert found.checked
        assert found.reasons == len(minimal)


@pytest.mark.parametrize("kind", range(len(_MADE)))
def test_shares_are_those_of_all_points(kind: int) -> None:
    explainer = made(kind)
    found = shares_of(explainer)
    counted = Counter(
        explainer.decision.decide(explainer.domain.flat(p)) for p in points(explainer)
    )
    assert found.exact
    assert found.measure == "points"
    assert found.lower == tuple(counted[k] for k in range(explainer.decision.classes))
    assert found.rests_on == "recomputation"


def test_shares_of_trees_are_volumes() -> None:
    # above 0 on the right half of the square, and where y is at least 3/4
    tree = tc.expression("step(x - 1/2) + step(y - 3/4) - 1/2")
    explainer: Any = tc.Explainer(tree, box="0:1")
    assert isinstance(explainer.oracle, EnsembleOracle)
    found = shares_of(explainer)
    assert found.lower == found.upper == (Fraction(3, 8), Fraction(5, 8))
    assert found.rests_on == "recomputation"
    mixed: Any = tc.Explainer(tree, box="0:1", integers=["x"])
    assert shares_of(mixed).lower == (Fraction(3, 4), Fraction(5, 4))


def test_shares_of_networks_are_between_proved_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    # processor time, so that as much is done on a busy machine
    clock = SimpleNamespace(monotonic=time.process_time)
    monkeypatch.setattr("tamecheck.budget.time", clock)
    explainer: Any = tc.Explainer(tc.expression("max(x, 0) - y"), box="-1:1")
    found = shares_of(explainer, timeout=0.7)
    # x below 0 and y below 0, or x above 0 and y below x
    exact = Fraction(5, 2)
    assert found.lower[1] <= exact <= found.upper[1]
    assert found.upper[1] - found.lower[1] < 1
    assert found.rests_on == "outward rounding"
    with pytest.raises(tc.InputError, match="unbounded domain"):
        shares_of(tc.Explainer(tc.expression("max(x, 0) - y"), box="0:inf"))  # type: ignore[arg-type]


def test_intervals_are_explained_with_proofs() -> None:
    network = tc.expression("max(a - b, 0) - max(b - 2*c, 0) - 1/4")
    explainer: Any = tc.Explainer(network, box="0:1", names=["a", "b", "c"])
    assert explainer.decide([1, 0, 1]) == 1
    reason = explainer.abductive([1, 0, 1])
    assert str(reason) == "if a = 1 and b = 0 then class 1"
    assert reason.minimal
    assert reason.checked
    change = explainer.counterfactual([1, 0, 1], immutable=[1])
    assert change.names == ("a",)
    assert Fraction(change.witness[0]) <= Fraction(1, 4)
    assert explainer.contrastive([1, 0, 1]).size == 1
    assert explainer.counterfactual([1, 0, 1], immutable=[0, 1]) is None


def test_a_row_outside_and_a_domain_that_is_not_known_are_refused() -> None:
    explainer = made(0)
    with pytest.raises(tc.InputError, match=r"colour = .* is outside of the domain"):
        explainer.abductive([1, 1, 0, 0, 0])
    with pytest.raises(tc.InputError, match=r"x4 = 0\.5 is outside of the domain"):
        explainer.abductive([1, 0, 0, 0, 0.5])
    with pytest.raises(tc.InputError, match="domain is not known"):
        tc.Explainer(DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1]))


def test_the_check_refuses_what_does_not_hold() -> None:
    explainer = made(1)
    oracle = explainer.oracle
    assert isinstance(oracle, EnsembleOracle)
    check = LeadCheck(explainer.decision, explainer.domain, oracle.search.codes)
    assert check.is_domain()
    point = next(points(explainer))
    table = Table(explainer, point)
    everything = Question(point, tuple(table.features))
    assert table.turns(table.features)
    budget, allowed = oracle.budget, oracle.allowed(everything)
    rows = explainer.decision.others(table.own)
    assert not all(check.holds(allowed, row, [None], budget) for row in rows)
    assert not any(check.holds(allowed, row, [], budget) for row in rows)


@pytest.mark.parametrize("kind", [1, 5])
def test_explainers_are_pickled(kind: int) -> None:
    explainer = made(kind)
    x = list(explainer.domain.flat(next(points(explainer))))
    again = pickle.loads(pickle.dumps(explainer))
    assert again.abductive(x) == explainer.abductive(x)


def test_numbers_of_any_size_are_told() -> None:
    explainer = made(0)
    with pytest.raises(tc.InputError, match=r"e\+400 is outside"):
        explainer.abductive([1, 0, 0, 0, 10**400])
    with pytest.raises(tc.InputError, match="no real number"):
        explainer.abductive([1, 0, 0, 0, float("nan")])


def test_parts_of_an_interval_are_those_of_its_points() -> None:
    def inside(x: fmpq, pair: Any) -> bool:
        low, high, opens, closes = pair
        above = low is None or x > low or (x == low and opens)
        return above and (high is None or x < high or (x == high and closes))

    ends = [None, fmpq(-1), fmpq(0), fmpq(1)]
    for low, high, opens, closes in itertools.product(ends, ends, (True, False), (True, False)):
        pair = (low, high, opens, closes)
        for at, sides in itertools.product(map(fmpq, (-1, 0, 1)), ((-1,), (0,), (1,), (-1, 0))):
            found = clip(pair, at, frozenset(sides))
            for x in (fmpq(k, 2) for k in range(-4, 5)):
                wanted = inside(x, pair) and (x > at) - (x < at) in sides
                assert wanted == any(inside(x, part) for part in found)


def test_out_of_time_the_reason_is_still_sufficient() -> None:
    explainer = made(6)
    x = list(explainer.domain.flat(next(points(explainer))))
    reason = explainer.abductive(x, timeout=1e-9)
    assert not reason.minimal
    assert reason.size == 3
