"""Proofs about convolutional binarized networks: against enumeration, and as certificates."""

import json
from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from convolutions import CLASSES, convolutional

import tamecheck as tc
from tamecheck import kernel_bnn
from tamecheck.binarized import recognise, recognise_windows, robust
from tamecheck.budget import Budget
from tamecheck.cli import main
from tamecheck.ir.spec import Case, Inequality, Specification, TensorName
from tamecheck.kernel_bnn import check_region
from tamecheck.verification import Holds, Violated, sign_balls, verify
from tamecheck.verification.patterns import FirstLayer
from tamecheck.verification.robustness import LocalRobustness
from tamecheck.verification.windows import Part, SignProofs

FORMS = [{}, {"pooled": True, "size": 7}, {"normalised": True}, {"dense": 6}]
"""Small networks, and below one whose second layer is wider than its first."""
WIDE = {"pooled": True, "size": 7, "channels": 12, "dense": 6}


def cases_around(centre, radius, decision):
    """That some class is above the decision, on a box."""
    low = tuple(v - radius for v in centre)
    high = tuple(v + radius for v in centre)
    found = []
    for rival in range(CLASSES):
        if rival != decision:
            terms = sorted([(decision, Fraction(1)), (rival, Fraction(-1))])
            row = Inequality((), tuple(terms), Fraction(0))
            found.append(Case(low, high, (), (row,)))
    return found


def question(tmp_path, seed, form):
    """A network, a centre and the margin's class there."""
    graph = tc.load(convolutional(tmp_path / "net.onnx", seed, **form)).graph
    network = recognise_windows(graph)
    rng = np.random.default_rng(seed)
    centre = [Fraction(int(v), 4) for v in rng.integers(-20, 21, network.inputs)]
    last = network.evaluate(np.array([float(v) for v in centre]))[-1].astype(np.int64)
    return graph, network, centre, int((network.readout.weights @ last).argmax())


def safe_by_enumeration(network, cases):
    """Whether all patterns of the open first signs are safe, realisable or not; None if many."""
    box = list(zip(cases[0].lower, cases[0].upper, strict=True))
    first = FirstLayer.of(network.layers[0], box).states
    signs = np.flatnonzero(first == 0)
    if len(signs) > 10:
        return None
    for pattern in product((-1, 1), repeat=len(signs)):
        states = first.copy()
        states[signs] = pattern
        last = Part.of(network, states).states[-1].astype(np.int64)
        scores = (network.readout.weights @ last).tolist()
        for case in cases:
            if all(row.holds((), scores) for row in case.outputs):
                return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("form", [*FORMS, WIDE], ids=str)
def test_what_enumeration_shows_is_proved_and_what_is_proved_is_valid(tmp_path, form):
    proved = asked = 0
    for seed in range(6):
        graph, network, centre, decision = question(tmp_path, seed, form)
        for radius in (Fraction(1, 32), Fraction(1, 8), Fraction(1, 2)):
            cases = cases_around(centre, radius, decision)
            safe = safe_by_enumeration(network, cases)
            proofs = SignProofs.of(recognise_windows(graph), cases)
            assert proofs is not None
            found = proofs.find(Budget.of(10), quickly=False)
            asked += safe is not None
            assert found or not safe
            facts = proofs.facts()
            assert (facts["cases"] == 0) == found
            assert facts["closed cases"] <= facts["cases"]
            if found:
                proved += 1
                report = check_region(json.dumps(proofs.certificate()))
                assert report.verdict == "valid", report.why
                assert report.model_sha256 == network.sha256
                assert no_sample_is_unsafe(graph, cases, seed)
    assert proved
    assert asked > 5


def no_sample_is_unsafe(graph, cases, seed):
    rng = np.random.default_rng(seed)
    low, high = (np.array([float(v) for v in side]) for side in (cases[0].lower, cases[0].upper))
    model = recognise_windows(graph)
    for _ in range(200):
        mix = rng.random(len(low))
        point = low + (high - low) * (np.round(mix) if rng.random() < 0.7 else mix)
        scores = (model.readout.weights @ model.evaluate(point)[-1].astype(np.int64)).tolist()
        if any(all(row.holds((), scores) for row in case.outputs) for case in cases):
            return False
    return True


def property_text(cases):
    low, high = cases[0].lower, cases[0].upper
    lines = [f"(declare-const X_{i} Real)" for i in range(len(low))]
    lines += [f"(declare-const Y_{j} Real)" for j in range(CLASSES)]
    for i, (a, b) in enumerate(zip(low, high, strict=True)):
        lines += [f"(assert (>= X_{i} {float(a)}))", f"(assert (<= X_{i} {float(b)}))"]
    (decision,) = {j for case in cases for j, c in case.outputs[0].outputs if c > 0}
    rivals = [j for j in range(CLASSES) if j != decision]
    ways = " ".join(f"(and (>= Y_{j} Y_{decision}))" for j in rivals)
    return "\n".join([*lines, f"(assert (or {ways}))"])


