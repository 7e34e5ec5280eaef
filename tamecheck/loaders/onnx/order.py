"""The nodes of an ONNX graph in an order in which each one's inputs are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tamecheck.errors import InputError

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

__all__ = ["SourceNode", "name_text", "ordered", "source_nodes"]


@dataclass(frozen=True, slots=True)
class SourceNode:
    """A node of the file, with a name that the user can find: its own, or its number."""

    label: str
    proto: NodeProto

    @property
    def domain(self) -> str:
        """The operator's domain; the standard one is empty."""
        return "" if self.proto.domain == "ai.onnx" else self.proto.domain

    @property
    def operator(self) -> str:
        """The operator's full name."""
        return f"{self.domain}::{self.proto.op_type}" if self.domain else self.proto.op_type


def source_nodes(graph: GraphProto) -> list[SourceNode]:
    """The nodes as they stand in the file."""
    found: list[SourceNode] = []
    for index, node in enumerate(graph.node):
        for name in (node.op_type, node.domain, *node.input, *node.output):
            name_text(name)
        found.append(SourceNode(name_text(node.name) or f"#{index}", node))
    return found


def name_text(name: Any) -> str:
    """A name; one that is no UTF-8 text comes out of the protocol buffer as bytes."""
    if not isinstance(name, str):
        raise InputError("A name in the file is not UTF-8 text.")
    return name


def ordered(nodes: Sequence[SourceNode], present: Iterable[str]) -> list[SourceNode]:
    """The nodes so that each reads only names that are present or that an earlier one makes."""
    known = set(present)
    producer: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in filter(None, node.proto.output):
            if name in producer or name in known:
                raise InputError(
                    f"The tensor {name!r} is made twice.", where=f"node {node.label!r}"
                )
            producer[name] = index
    waiting = [_needs(node, producer, known) for node in nodes]
    readers: dict[int, list[int]] = {}
    for index, needs in enumerate(waiting):
        for need in needs:
            readers.setdefault(need, []).append(index)
    missing = [len(needs) for needs in waiting]
    ready = [index for index, count in enumerate(missing) if count == 0]
    result: list[SourceNode] = []
    while len(result) < len(ready):
        index = ready[len(result)]
        result.append(nodes[index])
        for reader in readers.get(index, ()):
            missing[reader] -= 1
            if missing[reader] == 0:
                ready.append(reader)
    if len(result) < len(nodes):
        stuck = next(nodes[index] for index, count in enumerate(missing) if count)
        raise InputError("The graph has a cycle.", where=f"node {stuck.label!r}")
    return result


def _needs(node: SourceNode, producer: Mapping[str, int], known: set[str]) -> set[int]:
    needs: set[int] = set()
    for name in filter(None, node.proto.input):
        if name in producer:
            needs.add(producer[name])
        elif name not in known:
            raise InputError(
                f"The tensor {name!r} is read, but nothing makes it.", where=f"node {node.label!r}"
            )
    return needs
