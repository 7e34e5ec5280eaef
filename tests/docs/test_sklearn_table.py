"""The table of scikit-learn's estimators is the one that their fits give, and complete."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.load.sklearn_estimators import FITS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.slow
def test_the_table_is_fresh():
    script = DOCS / "make_sklearn_table.py"
    done = subprocess.run(
        [sys.executable, script, "--check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_estimator_is_in_the_table():
    page = (DOCS / "sklearn.md").read_text(encoding="utf-8")
    assert [name for name in FITS if f"| `{name}` |" not in page] == []
