"""scikit-learn estimators agree with their own predictions, on their own tables."""

import warnings

import numpy as np
import pytest
from sklearn import datasets, ensemble, linear_model, neural_network, pipeline, preprocessing, svm
from sklearn import tree as trees
from sklearn.cluster import Birch

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.evaluate import exact_values, float_values
from tamecheck.ir.graph import Apply
from tamecheck.loaders.sklearn.model import from_sklearn
from tamecheck.loaders.sklearn.trees import largest_left

SEED = {"random_state": 0}
IRIS = datasets.load_iris(return_X_y=True)
CANCER = datasets.load_breast_cancer(return_X_y=True)
DIABETES = datasets.load_diabetes(return_X_y=True)
SCALED = preprocessing.StandardScaler().fit_transform(CANCER[0]), CANCER[1]
TWO_TARGETS = DIABETES[0], np.stack([DIABETES[1], -DIABETES[1]], axis=1)

CLASSIFIERS = [
    linear_model.LogisticRegression(),
    linear_model.RidgeClassifier(),
    linear_model.SGDClassifier(**SEED),
    svm.LinearSVC(**SEED),
    svm.SVC(),
    svm.SVC(kernel="linear"),
    svm.SVC(kernel="poly", degree=2, coef0=1),
    svm.SVC(kernel="sigmoid"),
    svm.SVC(decision_function_shape="ovo"),
    svm.SVC(break_ties=True),
    svm.NuSVC(nu=0.1),
    *(
        neural_network.MLPClassifier((5, 4), activation=name, max_iter=30, **SEED)
        for name in ("relu", "logistic", "tanh", "identity")
    ),
    trees.DecisionTreeClassifier(**SEED),
    trees.ExtraTreeClassifier(**SEED),
    ensemble.RandomForestClassifier(8, **SEED),
    ensemble.ExtraTreesClassifier(5, **SEED),
    ensemble.GradientBoostingClassifier(n_estimators=5, **SEED),
    ensemble.GradientBoostingClassifier(n_estimators=3, init="zero", **SEED),
    ensemble.HistGradientBoostingClassifier(max_iter=5, **SEED),
    pipeline.make_pipeline(
        preprocessing.StandardScaler(),
        preprocessing.MinMaxScaler(clip=True),
        preprocessing.RobustScaler(),
        preprocessing.MaxAbsScaler(),
        "passthrough",
        linear_model.LogisticRegression(),
    ),
]
REGRESSORS = [
    linear_model.LinearRegression(),
    linear_model.Ridge(),
    linear_model.Lasso(),
    svm.LinearSVR(**SEED),
    svm.SVR(),
    svm.SVR(kernel="poly"),
    svm.NuSVR(kernel="sigmoid"),
    neural_network.MLPRegressor(hidden_layer_sizes=(5,), activation="tanh", max_iter=30, **SEED),
    trees.DecisionTreeRegressor(max_depth=5, **SEED),
    ensemble.RandomForestRegressor(5, max_depth=6, **SEED),
    ensemble.ExtraTreesRegressor(3, max_depth=6, **SEED),
    ensemble.GradientBoostingRegressor(n_estimators=10, **SEED),
    ensemble.HistGradientBoostingRegressor(max_iter=5, **SEED),
]


def fitted(estimator, table):
    with warnings.catch_warnings():
        # convergence is not the point here
        warnings.simplefilter("ignore")
        return estimator.fit(*table)


def rows(table):
    # trees compare float32 features, so the tables are rounded once
    return np.asarray(table[0][::20], dtype=np.float32).astype(np.float64)


def name_of(estimator):
    return type(estimator).__name__


@pytest.mark.parametrize("table", [IRIS, SCALED], ids=["iris", "cancer"])
@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=name_of)
def test_classifiers_agree_with_scikit_learn(estimator, table):
    model = fitted(estimator, table)
    graph = from_sklearn(model).graph
    score = getattr(model, "decision_function", None) or model.predict_proba
    for row in rows(table):
        values = float_values(graph, {"x": row})
        np.testing.assert_allclose(values["decision"], score(row[None])[0], rtol=1e-9, atol=1e-9)
        assert model.classes_[int(values["label"])] == model.predict(row[None])[0]


