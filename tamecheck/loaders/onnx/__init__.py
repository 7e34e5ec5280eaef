"""ONNX and QONNX models, read as exact graphs of primitive ops."""

from tamecheck.loaders.onnx.dimensions import OpenDimensionError
from tamecheck.loaders.onnx.reader import input_shapes, inspect, load_onnx

__all__ = ["OpenDimensionError", "input_shapes", "inspect", "load_onnx"]
