"""Random formulas whose truth is known by construction: none wrong, few unknown.

``TAMECHECK_FORMULAS=5000 pytest tests/tame/test_random_formulas.py`` asks more of them.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest
from tame_grammar import KINDS, formulas
from tame_truth import score

import tamecheck as tc

COUNT = int(os.environ.get("TAMECHECK_FORMULAS", "60"))
UNKNOWN = 0.7
"""The share of formulas that may be undecided."""


@pytest.mark.slow
def test_nothing_is_wrong_and_little_is_unknown():
    scores = [score(formula.row) for formula in formulas(COUNT)]
    assert not [str(found) for found in scores if found.word in ("wrong", "error")]
    decided = [found for found in scores if found.kernel]
    assert not [str(found) for found in decided if found.kernel not in ("valid", "incomplete")]
    assert sum(found.word == "unknown" for found in scores) <= UNKNOWN * COUNT


def test_every_kind_can_be_written():
    found = formulas(2000)
    assert {formula.kind for formula in found} == {kind.name for kind in KINDS}
    for formula in found[:300]:
        model = tc.expression(formula.row.text)
        assert set(model.inputs) <= {"x", "y"}


def test_the_formulas_differ_and_are_the_same_every_time():
    found = formulas(500)
    assert found == formulas(500)
    assert max(Counter(formula.row for formula in found).values()) < 12
