"""Every estimator of scikit-learn that is read agrees with its own methods."""

import warnings

import numpy as np
import pytest
from sklearn import (
    compose,
    dummy,
    ensemble,
    linear_model,
    multiclass,
    neighbors,
    pipeline,
    preprocessing,
    semi_supervised,
    svm,
)
from sklearn import tree as trees
from sklearn.base import RegressorMixin
from sklearn.impute import SimpleImputer

from tamecheck.errors import DomainError, InputError, UnsupportedError
from tamecheck.evaluate import float_values
from tamecheck.loaders.sklearn.meta import ESTIMATORS
from tamecheck.loaders.sklearn.model import from_sklearn
from tamecheck.plots.sample import values
from tests.load.sklearn_estimators import FITS, fitted
from tests.load.sklearn_tables import ONE_NUMBER, SEED, THREE

NAMES = {"decision_function": "decision", "predict_proba": "probabilities", "transform": "y"}
WITHOUT = (
    "its predict_proba is not read",
    "the solver 'lsqr' has no transform",
    "multi_class='one_vs_one' has no probabilities",
    "its probabilities are several matrices",
)
"""Why some estimators have not some methods, or not as one tensor."""
FIRST = [(name, 0) for name in FITS]
OTHERS = [(name, number) for name, fits in FITS.items() for number in range(1, len(fits))]
UNFITTED = {
    "HalvingGridSearchCV",
    "HalvingRandomSearchCV",
    "_ConstantPredictor",
}


def rows_near(x, count):
    """Rows of the table, near them, and on other scales."""
    source = np.random.default_rng(1)
    rows = np.nan_to_num(x[source.integers(0, len(x), count)])
    noise = source.normal(size=rows.shape)
    scale = source.choice([0, 0.01, 0.3, 3.0], size=(count, 1))
    return rows + scale * noise


def asked(estimator, method, rows):
    """What the estimator says of each row, a label as its index; None where it has no value."""
    classes = getattr(estimator, "classes_", None)

    def ask(row):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = getattr(estimator, method)(row)
        except ValueError:
            return None
        found = np.asarray(found.toarray() if hasattr(found, "toarray") else found)
        if method == "predict" and classes is not None and not isinstance(classes, list):
            return np.searchsorted(classes, found)
        return found

    whole = ask(rows)
    if whole is not None:
        return whole
    each = [ask(row[None]) for row in rows]
    return [found if found is None else found[0] for found in each]


def one_by_one(graph, name, rows):
    """The output at each row, or why there is none."""
    for row in rows:
        try:
            yield float_values(graph, {"x": row})[name]
        except DomainError as error:
            yield error


def together(graph, name, rows):
    """The same for many rows; those without a finite value, and computed indices, one by one."""
    try:
        found = values(graph, rows)
    except UnsupportedError:
        return list(one_by_one(graph, name, rows))
    known = np.isfinite(found).all(axis=1)
    alone = one_by_one(graph, name, rows[~known])
    shape = graph.nodes[dict(graph.outputs)[name]].shape
    return [row.reshape(shape) if k else next(alone) for row, k in zip(found, known, strict=True)]


def assert_agreement(estimator, rows, evaluate):
    methods = ("predict", "decision_function", "predict_proba", "transform")
    for method in filter(lambda m: hasattr(estimator, m), methods):
        try:
            loaded = from_sklearn(estimator, method)
        except UnsupportedError as error:
            if method != "predict" and str(error).endswith(WITHOUT):
                continue
            raise
        graph = loaded.graph
        (name,) = dict(graph.outputs)
        assert name == NAMES.get(method, name)
        found_rows = evaluate(graph, name, rows)
        both = []
        for found, expected in zip(found_rows, asked(estimator, method, rows), strict=True):
            if isinstance(found, DomainError):
                assert expected is None or not np.isfinite(expected).all()
            elif expected is None:
                assert loaded.notes
            else:
                both.append((found, np.reshape(expected, found.shape)))
        if both:
            found, expected = map(np.stack, zip(*both, strict=True))
            sizes = np.abs(found).max(axis=tuple(range(1, found.ndim)), initial=0, keepdims=True)
            # sums of large numbers that cancel lose digits
            near = np.isclose(found, expected, rtol=1e-7, atol=1e-9 * (1 + sizes), equal_nan=True)
            assert near.all(), (found[~near], expected[~near])


@pytest.mark.parametrize(("name", "number"), FIRST)
def test_one_fit_of_every_estimator_agrees(name, number):
    estimator, x = fitted(name, number)
    assert_agreement(estimator, rows_near(x, 12), one_by_one)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "number"), OTHERS)
