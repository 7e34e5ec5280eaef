"""Subset-minimal reasons, and the completions next to the decision boundary that they rest on."""

from itertools import product

import numpy as np
import pytest
from corpus import threshold_network

import tamecheck as tc
from tamecheck.errors import UnsupportedError
from tamecheck.explain import Explainer
from tamecheck.explain.reasons import changeable, sufficient
from tamecheck.explain.search import Look, Search

GROUPS = ({}, {"one_hot": {"colour": [1, 2, 4]}, "thermometer": {"age": [0, 5, 7]}})


def search_of(seed, inputs, width, depth):
    """A search in a random network that has a hidden layer, and a random input."""
    rng = np.random.default_rng(seed)
    network = threshold_network(rng, inputs, [width] * depth, 3, weights=3, readout=3, low=0)
    domain = Explainer(network, **GROUPS[seed % 2]).domain
    codes = tuple(int(rng.integers(len(f.codes))) for f in domain.features)
    return Search(network, domain), codes


def reaches_another(search, codes, free):
    """Whether some completion of the free features has another class, by all completions."""
    options = [
        range(len(f.codes)) if k in set(free) else [codes[k]]
        for k, f in enumerate(search.domain.features)
    ]
    rows = np.array(list(product(*options)))
    return bool((search.classes(rows) != search.decide(codes)).any())


@pytest.mark.parametrize("seed", range(24))
def test_a_feature_said_to_be_needed_changes_the_decision(seed):
    search, codes = search_of(seed, inputs=9, width=6, depth=1 + seed % 3)
    boundary = search.boundary(codes)
    free, undecided = [], list(changeable(search))
    rng = np.random.default_rng(seed)
    for feature in rng.permutation(undecided).tolist():
        others = [k for k in undecided if k not in free]
        found, near = boundary.needed(others)
        assert set(found) | set(near) == set(others)
        assert not set(found) & set(near)
        if free:
            found |= boundary.search(others)
        for k, beside in found.items():
            assert beside <= set(free)
            assert reaches_another(search, codes, [*beside, k])
        if not reaches_another(search, codes, [*free, feature]):
            boundary.free([feature])
            free.append(feature)
        else:
            other = search.change(codes, [*free, feature])
            assert other is not None
            boundary.prefer(other)
    if not free:
        # nothing is free, so only single changes are tried, and all of them
        alone = {k for k in undecided if reaches_another(search, codes, [k])}
        assert set(boundary.needed(undecided)[0]) == alone


def check_minimal(search, codes, features):
    free = [k for k in changeable(search) if k not in features]
    assert not reaches_another(search, codes, free)
    for k in features:
        assert reaches_another(search, codes, [*free, k])


@pytest.mark.parametrize("seed", range(12))
def test_reasons_of_networks_with_many_free_features_are_minimal(seed):
    search, codes = search_of(seed, inputs=18, width=9, depth=1 + seed % 2)
    found = sufficient(search, codes)
    assert not found.doubtful
    check_minimal(search, codes, found.features)


def test_features_to_be_kept_are_given_up_last():
    kept = 0
    for seed in range(20):
        search, codes = search_of(seed, inputs=9, width=6, depth=seed % 3)
        rng = np.random.default_rng(seed)
        keep = rng.permutation(changeable(search))[:3].tolist()
        found = sufficient(search, codes, keep=keep)
        check_minimal(search, codes, found.features)
        # the last of them is in the reason only if it is needed beside all that are not to be kept
        free = [k for k in changeable(search) if k not in found.features]
        for place, k in enumerate(keep):
            if k in found.features:
                before = [f for f in free if f not in keep[:place]]
                assert reaches_another(search, codes, [*before, k])
                kept += 1
    assert kept > 10


@pytest.mark.parametrize("seed", range(16))
def test_what_is_given_up_on_trial_is_proved_or_taken_back(seed, monkeypatch):
    # no proof is brief, so everything is settled on trial, and short runs take features back
    monkeypatch.setattr("tamecheck.explain.reasons._BRIEF", -1)
    monkeypatch.setattr("tamecheck.explain.reasons._PATIENT", 3 + seed)
    monkeypatch.setattr(Search, "look", lambda *_, **__: Look())
    search, codes = search_of(seed, inputs=12, width=8, depth=1 + seed % 2)
    found = sufficient(search, codes)
    assert not found.doubtful
    check_minimal(search, codes, found.features)


def test_weights_that_multipliers_cannot_hold_are_settled_one_by_one(monkeypatch):
    def refused(*_):
        raise UnsupportedError("Weights are too large.")

    brief = []
    look = Search.look

    def patient(self, codes, free, *, but=(), nodes=float("inf")):
        brief.append(nodes)
        return look(self, codes, free, but=but) if nodes == float("inf") else Look()

    monkeypatch.setattr(Search, "proof", refused)
    monkeypatch.setattr(Search, "look", patient)
    for seed in range(8):
        search, codes = search_of(seed, inputs=9, width=6, depth=1)
        found = sufficient(search, codes)
        assert not found.doubtful
        check_minimal(search, codes, found.features)
    assert float("inf") in brief


@pytest.mark.parametrize("text", ["sign(a + b + 10)", "sign(sign(a + b + 10) + sign(a - b + 10))"])
def test_a_decision_that_nothing_changes_has_the_empty_reason(text):
    found = Explainer(tc.expression(text), (-1, 1)).abductive([1, 1])
    assert found.features == ()
    assert found.minimal
