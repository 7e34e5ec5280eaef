"""Models in our own JSON schema: the canonical graph, with its tensors and labels beside it."""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NoReturn, cast

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.ir.exact import parse_rational
from tamecheck.ir.graph import FORMAT, VERSION, Constant, Graph, GraphBuilder, canonical_json
from tamecheck.ir.op import Op, Pointwise, Value
from tamecheck.ir.tensor import Array, Shape, Tensor, size_of
from tamecheck.loaders.files import read_text
from tamecheck.loaders.loaded import Loaded
from tamecheck.loaders.outputs import write_bytes

_WORDS = {"f32": np.dtype("<f4"), "f64": np.dtype("<f8"), "i64": np.dtype("<i8")}


def _tensor_document(tensor: Tensor) -> dict[str, Any]:
    """The JSON form of a tensor."""
    exact = tensor.encoding == "q"
    data = tensor.texts() if exact else base64.b64encode(tensor.raw()).decode("ascii")
    return {"shape": list(tensor.shape), "encoding": tensor.encoding, "data": data}


def _read_tensor(document: Any, digest: str) -> Tensor:
    """The tensor of its JSON form."""
    entries = _object(document)
    if entries is None or set(entries) != {"shape", "encoding", "data"}:
        raise InputError("A tensor needs exactly the keys shape, encoding and data.")
    shape, encoding, data = _shape(entries["shape"]), entries["encoding"], entries["data"]
    if encoding == "q":
        tensor = Tensor(_fractions(data, shape))
    elif isinstance(encoding, str) and encoding in _WORDS:
        tensor = Tensor.of(_numbers(data, shape, _WORDS[encoding]))
    else:
        raise InputError(f"Unknown encoding {str(encoding)[:40]!r}; f32, f64, i64 and q are known.")
    if tensor.digest != digest:
        raise InputError(
            f"The data have digest {tensor.digest}, not {digest[:64]}.",
            hint="The file is damaged, or a number is not in its canonical form.",
        )
    return tensor


def _object(value: Any) -> dict[str, Any] | None:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _shape(value: Any) -> Shape:
    """The shape that a JSON list of natural numbers states."""
    entries: list[Any] = cast("list[Any]", value) if isinstance(value, list) else [None]
    if len(entries) > 32 or not all(type(n) is int and 0 <= n < 2**40 for n in entries):
        raise InputError(f"{str(entries)[:60]} is no shape.", hint="Write a list such as [1,5].")
    return tuple(entries)


def _exact_number(value: Any) -> Fraction:
    """The number of a JSON integer, an exact decimal, or a text such as ``"1/3"``."""
    if isinstance(value, Fraction) or type(value) is int:
        return Fraction(value)
    if isinstance(value, str):
        return parse_rational(value)
    raise InputError(f"{str(value)[:40]!r} is not a number.", hint='Write 3, -0.5 or "1/3".')


def tensor_of_values(values: Any) -> Tensor:
    """The tensor of nested lists of exact numbers, as people write them by hand."""
    shape: list[int] = []
    level: list[Any] = [values]
    while any(isinstance(item, list) for item in level):
        lengths = {len(cast("list[Any]", x)) if isinstance(x, list) else -1 for x in level}
        if len(lengths) != 1 or len(shape) >= 32:
            raise InputError("The rows of a constant's value differ in length.")
        shape.append(lengths.pop())
        rows: list[list[Any]] = level
        level = [item for row in rows for item in row]
    numbers = list(map(_exact_number, level))
    if all(n.denominator == 1 and abs(n) < 2**63 for n in numbers):
        return Tensor.of(np.array([int(n) for n in numbers], dtype=np.int64).reshape(shape))
    return Tensor(exact_vector(numbers).reshape(shape))


def _numbers(data: Any, shape: Shape, dtype: np.dtype[Any]) -> Any:
    if not isinstance(data, str):
        raise InputError("The data of a tensor must be base64 text.")
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise InputError("The data of a tensor are not valid base64.") from None
    if len(raw) != size_of(shape) * dtype.itemsize:
        raise InputError(f"{len(raw)} bytes do not fill a tensor of shape {list(shape)}.")
    return np.frombuffer(raw, dtype=dtype).reshape(shape)


def _fractions(data: Any, shape: Shape) -> Any:
    texts: list[Any] = cast("list[Any]", data) if isinstance(data, list) else [None]
    if not all(isinstance(text, str) for text in texts):
        raise InputError("The data of a tensor of encoding q must be a list of texts.")
    if len(texts) != size_of(shape):
        raise InputError(f"{len(texts)} numbers do not fill a tensor of shape {list(shape)}.")
    return exact_vector([parse_rational(text) for text in texts]).reshape(shape)


