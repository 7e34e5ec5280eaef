"""The classifiers as scikit-learn's users know them: its checks, pipelines, pickles, bad input."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import tamecheck as tc
from tamecheck.learn import (
    Binariser,
    DataError,
    MIPBinarizedClassifier,
    MIPBinarizedEnsemble,
    PiecewisePolynomialRegressor,
    SteBinarizedClassifier,
    TameBinarizedClassifier,
)
from tamecheck.learn.descent import Batch

CLASSES = (SteBinarizedClassifier, TameBinarizedClassifier)
XOR = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
ODD = [0, 1, 1, 0]


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([SteBinarizedClassifier(), TameBinarizedClassifier()])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [
        MIPBinarizedClassifier((2,), solver="annealing", starts=2, random_state=0),
        MIPBinarizedEnsemble(1, random_state=0),
        PiecewisePolynomialRegressor(0, solver="search", random_state=0),
    ]
)
def test_checks_of_scikit_learn_for_what_programs_train(estimator, check):
    # solvers are left out: their limits of time would make two fits differ
    check(estimator)


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([Binariser()])
def test_checks_of_scikit_learn_for_the_binariser(estimator, check):
    check(estimator)


@pytest.mark.parametrize("make", CLASSES)
def test_xor_is_learnt_and_survives_a_pickle(make):
    fitted = make((6,), random_state=3).fit(XOR, ODD)
    assert fitted.predict(XOR).tolist() == ODD
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.decision_function(XOR), fitted.decision_function(XOR))
    fresh = clone(fitted)
    assert not hasattr(fresh, "network_")
    assert fresh.get_params() == fitted.get_params()


@pytest.mark.parametrize("make", CLASSES)
def test_the_same_seed_gives_the_same_network(make):
    one, two, other = (make((4,), random_state=s, epochs=5).fit(XOR, ODD) for s in (1, 1, 2))
    weights = [m.network_.layers[0].weights for m in (one, two, other)]
    assert np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


@pytest.mark.parametrize("make", CLASSES)
@pytest.mark.parametrize(("weights", "kinds"), [("binary", {"binary"}), ("ternary", None)])
def test_integer_weights_stay_integers(make, weights, kinds):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 9, (80, 6)) * 1.0
    y = (x[:, 0] + x[:, 1] > 8).astype(int)
    fitted = make((8,), weights=weights, random_state=0).fit(x, y)
    assert fitted.score(x, y) > 0.8
    for layer in fitted.network_.layers:
        assert np.isin(layer.weights, (-1, 0, 1)).all()
        assert kinds is None or {layer.kind} == kinds
    # integer weights on integers are exact: the exact model decides the same
    exact = [fitted.to_model().evaluate(row, exact=True) for row in x[:10]]
    assert [int(np.argmax(scores)) for scores in exact] == fitted.predict(x[:10]).tolist()


def test_real_weights_are_at_most_one():
    data = load_breast_cancer()
    fitted = TameBinarizedClassifier((5,), random_state=0, epochs=10).fit(data.data, data.target)
    assert all(np.abs(layer.weights).max() <= 1 for layer in fitted.network_.layers)
    assert fitted.score(data.data, data.target) > 0.9


def test_a_pipeline_speaks_of_features():
    frame = pd.DataFrame(
        {"age [years]": [20, 30, 40, 50, 60, 70] * 5, "smoker": ["y", "n", "y", "y", "n", "n"] * 5}
    )
    target = np.where((frame["age [years]"] > 35) & (frame["smoker"] == "y"), "ill", "well")
    pipeline = make_pipeline(Binariser(), TameBinarizedClassifier((4,), random_state=0))
    pipeline.fit(frame, target)
    assert pipeline.score(frame, target) == 1
    assert pipeline[0].literal(1) == "age ≥ 35 years"
    assert pipeline[0].get_feature_names_out()[-1] == "smoker=y"
    assert pipeline[1].network_.widths == (5, 4, 2)


def test_grid_search_finds_the_width_that_xor_needs():
    x, y = np.tile(XOR, (6, 1)), np.tile(ODD, 6)
    grid = GridSearchCV(SteBinarizedClassifier(random_state=0), {"hidden": [(1,), (6,)]}, cv=3)
    assert grid.fit(x, y).best_params_ == {"hidden": (6,)}


def test_text_classes_and_ties_go_to_the_first():
    fitted = SteBinarizedClassifier((4,), random_state=0).fit(XOR, ["b", "a", "a", "b"])
    assert fitted.classes_.tolist() == ["a", "b"]
    assert set(fitted.predict(XOR)) <= {"a", "b"}
    scores = fitted.network_scores(XOR)
    assert np.allclose(fitted.decision_function(XOR), scores[:, 1] - scores[:, 0])


@pytest.mark.parametrize("make", CLASSES)
def test_partial_fit_learns_in_parts(make):
    rng = np.random.default_rng(1)
    x = np.where(rng.random((300, 5)) < 0.5, -1.0, 1.0)
    y = (x[:, :3].sum(axis=1) > 0).astype(int)
    learner = make((6,), random_state=0)
    for _ in range(20):
        for part in np.split(np.arange(300), 3):
            learner.partial_fit(x[part], y[part], classes=[0, 1])
    assert learner.n_iter_ == 60
    assert learner.score(x, y) > 0.95


def test_partial_fit_refuses_new_classes_and_needs_to_know_them():
    learner = SteBinarizedClassifier((3,)).partial_fit(XOR, ODD)
    with pytest.raises(DataError, match="not in classes"):
        learner.partial_fit(XOR, [0, 1, 2, 0])
    with pytest.raises(DataError, match="only one class"):
        SteBinarizedClassifier((3,)).partial_fit(XOR, [1, 1, 1, 1])


def test_weights_decide_a_conflict():
    x = np.array([[-1.0, 1], [-1, 1], [1, -1], [1, -1]])
    y = np.array([0, 1, 1, 0])
    heavy = np.array([9.0, 1, 9, 1])
    fitted = TameBinarizedClassifier((4,), random_state=0).fit(x, y, sample_weight=heavy)
    assert fitted.predict(x).tolist() == [0, 0, 1, 1]
    # rows of weight zero are as good as left out
    zero = TameBinarizedClassifier((4,), random_state=0).fit(x, y, sample_weight=[1, 0, 1, 0])
    without = TameBinarizedClassifier((4,), random_state=0).fit(x[[0, 2]], y[[0, 2]])
    assert np.array_equal(zero.network_.layers[0].weights, without.network_.layers[0].weights)


def test_early_stopping_keeps_what_was_best_on_held_out_rows():
    rng = np.random.default_rng(2)
    x = np.where(rng.random((200, 12)) < 0.5, -1.0, 1.0)
    y = (rng.random(200) < 0.5).astype(int)
    seen = []
    fitted = SteBinarizedClassifier(
        (8,), early_stopping=True, n_iter_no_change=5, random_state=0, callbacks=[seen.append]
    ).fit(x, y)
    scores = [progress.validation for progress in seen]
    assert fitted.best_validation_score_ == max(scores)
    assert fitted.n_iter_ == len(seen) == scores.index(max(scores)) + 6


def test_callbacks_see_the_loss_fall_and_may_stop():
    seen = []

    def watch(progress):
        seen.append(progress)
        return progress.epoch == 7

    TameBinarizedClassifier((4,), callbacks=[watch], random_state=0).fit(
        np.tile(XOR, (9, 1)), ODD * 9
    )
    assert [progress.epoch for progress in seen] == list(range(1, 8))
    assert seen[-1].loss < seen[0].loss
    assert seen[-1].epochs == 100


def test_ctrl_c_ends_with_the_network_so_far():
    def interrupt(progress):
        if progress.epoch == 3:
            raise KeyboardInterrupt

    learner = SteBinarizedClassifier((4,), callbacks=[interrupt], random_state=0)
    with pytest.warns(UserWarning, match="interrupted"):
        learner.fit(XOR, ODD)
    assert learner.n_iter_ == 3
    assert learner.predict(XOR).shape == (4,)


def test_erasure_takes_a_share_of_the_features_and_keeps_their_mean():
    rows = np.arange(4000)
    batch = Batch(np.ones((4000, 3)), rows, np.ones(4000), rows)
    erased = batch.erase(0.25, np.random.default_rng(0)).x
    assert set(np.unique(erased)) == {0, 4 / 3}
    assert abs((erased == 0).mean() - 0.25) < 0.02
    assert batch.erase(0.0, np.random.default_rng(0)) is batch


def test_large_networks_erase_features_and_bound_neurons_by_default():
    rng = np.random.default_rng(0)
    x, y = np.where(rng.random((40, 60)) < 0.5, -1.0, 1.0), np.arange(40) % 2

    def readout(features, width, **options):
        made = TameBinarizedClassifier((width,), **options, epochs=2, random_state=0)
        return made.fit(x[:, :features], y).network_.layers[-1].weights

    large = {"erasure": 0.3, "max_norm": 0.5, "rho": 2.0}
    small = {"erasure": 0.0, "max_norm": np.inf, "rho": 0.5}
    for features, width, options in ((60, 6, large), (60, 5, small), (20, 40, small)):
        found = readout(features, width)
        assert np.array_equal(found, readout(features, width, **options))
        for name in options:
            other = large if options is small else small
            assert not np.array_equal(found, readout(features, width, **{name: other[name]})), name


def test_neurons_stay_in_their_ball():
    rng = np.random.default_rng(1)
    x, y = np.where(rng.random((60, 9)) < 0.5, -1.0, 1.0), np.arange(60) % 3
    fitted = SteBinarizedClassifier((5, 4), max_norm=0.25, epochs=5, random_state=0).fit(x, y)
    layers = fitted._state.latent.effective()
    norms = [np.linalg.norm(weights, axis=0) for weights, _ in layers]
    assert max(norms[0].max(), norms[1].max()) <= 0.25 + 1e-12
    assert norms[2].max() > 0.25


@pytest.mark.parametrize(("kind", "rho"), [("real", 0.5), ("binary", 2.0), ("ternary", 2.0)])
def test_the_penalty_is_steeper_for_integer_weights(kind, rho):
    fits = [
        TameBinarizedClassifier((3,), weights=kind, rho=r, epochs=15, random_state=0).fit(XOR, ODD)
        for r in (None, rho, 1.0)
    ]
    assert fits[0].loss_curve_ == fits[1].loss_curve_ != fits[2].loss_curve_


def test_a_timeout_ends_with_the_network_so_far():
    learner = SteBinarizedClassifier((4,), timeout=1e-9, random_state=0).fit(XOR, ODD)
    assert learner.n_iter_ == 1


# --- the tame classifier's own options --------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "inner"),
    [
        ({"hidden": (4,)}, "exact"),
        ({"hidden": (11,)}, "flips"),
        ({"hidden": (4, 11)}, "mixed"),
        ({"hidden": (16, 11)}, "mixed"),
        ({"hidden": (16, 4), "temperature": 0, "kappa": 0.5}, "mixed"),
        ({"hidden": (11,), "inner": "exact"}, "exact"),
        ({"hidden": (16,), "inner": "exact", "temperature": 0}, "exact"),
        ({"hidden": (4, 16), "inner": "exact", "temperature": 0}, "exact"),
        ({"hidden": (4,), "inner": "flips", "temperature": 0}, "flips"),
        ({"hidden": (4,), "variant": "joint"}, "exact"),
        ({"hidden": (4, 3), "variant": "joint", "temperature": 0, "kappa": 0.5}, "exact"),
        ({"hidden": (16,), "variant": "joint", "temperature": 0, "inner": "exact"}, "exact"),
        ({"hidden": (4,), "loss": "hinge", "rho": (0.1, 0.5), "temperature": (1, 0.1)}, "exact"),
    ],
)
def test_every_way_of_solving_the_inner_problem_learns(options, inner):
    rng = np.random.default_rng(0)
    x = np.where(rng.random((150, 5)) < 0.5, -1.0, 1.0)
    y = (x[:, :3].sum(axis=1) > 0).astype(int)
    fitted = TameBinarizedClassifier(**options, epochs=60, random_state=0).fit(x, y)
    assert fitted.inner_ == inner
    assert fitted.variant_ == options.get("variant", "split")
    assert fitted.score(x, y) > 0.85


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"variant": "both"}, "split, joint"),
        ({"inner": "cbc"}, "auto, exact, flips"),
        ({"loss": "square"}, "logistic, hinge"),
        ({"weights": "complex"}, "real, binary, ternary"),
        ({"rho": -1}, "neither a positive number"),
        ({"rho": (1, 2, 3)}, "nor a pair"),
        ({"temperature": float("nan")}, "non-negative"),
        ({"hidden": (0,)}, "no widths"),
        ({"hidden": "ab"}, "no widths"),
        ({"hidden": (20,), "inner": "exact"}, "temperature=0"),
        ({"hidden": (20, 4), "inner": "exact", "temperature": 0}, "hidden layer 0"),
        ({"hidden": (4, 4), "variant": "joint"}, "needs temperature=0"),
        ({"hidden": (16,), "variant": "joint"}, "exact inner problems"),
        ({"hidden": (10, 10), "variant": "joint", "temperature": 0}, "neighbouring"),
        ({"epochs": 0}, "positive integer"),
        ({"batch_size": 2.5}, "positive integer"),
        ({"learning_rate": 0.0}, "positive number"),
        ({"early_stopping": True, "validation_fraction": 2}, "between 0 and 1"),
        ({"erasure": 1.0}, "no share"),
        ({"max_norm": 0.0}, "no positive number"),
    ],
)
def test_parameters_that_make_no_sense(options, words):
    with pytest.raises(DataError, match=words):
        TameBinarizedClassifier(**options).fit(XOR, ODD)


@pytest.mark.parametrize("make", [*CLASSES, MIPBinarizedClassifier, MIPBinarizedEnsemble])
@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        ([[np.nan, 1], [1, 1]], [0, 1], "NaN"),
        ([[np.inf, 1], [1, 1]], [0, 1], "infinity"),
        ([["a", "b"], ["c", "d"]], [0, 1], "could not convert string to float"),
        (XOR, [1, 1, 1, 1], "only one class"),
        (np.ones((4, 3)), ODD, "Every feature is constant"),
        (XOR, [0.1, 0.2, 0.3, 0.7], "continuous"),
        (XOR, [0, 1], "inconsistent numbers of samples"),
        (np.empty((0, 2)), [], "0 sample"),
        (XOR, [0, 1, np.nan, 0], "NaN"),
    ],
)
def test_bad_data_are_refused_in_scikit_learns_words(make, x, y, words):
    with pytest.raises(ValueError, match=words) as caught:
        make().fit(x, y)
    assert isinstance(caught.value, tc.TamecheckError)


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        ([[np.nan, 1], [1, 1]], [0, 1], "NaN"),
        ([["a", "b"], ["c", "d"]], [0, 1], "could not convert string to float"),
        (XOR, [0, 1], "inconsistent numbers of samples"),
        (XOR, [0, 1, np.inf, 0], "infinity"),
        (np.empty((0, 2)), [], "0 sample"),
    ],
)
def test_bad_data_of_a_regression(x, y, words):
    with pytest.raises(DataError, match=words):
        PiecewisePolynomialRegressor(1).fit(x, y)


@pytest.mark.parametrize("make", CLASSES)
def test_there_may_be_a_class_for_each_point(make):
    names = ["a", "b", "c", "d"]
    fitted = make((6,), random_state=3).fit(XOR, names)
    assert fitted.predict(XOR).tolist() == names


@pytest.mark.parametrize(
    "made",
    [
        MIPBinarizedClassifier((2,), solver="annealing", random_state=0),
        MIPBinarizedEnsemble(1, random_state=0),
    ],
)
def test_what_programs_train_is_cloned_pickled_piped_and_searched(made):
    x, y = np.tile(XOR, (4, 1)), np.tile([0, 1, 1, 1], 4)
    fitted = clone(made).fit(x, y)
    again = pickle.loads(pickle.dumps(fitted))
    assert again.predict(XOR).tolist() == fitted.predict(XOR).tolist() == [0, 1, 1, 1]
    assert clone(fitted).get_params() == made.get_params()
    grid = GridSearchCV(make_pipeline(Binariser(), made), {"binariser__thresholds": [1, 2]}, cv=2)
    assert grid.fit(x, y).best_score_ == 1


def test_nothing_can_be_asked_before_fit():
    for ask in ("to_model", "definability_certificate"):
        with pytest.raises(NotFittedError):
            getattr(TameBinarizedClassifier(), ask)()


def test_scikit_learn_is_not_imported_with_the_package():
    program = "import tamecheck, sys; print('sklearn' in sys.modules, 'learn' in dir(tamecheck))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False True\n"


@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities_are_fitted_on_rows_that_were_not_seen(classes):
    rng = np.random.default_rng(0)
    x = rng.choice([-1, 1], size=(150, 5))
    noise = rng.random(150) < 0.3
    y = np.where(noise, rng.integers(0, classes, 150), (x[:, :classes] > 0).argmax(axis=1))
    options = {"epochs": 30, "random_state": 0}
    plain = tc.learn.SteBinarizedClassifier((4,), **options).fit(x, y)
    assert not hasattr(plain, "predict_proba")
    found = tc.learn.SteBinarizedClassifier((4,), **options, calibration_folds=3).fit(x, y)
    assert found.network_scores(x).tolist() == plain.network_scores(x).tolist()
    shares = found.predict_proba(x)
    assert shares.shape == (150, classes)
    assert np.allclose(shares.sum(axis=1), 1)
    # a noisy label is never certain, although the network decides
    assert 0.01 < shares.min() < shares.max() < 0.99
    assert (shares.argmax(axis=1) == found.predict(x)).mean() > 0.8
    for folds in (1, 2.5, 500):
        with pytest.raises(tc.learn.DataError, match="calibration_folds"):
            tc.learn.SteBinarizedClassifier((4,), **options, calibration_folds=folds).fit(x, y)
