"""The command line: verbs, those about one subject in a file."""

from __future__ import annotations

from tamecheck.cli.start import main

__all__ = ["main"]
