"""Every operator that is read, by domain and name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tamecheck.loaders.onnx.activations import ACTIVATIONS
from tamecheck.loaders.onnx.constants import CONSTANTS
from tamecheck.loaders.onnx.context import Lowering
from tamecheck.loaders.onnx.convolution import CONVOLUTION
from tamecheck.loaders.onnx.einsum import EINSUM
from tamecheck.loaders.onnx.indexing import INDEXING
from tamecheck.loaders.onnx.normalisation import NORMALISATION
from tamecheck.loaders.onnx.pointwise import POINTWISE
from tamecheck.loaders.onnx.pooling import POOLING
from tamecheck.loaders.onnx.qonnx import DOMAINS, QONNX
from tamecheck.loaders.onnx.quantisation import QUANTISATION
from tamecheck.loaders.onnx.recurrent import RECURRENT
from tamecheck.loaders.onnx.reductions import REDUCTIONS
from tamecheck.loaders.onnx.resize import RESIZE
from tamecheck.loaders.onnx.selection import SELECTION
from tamecheck.loaders.onnx.shaping import SHAPING

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
