"""Every operator that is read, by domain and name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tamecheck.load.onnx_model.activations import ACTIVATIONS
from tamecheck.load.onnx_model.constants import CONSTANTS
from tamecheck.load.onnx_model.context import Lowering
from tamecheck.load.onnx_model.convolution import CONVOLUTION
from tamecheck.load.onnx_model.einsum import EINSUM
from tamecheck.load.onnx_model.indexing import INDEXING
from tamecheck.load.onnx_model.normalisation import NORMALISATION
from tamecheck.load.onnx_model.pointwise import POINTWISE
from tamecheck.load.onnx_model.pooling import POOLING
from tamecheck.load.onnx_model.qonnx import DOMAINS, QONNX
from tamecheck.load.onnx_model.quantisation import QUANTISATION
from tamecheck.load.onnx_model.recurrent import RECURRENT
from tamecheck.load.onnx_model.reductions import REDUCTIONS
from tamecheck.load.onnx_model.resize import RESIZE
from tamecheck.load.onnx_model.selection import SELECTION
from tamecheck.load.onnx_model.shaping import SHAPING

__all__ = ["LOWERINGS"]

_STANDARD: Mapping[str, Lowering] = MappingProxyType(
    {
        **POINTWISE,
        **CONVOLUTION,
        **POOLING,
        **NORMALISATION,
        **SELECTION,
        **SHAPING,
        **CONSTANTS,
        **REDUCTIONS,
        **RESIZE,
        **RECURRENT,
        **QUANTISATION,
        **INDEXING,
        **EINSUM,
        **ACTIVATIONS,
    }
)

LOWERINGS: Mapping[tuple[str, str], Lowering] = MappingProxyType(
    {
        **{("", name): lowering for name, lowering in _STANDARD.items()},
        **{(domain, name): lowering for domain in DOMAINS for name, lowering in QONNX.items()},
    }
)
"""The translation of each operator; the domain ``ai.onnx`` is written as the empty string."""
