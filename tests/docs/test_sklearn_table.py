"""The table of scikit-learn's estimators is the one that their fits give, and complete.

Of each estimator one fit is asked here; ``docs/make_sklearn_table.py --check`` asks all.
"""

from pathlib import Path

import pytest
from corpus import script

from tests.load.sklearn_estimators import FITS

PAGE = Path(__file__).parents[2] / "docs" / "sklearn.md"


@pytest.mark.slow
def test_the_table_is_fresh():
    table = script("docs/make_sklearn_table.py")
    text = PAGE.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    told = {line.split("`")[1]: line.split("|")[-2].strip().split(", ") for line in lines}
    assert set(told) == set(FITS)
    for place, (name, words) in enumerate(told.items()):
        assert table.row(name, words) in lines, "python docs/make_sklearn_table.py"
        # not the same number of all, so that options are not the same
        assert table.structure(name, place % len(FITS[name])) in words
