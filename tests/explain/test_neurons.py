"""Networks as m-of-n rules: equal to the network everywhere, and without what never matters."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from corpus import threshold_network

from tamecheck.binarized import ThresholdLayer, ThresholdNetwork
from tamecheck.explain.domain import Feature, domain_of
from tamecheck.explain.neurons import Variable, network_logic, threshold_rule


def bit(number, name=None):
    name = name or f"x{number}"
    codes = np.array([[-1], [1]], dtype=np.int8)
    return Feature(name, (number,), codes, (f"not {name}", name))


def rule(weights, least):
    """The rule that the sum of the weights times ±1 reaches ``least``."""
    return threshold_rule([Variable(k, bit(k), (-w, w)) for k, w in enumerate(weights)], least)


@pytest.mark.parametrize(
    ("weights", "least", "text"),
    [
        ((1, 1, 1), 1, "at least 2 of {x0; x1; x2}"),
        ((1, -1, 1), 1, "at least 2 of {x0; not x1; x2}"),
        ((1, 1, 1), 3, "x0 and x1 and x2"),
        ((1, 1, 1), 2, "x0 and x1 and x2"),
        ((1, 1, 1), -1, "x0 or x1 or x2"),
        ((1, 0, 1), 2, "x0 and x2"),
        ((1, 1), 3, "never"),
        ((1, 1), -2, "always"),
        # the sum is positive exactly where the first is high
        ((3, 1, 1), 1, "x0"),
        # 2 and 2 and 3: any two suffice, and no one does
        ((2, 2, 3), 1, "at least 2 of {x0; x1; x2}"),
        # 2a + b + c of the true ones reaches 3: the first and one of the others
        ((2, 1, 1), 1, "2·[x0] + 1·[x1] + 1·[x2] ≥ 3"),
    ],
)
def test_neurons_in_words(weights, least, text):
    assert rule(weights, least).text == text


def test_a_tiny_weight_that_never_matters_is_gone():
    # the others sum to ±4 or ±12, so the last one never decides against 2
    assert rule((4, 4, 4, 1), 2).text == "at least 2 of {x0; x1; x2}"


@pytest.mark.parametrize("seed", range(120))
def test_rules_equal_their_sums_and_every_term_matters(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 4, int(rng.integers(1, 6))).tolist()
    largest = int(rng.integers(1, 7))
    adds = [tuple(rng.integers(-largest, largest + 1, s).tolist()) for s in sizes]
    total = sum(map(max, adds))
    least = int(rng.integers(-total - 1, total + 2)) if total > 0 else 0
    features = [
        Feature(
            f"f{k}", (k,), np.zeros((s, 1), dtype=np.int8), tuple(f"f{k}={c}" for c in range(s))
        )
        for k, s in enumerate(sizes)
    ]
    found = threshold_rule([Variable(k, f, adds[k]) for k, f in enumerate(features)], least)
    matters = set()
    for codes in itertools.product(*map(range, sizes)):
        holds = found.holds(dict(enumerate(codes)))
        assert holds == (sum(a[c] for a, c in zip(adds, codes, strict=True)) >= least)
        for k, size in enumerate(sizes):
            for other in range(size):
                swapped = {**dict(enumerate(codes)), k: other}
                if found.holds(swapped) != holds:
                    matters |= {(k, codes[k], other)}
    for term in found.terms:
        size = sizes[term.variable]
        assert 0 < len(term.codes) < size
        # some code with the literal and some without are told apart
        assert any(
            (term.variable, a, b) in matters
            for a in term.codes
            for b in set(range(size)) - set(term.codes)
        )


def some_network(seed):
    rng = np.random.default_rng(seed)
    n, largest = int(rng.integers(3, 7)), int(rng.integers(1, 4))
    widths = rng.integers(2, 6, int(rng.integers(0, 3))).tolist()
    sizes = {"weights": largest, "thresholds": 4, "readout": 9, "offsets": 9}
    network = threshold_network(rng, n, widths, lambda: int(rng.integers(2, 5)), **sizes)
    groups = {"g": list(range(int(rng.integers(2, n + 1))))} if rng.random() < 0.6 else {}
    kind = "one_hot" if rng.random() < 0.5 else "thermometer"
    return network, domain_of(network, **{kind: groups})


@pytest.mark.parametrize("seed", range(80))
def test_the_hierarchy_equals_the_network(seed):
    network, domain = some_network(seed)
    logic = network_logic(network, domain)
    for codes in itertools.product(*(range(len(f.codes)) for f in domain.features)):
        assert logic.decide(codes) == network.decide(domain.states(codes)[None, :])[0]
    assert "score" in logic.text or " if " in logic.text


def test_neurons_without_readers_are_left_out():
    layer = ThresholdLayer(np.eye(2, dtype=np.int64), np.zeros(2, dtype=np.int64))
    readout = np.array([[0, 0], [1, 0]], dtype=np.int64)
    levels = (Fraction(-1),) * 2, (Fraction(1),) * 2
    network = ThresholdNetwork(*levels, (layer,), readout, np.zeros(2, dtype=np.int64))
    logic = network_logic(network, domain_of(network), ["no", "yes"])
    assert logic.text == "n1.1: x0 = 1\nyes if n1.1; else no"
    assert [n.used for n in logic.layers[0]] == [True, False]
    assert logic.to_json()["decision"]["at_least"] == [1, 1]
