"""Counts by merging what a network cannot tell apart, beside counts one by one."""

import itertools
import json
import time
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from corpus import threshold_network

from tamecheck.binarized import ThresholdLayer, ThresholdNetwork
from tamecheck.cli import main
from tamecheck.explain import count, count_within, domain_of, merging
from tamecheck.explain.check import Recomputation
from tamecheck.explain.counts import count_bounds
from tamecheck.explain.tables import sums_of


def network(rng, inputs, *, hidden=(3,), classes=2, largest=2):
    return threshold_network(rng, inputs, hidden, classes, weights=largest, thresholds=3)


@pytest.mark.parametrize("seed", range(12))
def test_counts_are_those_of_all_points(seed):
    rng = np.random.default_rng(seed)
    hidden = [(), (2,), (4,), (5, 3)][seed % 4]
    made = network(rng, 9, hidden=hidden, classes=2 + seed % 3)
    domain = domain_of(made, one_hot={"a": (0, 1, 2)}, thermometer={"b": (3, 4)})
    found = count_bounds(made, domain)
    assert found.exact
    assert list(found.lower) == count(made, domain)
    some = [tuple(range(1, len(f.codes))) for f in domain.features]
    assert list(count_bounds(made, domain, some).lower) == count(made, domain, some)
    assert count_bounds(made, domain, [(), *some[1:]]).lower == (0,) * made.classes


@pytest.mark.parametrize("points", [1, 12, 4096])
def test_blocks_of_points_are_counted_like_points(monkeypatch, points):
    monkeypatch.setattr(merging, "_POINTS", points)
    for seed in range(30):
        rng = np.random.default_rng(seed)
        hidden = [(1,), (2,), (6,), (5, 3)][seed % 4]
        made = network(rng, 9, hidden=hidden, classes=2 + seed % 4)
        domain = domain_of(made, one_hot={"a": (0, 1, 2)}, thermometer={"b": (3, 4)})
        codes = list(itertools.product(*(range(len(f.codes)) for f in domain.features)))
        decided = made.decide(np.array([domain.states(row) for row in codes]))
        want = np.bincount(decided, minlength=made.classes).tolist()
        assert list(count_bounds(made, domain).lower) == want
        assert Recomputation(made, domain).counts() == want


@pytest.mark.parametrize("steps", [1, 7, 2**13])
def test_bounds_of_rows_that_stay_open_are_true(monkeypatch, steps):
    """Proved by the shares of sums: something of most networks, and never too much."""
    monkeypatch.setattr(merging, "_STEPS", steps)
    known = Fraction(0)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        made = network(
            rng, 9, hidden=[(1,), (3,), (5, 3)][seed % 3], classes=2 + seed % 2, largest=9
        )
        domain = domain_of(made, one_hot={"a": (0, 1, 2)}, thermometer={"b": (3, 4)})
        true = count(made, domain)
        parts = sums_of(made, domain, [range(len(f.codes)) for f in domain.features])
        tree, done = merging.Merging(made, parts, [[1] * len(p) for p in parts]), [0] * made.classes
        rows = [merging.Rows(0, np.zeros((1, tree.width), dtype=np.int64), np.array([1]))]
        for _ in range(seed % 4):
            rows = [part for one in rows for part in tree.settle(tree.extend(one), done)]
        tree.settle_tails([one for one in rows if len(one.sums)], done)
        assert all(low <= have for low, have in zip(done, true, strict=True))
        known += Fraction(sum(done), domain.size)
        late = count_bounds(made, domain, deadline=time.monotonic() - 1)
        pairs = zip(late.lower, true, late.upper, strict=True)
        assert all(low <= have <= high for low, have, high in pairs)
    assert known > 5


def test_no_diagram_is_made_of_many_neurons():
    made = network(np.random.default_rng(0), 5, hidden=(merging.MOST_NEURONS + 1,))
    assert merging.diagram_after(made) is None
    assert list(count_bounds(made, domain_of(made)).lower) == count(made, domain_of(made))