@pytest.mark.slow
@pytest.mark.parametrize("form", [{}, {"dense": 6}], ids=str)
def test_the_engine_for_levels_finds_no_change_where_the_box_is_proved(tmp_path, form):
    """Inputs at 1 or -1, some of them free: the corners of a box, as the SAT engine sees them."""
    proved = changed = 0
    for seed in range(10):
        graph = tc.load(convolutional(tmp_path / "net.onnx", seed, **form)).graph
        network = recognise_windows(graph)
        rng = np.random.default_rng(seed)
        point = rng.choice([-1, 1], network.inputs)
        free = set(rng.choice(network.inputs, 1 + seed % 4, replace=False).tolist())
        last = network.evaluate(point.astype(np.float64))[-1].astype(np.int64)
        decision = int((network.readout.weights @ last).argmax())
        ends = [(-1, 1) if i in free else (v, v) for i, v in enumerate(point.tolist())]
        low, high = (tuple(map(Fraction, side)) for side in zip(*ends, strict=True))
        # as for decisions: of equal scores the first wins
        cases = [
            replace(case, lower=low, upper=high, outputs=(replace(row, strict=rival > decision),))
            for rival in range(CLASSES)
            if rival != decision
            for case in cases_around(list(low), 0, decision)
            for row in case.outputs
            if rival in dict(row.outputs)
        ]
        proofs = SignProofs.of(recognise_windows(graph), cases)
        assert proofs is not None
        found = proofs.find(Budget.of(10), quickly=False)
        levels = recognise(graph, ends)
        states = levels.states(np.array([[Fraction(int(v)) for v in point]]))[0]
        distance = robust(levels, states, len(free), timeout=10)
        if found:
            proved += 1
            assert distance.witness is None
            assert distance.lower > len(free)
        changed += distance.witness is not None
    assert proved
    assert changed


@pytest.mark.slow
@pytest.mark.parametrize("form", [{}, {"pooled": True, "size": 7}, {"dense": 6}], ids=str)
def test_descent_and_annealing_find_what_enumeration_of_corners_finds(tmp_path, form):
    found = []
    for seed in range(4):
        graph, network, centre, decision = question(tmp_path, seed, {"size": 6, **form})
        cases = cases_around(centre, Fraction(1, 4), decision)
        proofs = SignProofs.of(recognise_windows(graph), cases)
        assert proofs is not None
        (prover,) = proofs.provers
        low, high = ([float(v) for v in side] for side in (cases[0].lower, cases[0].upper))

        def unsafe(point, network=network, cases=cases, low=low, high=high):
            assert np.all(point >= np.array(low) - 1e-6)
            assert np.all(point <= np.array(high) + 1e-6)
            last = network.evaluate(point.astype(np.float64))[-1].astype(np.int64)
            scores = (network.readout.weights @ last).tolist()
            return any(all(r.holds((), scores) for r in case.outputs) for case in cases) or None

        # long enough for a busy machine where there is something to find
        is_known = not no_sample_is_unsafe(graph, cases, seed)
        for search, seconds in (
            (prover.descent(), 30),
            (prover.annealing, 1 if form.get("dense") else 30),
        ):
            budget = Budget.of(seconds if is_known else 0.1)
            witness = search.find(unsafe, np.random.default_rng(0), budget)
            found.append(witness is not None)
            # behind more layers slopes may mislead all moves
            assert witness or not is_known or (form.get("dense") and search is prover.annealing)
    assert sum(found) > 2


@pytest.mark.slow
def test_declared_integers_are_integers_in_violations(tmp_path):
    """The box has halves at its ends; of its points only integers count."""
    found = 0
    for seed in range(6):
        graph, network, centre, decision = question(tmp_path, seed, {"size": 6})
        centre = [Fraction(round(v)) for v in centre]
        cases = cases_around(centre, Fraction(3, 2), decision)
        (name, shape), *_ = graph.inputs.items()
        (output, node), *_ = graph.outputs
        inputs = (TensorName(name, shape, element_type="int8"),)
        outputs = (TensorName(output, graph.nodes[node].shape),)
        answer = verify(graph, Specification(inputs, outputs, tuple(cases)), timeout=30)
        assert isinstance(answer, Violated)
        assert all(value.denominator == 1 for value in answer.witness.inputs)
        proofs = SignProofs.of(recognise_windows(graph), cases, [True] * network.inputs)

        def visited(point, centre=centre):
            assert np.array_equal(point, np.rint(point))
            assert np.abs(point - np.array(centre, dtype=float)).max() <= 1
            return True

        found += bool(
            proofs.provers[0].annealing.find(visited, np.random.default_rng(0), Budget.of(10))
        )
    assert found > 3


