"""Every verb of the command line is in the README's table and in the reference."""

from pathlib import Path

import pytest

from tamecheck.cli.entry import _parser

ROOT = Path(__file__).parents[2]
_, VERBS = _parser()


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("page", ["README.md", "docs/cli.md"])
def test_every_verb_is_listed(verb, page):
    rows = [
        line
        for line in (ROOT / page).read_text(encoding="utf-8").splitlines()
        if line.startswith((f"| `{verb}`", f"| `{verb} "))
    ]
    assert rows
