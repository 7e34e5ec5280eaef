"""The table of ops in the docs is the one that the records give, and complete."""

from pathlib import Path

import pytest
from corpus import script

from tamecheck.ops import ALL

DOCS = Path(__file__).parents[2] / "docs"


def test_the_table_is_fresh():
    table = script("docs/make_ops_table.py")
    assert table.TABLE.read_text(encoding="utf-8") == table.table(), "python docs/make_ops_table.py"


@pytest.mark.parametrize("op", ALL, ids=lambda op: op.name)
def test_every_op_is_in_the_table(op):
    assert f"| `{op.name}`" in (DOCS / "ops.md").read_text(encoding="utf-8")
