"""ONNX and QONNX models, read as exact graphs of primitive ops."""

from tamecheck.loaders.onnx.dimensions import OpenDimensionError
from tamecheck.loaders.onnx.reader import dims_for, input_shapes, inspect, load_onnx

__all__ = ["OpenDimensionError", "dims_for", "input_shapes", "inspect", "load_onnx"]