@pytest.mark.slow
def test_verify_gives_the_certificate_and_the_witness(tmp_path):
    verdicts = set()
    for seed, radius in ((1, Fraction(1, 16)), (10, Fraction(1, 8)), (3, Fraction(1, 16))):
        graph, network, centre, decision = question(tmp_path, seed, {"size": 8})
        path = tmp_path / "p.vnnlib"
        path.write_text(property_text(cases_around(centre, radius, decision)), encoding="utf-8")
        answer = verify(graph, path, timeout=20)
        verdicts.add(answer.status)
        if isinstance(answer, Holds):
            assert answer.certificate is not None
            report = tc.recheck(answer.certificate)
            assert (report.verdict, report.model_sha256) == ("valid", network.sha256)
        else:
            assert isinstance(answer, Violated)
    assert verdicts == {"holds", "violated"}


def test_recheck_says_whether_the_certificate_is_about_a_model_and_a_property(tmp_path, capsys):
    graph, _, centre, decision = question(tmp_path, 1, {})
    cases = cases_around(centre, Fraction(1, 16), decision)
    spec, other, proof = (tmp_path / name for name in ("p.vnnlib", "q.vnnlib", "c.json"))
    spec.write_text(property_text(cases))
    other.write_text(property_text(cases_around(centre, Fraction(1, 8), decision)))
    answer = verify(graph, spec, timeout=60)
    assert isinstance(answer, Holds)
    proof.write_text(json.dumps(answer.certificate))
    assert answer.certificate["format"] == kernel_bnn.REGION
    convolutional(tmp_path / "another.onnx", 2)
    for model, asked, verdict, words in (
        ("net.onnx", spec, "valid", ""),
        ("net.onnx", other, "invalid", "another property"),
        ("another.onnx", spec, "invalid", "another model"),
    ):
        args = ["recheck", str(proof), str(tmp_path / model), "--spec", str(asked), "--json"]
        assert (main(args) == 0) == (verdict == "valid")
        document = json.loads(capsys.readouterr().out)
        assert document["verdict"] == verdict
        assert words in (document["why"] or "")


@pytest.mark.parametrize(("seed", "form"), [(1, {}), (3, {"pooled": True, "size": 7})], ids=str)
def test_proof_and_witness_enclose_the_largest_radius_of_a_network_of_signs(
    tmp_path, seed, form, monkeypatch
):
    """As of a network that is so large that no other proofs are sought."""
    monkeypatch.setattr(sign_balls, "_LARGE", 0)
    graph, _, centre, _ = question(tmp_path, seed, form)
    found = tc.robustness_radius(graph, centre, tolerance="0.02", timeout=20)
    balls = LocalRobustness(graph, centre)
    assert found.verdict == "holds"
    assert 0 < found.radius < found.witness_radius
    assert found.witness_radius == balls.distance(found.witness.inputs)
    assert balls.decision.decide(found.witness.inputs) != found.decision
    assert 0 < found.certified_radius <= found.radius
    (region,) = found.certificate["claim"]["regions"]
    assert Fraction(region["upper"][0]) == centre[0] + found.certified_radius
    assert tc.recheck(found.certificate).verdict == "valid"
    rng = np.random.default_rng(0)
    for way in (*rng.uniform(-1, 1, (20, len(centre))), *rng.choice([-1, 1], (20, len(centre)))):
        near = [x + Fraction(m) * found.radius for x, m in zip(centre, way.tolist(), strict=True)]
        assert balls.decision.decide(near) == found.decision


def test_the_kernel_has_no_time_for_the_largest_radius_but_for_one_below(tmp_path, monkeypatch):
    monkeypatch.setattr(sign_balls, "_LARGE", 0)
    graph, _, centre, _ = question(tmp_path, 1, {})
    calls, through = [], kernel_bnn.check_region

    def slow(text, steps):
        calls.append(text)
        found = through(text, steps)
        return replace(found, verdict="incomplete") if len(calls) == 1 else found

    monkeypatch.setattr(kernel_bnn, "check_region", slow)
    found = tc.robustness_radius(graph, centre, tolerance="0.02", timeout=20)
    assert len(calls) == 2
    assert 0 < found.certified_radius < found.radius
    assert found.rests_on == "integer bounds"
    (region,) = found.certificate["claim"]["regions"]
    assert Fraction(region["upper"][0]) == centre[0] + found.certified_radius


def test_gradients_are_tried_first_behind_several_layers(tmp_path):
    """A quick search, of one round, finds what two turns of gradients find, and by these."""
    found = 0
    for seed in range(8):
        _, network, centre, decision = question(tmp_path, seed, {"dense": 6})
        proofs = SignProofs.of(network, cases_around(centre, Fraction(4), decision))
        assert proofs is not None
        (prover,) = proofs.provers
        assert len(network.layers) > 2

        def confirm(point, prover=prover):
            return point if prover.is_unsafe(point) else None

        budget, rng = Budget.of(60), np.random.default_rng(seed)
        expected = prover.descent().find(confirm, rng, budget, 2)
        answer = prover.find_violation(confirm, np.random.default_rng(seed), budget, 1)
        if expected is not None:
            found += 1
            assert answer is not None
            assert answer[1] == "straight-through gradients"
            assert (answer[0] == expected).all()
    assert found > 2
