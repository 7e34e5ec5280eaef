"""Radii around a point: proved ones and witnesses enclose the truth; options, files, interrupts."""

import json
import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from corpus import dense_network

import tamecheck as tc
from tamecheck import ops
from tamecheck.budget import Budget
from tamecheck.cli import main
from tamecheck.errors import InputError, SolverError
from tamecheck.ir.box import Box
from tamecheck.ir.exact import decimal_below
from tamecheck.ir.graph import GraphBuilder
from tamecheck.verification import radii, run
from tamecheck.verification.robustness import LocalRobustness

NET = "max(x, 0) - max(y - 1, 0)/2 - 1/3"


def random_net(rng):
    """A small network with one or two inputs, of rectifiers, signs or steps."""

    def number():
        return f"({rng.randint(-6, 6)}/{rng.choice([1, 2, 3])})"

    names = ["x", "y"][: rng.randint(1, 2)]

    def sum_of(terms):
        return "+".join(f"{number()}*{term}" for term in terms)

    act = rng.choice(["max({},0)", "sign({})", "step({})", "abs({})"])
    hidden = [act.format(f"{sum_of(names)}+{number()}") for _ in range(rng.randint(1, 3))]
    return tc.expression(f"{sum_of(hidden)}+{sum_of(names)}+{number()}")


def test_no_sample_contradicts_a_radius_and_no_witness_is_inside():
    rng = random.Random(7)
    known = 0
    for _ in range(12):
        model = random_net(rng)
        point = [Fraction(rng.randint(-8, 8), 4) for _ in model.inputs]
        box = Box.of_elements(model.inputs, [x - 2 for x in point], [x + 3 for x in point])
        question = LocalRobustness(model, point, box=box)
        found = tc.robustness_radius(model, point, box=box, tolerance="0.05", timeout=10)
        assert found.decision == question.decision.decide(point)
        known += found.verdict == "holds"
        for _ in range(40):
            moves = [rng.choice([-1, 1, Fraction(rng.randint(-9, 9), 9)]) for _ in point]
            near = [x + move * found.radius for x, move in zip(point, moves, strict=True)]
            inside = [
                min(max(v, low), high) for v, (low, high) in zip(near, question.domain, strict=True)
            ]
            assert question.decision.decide(inside) == found.decision
        if found.witness is not None:
            assert question.decision.decide(found.witness.inputs) != found.decision
            assert question.distance(found.witness.inputs) == found.witness_radius > found.radius
            if found.verdict == "holds":
                assert found.witness_radius - found.radius <= found.witness_radius / 20
        else:
            assert found.radius == question.reach or found.verdict == "unknown"
    assert known >= 8


def test_the_decision_is_the_first_of_equal_outputs():
    builder = GraphBuilder()
    twice = builder.apply(ops.ADD, [builder.input("x", (2,)), builder.input("y", (2,))])
    model = builder.build([("scores", twice)])
    assert tc.verify_robustness(model, [0, 0, 0, 0], 0).status == "holds"
    assert tc.verify_robustness(model, [0, 0, 0, 0], 0, label=1).status == "violated"
    # at distance 1/2 the classes are equal, and the first is decided
    assert tc.verify_robustness(model, [1, 0, 1, 0], "1/2").status == "holds"
    assert tc.verify_robustness(model, [-1, 0, -1, 0], "1/2").status == "violated"
    assert tc.robustness_radius(model, [1, 0, 1, 0], label=1).verdict == "violated"


def test_the_largest_of_several_softmaxes_is_that_of_all():
    builder = GraphBuilder()
    x = builder.input("x", (2, 2))
    model = builder.build([("scores", builder.apply(ops.SOFTMAX, [x], axis=1))])
    question = LocalRobustness(model, [0, 1, 10, 10])
    assert question.decided == 1
    assert question.verify(Fraction(0), Budget()).status == "holds"
    # one number alone is always 1, whatever it was
    single = GraphBuilder()
    soft = single.apply(ops.SOFTMAX, [single.input("x", (1,))], axis=0)
    assert LocalRobustness(single.build([("y", soft)]), [-1]).decided == 1
    assert LocalRobustness(tc.expression("sigmoid(sigmoid(x))"), [-1]).decided == 1


def test_floats_before_a_logistic_function_are_not_those_after_it():
    model, point = tc.expression("sigmoid(x)"), ["1/1000000000000"]
    found = tc.verify_robustness(model, point, 0, arithmetic="float32")
    assert (found.status, found.arithmetic.proved) == ("holds", "real")
    assert "library" in found.arithmetic.reason
    plain = tc.verify_robustness(tc.expression("x"), [1], "1/2", arithmetic="float32")
    assert plain.arithmetic.proved == "float32"
    with pytest.raises(InputError, match="float31"):
        tc.verify_robustness(model, point, 0, arithmetic="float31")


