"""What a network has to beat: the most frequent class, logistic regression, a small tree."""

from __future__ import annotations

import warnings
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from tamecheck.loaders.tables.rows import Table

DEPTH = 3
"""The depth of the tree."""


def baselines(
    table: Table, train: npt.NDArray[np.int64], *, balanced: bool, seed: int
) -> dict[str, npt.NDArray[Any]]:
    """What each baseline says of every row of the table, trained on some rows.

    ``majority`` says the class that is the most frequent one in training; ``logistic`` is
    scikit-learn's logistic regression on numbers in units of their spread and one-hot categories,
    ``tree3`` its tree of depth 3 on numbers and one-hot categories; if ``balanced``, these two
    weigh classes alike.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.tree import DecisionTreeClassifier

    names, counts = np.unique(table.labels[train], return_counts=True)
    said: dict[str, npt.NDArray[Any]] = {
        "majority": np.full(len(table.labels), names[counts.argmax()])
    }
    if len(names) < 2:
        return said
    weight = "balanced" if balanced else None
    numbers, categories = _features(table, train)
    logistic = cast("Any", LogisticRegression)(max_iter=1000, class_weight=weight)
    tree = cast("Any", DecisionTreeClassifier)(
        max_depth=DEPTH, class_weight=weight, random_state=seed
    )
    with warnings.catch_warnings():
        # of a training that stopped early
        warnings.simplefilter("ignore")
        for name, model in (("logistic", logistic), ("tree3", tree)):
            x = np.hstack([numbers, categories])
            said[name] = model.fit(x[train], table.labels[train]).predict(x)
    return said


def _features(
    table: Table, train: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Numbers without their mean and in units of their spread, and a column for each category."""
    rows, columns = table.rows, list(enumerate(table.columns))
    numeric = [k for k, column in columns if column.categories is None]
    numbers = rows[:, numeric].astype(np.float64)
    with np.errstate(all="ignore"):
        spread = numbers[train].std(axis=0)
        spread[~np.isfinite(spread) | (spread == 0)] = 1.0
        numbers = np.nan_to_num((numbers - numbers[train].mean(axis=0)) / spread)
    words = [
        np.array([value == category for value in rows[:, k].tolist()], dtype=np.float64)
        for k, column in columns
        if column.categories is not None
        for category in sorted(set(rows[train, k].tolist()))
    ]
    categories = np.stack(words, axis=1) if words else np.zeros((len(rows), 0))
    return numbers, categories
