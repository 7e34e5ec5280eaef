"""The checker of ball certificates: what it accepts is true, what is wrong it rejects with why."""

import copy
import itertools
import json
import random
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from corpus import threshold_network

import tamecheck.kernel_bnn
from tamecheck.binarized import (
    ball_certificate,
    distance_certificate,
    minimum_distance,
)
from tamecheck.binarized.branching import Patterns
from tamecheck.binarized.network import Ball
from tamecheck.kernel_bnn import FORMAT, REGION, check, check_region
from tests.kernel.builders import edited

FILES = sorted(Path(tamecheck.kernel_bnn.__file__).parent.glob("*.py"))

# +1 where at least four of the five inputs are; ties of the scores go to class 0
MAJORITY = {
    "format": "tamecheck-ball-certificate",
    "version": 1,
    "network": {
        "low": ["0"] * 5,
        "high": ["1/2"] * 5,
        "layers": [{"weights": [[1, 1, 1, 1, 1]], "thresholds": [2]}],
        "readout": [[-1], [1]],
        "offsets": [0, 0],
    },
    "claim": {
        "verdict": "holds",
        "decision": 0,
        "centre": ["1/2", "0", "0", "0", "0"],
        "radius": 2,
    },
    "tree": [-1],
}


def decision_of(document, states):
    for layer in document["layers"]:
        pairs = zip(layer["weights"], layer["thresholds"], strict=True)
        states = [
            1 if sum(w * s for w, s in zip(row, states, strict=True)) >= t else -1
            for row, t in pairs
        ]
    scores = [
        sum(w * s for w, s in zip(row, states, strict=True)) + offset
        for row, offset in zip(document["readout"], document["offsets"], strict=True)
    ]
    return max(range(len(scores)), key=lambda c: (scores[c], -c))


def is_true(document):
    """The claim, point by point."""
    network, claim = document["network"], document["claim"]
    levels = [
        [Fraction(low)] if low == high else [Fraction(low), Fraction(high)]
        for low, high in zip(network["low"], network["high"], strict=True)
    ]
    high = [Fraction(v) for v in network["high"]]

    def states(point):
        return [1 if v == h else -1 for v, h in zip(point, high, strict=True)]

    centre = [Fraction(v) for v in claim["centre"]]
    if decision_of(network, states(centre)) != claim["decision"]:
        return False
    radius = claim.get("radius")
    if claim["verdict"] == "distance":
        witness = [Fraction(v) for v in claim["witness"]]
        if decision_of(network, states(witness)) == claim["decision"]:
            return False
        radius = sum(a != b for a, b in zip(centre, witness, strict=True)) - 1
    return all(
        decision_of(network, states(point)) == claim["decision"]
        for point in itertools.product(*levels)
        if sum(a != b for a, b in zip(centre, point, strict=True)) <= radius
    )


def by_patterns(network, states, radius):
    """The same claim with a tree over the neurons of the first layer."""
    document = ball_certificate(network, states, radius)
    search = Patterns(network, Ball(states, network.free, radius), document["claim"]["decision"])
    closed = radius > 0 and search.run(nodes=1000).closed
    return [document | {"tree": search.nodes}] if closed else []


@cache
def corpus():
    found = [MAJORITY]
    for seed in range(150):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(4, 9))
        widths = rng.integers(3, 7, int(rng.integers(1, 3))).tolist()
        network = threshold_network(rng, n, widths, 3, readout=5)
        low = tuple(Fraction(int(v)) for v in rng.integers(-1, 1, n))
        network = replace(network, low=low, high=(*network.high[:-1], low[-1]))
        states = np.append(rng.choice(np.array([-1, 1], dtype=np.int8), n - 1), np.int8(1))
        nearest = minimum_distance(network, states)
        if nearest.witness is not None:
            found.append(distance_certificate(network, states, nearest.witness))
        found.append(ball_certificate(network, states, nearest.lower - 1))
        found += by_patterns(network, states, nearest.lower - 1)
    flat = [document for document in found if len(document["tree"]) == 1]
    return flat[:15] + [document for document in found if len(document["tree"]) > 1]


def test_the_corpus_is_valid_and_has_real_trees():
    assert all(check(json.dumps(document)).verdict == "valid" for document in corpus())
    assert all(map(is_true, corpus()))
    assert sum(len(document["tree"]) > 5 for document in corpus()) >= 10
    kinds = {next(iter(n)) for d in corpus() for n in d["tree"] if isinstance(n, dict)}
    assert kinds == {"neuron", "apart"}


def test_the_majority_by_hand():
    # the centre's sum is -3; two flips leave at most 1 < 2, three reach 3
    report = check(json.dumps(MAJORITY))
    assert (report.verdict, report.claim) == ("valid", MAJORITY["claim"])
    wider = copy.deepcopy(MAJORITY)
    wider["claim"]["radius"] = 3
    assert check(json.dumps(wider)).why == "bounds do not exclude another decision"


def test_a_pattern_by_hand():
    # the neuron needs 5 more, and two flips give 4; where it is -1, class 0 wins
    tree = [{"neuron": 0}, {"apart": [[0, 1]]}, -1]
    assert check(json.dumps(changed(tree=tree))).verdict == "valid"
    assert check(json.dumps(changed(tree=[{"neuron": 0}, -1, -1]))).verdict == "valid"
    assert check(json.dumps(changed(tree=[tree[0], -1, tree[1]]))).verdict == "invalid"
    layerless = changed(network__layers=[], network__readout=[[1] * 5, [0] * 5], tree=tree)
    layerless["claim"]["decision"] = 1
    assert check(json.dumps(layerless)).why == "there is no hidden layer"


