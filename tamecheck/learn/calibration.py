"""Probabilities from scores, fitted by scikit-learn on rows that a network has not seen."""

from __future__ import annotations

from typing import Any, Self, cast

import numpy as np
from sklearn import base
from sklearn.base import BaseEstimator, ClassifierMixin

from tamecheck.learn.effort import DataError


class _Given(ClassifierMixin, BaseEstimator):
    """A classifier whose decision function is what it is given: the scores of another one."""

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803
        """Know the classes."""
        self.classes_ = np.unique(y)
        self.n_features_in_ = X.shape[1]
        return self

    def decision_function(self, X: Any) -> Any:  # noqa: N803
        """The scores; for two classes one a row."""
        return X.reshape(-1) if X.shape[1] == 1 else X

    def predict(self, X: Any) -> Any:  # noqa: N803
        """The class with the largest score."""
        scores = self.decision_function(X)
        best = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[best]


def margins(scores: Any) -> Any:
    """By how much each class's score exceeds all others, ``(rows, classes)``; of two classes one.

    ``scores`` are those of a decision function.
    """
    if scores.ndim == 1:
        return scores.reshape(-1, 1)
    first = scores.argmax(axis=1)
    others = np.array(scores, dtype=np.float64)
    others[np.arange(len(others)), first] = -np.inf
    best = np.broadcast_to(scores.max(axis=1, keepdims=True), scores.shape).copy()
    best[np.arange(len(best)), first] = others.max(axis=1)
    return scores - best


def calibrated(estimator: Any, x: Any, y: Any, sample_weight: Any, folds: Any) -> Any:
    """A sigmoid that makes probabilities of an estimator's scores, by scikit-learn.

    It is fitted to the scores of each fold by an estimator that was trained on the others.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator
    from sklearn.model_selection import StratifiedKFold

    if isinstance(folds, bool) or not isinstance(folds, int | np.integer) or folds < 2:
        raise DataError(f"calibration_folds={folds!r} is no number of folds, 2 or more.")
    labels: Any = np.asarray(y)
    names: Any = np.unique(labels)
    least = int(np.unique(labels, return_counts=True)[1].min())
    if least < folds:
        raise DataError(
            f"A class has {least} rows, fewer than calibration_folds={folds}.",
            hint="Take fewer folds.",
        )
    rows: Any = x if hasattr(x, "iloc") else np.asarray(x)
    weight: Any = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    scores = np.zeros((len(labels), 1 if len(names) == 2 else len(names)))
    splits: Any = cast("Any", StratifiedKFold)(folds)
    for rest, part in splits.split(np.zeros(len(labels)), labels):
        own = cast("Any", base).clone(estimator)
        own.set_params(calibration_folds=None)
        train, test = (rows.iloc[p] if hasattr(rows, "iloc") else rows[p] for p in (rest, part))
        own.fit(train, labels[rest], None if weight is None else weight[rest])
        scores[part] = margins(own.decision_function(test))
    frozen = cast("Any", FrozenEstimator)(_Given().fit(scores, labels))
    sigmoid = cast("Any", CalibratedClassifierCV)(frozen, method="sigmoid")
    return sigmoid.fit(scores, labels, sample_weight=weight)
