"""Explanations of small random networks, beside their definitions by brute force."""

from itertools import combinations, product

import numpy as np
import pytest
from corpus import threshold_network

from tamecheck.binarized import ThresholdLayer, ThresholdNetwork
from tamecheck.errors import InputError, TimeLimitError
from tamecheck.explain import Domain, Explainer
from tamecheck.explain.search import Cardinality, Search

SEEDS = range(60)


def network(seed, inputs=6):
    rng = np.random.default_rng(seed)
    widths = rng.integers(2, 6, size=rng.integers(0, 3)).tolist()
    return threshold_network(rng, inputs, widths, lambda: rng.integers(2, 4), readout=3, low=0)


GROUPS = ({}, {"one_hot": {"colour": [1, 2, 4]}, "thermometer": {"age": [0, 5]}})
"""For networks of an even seed, and of an odd one."""


def points(domain: Domain):
    return list(product(*(range(len(f.codes)) for f in domain.features)))


def explained(seed, inputs=6):
    made = Explainer(network(seed, inputs), **GROUPS[seed % 2])
    rng = np.random.default_rng(seed)
    every = points(made.domain)
    codes = every[int(rng.integers(len(every)))]
    x = [float(v) for v in made.network.point(made.domain.states(codes))]
    return made, every, codes, x


def classes_of(made, every):
    states = np.stack([made.domain.states(codes) for codes in every])
    return dict(zip(every, made.network.decide(states).tolist(), strict=True))


def sufficient_sets(made, every, codes):
    """All subset-minimal sufficient sets of features, by definition."""
    decided = classes_of(made, every)
    features = [k for k, f in enumerate(made.domain.features) if len(f.codes) > 1]
    found = []
    for size in range(len(features) + 1):
        for chosen in combinations(features, size):
            if any(set(smaller) <= set(chosen) for smaller in found):
                continue
            same = [p for p in every if all(p[k] == codes[k] for k in chosen)]
            if {decided[p] for p in same} == {decided[codes]}:
                found.append(chosen)
    return found


def contrast_sets(made, every, codes):
    decided = classes_of(made, every)
    changes = [
        {k for k in range(len(codes)) if p[k] != codes[k]}
        for p in every
        if decided[p] != decided[codes]
    ]
    return {tuple(sorted(c)) for c in changes if not any(d < c for d in changes)}


def names(made, features):
    return tuple(made.domain.features[k].name for k in features)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_reason_is_one_of_the_subset_minimal_sufficient_sets(seed):
    made, every, codes, x = explained(seed)
    expected = [names(made, s) for s in sufficient_sets(made, every, codes)]
    found = made.abductive(x)
    assert found.names in expected
    assert found.minimal
    assert found.checked
    smallest = made.abductive(x, smallest=True)
    assert smallest.names in expected
    assert smallest.size == min(map(len, expected))


@pytest.mark.parametrize("seed", SEEDS)
def test_enumeration_finds_exactly_the_minimal_hitting_sets_of_each_other(seed):
    made, every, codes, x = explained(seed)
    found = list(made.enumerate(x))
    reasons = [f.names for f in found if not hasattr(f, "other")]
    contrasts = [f.names for f in found if hasattr(f, "other")]
    assert sorted(reasons) == sorted(names(made, s) for s in sufficient_sets(made, every, codes))
    assert sorted(contrasts) == sorted(names(made, s) for s in contrast_sets(made, every, codes))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(60, 360, 100))
def test_hundreds_of_networks_agree_with_their_definitions(first):
    for seed in range(first, first + 100):
        made, every, codes, x = explained(seed, inputs=5 + seed % 2)
        reasons = sorted(names(made, s) for s in sufficient_sets(made, every, codes))
        contrasts = sorted(names(made, s) for s in contrast_sets(made, every, codes))
        found = list(made.enumerate(x))
        assert sorted(f.names for f in found if not hasattr(f, "other")) == reasons
        assert sorted(f.names for f in found if hasattr(f, "other")) == contrasts
        assert made.abductive(x).names in reasons
        contrast = made.contrastive(x)
        assert (contrast is None) == (not contrasts)
        if contrast is not None:
            assert contrast.names in contrasts
            assert contrast.size == min(map(len, contrasts))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_smallest_contrast_has_the_fewest_features_and_a_witness(seed):
    made, every, codes, x = explained(seed)
    sets = contrast_sets(made, every, codes)
    found = made.contrastive(x)
    if not sets:
        assert found is None
        assert made.contrastive(x, smallest=False) is None
        return
    assert found.size == min(map(len, sets))
    assert made.decide([float(v) for v in found.witness]) == found.other != found.decision
    inside = made.contrastive(x, smallest=False)
    assert inside.names in [names(made, s) for s in sets]


@pytest.mark.parametrize("metric", ["features", "inputs", "steps"])
@pytest.mark.parametrize("seed", range(8))
def test_a_counterfactual_is_nearest_among_the_possible_inputs_that_respect_the_limits(
    seed, metric
):
    made, every, codes, x = explained(seed)
    decided = classes_of(made, every)
    fixed, rising = made.domain.features[0], made.domain.features[-1]
    found = made.counterfactual(
        x, metric=metric, immutable=fixed.inputs[:1], increasing=rising.inputs[:1]
    )
    last = len(codes) - 1

    def distance(p):
        total = 0
        for feature, a, b in zip(made.domain.features, codes, p, strict=True):
            flips = int((feature.codes[a] != feature.codes[b]).sum())
            total += {"features": a != b, "inputs": flips, "steps": abs(a - b)}[metric]
        return total

    reach = [
        distance(p)
        for p in every
        if decided[p] != decided[codes] and p[0] == codes[0] and p[last] >= codes[last]
    ]
    if not reach:
        assert found is None
        return
    assert found.distance == min(reach)
    assert made.decide([float(v) for v in found.witness]) == found.other != found.decision


