"""Pages that scripts write: ``python docs/make_X.py`` writes one, ``--check`` compares it.

With ``--check`` nothing is written, and the exit code is 1 if the page is out of date.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

END = "<!-- end of table -->"


def between(page: Path, script: str, table: str) -> str:
    """The text of a page with another table, which stands between the marks of its script."""
    start = f"<!-- table: python {script} -->"
    before, _, rest = page.read_text(encoding="utf-8").partition(start)
    return f"{before}{start}\n{table}\n{END}{rest.partition(END)[2]}"


def write_or_compare(page: Path, text: str) -> int:
    """Write a page, or say whether it is fresh; the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if outdated")
    if not parser.parse_args().check:
        page.write_text(text, encoding="utf-8")
        return 0
    fresh = page.is_file() and page.read_text(encoding="utf-8") == text
    print("fresh" if fresh else f"{page} is out of date: python {sys.argv[0]}")
    return 0 if fresh else 1