def test_a_limit_beyond_all_measure_is_one():
    found = tc.robustness_radius(tc.expression("x"), [1], within="1e100")
    assert found.verdict == "holds"
    assert Fraction(9, 10) < found.radius < found.witness_radius
    for options in ({"within": []}, {"within": [1, 2]}, {"tolerance": []}):
        with pytest.raises(InputError, match="not one number"):
            tc.robustness_radius(tc.expression("x"), [1], **options)


def test_no_larger_radius_is_told_than_is_proved():
    model = tc.expression("x + 2/3 + 1/1000000000")
    found = tc.robustness_radius(model, [0], within="2/3")
    assert found.radius == Fraction(2, 3)
    assert str(found).startswith("holds: No input within 0.666666 is decided otherwise; ")
    assert decimal_below(Fraction(10**401 * 2, 3)).startswith("6.6666")
    assert [decimal_below(Fraction(v)) for v in (0, 1000, "1/8", "-2/3")] == [
        "0", "1000", "0.125", "-0.666667",
    ]  # fmt: skip


def test_a_witness_inside_a_proved_radius_is_no_answer(monkeypatch):
    question = LocalRobustness(tc.expression(NET), [1, 0])
    far = question.verify(Fraction(1), Budget())
    near = replace(far, witness=replace(far.witness, inputs=(Fraction(3, 4), Fraction(0))))
    search = radii._Search(
        question, Budget(), None, radii.TOLERANCE, 0, certify=True, progress=None
    )
    search.radius = Fraction(1, 2)
    monkeypatch.setattr(LocalRobustness, "verify", lambda *_, **__: near)
    with pytest.raises(SolverError, match="contradicts"):
        search._certify()


@pytest.fixture
def points(tmp_path):
    (tmp_path / "p.csv").write_text("1,0\n")
    (tmp_path / "rows.csv").write_text("5,5\n1,0\n")
    np.save(tmp_path / "rows.npy", np.array([[5.0, 5.0], [1.0, 0.0]]))
    declared = "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)"
    box = "(assert (>= X_0 0))(assert (<= X_0 2))(assert (>= X_1 -1))(assert (<= X_1 1))"
    (tmp_path / "p.vnnlib").write_text(f"{declared}{box}(assert (>= Y_0 0))")
    return tmp_path


