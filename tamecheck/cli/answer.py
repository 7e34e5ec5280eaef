"""Writing answers: JSON or text on stdout, messages on stderr, documents to files."""

from __future__ import annotations

import gzip
import json
import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tamecheck.visible import visible

__all__ = ["message", "print_json", "write_document"]


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON object on one line."""
    print(json.dumps(document, allow_nan=False))


def message(args: Namespace, line: str) -> None:
    """Say something on stderr, unless asked to be quiet."""
    if not args.quiet:
        print(f"tamecheck: {visible(line)}", file=sys.stderr)


def write_document(path: str | Path, document: Mapping[str, Any]) -> None:
    """Write a JSON document; gzipped, with the same bytes each time, if the name ends in .gz."""
    data = json.dumps(document, allow_nan=False, separators=(",", ":")).encode()
    if str(path).endswith(".gz"):
        data = gzip.compress(data, mtime=0)
    Path(path).write_bytes(data)
