"""Candidates are compared on rows that they have not seen, and the smallest good one is taken."""

import numpy as np
import pytest

from tamecheck.budget import Budget
from tamecheck.learn import SteBinarizedClassifier, TameBinarizedClassifier
from tamecheck.learn.effort import DataError
from tamecheck.learn.selection import Candidate, Fold, Scores, Selection, compare, parts_of


def candidate(width, mean, error=0.02, method="tame"):
    return Candidate(method, (width,), mean, error)


@pytest.mark.parametrize(
    ("means", "chosen"),
    [
        ([0.9, 0.91, 0.92], 1),
        ([0.8, 0.91, 0.92], 2),
        ([0.8, 0.85, 0.92], 4),
        ([0.9, 0.9, 0.9], 1),
        ([0.95, 0.9, 0.9], 1),
    ],
)
def test_the_smallest_within_one_standard_error_of_the_best(means, chosen):
    tried = [candidate(width, mean) for width, mean in zip((1, 2, 4), means, strict=True)]
    found = Selection(tuple(tried), balanced=False, folds=5)
    assert found.chosen.neurons == chosen
    assert found.chosen.mean >= found.best.mean - found.best.error
    # among equal sizes the better method
    rivals = (*tried, candidate(chosen, 2.0, 9.0, "ste"))
    assert Selection(rivals, balanced=False, folds=5).best.method == "ste"


@pytest.mark.parametrize("sizes", [(30, 2), (17, 5, 1), (9, 9, 9), (100, 3)])
def test_parts_hold_every_row_once_and_leave_two_classes(sizes):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    parts = parts_of(labels, 3)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    for part in parts:
        assert len(np.unique(np.delete(labels, part))) >= 2


@pytest.mark.parametrize("sizes", [(40,), (40, 1), (5, 5)])
def test_too_few_rows_are_not_compared(sizes):
    assert parts_of(np.repeat(np.arange(len(sizes)), sizes), 0) is None


def some_folds():
    rng = np.random.default_rng(0)
    x = rng.choice([-1, 1], size=(60, 4)).astype(np.int8)
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    return [Fold(np.delete(x, p, 0), np.delete(y, p), x[p], y[p]) for p in parts_of(y, 0)]


def make(_method, hidden, seconds):
    return TameBinarizedClassifier(hidden, epochs=40, random_state=0, timeout=seconds)


def test_what_time_does_not_reach_is_not_compared():
    folds, tried = some_folds(), [("tame", (1,)), ("tame", (4,))]
    found = compare(folds, tried, make, balanced=False, budget=Budget.of(None))
    assert [one.hidden for one in found.candidates] == [(1,), (4,)]
    # exclusive or: one neuron cannot, four can
    assert found.chosen.hidden == (4,)
    assert compare(folds, tried, make, balanced=False, budget=Budget.of(0)) is None
    calls = iter(range(100))

    def interrupted(method, hidden, seconds):
        if next(calls) == len(folds) + 1:
            raise KeyboardInterrupt
        return make(method, hidden, seconds)

    found = compare(folds, tried, interrupted, balanced=False, budget=Budget.of(None))
    assert (len(found.candidates), found.interrupted) == (1, True)


def test_scores_count_rows_or_classes():
    scores = Scores.of(np.array([1, 1, 1, 1]), np.array([1, 1, 1, 0]))
    assert (scores.accuracy, scores.balanced) == (0.75, 0.5)
    assert scores.recall == {"0": 0.0, "1": 1.0}


@pytest.mark.parametrize("kind", [SteBinarizedClassifier, TameBinarizedClassifier])
def test_class_weights_are_sample_weights_by_class(kind):
    rng = np.random.default_rng(0)
    x = rng.choice([-1, 1], size=(40, 3))
    y = (rng.random(40) < 0.2).astype(int)
    by_class = kind((2,), epochs=5, random_state=0, class_weight={0: 1, 1: 3}).fit(x, y)
    by_row = kind((2,), epochs=5, random_state=0).fit(x, y, np.where(y == 1, 3.0, 1.0))
    scores = [one.network_scores(x).tolist() for one in (by_class, by_row)]
    assert scores[0] == scores[1]
    for wrong in ("even", {0: -1}, 3):
        with pytest.raises(DataError):
            kind((2,), class_weight=wrong).fit(x, y)
