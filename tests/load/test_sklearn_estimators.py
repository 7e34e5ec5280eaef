"""Every estimator of scikit-learn that is read agrees with its own methods."""

import warnings

import numpy as np
import pytest

from tamecheck.errors import DomainError
from tamecheck.evaluate import float_values
from tamecheck.loaders.sklearn.meta import ESTIMATORS
from tamecheck.loaders.sklearn.model import from_sklearn
from tests.load.sklearn_estimators import FITS, fitted

NAMES = {"decision_function": "decision", "predict_proba": "probabilities", "transform": "y"}
SEED = {"random_state": 0}
WITHOUT = {("MultiOutputClassifier", "predict_proba")}
"""Methods that give no tensor."""
EVERY = [(name, number) for name, fits in FITS.items() for number in range(len(fits))]
FIRST = [(name, 0) for name in FITS]
UNFITTED = {"HalvingGridSearchCV", "HalvingRandomSearchCV", "_ConstantPredictor"}


def rows_near(x, count):
    """Rows of the table, near them, and on other scales."""
    source = np.random.default_rng(1)
    rows = x[source.integers(0, len(x), count)]
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


def assert_agreement(estimator, rows):
    methods = ("predict", "decision_function", "predict_proba", "transform")
    for method in filter(lambda m: hasattr(estimator, m), methods):
        if (type(estimator).__name__, method) in WITHOUT:
            continue
        graph = from_sklearn(estimator, method).graph
        (name,) = dict(graph.outputs)
        assert name == NAMES.get(method, name)
        for row, expected in zip(rows, asked(estimator, method, rows), strict=True):
            try:
                found = float_values(graph, {"x": row})[name]
            except DomainError:
                assert expected is None or not np.isfinite(expected).all()
                continue
            # sums of large numbers that cancel lose digits
            loose = {"rtol": 1e-7, "atol": 1e-9 * (1 + np.abs(found).max(initial=0))}
            np.testing.assert_allclose(found, np.reshape(expected, found.shape), **loose)


@pytest.mark.parametrize(("name", "number"), FIRST)
def test_one_fit_of_every_estimator_agrees(name, number):
    estimator, x = fitted(name, number)
    assert_agreement(estimator, rows_near(x, 12))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "number"), EVERY)
def test_every_fit_agrees_at_a_thousand_points(name, number):
    estimator, x = fitted(name, number)
    assert_agreement(estimator, rows_near(x, 1000))


def test_every_estimator_that_is_read_has_three_fits():
    assert set(ESTIMATORS) - UNFITTED == set(FITS)
    assert all(len(fits) >= 3 for fits in FITS.values())
