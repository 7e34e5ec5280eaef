"""The networks of NPAQ: counts as catalogued, Hamming balls and distances by brute force."""

import csv
import itertools
import json

import numpy as np

import tamecheck as tc
from tamecheck.binarized import count_classes, minimum_distance, recognise, robust


def small_networks(data):
    with (data / "MANIFEST.tsv").open(newline="") as file:
        for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row[0].startswith("bnn/npaq") and "class histogram" in row[4]:
                text = row[4].split("}^", 1)[1]
                counts = json.loads(text[text.index(": [") + 2 : text.index("]") + 1])
                yield data / row[0], counts


def network_of(path):
    model = tc.load(path)
    size = int(np.prod(next(iter(model.inputs.values()))))
    return recognise(model.graph, [(-1, 1)] * size)


def test_counts_are_as_catalogued(data):
    found = [(count_classes(network_of(path)), counts) for path, counts in small_networks(data)]
    assert len(found) >= 10
    assert [ours for ours, _ in found] == [theirs for _, theirs in found]


def test_balls_and_distances_are_those_of_brute_force(data):
    rng = np.random.default_rng(0)
    for path, _ in small_networks(data):
        network = network_of(path)
        if network.inputs > 12:
            continue
        points = np.array(list(itertools.product([-1, 1], repeat=network.inputs)), dtype=np.int8)
        decided = network.decide(points)
        for centre in rng.integers(len(points), size=20).tolist():
            flips = (points != points[centre]).sum(axis=1)[decided != decided[centre]]
            nearest = min(flips.tolist(), default=network.inputs + 1)
            assert minimum_distance(network, points[centre]).lower == nearest
            for radius in range(1, 6):
                answer = robust(network, points[centre], radius)
                assert (answer.witness is None) == (nearest > radius), path.name


def test_exact_values_of_the_model_decide_alike(data):
    rng = np.random.default_rng(1)
    for path, _ in small_networks(data):
        model, network = tc.load(path), network_of(path)
        for states in rng.choice([-1.0, 1.0], (3, network.inputs)):
            exact = model.evaluate(states.reshape(1, -1), exact=True)
            scores = np.asarray(exact, dtype=object).reshape(-1).tolist()
            assert network.decide(states[None, :].astype(np.int8))[0] == scores.index(max(scores))
