"""Subset-minimal reasons, and the completions next to the decision boundary that they rest on."""

from itertools import pairwise, product

import numpy as np
import pytest

from tamecheck.binarized import BinarizedNetwork, ThresholdLayer
from tamecheck.explain import Explainer
from tamecheck.explain.abductive import changeable
from tamecheck.explain.deletion import sufficient
from tamecheck.explain.search import Search

GROUPS = ({}, {"one_hot": {"colour": [1, 2, 4]}, "thermometer": {"age": [0, 5, 7]}})


def search_of(seed, inputs, width, depth):
    """A search in a random network that has a hidden layer, and a random input."""
    rng = np.random.default_rng(seed)
    widths = [inputs, *[width] * depth]
    layers = tuple(
        ThresholdLayer(rng.integers(-3, 4, size=(after, before)), rng.integers(-2, 3, size=after))
        for before, after in pairwise(widths)
    )
    readout = rng.integers(-3, 4, size=(3, widths[-1]))
    offsets = rng.integers(-2, 3, size=3)
    network = BinarizedNetwork((0,) * inputs, (1,) * inputs, layers, readout, offsets)
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


@pytest.mark.parametrize("seed", range(60))
def test_a_feature_said_to_be_needed_changes_the_decision(seed):
    search, codes = search_of(seed, inputs=9, width=6, depth=1 + seed % 3)
    boundary = search.boundary(codes)
    free, undecided = [], list(changeable(search))
    rng = np.random.default_rng(seed)
    for feature in rng.permutation(undecided).tolist():
        others = [k for k in undecided if k not in free]
        found, near = boundary.needed(others)
        assert found | set(near) == set(others)
        assert not found & set(near)
        if free:
            found |= boundary.searched(others)
        for k in found:
            assert reaches_another(search, codes, [*free, k])
        if not reaches_another(search, codes, [*free, feature]):
            boundary.grown([feature])
            free.append(feature)
        else:
            other = search.change(codes, [*free, feature])
            assert other is not None
            boundary.met(other)
    if not free:
        # nothing is free, so only single changes are tried, and all of them
        alone = {k for k in undecided if reaches_another(search, codes, [k])}
        assert boundary.needed(undecided)[0] == alone


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


def test_limits_of_proofs_postpone_features_and_do_not_leave_them(monkeypatch):
    deletion = "tamecheck.explain.deletion."
    for name, value in (("_PATIENT", 0), ("_MORE", 1), ("_FEW", 1)):
        monkeypatch.setattr(deletion + name, value)
    tried = []
    look = Search.look

    def limited(self, codes, free, *, but=(), nodes=float("inf")):
        # the first ten questions end at their limit
        tried.append(nodes)
        found = look(self, codes, free, but=but)
        return found if len(tried) > 10 or not found.closed else type(found)()

    monkeypatch.setattr(Search, "look", limited)
    search, codes = search_of(3, inputs=12, width=8, depth=1)
    found = sufficient(search, codes)
    assert len(tried) > 10
    assert not found.doubtful
    check_minimal(search, codes, found.features)


@pytest.mark.parametrize("seed", range(20))
def test_features_to_be_kept_are_given_up_last(seed):
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
