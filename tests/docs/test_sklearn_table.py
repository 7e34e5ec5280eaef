"""The table of scikit-learn's estimators is the one that their fits give, and complete."""

from pathlib import Path

import pytest
from corpus import script

from tests.load.sklearn_estimators import FITS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.slow
def test_the_table_is_fresh():
    table = script("docs/make_sklearn_table.py")
    fresh = table.page()
    assert table.PAGE.read_text(encoding="utf-8") == fresh, "python docs/make_sklearn_table.py"


def test_every_estimator_is_in_the_table():
    page = (DOCS / "sklearn.md").read_text(encoding="utf-8")
    assert [name for name in FITS if f"| `{name}` |" not in page] == []
