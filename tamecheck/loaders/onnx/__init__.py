"""ONNX and QONNX models, read as exact graphs of primitive ops."""

from tamecheck.loaders.onnx.reader import load_onnx
from tamecheck.loaders.onnx.source import OpenDimensionError
from tamecheck.loaders.onnx.summary import dims_for, input_shapes, inspect

__all__ = ["OpenDimensionError", "dims_for", "input_shapes", "inspect", "load_onnx"]
