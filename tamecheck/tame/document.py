"""The certificate of a verdict as a JSON document; see docs/certificates.md."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from tamecheck.ir.box import Box
from tamecheck.ir.exact import bound_text
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import Tensor
from tamecheck.tame.verdict import Step

FORMAT = "tamecheck-certificate"
VERSION = 2


def certificate_document(
    graph: Graph,
    box: Box,
    *,
    claim: Mapping[str, Any],
    steps: Sequence[Step],
    tensors: Mapping[str, Tensor],
) -> dict[str, Any]:
    """The document that the kernel checks; its format is described in docs/certificates.md.

    Only the tensors that some step computes with are included, so the size grows with the number
    of layers and not with the number of weights.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "model": {"sha256": graph.sha256, "graph": graph.document()},
        "tensors": {digest: tensor_document(tensor) for digest, tensor in tensors.items()},
        "domain": {
            name: {
                "lower": [bound_text(bound) for bound in box.side(name).lower],
                "upper": [bound_text(bound) for bound in box.side(name).upper],
            }
            for name in graph.inputs
        },
        "claim": dict(claim),
        "steps": [dict(step) for step in steps],
    }


def tensor_document(tensor: Tensor) -> dict[str, Any]:
    """A tensor's encoding, shape and elements as they stand in JSON files."""
    data: Any = (
        tensor.texts() if tensor.encoding == "q" else base64.b64encode(tensor.raw()).decode("ascii")
    )
    return {"encoding": tensor.encoding, "shape": list(tensor.shape), "data": data}
