"""What every classifier here shares: scikit-learn's conventions around a binarized network.

Probabilities are fitted to scores by scikit-learn, on rows that a network has not seen.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import numpy.typing as npt
from sklearn import base, utils
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import class_weight, metaestimators, multiclass, validation

from tamecheck.learn.effort import DataError, data_errors
from tamecheck.learn.network import BinarizedNetwork, Floats
from tamecheck.loaders.tables.schema import Bit, Column, Group, Schema

if TYPE_CHECKING:
    from tamecheck.model import Model


Labels = npt.NDArray[np.int64]

# scikit-learn has no stubs
_VALIDATE = cast("Any", validation)
_TARGETS = cast("Any", multiclass)
_UTILS = cast("Any", utils)
_WEIGHTS = cast("Any", class_weight)
_AVAILABLE = cast("Any", metaestimators)


def _is_calibrated(estimator: Any) -> bool:
    return getattr(estimator, "calibration_folds", None) is not None


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """Rows of features, the indices of their classes, positive weights; the number of classes."""

    x: Floats
    labels: Labels
    weight: Floats
    classes: int

    @property
    def magnitude(self) -> float | None:
        """The largest absolute value of a feature if all are integers, else None."""
        if bool((self.x == np.rint(self.x)).all()):
            return max(1.0, float(np.abs(self.x).max(initial=0)))
        return None


class BinarizedClassifier(ClassifierMixin, BaseEstimator):
    """A classifier whose decision function is a `BinarizedNetwork`.

    A subclass trains in ``_train``.

    Attributes
    ----------
    network_ : BinarizedNetwork
        The trained network.
    classes_ : ndarray
        The classes, sorted; the order of the network's scores.
    n_features_in_ : int
        The number of features.
    feature_names_in_ : ndarray of str
        The features' names, if the training data had names.
    input_levels_ : tuple of (float, float), or None
        The two values of each feature, -1 and 1 or 0 and 1 for all, if the training data have no
        others; explanations are about these.
    interrupted_ : bool
        Whether Ctrl-C ended the training; the network is the best until then.
    """

    network_: BinarizedNetwork
    interrupted_: bool
    calibrated_: Any
    classes_: npt.NDArray[Any]
    n_features_in_: int
    input_levels_: tuple[tuple[float, float], ...] | None

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803
        """Train from the beginning.

        Parameters
        ----------
        X : array of shape (rows, features)
            Real features; where solvers or searches train, integers (such as ±1) make every step
            exact.
        y : array of shape (rows,)
            Classes.
        sample_weight : array of shape (rows,), optional
            Non-negative weights; rows of weight 0 are left out.

        Raises
        ------
        DataError
            If the data or a parameter cannot be trained on.
        """
        self._train(self._training_set(X, y, sample_weight))
        folds: Any = getattr(self, "calibration_folds", None)
        self.calibrated_ = None
        if folds is not None and not self.interrupted_:
            with data_errors():
                self.calibrated_ = calibrated(self, X, y, sample_weight, folds)
        return self

    @abstractmethod
    def _train(self, data: TrainingSet) -> None:
        """Set ``network_``, ``interrupted_`` and what the method has to say besides."""

    def decision_function(self, X: Any) -> Floats:  # noqa: N803
        """The scores of the classes, ``(rows, classes)``; for two classes their difference."""
        scores = self.network_scores(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def network_scores(self, X: Any) -> Floats:  # noqa: N803
        """The network's outputs, one column a class also for two classes.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before ``fit``.
        DataError
            On NaN, infinity, text, or other features than in ``fit``.
        """
        rows = read_rows(self, X)
        return self.network_.scores(rows)

    def predict(self, X: Any) -> npt.NDArray[Any]:  # noqa: N803
        """The class of each row: the first with the largest score."""
        scores = self.network_scores(X)
        return self.classes_[scores.argmax(axis=1)]

    @_AVAILABLE.available_if(_is_calibrated)
    def predict_proba(self, X: Any) -> Floats:  # noqa: N803
        """The probabilities of the classes, ``(rows, classes)``; needs ``calibration_folds``.

        They are not the network's own: scikit-learn fits a sigmoid (Platt) to the margins of the
        scores that networks give to rows which they have not seen, each trained on the other
        folds, and it is applied to those of this network.  The most probable class is mostly, and
        need not be, the one that `predict` says.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before ``fit``.
        DataError
            If Ctrl-C ended the training before the calibration.
        """
        scores = self.decision_function(X)
        if self.calibrated_ is None:
            raise DataError("The training was interrupted before the probabilities were fitted.")
        return np.asarray(self.calibrated_.predict_proba(margins(scores)))

    def to_model(self) -> Model:
        """The network as a `tamecheck.Model` with input ``x`` and output ``scores``."""
        schema = self.schema()
        return self.network_.to_model(schema)

    def schema(self) -> Schema | None:
        """What the inputs are made of, as data; None if they are not two values each."""
        check_fitted(self)
        levels = self.input_levels_
        if levels is None:
            return None
        given = getattr(self, "feature_names_in_", None)
        names = [f"x{k}" for k in range(len(levels))] if given is None else list(map(str, given))
        return Schema(
            tuple(Column(name, index=k) for k, name in enumerate(names)),
            tuple(Bit(k, name, levels=levels[k]) for k, name in enumerate(names)),
            tuple(Group("free", name, (k,)) for k, name in enumerate(names)),
            tuple(map(str, self.classes_.tolist())),
        )

    def export_onnx(self, path: str | Path, schema: Schema | None = None) -> None:
        """Write the network as an ONNX file, with what its inputs are made of in the metadata."""
        own = self.schema()
        self.network_.export_onnx(path, own if schema is None else schema)

    def _training_set(
        self,
        X: Any,  # noqa: N803
        y: Any,
        sample_weight: Any = None,
        *,
        classes: Any = None,
        first: bool = True,
    ) -> TrainingSet:
        """The training data without rows of weight 0; sets ``classes_`` and the feature facts.

        The first data decide what the features are, and, unless told, which classes there are.

        Raises
        ------
        DataError
            In scikit-learn's words, on NaN, infinity, text, fewer than two classes, lengths that
            do not fit, or negative weights.
        """
        with data_errors():
            rows, targets = _VALIDATE.validate_data(
                self, X, y, dtype=np.float64, ensure_min_samples=1, reset=first
            )
            _TARGETS.check_classification_targets(targets)
            weight: Floats = _VALIDATE._check_sample_weight(  # noqa: SLF001
                sample_weight, rows, dtype=np.float64, ensure_non_negative=True
            )
        if first and len(rows) > 1 and not np.ptp(rows, axis=0).any():
            raise DataError("Every feature is constant, so no class can be told from another.")
        targets, kept = np.asarray(targets), np.flatnonzero(weight > 0)
        if not kept.size:
            raise DataError("All sample weights are zero; give some row a positive weight.")
        present: npt.NDArray[Any] = np.unique(targets[kept])
        known = present if classes is None else np.unique(np.asarray(classes))
        if len(known) < 2:
            raise DataError(
                f"{type(self).__name__} needs at least 2 classes, but the data contains only one "
                f"class: {known.tolist()[0]!r}."
            )
        unseen = np.setdiff1d(present, known)
        if len(unseen):
            raise DataError(f"y holds classes that are not in classes: {unseen.tolist()}.")
        self.classes_ = known
        usual = ((-1.0, 1.0), (0.0, 1.0)) if first else tuple(set(self.input_levels_ or ()))
        found = next((pair for pair in usual if bool(np.isin(rows, pair).all())), None)
        self.input_levels_ = None if found is None else (found,) * rows.shape[1]
        labels: Labels = np.searchsorted(known, targets[kept]).astype(np.int64)
        kept_weight = weight[kept] * self._class_weights(labels, known)
        return TrainingSet(rows[kept], labels, kept_weight, len(known))

    def _class_weights(self, labels: Labels, known: npt.NDArray[Any]) -> Floats:
        """What a row counts for because of its class, as ``class_weight`` says."""
        given: Any = getattr(self, "class_weight", None)
        if given is None:
            return np.ones(len(labels))
        if not (given == "balanced" or isinstance(given, Mapping)):
            raise DataError(
                f"class_weight={given!r} is none.", hint="Give None, 'balanced', or class: weight."
            )
        with data_errors():
            found: Floats = _WEIGHTS.compute_class_weight(
                given, classes=known, y=known[labels]
            ).astype(np.float64)
        if not (found > 0).all() or not np.isfinite(found).all():
            raise DataError(f"class_weight={given!r} has weights that are not positive.")
        return found[labels]

    def __sklearn_tags__(self) -> Any:
        tags = cast("Any", super().__sklearn_tags__())
        tags.input_tags.allow_nan = False
        tags.input_tags.sparse = False
        return tags


def check_fitted(estimator: Any) -> None:
    """Raise scikit-learn's ``NotFittedError`` before ``fit``."""
    _VALIDATE.check_is_fitted(estimator)


def read_rows(estimator: Any, rows: Any) -> Floats:
    """The rows as float64, if they fit what the estimator was trained on."""
    check_fitted(estimator)
    with data_errors():
        return np.asarray(_VALIDATE.validate_data(estimator, rows, dtype=np.float64, reset=False))


def seed_of(random_state: Any) -> int:
    """A seed from what scikit-learn calls a random state."""
    return int(_UTILS.check_random_state(random_state).randint(2**31 - 1))


def hidden_sizes(value: Any) -> tuple[int, ...]:
    """``hidden`` as a tuple of positive widths; one number is one layer."""
    sizes: tuple[Any, ...] = (value,) if isinstance(value, int) else tuple(value)
    if not all(isinstance(n, int | np.integer) and n > 0 for n in sizes):
        raise DataError(f"hidden={value!r} are no widths of layers.", hint="Give (8,) or (32, 16).")
    return tuple(int(n) for n in sizes)


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