def exact_vector(numbers: Sequence[Fraction]) -> Array:
    """Exact numbers as an array."""
    return np.array(numbers, dtype=object)


def _tensors(documents: Any, where: str) -> Mapping[str, Tensor]:
    """All tensors of a file, by digest."""
    entries = _object(documents)
    if entries is None:
        raise InputError("'tensors' must be an object.", where=where)
    found: dict[str, Tensor] = {}
    for digest, document in entries.items():
        try:
            found[digest] = _read_tensor(document, digest)
        except InputError as error:
            place = f"{where}, tensor {digest[:12]}"
            raise InputError(error.what, where=place, hint=error.hint) from None
    return found


_KEYS = {"format", "version", "nodes", "outputs", "tensors", "labels"}
_NODE_KEYS = {
    "input": ({"op", "name", "shape"}, {"op", "name", "shape"}),
    "constant": ({"op"}, {"op", "tensor", "shape", "value"}),
}
_APPLY_KEYS = ({"op", "args"}, {"op", "args", "params", "shape"})


def graph_document(graph: Graph) -> dict[str, Any]:
    """The JSON form of a graph that holds everything: tensors and labels too."""
    tensors = {
        node.tensor.digest: _tensor_document(node.tensor)
        for node in graph.nodes
        if isinstance(node, Constant)
    }
    labels = [node.label for node in graph.nodes]
    return {**graph.document(), "tensors": tensors, "labels": labels}


