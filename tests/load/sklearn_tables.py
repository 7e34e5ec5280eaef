"""Tables for estimators of scikit-learn, and fits of one kind with several options."""

import warnings

import numpy as np
from sklearn import linear_model
from sklearn import tree as trees

SEED = {"random_state": 0}


def table(features, classes, rows=60, seed=0):
    """Clouds of points, a class each; -1 makes one number a row, -2 two numbers a row."""
    source = np.random.default_rng(seed)
    x = source.normal(size=(rows, features)) * 2
    if classes < 0:
        y = np.stack([x[:, 0] * (k + 1) + np.abs(x[:, 1]) for k in range(-classes)], axis=1)
        y = y + source.normal(size=y.shape)
        return x, y[:, 0] if classes == -1 else y
    y = source.integers(0, classes, rows)
    x[:, 0] += 2 * y
    x[:, 1] -= y
    return x, y


TWO, THREE, FOUR = table(3, 2), table(3, 3), table(4, 4)
NAMED = THREE[0], np.array(["oak", "ash", "elm"])[THREE[1]]
ONE_NUMBER, TWO_NUMBERS = table(3, -1), table(3, -2)
COUNTS = ONE_NUMBER[0], np.abs(np.round(ONE_NUMBER[1]))
POSITIVE = ONE_NUMBER[0], np.abs(ONE_NUMBER[1]) + 0.1
SIGNS = THREE[0], np.stack([THREE[1] > 0, THREE[1] > 1, THREE[0][:, 1] > 0], axis=1).astype(int)
GAPS = np.where(np.random.default_rng(4).random((60, 3)) < 0.3, np.nan, THREE[0]), THREE[1]
CODES = np.random.default_rng(2).integers([0, 0, 1], [3, 2, 4], (60, 3)) * 1.0, None
CATEGORIES = np.column_stack([CODES[0][:, :2], ONE_NUMBER[0][:, 0]]), ONE_NUMBER[1]


def over(maker, tables, *options):
    """A fit for each option, the tables in turn."""
    with warnings.catch_warnings():
        # some of them are deprecated
        warnings.simplefilter("ignore")
        return [(maker(**o), tables[i % len(tables)]) for i, o in enumerate(options)]


def classes(maker, *options):
    return over(maker, (TWO, THREE, NAMED), *options)


def numbers(maker, *options):
    return over(maker, (ONE_NUMBER,), *options)


def features(maker, *options):
    return over(maker, (ONE_NUMBER,), *options)


def linear(maker, *options):
    return numbers(maker, *(options or ({}, {"fit_intercept": False}, {})))


def targets(maker, *options):
    return over(maker, (TWO_NUMBERS,), *(options or ({}, {"fit_intercept": False}, {})))


def logistic():
    return linear_model.LogisticRegression()


def stump(**options):
    return trees.DecisionTreeClassifier(max_depth=2, **SEED, **options)