@pytest.mark.parametrize("seed", range(12))
def test_relevant_features_are_those_of_the_reasons(seed):
    made, every, codes, x = explained(seed)
    sets = sufficient_sets(made, every, codes)
    found = made.relevancy(x)
    assert found.complete
    assert set(found.relevant) == set(names(made, {k for s in sets for k in s}))
    assert set(found.necessary) == set(names(made, set(sets[0]).intersection(*sets)))


@pytest.mark.parametrize("seed", range(8))
def test_z3_agrees(seed):
    made, _every, _codes, x = explained(seed)
    assert made.abductive(x, second=True).second == "agrees"


def test_z3_reads_weights_of_more_than_32_bits():
    big = 2**40
    layer = ThresholdLayer(np.array([[big, big + 1, -3], [1, big, 1]]), np.array([1 - big, 2]))
    made = ThresholdNetwork(
        *((0,) * 3, (1,) * 3), (layer,), np.array([[1, 0], [0, 1]]), np.zeros(2)
    )
    for x in product((0, 1), repeat=3):
        assert Explainer(made).abductive(x, second=True).second == "agrees"


@pytest.mark.parametrize("seed", range(12))
def test_the_formula_for_a_solver_has_a_solution_exactly_where_the_decision_can_change(seed):
    made, every, codes, _x = explained(seed)
    decided = classes_of(made, every)
    asked = Cardinality(made.network, made.domain, decided[codes])
    states = made.domain.states(codes)
    rng = np.random.default_rng(seed)
    for _ in range(4):
        kept = [k for k in range(len(codes)) if rng.random() < 0.5]
        fixed = [i for k in kept for i in made.domain.features[k].inputs]
        found = asked.other(states.tolist(), fixed, float("inf"))
        agreeing = [p for p in every if all(p[k] == codes[k] for k in kept)]
        assert bool(found) == any(decided[p] != decided[codes] for p in agreeing)
        if found:
            assert made.network.decide(np.array([found]))[0] != decided[codes]
            assert [found[i] for i in fixed] == [states[i] for i in fixed]


def test_an_input_that_cannot_occur_is_refused():
    made = Explainer(network(1), one_hot={"colour": [1, 2]})
    with pytest.raises(InputError, match="'colour' have a combination that cannot occur"):
        made.abductive([0, 1, 1, 0, 0, 0])
    with pytest.raises(InputError, match="neither 0 nor 1"):
        made.abductive([0, 1, 2, 0, 0, 0])


def test_groups_that_share_an_input_are_refused():
    with pytest.raises(InputError, match="two groups"):
        Explainer(network(1), one_hot={"a": [1, 2], "b": [2, 3]})


def test_out_of_time_is_an_error_and_no_answer():
    rng = np.random.default_rng(0)
    layers = (ThresholdLayer(rng.integers(-50, 51, size=(20, 40)), np.zeros(20, dtype=np.int64)),)
    readout = rng.integers(-50, 51, size=(2, 20))
    wide = ThresholdNetwork((-1,) * 40, (1,) * 40, layers, readout, np.zeros(2, dtype=np.int64))
    made = Explainer(wide)
    with pytest.raises(TimeLimitError):
        made.abductive([1] * 40, smallest=True, timeout=0.0)
    late = made.abductive([1] * 40, timeout=0.0)
    assert not late.minimal


def test_preferred_features_are_given_up_last():
    # class 1 where x0 + x1 + x2 >= 1: any two of three high inputs suffice
    net = ThresholdNetwork(
        (-1,) * 3,
        (1,) * 3,
        (),
        np.array([[0, 0, 0], [1, 1, 1]]),
        np.array([0, 0]),
    )
    made = Explainer(net)
    assert made.abductive([1, 1, 1], prefer=[2, 0]).names == ("x0", "x2")
    assert made.abductive([1, 1, 1], prefer=[1, 2]).names == ("x1", "x2")
    assert made.abductive([1, 1, 1], prefer=[1, 2]).rule == "if x1 = 1 and x2 = 1 then class 1"


def test_the_same_seed_gives_the_same_explanation():
    for seed in range(5):
        _made, _every, _codes, x = explained(seed)
        texts = {str(Explainer(network(seed), **GROUPS[seed % 2]).abductive(x)) for _ in range(3)}
        assert len(texts) == 1


def test_the_search_by_samples_climbing_and_splitting_finds_what_there_is():
    for seed in range(40):
        made, every, codes, _x = explained(seed)
        decided = classes_of(made, every)
        search = Search(made.network, made.domain)
        rng = np.random.default_rng(seed)
        free = [k for k in range(len(codes)) if rng.random() < 0.6]
        found = search.change(codes, free)
        reach = [
            p for p in every if all(p[k] == codes[k] for k in range(len(codes)) if k not in free)
        ]
        assert (found is None) == all(decided[p] == decided[codes] for p in reach)
        assert found is None or found in reach


def test_a_feature_that_is_held_is_not_free_as_well():
    for seed in range(20):
        made, every, codes, _x = explained(seed)
        decided = classes_of(made, every)
        search = Search(made.network, made.domain)
        free = [k for k in range(len(codes)) if len(made.domain.features[k].codes) > 1]
        k = free[seed % len(free)]
        code = (codes[k] + 1) % len(made.domain.features[k].codes)
        found = search.change(codes, free, but=[(k, code)])
        reach = [p for p in every if p[k] == code and decided[p] != decided[codes]]
        assert found in reach if reach else found is None
