"""ATen operators that move elements, written as one selection with a table of positions.

The exporter to ONNX reads few of the operators that take the place of writes into views
(``slice_scatter``, ``copy``, ``index_put``, ...).  But each only moves elements.  So it is run once
on the *positions* of the elements instead of the elements, which says where each element of its
result comes from: out of which argument, or that it is zero.

Inverses, determinants and factors of small matrices are written out entry by entry.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np

from tamecheck.errors import UnsupportedError
from tamecheck.ir.tensor import Array

_CARRIERS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("slice_scatter", "select_scatter", "diagonal_scatter", "copy"), ("src",)),
    **dict.fromkeys(("fill", "masked_fill", "index_fill"), ("value",)),
    **dict.fromkeys(("index_put", "_unsafe_index_put"), ("values",)),
    "scatter": ("src", "value"),
    "index_copy": ("source",),
    **dict.fromkeys(("zero", "diag_embed", "diagonal", "diag", "tril", "triu", "flip"), ()),
    **dict.fromkeys(("roll", "index"), ()),
}
"""Operators that move elements: the arguments, beside ``self``, whose elements they move."""

_SUMS: Mapping[str, str] = {
    "index_add": "source",
    "scatter_add": "src",
    **dict.fromkeys(("index_put", "_unsafe_index_put"), "values"),
}
"""Operators that add elements at places: the argument that holds these."""

MOVES = frozenset({*_CARRIERS, *_SUMS})
"""All operators that move elements."""

MAX_ROUNDS = 64
"""How many elements may be added at one place."""


@dataclass(frozen=True, slots=True)
class Call:
    """A ``torch.fx.Node`` that calls an ATen operator, without its overload.

    ``names`` are those of its arguments, in order; ``arguments`` are all by name, with defaults
    where none is given.
    """

    node: Any
    name: str
    names: tuple[str, ...]
    arguments: Mapping[str, Any]

    @staticmethod
    def of(node: Any) -> Call:
        """The call of a node; one of another function than an operator has no named arguments."""
        packet = getattr(node.target, "overloadpacket", node.target)
        name = str(getattr(packet, "__name__", packet))
        schema = getattr(node.target, "_schema", None)
        if schema is None:
            return Call(node, name, (), {})
        names = tuple(argument.name for argument in schema.arguments)
        defaults = {a.name: a.default_value for a in schema.arguments if a.has_default_value()}
        placed = dict(zip(names, node.args, strict=False))
        return Call(node, name, names, {**defaults, **placed, **node.kwargs})

    def given(self, name: str) -> bool:
        """Whether an argument is there, and not by default."""
        return name in self.names[: len(self.node.args)] or name in self.node.kwargs


@dataclass(slots=True)
class Moves:
    """Replaces nodes of a graph module that move elements.

    ``known`` are the values of nodes that depend on no input: integers and truth values.
    """

    torch: Any
    module: Any
    known: dict[Any, Any] = field(default_factory=dict[Any, Any])
    _tables: int = 0

    def replace(self, call: Call) -> None:
        """Replace the node of a call, if it moves elements to places that no input decides."""
        arguments = call.arguments
        if "index_put" in call.name and self._select(call):
            return
        if call.name in _SUMS and (arguments.get("accumulate") or "index_put" not in call.name):
            self._add(call)
        elif call.name in _CARRIERS and arguments.get("reduce") is None:
            known = [self.known[i] for i in arguments.get("indices", ()) if i in self.known]
            # an index without truth values is read as it is
            if call.name != "index" or any(i.dtype == self.torch.bool for i in known):
                self._move(call)

    def _select(self, call: Call) -> bool:
        """Write ``x[mask] = values`` with a computed mask as a choice by elements."""
        target, indices = call.arguments["self"], call.arguments["indices"]
        masks = [index for index in indices if index is not None]
        if len(masks) != 1 or masks[0] in self.known or call.arguments.get("accumulate"):
            return False
        (mask,) = masks
        value = call.arguments["values"]
        shape = tuple(mask.meta["val"].shape)
        if mask.meta["val"].dtype != self.torch.bool:
            return False
        lead = indices.index(mask)
        rest = target.meta["val"].dim() - lead - len(shape)
        # the axis of a value that runs over the chosen elements must repeat one of them
        extents = tuple(value.meta["val"].shape)
        split = len(extents) - rest
        if split > 0:
            if extents[split - 1] != 1:
                return False
            extents = (*extents[: split - 1], *[1] * len(shape), *extents[split:])
        graph = self.module.graph
        with graph.inserting_before(call.node):
            wide = (*[1] * lead, *shape, *[1] * rest)
            chosen = graph.call_method("reshape", (mask, wide))
            number = graph.call_method("reshape", (value, extents))
            new = graph.call_function(self.torch.where, (chosen, number, target))
        self._exchange(call.node, new)
        return True

    def _move(self, call: Call) -> None:
        """Replace a node that moves elements by a selection with a table of positions."""
        carriers = ("self", *(key for key in _CARRIERS[call.name] if call.given(key)))
        sources = [call.arguments[key] for key in carriers]
        if any(arg not in self.known and arg not in sources for arg in call.node.all_input_nodes):
            return
        positions: dict[str, Any] = {}
        start = 1
        for key, source in zip(carriers, sources, strict=True):
            shape = self._shape(source)
            stop = start + math.prod(shape)
            table = self.torch.arange(start, stop).reshape(shape)
            # a number that is filled in stays a number
            positions[key] = table if self._is_node(source) else start
            start = stop
        result = self._run(call, positions).numpy()
        self._exchange(call.node, self._selection(call.node, sources, result))

    def _run(self, call: Call, positions: Mapping[str, Any]) -> Any:
        def argument(name: str, value: Any) -> Any:
            if name in positions:
                return positions[name]
            return self.torch.fx.node.map_arg(value, self.known.__getitem__)

        node = call.node
        args = [argument(name, value) for name, value in zip(call.names, node.args, strict=False)]
        return node.target(*args, **{key: argument(key, node.kwargs[key]) for key in node.kwargs})

    def _add(self, call: Call) -> None:
        """Replace a node that adds elements at places by a sum of selections."""
        torch, arguments = self.torch, call.arguments
        target, source = arguments["self"], arguments[_SUMS[call.name]]
        others = [arg for arg in call.node.all_input_nodes if arg not in (target, source)]
        if any(arg not in self.known for arg in others):
            return
        shape, news = self._shape(target), self._shape(source)
        places = torch.arange(math.prod(shape)).reshape(shape)
        moved = torch.arange(1, math.prod(news) + 1).reshape(news)
        if "index_put" in call.name:
            indices = [None if i is None else self.known[i] for i in arguments["indices"]]
            found = torch.ops.aten.index(places, indices)
            moved = moved.expand(found.shape)
        elif call.name == "index_add":
            found = places.index_select(arguments["dim"], self.known[arguments["index"]])
        else:
            index = self.known[arguments["index"]]
            found = places.gather(arguments["dim"], index)
            moved = moved[tuple(slice(extent) for extent in index.shape)]
        tables = _rounds(found.numpy(), moved.numpy(), shape)
        if len(tables) > MAX_ROUNDS:
            return
        graph, alpha, new = self.module.graph, arguments.get("alpha", 1), target
        for table in tables:
            part = self._selection(call.node, [source], table)
            with graph.inserting_before(call.node):
                scaled = part if alpha == 1 else graph.call_function(torch.mul, (part, alpha))
                new = graph.call_function(torch.add, (new, scaled))
        self._exchange(call.node, new)

    def _selection(self, node: Any, sources: Sequence[Any], positions: Array) -> Any:
        """The elements of the sources, counted from 1, at these positions; 0 stands for zero."""
        graph, torch = self.module.graph, self.torch
        dtype = node.meta["val"].dtype
        parts: list[Any] = []
        table = np.zeros_like(positions)
        first = filled = 0
        # the exporter takes a list of numbers for a shape, in which there is no infinity
        infinite = any(isinstance(s, float) and math.isinf(s) for s in sources)
        line = (-1, 1) if infinite else (-1,)
        with graph.inserting_before(node):
            for source in (0, *sources):
                size = math.prod(self._shape(source))
                used = (positions >= first) & (positions < first + size)
                if used.any():
                    parts.append(self._flat(source, dtype, line))
                    table = np.where(used, positions - first + filled, table)
                    filled += size
                first += size
            joined = parts[0] if len(parts) == 1 else graph.call_function(torch.cat, (parts,))
            name = f"positions_{self._tables}"
            self._tables += 1
            self.module.register_buffer(name, torch.from_numpy(table.reshape(-1).copy()))
            indices = graph.get_attr(name)
            chosen = graph.call_function(torch.index_select, (joined, 0, indices))
            shape = tuple(int(extent) for extent in positions.shape)
            return graph.call_method("reshape", (chosen, shape))

    def _flat(self, source: Any, dtype: Any, line: tuple[int, ...]) -> Any:
        graph = self.module.graph
        if not self._is_node(source):
            one = (1,) * len(line)
            return graph.call_function(self.torch.full, (one, source), {"dtype": dtype})
        flat = graph.call_method("reshape", (source, line))
        same = source.meta["val"].dtype == dtype
        return flat if same else graph.call_method("to", (flat, dtype))

    def _shape(self, source: Any) -> tuple[int, ...]:
        return tuple(source.meta["val"].shape) if self._is_node(source) else ()

    def _is_node(self, value: Any) -> bool:
        return isinstance(value, self.torch.fx.Node)

    def _exchange(self, node: Any, new: Any) -> None:
        node.replace_all_uses_with(new)
        if new.op in ("call_function", "call_method"):
            new.meta = dict(node.meta)
        self.module.graph.erase_node(node)


def _rounds(places: Array, moved: Array, shape: tuple[int, ...]) -> list[Array]:
    """Tables that together send every element to its place, at most one a place in each table."""
    flat, elements = places.reshape(-1), moved.reshape(-1)
    order = np.argsort(flat, kind="stable")
    starts = np.searchsorted(flat[order], flat[order], side="left")
    ranks = np.arange(flat.size) - starts
    tables: list[Array] = []
    for rank in range(int(ranks.max(initial=-1)) + 1):
        table = np.zeros(math.prod(shape), dtype=np.int64)
        chosen = order[ranks == rank]
        table[flat[chosen]] = elements[chosen]
        tables.append(table.reshape(shape))
    return tables


MAX_INVERSE = 4
"""The inverse of a larger matrix is not written out by cofactors."""


def _entry(x: Any, i: int, j: int) -> Any:
    return x.select(-2, i).select(-1, j)


def _determinant(x: Any, rows: Sequence[int], columns: Sequence[int]) -> Any:
    """The determinant of the rows and columns of a matrix, by its first row."""
    if len(rows) == 1:
        return _entry(x, rows[0], columns[0])
    parts = [
        _entry(x, rows[0], column)
        * _determinant(x, rows[1:], [c for c in columns if c != column])
        * (-1) ** i
        for i, column in enumerate(columns)
    ]
    return reduce(lambda a, b: a + b, parts)


def _inverse(torch: Any, x: Any) -> Any:
    size = int(x.shape[-1])
    if size > MAX_INVERSE:
        raise UnsupportedError(f"the inverse of a matrix of {size} rows is not written out.")
    every = list(range(size))
    whole = _determinant(x, every, every)
    if size == 1:
        return 1 / x
    rows = [
        torch.stack(
            [
                _determinant(x, [r for r in every if r != j], [c for c in every if c != i])
                * (-1) ** (i + j)
                for j in every
            ],
            -1,
        )
        for i in every
    ]
    return torch.stack(rows, -2) / whole.unsqueeze(-1).unsqueeze(-1)


def inverse_ex(torch: Any, x: Any, **_: Any) -> Any:
    """The inverse, and nothing that tells of errors."""
    return _inverse(torch, x), None


def solve_ex(torch: Any, a: Any, b: Any, *, left: bool = True, **_: Any) -> Any:
    """The solution of ``a @ y = b``, or of ``y @ a = b``."""
    inverse = _inverse(torch, a)
    vector = b.dim() == 1 or (b.dim() == a.dim() - 1 and [*b.shape] == [*a.shape][:-1])
    wide = b.unsqueeze(-1) if vector else b
    found = inverse @ wide if left else wide @ inverse
    return found.squeeze(-1) if vector else found, None, None, None


def slogdet(torch: Any, x: Any) -> Any:
    """The sign of the determinant and the logarithm of its size."""
    every = list(range(int(x.shape[-1])))
    short = len(every) <= MAX_INVERSE
    whole = _determinant(x, every, every) if short else torch.linalg.det(x)
    return torch.sign(whole), torch.log(torch.abs(whole)), None, None


def cholesky(torch: Any, x: Any, *, upper: bool = False, **_: Any) -> Any:
    """The factor, row by row; it reads the lower triangle, or the upper one."""
    size = int(x.shape[-1])
    x = x.transpose(-2, -1) if upper else x
    rows: list[list[Any]] = []
    zero = torch.zeros_like(_entry(x, 0, 0))
    for i in range(size):
        row: list[Any] = []
        for j in range(i + 1):
            other = rows[j] if j < i else row
            rest = _entry(x, i, j)
            for k in range(j):
                rest = rest - row[k] * other[k]
            row.append(torch.sqrt(rest) if i == j else rest / rows[j][j])
        rows.append(row)
    full = [torch.stack([*row, *[zero] * (size - len(row))], -1) for row in rows]
    factor = torch.stack(full, -2)
    return factor.transpose(-2, -1) if upper else factor, None


def solve_triangular(torch: Any, a: Any, b: Any, *, upper: bool, **options: bool) -> Any:
    """The solution of equations with a triangular matrix, row by row."""
    unitriangular = options.get("unitriangular", False)
    if not options.get("left", True):
        turned = a.transpose(-2, -1), b.transpose(-2, -1)
        found = solve_triangular(torch, *turned, upper=not upper, unitriangular=unitriangular)
        return found.transpose(-2, -1)
    size = int(a.shape[-1])
    order = range(size - 1, -1, -1) if upper else range(size)
    rows: dict[int, Any] = {}
    for i in order:
        rest = b.select(-2, i)
        for k, row in rows.items():
            rest = rest - _entry(a, i, k).unsqueeze(-1) * row
        rows[i] = rest if unitriangular else rest / _entry(a, i, i).unsqueeze(-1)
    return torch.stack([rows[i] for i in range(size)], -2)
