"""Where the command line starts: nothing is imported yet that takes long."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; Ctrl-C counts from here on, imports too.

    Parameters
    ----------
    argv
        The arguments without the program's name; those of the process if None.
    """
    try:
        from tamecheck.cli.entry import main as run

        return run(argv)
    except KeyboardInterrupt:
        # before, or after, there is anything that could be said of the command
        print("tamecheck: interrupted", file=sys.stderr)
        return 130
