"""Formulas with a known answer: none wrong, every certificate valid, and all of them decided.

The page about activations says what the program says of those among them.
"""

from __future__ import annotations

import pytest
from corpus import script
from tame_truth import compared, score, table

LONGEST = 20_000
"""How many characters one certificate may have."""


def all_are_right(scores):
    assert not [str(found) for found in scores if found.word != "right"]
    decided = [found for found in scores if found.kernel]
    assert not [str(found) for found in decided if found.kernel != "valid"]
    assert not [str(found) for found in decided if found.size > LONGEST]


def test_expressions_with_a_known_answer(data):
    scores = [score(row) for row in table(data / "tame" / "expressions.tsv")]
    assert len(scores) == 75
    all_are_right(scores)


@pytest.fixture(scope="module")
def activations(data):
    module = script("docs/make_activations_table.py")
    return module, module.rows(data / "tame" / "activations.tsv")


def test_activations_with_a_known_answer(data, activations):
    truths = list(table(data / "tame" / "activations.tsv"))
    _, rows = activations
    assert len(rows) == 237
    all_are_right([compared(t, row.answer) for t, row in zip(truths, rows, strict=True)])


def test_the_page_of_activations_is_fresh(activations):
    module, rows = activations
    page = module.PAGE.read_text(encoding="utf-8")
    assert module.table(rows) == page, "python docs/make_activations_table.py"


def test_every_refuted_activation_has_a_picture(activations):
    module, rows = activations
    refuted = [row for row in rows if row.answer.witness is not None]
    assert {f"{row.slug}.svg" for row in refuted} == {p.name for p in module.PICTURES.glob("*")}
    assert len(refuted) >= 12


def test_pictures_show_waves_and_jumps(activations):
    module, rows = activations
    for row in rows:
        if row.name in ("Cosine", "Square wave by sign", "GCU"):
            drawn = module.picture(row.answer.graph, row.answer.witness.document)
            assert drawn.count("L") > 100
