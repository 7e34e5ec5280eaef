"""Chains of affine layers as ONNX files, with the same value at every input."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from tamecheck.errors import InputError
from tamecheck.loaders.outputs import write_bytes
from tamecheck.loaders.tables.schema import Schema
from tamecheck.loaders.tables.schema_file import METADATA_KEY, schema_document

_OPSET = 17
_IR_VERSION = 8
_NAMES = {"sign": "binarized_network", "relu": "relu_network"}


def write_onnx(path: str | Path, data: bytes) -> None:
    """Write what `onnx_bytes` made.

    Raises `InputError` if the name does not end in ``.onnx``.
    """
    if Path(path).suffix.lower() != ".onnx":
        raise InputError("Networks are exported as ONNX.", where=str(path), hint="Name it .onnx.")
    write_bytes(path, data)


def onnx_bytes(
    layers: Sequence[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64] | None]],
    activation: Literal["sign", "relu"],
    schema: Schema | None = None,
    text: str = "",
) -> bytes:
    """The same bytes each time: input ``x`` of shape (rows, inputs), output ``scores``.

    ``layers`` are weights and offsets; a schema of the inputs goes into the metadata.  Numbers are
    float32 if each of them is one, else float64.  ONNX says sign(0) = 0, so the sign with
    sign(0) = 1 is written as ``where(a >= 0, 1, -1)``.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    arrays = [array for layer in layers for array in layer if array is not None]
    single = all(bool((a.astype(np.float32) == a).all()) for a in arrays)
    dtype, element = (np.float32, TensorProto.FLOAT) if single else (np.float64, TensorProto.DOUBLE)
    constants = {"zero": np.zeros((), dtype), "one": np.ones((), dtype)}
    constants["minus_one"] = -constants["one"]
    nodes: list[Any] = []

    def add(op: str, terms: list[str], output: str) -> str:
        name = output if activation == "sign" else None
        nodes.append(helper.make_node(op, terms, [output], name=name))
        return output

    value = "x"
    for number, (weights, offset) in enumerate(layers, start=1):
        terms = [value, f"weights_{number}"]
        constants[terms[1]] = weights.astype(dtype)
        if offset is not None:
            terms.append(f"offset_{number}")
            constants[terms[2]] = offset.astype(dtype)
        last = number == len(layers)
        op, output = (
            "MatMul" if offset is None else "Gemm",
            "scores" if last else f"affine_{number}",
        )
        affine = add(op, terms, output)
        if last:
            break
        if activation == "relu":
            value = add("Relu", [affine], f"relu_{number}")
        else:
            test = add("GreaterOrEqual", [affine, "zero"], f"test_{number}")
            value = add("Where", [test, "one", "minus_one"], f"sign_{number}")
    used = {name for node in nodes for name in node.input}
    ends = len(layers[0][0]), layers[-1][0].shape[1]
    graph = helper.make_graph(
        nodes,
        _NAMES[activation],
        [helper.make_tensor_value_info("x", element, ["rows", ends[0]])],
        [helper.make_tensor_value_info("scores", element, ["rows", ends[1]])],
        [numpy_helper.from_array(a, name) for name, a in constants.items() if name in used],
        doc_string=text or None,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="tamecheck",
    )
    cast("Any", onnx.checker).check_model(model, full_check=True)
    if schema is not None:
        document = json.dumps(schema_document(schema), allow_nan=False, separators=(",", ":"))
        entry = model.metadata_props.add()
        entry.key, entry.value = METADATA_KEY, document
    return model.SerializeToString(deterministic=True)