def majorities(inputs):
    """Class 1 where most of the inputs are high, and most of the first half too."""
    weights = np.ones((2, inputs), dtype=np.int64)
    weights[1, inputs // 2 :] = 0
    levels = (Fraction(-1),) * inputs, (Fraction(1),) * inputs
    layer = ThresholdLayer(weights, np.ones(2, dtype=np.int64))
    readout = np.array([[-1, -1], [1, 1]])
    return ThresholdNetwork(*levels, (layer,), readout, np.array([0, -2]))


def by_hand(inputs):
    half = inputs // 2
    return sum(
        comb(half, first) * comb(inputs - half, rest)
        for first, rest in itertools.product(range(half + 1), range(inputs - half + 1))
        if 2 * first > half and 2 * (first + rest) > inputs
    )


@pytest.mark.parametrize("inputs", [31, 64, 101])
def test_more_points_than_can_be_visited(inputs):
    """Binomial sums say how many; with more than 62 inputs numbers exceed 64 bits."""
    made = majorities(inputs)
    found = count_within(made, domain_of(made))
    assert found.exact
    assert found.lower[1] == by_hand(inputs)
    assert sum(found.lower) == 2**inputs


def test_what_is_done_in_time_gives_bounds():
    made = network(np.random.default_rng(0), 16, hidden=(12,))
    domain = domain_of(made)
    true = count(made, domain)
    late = count_bounds(made, domain, deadline=time.monotonic())
    assert late.open == 2**16
    assert late.upper == (2**16, 2**16)
    # stopped by a clock that says so after some steps
    for steps in (5, 20, 60):
        found = stopped_after(made, domain, steps)
        assert sum(found.lower) + found.open == 2**16
        assert all(a <= n <= b for a, n, b in zip(found.lower, true, found.upper, strict=True))


def stopped_after(made, domain, steps):
    ticks = itertools.count()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: next(ticks))
        return count_bounds(made, domain, deadline=steps)


def test_many_rows_are_finished_one_by_one(monkeypatch):
    """The counts do not depend on how rows are split and in which order they are taken."""
    made = network(np.random.default_rng(1), 12, hidden=(6, 3), classes=3)
    monkeypatch.setattr("tamecheck.explain.merging._CELLS", 60)
    monkeypatch.setattr("tamecheck.explain.counts._KEPT", 200)
    assert list(count_bounds(made, domain_of(made)).lower) == count(made, domain_of(made))


def test_weights_too_large_for_one_number_are_not_merged():
    made = network(np.random.default_rng(2), 8, hidden=(5,), largest=2**20)
    assert list(count_bounds(made, domain_of(made)).lower) == count(made, domain_of(made))


def test_the_verb_counts_without_visiting(capsys):
    text = " + ".join(f"x{i}" for i in range(40))
    assert main(["count", "--expr", f"sign({text})", "--domain", "-1,1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    # an even number of inputs may tie, and 0 is not positive
    assert found["counts"][1] == (2**40 - comb(40, 20)) // 2
    assert found["total"] == 2**40


def test_the_verb_says_what_it_knows_when_time_is_over(capsys, tmp_path):
    from tamecheck.learn import BinarizedNetwork as Learnt
    from tamecheck.learn import Layer

    rng = np.random.default_rng(3)
    made = Learnt(
        (
            Layer(rng.choice([-1.0, 1.0], (50, 24)), np.zeros(24)),
            Layer(rng.choice([-1.0, 1.0], (24, 3)), np.zeros(3)),
        )
    )
    file = str(tmp_path / "wide.json")
    made.to_model().save(file)
    assert main(["count", file, "--domain", "-1,1", "--timeout", "0.2", "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert (found["total"], found["counts"]) == (2**50, None)
    assert sum(found["lower"]) <= 2**50 <= sum(found["upper"])
    assert main(["count", file, "--domain", "-1,1", "--timeout", "0.2"]) == 3
    assert "unknown: out of time, with proved bounds" in capsys.readouterr().out
