"""The table of ops in the docs is the one that the records give, and complete."""

import subprocess
import sys
from pathlib import Path

import pytest

from tamecheck.ops import ALL

DOCS = Path(__file__).parents[2] / "docs"


def test_the_table_is_fresh():
    script = DOCS / "make_ops_table.py"
    done = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("op", ALL, ids=lambda op: op.name)
def test_every_op_is_in_the_table(op):
    assert f"| `{op.name}`" in (DOCS / "ops.md").read_text(encoding="utf-8")
