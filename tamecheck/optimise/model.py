"""What the functions of this package need of a model."""

from __future__ import annotations

from typing import Any, Protocol

from tamecheck.ir.box import Box
from tamecheck.ir.graph import Graph

__all__ = ["HasGraph"]


class HasGraph(Protocol):
    """A model: its graph, and boxes as users write them."""

    @property
    def graph(self) -> Graph:
        """The exact graph."""
        ...

    def box(self, box: Any) -> Box:
        """The box that a text or a mapping means."""
        ...
