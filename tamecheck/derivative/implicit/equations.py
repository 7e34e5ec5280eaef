"""The equations, the unknowns and the point, as the caller gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol, TypeAlias, cast

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.arguments import instance
from tamecheck.ir.exact import parse_rational, shown
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import Array, size_of
from tamecheck.loaders.text.expression import parse_expression

__all__ = ["Equations", "Given", "HasGraph", "equations_of", "exact_arrays"]


class HasGraph(Protocol):
    """A model."""

    @property
    def graph(self) -> Graph:
        """Its graph."""
        ...


Given: TypeAlias = str | Sequence[str] | Graph | HasGraph


@dataclass(frozen=True, slots=True)
class Equations:
    """``F(x, p) = 0``: as many equations as elements of x.

    Parameters
    ----------
    graph
        F.
    columns
        The names of all input elements, in the order of the Jacobian's columns.
    unknowns, parameters
        The columns of x and of p.
    """

    graph: Graph
    columns: tuple[str, ...]
    unknowns: tuple[int, ...]
    parameters: tuple[int, ...]

    def flat(self, point: Mapping[str, Array]) -> list[Any]:
        """The elements of a point in the order of the columns."""
        return [v for name in self.graph.inputs for v in point[name].reshape(-1).tolist()]

    def shaped(self, values: Sequence[Any]) -> dict[str, Array]:
        """A point from its elements in the order of the columns."""
        point: dict[str, Array] = {}
        start = 0
        for name, shape in self.graph.inputs.items():
            array = np.empty(size_of(shape), dtype=object)
            array[:] = values[start : start + size_of(shape)]
            point[name] = array.reshape(shape)
            start += size_of(shape)
        return point

    def moved(self, point: Mapping[str, Array], unknowns: Sequence[Any]) -> dict[str, Array]:
        """The same parameters with other unknowns."""
        values = self.flat(point)
        for column, value in zip(self.unknowns, unknowns, strict=True):
            values[column] = value
        return self.shaped(values)


def equations_of(given: Given, unknowns: Sequence[str]) -> Equations:
    """The equations with their unknowns.

    Raises
    ------
    InputError
        If an unknown is no input, or there are more or fewer equations than unknowns.
    """
    graph = _graph(given)
    columns = _columns(graph)
    chosen = _chosen(graph, unknowns, columns)
    others = tuple(k for k in range(len(columns)) if k not in set(chosen))
    return Equations(graph, columns, chosen, others)


def _graph(given: Given) -> Graph:
    if isinstance(given, Graph):
        return given
    if isinstance(given, str):
        return parse_expression(given).graph
    if isinstance(given, Sequence):
        texts = [instance(one, str, what="equation") for one in given]
        return parse_expression("; ".join(texts)).graph
    graph = getattr(given, "graph", None)
    if not isinstance(graph, Graph):
        raise InputError(f"The equations are {shown(given)}, which is no model or expression.")
    return graph


def _columns(graph: Graph) -> tuple[str, ...]:
    names: list[str] = []
    for name, shape in graph.inputs.items():
        size = size_of(shape)
        names += [name] if shape == () else [f"{name}[{k}]" for k in range(size)]
    return tuple(names)


def _chosen(graph: Graph, unknowns: Sequence[str], columns: Sequence[str]) -> tuple[int, ...]:
    hint = f"Inputs: {', '.join(graph.inputs) or 'none'}."
    given = [unknowns] if isinstance(unknowns, str) else unknowns
    listed = cast("Sequence[Any]", instance(given, Sequence, what="list of unknowns"))
    wanted = [instance(one, str, what="name of an unknown", hint=hint) for one in listed]
    for name in wanted:
        if name not in graph.inputs and name not in columns:
            raise InputError(f"The unknown {name!r} is no input.", hint=hint)
    if not wanted:
        raise InputError("No unknowns are given.", hint=hint)
    chosen: list[int] = []
    for name in wanted:
        found = [k for k, c in enumerate(columns) if c == name or c.startswith(f"{name}[")]
        if set(found) & set(chosen):
            raise InputError(f"The unknown {name!r} is given twice.")
        chosen += found
    equations = sum(size_of(graph.nodes[node].shape) for _, node in graph.outputs)
    if equations != len(chosen):
        raise InputError(
            f"There are {equations} equations for {len(chosen)} unknowns.",
            hint="Give as many equations as unknowns.",
        )
    return tuple(chosen)


def exact_arrays(graph: Graph, at: Mapping[str, Any]) -> dict[str, Array]:
    """The point as an array of fractions for each input.

    Raises
    ------
    InputError
        If an input has no value, too many or too few numbers, or something else than a number.
    """
    missing = [name for name in graph.inputs if name not in at]
    if missing:
        raise InputError(f"Input {missing[0]!r} has no value.", hint=f"Add {missing[0]}=0.")
    unknown = [name for name in at if name not in graph.inputs]
    if unknown:
        raise InputError(f"{unknown[0]!r} is no input.", hint=f"Inputs: {', '.join(graph.inputs)}.")
    point: dict[str, Array] = {}
    for name, shape in graph.inputs.items():
        flat = np.asarray(at[name], dtype=object).reshape(-1).tolist()
        if len(flat) != size_of(shape):
            raise InputError(f"Input {name!r} has shape {shape}, but {len(flat)} numbers.")
        try:
            values = [parse_rational(v) if isinstance(v, str) else Fraction(v) for v in flat]
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"Input {name!r} is given something that is no number.") from None
        array = np.empty(len(values), dtype=object)
        array[:] = values
        point[name] = array.reshape(shape)
    return point
