"""What every loader gives: the graph, and where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tamecheck.ir.graph import Graph
from tamecheck.loaders.tables.schema import Schema

__all__ = ["Loaded"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model as read from the outside world.

    Parameters
    ----------
    graph
        The model in our language.
    format
        ``onnx``, ``json``, ``expression``, ``torch`` or ``sklearn``.
    where
        The file, or a name for a model that is not in a file.
    source_ops
        How often each operator occurs in the source, by its own names.
    notes
        What a user should know about the reading, one sentence each.
    schema
        What the inputs are made of, if that is known without a file; see
        `tamecheck.loaders.tables.schema_file.schema_of`.
    metadata
        What the file itself says about that, as it stands there; empty if it says nothing.
    """

    graph: Graph
    format: str
    where: str
    source_ops: Mapping[str, int] = field(default_factory=dict[str, int])
    notes: tuple[str, ...] = ()
    schema: Schema | None = None
    metadata: str = ""
