"""What every loader gives: the graph, and where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tamecheck.ir.graph import Graph
from tamecheck.loaders.tables.schema import Schema


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model as read from the outside world: its ``graph`` in our language.

    ``format`` is ``onnx``, ``json``, ``expression``, ``torch`` or ``sklearn``; ``where`` the file,
    or a name for a model that is not in a file.  ``source_ops`` counts the operators of the source
    by its own names; ``notes`` say what a user should know about the reading, a sentence each.
    ``schema`` is what the inputs are made of, if that is known without a file; ``metadata`` what
    the file itself says about that, as it stands there; see
    `tamecheck.loaders.tables.schema_file.schema_of`.
    """

    graph: Graph
    format: str
    where: str
    source_ops: Mapping[str, int] = field(default_factory=dict[str, int])
    notes: tuple[str, ...] = ()
    schema: Schema | None = None
    metadata: str = ""
    types: Mapping[str, str] = field(default_factory=dict[str, str])
    """Of each input the type of its elements as VNN-LIB 2.0 has it, where the file says it."""
