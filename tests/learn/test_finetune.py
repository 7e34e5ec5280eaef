"""Fine-tuning: the least change in closed form, and networks that classify the given points."""

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.learn import adversarial_points, robust_finetune
from tamecheck.learn.finetune_network import ReluNetwork, relu_network


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
    gradient = slopes.combined(np.ones(1))
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
    rows = np.array([slopes.combined(row) for row in np.eye(4)])
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
