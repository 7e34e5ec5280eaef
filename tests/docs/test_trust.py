"""Every verb says what its definite answers rest on, and the page of that is what the verbs say."""

import importlib.util
from pathlib import Path

import pytest
from corpus import script

from tamecheck.cli.entry import _parser

DOCS = Path(__file__).parents[2] / "docs"
TRUST = script("docs/make_trust_table.py")
_, VERBS = _parser()


@pytest.fixture(scope="module", autouse=True)
def _files():
    with TRUST.folder():
        yield


@pytest.mark.slow
@pytest.mark.parametrize("row", TRUST.ROWS, ids=lambda row: row.command)
def test_a_definite_answer_rests_on_what_checks_it(row):
    code, found = TRUST.answer(row.command)
    assert code in {0, 1}
    assert found["rests_on"] in TRUST.CHECKED
    assert TRUST.line(row) in (DOCS / "trust.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("row", TRUST.ROWS, ids=lambda row: row.command)
def test_what_shows_an_answer_is_there(row):
    assert importlib.util.find_spec(f"tamecheck.{row.shown_by}") is not None


def test_every_verb_is_on_the_page():
    assert {row.command.split()[0] for row in TRUST.ROWS} | set(TRUST.OTHERS) == set(VERBS)
