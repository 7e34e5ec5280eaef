"""Which network to train: methods and widths compared by cross-validation.

The rule is that of one standard error (Breiman, Friedman, Olshen, Stone 1984, section 3.4.3): of
all candidates whose mean score is at most one standard error below the best, the smallest.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tamecheck.budget import Budget
from tamecheck.learn.estimator import BinarizedClassifier, Labels

WIDTHS = (1, 2, 4, 8, 16)
"""The widths of one hidden layer that are compared."""

FOLDS = 5
LEAST_ROWS = 20
"""Fewer rows say nothing about widths."""

_SLACK = 1e-12
"""Means of the same answers, added in another order."""


@dataclass(frozen=True, slots=True)
class Scores:
    """The share of rows decided as labelled, and for each class that occurs that of its rows."""

    accuracy: float
    recall: dict[str, float]
    rows: int

    @staticmethod
    def of(said: npt.NDArray[Any], labels: npt.NDArray[Any]) -> Scores:
        """The scores of decisions."""
        right = np.array(
            [bool(a == b) for a, b in zip(said.tolist(), labels.tolist(), strict=True)]
        )
        names = np.array(list(map(str, labels.tolist())))
        recall = {str(name): float(right[names == name].mean()) for name in np.unique(names)}
        return Scores(float(right.mean()), recall, len(right))

    @property
    def balanced(self) -> float:
        """The mean of the classes' shares."""
        return sum(self.recall.values()) / len(self.recall)

    def score(self, *, balanced: bool) -> float:
        """One of the two."""
        return self.balanced if balanced else self.accuracy

    def to_json(self) -> dict[str, Any]:
        """The scores as JSON."""
        return {
            "accuracy": self.accuracy,
            "balanced_accuracy": self.balanced,
            "recall": self.recall,
        }


_NAMES = {
    "majority": "the most frequent class",
    "logistic": "logistic regression",
    "tree3": "a tree of depth 3",
}
_FEW = 10


@dataclass(frozen=True, slots=True)
class Quality:
    """How right a network is, beside baselines: in training, and on rows that were held out.

    ``majority`` is the most frequent class of the training; ``balanced`` says whether classes
    count alike, else rows.
    """

    train: Scores
    held_out: Scores | None
    baselines_train: Mapping[str, Scores]
    baselines: Mapping[str, Scores]
    majority: str
    balanced: bool

    @property
    def no_better_than(self) -> list[str]:
        """The baselines that are at least as right on the rows that were held out."""
        if self.held_out is None:
            return []
        own = self.held_out.score(balanced=self.balanced)
        rivals = self.baselines.items()
        return [name for name, one in rivals if one.score(balanced=self.balanced) >= own - _SLACK]

    def remarks(self) -> list[str]:
        """What somebody should know before using the network, in sentences."""
        if self.held_out is None:
            return [
                "No rows were held out, so nothing is known of rows that the network has not seen."
            ]
        found: list[str] = []
        rivals = [_NAMES[name] for name in self.no_better_than]
        if rivals:
            what = "balanced accuracy" if self.balanced else "accuracy"
            listed = " and ".join([", ".join(rivals[:-1]), rivals[-1]] if rivals[1:] else rivals)
            found.append(
                f"The network is no better than {listed} ({what} on {self.held_out.rows} rows that "
                "were held out)."
            )
        poor = [(name, share) for name, share in self.held_out.recall.items() if share <= 0.5]
        return [*found, *(self._why(name, share) for name, share in poor[:_FEW])]

    def _why(self, name: str, share: float) -> str:
        """Why at most half of the rows of a class are found, as far as the numbers say."""
        own = self.train.recall.get(name)
        others = ", ".join(
            f"{_NAMES[rival]} has {one.recall.get(name, 0.0):.2f}"
            for rival, one in self.baselines.items()
            if rival != "majority"
        )
        said = f"The recall of class {name} is {share:.2f}"
        if own is None:
            return f"{said}: no row of it was trained on."
        if not self.balanced:
            return f"{said}; --class-weight balanced makes classes count alike ({others})."
        if own <= 0.5:
            return (
                f"{said}, although classes count alike: in training {own:.2f} too, so neither "
                f"these columns nor this network tell it apart ({others})."
            )
        return (
            f"{said}, although classes count alike: in training {own:.2f}, so what tells its rows "
            f"apart does not hold of unseen rows ({others})."
        )

    def to_json(self) -> dict[str, Any]:
        """The scores as JSON."""
        held_out = self.held_out
        blank = {"accuracy": None, "balanced_accuracy": None, "recall": None}
        rivals: dict[str, Any] = {}
        for name, own in self.baselines_train.items():
            named = {"class": self.majority} if name == "majority" else {}
            tested = self.baselines.get(name)
            said = blank if tested is None else tested.to_json()
            rivals[name] = {**named, "train_accuracy": own.accuracy, **said}
        return {
            "train_accuracy": self.train.accuracy,
            "test_accuracy": None if held_out is None else held_out.accuracy,
            "held_out": None if held_out is None else {**held_out.to_json(), "rows": held_out.rows},
            "baselines": rivals,
            "no_better_than": self.no_better_than,
            "remarks": self.remarks(),
        }


@dataclass(frozen=True, slots=True)
class Candidate:
    """A method and widths, with the mean score over all folds and its standard error."""

    method: str
    hidden: tuple[int, ...]
    mean: float
    error: float

    @property
    def neurons(self) -> int:
        """The number of hidden neurons."""
        return sum(self.hidden)

    def to_json(self) -> dict[str, Any]:
        """The candidate as JSON."""
        said = {"method": self.method, "hidden": list(self.hidden), "neurons": self.neurons}
        return {**said, "mean": self.mean, "error": self.error}