def write_graph(graph: Graph, path: str | os.PathLike[str]) -> None:
    """Save a graph as ``.json`` or ``.json.gz``; the same graph gives the same bytes.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    write_bytes(path, graph_bytes(graph))


def graph_bytes(graph: Graph) -> bytes:
    """What `write_graph` writes."""
    return (canonical_json(graph_document(graph)) + "\n").encode("ascii")


def read_graph(path: str | os.PathLike[str]) -> Loaded:
    """The model in a ``.json`` or ``.json.gz`` file."""
    where = str(path)
    graph = graph_of(parse_json(read_text(path), where=where), where=where)
    counts = Counter(node["op"] for node in graph.document()["nodes"])
    source_ops = {op: n for op, n in sorted(counts.items()) if op not in ("input", "constant")}
    return Loaded(graph, "json", where, source_ops)


def parse_json(
    text: str, *, where: str = "", decimals: Callable[[str], Any] = parse_rational
) -> Any:
    """A JSON document whose decimals are exact, without NaN and without doubled keys.

    Parameters
    ----------
    text, where
        The document, and its place.
    decimals
        What a literal with a point or an exponent becomes.

    Raises
    ------
    InputError
        If it is malformed.
    """
    try:
        return json.loads(
            text,
            parse_float=decimals,
            parse_constant=_refuse_constant,
            object_pairs_hook=_without_doubles,
        )
    except json.JSONDecodeError as error:
        place = f"{where}, line {error.lineno}, column {error.colno}"
        raise InputError(f"Not valid JSON: {error.msg}.", where=place) from None
    except RecursionError:
        raise InputError("The JSON is nested too deeply.", where=where) from None
    except InputError as error:
        raise InputError(error.what, where=where, hint=error.hint) from None
    except ValueError:
        raise InputError("An integer has too many digits.", where=where) from None


def _refuse_constant(name: str) -> NoReturn:
    raise InputError(f"{name} is not a number.", hint="Weights must be finite.")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise InputError("A key occurs twice in one object.")
    return entries


def graph_of(document: Any, *, where: str = "") -> Graph:
    """The graph of its JSON form.

    Raises
    ------
    InputError
        Naming the node or tensor that is wrong.
    """
    entries = _object(document)
    if entries is None or entries.get("format") != FORMAT:
        what, hint = f"This is no model: 'format' is not {FORMAT!r}.", "See docs/json-schema.md."
        raise InputError(what, where=where, hint=hint)
    _check_keys(entries, {"format", "version", "nodes", "outputs"}, _KEYS, where)
    if entries["version"] != VERSION or type(entries["version"]) is not int:
        raise InputError(f"Version {VERSION} of the format is read.", where=where)
    nodes = _list(entries["nodes"], "nodes", where)
    labels = _labels(entries.get("labels"), len(nodes), where)
    reader = _Nodes(_tensors(entries.get("tensors", {}), where))
    for index, (node, label) in enumerate(zip(nodes, labels, strict=True)):
        try:
            reader.add(node, label)
        except InputError as error:
            place = f"{where}, node {index}"
            raise InputError(error.what, where=place, hint=error.hint) from None
    return reader.builder.build(_outputs(entries["outputs"], reader.ids, where))


def _check_keys(entries: Mapping[str, Any], needed: set[str], known: set[str], where: str) -> None:
    for key in sorted(needed - entries.keys()):
        raise InputError(f"The key {key!r} is missing.", where=where)
    for key in sorted(entries.keys() - known):
        raise InputError(f"Unknown key {key[:40]!r}.", where=where)


def _list(value: Any, name: str, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise InputError(f"{name!r} must be a list.", where=where)
    return cast("list[Any]", value)


def _labels(value: Any, count: int, where: str) -> Sequence[str]:
    if value is None:
        return [""] * count
    labels = _list(value, "labels", where)
    if len(labels) != count or not all(isinstance(label, str) for label in labels):
        raise InputError("'labels' must have one text a node.", where=where)
    return labels


def _outputs(value: Any, ids: Sequence[int], where: str) -> list[tuple[str, int]]:
    outputs: list[tuple[str, int]] = []
    for entry in _list(value, "outputs", where):
        match entry:
            case {"name": str(name), "node": int(node), **rest} if (
                not rest and type(node) is int and 0 <= node < len(ids)
            ):
                outputs.append((name, ids[node]))
            case _:
                raise InputError("An output must be a name and the number of a node.", where=where)
    if not outputs:
        raise InputError("The model has no output.", where=where)
    if len({name for name, _ in outputs}) != len(outputs):
        raise InputError("Two outputs have the same name.", where=where)
    return outputs


@dataclass(slots=True)
class _Nodes:
    """Adds the nodes of a file to a graph, one after the other."""

    tensors: Mapping[str, Tensor]
    builder: GraphBuilder = field(default_factory=GraphBuilder)
    ids: list[int] = field(default_factory=list[int])

    def add(self, node: Any, label: str) -> None:
        """Add a node."""
        entries = _object(node)
        if entries is None or not isinstance(entries.get("op"), str):
            raise InputError("A node must be an object with an 'op'.")
        name: str = entries["op"]
        _check_keys(entries, *_NODE_KEYS.get(name, _APPLY_KEYS), "")
        if name == "input":
            self.ids.append(self._input(entries, label))
        elif name == "constant":
            self.ids.append(self._constant(entries, label))
        elif name in ops.BY_NAME:
            self.ids.append(self._apply(ops.BY_NAME[name], entries, label))
        else:
            raise InputError(f"Unknown op {name[:40]!r}.", hint="docs/json-schema.md lists all.")

    def _input(self, node: Mapping[str, Any], label: str) -> int:
        if not isinstance(node["name"], str) or not node["name"]:
            raise InputError("An input needs a name.")
        return self.builder.input(node["name"], _shape(node["shape"]), label)

    def _constant(self, node: Mapping[str, Any], label: str) -> int:
        if ("tensor" in node) == ("value" in node):
            raise InputError("A constant needs either 'tensor' or 'value'.")
        if "value" in node:
            tensor = tensor_of_values(node["value"])
        elif isinstance(node["tensor"], str) and node["tensor"] in self.tensors:
            tensor = self.tensors[node["tensor"]]
        else:
            raise InputError(f"There is no tensor {str(node['tensor'])[:64]!r}.")
        _check_shape(node, tensor.shape)
        return self.builder.constant(tensor, label)

    def _apply(self, op: Op, node: Mapping[str, Any], label: str) -> int:
        args = _list(node["args"], "args", "")
        if not all(type(arg) is int and 0 <= arg < len(self.ids) for arg in args):
            raise InputError("'args' must be numbers of earlier nodes.")
        given = _object(node.get("params", {}))
        if given is None:
            raise InputError("'params' must be an object.")
        params = _params(op, given)
        if isinstance(op.meaning, Pointwise):
            # values that no op can have (an unknown rounding mode) are found here
            op.meaning.pieces(op.checked(params))
        nodes: list[int] = [self.ids[arg] for arg in args]
        found = self.builder.apply(op, nodes, label, **params)
        _check_shape(node, self.builder.shape(found))
        return found


def _check_shape(node: Mapping[str, Any], shape: tuple[int, ...]) -> None:
    if "shape" in node and _shape(node["shape"]) != shape:
        raise InputError(f"The shape is {list(shape)}, not {node['shape']}.")


def _params(op: Op, given: Mapping[str, Any]) -> dict[str, Value]:
    kinds = {param.name: param for param in op.params}
    params: dict[str, Value] = {}
    for name, value in given.items():
        kind = kinds[name].kind if name in kinds else None
        if kind is Fraction and value is not None:
            params[name] = _exact_number(value)
        elif isinstance(value, list):
            entries = cast("list[Any]", value)
            if not all(type(n) is int and abs(n) < 2**40 for n in entries):
                raise InputError(f"Parameter {name!r} must be a list of integers.")
            params[name] = tuple(entries)
        elif value is None or type(value) in (int, bool, str):
            params[name] = value
        else:
            raise InputError(f"Parameter {name[:40]!r} has a value of the wrong kind.")
    return params
