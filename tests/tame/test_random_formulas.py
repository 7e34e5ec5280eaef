"""Random formulas whose truth is known by construction: none wrong, few unknown.

``TAMECHECK_FORMULAS=5000 pytest tests/tame/test_random_formulas.py`` asks more of them.
"""

from __future__ import annotations

import os
from collections import Counter

import numpy as np
import pytest
from corpus import over_vectors
from tame_grammar import KINDS, formulas
from tame_truth import Score, score

from tamecheck.loaders.text.expression import parse_expression

COUNT = int(os.environ.get("TAMECHECK_FORMULAS", "20"))
UNKNOWN = 0.05
"""The share of formulas that may be undecided."""


MIXED = np.array([[1, 2, 0], [0, 1, -1], [1, 0, 1]])
"""An invertible matrix: what is not tame stays so after it."""


def none_is_wrong(scores: list[Score]) -> None:
    assert not [str(found) for found in scores if found.word in ("wrong", "error")]
    assert not [str(s) for s in scores if s.kernel not in ("", "valid", "incomplete")]


@pytest.mark.slow
def test_nothing_is_wrong_and_little_is_unknown():
    scores = [score(formula.row) for formula in formulas(COUNT)]
    none_is_wrong(scores)
    assert sum(found.word == "unknown" for found in scores) <= UNKNOWN * COUNT


@pytest.mark.slow
def test_the_same_formulas_on_vectors():
    scores: list[Score] = []
    for number, (_, row) in enumerate(formulas(COUNT // 2, seed=1)):
        weights = MIXED if row.box is None and number % 2 else None
        scores.append(score(row, over_vectors(parse_expression(row.text).graph, weights)))
    none_is_wrong(scores)
    assert sum(found.word == "unknown" for found in scores) <= UNKNOWN * COUNT


def test_every_kind_can_be_written():
    found = formulas(2000)
    assert {formula.kind for formula in found} == {kind.name for kind in KINDS}
    for formula in found[:300]:
        graph = parse_expression(formula.row.text).graph
        assert set(graph.inputs) <= {"x", "y"}


def test_the_formulas_differ_and_are_the_same_every_time():
    found = formulas(500)
    assert found == formulas(500)
    assert max(Counter(formula.row for formula in found).values()) < 12
