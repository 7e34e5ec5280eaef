"""Rows that are held out of training, and how right a classifier is on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tamecheck.learn.effort import DataError
from tamecheck.learn.network import Floats

__all__ = ["Scores", "scores_of", "split"]


def split(
    labels: npt.NDArray[Any], fraction: float | None, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The numbers of the rows to train on, and of those to test on, classes in proportion.

    Raises
    ------
    DataError
        If one of the two parts has no rows.
    """
    every = np.arange(len(labels))
    if fraction is None:
        return every, every[:0]
    rng = np.random.default_rng(seed)
    test: list[int] = []
    for label in np.unique(labels):
        rows = rng.permutation(every[labels == label])
        test += rows[: round(fraction * len(rows))].tolist()
    if not test or len(test) == len(every):
        part = "test" if not test else "train"
        raise DataError(f"--test {fraction:g} leaves no rows to {part} ({len(every)} rows).")
    return np.setdiff1d(every, test), np.sort(np.array(test, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Scores:
    """How right a classifier is, and how right it would be to say always the same.

    Parameters
    ----------
    accuracy, majority
        The share of rows that are decided as labelled, and that of the class which is the most
        frequent one in training.
    recall
        For each class that occurs, the share of its rows that are decided so.
    """

    accuracy: float
    majority: float
    recall: dict[str, float]

    @property
    def balanced(self) -> float:
        """The mean of the recalls."""
        return sum(self.recall.values()) / len(self.recall)

    def document(self) -> dict[str, Any]:
        """The scores as JSON."""
        return {
            "accuracy": self.accuracy,
            "balanced_accuracy": self.balanced,
            "recall": self.recall,
        }


def scores_of(classifier: Any, rows: Floats, labels: npt.NDArray[Any], majority: Any) -> Scores:
    """The scores on some rows; ``majority`` is the most frequent class of the training."""
    right: npt.NDArray[np.bool_] = np.asarray(classifier.predict(rows) == labels)
    said: list[Any] = labels.tolist()
    recall: dict[str, float] = {}
    for name in sorted(set(said)):
        own = np.array([label == name for label in said])
        recall[str(name)] = float(right[own].mean())
    most = sum(bool(label == majority) for label in said) / len(said)
    return Scores(float(right.mean()), most, recall)
