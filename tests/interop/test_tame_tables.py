"""Formulas with a known answer: none wrong, every certificate valid, and most of them decided."""

from __future__ import annotations

import pytest
from tame_truth import score, summary, table

LONGEST = 20_000
"""How many characters one certificate may have."""


@pytest.mark.parametrize(
    ("name", "rows", "floor", "trusted"),
    [("expressions", 75, 75, 0), ("activations", 237, 237, 0)],
)
def test_formulas_with_a_known_answer(data, name, rows, floor, trusted):
    scores = [score(row) for row in table(data / "tame" / f"{name}.tsv")]
    assert len(scores) == rows
    assert not [str(found) for found in scores if found.word in ("wrong", "error")]
    decided = [found for found in scores if found.kernel]
    assert not [str(found) for found in decided if found.kernel not in ("valid", "incomplete")]
    assert sum(found.kernel == "incomplete" for found in decided) <= trusted
    assert not [str(found) for found in decided if found.size > LONGEST]
    rest = "\n".join(str(found) for found in scores if found.word != "right")
    assert summary(scores)["right"] >= floor, rest
