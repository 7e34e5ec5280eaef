"""The command line: one verb a file."""

from __future__ import annotations

from tamecheck.cli.entry import main

__all__ = ["main"]
