"""The table of scikit-learn's estimators is the one that their fits give, and complete."""

import importlib.util
from pathlib import Path

import pytest

from tests.load.sklearn_estimators import FITS

DOCS = Path(__file__).parents[2] / "docs"
SCRIPT = DOCS / "make_sklearn_table.py"


@pytest.mark.slow
def test_the_table_is_fresh():
    spec = importlib.util.spec_from_file_location("make_sklearn_table", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    fresh = script.page()
    assert script.PAGE.read_text(encoding="utf-8") == fresh, "python docs/make_sklearn_table.py"


def test_every_estimator_is_in_the_table():
    page = (DOCS / "sklearn.md").read_text(encoding="utf-8")
    assert [name for name in FITS if f"| `{name}` |" not in page] == []
