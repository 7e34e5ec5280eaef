"""Convolutional binarized networks of traffic signs: proofs with certificates, and violations."""

import json
import runpy
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.binarized import recognise_windows
from tamecheck.ir.spec import Case, Inequality, Specification
from tamecheck.loaders.text.vnnlib import read_vnnlib
from tamecheck.verification import Holds, Violated, verify
from tamecheck.verification.problem import problem_of

CLASSES = 43
CENTRES = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "robust_centres.py"))


@pytest.fixture(scope="module")
def folder(data):
    return data / "bnn" / "traffic_signs_recognition"


def question(folder, size, index, radius):
    path = next((folder / "onnx").glob(f"3_{size}_*"))
    spec = folder / "vnnlib" / f"model_{size}_idx_{index}_eps_{radius}.00000.vnnlib.gz"
    return tc.load(path), read_vnnlib(spec)


def soft(x, width):
    """A smooth sign, and its slope."""
    value = np.tanh(x / width)
    return value, (1 - value**2) / width


def robust_centre(network, box, decision, pessimism, steps=600):
    """A point of a box from which margins stay large at radius 1, by gradient steps (Adam).

    A first sign is between its smooth values where all inputs differ by 1; of what it leaves open
    the next layer counts a part, the pessimism.  The smallest margins count most.
    """
    first, last = network.layers
    low, high = (np.array([float(v) for v in side]) for side in box)
    rows = np.delete(network.readout.weights[decision] - network.readout.weights, decision, axis=0)
    reach, ways = np.abs(first.weights).sum(axis=1), np.abs(last.weights)
    ends = np.array([float(v) for v in first.upper])
    sizes = np.abs(rows)
    point = (low + high) / 2
    speed, square = np.zeros_like(point), np.zeros_like(point)
    for step in range(steps):
        width = 6 * (1.5 - step / steps)
        sums = first.sums(point) - ends
        (most, most_slope), (least, least_slope) = (soft(sums + r, width) for r in (reach, -reach))
        mean = last.sums(((most + least) / 2).reshape(-1)) - last.thresholds + 0.5
        room = pessimism * (last.gather(((most - least) / 2).reshape(-1)) @ ways.T)
        (up, up_slope), (down, down_slope) = soft(mean + room, 4), soft(mean - room, 4)
        margins = rows @ (up + down).reshape(-1) / 2 - sizes @ (up - down).reshape(-1) / 2
        share = np.exp((margins.min() - margins) / 100)
        share /= share.sum()
        # backwards, layer by layer
        upward = ((share @ (rows - sizes)) / 2).reshape(up.shape) * up_slope
        downward = ((share @ (rows + sizes)) / 2).reshape(up.shape) * down_slope
        by_mean = (upward + downward) @ last.weights
        by_room = pessimism * (upward - downward) @ ways
        seen = last.windows.reshape(-1)
        by_mean, by_room = (
            np.bincount(seen, part.reshape(-1), most.size).reshape(most.shape)
            for part in (by_mean, by_room)
        )
        slope = (by_mean + by_room) * most_slope + (by_mean - by_room) * least_slope
        slope = np.bincount(first.windows.reshape(-1), (slope @ first.weights).reshape(-1) / 2)
        speed, square = 0.9 * speed + 0.1 * slope, 0.99 * square + 0.01 * slope**2
        rate = 0.1 * (1 - 0.8 * step / steps)
        point = np.clip(point + rate * speed / (np.sqrt(square) + 1e-9), low, high)
    return np.rint(4 * point) / 4


def robustness(spec, centre, radius, decision):
    low = tuple(max(Fraction(0), Fraction(v) - radius) for v in centre.tolist())
    high = tuple(min(Fraction(255), Fraction(v) + radius) for v in centre.tolist())
    cases = []
    for rival in range(CLASSES):
        if rival != decision:
            terms = tuple(sorted([(decision, Fraction(1)), (rival, Fraction(-1))]))
            cases.append(Case(low, high, (), (Inequality((), terms, Fraction(0)),)))
    return Specification(spec.inputs, spec.outputs, tuple(cases))


def test_a_box_around_an_image_is_proved(folder):
    """The image, moved by at most three shades to a centre that is far from others at radius 1."""
    model, spec = question(folder, 30, 11985, 3)
    rows = [row for case in spec.cases for row in case.outputs]
    network = recognise_windows(problem_of(model.graph, spec).scores)
    (decision,) = {j for row in rows for j, c in row.outputs if c > 0}
    low, high = (
        [min(max(v, 0), 255) for v in end] for end in (spec.cases[0].lower, spec.cases[0].upper)
    )
    centre = robust_centre(network, (low, high), decision, pessimism=0.2)
    answer = verify(model, robustness(spec, centre, Fraction(1), decision), timeout=120)
    assert isinstance(answer, Holds), answer
    # of which one below is written and checked again
    assert answer.checked == "certificate"


@pytest.mark.parametrize(
    ("size", "radius", "verdict"),
    [(30, "1/10", "holds"), (30, "1/8", "violated"), (48, "1/50", "violated")],
)
def test_how_far_the_image_itself_is_proved_and_where_it_is_not(folder, size, radius, verdict):
    """The centre of a shared property is an image, all of whose pixels are integers."""
    model, spec = question(folder, size, 11985, 1)
    centre = np.array([float(v) + 1 for v in spec.cases[0].lower])
    answer = verify(model, robustness(spec, centre, Fraction(radius), 7), timeout=120)
    assert answer.status == verdict
    if verdict == "holds":
        report = tc.recheck(json.dumps(answer.certificate))
        network = recognise_windows(problem_of(model.graph, spec).scores)
        assert (report.verdict, report.model_sha256) == ("valid", network.sha256)


@pytest.mark.parametrize(
    ("size", "index", "radius"), [(30, 7040, 15), (30, 11985, 1), (48, 7040, 1), (48, 11985, 15)]
)
def test_boxes_with_known_violations_are_violated(folder, size, index, radius):
    model, spec = question(folder, size, index, radius)
    answer = verify(model, spec, timeout=120)
    assert isinstance(answer, Violated), answer
    assert answer.witness.float32


def test_a_box_around_an_image_is_proved_for_the_deep_network(folder):
    """The image, moved to where the signs of the first layer are fixed within the radius."""
    index, within, radii = 7040, 15, [0.2, 0.5, 0.7]
    model, spec = question(folder, 48, index, 1)
    (layer, *_) = recognise_windows(problem_of(model.graph, spec).scores).layers
    (decision,) = {j for case in spec.cases for j, c in case.outputs[0].outputs if c > 0}
    image = np.array([float(v) + 1 for v in spec.cases[0].lower])
    box = np.maximum(image - within, 0), np.minimum(image + within, 255)
    centre = CENTRES["centre_in"](layer, box, radii)
    assert np.abs(centre - image).max() <= within
    assert CENTRES["fixed_within"](layer, centre).min() > radii[-1]
    answer = verify(
        model, robustness(spec, centre, Fraction(str(radii[-1])), decision), timeout=600
    )
    assert isinstance(answer, Holds), answer
    assert answer.checked == "certificate"
