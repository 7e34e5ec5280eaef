"""The table of scikit-learn's estimators is the one that their fits give, and complete.

Of every third estimator one fit is asked here; ``docs/make_sklearn_table.py --check`` asks all.
"""

import pytest
from corpus import script

from tests.load.sklearn_estimators import FITS, fitted


def some(name):
    """The number of a fit: not the same of all estimators, so that options are not the same."""
    return len(name) % len(FITS[name])


@pytest.mark.slow
def test_the_table_is_fresh(monkeypatch):
    table = script("docs/make_sklearn_table.py")
    names = sorted(FITS, key=str.lower)
    monkeypatch.setattr(table, "FITS", {name: [FITS[name][some(name)]] for name in names[::3]})
    monkeypatch.setattr(table, "fitted", lambda name, _: fitted(name, some(name)))
    text = table.PAGE.read_text(encoding="utf-8")
    lines = [line.split(" | ") for line in text.splitlines() if line.startswith("| `")]
    fresh = [line.split(" | ") for line in table.table().splitlines() if line.startswith("| `")]
    assert [name for name, *_ in lines] == [f"| `{name}`" for name in names]
    for (*told, words), (*found, word) in zip(lines[::3], fresh, strict=True):
        assert told == found, "python docs/make_sklearn_table.py"
        assert word.rstrip(" |") in words.rstrip(" |").split(", "), told
