"""One step of a certificate, as it stands in the document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["Step"]

Step = Mapping[str, Any]
"""A rule's name, the node it is about, what it claims, and the numbers of the steps it cites."""