@pytest.mark.parametrize("estimator", REGRESSORS, ids=name_of)
def test_regressors_agree_with_scikit_learn(estimator):
    model = fitted(estimator, DIABETES)
    graph = from_sklearn(model).graph
    for row in rows(DIABETES):
        value = float_values(graph, {"x": row})["value"]
        np.testing.assert_allclose(value, model.predict(row[None])[0], rtol=1e-9)


@pytest.mark.parametrize(
    "estimator", [linear_model.LinearRegression(), ensemble.RandomForestRegressor(3, **SEED)]
)
def test_several_targets_make_a_vector(estimator):
    model = fitted(estimator, TWO_TARGETS)
    row = rows(TWO_TARGETS)[0]
    value = float_values(from_sklearn(model).graph, {"x": row})["value"]
    np.testing.assert_allclose(value, model.predict(row[None])[0], rtol=1e-9)


def test_a_pipeline_of_scalers_is_a_model():
    model = fitted(pipeline.make_pipeline(preprocessing.StandardScaler()), (CANCER[0],))
    row = CANCER[0][0]
    value = float_values(from_sklearn(model).graph, {"x": row})["y"]
    np.testing.assert_allclose(value, model.transform(row[None])[0])


def test_a_split_takes_its_threshold_to_the_left():
    model = fitted(trees.DecisionTreeClassifier(max_depth=1, **SEED), IRIS)
    graph = from_sklearn(model).graph
    feature, threshold = model.tree_.feature[0], model.tree_.threshold[0]
    at = np.zeros(4)
    at[feature] = threshold
    left = model.predict(at[None])[0]
    assert exact_values(graph, {"x": at})["label"].item() == left
    above = np.array(at)
    above[feature] = np.nextafter(np.float32(threshold), np.float32(np.inf))
    assert exact_values(graph, {"x": above})["label"].item() != left


@pytest.mark.parametrize("threshold", [2.449999988079071, 1.0, 0.1, -0.1, 0.0, 1e-40, -7e30])
def test_a_threshold_is_the_largest_number_that_rounds_to_the_left(threshold):
    last = largest_left(np.array([threshold]))[0]
    assert float(np.float32(last)) <= threshold < float(np.float32(np.nextafter(last, np.inf)))


def test_ensembles_of_trees_stay_small_and_free_of_products():
    model = fitted(ensemble.RandomForestClassifier(50, **SEED), CANCER)
    graph = from_sklearn(model).graph
    used = {node.op.name for node in graph.nodes if isinstance(node, Apply)}
    assert used <= {"gather", "less_equal", "reshape", "select", "concat", "sum", "mul", "argmax"}
    nodes = sum(tree.tree_.node_count for tree in model.estimators_)
    assert len(graph.nodes) < 300
    assert graph.parameters < 5 * nodes


@pytest.mark.parametrize(
    ("estimator", "error", "words"),
    [
        (Birch(), UnsupportedError, "Birch"),
        (svm.SVC(kernel=np.dot), UnsupportedError, "SVC: its kernel is not read"),
        (svm.SVC(kernel="precomputed"), UnsupportedError, "SVC: its kernel is not read"),
        (svm.SVC(), InputError, "not fitted"),
        (linear_model.LinearRegression(), InputError, "not fitted"),
        ("no estimator", InputError, "no estimator"),
        (
            pipeline.make_pipeline(preprocessing.TargetEncoder(), Birch()),
            UnsupportedError,
            "TargetEncoder: this estimator is not read; Birch",
        ),
    ],
)
def test_what_is_not_read_is_refused(estimator, error, words):
    with pytest.raises(error, match=words):
        from_sklearn(estimator)
