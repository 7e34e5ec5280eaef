"""A binarized network as an ONNX file, with the same value at every input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tamecheck.errors import InputError
from tamecheck.loaders.outputs import write_bytes
from tamecheck.loaders.tables.schema import Schema
from tamecheck.loaders.tables.schema_file import METADATA_KEY, schema_document

if TYPE_CHECKING:
    from tamecheck.learn.network import BinarizedNetwork

__all__ = ["onnx_bytes", "onnx_model", "write_onnx"]

_OPSET = 17
_IR_VERSION = 8


def write_onnx(network: BinarizedNetwork, path: str | Path, schema: Schema | None = None) -> None:
    """Write the network, the same bytes each time.

    Parameters
    ----------
    network, path
        The network, and the file.
    schema
        What its inputs are made of; it goes into the metadata.

    Raises
    ------
    InputError
        If the name does not end in ``.onnx``.
    """
    if Path(path).suffix.lower() != ".onnx":
        raise InputError("Networks are exported as ONNX.", where=str(path), hint="Name it .onnx.")
    write_bytes(path, onnx_bytes(network, schema))


def onnx_bytes(network: BinarizedNetwork, schema: Schema | None = None) -> bytes:
    """What `write_onnx` writes."""
    model = onnx_model(network)
    if schema is not None:
        document = json.dumps(schema_document(schema), allow_nan=False, separators=(",", ":"))
        entry = model.metadata_props.add()
        entry.key, entry.value = METADATA_KEY, document
    return model.SerializeToString(deterministic=True)


def onnx_model(network: BinarizedNetwork) -> Any:
    """The ``ModelProto``: input ``x`` of shape (rows, inputs), output ``scores``.

    Weights are float32 if each of them is one, else float64.  ONNX says sign(0) = 0, so the sign
    with sign(0) = 1 is written as ``where(a >= 0, 1, -1)``.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    arrays = [array for layer in network.layers for array in (layer.weights, layer.offset)]
    single = all(bool((a.astype(np.float32) == a).all()) for a in arrays)
    dtype, element = (np.float32, TensorProto.FLOAT) if single else (np.float64, TensorProto.DOUBLE)
    constants = {"zero": np.zeros((), dtype), "one": np.ones((), dtype)}
    constants["minus_one"] = -constants["one"]
    nodes: list[Any] = []
    value = "x"
    for number, layer in enumerate(network.layers, start=1):
        readout = number == len(network.layers)
        constants[f"weights_{number}"] = layer.weights.astype(dtype)
        constants[f"offset_{number}"] = layer.offset.astype(dtype)
        affine = "scores" if readout else f"affine_{number}"
        terms = [value, f"weights_{number}", f"offset_{number}"]
        nodes.append(helper.make_node("Gemm", terms, [affine], name=affine))
        if not readout:
            test, value = f"test_{number}", f"sign_{number}"
            nodes += [
                helper.make_node("GreaterOrEqual", [affine, "zero"], [test], name=test),
                helper.make_node("Where", [test, "one", "minus_one"], [value], name=value),
            ]
    used = {name for node in nodes for name in node.input}
    inputs, outputs = network.widths[0], network.widths[-1]
    graph = helper.make_graph(
        nodes,
        "binarized_network",
        [helper.make_tensor_value_info("x", element, ["rows", inputs])],
        [helper.make_tensor_value_info("scores", element, ["rows", outputs])],
        [numpy_helper.from_array(a, name) for name, a in constants.items() if name in used],
        doc_string=str(network),
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="tamecheck",
    )
    cast("Any", onnx.checker).check_model(model, full_check=True)
    return model
