"""Every verb says what its definite answers rest on, and the page of that is what the verbs say."""

import importlib.util
import sys
from pathlib import Path

import pytest

from tamecheck.cli.entry import _parser

DOCS = Path(__file__).parents[2] / "docs"
SPEC = importlib.util.spec_from_file_location("make_trust_table", DOCS / "make_trust_table.py")
TRUST = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = TRUST
SPEC.loader.exec_module(TRUST)
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
