"""What every classifier here shares: scikit-learn's conventions around a binarized network."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import multiclass, validation

from tamecheck.learn.effort import DataError, data_errors
from tamecheck.learn.network import BinarizedNetwork, Floats
from tamecheck.loaders.tables.schema import Bit, Column, Group, Schema

if TYPE_CHECKING:
    from tamecheck.model import Model

__all__ = ["BinarizedClassifier", "Labels", "TrainingSet", "hidden_sizes"]

Labels = npt.NDArray[np.int64]

# scikit-learn has no stubs
_VALIDATE = cast("Any", validation)
_TARGETS = cast("Any", multiclass)


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """Checked training data.

    Parameters
    ----------
    x
        Rows of features, float64.
    labels
        The index of each row's class in ``classes_``.
    weight
        The rows' weights: positive, none is zero.
    classes
        The number of classes.
    """

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

    A subclass trains in ``fit(X, y, sample_weight=None)``: it calls `_checked`, which sets
    ``classes_``, ``n_features_in_`` and ``feature_names_in_``, and then sets ``network_`` and
    ``interrupted_``.

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
    classes_: npt.NDArray[Any]
    n_features_in_: int
    input_levels_: tuple[tuple[float, float], ...] | None

    @abstractmethod
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> BinarizedClassifier:  # noqa: N803
        """Train the network."""

    def decision_function(self, X: Any) -> Floats:  # noqa: N803
        """The scores of the classes, ``(rows, classes)``; for two classes their difference."""
        scores = self.network_scores(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def network_scores(self, X: Any) -> Floats:  # noqa: N803
        """The network's outputs, one column a class also for two classes."""
        rows = self.checked_rows(X)
        return self.network_.scores(rows)

    def checked_rows(self, X: Any) -> Floats:  # noqa: N803
        """The rows of ``X`` as float64, if they fit what the classifier was trained on.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before ``fit``.
        DataError
            On NaN, infinity, text, or other features than in ``fit``.
        """
        self.checked_fit()
        with data_errors():
            return np.asarray(_VALIDATE.validate_data(self, X, dtype=np.float64, reset=False))

    def predict(self, X: Any) -> npt.NDArray[Any]:  # noqa: N803
        """The class of each row: the first with the largest score."""
        scores = self.network_scores(X)
        return self.classes_[scores.argmax(axis=1)]

    def checked_fit(self) -> None:
        """Do nothing after ``fit``; before it, raise scikit-learn's ``NotFittedError``."""
        _VALIDATE.check_is_fitted(self)

    def to_model(self) -> Model:
        """The network as a `tamecheck.Model` with input ``x`` and output ``scores``."""
        self.checked_fit()
        return self.network_.to_model(self.schema())

    def schema(self) -> Schema | None:
        """What the inputs are made of, as data; None if they are not two values each."""
        self.checked_fit()
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
        self.checked_fit()
        self.network_.export_onnx(path, self.schema() if schema is None else schema)

    def _checked(
        self,
        X: Any,  # noqa: N803
        y: Any,
        sample_weight: Any = None,
        *,
        classes: Any = None,
        first: bool = True,
    ) -> TrainingSet:
        """The training data in one form; sets ``classes_`` and the facts about features.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`; rows of weight zero are left out.
        classes
            All classes, if they are known beforehand.
        first
            Whether these are the first data, which decide what the features are.

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
        self.input_levels_ = _levels(rows, None if first else self.input_levels_, first=first)
        labels: Labels = np.searchsorted(known, targets[kept]).astype(np.int64)
        return TrainingSet(rows[kept], labels, weight[kept], len(known))

    def __sklearn_tags__(self) -> Any:
        tags = cast("Any", super().__sklearn_tags__())
        tags.input_tags.allow_nan = False
        tags.input_tags.sparse = False
        return tags


def _levels(
    rows: Floats, before: tuple[tuple[float, float], ...] | None, *, first: bool
) -> tuple[tuple[float, float], ...] | None:
    """The two values of the features, if all have -1 and 1, or all have 0 and 1."""
    usual = ((-1.0, 1.0), (0.0, 1.0)) if first else tuple(set(before or ()))
    found = next((pair for pair in usual if bool(np.isin(rows, pair).all())), None)
    return None if found is None else (found,) * rows.shape[1]


def hidden_sizes(value: Any) -> tuple[int, ...]:
    """``hidden`` as a tuple of positive widths; one number is one layer.

    Raises
    ------
    DataError
        If it is none.
    """
    sizes: tuple[Any, ...] = (value,) if isinstance(value, int) else tuple(value)
    if not all(isinstance(n, int | np.integer) and n > 0 for n in sizes):
        raise DataError(f"hidden={value!r} are no widths of layers.", hint="Give (8,) or (32, 16).")
    return tuple(int(n) for n in sizes)
