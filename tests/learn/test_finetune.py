"""Fine-tuning: the least change in closed form, and networks that classify the given points."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import tamecheck as tc
from tamecheck.learn import (
    adversarial_points,
    attackable_points,
    robust_finetune,
    verified_robustness,
)
from tamecheck.learn.finetune.network import ReluNetwork, relu_network


def linear(weights):
    return ReluNetwork((np.array(weights, dtype=float)[:, None],), (None,))


def small(seed=0):
    rng = np.random.default_rng(seed)
    return ReluNetwork(
        (rng.normal(size=(3, 5)), rng.normal(size=(5, 3))), (rng.normal(size=5), np.zeros(3))
    )


def test_one_linear_constraint_has_a_closed_form():
    """w = w0 - min(0, a.w0) a/|a|²: from (1, -2) with a = (1, 1) to (1.5, -1.5)."""
    tuned = robust_finetune(linear([1, -2]), [[1, 1]], [1])
    assert tuned.network.weights[0].ravel() == pytest.approx([1.5, -1.5], abs=1e-12)
    assert tuned.distance == pytest.approx(np.sqrt(0.5))
    assert (tuned.wrong_before, tuned.wrong_after) == (1, 0)
    assert tuned.converged


def test_a_satisfied_constraint_changes_nothing():
    tuned = robust_finetune(linear([1, -2]), [[3, 1]], [1])
    assert tuned.distance == 0
    assert tuned.network.weights[0].ravel().tolist() == [1, -2]


def test_slopes_are_those_of_finite_differences():
    network, rng = small(), np.random.default_rng(1)
    x, back = rng.normal(size=(1, 3)), rng.normal(size=(1, 3))
    vector, h = network.vector(), 1e-6
    slopes = network.slopes(x, back)
    gradient = slopes.combination(np.ones(1))
    for k in range(len(vector)):
        moved = vector.copy()
        moved[k] += h
        difference = ((network.at(moved).scores(x) - network.scores(x)) * back).sum() / h
        assert gradient[k] == pytest.approx(difference, abs=1e-4)
    for k in range(3):
        difference = ((network.scores(x + h * np.eye(3)[k]) - network.scores(x)) * back).sum() / h
        assert network.input_slopes(x, back)[0, k] == pytest.approx(difference, abs=1e-4)


def test_factored_slopes_are_the_rows_that_they_stand_for():
    rng = np.random.default_rng(5)
    network = ReluNetwork((small().weights), (small().offsets[0], None))
    x, back = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    slopes = network.slopes(x, back)
    rows = np.array([slopes.combination(row) for row in np.eye(4)])
    assert slopes.gram() == pytest.approx(rows @ rows.T)
    change = rng.normal(size=rows.shape[1])
    assert slopes.along(network.at(change)) == pytest.approx(rows @ change)


def test_a_relu_network_learns_the_points_and_is_read_back_from_onnx(tmp_path):
    network, rng = small(), np.random.default_rng(2)
    x, labels = rng.normal(size=(4, 3)), np.array([0, 1, 2, 0])
    path = tmp_path / "before.onnx"
    network.export_onnx(path)
    model = tc.load(path)
    assert relu_network(model.graph).scores(x) == pytest.approx(network.scores(x))
    tuned = robust_finetune(model, x, labels, margin=0.01)
    assert tuned.wrong_before > 0
    assert tuned.wrong_after == 0
    assert (tuned.network.decide(x) == labels).all()
    tuned.export_onnx(tmp_path / "after.onnx")
    after = tc.load(tmp_path / "after.onnx")
    for row, label in zip(x, labels, strict=True):
        scores = np.ravel(after.evaluate(row.reshape(1, -1)))
        assert scores.argmax() == label
        assert np.ravel(tuned.to_model().evaluate(row)) == pytest.approx(scores)


def test_adversarial_points_stay_in_the_ball_and_lower_the_lead():
    network, rng = small(), np.random.default_rng(3)
    x = rng.random((6, 3))
    labels = network.decide(x)
    worst = adversarial_points(network, x, labels, radius=0.1)
    assert (np.abs(worst - x) <= 0.1 + 1e-12).all()
    assert ((worst >= 0) & (worst <= 1)).all()
    rows = np.arange(6)

    def lead(points):
        scores = network.scores(points)
        own = scores[rows, labels].copy()
        scores[rows, labels] = -np.inf
        return own - scores.max(axis=1)

    assert (lead(worst) <= lead(x)).all()
    assert (lead(worst) < lead(x)).any()


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    x, held, y, y_held = train_test_split(
        data.data / 16, data.target, test_size=0.25, stratify=data.target, random_state=3
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = MLPClassifier((24,), max_iter=100, random_state=3).fit(x, y)
    return ReluNetwork(tuple(fitted.coefs_), tuple(fitted.intercepts_)), x, y, held, y_held


def test_chosen_points_are_right_attackable_and_of_all_classes(digits):
    network, x, y, _, _ = digits
    chosen = attackable_points(network, x, y, radius=0.1, count=50)
    assert len(set(chosen.tolist())) == 50
    assert np.bincount(y[chosen]).tolist() == [5] * 10
    assert (network.decide(x[chosen]) == y[chosen]).all()
    attacks = adversarial_points(network, x[chosen], y[chosen], radius=0.1)
    assert (network.decide(attacks) != y[chosen]).all()
    with pytest.raises(ValueError, match="No row"):
        attackable_points(network, x[:20], y[:20], radius=0.0)


@pytest.mark.slow
def test_fifty_attacked_points_make_a_digits_network_more_robust(digits):
    network, x, y, held, right = digits
    chosen = attackable_points(network, x, y, radius=0.1, count=50)
    tuned = robust_finetune(network, x[chosen], y[chosen], radius=0.1, clean=(x, y), rounds=24)
    assert tuned.wrong_before == 50
    assert tuned.wrong_after <= 5

    def shares(one):
        attacks = adversarial_points(one, held, right, radius=0.1)
        return np.mean(one.decide(held) == right), np.mean(one.decide(attacks) == right)

    before, after = shares(network), shares(tuned.network)
    assert after[0] >= before[0] - 0.02
    assert after[1] >= before[1] + 0.2
    # proofs on a few rows say the same
    proved = [
        verified_robustness(one, held[:12], right[:12], radius=0.1, timeout=20)
        for one in (network, tuned.network)
    ]
    assert proved[1].robust > proved[0].robust


def test_without_clean_rows_the_same_seed_gives_the_same_network(digits):
    network, x, y, _, _ = digits
    chosen = attackable_points(network, x, y, radius=0.1, count=10)
    one, two, other = (
        robust_finetune(
            network, x[chosen], y[chosen], radius=0.1, rounds=4, margin=1.0, seed=s,
            validation=(x[:100], y[:100]), precision="single",
        ).network.vector()
        for s in (0, 0, 1)
    )  # fmt: skip
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)
    assert np.array_equal(one, one.astype(np.float32))


def test_robustness_of_a_comparison_in_closed_form():
    """x0 > x1 holds up to radius r around (0.75, 0.25) iff 0.75 - r > 0.25 + r."""
    larger = ReluNetwork((np.eye(2),), (None,))
    for radius, robust in ((0.125, 1), (0.25, 0), (0.375, 0)):
        found = verified_robustness(larger, [[0.75, 0.25]], [0], radius=radius)
        assert (found.robust, found.attacked, found.unknown) == (robust, 1 - robust, 0)
    # within bounds the ball ends earlier
    found = verified_robustness(larger, [[0.75, 0.25]], [0], radius=0.5, bounds=(0.25, 1))
    assert found.attacked == 1
    found = verified_robustness(larger, [[0.75, 0.25]], [0], radius=0.2, bounds=(0, 0.75))
    assert str(found) == "1 proved robust, 0 attacked, 0 undecided"
    sign = linear([1, -1])
    assert verified_robustness(sign, [[1, 0.5]], [1], radius=0.125).robust == 1
    assert verified_robustness(sign, [[1, 0.5]], [1], radius=0.25).attacked == 1
    assert verified_robustness(sign, [[0.5, 1]], [0], radius=0.125).robust == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"radius": -0.1}, "radius"),
        ({"radius": 0.1, "bounds": (1, 0)}, "bounds"),
        ({"margin": -1.0}, "margin"),
        ({"precision": "half"}, "double, single"),
        ({"clean": ([[0, 0, 0]], [0])}, "radius"),
        ({"radius": 0.1, "clean": ([[0, 0]], [0])}, "shape"),
        ({"radius": 0.1, "validation": ([[0, 0, np.nan]], [0])}, "NaN"),
    ],
)
def test_options_that_make_no_sense(options, words):
    with pytest.raises(ValueError, match=words):
        robust_finetune(small(), [[0.1, 0.2, 0.3]], [0], **options)


def test_a_network_that_is_never_right_has_no_lead_to_keep():
    network, x = small(), [[0.1, 0.2, 0.3]]
    wrong = [(int(network.decide(np.array(x))[0]) + 1) % 3]
    with pytest.raises(ValueError, match="none of the clean rows"):
        robust_finetune(network, x, wrong, radius=0.1, clean=(x, wrong))


@pytest.mark.parametrize(
    ("points", "labels", "words"),
    [
        ([[1, 2]], [0], "shape"),
        ([[1, 2, np.nan]], [0], "NaN"),
        ([[1, 2, 3]], [7], "labels"),
        ([[1, 2, 3]], [0, 1], "labels"),
        ([["a", "b", "c"]], [0], "no numbers"),
    ],
)
def test_bad_points(points, labels, words):
    with pytest.raises(ValueError, match=words):
        robust_finetune(small(), points, labels)


def test_other_networks_are_refused():
    from tamecheck.errors import TamecheckError

    with pytest.raises(TamecheckError):
        robust_finetune(tc.expression("sin(x)"), [[1.0]], [1])