def test_other_fits_of_an_estimator_agree_at_many_points(name, number):
    estimator, x = fitted(name, number)
    assert_agreement(estimator, rows_near(x, 1 + 600 // len(FITS[name])), together)


def test_every_estimator_that_is_read_has_three_fits():
    assert set(ESTIMATORS) - UNFITTED == set(FITS)
    assert all(len(fits) >= 3 for fits in FITS.values())


def table_of(names, count=60):
    import pandas as pd

    source = np.random.default_rng(3)
    return pd.DataFrame(source.normal(size=(count, len(names))), columns=names)


@pytest.mark.parametrize(
    "columns",
    [["b", "d"], "a-c", slice("a", "c"), slice(1, 3), [False, True, False, True], [-1, 0], str],
    ids=str,
)
def test_columns_are_chosen_in_every_way_that_scikit_learn_knows(columns):
    x = table_of(["a", "b", "c", "d"])
    if columns is str:
        columns = lambda frame: [name for name in frame.columns if name > "b"]  # noqa: E731
    elif columns == "a-c":
        columns = compose.make_column_selector("[a-c]")
    parts = [("some", preprocessing.StandardScaler(), columns)]
    rest = compose.ColumnTransformer(parts, remainder="passthrough")
    model = pipeline.make_pipeline(rest, linear_model.Ridge()).fit(x, x["a"] - x["d"])
    graph = from_sklearn(model).graph
    for row in x.to_numpy()[:10]:
        value = float_values(graph, {"x": row})["value"]
        expected = model.predict(x.iloc[:1].assign(**dict(zip(x.columns, row, strict=True))))[0]
        np.testing.assert_allclose(value, expected, rtol=1e-9)


TREES = [
    trees.DecisionTreeClassifier(max_depth=4, **SEED),
    trees.DecisionTreeRegressor(max_depth=4, **SEED),
    ensemble.RandomForestClassifier(5, max_depth=4, **SEED),
    ensemble.ExtraTreesRegressor(5, max_depth=4, **SEED),
    ensemble.GradientBoostingClassifier(n_estimators=4, **SEED),
    ensemble.GradientBoostingRegressor(n_estimators=4, **SEED),
    ensemble.AdaBoostClassifier(n_estimators=4, **SEED),
    ensemble.BaggingRegressor(n_estimators=4, **SEED),
    ensemble.IsolationForest(n_estimators=4, **SEED),
]


def splits(model):
    """The feature and threshold of every split."""
    held = np.ravel(getattr(model, "estimators_", [model]))
    for tree in (one.tree_ for one in held):
        for node in np.flatnonzero(tree.children_left >= 0):
            yield int(tree.feature[node]), float(tree.threshold[node])


@pytest.mark.parametrize("estimator", TREES, ids=lambda e: type(e).__name__)
def test_trees_agree_at_their_thresholds_and_next_to_them(estimator):
    x, y = ONE_NUMBER if isinstance(estimator, RegressorMixin) else THREE
    model = estimator.fit(x, y)
    graph = from_sklearn(model, "predict").graph
    rows = []
    for feature, threshold in list(splits(model))[:12]:
        single = np.float32(threshold)
        steps = [np.nextafter(single, np.float32(side)) for side in (-np.inf, np.inf)]
        middles = [(float(single) + float(step)) / 2 for step in steps]
        near = [np.nextafter(m, side) for m in (threshold, *middles) for side in (-np.inf, np.inf)]
        for value in (threshold, float(single), *map(float, steps), *middles, *near):
            rows.append(np.array(x[0]))
            rows[-1][feature] = value
    expected = asked(model, "predict", np.array(rows))
    (name,) = dict(graph.outputs)
    found = [float_values(graph, {"x": row})[name] for row in rows]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_one_method_is_read_if_it_is_asked_for():
    model, _ = fitted("LogisticRegression", 0)
    outputs = dict(from_sklearn(model, "predict_proba").graph.outputs)
    assert list(outputs) == ["probabilities"]
    with pytest.raises(InputError, match="no transform"):
        from_sklearn(model, "transform")
    with pytest.raises(InputError, match="no method 'score'"):
        from_sklearn(model, "score")


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        (preprocessing.QuantileTransformer(output_distribution="normal"), "normal quantiles"),
        (preprocessing.FunctionTransformer(np.cumsum), "function 'cumsum' is not read"),
        (preprocessing.SplineTransformer(extrapolation="error"), "no value outside"),
        (preprocessing.SplineTransformer(degree=0), "above the last knot"),
        (preprocessing.SplineTransformer(degree=1, extrapolation="linear"), "ends of lines"),
        (multiclass.OneVsOneClassifier(linear_model.Ridge()), "regressors cast no votes"),
        (neighbors.KNeighborsClassifier(metric="cosine"), "metric 'cosine' is not read"),
        (neighbors.KNeighborsClassifier(weights=np.exp), "weights by a function"),
        (dummy.DummyClassifier(strategy="uniform"), "draws at random"),
        (
            ensemble.VotingClassifier(
                [("a", svm.SVC()), ("b", semi_supervised.LabelPropagation())]
            ),
            "LabelPropagation: this estimator is not read",
        ),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_cannot_be_read_is_refused_in_one_line(estimator, words):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = estimator.fit(*THREE)
    with pytest.raises(UnsupportedError, match=words) as raised:
        from_sklearn(model)
    assert "\n" not in raised.value.what


def test_an_estimator_of_texts_is_refused_in_one_line():
    texts = np.array([["oak", "ash"], ["elm", "oak"]], dtype=object)
    for estimator in (SimpleImputer(strategy="most_frequent"), preprocessing.OneHotEncoder()):
        with pytest.raises(UnsupportedError, match="not read") as raised:
            from_sklearn(estimator.fit(texts))
        assert "\n" not in raised.value.what
