"""Signs of life on stderr while a search runs, where it is a terminal."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Generator
from contextlib import contextmanager

__all__ = ["working"]


@contextmanager
def working(args: Namespace, text: str) -> Generator[Callable[[str], None] | None]:
    """Show a text until the body is done; yields what changes it, None where nobody looks."""
    if args.quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status(text) as status:
        yield status.update
