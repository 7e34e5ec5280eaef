"""The pages about tame activations and tame networks say what the program says."""

import pytest
from corpus import script


@pytest.fixture(scope="module")
def activations(data):
    module = script("docs/make_activations_table.py")
    return module, module.rows(data / "tame" / "activations.tsv")


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
