"""One graph for a property about several networks, their hidden tensors and products of elements.

Its inputs are the declared inputs of all networks one after the other; its outputs are, network by
network, the hidden tensors and the outputs, then the products.  So the flat indices of the property
are those of the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.graph import Graph, GraphBuilder, Input
from tamecheck.ir.spec import NetworkName, Specification, TensorName
from tamecheck.ir.tensor import Array, Shape, size_of
from tamecheck.loaders.onnx import load_onnx
from tamecheck.model import Model
from tamecheck.verification.witness import Replay, graph_of, replay_of

_MODEL = "the model"


def models_of(
    spec: Specification, models: Model | Graph | Mapping[str, Model]
) -> Mapping[str, Model | Graph]:
    """The model of each declared network.

    Raises
    ------
    InputError
        If a network has no model, or a model no network that needs one.
    """
    if isinstance(models, Model | Graph):
        if len(spec.networks) > 1:
            names = ", ".join(network.name for network in spec.networks)
            hint = "Give each its model: --network NAME=FILE, or a mapping of names to models."
            raise InputError(
                f"The property is about networks {names}.", where=spec.where, hint=hint
            )
        return {spec.networks[0].name if spec.networks else _MODEL: models}
    needed = [n.name for n in spec.networks if not n.equal_to]
    if not spec.networks:
        raise InputError(
            "The property declares no network by name.",
            where=spec.where,
            hint="Give the model itself, as in 'tamecheck verify MODEL SPEC'.",
        )
    for name in needed:
        if name not in models:
            raise InputError(
                f"Network {name!r} has no model.",
                where=spec.where,
                hint=f"Give it: --network {name}=FILE.",
            )
    for name in models:
        if name not in needed:
            raise InputError(
                f"No network needs the model that is given for {name!r}.",
                where=spec.where,
                hint=f"The property needs models for {', '.join(needed)}.",
            )
    return {n.name: models[n.equal_to or n.name] for n in spec.networks}


def subject_of(
    model: Model | Graph | Mapping[str, Model], spec: Specification
) -> tuple[Graph, Replay | None]:
    """The graph that a property is about, one for all its networks, and a float32 run of it."""
    if not isinstance(model, Mapping) and not spec.networks and not spec.is_joint:
        return graph_of(model), replay_of(model)
    models = models_of(spec, model)
    if spec.is_joint:
        return joint_graph(spec, models), joint_replay(spec, models)
    (one,) = models.values()
    graph = graph_of(one)
    for network in spec.networks:
        _check_types(network, one, spec.where)
        _fit(network, network.inputs, list(graph.inputs.items()), "input", spec.where)
        _fit(network, network.outputs, _outputs(graph), "output", spec.where)
    return graph, replay_of(one)


def _is_same(declared: Shape, shape: Shape) -> bool:
    """Whether indices into a declared shape are known: but for extents of 1 it is that, or flat."""
    kinds = [tuple(extent for extent in one if extent != 1) for one in (declared, shape)]
    return size_of(declared) == size_of(shape) and (
        kinds[0] == kinds[1] or min(map(len, kinds)) < 2
    )


def joint_graph(spec: Specification, models: Mapping[str, Model | Graph]) -> Graph:
    """The graph of a property; see the module.

    Parameters
    ----------
    spec
        The property.
    models
        The model of each network, as `models_of` gives them.

    Raises
    ------
    InputError
        If declared tensors do not fit a model.
    UnsupportedError
        If a hidden tensor belongs to a model that is not from an ONNX file.
    """
    builder = GraphBuilder()
    inputs: list[int] = []
    outputs: list[tuple[str, int]] = []
    for name, model in models.items():
        graph = model if isinstance(model, Graph) else model.graph
        network = next((n for n in spec.networks if n.name == name), None) or NetworkName(
            name, _declared(graph.inputs.items()), (), _declared(_outputs(graph))
        )
        _fit(network, network.inputs, list(graph.inputs.items()), "input", spec.where)
        _fit(network, network.outputs, _outputs(graph), "output", spec.where)
        _check_types(network, model, spec.where)
        added, found = _add(builder, _with_hidden(model, network, spec.where), network, spec.where)
        inputs += added
        outputs += found
    if spec.products:
        outputs.append(("(products)", _products(builder, spec, inputs, [k for _, k in outputs])))
    return builder.build(outputs)


def _with_hidden(model: Model | Graph, network: NetworkName, where: str) -> Graph:
    """The graph of a model with the hidden tensors as further outputs."""
    graph = model if isinstance(model, Graph) else model.graph
    known = {*graph.inputs, *dict(graph.outputs)}
    names = dict.fromkeys(t.model_name for t in network.hidden if t.model_name not in known)
    if not names:
        return graph
    if isinstance(model, Graph) or model.loaded.format != "onnx":
        what = f"The hidden tensors of {network.name!r} are named in no ONNX file."
        raise UnsupportedError(what, where=where)
    sizes = {
        f"{name}[{axis}]": extent
        for name, shape in graph.inputs.items()
        for axis, extent in enumerate(shape)
    }
    return load_onnx(model.loaded.where, hidden=tuple(names), dims=sizes).graph


def _add(
    builder: GraphBuilder, graph: Graph, network: NetworkName, where: str
) -> tuple[list[int], list[tuple[str, int]]]:
    """Add a network; its inputs, and its hidden tensors and outputs by their declared names."""
    names = {old: tensor.name for old, tensor in zip(graph.inputs, network.inputs, strict=True)}
    inputs: dict[str, int] = {}

    def source(node: Input) -> int:
        inputs[node.name] = builder.input(names[node.name], node.shape, node.label)
        return inputs[node.name]

    number = builder.include(graph, source)
    known = {**inputs, **{name: number[node] for name, node in graph.outputs}}
    hidden = [known[tensor.model_name] for tensor in network.hidden]
    shapes = [(t.model_name, builder.shape(k)) for t, k in zip(network.hidden, hidden, strict=True)]
    _fit(network, network.hidden, shapes, "hidden", where)
    made = [*hidden, *(number[node] for _, node in graph.outputs)]
    tensors = (*network.hidden, *network.outputs)
    # the model's own outputs come first, so that what was added for hidden tensors is cut off
    found = [(tensor.name, node) for tensor, node in zip(tensors, made, strict=False)]
    return list(inputs.values()), found


def _outputs(graph: Graph) -> list[tuple[str, Shape]]:
    return [(name, graph.nodes[node].shape) for name, node in graph.outputs]


def _declared(tensors: Iterable[tuple[str, Shape]]) -> tuple[TensorName, ...]:
    return tuple(TensorName(name, shape) for name, shape in tensors)


def _fit(
    network: NetworkName,
    declared: Sequence[TensorName],
    model: Sequence[tuple[str, Shape]],
    what: str,
    where: str,
) -> None:
    """Refuse declared tensors that are not those of the model, in order."""
    shapes = [shape for _, shape in model]
    if len(declared) == 1 and not any(shapes):
        shapes = [(len(shapes),)]  # the numbers that a formula reads may be one vector
    if len(declared) == len(shapes) and all(
        _is_same(tensor.shape, shape) for tensor, shape in zip(declared, shapes, strict=True)
    ):
        return
    told, has = (
        ", ".join(f"{name} {list(shape)}" for name, shape in tensors)
        for tensors in ([(t.name, t.shape) for t in declared], model)
    )
    raise InputError(
        f"Network {network.name!r} declares {what} {told}, its model has {has}.",
        where=where,
        hint="Declare all of them, in the model's order.",
    )


def _check_types(network: NetworkName, model: Model | Graph, where: str) -> None:
    """Refuse inputs whose declared type is another than that of the model's file, or real.

    The standard leaves that of an isomorphic network open, which may come from the same file.
    """
    types = dict[str, str]()
    if isinstance(model, Model) and not network.isomorphic:
        types = dict(model.loaded.types)
    for tensor, (name, has) in zip(network.inputs, types.items(), strict=False):
        told = tensor.element_type.lower()
        if told not in ("real", has, has.removesuffix("32")):
            raise InputError(
                f"Network {network.name!r} declares {tensor.name} {tensor.element_type}, "
                f"{name} in its model is {has}.",
                where=where,
                hint=f"Declare {has}, or real.",
            )


def _products(
    builder: GraphBuilder, spec: Specification, inputs: Sequence[int], outputs: Sequence[int]
) -> int:
    """The products of elements as one tensor."""
    places = [_places(builder, nodes) for nodes in (inputs, outputs)]

    def element(factor: int) -> int:
        node, index = places[0][factor] if factor >= 0 else places[1][-1 - factor]
        flat = builder.apply(ops.RESHAPE, [node], shape=(size_of(builder.shape(node)),))
        return builder.apply(ops.SLICE, [flat], starts=(index,), steps=(1,), sizes=(1,))

    rows: list[int] = []
    for factors in spec.products:
        first, *rest = map(element, factors)
        for factor in rest:
            first = builder.apply(ops.MUL, [first, factor])
        rows.append(first)
    return builder.apply(ops.CONCAT, rows, axis=0)


def _places(builder: GraphBuilder, nodes: Sequence[int]) -> list[tuple[int, int]]:
    return [(node, i) for node in nodes for i in range(size_of(builder.shape(node)))]


def joint_replay(spec: Specification, models: Mapping[str, Model | Graph]) -> Replay | None:
    """A float32 run of all networks; None where one cannot be run, or more is asked of them."""
    if spec.products or any(network.hidden for network in spec.networks):
        return None
    runs = [replay_of(models[network.name]) for network in spec.networks]
    sizes = [sum(size_of(t.shape) for t in network.inputs) for network in spec.networks]
    ends = np.cumsum(sizes)[:-1]

    def run(x: Array) -> Array | None:
        parts = zip(runs, np.split(x, ends), strict=True)
        found = [None if one is None else one(part) for one, part in parts]
        arrays = [array for array in found if array is not None]
        return np.concatenate(arrays) if len(arrays) == len(found) else None

    return run if all(one is not None for one in runs) else None