def asked(capsys, *arguments):
    code = main(["verify", "--expr", NET, *map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_radius_is_asked_about_at_a_point_of_a_file(points, capsys):
    for where in (["p.csv"], ["rows.csv", "--index", 1], ["rows.npy", "--index", 1], ["p.vnnlib"]):
        name, *row = where
        code, answer = asked(capsys, "--around", points / name, *row, "--radius", "0.6")
        assert (code, answer["verdict"], answer["decision"]) == (0, "holds", 1)
        code, answer = asked(capsys, "--around", points / name, *row, "--radius", "2/3")
        assert (code, answer["verdict"], answer["witness_radius"]) == (1, "violated", "2/3")
    box = ["--box", "x=1/2:3/2,y=-1:1"]
    code, answer = asked(capsys, "--around", points / "p.csv", "--radius", "9", *box)
    assert (code, answer["verdict"]) == (0, "holds")


def test_the_certificate_of_the_largest_radius_is_about_the_point(points, capsys):
    proof = points / "c.json"
    code, answer = asked(capsys, "--around", points / "p.csv", "-o", proof, "--tolerance", "1/1000")
    radius, above = Fraction(answer["radius"]), Fraction(answer["witness_radius"])
    assert (code, answer["rests_on"], answer["certified_radius"]) == (0, "certificate", str(radius))
    assert radius < Fraction(2, 3) <= above
    assert above - radius <= above / 1000
    assert [one["verdict"] for one in answer["tried"]].count("holds") > 1
    around = ["recheck", str(proof), "--expr", NET, "--around"]
    assert main([*around, str(points / "p.csv")]) == 0
    assert main([*around, str(points / "p.csv"), "--radius", answer["radius"]]) == 0
    assert main([*around, str(points / "p.csv"), "--radius", str(radius + 1)]) == 5
    assert main([*around, str(points / "rows.csv"), "--index", "0"]) == 5
    assert main([*around, str(points / "p.csv"), "--label", "0"]) == 5
    assert main(["recheck", str(proof), "--expr", NET, "--radius", "1"]) == 2
    spec = ["--spec", str(points / "p.vnnlib")]
    assert main([*around, str(points / "p.csv"), *spec]) == 2
    document = json.loads(proof.read_text())
    for regions in ([], [document["claim"]["regions"][0] | {"lower": [None, None]}]):
        document["claim"]["regions"] = regions
        (points / "wrong.json").write_text(json.dumps(document))
        wrong = ["recheck", str(points / "wrong.json"), "--expr", NET, "--around"]
        assert main([*wrong, str(points / "p.csv")]) == 5
    other = ["recheck", str(proof), "--expr", f"{NET} - 1/100", "--around", str(points / "p.csv")]
    assert main(other) == 5
    capsys.readouterr()


@pytest.mark.parametrize("lost", [{"certificate": None}, {"checked": None}])
def test_the_certificate_may_be_of_a_smaller_radius(monkeypatch, lost):
    """Where none of the largest one is found or checked, one of a smaller one is."""
    through = LocalRobustness.verify
    most = Fraction(1, 4)

    def without(self, radius, budget, **options):
        found = through(self, radius, budget, **options)
        bare = radius > most and found.status == "holds"
        return replace(found, **lost, note="none") if bare else found

    monkeypatch.setattr(LocalRobustness, "verify", without)
    found = tc.robustness_radius(tc.expression(NET), [1, 0], certify=True)
    assert found.radius > Fraction(1, 2)
    assert 0 < found.certified_radius <= most
    claim = found.certificate["claim"]["regions"][0]
    assert Fraction(claim["upper"][0]) == 1 + found.certified_radius


def test_quiet_prints_the_radius_and_a_limit_can_be_proved(points, capsys):
    around = ["verify", "--expr", NET, "--around", str(points / "p.csv"), "-q"]
    assert main([*around, "--radius", "1/2", "--largest-radius"]) == 0
    assert capsys.readouterr().out == "1/2\n"
    assert main([*around, "--label", "0"]) == 1
    assert capsys.readouterr().out == "violated\n"


MISFITS = {
    "--radius -1": "negative",
    "--radius nan": "nan",
    "--index 7": "no row 7",
    "--tolerance 0": "tolerance",
    "--box 5:6": "outside the box",
    "--label 2": "no class 2",
    "--largest-radius --arithmetic float32": "arithmetic",
    "--radius 1 --domain 0,1": "domain",
    "--radius 1 --distance": "no use with --distance",
    "--label 0 --hamming 1": "no use with --hamming",
}


@pytest.mark.parametrize(("options", "why"), MISFITS.items())
def test_what_does_not_fit_is_said_in_one_line(points, capsys, options, why):
    assert main(["verify", "--expr", NET, "--around", str(points / "p.csv"), *options.split()]) == 2
    assert why in capsys.readouterr().err


def test_a_radius_needs_a_point_and_no_property(points, capsys):
    spec = str(points / "p.vnnlib")
    assert main(["verify", "--expr", NET, spec, "--radius", "1"]) == 2
    assert "--around" in capsys.readouterr().err
    around = ["--around", str(points / "p.csv"), "--radius", "1"]
    assert main(["verify", "--expr", NET, spec, *around]) == 2
    assert main(["verify", "--expr", NET, "--around", str(points / "rows.csv")]) == 2
    assert "--index" in capsys.readouterr().err
    with pytest.raises(InputError, match="3 numbers"):
        tc.verify_robustness(tc.expression(NET), [1, 2, 3], 1)


def test_an_interrupt_keeps_the_best_so_far(monkeypatch):
    calls = []
    through = run._Run.by_layers

    def interrupted(self, layers):
        calls.append(layers)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return through(self, layers)

    monkeypatch.setattr(run._Run, "by_layers", interrupted)
    found = tc.robustness_radius(tc.expression(NET), [1, 0])
    assert len(calls) == 4
    assert (found.verdict, found.radius > 0) == ("unknown", True)
    assert found.reason.startswith("Interrupted. ")
    assert found.tried[-1].verdict == "unknown"


def test_a_witness_that_was_found_is_kept(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(radii._Search, "_nearer", interrupted)
    found = tc.robustness_radius(tc.expression(NET), [1, 0])
    assert (found.verdict, found.radius > 0) == ("unknown", True)
    assert found.witness_radius >= Fraction(2, 3)
    assert found.witness is not None


def test_the_time_ends_the_search(monkeypatch):
    monkeypatch.setattr(radii, "_LEAST", 0.01)
    found = tc.robustness_radius(tc.expression("(x+y)^2 - x^2 - y^2 - 2*x*y"), [1, 1], timeout=0.3)
    assert (found.verdict, found.radius) == ("unknown", 0)
    assert found.seconds < 5


@pytest.mark.slow
def test_signs_are_split_where_boxes_of_inputs_would_be_too_many():
    rng = np.random.default_rng(4)
    sizes = (36, 20, 20, 2)
    net = dense_network(sizes, lambda s: (rng.normal(size=s) / s[0] ** 0.5).astype("f4"))
    point = rng.normal(size=36).tolist()
    found = tc.verify_robustness(net, point, "0.2", timeout=60)
    assert found.status == "holds"
    assert 1 < found.facts["subproblems"] < 1000
    proved = tc.verify_robustness(net, point, "0.2", timeout=60, certify=True)
    assert tc.recheck(proved.certificate).verdict == "valid"