@dataclass(frozen=True, slots=True)
class Selection:
    """What was compared; ``interrupted`` if Ctrl-C or the time ended it before all were."""

    candidates: tuple[Candidate, ...]
    balanced: bool
    folds: int
    interrupted: bool = False
    late: bool = False

    @property
    def best(self) -> Candidate:
        """The candidate with the best mean, the smallest of equals."""
        return max(self.candidates, key=lambda one: (one.mean, -one.neurons))

    @property
    def chosen(self) -> Candidate:
        """The smallest candidate within one standard error of the best."""
        limit = self.best.mean - self.best.error - _SLACK
        near = [one for one in self.candidates if one.mean >= limit]
        return min(near, key=lambda one: (one.neurons, -one.mean))

    @property
    def score(self) -> str:
        """What is compared."""
        return "balanced accuracy" if self.balanced else "accuracy"

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON."""
        chosen, best = self.chosen, self.best
        return {
            "rule": "the smallest within one standard error of the best",
            "score": self.score.replace(" ", "_"),
            "folds": self.folds,
            "candidates": [one.to_json() for one in self.candidates],
            "best": {"method": best.method, "hidden": list(best.hidden)},
            "chosen": {"method": chosen.method, "hidden": list(chosen.hidden)},
            "complete": not (self.interrupted or self.late),
        }


class Make(Protocol):
    """Makes a classifier of a method with hidden layers; with a limit of time, None for none."""

    def __call__(
        self, method: str, hidden: tuple[int, ...], seconds: float | None
    ) -> BinarizedClassifier:
        """The classifier."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """Rows to train on, and rows to test on, as inputs of a network, with their labels."""

    train: npt.NDArray[np.int8]
    train_labels: npt.NDArray[Any]
    test: npt.NDArray[np.int8]
    test_labels: npt.NDArray[Any]


def parts_of(labels: npt.NDArray[Any], seed: int) -> list[Labels] | None:
    """The rows in parts of equal size, classes in proportion; None if they are too few.

    Whichever part is left out, two classes are left.
    """
    names, numbers = np.unique(labels, return_inverse=True)
    sizes = np.sort(np.bincount(numbers))[::-1]
    if len(names) < 2 or sizes[1] < 2 or len(labels) < LEAST_ROWS:
        return None
    rng = np.random.default_rng(seed)
    order = np.concatenate(
        [rng.permutation(np.flatnonzero(numbers == k)) for k in range(len(names))]
    )
    return [np.sort(order[k::FOLDS]).astype(np.int64) for k in range(FOLDS)]


def compare(  # noqa: PLR0913  # each by its name
    folds: Sequence[Fold],
    candidates: Sequence[tuple[str, tuple[int, ...]]],
    make: Make,
    *,
    balanced: bool,
    budget: Budget,
    most: Callable[[str], int | None] = lambda _: None,
    show: Callable[[str], object] = lambda _: None,
) -> Selection | None:
    """Compare methods and widths, in order, until the budget is spent or Ctrl-C comes.

    Parameters
    ----------
    folds
        What each is trained on and tested on.
    candidates
        Methods with widths.
    make
        Makes their classifiers.
    balanced
        Whether classes count alike, else rows.
    budget
        The time; a candidate that it does not reach is not compared.
    most
        The most rows on which a method is trained here, None for all.
    show
        Told what is being trained.

    Returns
    -------
    Selection
        None if no candidate was trained on all folds.
    """
    found: list[Candidate] = []
    interrupted = late = False
    for method, hidden in candidates:
        widths = ",".join(map(str, hidden))
        tested: list[tuple[npt.NDArray[Any], npt.NDArray[Any]]] = []
        try:
            for number, fold in enumerate(folds):
                if interrupted or budget.is_spent:
                    break
                show(f"comparing: {method} {widths}, fold {number + 1} of {len(folds)}")
                classifier = make(method, hidden, budget.timeout)
                rows = slice(most(method))
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    classifier.fit(fold.train[rows].astype(np.float64), fold.train_labels[rows])
                interrupted = classifier.interrupted_
                said = classifier.predict(fold.test.astype(np.float64))
                tested.append((said, fold.test_labels))
        except KeyboardInterrupt:
            interrupted = True
        late = late or budget.is_spent
        if interrupted or late:
            break
        found.append(_candidate(method, hidden, tested, balanced=balanced))
    if not found:
        return None
    return Selection(tuple(found), balanced, len(folds), interrupted, late)


def _candidate(
    method: str,
    hidden: tuple[int, ...],
    tested: Sequence[tuple[npt.NDArray[Any], npt.NDArray[Any]]],
    *,
    balanced: bool,
) -> Candidate:
    """The mean over all rows, each decided by a network that has not seen it, and its error.

    The standard error is that over the folds, and no less than that of as many independent rows:
    few folds may agree by chance.
    """
    each = [Scores.of(said, labels).score(balanced=balanced) for said, labels in tested]
    said, labels = (np.concatenate(parts) for parts in zip(*tested, strict=True))
    whole = Scores.of(said, labels)
    over_folds = float(np.std(each, ddof=1)) / math.sqrt(len(each))
    names = list(map(str, labels.tolist()))
    counts = {name: names.count(name) for name in whole.recall}
    if balanced:
        variances = [_variance(share, counts[name]) for name, share in whole.recall.items()]
        over_rows = math.sqrt(sum(variances)) / len(variances)
    else:
        over_rows = math.sqrt(_variance(whole.accuracy, whole.rows))
    return Candidate(method, hidden, whole.score(balanced=balanced), max(over_folds, over_rows))


def _variance(share: float, rows: int) -> float:
    """The variance of a share of so many rows, by Laplace's estimate of the share."""
    estimate = (share * rows + 1) / (rows + 2)
    return estimate * (1 - estimate) / rows