def mutated(text, rng):
    """One change somewhere: a number, a place in a list, a field."""
    document = json.loads(text)
    places = []

    def walk(value):
        if isinstance(value, dict | list):
            keys = list(value) if isinstance(value, dict) else range(len(value))
            for key in keys:
                places.append((value, key))
                walk(value[key])

    walk(document)
    for _ in range(rng.choice([1, 1, 2])):
        holder, key = rng.choice(places)
        if isinstance(holder, list) and key >= len(holder):
            # an earlier change removed it
            continue
        value, kind = holder[key], rng.random()
        if isinstance(holder, list) and kind < 0.15:
            del holder[key]
        elif isinstance(holder, list) and kind < 0.3:
            holder.insert(key, value)
        elif isinstance(value, int):
            holder[key] = value + rng.choice([-3, -2, -1, 1, 2, 3])
        elif isinstance(value, str):
            holder[key] = rng.choice(["0", "1", "-1", "1/2", "2", "holds", "distance"])
        else:
            holder[key] = rng.choice([None, [], {}, 0, -1, [-1]])
    return document


def test_no_corrupted_certificate_proves_something_false():
    rng = random.Random(0)
    verdicts = {"valid": 0, "invalid": 0}
    texts = [json.dumps(document) for document in corpus()]
    for number in range(2000):
        document = mutated(texts[number % len(texts)], rng)
        report = check(json.dumps(document))
        verdicts[report.verdict] += 1
        assert report.verdict == "invalid" or is_true(document), document
    # changes of weights may keep a claim true
    assert verdicts["invalid"] > 1000
    assert verdicts["valid"] > 33


def changed(**fields):
    return edited(MAJORITY, **fields)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"format": "tamecheck-ball-certificate"}, "a missing or unknown field: 'claim'"),
        (changed(format="other"), "unknown format"),
        (changed(version=2), "an integer in [1, 1] was expected"),
        (changed(claim__decision=1), "the decision at the centre is another"),
        (changed(claim__verdict="tame"), "unknown verdict"),
        (changed(claim__radius=-1), "an integer in [0, 5] was expected"),
        (changed(claim__radius="2"), "an integer in [0, 5] was expected"),
        (changed(claim__centre=["1"] * 5), "a point is off the levels"),
        (changed(claim__centre=["0"] * 4), "a point has one number an input"),
        (changed(network__low=["0"] * 4), "the levels do not match"),
        (changed(network__high=["-1"] * 5), "a low level is above the high"),
        (changed(network__offsets=[0]), "a layer has one number a neuron"),
        (changed(network__readout=[[-1], [1, 1]]), "a row does not fit the layer before"),
        (changed(network__readout=[], network__offsets=[]), "there is no class"),
        (changed(tree=[]), "a part of the ball is missing"),
        (changed(tree=[0, -1]), "a part of the ball is missing"),
        (changed(tree=[-1, -1]), "the tree has ended before"),
        (changed(tree=[0, 0, -1, -1, -1]), "input 0 is not open here"),
        (changed(tree=[5, -1, -1]), "an integer in [-1, 4] was expected"),
        (changed(claim__radius=0, tree=[0, -1, -1]), "no flip is left"),
        (changed(tree=[{"neuron": 0}, -1]), "a part of the ball is missing"),
        (changed(tree=[{"neuron": 1}, -1, -1]), "an integer in [0, 0] was expected"),
        (changed(tree=[{"neuron": 0}, {"neuron": 0}, -1, -1, -1]), "neuron 0 is not open here"),
        (changed(tree=[{"apart": [[0, 1]]}]), "the state of a neuron is not known here"),
        (changed(tree=[{"apart": [[0]]}]), "multipliers are pairs"),
        (changed(tree=[{"apart": []}]), "the multipliers exclude nothing"),
        (changed(tree=[{"part": []}]), "a missing or unknown field: 'apart'"),
        (
            changed(tree=[{"neuron": 0}, {"apart": [[0, 1], [0, 1]]}, -1]),
            "a neuron is named twice",
        ),
        (
            changed(tree=[{"neuron": 0}, {"apart": [[0, -1]]}, -1]),
            f"an integer in [1, {2**40}] was expected",
        ),
        (
            changed(claim__radius=3, tree=[{"neuron": 0}, {"apart": [[0, 1]]}, -1]),
            "the multipliers exclude nothing",
        ),
        (changed(network__low=["1/2"] * 5, tree=[0, -1, -1]), "a point is off the levels"),
        ([], "an object was expected"),
    ],
)
def test_rejections_say_why(document, why):
    report = check(json.dumps(document))
    assert (report.verdict, report.why) == ("invalid", why)


def test_a_constant_input_cannot_be_split():
    low = ["0"] * 4 + ["1/2"]
    centre = ["1/2", "0", "0", "0", "1/2"]
    document = changed(network__low=low, claim__centre=centre, claim__radius=1, tree=[4, -1, -1])
    assert check(json.dumps(document)).why == "input 4 is not open here"


@pytest.mark.parametrize("text", ["", "{", "[" * 10**5, '{"a": 1, "a": 1}', "1.5", b"\xff"])
def test_what_is_no_json_is_invalid(text):
    assert check(text).verdict == "invalid"


def test_the_kernel_is_small():
    lines = {p.name: len(p.read_text(encoding="utf-8").splitlines()) for p in FILES}
    assert sum(lines.values()) <= 600, lines


def test_the_example_of_the_page_is_valid():
    page = Path(__file__).parents[2] / "docs" / "certificates-binarized.md"
    text = page.read_text(encoding="utf-8")
    examples = [part.split("```")[0] for part in text.split("```json\n")[1:]]
    for form, checker in ((FORMAT, check), (REGION, check_region)):
        (example,) = (one for one in examples if f'"{form}"' in one)
        assert checker(example).verdict == "valid"
