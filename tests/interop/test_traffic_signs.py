"""Convolutional binarized networks of traffic signs: proofs with certificates, and violations."""

import json
from fractions import Fraction

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.binarized import recognise_windows
from tamecheck.budget import Budget
from tamecheck.ir.spec import Case, Inequality, Specification
from tamecheck.loaders.text.vnnlib import read_vnnlib
from tamecheck.verification import Holds, Violated, verify
from tamecheck.verification.problem import problem_of
from tamecheck.verification.straight import Descent

CLASSES = 43
INDICES = (7040, 11985)


@pytest.fixture(scope="module")
def folder(data):
    return data / "bnn" / "traffic_signs_recognition"


def question(folder, size, index, radius):
    path = next((folder / "onnx").glob(f"3_{size}_*"))
    spec = folder / "vnnlib" / f"model_{size}_idx_{index}_eps_{radius}.00000.vnnlib.gz"
    return tc.load(path), read_vnnlib(spec)


def far_from_others(network, box, decision):
    """A point of a box with a large margin, whole numbers as in an image."""
    weights = network.readout.weights
    rows = np.delete(weights - weights[decision], decision, axis=0)
    low, high = (np.array([float(v) for v in side]) for side in box)
    best = []

    def keep(point):
        whole = np.clip(np.rint(point), np.ceil(low), np.floor(high))
        margin = -(rows @ network.evaluate(whole)[-1].astype(np.int64)).max()
        best.append((margin, whole))

    # unsafe, here: all margins are at least 100
    cases = [(rows, np.full(len(rows), -100))]
    Descent(network, low, high, cases).find(keep, np.random.default_rng(0), Budget.of(4))
    return max(best, key=lambda one: one[0])


def robustness(spec, centre, radius, decision):
    low = tuple(max(Fraction(0), Fraction(v) - radius) for v in centre.tolist())
    high = tuple(min(Fraction(255), Fraction(v) + radius) for v in centre.tolist())
    cases = []
    for rival in range(CLASSES):
        if rival != decision:
            terms = tuple(sorted([(decision, Fraction(1)), (rival, Fraction(-1))]))
            cases.append(Case(low, high, (), (Inequality((), terms, Fraction(0)),)))
    return Specification(spec.inputs, spec.outputs, tuple(cases))


@pytest.mark.parametrize("index", INDICES)
def test_boxes_around_images_are_proved(folder, index):
    model, spec = question(folder, 30, index, 15)
    rows = [row for case in spec.cases for row in case.outputs]
    network = recognise_windows(problem_of(model.graph, spec).scores)
    (decision,) = {j for row in rows for j, c in row.outputs if c > 0}
    margin, centre = far_from_others(network, (spec.cases[0].lower, spec.cases[0].upper), decision)
    assert margin > 1000
    answer = verify(model, robustness(spec, centre, Fraction(1), decision), timeout=120)
    assert isinstance(answer, Holds), answer
    report = tc.recheck(json.dumps(answer.certificate))
    assert (report.verdict, report.model_sha256) == ("valid", network.sha256)


@pytest.mark.parametrize("size", [30, 48])
@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("radius", [1, 3, 15])
def test_boxes_with_known_violations_are_violated(folder, size, index, radius):
    model, spec = question(folder, size, index, radius)
    answer = verify(model, spec, timeout=120)
    assert isinstance(answer, Violated), answer
    assert answer.witness.float32


def far_from_thresholds(layer, centre, low, high, distance):
    """A point of a box near the centre at which no sum of a layer is so close to its threshold."""
    ends = np.array([float(v) for v in layer.upper])
    places = np.where(layer.windows < 0, len(centre), layer.windows).reshape(-1)
    point, speed = centre.copy(), np.zeros(len(centre))
    for _ in range(250):
        sums = layer.sums(point) - ends
        top, chosen = sums[layer.groups].max(axis=1), sums[layer.groups].argmax(axis=1)
        push = np.zeros(sums.shape)
        # the largest window of a neuron that is 1 goes up, all of one that is -1 go down
        rows = np.take_along_axis(layer.groups, chosen, 1), np.arange(layer.channels)
        np.add.at(push, rows, -np.maximum(distance - top, 0) * (top >= 0))
        below = np.maximum(sums[layer.groups] + distance, 0) * (top < 0)[:, None, :]
        np.add.at(push, layer.groups, below)
        if not push.any():
            break
        slope = np.bincount(places, (push @ layer.weights).reshape(-1), len(centre) + 1)[:-1]
        speed = 0.9 * speed + slope
        point = np.clip(point - 0.004 * speed, low, high)
    return point


def test_a_box_around_an_image_is_proved_for_the_deep_network(folder):
    """The image, moved by at most one shade: there the signs of the first layer are fixed."""
    model, spec = question(folder, 48, INDICES[0], 1)
    network = recognise_windows(problem_of(model.graph, spec).scores)
    (decision,) = {j for case in spec.cases for j, c in case.outputs[0].outputs if c > 0}
    low, high = (np.array(list(map(float, v))) for v in (spec.cases[0].lower, spec.cases[0].upper))
    centre = far_from_thresholds(network.layers[0], (low + high) / 2, low, high, 8.2)
    centre = np.rint(centre * 64) / 64
    answer = verify(model, robustness(spec, centre, Fraction(1, 10), decision), timeout=120)
    assert isinstance(answer, Holds), answer
    assert answer.checked == "certificate"
